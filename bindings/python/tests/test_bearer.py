"""Requests that carry a managed token, with httpx and with requests: what an API refuses, bodies
that can be sent only once, and hosts that the token is not for."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

from gatekey import OAuthClient, TokenManager, aio, exceptions
from gatekey.middleware import httpx as with_httpx
from gatekey.middleware import requests as with_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Send = Callable[..., int]


class Server(http.server.ThreadingHTTPServer):
    """A token endpoint and an API that refuses some of the tokens."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}"
        self.given = 0
        self.bodies: list[tuple[str, bytes]] = []
        self.refused: Callable[[str], bool] = lambda _: False
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def manager(self, **more: Any) -> TokenManager:
        client = OAuthClient(
            "c",
            client_secret="s",
            endpoints={"token_endpoint": f"{self.url}/token"},
            allow_loopback_http=True,
        )
        return TokenManager(client, client_credentials={}, **more)


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.read()
        with self.server.lock:
            if self.path == "/token":
                self.server.given += 1
                tokens = {"access_token": f"t{self.server.given}", "token_type": "Bearer"}
                self.answer(200, json.dumps(tokens).encode())
                return
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            self.server.bodies.append((token, body))
            self.answer(401 if self.server.refused(token) else 200, b"")

    def do_GET(self) -> None:
        self.do_POST()

    def read(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.shutdown()


def by_httpx(manager: TokenManager, **more: Any) -> Send:
    auth = with_httpx.BearerAuth(manager, "api", danger_allow_http=True, **more)

    def send(url: str, **body: Any) -> int:
        with httpx.Client(auth=auth) as api:
            return api.post(url, **body).status_code

    return send


def by_asyncio(manager: TokenManager, **more: Any) -> Send:
    twin = aio.TokenManager.over(manager)
    auth = with_httpx.BearerAuth(twin, "api", danger_allow_http=True, **more)

    def send(url: str, **body: Any) -> int:
        if hasattr(body.get("content"), "__next__"):
            body["content"] = later(body["content"])

        async def main() -> int:
            async with httpx.AsyncClient(auth=auth) as api:
                return (await api.post(url, **body)).status_code

        return asyncio.run(main())

    return send


async def later(parts: Iterator[bytes]) -> Any:
    for part in parts:
        yield part


def by_requests(manager: TokenManager, **more: Any) -> Send:
    auth = with_requests.BearerAuth(manager, "api", danger_allow_http=True, **more)

    def send(url: str, **body: Any) -> int:
        if "content" in body:
            body["data"] = body.pop("content")
        return requests.post(url, auth=auth, timeout=60, **body).status_code

    return send


CLIENTS = [by_httpx, by_asyncio, by_requests]
every_client = pytest.mark.parametrize("client", CLIENTS)


@every_client
def test_a_token_that_was_refused_is_replaced(server: Server, client: Any) -> None:
    server.refused = lambda token: token == "t1"
    send = client(server.manager())
    assert send(server.url, content=b"body") == 200
    assert server.bodies == [("t1", b"body"), ("t2", b"body")]
    assert send(server.url) == 200
    assert server.given == 2


@every_client
def test_an_api_that_refuses_every_token(server: Server, client: Any) -> None:
    server.refused = lambda _: True
    send = client(server.manager())
    assert {send(server.url) for _ in range(20)} == {401}
    # One at once, then after a second, two, four: the machine may be slow.
    assert server.given <= 6
    assert len(server.bodies) <= 20 + server.given


@every_client
def test_bodies_that_can_be_sent_only_once(server: Server, client: Any) -> None:
    server.refused = lambda token: token == "t1"
    send = client(server.manager())
    assert send(server.url, content=(part for part in [b"a", b"b"])) == 401
    assert server.bodies == [("t1", b"ab")]
    # It was replaced all the same.
    assert send(server.url, content=(part for part in [b"a", b"b"])) == 200
    assert server.bodies[1:] == [("t2", b"ab")]


class Pipe(io.RawIOBase):
    """A file that cannot be wound back."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self.content.read(size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("client", [by_httpx, by_requests])
def test_files(server: Server, client: Any) -> None:
    server.refused = lambda token: token == "t1"
    send = client(server.manager())
    assert send(server.url, files={"f": io.BytesIO(b"content")}) == 200
    (first, whole), (second, again) = server.bodies
    assert (first, second, whole) == ("t1", "t2", again)
    assert b"content" in again


def test_files_that_cannot_be_wound_back(server: Server) -> None:
    server.refused = lambda _: True
    sent: list[tuple[Send, dict[str, Any]]] = [
        (by_httpx(server.manager()), {"files": {"f": Pipe(b"content")}}),
        (by_httpx(server.manager()), {"content": Pipe(b"content")}),
        (by_requests(server.manager()), {"content": Pipe(b"content")}),
    ]
    for send, body in sent:
        server.bodies.clear()
        assert send(server.url, **body) == 401
        assert len(server.bodies) == 1
        assert b"content" in server.bodies[0][1]
    # requests winds a file back to where it was.
    server.bodies.clear()
    file = io.BytesIO(b"a content")
    file.seek(2)
    assert by_requests(server.manager())(server.url, content=file) == 401
    assert [body for _, body in server.bodies] == [b"content", b"content"]


@every_client
def test_the_token_goes_to_its_own_hosts(server: Server, client: Any) -> None:
    with Server() as other:
        first = client(server.manager())
        assert first(server.url) == 200
        with pytest.raises(exceptions.UsageError, match=r"hosts=\[") as caught:
            first(other.url)
        assert f"is for 127.0.0.1:{server.server_port}," in str(caught.value)
        assert f"not sent to 127.0.0.1:{other.server_port}." in str(caught.value)
        with pytest.raises(exceptions.UsageError, match="no host"):
            client(server.manager(), hosts=[])
        named = client(
            server.manager(), hosts=[other.host, f"http://localhost:{other.server_port}"]
        )
        assert named(other.url) == 200
        assert named(f"http://LOCALHOST:{other.server_port}/x") == 200
        with pytest.raises(exceptions.UsageError):
            named(server.url)
        assert [len(one.bodies) for one in (server, other)] == [1, 2]
        other.shutdown()


@pytest.mark.parametrize("make", [with_httpx.BearerAuth, with_requests.BearerAuth])
def test_names_of_hosts(server: Server, make: Any) -> None:
    manager = server.manager()
    for own, good, bad in [
        ("api.example", "https://api.example/x", "https://api.example:8443/"),
        ("api.example:443", "https://API.example/", "https://api.example.evil.example/"),
        ("https://api.example:8443", "https://api.example:8443", "https://api.example/"),
        ("[::1]:9", "https://[::1]:9/", "https://[::1]/"),
        ("api.example", "https://user@api.example/", "https://api.example@evil.example/"),
        ("api.example", "https://api.example/?x=@evil", "https://evil.example/@api.example"),
    ]:
        auth = make(manager, "api", hosts=[own])
        if make is with_httpx.BearerAuth:
            next(auth.sync_auth_flow(httpx.Request("GET", good)))
            with pytest.raises(exceptions.UsageError):
                next(auth.sync_auth_flow(httpx.Request("GET", bad)))
        else:
            requests.Request("GET", good, auth=auth).prepare()
            with pytest.raises(exceptions.UsageError):
                requests.Request("GET", bad, auth=auth).prepare()
    make(manager, "api", hosts="api.example")
    with pytest.raises(exceptions.UsageError):
        make(manager, "api", hosts=[""])


HERE = Path(__file__).parent
CHANGE = """
import json, sys
from gatekey import OAuthClient, OAuthTokens, TokenManager
url, folder, token = sys.argv[1:]
client = OAuthClient("c", issuer=url, allow_loopback_http=True, auth_method="none")
manager = TokenManager(client, folder=folder)
if token == "-":
    manager.remove("alice")
else:
    tokens = {"issuer": url, "access_token": token, "scopes": []}
    manager.put("alice", OAuthTokens.from_secret_json(json.dumps(tokens).encode()))
"""


def change(*arguments: str) -> None:
    subprocess.run([sys.executable, "-c", CHANGE, *arguments], check=True, cwd=HERE)  # noqa: S603


def test_what_another_process_does_is_noticed(tmp_path: Path) -> None:
    url, folder = "http://127.0.0.1:9", str(tmp_path / "tokens")
    client = OAuthClient("c", issuer=url, allow_loopback_http=True, auth_method="none")
    manager, twin = TokenManager(client, folder=folder), aio.TokenManager(client, folder=folder)
    for token in ("first", "another-user"):
        change(url, folder, token)
        assert manager.access_token("alice") == token
        assert asyncio.run(twin.access_token("alice")) == token
    change(url, folder, "-")
    assert manager.known("alice") is None
    with pytest.raises(exceptions.NoTokenError):
        manager.access_token("alice")
    with pytest.raises(exceptions.NoTokenError):
        asyncio.run(twin.access_token("alice"))
