"""Every knob of the verifier and of the signer."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from forge import b64, forge, secret_key

import gatekey
from gatekey import ANY, IssuerRule, Key, KeySet, Signer, Verifier, danger_decode_unverified
from gatekey import exceptions as exc

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000


def at(seconds: int) -> Callable[[], int]:
    return lambda: NOW + seconds


def signed(**claims: Any) -> str:
    signer = Signer(secret_key(), ttl=None, allow_missing_exp=True, clock=at(0), kid=False)
    return signer.sign(claims)


def verify(token: str, seconds: int = 0, /, **policy: Any) -> gatekey.Verified:
    policy.setdefault("clock", at(seconds))
    return Verifier(secret_key(), **policy).verify(token)


@pytest.mark.parametrize(
    ("claim", "option", "error"),
    [("iss", "issuer", exc.InvalidIssuerError), ("aud", "audience", exc.InvalidAudienceError)],
)
def test_issuer_and_audience(claim: str, option: str, error: type[exc.GatekeyError]) -> None:
    token, bare = signed(exp=NOW + 9, **{claim: "a"}), signed(exp=NOW + 9)
    assert verify(bare)["exp"] == NOW + 9
    with pytest.raises(error, match=claim):  # silence forbids, and says what to do
        verify(token)
    for good in ("a", ["a"], ["b", "a"], ("a",), {"a"}, iter(["a"]), ANY):
        assert verify(token, **{option: good})[claim] == "a"
    for bad in ("b", "", "A", "a ", ["b", "c"], "aa"):
        with pytest.raises((error, exc.ConfigurationError)):
            verify(token, **{option: bad})
    with pytest.raises(exc.MissingRequiredClaimError) as caught:
        verify(bare, **{option: "a"})
    assert caught.value.claim == claim
    assert verify(bare, **{option: ANY})["exp"] == NOW + 9


@pytest.mark.parametrize("option", ["issuer", "audience", "typ"])
def test_nothing_to_choose_from_is_a_mistake(option: str) -> None:
    nothing: list[Any] = [[], (), set(), iter([])]
    for empty in nothing:
        with pytest.raises(exc.ConfigurationError, match="ANY"):
            Verifier(secret_key(), **{option: empty})
    for wrong in (7, [7], [None], b"a", [b"a"], object()):
        with pytest.raises(TypeError):
            Verifier(secret_key(), **{option: wrong})  # type: ignore[arg-type]


def test_any_is_itself() -> None:
    import copy
    import pickle

    assert repr(ANY) == "gatekey.ANY"
    assert copy.deepcopy(ANY) is ANY
    assert pickle.loads(pickle.dumps(ANY)) is ANY  # noqa: S301
    with pytest.raises(TypeError):
        type(ANY)()


def test_type() -> None:
    def typed(typ: str | None) -> str:
        header = b'{"alg":"HS256"}' if typ is None else f'{{"alg":"HS256","typ":"{typ}"}}'.encode()
        return forge(b'{"exp":1700000009}', header)

    for good in (None, "JWT", "jwt", "application/jwt"):
        assert verify(typed(good))
        assert verify(typed(good), typ=ANY)
    with pytest.raises(exc.InvalidTypeError):
        verify(typed("at+jwt"))
    assert verify(typed("at+jwt"), typ="at+jwt")
    assert verify(typed("application/AT+JWT"), typ="at+jwt")
    assert verify(typed("at+jwt"), typ=["dpop+jwt", "at+jwt"])
    assert verify(typed("at+jwt"), typ=ANY)
    for other in (None, "JWT"):
        with pytest.raises(exc.InvalidTypeError):
            verify(typed(other), typ="at+jwt")


def test_subject_and_required() -> None:
    token = signed(exp=NOW + 9, sub="alice", scope="x")
    assert verify(token, subject="alice", required="scope")
    assert verify(token, required=["sub", "scope"])
    with pytest.raises(exc.InvalidSubjectError):
        verify(token, subject="bob")
    for required in ("tenant", ("sub", "tenant"), {"tenant"}):
        with pytest.raises(exc.MissingRequiredClaimError) as caught:
            verify(token, required=required)
        assert caught.value.claim == "tenant"


def test_expiry_and_leeway() -> None:
    token = signed(exp=NOW, iat=NOW - 60)
    assert verify(token, -1)
    for late in (0, 1, 10**9):
        with pytest.raises(exc.ExpiredSignatureError):
            verify(token, late)
    assert verify(token, 4, leeway=5)
    assert verify(token, 4, leeway=timedelta(seconds=5))
    with pytest.raises(exc.ExpiredSignatureError):
        verify(token, 5, leeway=5)
    with pytest.raises(exc.MissingRequiredClaimError):
        verify(signed())
    assert verify(signed(), allow_missing_exp=True)
    with pytest.raises(exc.ExpiredSignatureError):
        verify(token, allow_missing_exp=True)


def test_not_before_and_issued_in_the_future() -> None:
    token = signed(exp=NOW + 100, nbf=NOW + 10)
    assert verify(token, 10)
    with pytest.raises(exc.ImmatureSignatureError):
        verify(token, 9)
    assert verify(token, 9, leeway=1)
    with pytest.raises(exc.InvalidIssuedAtError):
        verify(signed(exp=NOW + 100, iat=NOW + 10), 9)


def test_max_age() -> None:
    token = signed(exp=NOW + 10**6)
    assert verify(token, 60, max_age=60)
    assert verify(token, 60, max_age=timedelta(minutes=1))
    with pytest.raises(exc.TokenTooOldError):
        verify(token, 61, max_age=60)
    with pytest.raises(exc.MissingRequiredClaimError) as caught:
        verify(forge(b'{"exp":1700000009}'), max_age=60)
    assert caught.value.claim == "iat"


@pytest.mark.parametrize("option", ["leeway", "max_age"])
def test_durations(option: str) -> None:
    for wrong in ("5", True, [5], object()):
        with pytest.raises(TypeError, match=option):
            Verifier(secret_key(), **{option: wrong})  # type: ignore[arg-type]
    for bad in (-1, -0.5, math.nan, math.inf, 2**64, 10**30, timedelta(seconds=-1)):
        with pytest.raises(ValueError, match=option):
            Verifier(secret_key(), **{option: bad})  # type: ignore[arg-type]
    Verifier(secret_key(), leeway=600)
    Verifier(secret_key(), leeway=600.9)
    with pytest.raises(exc.ConfigurationError):
        Verifier(secret_key(), leeway=601)


def test_algorithms(key_for: Callable[[str], Key]) -> None:
    keys = [key_for("ES256"), key_for("EdDSA")]
    verifier = Verifier(keys, algorithms=["ES256"])
    assert verifier.verify(Signer(keys[0]).sign({}))
    with pytest.raises(exc.InvalidTokenError):
        verifier.verify(Signer(keys[1]).sign({}))
    assert Verifier(keys, algorithms="EdDSA").verify(Signer(keys[1]).sign({}))
    with pytest.raises(exc.ConfigurationError):
        Verifier(keys[0], algorithms=["ES384"])
    with pytest.raises(exc.ConfigurationError):
        Verifier(keys[0], algorithms=[])
    with pytest.raises(exc.UsageError):
        Verifier(keys[0], algorithms=["none"])


def test_algorithm_confusion(key_for: Callable[[str], Key]) -> None:
    public = key_for("RS256").public()
    verifier = Verifier(public)
    forged = forge(b'{"exp":4102444800}', secret=public.to_pem().encode())
    with pytest.raises(exc.InvalidAlgorithmError):
        verifier.verify(forged)
    for alg in (b"none", b"None", b"HS257"):
        header = b'{"alg":"' + alg + b'"}'
        with pytest.raises(exc.UnsupportedAlgorithmError):
            verifier.verify(f"{b64(header)}.{b64(b'{}')}.")


def test_sizes() -> None:
    token = signed(exp=NOW + 9, pad="x" * 500)
    assert verify(token, max_token_bytes=len(token))
    with pytest.raises(exc.TokenTooLargeError):
        verify(token, max_token_bytes=len(token) - 1)
    with pytest.raises(exc.TokenTooLargeError):
        verify(token, max_header_bytes=8)
    with pytest.raises(exc.TokenTooLargeError):
        verify(token + "A" * 20_000)
    with pytest.raises(exc.ConfigurationError):
        Verifier(secret_key(), max_token_bytes=0)
    with pytest.raises(exc.ConfigurationError, match="from 1 to 1048576"):
        Verifier(secret_key(), max_token_bytes=-1)


@pytest.mark.parametrize(
    "options",
    [
        {"subject": ""},
        {"issuer": ""},
        {"audience": ["a", ""]},
        {"required": [""]},
        {"required": ["exp"], "allow_missing_exp": True},
        {"max_age": 0},
    ],
)
def test_contradictions(options: dict[str, Any]) -> None:
    with pytest.raises(exc.ConfigurationError):
        Verifier(secret_key(), **options)


def test_no_keys() -> None:
    nothing: list[Any] = [[], KeySet([]), iter([])]
    for none in nothing:
        with pytest.raises(exc.ConfigurationError):
            Verifier(none)
    for wrong in (None, "key", 7, ["key"], {"kty": "oct"}):
        with pytest.raises(TypeError):
            Verifier(wrong)  # type: ignore[arg-type]


def test_options_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        Verifier(secret_key(), "https://issuer.example")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Signer(secret_key(), "https://issuer.example")  # type: ignore[call-arg]


def test_kid_of_a_single_key() -> None:
    named, unnamed = secret_key(kid="a"), secret_key()
    for token in (Signer(named).sign({}), Signer(named, kid=False).sign({})):
        assert Verifier(named).verify(token).key_id == "a"
        assert Verifier(unnamed).verify(token)
    with pytest.raises(exc.KeyNotFoundError):
        Verifier(named).verify(Signer(secret_key(kid="b")).sign({}))


def test_critical_extensions() -> None:
    for crit, error in ((b'["b64"]', exc.UnsupportedCriticalError), (b"[]", exc.DecodeError)):
        header = b'{"alg":"HS256","crit":' + crit + b',"b64":true}'
        with pytest.raises(error):
            verify(forge(b'{"exp":1700000009}', header))


class Frozen:
    def now(self) -> float:
        return NOW + 0.99


def test_clocks() -> None:
    token = signed(exp=NOW + 1)
    for clock in (Frozen(), Frozen().now, lambda: NOW, at(0)):
        assert verify(token, clock=clock)
        assert Signer(secret_key(), clock=clock).sign({})
    with pytest.raises(exc.ExpiredSignatureError):
        Verifier(secret_key()).verify(token)
    with pytest.raises(exc.ExpiredSignatureError):
        Verifier(secret_key(), clock=None).verify(token)


def test_a_clock_that_fails_is_heard() -> None:
    def broken() -> int:
        raise RuntimeError("no time")

    token = signed(exp=NOW + 1)
    with pytest.raises(RuntimeError, match="no time"):
        verify(token, clock=broken)
    with pytest.raises(RuntimeError, match="no time"):
        Signer(secret_key(), clock=broken).sign({})
    for result in (-1, float("nan"), float("inf"), 2**64, -0.5):
        with pytest.raises(exc.UsageError):
            verify(token, clock=lambda: result)  # noqa: B023
    for wrong in ("now", None, True, datetime.now(timezone.utc)):
        with pytest.raises(TypeError):
            verify(token, clock=lambda: wrong)  # noqa: B023
    for nonsense in (7, "x", object()):
        with pytest.raises(TypeError, match="clock"):
            Verifier(secret_key(), clock=nonsense)  # type: ignore[arg-type]


def test_clocks_do_not_mix() -> None:
    token = signed(exp=NOW + 5)
    inner = Verifier(secret_key(), clock=at(100))

    def clock() -> int:
        with pytest.raises(exc.ExpiredSignatureError):
            inner.verify(token)
        return NOW

    assert verify(token, clock=clock)
    with pytest.raises(exc.ExpiredSignatureError):
        Verifier(secret_key()).verify(token)


def test_several_issuers(key_for: Callable[[str], Key]) -> None:
    one, two, three = key_for("ES256"), key_for("EdDSA"), key_for("PS256")
    verifier = Verifier.for_issuers(
        {
            "https://one.example": one.public(),
            "https://two.example": IssuerRule(two.public(), audience="two", algorithms=["EdDSA"]),
            "https://three.example": KeySet([three.public()]),
        },
        audience="api",
    )

    def token(key: Key, issuer: str, audience: str) -> str:
        return Signer(key, issuer=f"https://{issuer}.example", audience=audience).sign({})

    assert verifier.verify(token(one, "one", "api")).issuer == "https://one.example"
    assert verifier.verify(token(two, "two", "two")).key_id == two.kid
    assert verifier.verify(token(three, "three", "api")).alg == "PS256"
    with pytest.raises(exc.InvalidAudienceError):
        verifier.verify(token(two, "two", "api"))
    with pytest.raises(exc.InvalidAudienceError):
        verifier.verify(token(one, "one", "two"))
    with pytest.raises(exc.InvalidTokenError):  # a key never crosses issuers
        verifier.verify(token(two, "one", "api"))
    with pytest.raises(exc.InvalidIssuerError):
        verifier.verify(token(one, "four", "api"))
    with pytest.raises(exc.MissingRequiredClaimError):
        verifier.verify(Signer(one, audience="api").sign({}))


def test_issuer_rules_that_make_no_sense(key: Key) -> None:
    with pytest.raises(exc.ConfigurationError):
        Verifier.for_issuers({})
    with pytest.raises(exc.ConfigurationError):
        Verifier.for_issuers({"": key})
    with pytest.raises(exc.ConfigurationError):
        Verifier.for_issuers({"a": IssuerRule(key, algorithms=["HS256"])})
    with pytest.raises(exc.ConfigurationError):
        IssuerRule(key, audience=[])
    for wrong in (None, [("a", key)], "a", {7: key}, {"a": "key"}):
        with pytest.raises(TypeError):
            Verifier.for_issuers(wrong)  # type: ignore[arg-type]


def test_signer_defaults(key: Key) -> None:
    header, claims = danger_decode_unverified(Signer(key, clock=at(0)).sign({"sub": "a"}))
    assert header == {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    jti = claims.pop("jti")
    assert len(jti) == 22
    assert claims == {"sub": "a", "iat": NOW, "exp": NOW + 900}


def test_signer_options(key: Key) -> None:
    signer = Signer(
        key,
        issuer="i",
        audience=["a", "b"],
        ttl=timedelta(hours=1),
        typ="at+jwt",
        kid=False,
        token_ids=False,
        clock=at(0),
    )
    assert signer.key == key
    header, claims = danger_decode_unverified(signer.sign({}))
    assert header == {"alg": "ES256", "typ": "at+jwt"}
    assert claims == {"iss": "i", "aud": ["a", "b"], "iat": NOW, "exp": NOW + 3600}
    header, claims = danger_decode_unverified(Signer(key, typ=None, audience="a").sign({}))
    assert "typ" not in header
    assert claims["aud"] == "a"


def test_claims_of_ones_own(key: Key) -> None:
    signer = Signer(key, issuer="i", audience="a", clock=at(0))
    mine = {"iss": "i", "aud": "a", "iat": NOW - 5, "exp": NOW + 5, "jti": "mine"}
    assert danger_decode_unverified(signer.sign(mine))[1] == mine
    for other in ({"iss": "j"}, {"aud": "b"}, {"aud": ["a", "b"]}, {"exp": "soon"}, {"iss": 7}):
        with pytest.raises(exc.UsageError) as refused:
            signer.sign(other)
        assert refused.value.claim in other


def test_tokens_that_never_expire_are_asked_for(key: Key) -> None:
    with pytest.raises(exc.UsageError, match="`allow_missing_exp`"):
        Signer(key, ttl=None).sign({})
    soon = datetime.now(timezone.utc) + timedelta(minutes=5)
    assert Verifier(key).verify(Signer(key, ttl=None).sign({"exp": soon}))
    with pytest.raises(exc.ConfigurationError):
        Signer(key, allow_missing_exp=True)
    assert "exp" not in danger_decode_unverified(signed())[1]


@pytest.mark.parametrize("ttl", [0, -1, 2**64, timedelta(0), timedelta(seconds=-5), 10**12])
def test_bad_lifetimes(ttl: int | timedelta, key: Key) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Signer(key, ttl=ttl)


def test_signing_elsewhere(key_for: Callable[[str], Key]) -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key = key_for("ES256")
    signer = Signer(key.public())
    unsigned = signer.prepare({"sub": "alice"})
    hsm = serialization.load_pem_private_key(key.to_pem(private=True).encode(), None)
    assert isinstance(hsm, ec.EllipticCurvePrivateKey)
    der = hsm.sign(unsigned.signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    token = unsigned.attach(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert token.startswith(unsigned.signing_input + ".")
    assert Verifier(key.public()).verify(token).subject == "alice"
    assert unsigned.attach(der) == token
    for bad in (der[:-1], der + b"\0", b"", bytes(64), b"x" * 64):
        with pytest.raises(exc.InvalidSignatureError):
            unsigned.attach(bad)
    with pytest.raises(exc.KeyUsageError):
        signer.sign({"sub": "alice"})
