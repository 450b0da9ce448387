"""OAuth against the certified authorization server: blocking and asyncio, built-in transport and
httpx."""

from __future__ import annotations

import asyncio
import http.server
import json
import logging
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import browser
import httpx
import pytest
import requests
from provider import API, CALLBACK, SECRET, have_or_skip, start_or_skip

import gatekey
from gatekey import (
    HttpTransport,
    OAuthClient,
    RemoteKeySet,
    ResourceServer,
    TokenManager,
    Verifier,
    aio,
    exceptions,
)
from gatekey.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    GatekeyError,
    InactiveTokenError,
    InsufficientScopeError,
    InvalidClientError,
    InvalidGrantError,
    KeyNotFoundError,
    MissingCredentialsError,
    NoTokenError,
    OAuthError,
    OAuthStateError,
    TlsError,
    TransportError,
    UsageError,
)
from gatekey.middleware import httpx as with_httpx
from gatekey.middleware import requests as with_requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Server


@pytest.fixture(scope="module")
def started() -> Iterator[list[Server]]:
    """The server that these tests share, once one of them has started it."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def provider(started: list[Server]) -> Server:
    have_or_skip()
    if not started:
        started.append(start_or_skip())
    return started[0]


OPTIONS: dict[str, Any] = {
    "client_secret": SECRET,
    "redirect_uri": CALLBACK,
    "scopes": ["openid", "email", "offline_access"],
    "allow_loopback_http": True,
}


def client(provider: Server, name: str = "web-basic", **more: Any) -> OAuthClient:
    return OAuthClient(name, issuer=provider.address, **{**OPTIONS, **more})


def cookies(begun: gatekey.BegunLogin) -> str:
    return "; ".join(cookie.split(";")[0] for cookie in begun.set_cookies)


def sign_in(own: OAuthClient) -> gatekey.FinishedLogin:
    begun = own.begin(prompt="consent")
    return own.finish(browser.login(begun.url, CALLBACK), cookies(begun))


def test_a_log_in_from_beginning_to_end(provider: Server) -> None:
    own = client(provider)
    begun = own.begin(return_to="/orders", prompt="consent", login_hint="alice")
    callback = browser.login(begun.url, CALLBACK)
    for wrong in ("", "gk_flow_AAAAAAAAAAA=1.AAAA"):
        with pytest.raises(OAuthStateError) as refused:
            own.finish(callback, wrong)
        assert (refused.value.number, refused.value.status, refused.value.code) == (
            5000,
            400,
            "oauth_state_mismatch",
        )
    login = own.finish(callback, cookies(begun))
    assert (login.issuer, login.subject, login.return_to) == (own.issuer, "alice", "/orders")
    assert login.claims is not None
    assert login.claims["sub"] == "alice"
    assert login.set_cookies == [own.end_login(callback)]
    info = own.userinfo(login.tokens)
    assert (info.issuer, info.subject) == (login.issuer, "alice")
    assert info.verified_email == "alice@example.test"

    tokens = own.refresh(login.tokens)
    assert tokens.refresh_token != login.tokens.refresh_token
    kept = gatekey.OAuthTokens.from_secret_json(tokens.to_secret_json())
    assert (kept.access_token, kept.scopes) == (tokens.access_token, tokens.scopes)
    with pytest.raises(InvalidGrantError) as ended:
        own.refresh(login.tokens)
    assert ended.value.peer_code == "invalid_grant"
    assert not ended.value.retryable
    tokens = sign_in(own).tokens
    assert tokens.refresh_token
    own.revoke(tokens.refresh_token)
    with pytest.raises(InvalidGrantError):
        own.refresh(tokens)
    url = own.logout_url(id_token=tokens.id_token, state="s")
    assert url.startswith(f"{provider.address}/session/end?client_id=web-basic&id_token_hint=")


def test_the_user_says_no(provider: Server) -> None:
    own = client(provider)
    begun = own.begin(prompt="consent")
    with pytest.raises(AccessDeniedError) as denied:
        own.finish(browser.deny(begun.url, CALLBACK), cookies(begun))
    assert (denied.value.peer_code, denied.value.status) == ("access_denied", 403)


def test_asyncio_with_every_transport(provider: Server) -> None:
    async def everything(own: aio.OAuthClient) -> None:
        begun = await own.begin(prompt="consent")
        callback = await asyncio.to_thread(browser.login, begun.url, CALLBACK)
        login = await own.finish(callback, cookies(begun))
        assert login.subject == "alice"
        assert (await own.userinfo(login.tokens)).verified_email == "alice@example.test"
        tokens = await own.refresh(login.tokens)
        assert tokens.refresh_token
        await own.revoke(tokens.refresh_token)
        with pytest.raises(InvalidGrantError):
            await own.refresh(tokens)
        assert (await own.logout_url()).startswith(provider.address)

    async def main() -> None:
        await everything(aio.OAuthClient("web-basic", issuer=provider.address, **OPTIONS))
        for backend in ("aiohttp", "httpx", "threads"):
            own = aio.HttpTransport(backend=backend, allow_loopback_http=True)
            await everything(
                aio.OAuthClient("web-basic", issuer=provider.address, transport=own, **OPTIONS)
            )
        async with httpx.AsyncClient() as http:
            carrier = with_httpx.transport(http)
            await everything(
                aio.OAuthClient("web-basic", issuer=provider.address, transport=carrier, **OPTIONS)
            )
            unreachable = aio.OAuthClient(
                "c", issuer="http://127.0.0.1:1", transport=carrier, **OPTIONS
            )
            with pytest.raises(TransportError) as failed:
                await unreachable.begin()
            assert (failed.value.number, failed.value.retryable) == (7000, True)

    asyncio.run(main())


def test_a_slow_transport_is_given_up() -> None:
    async def never(_request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        await asyncio.sleep(60)
        raise AssertionError

    async def main() -> None:
        own = aio.OAuthClient(
            "c", issuer="https://h", deadline=0.2, redirect_uri="https://a/cb", transport=never
        )
        with pytest.raises(TransportError) as failed:
            await own.begin()
        assert failed.value.number == 7001

    asyncio.run(main())


def test_a_device(provider: Server) -> None:
    own = OAuthClient("device", issuer=provider.address, allow_loopback_http=True)
    codes = own.device_codes(scopes=["openid"])
    assert codes.verification_uri_complete
    assert "Success" in browser.device(codes.verification_uri_complete)
    assert own.poll(codes).subject == "alice"


def test_machines_and_an_api(provider: Server) -> None:
    machine = client(provider, "m2m")
    token = machine.client_credentials(scopes=["api:read"], resources=[API]).access_token
    api = ResourceServer(
        API,
        issuer=provider.address,
        introspection=client(provider, "rs"),
        introspection_audience=False,
        metadata_url=f"{API}/.well-known/oauth-protected-resource",
        scopes_supported=["api:read", "api:write"],
        allow_loopback_http=True,
    )
    access = api.check(f"Bearer {token}", scopes=["api:read"])
    assert (access.kind, access.client_id, access.scopes) == ("jwt", "m2m", ["api:read"])
    assert access.claims["aud"] == API
    with pytest.raises(MissingCredentialsError) as missing:
        api.check(None)
    assert missing.value.status == 401
    assert (
        missing.value.www_authenticate
        == f'Bearer resource_metadata="{API}/.well-known/oauth-protected-resource"'
    )
    with pytest.raises(InsufficientScopeError) as lacking:
        api.check(f"Bearer {token}", scopes=["api:write"])
    assert lacking.value.status == 403
    assert lacking.value.www_authenticate
    assert 'scope="api:write"' in lacking.value.www_authenticate
    opaque = machine.client_credentials().access_token
    assert api.check(f"Bearer {opaque}").kind == "opaque"
    with pytest.raises(InactiveTokenError):
        api.check("Bearer nonsense")
    assert api.metadata["authorization_servers"] == [provider.address]
    assert api.metadata_path == "/.well-known/oauth-protected-resource"

    async def main() -> None:
        door = aio.ResourceServer(API, issuer=provider.address, allow_loopback_http=True)
        assert (await door.check(f"Bearer {token}")).client_id == "m2m"

    asyncio.run(main())
    keys = RemoteKeySet(issuer=provider.address, allow_loopback_http=True)
    claims = Verifier(keys, issuer=provider.address, audience=API, typ="at+jwt").verify(token)
    assert claims["client_id"] == "m2m"
    assert {key["kty"] for key in keys.to_jwks()["keys"]} == {"RSA", "EC", "OKP"}
    keys.refresh()
    assert not keys.wants_refresh
    several = Verifier.for_issuers({provider.address: keys}, audience=API, typ="at+jwt")
    assert several.verify(token)["client_id"] == "m2m"


def test_apikey_at_the_same_door() -> None:
    keys = gatekey.ApiKeys.open("memory:")
    issued = keys.create(owner="acme", scopes=["read"])
    api = ResourceServer(API, api_keys=keys)
    access = api.check(f"Bearer {issued.secret}", scopes=["read"], address="testclient")
    assert (access.kind, access.subject) == ("api_key", "acme")
    limited = keys.create(owner="acme", cidrs=["10.0.0.0/8"])
    for address in ("10.1.2.3:80", "\udc80", "unknown"):
        with pytest.raises(exceptions.ApiKeyAddressError) as refused:
            api.check(f"Bearer {limited.secret}", address=address)
        assert refused.value.status == 403
    with pytest.raises(exceptions.MissingCredentialsError):
        api.check("Bearer \udc80")


def test_eight_threads_refresh_once(provider: Server) -> None:
    own = client(provider)
    manager = TokenManager(own)
    first = sign_in(own).tokens
    manager.put("alice", first)
    assert manager.access_token("alice") == first.access_token
    with ThreadPoolExecutor(8) as pool:
        got = set(
            pool.map(lambda _: manager.replace("alice", first.access_token).access_token, range(8))
        )
    assert len(got) == 1
    assert got != {first.access_token}
    # Nobody has used the old refresh token again, or all of them would be dead.
    second = manager.known("alice")
    assert second
    assert own.refresh(second).access_token
    with pytest.raises(NoTokenError):
        manager.access_token("bob")


def test_processes_after_a_fork(provider: Server, tmp_path: Path) -> None:
    own = client(provider)
    manager = TokenManager(
        own, folder=tmp_path / "tokens", seal=b"0123456789abcdef0123456789abcdef"
    )
    first = sign_in(own).tokens
    manager.put("alice", first)
    children = []
    for _ in range(8):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                token = manager.replace("alice", first.access_token).access_token
                os.write(writer, token.encode())
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        children.append((child, reader))
    tokens = set()
    for child, reader in children:
        with os.fdopen(reader, "rb") as pipe:
            tokens.add(pipe.read())
        assert os.waitpid(child, 0)[1] == 0
    assert len(tokens) == 1
    manager.remove("alice")


class _Api(http.server.BaseHTTPRequestHandler):
    seen: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("authorization", ""))
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("location", f"http://localhost:{self.server.server_port}/refused")  # type: ignore[attr-defined]
        else:
            fresh = len(set(self.seen)) > 1 or self.path == "/any"
            self.send_response(200 if fresh and self.path != "/refused" else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def test_httpx_and_requests(provider: Server) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    manager = TokenManager(
        client(provider, "m2m"), client_credentials={"scopes": ["api:read"], "resources": [API]}
    )
    auth = with_httpx.BearerAuth(manager, "api", danger_allow_http=True)
    with httpx.Client(auth=auth) as api:
        assert api.get(url).status_code == 200
    assert len(_Api.seen) == 2
    assert len(set(_Api.seen)) == 2

    async def main() -> None:
        async with httpx.AsyncClient(auth=auth) as api:
            assert (await api.get(f"{url}/any")).status_code == 200

            # Another host neither sees the token nor has it replaced.
            away = await api.get(f"{url}/elsewhere", follow_redirects=True)
            assert (away.status_code, away.url.host) == (401, "localhost")

    asyncio.run(main())
    with httpx.Client(auth=auth, follow_redirects=True) as api:
        assert api.get(f"{url}/elsewhere").status_code == 401
    own = with_requests.BearerAuth(manager, "api", danger_allow_http=True)
    assert requests.get(f"{url}/elsewhere", auth=own, timeout=10).status_code == 401
    assert [seen for seen in _Api.seen if not seen] == ["", "", ""]
    assert len(set(_Api.seen)) == 3
    _Api.seen[:] = [seen for seen in _Api.seen if seen]
    assert requests.get(f"{url}/any", auth=own, timeout=10).status_code == 200
    assert len(set(_Api.seen)) == 2
    with httpx.Client(auth=with_httpx.BearerAuth(manager, "api")) as api, pytest.raises(UsageError):
        api.get(url)
    with pytest.raises(UsageError):
        requests.get(url, auth=with_requests.BearerAuth(manager, "api"), timeout=10)
    server.shutdown()
    server.server_close()


def test_nothing_secret_is_shown(provider: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    own = client(provider)
    begun = own.begin(prompt="consent")
    callback = browser.login(begun.url, CALLBACK)
    login = own.finish(callback, cookies(begun))
    tokens = login.tokens
    manager = TokenManager(own)
    manager.put("alice", tokens)
    things: list[object] = [
        own,
        begun,
        login,
        tokens,
        manager,
        own.userinfo(tokens),
        HttpTransport(),
    ]
    secrets = [
        SECRET,
        tokens.access_token,
        tokens.refresh_token,
        tokens.id_token,
        cookies(begun).split("=", 1)[1],
    ]
    secrets += [part.split("=", 1)[1] for part in callback.split("?")[1].split("&")[:2]]
    errors: list[BaseException] = []
    for call in (
        lambda: own.finish(callback, cookies(begun)),
        lambda: own.finish(callback + "x", cookies(begun)),
        lambda: client(provider, client_secret=SECRET[::-1]).client_credentials(),
        lambda: own.client_credentials(scopes=["a b"]),
    ):
        with pytest.raises(GatekeyError) as raised:
            call()
        errors.append(raised.value)
    for error in errors:
        things += [error, vars(error), error.args, error.__cause__, error.__context__]
        pickle.loads(pickle.dumps(error))  # noqa: S301
    shown = caplog.text + " ".join(f"{thing} {thing!r}" for thing in things)
    for secret in secrets:
        assert secret
        assert len(secret) > 8
        assert secret not in shown
    for thing in things[:5]:
        with pytest.raises(TypeError, match=r"pickled|share"):
            pickle.dumps(thing)


def test_nothing_is_read_from_the_environment(
    provider: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    assert client(provider, "m2m").client_credentials().access_token


def test_lists_are_no_mappings() -> None:
    for name in ("endpoints", "variables", "quirks"):
        with pytest.raises(TypeError, match=f"`{name}` must be a mapping"):
            OAuthClient("c", issuer="https://h", **{name: ["x"]})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`private_key` must be a gatekey"):
        OAuthClient("c", issuer="https://h", private_key=["x"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="`issuer` is an argument of its own"):
        OAuthClient("c", endpoints={"issuer": "https://h"})
    with pytest.raises(TypeError, match="`issuers` must be a mapping"):
        ResourceServer("https://api.example", issuers=["https://h"])  # type: ignore[arg-type]
    own = OAuthClient("c", issuer="https://h", redirect_uri="https://app.example/callback")
    with pytest.raises(TypeError, match="`parameters` must be a mapping"):
        own.begin(parameters=["x"])  # type: ignore[arg-type]


def test_configurations() -> None:
    for wrong in (
        {"issuer": "http://h"},
        {"issuer": "https://h", "quirks": {"no_state": True}},
        {"preset": "myspace"},
        {"preset": "keycloak"},
        {},
        {"endpoints": {"tokn_endpoint": "https://h"}},
        {"issuer": "https://h", "auth_method": "password"},
    ):
        with pytest.raises(ConfigurationError):
            OAuthClient("c", **wrong)
    with pytest.raises(TypeError, match="`scopes` must be a str or a list of str, not int"):
        OAuthClient("c", issuer="https://h", scopes=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        HttpTransport(ca="nothing")
    key = gatekey.Key.generate("ES256")
    for form in (key, key.to_pem(private=True), key.to_jwk(private=True)):
        assert OAuthClient("c", issuer="https://h", private_key=form).client_id == "c"
    assert {"github", "google", "apple"} <= set(gatekey.OAUTH_PRESETS)
    assert issubclass(TlsError, TransportError)
    assert issubclass(OAuthStateError, OAuthError)


def test_every_way_to_authenticate_a_client(tmp_path: Path) -> None:
    file = tmp_path / "rp.jwk"
    own = start_or_skip(RP_KEY=str(file))
    ways: list[tuple[str, dict[str, Any]]] = [
        ("web-basic", {"auth_method": "client_secret_basic"}),
        ("web+odd:id", {"client_secret": "p@ss w0rd:/+%=a-secret-of-the-tests"}),
        ("web-post", {"auth_method": "client_secret_post"}),
        ("web-csjwt", {"auth_method": "client_secret_jwt"}),
        ("web-pkjwt", {"client_secret": None, "private_key": json.loads(file.read_text())}),
        ("web-public", {"client_secret": None, "auth_method": "none"}),
        (
            "par-only",
            {"endpoints": {"pushed_authorization_request_endpoint": f"{own.address}/request"}},
        ),
        ("es256", {"id_token_algorithms": ["ES256"]}),
        ("eddsa", {"id_token_algorithms": ["Ed25519"]}),
    ]

    async def in_a_loop(name: str, more: dict[str, Any]) -> None:
        other = aio.OAuthClient(name, issuer=own.address, **{**OPTIONS, **more})
        begun = await other.begin()
        callback = await asyncio.to_thread(browser.login, begun.url, CALLBACK)
        assert (await other.finish(callback, cookies(begun))).subject == "alice"

    try:
        for name, more in ways:
            assert sign_in(client(own, name, **more)).subject == "alice", name
            asyncio.run(in_a_loop(name, more))
        with pytest.raises(InvalidClientError) as refused:
            client(own, client_secret="wrong").client_credentials()
        assert (refused.value.peer_code, refused.value.retryable) == ("invalid_client", False)
    finally:
        own.stop()


def test_keys_that_rotate() -> None:
    first = start_or_skip()
    keys = RemoteKeySet(issuer=first.address, allow_loopback_http=True)

    def token(provider: Server) -> str:
        machine = client(provider, "m2m")
        return machine.client_credentials(scopes=["api:read"], resources=[API]).access_token

    try:
        verifier = Verifier(keys, issuer=first.address, audience=API, typ="at+jwt")
        old = token(first)
        assert verifier.verify(old)["client_id"] == "m2m"
        # A child of a fork has the keys, and fetches others by itself.
        child = os.fork()
        if child == 0:
            os._exit(0 if verifier.verify(old)["client_id"] == "m2m" else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        first.stop()
    second = start_or_skip(PORT=first.address.rsplit(":", 1)[1], KID="2")
    try:
        new = token(second)
        child = os.fork()
        if child == 0:
            os._exit(0 if verifier.verify(new)["client_id"] == "m2m" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert verifier.verify(new)["client_id"] == "m2m"
        with pytest.raises(KeyNotFoundError):
            verifier.verify(old)
    finally:
        second.stop()


def test_signing_out(provider: Server) -> None:
    own = client(provider, "web-logout")
    login = sign_in(own)
    bye = "http://127.0.0.1:9999/bye"
    url = own.logout_url(id_token=login.tokens.id_token, post_logout_redirect_uri=bye, state="s")
    assert browser.logout(url, bye) == f"{bye}?state=s"


def test_machines_and_devices_in_a_loop(provider: Server) -> None:
    async def main() -> None:
        machine = aio.OAuthClient("m2m", issuer=provider.address, **OPTIONS)
        asking = aio.OAuthClient("rs", issuer=provider.address, **OPTIONS)
        token = (await machine.client_credentials()).access_token
        assert (await asking.introspect(token)).client_id == "m2m"
        await machine.revoke(token, is_refresh_token=False)
        assert not (await asking.introspect(token)).active
        own = aio.OAuthClient("device", issuer=provider.address, allow_loopback_http=True)
        codes = await own.device_codes(scopes=["openid"])
        assert codes.verification_uri_complete
        await asyncio.to_thread(browser.device, codes.verification_uri_complete)
        assert (await own.poll(codes)).subject == "alice"
        # A caller that does not want to wait any more cancels.
        codes = await own.device_codes(scopes=["openid"])
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(own.poll(codes), 0.2)
        keys = aio.RemoteKeySet(issuer=provider.address, allow_loopback_http=True)
        before = keys.wants_refresh
        await keys.refresh()
        assert (before, keys.wants_refresh) == (True, False)
        manager = aio.TokenManager(
            client(provider, "m2m"), client_credentials={"scopes": ["api:read"], "resources": [API]}
        )
        first = await manager.access_token("api")
        assert await manager.access_token("api") == first
        again = await asyncio.gather(*(manager.replace("api", first) for _ in range(8)))
        assert len({tokens.access_token for tokens in again}) == 1

    asyncio.run(main())
