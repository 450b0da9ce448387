"""What a ``TokenManager`` keeps belongs to the server, the client, the grant and the seal."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from gatekey import OAuthClient, OAuthTokens, TokenManager, exceptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEAL = b"0123456789abcdef0123456789abcdef"


class Server(ThreadingHTTPServer):
    """Gives each client tokens that say whose they are and for what."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[dict[str, str]] = []

    def client(self, client_id: str = "m2m") -> OAuthClient:
        return OAuthClient(
            client_id,
            issuer=self.url,
            discover=False,
            endpoints={"token_endpoint": f"{self.url}/token"},
            allow_loopback_http=True,
        )

    def user(self) -> OAuthTokens:
        text = {"issuer": self.url, "access_token": "alice", "expires_at": 4_000_000_000}
        return OAuthTokens.from_secret_json(json.dumps(text))


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.server.asked.append({name: values[0] for name, values in form.items()})
        asked = self.server.asked[-1]
        token = f"{self.server.server_port}.{asked['client_id']}.{len(self.server.asked)}"
        answer = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 300})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    both = Server(), Server()
    for server in both:
        Thread(target=server.serve_forever, daemon=True).start()
    yield both
    for server in both:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("seal", [None, SEAL])
def test_each_server_and_client_has_its_own(
    servers: tuple[Server, Server], tmp_path: Path, seal: bytes | None
) -> None:
    one, two = servers
    clients = [one.client(), one.client("svc9"), two.client(), two.client("svc9")]

    def token(client: OAuthClient) -> str:
        manager = TokenManager(client, folder=tmp_path / "pl", seal=seal, client_credentials={})
        return manager.access_token("api")

    with ThreadPoolExecutor(4) as pool:
        first = list(pool.map(token, clients))
    assert len(set(first)) == 4
    assert [token(client) for client in clients] == first
    assert len(one.asked) == len(two.asked) == 2


def test_users_are_those_of_one_client(servers: tuple[Server, Server], tmp_path: Path) -> None:
    one, two = servers
    own = TokenManager(one.client(), folder=tmp_path)
    own.put("api", one.user())
    for client in (one.client("svc9"), two.client()):
        other = TokenManager(client, folder=tmp_path)
        with pytest.raises(exceptions.NoTokenError):
            other.access_token("api")
        other.remove("api")
    assert own.access_token("api") == "alice"
    with pytest.raises(exceptions.UsageError, match="another server") as refused:
        TokenManager(two.client(), folder=tmp_path).put("api", one.user())
    assert refused.value.claim == "issuer"


def test_what_was_asked_for_is_kept_with_it(servers: tuple[Server, Server], tmp_path: Path) -> None:
    one, _ = servers
    grants: list[dict[str, object]] = [
        {},
        {"scopes": ["a"]},
        {"scopes": ["a", "b"]},
        {"resources": ["https://api.example"]},
        {"parameters": {"audience": "x"}},
    ]
    for _turn in range(2):
        for grant in grants:
            manager = TokenManager(one.client(), folder=tmp_path, client_credentials=grant)
            manager.access_token("api")
    assert [asked.get("scope") for asked in one.asked] == [None, "a", "a b", None, None]


@pytest.mark.parametrize(("kept", "given"), [(None, SEAL), (SEAL, None), (SEAL, SEAL[::-1])])
def test_seals(
    servers: tuple[Server, Server], tmp_path: Path, kept: bytes | None, given: bytes | None
) -> None:
    one, _ = servers
    machine: dict[str, Any] = {"client_credentials": {}}
    first = TokenManager(one.client(), folder=tmp_path, seal=kept, **machine)
    other = TokenManager(one.client(), folder=tmp_path, seal=given, **machine)
    assert first.access_token("api") != other.access_token("api")

    first.put("user", one.user())
    with pytest.raises(exceptions.WrongPepperError, match="`seal`") as refused:
        other.access_token("user")
    assert refused.value.status == 500
    assert first.access_token("user") == "alice"
