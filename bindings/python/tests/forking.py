"""Forks under busy threads, for `test_forks.py`: what each does is told to the test, and judged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rounds import rounds

from gatekey import ApiKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUSY = 3
PATIENCE = 60
PEPPER = bytes(range(32))


def in_child(work: Callable[[], list[str]], write: int) -> None:
    """Does it once in a child and tells it through the pipe; one that hangs is killed."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        with os.fdopen(write, "w") as pipe:
            pipe.write("\n".join(work()))
        code = 0
    except BaseException as error:  # noqa: BLE001
        os.write(2, f"a child: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def fork_once(work: Callable[[], list[str]], beside: Callable[[], list[str]]) -> list[str]:
    """Forks; the child does the one at once, the parent the other. What both told."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        in_child(work, write)
    os.close(write)
    told = beside()
    with os.fdopen(read) as pipe:
        told += pipe.read().splitlines()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return told


@contextmanager
def busy(work: Callable[[], list[str]]) -> Iterator[list[str]]:
    """Three threads that do it all the time; what they told, once they have ended."""
    stop = threading.Event()
    told: list[str] = []
    broken: list[BaseException] = []

    def go_on() -> None:
        try:
            while not stop.is_set():
                told.extend(work())
        except BaseException as error:  # noqa: BLE001
            broken.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(BUSY)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert not broken, broken
    assert not any(thread.is_alive() for thread in threads)


def in_forks(work: Callable[[], list[str]], few: int = 20) -> list[str]:
    """Forks so often under busy threads. What all have told: each line `drawn VALUE` but once."""
    ours: list[str] = []
    with busy(work) as theirs:
        for number in range(rounds(few)):
            time.sleep(number * 397 % 2000 / 1e6)  # another moment of the threads' work
            ours += fork_once(work, work)
    told = ours + theirs
    draws = [line for line in told if line.startswith("drawn ")]
    assert len(draws) == len(set(draws))
    return told


PRELUDE = """
import sys, time
from gatekey import *
from gatekey.exceptions import *
def in_the_end(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
"""


def witness(code: str, url: str, told: list[str]) -> None:
    """Judges what was told, each line as `kind` and `value`, in a process executed afresh."""
    opened, judged = code.split("---\n")
    loop = "\nfor line in sys.stdin:\n    kind, value = line.split()\n"
    indented = "".join(f"    {line}\n" for line in judged.splitlines())
    lines = [line for line in told if not line.startswith("drawn ")]
    assert lines
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", PRELUDE + opened + loop + indented, url],
        input="\n".join(lines),
        text=True,
        timeout=2 * PATIENCE,
        check=True,
        cwd="/",
    )


def in_a_worker(url: str, inherited: ApiKeys | None, told: Any) -> None:
    """Runs in a process of `multiprocessing`; by fork, it has the store of its parent."""
    signal.alarm(PATIENCE)
    store = inherited or ApiKeys.open(url, pepper=PEPPER)
    good, gone = store.create(owner="worker"), store.create(owner="worker")
    store.revoke(gone.id)
    assert store.check(good.secret).ok
    assert store.check(gone.secret).code == "api_key_revoked"
    told.send([good.secret, gone.secret])
