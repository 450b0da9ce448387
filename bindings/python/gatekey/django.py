"""The guard for Django.

::

    # shop/auth.py
    from gatekey.django import Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)

    # shop/settings.py
    GATEKEY_GUARD = "shop.auth.auth"
    MIDDLEWARE = ["gatekey.django.GuardMiddleware", ...]

    # shop/urls.py
    urlpatterns = [path("orders", auth.requires("orders:read")(orders)), *auth.urls()]
"""

from __future__ import annotations

from functools import wraps
from http.cookies import Morsel, SimpleCookie
from inspect import isclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls import path as url_path
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from gatekey._core import Access, _Request
from gatekey.exceptions import ConfigurationError
from gatekey.guard import base, door
from gatekey.guard.answer import Answer, cookies_of, joined
from gatekey.guard.base import (
    FORM,
    NAMES_COLLAPSE,
    mark_of,
    marked,
    tokens_of,
    unguarded,
)
from gatekey.guard.door import access_of, is_short
from gatekey.guard.events import LOG
from gatekey.guard.former import looked_up
from gatekey.guard.given import names_of
from gatekey.guard.loop import decided
from gatekey.guard.pending import PENDING, Pending, not_installed
from gatekey.guard.routes import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.former import _Found, _User
    from gatekey.guard.routes import OwnRoute

T = TypeVar("T")
DECIDED = "_gatekey"
"""The attribute of a request that holds what was decided about it."""

OF_GATEKEY = ("gatekey.django.GuardMiddleware", "gatekey.drf.GuardMiddleware")
"""The names of the middleware in `settings.MIDDLEWARE`."""

