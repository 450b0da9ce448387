"""Django and DRF: nothing succeeds that no guard has decided; `async` views, changed methods."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from guard_doors import Door, OfDjango, OfDjangoAsync, OfDrf, set_django_up
from guard_world import OWN, lose_store
from test_guard_exit import alarms, kept, refuses

from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GUARD = "gatekey.django.GuardMiddleware"
OWN_MIDDLEWARE = types.ModuleType("guard_middleware")
sys.modules["guard_middleware"] = OWN_MIDDLEWARE


def middleware(call: Any) -> str:
    """Give the name of a middleware, as settings name it."""
    setattr(OWN_MIDDLEWARE, call.__name__, call)
    return f"guard_middleware.{call.__name__}"


@pytest.fixture(params=[OfDjango, OfDjangoAsync, OfDrf])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made: Door = request.param(tmp_path)
    yield made
    made.world.close()


@pytest.fixture
def drf(tmp_path: Path) -> Iterator[Any]:
    made = OfDrf(tmp_path)
    yield made
    made.world.close()


def guarding(door: Any) -> Callable[[Any], Any]:
    """Give what guards a view of Django's own."""
    auth = door.guard
    guard: Callable[[Any], Any] = auth.view() if isinstance(door, OfDrf) else auth.requires()
    return guard


def shown_by(renderer: Any, _: Any, __: Any, context: Any) -> Any:
    """What a page of the API shows: the methods that its caller may use, besides."""
    view, request = context["view"], context["request"]
    allowed = renderer.show_form_for_method
    return str([one for one in ("POST",) if _may(allowed, view, one, request)]).encode()


def _may(allowed: Any, view: Any, method: str, request: Any) -> bool:
    from rest_framework.request import override_method

    if method not in view.allowed_methods:
        return False
    with override_method(view, request, method) as asked:
        return bool(allowed(view, method, asked, None))


def who(door: Any) -> Callable[[Any], Any]:
    from django.http import HttpResponse

    return lambda request: HttpResponse("of " + str(door.guard.access(request).subject))


def start(door: Any, more: dict[str, Any], *inside: str, **settings: Any) -> Any:
    """Start it with more views, and more middleware inside of the guard's."""
    from django.test import override_settings
    from django.urls import path as url_path

    for path, view in more.items():
        door.patterns.append(url_path(path, view, name=path))
    changed = override_settings(MIDDLEWARE=[GUARD, *inside], **settings)
    changed.enable()
    try:
        door.start()
        door.call("GET", "/public")  # which loads the middleware
    finally:
        changed.disable()
    return door


def test_caches_above_the_guard(door: Any, caplog: pytest.LogCaptureFixture) -> None:
    from django.views.decorators.cache import cache_page

    guarded = guarding(door)
    if isinstance(door, OfDjangoAsync):
        from django.http import HttpResponse

        async def of(request: Any) -> HttpResponse:
            return HttpResponse("of " + str(door.guard.access(request).subject))

        first = {"of-django": cache_page(60)(guarded(of))}
    else:
        view = who(door)
        first = {"of-django": cache_page(60)(guarded(view)), "kept": kept(guarded(view))}
    start(door, first)
    issued = door.guard.api_keys.create(owner="alice")
    own = [("X-API-Key", issued.secret)]
    for path in first:
        assert door.call("GET", "/" + path, own).body == b"of alice"
    door.guard.api_keys.revoke(issued.record.id)
    for path in first:
        refuses(door.call("GET", "/" + path, own), caplog, f"/{path} (")


def test_classes_that_replace_what_is_guarded(door: Any, caplog: pytest.LogCaptureFixture) -> None:
    from django.http import HttpResponse
    from django.views import View

    class Base(View):  # type: ignore[misc]
        def get(self, _: Any) -> HttpResponse:
            return HttpResponse("of alice")

    base = guarding(door)(Base)

    class Own(base):  # type: ignore[valid-type,misc]
        def dispatch(self, *_: Any, **__: Any) -> HttpResponse:
            return HttpResponse("of alice")

    class Good(base):  # type: ignore[valid-type,misc]
        def dispatch(self, *args: Any, **options: Any) -> Any:
            return super().dispatch(*args, **options)

    again = guarding(door)(type("Again", (base,), {}))
    views = {"base": base, "own": Own, "good": Good, "again": again}
    start(door, {path: view.as_view() for path, view in views.items()})
    key = door.world.key(rate="10/60s")
    for number, path in enumerate(("base", "good", "again")):
        answer = door.call("GET", "/" + path, key)
        assert (answer.status, answer.body) == (200, b"of alice"), path
        assert (answer.one("ratelimit") or "").startswith(f'"key";r={9 - number};')
        assert door.call("GET", "/" + path).status == 401
    nothing: Any = []
    for headers in (nothing, key):
        refuses(door.call("GET", "/own", headers), caplog, "/own (")


