"""Litestar: handlers without a guard stop the start and are named; layers, websockets, mounts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guard_doors import PEER, asgi
from litestar import Controller, Litestar, Request, Router, WebSocket, get, websocket
from litestar import asgi as asgi_handler
from litestar.openapi import OpenAPIConfig

from gatekey.exceptions import UsageError
from gatekey.guard.answer import Answer
from gatekey.litestar import Guard, response_of
from gatekey.testing import log_in, new_key


def plain() -> Any:
    @get("/plain")
    async def handler() -> dict[str, str]:
        return {}

    return handler


def made(auth: Guard, *handlers: Any, **options: Any) -> Litestar:
    given: dict[str, Any] = {"openapi_config": None, "logging_config": None}
    public = options.pop("public", ())
    return Litestar(list(handlers), plugins=[auth.plugin(public=public)], **(given | options))


def start(app: Litestar) -> str:
    """Start it, as a server does; why not."""
    sent: list[Any] = []
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    own: Any = app
    try:
        asyncio.run(own({"type": "lifespan", "asgi": {}, "state": {}}, receive, send))
    except Exception:  # noqa: BLE001 - Litestar puts it into a group
        assert sent
    failed = [one for one in sent if one["type"] == "lifespan.startup.failed"]
    return str(failed[0].get("message")) if failed else ""


def test_a_handler_without_a_guard_stops_the_start() -> None:
    auth = Guard("memory:")

    @websocket("/ws")
    async def socket(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()

    @asgi_handler("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope, receive, send)

    @get("/good", guards=[auth.requires()])
    async def good() -> dict[str, str]:
        return {}

    for handler, named in ((plain(), "/plain"), (socket, "/ws"), (mounted, "/mounted")):
        app = made(auth, good, handler)
        said = start(app)
        assert named in said
        assert "/good" not in said
        # Without a lifespan, too: nothing is answered.
        key = [("X-API-Key", new_key(auth))]
        assert asgi(app, "GET", "/good", key, PEER, {}).status == 500


def test_guards_of_every_layer_and_names() -> None:
    auth = Guard("memory:")
    key = [("X-API-Key", new_key(auth))]

    class Orders(Controller):
        path = "/controller"
        guards = [auth.requires()]  # noqa: RUF012

        @get()
        async def orders(self) -> dict[str, str]:
            return {}

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await response_of(Answer.json({}))(scope, receive, send)

    guards = [auth.requires()]
    mount = asgi_handler("/mounted", is_mount=True, copy_scope=True, guards=guards)(mounted)

    @get("/named", name="health")
    async def named() -> dict[str, str]:
        return {}

    router = Router("/router", route_handlers=[plain()], guards=[auth.requires()])
    document = OpenAPIConfig("t", "1")
    handlers = (Orders, router, mount, named)
    app = made(auth, *handlers, public=["health"], openapi_config=document)
    assert start(app) == ""
    for path in ("/controller", "/router/plain", "/mounted/x"):
        assert asgi(app, "GET", path, [], PEER, {}).status == 401, path
        assert asgi(app, "GET", path, key, PEER, {}).status == 200, path
    for path in ("/named", "/schema/openapi.json"):
        assert asgi(app, "GET", path, [], PEER, {}).status == 200, path
    # One that is added while it runs.
    app.register(plain())
    assert asgi(app, "GET", "/plain", key, PEER, {}).status == 500
    assert asgi(app, "GET", "/controller", key, PEER, {}).status == 500
    whole = made(auth, plain(), guards=[auth.requires()])
    assert start(whole) == ""
    assert asgi(whole, "GET", "/plain", [], PEER, {}).status == 401


@pytest.mark.parametrize("origin", ["https://shop.test", "https://evil.test", None])
def test_websockets_are_refused_before_they_are_accepted(origin: str | None) -> None:
    auth = Guard(
        "memory:", issuer="https://shop.test", cookies=True, public_url="https://shop.test"
    )
    ran: list[str | None] = []

    @websocket("/ws", guards=[auth.requires()])
    async def socket(socket: WebSocket[Any, Any, Any]) -> None:
        ran.append(auth.access(socket).subject)
        await socket.accept()
        await socket.close()

    app: Any = made(auth, socket)
    jar = log_in(auth)

    def opened(headers: list[tuple[bytes, bytes]]) -> list[str]:
        scope = {
            "type": "websocket",
            "path": "/ws",
            "raw_path": b"/ws",
            "query_string": b"",
            "headers": headers,
            "client": (PEER, 1),
            "subprotocols": [],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        return [one["type"] for one in sent]

    cookie = [(b"cookie", jar.header.encode())]
    if origin is not None:
        cookie.append((b"origin", origin.encode()))
    is_ours = origin == "https://shop.test"
    assert opened(cookie)[0] == ("websocket.accept" if is_ours else "websocket.close")
    assert opened([])[0] == "websocket.close"
    key = new_key(auth).encode()
    assert opened([(b"x-api-key", key)])[0] == "websocket.accept"
    assert ran == (["alice", "acme"] if is_ours else ["acme"])


def test_access_without_a_guard() -> None:
    auth = Guard("memory:")
    said: list[str] = []

    @get("/named", name="named")
    async def named(request: Request[Any, Any, Any]) -> dict[str, str]:
        with pytest.raises(UsageError, match="has no guard"):
            auth.access(request)
        said.append("so")
        return {}

    app = made(auth, named, public=["named"])
    assert asgi(app, "GET", "/named", [], PEER, {}).status == 200
    assert said == ["so"]


def test_the_guard_of_a_route_is_the_one_that_is_installed() -> None:
    installed, other = Guard("memory:"), Guard("memory:")

    @get("/orders", guards=[other.requires()])
    async def orders() -> None: ...

    app = made(installed, orders, debug=False)
    seen = asgi(app, "GET", "/orders", [("X-API-Key", new_key(other))], "192.0.2.7", {})
    assert seen.status == 500
