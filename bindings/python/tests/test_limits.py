"""Rates that the processes of one machine share: beside the store, in a folder, or not at all."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from rounds import rounds

from gatekey import ApiKeys
from gatekey.exceptions import ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

PEPPER = bytes(range(32))
BURST = 30
RATE = f"{BURST}/366d"

CHILD = """
import sys
from gatekey import ApiKeys
with ApiKeys.open(sys.argv[1], pepper=bytes(range(32))) as keys:
    sys.stdin.readline()
    n = 0
    while keys.check(sys.argv[2]).ok:
        n += 1
    keys.check_limits()
    print(n)
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/keys.sqlite"


def passes(keys: ApiKeys, secret: str) -> int:
    for n in range(10 * BURST):
        if not keys.check(secret).ok:
            return n
    return 10 * BURST


def forked(work: list[str], keys: ApiKeys, processes: int) -> list[int]:
    """What each of so many children of this process is let through, per key, all at once."""
    pipes = []
    go_read, go_write = os.pipe()
    for _ in range(processes):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(go_write)
            os.read(go_read, 1)  # until the parent closes it
            answer = " ".join(str(passes(keys, secret)) for secret in work)
            os.write(write, answer.encode())
            os._exit(0)
        os.close(write)
        pipes.append((child, read))
    os.close(go_read)
    os.close(go_write)
    sums = [0] * len(work)
    for child, read in pipes:
        with os.fdopen(read) as pipe:
            sums = [a + int(b) for a, b in zip(sums, pipe.read().split(), strict=True)]
        assert os.waitpid(child, 0)[1] == 0
    return sums


@pytest.mark.parametrize("processes", [4, 8])
@pytest.mark.parametrize("used_before", [False, True])
def test_forked_children_share_a_limit(tmp_path: Path, processes: int, used_before: bool) -> None:
    for n in range(rounds(2)):
        folder = tmp_path / str(n)
        folder.mkdir()
        with ApiKeys.open(url(folder), pepper=PEPPER) as keys:
            secrets = [keys.create(owner="acme", rate=RATE).secret for _ in range(5)]
            if used_before:
                assert keys.check(keys.create(owner="acme", rate=RATE).secret).ok
            for passed in forked(secrets, keys, processes):
                assert BURST <= passed <= BURST + processes
            assert [passes(keys, secret) for secret in secrets] == [0] * 5
            keys.check_limits()


def in_a_pool(arguments: tuple[str, str]) -> int:
    with ApiKeys.open(arguments[0], pepper=PEPPER) as keys:
        return passes(keys, arguments[1])


def test_a_pool_shares_a_limit(tmp_path: Path) -> None:
    with ApiKeys.open(url(tmp_path), pepper=PEPPER) as keys:
        secret = keys.create(owner="acme", rate=RATE).secret
    with multiprocessing.get_context("fork").Pool(4) as pool:
        passed = sum(pool.map(in_a_pool, [(url(tmp_path), secret)] * 8))
    assert BURST <= passed <= BURST + 8


def test_programs_share_a_limit_over_restarts(tmp_path: Path) -> None:
    with ApiKeys.open(url(tmp_path), pepper=PEPPER) as keys:
        secret = keys.create(owner="acme", rate=RATE).secret

    def run(_: int) -> int:
        command = [sys.executable, "-c", CHILD, url(tmp_path), secret]
        done = subprocess.run(  # noqa: S603
            command, cwd=tmp_path, input="\n", check=True, capture_output=True, text=True
        )
        return int(done.stdout)

    with ThreadPoolExecutor(4) as pool:
        passed = sum(pool.map(run, range(4)))
    assert BURST <= passed <= BURST + 4
    assert run(0) == 0
    assert (tmp_path / "keys.sqlite.limits").stat().st_mode & 0o777 == 0o600


def test_a_folder_can_be_named_and_limits_turned_off(tmp_path: Path) -> None:
    limits = tmp_path / "limits"
    with (
        ApiKeys.open(url(tmp_path), pepper=PEPPER, limits=limits) as here,
        ApiKeys.open(url(tmp_path), pepper=PEPPER, limits=str(limits)) as there,
        ApiKeys.open(url(tmp_path), pepper=PEPPER, limits=False) as alone,
    ):
        secret = here.create(owner="acme", rate=RATE).secret
        assert (passes(here, secret), passes(there, secret)) == (BURST, 0)
        assert passes(alone, secret) == BURST
        here.check_limits()
        with pytest.raises(ConfigurationError):
            alone.check_limits()
    assert [file.suffix for file in limits.iterdir()] == [".limits"]
    assert not (tmp_path / "keys.sqlite.limits").exists()
    with pytest.raises(StoreUnavailableError):
        ApiKeys.open(url(tmp_path), pepper=PEPPER, limits=tmp_path / "no" / "such")
    for wrong in (True, 1, b"", ""):
        with pytest.raises(TypeError, match="limits"):
            ApiKeys.open("memory:", limits=wrong)  # type: ignore[arg-type]
    with ApiKeys.open("memory:") as keys, pytest.raises(ConfigurationError, match="folder"):
        keys.check_limits()
