"""The result of a verification: a mapping that nobody can change."""

from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

import gatekey
from gatekey import Key, Signer, Verified, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def verified(token: str, verifier: Verifier) -> Verified:
    return verifier.verify(token)


def test_getters(verified: Verified, key: Key) -> None:
    now = int(time.time())
    assert verified.issuer == "https://auth.example"
    assert verified.subject == "alice"
    assert verified.audience == ("orders",)
    assert verified.issued_at is not None
    assert verified.expires_at is not None
    assert abs(verified.issued_at - now) <= 5
    assert verified.expires_at == verified.issued_at + 900
    assert verified.not_before is None
    assert verified.token_id == verified["jti"]
    assert verified.key_id == key.kid
    assert verified.alg == "ES256"
    assert verified.header == {"alg": "ES256", "typ": "JWT", "kid": key.kid}


def test_absent_claims_are_none() -> None:
    key = Key.generate("HS256")
    signer = Signer(key, ttl=None, allow_missing_exp=True, token_ids=False, typ=None, kid=False)
    claims = Verifier(key, allow_missing_exp=True).verify(signer.sign({}))
    assert (claims.issuer, claims.subject, claims.token_id) == (None, None, None)
    assert (claims.expires_at, claims.not_before) == (None, None)
    assert claims.audience == ()
    assert claims.header == {"alg": "HS256"}


def test_several_audiences(key: Key) -> None:
    token = Signer(key, audience=["a", "b"]).sign({})
    verified = Verifier(key, audience=["b", "z"]).verify(token)
    assert verified.audience == ("a", "b")
    assert verified["aud"] == ["a", "b"]


def test_mapping(verified: Verified) -> None:
    assert isinstance(verified, Mapping)
    assert set(verified) == {"iss", "aud", "iat", "exp", "jti", "sub", "scope", "roles"}
    assert len(verified) == 8
    assert list(verified) == list(verified.keys()) == list(verified.claims)
    assert dict(verified) == verified.claims
    assert {**verified} == verified.claims
    assert dict(verified.items()) == verified.claims
    assert list(verified.values()) == list(verified.claims.values())
    assert verified["scope"] == "orders:read"
    assert verified.get("scope") == "orders:read"
    assert verified.get("nothing") is None
    assert verified.get("nothing", 7) == 7
    assert "scope" in verified
    assert "nothing" not in verified
    assert object() not in verified
    with pytest.raises(KeyError, match="nothing"):
        verified["nothing"]
    with pytest.raises(KeyError):
        verified[7]  # type: ignore[index]
    with pytest.raises(KeyError):
        verified["\ud800"]


def test_pattern_matching(verified: Verified) -> None:
    match verified:
        case {"sub": subject, "scope": "orders:read"}:
            assert subject == "alice"
        case _:
            pytest.fail("a Verified must match as a mapping")


def test_equality(verified: Verified, token: str, verifier: Verifier) -> None:
    assert verified == verified.claims
    assert verified.claims == verified
    assert verified == verifier.verify(token)
    assert verified != {}
    assert verified != 7
    with pytest.raises(TypeError):
        hash(verified)


def test_nobody_can_change_it(verified: Verified) -> None:
    with pytest.raises(TypeError):
        verified["sub"] = "mallory"  # type: ignore[index]
    with pytest.raises(TypeError):
        del verified["sub"]  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        verified.subject = "mallory"  # type: ignore[misc]
    before = verified.claims
    verified["roles"].append("admin")
    verified.get("roles", [""]).append("admin")
    dict(verified)["roles"].append("admin")
    dict(verified.items())["roles"].append("admin")
    next(value for value in verified.values() if isinstance(value, list)).append("admin")
    verified.keys().mapping["roles"].append("admin")  # type: ignore[attr-defined]
    verified.claims["roles"].append("admin")
    verified.header["alg"] = "none"
    assert verified.claims == before
    assert verified == before
    assert verified["roles"] == ["a", "b"]
    assert verified.header["alg"] == "ES256"


def test_raw_is_what_was_signed(verified: Verified, token: str) -> None:
    import base64

    payload = token.split(".")[1]
    assert verified.raw == base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert json.loads(verified.raw) == verified.claims


def test_only_verification_makes_one() -> None:
    with pytest.raises(TypeError):
        Verified()
    with pytest.raises(TypeError):

        class Fake(Verified):  # type: ignore[misc]
            pass


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_not_pickled_nor_copied(attempt: Callable[[Any], object], verified: Verified) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        attempt(verified)


def test_repr_names_claims_but_shows_no_value(verified: Verified, token: str) -> None:
    expected = "<gatekey.Verified alg='ES256' claims: iss, sub, aud, exp, iat, jti and 2 more>"
    assert repr(verified) == str(verified) == expected
    for part in ("alice", "orders", "roles", *token.split(".")):
        assert part not in repr(verified)


def test_tokens_are_str_or_bytes(token: str, verifier: Verifier) -> None:
    assert verifier.verify(token.encode()) == verifier.verify(token)
    with pytest.raises(exceptions.MissingCredentialsError):
        verifier.verify(None)
    for wrong in (7, bytearray(token.encode()), memoryview(token.encode()), [token]):
        with pytest.raises(TypeError, match="token must be"):
            verifier.verify(wrong)  # type: ignore[arg-type]
    for bad in ("", "é", "\ud800", token + "\x00", " " + token, token.encode() + b"\xff"):
        with pytest.raises(exceptions.InvalidTokenError):
            verifier.verify(bad)


def test_public_names() -> None:
    for name in gatekey.__all__:
        value = getattr(gatekey, name)
        if isinstance(value, type):
            assert value.__doc__
            assert value.__module__ == "gatekey"


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 200])
def test_any_number_of_claims(count: int) -> None:
    key = Key.generate("HS256")
    claims: dict[str, Any] = {
        f'n{n}"\\\n\u00e9\U0001f600': [n, {"n": f"{n}\t"}] for n in range(count)
    }
    claims |= {f"plain{n}": f"{n}" for n in range(count)}
    signer = Signer(key, ttl=None, allow_missing_exp=True, token_ids=False)
    verifier = Verifier(key, allow_missing_exp=True)
    verified = verifier.verify(signer.sign(claims | {"iat": 7}))
    claims["iat"] = 7
    assert len(verified) == len(claims)
    assert list(verified) == list(claims)
    assert {name: verified[name] for name in claims} == claims
    assert verified == claims
    assert dict(verified) == claims
    assert "plain" not in verified
    assert verified.get("n0") is None
    assert all(name in verified for name in claims)
