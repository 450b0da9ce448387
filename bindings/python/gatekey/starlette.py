"""The guard for Starlette.

::

    from gatekey.starlette import Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)

    @auth.requires("orders:read")
    async def orders(request):
        return JSONResponse({"subject": auth.access(request).subject})

    app = Starlette(routes=[Route("/orders", orders)])
    auth.install(app)
"""

from __future__ import annotations

from functools import partial, wraps
from inspect import isclass, iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router
from starlette.websockets import WebSocket, WebSocketState

from gatekey._core import Access, _Request
from gatekey.exceptions import ConfigurationError
from gatekey.guard import door, forms
from gatekey.guard.answer import Answer, cookies_of, with_headers
from gatekey.guard.base import check_name, mark_of, marked, tokens_of, unguarded
from gatekey.guard.door import access_of, field_of
from gatekey.guard.given import app_of, names_of
from gatekey.guard.leaving import DECIDED, Decided, Exempt, Exit, last_of, note, settle
from gatekey.guard.loop import answered, decided, stored
from gatekey.guard.pending import (
    PENDING,
    Pending,
    check_guard,
    installed_twice,
    not_installed,
    with_cookies,
)
from gatekey.guard.routes import Asked

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from typing_extensions import Unpack

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.base import Demands
    from gatekey.guard.routes import OwnRoute

T = TypeVar("T")
INSTALLED = "_gatekey"
"""The attribute of an application that has a guard."""

