"""Forms that a door reads before the route does are short, whatever their length says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import gatekey.fastapi
import gatekey.litestar
import gatekey.starlette
from gatekey import OAuthClient
from gatekey.guard.door import LONGEST_FORM
from gatekey.testing import log_in

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = "https://shop.example"
CHUNK = 10_000


def guard(kind: Any) -> Any:
    hub = OAuthClient(
        "id",
        client_secret="s" * 32,
        endpoints={
            "authorization_endpoint": "https://hub.example/authorize",
            "token_endpoint": "https://hub.example/token",
        },
        redirect_uri=f"{OWN}/auth/hub/callback",
    )
    return kind(
        "memory:",
        issuer=OWN,
        public_url=OWN,
        cookies=True,
        csrf_form_field="csrf",
        oauth={"hub": hub},
        oauth_user=lambda *_: None,
    )


async def told(request: Any) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def of_starlette() -> tuple[Any, Any]:
    auth = guard(gatekey.starlette.Guard)

    @auth.requires()
    class Endpoint(HTTPEndpoint):
        async def post(self, request: Request) -> PlainTextResponse:
            return await told(request)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await (await told(Request(scope, receive)))(scope, receive, send)

    routes = [
        Route("/x", auth.requires()(told), methods=["POST"]),
        Route("/class", Endpoint),
        Mount("/app", auth.guarded(mounted)),
    ]
    app = Starlette(routes=routes)
    auth.install(app)
    return app, auth


def of_fastapi() -> tuple[Any, Any]:
    auth = guard(gatekey.fastapi.Guard)
    app = FastAPI()

    async def endpoint(request: Request) -> PlainTextResponse:
        return await told(request)

    endpoint.__annotations__ = {"request": Request}
    app.post("/x", dependencies=[auth.requires()])(endpoint)
    auth.install(app)
    return app, auth


def of_litestar() -> tuple[Any, Any]:
    auth = guard(gatekey.litestar.Guard)

    async def endpoint(request: Any) -> str:
        return str(len(await request.body()))

    endpoint.__annotations__ = {"request": LitestarRequest, "return": str}
    handler = post("/x", guards=[auth.requires()], status_code=200)(endpoint)
    return Litestar([handler], plugins=[auth.plugin()], logging_config=None), auth


DOORS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "/x of Starlette": of_starlette,
    "/class of Starlette": of_starlette,
    "/app/x of Starlette": of_starlette,
    "/x of FastAPI": of_fastapi,
    "/x of Litestar": of_litestar,
}


def sent(
    app: Any, path: str, headers: list[tuple[str, str]], chunks: list[bytes]
) -> tuple[int, bytes, int]:
    """Send a body; the status and the body of the answer, and how many bytes were taken."""
    taken = 0
    out: list[Any] = []
    coming = [*chunks]

    async def receive() -> Any:
        nonlocal taken
        chunk = coming.pop(0) if coming else b""
        taken += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(coming)}

    async def send(message: Any) -> None:
        out.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("192.0.2.7", 5000),
        "server": ("shop.example", 443),
    }
    asyncio.run(app(scope, receive, send))
    return out[0]["status"], b"".join(each.get("body", b"") for each in out[1:]), taken


FORM = ("Content-Type", "application/x-www-form-urlencoded")
LENGTH = ("Content-Length", "10")
CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.mark.parametrize("name", DOORS)
def test_what_a_door_reads_is_bounded(name: str) -> None:
    path = name.split()[0]
    app, auth = DOORS[name]()
    jar = log_in(auth)
    own = [("Cookie", jar.header), ("Origin", OWN), FORM]
    long = [b"a" * CHUNK] * 100
    # Of what says its length in two ways nothing is read; where a server lets a body be longer
    # than it says, little more than what is looked at.
    status, _, taken = sent(app, path, [*own, LENGTH, CHUNKED], [*long])
    assert (status, taken) == (403, 0)
    status, _, taken = sent(app, path, [*own, LENGTH], [*long])
    assert status == 403
    assert taken <= LONGEST_FORM + CHUNK
    # A caller without a form's token has all of it, in either case.
    token = ("X-CSRF-Token", jar["__Host-csrf"])
    for more in ([LENGTH, CHUNKED], [LENGTH], [CHUNKED]):
        found = sent(app, path, [*own, *more, token], [*long])
        assert found == (200, b"1000000", 1_000_000), more
    # And so has one with it.
    form = f"csrf={jar['__Host-csrf']}&a=1".encode()
    length = ("Content-Length", str(len(form)))
    for chunks in ([form], [form[:7], b"", form[7:]], [form[i : i + 1] for i in range(len(form))]):
        assert sent(app, path, [*own, length], chunks) == (200, b"%d" % len(form), len(form))


@pytest.mark.parametrize("make", [of_starlette, of_fastapi, of_litestar])
def test_what_the_callback_of_a_provider_reads_is_bounded(make: Any) -> None:
    app, _ = make()
    long = [b"a" * CHUNK] * 100
    path = "/auth/hub/callback"
    status, _, taken = sent(app, path, [FORM, LENGTH, CHUNKED], [*long])
    assert (status, taken) == (400, 0)
    status, _, taken = sent(app, path, [FORM, LENGTH], [*long])
    assert status == 400
    assert taken <= LONGEST_FORM + CHUNK
