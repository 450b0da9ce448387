"""Tokens in both directions, for every algorithm that both know."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import gatekey
import pytest
from claims import claims
from conftest import fresh_key, peer_key
from gatekey import exceptions
from peers import PAIRS, PEERS, PYJWT, Peer, for_peer, verifier
from rounds import rounds

import jwt as pyjwt

if TYPE_CHECKING:
    import random

both = pytest.mark.parametrize(("peer", "alg"), PAIRS, ids=lambda value: str(value))


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks_of(key: gatekey.Key, alg: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The private and the public JWK; for a secret they are one."""
    private = for_peer(key.to_jwk(private=True), alg)
    return private, private if key.is_symmetric else for_peer(key.to_jwk(), alg)


@both
def test_their_token_is_ours(peer: Peer, alg: str, dice: random.Random) -> None:
    for key in (fresh_key(alg), gatekey.Key.from_jwk(for_peer(json.loads(peer_key(alg)), alg))):
        private, _ = jwks_of(key, alg)
        check = verifier(key)
        for _ in range(12):
            said = claims(dice)
            token = peer.sign(private, alg, said)
            verified = check.verify(token)
            assert verified.claims == said
            assert dict(verified) == said
            assert (verified.alg, verified.header["alg"]) == (key.alg, alg)
            assert json.loads(verified.raw) == said
            assert all(type(verified[name]) is type(value) for name, value in said.items())


@both
def test_our_token_is_theirs(peer: Peer, alg: str, dice: random.Random) -> None:
    key = fresh_key(alg)
    _, public = jwks_of(key, alg)
    for typ in ("JWT", None):
        signer = gatekey.Signer(key, typ=typ, token_ids=False, kid=typ is not None)
        for _ in range(12):
            said = claims(dice)
            read = peer.verify(public, alg, signer.sign(said))
            assert {name: read[name] for name in said} == said
            assert set(read) - set(said) <= {"iat"}


@pytest.mark.parametrize("alg", PYJWT.algorithms)
def test_two_steps_with_a_peer_as_kms(alg: str, dice: random.Random) -> None:
    """PyJWT's primitive holds the private key and signs what `prepare` hands out."""
    key = fresh_key(alg)
    primitive = pyjwt.get_algorithm_by_name(alg)
    private = pyjwt.PyJWK(jwks_of(key, alg)[0], algorithm=alg).key
    signer = gatekey.Signer(key if key.is_symmetric else key.public())
    said = claims(dice)
    unsigned = signer.prepare(said)
    token = unsigned.attach(primitive.sign(unsigned.signing_input.encode(), private))
    verified = verifier(key).verify(token)
    assert {name: verified[name] for name in said} == said
    for wrong in (primitive.sign(b"another message", private), b""):
        with pytest.raises(exceptions.InvalidSignatureError):
            unsigned.attach(wrong)


@both
def test_another_key_is_refused_by_both(peer: Peer, alg: str, dice: random.Random) -> None:
    key, stranger = fresh_key(alg), gatekey.Key.from_jwk(for_peer(json.loads(peer_key(alg)), alg))
    said = claims(dice)
    _, public = jwks_of(key, alg)
    foreign = peer.sign(jwks_of(stranger, alg)[0], alg, said)
    with pytest.raises(exceptions.InvalidSignatureError):
        verifier(key).verify(foreign)
    with pytest.raises(peer.refusal):
        peer.verify(public, alg, gatekey.Signer(stranger).sign(said))


@both
def test_mutated_tokens_are_never_accepted(peer: Peer, alg: str, dice: random.Random) -> None:
    """One bit, one byte more, one less, two swapped: another text is another token."""
    key = fresh_key(alg)
    check = verifier(key)
    token = peer.sign(jwks_of(key, alg)[0], alg, claims(dice)).encode()
    check.verify(token)
    for _ in range(rounds(30)):
        damaged = bytearray(token)
        at, other = dice.randrange(len(token)), dice.randrange(len(token))
        edit = dice.randrange(4)
        if edit == 0:
            damaged[at] ^= 1 << dice.randrange(8)
        elif edit == 1:
            damaged.insert(at, dice.randrange(256))
        elif edit == 2:
            del damaged[at]
        else:
            damaged[at], damaged[other] = damaged[other], damaged[at]
        if bytes(damaged) == token:
            continue
        with pytest.raises(exceptions.InvalidTokenError):
            check.verify(bytes(damaged))


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_expired_and_early_tokens_are_refused_by_both(peer: Peer) -> None:
    key = fresh_key("ES256")
    private, public = jwks_of(key, "ES256")
    for said, error in (
        ({"exp": 1_600_000_000}, exceptions.ExpiredSignatureError),
        ({"exp": 32503680000, "nbf": 32503670000}, exceptions.ImmatureSignatureError),
    ):
        token = peer.sign(private, "ES256", said)
        with pytest.raises(error):
            verifier(key).verify(token)
        with pytest.raises(peer.refusal):
            peer.verify(public, "ES256", token)


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_the_strict_reader_and_theirs(peer: Peer) -> None:
    """Good signatures over texts that only gatekey refuses."""
    key = fresh_key("HS256")
    private, _ = jwks_of(key, "HS256")
    payloads = {
        "a member twice": b'{"exp":32503680000,"role":"user","role":"admin"}',
        "a number that is none": b'{"exp":32503680000,"x":NaN}',
    }
    header = part(b'{"alg":"HS256"}')
    secret = base64.urlsafe_b64decode(private["k"] + "==")
    for what, payload in payloads.items():
        signing_input = f"{header}.{part(payload)}"
        tag = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        token = f"{signing_input}.{part(tag)}"
        with pytest.raises(exceptions.DecodeError):
            verifier(key).verify(token)
        assert peer.verify(private, "HS256", token)["exp"] == 32503680000, (
            f"{peer} is as strict now: {what}"
        )
