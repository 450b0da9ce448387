"""`gatekey.ApiKeys`: what a Python service sees of API keys."""

from __future__ import annotations

import copy
import gc
import ipaddress
import itertools
import logging
import pickle
import weakref
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from clocks import NOW, Clock

import gatekey
from gatekey import ApiKeys, Key, KeySet, exceptions

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def test_a_key_lives(keys: ApiKeys) -> None:
    issued = keys.create(
        owner="acme",
        name="CI",
        scopes=["write", "read"],
        rate="100/60s",
        credits=1000,
        cidrs=["10.0.0.0/8", ipaddress.ip_network("2001:db8::/32")],
        meta={"plan": "gold", "n": 12345678901234567890},
        tenant="north",
        expires_in=timedelta(days=30),
        actor="boss",
    )
    assert issued.secret.startswith(f"gk_live_{issued.id}_")
    record = keys.verify(issued.secret, scopes=["read"], ip="10.1.2.3", cost=2, tenant="north")
    assert record.id == issued.id == record.id
    assert (record.owner, record.name, record.tenant, record.status) == (
        "acme",
        "CI",
        "north",
        "active",
    )
    assert (record.prefix, record.env, record.version) == ("gk", "live", 1)
    assert record.scopes == ("read", "write")
    assert record.cidrs == ("10.0.0.0/8", "2001:db8::/32")
    assert record.rate == "100/60s"
    assert record.meta == {"plan": "gold", "n": 12345678901234567890}
    assert (record.created_at, record.created_by) == (NOW, "boss")
    assert record.expires_at == NOW + 30 * 86400
    assert record.credits is not None
    assert record.credits["limit"] == 1000
    got = keys.get(issued.id)
    assert got == keys.get(issued.id)
    assert got.credits is not None
    assert got.credits["remaining"] == 998
    second = keys.rotate(issued.id, overlap=60)
    ip = ipaddress.ip_address("10.0.0.1")
    assert keys.verify(issued.secret, ip=ip).id == keys.verify(second.secret, ip=ip).id
    revoked = keys.revoke(issued.id, reason="leaked", actor="boss")
    assert (revoked.status, revoked.reason) == ("revoked", "leaked")
    with pytest.raises(exceptions.ApiKeyRevokedError):
        keys.verify(second.secret, ip=ip)
    rows = keys.audit(key_id=issued.id)
    assert [(row.seq, row.actor, row.action) for row in rows.records] == [
        (1, "boss", "create"),
        (2, "", "rotate"),
        (3, "boss", "revoke"),
    ]
    assert rows.records[0].at == NOW
    assert rows.records[2].detail == "leaked"
    assert rows.records[1].key_id == issued.id


def test_addresses(keys: ApiKeys) -> None:
    issued = keys.create(owner="a", cidrs=["10.0.0.0/8", ipaddress.ip_address("2001:db8::1")])
    for ip, ok in [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        (ipaddress.ip_address("::ffff:10.0.0.1"), True),
        (ipaddress.ip_address("2001:db8::1"), True),
        (ipaddress.IPv6Address("2001:db8::1%eth0"), True),
        ("11.0.0.1", False),
        (ipaddress.ip_address("2001:db8::2"), False),
        (None, False),
    ]:
        assert keys.check(issued.secret, ip=ip).ok == ok, ip


def test_a_cost_of_nothing_takes_nothing(keys: ApiKeys) -> None:
    issued = keys.create(owner="a", rate="1/60s", credits=1)
    assert all(keys.check(issued.secret, cost=0).ok for _ in range(5))
    assert keys.check(issued.secret).ok
    assert keys.check(issued.secret, cost=0).ok


def test_records_are_values(keys: ApiKeys) -> None:
    one, other = keys.create(owner="a", meta={"a": []}), keys.create(owner="a")
    assert one.record == keys.get(one.id) != keys.get(other.id)
    assert one.record != one.id
    assert len({one.record, keys.get(one.id), other.record}) == 2
    one.record.meta["a"].append(1)
    assert one.record.meta == {"a": []}
    for changed in (one.record, one, keys.check(one.secret), keys.list(), keys):
        with pytest.raises(AttributeError):
            changed.id = "x"  # type: ignore[misc, union-attr]


