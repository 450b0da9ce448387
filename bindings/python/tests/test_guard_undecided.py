"""No route answers a success that nothing was decided about, whatever hides its guard."""

from __future__ import annotations

import asyncio
import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

import fastapi
import pytest
from fastapi import APIRouter, Depends, FastAPI
from guard_doors import asgi
from litestar import Litestar
from litestar import get as litestar_get
from litestar import post as litestar_post
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import (
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket  # noqa: TC002 - FastAPI reads it

import gatekey.fastapi
import gatekey.litestar
import gatekey.starlette
from gatekey.exceptions import ConfigurationError
from gatekey.testing import new_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

PEER = "192.0.2.7"


def seen(app: Any, path: str, *more: tuple[str, str], key: str = "", method: str = "GET") -> Any:
    headers = [("Host", "api.test"), *more]
    if key:
        headers.append(("X-API-Key", key))
    return asgi(app, method, path, headers, PEER, {})


def opened(app: Any, path: str, key: str) -> list[str]:
    """Open a websocket; what is sent."""
    sent: list[str] = []
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"api.test"), (b"x-api-key", key.encode())],
        "client": (PEER, 5000),
        "server": ("api.test", 80),
        "subprotocols": [],
    }

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app(scope, receive, send))
    return sent


async def plain(_: Any) -> PlainTextResponse:
    return PlainTextResponse("of the route")