__all__ = ["Access", "Guard", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request was refused; ``install`` adds the handler that answers it."""

    def __init__(self, decision: _Decision) -> None:
        """Take what was decided."""
        super().__init__(f"refused with {decision.status}")
        self.answer = Answer.of(decision)
        self.error = decision.error


class Guard(door.Guard):
    """One decision at every door of a Starlette application; see :class:`gatekey.guard.Guard`.

    Endpoints are functions of a request or websocket, and classes of Starlette's.
    """

    def guarded(self, app: ASGIApp, *scopes: str, **demands: Unpack[Demands]) -> ASGIApp:
        """Guard a whole application, to be mounted: static files, or one of another framework."""
        return guarded_app(self, app, self.demand(*scopes, **demands))

    def access(self, connection: HTTPConnection) -> Access:
        """Say who calls: what was decided about this request or websocket.

        :raises UsageError: nothing was decided about it.
        """
        return access_of(last_of(connection.scope))

    async def recheck(self, connection: HTTPConnection) -> Access:
        """Decide once more about an open websocket: whether its caller is still let in.

        :raises Refused: it is not, any more.
        """
        found: list[Decided] = connection.scope.get(DECIDED) or []
        again: list[Decided] = []
        for each in found:
            decision = await decided(each.guard, _Request.of_asgi(connection.scope), each.demand)
            if not decision.is_allowed:
                raise refusal(connection.scope, decision)
            again.append(each._replace(decision=decision))
        found[:] = again
        return self.access(connection)

    def install(self, app: Starlette, *, prefix: str = "/auth", public: Iterable[str] = ()) -> None:
        """Add the guard's own routes, the headers of decisions, and the answers of refusals.

        The start of the application fails if a route has neither ``requires`` nor ``public``.

        :param prefix: where refresh, log-out and devices are.
        :param public: names of routes that are public.
        """
        app_of(app, Starlette, "starlette.applications.Starlette")
        names = names_of(public, "public")
        if getattr(app, INSTALLED, False):
            raise installed_twice()
        if app.middleware_stack is not None:
            raise ConfigurationError("The application runs already: install the guard before that.")
        handler: Any = answer_refusal
        app.add_exception_handler(Refused, handler)
        own = [self._own(route) for route in self.own_routes(prefix)]
        app.router.routes.extend(own)
        setattr(app, INSTALLED, True)
        build: Any = app.build_middleware_stack

        def built() -> _Doors:
            # Around the routes alone: what middleware answers by itself needs no decision.
            router = outside.router
            outside.router = Exit(router, self, _named)
            try:
                inner = build()
            finally:
                outside.router = router
            # Outside of everything: no answer is made without it, such as one after an exception.
            return _Doors(inner, self, app, names)

        outside: Any = app
        outside.build_middleware_stack = built

    async def log_in(
        self,
        connection: HTTPConnection,
        response: Response,
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
        :raises Refused: the store gives no answer.
        """
        client = connection.headers.get("user-agent")
        about = {"scopes": scopes, "claims": claims, "client": client, "meta": meta}
        pending = _pending_of(connection.scope)
        decision = await stored(self, connection.scope, self._log_in, subject, **about)
        if not decision.is_allowed:
            raise refusal(connection.scope, decision)
        pending.add(decision.headers, is_log_in=True)
        _set(response, decision)
        return tokens_of(decision)

    async def log_out(self, connection: HTTPConnection, response: Response) -> None:
        """End the session of the request; the response clears its cookies.

        :raises Refused: it is missing, or the request is not of a page of this service.
        """
        pending = _pending_of(connection.scope)
        decision = await stored(self, connection.scope, self._log_out)
        if not decision.is_allowed:
            raise refusal(connection.scope, decision)
        pending.add(decision.headers)
        _set(response, decision)

    def form_token(self, connection: HTTPConnection, response: Response) -> str:
        """Give the CSRF token of a page with a log-in form; the response sets its cookie.

        Only browsers of before 2023 need it, where the form's route is ``public(own_pages=True)``.
        """
        pending = _pending_of(connection.scope)
        token, set_cookie = self._core.form_token(_Request.of_asgi(connection.scope))
        cookies = [] if set_cookie is None else [("Set-Cookie", set_cookie)]
        pending.add(cookies)
        _extend(response, cookies)
        return token

    # ---- how ----

    async def _require(self, connection: HTTPConnection, demand: _Demand) -> Access:
        decision = await self._decided(connection.scope, demand, await self._field(connection))
        access = decision.access
        if access is None:
            raise refusal(connection.scope, decision)
        return access

    async def _decided(
        self, scope: Scope, demand: _Demand, csrf_field: str | None = None
    ) -> _Decision:
        check_guard(self, scope.get(PENDING), "call `auth.install(app)`")
        decision = await decided(self, _Request.of_asgi(scope, csrf_field), demand)
        note(scope, Decided(decision, demand, self))
        return decision

    async def _field(self, connection: HTTPConnection) -> str | None:
        """Give the CSRF token of a form, of which the endpoint can read everything again."""
        if not isinstance(connection, Request) or not self._reads(connection.scope):
            return None
        name = self.csrf_form_field or ""
        own: Any = connection
        if (fields := getattr(own, "_form", None)) is not None:  # FastAPI was faster
            value = fields.get(name)
            return value if isinstance(value, str) else None
        if not hasattr(own, "_body") and not own._stream_consumed:
            body, own._receive = await forms.read(own.scope, own.receive)
            if body is None:
                return None
        return field_of(await connection.body(), name)

    async def _field_of(self, scope: Scope, receive: Receive) -> tuple[str | None, Receive]:
        """Give the same, and what to receive the form from once more."""
        if not self._reads(scope):
            return None, receive
        body, again = await forms.read(scope, receive)
        return None if body is None else field_of(body, self.csrf_form_field or ""), again

    def _reads(self, scope: Scope) -> bool:
        return bool(self.csrf_form_field) and scope["type"] == "http" and forms.is_form(scope)

    def _opened(self, route: T, demand: _Demand) -> T:
        if not isclass(route) and not _is_function(route):
            return cast("T", guarded_app(self, cast("Any", route), demand))
        return self._guarding(route, demand)

    def _guarding(self, endpoint: T, demand: _Demand) -> T:
        if mark_of(endpoint) is not None:
            raise ConfigurationError("An endpoint has two guards; say all that it demands in one.")
        call: Any = endpoint
        if isclass(call):
            return cast("T", self._guarding_class(call, demand))
        if not callable(call):
            raise TypeError(
                "`requires(...)` guards a function or a class, not "
                f"{type(endpoint).__name__}; for an application there is `guarded`"
            )
        run: Any = call
        plain: Any = call.func if isinstance(call, partial) else call
        is_async = iscoroutinefunction(plain) or iscoroutinefunction(plain.__call__)

        @wraps(call)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            connection = _connection(args, kwargs)
            field = await self._field(connection)
            decision = await self._decided(connection.scope, demand, field)
            if not decision.is_allowed:
                return await refuse(connection, Answer.of(decision))
            if is_async:
                return await run(*args, **kwargs)
            return await run_in_threadpool(run, *args, **kwargs)

        return cast("T", marked(wrapper, demand))

    def _guarding_class(self, endpoint: type, demand: _Demand) -> type:
        """Guard a class whose objects are made of a scope, `receive` and `send`, and awaited."""
        guard = self
        dispatch: Callable[[Any], Awaitable[None]] = getattr(endpoint, "dispatch")  # noqa: B009

        async def decided_dispatch(self: Any) -> None:
            field, self.receive = await guard._field_of(self.scope, self.receive)
            decision = await guard._decided(self.scope, demand, field)
            if decision.is_allowed:
                await dispatch(self)
                return
            connection = _connection_of(self.scope, self.receive, self.send)
            response = await refuse(connection, Answer.of(decision))
            if response is not None:
                await response(self.scope, self.receive, self.send)

        own = type(endpoint.__name__, (endpoint,), {"dispatch": decided_dispatch})
        own.__module__, own.__doc__ = endpoint.__module__, endpoint.__doc__
        return marked(own, demand)

    def _own(self, route: OwnRoute) -> Route:
        async def endpoint(request: Request) -> Response:
            settle(request.scope)  # it decides by itself
            form = None
            if route.takes_form:
                form, _ = await forms.read(request.scope, request.receive)
            asked = Asked(
                _Request.of_asgi(request.scope),
                request.path_params.get("family", ""),
                request.scope["query_string"].decode("latin-1"),
                "; ".join(request.headers.getlist("cookie")),
                form or b"",
            )
            return response_of(await answered(self, route, asked))

        marked(endpoint, self.open_demand())
        return _OwnRoute(
            route.path, endpoint, methods=[route.method], name=route.name, include_in_schema=False
        )

    def _routes_without(self, app: object, walk: _Walk, prefix: str = "") -> Iterator[str]:
        """Name the routes of an application that have no guard."""
        for route in self._routes_of(app):
            path = prefix + _path(route)
            if self._is_guarded(route):
                continue
            name = getattr(route, "name", None)
            if name in walk.public or self._needs_none(route):
                walk.exempt(route)
                if name in walk.public:
                    what = getattr(route, "endpoint", None) or getattr(route, "app", None)
                    walk.opened.setdefault(cast("str", name), {})[path or "/"] = what
                continue
            inner = getattr(route, "app", None)
            app_of = getattr(route, "_base_app", inner)
            kind = getattr(route, "original_route", route)
            if mark_of(inner) is not None or mark_of(app_of) is not None:
                continue
            if isinstance(kind, Mount | Host) and isinstance(app_of, Starlette | Router):
                yield from self._routes_without(app_of, walk, path)
            else:
                yield f"{path} ({type(kind).__name__})"

    def _routes_of(self, app: object) -> Iterable[BaseRoute]:
        routes: Iterable[BaseRoute] = getattr(app, "routes", ())
        return routes

    def _is_guarded(self, route: BaseRoute) -> bool:
        return mark_of(getattr(route, "endpoint", None)) is not None

    def _needs_none(self, _: BaseRoute) -> bool:
        """Tell the routes of the framework itself that need no guard."""
        return False


class _OwnRoute(Route):
    """A route of the guard's own, which costs a request of another route next to nothing."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare what the path begins with before anything else."""
        if self.path.partition("{")[0] not in scope.get("path", ""):
            return Match.NONE, {}
        return super().matches(scope)


def _is_function(thing: object) -> bool:
    return isinstance(thing, partial) or hasattr(thing, "__code__")


def _connection(args: Sequence[object], kwargs: Mapping[str, object]) -> HTTPConnection:
    for one in (*args, *kwargs.values()):
        if isinstance(one, HTTPConnection):
            return one
    raise TypeError("an endpoint that `requires(...)` guards must take the request or websocket")


def _connection_of(scope: Scope, receive: Receive, send: Send) -> HTTPConnection:
    if scope["type"] == "websocket":
        return WebSocket(scope, receive, send)
    return Request(scope, receive, send)


def _pending_of(scope: Scope) -> Pending:
    """Give what the answer must set.

    :raises UsageError: it has begun, or no guard is installed.
    """
    pending: Pending | None = scope.get(PENDING)
    if pending is None:
        raise not_installed("call `auth.install(app)`")
    pending.check()
    return pending


def refusal(scope: Scope, decision: _Decision) -> Refused:
    """Give what is raised; the application that answers it, a mounted one, too, knows how."""
    handlers: Any = scope.get("starlette.exception_handlers") or ({},)
    handlers[0].setdefault(Refused, answer_refusal)
    return Refused(decision)


def response_of(answer: Answer) -> Response:
    """Make a response, with its headers as they are."""
    response = Response(answer.body or None, answer.status)
    if answer.status == 204:
        response.raw_headers = []
    _extend(response, answer.headers)
    return response


def _extend(response: Response, headers: Iterable[tuple[str, str]]) -> None:
    response.raw_headers.extend(
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
    )


def _set(response: Response, decision: _Decision) -> None:
    _extend(response, cookies_of(decision.headers))


async def refuse(connection: HTTPConnection, answer: Answer) -> Response | None:
    """Refuse a request by a response, and a websocket before it is accepted."""
    if not isinstance(connection, WebSocket):
        return response_of(answer)
    is_open = connection.application_state is not WebSocketState.CONNECTING
    extensions = connection.scope.get("extensions") or {}
    if not is_open and "websocket.http.response" in extensions:
        await connection.send_denial_response(response_of(answer))
    else:
        await connection.close(1008)
    return None


async def answer_refusal(connection: Request | WebSocket, error: Exception) -> Response | None:
    """Answer a request whose guard has raised :class:`Refused`."""
    assert isinstance(error, Refused)  # noqa: S101 - it is the handler of that class
    return await refuse(connection, error.answer)


def guarded_app(guard: Guard, app: ASGIApp, demand: _Demand) -> ASGIApp:
    """Guard an ASGI application.

    :raises TypeError: it is none.
    """
    if not callable(app):
        raise TypeError(f"an ASGI application is wanted, not {type(app).__name__}")

    async def guarding(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            field, receive = await guard._field_of(scope, receive)
            decision = await guard._decided(scope, demand, field)
            if not decision.is_allowed:
                connection = _connection_of(scope, receive, send)
                response = await refuse(connection, Answer.of(decision))
                if response is not None:
                    await response(scope, receive, send)
                return
        await app(scope, receive, send)

    own: Any = guarding
    own.app = app  # as middleware has it
    return marked(guarding, demand)


class _Doors:
    """Outside of all routes: their guards are seen to when it starts, and headers are added."""

    def __init__(self, app: ASGIApp, guard: Guard, root: Starlette, public: frozenset[str]) -> None:
        self._app, self._guard, self._root, self._public = app, guard, root, public
        self._seen: list[tuple[object, list[Any], list[Any]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._start(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        self._check()
        found: list[Decided] = []
        scope[DECIDED] = found
        pending = scope[PENDING] = Pending(self._guard, scope.get(PENDING))

        async def sending(message: Message) -> None:
            is_start = message["type"].endswith("response.start")
            if is_start or message["type"] == "websocket.accept":
                if not pending.is_routed:  # middleware of this application has answered
                    pending.settle()
                headers = list(message.get("headers", ()))
                if found and is_start:
                    headers = with_headers(headers, found[-1].decision)
                headers = with_cookies(headers, message.get("status", 101), pending)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, sending)

    def _check(self) -> None:
        """Look again when routes were added, replaced or taken away.

        :raises ConfigurationError: one has no guard; nothing is answered then.
        """
        if self._seen and all(
            routes == kept and getattr(app, "routes", routes) is routes
            for app, routes, kept in self._seen
        ):
            return
        seen = [(app, routes, [*routes]) for app, routes in _tables(self._root)]
        walk = _Walk(self._public)
        without = list(self._guard._routes_without(self._root, walk))
        if without:
            raise unguarded(without)
        walk.check()
        self._seen = seen

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        first: list[Message] = [await receive()]
        try:
            self._check()
        except ConfigurationError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise

        async def again() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, again, send)


class _Walk:
    """A look at all routes."""

    def __init__(self, public: frozenset[str]) -> None:
        self.public = public
        self.opened: dict[str, dict[str, object]] = {}
        """What is public by its name: paths, and what answers there."""

    def exempt(self, route: Any) -> None:
        """Have the answers of a route leave without a decision."""
        routes = [getattr(route, name, None) for name in ("route", "original_route")]
        # FastAPI makes another one of it for each router that includes it.
        context = getattr(route, "_route_context", route)
        routes += [route, getattr(context, "starlette_route", None)]
        for own in routes:
            if isinstance(own, BaseRoute) and not isinstance(vars(own).get("handle"), Exempt):
                setattr(own, "handle", Exempt(own.handle))  # noqa: B010

    def check(self) -> None:
        """Look whether a name means several routes: it would open one that nobody thinks of.

        :raises ConfigurationError: one does.
        """
        for name, routes in self.opened.items():
            check_name(name, routes)


def _tables(app: object) -> Iterator[tuple[object, list[Any]]]:
    """Give all lists of routes, those of mounted applications and included routers, too."""
    if not isinstance(app, Starlette | Router):
        return
    routes = app.routes
    yield app, routes
    # FastAPI's, which come last.
    last = getattr(getattr(app, "router", app), "_low_priority_routes", None)
    if last is not None:
        yield None, last
    for route in routes:
        if isinstance(route, Mount | Host):
            yield from _tables(getattr(route, "_base_app", route.app))
        elif hasattr(route, "original_router"):
            yield from _tables(route.original_router)


def _named(scope: Scope) -> str:
    """Name the route that a request has come to."""
    endpoint = scope.get("endpoint")
    name = getattr(endpoint, "__qualname__", type(endpoint).__name__)
    path = f"{scope.get('path', '')!r:.100}"
    return f"the route {name} for {path}" if endpoint is not None else f"what answers {path}"


def _path(route: object) -> str:
    return getattr(route, "path", None) or ""
