"""Sessions and revocations in several hands at once: threads, processes, forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import pytest
from rounds import rounds

from gatekey import Key, Revocations, Sessions, Signer, Verifier, exceptions

if TYPE_CHECKING:
    from pathlib import Path

PEPPER = bytes(range(32))
SECRET = Key.from_secret(bytes(range(32, 64)), "HS256")
PATIENCE = 60
HANDS = 8


def open_sessions(url: str, **options: Any) -> Sessions:
    return Sessions.open(url, signer=Signer(SECRET), pepper=PEPPER, **options)


def answer(sessions: Sessions, token: str) -> str:
    try:
        return sessions.refresh(token).refresh_token
    except exceptions.TokenReuseError:
        return "reuse"


def in_threads(sessions: Sessions, token: str) -> list[str]:
    barrier, answers = threading.Barrier(HANDS), []

    def work() -> None:
        barrier.wait()
        answers.append(answer(sessions, token))

    threads = [threading.Thread(target=work) for _ in range(HANDS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def at_the_same_time(code: str, *arguments: str) -> list[str]:
    """Runs the code in eight processes, which begin when all are there; what they say."""
    prelude = "import sys, time\nfrom gatekey import *\nfrom gatekey.exceptions import *\n"
    wait = "print('ready', flush=True)\nsys.stdin.readline()\n"
    code = prelude + code.replace("WAIT\n", wait)
    command = [sys.executable, "-c", code, *arguments]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=gettempdir())  # noqa: S603
        for _ in range(HANDS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * HANDS
    return [line for text in said for line in text.splitlines()]


REFRESH = """
signer = Signer(Key.from_secret(bytes(range(32, 64)), "HS256"))
sessions = Sessions.open(sys.argv[1], signer=signer, pepper=bytes(range(32)), grace=2)
WAIT
try:
    print(sessions.refresh(sys.argv[2]).refresh_token)
except TokenReuseError:
    print("reuse")
"""


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_one_rotation_and_one_end(tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with open_sessions(url, grace=2) as sessions:
        first = sessions.start("alice")

        def at_once() -> list[str]:
            token = first.refresh_token
            if kind == "threads":
                return in_threads(sessions, token)
            return at_the_same_time(REFRESH, url, token)

        answers = at_once()
        assert len(answers) == HANDS
        assert len(set(answers)) == 1
        assert answers[0].startswith("gkr_")
        assert sessions.get(first.family).refreshes == 1
        time.sleep(3.1)
        assert at_once() == ["reuse"] * HANDS
        assert [event.action for event in sessions.events()] == ["start", "reuse"]


ONCE_EACH = rounds(3)
ONCE = """
revocations = Revocations.open(sys.argv[1])
until = int(time.time()) + 600
WAIT
for n in range(int(sys.argv[2])):
    if revocations.seen_once("issuer", str(n), until):
        print(n)
"""


def test_seen_once_in_eight_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    Revocations.open(url)
    assert sorted(map(int, at_the_same_time(ONCE, url, str(ONCE_EACH)))) == list(range(ONCE_EACH))


def is_refused(verifier: Verifier, token: str) -> bool:
    """Whether it is in the end; the time it takes is what `make bench` is about."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            verifier.verify(token)
        except exceptions.RevokedTokenError:
            return True
        time.sleep(0.005)
    return False


@pytest.mark.parametrize("stands_still", [False, True])
def test_another_handle_sees_a_log_out(tmp_path: Path, stands_still: bool) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    now = int(time.time())
    clock = (lambda: now) if stands_still else None
    with open_sessions(url) as here:
        there = Revocations.open(url, clock=clock)
        verifier = Verifier(SECRET, revocations=there, clock=clock, leeway=60)
        tokens = here.start("alice")
        assert verifier.verify(tokens.access_token).subject == "alice"
        here.end_by_id(tokens.family)
        assert is_refused(verifier, tokens.access_token)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with open_sessions(url) as sessions:
        verifier = Verifier(SECRET, revocations=sessions.revocations)
        tokens, other = sessions.start("alice"), sessions.start("alice")
        assert verifier.verify(tokens.access_token).subject == "alice"
        child = os.fork()
        if child == 0:
            try:
                sessions.end_by_id(tokens.family)
                refused = is_refused(verifier, tokens.access_token)
                fine = verifier.verify(other.access_token).subject == "alice"
                os._exit(0 if refused and fine else 1)
            except BaseException:  # noqa: BLE001
                os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert is_refused(verifier, tokens.access_token)
        assert sessions.refresh(other.refresh_token).family == other.family
