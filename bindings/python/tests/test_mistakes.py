"""Mistakes on purpose: what is said about each names what was given, what is wanted and what to do.

One table. A row is what is done, the class that is raised, the words that must be in its text, and words that must not.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from forge import b64, forge, secret_key

import gatekey
from gatekey import (
    ANY,
    ApiKeys,
    Cookie,
    Csrf,
    DoorRule,
    HttpTransport,
    Key,
    KeyRing,
    KeySet,
    OAuthClient,
    RemoteKeySet,
    ResourceServer,
    Revocations,
    Sessions,
    Signer,
    Store,
    TokenManager,
    Verifier,
    aio,
)
from gatekey.middleware import httpx as on_httpx
from gatekey.middleware import requests as on_requests

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000
PEPPER = bytes(range(32))
ISSUER = "https://auth.example"
APP = "https://app.example/callback"
# fmt: off
FOREIGN = ("Key::", "KeySet::", "Policy", "policy", "Some(", "None)", "gk_policy", "gk_key", "GK_", "&str", "Vec<", "ErrorKind", "http://localhost")
"""What no text in Python holds: names of Rust and of C."""


@cache
def rsa() -> Key:
    return Key.generate("RS256", bits=2048)


@cache
def ec(kid: str | None = None) -> Key:
    return Key.generate("ES256", kid=kid)


@cache
def keys() -> ApiKeys:
    return ApiKeys.open("memory:", pepper=PEPPER)


@cache
def api_key() -> str:
    return keys().create(owner="acme", scopes=["read"]).secret


@cache
def sessions() -> Sessions:
    return Sessions.open("memory:", pepper=PEPPER, signer=Signer(ec(), issuer=ISSUER))


def signed(header: str | None = None, **claims: Any) -> str:
    given = {"exp": NOW + 60, **claims}
    text = json.dumps({name: value for name, value in given.items() if value != "absent"})
    return forge(text.encode(), header.encode()) if header else forge(text.encode())


def verify(token: Any = None, key: Any = None, **options: Any) -> Any:
    options.setdefault("clock", lambda: NOW)
    return Verifier(key or secret_key(), **options).verify(signed() if token is None else token)


def door(authorization: str | None, **options: Any) -> Any:
    demand = {name: options.pop(name) for name in ("scopes", "max_age", "tenant", "api_key") if name in options}
    options = {"issuer": ISSUER, "keys": secret_key(), "clock": lambda: NOW, **options}
    return ResourceServer("api", **options).check(authorization, **demand)


def client(**options: Any) -> Any:
    given: dict[str, Any] = {
        "issuer": ISSUER,
        "client_secret": "s",
        "redirect_uri": APP,
        "flow_keys": b"x" * 32,
        **options,
    }
    return OAuthClient("id", **given)


def jwk(**members: Any) -> Any:
    return Key.from_jwk({**ec().public().to_jwk(), **members})


JWE = ".".join([b64(b'{"alg":"dir","enc":"A256GCM"}'), "", b64(b"1" * 12), b64(b"text"), b64(b"2" * 16)])
PEM = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
AT = '{"alg":"HS256","typ":"at+jwt"}'
LOCAL = "http://localhost:8000"

Row = tuple[str, "Callable[[], Any]", str, str]
"""The name, what is done, the class, the words that its text must hold."""

TOKENS: list[Row] = [
    ("Bearer in front", lambda: verify("Bearer " + signed()), "DecodeError", "`Bearer `|without"),
    ("bearer in small letters", lambda: verify("bearer " + signed()), "DecodeError", "`Bearer `|without"),
    ("the header's name in front", lambda: verify("Authorization: Bearer " + signed()), "DecodeError", "`Authorization`|without"),
    ("a line end behind it", lambda: verify(signed() + "\n"), "DecodeError", "line end|strip"),
    ("a Windows line end behind it", lambda: verify(signed() + "\r\n"), "DecodeError", "line end|strip"),
    ("a space before it", lambda: verify(" " + signed()), "DecodeError", "space|strip"),
    ("a line end in it", lambda: verify(signed()[:40] + "\n" + signed()[40:]), "DecodeError", "line end"),
    ("quotes around it", lambda: verify(f'"{signed()}"'), "DecodeError", "quotes|without"),
    ("single quotes around it", lambda: verify(f"'{signed()}'"), "DecodeError", "quotes|without"),
    ("the repr of bytes", lambda: verify(str(signed().encode())), "DecodeError", "b'|decode"),
    ("a NUL behind it", lambda: verify(signed().encode() + b"\0"), "DecodeError", "NUL"),
    ("a JWE", lambda: verify(JWE), "DecodeError", "JWE|encrypted|five"),
    ("an API key for a token", lambda: verify(api_key()), "DecodeError", "API key"),
    ("a PEM for a token", lambda: verify(PEM), "DecodeError", "PEM|key"),
    ("JSON for a token", lambda: verify('{"sub":"alice"}'), "DecodeError", "JSON|token"),
    ("an opaque token", lambda: verify("2YotnFZFEjr1zCsicMWpAA"), "DecodeError", "three|dots|opaque"),
    ("nothing for a token", lambda: verify(""), "DecodeError", "empty"),
    ("two parts", lambda: verify("a.b"), "DecodeError", "three|two"),
    ("padded parts", lambda: verify(signed() + "="), "DecodeError", "`=`|`allow_padding=True`"),
    ("base64 of the other alphabet", lambda: verify(signed()[:-3] + "+/a"), "DecodeError", "`+`|base64url"),
    ("a cut token", lambda: verify(signed()[:-9]), "DecodeError", "base64url|cut"),
    ("expired", lambda: verify(signed(exp=NOW - 12)), "ExpiredSignatureError", "`exp`|12 s ago|`leeway`"),
    ("early", lambda: verify(signed(nbf=NOW + 3)), "ImmatureSignatureError", "`nbf`|in 3 s|`leeway`"),
    ("issued in the future", lambda: verify(signed(iat=NOW + 4)), "InvalidIssuedAtError", "`iat`|in 4 s|`leeway`"),
    ("issued in milliseconds", lambda: verify(signed(iat=NOW * 1000)), "InvalidIssuedAtError", "`iat`|milliseconds"),
    ("nbf in milliseconds", lambda: verify(signed(nbf=NOW * 1000)), "ImmatureSignatureError", "`nbf`|milliseconds"),
    ("too old", lambda: verify(signed(iat=NOW - 90), max_age=60), "TokenTooOldError", "`iat`|90 s ago|`max_age`"),
    ("no exp", lambda: verify(signed(exp="absent")), "MissingRequiredClaimError", "`exp`|`allow_missing_exp=True`"),
    ("exp as text", lambda: verify(signed(exp="tomorrow")), "InvalidClaimError", "`exp`|number|seconds"),
    ("nobody named the audience", lambda: verify(signed(aud="orders")), "InvalidAudienceError", "`aud`|`audience=`|gatekey.ANY|orders"),
    ("nobody named the issuer", lambda: verify(signed(iss=ISSUER)), "InvalidIssuerError", "`iss`|`issuer=`|gatekey.ANY|" + ISSUER),
    ("nobody named the type", lambda: verify(signed('{"alg":"HS256","typ":"x+jwt"}')), "InvalidTypeError", "`typ`|`typ=`|gatekey.ANY|x+jwt"),
    ("another issuer", lambda: verify(signed(iss="https://b.example"), issuer=ISSUER), "InvalidIssuerError", "`iss`|https://b.example|" + ISSUER),
    ("an issuer with a slash", lambda: verify(signed(iss=ISSUER + "/"), issuer=ISSUER), "InvalidIssuerError", "`iss`|slash"),
    ("an issuer without its slash", lambda: verify(signed(iss=ISSUER), issuer=[ISSUER + "/"]), "InvalidIssuerError", "`iss`|slash"),
    ("an issuer of several with a slash", lambda: Verifier.for_issuers({ISSUER: secret_key()}).verify(signed(iss=ISSUER + "/")), "InvalidIssuerError", "`iss`|slash"),
    ("an issuer of several", lambda: Verifier.for_issuers({ISSUER: secret_key()}).verify(signed(iss="x")), "InvalidIssuerError", "`iss`|for_issuers"),
    ("another audience", lambda: verify(signed(aud="shop"), audience="orders"), "InvalidAudienceError", "`aud`|shop|orders"),
    ("an audience with a slash", lambda: verify(signed(aud="https://a.example/"), audience="https://a.example"), "InvalidAudienceError", "`aud`|slash"),
    ("no audience", lambda: verify(audience="orders"), "MissingRequiredClaimError", "`aud`|`audience`|orders"),
    ("no issuer", lambda: verify(issuer=ISSUER), "MissingRequiredClaimError", "`iss`|`issuer`|" + ISSUER),
    ("another type", lambda: verify(signed(AT), typ="JWT"), "InvalidTypeError", "`typ`|at+jwt|JWT"),
    ("another subject", lambda: verify(signed(sub="bob"), subject="alice"), "InvalidSubjectError", "`sub`|`subject`"),
    ("a number as sub", lambda: verify(signed(sub=7)), "InvalidClaimError", "`sub`|string|`allow_numeric_subject=True`"),
    ("null as jti", lambda: verify(signed(jti=None)), "InvalidJTIError", "`jti`|string|null"),
    ("a number as aud", lambda: verify(signed(aud=7), audience=ANY), "InvalidClaimError", "`aud`|string|number"),
    ("a required claim", lambda: verify(required=["tid"]), "MissingRequiredClaimError", "`tid`|`required`"),
    ("another value of a claim", lambda: verify(signed(token_type="refresh"), claims={"token_type": "access"}), "InvalidClaimError", "`token_type`|`claims`"),
    ("a number as kid", lambda: verify(signed('{"alg":"HS256","kid":7}')), "DecodeError", "`kid`|string|number"),
    ("null as typ", lambda: verify(signed('{"alg":"HS256","typ":null}')), "DecodeError", "`typ`|string|null"),
    ("alg none", lambda: verify(signed('{"alg":"none"}')), "UnsupportedAlgorithmError", "`alg`|none"),
    ("another algorithm", lambda: verify(Signer(rsa()).sign({"exp": NOW + 9})), "InvalidAlgorithmError", "`alg`|RS256|HS256"),
    ("another key", lambda: verify(forge(b'{"exp":1}', secret=b"y" * 32)), "InvalidSignatureError", "signature|key"),
    ("a kid that is unknown", lambda: verify(signed('{"alg":"HS256","kid":"k2"}'), secret_key(kid="k1")), "KeyNotFoundError", "`kid`|k2"),
    ("a kid that no set has", lambda: verify(Signer(ec("k2")).sign({}), KeySet([ec("k1").public()])), "KeyNotFoundError", "`kid`|k2|refresh"),
    ("a long token", lambda: verify(signed(x="y" * 20_000)), "TokenTooLargeError", "`max_token_bytes`|16384"),
    ("a long header", lambda: verify(signed('{"alg":"HS256","x5c":["%s"]}' % ("y" * 6000))), "TokenTooLargeError", "`max_header_bytes`|4096"),
    ("claims that are a list", lambda: verify(forge(b"[1]")), "DecodeError", "claims|JSON object"),
    ("not a token to look at", lambda: gatekey.danger_decode_unverified("Bearer " + signed()), "DecodeError", "`Bearer `|without"),
    ("a JWE to look at", lambda: gatekey.danger_decode_unverified(JWE), "DecodeError", "JWE|encrypted"),
]

KEYS: list[Row] = [
    ("a short secret", lambda: Key.from_secret("hunter2", "HS256"), "WeakKeyError", "32|Key.generate"),
    ("one byte repeated", lambda: Key.from_secret(b"x" * 32, "HS256"), "WeakKeyError", "Key.generate"),
    ("a PEM as a secret", lambda: Key.from_secret(rsa().to_pem(), "HS256"), "KeyError|InvalidKeyError|UsageError|WeakKeyError|KeyUsageError", "PEM|from_pem"),
    ("an RSA key without alg", lambda: Key.from_pem(rsa().to_pem()), "", "`alg`|RS256"),
    ("a PEM as a JWK", lambda: Key.from_jwk(ec().to_pem()), "InvalidKeyError", "PEM|from_pem"),
    ("a JWK as a PEM", lambda: Key.from_pem(json.dumps(ec().to_jwk())), "InvalidKeyError", "JWK|from_jwk"),
    ("one key for a set of keys", lambda: KeySet(ec()), "TypeError", "one Key|KeySet([key])"),  # type: ignore[arg-type]
    ("a JWK Set as a JWK", lambda: Key.from_jwk(KeySet([ec().public()]).to_jwks()), "", "JWK Set|from_jwks"),
    ("a JWK as a JWK Set", lambda: KeySet.from_jwks(ec().to_jwk()), "InvalidKeyError", "JWK Set|from_jwk"),
    ("a token as a key", lambda: Key.from_pem(signed()), "InvalidKeyError", "token"),
    ("an API key as a key", lambda: Key.from_pem(api_key()), "InvalidKeyError", "API key"),
    ("a path as a key", lambda: Key.from_pem("/etc/keys/key.pem"), "InvalidKeyError", "path|read the file"),
    ("a short coordinate", lambda: jwk(x=b64(b"1" * 31)), "InvalidKeyError", "`x`|32|31"),
    ("a number as kid of a JWK", lambda: jwk(kid=7), "InvalidKeyError", "`kid`|string|number"),
    ("null as kty", lambda: jwk(kty=None), "", "`kty`"),
    ("a public key signs", lambda: Signer(ec().public()).sign({}), "", "private"),
    ("an algorithm that is unknown", lambda: Key.generate("RS1024"), "", "`alg`|RS256"),
    ("a symmetric key's PEM", lambda: secret_key().to_pem(), "", "to_jwk|private=True"),
]

SIGNING: list[Row] = [
    ("exp in milliseconds", lambda: Signer(ec()).sign({"exp": NOW * 1000}), "", "`exp`|milliseconds|seconds"),
    ("another issuer than the signer's", lambda: Signer(ec(), issuer=ISSUER).sign({"iss": "x"}), "", "`iss`|signer"),
    ("no life", lambda: Signer(ec(), ttl=None).sign({}), "", "`exp`|`ttl`|`allow_missing_exp`"),
    ("a life of nothing", lambda: Signer(ec(), ttl=0), "", "`ttl`"),
    ("an issuer of its own", lambda: Signer(ec(), issuer=ISSUER).sign({"iss": "i"}), "UsageError", "`iss`|signer"),
    ("no exp at all", lambda: Signer(ec(), ttl=None).sign({}), "UsageError", "`exp`|`ttl`|`allow_missing_exp`"),
    ("exp as text to be signed", lambda: Signer(ec()).sign({"exp": "1795000000"}), "UsageError", "`exp`|number|seconds"),
    ("an algorithm in small letters", lambda: Key.generate("es256"), "UsageError", "`alg`|ES256|case"),
    ("a secret for an algorithm", lambda: Key.from_secret("HS256", "s" * 32), "UsageError", "`alg`"),
    ("algorithms in small letters", lambda: Verifier(ec(), algorithms=["es256"]), "UsageError", "`alg`|ES256|case"),
    ("a number as sub to be signed", lambda: Signer(ec()).sign({"sub": 7}), "UsageError", "`sub`|string"),
    ("a naive date", lambda: Signer(ec()).sign({"exp": __import__("datetime").datetime(2030, 1, 1)}), "", "aware|timezone"),
    ("a leeway too large", lambda: verify(leeway=3600), "ConfigurationError", "`leeway`|600"),
    ("an empty audience", lambda: verify(audience=""), "ConfigurationError", "`audience`"),
    ("no algorithm of the key", lambda: verify(algorithms=["RS256"]), "ConfigurationError", "`algorithms`|RS256|HS256"),
]

KEPT: list[Row] = [
    ("no API key", lambda: keys().verify(""), "MissingCredentialsError", "no credentials"),
    ("a token for an API key", lambda: keys().verify(signed()), "MalformedApiKeyError", "token|JWT"),
    ("Bearer before an API key", lambda: keys().verify("Bearer " + api_key()), "MalformedApiKeyError", "`Bearer `"),
    ("a line end behind an API key", lambda: keys().verify(api_key() + "\n"), "MalformedApiKeyError", "line end"),
    ("quotes around an API key", lambda: keys().verify(f'"{api_key()}"'), "MalformedApiKeyError", "quotes"),
    ("a typo in an API key", lambda: keys().verify(api_key()[:-1] + "!"), "MalformedApiKeyError", "gk_live_|checksum"),
    ("an API key of another environment", lambda: ApiKeys.open("memory:", pepper=PEPPER, env="test").verify(api_key()), "", "`prefix`|`env`"),
    ("a scope that is not granted", lambda: keys().verify(api_key(), scopes="write"), "", "write"),
    ("an overlap too long", lambda: keys().rotate(api_key()[8:20], overlap=91 * 86400), "UsageError", "`overlap`|90 days"),
    ("a rate of two texts", lambda: keys().create(owner="a", rate=("5", "60")), "TypeError", "units of rate|int|str"),  # type: ignore[arg-type]
    ("a rate that is unknown", lambda: keys().create(owner="a", rate="often"), "UsageError", "`rate`|100/60s"),
    ("an expiry in the past", lambda: keys().create(owner="a", expires_at=1), "UsageError", "`expires_at`|past|seconds"),
    ("an expiry in milliseconds", lambda: keys().create(owner="a", expires_at=NOW * 1000), "UsageError", "`expires_at`|milliseconds"),
    ("two ends", lambda: keys().create(owner="a", expires_at=2**33, expires_in=5), "UsageError", "`expires_in`|`expires_at`"),
    ("two scopes in one", lambda: keys().create(owner="a", scopes="read write"), "UsageError", "`scopes`|several"),
    ("a network with host bits", lambda: keys().create(owner="a", cidrs=["10.1.2.3/8"]), "UsageError", "`cidrs`|10.0.0.0/8"),
    ("an option that is unknown", lambda: keys().update("a" * 12, color="red"), "TypeError", "color"),
    ("a row with a column that is unknown", lambda: keys().import_([{"owner": "a", "secret": "s" * 16, "color": 1}], scheme="plaintext"), "UsageError", "color"),
    ("a page too long", lambda: keys().list(limit=5000), "UsageError", "`limit`|1000"),
    ("a cursor that is unknown", lambda: keys().audit(cursor="x"), "UsageError", "`cursor`"),
    ("a short pepper", lambda: ApiKeys.open("memory:", pepper=b"short"), "UsageError|ConfigurationError", "`pepper`|16"),
    ("a URL of another store", lambda: Store.open("mysql://db"), "", "sqlite|memory:"),
    ("a URL without a user", lambda: Store.open("postgres://db/auth", pepper=PEPPER), "UsageError", "postgresql://user@host/database"),
    ("PostgreSQL without a pepper", lambda: Store.open("postgresql://a@db/auth"), "ConfigurationError", "pepper"),
    ("a token for a refresh token", lambda: sessions().refresh(signed()), "InvalidRefreshTokenError", "access token|refresh token"),
    ("a session's claim", lambda: sessions().start("u", claims={"sub": "x"}), "UsageError", "`sub`|leave"),
    ("no signer", lambda: Sessions.open("memory:", pepper=PEPPER).start("u"), "", "`signer`"),
    ("a grace too long", lambda: Sessions.open("memory:", pepper=PEPPER, grace=90), "UsageError", "`grace`|60"),
    ("a revocation in milliseconds", lambda: Revocations.open("memory:").revoke_token("i", "j", NOW * 1000), "UsageError", "milliseconds|seconds"),
    ("a ring's name", lambda: KeyRing.open("memory:", pepper=PEPPER, name="My Ring"), "UsageError", "`name`|small letters"),
    ("a domain of __Host-", lambda: Cookie("__Host-a", domain="a.example"), "ConfigurationError", "`domain`|__Host-"),
    ("a cookie over HTTP", lambda: Cookie("a", secure=False), "ConfigurationError", "danger_allow_http"),
    ("a site that is unknown", lambda: Cookie("a", same_site="Laxe"), "UsageError", "`same_site`|Lax"),
    ("a short secret of CSRF", lambda: Csrf("short"), "WeakKeyError|UsageError|ConfigurationError", "`secret`|32"),
    ("an origin without a host", lambda: Csrf(PEPPER).check("s", "t", method="POST", origin=LOCAL), "UsageError", "`origin`|`host`"),
    ("an origin in development", lambda: Csrf(PEPPER).check("s", Csrf(PEPPER).issue("s"), method="POST", origin=LOCAL, host="localhost:8000"), "CsrfError", "danger_allow_http"),
]

OAUTH: list[Row] = [
    ("an issuer over HTTP", lambda: client(issuer="http://auth.example"), "ConfigurationError", "`issuer`|https|`allow_loopback_http`"),
    ("no server", lambda: client(issuer=None), "ConfigurationError", "`issuer`|`preset`"),
    ("a preset that is unknown", lambda: client(issuer=None, preset="gogle"), "ConfigurationError", "`preset`|docs/oauth.md"),
    ("a method that is unknown", lambda: client(auth_method="basic"), "ConfigurationError", "`auth_method`|client_secret_basic"),
    ("a method without its secret", lambda: client(auth_method="private_key_jwt", client_secret=None), "ConfigurationError", "`auth_method`|`private_key`"),
    ("a redirect over HTTP", lambda: client(redirect_uri="http://app.example"), "ConfigurationError", "`redirect_uri`|https"),
    ("an endpoint that is unknown", lambda: client(endpoints={"token": "https://a.example"}), "ConfigurationError", "token|`token_endpoint`"),
    ("a short flow key", lambda: client(flow_keys=b"short"), "UsageError|ConfigurationError", "`flow_keys`|16"),
    ("no log-in of this browser", lambda: client().finish(APP + "?code=1&state=2", ""), "", "cookie|begin"),
    ("a door without issuer", lambda: ResourceServer("api", keys=ec()), "ConfigurationError", "`issuer`"),
    ("a door for nobody", lambda: ResourceServer("api"), "ConfigurationError", "`issuer`|`api_keys`"),
    ("no Bearer", lambda: door("Basic eA=="), "", "`Authorization`|Bearer"),
    ("another type at a door", lambda: door("Bearer " + signed('{"alg":"HS256","typ":"JWT"}', iss=ISSUER, aud="api")), "InvalidTypeError", "`typ`|JWT|`token_types`"),
    ("another issuer at a door", lambda: door("Bearer " + signed(AT, iss=ISSUER + "/", aud="api")), "InvalidIssuerError", "`iss`|slash"),
    ("quotes at a door", lambda: door(f'Bearer "{signed(AT)}"'), "", "quotes"),
    ("an API key at a door without", lambda: door("Bearer " + api_key()), "", "API key|`api_keys`"),
    ("a rule of the other kind", lambda: ResourceServer("api", issuers={ISSUER: gatekey.IssuerRule(ec().public())}), "TypeError", "DoorRule"),  # type: ignore[dict-item]
    ("any audience, any client", lambda: ResourceServer(ANY, issuer=ISSUER, keys=ec().public()), "ConfigurationError", "`clients`"),
    ("keys of nowhere", lambda: RemoteKeySet(), "", "`url`|`issuer`"),
    ("a deadline of an hour", lambda: HttpTransport(deadline=3600), "", "`deadline`|120"),
    ("a rule that lists nothing", lambda: DoorRule(ec().public(), audience=5), "TypeError", "`audience`"),  # type: ignore[arg-type]
]

JWK = json.dumps(ec().to_jwk(private=True))
PRIVATE = ec().to_pem(private=True)
WITH_PASSWORD = "postgres://app:hunter2horse@db.example/auth"


@cache
def manager() -> TokenManager:
    return TokenManager(client())


def made_and_revoked() -> str:
    made = keys().create(owner="acme").id
    keys().revoke(made)
    return made


def api_keys_of(**options: Any) -> Any:
    return ApiKeys.open("memory:", pepper=PEPPER, **options)


def asked(**options: Any) -> Any:
    return ResourceServer("api", issuer=ISSUER, keys=ec(), **options)


def costly() -> Any:
    return keys().verify(keys().create(owner="a", rate="5/min").secret, cost=6)


WRONG: Any = "wrong"
"""What a type checker would not let pass."""

MISPLACED: list[Row] = [
    ("an API key for a store", lambda: Store.open(api_key()), "UsageError", "API key|not shown|sqlite:///path"),
    ("a token for a store", lambda: Sessions.open(signed()), "UsageError", "token (JWT)|not shown|sqlite:///path"),
    ("a PEM for a store", lambda: KeyRing.open(PRIVATE), "UsageError", "PEM|not shown"),
    ("a JWK for a store", lambda: Revocations.open(JWK), "UsageError", "JWK|not shown"),
    ("a password in a store's URL", lambda: Store.open(WITH_PASSWORD), "ConfigurationError", "PostgreSQL|pepper"),
    ("a key for a pepper's variable", lambda: Store.open("memory:", pepper_env=api_key()), "ConfigurationError", "NAME|not shown"),
    ("a token for a pepper's file", lambda: Store.open("memory:", pepper_file=signed()), "", "pepper file"),
    ("a token for a folder of tokens", lambda: TokenManager(client(), folder=signed()), "UsageError", "`folder`|not shown"),
    ("an API key for a folder of limits", lambda: api_keys_of(limits=api_key()), "UsageError", "`limits`|not shown"),
    ("a token for a backup", lambda: gatekey.store_backup("x.sqlite", signed()), "", "store"),
    ("a token for a jti", lambda: Revocations.open("memory:").revoke_token(None, signed(), NOW * 2), "UsageError", "whole token|`jti`|Nothing was revoked"),
    ("a token for a sid", lambda: Revocations.open("memory:").revoke_session(signed()), "UsageError", "whole token|`sid`|Nothing was revoked"),
    ("a token for a sub", lambda: Revocations.open("memory:").revoke_subject(signed()), "UsageError", "whole token|`sub`|Nothing was revoked"),
    ("an API key for a kid", lambda: Revocations.open("memory:").revoke_key(api_key()), "UsageError", "whole API key|Nothing was revoked"),
    ("a token for a tenant", lambda: Revocations.open("memory:").revoke_before(NOW, tenant=signed()), "UsageError", "whole token"),
    ("a token for the subject of sessions", lambda: sessions().end_all(signed()), "UsageError", "whole token|`sub`|Nothing was ended"),
    ("an API key for its id", lambda: keys().revoke(api_key()), "UsageError", "whole API key|its id"),
    ("an API key for the id of a rotation", lambda: keys().rotate(api_key()), "UsageError", "whole API key|its id"),
    ("a token for an id", lambda: keys().get(signed()), "UsageError", "token (JWT)|its id"),
    ("a key that was revoked, rotated", lambda: keys().rotate(made_and_revoked()), "UsageError", "revoked, for good"),
    ("a key that was revoked, enabled", lambda: keys().enable(made_and_revoked()), "UsageError", "revoked, for good"),
    ("a host that is a key", lambda: on_httpx.BearerAuth(manager(), "n", hosts=[PRIVATE]), "UsageError", "hosts|no host"),
    ("a host that is a key, for requests", lambda: on_requests.BearerAuth(manager(), "n", hosts=[PRIVATE]), "UsageError", "hosts|no host"),
    ("a column that is a key", lambda: keys().import_([{"owner": "a", "secret": "s" * 16, api_key(): 1}], scheme="plaintext"), "UsageError", "column|not shown"),
    ("an option that is a key", lambda: keys().update("a" * 12, **{api_key(): 1}), "TypeError", "keyword|not shown"),  # type: ignore[arg-type]
    ("an endpoint that is a key", lambda: client(endpoints={api_key(): "https://a.example"}), "ConfigurationError", "not shown"),
]

TYPES: list[Row] = [
    ("a PEM for a signer's key", lambda: Signer(WRONG), "TypeError", "key must be|gatekey.Key|Key.from_pem|not str"),
    ("a JWK for a signer's key", lambda: Signer(json.loads(JWK)), "TypeError", "key must be|Key.from_jwk|not dict"),
    ("None for a signer's key", lambda: Signer(None), "TypeError", "key must be|Key.from_pem|NoneType"),  # type: ignore[arg-type]
    ("bytes for a verifier's keys", lambda: Verifier(5), "TypeError", "keys must be|Key.from_pem|not int"),  # type: ignore[arg-type]
    ("a PEM for a verifier's keys", lambda: Verifier(WRONG), "TypeError", "keys must be|Key.from_pem|not str"),
    ("a text for a client", lambda: TokenManager(WRONG), "TypeError", "`client`|OAuthClient(|not str"),
    ("None for a client on a loop", lambda: aio.TokenManager(None), "TypeError", "`client`|OAuthClient(|NoneType"),  # type: ignore[arg-type]
    ("a number for a folder", lambda: TokenManager(client(), folder=5), "TypeError", "`folder`|path|not int"),  # type: ignore[arg-type]
    ("bytes for a folder", lambda: TokenManager(client(), folder=b"x"), "TypeError", "`folder`|path|not bytes"),  # type: ignore[arg-type]
    ("a number for a transport", lambda: client(transport=5), "TypeError", "`transport`|HttpTransport|not int"),
    ("a text for a manager", lambda: on_httpx.BearerAuth(WRONG, "n"), "TypeError", "`manager`|TokenManager(client)|not str"),
    ("None for a manager, for requests", lambda: on_requests.BearerAuth(None, "n"), "TypeError", "`manager`|TokenManager(client)|NoneType"),  # type: ignore[arg-type]
    ("a number for a name", lambda: on_httpx.BearerAuth(manager(), 5), "TypeError", "`name`|str|not int"),  # type: ignore[arg-type]
    ("bytes for hosts", lambda: on_httpx.BearerAuth(manager(), "n", hosts=b"a"), "TypeError", "`hosts`|not bytes"),  # type: ignore[arg-type]
    ("a word for True", lambda: on_httpx.BearerAuth(manager(), "n", danger_allow_http=WRONG), "TypeError", "`danger_allow_http`|True or False"),
    ("API keys that are called", lambda: ApiKeys("sqlite:///a"), "TypeError", "ApiKeys.open(url)"),  # type: ignore[call-arg]
    ("a store that is called", lambda: Store("sqlite:///a"), "TypeError", "Store.open(url)"),  # type: ignore[call-arg]
    ("a key that is called", lambda: Key(PRIVATE), "TypeError", "Key.from_pem(...)"),  # type: ignore[call-arg]
    ("bytes for an issuer", lambda: client(issuer=b"https://a.example"), "TypeError", "`issuer`|a str|not bytes"),
    ("a number for an issuer", lambda: client(issuer=5), "TypeError", "`issuer`|a str|not int"),
    ("bytes for a secret", lambda: client(client_secret=b"s"), "TypeError", "`client_secret`|a str|not bytes"),
    ("a word for a flag", lambda: client(require_pkce="yes"), "TypeError", "`require_pkce`|True or False|not str"),
    ("a mapping for scopes", lambda: client(scopes={"a": 1}), "TypeError", "`scopes`|list of str|not dict"),
    ("numbers for scopes", lambda: client(scopes=[1]), "TypeError", "`scopes`|list of str|int"),
    ("a list for endpoints", lambda: client(endpoints=["a"]), "TypeError", "`endpoints`|mapping"),
    ("a number for a private key", lambda: client(private_key=5), "TypeError", "`private_key`|gatekey.Key|not int"),
    ("a text for introspection", lambda: asked(introspection="c"), "TypeError", "`introspection`|OAuthClient(|not str"),
    ("a word for unknown tokens", lambda: asked(introspection=client(), introspection_unknown_tokens=1.5), "TypeError", "introspection_unknown_tokens|int|not float"),
    ("too many unknown tokens", lambda: asked(introspection=client(), introspection_unknown_tokens=2**70), "ConfigurationError", "`introspection_unknown_tokens`|4294967295"),
    ("bytes for clients", lambda: asked(clients=b"c"), "TypeError", "`clients`|not bytes"),
    ("a number for an audience", lambda: ResourceServer(5, issuer=ISSUER), "TypeError", "`audience`|a str|not int"),  # type: ignore[arg-type]
    ("half a character", lambda: asked(tenant_claim="\ud800"), "UsageError", "`tenant_claim`|surrogate"),
    ("a negative number of bytes", lambda: verify(max_token_bytes=-1), "ConfigurationError", "`max_token_bytes`|1048576"),
    ("a huge number of bytes", lambda: verify(max_header_bytes=2**70), "ConfigurationError", "`max_header_bytes`|1048576"),
    ("a thousand million bytes", lambda: verify(max_header_bytes=10**9), "ConfigurationError", "`max_header_bytes`|1048576"),
    ("True for a number", lambda: verify(max_token_bytes=True), "TypeError", "max_token_bytes|int|bool"),
    ("a Decimal for seconds", lambda: verify(leeway=Decimal(1)), "TypeError", "leeway|seconds|Decimal"),
    ("a number of bits", lambda: Key.generate("RS256", bits=-1), "ConfigurationError", "`bits`"),
    ("two names in one", lambda: verify(required="sub exp"), "ConfigurationError", "`required`|several"),
    ("a cursor of keys that is unknown", lambda: keys().list(cursor="nope"), "UsageError", "`cursor`|first page"),
    ("a cursor of events that is unknown", lambda: sessions().events(cursor="nope"), "UsageError", "`cursor`|first page"),
    ("a cost above the rate", costly, "RateLimitedError", "`cost`|`rate`|ever"),
    ("a deadline by its name", lambda: client(deadline=3600), "UsageError", "`deadline`|120"),
    ("a certificate by its name", lambda: HttpTransport(ca="x"), "ConfigurationError", "`ca`"),
    ("a claim without a JSON form", lambda: verify(claims={"a": Decimal(1)}), "TypeError", "Decimal|JSON form"),
    ("a header without a JSON form", lambda: Signer(ec(), headers={"a": Decimal(1)}), "TypeError", "Decimal|default="),
]

# fmt: on
ROWS = TOKENS + KEYS + SIGNING + KEPT + OAUTH + MISPLACED + TYPES


def told(row: Row) -> tuple[BaseException | None, list[str]]:
    """What is raised, and what is wrong with it."""
    _, act, kinds, words = row
    try:
        act()
    except Exception as error:  # noqa: BLE001
        text = str(error)
        wrong = [f"has no {word!r}" for word in words.split("|") if word not in text]
        wrong += [f"has {word!r}" for word in FOREIGN if word in text]
        shown = "".join([text, repr(error), *getattr(error, "__notes__", [])])
        wrong += [f"shows {secret[:4]}..." for secret in secrets() if secret in shown]
        names = [kind.__name__ for kind in type(error).__mro__]
        if kinds and not set(kinds.split("|")) & set(names):
            wrong.append(f"is a {names[0]}")
        if not kinds and not isinstance(error, gatekey.exceptions.GatekeyError):
            wrong.append(f"is a {names[0]}")
        public = getattr(error, "public_message", "")
        inner = (ISSUER, "orders", "RS256", "`")
        wrong += [f"tells {word!r} to the caller" for word in inner if word in public]
        return error, wrong
    return None, ["is accepted"]


def secrets() -> list[str]:
    """What no text may repeat: a part of each."""
    private = ec().to_jwk(private=True)["d"]
    return [
        api_key()[:24],
        signed()[:20],
        PRIVATE.splitlines()[1][:20],
        private[:12],
        "hunter2horse",
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_mistake_is_told(row: Row) -> None:
    error, wrong = told(row)
    assert not wrong, f"{', '.join(wrong)}: {error!r}"


def test_there_are_enough() -> None:
    assert len(ROWS) >= 101
    assert len({row[0] for row in ROWS}) == len(ROWS)
