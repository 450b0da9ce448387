"""What other programs put into tokens, and what they want to find in ours."""

from __future__ import annotations

import base64
import decimal
import hashlib
import hmac
import json
import uuid
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from forge import b64, forge, secret_key

import gatekey
from gatekey import ANY, IssuerRule, Key, Signer, Verifier, danger_decode_unverified
from gatekey import exceptions as exc

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000


def forged(**claims: Any) -> str:
    return forge(json.dumps(claims).encode())


def verify(token: str, **policy: Any) -> gatekey.Verified:
    return Verifier(secret_key(), clock=lambda: NOW, **policy).verify(token)


@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_values_that_claims_must_have(alg: str, key_for: Callable[[str], Key]) -> None:
    """Refresh tokens of other libraries are told from access tokens by a claim."""
    key = key_for(alg)
    sign = Signer(key).sign
    verifier = Verifier(key, claims={"token_type": "access", "v": 1})
    assert verifier.verify(sign({"token_type": "access", "v": 1.0}))["v"] == 1
    for claims in ({"token_type": "refresh", "v": 1}, {"token_type": ["access"], "v": 1}):
        with pytest.raises(exc.InvalidClaimError) as refused:
            verifier.verify(sign(claims))
        assert refused.value.claim == "token_type"
    with pytest.raises(exc.MissingRequiredClaimError) as missing:
        verifier.verify(sign({"token_type": "access"}))
    assert missing.value.claim == "v"
    deep = Verifier(key, claims={"r": {"a": [1, None, True], "b": "x"}})
    assert deep.verify(sign({"r": {"b": "x", "a": [1, None, True]}}))
    with pytest.raises(exc.InvalidClaimError):
        deep.verify(sign({"r": {"b": "x", "a": [1, None, 1]}}))
    for name in ("iss", "sub", "aud", "exp", "nbf", "iat"):
        with pytest.raises(exc.ConfigurationError):
            Verifier(key, claims={name: 1})
    with pytest.raises(TypeError, match="mapping"):
        Verifier(key, claims=["token_type"])  # type: ignore[arg-type]


def test_a_subject_that_is_a_number_is_not_its_text() -> None:
    token = forged(sub=7, exp=NOW + 9)
    text = forged(sub="7", exp=NOW + 9)
    with pytest.raises(exc.InvalidClaimError) as refused:
        verify(token)
    assert refused.value.claim == "sub"
    numeric = verify(token, allow_numeric_subject=True)
    assert numeric.subject == 7
    assert type(numeric.subject) is int
    assert numeric["sub"] == 7
    assert verify(text, allow_numeric_subject=True).subject == "7"
    assert verify(token, subject=7).subject == 7
    for wrong, subject in ((text, 7), (token, 8), (text, 0)):
        with pytest.raises(exc.InvalidSubjectError):
            verify(wrong, subject=subject)
    with pytest.raises(exc.InvalidSubjectError):
        verify(token, subject="7", allow_numeric_subject=True)
    with pytest.raises(TypeError):
        verify(token, subject=True)
    with pytest.raises(exc.UsageError):
        verify(token, subject=2**63)
    for odd in (1.5, True, None, [7], 2**64):
        bad = forged(sub=odd, exp=NOW + 9)
        with pytest.raises(exc.InvalidClaimError):
            verify(bad, allow_numeric_subject=True)


def test_subjects_are_revoked_each_by_its_own_name() -> None:
    for name, survivor in ((7, "7"), ("7", 7)):
        listed = gatekey.Revocations.open("memory:")
        now = int(datetime.now(timezone.utc).timestamp())
        verifier = Verifier(secret_key(), revocations=listed, allow_numeric_subject=True)

        def token(subject: str | int, now: int = now) -> str:
            return forged(sub=subject, iat=now, exp=now + 60, jti="t")

        assert verifier.verify(token(name)).subject == name
        listed.revoke_subject(name)
        with pytest.raises(exc.RevokedTokenError):
            verifier.verify(token(name))
        assert verifier.verify(token(survivor)).subject == survivor
        listed.revoke_before(now + 1, subject=survivor)
        with pytest.raises(exc.RevokedTokenError):
            verifier.verify(token(survivor))


def test_padded_parts_where_they_are_asked_for() -> None:
    secret = b"a secret of thirty-two bytes, ok"
    key = Key.from_secret(secret, "HS256")
    for claims in (
        b'{"exp":2000000000}',
        b'{"exp":2000000000,"a":1}',
        b'{"exp":2000000000,"a":12}',
    ):
        parts = [base64.urlsafe_b64encode(part).decode() for part in (b'{"alg":"HS256"}', claims)]
        mac = hmac.digest(secret, ".".join(parts).encode(), hashlib.sha256)
        token = ".".join([*parts, base64.urlsafe_b64encode(mac).decode()])
        assert token.endswith("=")
        with pytest.raises(exc.DecodeError):
            Verifier(key, clock=lambda: NOW).verify(token)
        lenient = Verifier(key, clock=lambda: NOW, allow_padding=True)
        assert lenient.verify(token).raw == claims
        # Its signature without the padding is the same token.
        assert lenient.verify(token.rstrip("=")).raw == claims
        with pytest.raises(exc.DecodeError):
            lenient.verify(token + "=")


