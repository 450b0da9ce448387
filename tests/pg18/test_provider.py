"""Tokens of a real authorization server: which log in, and which do not."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import browser
import jwt
import pytest
from cluster import SENTENCE, Cluster, Issuer, wait_for
from servers import Server, UnavailableError, command

from gatekey import OAuthClient, Revocations

if TYPE_CHECKING:
    from collections.abc import Iterator

A, B = SENTENCE.format("app_a"), SENTENCE.format("app_b")
CALLBACK = "http://127.0.0.1:9999/cb"
SECRET = "a-secret-of-the-tests-0123456789abcdef"
API = "https://api.example.test"


def granted(issuer: str, scope: str) -> str:
    """Have the server give the client m2m a token."""
    form = {"grant_type": "client_credentials", "resource": API, "scope": scope}
    basic = base64.b64encode(f"m2m:{SECRET}".encode()).decode()
    head = {"Authorization": f"Basic {basic}"}
    request = Request(f"{issuer}/token", urlencode(form).encode(), head)  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310
        token: str = json.load(answer)["access_token"]
        return token


@pytest.fixture
def server() -> Iterator[Server]:
    """oidc-provider."""
    try:
        command("oidc-provider")
    except UnavailableError as why:
        pytest.skip(f"pg18 with oidc-provider: {why}")
    one = Server("oidc-provider")
    yield one
    one.stop()


def test_rotation_of_its_keys(cluster: Cluster, server: Server) -> None:
    """Its tokens, over a relay that counts; then it starts again with other keys."""
    relay = Issuer(upstream=server.address)
    cluster.forget()
    section = dict.fromkeys(("issuer",), server.address) | {"audience": API, "role_claim": "sub"}
    reads = {"scope": "api:read", "role": "app_a m2m"}
    writes = {"scope": "api:write", "role": "app_b m2m"}
    cluster.policies(
        cluster.policy(relay, "reads", **section, **reads),
        cluster.policy(relay, "writes", **section, **writes),
    )
    lines = [cluster.line(server.address, scope="api:read")]
    cluster.hba(*lines, cluster.line(server.address, "app_b", "api:write"))
    cluster.reload()
    token = granted(server.address, "api:read")
    with cluster.watched(token):
        assert cluster.log_in(token) == ""
        assert cluster.log_in(token, "app_b") == B
        assert cluster.log_in(token[:-4] + "AAAA") == A
    assert relay.fetches() == 1
    port = server.address.rsplit(":", 1)[1]
    server.stop()
    again = Server("oidc-provider", PORT=port, KID="2")
    try:
        assert cluster.log_in(token) == ""  # its key is known while the server is away
        cluster.let_pause_end()
        new = granted(again.address, "api:read api:write")
        assert cluster.log_in(new) == ""
        assert cluster.log_in(new, "app_b") == ""
        assert cluster.log_in(token) == A
        assert relay.fetches() == 2
    finally:
        again.stop()
        relay.stop()


def claims_of(token: str) -> dict[str, Any]:
    """Read a token that needs no proof here."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_tokens_of_a_user(cluster: Cluster, server: Server) -> None:
    """Of what a log-in gives only the access token is one, for its audience, scope and role."""
    own = OAuthClient(
        "web-basic",
        issuer=server.address,
        client_secret=SECRET,
        redirect_uri=CALLBACK,
        scopes=["openid", "offline_access", "api:read"],
        allow_loopback_http=True,
    )
    begun = own.begin(prompt="consent", resources=[API])
    cookies = "; ".join(cookie.split(";")[0] for cookie in begun.set_cookies)
    tokens = own.finish(browser.login(begun.url, CALLBACK), cookies).tokens
    assert tokens.id_token
    assert tokens.refresh_token
    store = cluster.data / "real.sqlite"
    url = f"sqlite:///{store}?mark=none"
    revocations = Revocations.open(url)
    for path in cluster.data.glob("real.sqlite*"):
        path.chmod(0o666)

    def policy(name: str, scope: str, **more: object) -> str:
        usual: dict[str, object] = {
            "issuer": server.address,
            "jwks_url": None,
            "scope": scope,
            "audience": API,
            "role_claim": "sub",
            "role": ["app_a alice", "app_b bob"],
            "revocations": url,
        }
        return cluster.policy(Issuer(upstream="-"), name, **(usual | more))

    def use(*sections: str, scope: str = "api:read") -> None:
        cluster.policies(*sections)
        lines = [cluster.line(server.address, user, scope) for user in ("app_a", "app_b")]
        cluster.hba(*lines)
        cluster.reload()

    def refused(token: str, why: str, user: str = "app_a") -> None:
        with cluster.watched(token) as logged:
            assert cluster.log_in(token, user) == SENTENCE.format(user)
            assert why in logged(), logged()[-2000:]

    cluster.forget()
    use(policy("main", "api:read"))
    with cluster.watched(tokens.access_token):
        assert cluster.log_in(tokens.access_token) == ""
    refused(tokens.access_token, "does not grant this role", "app_b")
    refused(tokens.id_token, "gatekey: no log-in")
    refused(tokens.refresh_token, "gatekey: no log-in")
    use(policy("main", "api:write"), scope="api:write")
    refused(tokens.access_token, "api:write")
    use(policy("main", "api:read", audience="https://other.example.test"))
    refused(tokens.access_token, "aud")
    use(policy("main", "api:read", client="till"))
    refused(tokens.access_token, "gatekey: no log-in")

    # Another issuer of the same make, whose tokens end after a second.
    other = Server("oidc-provider", AT_TTL="1")
    try:
        brief = granted(other.address, "api:read")
        use(policy("main", "api:read"))
        refused(brief, "gatekey: no log-in")
        end = claims_of(brief)["exp"]
        section = policy("brief", "api:read", issuer=other.address, leeway=0, role="app_a m2m")
        cluster.policies(section)
        cluster.hba(cluster.line(other.address, scope="api:read"))
        cluster.reload()
        wait_for("its end", lambda: time.time() > end + 1)
        refused(brief, "expired")
        cluster.policies(section.replace("leeway = 0", "leeway = 600"))
        assert cluster.log_in(brief) == ""
    finally:
        other.stop()

    use(policy("main", "api:read"))
    assert cluster.log_in(tokens.access_token) == ""
    claims = claims_of(tokens.access_token)
    revocations.revoke_token(server.address, claims["jti"], claims["exp"])
    refused(tokens.access_token, "revoked")
