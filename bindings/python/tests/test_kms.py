"""Keys whose private half lies in a KMS or an HSM: a callable signs."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gatekey import Key, KeyRing, Sessions, Signer, SignRequest, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

PEPPER = bytes(range(32))
SHA256 = utils.Prehashed(hashes.SHA256())


class Kms:
    """Signs as a KMS does: with cryptography, and ECDSA's signatures in DER."""

    def __init__(self, alg: str = "ES256") -> None:
        own = Key.generate(alg)
        self.public = own.public()
        self._own = load_pem_private_key(own.to_pem(private=True).encode(), None)
        self.requests: list[SignRequest] = []

    def __call__(self, request: SignRequest) -> bytes:
        self.requests.append(request)
        own = self._own
        if isinstance(own, ec.EllipticCurvePrivateKey):
            return own.sign(request.digest, ec.ECDSA(SHA256))
        if isinstance(own, RSAPrivateKey):
            return own.sign(request.digest, padding.PKCS1v15(), SHA256)
        assert isinstance(own, Ed25519PrivateKey)
        return own.sign(request.message)


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
@pytest.mark.parametrize("deadline", [None, 30, timedelta(seconds=30)])
def test_a_callable_signs(alg: str, deadline: float | timedelta | None) -> None:
    kms = Kms(alg)
    key = Key.with_callback(kms.public, kms, deadline=deadline)
    assert key.signs_by_callback
    assert not key.is_private
    assert not key.public().signs_by_callback
    assert key != key.public()
    assert repr(key).endswith(" callback>")
    token = Signer(key).sign({"sub": "alice"})
    assert Verifier(kms.public).verify(token).subject == "alice"
    request = kms.requests[-1]
    assert request.alg == alg
    assert request.message == token.rpartition(".")[0].encode()
    assert len(request.digest) == (0 if alg == "EdDSA" else 32)
    assert repr(request) == f"<gatekey.SignRequest alg='{alg}'>"
    with pytest.raises(exceptions.KeyUsageError):
        key.to_jwk(private=True)


def test_what_it_raises_is_the_cause() -> None:
    kms = Kms()
    key = Key.with_callback(kms.public, kms)
    with pytest.raises(exceptions.KeyUnavailableError) as raised:
        Key.with_callback(kms.public, failing(OSError("the token was removed")))
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.status == 503
    assert raised.value.number == 2011
    assert "token was removed" not in str(raised.value)
    assert key.kid  # another key of it is not affected
    with pytest.raises(KeyboardInterrupt):
        Key.with_callback(kms.public, failing(KeyboardInterrupt()))

    # Later, too, wherever it signs.
    fails: list[BaseException] = []

    def sometimes(request: SignRequest) -> bytes:
        if fails:
            raise fails[0]
        return kms(request)

    key = Key.with_callback(kms.public, sometimes)
    signer = Signer(key)
    sessions = Sessions.open("memory:", pepper=PEPPER, signer=signer)
    fails.append(LookupError("no such version"))
    with pytest.raises(exceptions.KeyUnavailableError) as raised:
        signer.sign({})
    assert raised.value.__cause__ is fails[0]
    with pytest.raises(exceptions.KeyUnavailableError) as raised:
        sessions.start("alice")
    assert raised.value.__cause__ is fails[0]
    fails[0] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        signer.sign({})
    fails.clear()
    assert Verifier(kms.public).verify(signer.sign({"sub": "a"})).subject == "a"


def failing(error: BaseException) -> Callable[[SignRequest], bytes]:
    def sign(_: SignRequest) -> bytes:
        raise error

    return sign


