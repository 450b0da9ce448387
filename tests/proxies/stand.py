"""The decision of examples/proxies, an application, and the proxies in front of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatekey import Csrf, SessionCookies, Signer, Store

sys.path[:0] = [
    str(Path(__file__).parents[1] / "servers"),
    str(Path(__file__).parents[2] / "examples/proxies"),
]
import check  # noqa: E402
from checks import IDENTITY  # noqa: E402
from servers import UnavailableError, need, proxy  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/proxies"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
LIBRARY = Path(os.environ.get("FFI_LIBRARY", TARGET / "debug")).resolve()
ORIGIN = "https://shop.example"
# Seconds after which a wait is in vain.
PATIENCE = 30
DEMANDS = ("orders-read=orders:read", "admin=admin")
FLAGS = "-std=c11 -g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow".split()


def build(compiler: str, folder: Path) -> Path:
    """Compile the decision."""
    links = folder / "lib"
    links.mkdir(exist_ok=True)
    version = re.search(r"#define GK_ABI_VERSION (\d+)", (ROOT / "include/gatekey.h").read_text())
    assert version
    for name in ("libgatekey.so", f"libgatekey.so.{version[1]}"):
        with contextlib.suppress(FileExistsError):
            (links / name).symlink_to(LIBRARY / "libgatekey.so")
    out = folder / f"decide-{compiler}"
    found = [f"-I{ROOT}/include", f"-L{links}", f"-Wl,-rpath,{links}"]
    libraries = ["-lgatekey", "-lmicrohttpd", "-lpthread"]
    words = [compiler, *FLAGS, *found, str(EXAMPLES / "decide.c"), "-o", str(out), *libraries]
    subprocess.run(words, check=True)
    return out


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def stopped(task: Path) -> bool:
    """Tell whether a thread is stopped."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def free_port() -> int:
    """Give a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


# ---- what a client sees ----


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Give the values of a header."""
        return [value for own, value in self.headers if own.lower() == name.lower()]

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


def parsed(received: bytes) -> Answer:
    """Read an answer after which the connection has ended."""
    head, _, body = received.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1."), received
    pairs = [line.partition(":") for line in lines]
    answer = Answer(int(first.split()[1]), [(a, c.strip()) for a, _, c in pairs], body)
    if answer.all("Transfer-Encoding") == ["chunked"]:
        answer.body, rest = b"", body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            answer.body, rest = answer.body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return answer


def whole(received: bytes) -> bool:
    """Tell whether that is a whole answer; a proxy may wait for more of a body that it refused."""
    head, _, body = received.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return bool(length) and len(body) >= int(length[1] if length else 0)


