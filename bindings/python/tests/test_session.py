"""`gatekey.Sessions` and `gatekey.Revocations`: what a Python service sees of sessions."""

from __future__ import annotations

import copy
import gc
import hashlib
import hmac
import pickle
import subprocess
import sys
import weakref
import zlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from clocks import NOW, Clock

import gatekey
from gatekey import Key, Revocations, Sessions, SessionTokens, Signer, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = 86_400
PEPPER = bytes(range(32))
ISSUER = "https://auth.example"
SECRET = Key.from_secret(bytes(range(32, 64)), "HS256")
LONE = "hunter2\ud800"  # half of a surrogate pair, which has no UTF-8 form


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer() -> Signer:
    return Signer(SECRET, issuer=ISSUER)


@pytest.fixture(params=["memory:", "sqlite"])
def sessions(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, signer: Signer
) -> Iterator[Sessions]:
    url = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/auth.sqlite"
    with Sessions.open(url, signer=signer, pepper=PEPPER, clock=clock) as sessions:
        yield sessions


@pytest.fixture
def verifier(sessions: Sessions, clock: Clock) -> Verifier:
    return Verifier(SECRET, issuer=ISSUER, clock=clock, revocations=sessions.revocations)


def test_a_session_lives(sessions: Sessions, verifier: Verifier, clock: Clock) -> None:
    first = sessions.start("alice", {"role": "admin"}, "Firefox on Linux", {"ip": "192.0.2.1"})
    assert (first.expires_in, first.expires_at) == (900, NOW + 7 * DAY)
    claims = verifier.verify(first.access_token)
    assert claims.subject == "alice"
    assert (claims["sid"], claims["role"]) == (first.family, "admin")
    assert (claims.issued_at, claims.expires_at) == (NOW, NOW + 900)

    clock.time += 600
    second = sessions.refresh(first.refresh_token)
    assert second.family == first.family
    assert second.refresh_token != first.refresh_token
    assert verifier.verify(second.access_token)["role"] == "admin"
    third = sessions.refresh(second.refresh_token.encode(), {"role": "user"})
    assert verifier.verify(third.access_token)["role"] == "user"

    (record,) = sessions.list("alice")
    assert record == sessions.get(first.family) == third.session
    assert hash(record) == hash(third.session)
    assert (record.subject, record.client, record.meta) == (
        "alice",
        "Firefox on Linux",
        {"ip": "192.0.2.1"},
    )
    assert (record.created_at, record.last_seen_at, record.refreshes) == (NOW, NOW + 600, 2)
    assert (record.expires_at, record.absolute_expires_at) == (NOW + 600 + 7 * DAY, NOW + 90 * DAY)
    assert (record.ended_at, record.end) == (None, None)

    assert sessions.end(third.refresh_token) is True
    assert sessions.end_by_id(first.family) is False
    with pytest.raises(exceptions.RevokedTokenError):
        verifier.verify(third.access_token)
    with pytest.raises(exceptions.SessionEndedError) as raised:
        sessions.refresh(third.refresh_token)
    assert (raised.value.code, raised.value.number, raised.value.status) == (
        "session_ended",
        4004,
        401,
    )
    assert sessions.list("alice") == []
    record = sessions.get(first.family)
    assert (record.ended_at, record.end) == (NOW + 600, "logout")


def test_reuse_is_noticed(sessions: Sessions, verifier: Verifier, clock: Clock) -> None:
    first = sessions.start("alice")
    second = sessions.refresh(first.refresh_token)
    again = sessions.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token, (
        "within the grace, a lost answer comes again"
    )
    assert again.access_token != second.access_token
    clock.time += 11
    for tokens in (first, second):
        with pytest.raises(exceptions.TokenReuseError):
            sessions.refresh(tokens.refresh_token)
    with pytest.raises(exceptions.RevokedTokenError):
        verifier.verify(second.access_token)
    events = sessions.events(family=first.family)
    assert [(event.action, event.at) for event in events] == [("start", NOW), ("reuse", NOW + 11)]
    assert events[1].subject == "alice"
    assert events.cursor is None
    one = sessions.events(subject="alice", limit=1)
    assert one.cursor is not None
    assert sessions.events(cursor=one.cursor)[0].action == "reuse"


def test_log_out_everywhere(sessions: Sessions, verifier: Verifier) -> None:
    before = [sessions.start("alice") for _ in range(3)]
    bob = sessions.start("bob")
    assert sessions.end_all("alice") == 3
    after = sessions.start("alice")
    for tokens in before:
        with pytest.raises(exceptions.RevokedTokenError):
            verifier.verify(tokens.access_token)
    assert verifier.verify(after.access_token).subject == "alice", "a log-in in the same second"
    assert verifier.verify(bob.access_token).subject == "bob"