def test_one_issuer_of_any_audience() -> None:
    token = Signer(secret_key(), issuer="a", audience="x").sign({})
    bare = Signer(secret_key(), issuer="a").sign({})
    lenient = Verifier.for_issuers({"a": IssuerRule(secret_key(), audience=ANY)}, audience="y")
    assert lenient.verify(token).audience == ("x",)
    assert lenient.verify(bare).audience == ()
    strict = Verifier.for_issuers({"a": IssuerRule(secret_key())}, audience="y")
    with pytest.raises(exc.InvalidAudienceError):
        strict.verify(token)


def test_members_of_the_header() -> None:
    signer = Signer(
        secret_key(), headers={"x5t": b64(bytes(20)), "cty": "JWT", "v": [1, {"a": None}]}
    )
    header, _ = danger_decode_unverified(signer.sign({}))
    assert header["x5t"] == b64(bytes(20))
    assert (header["cty"], header["v"], header["alg"]) == ("JWT", [1, {"a": None}], "HS256")
    for name in ("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u", "enc", "zip"):
        with pytest.raises(exc.ConfigurationError) as refused:
            Signer(secret_key(), headers={name: "x"})
        assert refused.value.claim == name
    with pytest.raises(TypeError):
        Signer(secret_key(), headers=[("a", 1)])  # type: ignore[arg-type]


def test_values_of_headers_have_the_signers_default() -> None:
    name = uuid.UUID(int=7)
    signer = Signer(secret_key(), headers={"nonce": name, "v": [name]}, default=str)
    header = danger_decode_unverified(signer.sign({}))[0]
    assert (header["nonce"], header["v"]) == (str(name), [str(name)])
    with pytest.raises(TypeError, match="UUID"):
        Signer(secret_key(), headers={"nonce": name})


@pytest.mark.parametrize(
    "headers",
    [{"x5t": b64(bytes(20))}, {"x5t#S256": b64(bytes(32))}, {"x5c": ["AAAA"]}],
    ids=lambda headers: str(next(iter(headers))),
)
def test_no_certificate_of_one_key_where_keys_change(headers: dict[str, object]) -> None:
    ring = gatekey.KeyRing.open("memory:")
    with pytest.raises(exc.ConfigurationError) as refused:
        Signer(ring, headers=headers)
    assert refused.value.claim == next(iter(headers))
    Signer(ring, headers={"cty": "JWT"}).sign({})


def test_dates_in_milliseconds_are_refused() -> None:
    for name in ("exp", "nbf", "iat", "auth_time"):
        with pytest.raises(exc.UsageError, match="milliseconds") as refused:
            Signer(secret_key()).sign({name: NOW * 1000})
        assert refused.value.claim == name


def test_what_has_no_json_form_goes_to_default() -> None:
    claims = {
        "id": uuid.UUID(int=7),
        "price": [decimal.Decimal("1.50")],
        "day": {"d": date(2027, 1, 2)},
    }
    with pytest.raises(TypeError, match="default="):
        Signer(secret_key()).sign(claims)
    _, seen = danger_decode_unverified(Signer(secret_key(), default=str).sign(claims))
    assert seen["id"] == "00000000-0000-0000-0000-000000000007"
    assert (seen["price"], seen["day"]) == (["1.50"], {"d": "2027-01-02"})
    _, seen = danger_decode_unverified(
        Signer(secret_key(), default=lambda _: {"a": 1}).sign(claims)
    )
    assert seen["id"] == {"a": 1}
    with pytest.raises(exc.UsageError, match="32"):
        Signer(secret_key(), default=lambda value: value).sign(claims)

    def fails(_: object) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Signer(secret_key(), default=fails).sign(claims)
    with pytest.raises(TypeError, match="default"):
        Signer(secret_key(), default="str")  # type: ignore[arg-type]


def test_numbers_that_keep_a_reader_busy_are_refused() -> None:
    for digits in (4301, 100_000):
        for part in (0, 1):
            parts = [b64(b"{}"), b64(b"{}"), ""]
            parts[part] = b64(b'{"n":' + b"9" * digits + b"}")
            with pytest.raises(exc.DecodeError, match="4300"):
                danger_decode_unverified(".".join(parts))
    long = b64(b'{"n":' + b"9" * 4300 + b"}")
    _, claims = danger_decode_unverified(f"{b64(b'{}')}.{long}.")
    assert claims["n"] == 10**4300 - 1
