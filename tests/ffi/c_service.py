"""Drives examples/c-service as clients and attackers do, over sockets.

usage: c_service.py PROGRAM SANITIZED FOLDER
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote_plus

from gatekey import Key, KeySet, Signer, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORIGIN = "https://shop.example"
PASSWORD = "correct horse battery staple"  # noqa: S105 (the example's)
PARTNER = "https://partner.example"
PARTNER_KEY = Key.generate("ES256")
VARY = "Authorization, Cookie, X-API-Key"
SOURCES = Path(__file__).parents[2] / "examples" / "c-service"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Give the values of a header."""
        return [value for own, value in self.headers if own.lower() == name.lower()]

    def cookies(self) -> dict[str, str]:
        """Give the cookies that are set."""
        pairs = [value.split(";")[0].partition("=") for value in self.all("Set-Cookie")]
        return {name: value for name, _, value in pairs}


class Service:
    """The example, while it runs."""

    every: ClassVar[list[Service]] = []

    def __init__(self, program: str, folder: Path, *words: str) -> None:
        """Start it, with a store of its own."""
        self.daemons: list[int] = []
        folder.mkdir(parents=True)
        (folder / "secret").write_bytes(os.urandom(32))
        self.url = f"sqlite:///{folder}/auth.sqlite"
        self.environment = {
            **os.environ,
            "GATEKEY_STORE": self.url,
            "GATEKEY_PUBLIC_URL": ORIGIN,
            "GATEKEY_CSRF_SECRET_FILE": str(folder / "secret"),
            "PARTNER_ISSUER": PARTNER,
            "PARTNER_JWKS": str(folder / "partner.json"),
        }
        keys = KeySet([PARTNER_KEY.public()]).to_jwks()
        (folder / "partner.json").write_text(json.dumps(keys))
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [program, "--port", "0", *words],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.every.append(self)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), self.log.read_text()
        self.port = int(line.rpartition(":")[2])
        self.keys = Store.open(self.url).api_keys()

    def key(
        self, scope: str = "orders:read", rate: str | None = None, cidrs: tuple[str, ...] = ()
    ) -> tuple[str, str]:
        """Make an API key; give its id and its text."""
        issued = self.keys.create(owner="acme", scopes=[scope], rate=rate, cidrs=cidrs)
        return issued.id, issued.secret

    def raw(self, sent: bytes) -> Answer:
        """Send bytes; give the answer, whose connection must end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(sent)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    received += part
        return parsed(received)

    def ask(self, method: str, path: str, *headers: str, body: str = "") -> Answer:
        """Send a request with these header lines."""
        lines = [f"{method} {path} HTTP/1.1", "Host: shop.example", "Connection: close", *headers]
        if body:
            kind = "Content-Type: application/x-www-form-urlencoded"
            lines += [kind, f"Content-Length: {len(body)}"]
        return self.raw(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))

    def log_in(self, password: str = PASSWORD, *headers: str, csrf: str = "") -> Answer:
        """Log alice in, from a page of ours unless headers are given."""
        body = f"user=alice&password={quote_plus(password)}"
        if csrf:
            body += f"&csrf={quote_plus(csrf)}"
        return self.ask("POST", "/log-in", *(headers or (f"Origin: {ORIGIN}",)), body=body)

    def refuses(self, line: str) -> bool:
        """Whether orders are not for who sends this header."""
        return self.ask("GET", "/orders", line).status == 401

    def children(self) -> list[int]:
        """Give the processes of the workers."""
        of = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(word) for word in Path(of).read_text().split()]

    def has_four(self, but: int = 0) -> bool:
        """Whether there are four workers, without one that was there before."""
        return len(set(self.children()) - {but}) == 4

    def stop(self) -> None:
        """Stop it cleanly."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        assert code == 0, f"ended with {code}: {self.log.read_text()[-4000:]}"