@pytest.mark.parametrize("memory", [True, False])
def test_expiry_and_a_clock_that_steps_back(
    memory: bool, tmp_path: Path, signer: Signer, clock: Clock
) -> None:
    url = "memory:" if memory else f"sqlite:///{tmp_path}/auth.sqlite"
    sessions = Sessions.open(url, signer=signer, pepper=PEPPER, clock=clock, refresh_ttl=3000)
    verifier = Verifier(SECRET, issuer=ISSUER, clock=clock, revocations=sessions.revocations)
    tokens = sessions.start("alice")
    clock.time = NOW + 900
    with pytest.raises(exceptions.ExpiredSignatureError):
        verifier.verify(tokens.access_token)
    for ahead in (3000, 2000):
        clock.time = NOW + ahead
        with pytest.raises(exceptions.SessionExpiredError):
            sessions.refresh(tokens.refresh_token)
    clock.time = NOW + 1
    with pytest.raises(exceptions.ExpiredSignatureError):
        verifier.verify(tokens.access_token)
    assert sessions.get(tokens.family).end == "expired"


def test_purge(sessions: Sessions, clock: Clock) -> None:
    tokens = sessions.start("alice")
    sessions.end_by_id(tokens.family)
    clock.time += DAY
    assert sessions.purge(datetime.fromtimestamp(NOW, timezone.utc)) == 0
    assert sessions.purge() == 1
    with pytest.raises(exceptions.SessionNotFoundError) as raised:
        sessions.get(tokens.family)
    assert raised.value.status == 404
    with pytest.raises(exceptions.InvalidRefreshTokenError):
        sessions.refresh(tokens.refresh_token)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda s: s.start(""), exceptions.UsageError),
        (lambda s: s.start("x" * 256), exceptions.UsageError),
        (lambda s: s.start(LONE), exceptions.UsageError),
        (lambda s: s.start(7), TypeError),
        (lambda s: s.start("alice", {"sub": "root"}), exceptions.UsageError),
        (lambda s: s.start("alice", {"exp": 1}), exceptions.UsageError),
        (lambda s: s.start("alice", {"a": LONE}), exceptions.UsageError),
        (lambda s: s.start("alice", ["a"]), TypeError),
        (lambda s: s.start("alice", client=7), TypeError),
        (lambda s: s.refresh(None), exceptions.MissingCredentialsError),
        (lambda s: s.end(None), exceptions.MissingCredentialsError),
        (lambda s: s.start("alice", meta={"a": "x" * 5000}), exceptions.UsageError),
        (lambda s: s.refresh(""), exceptions.InvalidRefreshTokenError),
        (lambda s: s.refresh(LONE), exceptions.InvalidRefreshTokenError),
        (lambda s: s.refresh("x" * (1 << 20)), exceptions.InvalidRefreshTokenError),
        (lambda s: s.refresh(7), TypeError),
        (lambda s: s.end_by_id("AAAAAAAAAAAA"), exceptions.SessionNotFoundError),
        (lambda s: s.end("gkr_x"), exceptions.InvalidRefreshTokenError),
        (lambda s: s.end_all(""), exceptions.UsageError),
        (lambda s: s.get("../x"), exceptions.SessionNotFoundError),
        (lambda s: s.events(cursor="x"), exceptions.UsageError),
        (lambda s: s.events(limit=0), exceptions.UsageError),
        (lambda s: s.purge(NOW + DAY), exceptions.UsageError),
        (lambda s: s.purge(datetime(2020, 1, 1)), exceptions.UsageError),
    ],
)
def test_bad_arguments_change_nothing(
    sessions: Sessions, call: Callable[[Sessions], Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        call(sessions)
    assert "hunter2" not in str(raised.value)
    assert sessions.list("alice") == []
    assert len(sessions.events()) == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"absolute_ttl": 7 * DAY - 1}, exceptions.UsageError),
        ({"absolute_ttl": timedelta(days=1)}, exceptions.UsageError),
        ({"grace": 61}, exceptions.UsageError),
        ({"grace": -1}, exceptions.UsageError),
        ({"refresh_ttl": 0}, exceptions.UsageError),
        ({"refresh_ttl": "7d"}, TypeError),
        ({"refresh_ttl": 600}, exceptions.ConfigurationError),
        ({"signer": Signer(SECRET, ttl=None)}, exceptions.ConfigurationError),
        ({"signer": SECRET}, TypeError),
        ({"max_stale": 86_401}, exceptions.UsageError),
        ({"pepper": b"short"}, exceptions.UsageError),
        ({"clock": 7}, TypeError),
    ],
)
def test_what_cannot_be_opened(
    signer: Signer, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Sessions.open("memory:", **({"signer": signer} | options))


def test_without_a_signer_and_after_close(tmp_path: Path, signer: Signer) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with Sessions.open(url, signer=signer, pepper=PEPPER) as sessions:
        tokens = sessions.start("alice")
    with pytest.raises(exceptions.UsageError, match="closed"):
        sessions.list("alice")
    sessions.close()
    with Sessions.open(url, pepper=PEPPER) as admin:
        with pytest.raises(exceptions.ConfigurationError, match="signer"):
            admin.refresh(tokens.refresh_token)
        assert admin.end_by_id(tokens.family)
    with pytest.raises(exceptions.WrongPepperError):
        Sessions.open(url, pepper=bytes(32))


def revoke_every_way() -> list[Callable[[Revocations], None]]:
    return [
        lambda r: r.revoke_token(ISSUER, "token-1", NOW + 900),
        lambda r: r.revoke_token(None, "token-1", NOW + 900),
        lambda r: r.revoke_session("session-1"),
        lambda r: r.revoke_subject("alice"),
        lambda r: r.revoke_key(SECRET.kid),
        lambda r: r.revoke_before(NOW + 1),
        lambda r: r.revoke_before(datetime.fromtimestamp(NOW + 1, timezone.utc), subject="alice"),
        lambda r: r.revoke_before(NOW + 1, tenant="acme"),
    ]


@pytest.mark.parametrize("revoke", revoke_every_way())
def test_every_way_to_revoke(
    tmp_path: Path, clock: Clock, revoke: Callable[[Revocations], None]
) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    revocations = Revocations.open(url, clock=clock)
    verifier = Verifier(SECRET, issuer=ISSUER, clock=clock, revocations=revocations)
    token = Signer(SECRET, issuer=ISSUER, clock=clock).sign(
        {"sub": "alice", "jti": "token-1", "sid": "session-1", "tenant": "acme"}
    )
    assert verifier.verify(token).subject == "alice"
    assert len(revocations) == 0
    assert bool(revocations), "an empty list is a list"
    revoke(revocations)
    assert len(revocations) == 1
    with pytest.raises(exceptions.RevokedTokenError) as raised:
        verifier.verify(token)
    assert raised.value.number == 1018
    again = Verifier(
        SECRET, issuer=ISSUER, clock=clock, revocations=Revocations.open(url, clock=clock)
    )
    with pytest.raises(exceptions.RevokedTokenError):
        again.verify(token)
    several = Verifier.for_issuers({ISSUER: SECRET}, clock=clock, revocations=revocations)
    with pytest.raises(exceptions.RevokedTokenError):
        several.verify(token)


def test_seen_once_and_bad_revocations(clock: Clock) -> None:
    revocations = Revocations.open("memory:", clock=clock)
    assert revocations.seen_once(ISSUER, "1", NOW + 60)
    assert not revocations.seen_once(ISSUER, "1", NOW + 60)
    assert revocations.seen_once(None, "1", NOW + 60)
    assert not revocations.seen_once(None, "2", NOW)
    for call in (
        lambda: revocations.revoke_before(NOW, "alice", "acme"),
        lambda: revocations.revoke_before(NOW + 60),
        lambda: revocations.revoke_session(""),
        lambda: revocations.revoke_subject(LONE),
        lambda: revocations.revoke_token(None, "x", -1),
        lambda: revocations.revoke_token(None, "x", 0),
        lambda: revocations.revoke_token(None, "x", NOW - 601),
        lambda: revocations.revoke_token(ISSUER, "x", NOW * 1000),
        lambda: Revocations.open("memory:", max_token_ttl=0),
        lambda: Revocations.open("mysql://x"),
    ):
        with pytest.raises(exceptions.UsageError) as raised:
            call()
        assert "hunter2" not in str(raised.value)
    assert len(revocations) == 0
    revocations.revoke_token(None, "x", NOW + 60)
    clock.time += 2000
    assert revocations.purge() == 1


def test_a_token_about_which_nothing_is_known(clock: Clock) -> None:
    revocations = Revocations.open("memory:", max_token_ttl=timedelta(hours=1), clock=clock)
    verifier = Verifier(SECRET, clock=clock, revocations=revocations)
    token = Signer(SECRET, ttl=3601, clock=clock).sign({})
    with pytest.raises(exceptions.InvalidClaimError, match="max_token_ttl"):
        verifier.verify(token)


def test_nothing_shows_a_secret(sessions: Sessions) -> None:
    tokens: SessionTokens = sessions.start("alice")
    shown = [repr(tokens), str(tokens), repr(tokens.session), repr(sessions.events()[0])]
    shown += [repr(sessions), repr(sessions.revocations)]
    for text in shown:
        assert tokens.refresh_token[17:] not in text
        assert "eyJ" not in text
    for thing in (tokens, sessions, sessions.revocations):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.copy(thing)
    with pytest.raises(exceptions.InvalidRefreshTokenError) as raised:
        sessions.refresh(tokens.refresh_token[:-1])
    assert tokens.refresh_token[17:-1] not in str(raised.value)


def test_nothing_usable_is_in_the_file(tmp_path: Path, signer: Signer) -> None:
    with Sessions.open(f"sqlite:///{tmp_path}/auth.sqlite", signer=signer) as sessions:
        pairs = [sessions.start("alice-in-clear")]
        for _ in range(5):
            pairs.append(sessions.refresh(pairs[-1].refresh_token))
        files = [file for file in tmp_path.iterdir() if file.suffix != ".pepper"]
        data = b"".join(file.read_bytes() for file in files)
        pepper = (tmp_path / "auth.sqlite.pepper").stat()
    assert b"alice-in-clear" in data
    assert pepper.st_mode & 0o777 == 0o600
    for pair in pairs:
        assert pair.refresh_token[23:45].encode() not in data
        assert pair.access_token[40:60].encode() not in data


def test_a_clock_that_goes_round_is_collected(signer: Signer) -> None:
    class Round(Clock):
        sessions: Sessions

    clock = Round()
    clock.sessions = Sessions.open("memory:", signer=signer, clock=clock)
    kept = clock.sessions.revocations
    gone = weakref.ref(clock)
    del clock, kept
    gc.collect()
    assert gone() is None


def test_the_names_are_there() -> None:
    for name in ("Sessions", "SessionTokens", "SessionRecord", "SessionEvent", "Revocations"):
        assert getattr(gatekey, name).__module__ == "gatekey"


def test_a_public_id_ends_no_session(sessions: Sessions, verifier: Verifier) -> None:
    tokens = sessions.start("alice")
    sid = verifier.verify(tokens.access_token)["sid"]
    with pytest.raises(exceptions.InvalidRefreshTokenError):
        sessions.end(sid)
    for subject in ("bob", ""):
        with pytest.raises(exceptions.SessionNotFoundError):
            sessions.end_by_id(sid, subject)
    assert verifier.verify(tokens.access_token)
    assert sessions.end_by_id(sid, subject="alice") is True
    assert sessions.end_by_id(sid) is False
    with pytest.raises(exceptions.SessionEndedError):
        sessions.refresh(tokens.refresh_token)


def test_the_order_decides_whatever_the_clock_says(
    sessions: Sessions, verifier: Verifier, clock: Clock
) -> None:
    for before, after in ((0, 0), (2, 0), (0, 2)):
        for end in (sessions.end_all, sessions.revocations.revoke_subject):
            clock.time = NOW + before
            old = sessions.start("alice")
            clock.time = NOW + after
            end("alice")
            young = sessions.start("alice")
            clock.time = NOW + 2
            with pytest.raises(exceptions.RevokedTokenError):
                verifier.verify(old.access_token)
            assert verifier.verify(young.access_token)
    with pytest.raises(exceptions.UsageError):
        sessions.start("alice", {"gkn": "x"})


def forged(pepper: bytes, family: str, seed: bytes, counter: int) -> str:
    """A refresh token as an attacker with a pepper and the store makes one."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    def base62(value: int, length: int) -> str:
        out = ""
        for _ in range(length):
            value, digit = divmod(value, 62)
            out = digits[digit] + out
        return out

    message = b"gkr1" + family.encode() + seed + counter.to_bytes(4, "big")
    mac = hmac.new(pepper, message, hashlib.sha256).digest()[:16]
    body = f"gkr_{family}_{base62(counter, 6)}{base62(int.from_bytes(mac, 'big'), 22)}"
    return body + base62(zlib.crc32(body.encode()), 6)


def rows_of(path: Path) -> list[tuple[str, bytes, int]]:
    """In a process of its own: a second SQLite in this one would take locks away."""
    script = (
        "import sqlite3, sys\n"
        "for f, s, c in sqlite3.connect(sys.argv[1]).execute("
        "'SELECT family, seed, counter FROM session'): print(f, s.hex(), c)"
    )
    lines = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, str(path)], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    rows = [line.split() for line in lines]
    return [(family, bytes.fromhex(seed), int(counter)) for family, seed, counter in rows]


def test_an_old_pepper_forges_no_token_that_is_good(
    tmp_path: Path, clock: Clock, signer: Signer
) -> None:
    url, old, new = f"sqlite:///{tmp_path}/auth.sqlite", bytes(32), bytes(range(32))
    with Sessions.open(url, signer=signer, pepper=[(1, old)], clock=clock) as sessions:
        alice = sessions.start("alice")
    both = [(1, old), (2, new)]
    sessions = Sessions.open(url, signer=signer, pepper=both, clock=clock)
    own = sessions.refresh(sessions.refresh(alice.refresh_token).refresh_token)
    [(family, seed, counter)] = rows_of(tmp_path / "auth.sqlite")
    assert forged(new, family, seed, counter) == own.refresh_token, "so that this can be made"
    with pytest.raises(exceptions.InvalidRefreshTokenError):
        sessions.refresh(forged(old, family, seed, counter))
    own = sessions.refresh(own.refresh_token)
    # Within the grace the one before is answered: not one under the old pepper.
    assert sessions.refresh(forged(new, family, seed, counter)).refresh_token == own.refresh_token
    with pytest.raises(exceptions.TokenReuseError):
        sessions.refresh(forged(old, family, seed, counter))


def test_session_under_an_old_pepper_are_ended(
    tmp_path: Path, clock: Clock, signer: Signer
) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with Sessions.open(url, signer=signer, pepper=[(1, bytes(32))], clock=clock) as sessions:
        alice, bob = sessions.start("alice"), sessions.start("bob")
    sessions = Sessions.open(url, signer=signer, pepper=[(1, bytes(32)), (2, PEPPER)], clock=clock)
    bob = sessions.refresh(bob.refresh_token)
    clock.time += 61
    assert sessions.end_under_pepper(1) == 1
    with pytest.raises(exceptions.SessionEndedError):
        sessions.refresh(alice.refresh_token)
    sessions.close()
    sessions = Sessions.open(url, signer=signer, pepper=[(2, PEPPER)], clock=clock)
    assert sessions.refresh(bob.refresh_token).family == bob.family
    with pytest.raises(exceptions.UsageError):
        sessions.end_under_pepper(2)
    with pytest.raises(exceptions.WrongPepperError):
        sessions.end_under_pepper(1)


def test_one_wrong_reading_of_the_clock(tmp_path: Path, clock: Clock, signer: Signer) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"

    def process() -> tuple[Sessions, Verifier]:
        own = Sessions.open(url, signer=signer, pepper=PEPPER, clock=clock)
        return own, Verifier(SECRET, issuer=ISSUER, clock=clock, revocations=own.revocations)

    a, b = process(), process()
    alice, bob = a[0].start("alice"), a[0].start("bob")
    a[0].end_all("alice")
    for wrong in (NOW + 40 * DAY, NOW * 1000, 2**63, float(NOW * 1000)):
        clock.time = wrong
        with pytest.raises((exceptions.ExpiredSignatureError, exceptions.ConfigurationError)):
            a[1].verify(bob.access_token)
        clock.time = NOW + 1
        for sessions, verifier in (a, b, process()):
            assert verifier.verify(bob.access_token)
            assert verifier.verify(sessions.start("bob").access_token)
            with pytest.raises(exceptions.RevokedTokenError):
                verifier.verify(alice.access_token)
            assert sessions.refresh(bob.refresh_token).family == bob.family


@pytest.mark.parametrize("claim", ["jti", "sub", "sid"])
@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "a\x7fb", "x" * 1025])
def test_what_cannot_be_revoked_is_refused(verifier: Verifier, claim: str, name: str) -> None:
    signer = Signer(SECRET, issuer=ISSUER, clock=lambda: NOW)
    with pytest.raises(exceptions.InvalidClaimError) as raised:
        verifier.verify(signer.sign({claim: name}))
    assert raised.value.claim == claim


@pytest.mark.parametrize("tenant", [["acme"], None, True, {"id": "acme"}, "", "a\0b", "x" * 1025])
def test_a_tenant_that_cannot_be_told_is_refused(
    sessions: Sessions, verifier: Verifier, tenant: object
) -> None:
    signer = Signer(SECRET, issuer=ISSUER, clock=lambda: NOW)
    sessions.revocations.revoke_before(NOW, tenant="acme")
    with pytest.raises(exceptions.InvalidClaimError):
        verifier.verify(signer.sign({"tenant": tenant}))
