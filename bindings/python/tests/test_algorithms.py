"""Every algorithm: sign, verify, tamper; with PyJWT on the other side where it knows it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from forge import b64

from gatekey import ALGORITHMS, Key, KeySet, Signer, Verifier, exceptions

RFC7515 = json.loads(Path(__file__).with_name("rfc7515.json").read_text())
RFC7515_EXPIRY = 1300819380

# PyJWT's names; it has neither "Ed25519" nor ML-DSA.
PYJWT = [alg for alg in ALGORITHMS if alg in jwt.algorithms.get_default_algorithms()]


def test_sign_and_verify(any_key: Key) -> None:
    token = Signer(any_key, issuer="i", audience="a").sign({"sub": "alice"})
    keys = [any_key] if any_key.is_symmetric else [any_key, any_key.public()]
    for key in keys:
        verified = Verifier(key, issuer="i", audience="a").verify(token)
        assert (verified.subject, verified.alg) == ("alice", any_key.alg)
        assert verified.header["alg"] == any_key.alg


def test_tampering_is_seen(any_key: Key) -> None:
    token = Signer(any_key).sign({"sub": "alice"})
    header, payload, encoded = token.split(".")
    signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    verifier = Verifier(any_key)
    flipped = [
        signature[:at] + bytes([signature[at] ^ bit]) + signature[at + 1 :]
        for at, bit in ((0, 1), (len(signature) // 2, 16), (-2, 128))
    ]
    others = [b"", b"\0", signature[:-1], signature + b"\0", bytes(len(signature))]
    for bad in flipped + others:
        with pytest.raises(exceptions.InvalidSignatureError):
            verifier.verify(f"{header}.{payload}.{b64(bad)}")
    other = Signer(any_key).sign({"sub": "mallory"}).split(".")[1]
    with pytest.raises(exceptions.InvalidSignatureError):
        verifier.verify(f"{header}.{other}.{encoded}")
    for bad_text in (encoded + "=", encoded + "A" * (2 if len(encoded) % 4 else 1), encoded + "!"):
        with pytest.raises(exceptions.DecodeError):
            verifier.verify(f"{header}.{payload}.{bad_text}")


def test_another_key_of_the_same_algorithm(any_key: Key) -> None:
    token = Signer(any_key).sign({})
    with pytest.raises(exceptions.InvalidSignatureError):
        Verifier(Key.generate(any_key.alg)).verify(token)


def test_a_bad_signature_wins_over_bad_claims(any_key: Key) -> None:
    token = Signer(any_key).sign({"exp": 1, "nbf": 2**39})
    with pytest.raises(exceptions.ExpiredSignatureError):
        Verifier(any_key).verify(token)
    with pytest.raises(exceptions.InvalidSignatureError):
        Verifier(Key.generate(any_key.alg)).verify(token)


@pytest.mark.parametrize("alg", PYJWT)
def test_pyjwt_verifies_what_we_sign(alg: str) -> None:
    key = Key.generate(alg)
    token = Signer(key, issuer="i", audience="a").sign({"sub": "alice", "n": 2**70})
    theirs = jwt.PyJWK(key.to_jwk(private=key.is_symmetric), alg)
    claims = jwt.decode(token, theirs, [alg], audience="a", issuer="i")
    assert (claims["sub"], claims["n"]) == ("alice", 2**70)


@pytest.mark.parametrize("alg", PYJWT)
def test_we_verify_what_pyjwt_signs(alg: str) -> None:
    key = Key.generate(alg, kid="k")
    theirs = jwt.PyJWK(key.to_jwk(private=True), alg)
    claims: dict[str, Any] = {"sub": "bob", "exp": int(time.time()) + 60, "aud": ["a", "b"]}
    token = jwt.encode(claims, theirs, alg, headers={"kid": "k"})
    verified = Verifier(KeySet([key]), audience="b").verify(token)
    assert verified == claims


def test_pyjwt_knows_most_algorithms() -> None:
    assert set(ALGORITHMS) - set(PYJWT) == {"Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}


@pytest.mark.parametrize("example", RFC7515[:3], ids=lambda example: example["name"])
def test_rfc7515_appendix_a(example: dict[str, Any]) -> None:
    alg = jwt.get_unverified_header(example["token"])["alg"]
    key = Key.from_jwk(example["jwk"], alg)
    for one in (key, key if key.is_symmetric else key.public()):
        now = RFC7515_EXPIRY - 1
        verified = Verifier(one, issuer="joe", clock=lambda now=now: now).verify(example["token"])
        assert verified["http://example.com/is_root"] is True
        with pytest.raises(exceptions.ExpiredSignatureError):
            Verifier(one, issuer="joe", clock=lambda: RFC7515_EXPIRY).verify(example["token"])
        with pytest.raises(exceptions.InvalidIssuerError):
            Verifier(one, clock=lambda: 0).verify(example["token"])


def test_rfc7515_a4_is_no_jwt() -> None:
    key = Key.from_jwk(RFC7515[3]["jwk"], "ES512")
    with pytest.raises(exceptions.DecodeError) as caught:
        Verifier(key).verify(RFC7515[3]["token"])
    assert type(caught.value) is exceptions.DecodeError  # its signature was good
    with pytest.raises(exceptions.InvalidSignatureError):
        Verifier(Key.generate("ES512")).verify(RFC7515[3]["token"])