def parsed(received: bytes) -> Answer:
    """Read an answer."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1.1 "), received
    pairs = [line.partition(": ") for line in lines]
    return Answer(int(first.split()[1]), [(name, value) for name, _, value in pairs], body)


def holds(name: str, answer: Answer, status: int, code: str = "", **wanted: str | None) -> None:
    """Check a status, and of a guard's refusal everything: its code, its headers, its body."""
    shown = f"{name}: {answer}"
    assert answer.status == status, shown
    if code:
        problem = json.loads(answer.body)
        assert (problem["status"], problem["code"]) == (status, code), shown
        assert answer.all("Content-Type") == ["application/problem+json"], shown
        assert answer.all("Cache-Control") == ["no-store"], shown
        assert answer.all("Vary") == [VARY], shown
        assert answer.all("X-Content-Type-Options") == ["nosniff"], shown
        challenge = wanted.get("challenge")
        assert answer.all("WWW-Authenticate") == ([challenge] if challenge else []), shown
    for header in set(wanted) - {"challenge"}:
        value = wanted[header]
        assert answer.all(header.replace("_", "-")) == ([value] if value else []), shown


def cookie_line(cookies: dict[str, str]) -> str:
    """Give the header line of a browser that has these cookies."""
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())


def page(cookies: dict[str, str]) -> list[str]:
    """Give the header lines of a page of ours."""
    csrf = f"X-CSRF-Token: {cookies['__Host-csrf']}"
    return [cookie_line(cookies), f"Origin: {ORIGIN}", csrf]


NEEDED = 'Bearer scope="orders:read"'
NEEDED_TO_WRITE = 'Bearer scope="orders:write"'
LACKING = (
    'Bearer error="insufficient_scope", '
    'error_description="The request needs a scope that was not granted.", scope="orders:read"'
)
BAD_KEY = 'Bearer error="invalid_token", error_description="The API key is not valid."'


def attacks(service: Service) -> None:
    """Send what no honest client sends."""
    _, good = service.key()
    key = f"X-API-Key: {good}"

    def told(
        name: str, status: int, code: str, *headers: str, challenge: str | None = None
    ) -> None:
        holds(name, service.ask("GET", "/orders", *headers), status, code, challenge=challenge)

    local, elsewhere = service.key(cidrs=("127.0.0.0/8",))[1], service.key(cidrs=("10.0.0.0/8",))[1]
    for header in ("REMOTE_ADDR", "Remote-Addr", "X-Forwarded-For", "Forwarded", "X-Real-IP"):
        value = "for=10.9.9.9" if header == "Forwarded" else "10.9.9.9"
        line = f"{header}: {value}"
        told(f"{header} of a client", 403, "access_denied", line, f"X-API-Key: {elsewhere}")
        answer = service.ask("GET", "/orders", line, f"X-API-Key: {local}")
        holds(f"{header} beside the socket's address", answer, 200)

    several = "The request brings more than one credential."
    challenge = f'Bearer error="invalid_request", error_description="{several}"'
    bearer = f"Authorization: Bearer {good}"
    told("two of Authorization", 400, "several_credentials", bearer, bearer, challenge=challenge)
    told("two places", 400, "several_credentials", bearer, key, challenge=challenge)
    told("a name with a space", 400, "malformed_request", f"Authorization : Bearer {good}")
    # libmicrohttpd ends a value at its NUL: what stands before it must be good by itself.
    told("a NUL in a key", 401, "invalid_api_key", f"{key[:-1]}\0{key[-1]}", challenge=BAD_KEY)
    assert service.ask("GET", "/orders", f"X-API-Key: \0{good}").status == 401
    for folded in (f"X-API-Key:\r\n {good}", f"X-A: b\r\n X-API-Key: {good}", f"{key}\r\n x"):
        answer = service.ask("GET", "/orders", folded)
        assert answer.status in (400, 401), f"{folded!r}: {answer}"
    for path in (
        "/orders%00x",
        "/orders%00",
        "http://h/orders",
        "/orders/",
        "//orders",
        "/%6frders",
        "/log-in/../orders",
        "/log-in/%2e%2e/orders",
        "/log-in/..%2forders",
        "/orders%23/log-in",
    ):
        holds(path, service.ask("GET", path, key), 404, Vary=VARY)
    # The decision is of the path that is served, whatever a header or the query says.
    for line in ("X-Original-URI: /log-in", "X-Original-URL: /log-in", "X-Rewrite-URL: /log-in"):
        told(line, 401, "missing_credentials", line, challenge=NEEDED)
    query = service.ask("GET", "/orders?x=/log-in")
    holds("a path in the query", query, 401, "missing_credentials", challenge=NEEDED)
    # What a client names in Connection is still there for the guard.
    named = "Connection: close, X-API-Key, Authorization, X-Forwarded-For"
    holds("named in Connection", service.ask("GET", "/orders", named, key), 200)
    told(
        "two, one of them named",
        400,
        "several_credentials",
        named,
        bearer,
        key,
        challenge=challenge,
    )
    many = [f"X-{i}: a" for i in range(501)]
    told("501 headers", 431, "malformed_request", *many)
    # Host, Connection, the key, and 497 more.
    holds("500 headers", service.ask("GET", "/orders", key, *many[:497]), 200)
    # More than libmicrohttpd's memory for a connection: it answers itself.
    for name, lines in {"10,000": ["X: a"] * 10000, "1 MiB": ["X: " + "a" * (1 << 20)]}.items():
        with contextlib.suppress(OSError):  # closed before all was sent
            assert service.ask("GET", "/orders", key, *lines).status in (413, 431), name
    told("bytes that are no text", 400, "malformed_request", "X-API-Key: \xff\xfe")
    told("a control byte", 400, "malformed_request", f"{key}\x01")
    answer = service.raw(b"GET /orders HTTP/1.1\r\n" + key.encode() + b"\r\n\r\n")
    assert answer.status == 400, answer  # without a Host


