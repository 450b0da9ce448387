"""The peers behind one face: sign, verify, make and convert keys. JWKs are dicts throughout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gatekey
import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwcrypto.common
import jwcrypto.jwk
import jwcrypto.jwt
from cryptography.hazmat.primitives import serialization

import jwt as pyjwt

if TYPE_CHECKING:
    from collections.abc import Callable

Claims = dict[str, Any]
Jwk = dict[str, Any]

HMAC = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC = ("ES256", "ES384", "ES512", "ES256K")
ML_DSA = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")


@dataclass(frozen=True)
class Peer:
    """What a peer can do with a JWK (a dict, private or public) and an algorithm's name."""

    name: str
    algorithms: tuple[str, ...]
    sign: Callable[[Jwk, str, Claims], str]
    verify: Callable[[Jwk, str, str], Claims]
    from_pem: Callable[[str, str], Jwk]
    to_pem: Callable[[Jwk, str], str]
    thumbprint: Callable[[Jwk], str]
    refusal: type[Exception]

    def __str__(self) -> str:
        return self.name


# PyJWT


def _pyjwt_key(jwk: Jwk, alg: str) -> Any:
    return pyjwt.PyJWK(jwk, algorithm=alg).key


def _pyjwt_sign(jwk: Jwk, alg: str, claims: Claims) -> str:
    return pyjwt.encode(claims, _pyjwt_key(jwk, alg), algorithm=alg)


def _pyjwt_verify(jwk: Jwk, alg: str, token: str) -> Claims:
    options = {"verify_aud": False}
    return pyjwt.decode(token, _pyjwt_key(jwk, alg), algorithms=[alg], options=options)


def _pyjwt_from_pem(pem: str, alg: str) -> Jwk:
    algorithm = pyjwt.get_algorithm_by_name(alg)
    return {**algorithm.to_jwk(algorithm.prepare_key(pem), as_dict=True), "alg": alg}


def _pyjwt_to_pem(jwk: Jwk, alg: str) -> str:
    key = _pyjwt_key(jwk, alg)
    pem = serialization.Encoding.PEM
    if "d" in jwk:
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(pem, form, serialization.NoEncryption()).decode()
    return key.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _no_thumbprint(jwk: Jwk) -> str:
    """PyJWT has none; jwcrypto speaks for it."""
    return _jwcrypto_thumbprint(jwk)


# joserfc


def _joserfc_sign(jwk: Jwk, alg: str, claims: Claims) -> str:
    key = joserfc.jwk.import_key(jwk)
    return joserfc.jwt.encode({"alg": alg}, claims, key, algorithms=[alg])


def _joserfc_verify(jwk: Jwk, alg: str, token: str) -> Claims:
    claims = joserfc.jwt.decode(token, joserfc.jwk.import_key(jwk), algorithms=[alg]).claims
    joserfc.jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
    return dict(claims)


def _kind(alg: str) -> str:
    return "RSA" if alg in RSA else "EC" if alg in EC else "OKP"


def _joserfc_from_pem(pem: str, alg: str) -> Jwk:
    key = joserfc.jwk.import_key(pem, _kind(alg))
    return {**key.as_dict(private=key.is_private), "alg": alg}


def _joserfc_to_pem(jwk: Jwk, _alg: str) -> str:
    return joserfc.jwk.import_key(jwk).as_pem(private="d" in jwk).decode()


# jwcrypto


def _jwcrypto_key(jwk: Jwk) -> jwcrypto.jwk.JWK:
    return jwcrypto.jwk.JWK.from_json(json.dumps(jwk))


def _jwcrypto_sign(jwk: Jwk, alg: str, claims: Claims) -> str:
    token = jwcrypto.jwt.JWT(header={"alg": alg}, claims=claims, algs=[alg])
    token.make_signed_token(_jwcrypto_key(jwk))
    return token.serialize()


def _jwcrypto_verify(jwk: Jwk, alg: str, token: str) -> Claims:
    return json.loads(jwcrypto.jwt.JWT(jwt=token, key=_jwcrypto_key(jwk), algs=[alg]).claims)


def _jwcrypto_from_pem(pem: str, alg: str) -> Jwk:
    key = jwcrypto.jwk.JWK.from_pem(pem.encode())
    jwk = json.loads(key.export_private() if key.has_private else key.export_public())
    jwk.pop("kid", None)
    return {**jwk, "alg": alg}


def _jwcrypto_to_pem(jwk: Jwk, _alg: str) -> str:
    key = _jwcrypto_key(jwk)
    return key.export_to_pem(private_key=key.has_private, password=None).decode()


def _jwcrypto_thumbprint(jwk: Jwk) -> str:
    return _jwcrypto_key(jwk).thumbprint()


def _joserfc_thumbprint(jwk: Jwk) -> str:
    return joserfc.jwk.import_key(jwk).thumbprint()


PYJWT = Peer(
    "PyJWT",
    (*HMAC, *RSA, *EC, "EdDSA"),
    _pyjwt_sign,
    _pyjwt_verify,
    _pyjwt_from_pem,
    _pyjwt_to_pem,
    _no_thumbprint,
    pyjwt.PyJWTError,
)
JOSERFC = Peer(
    "joserfc",
    (*HMAC, *RSA, *EC, "EdDSA", "Ed25519"),
    _joserfc_sign,
    _joserfc_verify,
    _joserfc_from_pem,
    _joserfc_to_pem,
    _joserfc_thumbprint,
    joserfc.errors.JoseError,
)
JWCRYPTO = Peer(
    "jwcrypto",
    (*HMAC, *RSA, *EC, "EdDSA", "Ed25519", *ML_DSA),
    _jwcrypto_sign,
    _jwcrypto_verify,
    _jwcrypto_from_pem,
    _jwcrypto_to_pem,
    _jwcrypto_thumbprint,
    jwcrypto.common.JWException,
)
PEERS = (PYJWT, JOSERFC, JWCRYPTO)

PAIRS = [(peer, alg) for peer in PEERS for alg in peer.algorithms]


def for_peer(jwk: Jwk, alg: str) -> Jwk:
    """The JWK bound to this algorithm, without `use` and `key_ops`: jwcrypto refuses both."""
    rest = {name: value for name, value in jwk.items() if name not in ("use", "key_ops")}
    return rest | {"alg": alg}


def verifier(key: gatekey.Key, **more: Any) -> gatekey.Verifier:
    """Any issuer, audience and type: compared here are the signature and the claims."""
    key = key if key.is_symmetric else key.public()
    any_value = {"issuer": gatekey.ANY, "audience": gatekey.ANY, "typ": gatekey.ANY}
    return gatekey.Verifier(key, **(any_value | more))
