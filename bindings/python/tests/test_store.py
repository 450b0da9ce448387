"""A store in the hand: what names it, what it hands out, and what is left when it closes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gatekey import (
    ApiKeys,
    Key,
    KeyRing,
    Revocations,
    Sessions,
    Signer,
    Store,
    Verifier,
    aio,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PEPPER = bytes(range(32))
PEPPER_TEXT = "1 " + PEPPER.hex()
NOW = 1_800_000_000
KINDS = {"InvalidArgument": exceptions.UsageError, "Unsupported": exceptions.UnsupportedError}
ROWS = Path(__file__).parents[3] / "tests/vectors/store_urls.txt"


def rows() -> list[tuple[str, str]]:
    lines = [line for line in ROWS.read_text().splitlines() if not line.startswith("#")]
    split = [line.split("\t") for line in lines]
    return [(expected, json.loads(text)) for expected, text in split]


def ring_of(url: str) -> object:
    return KeyRing.open(url, pepper=PEPPER)


OTHERS: list[Callable[[str], object]] = [
    lambda url: Store.open(url, pepper=PEPPER).api_keys(),
    lambda url: ApiKeys.open(url, pepper=PEPPER),
    lambda url: Sessions.open(url, pepper=PEPPER),
    Revocations.open,
]


def outcome(call: Callable[[str], object], url: str) -> type[Exception] | None:
    try:
        call(url)
    except exceptions.GatekeyError as error:
        return type(error)
    return None


def test_every_text_names_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    table = rows()
    assert len(table) > 70
    for expected, text in table:
        ring = outcome(ring_of, text)
        others = {outcome(call, text) for call in OTHERS}
        wanted = KINDS.get(expected)
        assert ring == wanted, (expected, text)
        folder = exceptions.UsageError if expected == "folder" else wanted
        assert others == {folder}, (expected, text)
    folders = sorted(entry.name for entry in tmp_path.iterdir() if entry.is_dir())
    assert folders == ["keys", "keys2", "keys3", "sub"]


@pytest.mark.parametrize("name", ["memory:", "folder:x", "sqlite:", "a b.sqlite"])
def test_a_path_is_a_file_whatever_it_looks_like(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    store = Store.open(path, pepper=PEPPER)
    assert path.is_file()
    assert store.url == f"sqlite:///{path}"
    assert repr(store) == f"<gatekey.Store 'sqlite:///{path}'>"
    ring = KeyRing.open(path, pepper=PEPPER)
    assert ring.keys() == Store.open(store.url, pepper=PEPPER).key_ring().keys()


def test_what_is_no_place() -> None:
    for wrong in (7, b"memory:", None):
        with pytest.raises(TypeError, match="str or a path"):
            Store.open(wrong)  # type: ignore[arg-type]
    with pytest.raises(exceptions.UsageError, match="mark"):
        Store.open(Path("a?mark=none"))


@pytest.mark.parametrize("where", ["memory:", "file"])
def test_one_store_hands_out_everything(tmp_path: Path, where: str) -> None:
    url = where if where == "memory:" else tmp_path / "all.sqlite"
    store = Store.open(url, pepper=PEPPER, clock=lambda: NOW)
    ring = store.key_ring("tokens", alg="HS256")
    sessions = store.sessions(signer=Signer(ring, ttl=60), grace=0)
    keys = store.api_keys(prefix="acme")
    revocations = store.revocations()
    del store
    gc.collect()
    record = keys.verify(keys.create(owner="o").secret)
    assert record.created_at == ring.active.created_at == NOW
    tokens = sessions.start("alice")
    assert tokens.session.created_at == NOW
    api = Verifier(ring, revocations=revocations, clock=lambda: NOW)
    api.verify(tokens.access_token)
    sessions.end(tokens.refresh_token)
    revocations.refresh()
    with pytest.raises(exceptions.RevokedTokenError):
        api.verify(tokens.access_token)


def test_how_it_is(tmp_path: Path) -> None:
    file = tmp_path / "auth.sqlite"
    store = Store.open(file, pepper=PEPPER)
    keys = store.api_keys()
    keys.create(owner="acme")
    health = store.health()
    assert (health.kind, health.reachable, health.writable) == ("sqlite", True, True)
    assert health.error is None
    assert health.heard_ago == 0.0
    assert health.looked_ago is not None
    assert health.position is not None
    assert health.version is not None
    said = json.loads(str(health))
    assert said["position"] == health.position
    assert said["heard_ago_ms"] == 0
    assert set(said) == {
        "kind",
        "reachable",
        "heard_ago_ms",
        "looked_ago_ms",
        "position",
        "version",
        "writable",
        "error",
    }
    file.rename(tmp_path / "aside")
    gone = store.health()
    assert (gone.reachable, gone.error) == (False, "store_unavailable")
    assert gone.heard_ago is not None
    assert repr(gone) == "<gatekey.StoreHealth sqlite store_unavailable>"
    store.close()
    with pytest.raises(exceptions.UsageError):
        store.health()


@pytest.mark.parametrize("where", ["memory:", "file"])
def test_nothing_goes_on_after_it_closed(tmp_path: Path, where: str) -> None:
    url = where if where == "memory:" else tmp_path / "closed.sqlite"
    with Store.open(url, pepper=PEPPER) as store:
        ring = store.key_ring()
        signer, key = Signer(ring, ttl=60), Key.generate("HS256")
        sessions, keys = store.sessions(signer=Signer(key, ttl=60)), store.api_keys()
        revocations = store.revocations()
        secret = keys.create(owner="o").secret
        keys.verify(secret)
        tokens = sessions.start("alice")
        verifier = Verifier(key, revocations=revocations)
        verifier.verify(tokens.access_token)
    store.close()
    calls: list[Callable[[], Any]] = [
        lambda: keys.verify(secret),
        lambda: keys.create(owner="o"),
        lambda: sessions.start("bob"),
        lambda: sessions.refresh(tokens.refresh_token),
        lambda: revocations.revoke_subject("alice"),
        lambda: verifier.verify(tokens.access_token),
        ring.rotate,
        lambda: signer.sign({}),
        store.api_keys,
        store.sessions,
        store.revocations,
        store.key_ring,
    ]
    for call in calls:
        with pytest.raises(exceptions.UsageError, match="closed"):
            call()
    if where != "memory:":
        with Store.open(url, pepper=PEPPER) as store:
            assert store.api_keys().verify(secret).uses == 2
            sessions = store.sessions(signer=Signer(key, ttl=60))
            assert sessions.refresh(tokens.refresh_token).family == tokens.family


def test_peppers_come_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "peppers"
    file.write_text(PEPPER_TEXT)
    file.chmod(0o600)
    monkeypatch.setenv("GATEKEY_TEST_PEPPER", PEPPER_TEXT)
    url = tmp_path / "a.sqlite"
    secret = Store.open(url, pepper=PEPPER).api_keys().create(owner="o").secret
    ways: list[dict[str, Any]] = [
        {"pepper": [(1, PEPPER)]},
        {"pepper": PEPPER_TEXT},
        {"pepper_file": file},
        {"pepper_file": str(file)},
        {"pepper_env": "GATEKEY_TEST_PEPPER"},
    ]
    for given in ways:
        assert Store.open(url, **given).api_keys().verify(secret).owner == "o"
    with pytest.raises(TypeError, match="give one of"):
        Store.open(url, pepper=PEPPER, pepper_env="GATEKEY_TEST_PEPPER")
    assert not Path(f"{url}.pepper").exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "is not set"), ("", "is not set"), ("1 abcd", "holds none"), ("\udcff", "holds none")],
)
def test_a_variable_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    monkeypatch.delenv("GATEKEY_TEST_PEPPER", raising=False)
    if value is not None:
        os.environ["GATEKEY_TEST_PEPPER"] = value
    try:
        with pytest.raises(exceptions.ConfigurationError, match="`GATEKEY_TEST_PEPPER`") as caught:
            Store.open("memory:", pepper_env="GATEKEY_TEST_PEPPER")
    finally:
        os.environ.pop("GATEKEY_TEST_PEPPER", None)
    assert said in str(caught.value)
    assert "abcd" not in str(caught.value)


def test_a_clock_is_kept_and_let_go() -> None:
    class Clock:
        def now(self) -> int:
            return NOW

    clock = Clock()
    store = Store.open("memory:", clock=clock)
    gone, keys = weakref.ref(clock), store.api_keys()
    del clock, store
    gc.collect()
    assert gone() is not None
    assert keys.create(owner="o").record.created_at == NOW
    del keys
    gc.collect()
    assert gone() is None


def test_a_store_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Store.open("memory:"))


def test_a_clock_that_fails_keeps_nothing_open(tmp_path: Path) -> None:
    broken = False

    def now() -> int:
        if broken:
            raise OSError("no time")
        return NOW

    for make in (lambda url: Store.open(url, clock=now), lambda url: ApiKeys.open(url, clock=now)):
        broken = False
        opened = make(tmp_path / "a.sqlite")
        keys = opened.api_keys() if isinstance(opened, Store) else opened
        secret = keys.create(owner="o").secret
        broken = True
        with pytest.raises(OSError, match="no time"), opened:
            pass
        broken = False
        with pytest.raises(exceptions.UsageError, match="closed"):
            keys.verify(secret)


def test_a_store_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "atuh.sqlite"
    for refused in (
        lambda: Store.open(path, create=False),
        lambda: Revocations.open(path, create=False),
        lambda: asyncio.run(aio.Store.open(path, create=False)),
        lambda: asyncio.run(aio.Revocations.open(path, create=False)),
    ):
        with pytest.raises(exceptions.StoreUnavailableError, match=r"atuh\.sqlite"):
            refused()
    assert not list(tmp_path.iterdir())
    Store.open(path).close()
    Store.open(path, create=False).close()
    assert len(Revocations.open(path, create=False)) == 0