def api_keys(service: Service) -> None:
    """Send API keys, good and bad, and no credential."""
    key_id, good = service.key()
    for line in (
        f"X-API-Key: {good}",
        f"Authorization: Api-Key {good}",
        f"Authorization: Bearer {good}",
    ):
        answer = service.ask("GET", "/orders", line)
        holds(line, answer, 200, Content_Type="application/json", Vary=VARY, Cache_Control=None)
        assert json.loads(answer.body) == {"caller": "acme", "kind": "api_key"}
    service.keys.revoke(key_id)
    deadline = time.monotonic() + 60
    while service.ask("GET", "/orders", f"X-API-Key: {good}").status == 200:
        assert time.monotonic() < deadline
    line = f"X-API-Key: {good}"
    holds("revoked", service.ask("GET", "/orders", line), 401, "invalid_api_key", challenge=BAD_KEY)
    answer = service.ask("GET", "/orders", f"X-API-Key: {good[:-1]}")
    holds("cut", answer, 401, "invalid_api_key", challenge=BAD_KEY)
    holds("nothing", service.ask("GET", "/orders"), 401, "missing_credentials", challenge=NEEDED)
    answer = service.ask("GET", "/orders", "Authorization: Basic eDp5")
    holds("Basic", answer, 401, "missing_credentials", challenge=NEEDED)
    answer = service.ask("GET", "/orders", f"X-API-Key: {service.key('other')[1]}")
    holds("a scope too few", answer, 403, "insufficient_scope", challenge=LACKING)
    line = f"X-API-Key: {service.key(rate='1/60s')[1]}"
    answer = service.ask("GET", "/orders", line)
    holds("the first of a rate", answer, 200)
    assert len(answer.all("RateLimit")) == len(answer.all("RateLimit-Policy")) == 1, answer
    answer = service.ask("GET", "/orders", line)
    holds("the second of a rate", answer, 429, "too_many_requests")
    assert 1 <= int(answer.all("Retry-After")[0]) <= 60, answer
    answer = service.ask("DELETE", "/orders/7", f"X-API-Key: {service.key('orders:write')[1]}")
    holds("another kind", answer, 401, "missing_credentials", challenge=NEEDED_TO_WRITE)


