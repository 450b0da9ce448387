"""The guard for aiohttp's server.

::

    from gatekey.aiohttp import Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)

    @auth.requires("orders:read")
    async def orders(request):
        return web.json_response(auth.access(request).subject)

    app = web.Application()
    app.router.add_get("/orders", orders)
    auth.install(app)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from inspect import isclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from aiohttp import web
from multidict import CIMultiDict

from gatekey._core import Access, _Request
from gatekey.aio.pool import STORES
from gatekey.exceptions import ConfigurationError
from gatekey.guard import door
from gatekey.guard.answer import Answer, cookies_of, joined
from gatekey.guard.base import FORM, MARK, mark_of, marked, tokens_of, unguarded
from gatekey.guard.course import Course, is_open, named_twice, own_mark_of, stricter
from gatekey.guard.door import access_of, field_of, is_short
from gatekey.guard.given import app_of, names_of
from gatekey.guard.loop import answered, decided
from gatekey.guard.pending import Pending, check_guard, installed_twice, not_installed
from gatekey.guard.routes import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.routes import OwnRoute

T = TypeVar("T")
__all__ = ["Access", "Guard", "Refused"]


class Refused(web.HTTPException):
    """A log-out was refused, or a log-in had no store; aiohttp answers it as its own exceptions."""

    def __init__(self, decision: _Decision) -> None:
        """Take what was decided."""
        answer = Answer.of(decision)
        self.status_code = answer.status
        super().__init__(headers=CIMultiDict(answer.headers), text=answer.body.decode())
        self.headers["Content-Type"] = "application/problem+json"  # without a charset
        self.error = decision.error


class Guard(door.Guard):
    """One decision at every door of an aiohttp application; see :class:`gatekey.guard.Guard`.

    Handlers are ``async`` functions and classes of ``web.View``; websockets are handlers, too.
    """

    def access(self, request: web.Request) -> Access:
        """Say who calls: what was decided about this request.

        :raises UsageError: nothing was decided about it.
        """
        return access_of(_kept_of(request).course.decision)

    def install(
        self, app: web.Application, *, prefix: str = "/auth", public: Iterable[str] = ()
    ) -> None:
        """Add the guard's own routes, and the headers of decisions.

        The start of the application fails if a route has neither ``requires`` nor ``public``.

        :param prefix: where refresh, log-out and devices are.
        :param public: names of routes that are public, such as those of static files.
        """
        app_of(app, web.Application, "aiohttp.web.Application")
        names = names_of(public, "public")
        if any(isinstance(one, _AddHeaders) for one in app.on_response_prepare):
            raise installed_twice()
        for route in self.own_routes(prefix):
            app.router.add_route(route.method, route.path, self._own(route), name=route.name)

        doors = _Doors(self, app, names)
        app.on_startup.insert(0, doors.start)
        app.on_response_prepare.append(_AddHeaders(self))
        app.middlewares.insert(0, doors.leaving)

    async def log_in(
        self,
        request: web.Request,
        response: web.StreamResponse,
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
        :raises Refused: the store is out of reach: aiohttp answers that.
        """
        client = request.headers.get("User-Agent")
        about = {"scopes": scopes, "claims": claims, "client": client, "meta": meta}
        pending = _pending_of(request)
        decision = await STORES.run(self._begun, request_of(request), subject, **about)
        if not decision.is_allowed:
            raise Refused(decision)
        pending.add(decision.headers, is_log_in=True)
        _set(response, decision)
        return tokens_of(decision)

    async def log_out(
        self, request: web.Request, response: web.StreamResponse
    ) -> web.StreamResponse:
        """End the session of the request, and give the response, which clears its cookies.

        :raises Refused: there is no session, or the request is not of a page of this service:
            aiohttp answers the refusal.
        """
        pending = _pending_of(request)
        decision = await STORES.run(self._log_out, request_of(request))
        if not decision.is_allowed:
            raise Refused(decision)
        pending.add(decision.headers)
        _set(response, decision)
        return response

    def form_token(self, request: web.Request, response: web.StreamResponse) -> str:
        """Give the CSRF token of a page with a log-in form; the response sets its cookie.

        Only browsers of before 2023 need it, where the form's route is ``public(own_pages=True)``.
        """
        pending = _pending_of(request)
        token, set_cookie = self._core.form_token(request_of(request))
        if set_cookie is not None:
            pending.add([("Set-Cookie", set_cookie)])
            response.headers.add("Set-Cookie", set_cookie)
        return token

    # ---- how ----

    def _guarding(self, handler: T, demand: _Demand) -> T:
        call: Any = handler
        if (vars(call).get(MARK) if isclass(call) else mark_of(call)) is not None:
            raise ConfigurationError("A handler has two guards; say all that it demands in one.")
        if not callable(call) or (isclass(call) and not issubclass(call, web.View)):
            name = call.__name__ if isclass(call) else type(call).__name__
            raise TypeError(
                f"`requires(...)` guards an async function or a class of web.View, not {name}"
            )
        if isclass(call):
            return cast("T", self._guarding_view(cast("Any", call), demand))

        @wraps(call)
        async def wrapper(request: web.Request) -> web.StreamResponse:
            refusal = await self._refusal(request, demand)
            response: web.StreamResponse = refusal or await call(request)
            return response

        return cast("T", marked(wrapper, demand))

    def _guarding_view(self, view: type[web.View], demand: _Demand) -> type[web.View]:
        guard = self

        def decided_await(self: web.View) -> Generator[Any, None, web.StreamResponse]:
            async def answer() -> web.StreamResponse:
                refusal = await guard._refusal(self.request, demand)
                return refusal or await view._iter(self)

            return answer().__await__()

        own: Any = type(view.__name__, (view,), {"__await__": decided_await})
        own.__module__, own.__doc__ = view.__module__, view.__doc__
        return cast("type[web.View]", marked(own, demand))

    async def _refusal(self, request: web.Request, demand: _Demand) -> web.Response | None:
        _check_installed(request, self)
        decision = await decided(self, request_of(request, await self._field(request)), demand)
        _kept_of(request).course.note(decision)
        return None if decision.is_allowed else response_of(Answer.of(decision))

    async def _field(self, request: web.Request) -> str | None:
        """Give the CSRF token of a form, of which the handler can read everything again."""
        if not self.csrf_form_field or request.content_type != FORM:
            return None
        return field_of(await self._form(request), self.csrf_form_field)

    async def _form(self, request: web.Request) -> bytes:
        is_small = is_short(request.headers.get("Content-Length", ""))
        return await request.read() if is_small else b""

    def _own(self, route: OwnRoute) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.StreamResponse:
            asked = Asked(
                request_of(request),
                request.match_info.get("family", ""),
                request.rel_url.raw_query_string,
                "; ".join(request.headers.getall("Cookie", [])),
                await self._form(request) if route.takes_form else b"",
            )
            return response_of(await answered(self, route, asked))

        return marked(handler, self.open_demand())


