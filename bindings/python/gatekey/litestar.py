"""The guard for Litestar.

::

    from gatekey.litestar import Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)

    @get("/orders", guards=[auth.requires("orders:read")])
    async def orders(request: Request) -> dict[str, str | None]:
        return {"subject": auth.access(request).subject}

    app = Litestar([orders], plugins=[auth.plugin()])

``requires`` and ``public`` are guards of Litestar's: of a handler, a controller, a router or a
whole application, of websockets and mounted applications, too.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from litestar import Request, Response, WebSocket
from litestar.exceptions import WebSocketException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Components, Reference, SecurityScheme
from litestar.plugins import InitPluginProtocol, ReceiveRoutePlugin
from litestar.response.base import ASGIResponse
from litestar.types import Empty

from gatekey._core import Access, _Request
from gatekey.exceptions import ConfigurationError
from gatekey.guard import base, forms
from gatekey.guard.answer import Answer, with_headers
from gatekey.guard.base import check_name, tokens_of, unguarded
from gatekey.guard.door import access_of, field_of
from gatekey.guard.given import names_of
from gatekey.guard.leaving import DECIDED, Decided, Exit, last_of, note, settle
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
from gatekey.oauth.options import text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping

    from litestar import Litestar
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.handlers.base import BaseRouteHandler
    from litestar.routes import BaseRoute
    from litestar.types import Message, Scope
    from typing_extensions import Unpack

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.base import Demands
    from gatekey.guard.routes import OwnRoute

    _Connection = ASGIConnection[Any, Any, Any, Any]

PLUGIN = "give it to the application, `Litestar(plugins=[auth.plugin()])`"
"""How a guard is installed."""
OF_LITESTAR = ("litestar._openapi.plugin", "litestar.openapi.plugins", "litestar.routes.http")
"""Where Litestar makes handlers of its own: of the API's document, and those for OPTIONS."""

__all__ = ["Access", "Guard", "Refused"]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request was refused; the plugin adds the handler that answers it."""

    def __init__(self, decision: _Decision) -> None:
        """Take what was decided."""
        super().__init__(f"refused with {decision.status}")
        self.answer = Answer.of(decision)
        self.error = decision.error


class _Requires:
    """A guard of Litestar's."""

    def __init__(self, guard: Guard, demand: _Demand) -> None:
        self.guard, self.demand = guard, demand
        # Where Litestar looks whether it is to be awaited.
        setattr(self, "__call__", self._decide)  # noqa: B010

    def __call__(
        self, connection: _Connection, handler: BaseRouteHandler | None = None
    ) -> Coroutine[Any, Any, None]:
        """Decide.

        :raises TypeError: it stands as a decorator.
        """
        if handler is None:
            raise _no_decorator()
        return self._decide(connection, handler)

    def __deepcopy__(self, _: object) -> _Requires:
        """Give itself: controllers copy what they have."""
        return self

    async def _decide(self, connection: _Connection, _: BaseRouteHandler) -> None:
        own = self.guard
        scope: Any = connection.scope
        check_guard(own, scope.get(PENDING), PLUGIN)
        decision = await decided(own, await own._request(connection), self.demand)
        note(scope, Decided(decision, self.demand, own))
        if decision.is_allowed:
            return
        if isinstance(connection, WebSocket):
            # It is closed before it is accepted; 4401, 4403 and so on.
            raise WebSocketException(detail="refused", code=4000 + decision.status)
        raise Refused(decision)


class _Own(_Requires):
    """Marks the guard's own routes, which decide by themselves."""

    async def _decide(self, connection: _Connection, _: BaseRouteHandler) -> None:
        """Decide nothing."""