def sessions(service: Service) -> None:
    """Log in as a browser does, go on, and log out. Limits let five log-ins pass a minute."""
    for name, headers in {
        "another site": ("Origin: https://evil.example",),
        "no origin": ("Accept: */*",),
        "an origin of nobody": ("Origin: null",),
        "two origins": (f"Origin: {ORIGIN}", "Origin: https://evil.example"),
    }.items():
        holds(name, service.log_in(PASSWORD, *headers), 403, "access_denied")
    shown = service.ask("GET", "/log-in")
    holds("the page", shown, 200, Content_Type="text/html")
    held = shown.cookies()
    found = re.search(rb'name=csrf type=hidden value="([^"]+)"', shown.body)
    assert found, shown
    assert len(held) == 1, shown
    token = found[1].decode()
    other = "B" if token[0] == "A" else "A"
    for name, line, sent in (
        ("a form's token without its cookie", "Accept: */*", token),
        ("the cookie without its token", cookie_line(held), ""),
        ("another token", cookie_line(held), other + token[1:]),
        (
            "a token from another site",
            f"{cookie_line(held)}\r\nOrigin: https://evil.example",
            token,
        ),
    ):
        holds(name, service.log_in(PASSWORD, line, csrf=sent), 403, "access_denied")
    holds("a browser that says nothing", service.log_in("no", cookie_line(held), csrf=token), 401)
    answer = service.ask("POST", "/log-in", f"Origin: {ORIGIN}")
    holds("a log-in without a form", answer, 415)
    holds("a wrong password", service.log_in("no"), 401, Set_Cookie=None)
    answer = service.log_in()
    holds("a log-in", answer, 204, Cache_Control="no-store")
    cookies = answer.cookies()
    assert sorted(cookies) == ["__Host-access", "__Host-csrf", "__Host-refresh"]
    assert all("; Secure" in text and "; Path=/" in text for text in answer.all("Set-Cookie"))
    assert sum("; HttpOnly" in text for text in answer.all("Set-Cookie")) == 2
    who = {"caller": "alice", "kind": "session"}
    answer = service.ask("GET", "/orders", cookie_line(cookies))
    holds("a cookie", answer, 200)
    assert json.loads(answer.body) == who
    bearer = f"Authorization: Bearer {cookies['__Host-access']}"
    assert json.loads(service.ask("GET", "/orders", bearer).body) == who
    twice = cookie_line(cookies) + "; __Host-access=a.b.c"
    assert service.ask("GET", "/orders", twice).status == 400
    forged = service.ask("DELETE", "/orders/7", cookie_line(cookies))
    holds("a cookie alone", forged, 403, "access_denied")
    lines = page(cookies)
    evil = [line.replace(ORIGIN, "https://evil.example") for line in lines]
    holds("another site", service.ask("DELETE", "/orders/7", *evil), 403, "access_denied")
    holds("a page of ours", service.ask("DELETE", "/orders/7", *lines), 200)
    holds("no number", service.ask("DELETE", "/orders/7x", *lines), 404)
    answer = service.ask("POST", "/refresh", cookie_line(cookies))
    holds("a refresh of another site", answer, 403, "access_denied")
    answer = service.ask("POST", "/refresh", *lines)
    holds("a refresh", answer, 204, Cache_Control="no-store")
    newer = {**cookies, **answer.cookies()}
    assert newer["__Host-refresh"] != cookies["__Host-refresh"]
    holds("after a refresh", service.ask("GET", "/orders", cookie_line(newer)), 200)
    answer = service.ask("POST", "/log-out", cookie_line(newer))
    holds("a log-out of another site", answer, 403, "access_denied")
    answer = service.ask("POST", "/log-out", *page(newer))
    holds("a log-out", answer, 204)
    assert all("Max-Age=0" in text for text in answer.all("Set-Cookie")), answer
    assert len(answer.all("Set-Cookie")) == 3, answer
    answer = service.ask("GET", "/orders", cookie_line(newer))
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "invalid_token"), answer
    assert service.ask("POST", "/refresh", *page(newer)).status == 401
    statuses = [service.log_in("no").status for _ in range(3)]
    assert statuses[-1] == 429, statuses
    holds("one log-in too many", service.log_in(), 429, "too_many_requests", Set_Cookie=None)
    keys = service.ask("GET", "/.well-known/jwks.json")
    holds("the key set", keys, 200, Content_Type="application/json")
    assert keys.body.count(b'"kid"') >= 1
    assert b'"d"' not in keys.body
    assert b"<form method=post>" in service.ask("GET", "/log-in").body
    big = f"user=alice&password={'x' * 100}"
    with contextlib.suppress(AssertionError, OSError):  # closed without an answer
        answer = service.ask("POST", "/log-in", f"Origin: {ORIGIN}", body=big)
        assert answer.status == 429, answer


