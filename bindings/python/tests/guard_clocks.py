"""Clocks in what a guard was given; for `test_clocks_together.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekey import (
    ApiKeys,
    Csrf,
    DoorRule,
    Key,
    KeyRing,
    ResourceServer,
    Revocations,
    SessionCookies,
    Sessions,
    Signer,
    Store,
)
from gatekey._core import _Request
from gatekey.guard import Guard
from gatekey.testing import CookieJar, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = Callable[[Any], None]

API = "https://api.example"
YEAR = 366 * 86_400
PEPPER = b"a pepper of the tests, 32 bytes."
CSRF = Csrf(bytes(range(32)))


def status(guard: Guard, name: str, value: str) -> int:
    scope = {"method": "GET", "path": "/", "headers": [(name.encode(), value.encode())]}
    return guard._core.check(_Request.of_asgi(scope), guard.demand()).status


def key_that_expires(place: Any, keys: ApiKeys) -> None:
    """By the clock of the keys."""
    guard = Guard(api_keys=keys)
    key = new_key(guard, expires_in=100)
    assert status(guard, "x-api-key", key) == 200
    place.clock.time += YEAR
    assert status(guard, "x-api-key", key) == 401


def of_keys(place: Any) -> None:
    key_that_expires(place, place.keys())


def of_a_store(place: Any) -> None:
    store = Store.open(place.url, pepper=PEPPER, clock=place.clock)
    guard = Guard(store)
    key = new_key(guard, expires_in=100)
    assert status(guard, "x-api-key", key) == 200
    place.clock.time += YEAR
    assert status(guard, "x-api-key", key) == 401


def of_sessions(place: Any) -> None:
    signer = Signer(Key.generate("HS256"), issuer=API, ttl=900)
    sessions = Sessions.open(place.url, signer=signer, pepper=PEPPER, clock=place.clock)
    expires(place, Guard(sessions=sessions, cookies=SessionCookies(CSRF)))


def of_a_ring(place: Any) -> None:
    """The ring of a guard's sessions is read by its own clock, when tokens are made, too."""
    ring = place.ring()
    store = Store.open("memory:", pepper=PEPPER, clock=place.clock)
    guard = Guard(store, issuer=API, key_ring=ring, cookies=SessionCookies(CSRF))
    old = guard.start_session("alice").tokens
    ring.rotate()
    place.clock.time += YEAR
    new = guard.start_session("alice").tokens
    assert old is not None
    assert new is not None
    assert status(guard, "authorization", f"Bearer {new.access_token}") == 200
    assert status(guard, "authorization", f"Bearer {old.access_token}") == 401


def expires(place: Any, guard: Guard) -> None:
    decision = guard.start_session("alice")
    jar = CookieJar()
    jar.take(value for name, value in decision.headers if name == "Set-Cookie")
    assert status(guard, "cookie", jar.header) == 200
    place.clock.time += 1000
    assert status(guard, "cookie", jar.header) == 401


def token_of(ring: KeyRing) -> str:
    signer = Signer(ring, issuer=API, audience=API, typ="at+jwt")
    return signer.sign({"sub": "alice", "client_id": "c"})


def lapses(place: Any, made: Callable[[KeyRing], Guard]) -> None:
    """A key of a ring lapses by the ring's clock."""
    ring = place.ring()
    guard, token = made(ring), token_of(ring)
    ring.rotate()
    assert status(guard, "authorization", f"Bearer {token}") == 200
    place.clock.time += YEAR
    assert status(guard, "authorization", f"Bearer {token}") == 401


def revoked(place: Any) -> None:
    """A revocation before a time of the list's clock."""
    key = Key.generate("HS256")
    revocations: Revocations = place.revocations()
    issuers = {API: key}
    guard = Guard(issuers=issuers, audience=API, revocations=revocations, clock=place.clock)
    signer = Signer(key, issuer=API, audience=API, typ="at+jwt", clock=place.clock)
    token = signer.sign({"sub": "alice", "client_id": "c"})
    assert status(guard, "authorization", f"Bearer {token}") == 200
    place.clock.time += 2
    revocations.revoke_subject("alice")
    assert status(guard, "authorization", f"Bearer {token}") == 401


def of_issuers(ring: KeyRing) -> Guard:
    return Guard(issuers={API: ring}, audience=API)


def of_a_rule(ring: KeyRing) -> Guard:
    return Guard(issuers={API: DoorRule(ring, clients=["c"])}, audience=API)


def of_tokens(ring: KeyRing) -> Guard:
    return Guard(tokens=ResourceServer(API, issuer=API, keys=ring))


GUARDED: dict[str, Case] = {
    "Guard(api_keys=ApiKeys)": of_keys,
    "_Guard(api_keys=ApiKeys)": of_keys,
    "Guard(store=Store)": of_a_store,
    "Guard(sessions=Sessions)": of_sessions,
    "_Guard(sessions=Sessions)": of_sessions,
    "Guard(key_ring=KeyRing)": of_a_ring,
    "Guard(issuers=KeyRing)": lambda place: lapses(place, of_issuers),
    "Guard(issuers=DoorRule)": lambda place: lapses(place, of_a_rule),
    "Guard(tokens=ResourceServer)": lambda place: lapses(place, of_tokens),
    "_Guard(tokens=ResourceServer)": lambda place: lapses(place, of_tokens),
    "Guard(revocations=Revocations)": revoked,
    "_Guard(revocations=Revocations)": revoked,
}
