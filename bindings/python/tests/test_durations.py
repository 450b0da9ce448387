"""Every argument that is a length of time: which values it takes, and which it refuses by name."""

from __future__ import annotations

import inspect
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import gatekey
from gatekey import (
    ApiKeys,
    Cookie,
    DoorRule,
    HttpTransport,
    Key,
    KeyRing,
    OAuthClient,
    RemoteKeySet,
    ResourceServer,
    Revocations,
    Sessions,
    Signer,
    SignRequest,
    Store,
    TokenManager,
    Verifier,
    aio,
    danger_decode_unverified,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key.from_secret(bytes(range(32)), "HS256")
PEPPER = bytes(32)
NOW = 1_800_000_000

# The names of arguments that are lengths of time.
NAMES = {
    "absolute_ttl",
    "cooldown",
    "deadline",
    "every",
    "expires_in",
    "grace",
    "introspection_negative_ttl",
    "introspection_ttl",
    "leeway",
    "max_age",
    "max_stale",
    "max_token_ttl",
    "max_ttl",
    "min_ttl",
    "overlap",
    "refresh_ttl",
    "token_ttl",
    "ttl",
}


ELSEWHERE = Key.generate("ES256")


def signs_elsewhere(request: SignRequest) -> bytes:
    own = load_pem_private_key(ELSEWHERE.to_pem(private=True).encode(), None)
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    return own.sign(request.message, ec.ECDSA(hashes.SHA256()))


def api_keys() -> ApiKeys:
    return ApiKeys.open("memory:", pepper=PEPPER)


def store() -> Store:
    return Store.open("memory:", pepper=PEPPER)


def rotated(**options: Any) -> object:
    keys = api_keys()
    return keys.rotate(keys.create(owner="a").record.id, **options)


def updated(**options: Any) -> object:
    keys = api_keys()
    return keys.update(keys.create(owner="a").record.id, **options)


def client(**options: Any) -> OAuthClient:
    return OAuthClient("c", issuer="https://a.example", client_secret="s" * 32, **options)


def begun(**options: Any) -> object:
    endpoints = {
        "authorization_endpoint": "https://a.example/a",
        "token_endpoint": "https://a.example/t",
    }
    own = client(discover=False, endpoints=endpoints, redirect_uri="https://b.example/c")
    return own.begin(**options)


def door(**options: Any) -> ResourceServer:
    return ResourceServer("https://api.example", issuer="https://a.example", keys=KEY, **options)


def ruled(**options: Any) -> ResourceServer:
    rule = DoorRule(KEY, **options)
    return ResourceServer("https://api.example", issuers={"https://a.example": rule})


def asking(**options: Any) -> ResourceServer:
    own = client(discover=False, endpoints={"introspection_endpoint": "https://a.example/i"})
    return ResourceServer("https://api.example", introspection=own, **options)


def checked(**options: Any) -> object:
    with pytest.raises(exceptions.GatekeyError) as raised:
        door().check(None, **options)
    if isinstance(raised.value, exceptions.UsageError):
        raise raised.value
    return raised.value


def managed(method: str, **options: Any) -> object:
    manager = TokenManager(client())
    try:
        return getattr(manager, method)("name", **options)
    except exceptions.NoTokenError as none:
        return none


CALLS: dict[str, tuple[set[str], Callable[..., object]]] = {
    "ApiKeys.open": ({"max_stale"}, lambda **o: ApiKeys.open("memory:", pepper=PEPPER, **o)),
    "ApiKeys.create": ({"expires_in"}, lambda **o: api_keys().create(owner="a", **o)),
    "ApiKeys.update": ({"expires_in"}, updated),
    "ApiKeys.rotate": ({"overlap"}, rotated),
    "credits": (
        {"every"},
        lambda every: api_keys().create(
            owner="a", credits={"amount": 1, "refill": 1, "every": every}
        ),
    ),
    "Cookie": ({"max_age"}, lambda **o: Cookie("__Host-a", **o)),
    "HttpTransport": ({"deadline"}, HttpTransport),
    "KeyRing.open": (
        {"token_ttl", "max_stale"},
        lambda **o: KeyRing.open("memory:", pepper=PEPPER, **o),
    ),
    "OAuthClient": ({"leeway", "deadline"}, client),
    "OAuthClient.begin": ({"max_age"}, begun),
    "RemoteKeySet": (
        {"ttl", "min_ttl", "max_ttl", "cooldown", "max_stale", "deadline"},
        lambda **o: RemoteKeySet(url="https://a.example/jwks", **o),
    ),
    "DoorRule": ({"leeway"}, ruled),
    "ResourceServer": ({"leeway"}, door),
    "ResourceServer, asking": ({"introspection_ttl", "introspection_negative_ttl"}, asking),
    "ResourceServer.check": ({"max_age"}, checked),
    "Revocations.open": (
        {"max_stale", "max_token_ttl"},
        lambda **o: Revocations.open("memory:", **o),
    ),
    "Sessions.open": (
        {"refresh_ttl", "absolute_ttl", "grace", "max_stale", "max_token_ttl"},
        lambda **o: Sessions.open("memory:", pepper=PEPPER, **o),
    ),
    "Key.with_callback": (
        {"deadline"},
        lambda **o: Key.with_callback(ELSEWHERE.public(), signs_elsewhere, **o),
    ),
    "Store.open": ({"max_stale"}, lambda **o: Store.open("memory:", pepper=PEPPER, **o)),
    "Store.key_ring": ({"token_ttl"}, lambda **o: store().key_ring(**o)),
    "Store.revocations": ({"max_token_ttl"}, lambda **o: store().revocations(**o)),
    "Store.sessions": (
        {"refresh_ttl", "absolute_ttl", "grace", "max_token_ttl"},
        lambda **o: store().sessions(**o),
    ),
    "Signer": ({"ttl"}, lambda **o: Signer(KEY, **o)),
    "TokenManager.access_token": ({"min_ttl"}, lambda **o: managed("access_token", **o)),
    "TokenManager.known": ({"min_ttl"}, lambda **o: managed("known", **o)),
    "TokenManager.tokens": ({"min_ttl"}, lambda **o: managed("tokens", **o)),
    "Verifier": ({"leeway", "max_age"}, lambda **o: Verifier(KEY, **o)),
    "Verifier.for_issuers": (
        {"leeway", "max_age"},
        lambda **o: Verifier.for_issuers({"https://a.example": KEY}, **o),
    ),
}
CASES = [(call, name) for call, (names, _) in CALLS.items() for name in sorted(names)]


def test_every_duration_has_a_case() -> None:
    found: set[tuple[str, str]] = set()
    places = [(gatekey, name) for name in gatekey.__all__] + [(aio, name) for name in aio.__all__]
    for place, name in places:
        thing = getattr(place, name)
        methods = [
            (f"{name}.{method}", getattr(thing, method))
            for method in (vars(thing) if inspect.isclass(thing) else ())
            if not method.startswith("_")
        ]
        for label, call in [(name, thing), *methods]:
            try:
                parameters = inspect.signature(call).parameters
            except (TypeError, ValueError):
                continue
            found |= {(label, one) for one in parameters if one in NAMES}
    known = {(call.split(",")[0], name) for call, name in CASES}
    assert found <= known, "name a case for each argument that is a length of time"


@pytest.mark.parametrize(("call", "name"), CASES)
def test_a_duration_is_seconds_or_a_timedelta(call: str, name: str) -> None:
    work = CALLS[call][1]
    # What holds one value to another must find it in range.
    more = {"absolute_ttl": 10**6} if name == "refresh_ttl" else {}
    more = {"refresh_ttl": 1} if name == "absolute_ttl" else more
    more = {"max_ttl": 10**4} if name in {"ttl", "min_ttl"} and call == "RemoteKeySet" else more
    more = {"min_ttl": 1} if name == "max_ttl" else more
    for good in (20, 20.0, 20.25, timedelta(seconds=20), timedelta(milliseconds=20_250)):
        work(**{name: good}, **more)
    for bad in (-1, -0.001, math.nan, math.inf, -math.inf, 10**30, timedelta(seconds=-1)):
        with pytest.raises(exceptions.UsageError, match=name):
            work(**{name: bad}, **more)
    for wrong in (True, False, "20", b"20", [20], object(), 20j):
        with pytest.raises(TypeError, match=name):
            work(**{name: wrong}, **more)


def test_a_grace_is_kept_to_the_millisecond() -> None:
    for grace in (1.5, timedelta(milliseconds=1500)):
        for after, good in ((0.0, True), (1.499, True), (1.5, True), (1.502, False)):
            now = [NOW + 0.25]

            def clock(now: list[float] = now) -> float:
                return now[0]

            signer = Signer(KEY, ttl=60)
            sessions = Sessions.open(
                "memory:", signer=signer, pepper=PEPPER, grace=grace, clock=clock
            )
            first = sessions.start("alice")
            second = sessions.refresh(first.refresh_token)
            now[0] += after
            if good:
                again = sessions.refresh(first.refresh_token)
                assert again.refresh_token == second.refresh_token
            else:
                with pytest.raises(exceptions.TokenReuseError):
                    sessions.refresh(first.refresh_token)


@pytest.mark.parametrize("none", [0, 0.0, timedelta(0)])
def test_no_grace_is_none(none: float | timedelta) -> None:
    sessions = Sessions.open("memory:", signer=Signer(KEY), pepper=PEPPER, grace=none)
    first = sessions.start("alice")
    sessions.refresh(first.refresh_token)
    with pytest.raises(exceptions.TokenReuseError):
        sessions.refresh(first.refresh_token)


def test_whole_seconds_are_never_longer_for_tokens_and_never_shorter_for_what_is_kept() -> None:
    _, claims = danger_decode_unverified(Signer(KEY, ttl=1.999).sign({}))
    assert claims["exp"] - claims["iat"] == 1
    assert "Max-Age=1;" in Cookie("__Host-a", max_age=1.999).set("x")
    with pytest.raises(exceptions.ConfigurationError):
        Signer(KEY, ttl=0.999)
    list_ = Revocations.open("memory:", max_token_ttl=59.5)
    verifier = Verifier(KEY, revocations=list_)
    assert verifier.verify(Signer(KEY, ttl=60).sign({}))
    with pytest.raises(exceptions.InvalidTokenError):
        verifier.verify(Signer(KEY, ttl=61).sign({}))