async def bare(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("of an application")(scope, receive, send)


def hidden(guarded: Any, instead: Any) -> Any:
    """Answer instead of what is guarded, as a decorator does that knows `functools.wraps`."""

    @wraps(guarded)
    async def wrapper(*args: Any) -> Any:
        return await instead(*args)

    return wrapper


def answering(response: Response) -> Any:
    async def endpoint(_: Any) -> Response:
        return response

    return endpoint


def cached(call: Any) -> Any:
    kept: list[Any] = []

    @wraps(call)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not kept:
            kept.append(await call(*args, **kwargs))
        return kept[0]

    return wrapper


class Slow:
    """A long stream, which says that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def body(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(1000):
                yield b"of the stream"
        finally:
            self.is_closed = True


def starlette_of(*routes: Any, public: tuple[str, ...] = (), **options: Any) -> Any:
    auth = gatekey.starlette.Guard("memory:")
    made = [route if isinstance(route, BaseRoute) else route(auth) for route in routes]
    app = Starlette(routes=made, **options)
    auth.install(app, public=public)
    return app, auth


def overridden(auth: Any) -> Route:
    @auth.requires()
    class Base(HTTPEndpoint):
        async def get(self, _: Any) -> PlainTextResponse:
            return PlainTextResponse("of the class")

    class Child(Base):
        async def dispatch(self) -> None:
            await bare(self.scope, self.receive, self.send)

    return Route("/x", Child)


def streaming(auth: Any) -> Route:
    async def endpoint(_: Any) -> StreamingResponse:
        return StreamingResponse(Slow().body())

    return Route("/x", hidden(auth.requires()(plain), endpoint))


UNDECIDED: dict[str, Callable[[Any], Any]] = {
    "a class whose dispatch is overridden": overridden,
    "a stream": streaming,
    "a wrapper": lambda auth: Route("/x", hidden(auth.requires()(plain), plain)),
    "a router's default": lambda _: Mount("/x", app=Router([], default=bare)),
    "a host's default": lambda _: Host("api.test", app=Router([], default=bare)),
    "a mounted class": lambda auth: Mount("/x", routes=[Route("/", overridden(auth).endpoint)]),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_starlette(name: str, caplog: pytest.LogCaptureFixture) -> None:
    app, auth = starlette_of(UNDECIDED[name])
    with caplog.at_level(logging.ERROR, "gatekey"):
        answer = seen(app, "/x/" if "default" in name or "mounted" in name else "/x")
    assert answer.status == 500
    assert answer.one("Content-Type") == "application/problem+json"
    assert answer.one("Cache-Control") == "no-store"
    assert answer.json["code"] == "server_error"
    assert b"of " not in answer.body
    said = [record for record in caplog.records if "undecided" in record.message]
    assert len(said) == 1
    assert "/x" in said[0].message
    assert seen(app, "/nothing", key=new_key(auth)).status == (500 if "host" in name else 404)


def test_a_cache_above_the_guard(caplog: pytest.LogCaptureFixture) -> None:
    auth = gatekey.starlette.Guard("memory:")
    route = Route("/x", cached(auth.requires()(plain)), name="cached")
    app = Starlette(routes=[route])
    auth.install(app)
    assert seen(app, "/x", key=new_key(auth)).status == 200
    with caplog.at_level(logging.ERROR, "gatekey"):
        assert seen(app, "/x").status == 500
    assert "plain" in caplog.text


def test_the_default_of_an_application() -> None:
    app, _ = starlette_of()
    app.router.default = bare
    assert seen(app, "/anything").status == 500
    fast, auth = fast_of()
    fast.router.default = bare
    assert seen(fast, "/anything").status == 500
    fast.router.default = auth.public(bare)
    assert seen(fast, "/anything").status == 200


def test_an_application_with_no_routes_of_starlettes_own() -> None:
    class Empty:
        routes: tuple[Any, ...] = ()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await bare(scope, receive, send)

    app, _ = starlette_of(Mount("/m", app=Empty()))
    with pytest.raises(ConfigurationError, match="/m"):
        seen(app, "/m/x")


def test_routes_that_are_replaced() -> None:
    """The list itself, an entry of it, one of a mounted application: no route runs undecided."""
    sub = Starlette(routes=[])
    app, auth = starlette_of(lambda auth: Route("/x", auth.requires()(plain)), Mount("/sub", sub))
    sub.router.routes.append(Route("/x", auth.requires()(plain)))
    good = [*app.router.routes]
    assert seen(app, "/x").status == 401
    for path, replace in (
        ("/x", lambda: setattr(app.router, "routes", [Route("/x", plain)])),
        ("/x", lambda: app.router.routes.__setitem__(0, Route("/x", plain))),
        ("/sub/x", lambda: setattr(sub.router, "routes", [Route("/x", plain)])),
        ("/sub/x", lambda: sub.router.routes.__setitem__(0, Route("/x", plain))),
    ):
        replace()
        with pytest.raises(ConfigurationError, match=path):
            seen(app, path)
        app.router.routes = [*good]
        sub.router.routes = [Route("/x", auth.requires()(plain))]
        assert seen(app, path).status == 401


def test_a_websocket() -> None:
    async def socket(websocket: Any) -> None:
        await websocket.accept()
        await websocket.send_text("of the route")

    auth = gatekey.starlette.Guard("memory:")
    good = auth.requires()(socket)
    routes = [WebSocketRoute("/hidden", hidden(good, socket)), WebSocketRoute("/good", good)]
    app = Starlette(routes=routes)
    auth.install(app)
    key = new_key(auth)
    assert opened(app, "/hidden", key) == ["websocket.close"]
    assert opened(app, "/good", key) == ["websocket.accept", "websocket.send"]
    assert opened(app, "/good", "") == ["websocket.close"]


def test_a_stream_is_stopped() -> None:
    slow = Slow()

    async def endpoint(_: Any) -> StreamingResponse:
        return StreamingResponse(slow.body())

    auth = gatekey.starlette.Guard("memory:")
    app = Starlette(routes=[Route("/x", hidden(auth.requires()(plain), endpoint))])
    auth.install(app)
    assert seen(app, "/x").status == 500
    assert not slow.is_closed  # it has not begun


# ---- what is answered as before ----


async def accepting(websocket: WebSocket) -> None:
    await websocket.accept()


class Answers:
    """Middleware that answers one path by itself, and has its own scope."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path", "").endswith("/alive"):
            await PlainTextResponse("of the middleware")(scope, receive, send)
            return
        await self.app({**scope}, receive, send)


class Passes(BaseHTTPMiddleware):
    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


def fast_of(public: tuple[str, ...] = (), **options: Any) -> Any:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI(**options)
    auth.install(app, public=public)
    return app, auth


