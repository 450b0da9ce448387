"""One private key a peer and algorithm, made once: RSA keys take their time."""

from __future__ import annotations

import functools
import random
import sys
from pathlib import Path

import gatekey
import jwcrypto.jwk
import pytest
from peers import RSA, Jwk, for_peer


sys.path.append(str(Path(__file__).parents[1] / "rounds"))


@functools.cache
def fresh_key(alg: str) -> gatekey.Key:
    """A random key of gatekey's making; RSA material is shared by the RSA algorithms."""
    if alg in RSA and alg != "RS256":
        shared = fresh_key("RS256").to_jwk(private=True)
        return gatekey.Key.from_jwk(for_peer(shared, alg))
    return gatekey.Key.generate(alg)


@functools.cache
def peer_key(alg: str) -> str:
    """A random private JWK of jwcrypto's making, as JSON."""
    arguments: Jwk
    if alg.startswith("HS"):
        arguments = {"kty": "oct", "size": int(alg[2:])}
    elif alg in RSA:
        arguments = {"kty": "RSA", "size": 2048}
    elif alg.startswith("ES"):
        curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
        arguments = {"kty": "EC", "crv": curves[alg]}
    elif alg.startswith("ML-DSA"):
        arguments = {"kty": "AKP", "alg": alg}
    else:
        arguments = {"kty": "OKP", "crv": "Ed25519"}
    return jwcrypto.jwk.JWK.generate(**arguments).export()


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that are the same in every run, and other ones in every test."""
    return random.Random(request.node.name)  # noqa: S311
