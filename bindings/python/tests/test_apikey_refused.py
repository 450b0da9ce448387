"""Which API keys and calls are refused, what a refusal tells, and what a writer to the database
achieves."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from clocks import NOW, Clock

import gatekey
from gatekey import ApiKeys, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PEPPER = bytes(range(32))
LONE = "hunter2\ud800"  # half of a surrogate pair, which has no UTF-8 form


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory:", "sqlite"])
def keys(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[ApiKeys]:
    url = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=PEPPER, clock=clock) as keys:
        yield keys


def test_who_only_knows_the_id_is_not_told(keys: ApiKeys) -> None:
    issued = keys.create(owner="acme", rate=(1, 60))
    other = ApiKeys.open("memory:", pepper=bytes(32)).create(owner="x")
    for text in ("x", "nonsense", other.secret):
        result = keys.check(text)
        assert (result.ok, result.key_id) == (False, None)
        with pytest.raises(exceptions.ApiKeyError) as raised:
            keys.verify(text)
        assert raised.value.key_id is None
    old = keys.rotate(issued.id)
    assert keys.check(issued.secret).code == "bad_api_key_secret"
    assert keys.check(issued.secret).key_id is None
    new = keys.rotate(issued.id, overlap=60)
    keys.revoke(issued.id)
    for text in (old.secret, new.secret):
        result = keys.check(text)
        assert (result.code, result.key_id) == ("api_key_revoked", issued.id)


def test_altered_rows_are_shown_as_such(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=bytes(32)) as keys:
        own, other = keys.create(owner="mallory"), keys.create(owner="acme")
        assert not own.record.altered
    with closing(sqlite3.connect(f"{tmp_path}/keys.sqlite")) as db, db:
        db.execute("UPDATE key SET owner = 'root', scopes = 'admin' WHERE id = ?", [own.id])
    with ApiKeys.open(url, pepper=bytes(32)) as keys:
        assert keys.get(own.id).altered
        assert not keys.get(other.id).altered
        assert sorted(keys.list(), key=lambda one: one.altered)[1].id == own.id
        result = keys.check(own.secret)
        assert (result.code, result.key_id) == ("store_unavailable", None)
        assert keys.verify(other.secret).altered is False


def test_what_is_upgraded_is_what_was_proved(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    one, two = (1, bytes(32)), (2, bytes(range(32)))
    with ApiKeys.open(url, pepper=[one]) as keys:
        old = keys.create(owner="acme")
        new = keys.rotate(old.id, overlap=3600)
        digest = hashlib.pbkdf2_hmac("sha256", b"right-secret", b"salt", 1000)
        row = {
            "owner": "acme",
            "hash": f"pbkdf2_sha256$1000$salt${base64.b64encode(digest).decode()}",
            "lookup": "acme",
        }
        keys.import_([row], scheme="pbkdf2-sha256")
    with ApiKeys.open(url, pepper=[one, two]) as keys:
        for _ in range(2):
            assert keys.check(old.secret).ok
            assert not keys.check("x_acme.right-secret").ok
            assert not keys.check("acme.right-secret\0").ok
            assert keys.check("acme.right-secret").ok
            keys.flush()
            assert keys.check(new.secret).ok


Refusal = tuple[str, dict[str, Any], dict[str, Any], type[exceptions.ApiKeyError], str, int]
REFUSALS: list[Refusal] = [
    ("expired", {"expires_in": 5}, {}, exceptions.ApiKeyExpiredError, "api_key_expired", 401),
    (
        "early",
        {"not_before": NOW + 99},
        {},
        exceptions.ApiKeyNotYetValidError,
        "api_key_not_yet_valid",
        401,
    ),
    (
        "ip",
        {"cidrs": ["10.0.0.0/8"]},
        {"ip": "1.2.3.4"},
        exceptions.ApiKeyAddressError,
        "api_key_address",
        403,
    ),
    ("no ip", {"cidrs": ["10.0.0.0/8"]}, {}, exceptions.ApiKeyAddressError, "api_key_address", 403),
    *(
        (
            text,
            {"cidrs": ["10.0.0.0/8"]},
            {"ip": text},
            exceptions.ApiKeyAddressError,
            "api_key_address",
            403,
        )
        for text in ("localhost", "10.1.2.3:80", " 10.1.2.3", "", LONE)
    ),
    ("scope", {}, {"scopes": ["x"]}, exceptions.InsufficientScopeError, "insufficient_scope", 403),
    (
        "scope str",
        {},
        {"scopes": "x"},
        exceptions.InsufficientScopeError,
        "insufficient_scope",
        403,
    ),
    ("rate", {"rate": (1, 60)}, {"cost": 2}, exceptions.RateLimitedError, "rate_limited", 429),
    ("credits", {"credits": 0}, {}, exceptions.CreditsExhaustedError, "credits_exhausted", 429),
    (
        "tenant",
        {"tenant": "a"},
        {"tenant": "b"},
        exceptions.UnknownApiKeyError,
        "unknown_api_key",
        401,
    ),
]


@pytest.mark.parametrize(
    ("options", "request_", "error", "code", "status"),
    [case[1:] for case in REFUSALS],
    ids=[case[0] for case in REFUSALS],
)
def test_every_refusal(
    keys: ApiKeys,
    clock: Clock,
    options: dict[str, Any],
    request_: dict[str, Any],
    error: type[exceptions.ApiKeyError],
    code: str,
    status: int,
) -> None:
    issued = keys.create(owner="acme", **options)
    clock.time += 10
    with pytest.raises(error) as raised:
        keys.verify(issued.secret, **request_)
    assert isinstance(raised.value, exceptions.ApiKeyError)
    assert (raised.value.code, raised.value.status) == (code, status)
    assert issued.secret not in f"{raised.value!r}{raised.value}"
    result = keys.check(issued.secret, **request_)
    assert not result
    assert (result.ok, result.code, result.status) == (False, code, status)
    # The key is named: its secret was proved.
    assert (result.key_id, raised.value.key_id, result.record) == (issued.id, issued.id, None)
    assert result.message == str(raised.value)
    assert result.retry_after == raised.value.retry_after
    with pytest.raises(error):
        result.raise_for_status()


def test_status_refuses(keys: ApiKeys) -> None:
    issued = keys.create(owner="acme")
    off = keys.disable(issued.id, "late")
    assert (off.status, off.reason, off.revoked_at) == ("disabled", "late", None)
    with pytest.raises(exceptions.ApiKeyDisabledError) as raised:
        keys.verify(issued.secret)
    assert (raised.value.code, raised.value.status) == ("api_key_disabled", 401)
    assert keys.enable(issued.id).status == "active"
    assert keys.verify(issued.secret.encode()).status == "active"
    gone = keys.revoke(issued.id)
    assert (gone.status, gone.revoked_at) == ("revoked", NOW)
    with pytest.raises(exceptions.ApiKeyRevokedError) as caught:
        keys.verify(issued.secret)
    assert (caught.value.code, caught.value.status) == ("api_key_revoked", 401)
    for change in (keys.enable, keys.disable, keys.rotate):
        with pytest.raises(exceptions.UsageError, match="revoked, for good"):
            change(issued.id)
    assert keys.revoke(issued.id) == gone


@pytest.mark.parametrize("nothing", [None, "", b""])
def test_a_request_without_a_key(keys: ApiKeys, nothing: str | bytes | None) -> None:
    result = keys.check(nothing)
    assert (result.ok, result.code, result.status) == (False, "missing_credentials", 401)
    with pytest.raises(exceptions.MissingCredentialsError) as raised:
        keys.verify(nothing)
    # RFC 6750 section 3.1: no error code, where no credentials were sent.
    assert raised.value.www_authenticate == "Bearer"


def test_the_first_three_reasons_have_one_message(keys: ApiKeys) -> None:
    one, other = keys.create(owner="a"), keys.create(owner="a")
    keys.rotate(one.id)
    stranger = ApiKeys.open("memory:").create(owner="b").secret
    codes, messages, answers = [], [], set()
    for presented in ("\ud800", "x", one.secret[:-1], other.secret + "0", stranger, one.secret):
        result = keys.check(presented)
        codes.append(result.code)
        messages.append(result.message)
        answers.add((result.public_message, result.status))
    assert codes == ["malformed_api_key"] * 4 + ["unknown_api_key", "bad_api_key_secret"]
    assert answers == {("The API key is not valid.", 401)}
    # The log says what the form says of itself, and of a well-formed key not whether it exists.
    assert all("checksum" in (message or "") for message in messages[1:4])
    assert messages[4] == messages[5] == "The API key is not valid."


MISTAKES: list[tuple[str, Callable[[ApiKeys], object], type[Exception]]] = [
    ("owner", lambda keys: keys.create(owner=""), exceptions.UsageError),
    ("owner type", lambda keys: keys.create(owner=1), TypeError),  # type: ignore[arg-type]
    ("scope", lambda keys: keys.create(owner="a", scopes=["a b"]), exceptions.UsageError),
    ("scope type", lambda keys: keys.create(owner="a", scopes=[1]), TypeError),  # type: ignore[list-item]
    ("rate", lambda keys: keys.create(owner="a", rate="fast"), exceptions.UsageError),
    ("rate pair", lambda keys: keys.create(owner="a", rate=(0, 1)), exceptions.UsageError),
    ("rate type", lambda keys: keys.create(owner="a", rate=1.5), TypeError),  # type: ignore[arg-type]
    ("credits", lambda keys: keys.create(owner="a", credits=-1), exceptions.UsageError),
    ("credits type", lambda keys: keys.create(owner="a", credits=True), TypeError),
    ("credits name", lambda keys: keys.create(owner="a", credits={"x": 1}), exceptions.UsageError),
    ("credits empty", lambda keys: keys.create(owner="a", credits={}), exceptions.UsageError),
    (
        "credits without amount",
        lambda keys: keys.create(owner="a", credits={"limit": 5}),
        exceptions.UsageError,
    ),
    (
        "credits twice",
        lambda keys: keys.create(owner="a", credits={"amount": 5, "remaining": 5}),
        exceptions.UsageError,
    ),
    (
        "credits over the limit",
        lambda keys: keys.create(owner="a", credits={"amount": 5, "limit": 4}),
        exceptions.UsageError,
    ),
    (
        "expires in milliseconds",
        lambda keys: keys.create(owner="a", expires_at=1_795_894_027_000),
        exceptions.UsageError,
    ),
    (
        "valid from, in milliseconds",
        lambda keys: keys.create(owner="a", not_before=1_795_894_027_000),
        exceptions.UsageError,
    ),
    ("cidr", lambda keys: keys.create(owner="a", cidrs=["10.0.0.1/8"]), exceptions.UsageError),
    ("meta", lambda keys: keys.create(owner="a", meta={"a": "x" * 5000}), exceptions.UsageError),
    ("meta type", lambda keys: keys.create(owner="a", meta=[1]), TypeError),  # type: ignore[arg-type]
    ("expires", lambda keys: keys.create(owner="a", expires_in=0), exceptions.UsageError),
    ("expires at once", lambda keys: keys.create(owner="a", expires_in=0.5), exceptions.UsageError),
    ("expires type", lambda keys: keys.create(owner="a", expires_in=True), TypeError),
    (
        "naive",
        lambda keys: keys.create(owner="a", not_before=datetime(2026, 1, 1)),
        exceptions.UsageError,
    ),
    ("overlap", lambda keys: keys.rotate("A" * 12, overlap=-1), exceptions.UsageError),
    ("unknown", lambda keys: keys.get("A" * 12), exceptions.ApiKeyNotFoundError),
    ("unknown id", lambda keys: keys.revoke("nobody"), exceptions.ApiKeyNotFoundError),
    ("presented", lambda keys: keys.check(1), TypeError),  # type: ignore[arg-type]
    ("ip type", lambda keys: keys.check("x", ip=1), TypeError),  # type: ignore[arg-type]
    ("cost", lambda keys: keys.check("x", cost=-1), exceptions.UsageError),
    ("cost size", lambda keys: keys.verify("x", cost=1 << 32), exceptions.UsageError),
    ("cost type", lambda keys: keys.check("x", cost=1.0), TypeError),  # type: ignore[arg-type]
    ("cost bool", lambda keys: keys.check("x", cost=True), TypeError),
    ("scopes lone", lambda keys: keys.check("x", scopes=[LONE]), exceptions.UsageError),
    ("tenant lone", lambda keys: keys.check("x", tenant=LONE), exceptions.UsageError),
    ("owner lone", lambda keys: keys.create(owner=LONE), exceptions.UsageError),
    ("rate lone", lambda keys: keys.create(owner="a", rate=LONE), exceptions.UsageError),
    ("rate sign", lambda keys: keys.create(owner="a", rate=(-1, 1)), exceptions.UsageError),
    ("rate parts", lambda keys: keys.create(owner="a", rate=("1", 1)), TypeError),  # type: ignore[arg-type]
    ("cidr type", lambda keys: keys.create(owner="a", cidrs=[10]), TypeError),  # type: ignore[list-item]
    ("cidr lone", lambda keys: keys.create(owner="a", cidrs=[LONE]), exceptions.UsageError),
    ("date", lambda keys: keys.create(owner="a", not_before=-1.5), exceptions.UsageError),
    ("id lone", lambda keys: keys.get(LONE), exceptions.UsageError),
    ("id type", lambda keys: keys.get(1), TypeError),  # type: ignore[arg-type]
    ("limit sign", lambda keys: keys.list(limit=-1), exceptions.UsageError),
    ("limit", lambda keys: keys.list(limit=0), exceptions.UsageError),
    ("limit", lambda keys: keys.audit(limit=1001), exceptions.UsageError),
    ("cursor", lambda keys: keys.audit(cursor="x"), exceptions.UsageError),
    ("purge", lambda keys: keys.purge(NOW + 99), exceptions.UsageError),
    ("scheme", lambda keys: keys.import_([], scheme="md5"), exceptions.UsageError),
    ("actor", lambda keys: keys.create(owner="a", actor="x\n"), exceptions.UsageError),
]


@pytest.mark.parametrize(
    ("call", "error"), [case[1:] for case in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_mistakes_change_nothing(
    keys: ApiKeys, call: Callable[[ApiKeys], object], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        call(keys)
    assert "hunter2" not in f"{raised.value!r}{vars(raised.value)}"
    assert not hasattr(raised.value, "object")
    assert len(keys.list()) == len(keys.audit()) == 0


@pytest.mark.parametrize(
    ("url", "options", "error"),
    [
        ("", {}, exceptions.UsageError),
        ("mysql://x", {}, exceptions.UsageError),
        ("memory:", {"prefix": "A"}, exceptions.UsageError),
        ("memory:", {"env": "x"}, exceptions.UsageError),
        ("memory:", {"max_stale": 100_000}, exceptions.UsageError),
        ("memory:", {"pepper": b"short"}, exceptions.UsageError),
        ("memory:", {"pepper": []}, exceptions.UsageError),
        ("memory:", {"pepper": [(0, PEPPER)]}, exceptions.UsageError),
        ("memory:", {"pepper": "text"}, exceptions.UsageError),
        ("memory:", {"pepper": 7}, TypeError),
        ("memory:", {"pepper": [PEPPER]}, TypeError),
        ("memory:", {"pepper": [(-1, PEPPER)]}, exceptions.UsageError),
        ("memory:", {"pepper": [("1", PEPPER)]}, TypeError),
        ("memory:", {"pepper": [(1, PEPPER), (1, PEPPER)]}, exceptions.UsageError),
        ("memory:", {"max_stale": -1}, exceptions.UsageError),
        ("memory:", {"clock": lambda: -1}, exceptions.UsageError),
        ("memory:", {"prefix": "\ud800"}, exceptions.UsageError),
        ("sqlite:///\ud800", {}, exceptions.UsageError),
        ("memory:", {"clock": 1}, TypeError),
        ("sqlite:////no/such/folder/keys", {}, exceptions.StoreUnavailableError),
    ],
)
def test_mistakes_at_open(url: str, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ApiKeys.open(url, **options)


def test_closed_keys_say_so() -> None:
    keys = ApiKeys.open("memory:")
    issued = keys.create(owner="acme")
    keys.close()
    keys.close()
    for call in (
        lambda: keys.verify(issued.secret),
        lambda: keys.check(issued.secret),
        lambda: keys.create(owner="acme"),
    ):
        with pytest.raises(exceptions.UsageError, match="closed"):
            call()


@pytest.mark.parametrize(
    "wrong", [b"", b"read", bytearray(), {}, {"read": 1}, 5, [b"read"], [None]]
)
def test_scopes_of_a_wrong_kind_demand_no_less(keys: ApiKeys, wrong: Any) -> None:
    secret = keys.create(owner="a", scopes=["read"]).secret
    door = gatekey.ResourceServer("https://api.example", api_keys=keys)
    for call in (
        lambda: keys.verify(secret, scopes=wrong),
        lambda: keys.check(secret, scopes=wrong),
        lambda: keys.create(owner="a", scopes=wrong),
        lambda: door.check(f"Bearer {secret}", scopes=wrong),
        lambda: door.check(f"Bearer {secret}", acr_values=wrong),
    ):
        with pytest.raises(TypeError, match="str, or an iterable of str"):
            call()
