"""How to make a call of each method that waits for a store; for `test_gil.py`. See `asking.py`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from holder import PEPPER, Place

from gatekey import (
    ApiKeys,
    Key,
    KeyRing,
    RemoteKeySet,
    Revocations,
    Sessions,
    Signer,
    Store,
    Verifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Place], Callable[[], object]]

LATER = 4_000_000_000
CASES: dict[str, Make] = {}


def case(name: str) -> Callable[[Make], Make]:
    """Note how to make a call of the method that waits. A name is the method's, and more."""

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


CASES |= {
    "ApiKeys.get": reads(lambda keys: keys.get("000000000000")),
    "ApiKeys.list": reads(lambda keys: keys.list()),
    "ApiKeys.audit": reads(lambda keys: keys.audit()),
    "ApiKeys.check_limits": reads(lambda keys: keys.check_limits()),
    "ApiKeys.pepper_report": reads(lambda keys: keys.pepper_report()),
    "ApiKeys.create": writes(lambda keys, _: keys.create(owner="o")),
    "ApiKeys.rotate": writes(lambda keys, own: keys.rotate(own)),
    "ApiKeys.revoke": writes(lambda keys, own: keys.revoke(own)),
    "ApiKeys.disable": writes(lambda keys, own: keys.disable(own)),
    "ApiKeys.update": writes(lambda keys, own: keys.update(own, name="n")),
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


@case("ApiKeys.enable")
def _(place: Place) -> Callable[[], object]:
    keys = place.keys()
    own = keys.create(owner="o").record.id
    keys.disable(own)
    place.hold("write")
    return lambda: keys.enable(own)


@case("ApiKeys.purge")
def _(place: Place) -> Callable[[], object]:
    keys = place.keys()
    keys.create(owner="o", expires_in=1)
    time.sleep(2.1)
    place.hold("write")
    return keys.purge


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
    def make(_: Place) -> tuple[ApiKeys, str]:
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
    slow("pbkdf2-sha256", "pbkdf2_sha256$1000000$saltsaltsalt$" + "A" * 43 + "="),
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
    "Sessions.end_by_id": sessions("write", lambda own, t: own.end_by_id(t.family)),
    "Sessions.end_all": sessions("write", lambda own, _: own.end_all("alice")),
    "Sessions.list": sessions("read", lambda own, _: own.list("alice")),
    "Sessions.get": sessions("read", lambda own, t: own.get(t.family)),
    "Sessions.events": sessions("read", lambda own, _: own.events()),
}


@case("Sessions.end_under_pepper")
def _(place: Place) -> Callable[[], object]:
    old = place.sessions()
    old.start("alice")
    pepper = [(1, PEPPER), (2, bytes(32))]
    own = Sessions.open(place.url, pepper=pepper)
    place.hold("write")
    return lambda: own.end_under_pepper(1)


@case("Sessions.purge")
def _(place: Place) -> Callable[[], object]:
    own = place.sessions(clock=lambda: 1_000_000_000)
    own.start("alice")
    own = place.sessions()
    place.hold("write")
    return own.purge


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


ADDED = Key.generate("ES256")
for more in ({}, {"clock": clock}):
    with_clock = " with a clock" if more else ""
    CASES |= {
        f"KeyRing.rotate{with_clock}": ring("write", lambda own: own.rotate(), **more),
        f"KeyRing.add{with_clock}": ring("write", lambda own: own.add(ADDED), **more),
        f"KeyRing.remove{with_clock}": ring("read", lambda own: own.remove("k"), **more),
        f"KeyRing.keys{with_clock}": ring("read", lambda own: own.keys(), **more),
        f"KeyRing.active{with_clock}": ring("read", lambda own: own.active, **more),
        f"KeyRing.token_ttl{with_clock}": ring("read", lambda own: own.token_ttl, **more),
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


# ---- stores ----


def stores(what: str, call: Callable[[Store], object], **options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        own = place.store(**options)
        place.hold(what)
        return lambda: call(own)

    return make


for more in ({}, {"clock": clock}):
    with_clock = " with a clock" if more else ""
    CASES |= {
        f"Store.api_keys{with_clock}": stores("read", lambda own: own.api_keys(), **more),
        f"Store.sessions{with_clock}": stores("read", lambda own: own.sessions(), **more),
        f"Store.revocations{with_clock}": stores("read", lambda own: own.revocations(), **more),
        f"Store.key_ring{with_clock}": stores("read", lambda own: own.key_ring(), **more),
    }


@case("Store.health")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.store()
    place.hold("read")
    return place.kept.health


@case("Store.open")
def _(place: Place) -> Callable[[], object]:
    place.kept = place.store()
    place.hold("read")
    return place.store


def closing(close: Callable[[Store], object]) -> Make:
    def make(place: Place) -> Callable[[], object]:
        store = place.store()
        keys = store.api_keys()
        keys.verify(keys.create(owner="o").secret)
        place.kept = keys
        place.hold("write")
        return lambda: close(store)

    return make


CASES |= {
    "Store.close": closing(lambda own: own.close()),
    "Store.__exit__": closing(lambda own: own.__exit__()),
}


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


@case("Verifier.__new__ of remote keys")
def _(place: Place) -> Callable[[], object]:
    made = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    return lambda: Verifier(made)


@case("Verifier.for_issuers of remote keys")
def _(place: Place) -> Callable[[], object]:
    made = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    return lambda: Verifier.for_issuers({"i": made})
