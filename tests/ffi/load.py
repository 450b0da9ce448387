"""Sends requests of all kinds at once to examples/c-service or examples/cpp-service, and stops it.

usage: load.py KIND PROGRAM FOLDER REQUESTS THREADS [UNDER...]

KIND is `c`, `cpp`, or `cpp-cookies` for a build with them; UNDER is what the program runs under.
Each answer must be the right one, and the stop clean: with exit code 0, and nothing said by
Valgrind or a sanitizer.
"""

from __future__ import annotations

import http.client
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import gatekey

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "https://shop.example"
SCOPES = {"scope": "orders:read orders:write"}
OURS = (("Origin", ORIGIN), ("Sec-Fetch-Site", "same-origin"))
FORM = b"user=alice&password=correct+horse+battery+staple"
FORM_TYPE = ("Content-Type", "application/x-www-form-urlencoded")

kind, program, place, wanted, clients, *under = sys.argv[1:]
folder = Path(place)
folder.mkdir(parents=True)
secret_file, log, url = folder / "csrf", folder / "log", f"sqlite:///{folder}/store.sqlite"
secret_file.write_bytes(os.urandom(32))
is_c, has_cookies = kind == "c", kind != "cpp"
words = ["--port", "0"] if is_c else [url, str(secret_file)]
settings = {
    "GATEKEY_STORE": url,
    "GATEKEY_PUBLIC_URL": ORIGIN,
    "GATEKEY_CSRF_SECRET_FILE": str(secret_file),
}

store = gatekey.Store.open(url)
keys = store.api_keys()
good = str(keys.create(owner="acme", scopes=["orders:read"]).secret)
rated = str(keys.create(owner="acme", scopes=["orders:read"], rate="20/60s").secret)
issuer = ORIGIN if is_c else None
sessions = store.sessions(signer=gatekey.Signer(store.key_ring(), issuer=issuer))
csrf = gatekey.Csrf(secret_file.read_bytes())
failed: list[str] = []
sent = itertools.count(1)
number = 0


