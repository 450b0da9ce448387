"""Keys: generated, imported, exported, compared, refused."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gatekey import ALGORITHMS, Key, Signer, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

SYMMETRIC = ("HS256", "HS384", "HS512")
ASYMMETRIC = [alg for alg in ALGORITHMS if alg not in SYMMETRIC]


def test_algorithms() -> None:
    assert len(ALGORITHMS) == 18
    assert {"HS256", "RS512", "PS384", "ES256K", "EdDSA", "Ed25519", "ML-DSA-65"} <= set(ALGORITHMS)


def test_generate(any_key: Key) -> None:
    assert any_key.alg in ALGORITHMS
    assert any_key.is_private
    assert any_key.is_symmetric == (any_key.alg in SYMMETRIC)
    assert any_key.kid == any_key.thumbprint()
    assert any_key.thumbprint_uri().endswith(any_key.thumbprint())
    assert any_key.thumbprint_uri().startswith("urn:ietf:params:oauth:jwk-thumbprint:sha-256:")


def test_generate_with_a_name_and_a_size() -> None:
    key = Key.generate("RS256", kid="2026-11", bits=3072)
    assert key.kid == "2026-11"
    assert len(key.to_jwk()["n"]) == 3072 // 8 * 4 // 3


@pytest.mark.parametrize("alg", ["none", "HS1", "", "es256", "RSA-OAEP", "ES256 ", "\x00"])
def test_unknown_algorithms(alg: str) -> None:
    with pytest.raises(exceptions.UsageError) as refused:
        Key.generate(alg)
    assert refused.value.claim == "alg"


def test_bits_are_for_rsa(key_for: Callable[[str], Key]) -> None:
    with pytest.raises(exceptions.GatekeyError):
        Key.generate("ES256", bits=2048)
    with pytest.raises(exceptions.GatekeyError):
        Key.generate("RS256", bits=1024)
    assert not key_for("RS256").is_symmetric


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_public_half(alg: str, key_for: Callable[[str], Key]) -> None:
    key = key_for(alg)
    public = key.public()
    assert not public.is_private
    assert public.public() == public
    assert (public.alg, public.kid, public.thumbprint()) == (alg, key.kid, key.thumbprint())
    assert public != key
    with pytest.raises(exceptions.KeyUsageError):
        Signer(public).sign({})
    with pytest.raises(exceptions.KeyUsageError):
        public.to_jwk(private=True)
    with pytest.raises(exceptions.KeyUsageError):
        public.to_pem(private=True)


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_secret_has_no_public_half(alg: str, key_for: Callable[[str], Key]) -> None:
    key = key_for(alg)
    for refused in (key.public, key.to_jwk, key.to_pem):
        with pytest.raises(exceptions.KeyUsageError):
            refused()
    assert Key.from_jwk(key.to_jwk(private=True)) == key


@pytest.mark.parametrize("alg", ASYMMETRIC)
@pytest.mark.parametrize("private", [False, True])
def test_jwk_round_trip(alg: str, private: bool, key_for: Callable[[str], Key]) -> None:
    key = key_for(alg) if private else key_for(alg).public()
    jwk = key.to_jwk(private=private)
    for form in (jwk, json.dumps(jwk), json.dumps(jwk).encode()):
        again = Key.from_jwk(form)
        assert again == key
        assert hash(again) == hash(key)


@pytest.mark.parametrize("alg", ASYMMETRIC)
@pytest.mark.parametrize("private", [False, True])
def test_pem_round_trip(alg: str, private: bool, key_for: Callable[[str], Key]) -> None:
    key = key_for(alg) if private else key_for(alg).public()
    pem = key.to_pem(private=private)
    assert pem.startswith("-----BEGIN P")
    again = Key.from_pem(pem, alg)
    assert again == key
    assert Key.from_pem(pem.encode(), alg, kid="other").kid == "other"


def test_pem_and_der_of_cryptography() -> None:
    theirs = ec.generate_private_key(ec.SECP384R1())
    formats = [
        (serialization.PrivateFormat.PKCS8, "PRIVATE KEY"),
        (serialization.PrivateFormat.TraditionalOpenSSL, "EC PRIVATE KEY"),
    ]
    for form, label in formats:
        nothing = serialization.NoEncryption()
        pem = theirs.private_bytes(serialization.Encoding.PEM, form, nothing)
        der = theirs.private_bytes(serialization.Encoding.DER, form, nothing)
        assert label in pem.decode()
        assert Key.from_pem(pem) == Key.from_der(der)
        assert Key.from_pem(pem).alg == "ES384"


def test_rsa_must_be_told_its_algorithm() -> None:
    theirs = rsa.generate_private_key(65537, 2048)
    pem = theirs.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    with pytest.raises(exceptions.AlgorithmRequiredError):
        Key.from_pem(pem)
    assert Key.from_pem(pem, "PS512").alg == "PS512"


def test_short_rsa_keys_are_for_legacy_verification_only() -> None:
    theirs = rsa.generate_private_key(65537, 1024).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = theirs.public_bytes(serialization.Encoding.PEM, spki)
    with pytest.raises(exceptions.WeakKeyError):
        Key.from_pem(pem, "RS256")
    assert not Key.from_pem(pem, "RS256", danger_allow_weak=True).is_private


def test_a_jwk_that_says_otherwise(key: Key) -> None:
    with pytest.raises(exceptions.InvalidKeyError):
        Key.from_jwk(key.to_jwk(), "ES384")
    with pytest.raises(exceptions.InvalidKeyError):
        Key.from_jwk(key.to_jwk() | {"use": "enc"})


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        "{}",
        "[]",
        "",
        "nonsense",
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "oct", "k": "", "alg": "HS256"},
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        '{"kty":"oct","kty":"EC"}',
    ],
)
def test_bad_jwks(jwk: dict[str, Any] | str) -> None:
    with pytest.raises(exceptions.InvalidKeyError):
        Key.from_jwk(jwk)


def test_secrets() -> None:
    key = Key.from_secret(b"\x00\xff" * 16, "HS256", kid="k")
    assert key.kid == "k"
    assert Key.from_secret("é" * 16, "HS256") == Key.from_secret("é".encode() * 16, "HS256")
    with pytest.raises(exceptions.WeakKeyError):
        Key.from_secret(b"\x00\xff" * 15, "HS256")
    assert Key.from_secret(b"short", "HS256", danger_allow_weak=True).is_symmetric
    with pytest.raises(exceptions.InvalidKeyError):
        Key.from_secret(b"", "HS256", danger_allow_weak=True)
    with pytest.raises(exceptions.UsageError):
        Key.from_secret(b"x" * 32, "ES256")


def test_a_public_key_is_no_secret(key: Key, key_for: Callable[[str], Key]) -> None:
    pems = [key.to_pem(), key_for("RS256").to_pem(), "\ufeff" + key.to_pem()]
    for disguised in [*pems, json.dumps(key.to_jwk()), " " + json.dumps([key.to_jwk()])]:
        for weak in (False, True):
            with pytest.raises(exceptions.SecretLooksLikeKeyError):
                Key.from_secret(disguised, "HS256", danger_allow_weak=weak)


@pytest.mark.parametrize("wrong", [None, 7, 1.5, ["a"], bytearray(32), memoryview(b"x" * 32)])
def test_wrong_types(wrong: Any, key: Key) -> None:
    with pytest.raises(TypeError):
        Key.from_secret(wrong, "HS256")
    with pytest.raises(TypeError):
        Key.from_pem(wrong)
    with pytest.raises(TypeError):
        Key.from_jwk(wrong)
    with pytest.raises(TypeError):
        Key.generate(wrong)
    assert key is not None


def test_der_is_bytes(key: Key) -> None:
    with pytest.raises(TypeError):
        Key.from_der(key.to_pem())  # type: ignore[arg-type]
    with pytest.raises(exceptions.InvalidKeyError):
        Key.from_der(b"\x30\x03nonsense")


def test_no_constructor() -> None:
    with pytest.raises(TypeError):
        Key()


def test_names(key: Key) -> None:
    assert key.with_kid("a").kid == "a"
    assert key.with_kid("a") != key
    for bad in ("", "x" * 257):
        with pytest.raises(exceptions.GatekeyError):
            key.with_kid(bad)


def test_equality(key: Key, secret: Key) -> None:
    assert key == Key.from_jwk(key.to_jwk(private=True))
    assert key != secret
    assert key != "ES256"
    assert len({key, key.public(), Key.from_jwk(key.to_jwk())}) == 2


def test_frozen(key: Key) -> None:
    with pytest.raises(AttributeError):
        key.kid = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        key.anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("alg", ["ES256", "HS256"])
@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_not_pickled_nor_copied(
    alg: str, attempt: Callable[[Any], object], key_for: Callable[[str], Key]
) -> None:
    key = key_for(alg)
    for holder in (key, Signer(key), Verifier(key)):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(holder)