def test_waiting_is_told_in_seconds(keys: ApiKeys, clock: Clock) -> None:
    issued = keys.create(owner="acme", rate="1/60s")
    assert keys.check(issued.secret).ok
    result = keys.check(issued.secret)
    assert result.retry_after == pytest.approx(60, abs=0.01)
    clock.time += 60
    assert keys.check(issued.secret).ok
    with pytest.raises(exceptions.RateLimitedError) as raised:
        keys.verify(issued.secret)
    assert raised.value.retry_after == pytest.approx(60, abs=0.01)
    assert exceptions.RateLimitedError.retry_after is None
    keys.update(issued.id, rate="100/60s")
    assert keys.check(issued.secret).ok, "a raised rate frees at once"


def test_updates(keys: ApiKeys) -> None:
    issued = keys.create(owner="acme", rate="1/60s", credits=5, cidrs=["10.0.0.0/8"], expires_in=9)
    record = keys.update(
        issued.id,
        owner="globex",
        name="n",
        scopes=("a", "b"),
        not_before=datetime(2026, 1, 1, tzinfo=timezone.utc),
        expires_in=60,
        rate=None,
        credits={"amount": 7, "refill": 2, "every": 60},
        cidrs=None,
        meta={"a": [1]},
    )
    assert (record.owner, record.name, record.scopes, record.cidrs) == (
        "globex",
        "n",
        ("a", "b"),
        (),
    )
    assert (record.not_before, record.expires_at, record.rate) == (1767225600, NOW + 60, None)
    assert record.credits == {
        "remaining": 7,
        "limit": 7,
        "refill": 2,
        "every": 60,
        "refilled_at": NOW,
    }
    assert record.meta == {"a": [1]}
    for name in ("expires_at", "not_before"):
        with pytest.raises(exceptions.UsageError, match="milliseconds") as refused:
            keys.update(issued.id, **{name: (NOW + 60) * 1000})  # type: ignore[arg-type]
        assert refused.value.claim == name
    # What a record says of its credits can be given as it is.
    partly = {"amount": 30, "limit": 50, "refill": 2, "every": 60}
    first = keys.update(issued.id, credits=partly).credits
    assert first is not None
    assert (first["remaining"], first["limit"]) == (30, 50)
    assert keys.update(issued.id, credits=first).credits == first
    assert keys.update(issued.id, expires_at=None, credits=None, meta=None).credits is None
    assert keys.get(issued.id).meta == {}
    with pytest.raises(TypeError, match="nonsense"):
        keys.update(issued.id, nonsense=1)
    with pytest.raises(exceptions.UsageError):
        keys.update(issued.id)


def test_the_pepper_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url, file = f"sqlite:///{tmp_path}/keys.sqlite", tmp_path / "keys.sqlite.pepper"
    with caplog.at_level(logging.WARNING), ApiKeys.open(url) as keys:
        issued = keys.create(owner="acme")
    assert str(file) in caplog.text
    assert "back it up" in caplog.text
    assert file.stat().st_mode & 0o777 == 0o600
    caplog.clear()
    with ApiKeys.open(url) as keys:
        assert keys.verify(issued.secret).owner == "acme"
    assert caplog.text == ""
    file.chmod(0o644)
    with pytest.raises(exceptions.ConfigurationError, match="chmod 600"):
        ApiKeys.open(url)
    file.unlink()
    with pytest.raises(exceptions.WrongPepperError):
        ApiKeys.open(url)
    with pytest.raises(exceptions.WrongPepperError):
        ApiKeys.open(url, pepper=PEPPER)


def test_peppers_rotate(tmp_path: Path) -> None:
    url, new = f"sqlite:///{tmp_path}/keys.sqlite", bytes(32)
    with ApiKeys.open(url, pepper=PEPPER) as keys:
        issued, idle = keys.create(owner="acme"), keys.create(owner="acme")
    with ApiKeys.open(url, pepper=[(1, PEPPER), (2, new)]) as keys:
        assert keys.check(issued.secret).ok
        keys.flush()
        report = [(one.pepper, one.active, one.keys) for one in keys.pepper_report()]
        assert all(one.sessions == one.key_rings == 0 for one in keys.pepper_report())
        assert report == [(1, False, 1), (2, True, 1)]
        assert keys.wrap_peppers() == 1
        assert keys.check(idle.secret).ok
    with ApiKeys.open(url, pepper=[(2, new)]) as keys:
        assert keys.check(idle.secret).ok


