"""An API's door as Python sees it: tokens without type or audience, several issuers, opaque
tokens, tenants, and requests with two credentials."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from gatekey import (
    ANY,
    ApiKeys,
    DoorRule,
    IssuerRule,
    Key,
    KeyRing,
    OAuthClient,
    ResourceServer,
    Revocations,
    Signer,
    aio,
    api_key_from_headers,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "https://api.example"
A = "https://a.example"
B = "https://b.example"


class Server(http.server.ThreadingHTTPServer):
    """An authorization server that says this about every token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answer: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def client(self) -> OAuthClient:
        endpoint = f"http://127.0.0.1:{self.server_port}/introspect"
        return OAuthClient(
            "rs",
            endpoints={"introspection_endpoint": endpoint},
            client_secret="x" * 32,
            allow_loopback_http=True,
        )


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.server.forms.append({name: values[0] for name, values in form.items()})
        body = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Discovery(http.server.ThreadingHTTPServer):
    """An issuer whose metadata have a slash more than its address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Slash)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Slash(http.server.BaseHTTPRequestHandler):
    server: Discovery

    def do_GET(self) -> None:
        url = self.server.url
        body = json.dumps({"issuer": url + "/", "jwks_uri": url + "/k"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def key() -> Key:
    return Key.generate("ES256")


def bearer(key: Key, typ: str | None = "at+jwt", **claims: object) -> str:
    issuer = str(claims.pop("iss", A))
    audience = claims.pop("aud", API)
    signer = Signer(key, issuer=issuer, typ=typ)
    said: dict[str, object] = {"sub": "alice", "client_id": "app", "scope": "read"}
    if audience is not None:
        said["aud"] = audience
    said |= claims
    return "Bearer " + signer.sign({name: said[name] for name in said if said[name] is not None})


def test_types(key: Key) -> None:
    public = key.public()
    plain = ResourceServer(API, issuer=A, keys=public)
    wide = ResourceServer(API, issuer=A, keys=public, token_types=[None, "JWT"])
    for typ in (None, "JWT"):
        assert wide.check(bearer(key, typ)).client_id == "app"
        with pytest.raises(exceptions.InvalidTypeError, match="token_types") as refused:
            plain.check(bearer(key, typ))
        assert ("`typ` is `JWT`" if typ else "there is no `typ`") in str(refused.value)
        assert refused.value.claim == "typ"
    with pytest.raises(exceptions.InvalidTypeError):
        wide.check(bearer(key))
    only_untyped = ResourceServer(API, issuer=A, keys=public, token_types=[None])
    with pytest.raises(exceptions.InvalidTypeError):
        only_untyped.check(bearer(key, "JWT"))
    for types in ([], [""]):
        with pytest.raises(exceptions.ConfigurationError) as wrong:
            ResourceServer(API, issuer=A, keys=public, token_types=types)
        assert wrong.value.claim == "token_types"


def test_any_audience_of_known_clients(key: Key) -> None:
    public = key.public()
    door = ResourceServer(
        ANY, clients=["app"], issuer=A, keys=public, token_types=[None], resource=API
    )
    for audience in (None, "https://other.example", ["x", "y"]):
        access = door.check(bearer(key, None, aud=audience))
        assert (access.issuer, access.client_id) == (A, "app")
    assert door.check(bearer(key, None, client_id=None, cid="app")).client_id == "app"
    with pytest.raises(exceptions.MissingRequiredClaimError):
        door.check(bearer(key, None, client_id=None, azp="app"))
    with pytest.raises(exceptions.InvalidClaimError) as two:
        door.check(bearer(key, None, appid="other"))
    assert two.value.claim == "appid"
    for name, value in {"nonce": "n", "at_hash": "h", "c_hash": "h", "token_use": "id"}.items():
        with pytest.raises(exceptions.InvalidClaimError) as id_token:
            door.check(bearer(key, None, **{name: value}))
        assert id_token.value.claim == name
    assert door.metadata["resource"] == API
    with pytest.raises(exceptions.ConfigurationError, match="every token of the issuer") as wrong:
        ResourceServer(ANY, issuer=A, keys=public)
    assert wrong.value.claim == "clients"
    with pytest.raises(exceptions.ConfigurationError):
        ResourceServer(API, issuer=A, keys=public, resource=API)
    with pytest.raises(TypeError):
        ResourceServer(ANY, clients=7, issuer=A, keys=public)  # type: ignore[arg-type]


def test_several_issuers(key: Key) -> None:
    other = Key.generate("ES256")
    door = ResourceServer(API, issuers={A: key.public(), B: other.public()})
    assert door.check(bearer(key)).issuer == A
    assert door.check(bearer(other, iss=B)).issuer == B
    for signs, issuer in ((other, A), (key, B)):
        with pytest.raises(exceptions.GatekeyError) as refused:
            door.check(bearer(signs, iss=issuer))
        assert refused.value.status == 401
    with pytest.raises(exceptions.InvalidIssuerError, match="issuers"):
        door.check(bearer(key, iss="https://c.example"))
    assert door.metadata["authorization_servers"] == [A, B]
    with pytest.raises(exceptions.ConfigurationError):
        ResourceServer(API, issuer=A, keys=key.public(), issuers={A: key.public()})
    with pytest.raises(exceptions.ConfigurationError):
        ResourceServer(API, keys=key.public())
    with pytest.raises(exceptions.ConfigurationError, match="issuers"):
        ResourceServer(API, api_keys=ApiKeys.open("memory:"), issuers={})


@pytest.mark.parametrize("kind", [ResourceServer, aio.ResourceServer])
def test_a_lenient_issuer_opens_no_other(key: Key, kind: Any) -> None:
    other = Key.generate("ES256")
    lenient = DoorRule(
        other.public(),
        audience=ANY,
        clients=["svc"],
        token_types=[None],
        leeway=120,
        tenant_claim="t",
    )
    door = kind(API, issuers={A: key.public(), B: lenient})

    def knock(header: str) -> Any:
        access = door.check(header)
        return asyncio.run(access) if asyncio.iscoroutine(access) else access

    late = int(time.time()) - 60
    wide = bearer(other, None, iss=B, client_id="svc", aud="x", t="bank", exp=late)
    assert knock(wide).tenant == "bank"
    assert knock(bearer(key)).tenant is None
    for refused in (
        bearer(other, None, iss=B),
        bearer(other, iss=B, client_id="svc"),
        bearer(key, None, client_id="svc"),
        bearer(key, aud="x"),
        bearer(key, exp=late),
    ):
        with pytest.raises(exceptions.InvalidTokenError):
            knock(refused)


def test_rules_of_issuers(key: Key) -> None:
    public = key.public()
    with pytest.raises(TypeError, match="DoorRule"):
        ResourceServer(API, issuers={A: IssuerRule(public, audience="x")})  # type: ignore[dict-item]
    with pytest.raises(exceptions.ConfigurationError) as refused:
        ResourceServer(API, issuers={A: DoorRule(public, audience=ANY)})
    assert refused.value.claim == "clients"
    for clients in ([], [""]):
        with pytest.raises(exceptions.ConfigurationError):
            ResourceServer(API, issuers={A: DoorRule(public, clients=clients)})
    with pytest.raises(TypeError):
        DoorRule(public, clients=7)  # type: ignore[arg-type]
    several = ResourceServer(API, issuers={A: DoorRule(public, audience=["urn:a", "urn:b"])})
    assert several.check(bearer(key, aud="urn:b")).issuer == A
    with pytest.raises(exceptions.InvalidAudienceError):
        several.check(bearer(key))
    assert "DoorRule" in repr(DoorRule(public, leeway=3))
    # What a rule says replaces what the door says, also where it says that there is nothing.
    bare = ResourceServer(
        API, claims={"env": "live"}, issuers={A: DoorRule(public, claims={}), B: DoorRule(public)}
    )
    assert bare is not None
    with pytest.raises(exceptions.ConfigurationError):
        ResourceServer(API, issuers={A: DoorRule(public, audience=[])})


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ([("env", "live")], "claims"),
        ({1: "live"}, "claims"),
        ("env", "claims"),
        ({"env": float("nan")}, "env"),
        ({"env": b"live"}, "env"),
        ({"env": "\ud800"}, "env"),
    ],
    ids=["pairs", "a number", "a text", "nan", "bytes", "half a character"],
)
def test_claims_of_a_door_are_a_mapping_with_json(claims: Any, named: str) -> None:
    for make in (partial(ResourceServer, API, issuer=A), DoorRule):
        with pytest.raises(TypeError, match=named):
            make(claims=claims)


def test_a_wrong_issuer_is_a_wrong_configuration(key: Key) -> None:
    server = Discovery()
    try:
        cases: list[dict[str, Any]] = [{"issuer": server.url}, {"issuers": {server.url: None}}]
        for options in cases:
            with pytest.raises(exceptions.ConfigurationError, match="slash") as refused:
                ResourceServer(API, allow_loopback_http=True, **options)
            assert f"`{server.url}/`" in str(refused.value)
            assert f"`{server.url}`" in str(refused.value)
            there = aio.ResourceServer(API, allow_loopback_http=True, **options)
            with pytest.raises(exceptions.ConfigurationError, match="slash") as refused:
                asyncio.run(there.check(bearer(key, iss=server.url)))
            assert (refused.value.status, refused.value.retryable) == (500, False)
        client = OAuthClient(
            "c", issuer=server.url, redirect_uri="https://app.example/cb", allow_loopback_http=True
        )
        with pytest.raises(exceptions.IssuerMismatchError, match="slash"):
            client.begin()
    finally:
        server.shutdown()
        server.server_close()


def test_another_issuers_token_is_told(key: Key) -> None:
    door = ResourceServer(API, issuer=A, keys=key.public())
    with pytest.raises(exceptions.InvalidIssuerError, match="slash"):
        door.check(bearer(Key.generate("ES256"), iss=A + "/"))
    with pytest.raises(exceptions.KeyNotFoundError):
        door.check(bearer(Key.generate("ES256")))


def test_an_answer_is_remembered_for_an_hour_at_most(server: Server) -> None:
    for name in ("introspection_ttl", "introspection_negative_ttl"):
        options: dict[str, Any] = {"introspection": server.client, name: 3601}
        with pytest.raises(exceptions.ConfigurationError, match="3600"):
            ResourceServer(API, **options)


def test_an_issuer_of_several_by_its_metadata(key: Key) -> None:
    # Out of reach, and it stops no other.
    door = ResourceServer(
        API, issuers={A: key.public(), "http://127.0.0.1:1": None}, allow_loopback_http=True
    )
    assert door.check(bearer(key)).issuer == A
    with pytest.raises(exceptions.GatekeyError) as refused:
        door.check(bearer(key, iss="http://127.0.0.1:1"))
    assert refused.value.status == 503


def test_clocks_that_differ(key: Key) -> None:
    now = int(time.time())
    door = ResourceServer(API, issuer=A, keys=key.public())
    exact = ResourceServer(API, issuer=A, keys=key.public(), leeway=0)
    late = bearer(key, exp=now - 5)
    assert door.check(late).subject == "alice"
    for refuses, header in ((exact, late), (door, bearer(key, exp=now - 60))):
        with pytest.raises(exceptions.ExpiredSignatureError):
            refuses.check(header)
    ring = KeyRing.open("memory:")
    own = ResourceServer(API, issuer=A, keys=ring)
    signer = Signer(ring, issuer=A, audience=API, typ="at+jwt", ttl=60)
    claims = {"sub": "alice", "client_id": "app"}
    assert own.check("Bearer " + signer.sign(claims)).subject == "alice"
    with pytest.raises(exceptions.ExpiredSignatureError):
        own.check("Bearer " + signer.sign({**claims, "exp": now - 1}))


def test_opaque_tokens(server: Server) -> None:
    now = int(time.time())
    good = {
        "active": True,
        "sub": "alice",
        "client_id": "app",
        "aud": API,
        "iat": now,
        "exp": now + 60,
    }

    def knock(options: dict[str, Any] | None = None, /, **more: object) -> Any:
        server.answer = {**good, **more}
        return ResourceServer(API, introspection=server.client, **(options or {})).check("Bearer t")

    assert knock().subject == "alice"
    assert server.forms[-1]["token_type_hint"] == "access_token"
    for name, value in {"token_type": "refresh_token", "token_use": "id", "typ": "Refresh"}.items():
        with pytest.raises(exceptions.InvalidClaimError) as refused:
            knock(**{name: value})
        assert refused.value.claim == name
    with pytest.raises(exceptions.InvalidClaimError):
        knock(token_type="DPoP")
    with pytest.raises(exceptions.InvalidAudienceError):
        knock(aud=None)
    assert knock({"introspection_audience": False}, aud=None).subject == "alice"
    assert knock(scope=["read"]).scopes == ["read"]
    assert server.client.introspect("t").issued_at == now
    revocations = Revocations.open("memory:")
    assert knock({"revocations": revocations}).subject == "alice"
    revocations.revoke_subject("alice")
    with pytest.raises(exceptions.RevokedTokenError):
        knock({"revocations": revocations})


def test_imported_keys_stay_here(server: Server) -> None:
    server.answer = {"active": False}
    keys = ApiKeys.open("memory:")
    legacy = "sk_prod_51Habcdefghijklmnop"
    keys.import_([{"owner": "acme", "secret": legacy}], scheme="plaintext")
    door = ResourceServer(API, introspection=server.client, api_keys=keys)
    assert door.check(f"Bearer {legacy}").subject == "acme"
    assert server.forms == []
    with pytest.raises(exceptions.InactiveTokenError):
        door.check("Bearer opaque")
    assert [form["token"] for form in server.forms] == ["opaque"]


def test_tenants(key: Key) -> None:
    keys = ApiKeys.open("memory:")
    bank, mallory = (
        keys.create(owner="admin", tenant=tenant).secret for tenant in ("bank", "mallory")
    )
    door = ResourceServer(API, api_keys=keys, issuer=A, keys=key.public(), tenant_claim="tid")
    assert [door.check(f"Bearer {key}").tenant for key in (bank, mallory)] == ["bank", "mallory"]
    assert door.check(bearer(key, tid="bank"), tenant="bank").tenant == "bank"
    for refused in (f"Bearer {mallory}", bearer(key), bearer(key, tid="mallory")):
        with pytest.raises(exceptions.GatekeyError) as error:
            door.check(refused, tenant="bank")
        assert error.value.status == 401


def test_two_credentials(key: Key) -> None:
    keys = ApiKeys.open("memory:")
    own = str(keys.create(owner="acme", scopes=["write"]).secret)
    options: dict[str, Any] = {"api_keys": keys, "issuer": A, "keys": key.public()}
    door, there = ResourceServer(API, **options), aio.ResourceServer(API, **options)
    token = bearer(key)
    assert door.check(None, api_key=own).kind == "api_key"
    with pytest.raises(exceptions.SeveralCredentialsError, match="decided_by") as two:
        door.check(token, api_key=own)
    assert two.value.status == 400
    assert 'error="invalid_request"' in (two.value.www_authenticate or "")
    access = door.check(token, api_key=own, decided_by="authorization", scopes=["read"])
    assert (access.kind, access.scopes) == ("jwt", ["read"])
    access = asyncio.run(there.check(token, api_key=own, decided_by="api_key", scopes=["write"]))
    assert (access.kind, access.scopes) == ("api_key", ["write"])
    with pytest.raises(exceptions.InsufficientScopeError):
        door.check(token, api_key=own, decided_by="authorization", scopes=["write"])
    for authorization, api_key, decided_by in (
        (None, own, "authorization"),
        (token, None, "api_key"),
    ):
        with pytest.raises(exceptions.MissingCredentialsError):
            door.check(authorization, api_key=api_key, decided_by=decided_by)  # type: ignore[arg-type]
    with pytest.raises(exceptions.GatekeyError) as refused:
        door.check("Bearer a.b.c", api_key=own, decided_by="api_key")
    assert refused.value.status == 401
    with pytest.raises(exceptions.UsageError):
        door.check(token, decided_by="both")  # type: ignore[arg-type]
    headers = {"X-API-Key": own, "Authorization": token}
    with pytest.raises(exceptions.SeveralCredentialsError, match="place"):
        api_key_from_headers(headers)
    assert api_key_from_headers(headers, place="api_key") == own
    assert api_key_from_headers(headers, place="authorization") == token[7:]
    with pytest.raises(exceptions.UsageError):
        api_key_from_headers(headers, place="x-api-key")
