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

from functools import wraps
from inspect import isclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiohttp import web
from multidict import CIMultiDict

from gatekey._core import Access, _Request
from gatekey.aio.pool import STORES
from gatekey.exceptions import ConfigurationError
from gatekey.guard import door
from gatekey.guard.answer import Answer, cookies_of, joined
from gatekey.guard.base import FORM, mark_of, marked, tokens_of, unguarded
from gatekey.guard.door import access_of, field_of, is_short
from gatekey.guard.given import app_of, names_of
from gatekey.guard.loop import answered, decided
from gatekey.guard.pending import PENDING, Pending, check_guard, installed_twice, not_installed
from gatekey.guard.routes import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.routes import OwnRoute

T = TypeVar("T")
_Key: Any = getattr(web, "RequestKey", None)
DECIDED: Any = "gatekey" if _Key is None else _Key("gatekey", object)
"""The key of a request under which is what was decided about it."""
TO_SET: Any = PENDING if _Key is None else _Key(PENDING, Pending)
"""The one under which is what the answer must set."""

__all__ = ["Access", "Guard", "Refused"]


class Refused(web.HTTPException):
    """A log-out was refused; aiohttp answers it as any of its own exceptions."""

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
        return access_of(request.get(DECIDED))

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

        async def start(_: web.Application) -> None:
            without = [
                f"{route.resource.canonical if route.resource else ''} ({route.method})"
                for route in app.router.routes()
                if mark_of(route.handler) is None and route.name not in names
            ]
            if without:
                raise unguarded(without)

        app.on_startup.insert(0, start)
        app.on_response_prepare.append(_AddHeaders(self))

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
        """
        client = request.headers.get("User-Agent")
        about = {"scopes": scopes, "claims": claims, "client": client, "meta": meta}
        pending = _pending_of(request)
        decision = await STORES.run(self._log_in, request_of(request), subject, **about)
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
        if mark_of(call) is not None:
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
        request[DECIDED] = decision
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
            "method": request.method,
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
    pending: Pending | None = request.get(TO_SET)
    if pending is None:
        pending = request[TO_SET] = Pending()
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
    pending: Pending | None = request.get(TO_SET)
    if pending is None:
        pending = request[TO_SET] = Pending()
    added = pending.leaving(response.status, response.headers.getall("Set-Cookie", []))
    if added is not None:
        response.headers["Cache-Control"] = "no-store"
        for value in added:
            response.headers.add("Set-Cookie", value)
    decision: _Decision | None = request.get(DECIDED)
    for name, value in () if decision is None else decision.headers:
        if name == "Vary":
            response.headers["Vary"] = joined(response.headers.getall("Vary", []), value)
        elif decision is not None and decision.is_allowed:
            response.headers.add(name, value)
