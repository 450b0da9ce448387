"""`gatekey.KeyRing`: keys that rotate, in a store and in a folder."""

from __future__ import annotations

import copy
import json
import pickle
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from clocks import NOW, Clock

from gatekey import KeyRing, KeySet, RingKey, Sessions, Signer, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEPPER = bytes(range(32))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory:", "sqlite", "folder"])
def ring(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> KeyRing:
    if request.param == "folder":
        return KeyRing.open(f"folder:{tmp_path}/keys", clock=clock)
    url = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/auth.sqlite"
    return KeyRing.open(url, pepper=PEPPER, clock=clock)


@pytest.fixture(params=["sqlite", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., KeyRing]:
    """One ring, opened again with each call."""
    if request.param == "folder":
        return partial(KeyRing.open, f"folder:{tmp_path}/keys")
    return partial(KeyRing.open, f"sqlite:///{tmp_path}/auth.sqlite", pepper=PEPPER)


def states(ring: KeyRing) -> list[str]:
    return [key.state for key in ring.keys()]  # noqa: SIM118 (it is no mapping)


def test_signer_and_verifier_follow(ring: KeyRing, clock: Clock) -> None:
    signer, verifier = Signer(ring, clock=clock), Verifier(ring, clock=clock)
    assert states(ring) == ["next", "active"]
    following, active = ring.keys()
    before = signer.sign({"sub": "alice"})
    assert verifier.verify(before).key_id == active.kid == ring.active.kid
    # The clock goes on: one that stands still while seconds pass is not believed.
    clock.time += 60
    rotated = ring.rotate()
    active_at = (rotated.kid, rotated.state, rotated.active_at)
    assert active_at == (following.kid, "active", NOW + 60)
    assert rotated == ring.active
    assert hash(rotated) == hash(ring.active)
    after = signer.sign({"sub": "alice"})
    assert verifier.verify(after).key_id == rotated.kid == signer.key.kid
    assert verifier.verify(before).key_id == active.kid
    retired = ring.keys()[-1]
    assert (retired.state, retired.retired_at, retired.until) == ("retired", NOW + 60, NOW + 1560)
    assert (retired.alg, retired.created_at) == ("ES256", NOW)

    published = ring.to_jwks()
    assert len(published["keys"]) == 3
    assert not any("d" in key for key in published["keys"])
    assert Verifier(KeySet.from_jwks(published), clock=clock).verify(after).subject == "alice"

    ring.remove(rotated.kid)
    with pytest.raises(exceptions.KeyNotFoundError):
        verifier.verify(after)
    clock.time += 1500
    assert states(ring) == ["next", "active"]
    with pytest.raises(exceptions.RingKeyNotFoundError) as raised:
        ring.remove(active.kid)
    assert (raised.value.status, raised.value.code) == (404, "ring_key_not_found")


def test_session_follow_their_signers_ring(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    ring = KeyRing.open(url, pepper=PEPPER, clock=clock)
    with Sessions.open(url, signer=Signer(ring), pepper=PEPPER, clock=clock) as sessions:
        verifier = Verifier(ring, clock=clock, revocations=sessions.revocations)
        tokens = sessions.start("alice")
        first = verifier.verify(tokens.access_token).key_id
        other = KeyRing.open(url, pepper=PEPPER, clock=clock)
        other.rotate()
        clock.time += 1
        tokens = sessions.refresh(tokens.refresh_token)
        assert verifier.verify(tokens.access_token).key_id == other.active.kid != first


def test_what_is_kept_is_kept_close(tmp_path: Path) -> None:
    ring = KeyRing.open(f"folder:{tmp_path}/keys")
    ring.rotate()
    (file,) = (tmp_path / "keys").glob("*.ring")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    assert KeyRing.open(f"folder:{tmp_path}/keys").keys() == ring.keys()
    file.chmod(0o644)
    with pytest.raises(exceptions.ConfigurationError, match="read by others"):
        KeyRing.open(f"folder:{tmp_path}/keys")

    KeyRing.open(f"sqlite:///{tmp_path}/auth.sqlite").rotate()
    files = [file for file in tmp_path.iterdir() if file.is_file() and file.suffix != ".pepper"]
    data = b"".join(file.read_bytes() for file in files)
    assert b"default" in data
    for clear in (b'"d"', b"jwk", b"active"):
        assert clear not in data
    with pytest.raises(exceptions.WrongPepperError):
        KeyRing.open(f"sqlite:///{tmp_path}/auth.sqlite", pepper=PEPPER)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: KeyRing.open(""), exceptions.UsageError),
        (lambda: KeyRing.open(7), TypeError),  # type: ignore[arg-type]
        (lambda: KeyRing.open("mysql://x"), exceptions.UsageError),
        (lambda: KeyRing.open("memory:", name="../x"), exceptions.UsageError),
        (lambda: KeyRing.open("memory:", alg="none"), exceptions.UsageError),
        (lambda: KeyRing.open("memory:", token_ttl=0), exceptions.UsageError),
        (lambda: KeyRing.open("memory:", pepper=b"short"), exceptions.UsageError),
        (lambda: Signer("a key"), TypeError),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_opened(call: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_nothing_shows_a_key(ring: KeyRing) -> None:
    key: RingKey = ring.active
    shown = repr(ring) + repr(key) + json.dumps(ring.to_jwks())
    assert '"d"' not in shown
    for thing in (ring, Signer(ring), Verifier(ring)):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.copy(thing)


def test_symmetric_keys_are_not_published() -> None:
    with pytest.raises(exceptions.KeyUsageError):
        KeyRing.open("memory:", alg="HS256").to_jwks()


def test_no_token_outlives_the_key_that_it_needs() -> None:
    ring = KeyRing.open("memory:", pepper=bytes(32), token_ttl=900)
    Signer(ring, ttl=900)
    with pytest.raises(exceptions.ConfigurationError, match="token_ttl") as raised:
        Signer(ring, ttl=901)
    assert raised.value.claim == "ttl"


def test_no_token_outlives_its_key() -> None:
    ring = KeyRing.open("memory:", pepper=b"p" * 32, token_ttl=900)
    with pytest.raises(exceptions.ConfigurationError) as refused:
        Signer(ring, ttl=901)
    assert refused.value.claim == "ttl"
    with pytest.raises(exceptions.ConfigurationError) as forever:
        Signer(ring, ttl=None, allow_missing_exp=True)
    assert forever.value.claim == "allow_missing_exp"
    now = int(time.time())
    for signer in (Signer(ring), Signer(ring, ttl=None)):
        assert signer.sign({"exp": now + 900})
        with pytest.raises(exceptions.UsageError, match="token_ttl") as late:
            signer.sign({"exp": now + 2000})
        assert late.value.claim == "exp"


def test_the_ring_remembers_how_long_tokens_live(place: Callable[..., KeyRing]) -> None:
    service = place(token_ttl=86400)
    signer = Signer(service, ttl=86400)
    token = signer.sign({"sub": "alice"})
    assert place().token_ttl == 86400
    rotated_at = time.time()
    place(token_ttl=1).rotate()
    place().rotate()
    for ring in (service, place(), place(token_ttl=1)):
        ring.refresh()
        assert ring.token_ttl == 86400
        assert Verifier(ring).verify(token).subject == "alice"
        retired = [key for key in ring.keys() if key.state == "retired"]  # noqa: SIM118
        assert all((key.until or 0) >= rotated_at + 87000 - 1 for key in retired)
        assert len(retired) == 2
    # Who names a shorter life is held to it; who names none, to what the ring remembers.
    assert Signer(place(), ttl=86400).sign({})
    with pytest.raises(exceptions.ConfigurationError, match="token_ttl"):
        Signer(place(token_ttl=1), ttl=2)
    place(token_ttl=90000)
    service.refresh()
    assert service.token_ttl == 90000