class Client:
    """A caller with a connection of its own, a key, and a user who logs in again and again."""

    def __init__(self, name: str) -> None:
        """Log the user in, in this process."""
        self.name = name
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.log_in()

    def log_in(self) -> None:
        """Start a session as the service would, in the store that both have."""
        made = sessions.start(self.name, claims=SCOPES)
        self.access, self.refresh = str(made.access_token), str(made.refresh_token)
        self.csrf = csrf.issue(made.family)

    def ask(self, status: set[int], line: str, *headers: tuple[str, str], body: bytes = b"") -> int:
        """Send a request; its status must be one of these."""
        global number
        method, path = line.split()
        self.connection.putrequest(method, path)
        for name, value in headers:
            self.connection.putheader(name, value)
        if method != "GET":
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body or None)
        answer = self.connection.getresponse()
        text = answer.read()
        number = next(sent)
        challenged = answer.status != 401 or answer.getheader("WWW-Authenticate") or body is FORM
        if answer.status not in status or not challenged:
            names = sorted({name for name, _ in headers})
            failed.append(f"{line} {names}: {answer.status} {text!r}")
        self.answer = answer
        return answer.status

    def browser(self) -> tuple[tuple[str, str], ...]:
        """Give the headers of a page of ours."""
        kept = f"__Host-access={self.access}; __Host-refresh={self.refresh}"
        return (("Cookie", f"{kept}; __Host-csrf={self.csrf}"), ("X-CSRF-Token", self.csrf), *OURS)

    def turns(self) -> Iterator[None]:
        """Send one of each kind, for ever."""
        key, bearer = ("X-API-Key", good), ("Authorization", f"Bearer {self.access}")
        while True:
            self.ask({200}, "GET /orders", key)
            yield
            self.ask({401}, "GET /orders", ("X-API-Key", f"{good}x"))
            yield
            self.ask({401}, "GET /orders")
            yield
            bearer = "Authorization", f"Bearer {self.access}"
            self.ask({200}, "GET /orders", bearer)
            yield
            self.ask({401}, "GET /orders", ("Authorization", f"{bearer[1][:-4]}AAAA"))
            yield
            self.ask({400}, "GET /orders", key, bearer)
            yield
            self.ask({200, 429}, "GET /orders", ("X-API-Key", rated))
            yield
            # A later cpp-httplib counts them itself.
            self.ask({400 if kind == "cpp-cookies" else 431}, "GET /orders", *[("X", "a")] * 501)
            yield
            self.ask({404}, "GET /orders%00x", key)
            yield
            yield from self.of_c() if is_c else self.of_cpp(bearer)
            if has_cookies:
                yield from self.of_a_browser()
            else:
                # Another process logs the user out.
                sessions.end(self.refresh)
                until = time.monotonic() + 60
                while self.ask({200, 401}, "GET /orders", bearer) == 200:
                    if time.monotonic() > until:
                        failed.append("a session goes on that has ended")
                        break
                    yield
            self.log_in()

    def of_c(self) -> Iterator[None]:
        """Send what only the C service has."""
        self.ask({200}, "GET /.well-known/jwks.json")
        yield
        self.ask({200}, "GET /log-in")
        yield
        self.ask({403}, "POST /log-in", ("Origin", "https://evil.example"), FORM_TYPE, body=FORM)
        yield
        self.ask({204, 429}, "POST /log-in", *OURS, FORM_TYPE, body=FORM)
        yield
        self.ask({403}, "DELETE /orders/7", self.browser()[0])
        yield
        self.ask({200}, "DELETE /orders/7", *self.browser())
        yield

    def of_cpp(self, bearer: tuple[str, str]) -> Iterator[None]:
        """Send what only the C++ service has."""
        self.ask({200}, "GET /health")
        yield
        self.ask({201}, "POST /orders", bearer, body=b"abc")
        yield
        self.ask({403}, "POST /orders", ("X-API-Key", good), body=b"abc")
        yield
        if self.ask({204, 429}, "POST /log-out-everywhere", bearer) == 204:
            self.ask({401}, "GET /orders", bearer)
            self.log_in()
        yield

    def of_a_browser(self) -> Iterator[None]:
        """Refresh, go on with the new cookies, log out, and be out."""
        self.ask({200}, "GET /orders", self.browser()[0])
        yield
        self.ask({403}, "POST /refresh", self.browser()[0])
        yield
        self.ask({204}, "POST /refresh", *self.browser())
        told = self.answer.headers.get_all("Set-Cookie", [])
        pairs = dict(one.partition(";")[0].split("=", 1) for one in told)
        self.access = pairs.get("__Host-access", self.access)
        self.refresh = pairs.get("__Host-refresh", self.refresh)
        yield
        self.ask({200}, "GET /orders", self.browser()[0])
        yield
        self.ask({204}, "POST /log-out", *self.browser())
        yield
        self.ask({401}, "GET /orders", self.browser()[0])
        yield


def work(name: str) -> None:
    """Send requests until there were enough."""
    try:
        for _ in Client(name).turns():
            if number >= int(wanted) or failed:
                return
    except Exception as error:  # noqa: BLE001 (told at the end)
        failed.append(f"{type(error).__name__}: {error}")


with log.open("wb") as file:
    running = subprocess.Popen(  # noqa: S603
        [*under, program, *words],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=file,
        text=True,
    )
assert running.stdout
first = running.stdout.readline()
assert first, log.read_text()
port = int(first.rpartition(":")[2])
threads = [threading.Thread(target=work, args=(f"user-{i}",)) for i in range(int(clients))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
running.send_signal(signal.SIGTERM)
try:
    if code := running.wait(120):
        failed.append(f"ended with {code}")
except subprocess.TimeoutExpired:
    running.kill()
    failed.append("does not stop")
said = log.read_text(errors="replace")
if re.search(r"Sanitizer|runtime error|^==\d+==", said, re.MULTILINE):
    failed.append(said[:8000])
if good in said or rated in said:
    failed.append("a secret in the log")
for reason in failed[:10]:
    print(f"    {reason}")
name = f"{'c' if is_c else 'cpp'}-service {folder.name}"
print(f"test {name} ... {'FAILED' if failed else f'ok ({number} checks)'}", flush=True)
sys.exit(1 if failed else 0)
