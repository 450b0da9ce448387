"""What is signed is what is verified: every value of JSON, exactly; nothing else gets in."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, UserDict
from datetime import datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from forge import forge, secret_key
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from gatekey import Key, Signer, Verifier, danger_decode_unverified, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key.generate("HS256")
SIGNER = Signer(KEY, ttl=None, allow_missing_exp=True, token_ids=False)
VERIFIER = Verifier(KEY, allow_missing_exp=True, max_token_bytes=1 << 20)
REGISTERED = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}


def round_trip(value: Any) -> Any:
    claims = VERIFIER.verify(SIGNER.sign({"value": value}))
    assert claims["value"] == claims.claims["value"]
    return claims["value"]


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float):
        return math.copysign(1, one) == math.copysign(1, two) and one == two
    return bool(one == two)


text = st.text(alphabet=st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**700), max_value=10**700)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)


@given(json_values)
@settings(max_examples=rounds(50))
def test_every_value_survives(value: Any) -> None:
    assert same(round_trip(value), value)


@given(st.dictionaries(text.filter(lambda name: name not in REGISTERED), json_values, max_size=40))
@settings(max_examples=rounds(20))
def test_every_claim_survives(claims: dict[str, Any]) -> None:
    verified = VERIFIER.verify(SIGNER.sign(claims))
    iat = verified.issued_at
    assert same(verified.claims, claims | {"iat": iat})
    assert dict(verified) == claims | {"iat": iat}


@given(json_values)
@settings(max_examples=rounds(20))
def test_we_read_what_the_standard_library_writes(value: Any) -> None:
    payload = json.dumps({"value": value}).encode()
    verified = Verifier(secret_key(), allow_missing_exp=True).verify(forge(payload))
    assert same(verified["value"], value)
    assert verified.raw == payload


@given(json_values)
@settings(max_examples=rounds(20))
def test_the_standard_library_reads_what_we_write(value: Any) -> None:
    raw = VERIFIER.verify(SIGNER.sign({"value": value})).raw
    assert same(json.loads(raw)["value"], value)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
        10**599,
        10**600,
        10**600 - 1,
        10**1200 + 7,
        -(10**4300),
        -(10**9999) + 1,
    ],
    ids=lambda value: f"{value.bit_length()} bits",
)
def test_integers_of_any_size(value: int) -> None:
    assert same(round_trip(value), value)


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 0.1, 1e16, 1e22, 1e-7, 1.7976931348623157e308, 5e-324, 1 / 3, 1e100, 123.0]
)
def test_floats(value: float) -> None:
    assert same(round_trip(value), value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("claim", ["value", "exp"])
def test_no_nan_and_no_infinity(value: float, claim: str) -> None:
    with pytest.raises(exceptions.UsageError):
        SIGNER.sign({claim: value})
    with pytest.raises(ValueError, match="infinity"):
        SIGNER.sign({"nested": [{claim: value}]})


def test_tuples_are_lists() -> None:
    assert round_trip((1, (2, 3))) == [1, [2, 3]]


def test_subclasses_count_as_what_they_are() -> None:
    class Level(enum.IntEnum):
        HIGH = 2**70

        def __repr__(self) -> str:
            return "not a number"

    class Name(str):
        __slots__ = ()

    assert same(round_trip(Level.HIGH), 2**70)
    assert same(round_trip(Name("x")), "x")
    assert same(round_trip(OrderedDict(b=1, a=2)), {"b": 1, "a": 2})


def test_mappings_are_claims() -> None:
    for claims in (MappingProxyType({"a": 1}), UserDict({"a": 1}), OrderedDict(a=1)):
        assert VERIFIER.verify(SIGNER.sign(claims))["a"] == 1
    verified = VERIFIER.verify(SIGNER.sign({"a": [1]}))
    assert VERIFIER.verify(SIGNER.sign(verified)) == verified


@pytest.mark.parametrize(
    "value", [{1, 2}, b"bytes", object(), 1j, datetime.now(timezone.utc), range(3), Ellipsis]
)
def test_what_has_no_json_form(value: Any) -> None:
    for claims in ({"value": value}, {"value": [value]}, {"value": {"a": value}}):
        with pytest.raises(TypeError, match="no JSON form"):
            SIGNER.sign(claims)


@pytest.mark.parametrize("name", [1, None, 1.5, b"x", ("a",)])
def test_names_are_str(name: Any) -> None:
    for claims in ({name: 1}, {"a": {name: 1}}):
        with pytest.raises(TypeError, match="must be str"):
            SIGNER.sign(claims)


@pytest.mark.parametrize("claims", [None, "{}", b"{}", [], [("a", 1)], 7])
def test_claims_are_a_mapping(claims: Any) -> None:
    with pytest.raises(TypeError, match="must be a mapping"):
        SIGNER.sign(claims)


def test_lone_surrogates_are_refused() -> None:
    for claims in ({"a": "\ud800"}, {"\udfff": 1}, {"a": ["\udc00x"]}):
        with pytest.raises(exceptions.UsageError, match="surrogate"):
            SIGNER.sign(claims)
    assert round_trip('\U0001f600\x00\x1f\u2028"\\/é') == '\U0001f600\x00\x1f\u2028"\\/é'


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"x": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_depth(kind: type) -> None:
    assert same(round_trip(nested(31, kind)), nested(31, kind))
    for depth in (32, 33, 100_000):
        with pytest.raises(exceptions.UsageError, match="32 levels"):
            SIGNER.sign({"value": nested(depth, kind)})


def test_values_that_hold_themselves() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(exceptions.UsageError, match="holds itself"):
        SIGNER.sign({"value": loop})
    claims: dict[str, Any] = {}
    claims["claims"] = claims
    with pytest.raises(exceptions.UsageError):
        SIGNER.sign(claims)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_aware_datetimes(claim: str) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    when = datetime(2024, 1, 2, 3, 4, 5, 999_999, tzinfo=zone)
    token = SIGNER.sign({claim: when})
    _, claims = danger_decode_unverified(token)
    assert claims[claim] == 1704144845
    assert type(claims[claim]) is int
    with pytest.raises(exceptions.UsageError, match="aware"):
        SIGNER.sign({claim: datetime(2024, 1, 2, 3, 4, 5)})
    with pytest.raises(TypeError):
        SIGNER.sign({"nested": {claim: when}})


def test_dates_before_1970_round_down() -> None:
    when = datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=timezone.utc)
    _, claims = danger_decode_unverified(SIGNER.sign({"nbf": when}))
    assert claims["nbf"] == -1


class Zone(tzinfo):
    """A timezone whose offset is computed by a function."""

    def __init__(self, offset: Callable[[], timedelta]) -> None:
        self.offset = offset

    def utcoffset(self, _: datetime | None) -> timedelta:
        return self.offset()

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _: datetime | None) -> str:
        return "zone"


def test_a_failing_timezone_is_not_swallowed() -> None:
    def broken() -> timedelta:
        raise RuntimeError("no idea")

    with pytest.raises(RuntimeError, match="no idea"):
        SIGNER.sign({"exp": datetime(2024, 1, 2, tzinfo=Zone(broken))})


def test_a_claim_that_changes_the_claims() -> None:
    def meddle() -> timedelta:
        claims.clear()
        claims.update({str(n): n for n in range(100)})
        return timedelta(0)

    claims: dict[str, Any] = {"exp": datetime(2999, 1, 2, tzinfo=Zone(meddle)), "a": 1, "b": 2}
    verified = VERIFIER.verify(SIGNER.sign(claims))
    assert (verified["a"], verified["b"]) == (1, 2)


def test_a_mapping_that_fails() -> None:
    class Broken(UserDict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise RuntimeError(key)

    with pytest.raises(RuntimeError):
        SIGNER.sign(Broken({"a": 1}))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":01}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"{}x",
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
def test_bad_payloads(payload: bytes) -> None:
    token = forge(payload)
    with pytest.raises(exceptions.DecodeError):
        Verifier(secret_key(), allow_missing_exp=True).verify(token)
    with pytest.raises(exceptions.DecodeError):
        danger_decode_unverified(token)


def test_unverified() -> None:
    header, claims = danger_decode_unverified(SIGNER.sign({"a": [1, {"b": None}]})[:-3] + "AAA")
    assert header == {"alg": "HS256", "typ": "JWT", "kid": KEY.kid}
    assert claims["a"] == [1, {"b": None}]
    for bad in ("", ".", "..", "a.b.c", "\ud800", b"\xff.."):
        with pytest.raises(exceptions.DecodeError):
            danger_decode_unverified(bad)
    with pytest.raises(TypeError):
        danger_decode_unverified(7)  # type: ignore[arg-type]
