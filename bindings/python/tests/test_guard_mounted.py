"""Applications in applications, by ASGI: what is refused there, and what their answers carry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from guard_doors import asgi
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import get as litestar_get
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

import gatekey.fastapi
import gatekey.litestar
import gatekey.starlette
from gatekey import Store
from gatekey.testing import new_key

PEER = "192.0.2.7"


def seen(app: Any, path: str, key: str) -> Any:
    return asgi(app, "GET", path, [("X-API-Key", key)], PEER, {})


MOUNTS: dict[str, Any] = {
    "bare": lambda _, sub: sub,
    "guarded": lambda auth, sub: auth.guarded(sub),
    "public": lambda auth, sub: auth.public(sub),
    "by name": lambda _, sub: sub,
    "with middleware": lambda auth, sub: auth.public(CORSMiddleware(sub, allow_origins=["*"])),
}


@pytest.mark.parametrize("name", MOUNTS)
def test_a_refusal_of_a_mounted_application(name: str) -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    auth.install(app, public=["named"] if name == "by name" else ())
    sub = FastAPI()
    sub.get("/x", dependencies=[auth.requires("admin")])(lambda: "in")
    app.mount("/m", MOUNTS[name](auth, sub), name="named")
    answer = seen(app, "/m/x", new_key(auth))
    assert answer.status == 403
    assert answer.one("Content-Type") == "application/problem+json"
    assert answer.json["code"] == "insufficient_scope"
    assert seen(app, "/m/x", new_key(auth, scopes=["admin"])).json == "in"


def litestar_of(auth: Any, **options: Any) -> Litestar:
    async def endpoint(request: Any) -> str:
        return str(auth.access(request).subject)

    endpoint.__annotations__ = {"request": LitestarRequest, "return": str}
    handler = litestar_get("/x", guards=[auth.requires()])(endpoint)
    return Litestar([handler], plugins=[auth.plugin()], logging_config=None, **options)


@pytest.mark.parametrize("how", ["guarded", "public", "by name"])
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_litestar_in_another(framework: str, how: str) -> None:
    store = Store.open("memory:")
    inner = gatekey.litestar.Guard(store)
    outer: Any = {"starlette": gatekey.starlette, "fastapi": gatekey.fastapi}[framework].Guard(
        store
    )
    app: Any = Starlette() if framework == "starlette" else FastAPI()
    own: Any = litestar_of(inner)
    if how != "by name":
        own = outer.guarded(own) if how == "guarded" else outer.public(own)
    app.router.routes.append(Mount("/m", app=own, name="named"))
    outer.install(app, public=["named"] if how == "by name" else ())
    answer = seen(app, "/m/x", new_key(inner, owner="alice"))
    assert (answer.status, answer.body) == (200, b"alice")
    assert "X-API-Key" in answer.one("Vary")
    assert seen(app, "/m/x", "").status == 401


@pytest.mark.parametrize("is_copied", [False, True])
def test_litestar_with_middleware_that_copies_the_scope(is_copied: bool) -> None:
    class Copying:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope} if is_copied else scope, receive, send)

    auth = gatekey.litestar.Guard("memory:")
    app = litestar_of(auth, middleware=[Copying])
    answer = seen(app, "/x", new_key(auth, rate="100/60s"))
    assert answer.status == 200
    assert answer.one("Vary") is not None
    assert answer.one("RateLimit") is not None
    assert seen(app, "/x", "").one("Vary") is not None


def test_an_open_websocket_asks_all_of_its_guards() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    auth.install(app)
    router = APIRouter(dependencies=[auth.requires(kinds="api_key")])
    held: list[str] = []
    issued = auth.api_keys.create(owner="alice") if auth.api_keys else None
    assert issued is not None

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await auth.recheck(websocket)
        held.append("before")
        assert auth.api_keys is not None
        auth.api_keys.revoke(issued.id)
        for _ in range(2):
            with pytest.raises(gatekey.fastapi.Refused):
                await auth.recheck(websocket)
        held.append("after")
        await websocket.close()

    socket.__annotations__ = {"websocket": WebSocket}
    router.websocket("/ws", dependencies=[auth.public(limits={"ws": "100/min"})])(socket)
    app.include_router(router)
    scope = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"x-api-key", issued.secret.encode())],
        "client": (PEER, 5000),
    }

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(_: Any) -> None:
        pass

    asyncio.run(app(scope, receive, send))
    assert held == ["before", "after"]
