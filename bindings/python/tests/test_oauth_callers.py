"""What callers bring along: a refresh token of another library, parameters of the server's own,
several resources, an access token alone; and what the server says about itself."""

from __future__ import annotations

import asyncio
import http.server
import inspect
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from gatekey import OAuthClient, OAuthTokens, TokenManager, aio, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, TWO = "https://one.example", "https://two.example"


class Server(http.server.ThreadingHTTPServer):
    """Answers every request with what it may want, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def asked(self, path: str) -> list[dict[str, list[str]]]:
        """Give the forms that came to this path."""
        return [form for own, form, _ in self.seen if own == path]


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, parse_qs(body), headers))
        url = self.server.url
        names = ["authorization", "token", "userinfo", "introspection", "device_authorization"]
        answers: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": url,
                "scopes_supported": ["x"],
                **{f"{name}_endpoint": f"{url}/{name}" for name in names},
            },
            "/token": {"access_token": "new", "token_type": "Bearer", "expires_in": 300},
            "/userinfo": {"sub": "alice"},
            "/introspection": {"active": True},
            "/device_authorization": {
                "device_code": "d",
                "user_code": "u",
                "verification_uri": "https://h/d",
                "expires_in": 60,
                "interval": 1,
            },
        }
        text = json.dumps(answers[self.path]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest, server: Server) -> Callable[..., Any]:
    """Calls a method of either client."""
    kind: Any = OAuthClient if request.param == "blocking" else aio.OAuthClient
    own = kind("c", issuer=server.url, redirect_uri="https://app/cb", allow_loopback_http=True)

    def run(name: str, *arguments: Any, **more: Any) -> Any:
        result = getattr(own, name)(*arguments, **more)
        if not inspect.isawaitable(result):
            return result

        async def wait() -> Any:
            return await result

        return asyncio.run(wait())

    return run


def test_a_refresh_token_of_another_library(server: Server) -> None:
    client = OAuthClient("c", issuer=server.url, allow_loopback_http=True)
    tokens = OAuthTokens(server.url, refresh_token="old", scopes=["x"], resources=[ONE])
    assert (tokens.access_token, tokens.expires_at, tokens.subject) == ("", 0, None)
    manager = TokenManager(client)
    manager.put("alice", tokens)
    assert manager.access_token("alice") == "new"
    assert server.asked("/token")[0]["refresh_token"] == ["old"]
    assert manager.tokens("alice").resources == [ONE]
    whole = OAuthTokens(
        server.url, refresh_token="r", access_token="a", expires_at=9, subject="alice"
    )
    assert (whole.access_token, whole.expires_at, whole.subject) == ("a", 9, "alice")
    assert OAuthTokens(server.url, refresh_token="r", access_token="a").expires_at is None
    for issuer, token, claim in [("", "r", "issuer"), ("i", "a\x07b", "refresh_token")]:
        with pytest.raises(exceptions.UsageError) as refused:
            OAuthTokens(issuer, refresh_token=token)
        assert refused.value.claim == claim
    assert OAuthTokens("i", refresh_token="r", resources=ONE).resources == [ONE]
    assert "old" not in repr(tokens)


def test_more_to_say(call: Callable[..., Any], server: Server) -> None:
    tokens = OAuthTokens(server.url, refresh_token="old", scopes=["x", "y"], resources=[ONE, TWO])
    assert call("refresh", tokens).resources == [ONE, TWO]
    new = call("refresh", tokens, scopes=["x"], resources=[TWO], parameters={"audience": "a"})
    assert (new.scopes, new.resources) == (["x"], [TWO])
    first, second = server.asked("/token")
    assert first["resource"] == [ONE, TWO]
    assert "scope" not in first
    assert (second["scope"], second["resource"], second["audience"]) == (["x"], [TWO], ["a"])
    codes = call("device_codes", resources=[ONE, TWO])
    assert call("poll", codes, resources=[ONE], parameters={"p": "v"}).resources == [ONE]
    assert server.asked("/device_authorization")[0]["resource"] == [ONE, TWO]
    assert server.asked("/token")[-1]["p"] == ["v"]
    assert call("introspect", "t", parameters={"token_type_hint": "access_token"}).active
    assert server.asked("/introspection")[0]["token_type_hint"] == ["access_token"]
    begun = call("begin", resources=[ONE, TWO], scopes=["x"])
    state = parse_qs(begun.url.split("?")[1])["state"][0]
    cookie = begun.set_cookies[0].split(";")[0]
    login = call("finish", f"code=c&state={state}", cookie, resources=[TWO], parameters={"q": "w"})
    assert login.tokens.resources == [TWO]
    assert (server.asked("/token")[-1]["resource"], server.asked("/token")[-1]["q"]) == (
        [TWO],
        ["w"],
    )
    for name, arguments in [
        ("refresh", (tokens,)),
        ("poll", (codes,)),
        ("introspect", ("t",)),
        ("finish", (f"code=c&state={state}", cookie)),
    ]:
        with pytest.raises(exceptions.UsageError) as refused:
            call(name, *arguments, parameters={"client_secret": "s"})
        assert refused.value.claim == "parameters.client_secret"


def test_a_bare_token_and_metadata(call: Callable[..., Any], server: Server) -> None:
    assert call("userinfo", "elsewhere").subject == "alice"
    assert server.seen[-1][2]["authorization"] == "Bearer elsewhere"
    with pytest.raises(TypeError):
        call("userinfo", 7)
    metadata = call("metadata")
    assert (metadata["issuer"], metadata["scopes_supported"]) == (server.url, ["x"])
    metadata["issuer"] = "other"
    assert call("metadata")["issuer"] == server.url
