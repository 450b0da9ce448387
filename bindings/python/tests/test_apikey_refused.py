"""What a refusal tells of an API key, and what a writer to the database achieves."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gatekey import ApiKeys, exceptions

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000


@pytest.fixture
def keys() -> ApiKeys:
    return ApiKeys.open("memory:", pepper=bytes(range(32)), clock=lambda: NOW)


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