def send(place: str | int, sent: bytes, source: str = "") -> Answer:
    """Send bytes to a port or a Unix socket; give the answer, after which the connection ends."""
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(PATIENCE)
        if source:
            connection.bind((source, 0))
        connection.connect(place if isinstance(place, str) else ("127.0.0.1", place))
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        received = b""
        with contextlib.suppress(ConnectionError):
            while not whole(received) and (part := connection.recv(65536)):
                received += part
    return parsed(received)


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """Give the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.example", *headers]
    if not any(line.lower().startswith("connection:") for line in headers):
        lines.append("Connection: close")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


# ---- what stands behind the proxy ----


class _Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


def served(place: str | int, handler: type[BaseHTTPRequestHandler]) -> socketserver.BaseServer:
    """Serve at a port or a Unix socket of mode 0660, in a thread."""
    if isinstance(place, int):
        server: socketserver.BaseServer = _Tcp(("127.0.0.1", place), handler)
    else:
        Path(place).unlink(missing_ok=True)
        mask = os.umask(0o117)
        server = _Unix(place, handler)
        os.umask(mask)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class Quiet(BaseHTTPRequestHandler):
    """One that says nothing, and knows no address."""

    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status >= 200:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)


@contextlib.contextmanager
def answering(place: str | int, status: int) -> Iterator[None]:
    """Stand in the decision's place with an answer that is not its own."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            named = [(name, "root") for name in IDENTITY]
            self.answer(status, [("Location", "/public/"), *named], b"")
            self.close_connection = True

        do_POST = do_HEAD = do_GET

    server = served(place, Handler)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Application:
    """Says what it was asked, and remembers it; at a Unix socket and at a port."""

    path: str
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = self.asked

        class Handler(Quiet):
            def any(self) -> None:
                length = 0
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        length += len(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    length = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                asked.append(f"{self.command} {self.path}")
                seen = {"headers": self.headers.items(), "length": length, "path": self.path}
                own = [("Content-Type", "application/json"), ("Vary", "Accept-Encoding")]
                self.answer(200, own, json.dumps(seen).encode())

            do_GET = do_POST = do_HEAD = do_DELETE = do_OPTIONS = any

        self.port = free_port()
        self._servers = [served(self.path, Handler), served(self.port, Handler)]

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


class Decision:
    """examples/proxies/decide.c, its store, and who may call."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.socket = str(folder / "decide.sock")
        self.port = free_port()
        secret = os.urandom(32)
        (folder / "secret").write_bytes(secret)
        self.url = f"sqlite:///{folder}/auth.sqlite"
        self.store = Store.open(self.url)
        self.keys = self.store.api_keys()
        signer = Signer(self.store.key_ring(), issuer=ORIGIN)
        self.sessions = self.store.sessions(signer=signer)
        self.cookies = SessionCookies(Csrf(secret))
        self.log = folder / "decide.log"
        self.by = ""
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, by: str) -> None:
        """Start it, at the socket or the port."""
        self.by = by
        place = ["--socket", self.socket] if by == "socket" else ["--port", str(self.port)]
        environment = {
            **os.environ,
            "GATEKEY_STORE": self.url,
            "GATEKEY_PUBLIC_URL": ORIGIN,
            "GATEKEY_CSRF_SECRET_FILE": str(self.folder / "secret"),
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(self.program), *place, "--problem-header", *DEMANDS],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout
        assert process.stdout.readline().startswith("listening on"), self.log.read_text()
        self.processes.append(process)

    def stop(self) -> None:
        """Stop it cleanly."""
        while self.processes:
            process = self.processes.pop()
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0, self.log.read_text()
            if process.stdout:
                process.stdout.close()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Let it accept, and say nothing."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)
            tasks = Path(f"/proc/{process.pid}/task")
            # Its threads stop one by one.
            wait_for("a stop", lambda tasks=tasks: all(stopped(each) for each in tasks.iterdir()))  # type: ignore[misc]
        try:
            yield
        finally:
            for process in self.processes:
                process.send_signal(signal.SIGCONT)

    def key(self, *scopes: str, **limits: Any) -> str:
        """Make an API key; give the line that presents it."""
        issued = self.keys.create(owner="acme", scopes=scopes or ("orders:read",), **limits)
        return f"X-API-Key: {issued.secret}"

    def session(self, **claims: str) -> list[str]:
        """Start a session; give its access token and its CSRF token."""
        tokens = self.sessions.start("alice", claims={"scope": "orders:read", **claims})
        cookies = [each.split(";")[0] for each in self.cookies.set(tokens)]
        return [tokens.access_token, next(c for c in cookies if "csrf" in c).partition("=")[2]]


# ---- the proxies ----


class Front(ABC):
    """A proxy, while it runs with the files of examples/proxies."""

    name: ClassVar[str]
    by: ClassVar[str] = "socket"  # how it asks for a decision
    # Headers of which the application gets those that only look like ours.
    passes_aliases: ClassVar[bool] = False
    # Whether a refusal keeps the headers that clear a browser's cookies.
    keeps_cookies: ClassVar[bool] = True
    # Whether a guarded route's answers say that they depend on who calls.
    varies: ClassVar[bool] = True
    # The type of what is said where there is no decision.
    unavailable: ClassVar[str] = "application/problem+json"
    # What a client hides from the decision as of its connection, and is refused for then.
    hides: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        folder: Path,
        decision: Decision,
        application: Application,
        change: Callable[[str, str], str] = lambda _name, text: text,
    ) -> None:
        """Start it; `change` is what is done to a file of the example before."""
        self.folder = folder
        self.port, self.admin, self.inner = free_port(), free_port(), free_port()
        self.replaced = {
            "unix:///run/shop/app.sock": f"unix://{application.path}",
            "/run/gatekey/decide.sock": decision.socket,
            "/run/shop/app.sock": application.path,
            "/run/shop": str(folder),
            "127.0.0.1:8080": f"127.0.0.1:{self.port}",
            "127.0.0.1:8081": f"127.0.0.1:{self.admin}",
            "127.0.0.1:8082": f"127.0.0.1:{decision.port}",
            "127.0.0.1:8083": f"127.0.0.1:{application.port}",
            "127.0.0.1:8084": f"127.0.0.1:{self.inner}",
            # Long enough for what answers, and waited for by each test of what does not.
            "_timeout 2s": "_timeout 1s",
            "imeout: 2s": "imeout: 1s",
            "providers:\n": "providers:\n  providersThrottleDuration: 10ms\n",
            "http://:8080": f"http://:{self.port}",
            "port_value: 8080": f"port_value: {self.port}",
            "port_value: 8081": f"port_value: {self.admin}",
        }
        self.files = folder / self.name
        shutil.copytree(EXAMPLES / self.name, self.files)
        for file in self.files.rglob("*"):
            if file.is_file():
                file.write_text(self.adapted(change(file.name, file.read_text())))
        self.log = folder / "log"
        command = self.command()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.files, stdout=log, stderr=log, env=self.environment()
            )
        wait_for(f"{self.name} to listen", self.listens)

    def place(self, decision: Decision) -> str | int:
        """Give where it asks."""
        return decision.socket if self.by == "socket" else decision.port

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def adapted(self, text: str) -> str:
        """Give the example's text with the places of this test."""
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    @abstractmethod
    def command(self) -> list[str]:
        """Give what starts it."""

    @abstractmethod
    def running(self) -> str:
        """Give the configuration that runs."""

    def listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def wrong(self) -> list[str]:
        return check.FRONTS[self.name](self.running())

    def told(self, name: str, path: str, body: str = "") -> str:
        """Give what the admin API at a socket says."""
        method = "POST" if body else "GET"
        asking = request(method, path, "Content-Type: text/caddyfile", body=body.encode())
        asking = asking.replace(b"Host: shop.example", b"Host: localhost", 1)
        answer = send(str(self.folder / name), asking)
        assert answer.status == 200, answer
        return answer.body.decode()

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
        """Ask as a client."""
        return send(self.port, request(method, path, *headers, body=body))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


class Nginx(Front):
    """Debian's nginx."""

    name = "nginx"
    keeps_cookies = False

    def command(self) -> list[str]:
        need("nginx is missing", "nginx")
        paths = [f"{each}_temp_path {self.folder}/{each};" for each in TEMPORARY]
        file = self.files / "gatekey/http.conf"
        file.write_text(file.read_text() + "\n".join(paths))
        user = "user root; " if os.getuid() == 0 else ""
        # It opens its usual log before it reads of another.
        log = ["-e", str(self.folder / "error.log")]
        self.words = [
            "nginx",
            *log,
            "-c",
            str(self.files / "nginx.conf"),
            "-g",
            f"{user}daemon off;",
        ]
        return self.words

    def running(self) -> str:
        done = subprocess.run([*self.words, "-T"], check=True, capture_output=True, text=True)
        return done.stdout


class Caddy(Front):
    """Caddy, whose admin API tells what runs."""

    name = "caddy"

    def command(self) -> list[str]:
        words = ["run", "--config", str(self.files / "Caddyfile"), "--adapter", "caddyfile"]
        return [str(proxy(self.name)), *words]

    def running(self) -> str:
        return self.told("caddy-admin.sock", "/config/")


class Envoy(Front):
    """Envoy, whose admin API tells what runs."""

    name = "envoy"
    hides = ("X-Forwarded-For", "X-API-Key")

    def command(self) -> list[str]:
        words = ["-c", str(self.files / "envoy.yaml"), "--concurrency", "2", "-l", "error"]
        return [str(proxy(self.name)), *words, "--disable-hot-restart"]

    def running(self) -> str:
        return self.told("envoy-admin.sock", "/config_dump")


class Traefik(Front):
    """Traefik, whose API tells what runs."""

    name = "traefik"
    by = "port"
    hides = ("X-API-Key",)
    varies = False
    unavailable = "text/plain; charset=utf-8"

    def command(self) -> list[str]:
        return [str(proxy(self.name)), "--configFile=traefik.yml"]

    def running(self) -> str:
        paths = ("/api/rawdata", "/api/entrypoints")
        return "\n\n".join(send(self.admin, request("GET", path)).body.decode() for path in paths)

    def listens(self) -> bool:
        return super().listens() and self.ask("GET", "/").status != 404


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
FRONTS: dict[str, type[Front]] = {each.name: each for each in (Nginx, Caddy, Envoy, Traefik)}
__all__ = ["UnavailableError", "need"]
