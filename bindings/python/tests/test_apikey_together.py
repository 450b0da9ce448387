"""`gatekey.ApiKeys` in several hands at once: handles, processes and threads."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gatekey import ApiKeys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_800_000_000
PEPPER = bytes(range(32))
PATIENCE = 60


def test_another_handle_sees_a_revocation(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with (
        ApiKeys.open(url, pepper=PEPPER) as here,
        ApiKeys.open(url, pepper=PEPPER) as there,
        ApiKeys.open(url, pepper=PEPPER, strict=True) as strict,
    ):
        issued = here.create(owner="acme")
        assert there.check(issued.secret).ok
        assert strict.check(issued.secret).ok
        here.revoke(issued.id)
        assert strict.check(issued.secret).code == "api_key_revoked"
        assert in_the_end(lambda: there.check(issued.secret).code == "api_key_revoked")


def in_the_end(condition: Callable[[], bool]) -> bool:
    """Whether it comes true; the time it takes is what `make bench` is about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_a_clock_that_stands_still_hides_no_change(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with (
        ApiKeys.open(url, pepper=PEPPER) as here,
        ApiKeys.open(url, pepper=PEPPER, clock=lambda: NOW) as there,
    ):
        issued = here.create(owner="acme", rate="2/60s")
        assert there.check(issued.secret).ok
        here.disable(issued.id)
        assert in_the_end(lambda: there.check(issued.secret, cost=0).code == "api_key_disabled")
        here.enable(issued.id)
        assert in_the_end(lambda: there.check(issued.secret, cost=0).ok)
        assert there.check(issued.secret).ok
        assert there.check(issued.secret).retry_after == 30


def test_a_fork_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    keys = ApiKeys.open(url, pepper=PEPPER)
    issued = keys.create(owner="acme", credits=500)
    assert keys.check(issued.secret).ok
    readers = []
    for _ in range(2):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                spent = sum(keys.check(issued.secret).ok for _ in range(300))
                made = keys.create(owner="child")
                os.write(write, f"{spent} {made.secret}".encode())
                keys.close()
                code = 0
            finally:
                os._exit(code)
        os.close(write)
        readers.append((pid, read))
    spent = 1 + sum(keys.check(issued.secret).ok for _ in range(300))
    for pid, read in readers:
        assert os.waitpid(pid, 0)[1] == 0
        count, secret = os.read(read, 1000).decode().split()
        os.close(read)
        spent += int(count)
        assert keys.verify(secret).owner == "child"
    time.sleep(1.1)
    spent += sum(keys.check(issued.secret).ok for _ in range(600))
    assert spent == 500
    keys.close()


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/keys.sqlite"])
def test_threads_share_a_handle(url: str, tmp_path: Path) -> None:
    keys = ApiKeys.open(url.format(tmp_path), pepper=PEPPER, clock=lambda: NOW)
    issued = keys.create(owner="acme", rate=(1000, 3600))
    passed: list[int] = []

    def work() -> None:
        passed.append(sum(keys.check(issued.secret).ok for _ in range(400)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 1000