def sub_of(auth: Any, name: str, **options: Any) -> FastAPI:
    sub = FastAPI(**options)
    sub.get("/x", dependencies=[auth.requires()])(lambda: "x")
    sub.get("/named", name=name)(lambda: "named")
    return sub


@pytest.mark.parametrize("wrapped", [(), (Answers,), (Passes,), (Answers, Passes)])
def test_fastapi_as_before(wrapped: tuple[Any, ...], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    middleware = [Middleware(one) for one in wrapped]
    middleware.append(Middleware(CORSMiddleware, allow_origins=["https://b.example"]))
    app, auth = fast_of(
        ("named", "named socket", "of own", "of sub", "mounted", "sub-public"),
        middleware=middleware,
    )
    own = gatekey.fastapi.Guard("memory:")
    inner = sub_of(own, "of own", middleware=middleware)
    own.install(inner, public=["of own"])
    router = APIRouter()
    router.get("/x", dependencies=[auth.requires()])(lambda: "x")
    router.mount("/mounted", StaticFiles(directory=tmp_path), name="mounted")
    router.routes.append(Route("/named", plain, name="named"))
    router.websocket("/ws", name="named socket")(accepting)
    router.websocket("/ws-guarded", dependencies=[auth.requires()])(accepting)
    app.include_router(router, prefix="/a")
    app.include_router(router, prefix="/b")
    app.mount("/own", inner)
    app.mount("/sub", sub_of(auth, "of sub", middleware=middleware, docs_url="/docs"))
    app.mount("/sub-guarded", auth.guarded(sub_of(auth, "")))
    app.mount("/sub-open", auth.public(sub_of(auth, "")))
    app.mount("/sub-public", sub_of(auth, ""), name="sub-public")
    app.mount("/files", auth.guarded(StaticFiles(directory=tmp_path)))
    app.mount("/shown", auth.public(StaticFiles(directory=tmp_path)))

    guarded = gatekey.starlette.Guard.requires(auth)(plain)
    for path, made in (("/moved", RedirectResponse("/x")), ("/same", Response(status_code=304))):
        app.router.routes.append(Route(path, hidden(guarded, answering(made))))

    key = new_key(auth)
    # Former versions of FastAPI leave out what is mounted in a router.
    included = 200 if hasattr(fastapi.routing, "iter_route_contexts") else 404
    expected = {
        "/a/x": 200,
        "/b/x": 200,
        "/a/mounted/a.txt": included,
        "/b/mounted/a.txt": included,
        "/a/named": 200,
        "/b/named": 200,
        "/own/x": 401,
        "/own/named": 200,
        "/own/docs": 200,
        "/own/openapi.json": 200,
        "/own/.well-known/oauth-protected-resource": 404,
        "/sub/x": 200,
        "/sub/named": 200,
        "/sub/docs": 200,
        "/sub/nothing": 404,
        "/sub-guarded/x": 200,
        "/sub-guarded/named": 200,
        "/sub-open/named": 200,
        "/sub-open/docs": 200,
        "/sub-public/named": 200,
        "/sub-public/x": 200,
        "/sub-public/docs": 200,
        "/files/a.txt": 200,
        "/shown/a.txt": 200,
        "/moved": 307,
        "/same": 304,
        "/docs": 200,
        "/openapi.json": 200,
        "/a/x/": 307,
        "/nothing": 404,
        "/alive": 200 if Answers in wrapped else 404,
        "/own/alive": 200 if Answers in wrapped else 404,
    }
    for path, status in expected.items():
        answer = seen(app, path, key=key)
        assert answer.status == status, (path, answer.body)
    assert seen(app, "/own/x", key=new_key(own)).status == 200
    for at in ("/a", "/b"):
        assert opened(app, f"{at}/ws", "") == ["websocket.accept"]
        assert opened(app, f"{at}/ws-guarded", key) == ["websocket.accept"]
        assert opened(app, f"{at}/ws-guarded", "") == ["websocket.close"]
    asked = [("Origin", "https://b.example"), ("Access-Control-Request-Method", "GET")]
    for path in ("/a/x", "/own/x", "/sub/x"):
        assert seen(app, path, *asked, method="OPTIONS").status == 200


def test_own_routes_below_another_guard() -> None:
    app, _ = fast_of()
    own = gatekey.fastapi.Guard("memory:", issuer="https://shop.example")
    inner = FastAPI()
    own.install(inner)
    app.mount("/in", inner)
    assert seen(app, "/in/.well-known/jwks.json").status == 200


# ---- names of `public` ----


def test_a_public_name_of_several_routes() -> None:
    async def health(_: Any) -> PlainTextResponse:
        return PlainTextResponse("of another module")

    app, _ = starlette_of(
        Route("/health", plain, name="health"),
        Mount("/admin", routes=[Route("/x", health)]),
        public=("health",),
    )
    with pytest.raises(ConfigurationError, match="/admin/x, /health"):
        seen(app, "/health")


def test_a_public_name_of_two_functions_in_fastapi() -> None:
    def module(answer: str) -> Any:
        def status() -> str:
            return answer

        return status

    app, auth = fast_of(("status",))
    app.get("/status")(module("meant"))
    router = APIRouter(prefix="/admin")
    router.get("/status")(module("not meant"))
    app.include_router(router)
    with pytest.raises(ConfigurationError, match=r"'status' in `public`.*name of its own"):
        seen(app, "/status")
    # One that is guarded is not opened by the name, and one function may be at two paths.
    app, auth = fast_of(("status",))
    same = module("meant")
    app.get("/status")(same)
    app.get("/state", name="status")(same)
    app.get("/admin/status", dependencies=[auth.requires()])(module("guarded"))
    for path, status in (("/status", 200), ("/state", 200), ("/admin/status", 401)):
        assert seen(app, path).status == status


# ---- Litestar ----


def test_litestar_registers_another_method() -> None:
    auth = gatekey.litestar.Guard("memory:")

    @litestar_get("/x", guards=[auth.requires()])
    async def guarded() -> str:
        return ""

    @litestar_post("/x")
    async def late() -> str:
        return "undecided"

    app = Litestar([guarded], plugins=[auth.plugin()])
    assert seen(app, "/x").status == 401
    app.register(late)
    answer = seen(app, "/x", method="POST")
    assert answer.status == 500
    assert b"undecided" not in answer.body


def test_litestar_middleware_that_caches(caplog: pytest.LogCaptureFixture) -> None:
    auth = gatekey.litestar.Guard("memory:")

    @litestar_get("/x", guards=[auth.requires()])
    async def guarded() -> str:
        return ""

    @litestar_get("/health", name="health")
    async def health() -> str:
        return ""

    def caching(app: Any) -> Any:
        del app
        return bare

    app = Litestar(
        [guarded, health],
        plugins=[auth.plugin(public=["health"])],
        middleware=[caching],
        logging_config=None,
    )
    with caplog.at_level(logging.ERROR, "gatekey"):
        answer = seen(app, "/x", key=new_key(auth))
    assert answer.status == 500
    assert answer.one("content-type") == "application/problem+json"
    assert "guarded" in caplog.text
    assert seen(app, "/health").status == 200
    assert seen(app, "/schema/openapi.json").status == 200


def test_litestar_public_name_of_several_handlers() -> None:
    auth = gatekey.litestar.Guard("memory:")

    @litestar_get(["/health", "/alive"], name="health")
    async def health() -> str:
        return ""

    app = Litestar([health], plugins=[auth.plugin(public=["health"])])
    for path in ("/health", "/alive"):
        assert seen(app, path).status == 200


def test_a_dependency_that_is_overridden() -> None:
    """The guard is not asked; what stands in for it says that it is public."""
    app, auth = fast_of()
    guard = auth.requires()

    def user(who: Any = guard) -> Any:
        return who.subject or "nobody"

    app.get("/x")(lambda who=Depends(user): who)  # noqa: B008
    assert seen(app, "/x", key=new_key(auth)).status == 200
    app.dependency_overrides[user] = lambda: "alice"
    assert seen(app, "/x").status == 500

    opened = auth.public()

    def alice(_: Any = opened) -> Any:
        return "alice"

    app.dependency_overrides[user] = alice
    assert seen(app, "/x").json == "alice"