def request_of(request: web.Request, csrf_field: str | None = None) -> _Request:
    """Give a request as the server has it, with the CSRF token of a form."""
    return _Request.of_asgi(
        {
            "method": stricter(_kept_of(request).course.method, request.method),
            "path": request.path,
            "headers": request.raw_headers,
            "client": (request.remote, None) if request.remote else None,
        },
        csrf_field,
    )


def response_of(answer: Answer) -> web.Response:
    """Make a response, with its headers as they are."""
    return web.Response(
        body=answer.body or None, status=answer.status, headers=CIMultiDict(answer.headers)
    )


def _check_installed(request: web.Request, guard: Guard | None = None) -> None:
    """Look whether a guard is installed, and whether it is this one.

    :raises ConfigurationError: none is, or another one.
    """
    pending = None
    for app in request.match_info.apps:
        for one in app.on_response_prepare:
            if isinstance(one, _AddHeaders):
                pending = Pending(one.guard, pending)
    if pending is None:
        raise not_installed("call `auth.install(app)`")
    if guard is not None:
        check_guard(guard, pending, "call `auth.install(app)`")


def _pending_of(request: web.Request) -> Pending:
    """Give what the answer must set.

    :raises UsageError: it has begun, or no guard is installed.
    """
    _check_installed(request)
    pending = _kept_of(request).pending
    pending.check()
    return pending


