"""Which methods let other threads run while they wait: all that can wait, found by introspection.

A call waits for something real: another process holds the store, a server does not answer, a hash
is slow. What it waits for ends only when another thread has had its turns, and the switch interval
is so long that only a call which lets go of the GIL gives it any.

``gatekey.oauth`` and ``gatekey.aio`` drive the classes of the core and have no waits of their own.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from asking import CASES, nobody
from holder import PEPPER, Place, others_run
from test_threads import lets_others_run

from gatekey import (
    ApiKeys,
    HttpTransport,
    Key,
    KeySet,
    RemoteKeySet,
    Revocations,
    Sessions,
    Signer,
    TokenManager,
    Verifier,
    _core,
)
from gatekey.exceptions import GatekeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)


@pytest.mark.parametrize("name", sorted(CASES))
def test_others_run_while_it_waits(name: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    try:
        call = CASES[name](place)
        is_slow = place.release is Place.nobody
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
    public = rsa.public()
    operation = RemoteKeySet("http://127.0.0.1:9", allow_loopback_http=True)._refresh
    return {
        "Key.generate": lambda _: lambda: Key.generate("RS256"),
        "Key.from_pem": lambda _: lambda: Key.from_pem(pem, "RS256"),
        "Key.from_der": lambda _: lambda: Key.from_der(der),
        "Key.from_jwk": lambda _: lambda: Key.from_jwk(jwk, "RS256"),
        "Key.with_callback": lambda _: (
            lambda: refused(lambda: Key.with_callback(public, lambda _: bytes(256)))
        ),
        "KeySet.from_jwks": lambda _: lambda: KeySet.from_jwks(jwks),
        "Unsigned.attach": lambda _: lambda: refused(lambda: unsigned.attach(bytes(256))),
        "HttpTransport.__new__": lambda _: HttpTransport,
        "_TokenManager.__new__": lambda folder: (
            lambda: TokenManager(nobody(), folder=folder / "tokens")
        ),
        "_Operation.step": lambda _: lambda: operation().step(),
        "_Operation.feed": lambda _: lambda: operation().feed((503, [], b"")),
        "_Operation.fail": lambda _: lambda: operation().fail(OSError(), OSError()),
        "_Operation.close": lambda _: lambda: operation().close(),
        "_Operation.result": lambda _: lambda: refused(operation().result),
        "_Operation.__repr__": lambda _: lambda: repr(operation()),
        "Sessions.close": lambda _: lambda: Sessions.open("memory:", pepper=PEPPER).close(),
        "Sessions.__exit__": lambda _: lambda: Sessions.open("memory:", pepper=PEPPER).__exit__(),
    }


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(GatekeyError):
        call()


BRIEF = brief()


@pytest.mark.parametrize("name", sorted(BRIEF))
def test_others_run_meanwhile(name: str, tmp_path: Path) -> None:
    assert lets_others_run(BRIEF[name](tmp_path), rounds=20_000)


# ---- what memory is enough for ----


def words(text: str) -> set[str]:
    return set(text.split())


# Of every class: its receiver, its copies, its comparisons.
PLAIN = words("__doc__ __module__ __reduce__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__")
IN_MEMORY = words("""
    ApiKeys.__enter__ ApiKeys.__repr__ Sessions.__enter__ Sessions.__repr__ Sessions.revocations
    Store.__enter__ Store.__repr__ Store.url Store.limits_state _Guard.limits_state
    Revocations.__len__ Revocations.__bool__ Revocations.__repr__
    Signer.key Signer.__repr__ Unsigned.__repr__ Unsigned.signing_input Verifier.__repr__
    ApiKeys.__new__ Key.__new__ KeyRing.__new__ Revocations.__new__ Sessions.__new__ Store.__new__
    IssuerRule.__new__ IssuerRule.__repr__ AnyValue.__repr__
    Key.from_secret Key.alg Key.kid Key.is_private Key.signs_by_callback Key.is_symmetric
    SignRequest.alg SignRequest.message SignRequest.digest SignRequest.__repr__
    Key.with_kid Key.public
    Key.thumbprint Key.thumbprint_uri Key.to_jwk Key.to_pem Key.__repr__
    KeySet.__new__ KeySet.to_jwks KeySet.skipped KeySet.__len__ _RemoteKeySet.skipped
    KeySet.__iter__ KeySet.__getitem__ KeySet.__contains__ KeySet.__repr__
    HttpTransport.__repr__ HttpTransport._check _RemoteKeySet.__new__ _RemoteKeySet._refresh
    _RemoteKeySet._plain _RemoteKeySet._about _TokenManager._renewal IssuerRule._keys
    _RemoteKeySet.wants_refresh _RemoteKeySet.__repr__ _TokenManager.known _TokenManager.__repr__
    _ResourceServer.metadata_json _ResourceServer.metadata_path _ResourceServer.__repr__
    _Guard.try_check _Guard.check_demand _Guard.former_user _Guard.form_token _Guard.address_of
    _FormerTokens.__new__ _FormerTokens.__repr__ _Guard.refuse _Guard.metadata_json
    _Guard.metadata_path _Guard.__repr__
""")
# Whose methods make operations, or values, out of what they are given.
VALUES = words("""
    _OAuthClient Cookie Csrf Verified Access ApiKeyCheck ApiKeyRecord AuditRecord ImportReport
    IssuedApiKey Page PepperUse RingKey BegunLogin DeviceCodes FinishedLogin Introspection
    LogoutNotice OAuthTokens UserInfo SessionEvent SessionRecord SessionTokens HttpRequest
    SessionCookies SentCookies StoreHealth _Request _Demand _Decision
""")


def test_every_method_is_known() -> None:
    classes = {name: value for name, value in vars(_core).items() if isinstance(value, type)}
    assert set(classes) >= VALUES
    methods = {
        f"{name}.{member}"
        for name, value in classes.items()
        if name not in VALUES
        for member in vars(value)
        if member not in PLAIN
    }
    known = {name.split()[0] for name in CASES if "dropped" not in name} | set(BRIEF)
    assert not known & IN_MEMORY
    missing = methods - known - IN_MEMORY
    assert not missing, f"may they wait? then let go of the GIL, and add a case: {sorted(missing)}"
    gone = (known | IN_MEMORY) - methods
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