__all__ = ["Access", "Guard", "GuardMiddleware", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A log-out was refused; the middleware answers it."""

    def __init__(self, decision: _Decision) -> None:
        """Take what was decided."""
        super().__init__(f"refused with {decision.status}")
        self.answer = Answer.of(decision)
        self.error = decision.error


class Guard(door.Guard):
    """One decision at every door of a Django project; see :class:`gatekey.guard.Guard`.

    Views are functions, ``async`` or not, and classes. The guard's own check for forged requests
    stands in for Django's; views that are ``public`` keep Django's.
    """

    def access(self, request: HttpRequest) -> Access:
        """Say who calls: what was decided about this request.

        :raises UsageError: nothing was decided about it.
        """
        found: tuple[_Decision, _Demand] | None = getattr(request, DECIDED, None)
        return access_of(found and found[0])

    def urls(self, prefix: str = "auth") -> list[URLPattern]:
        """Give the guard's own routes: refresh, log-out, devices, keys, metadata.

        :param prefix: where refresh, log-out and devices are, below the place of this list, which
            belongs into the `urlpatterns` of the project itself.
        """
        found: dict[str, list[OwnRoute]] = {}
        for route in self.own_routes(prefix):
            found.setdefault(route.path, []).append(route)
        return [self._own(routes) for routes in found.values()]

    def log_in(
        self,
        request: HttpRequest,
        response: HttpResponse,
        subject: str,
        *,
        scopes: str | Iterable[str] = (),
        claims: Mapping[str, object] | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> SessionTokens:
        """Start the session of a subject that has logged in; the response sets its cookies.

        :param scopes: what its access tokens grant.
        :param claims: what else they say.
        :param meta: the program's own notes.
        """
        pending = _pending_of(request)
        client = request.META.get("HTTP_USER_AGENT")
        own = request_of(request)
        decision = self._log_in(
            own, subject, scopes=scopes, claims=claims, client=client, meta=meta
        )
        pending.add(decision.headers, is_log_in=True)
        _set(response, cookies_of(decision.headers))
        return tokens_of(decision)

    def log_out(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """End the session of the request, and give the response, which clears its cookies.

        :raises Refused: there is no session, or the request is not of a page of this service: the
            middleware answers the refusal.
        """
        pending = _pending_of(request)
        decision = self._log_out(request_of(request))
        if not decision.is_allowed:
            raise Refused(decision)
        pending.add(decision.headers)
        _set(response, cookies_of(decision.headers))
        return response

    def form_token(self, request: HttpRequest, response: HttpResponse) -> str:
        """Give the CSRF token of a page with a log-in form; the response sets its cookie.

        Only browsers of before 2023 need it, where the form's route is ``public(own_pages=True)``.
        """
        pending = _pending_of(request)
        token, set_cookie = self._core.form_token(request_of(request))
        cookies = [] if set_cookie is None else [("Set-Cookie", set_cookie)]
        pending.add(cookies)
        _set(response, cookies)
        return token

    # ---- how ----

    def _guarding(self, view: T, demand: _Demand) -> T:
        if mark_of(view) is not None:
            raise ConfigurationError("A view has two guards; say all that it demands in one.")
        if isclass(view):
            if not hasattr(view, "dispatch"):
                raise TypeError(f"`requires(...)` guards a view; {view.__name__} is none")
            wrap = method_decorator(lambda call: self._guarding(call, demand), name="dispatch")
            own = cast("Any", wrap(cast("Any", view)))
            return cast("T", marked(own, demand))
        call = cast("Callable[..., Any]", view)
        if not callable(call):
            raise TypeError(f"`requires(...)` guards a view, not {type(view).__name__}")
        wrapper = (
            self._async(call, demand) if iscoroutinefunction(call) else self._sync(call, demand)
        )
        if not demand.is_public:
            wrapper = csrf_exempt(wrapper)
        return cast("T", marked(wrapper, demand))

    async def _look_up(self, found: _Found) -> _User | None:
        # Where the project's own database connections are.
        return await sync_to_async(looked_up)(self, found)

    def _request_of(self, request: HttpRequest) -> _Request:
        """Give a request as the server has it, with the CSRF token of a form."""
        if self._trusts_blindly and not isinstance(request, ASGIRequest):
            self._trusts_blindly = False  # said once
            LOG.warning(NAMES_COLLAPSE)
        return request_of(request, self.csrf_form_field)

    def _sync(self, call: Callable[..., Any], demand: _Demand) -> Callable[..., Any]:
        @wraps(call)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check_installed(request)
            decision = self._decide(self._request_of(request), demand)
            setattr(request, DECIDED, (decision, demand))
            if not decision.is_allowed:
                return response_of(Answer.of(decision))
            return with_headers(call(request, *args, **kwargs), decision)

        return wrapper

    def _async(self, call: Callable[..., Any], demand: _Demand) -> Callable[..., Any]:
        @wraps(call)
        async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check_installed(request)
            decision = await decided(self, self._request_of(request), demand)
            setattr(request, DECIDED, (decision, demand))
            if not decision.is_allowed:
                return response_of(Answer.of(decision))
            return with_headers(await call(request, *args, **kwargs), decision)

        return wrapper

    def _own(self, routes: list[OwnRoute]) -> URLPattern:
        """Give the pattern of a path, with a route for each of its methods."""
        methods = {route.method: route for route in routes}
        first = routes[0]

        def view(request: HttpRequest, family: str = "") -> HttpResponse:
            route = methods.get(request.method or "")
            if route is None:
                return response_of(Answer(405, (("Allow", ", ".join(methods)),)))
            length = request.META.get("CONTENT_LENGTH") or ""
            is_small = is_short(length)
            query, cookies = (
                request.META.get("QUERY_STRING", ""),
                request.META.get("HTTP_COOKIE", ""),
            )
            form = request.body if route.takes_form and is_small else b""
            asked = Asked(request_of(request), family, query, cookies, form)
            return response_of(route.answer(self, asked))

        path = first.path.lstrip("/").replace("{family}", "<family>")
        made = marked(csrf_exempt(view), self.open_demand())
        own: Any = url_path(path, made, name=first.name)
        return cast("URLPattern", own)


class GuardMiddleware:
    """Looks at all routes when the project starts, and lets no view run that has no guard.

    The setting ``GATEKEY_GUARD`` is the name of the guard, such as ``shop.auth.auth``;
    ``GATEKEY_PUBLIC`` a list of names of views that are public, of others' applications:
    ``"admin:*"`` is all of a namespace.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Look at all routes.

        :raises ImproperlyConfigured: one has no guard.
        """
        self._inner = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        name = getattr(settings, "GATEKEY_GUARD", None)
        if name is not None and not isinstance(import_string(name), base.Guard):
            raise ImproperlyConfigured("GATEKEY_GUARD must be the name of a gatekey guard.")
        self._public = names_of(getattr(settings, "GATEKEY_PUBLIC", ()), "GATEKEY_PUBLIC")
        without = list(_without(cast("Any", get_resolver()).url_patterns, "", "", self._public))
        if without:
            raise ImproperlyConfigured(str(unguarded(without)))

    def __call__(self, request: HttpRequest) -> Any:
        """Pass it on, and see that its answer sets the cookies of a log-in or log-out."""
        setattr(request, PENDING, Pending())
        if iscoroutinefunction(self):
            return self._waiting(request)
        return _leaving(request, self._inner(request))

    async def _waiting(self, request: HttpRequest) -> Any:
        return _leaving(request, await self._inner(request))

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal."""
        return response_of(exception.answer) if isinstance(exception, Refused) else None

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """Let no view run that has no guard: of a route that was added later.

        :raises ImproperlyConfigured: it has none.
        """
        match = request.resolver_match
        name = "" if match is None else match.view_name
        if not is_guarded(view) and not _is_public(name, self._public):
            raise ImproperlyConfigured(str(unguarded([f"{request.path} ({name})"])))
        return None


def is_guarded(view: Any) -> bool:
    """Tell whether a view has a guard: itself, its class, or its permissions (DRF)."""
    of_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if mark_of(view) is not None or mark_of(of_class) is not None:
        return True
    options: Mapping[str, Any] = getattr(view, "initkwargs", None) or {}
    permissions = options.get("permission_classes", getattr(of_class, "permission_classes", ()))
    return any(mark_of(permission) is not None for permission in permissions)


def _without(
    patterns: Iterable[Any], prefix: str, namespace: str, public: frozenset[str]
) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        inside: Any = pattern
        if isinstance(pattern, URLResolver):
            inner = namespace + (f"{pattern.namespace}:" if pattern.namespace else "")
            yield from _without(inside.url_patterns, path, inner, public)
        elif not is_guarded(pattern.callback):
            name = namespace + (pattern.name or "")
            if not _is_public(name, public):
                yield f"/{path} ({name or pattern.lookup_str})"


def _is_public(name: str, public: frozenset[str]) -> bool:
    if name in public:
        return True
    namespaces = name.split(":")[:-1]
    return any(f"{':'.join(namespaces[:n])}:*" in public for n in range(1, len(namespaces) + 1))


def check_installed(request: HttpRequest) -> None:
    """Look whether the middleware is there.

    :raises ConfigurationError: it is not.
    """
    if hasattr(request, PENDING) or any(name in settings.MIDDLEWARE for name in OF_GATEKEY):
        return
    raise not_installed(f'add "{OF_GATEKEY[0]}" to the setting MIDDLEWARE, as its first')


def _pending_of(request: HttpRequest) -> Pending:
    """Give what the answer must set.

    :raises UsageError: it has begun, or the middleware is not there.
    """
    own: Any = getattr(request, "_request", request)  # DRF's has one of Django's
    check_installed(own)
    # A request of a test has not passed the middleware.
    pending: Pending = own.__dict__.setdefault(PENDING, Pending())
    pending.check()
    return pending


def _leaving(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Add the cookies that are missing to an answer."""
    pending: Pending = getattr(request, PENDING)
    there = [cookie.OutputString() for cookie in response.cookies.values()]
    added = pending.leaving(response.status_code, there)
    if added is not None:
        response["Cache-Control"] = "no-store"
        _set(response, (("Set-Cookie", value) for value in added))
    return response


def request_of(request: HttpRequest, field: str | None = None) -> _Request:
    """Give a request as the server has it, with the CSRF token of a form's field of this name."""
    token: Any = request.POST.get(field) if field and request.content_type == FORM else None
    if isinstance(request, ASGIRequest):
        return _Request.of_asgi(request.scope, token)
    return _Request.of_wsgi(request.META, token)


def response_of(answer: Answer) -> HttpResponse:
    """Make a response, with its headers as they are."""
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    _set(response, answer.headers)
    return response


class _Cookie(Morsel):  # type: ignore[type-arg]
    """A cookie as the core has written it."""

    text = ""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802, ARG002 - a name of Python's own
        """Give it as it is sent."""
        return self.text


def _set(response: HttpResponse, headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        if name != "Set-Cookie":
            response.headers[name] = value
            continue
        # Django keeps cookies apart from headers.
        for key, parsed in SimpleCookie(value).items():
            cookie = _Cookie()
            cookie.update(parsed)
            cookie.set(key, parsed.value, parsed.coded_value)
            cookie.text = value
            dict.__setitem__(response.cookies, key, cookie)


def with_headers(response: Any, decision: _Decision) -> Any:
    """Add what goes with an answer: the names of `Vary` to the application's own, and rates."""
    for name, value in decision.headers:
        if name == "Vary":
            response["Vary"] = joined([response.get("Vary", "")], value)
        else:
            response[name] = value
    return response
