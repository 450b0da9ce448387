"""A cache that knows URLs alone, in front of a service: nobody gets the answer of another."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import UnavailableError, need

from gatekey import Store
from gatekey.testing import CookieJar, Issuer

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[3] / "examples"
ORIGIN = "https://shop.example"
REQUESTS = int(os.environ.get("GATEKEY_ROUNDS", "1")) * 200
TEMPORARY = ("client_body", "fastcgi", "uwsgi", "scgi")
# Everything that could make a cache careless: one key for all callers, all methods, all statuses.
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    {temporary}
    proxy_temp_path {folder}/proxy;
    proxy_cache_path {folder}/cache keys_zone=all:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{service};
            proxy_cache all;
            proxy_cache_key $uri;
            proxy_cache_methods GET HEAD POST;
            proxy_cache_valid any 1m;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


class Answer:
    """What a client gets."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()
        self.cookies = answer.headers.get_all("Set-Cookie") or []
        self.cached = answer.headers.get("X-Cache")


class Cached:
    """examples/fastapi_service.py on uvicorn, behind nginx with a cache."""

    def __init__(self, folder: Path) -> None:
        need("nginx is missing", "nginx")
        (folder / "jwks.json").write_text(json.dumps(Issuer("https://p").keys.to_jwks()))
        self.file = folder / "auth.sqlite"
        own = {
            "GATEKEY_STORE": str(self.file),
            "GATEKEY_PUBLIC_URL": ORIGIN,
            "PARTNER_JWKS": str(folder / "jwks.json"),
        }
        service, self.port = free_port(), free_port()
        words = ["uvicorn", "--log-level", "warning", "--port", str(service), "fastapi_service:app"]
        self.log = (folder / "log").open("w+")
        self.processes = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *words],
                env={**os.environ, **own},
                cwd=EXAMPLES,
                stdout=self.log,
                stderr=self.log,
            )
        ]
        temporary = " ".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY)
        places = {"folder": folder, "port": self.port, "service": service, "temporary": temporary}
        (folder / "nginx.conf").write_text(
            ("user root;" * (not os.getuid())) + NGINX.format(**places)
        )
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
        words = [nginx, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        self.processes.append(subprocess.Popen(words, stdout=self.log, stderr=self.log))  # noqa: S603

    def wait(self) -> None:
        """Until the service answers. What nginx says before is kept, too: each path is new."""
        until = time.monotonic() + 60
        while self.answers() != 404:
            assert time.monotonic() < until, self.log.read()
            time.sleep(0.05)

    def answers(self) -> int:
        try:
            return self.ask("GET", f"/ready/{time.monotonic_ns()}", {}).status
        except OSError:
            return 0

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        self.log.close()

    def ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        kind = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body or None, headers | kind)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def log_in(self) -> CookieJar:
        user = json.dumps({"name": "alice", "password": "correct horse battery staple"})
        answer = self.ask("POST", "/log-in", {"Origin": ORIGIN}, user)
        assert answer.status == 200, answer.body
        jar = CookieJar()
        jar.take(answer.cookies)
        return jar


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Cached]:
    try:
        made = Cached(tmp_path)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    try:
        made.wait()
        yield made
    finally:
        made.stop()


def test_no_answer_of_another_caller(cached: Cached) -> None:
    keys = Store.open(cached.file).api_keys()
    issued = {name: keys.create(owner=name, scopes=["orders:read"]) for name in ("a", "b", "c")}
    callers = {name: {"X-API-Key": one.secret} for name, one in issued.items()}
    scopeless = {"X-API-Key": keys.create(owner="d").secret}
    jars = {"alice": cached.log_in()}
    chance = random.Random(4)  # noqa: S311
    seen: Counter[str] = Counter()
    given: set[str] = set()
    for _ in range(REQUESTS):
        what = chance.choice(["key", "key", "key", "session", "none", "scope", "bad", "refresh"])
        if what == "key":
            name = chance.choice(list(callers))
            answer = cached.ask("GET", "/orders", callers[name])
            assert (answer.status, json.loads(answer.body)["caller"]) == (200, name)
        elif what == "session":
            answer = cached.ask("GET", "/orders", {"Cookie": jars["alice"].header})
            assert (answer.status, json.loads(answer.body)["caller"]) == (200, "alice")
        elif what == "refresh":
            jar = jars["alice"]
            page = {"Cookie": jar.header, "X-CSRF-Token": jar["__Host-csrf"], "Origin": ORIGIN}
            answer = cached.ask("POST", "/auth/refresh", page)
            assert answer.status == 200, answer.body
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.cookies
            assert given.isdisjoint(answer.cookies)
            given.update(answer.cookies)
            jar.take(answer.cookies)
        else:
            sent, status = {
                "none": ({}, 401),
                "scope": (scopeless, 403),
                "bad": ({"Authorization": "Bearer a.b.c"}, 401),
            }[what]
            answer = cached.ask("GET", "/orders", sent)
            assert answer.status == status
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.cached != "HIT"
        assert answer.headers["Vary"], what
        vary = {word.strip().lower() for word in answer.headers["Vary"].split(",")}
        assert {"authorization", "cookie", "x-api-key"} <= vary
        if answer.cookies:
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.cached != "HIT"
        seen[f"{what} {answer.cached}"] += 1
    # The cache works: the same caller had the same answer again.
    assert seen["key HIT"], seen
    # Too many of one caller, each of them new to the cache: refused, and kept for nobody.
    slow = keys.create(owner="e", scopes=["orders:read"], rate="3/min").secret
    asked = [{"X-API-Key": slow, "Cookie": f"theme={number}"} for number in range(5)]
    answers = [cached.ask("GET", "/orders", each) for each in asked]
    assert [each.status for each in answers] == [200, 200, 200, 429, 429]
    assert {each.headers["Cache-Control"] for each in answers[3:]} == {"no-store"}
    assert {each.cached for each in answers} == {"MISS"}
    assert cached.ask("GET", "/orders", asked[3]).cached == "MISS"
    # What no credential changes may be kept.
    published = [cached.ask("GET", "/.well-known/jwks.json", each) for each in callers.values()]
    assert {each.status for each in published} == {200}
    assert published[-1].cached == "HIT"
