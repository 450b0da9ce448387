"""Which methods let other threads run while they wait: all that can wait, found by introspection.

A call waits for something real: another process holds the store, a server does not answer, a hash is
slow. What it waits for ends only when another thread has had its turns, and the switch interval is so
long that only a call which lets go of the GIL gives it any.

``gatekey.oauth`` and ``gatekey.aio`` drive the classes of the core and have no waits of their own.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from holder import PEPPER, Place, others_run
from test_threads import lets_others_run

from gatekey import (
    ApiKeys,
    HttpTransport,
    Key,
    KeyRing,
    KeySet,
    OAuthTokens,
    RemoteKeySet,
    ResourceServer,
    Revocations,
    Sessions,
    Signer,
    TokenManager,
    Verifier,
    _core,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[[Place], Callable[[], object]]

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)

CASES: dict[str, Make] = {}


def case(name: str) -> Callable[[Make], Make]:
    """Note how to make a call of the method that waits. A name is the method's, and what it waits for."""

    def note(make: Make) -> Make:
        assert name not in CASES, name
        CASES[name] = make
        return make

    return note


def clock() -> float:
    return time.time()


# ---- API keys ----


def reads(call: Callable[[ApiKeys], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        keys = place.keys(**options)
        place.hold("read")
        return lambda: call(keys)

    return make


def writes(call: Callable[[ApiKeys, str], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        keys = place.keys(**options)
        issued = keys.create(owner="o")
        keys.verify(issued.secret)
        place.hold("write")
        return lambda: call(keys, issued.record.id)

    return make


NOBODY = "gk_live_000000000000_0000000000000000000000000000001Fg3Ba"
CASES |= {
    "ApiKeys.get": reads(lambda keys: keys.get("000000000000")),
    "ApiKeys.list": reads(lambda keys: keys.list()),
    "ApiKeys.audit": reads(lambda keys: keys.audit()),
    "ApiKeys.pepper_report": reads(lambda keys: keys.pepper_report()),
    "ApiKeys.create": writes(lambda keys, _: keys.create(owner="o")),
    "ApiKeys.rotate": writes(lambda keys, id: keys.rotate(id)),
    "ApiKeys.revoke": writes(lambda keys, id: keys.revoke(id)),
    "ApiKeys.disable": writes(lambda keys, id: keys.disable(id)),
    "ApiKeys.enable": writes(lambda keys, id: keys.enable(id)),
    "ApiKeys.update": writes(lambda keys, id: keys.update(id, name="n")),
    "ApiKeys.purge": writes(lambda keys, _: keys.purge(2_000_000_000)),
    "ApiKeys.flush": writes(lambda keys, _: keys.flush()),
    "ApiKeys.flush with a clock": writes(lambda keys, _: keys.flush(), clock=clock),
    "ApiKeys.close": writes(lambda keys, _: keys.close()),
    "ApiKeys.__exit__": writes(lambda keys, _: keys.__exit__(None, None, None)),
    "ApiKeys.import_": writes(
        lambda keys, _: keys.import_([{"secret": "legacy-key-1", "owner": "o"}], scheme="plaintext")
    ),
    "ApiKeys.import_ with progress": writes(
        lambda keys, _: keys.import_(
            [{"secret": "legacy-key-1", "owner": "o"}], scheme="plaintext", progress=print
        )
    ),
}


@case("ApiKeys.open")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.keys()
    place.hold("read")
    return place.keys


@case("ApiKeys.wrap_peppers")
def _(place: Place) -> Callable[[], object]:
    with place.keys() as keys:
        keys.create(owner="o")
    both = [(1, PEPPER), (2, b"another pepper of the same tests")]
    keys = ApiKeys.open(place.url, pepper=both)
    place.hold("write")
    return keys.wrap_peppers


@case("ApiKeys is dropped")
def _(place: Place) -> Callable[[], object]:
    only = [place.keys()]
    only[0].verify(only[0].create(owner="o").secret)
    place.hold("write")
    return only.clear


def verifies(name: str, make: Callable[[Place], tuple[ApiKeys, str]], what: str) -> None:
    """Both ways to verify, with the store held."""
    for method in ("verify", "check"):
        for scopes in ({}, {"scopes": ("a",)}, {"scopes": ["a"]}):

            def call(
                place: Place, method: str = method, scopes: dict[str, Any] = scopes
            ) -> Callable[[], object]:
                keys, presented = make(place)
                if what:
                    place.hold(what)
                return lambda: getattr(keys, method)(presented, **scopes)

            asked = type(scopes.get("scopes")).__name__
            CASES[f"ApiKeys.{method} {name}, scopes {asked}"] = call


def known(place: Place, **options: Any) -> tuple[ApiKeys, str]:
    keys = place.keys(**options)
    secret = keys.create(owner="o", scopes=["a"]).secret
    keys.verify(secret)
    time.sleep(0.06)  # so that it is time for a look at the store
    return keys, secret


def unknown(place: Place) -> tuple[ApiKeys, str]:
    other = ApiKeys.open("memory:", pepper=PEPPER)
    keys, secret = known(place)
    keys.verify(secret)
    return keys, other.create(owner="o").secret


def with_credits(place: Place) -> tuple[ApiKeys, str]:
    keys = place.keys()
    return keys, keys.create(owner="o", scopes=["a"], credits=10).secret


def slow(scheme: str, text: str) -> Callable[[Place], tuple[ApiKeys, str]]:
    def make(place: Place) -> tuple[ApiKeys, str]:
        keys = ApiKeys.open("memory:", pepper=PEPPER)
        row = {"hash": text, "lookup": "abcd1234", "owner": "o"}
        keys.import_([row], scheme=scheme)
        return keys, "abcd1234.a wrong secret of some length"

    return make


verifies("at a look", known, "read")
verifies("at a look, with a clock", lambda place: known(place, clock=clock), "read")
verifies("strictly", lambda place: known(place, strict=True), "read")
verifies("of an unknown id", unknown, "read")
verifies("takes credits", with_credits, "write")
verifies(
    "of pbkdf2",
    slow(
        "pbkdf2-sha256", "pbkdf2_sha256$1000000$saltsaltsalt$" + "A" * 43 + "="
    ),
    "",
)
verifies(
    "of bcrypt",
    slow("bcrypt", "$2b$10$" + "abcdefghijklmnopqrstuu" + "A" * 31),
    "",
)
verifies(
    "of argon2",
    slow("argon2", "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43),
    "",
)


# ---- sessions ----


def sessions(what: str, call: Callable[[Sessions, Any], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        own = place.sessions(**options)
        tokens = own.start("alice")
        place.hold(what)
        return lambda: call(own, tokens)

    return make


CASES |= {
    "Sessions.start": sessions("write", lambda own, _: own.start("bob")),
    "Sessions.start with a clock": sessions("write", lambda own, _: own.start("b"), clock=clock),
    "Sessions.refresh": sessions("write", lambda own, t: own.refresh(t.refresh_token)),
    "Sessions.end": sessions("write", lambda own, t: own.end(t.refresh_token)),
    "Sessions.end_all": sessions("write", lambda own, _: own.end_all("alice")),
    "Sessions.list": sessions("read", lambda own, _: own.list("alice")),
    "Sessions.get": sessions("read", lambda own, t: own.get(t.family)),
    "Sessions.events": sessions("read", lambda own, _: own.events()),
    "Sessions.purge": sessions("write", lambda own, _: own.purge(2_000_000_000)),
}


@case("Sessions.open")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.sessions()
    place.hold("read")
    return place.sessions


# ---- revocations ----


def revocations(what: str, call: Callable[[Revocations], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        own = place.revocations(**options)
        own.revoke_subject("mallory")
        place.hold(what)
        return lambda: call(own)

    return make


LATER = 4_000_000_000
CASES |= {
    "Revocations.revoke_token": revocations("write", lambda o: o.revoke_token("i", "j", LATER)),
    "Revocations.revoke_session": revocations("write", lambda o: o.revoke_session("s")),
    "Revocations.revoke_subject": revocations("write", lambda o: o.revoke_subject("s")),
    "Revocations.revoke_key": revocations("write", lambda o: o.revoke_key("k")),
    "Revocations.revoke_before": revocations("write", lambda o: o.revoke_before(1)),
    "Revocations.seen_once": revocations("write", lambda o: o.seen_once("i", "j", LATER)),
    "Revocations.refresh": revocations("read", lambda o: o.refresh()),
    "Revocations.refresh with a clock": revocations("read", lambda o: o.refresh(), clock=clock),
    "Revocations.purge": revocations("write", lambda o: o.purge()),
}


@case("Revocations.open")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.revocations()
    place.hold("read")
    return place.revocations


# ---- rings, signers, verifiers ----


def ring(what: str, call: Callable[[KeyRing], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        own = place.ring(**options)
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold(what)
        return lambda: call(own)

    return make


for more in ({}, {"clock": clock}):
    with_clock = " with a clock" if more else ""
    CASES |= {
        f"KeyRing.rotate{with_clock}": ring("write", lambda own: own.rotate(), **more),
        f"KeyRing.remove{with_clock}": ring("read", lambda own: own.remove("k"), **more),
        f"KeyRing.keys{with_clock}": ring("read", lambda own: own.keys(), **more),
        f"KeyRing.active{with_clock}": ring("read", lambda own: own.active, **more),
        f"KeyRing.to_jwks{with_clock}": ring("read", lambda own: own.to_jwks(), **more),
        f"KeyRing.refresh{with_clock}": ring("read", lambda own: own.refresh(), **more),
        f"Signer.__new__ of a ring{with_clock}": ring("read", Signer, **more),
        f"Verifier.__new__ of a ring{with_clock}": ring("read", Verifier, **more),
    }
CASES["KeyRing.__repr__"] = ring("read", repr)


@case("KeyRing.open")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.ring()
    place.hold("read")
    return place.ring


def following(what: str, alg: str, **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        own = place.ring(alg=alg, **options)
        signer, verifier = Signer(own), Verifier(own)
        token = signer.sign({})
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold("read")
        calls = {
            "sign": lambda: signer.sign({}),
            "prepare": lambda: signer.prepare({}),
            "verify": lambda: verifier.verify(token),
        }
        return calls[what]

    return make


def revoking(**options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        key = Key.generate("HS256")
        verifier = Verifier(key, revocations=place.revocations(**options), **place.options)
        token = Signer(key).sign({})
        verifier.verify(token)
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold("read")
        return lambda: verifier.verify(token)

    return make


for alg in ("HS256", "ES256"):
    for method in ("Signer.sign", "Signer.prepare", "Verifier.verify"):
        verb = method.split(".")[1]
        CASES[f"{method} with a ring of {alg}"] = following(verb, alg)
        CASES[f"{method} with a ring of {alg} and a clock"] = following(verb, alg, clock=clock)
CASES["Verifier.verify with revocations"] = revoking()
CASES["Verifier.verify with strict revocations"] = revoking(strict=True)


@case("Verifier.verify with revocations and a clock")
def _(place: Place) -> Callable[[], object]:
    place.options = {"clock": clock}
    return revoking()(place)


@case("Verifier.verify with remote keys")
def _(place: Place) -> Callable[[], object]:
    made = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    return lambda: Verifier(made)


@case("Verifier.for_issuers of remote keys")
def _(place: Place) -> Callable[[], object]:
    made = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    return lambda: Verifier.for_issuers({"i": made})


# ---- other servers ----


@case("_RemoteKeySet.to_jwks")
def _(place: Place) -> Callable[[], object]:
    return RemoteKeySet(place.silent_server(), allow_loopback_http=True).to_jwks


@case("_Operation.send")
def _(place: Place) -> Callable[[], object]:
    return RemoteKeySet(place.silent_server(), allow_loopback_http=True).refresh


@case("_ResourceServer.check by keys")
def _(place: Place) -> Callable[[], object]:
    address = place.silent_server()
    token = Signer(Key.generate("ES256"), issuer=address, audience="https://a", typ="at+jwt")
    bearer = "Bearer " + token.sign({"sub": "s", "client_id": "c"})
    door = ResourceServer("https://a", issuer=address, allow_loopback_http=True)
    return lambda: door.check(bearer)


@case("_ResourceServer.check by introspection")
def _(place: Place) -> Callable[[], object]:
    client = place.client()
    door = ResourceServer("https://a", introspection=client)
    return lambda: door.check("Bearer opaque")


def door(**options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        keys, secret = known(place, **options)
        own = ResourceServer("https://a", api_keys=keys)
        own.check(f"Bearer {secret}")
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold("read")
        return lambda: own.check(f"Bearer {secret}")

    return make


CASES["_ResourceServer.check by API keys"] = door()
CASES["_ResourceServer.check by API keys with a clock"] = door(clock=clock)


@case("_ResourceServer.__new__ of remote keys")
def _(place: Place) -> Callable[[], object]:
    address = place.silent_server()
    return lambda: ResourceServer("https://a", issuer=address, allow_loopback_http=True)


def managed(call: Callable[[TokenManager, OAuthTokens], object]) -> Make:
    """Of another process that refreshes the same tokens."""

    def make(place: Place) -> Callable[[], object]:
        text = {"issuer": "i", "access_token": "t", "token_type": "Bearer", "expires_at": LATER}
        tokens = OAuthTokens.from_secret_json(json.dumps(text))
        release = place.release
        manager = TokenManager(place.client(), folder=place.folder / "tokens")
        place.release()
        place.release = release
        place.hold("file", place.folder / "tokens" / "name.lock")
        return lambda: call(manager, tokens)

    return make


CASES |= {
    "_TokenManager.put": managed(lambda own, tokens: own.put("name", tokens)),
    "_TokenManager.remove": managed(lambda own, _: own.remove("name")),
    "_TokenManager.tokens": managed(lambda own, _: own.tokens("name")),
    "_TokenManager.replace": managed(lambda own, _: own.replace("name", "t")),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_others_run_while_it_waits(name: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    call = CASES[name](place)
    is_slow = place.release is Place.nobody
    try:
        # What computes may be done before the other thread gets a processor.
        tries = 10 if is_slow else 1
        assert any(others_run(call, lambda: place.release()) for _ in range(tries))
    finally:
        place.release()


# ---- what is over soon, without the GIL all the same ----


def brief() -> dict[str, Callable[[Path], Callable[[], object]]]:
    rsa = Key.generate("RS256")
    pem, jwk, jwks = rsa.to_pem(private=True), rsa.to_jwk(private=True), KeySet([rsa]).to_jwks()
    der = bytes.fromhex(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    unsigned = Signer(rsa).prepare({})
    operation = RemoteKeySet("http://127.0.0.1:9", allow_loopback_http=True)._refresh
    return {
        "Key.generate": lambda _: lambda: Key.generate("RS256"),
        "Key.from_pem": lambda _: lambda: Key.from_pem(pem, "RS256"),
        "Key.from_der": lambda _: lambda: Key.from_der(der),
        "Key.from_jwk": lambda _: lambda: Key.from_jwk(jwk, "RS256"),
        "KeySet.from_jwks": lambda _: lambda: KeySet.from_jwks(jwks),
        "Unsigned.attach": lambda _: lambda: refused(lambda: unsigned.attach(bytes(256))),
        "HttpTransport.__new__": lambda _: HttpTransport,
        "_TokenManager.__new__": lambda folder: lambda: TokenManager(
            Place(folder).client(), folder=folder / "tokens"
        ),
        "_Operation.step": lambda _: lambda: operation().step(),
        "_Operation.feed": lambda _: lambda: operation().feed(503, [], b""),
        "_Operation.fail": lambda _: lambda: operation().fail(700),
        "_Operation.result": lambda _: lambda: refused(operation().result),
        "_Operation.__repr__": lambda _: lambda: repr(operation()),
        "Sessions.close": lambda _: lambda: Sessions.open("memory:", pepper=PEPPER).close(),
        "Sessions.__exit__": lambda _: lambda: Sessions.open("memory:", pepper=PEPPER).__exit__(),
    }


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(Exception, match="."):
        call()


BRIEF = brief()


@pytest.mark.parametrize("name", sorted(BRIEF))
def test_others_run_meanwhile(name: str, tmp_path: Path) -> None:
    assert lets_others_run(BRIEF[name](tmp_path), rounds=20_000)


# ---- what memory is enough for ----

# Of every class: its receiver, its copies, its comparisons.
PLAIN = set("__doc__ __module__ __reduce__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__".split())
IN_MEMORY = """
ApiKeys.__enter__ ApiKeys.__repr__ Sessions.__enter__ Sessions.__repr__ Sessions.revocations
Revocations.__len__ Revocations.__bool__ Revocations.__repr__
Signer.key Signer.__repr__ Unsigned.__repr__ Unsigned.signing_input Verifier.__repr__
IssuerRule.__new__ IssuerRule.__repr__ AnyValue.__repr__
Key.from_secret Key.alg Key.kid Key.is_private Key.is_symmetric Key.with_kid Key.public Key.thumbprint
Key.thumbprint_uri Key.to_jwk Key.to_pem Key.__repr__
KeySet.__new__ KeySet.to_jwks KeySet.skipped KeySet.skipped_reasons KeySet.__len__ KeySet.__iter__ KeySet.__getitem__
KeySet.__contains__ KeySet.__repr__
HttpTransport.__repr__ Cookie.__new__ Csrf.__new__
_RemoteKeySet.__new__ _RemoteKeySet._refresh _RemoteKeySet.wants_refresh _RemoteKeySet.__repr__
_TokenManager.known _TokenManager.__repr__
_ResourceServer.metadata_json _ResourceServer.metadata_path _ResourceServer.__repr__
""".split()
# Whose methods make operations, or values, out of what they are given.
VALUES = """
_OAuthClient Cookie Csrf Verified Access ApiKeyCheck ApiKeyRecord AuditRecord ImportReport IssuedApiKey Page
PepperUse RingKey BegunLogin DeviceCodes FinishedLogin Introspection LogoutNotice OAuthTokens UserInfo
SessionEvent SessionRecord SessionTokens HttpRequest
""".split()


def test_every_method_is_known() -> None:
    classes = {name: value for name, value in vars(_core).items() if isinstance(value, type)}
    assert set(VALUES) <= set(classes)
    methods = {
        f"{name}.{member}"
        for name, value in classes.items()
        if name not in VALUES
        for member in vars(value)
        if member not in PLAIN
    }
    known = {name.split()[0] for name in CASES if "dropped" not in name} | set(BRIEF)
    assert not known & set(IN_MEMORY)
    missing = methods - known - set(IN_MEMORY)
    assert not missing, f"may they wait? then let go of the GIL, and add a case: {sorted(missing)}"
    gone = (known | set(IN_MEMORY)) - methods
    assert not {name for name in gone if name.split(".")[0] not in VALUES}, sorted(gone)


def test_the_gil_is_kept_where_memory_is_enough(secret: Key) -> None:
    keys = ApiKeys.open("memory:", pepper=PEPPER, max_stale=60)
    issued = keys.create(owner="o", rate="1000000/60s", scopes=["a"])
    keys.verify(issued.secret)
    verifier = Verifier(secret, revocations=Revocations.open("memory:"))
    token = Signer(secret).sign({})
    for call in (
        lambda: keys.verify(issued.secret, scopes=("a",)),
        lambda: keys.check(issued.secret + "x"),
        lambda: verifier.verify(token),
    ):
        # A look at the store every 25 ms is all that lets go of it.
        assert any(not lets_others_run(call, rounds=200) for _ in range(50))