class Guard(base.Guard):
    """One decision at every door of a Litestar application; see :class:`gatekey.guard.Guard`."""

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> _Requires:
        """Give a guard for ``guards=[...]``.

        :param scopes: every one of these must have been granted; see
            :class:`gatekey.guard.Demands` for what else can be demanded.
        """
        return _Requires(self, self.demand(*scopes, **demands))

    def public(
        self,
        handler: None = None,
        *,
        limits: Mapping[str, str] | None = None,
        own_pages: bool = False,
    ) -> _Requires:
        """Give a guard that is open to all callers, for ``guards=[...]``.

        :param handler: nothing: it is no decorator.
        :param limits: names and rates for each address.
        :param own_pages: whether what changes something comes from pages of this service alone: for
            log-ins, so that no other site logs its visitors in as a user of its choice.
        """
        if handler is not None:
            raise _no_decorator()
        return _Requires(self, self.open_demand(limits=limits, own_pages=own_pages))

    def access(self, connection: _Connection) -> Access:
        """Say who calls: what was decided about this request or websocket.

        :raises UsageError: nothing was decided about it.
        """
        return access_of(last_of(connection.scope))

    def plugin(self, *, prefix: str = "/auth", public: Iterable[str] = ()) -> InitPluginProtocol:
        """Give the plugin with the guard's own routes, and the answers of refusals.

        The start of the application fails if a handler has neither ``requires`` nor ``public``.

        :param prefix: where refresh, log-out and devices are.
        :param public: names of handlers that are public.
        """
        return _Plugin(self, text(prefix, "prefix"), names_of(public, "public"))

    async def log_in(
        self,
        request: _Connection,
        subject: str,
        *,
        scopes: str | Iterable[str] = (),
        claims: Mapping[str, object] | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> SessionTokens:
        """Start the session of a subject that has logged in; the answer sets its cookies.

        :param scopes: what its access tokens grant.
        :param claims: what else they say.
        :param meta: the program's own notes.
        :raises Refused: the store gives no answer.
        """
        client = request.headers.get("user-agent")
        about = {"scopes": scopes, "claims": claims, "client": client, "meta": meta}
        pending = _pending_of(request.scope)
        decision = await stored(self, request.scope, self._log_in, subject, **about)
        if not decision.is_allowed:
            raise Refused(decision)
        pending.add(decision.headers, is_log_in=True)
        return tokens_of(decision)

    async def log_out(self, request: _Connection) -> None:
        """End the session of the request; the answer clears its cookies.

        :raises Refused: there is none, or the request is not of a page of this service.
        """
        pending = _pending_of(request.scope)
        decision = await stored(self, request.scope, self._log_out)
        if not decision.is_allowed:
            raise Refused(decision)
        pending.add(decision.headers)

    def form_token(self, request: _Connection) -> str:
        """Give the CSRF token of a page with a log-in form; the answer sets its cookie.

        Only browsers of before 2023 need it, where the form's route is ``public(own_pages=True)``.
        """
        pending = _pending_of(request.scope)
        token, set_cookie = self._core.form_token(_Request.of_asgi(cast("Any", request.scope)))
        pending.add([] if set_cookie is None else [("Set-Cookie", set_cookie)])
        return token

    # ---- how ----

    async def _request(self, connection: _Connection) -> _Request:
        """Give a request with the CSRF token of a form, which the handler can read again."""
        scope: Any = connection.scope
        field = None
        if self.csrf_form_field and isinstance(connection, Request) and forms.is_form(scope):
            own: Any = connection
            body = own._connection_state.body
            if own._body is Empty and body is Empty:
                body, own.receive = await forms.read(scope, own.receive)
            if body is not None:
                field = field_of(await connection.body(), self.csrf_form_field)
        return _Request.of_asgi(scope, field)

    def _own(self, route: OwnRoute) -> HTTPRouteHandler:
        async def handler(request: Request[Any, Any, Any]) -> ASGIResponse:
            scope: Any = request.scope
            settle(scope)  # it decides by itself
            form = None
            if route.takes_form:
                form, _ = await forms.read(scope, cast("Any", request.receive))
            asked = Asked(
                _Request.of_asgi(scope),
                request.path_params.get("family", ""),
                scope["query_string"].decode("latin-1"),
                "; ".join(request.headers.getall("cookie", [])),
                form or b"",
            )
            return response_of(await answered(self, route, asked))

        handler.__annotations__ = {"request": Request, "return": ASGIResponse}
        return HTTPRouteHandler(
            route.path.replace("{family}", "{family:str}"),
            http_method=cast("Any", [route.method]),
            guards=[_Own(self, self.open_demand())],
            name=route.name,
            status_code=200,
            include_in_schema=False,
        )(handler)


class _Plugin(InitPluginProtocol, ReceiveRoutePlugin):
    """Adds what a guard needs when an application is made."""

    def __init__(self, guard: Guard, prefix: str, public: frozenset[str]) -> None:
        self._guard, self._prefix, self._public = guard, prefix, public
        self._seen: list[Any] = []

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add it."""
        if any(isinstance(one, _Plugin) and one is not self for one in app_config.plugins):
            raise installed_twice()
        if app_config.openapi_config is not None:
            # A copy: another application may have the same.
            config = app_config.openapi_config = copy(app_config.openapi_config)
            given = config.components
            config.components = [
                *(given if isinstance(given, list) else [given]),
                Components(security_schemes=_schemes(self._guard)),
            ]
        own = [self._guard._own(route) for route in self._guard.own_routes(self._prefix)]
        app_config.route_handlers = [*app_config.route_handlers, *own]
        handler: Any = answer_refusal
        app_config.exception_handlers = {**app_config.exception_handlers, Refused: handler}
        app_config.before_send.append(cast("Any", _add_headers))
        app_config.on_startup.append(cast("Any", self._check))
        cache = app_config.response_cache_config
        app_config.response_cache_config = replace(
            cache, cache_response_filter=partial(_may_be_kept, cache.cache_response_filter)
        )
        app_config.middleware = [self._doors, *app_config.middleware]
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Have the document of the API say what each handler requires."""
        own: Any = route
        for handler in getattr(own, "route_handlers", ()):
            guards = [guard for guard in _guards_of(handler) if not guard.demand.is_public]
            found: list[dict[str, list[str]]] = []
            for at, guard in enumerate(guards):
                more = guard.guard.requirements(guard.demand)
                found = _both(found, more) if at else more
            told = [*(handler.security or ())]
            if new := [one for one in found if one not in told]:  # a handler has several paths
                handler.security = [*told, *new]

    def _check(self, app: Litestar) -> None:
        """Look at all handlers, again when there are more.

        :raises ConfigurationError: one has no guard.
        """
        routes: list[Any] = [*app.routes]
        if routes != self._seen:
            without = sorted(set(_without(app, self._public)))
            if without:
                raise unguarded(without)
            _check_cached(handler for route in routes for handler in _handlers_of(route))
            self._seen = routes

    def _doors(self, app: Any) -> Any:
        leaving = Exit(app, self._guard, _named)

        async def doors(scope: Any, receive: Any, send: Any) -> None:
            self._check(scope["litestar_app"])
            before = scope.get(PENDING)
            if before is None or not before.knows(self._guard):
                scope[PENDING] = Pending(self._guard, before)
                scope[DECIDED] = []
            if _needs_none(scope["route_handler"], self._public):
                settle(scope)
            await leaving(scope, receive, send)

        return doors


def _without(app: Litestar, public: frozenset[str]) -> Iterator[str]:
    """Name the handlers that have no guard."""
    opened: dict[str, dict[str, object]] = {}
    for route in app.routes:
        for handler in _handlers_of(route):
            if _guards_of(handler):
                continue
            if not _needs_none(handler, public):
                yield f"{route.path} ({handler.fn.__name__})"
            elif handler.name in public:
                opened.setdefault(handler.name, {})[route.path] = handler.fn
    for name, routes in opened.items():
        check_name(name, routes)


def _check_cached(handlers: Iterable[Any]) -> None:
    """Look whether the answers to one caller are kept for the next.

    :raises ConfigurationError: they are.
    """
    shared = sorted(
        {
            handler.fn.__name__
            for handler in handlers
            if getattr(handler, "cache", False)
            and handler.cache_key_builder is None
            and not all(guard.demand.is_public for guard in _guards_of(handler))
        }
    )
    if shared:
        raise ConfigurationError(
            f"These handlers have a guard, and a `cache` that is the same for all callers: "
            f"{', '.join(shared[:10])}. Leave out `cache`, or give each a `cache_key_builder` "
            "which names the caller."
        )


def _may_be_kept(asked: Callable[[Any, int], bool], scope: Any, status: int) -> bool:
    """Tell whether an answer may be given to other callers: one that sets cookies may not."""
    pending: Pending | None = scope.get(PENDING)
    return not (pending is not None and pending.is_personal) and asked(scope, status)


def _needs_none(handler: Any, public: frozenset[str]) -> bool:
    """Tell handlers that need no guard: Litestar's own, and those that are public by name."""
    return handler.name in public or getattr(handler.fn, "__module__", "") in OF_LITESTAR


def _named(scope: Any) -> str:
    """Name the handler that a request has come to."""
    return f"the handler {scope['route_handler']} for {scope.get('path', '')!r:.100}"


def _no_decorator() -> TypeError:
    """Say how a route is guarded."""
    return TypeError(
        "`requires(...)` and `public(...)` of Litestar are guards, and no decorators: give "
        "`guards=[auth.requires(...)]` to the handler, as in "
        '`@get("/orders", guards=[auth.requires(...)])`'
    )


def _handlers_of(route: Any) -> list[Any]:
    return getattr(route, "route_handlers", None) or [route.route_handler]


def _guards_of(handler: Any) -> list[_Requires]:
    """Give the guards of a handler and of what it is in."""
    layers = (guard for layer in handler.ownership_layers for guard in layer.guards or ())
    return [guard for guard in layers if isinstance(guard, _Requires)]


def _schemes(guard: Guard) -> dict[str, SecurityScheme | Reference]:
    found: dict[str, SecurityScheme | Reference] = {}
    for name, about in guard.schemes().items():
        found[name] = SecurityScheme(
            type=about["type"],
            scheme=about.get("scheme"),
            name=about.get("name"),
            security_scheme_in=about.get("in"),
        )
    return found


def _both(
    first: list[dict[str, list[str]]], second: list[dict[str, list[str]]]
) -> list[dict[str, list[str]]]:
    """Give what meets two guards: the same credential, with the scopes of both."""
    return [
        {name: [*own[name], *(one for one in other[name] if one not in own[name])] for name in own}
        for own in first
        for other in second
        if own.keys() == other.keys()
    ]


def response_of(answer: Answer) -> ASGIResponse:
    """Make a response, with its headers as they are."""
    headers = [(name.lower(), value) for name, value in answer.headers]
    return ASGIResponse(body=answer.body, status_code=answer.status, headers=headers)


class _Whole(Response[bytes]):
    """A response that is an answer as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(b"")
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return response_of(self._answer)


def answer_refusal(_: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    """Answer a request whose guard has raised :class:`Refused`."""
    return _Whole(error.answer)


def _pending_of(scope: Scope) -> Pending:
    """Give what the answer must set.

    :raises UsageError: it has begun, or no guard is installed.
    """
    own: Any = scope
    pending: Pending | None = own.get(PENDING)
    if pending is None:
        raise not_installed(PLUGIN)
    pending.check()
    return pending


async def _add_headers(message: Message, scope: Scope) -> None:
    """Add what goes with an answer: names of `Vary`, rates, and the cookies of a log-in."""
    own: Any = message
    if not own["type"].endswith("response.start"):
        return
    kept: Any = scope
    headers = list(own.get("headers", ()))
    decision = last_of(scope)
    if decision is not None:
        headers = with_headers(headers, decision)
    pending: Pending | None = kept.get(PENDING)
    own["headers"] = headers if pending is None else with_cookies(headers, own["status"], pending)