def test_classes_of_a_public_one(door: Any) -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpResponse
    from django.views import View

    class Open(View):  # type: ignore[misc]
        def get(self, _: Any) -> HttpResponse:
            return HttpResponse("open")

    opened = door.public(Open)
    derived: Any = type("Derived", (opened,), {})
    with pytest.raises(ImproperlyConfigured) as raised:
        start(door, {"open": opened.as_view(), "derived": derived.as_view()})
    assert "/derived" in str(raised.value)
    assert "/open" not in str(raised.value)
    del door.patterns[-1]
    start(door, {"derived": guarding(door)(derived).as_view()})
    assert [door.call("GET", path).status for path in ("/open", "/derived")] == [200, 401]
    assert door.call("GET", "/derived", door.world.key()).body == b"open"


def test_silent_where_no_guarded_view_has_answered(
    door: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse

    if isinstance(door, OfDjangoAsync):
        return  # sync middleware: as the others
    guarded = guarding(door)

    def missing(_: Any) -> HttpResponse:
        raise Http404

    def failing(_: Any) -> HttpResponse:
        raise RuntimeError

    def maintenance(inner: Any) -> Any:
        def call(request: Any) -> Any:
            return HttpResponse("back soon") if "back" in request.GET else inner(request)

        return call

    def moved(_: Any) -> HttpResponse:
        return HttpResponseRedirect("/log-in")

    moved.__gatekey__ = guarded(missing).__gatekey__  # type: ignore[attr-defined]
    moved.__gatekey_guard__ = door.guard  # type: ignore[attr-defined]
    views = {
        "parts": guarded(lambda _: StreamingHttpResponse(iter("abc"))),
        "missing": guarded(missing),
        "failing": guarded(failing),
        "moved": moved,
        "of-others": lambda _: HttpResponse("of others"),
    }
    cached = ("django.middleware.cache.UpdateCacheMiddleware", middleware(maintenance))
    fetched = "django.middleware.cache.FetchFromCacheMiddleware"
    start(door, views, *cached, fetched, GATEKEY_PUBLIC=["of-others"])
    own = door.world.key(rate="10/60s")
    for path, headers, status in (
        ("/parts", own, 200),
        ("/missing", own, 404),
        ("/moved", [], 302),
        ("/of-others", [], 200),
        ("/of-others", [], 200),  # of the cache
        ("/orders", own, 200),
        ("/orders", own, 200),
        ("/orders", [], 401),
        ("/nowhere", [], 404),
    ):
        answer = door.call("GET", path, headers)
        assert answer.status == status, path
        if headers:
            assert "X-API-Key" in (answer.one("vary") or "")
            assert answer.one("ratelimit"), path
    assert door.call("GET", "/orders", query="back=1").body == b"back soon"
    assert not alarms(caplog)
    failed = door.call("GET", "/failing", own)
    assert (failed.status, "X-API-Key" in (failed.one("vary") or "")) == (500, True)


def test_names_that_several_routes_have(door: Any) -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpResponse
    from django.urls import include
    from django.urls import path as url_path

    def health(_: Any, number: int = 0) -> HttpResponse:
        return HttpResponse(str(number))

    door.patterns += [
        url_path("health", health, name="index"),
        url_path("health/<int:number>", health, name="index"),
    ]
    start(door, {}, GATEKEY_PUBLIC=["index"])
    inner = [url_path("", lambda _: HttpResponse("of the administrators"), name="index")]
    door.patterns.append(url_path("admin/", include(inner)))
    with pytest.raises(ImproperlyConfigured, match=r"'index'.*/admin/, /health"):
        start(door, {}, GATEKEY_PUBLIC=["index"])
    door.patterns[-1] = url_path("admin/", include((inner, "admin")))
    start(door, {}, GATEKEY_PUBLIC=["index", "admin:*"])


def test_a_method_that_was_changed(door: Any) -> None:
    if isinstance(door, OfDjangoAsync):
        return  # sync middleware: as the others

    def override(inner: Any) -> Any:
        def call(request: Any) -> Any:
            request.method = request.GET.get("_method", request.method)
            return inner(request)

        return call

    start(door, {}, middleware(override))
    jar = door.world.jar()
    for sent, now in (("GET", "POST"), ("POST", "GET"), ("OPTIONS", "POST")):
        headers = [("Cookie", jar.header), ("Access-Control-Request-Method", "POST")]
        answer = door.call(sent, "/any", headers, query="_method=" + now)
        assert (answer.status, answer.json["code"]) == (403, "access_denied"), (sent, now)
    assert door.call("GET", "/any", [("Cookie", jar.header)], query="_method=HEAD").status == 200


# ---- async ----


def test_async_views_of_all_kinds(tmp_path: Path) -> None:
    set_django_up()
    from functools import partial

    from django.http import HttpResponse
    from django.views import View

    door = OfDjangoAsync(tmp_path)
    auth = door.guard

    async def named(request: Any, end: str = "") -> HttpResponse:
        return HttpResponse(str(auth.access(request).subject) + end)

    class Plain(View):  # type: ignore[misc]
        async def get(self, request: Any) -> HttpResponse:
            return await named(request)

    class Called:
        async def __call__(self, request: Any) -> HttpResponse:
            return await named(request)

    views = {
        "around": auth.requires()(Plain.as_view()),
        "called": auth.requires()(Called()),
        "part": auth.requires()(partial(named, end="")),
        "class": auth.requires()(Plain).as_view(),
    }
    start(door, views)
    key = door.world.key(rate="10/60s")
    for path in views:
        answer = door.call("GET", "/" + path, key)
        assert (answer.status, answer.body) == (200, b"acme"), path
        assert answer.one("ratelimit")
        assert "X-API-Key" in (answer.one("vary") or "")
        assert door.call("GET", "/" + path).status == 401
    door.world.close()


def test_async_log_ins(tmp_path: Path) -> None:
    from django.http import HttpResponse, HttpResponseRedirect

    door = OfDjangoAsync(tmp_path)
    auth = door.guard

    async def log_in_there(request: Any) -> HttpResponse:
        tokens = await auth.alog_in(request, HttpResponse(), "alice", scopes=["orders:read"])
        assert tokens.access_token
        return HttpResponseRedirect("/home")  # another answer

    async def log_out(request: Any) -> HttpResponse:
        return await auth.alog_out(request, HttpResponse("out"))

    start(door, {"in": auth.public(log_in_there), "out": auth.public(log_out)})
    jar = CookieJar()
    answer = door.call("POST", "/in", [("Origin", OWN)])
    assert (answer.status, answer.one("cache-control")) == (302, "no-store")
    jar.take(answer.all("set-cookie"))
    assert door.call("GET", "/orders", [("Cookie", jar.header)]).status == 200
    assert door.call("POST", "/out", [("Cookie", jar.header)]).status == 403
    page = list(jar.headers(auth, OWN).items())
    assert door.call("POST", "/out", page).body == b"out"
    assert door.call("GET", "/orders", [("Cookie", jar.header)]).status == 401
    lose_store(door.world, [])
    lost = door.call("POST", "/in", [("Origin", OWN)])
    assert (lost.status, lost.one("cache-control")) == (503, "no-store")
    door.world.close()


# ---- DRF ----


def test_drf_views_that_skip_the_guard(drf: Any, caplog: pytest.LogCaptureFixture) -> None:
    from rest_framework.permissions import AllowAny
    from rest_framework.response import Response
    from rest_framework.views import APIView

    auth = drf.guard

    def get(_: Any, __: Any) -> Response:
        return Response("of alice")

    def made(**more: Any) -> Any:
        own = {
            "authentication_classes": [auth.authentication],
            "permission_classes": [auth.requires()],
            "get": get,
        }
        return type("Own", (APIView,), own | more).as_view()  # type: ignore[attr-defined]

    bad = {
        "permissions": made(get_permissions=lambda _: [AllowAny()]),
        "initial": made(initial=lambda *_, **__: None),
        "check": made(check_permissions=lambda *_: None, authentication_classes=[]),
    }
    good = {
        "said": made(get_permissions=lambda _: [auth.public()()]),
        "open": made(permission_classes=[auth.public()], initial=lambda *_, **__: None),
    }
    start(drf, bad | good)
    nothing: Any = []
    for headers in (nothing, drf.world.key()):
        for path in bad:
            refuses(drf.call("GET", "/" + path, headers), caplog, f"/{path} (")
        for path in good:
            assert drf.call("GET", "/" + path, headers).status == 200
    assert not alarms(caplog)


def test_drf_a_second_credential(drf: Any) -> None:
    """Another class has found a user before: whose answer would it be?"""
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Bob:
        is_authenticated = True

    class ByName(BaseAuthentication):  # type: ignore[misc]
        def authenticate(self, request: Any) -> Any:
            return (Bob(), None) if "HTTP_X_NAME" in request.META else None

    def get(view: Any, request: Any) -> Response:  # noqa: ARG001
        return Response({"user": str(getattr(request.user, "pk", "bob"))})

    def made(*classes: Any, **demands: Any) -> Any:
        permission = drf.guard.requires(**demands)
        own = {"authentication_classes": classes, "permission_classes": [permission], "get": get}
        return type("Own", (APIView,), own).as_view()  # type: ignore[attr-defined]

    first, second = (ByName, drf.guard.authentication), (drf.guard.authentication, ByName)
    views = {"a": made(*first), "b": made(*second), "c": made(*first, optional=True)}
    start(drf, views)
    key, other = drf.world.key(), [("X-Name", "bob")]
    for path in views:
        assert drf.call("GET", "/" + path, key).json == {"user": "acme"}
    both = [drf.call("GET", "/" + path, key + other) for path in views]
    assert [answer.status for answer in both] == [400, 200, 400]
    assert both[0].json["code"] == "several_credentials"
    assert both[1].json == {"user": "acme"}
    assert drf.call("GET", "/c", other).json == {"user": "bob"}


@pytest.mark.parametrize("found", [None, False, 0, "", "anonymous", "coroutine"])
def test_drf_users_who_are_nobody(tmp_path: Path, found: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    async def later() -> str:
        return "alice"

    made = {"anonymous": AnonymousUser, "coroutine": later}.get(found, lambda: found)
    drf = OfDrf(tmp_path, user=lambda _: made())
    answer = drf.call("GET", "/any", drf.world.key())
    if found != "coroutine":
        assert (answer.status, answer.json["code"]) == (401, "invalid_token")
    else:
        assert answer.status == 500
    with pytest.raises(TypeError, match="`user` must be a plain function"):
        type(drf.guard)("memory:", user=later)
    drf.world.close()


def test_drf_pays_once_for_a_page_and_for_permissions_of_its_own(drf: Any) -> None:
    from rest_framework.renderers import BrowsableAPIRenderer
    from rest_framework.response import Response
    from rest_framework.viewsets import ViewSet

    auth = drf.guard
    read, write = auth.requires("read"), auth.requires("write")

    def permissions(view: Any) -> Any:
        new = auth.requires("read", cost=2)  # a new one with each call
        return [{"list": read, "dear": new}.get(view.action, write)()]

    def answer(_: Any, request: Any) -> Response:
        return Response({"who": request.auth.subject})

    members = {
        "authentication_classes": [auth.authentication],
        "permission_classes": [read],
        "renderer_classes": [type("Page", (BrowsableAPIRenderer,), {"render": shown_by})],
        "get_permissions": permissions,
        "list": answer,
        "dear": answer,
        "create": answer,
    }
    view: Any = type("Own", (ViewSet,), members)
    post = {"post": "create"}
    views = {"page": view.as_view({"get": "list", **post}), "dear": view.as_view({"get": "dear"})}
    start(drf, views)
    key = drf.world.key(scopes=["read"], rate="10/60s")
    for path, left, shown in (("/page", 9, b"[]"), ("/page", 8, b"[]"), ("/dear", 6, b"[]")):
        seen = drf.call("GET", path, key)
        assert (seen.status, seen.body) == (200, shown)
        assert (seen.one("ratelimit") or "").startswith(f'"key";r={left};')
    assert drf.call("POST", "/page", key).status == 403
    both = drf.world.key(scopes=["read", "write"], rate="10/60s")
    assert drf.call("GET", "/page", both).body == b"['POST']"
    assert (drf.call("GET", "/page", both).one("ratelimit") or "").startswith('"key";r=8;')
