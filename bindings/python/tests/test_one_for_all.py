"""One request for all who want its answer, in threads and in tasks; and what can be made while an
issuer is down."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gatekey import (
    Key,
    KeySet,
    OAuthClient,
    RemoteKeySet,
    ResourceServer,
    Signer,
    Verifier,
    aio,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = 20
PATIENCE = 60


class Server(http.server.ThreadingHTTPServer):
    """Answers when all have begun, and with ``status`` instead if that is set."""

    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.begun = threading.Barrier(ALL + 1)
        self.all_begun = threading.Event()
        self.status = 200
        self.active = True
        self.asked: list[str] = []
        self.key = Key.generate("ES256", kid="one")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def client(self) -> OAuthClient:
        return OAuthClient(
            "c",
            issuer=self.url,
            client_secret="s",
            redirect_uri="https://app.example/cb",
            scopes=["openid"],
            allow_loopback_http=True,
        )

    def body(self, path: str) -> object:
        if path == "/introspect":
            return {"active": self.active, "sub": "alice", "aud": "api"}
        if path == "/jwks":
            return KeySet([self.key.public()]).to_jwks()
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "introspection_endpoint": f"{self.url}/introspect",
            "jwks_uri": f"{self.url}/jwks",
        }


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append(self.path)
        assert self.server.all_begun.wait(PATIENCE)
        text = json.dumps(self.server.body(self.path)).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.shutdown()


def together(server: Server, work: Any) -> list[Any]:
    """Give what so many threads get; the server answers when all are at it."""

    def one(_: int) -> Any:
        server.begun.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(ALL) as pool:
        results = [pool.submit(one, number) for number in range(ALL)]
        server.begun.wait(PATIENCE)
        server.all_begun.set()
        return [result.result() for result in results]


def test_threads(server: Server) -> None:
    client = server.client()
    together(server, client.begin)
    assert len(server.asked) == 1
    door = ResourceServer("api", introspection=server.client())
    for access in together(server, lambda: door.check("Bearer opaque")):
        assert access.subject == "alice"
    assert server.asked[1:].count("/introspect") == 1
    assert len(server.asked) == 3
    keys = RemoteKeySet(f"{server.url}/jwks", allow_loopback_http=True)
    together(server, keys.to_jwks)
    assert server.asked[3:] == ["/jwks"]


def test_tasks(server: Server) -> None:
    begun = 0

    async def begin(client: aio.OAuthClient) -> None:
        nonlocal begun
        begun += 1
        if begun == 200:
            server.all_begun.set()
        await client.begin()

    async def main() -> None:
        client = aio.OAuthClient(
            "c",
            issuer=server.url,
            client_secret="s",
            redirect_uri="https://app.example/cb",
            allow_loopback_http=True,
        )
        await asyncio.gather(*(begin(client) for _ in range(200)))

    asyncio.run(main())
    assert len(server.asked) == 1


def test_while_the_issuer_is_down(server: Server) -> None:
    server.all_begun.set()
    server.status = 503
    keys = RemoteKeySet(f"{server.url}/jwks", allow_loopback_http=True, cooldown=0)
    verifier = Verifier(keys, audience="api")
    several = Verifier.for_issuers({"https://auth.example": keys}, audience="api")
    door = ResourceServer("api", issuer="https://auth.example", keys=keys, token_types=["JWT"])
    late = aio.ResourceServer("api", issuer=server.url, allow_loopback_http=True)
    assert late.metadata["resource"] == "api"
    token = Signer(server.key, issuer="https://auth.example", audience="api").sign({"sub": "alice"})
    anyone = Signer(server.key, audience="api").sign({"sub": "alice"})

    def check() -> None:
        verifier.verify(anyone)
        several.verify(token)
        door.check(f"Bearer {token}")

    with pytest.raises(exceptions.OAuthServerError) as caught:
        check()
    assert caught.value.retryable
    server.status = 200
    check()


def test_unknown_tokens_have_a_budget(server: Server) -> None:
    server.all_begun.set()
    door = ResourceServer(
        "api", introspection=server.client(), introspection_unknown_tokens=1, introspection_ttl=60
    )
    for number in range(5):
        assert door.check(f"Bearer good-{number}").subject == "alice"
    server.active = False
    made_up = 0

    def check() -> type[exceptions.GatekeyError]:
        nonlocal made_up
        made_up += 1
        with pytest.raises(exceptions.GatekeyError) as caught:
            door.check(f"Bearer made-up-{made_up}")
        return type(caught.value)

    asked = server.asked.count("/introspect")
    seen = {check() for _ in range(50)}
    assert seen == {exceptions.InactiveTokenError, exceptions.OAuthServerError}
    # One in ten seconds: the machine may be slow.
    assert server.asked.count("/introspect") - asked < 25
    assert door.check("Bearer good-3").subject == "alice"


def test_a_failure_is_told_until_it_is_tried_again(server: Server) -> None:
    server.status = 503
    client = server.client()

    def fails() -> exceptions.OAuthServerError:
        with pytest.raises(exceptions.OAuthServerError) as caught:
            client.begin()
        return caught.value

    for error in together(server, fails):
        assert error.retry_after is not None
    # The machine may be slow: one for each pause that is over by then.
    assert len({path for path in server.asked if "openid" in path}) == 1
    assert server.asked.count("/.well-known/openid-configuration") <= 3