def test_imports(keys: ApiKeys) -> None:
    report = keys.import_(
        [
            {"secret": f"legacy-key-{n}", "owner": f"o{n}", "name": "old", "scopes": ["a"]}
            for n in range(3)
        ],
        scheme="plaintext",
    )
    assert (report.imported, len(report.ids), report.rejected) == (3, 3, ())
    record = keys.verify("legacy-key-1", scopes=["a"])
    assert (record.owner, record.id) == ("o1", report.ids[1])
    again = keys.import_(
        [{"secret": "legacy-key-1", "owner": "x"}, {"secret": "legacy-key-9", "owner": "x"}],
        scheme="plaintext",
    )
    assert again.imported == 1
    assert [at for at, _ in again.rejected] == [0]
    drf = (
        "sha512$$"
        + "7819fcc75ee1abf92636eb292ab0de0d7fb45b4a8c1e4cd67851ce7ae52d76e0"
        + ("ac3daa2291d7e191ff51e6edb07d87b11b2c1db6fddbb72d2bd6fcbd6de8ed67")
    )
    keys.import_([{"hash": drf, "lookup": "abcd1234", "owner": "d"}], scheme="drf-api-key")
    assert keys.verify("abcd1234.SecretPartOfTheLegacyKey42").owner == "d"
    before = len(keys.list())
    for rows in (
        [{"secret": "legacy-key-7", "owner": "a"}, {"secret": "short", "owner": "a"}],
        [{"secret": "legacy-key-7"}],
        [{"hash": "00", "owner": "a"}],
        [{"secret": "legacy-key-7", "owner": "a", "nonsense": 1}],
    ):
        with pytest.raises(exceptions.UsageError) as raised:
            keys.import_(rows, scheme="plaintext")
        assert "legacy-key-7" not in str(raised.value)
    with pytest.raises(TypeError):
        keys.import_([1], scheme="plaintext")  # type: ignore[list-item]
    assert len(keys.list()) == before


def test_imports_tell_how_far_they_are(keys: ApiKeys) -> None:
    rows = [{"secret": f"legacy-key-{n}", "owner": "o"} for n in range(1001)]
    seen: list[tuple[int, int]] = []
    keys.import_(rows, scheme="plaintext", progress=lambda *step: seen.append(step))
    assert seen == [(500, 1001), (1000, 1001), (1001, 1001)]

    calls = []

    def fails(done: int, _: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    rows = [{"secret": f"other-key-{n}", "owner": "o"} for n in range(1001)]
    with pytest.raises(KeyboardInterrupt):
        keys.import_(rows, scheme="plaintext", progress=fails)
    assert calls == [500]  # it is not called again, and the import is whole
    assert keys.verify("other-key-1000").owner == "o"


def test_pages(keys: ApiKeys) -> None:
    ids = sorted(keys.create(owner=f"o{n % 2}", tenant=f"t{n % 3}").id for n in range(7))
    first = keys.list(limit=3)
    assert (len(first), first[0].id, first[-1].id) == (3, ids[0], ids[2])
    found, cursor = [record.id for record in first], first.cursor
    while cursor is not None:
        page = keys.list(limit=3, cursor=cursor)
        found += [record.id for record in page.records]
        cursor = page.cursor
    assert found == ids
    assert len(keys.list(owner="o1")) == 3
    assert len(keys.list(owner="o1", tenant="t0")) == 1
    assert keys.list(owner="nobody").records == []


def test_purge(keys: ApiKeys, clock: Clock) -> None:
    issued = keys.create(owner="a", expires_in=5)
    keys.create(owner="a")
    clock.time += 10
    assert keys.check(issued.secret).code == "api_key_expired"
    assert keys.purge(NOW + 10) == 1
    assert keys.check(issued.secret).code == "unknown_api_key"
    assert [row.action for row in keys.audit(key_id=issued.id)] == ["create", "purge"]
    assert keys.purge() == 0
    revoked = keys.revoke(keys.create(owner="b").id)
    assert keys.purge() == 0
    clock.time += 0.5
    assert keys.purge(before=clock.time) == 0
    clock.time += 0.5
    assert keys.purge(actor="janitor") == 1
    assert keys.audit(key_id=revoked.id)[-1].actor == "janitor"


def test_headers() -> None:
    from_headers = gatekey.api_key_from_headers
    assert from_headers([("Authorization", "Bearer k")]) == "k"
    assert from_headers([(b"x-api-key", b"k")]) == "k"
    assert from_headers({"Host": "x"}) is None
    assert from_headers([]) is None
    with pytest.raises(exceptions.SeveralCredentialsError):
        from_headers([("X-API-Key", "k"), ("Authorization", "Bearer k")])
    with pytest.raises(exceptions.MalformedApiKeyError):
        from_headers([("X-API-Key", "")])
    for scheme in ("Api-Key", "api-key", "ApiKey"):
        assert from_headers([("Authorization", f"{scheme} k")]) == "k"
    assert from_headers([("X-Other", LONE), ("authorization", "bearer k")]) == "k"
    assert (from_headers([("X-API-Key", LONE)]) or "").strip("\ufffd") == "hunter2"
    for item in (1, [1], ["ab"], [("a", 1)], [("a", "b", "c")]):
        with pytest.raises(TypeError):
            from_headers(item)  # type: ignore[arg-type]
    assert gatekey.api_key_from_query("a=1&key=k", "key") == "k"
    assert gatekey.api_key_from_query(b"a=1&key=k", "key") == "k"
    assert gatekey.api_key_from_query("a=1", "key") is None
    with pytest.raises(exceptions.SeveralCredentialsError):
        gatekey.api_key_from_query("key=k&key=k", "key")
    with pytest.raises(exceptions.MalformedApiKeyError):
        gatekey.api_key_from_query("key=", "key")
    with pytest.raises(exceptions.UsageError):
        gatekey.scan_rule("No")
    rule = gatekey.scan_rule("acme")
    assert rule["regex"] in rule["gitleaks"]


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=PEPPER) as keys:
        issued = keys.create(owner="acme")
        record = keys.verify(issued.secret)
        keys.verify(keys.rotate(issued.id).secret)
        keys.flush()
        shown = f"{keys!r}{issued!r}{record!r}{keys.check(issued.secret)!r}{keys.list()!r}"
        shown += "".join(f"{row!r}{row.detail}" for row in keys.audit())
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert issued.id in shown
        assert issued.id.encode() in files
        assert issued.secret[21:] not in shown
        assert issued.secret[21:51].encode() not in files
        assert PEPPER not in files
        for copier in (pickle.dumps, copy.copy, copy.deepcopy):
            for holder in (issued, keys):
                with pytest.raises(TypeError):
                    copier(holder)


