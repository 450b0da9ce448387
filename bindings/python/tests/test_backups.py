"""Backups: made, put back, refused and accepted."""

from __future__ import annotations

import shutil
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

import gatekey
from gatekey import ApiKeys, Key, KeyRing, Revocations, Sessions, Signer, exceptions

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = Signer(Key.generate("HS256"), issuer="https://auth.example")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/auth.sqlite"


def test_what_was_revoked_after_a_backup_is_not_revived(url: str, tmp_path: Path) -> None:
    with ApiKeys.open(url) as keys, Sessions.open(url, signer=SIGNER) as sessions:
        leaked = keys.create(owner="acme")
        started = sessions.start("alice")
        ring = KeyRing.open(url)
        heard: list[tuple[int, int]] = []
        report = gatekey.store_backup(
            url,
            tmp_path / "copy",
            pepper_to=str(tmp_path / "pepper"),
            progress=lambda done, pages: heard.append((done, pages)),
        )
        assert report["api_keys"] == report["sessions"] == 1
        assert report["bytes"] == (tmp_path / "copy").stat().st_size
        assert heard[-1][0] == heard[-1][1]
        assert (tmp_path / "pepper").read_bytes() == (tmp_path / "auth.sqlite.pepper").read_bytes()
        keys.revoke(leaked.id)
        sessions.end(started.refresh_token)
        with pytest.raises(exceptions.StoreUnavailableError, match="in use"):
            gatekey.store_restore(tmp_path / "copy", url)
    del ring, keys, sessions

    restored = gatekey.store_restore(tmp_path / "copy", url, force=True)
    assert restored["must_acknowledge"] is True
    assert ".replaced-" in restored["replaced"]
    for opened in (
        lambda: ApiKeys.open(url),
        lambda: Sessions.open(url, signer=SIGNER),
        lambda: Revocations.open(url),
        lambda: KeyRing.open(url),
    ):
        with pytest.raises(exceptions.StoreRestoredError) as refused:
            opened()
        assert refused.value.number == 6006
    done = gatekey.store_acknowledge_restore(url, revoke_before=time.time() + 1)
    assert done == {
        "sessions": 1,
        "api_keys": 1,
        "key_rings": 1,
        "damaged_key_rings": [],
        "was_refused": True,
    }
    done = gatekey.store_acknowledge_restore(url, revoke_before=0)
    assert done == {
        "sessions": 0,
        "api_keys": 0,
        "key_rings": 0,
        "was_refused": False,
        "damaged_key_rings": [],
    }
    with ApiKeys.open(url) as keys, Sessions.open(url, signer=SIGNER) as sessions:
        with pytest.raises(exceptions.ApiKeyDisabledError):
            keys.verify(leaked.secret)
        with pytest.raises(exceptions.SessionEndedError):
            sessions.refresh(started.refresh_token)


def test_an_older_file_that_is_put_back_by_hand_is_refused(url: str, tmp_path: Path) -> None:
    store = tmp_path / "auth.sqlite"
    with ApiKeys.open(url) as keys:
        issued = keys.create(owner="acme")
    older = store.read_bytes()
    with ApiKeys.open(url) as keys:
        keys.revoke(issued.id)
    store.write_bytes(older)
    with pytest.raises(exceptions.StoreRestoredError, match="acknowledge-restore"):
        ApiKeys.open(url)
    assert store.read_bytes() == older
    with ApiKeys.open(f"{url}?mark=none") as keys:
        keys.verify(issued.secret)  # without the mark nobody can know


