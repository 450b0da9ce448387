"""Keys in both directions: as JWK, as PEM, in sets, and by their thumbprints."""

from __future__ import annotations

import json
from typing import Any

import gatekey
import joserfc.jwk
import jwcrypto.jwk
import pytest
from conftest import fresh_key, peer_key
from peers import HMAC, ML_DSA, PAIRS, PEERS, RSA, Peer, for_peer, verifier

import jwt as pyjwt

both = pytest.mark.parametrize(("peer", "alg"), PAIRS, ids=lambda value: str(value))
with_pem = pytest.mark.parametrize(
    ("peer", "alg"), [(p, a) for p, a in PAIRS if a not in HMAC], ids=lambda value: str(value)
)


def material(jwk: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in jwk.items() if name not in ("kid", "alg", "use", "key_ops")
    }


def loaded(jwk: dict[str, Any], alg: str) -> gatekey.Key:
    return gatekey.Key.from_jwk(for_peer(jwk, alg))


@both
def test_their_jwk_is_ours(peer: Peer, alg: str) -> None:
    theirs = for_peer(json.loads(peer_key(alg)), alg)
    key = loaded(theirs, alg)
    assert (key.is_private, key.alg) == (True, alg)
    assert material(key.to_jwk(private=True)) == material(theirs)
    token = peer.sign(theirs, alg, {"exp": 32503680000})
    assert verifier(key).verify(token)["exp"] == 32503680000


@both
def test_thumbprints_agree(peer: Peer, alg: str) -> None:
    key = fresh_key(alg)
    assert key.thumbprint() == peer.thumbprint(for_peer(key.to_jwk(private=True), alg))
    theirs = json.loads(peer_key(alg))
    assert loaded(theirs, alg).thumbprint() == peer.thumbprint(for_peer(theirs, alg))


@with_pem
def test_pem_in_both_directions(peer: Peer, alg: str) -> None:
    key = fresh_key(alg)
    private, public = key.to_pem(private=True), key.to_pem()
    assert material(peer.from_pem(private, alg)) == material(key.to_jwk(private=True))
    assert material(peer.from_pem(public, alg)) == material(key.to_jwk())
    theirs = for_peer(json.loads(peer_key(alg)), alg)
    pem = peer.to_pem(theirs, alg)
    assert "PRIVATE KEY" in pem
    named = alg if alg in RSA or alg == "Ed25519" else None
    read = gatekey.Key.from_pem(pem, named)
    assert read.thumbprint() == loaded(theirs, alg).thumbprint()
    assert read.is_private
    assert material(read.to_jwk(private=True)) == material(theirs)
    public_theirs = {
        name: theirs[name]
        for name in theirs
        if name not in ("d", "p", "q", "dp", "dq", "qi", "priv")
    }
    if alg not in ML_DSA:
        read = gatekey.Key.from_pem(peer.to_pem(public_theirs, alg), named)
        assert read.thumbprint() == loaded(theirs, alg).thumbprint()
        assert not read.is_private


def published(algs: tuple[str, ...]) -> gatekey.KeySet:
    return gatekey.KeySet([fresh_key(alg).with_kid(alg) for alg in algs])


def test_our_jwks_is_theirs() -> None:
    algs = ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA")
    jwks = published(algs).to_jwks()
    assert [jwk["kid"] for jwk in jwks["keys"]] == list(algs)
    assert all("d" not in jwk for jwk in jwks["keys"])
    py = pyjwt.PyJWKSet.from_dict(jwks)
    rfc = joserfc.jwk.KeySet.import_key_set(jwks)
    crypto = jwcrypto.jwk.JWKSet.from_json(json.dumps(jwks))
    for alg in algs:
        token = gatekey.Signer(fresh_key(alg).with_kid(alg)).sign({"sub": "ada"})
        header = pyjwt.get_unverified_header(token)
        assert header["kid"] == alg
        assert pyjwt.decode(token, py[alg].key, algorithms=[alg])["sub"] == "ada"
        assert rfc.get_by_kid(alg).thumbprint() == fresh_key(alg).thumbprint()
        assert crypto.get_key(alg).thumbprint() == fresh_key(alg).thumbprint()


def test_their_jwks_is_ours() -> None:
    keys = jwcrypto.jwk.JWKSet()
    algs = ("RS256", "ES256", "ES384", "EdDSA", "ML-DSA-44")
    for alg in algs:
        theirs = {**for_peer(json.loads(peer_key(alg)), alg), "kid": alg}
        keys["keys"].add(jwcrypto.jwk.JWK(**theirs))
    keys["keys"].add(jwcrypto.jwk.JWK.generate(kty="OKP", crv="X25519", kid="dh"))
    keys["keys"].add(jwcrypto.jwk.JWK.generate(kty="EC", crv="P-256", kid="enc", use="enc"))
    ours = gatekey.KeySet.from_jwks(keys.export(private_keys=False))
    assert (len(ours), len(ours.skipped)) == (len(algs), 2)
    check = gatekey.Verifier(ours, issuer=gatekey.ANY, audience=gatekey.ANY)
    for alg in algs:
        signing = loaded(json.loads(peer_key(alg)), alg).with_kid(alg)
        verified = check.verify(gatekey.Signer(signing).sign({"sub": "ada"}))
        assert (verified.key_id, verified.subject) == (alg, "ada")


@pytest.mark.parametrize("peer", PEERS, ids=str)
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_every_other_key_is_told_apart(peer: Peer, alg: str) -> None:
    assert (
        peer.thumbprint(for_peer(fresh_key(alg).to_jwk(), alg))
        != loaded(json.loads(peer_key(alg)), alg).thumbprint()
    )
