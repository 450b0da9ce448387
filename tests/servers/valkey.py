#!/usr/bin/env python3
"""A real Valkey, or Debian's Redis, for the tests: in a folder of its own, on a free port.

As a module: ``Valkey(folder)``. As a program, ``valkey.py start NAME [SETTING VALUE]...``: prints
``READY``, the port and the path of its socket, and stops the server when its input ends. Until then
it obeys lines on its input, and answers each with a line: ``kill`` (as a crash), ``start`` (again,
on the same port), ``freeze`` and ``thaw`` (SIGSTOP and SIGCONT). What one should do besides is sent
to it as a command. ``valkey.py run NAME PROGRAM [ARGUMENT]...`` runs a program beside one, with its
URL as one more argument.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from servers import UNAVAILABLE, UnavailableError, valkey

# Seconds after which a wait is in vain.
PATIENCE = 60


class Valkey:
    """A server, started."""

    def __init__(self, folder: Path, name: str = "valkey", *settings: str) -> None:
        """Start it; `settings` are words of its command line."""
        self._program = valkey(name)
        self.folder, self.socket = folder, folder / "server.sock"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._settings = list(settings)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(self._program), *words, *nothing_kept, *self._settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                link.sendall(b"PING\r\n")
                return link.recv(64)[:1] in (b"+", b"-")
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        """Send a command; give the beginning of what it answers."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as link:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            link.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return link.recv(65536)

    def kill(self) -> None:
        """Stop it as a crash does."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it do nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)


def main() -> int:
    """Do what the command line says."""
    if len(sys.argv) < 3 or sys.argv[1] not in ("start", "run"):
        print((__doc__ or "").strip())
        return 0 if {"-h", "--help"} & set(sys.argv) else 2
    what, name, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="gatekey-valkey-") as folder:
        try:
            server = Valkey(Path(folder), name, *(rest if what == "start" else ()))
        except UnavailableError as why:
            print(f"servers: SKIPPED what needs {name}: {why}", file=sys.stderr)
            return UNAVAILABLE if what == "start" else 0
        if what == "run":
            url = f"redis://127.0.0.1:{server.port}?timeout_ms=1000"
            try:
                return subprocess.run([*rest, url], check=False).returncode  # noqa: S603
            finally:
                server.kill()
        print("READY", server.port, server.socket, flush=True)
        known = {
            "kill": server.kill,
            "start": server.start,
            "freeze": server.freeze,
            "thaw": server.thaw,
        }
        for line in sys.stdin:
            known[line.strip()]()
            print("DONE", flush=True)
        with contextlib.suppress(ProcessLookupError):
            server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