def test_a_clock_counts_fractions(keys: ApiKeys, clock: Clock) -> None:
    issued = keys.create(owner="acme", rate="2/1s")
    assert [keys.check(issued.secret).ok for _ in range(3)] == [True, True, False]
    clock.time = NOW + 0.25
    assert keys.check(issued.secret).retry_after == 0.25
    clock.time = NOW + 0.5
    assert [keys.check(issued.secret).ok for _ in range(2)] == [True, False]


def test_what_a_clock_raises_is_raised() -> None:
    times = iter([NOW])
    keys = ApiKeys.open("memory:", clock=lambda: next(times))
    with pytest.raises(StopIteration):
        keys.verify("x")


def test_a_clock_that_knows_its_keys_is_collected() -> None:
    class Knowing(Clock):
        keys: ApiKeys

    def make() -> weakref.ref[Knowing]:
        clock = Knowing()
        clock.keys = ApiKeys.open("memory:", clock=clock)
        return weakref.ref(clock)

    remembered = make()
    gc.collect()
    assert remembered() is None


def test_a_resource_server_reads_their_clock(keys: ApiKeys, clock: Clock) -> None:
    door = gatekey.ResourceServer("https://api.example", api_keys=keys)
    issued = keys.create(owner="acme", expires_in=60)
    assert door.check(f"Bearer {issued.secret}").subject == "acme"
    clock.time += 60
    with pytest.raises(exceptions.ApiKeyExpiredError) as refused:
        door.check(f"Bearer {issued.secret}")
    assert refused.value.status == 401


@pytest.mark.parametrize("one", ["10.0.0.0/8", "2001:db8::/32", "10.0.0.4/30", "192.0.2.7"])
def test_one_network_is_one_element(keys: ApiKeys, one: str) -> None:
    """And not as many as it has addresses."""
    network = ipaddress.ip_network(one)
    assert keys.create(owner="a", cidrs=network).record.cidrs in [(one,), (str(network),)]
    address = network.network_address
    assert len(keys.create(owner="a", cidrs=address).record.cidrs) == 1


def test_what_does_not_end_is_refused(keys: ApiKeys) -> None:
    for name in ("scopes", "cidrs"):
        with pytest.raises(exceptions.UsageError, match="10000"):
            keys.create(owner="a", **{name: itertools.repeat("10.0.0.0/8")})  # type: ignore[arg-type]
    with pytest.raises(exceptions.UsageError, match="10000"):
        KeySet(itertools.repeat(Key.generate("ES256")))
