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

from functools import partial, wraps
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
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from gatekey._core import Access, _Request
from gatekey.aio.pool import STORES
from gatekey.exceptions import ConfigurationError
from gatekey.guard import base, door
from gatekey.guard.answer import Answer, cookies_of, joined
from gatekey.guard.base import (
    FORM,
    MARK,
    mark_of,
    marked,
    tokens_of,
    unguarded,
)
from gatekey.guard.course import COURSE, Course, named_twice, own_mark_of, stricter
from gatekey.guard.door import access_of, is_short
from gatekey.guard.events import LOG
from gatekey.guard.former import looked_up
from gatekey.guard.given import NAMES_COLLAPSE, names_of
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

OF = "__gatekey_guard__"
"""The attribute of what is marked that holds its guard."""
OF_GATEKEY = ("gatekey.django.GuardMiddleware", "gatekey.drf.GuardMiddleware")
"""The names of the middleware in `settings.MIDDLEWARE`."""

__all__ = ["Access", "Guard", "GuardMiddleware", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A log-out was refused, or a log-in had no store; the middleware answers it."""

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
        :raises Refused: the store is out of reach: the middleware answers it.
        """
        _pending_of(request)
        about = {"scopes": scopes, "claims": claims, "client": _client(request), "meta": meta}
        return _entered(request, response, self._begun(request_of(request), subject, **about))

    async def alog_in(
        self,
        request: HttpRequest,
        response: HttpResponse,
        subject: str,
        *,
        scopes: str | Iterable[str] = (),
        claims: Mapping[str, object] | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> SessionTokens:
        """Start a session in an ``async`` view, as :meth:`log_in` does, without stopping the loop.

        :param scopes: what its access tokens grant.
        :param claims: what else they say.
        :param meta: the program's own notes.
        """
        _pending_of(request)
        about = {"scopes": scopes, "claims": claims, "client": _client(request), "meta": meta}
        own = request_of(request)
        return _entered(request, response, await STORES.run(self._begun, own, subject, **about))

    def log_out(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """End the session of the request, and give the response, which clears its cookies.

        :raises Refused: there is no session, or the request is not of a page of this service: the
            middleware answers the refusal.
        """
        _pending_of(request)
        return _left(request, response, self._log_out(request_of(request)))

    async def alog_out(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """End the session in an ``async`` view, as :meth:`log_out` does, without stopping the loop.

        :raises Refused: as there.
        """
        _pending_of(request)
        own = request_of(request)
        return _left(request, response, await STORES.run(self._log_out, own))

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
        if (vars(view).get(MARK) if isclass(view) else mark_of(view)) is not None:
            raise ConfigurationError("A view has two guards; say all that it demands in one.")
        if isclass(view):
            if not hasattr(view, "dispatch"):
                raise TypeError(f"`requires(...)` guards a view; {view.__name__} is none")
            return cast("T", self._guarding_class(view, demand))
        call = cast("Callable[..., Any]", view)
        if not callable(call):
            raise TypeError(f"`requires(...)` guards a view, not {type(view).__name__}")
        wrapper = (self._async if _is_async(call) else self._sync)(call, demand)
        if not demand.is_public:
            wrapper = csrf_exempt(wrapper)
        setattr(wrapper, OF, self)
        return cast("T", marked(wrapper, demand))

    def _guarding_class(self, view: Any, demand: _Demand) -> Any:
        """Have its requests decided before they are dispatched, to `async` handlers, too."""
        inner = view.dispatch

        @wraps(inner)
        def dispatch(own: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if mark_of(type(own)) is not demand:  # of a class derived from it, which has its own
                return inner(own, request, *args, **kwargs)
            answering = self._async if getattr(own, "view_is_async", False) else self._sync
            return answering(partial(inner, own), demand)(request, *args, **kwargs)

        if not demand.is_public:
            csrf_exempt(dispatch)
        elif mark_of(view) is not None:
            vars(dispatch).pop("csrf_exempt", None)  # of the guarded class that it is derived from
        view.dispatch = dispatch
        setattr(view, OF, self)
        return marked(view, demand)

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
            note(request, decision, demand)
            if not decision.is_allowed:
                return response_of(Answer.of(decision))
            return with_headers(call(request, *args, **kwargs), decision)

        return wrapper

    def _async(self, call: Callable[..., Any], demand: _Demand) -> Callable[..., Any]:
        @wraps(call)
        async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check_installed(request)
            decision = await decided(self, self._request_of(request), demand)
            note(request, decision, demand)
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
            meta = request.META
            is_read = route.takes_form and is_short(meta.get("CONTENT_LENGTH") or "")
            asked = Asked(  # no variable has what is secret: pages about errors show them
                request_of(request),
                family,
                meta.get("QUERY_STRING", ""),
                meta.get("HTTP_COOKIE", ""),
                request.body if is_read else b"",
            )
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
        found: dict[str, dict[Any, str]] = {}
        patterns = cast("Any", get_resolver()).url_patterns
        without = list(_without(patterns, "", "", self._public, found))
        if without:
            raise ImproperlyConfigured(str(unguarded(without)))
        for public, views in found.items():
            if len(views) > 1:
                told = named_twice(public, views.values(), "GATEKEY_PUBLIC")
                raise ImproperlyConfigured(str(told))

    def __call__(self, request: HttpRequest) -> Any:
        """Pass it on, and see that its answer sets the cookies of a log-in or log-out."""
        setattr(request, PENDING, Pending())
        setattr(request, COURSE, Course(request.method or ""))
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
        if not is_guarded(view):
            if not _is_public(name, self._public):
                raise ImproperlyConfigured(str(unguarded([f"{request.path} ({name})"])))
        elif not _is_open(view):
            route = "" if match is None else f"/{match.route} ({name})"
            method = stricter(request.META.get("REQUEST_METHOD", ""), request.method or "")
            course_of(request).led_to(_guard_of(view), route, method)
        return None


def is_guarded(view: Any) -> bool:
    """Tell whether a view has a guard: itself, its class, or its permissions (DRF)."""
    return any(_marks(view))


def _guard_of(view: Any) -> Guard:
    """Give the guard that a view has."""
    of_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    places = (view, of_class, *_permissions(view, of_class))
    found: Iterator[Guard | None] = (getattr(one, OF, None) for one in places)
    return next(guard for guard in found if guard is not None)


def _is_open(view: Any) -> bool:
    """Tell whether it is open to all callers, by all the guards that it has."""
    return all(demand.is_public for demand in _marks(view))


def _marks(view: Any) -> list[_Demand]:
    of_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    permissions = map(mark_of, _permissions(view, of_class))
    found = [own_mark_of(view), own_mark_of(of_class), *permissions]
    return [demand for demand in found if demand is not None]


def _permissions(view: Any, of_class: Any) -> Iterable[Any]:
    options: Mapping[str, Any] = getattr(view, "initkwargs", None) or {}
    found: Iterable[Any] = options.get(
        "permission_classes", getattr(of_class, "permission_classes", ())
    )
    return found


def _without(
    patterns: Iterable[Any],
    prefix: str,
    namespace: str,
    public: frozenset[str],
    found: dict[str, dict[Any, str]],
) -> Iterator[str]:
    """Name the routes that have no guard; `found` gets the views of each name that is public."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        inside: Any = pattern
        if isinstance(pattern, URLResolver):
            inner = namespace + (f"{pattern.namespace}:" if pattern.namespace else "")
            yield from _without(inside.url_patterns, path, inner, public, found)
        elif not is_guarded(pattern.callback):
            name = namespace + (pattern.name or "")
            if name in public:
                view: Any = pattern.callback
                one = getattr(view, "view_class", None) or getattr(view, "cls", view)
                found.setdefault(name, {}).setdefault(one, f"/{path}")
            elif not _is_public(name, public):
                yield f"/{path} ({name or pattern.lookup_str})"


def _is_public(name: str, public: frozenset[str]) -> bool:
    if name in public:
        return True
    namespaces = name.split(":")[:-1]
    return any(f"{':'.join(namespaces[:n])}:*" in public for n in range(1, len(namespaces) + 1))


def course_of(request: HttpRequest) -> Course:
    """Give what was decided about a request. One of a test has not passed the middleware."""
    course: Course = request.__dict__.setdefault(COURSE, Course())
    return course


def note(request: HttpRequest, decision: _Decision, demand: _Demand) -> None:
    """Note what was decided. What lets all callers in says nothing of who calls."""
    course = course_of(request)
    before, is_first = course.decision, not course.allowed
    course.note(decision)
    if is_first or not (decision.is_allowed and demand.is_public):
        setattr(request, DECIDED, (decision, demand))
    else:
        course.decision = before


def _is_async(call: Any) -> bool:
    """Tell whether a view is awaited: a function, or an object with one."""
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def check_installed(request: HttpRequest) -> None:
    """Look whether the middleware is there.

    :raises ConfigurationError: it is not.
    """
    if hasattr(request, PENDING) or any(name in settings.MIDDLEWARE for name in OF_GATEKEY):
        return
    raise not_installed(f'add "{OF_GATEKEY[0]}" to the setting MIDDLEWARE, as its first')


def _client(request: HttpRequest) -> str | None:
    found: str | None = request.META.get("HTTP_USER_AGENT")
    return found


def _entered(request: HttpRequest, response: HttpResponse, decision: _Decision) -> SessionTokens:
    """Have the answer set the cookies of a log-in."""
    if not decision.is_allowed:
        raise Refused(decision)
    _pending_of(request).add(decision.headers, is_log_in=True)
    _set(response, cookies_of(decision.headers))
    return tokens_of(decision)


def _left(request: HttpRequest, response: HttpResponse, decision: _Decision) -> HttpResponse:
    """Have the answer clear the cookies."""
    if not decision.is_allowed:
        raise Refused(decision)
    _pending_of(request).add(decision.headers)
    _set(response, cookies_of(decision.headers))
    return response


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
    """Add what is missing to an answer: cookies, and what goes with the decisions.

    An answer that nobody has decided is not sent.
    """
    course, pending = course_of(request), cast("Pending", getattr(request, PENDING))
    if course.lacks_decision(response.status_code):
        response.close()
        return response_of(course.refused(request_of(request)))
    if course.decision is not None and course.decision.is_allowed:
        for decision in course.allowed:
            with_headers(response, decision)
    there = [cookie.OutputString() for cookie in response.cookies.values()]
    added = pending.leaving(response.status_code, there)
    if added is not None:
        response["Cache-Control"] = "no-store"
        _set(response, (("Set-Cookie", value) for value in added))
    return response


def request_of(request: HttpRequest, field: str | None = None) -> _Request:
    """Give a request as the server has it, with the CSRF token of a form's field of this name."""
    token: Any = request.POST.get(field) if field and request.content_type == FORM else None
    is_asgi = isinstance(request, ASGIRequest)
    name = "method" if is_asgi else "REQUEST_METHOD"
    about = request.scope if is_asgi else request.META
    method = stricter(about.get(name, ""), request.method or "")
    if method != about.get(name):  # a middleware has changed it
        about = {**about, name: method}
    return _Request.of_asgi(about, token) if is_asgi else _Request.of_wsgi(about, token)


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
