"""Clocks that are absurd, or ran ahead: they change and delete nothing that is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_clocks_together import NOW, PEPPER, SECRET, YEAR, Place

from gatekey import ApiKeys, Sessions, Signer, Verifier, exceptions

if TYPE_CHECKING:
    from pathlib import Path


def is_good(keys: ApiKeys, secret: str | bytes) -> bool:
    return keys.check(secret).ok


AHEAD = (7200, 40 * 86_400, 400 * YEAR)


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("absurd", [253_402_300_801, NOW * 1000, 2**63, float(NOW * 1000)])
def test_an_absurd_clock_changes_no_api_key(tmp_path: Path, absurd: float, memory: bool) -> None:
    place = Place(tmp_path)
    if memory:
        place.url = "memory:"
    keys = place.keys()
    key = keys.create(owner="acme", expires_in=3600)
    right, place.clock.time = place.clock.time, absurd
    for call in (
        lambda: keys.create(owner="acme", expires_in=60),
        lambda: keys.rotate(key.id, overlap=60),
        lambda: keys.purge(NOW),
        lambda: keys.purge(),
        keys.wrap_peppers,
        keys.pepper_report,
        keys.flush,
    ):
        with pytest.raises(exceptions.ConfigurationError, match="clock"):
            call()
    with pytest.raises(exceptions.ConfigurationError, match="clock"):
        keys.verify(key.secret)
    place.clock.time = right
    assert is_good(keys, key.secret)
    assert len(keys.list().records) == 1


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("ahead", AHEAD)
def test_a_clock_that_ran_ahead_deletes_nothing_good(
    tmp_path: Path, ahead: int, memory: bool
) -> None:
    place = Place(tmp_path)
    if memory:
        place.url = "memory:"
    keys = place.keys()
    week, ever = keys.create(owner="acme", expires_in=7 * 86_400), keys.create(owner="acme")
    revoked = keys.create(owner="acme")
    keys.revoke(revoked.id)
    signer = Signer(SECRET, ttl=900, clock=place.clock)
    sessions = Sessions.open(place.url, signer=signer, pepper=PEPPER, clock=place.clock)
    session = sessions.start("alice")
    right = place.clock.time
    place.clock.time += ahead
    assert keys.purge() == 1, "the revoked one"
    assert keys.purge(int(place.clock.time)) == 0
    assert sessions.purge() == 0
    place.clock.time = right
    assert is_good(keys, week.secret)
    assert is_good(keys, ever.secret)
    assert sessions.refresh(session.refresh_token).family == session.family


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("ahead", AHEAD)
def test_a_clock_that_ran_ahead_ends_and_delays_nothing(
    tmp_path: Path, ahead: int, memory: bool
) -> None:
    place = Place(tmp_path)
    right = int(place.clock.time)
    if memory:
        place.url = "memory:"
    keys = place.keys()
    spent = keys.create(owner="acme", credits={"amount": 1, "refill": 1, "every": 60})
    assert is_good(keys, spent.secret)
    signer = Signer(SECRET, ttl=900, clock=place.clock)
    sessions = Sessions.open(place.url, signer=signer, pepper=PEPPER, clock=place.clock)
    session = sessions.start("alice")
    ended = sessions.start("bob")
    sessions.end(ended.refresh_token)
    revocations = sessions.revocations
    assert revocations.seen_once("a", "1", right + 60)
    place.clock.time += ahead
    assert not is_good(keys, spent.secret), "not refilled before its time"
    assert revocations.purge() == 0
    for count in range(5):
        assert revocations.seen_once("a", f"x{count}", right + ahead + 60)
    if ahead > 7 * 86_400:
        with pytest.raises(exceptions.SessionExpiredError):
            sessions.refresh(session.refresh_token)
    place.clock.time = right + 62
    assert is_good(keys, spent.secret)
    assert sessions.refresh(session.refresh_token).family == session.family
    assert not revocations.seen_once("a", "1", right + 60)
    assert revocations.seen_once("a", "2", right + 120)
    verifier = Verifier(SECRET, clock=place.clock, revocations=revocations)
    with pytest.raises(exceptions.RevokedTokenError):
        verifier.verify(ended.access_token)


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_clock_that_ran_ahead_ends_no_overlap(tmp_path: Path, ahead: int) -> None:
    place = Place(tmp_path)
    old = place.keys().create(owner="acme")
    place.keys().rotate(old.id, overlap=3600)
    both = [(1, PEPPER), (2, PEPPER[::-1])]
    keys = ApiKeys.open(place.url, pepper=both, clock=place.clock)
    place.clock.time += ahead
    assert keys.wrap_peppers() == 1
    place.clock.time -= ahead
    assert is_good(keys, old.secret)


@pytest.mark.parametrize("off", [-3600, -40 * 86_400, *AHEAD])
def test_a_clock_that_is_off_drops_no_key_of_a_ring(tmp_path: Path, off: int) -> None:
    place = Place(tmp_path)
    ring = place.ring()
    verify = Verifier(ring, clock=place.clock).verify
    tokens = []
    for _ in range(3):
        tokens.append(Signer(ring, ttl=900, clock=place.clock).sign({}))
        place.clock.time += off
        ring.rotate()
        place.clock.time -= off
        for token in tokens:
            verify(token)
            Verifier(place.ring(), clock=place.clock).verify(token)
