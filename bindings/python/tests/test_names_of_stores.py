"""One grammar of what names a store, whatever is opened there, from Python and the command line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gatekey import ApiKeys, Key, KeyRing, Revocations, Sessions, Signer, Store, aio, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

PEPPER = b"a pepper of the tests, 32 bytes."


def waited(of: Any) -> Callable[..., object]:
    async def opened(url: Any, **options: Any) -> object:
        thing = await of.open(url, **options)
        if hasattr(thing, "close"):
            await thing.close()
        return thing

    return lambda url, **options: asyncio.run(opened(url, **options))


OPEN: dict[str, Callable[..., object]] = {
    "ApiKeys": ApiKeys.open,
    "Sessions": lambda url, **o: Sessions.open(url, signer=Signer(Key.generate("HS256")), **o),
    "Revocations": lambda url, **_: Revocations.open(url),
    "Store": Store.open,
    "KeyRing": KeyRing.open,
    "aio.ApiKeys": waited(aio.ApiKeys),
    "aio.Sessions": waited(aio.Sessions),
    "aio.Store": waited(aio.Store),
    "aio.KeyRing": waited(aio.KeyRing),
}


@pytest.mark.parametrize("what", OPEN)
def test_each_name_means_the_same(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.sqlite"
    for name in ("a.sqlite", Path("a.sqlite"), file, str(file), f"sqlite:///{file}"):
        OPEN[what](name, pepper=PEPPER)
        assert file.is_file(), name
    OPEN[what]("sqlite:///b.sqlite", pepper=PEPPER)
    assert (tmp_path / "b.sqlite").is_file()
    OPEN[what]("memory:", pepper=PEPPER)
    (tmp_path / "c").mkdir()
    for wrong in ("", "postgresql://x", "sqlite:", "sqlite://x", "file:a.sqlite", "c"):
        with pytest.raises((exceptions.UsageError, exceptions.UnsupportedError)):
            OPEN[what](wrong, pepper=PEPPER)
    for other in (None, 7, b"a.sqlite"):
        with pytest.raises(TypeError, match="url must be str or a path"):
            OPEN[what](other, pepper=PEPPER)
    # A folder is said to be one, and holds key rings only.
    if "Ring" in what or what.endswith("Store"):
        OPEN[what]("folder:d", pepper=PEPPER)
    else:
        with pytest.raises(exceptions.UsageError, match="folder"):
            OPEN[what]("folder:d", pepper=PEPPER)
    assert not any(one.name.startswith(("file", "sqlite", "x")) for one in tmp_path.iterdir())


def test_the_command_line_reads_them_alike(tmp_path: Path) -> None:
    def gatekey(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gatekey", *words]
        return subprocess.run(  # noqa: S603
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    KeyRing.open(tmp_path / "ring.sqlite")
    for name in ("ring.sqlite", "sqlite:///ring.sqlite", str(tmp_path / "ring.sqlite")):
        assert gatekey("keyring", "show", name).returncode == 0
    assert gatekey("keyring", "new", "new.sqlite").returncode == 0
    assert (tmp_path / "new.sqlite").is_file()
    assert gatekey("keyring", "new", "folder:keys").returncode == 0
    assert (tmp_path / "keys").is_dir()
