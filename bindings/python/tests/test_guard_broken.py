"""What once broke a door: odd forms and cookies, callers without a subject, many questions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guard_doors import asgi
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket  # noqa: TC002 - Starlette reads it

from gatekey import ApiKeys, Sessions, exceptions
from gatekey.guard.door import field_of, is_short
from gatekey.guard.leaving import DECIDED
from gatekey.starlette import Guard
from gatekey.testing import new_key


def guard() -> Guard:
    return Guard(
        "memory:",
        issuer="https://shop.example",
        public_url="https://shop.example",
        cookies=True,
        csrf_secret=bytes(range(32)),
        csrf_form_field="csrf",
    )


def test_a_caller_without_a_subject_owns_nothing() -> None:
    keys, sessions = ApiKeys.open("memory:"), Sessions.open("memory:")
    issued = keys.create(owner="bob")
    nobody: Any = None
    for call in (
        lambda: keys.revoke(issued.id, owned_by=nobody),
        lambda: keys.rotate(issued.id, owned_by=nobody),
        lambda: keys.get(issued.id, owned_by=nobody),
        lambda: keys.disable(issued.id, owned_by=nobody, tenant=nobody),
        lambda: keys.update(issued.id, owned_by=nobody, name="mine"),
        lambda: sessions.end_by_id("f" * 22, nobody),
    ):
        with pytest.raises(exceptions.UsageError, match="owner is None"):
            call()
    assert keys.check(issued.secret).code == "ok"
    assert keys.revoke(issued.id).owner == "bob"


@pytest.mark.parametrize("form", [b"a=1&" * 1001, b"csrf=%ff&" * 900, b"csrf" * 20_000])
def test_an_odd_form_is_refused_and_no_failure(form: bytes) -> None:
    auth = guard()

    @auth.requires()
    async def orders(_: Any) -> PlainTextResponse:
        return PlainTextResponse("in")

    app = Starlette(routes=[Route("/orders", orders, methods=["POST"])])
    auth.install(app)
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    headers = [kind, ("Content-Length", str(len(form)))]
    assert asgi(app, "POST", "/orders", headers, "192.0.2.1", {"body": form}).status == 401
    field_of(form, "csrf")


@pytest.mark.parametrize("length", ["", "-1", "1e3", "²", "0" * 5000, "65537", b"\xb2", b"x"])
def test_an_odd_length_is_not_short(length: str | bytes) -> None:
    assert not is_short(length)
    assert is_short("65536")
    assert is_short(b"0")


def test_a_log_in_page_is_shown_whatever_cookies_come() -> None:
    auth = guard()

    @auth.public()
    async def page(request: Any) -> PlainTextResponse:
        response = PlainTextResponse("")
        response.body = auth.form_token(request, response).encode()
        return response

    app = Starlette(routes=[Route("/log-in", page)])
    auth.install(app)
    for cookie in (
        "__Host-csrf=a; __Host-csrf=b",
        "__Host-access=a; __Host-access=b",
        "__Host-csrf=a, b",
    ):
        answer = asgi(app, "GET", "/log-in", [("Cookie", cookie)], "192.0.2.1", {})
        assert answer.status == 200
        assert "__Host-csrf=" in answer.all("set-cookie")[0]


def test_many_questions_about_a_websocket_keep_one_answer() -> None:
    auth = guard()
    held: list[int] = []

    @auth.requires()
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        for _ in range(50):
            await auth.recheck(websocket)
        held.append(len(websocket.scope[DECIDED]))
        await websocket.close()

    app = Starlette(routes=[WebSocketRoute("/ws", socket)])
    auth.install(app)
    scope = {
        "type": "websocket",
        "path": "/ws",
        "query_string": b"",
        "headers": [(b"x-api-key", new_key(auth).encode())],
        "client": ("192.0.2.1", 5000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        assert message["type"] in ("websocket.accept", "websocket.close")

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    assert held == [1]


def test_scopes_of_a_log_in_are_scopes() -> None:
    auth = guard()
    for scopes in (["a b"], [""], ['q"'], ["a\\b"]):
        with pytest.raises(exceptions.UsageError, match="scopes"):
            auth.start_session("alice", scopes=scopes)
    with pytest.raises(exceptions.UsageError, match="twice"):
        auth.start_session("alice", scopes=["a"], claims={"scope": "b"})
    assert auth.start_session("alice", scopes=["a", "b"]).is_allowed
    with pytest.raises(exceptions.ConfigurationError, match="empty"):
        auth.requires(any_of=[])
    with pytest.raises(exceptions.ConfigurationError, match="empty"):
        auth.requires(kinds=[])
