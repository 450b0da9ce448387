"""A guard stops no event loop: what it cannot answer from memory waits elsewhere."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from guard_doors import DOORS, PEER, Door, OfFastApi, OfStarlette
from guard_world import API, OTHER, PEPPER
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import gatekey.starlette
from gatekey import Access, Store, aio
from gatekey.testing import Issuer, new_key

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from gatekey import HttpRequest

REQUESTS = 200
TICKS = 50


async def call(app: Any, path: str, headers: list[tuple[str, str]], **more: Any) -> list[Any]:
    """Give what an application sends."""
    coming = more.pop("coming", None) or [{"type": "http.request", "body": b""}]
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": pairs,
        "client": (PEER, 5000),
        "server": ("testserver", 80),
        "scheme": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    } | more
    sent: list[Any] = []

    async def receive() -> Any:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


class Peer:
    """An issuer's server that answers only when the loop has gone on, and all requests wait."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.arrived = 0
        self.asked = 0
        self.ticks = 0

    async def __call__(self, request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        self.asked += 1
        while self.ticks < TICKS or self.arrived < REQUESTS:
            await asyncio.sleep(0)
        answer: object = self.issuer.keys.to_jwks()
        if request.url.endswith("/.well-known/openid-configuration") or "oauth-auth" in request.url:
            answer = {"issuer": OTHER, "jwks_uri": OTHER + "/jwks"}
        return 200, [("content-type", "application/json")], json.dumps(answer).encode()


def test_the_loop_goes_on_while_keys_are_fetched() -> None:
    issuer = Issuer(OTHER)
    peer = Peer(issuer)
    keys = aio.RemoteKeySet(OTHER + "/jwks", transport=peer)
    server = aio.ResourceServer(API, issuers={OTHER: keys})
    auth = gatekey.starlette.Guard("memory:", tokens=server)

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(auth.access(request).subject)

    app = Starlette(routes=[Route("/orders", auth.requires("orders:read")(endpoint))])
    auth.install(app)
    token = issuer.token(audience=API, scope="orders:read")
    key = [("X-API-Key", new_key(auth, scopes=["orders:read"]))]

    async def one() -> int:
        peer.arrived += 1
        sent = await call(app, "/orders", [("Authorization", f"Bearer {token}")])
        status: int = sent[0]["status"]
        return status

    async def all_at_once() -> None:
        waiting = [asyncio.create_task(one()) for _ in range(REQUESTS)]
        while peer.ticks < TICKS:
            await asyncio.sleep(0)
            peer.ticks += 1
            # What is in memory is answered meanwhile.
            assert (await call(app, "/orders", key))[0]["status"] == 200
        assert await asyncio.gather(*waiting) == [200] * REQUESTS

    asyncio.run(all_at_once())
    assert peer.asked == 1


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "django async"])
def test_a_store_that_is_waited_for_stops_no_loop(framework: str, tmp_path: Path) -> None:
    door = DOORS[framework](tmp_path)
    # Made elsewhere: this process has to read the store before it knows it.
    other = Store.open(door.world.file, pepper=PEPPER).api_keys()
    secret = other.create(owner="acme", scopes=["orders:read"], tenant="acme").secret

    async def decided() -> Any:
        ticking = asyncio.create_task(tick())
        sent = await call(door.app, "/orders", [("X-API-Key", secret)])
        ticking.cancel()
        return sent[0]["status"]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)

    assert asyncio.run(decided()) == 200
    door.world.close()


# ---- websockets ----


def socket(door: OfStarlette) -> Any:
    async def endpoint(websocket: Any) -> None:
        await websocket.accept()
        door.seen("/ws")
        for _ in range(2):
            message = await websocket.receive_text()
            if message == "recheck":
                await door.guard.recheck(websocket)
            await websocket.send_json(door.guard.access(websocket).subject)
        await websocket.close()

    return WebSocketRoute("/ws", door.guard.requires()(endpoint))


class WithSocket(OfStarlette):
    def more(self) -> list[Any]:
        return [socket(self)]


class FastApiWithSocket(OfFastApi):
    def build(self) -> None:
        super().build()

        async def endpoint(websocket: WebSocket, who: Any) -> None:
            await websocket.accept()
            self.seen("/ws")
            for _ in range(2):
                if await websocket.receive_text() == "recheck":
                    await self.guard.recheck(websocket)
                await websocket.send_json(who.subject)
            await websocket.close()

        endpoint.__annotations__ = {
            "websocket": WebSocket,
            "who": Annotated[Access, self.guard.requires()],
        }
        self.app.add_api_websocket_route("/ws", endpoint)


@pytest.fixture(params=[WithSocket, FastApiWithSocket])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = request.param(tmp_path)
    yield made
    made.world.close()


def upgrade(
    door: Door, headers: list[tuple[str, str]], *texts: str, denial: bool = False
) -> list[Any]:
    coming: list[Any] = [{"type": "websocket.connect"}]
    coming += [{"type": "websocket.receive", "text": text} for text in texts]
    coming.append({"type": "websocket.disconnect", "code": 1000})
    more: dict[str, Any] = {"type": "websocket", "scheme": "ws", "coming": coming}
    if denial:
        more["extensions"] = {"websocket.http.response": {}}
    return asyncio.run(call(door.app, "/ws", headers, method=None, **more))


def test_a_websocket_is_closed_before_it_is_accepted(door: Door) -> None:
    cookie = ("Cookie", door.world.jar().header)
    evil = ["https://evil.test", "null", "https://shop.test.evil.test", "http://shop.example"]
    refused = [[], [cookie], *([cookie, ("Origin", origin)] for origin in evil)]
    for headers in refused:
        sent = upgrade(door, headers)
        assert [message["type"] for message in sent] == ["websocket.close"], headers
        assert sent[0]["code"] == 1008
        sent = upgrade(door, headers, denial=True)
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] in (401, 403)
        assert b"cache-control" in dict(sent[0]["headers"])
    assert not door.calls


def test_a_websocket_that_may(door: Door) -> None:
    cookie = [("Cookie", door.world.jar().header), ("Origin", "https://shop.example")]
    for headers in (cookie, door.world.key(), door.world.foreign()):
        sent = upgrade(door, headers, "a", "b")
        kinds = [message["type"].partition(".")[2] for message in sent]
        assert kinds == ["accept", "send", "send", "close"]


def test_an_open_websocket_asks_whether_it_is_still_good(door: Door) -> None:
    headers = door.world.key()
    secret = headers[0][1]
    coming: list[Any] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "a"}]

    class Coming(list[Any]):
        def pop(self, _: Any = 0) -> Any:
            if len(self) == 1:
                door.guard.api_keys.revoke(secret.split("_")[2][:12])
            return super().pop(0)

    own = Coming([*coming, {"type": "websocket.receive", "text": "recheck"}])
    sent = asyncio.run(
        call(door.app, "/ws", headers, type="websocket", scheme="ws", method=None, coming=own)
    )
    kinds = [message["type"].partition(".")[2] for message in sent]
    assert kinds == ["accept", "send", "close"]
    assert sent[-1]["code"] == 1008