def partner(service: Service) -> None:
    """Send tokens of another issuer, good ones and others."""

    def token(
        key: Key = PARTNER_KEY,
        issuer: str = PARTNER,
        audience: str = f"{ORIGIN}/api",
        typ: str | None = "at+jwt",
        scope: str = "orders:read",
        ttl: int = 60,
    ) -> str:
        signer = Signer(key, issuer=issuer, audience=audience, typ=typ, ttl=ttl)
        claims = {"sub": "bob", "client_id": "till", "scope": scope}
        return f"Authorization: Bearer {signer.sign(claims)}"

    answer = service.ask("GET", "/orders", token())
    holds("a partner's token", answer, 200)
    assert json.loads(answer.body) == {"caller": "bob", "kind": "jwt"}
    for name, line in {
        "another key": token(key=Key.generate("ES256")),
        "another issuer": token(issuer="https://evil.example"),
        "our own issuer": token(issuer=ORIGIN),
        "another audience": token(audience=ORIGIN),
        "another type": token(typ="JWT"),
        "its signature cut": token()[:-4],
    }.items():
        answer = service.ask("GET", "/orders", line)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "invalid_token"), name
        assert answer.all("WWW-Authenticate")[0].startswith('Bearer error="invalid_token"'), name
    lacking = service.ask("GET", "/orders", token(scope="other"))
    holds("a scope too few", lacking, 403, "insufficient_scope", challenge=LACKING)
    line = token(scope="orders:write")
    answer = service.ask("DELETE", "/orders/7", line)
    holds("another kind", answer, 401, "missing_credentials", challenge=NEEDED_TO_WRITE)


def connections(service: Service) -> None:
    """Send several requests over one connection: a refusal does not end it."""
    sent = b"GET /orders HTTP/1.1\r\nHost: h\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        for _ in range(3):
            connection.sendall(sent)
            received = b""
            while not received.endswith(b"}"):
                part = connection.recv(65536)
                assert part, received
                received += part
            holds("kept", parsed(received), 401, "missing_credentials", challenge=NEEDED)


