"""What an authorization server answers, as Python sees it: addresses that are proven, tokens to
keep although something is wrong, whom a client's assertion is for."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from gatekey import Key, KeySet, OAuthClient, OAuthTokens, TokenManager, aio, exceptions

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLBACK = "https://app.example/callback"
SECRET = "a client secret of 32 bytes, or more"


class Server(http.server.ThreadingHTTPServer):
    """An authorization server whose ID tokens have further claims; the code is the nonce."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = Key.generate("ES256", kid="one")
        self.pem = self.key.to_pem(private=True)
        self.claims: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        number = sum("refresh_token" in form for form in self.forms)
        now = int(time.time())
        claims = {"iss": self.url, "sub": "alice", "aud": "client", "iat": now, "exp": now + 300}
        if "code" in form:
            claims["nonce"] = form["code"]
        return {
            "access_token": f"a{number}",
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": f"r{number}",
            "id_token": jwt.encode(
                {**claims, **self.claims}, self.pem, "ES256", headers={"kid": "one"}
            ),
        }


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        url = self.server.url
        if self.path == "/jwks":
            self.answer(KeySet([self.server.key.public()]).to_jwks())
            return
        metadata = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks",
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        self.answer(metadata)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.forms.append(form)
        self.answer(self.server.tokens(form))

    def answer(self, body: object) -> None:
        text = json.dumps(body).encode()
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


def options(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "issuer": server.url,
        "client_secret": SECRET,
        "redirect_uri": CALLBACK,
        "scopes": ["openid", "email"],
        "allow_loopback_http": True,
        **more,
    }


def sign_in(client: OAuthClient) -> Any:
    begun = client.begin()
    query = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
    callback = f"{CALLBACK}?state={query['state']}&code={query['nonce']}"
    return client.finish(callback, "; ".join(c.split(";")[0] for c in begun.set_cookies))


@pytest.mark.parametrize(
    ("said", "address"), [(True, "a@b"), ("true", "a@b"), (False, None), ("false", None), (1, None)]
)
def test_addresses_that_are_proven(server: Server, said: object, address: str | None) -> None:
    server.claims = {"email": "a@b", "email_verified": said, "verified": True}
    login = sign_in(OAuthClient("client", **options(server)))
    assert login.verified_email == login.tokens.verified_email == address
    assert OAuthTokens.from_secret_json(login.tokens.to_secret_json()).verified_email == address


def test_the_new_refresh_token_comes_with_the_error(server: Server) -> None:
    client = OAuthClient("client", **options(server))
    old = sign_in(client).tokens
    server.claims = {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}
    with pytest.raises(exceptions.InvalidClaimError) as refused:
        client.refresh(old)
    kept = refused.value.tokens
    assert kept is not None
    assert (kept.refresh_token, kept.access_token, kept.subject) == ("r1", "a0", "alice")
    assert "r1" not in f"{refused.value!r} {refused.value} {kept!r}"

    async def refresh(tokens: OAuthTokens) -> OAuthTokens | None:
        with pytest.raises(exceptions.InvalidClaimError) as refused:
            await aio.OAuthClient("client", **options(server)).refresh(tokens)
        return refused.value.tokens

    kept = asyncio.run(refresh(kept))
    assert kept is not None
    assert kept.refresh_token == "r2"
    server.claims = {}
    assert client.refresh(kept).refresh_token == "r3"
    assert [form.get("refresh_token") for form in server.forms] == [None, "r0", "r1", "r2"]
    with pytest.raises(exceptions.OAuthStateError) as state:
        client.finish("?state=x&code=y", "")
    assert state.value.tokens is None


def test_a_manager_keeps_it(server: Server) -> None:
    client = OAuthClient("client", **options(server))
    manager = TokenManager(client)
    tokens = sign_in(client).tokens
    manager.put("alice", tokens)
    server.claims = {"exp": 2}
    with pytest.raises(exceptions.ExpiredSignatureError) as refused:
        manager.replace("alice", tokens.access_token)
    assert refused.value.tokens is None
    assert manager.tokens("alice", min_ttl=0).refresh_token == "r1"


def test_whom_an_assertion_is_for(server: Server) -> None:
    expected = {None: server.url, "issuer": server.url, "token_endpoint": f"{server.url}/token"}
    for name, audience in expected.items():
        more = options(server, auth_method="client_secret_jwt", assertion_audience=name)
        OAuthClient("client", **more).client_credentials()
        assertion = server.forms[-1]["client_assertion"]
        assert jwt.decode(assertion, options={"verify_signature": False})["aud"] == audience
    with pytest.raises(exceptions.ConfigurationError) as refused:
        OAuthClient("client", **options(server, assertion_audience="token"))
    assert refused.value.claim == "assertion_audience"


def test_assertions_have_header_members(server: Server) -> None:
    more = options(server, auth_method="client_secret_jwt", assertion_headers={"x5t": "A" * 27})
    OAuthClient("client", **more).client_credentials()
    assert jwt.get_unverified_header(server.forms[-1]["client_assertion"])["x5t"] == "A" * 27
    with pytest.raises(exceptions.ConfigurationError) as refused:
        OAuthClient("client", **{**more, "assertion_headers": {"x5u": "https://a.example"}})
    assert refused.value.claim == "x5u"


def test_a_worker_without_the_keys_says_so(server: Server) -> None:
    begun = OAuthClient("client", **options(server)).begin()
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    cookies = begun.set_cookies[0].split(";")[0]
    with pytest.raises(exceptions.OAuthStateError, match="flow_keys"):
        OAuthClient("client", **options(server)).finish(f"?code=c&state={state}", cookies)
