"""Clocks of Python's in what was given to another object: that one's calls read them, too, and a
clock that stands still hides no change of another process.

What takes what is read from the annotations: a new pair without a case fails."""

from __future__ import annotations

import ast
import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from guard_clocks import GUARDED

import gatekey
from gatekey import (
    ApiKeys,
    DoorRule,
    Key,
    KeyRing,
    OAuthClient,
    ResourceServer,
    Revocations,
    Sessions,
    Signer,
    TokenManager,
    Verifier,
    aio,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = Callable[["Place"], None]

NOW = int(time.time())
YEAR = 366 * 86_400
PEPPER = b"a pepper of the tests, 32 bytes."
SECRET = Key.generate("HS256", kid="shared")
API = "https://api.example"
CASES: dict[str, Case | str] = {}

PACKAGE = Path(gatekey.__file__).parent
MAKERS = {"__new__", "__init__", "open", "for_issuers"}
# A class by another name: what the class of the same name is made of.
BEHIND = {"_OAuthClient": "OAuthClient", "_Client": "OAuthClient", "Registration": "OAuthClient"}
BEHIND |= {"_ResourceServer": "ResourceServer", "_TokenManager": "TokenManager"}


class Clock:
    """Stands still until it is moved, a minute after what is signed by the system's."""

    def __init__(self) -> None:
        self.time: float = int(time.time()) + 60

    def __call__(self) -> float:
        return self.time


class Place:
    """A store that two handles have open, as two processes do."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/store.sqlite"
        self.clock = Clock()

    def keys(self) -> ApiKeys:
        return ApiKeys.open(self.url, pepper=PEPPER, clock=self.clock)

    def ring(self) -> KeyRing:
        return KeyRing.open(self.url, pepper=PEPPER, alg="HS256", clock=self.clock)

    def revocations(self) -> Revocations:
        return Revocations.open(self.url, clock=self.clock)


def arguments() -> dict[tuple[str, str], set[str]]:
    """Which names the arguments of the makers of each class are annotated with."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in [PACKAGE / "_core.pyi", *sorted(PACKAGE.rglob("*.py"))]:
        for of in ast.parse(file.read_text()).body:
            if not isinstance(of, ast.ClassDef):
                continue
            name = BEHIND.get(of.name, of.name)
            for made in of.body:
                if not isinstance(made, ast.FunctionDef) or made.name not in MAKERS:
                    continue
                for one in [*made.args.args, *made.args.kwonlyargs]:
                    nodes = ast.walk(one.annotation) if one.annotation else ()
                    names = {node.id for node in nodes if isinstance(node, ast.Name)}
                    where = name if made.name != "for_issuers" else f"{name}.for_issuers"
                    known = found.setdefault((where, one.arg), set())
                    known |= {BEHIND.get(named, named) for named in names}
    return found


def pairs() -> set[str]:
    """Who takes what has a clock, or has been given something that has."""
    takes = arguments()
    clocked = {of.partition(".")[0] for of, argument in takes if argument == "clock"}
    known = 0
    while known != len(clocked):
        known = len(clocked)
        clocked |= {of.partition(".")[0] for (of, _), names in takes.items() if names & clocked}
    found = set()
    for (of, argument), names in takes.items():
        found |= {f"{of}({argument}={name})" for name in names & clocked}
    return found


def case(name: str) -> Callable[[Case], Case]:
    def note(make: Case) -> Case:
        CASES[name] = make
        return make

    return note


def eventually(
    refusal: type[Exception] | tuple[type[Exception], ...], call: Callable[[], Any]
) -> None:
    """Expect the refusal as soon as the other handle's change is seen."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            call()
        except refusal:
            return
    pytest.fail("the change of another process was not seen")


GONE = (exceptions.KeyNotFoundError, exceptions.InvalidSignatureError)


def kid(token: str) -> str:
    return str(gatekey.danger_decode_unverified(token)[0]["kid"])


def until_it_signs_with(other: str, sign: Callable[[], str]) -> None:
    until = time.monotonic() + 60
    while kid(sign()) != other:
        assert time.monotonic() < until, "the change of another process was not seen"


@case("Signer(key=KeyRing)")
def _(place: Place) -> None:
    signer = Signer(place.ring(), ttl=900)
    signer.sign({})
    until_it_signs_with(place.ring().rotate().kid, lambda: signer.sign({}))


@case("Sessions(signer=Signer)")
def _(place: Place) -> None:
    signer = Signer(place.ring(), ttl=900, clock=place.clock)
    with Sessions.open("memory:", signer=signer, pepper=PEPPER, clock=place.clock) as sessions:
        assert sessions.start("alice").access_token
        place.clock.time += YEAR
        claims = gatekey.danger_decode_unverified(str(sessions.start("a").access_token))[1]
        assert (claims["iat"], claims["exp"]) == (place.clock.time, place.clock.time + 900)
        other = place.ring().rotate().kid
        until_it_signs_with(other, lambda: str(sessions.start("alice").access_token))


def lapsed(place: Place, make: Callable[[KeyRing], Callable[[str], object]]) -> None:
    """What verifies with a ring forgets a key that has lapsed, by the ring's clock."""
    ring = place.ring()
    token = Signer(ring, issuer=API, audience=API, typ="at+jwt").sign(
        {"sub": "alice", "client_id": "c"}
    )
    ring.rotate()
    verify = make(ring)
    verify(token)
    place.clock.time += YEAR
    with pytest.raises(GONE):
        verify(token)


def removed(place: Place, make: Callable[[KeyRing], Callable[[str], object]]) -> None:
    ring = place.ring()
    token = Signer(ring, issuer=API, audience=API, typ="at+jwt").sign(
        {"sub": "alice", "client_id": "c"}
    )
    verify = make(ring)
    verify(token)
    place.ring().remove(kid(token))
    eventually(GONE, lambda: verify(token))


def with_verifier(ring: KeyRing) -> Callable[[str], object]:
    clock = Clock()
    return Verifier(ring, issuer=API, audience=API, typ="at+jwt", clock=clock).verify


def with_door(ring: KeyRing) -> Callable[[str], object]:
    door = ResourceServer(API, issuer=API, keys=ring)
    return lambda token: door.check(f"Bearer {token}")


def with_aio_door(ring: KeyRing) -> Callable[[str], object]:
    door = aio.ResourceServer(API, issuer=API, keys=ring)
    return lambda token: asyncio.run(door.check(f"Bearer {token}"))


@case("Verifier(keys=KeyRing)")
def _(place: Place) -> None:
    lapsed(place, with_verifier)
    removed(place, with_verifier)


def with_issuers(ring: KeyRing) -> Callable[[str], object]:
    clock = Clock()
    return Verifier.for_issuers({API: ring}, audience=API, typ="at+jwt", clock=clock).verify


def with_an_issuers_rule(ring: KeyRing) -> Callable[[str], object]:
    rule = gatekey.IssuerRule(ring, audience=API)
    return Verifier.for_issuers({API: rule}, typ="at+jwt", clock=Clock()).verify


@case("Verifier.for_issuers(issuers=KeyRing)")
def _(place: Place) -> None:
    lapsed(place, with_issuers)
    removed(place, with_issuers)


@case("IssuerRule(keys=KeyRing)")
def _(place: Place) -> None:
    lapsed(place, with_an_issuers_rule)
    removed(place, with_an_issuers_rule)


def with_doors_issuers(ring: KeyRing) -> Callable[[str], object]:
    door = ResourceServer(API, issuers={API: ring})
    return lambda token: door.check(f"Bearer {token}")


@case("ResourceServer(issuers=KeyRing)")
def _(place: Place) -> None:
    place.clock.time = int(time.time()) + 60
    lapsed(place, with_doors_issuers)
    place.clock.time = int(time.time()) + 60
    removed(place, with_doors_issuers)


def with_a_rule(ring: KeyRing) -> Callable[[str], object]:
    door = ResourceServer(API, issuers={API: DoorRule(ring, clients=["c"])})
    return lambda token: door.check(f"Bearer {token}")


@case("DoorRule(keys=KeyRing)")
@case("ResourceServer(issuers=DoorRule)")
def _(place: Place) -> None:
    place.clock.time = int(time.time()) + 60
    lapsed(place, with_a_rule)
    place.clock.time = int(time.time()) + 60
    removed(place, with_a_rule)


@case("ResourceServer(keys=KeyRing)")
def _(place: Place) -> None:
    for make in (with_door, with_aio_door):
        place.clock.time = int(time.time()) + 60
        lapsed(place, make)
        place.clock.time = int(time.time()) + 60
        removed(place, make)


def revoked(place: Place, make: Callable[[Revocations], Callable[[str], object]]) -> None:
    token = Signer(SECRET, issuer=API, audience=API, typ="at+jwt").sign(
        {"sub": "alice", "client_id": "c"}
    )
    verify = make(place.revocations())
    verify(token)
    place.revocations().revoke_token(API, jti(token), NOW + YEAR)
    eventually(exceptions.RevokedTokenError, lambda: verify(token))


def jti(token: str) -> str:
    return str(gatekey.danger_decode_unverified(token)[1]["jti"])


@case("Verifier(revocations=Revocations)")
def _(place: Place) -> None:
    options: dict[str, Any] = {"audience": API, "typ": "at+jwt"}
    revoked(place, lambda r: Verifier(SECRET, issuer=API, revocations=r, **options).verify)
    still = place.clock
    revoked(
        place, lambda r: Verifier(SECRET, issuer=API, revocations=r, clock=still, **options).verify
    )


@case("Verifier.for_issuers(revocations=Revocations)")
def _(place: Place) -> None:
    options: dict[str, Any] = {"audience": API, "typ": "at+jwt", "clock": place.clock}
    revoked(place, lambda r: Verifier.for_issuers({API: SECRET}, revocations=r, **options).verify)


@case("ResourceServer(revocations=Revocations)")
def _(place: Place) -> None:
    def make(list_: Revocations) -> Callable[[str], object]:
        door = ResourceServer(API, issuer=API, keys=SECRET, revocations=list_)
        return lambda token: door.check(f"Bearer {token}")

    revoked(place, make)


@case("ResourceServer(api_keys=ApiKeys)")
def _(place: Place) -> None:
    keys = place.keys()
    short, gone = keys.create(owner="acme", expires_in=60), keys.create(owner="acme")
    door, there = ResourceServer(API, api_keys=keys), aio.ResourceServer(API, api_keys=keys)

    def ask(secret: object) -> object:
        return asyncio.run(there.check(f"Bearer {secret}"))

    door.check(f"Bearer {short.secret}")
    ask(short.secret)
    place.keys().revoke(gone.record.id)
    eventually(exceptions.ApiKeyRevokedError, lambda: door.check(f"Bearer {gone.secret}"))
    eventually(exceptions.ApiKeyRevokedError, lambda: ask(gone.secret))
    place.clock.time += YEAR
    with pytest.raises(exceptions.ApiKeyExpiredError):
        door.check(f"Bearer {short.secret}")
    with pytest.raises(exceptions.ApiKeyExpiredError):
        ask(short.secret)


@case("OAuthClient(replay=Revocations)")
def _(place: Place) -> None:
    where: dict[str, Any] = {
        "issuer": "https://127.0.0.1:9",
        "discover": False,
        "redirect_uri": "https://app.example/cb",
        "flow_keys": [(1, PEPPER)],
        "endpoints": {
            "authorization_endpoint": "https://127.0.0.1:9/authorize",
            "token_endpoint": "https://127.0.0.1:9/token",
            "jwks_uri": "https://127.0.0.1:9/jwks",
        },
        "replay": place.revocations(),
    }
    client, there = OAuthClient("c", **where), aio.OAuthClient("c", **where)

    def finish(*, asyncio_: bool) -> None:
        begun = client.begin()
        state = begun.url.partition("state=")[2].partition("&")[0]
        cookies = "; ".join(one.partition(";")[0] for one in begun.set_cookies)
        callback = f"https://app.example/cb?code=x&state={state}&iss=https://127.0.0.1:9"
        if asyncio_:
            asyncio.run(there.finish(callback, cookies))
        else:
            client.finish(callback, cookies)

    for twin in (False, True):
        place.clock.time = int(time.time()) + 60
        with pytest.raises(exceptions.TransportError):
            finish(asyncio_=twin)
        # The list's clock says that the log-in is over.
        place.clock.time += YEAR
        with pytest.raises(exceptions.OAuthStateError):
            finish(asyncio_=twin)


# The list of a client is asked when a log-in is finished, and by nothing of these; how old remote
# keys are is told by no clock of Python's.
NEVER_ASKS = "asks nothing that has a clock"
CASES |= dict.fromkeys(
    [
        "Bearer(manager=TokenManager)",
        "BearerAuth(manager=TokenManager)",
        "BearerAuth(manager=AsyncTokenManager)",
        "DoorRule(keys=_RemoteKeySet)",
        "IssuerRule(keys=_RemoteKeySet)",
        "ResourceServer(issuers=RemoteKeySet)",
        "ResourceServer(issuers=_RemoteKeySet)",
        "ResourceServer(keys=RemoteKeySet)",
        "ResourceServer(keys=_RemoteKeySet)",
        "Verifier(keys=_RemoteKeySet)",
        "Verifier.for_issuers(issuers=IssuerRule)",
        "Verifier.for_issuers(issuers=_RemoteKeySet)",
    ],
    NEVER_ASKS,
)


CASES |= GUARDED
CASES |= dict.fromkeys(
    [
        "Guard(issuers=RemoteKeySet)",
        "Guard(oauth=OAuthClient)",
        "_AddHeaders(guard=Guard)",
        "_Doors(guard=Guard)",
        "Exit(guard=Guard)",
        "Watch(guard=Guard)",
        "_Plugin(guard=Guard)",
        "_Requires(guard=Guard)",
        "_Seen(guard=Guard)",
    ],
    NEVER_ASKS,
)


class Asked:
    """Stands for the issuer, and keeps when the client's assertions say that they were made."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.made: list[float] = []

    def send(self, request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        form = parse_qs((request.body or b"").decode())
        assertion = form["client_assertion"][0]
        self.made.append(gatekey.danger_decode_unverified(assertion)[1]["iat"])
        soon = self.place.clock.time + 100
        told = {"active": True, "sub": "alice", "aud": API, "client_id": "c", "exp": soon}
        tokens = {"access_token": "a", "token_type": "Bearer", "expires_in": 100}
        return 200, [], json.dumps(told | tokens).encode()

    async def loop(self, request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        return self.send(request)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "client_secret": "a secret of 32 bytes, or of more.",
            "auth_method": "client_secret_jwt",
            "issuer": API,
            "discover": False,
            "endpoints": {
                "token_endpoint": f"{API}/token",
                "introspection_endpoint": f"{API}/introspect",
            },
            "clock": self.place.clock,
        }


@case("OAuthClient, by itself")
def _(place: Place) -> None:
    asked = Asked(place)
    client = OAuthClient("c", transport=asked, **asked.options)
    there = aio.OAuthClient("c", transport=asked.loop, **asked.options)
    for _again in range(2):
        place.clock.time += YEAR
        tokens = client.client_credentials()
        tokens_there = asyncio.run(there.client_credentials())
        assert asked.made[-2:] == [place.clock.time] * 2
        assert tokens.expires_at == tokens_there.expires_at == place.clock.time + 100


@case("TokenManager(client=OAuthClient)")
def _(place: Place) -> None:
    asked = Asked(place)
    client = OAuthClient("c", transport=asked, **asked.options)
    own = aio.OAuthClient("c", transport=asked.loop, **asked.options)
    manager = TokenManager(client, client_credentials={})
    there = aio.TokenManager(own, client_credentials={})
    for number in range(1, 3):
        manager.access_token("service")
        asyncio.run(there.access_token("service"))
        assert manager.known("service") is not None
        assert len(asked.made) == 2 * number
        place.clock.time += YEAR
        assert manager.known("service") is None


@case("ResourceServer(introspection=OAuthClient)")
def _(place: Place) -> None:
    asked = Asked(place)
    client = OAuthClient("c", transport=asked, **asked.options)
    own = aio.OAuthClient("c", transport=asked.loop, **asked.options)
    door = ResourceServer(API, introspection=client, clock=place.clock)
    there = aio.ResourceServer(API, introspection=own, clock=place.clock)
    for number in range(2):
        place.clock.time += YEAR
        door.check(f"Bearer opaque{number}")
        asyncio.run(there.check(f"Bearer opaque{number}"))
        assert asked.made[-2:] == [place.clock.time] * 2


@case("ResourceServer, by itself")
def _(place: Place) -> None:
    token = Signer(SECRET, issuer=API, audience=API, typ="at+jwt", ttl=900).sign(
        {"sub": "alice", "client_id": "c"}
    )
    door = ResourceServer(API, issuer=API, keys=SECRET, clock=place.clock)
    there = aio.ResourceServer(API, issuer=API, keys=SECRET, clock=place.clock)
    door.check(f"Bearer {token}")
    asyncio.run(there.check(f"Bearer {token}"))
    place.clock.time += YEAR
    with pytest.raises(exceptions.ExpiredSignatureError):
        door.check(f"Bearer {token}")
    with pytest.raises(exceptions.ExpiredSignatureError):
        asyncio.run(there.check(f"Bearer {token}"))


def test_every_pair_has_a_case() -> None:
    found = pairs()
    assert {"Signer(key=KeyRing)", "ResourceServer(api_keys=ApiKeys)"} <= found
    assert found <= set(CASES), f"no case for {sorted(found - set(CASES))}"
    alone = {name for name in CASES if name.endswith(", by itself")}
    stale = {name for name in set(CASES) - found - alone if CASES[name] is not NEVER_ASKS}
    assert not stale, f"nothing takes {sorted(stale)}"


@pytest.mark.parametrize("name", [name for name, made in CASES.items() if made is not NEVER_ASKS])
def test_a_clock_is_read_by_who_was_given_what_has_it(name: str, tmp_path: Path) -> None:
    made = CASES[name]
    assert callable(made)
    made(Place(tmp_path))