def _set(response: web.StreamResponse, decision: _Decision) -> None:
    for name, value in cookies_of(decision.headers):
        response.headers.add(name, value)


class _AddHeaders:
    """Adds what goes with answers; stands for the guard that is installed."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    async def __call__(self, request: web.Request, response: web.StreamResponse) -> None:
        await _add_headers(request, response)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what goes with an answer: the names of `Vary` to the application's own, and rates."""
    kept = _kept_of(request)
    if kept.course.lacks_decision(response.status):  # its handler writes it part by part
        kept.course.refused(request_of(request))
        vars(request.writer)["chunked"] = False  # which aiohttp's own answer is not
        raise ConfigurationError("No guard has decided about this request: nothing is sent.")
    added = kept.pending.leaving(response.status, response.headers.getall("Set-Cookie", []))
    if added is not None:
        response.headers["Cache-Control"] = "no-store"
        for value in added:
            response.headers.add("Set-Cookie", value)
    vary, others = kept.course.headers()
    for names in vary:
        response.headers["Vary"] = joined(response.headers.getall("Vary", []), names)
    for name, value in others:
        response.headers.add(name, value)


class _Doors:
    """What an application has around its handlers, and inside of its own middleware."""

    def __init__(self, guard: Guard, app: web.Application, public: frozenset[str]) -> None:
        self._guard, self._app, self._public = guard, app, public
        self._is_inside = False

    async def start(self, _: web.Application) -> None:
        """Look at all routes.

        :raises ConfigurationError: one has no guard, or a name is that of several.
        """
        without: list[str] = []
        named: dict[str, dict[int, str]] = {}
        for route in self._app.router.routes():
            where = route.resource.canonical if route.resource else ""
            if own_mark_of(route.handler) is not None:
                continue
            if route.name is None or route.name not in self._public:
                without.append(f"{where} ({route.method})")
            else:
                named.setdefault(route.name, {})[id(route.resource)] = where
        if without:
            raise unguarded(without)
        for name, places in named.items():
            if len(places) > 1:
                raise named_twice(name, places.values())
        if not self._app.middlewares.frozen:  # that of an application which is mounted is
            self._app.middlewares.append(self.entering)
            self._is_inside = True

    @web.middleware
    async def leaving(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Look at the answer, the last before it is sent."""
        course = _kept_of(request).course
        if not self._is_inside:
            self._led(request)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            if not course.lacks_decision(error.status):
                raise
            response = error
        if response.prepared or not course.lacks_decision(response.status):
            return response
        return response_of(course.refused(request_of(request)))

    @web.middleware
    async def entering(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Note which handler is called, after all middleware has let the request through."""
        self._led(request)
        response: web.StreamResponse = await handler(request)
        return response

    def _led(self, request: web.Request) -> None:
        route, course = request.match_info.route, _kept_of(request).course
        if request.match_info.http_exception is not None:  # there is no such route
            return
        if route.name in self._public or is_open(route.handler):
            return
        where = route.resource.canonical if route.resource else ""
        method = stricter(course.method, request.method)
        course.led_to(self._guard, f"{where} ({route.method})", method)


@dataclass
class _Kept:
    """What is kept of a request."""

    course: Course
    pending: Pending = field(default_factory=Pending)


_KEPT: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


def _kept_of(request: web.Request) -> _Kept:
    """Give what is kept of a request and its clones: they have one writer, of their own."""
    kept = _KEPT.get(request.writer)
    if kept is None:
        kept = _KEPT[request.writer] = _Kept(Course(request.method))
    return kept
