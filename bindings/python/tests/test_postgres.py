"""A store in PostgreSQL, as processes share it: forked workers, a server that goes away."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forking import fork_once
from postgres import PASSWORD, Postgres
from rounds import rounds
from servers import UnavailableError

from gatekey import ApiKeyRecord, ApiKeys, Store, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEPPER = b"p" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """PostgreSQL 18."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-postgres-"))
    try:
        one = Postgres(folder)
    except UnavailableError as why:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"postgres: {why}")
    try:
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def url(server: Postgres, schema: str = "gatekey") -> str:
    word = PASSWORD.replace("!", "%21").replace("@", "%40")
    return f"postgresql://postgres:{word}@127.0.0.1:{server.port}/postgres?schema={schema}"


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def listed(keys: ApiKeys) -> list[ApiKeyRecord]:
    return keys.list(limit=1000).records


def test_the_url_is_all_it_takes(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="pepper"):
        Store.open(url(server))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    without = f"postgresql://postgres@127.0.0.1:{server.port}/postgres?schema=everything"
    store = Store.open(without, pepper=PEPPER)
    key = store.api_keys().create(owner="acme")
    assert store.api_keys().verify(key.secret).owner == "acme"
    store.revocations().revoke_subject("alice")
    store.key_ring()
    health = store.health()
    assert (health.kind, health.reachable, health.writable) == ("postgresql", True, True)
    assert (health.version or "").startswith("18")
    assert "127.0.0.1" not in str(health)
    shown = repr(store)
    assert "postgresql://postgres@127.0.0.1" in shown
    store.close()
    other = Store.open(url(server, "everything"), pepper=PEPPER)
    shown = repr(other)
    assert "Zx9" not in shown
    assert other.api_keys().verify(key.secret).owner == "acme"
    other.close()
    with pytest.raises(exceptions.StoreUnavailableError) as caught:
        Store.open(url(server).replace("Zx9", "Zx8"), pepper=PEPPER)
    assert "password is wrong" in str(caught.value)
    assert "Zx8" not in str(caught.value)


def test_workers_are_forked(server: Postgres) -> None:
    """Each has connections of its own; what one does, the others hear."""
    store = Store.open(url(server, "forked"), pepper=PEPPER)
    keys = store.api_keys()
    kept, doomed = (keys.create(owner="acme") for _ in range(2))
    keys.verify(kept.secret)

    def is_revoked(text: str) -> bool:
        try:
            keys.verify(text)
        except exceptions.ApiKeyRevokedError:
            return True
        return False

    def child() -> list[str]:
        assert keys.verify(kept.secret).owner == "acme"
        own = keys.create(owner="child")
        assert keys.verify(own.secret).owner == "child"
        wait_for("the parent's revocation", lambda: is_revoked(doomed.secret))
        return [own.id]

    def parent() -> list[str]:
        if not is_revoked(doomed.secret):
            keys.revoke(doomed.id)
        return [keys.create(owner="parent").id]

    for _ in range(2 * rounds(1)):
        told = fork_once(child, parent)
        assert set(told) <= {one.id for one in listed(keys)}
    assert is_revoked(doomed.secret)
    keys.create(owner="still here")
    store.close()


def test_a_server_that_goes_away(server: Postgres) -> None:
    store = Store.open(url(server, "away"), pepper=PEPPER, max_stale=1)
    keys = store.api_keys()
    key = keys.create(owner="acme").secret

    def is_away() -> bool:
        try:
            keys.verify(key)
        except exceptions.StoreUnavailableError:
            return True
        return False

    assert not is_away()
    server.stop()
    try:
        wait_for("what is known to be too old", is_away)
    finally:
        server.start()
    wait_for("the server", lambda: not is_away())
    store.close()