def test_an_older_folder_of_key_rings_is_refused_until_it_is_accepted(tmp_path: Path) -> None:
    folder, kept = tmp_path / "keys", tmp_path / "kept"
    named = f"folder:{folder}"
    ring = KeyRing.open(named)
    leaked = ring.active.kid
    shutil.copytree(folder, kept)
    ring.remove(leaked)
    del ring
    shutil.rmtree(folder)
    with pytest.raises(exceptions.StoreRestoredError, match=r"\.mark"):
        KeyRing.open(named)
    assert not folder.exists()
    shutil.copytree(kept, folder)
    with pytest.raises(exceptions.StoreRestoredError, match="acknowledge-restore"):
        KeyRing.open(named)
    with pytest.raises(exceptions.UsageError, match="cp -a"):
        gatekey.store_backup(str(folder), tmp_path / "copy")
    assert KeyRing.open(f"{named}?mark=none").active.kid == leaked
    done = gatekey.store_acknowledge_restore(named, revoke_before=time.time() + 1)
    assert done == {
        "sessions": 0,
        "api_keys": 0,
        "key_rings": 1,
        "damaged_key_rings": [],
        "was_refused": True,
    }
    left = KeyRing.open(named).keys()
    assert leaked not in [key.kid for key in left]


def test_a_copy_without_its_wal_is_not_an_empty_store(url: str, tmp_path: Path) -> None:
    with Sessions.open(url, signer=SIGNER) as sessions:
        sessions.start("alice")
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes((tmp_path / "auth.sqlite").read_bytes())  # as cp does
        with pytest.raises(exceptions.StoreRestoredError, match="mark"):
            Sessions.open(f"sqlite:///{copy}")


def test_who_watches_may_stop_it(url: str, tmp_path: Path) -> None:
    with ApiKeys.open(url):

        def stop(_done: int, _pages: int) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            gatekey.store_backup(url, tmp_path / "copy", progress=stop)
        assert not list(tmp_path.glob("copy*"))
        with pytest.raises(TypeError):
            gatekey.store_backup(url, 7)  # type: ignore[arg-type]
        with pytest.raises(exceptions.UsageError):
            gatekey.store_backup("memory:", tmp_path / "copy")
        with pytest.raises(exceptions.UsageError):
            gatekey.store_acknowledge_restore(url, revoke_before=2**40)


def test_damaged_rows_are_named_and_stop_nothing_else(url: str, tmp_path: Path) -> None:
    old, new = b"an old pepper of 32 bytes or so.", bytes(32)
    with ApiKeys.open(url, pepper=old) as keys:
        altered, unreadable, good = (keys.create(owner="acme") for _ in range(3))
    kid = KeyRing.open(url, pepper=old).active.kid
    KeyRing.open(url, name="other", pepper=old)
    with sqlite3.connect(tmp_path / "auth.sqlite") as raw:
        raw.execute("UPDATE key SET owner = 'mallory' WHERE id = ?", [altered.id])
        raw.execute("UPDATE key SET version = x'00' WHERE id = ?", [unreadable.id])
        raw.execute("UPDATE key_ring SET name = 'Not A Name' WHERE name = 'other'")
    raw.close()
    both = [(1, old), (2, new)]
    with ApiKeys.open(url, pepper=both) as keys:
        with pytest.raises(exceptions.StoreCorruptError) as raised:
            keys.wrap_peppers()
        damaged = {altered.id, unreadable.id}
        assert raised.value.key_id in damaged
        report = {one.pepper: one for one in keys.pepper_report()}
        assert set(report[0].damaged) == damaged | {"Not A Name"}
        assert (report[0].keys, report[0].sessions, report[0].key_rings) == (2, 0, 1)
        assert report[1].damaged == report[2].damaged == []
        assert (report[2].keys, report[1].key_rings) == (1, 1)
        assert keys.check(good.secret).ok
    for keep in (True, False):
        done = gatekey.store_acknowledge_restore(
            url, revoke_before=time.time() + 1, keep_key_rings=keep, pepper=both
        )
        assert done["damaged_key_rings"] == ["Not A Name"]
        assert done["key_rings"] == (0 if keep else 1)
        assert (KeyRing.open(url, pepper=both).active.kid == kid) is keep