def wait_for(what: str, done: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_silent(pid: int) -> bool:
    """Whether a process reads from nowhere, and writes to nowhere."""
    return all(os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null" for fd in (0, 1))


def gone(pid: int) -> bool:
    """Whether a process has ended; it may still wait for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def stopped(pid: int) -> bool:
    """Whether all threads of a process have stopped."""
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    return {file.read_text().rpartition(")")[2].split()[0] for file in files} == {"T"}


def alone(service: Service) -> Iterator[int]:
    """Let one worker after another be the only one that answers."""
    workers = service.children()
    for one in workers:
        others = [pid for pid in workers if pid != one]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
            wait_for("a stopped worker", partial(stopped, pid))
        try:
            yield one
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)


def before_a_fork(program: str, folder: Path) -> None:
    """Check four workers that share a socket and a store."""
    service = Service(program, folder / "workers", "--workers", "4")
    wait_for("four workers", service.has_four)
    _, good = service.key()
    cookies = service.log_in().cookies()
    lines = [cookie_line(cookies), f"X-API-Key: {good}"]
    for _ in alone(service):
        assert [service.ask("GET", "/orders", line).status for line in lines] == [200, 200]
    assert service.ask("POST", "/log-out", *page(cookies)).status == 204
    seen = []
    for _ in alone(service):
        seen.append([service.ask("GET", "/orders", line).status for line in lines])
    assert seen == [[401, 200]] * 4, seen

    for number in (signal.SIGKILL, signal.SIGTERM):
        first = service.children()
        os.kill(first[1], number)
        wait_for("a new worker", partial(service.has_four, first[1]))
        for _ in alone(service):
            assert [service.ask("GET", "/orders", line).status for line in lines] == [401, 200]
    workers = service.children()
    service.stop()
    assert all(gone(pid) for pid in workers)

    service = Service(program, folder / "orphans", "--workers", "4")
    wait_for("four workers", service.has_four)
    assert service.ask("GET", "/orders").status == 401
    workers = service.children()
    service.process.kill()
    service.process.wait()
    wait_for("no worker without a master", lambda: all(gone(pid) for pid in workers))


def as_a_daemon(program: str, folder: Path) -> None:
    """Check that the store, opened before it leaves its parent, is whole in a daemon."""
    for workers in ("0", "4"):
        own = folder / f"daemon-{workers}"
        file = own / "pid"
        service = Service(program, own, "--workers", workers, "--daemon", str(file))
        assert service.process.wait(60) == 0, service.log.read_text()
        pid = int(file.read_text())
        service.daemons.append(pid)
        assert os.getsid(pid) not in (pid, os.getsid(0))
        wait_for("no terminal", partial(is_silent, pid))
        key_id, good = service.key()
        cookies = service.log_in().cookies()
        lines = [cookie_line(cookies), f"X-API-Key: {good}"]
        assert [service.ask("GET", "/orders", line).status for line in lines] == [200, 200]
        renewed = service.ask("POST", "/refresh", *page(cookies))
        assert renewed.status == 204, renewed
        cookies |= renewed.cookies()
        assert service.ask("POST", "/log-out", *page(cookies)).status == 204
        service.keys.revoke(key_id)
        for line in (cookie_line(cookies), lines[1]):
            wait_for("a refusal", partial(service.refuses, line))
        os.kill(pid, signal.SIGTERM)
        wait_for("no daemon", partial(gone, pid))
    # What it cannot tell is told before it leaves.
    service = Service(program, folder / "nowhere", "--daemon", str(folder / "no/such/folder"))
    assert service.process.wait(60) == 1
    assert "no/such/folder" in service.log.read_text()


def statements() -> None:
    """Count what authentication adds: lines that end a statement or begin a block."""
    for name, most in {"guarded.h": 60, "partner.h": 12}.items():
        text = re.sub(r"/\*.*?\*/", "", (SOURCES / name).read_text(), flags=re.DOTALL)
        counted = [line for line in text.splitlines() if re.search(r"[;{]\s*$", line)]
        counted = [line for line in counted if not line.strip().startswith(("#", "}"))]
        assert len(counted) <= most, (name, len(counted))


def main() -> int:
    """Run every part; a line each."""
    program, sanitized, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    service = Service(sanitized, folder / "threads")
    parts = {
        "attacks": lambda: attacks(service),
        "api_keys": lambda: api_keys(service),
        "sessions": lambda: sessions(service),
        "partner": lambda: partner(service),
        "connections": lambda: connections(service),
        "a_clean_stop": service.stop,
        "workers": lambda: before_a_fork(program, folder),
        "daemon": lambda: as_a_daemon(program, folder),
        "statements": statements,
    }
    failed = 0
    for name, part in parts.items():
        began, outcome = time.monotonic(), "FAILED"
        try:
            part()
            outcome = f"ok <{time.monotonic() - began:.1f}>"
        except (AssertionError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"    {type(error).__name__} in {place.name}, {place.lineno}: {error}")
        print(f"test c-service {name} ... {outcome}", flush=True)
    for one in Service.every:  # what a failure has left
        if one.process.poll() is None:
            workers = one.children()
            one.process.kill()
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        for pid in one.daemons:
            if not gone(pid):
                os.kill(pid, signal.SIGTERM)
    return 1 if failed else 0


sys.exit(main())
