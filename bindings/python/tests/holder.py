"""Stores that another process holds and servers that do not answer, until told to."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gatekey import ApiKeys, Key, KeyRing, OAuthClient, Revocations, Sessions, Signer, Store
from gatekey.exceptions import GatekeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TURNS = 20
PEPPER = b"a pepper of the tests, 32 bytes."

HOLDER = """
import fcntl, sqlite3, sys
what, path = sys.argv[1:]
if what == "write":  # the one writer's lock
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
elif what == "read":  # the places of all readers, in the index of the write-ahead log
    held = open(path + "-shm", "r+b")
    fcntl.lockf(held, fcntl.LOCK_EX, 5, 123)
else:
    held = open(path, "wb")
    fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Place:
    """A folder, what is in it, and who holds that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "store.sqlite"
        self.url = f"sqlite:///{self.file}"
        self.release: Callable[[], None] = Place.nobody
        self.options: dict[str, Any] = {}
        self.kept: object = None

    @staticmethod
    def nobody() -> None:
        """Nobody holds anything."""

    def hold(self, what: str, path: Path | None = None) -> None:
        """Have another process hold a lock until ``release``."""
        command = [sys.executable, "-c", HOLDER, what, str(path or self.file)]
        pipe = subprocess.PIPE
        holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def release() -> None:
            holder.communicate()
            self.release = Place.nobody

        self.release = release

    def silent_server(self, first: str | None = None) -> str:
        """Start a server that answers with ``first``, and after that not before ``release``."""
        listening = socket.create_server(("127.0.0.1", 0))

        def answer(told: bytes) -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(b"HTTP/1.1 " + told)

        if first is not None:
            told = f"200 OK\r\nContent-Length: {len(first)}\r\n\r\n{first}"
            threading.Thread(target=answer, args=[told.encode()]).start()

        def release() -> None:
            # Later requests are refused at once.
            with listening:
                listening.settimeout(0.2)
                with suppress(TimeoutError):
                    while True:
                        answer(b"503 Busy\r\nContent-Length: 0\r\n\r\n")
            self.release = Place.nobody

        self.release = release
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def keys(self, **options: Any) -> ApiKeys:
        return ApiKeys.open(self.url, pepper=PEPPER, **options)

    def sessions(self, **options: Any) -> Sessions:
        signer = Signer(Key.generate("HS256"), issuer="i", ttl=60)
        return Sessions.open(self.url, signer=signer, pepper=PEPPER, **options)

    def revocations(self, **options: Any) -> Revocations:
        return Revocations.open(self.url, **options)

    def ring(self, **options: Any) -> KeyRing:
        return KeyRing.open(self.url, pepper=PEPPER, **options)

    def store(self, **options: Any) -> Store:
        return Store.open(self.url, pepper=PEPPER, **options)

    def client(self) -> OAuthClient:
        address = self.silent_server()
        return OAuthClient("c", issuer=address, client_secret="s", allow_loopback_http=True)


def others_run(call: Callable[[], object], release: Callable[[], None]) -> bool:
    """Whether another thread has its turns before what the call waits for ends."""
    turns = 0
    begin = threading.Lock()
    begin.acquire()

    def take_turns() -> None:
        nonlocal turns
        begin.acquire()
        while turns < TURNS:
            turns += 1
            time.sleep(0.001)
        release()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=take_turns)
    thread.start()
    try:
        begin.release()
        with suppress(GatekeyError):
            call()
        return turns >= TURNS
    finally:
        sys.setswitchinterval(interval)
        thread.join()
