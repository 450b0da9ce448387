"""What a guard of the tests has: a store, another issuer, a server that knows opaque tokens.

And how each kind of credential is sent, good, and bad in every way.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from gatekey import Key, OAuthClient, ResourceServer, Signer, Store
from gatekey.exceptions import StoreUnavailableError
from gatekey.testing import Clock, CookieJar, Issuer, log_in, new_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gatekey import HttpRequest
    from gatekey.guard import Guard

API = "https://api.example"
OWN = "https://shop.example"
OTHER = "https://auth.example"
PEPPER = b"a pepper of the tests, 32 bytes."
CSRF = b"a secret of the tests, 32 bytes."
NOW = 1_800_000_000
Headers = list[tuple[str, str]]


class Asked:
    """An authorization server that knows the tokens of `known` (RFC 7662)."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, object]] = {}
        self.calls = 0
        self.is_gone = False

    def send(self, request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        self.calls += 1
        if self.is_gone:
            raise ConnectionError
        token = parse_qs((request.body or b"").decode())["token"][0]
        answer = self.known.get(token, {"active": False})
        return 200, [("content-type", "application/json")], json.dumps(answer).encode()


@dataclass
class World:
    """One service, whatever its framework."""

    guard_class: type[Guard]
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)

    closing: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(NOW)
        self.issuer = Issuer(OTHER, clock=self.clock)
        self.asked = Asked()
        client = OAuthClient(
            "rs",
            endpoints={"introspection_endpoint": OTHER + "/introspect"},
            client_secret="x" * 32,
            transport=self.asked,
            clock=self.clock,
        )
        self.file = self.folder / "auth.sqlite"
        self.store = Store.open(
            self.file, pepper=PEPPER, strict=True, max_stale=0, clock=self.clock
        )
        self.revocations = self.store.revocations()
        tokens = ResourceServer(
            API,
            issuers={OTHER: self.issuer.keys},
            introspection=client,
            tenant_claim="tenant",
            clock=self.clock,
        )
        given: dict[str, Any] = {
            "issuer": OWN,
            "audience": API,
            "tokens": tokens,
            "cookies": True,
            "csrf_secret": CSRF,
            "public_url": OWN,
            "revocations": self.revocations,
            "clock": self.clock,
        }
        self.guard = self.guard_class(self.store, **(given | self.options))

    def close(self) -> None:
        for call in self.closing:
            call()
        with suppress(StoreUnavailableError):  # of a test that has lost it
            self.store.close()

    # ---- credentials ----

    def key(self, **options: Any) -> Headers:
        given: dict[str, Any] = {"scopes": ["orders:read"], "tenant": "acme"}
        return [("X-API-Key", new_key(self.guard, **(given | options)))]

    def jar(self, **options: Any) -> CookieJar:
        given: dict[str, Any] = {"scopes": ["orders:read"], "claims": {"tenant": "acme"}}
        return log_in(self.guard, **(given | options))

    def cookie(self, **options: Any) -> Headers:
        return [("Cookie", self.jar(**options).header)]

    def access_token(self, **options: Any) -> str:
        return self.jar(**options)["__Host-access"]

    def own_token(self, *, typ: str = "at+jwt", audience: str = API, **claims: Any) -> str:
        """A token as sessions make them, or nearly."""
        assert self.guard.key_ring is not None
        signer = Signer(
            self.guard.key_ring, issuer=OWN, audience=audience, typ=typ, clock=self.clock
        )
        own = {"sub": "alice", "sid": "0123456789Ab", "scope": "orders:read", "tenant": "acme"}
        return signer.sign(own | claims)

    def foreign(self, **options: Any) -> Headers:
        given: dict[str, Any] = {"audience": API, "scope": "orders:read", "tenant": "acme"}
        return bearer(self.issuer.token(**(given | options)))

    def opaque(self, **members: Any) -> Headers:
        token = f"opaque-{len(self.asked.known)}"
        known = {"active": True, "aud": API, "sub": "alice", "scope": "orders:read"}
        extra = {"tenant": "acme", "exp": NOW + 900, "iat": NOW, "iss": OTHER}
        self.asked.known[token] = known | extra | members
        return bearer(token)


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def signed_badly(token: str) -> str:
    """Change the first character of a signature: none of its bits is padding."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def cookie_of(token: str) -> Headers:
    return [("Cookie", f"__Host-access={token}")]


@dataclass(frozen=True)
class Row:
    """A request that is made of a world, and what is changed before it is sent."""

    make: Callable[[World], Headers]
    target: str = "/orders"
    method: str = "GET"
    before: Callable[[World, Headers], None] | None = None
    times: int = 1
    """How often it is sent; the last answer counts."""


def advance(seconds: int) -> Callable[[World, Headers], None]:
    return lambda world, _: world.clock.advance(seconds)


def revoke_key(world: World, headers: Headers) -> None:
    assert world.guard.api_keys is not None
    world.guard.api_keys.revoke(headers[0][1].split("_")[2][:12])


def end_sessions(world: World, _: Headers) -> None:
    assert world.guard.sessions is not None
    world.guard.sessions.end_all("alice")


def revoke_subject(world: World, _: Headers) -> None:
    world.clock.advance(2)
    world.revocations.revoke_subject("alice")


def lose_server(world: World, _: Headers) -> None:
    world.asked.is_gone = True


def lose_store(world: World, _: Headers) -> None:
    for file in world.folder.glob("auth.sqlite*"):
        file.rename(file.with_name(f"gone-{file.name}"))


def rows() -> dict[str, dict[str, Row]]:
    """Every kind of credential, and every way in which it is refused that it has."""
    new = Key.generate("ES256")
    found: dict[str, dict[str, Row]] = {
        "api key": {
            "good": Row(lambda w: w.key()),
            "malformed": Row(lambda _: [("X-API-Key", "gk_live_no")]),
            "bad secret": Row(lambda _: [("X-API-Key", unknown_key())]),
            "expired": Row(lambda w: w.key(expires_in=10), before=advance(11)),
            "not yet": Row(lambda w: w.key(not_before=NOW + 60)),
            "revoked": Row(lambda w: w.key(), before=revoke_key),
            "scope": Row(lambda w: w.key(scopes=["other"])),
            "tenant": Row(lambda w: w.key(tenant="other"), target="/tenant"),
            "network": Row(lambda w: w.key(cidrs=["10.0.0.0/8"])),
            "rate": Row(lambda w: w.key(rate="1/60s"), times=2),
            "rate left": Row(lambda w: w.key(rate="10/60s"), times=2),
            "store gone": Row(lambda w: w.key(), before=lose_store),
        },
        "opaque": {
            "good": Row(lambda w: w.opaque()),
            "malformed": Row(lambda _: bearer("opaque token")),
            "bad secret": Row(lambda _: bearer("unknown-to-the-server")),
            "expired": Row(lambda w: w.opaque(exp=NOW - 60)),
            "not yet": Row(lambda w: w.opaque(nbf=NOW + 600)),
            "revoked": Row(lambda w: w.opaque(active=False)),
            "wrong audience": Row(lambda w: w.opaque(aud="https://other.example")),
            "scope": Row(lambda w: w.opaque(scope="other")),
            "tenant": Row(lambda w: w.opaque(tenant="other"), target="/tenant"),
            "server gone": Row(lambda w: w.opaque(), before=lose_server),
        },
        "foreign jwt": {
            "good": Row(lambda w: w.foreign()),
            "malformed": Row(lambda _: bearer("a.b.c")),
            "bad secret": Row(lambda w: bearer(signed_badly(w.foreign()[0][1][7:]))),
            "unknown key": Row(lambda w: w.foreign(key=new)),
            "expired": Row(lambda w: w.foreign(), before=advance(1000)),
            "not yet": Row(lambda w: w.foreign(nbf=NOW + 600)),
            "revoked": Row(lambda w: w.foreign(), before=revoke_subject),
            "wrong audience": Row(lambda w: w.foreign(audience="https://other.example")),
            "wrong type": Row(lambda w: w.foreign(typ="JWT")),
            "wrong issuer": Row(lambda w: w.foreign(iss="https://evil.example")),
            "scope": Row(lambda w: w.foreign(scope="other")),
            "tenant": Row(lambda w: w.foreign(tenant="other"), target="/tenant"),
            "store gone": Row(lambda w: w.foreign(), before=lose_store),
        },
    }
    ways: dict[str, Callable[[str], Headers]] = {"cookie": cookie_of, "bearer": bearer}
    for name, sent in ways.items():
        own = of_sessions(sent)
        found[f"session {name}"] = own
    found["session cookie"]["twice"] = Row(
        lambda w: [("Cookie", f"__Host-access={w.access_token()}; __Host-access=B")]
    )
    for name, kind in found.items():
        kind["rate of a route"] = Row(kind["good"].make, target="/limited", times=2)
        kind["rate of a route left"] = Row(kind["good"].make, target="/limited")
        kind["csrf"] = Row(kind["good"].make, method="POST")
        kind["other kind"] = Row(kind["good"].make, target=f"/not/{name.split()[0]}")
        kind["optional"] = Row(kind["good"].make, target="/optional")
        kind["public"] = Row(kind["malformed"].make, target="/public")
        kind["optional and bad"] = Row(kind["bad secret"].make, target="/optional")
        kind["two"] = Row(two_of(kind["good"].make, name))
    found["nothing"] = {
        "none": Row(lambda _: []),
        "basic": Row(lambda _: [("Authorization", "Basic eDp5")]),
        "optional": Row(lambda _: [], target="/optional"),
        "public": Row(lambda _: [], target="/public"),
        "empty": Row(lambda _: [("Authorization", "")]),
        "bearer of nothing": Row(lambda _: [("Authorization", "Bearer")]),
        "bearer of two": Row(lambda _: [("Authorization", "Bearer A, Bearer B")]),
        "control": Row(lambda _: [("X-API-Key", "a\x01b")]),
        "preflight": Row(
            lambda _: [("Access-Control-Request-Method", "POST"), ("Origin", "https://evil.test")],
            method="OPTIONS",
            target="/any",
        ),
        "rate of a route": Row(lambda _: [], target="/limited-public", times=2),
    }
    return found


def of_sessions(sent: Callable[[str], Headers]) -> dict[str, Row]:
    return {
        "good": Row(lambda w: sent(w.access_token())),
        "malformed": Row(lambda _: sent("a.b.c")),
        "bad secret": Row(lambda w: sent(signed_badly(w.access_token()))),
        "expired": Row(lambda w: sent(w.access_token()), before=advance(1000)),
        "not yet": Row(lambda w: sent(w.own_token(nbf=NOW + 600))),
        "revoked": Row(lambda w: sent(w.access_token()), before=end_sessions),
        "wrong audience": Row(lambda w: sent(w.own_token(audience="https://other.example"))),
        "wrong type": Row(lambda w: sent(w.own_token(typ="JWT"))),
        "scope": Row(lambda w: sent(w.access_token(scopes=["other"]))),
        "tenant": Row(lambda w: sent(w.access_token(claims={"tenant": "other"})), target="/tenant"),
        "store gone": Row(lambda w: sent(w.access_token()), before=lose_store),
    }


def two_of(make: Callable[[World], Headers], name: str) -> Callable[[World], Headers]:
    """The same, and a good credential of another kind."""
    if name == "api key":
        return lambda world: make(world) + world.foreign()
    return lambda world: make(world) + world.key()


def unknown_key() -> str:
    return Store.open("memory:", pepper=PEPPER).api_keys().create(owner="o").secret