@pytest.mark.parametrize(
    "given", [None, "text", 5, b"", b"x" * 63, b"x" * 65, bytes(64), b"x" * 100_000]
)
def test_what_is_no_signature_is_refused(given: object) -> None:
    wanted: type[Exception] = exceptions.KeyPairMismatchError
    said = "."
    if not isinstance(given, bytes):
        # No KMS is out of reach: the callable is wrong.
        name = type(given).__name__
        wanted, said = TypeError, f"what `sign` returns must be the signature as bytes, not {name}"
    with pytest.raises(wanted, match=said):
        Key.with_callback(Kms().public, lambda _: given)  # type: ignore[arg-type, return-value]


def test_wrong_arguments() -> None:
    kms = Kms()
    with pytest.raises(TypeError, match="sign"):
        Key.with_callback(kms.public, b"signature")  # type: ignore[arg-type]
    with pytest.raises(exceptions.KeyUsageError, match="public half"):
        Key.with_callback(Key.generate("ES256"), kms)
    for deadline in (0, 301):
        with pytest.raises(exceptions.GatekeyError, match="deadline"):
            Key.with_callback(kms.public, kms, deadline=deadline)
    with pytest.raises(TypeError, match="keys"):
        KeyRing.open("memory:", keys=Key.generate("ES256"))  # type: ignore[arg-type]
    with pytest.raises(exceptions.KeyUsageError):
        KeyRing.open("memory:", keys=[kms.public])


def test_a_deadline_ends_the_wait_and_others_run_meanwhile() -> None:
    kms, begun, go_on = Kms(), threading.Event(), threading.Event()
    slow = False

    def sign(request: SignRequest) -> bytes:
        if slow:
            begun.set()
            assert go_on.wait(30)
        return kms(request)

    signer = Signer(Key.with_callback(kms.public, sign, deadline=0.2))
    slow = True
    ticks = 0

    def count() -> None:
        nonlocal ticks
        assert begun.wait(30)
        while not go_on.is_set():
            ticks += 1
            time.sleep(0.001)

    counting = threading.Thread(target=count)
    counting.start()
    with pytest.raises(exceptions.KeyUnavailableError, match="deadline"):
        signer.sign({})
    go_on.set()
    counting.join()
    assert ticks > 0
    slow = False
    assert signer.sign({})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_does_not_wait_for_what_its_parent_has_asked() -> None:
    kms, parent, go_on = Kms(), os.getpid(), threading.Event()
    slow = False

    def sign(request: SignRequest) -> bytes:
        if slow and os.getpid() == parent:
            assert go_on.wait(60)
        return kms(request)

    signer = Signer(Key.with_callback(kms.public, sign, deadline=0.05))
    slow = True
    for _ in range(64):
        with pytest.raises(exceptions.KeyUnavailableError, match="deadline"):
            signer.sign({})
    with pytest.raises(exceptions.KeyUnavailableError, match="64 signatures"):
        signer.sign({})
    child = os.fork()
    if child == 0:
        outcome = 1
        try:
            for _ in range(100):  # a machine may be slow for a moment
                try:
                    outcome = 0 if signer.sign({}) else 1
                    break
                except exceptions.KeyUnavailableError as error:
                    if "64 signatures" in str(error):
                        break
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go_on.set()


def test_a_ring_rotates_keys_of_a_kms() -> None:
    first, second = Kms(), Kms()
    one, two = (Key.with_callback(kms.public, kms) for kms in (first, second))
    ring = KeyRing.open("memory:", keys=[one])
    states = [(key.state, key.by_callback) for key in ring.keys()]  # noqa: SIM118 (it is no mapping)
    assert states == [("active", True)]
    signer, verifier = Signer(ring), Verifier(ring)
    sessions = Sessions.open("memory:", pepper=PEPPER, signer=signer)
    before = sessions.start("alice").access_token
    with pytest.raises(exceptions.ConfigurationError, match="add"):
        ring.rotate()
    assert ring.add(two).state == "next"
    ring.rotate()
    after = sessions.start("alice").access_token
    assert verifier.verify(before).key_id == one.kid
    assert verifier.verify(after).key_id == two.kid
    assert ring.add(one).state == "retired"
    assert "d" not in ring.to_jwks()["keys"][0]
