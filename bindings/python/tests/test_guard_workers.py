"""The examples' services with several workers: what one of them has ended, all refuse."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatekey import Store
from gatekey.testing import CookieJar, Issuer

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[3] / "examples"
ORIGIN = "https://shop.example"
SERVERS = {
    "gunicorn": [*["gunicorn", "--preload", "-w", "4", "-b", "fd://{fd}", "flask_service:app"]],
    "uvicorn": [*["uvicorn", "--workers", "2", "--fd", "{fd}", "fastapi_service:app"]],
}
REQUESTS = 40
"""Enough for each worker to have some, each over a connection of its own."""


class Service:
    """A service in several processes."""

    def __init__(self, name: str, folder: Path) -> None:
        (folder / "jwks.json").write_text(json.dumps(Issuer("https://p").keys.to_jwks()))
        self.file = folder / "auth.sqlite"
        own = {
            "GATEKEY_STORE": str(self.file),
            "GATEKEY_PUBLIC_URL": ORIGIN,
            "PARTNER_JWKS": str(folder / "jwks.json"),
        }
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        words = [word.format(fd=listening.fileno()) for word in SERVERS[name]]
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *words],
            env={**os.environ, **own},
            cwd=EXAMPLES,
            pass_fds=[listening.fileno()],
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        listening.close()
        until = time.monotonic() + 60
        while self.ask("GET", "/orders", {})[0] != 401:
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: str = ""
    ) -> tuple[int, list[str]]:
        """Give the status and the cookies of an answer; 0 if nobody listens yet."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            kind = {"Content-Type": "application/json", "Connection": "close"}
            connection.request(method, path, body, headers | kind)
            answer = connection.getresponse()
            answer.read()
        except OSError:
            return 0, []
        return answer.status, answer.headers.get_all("Set-Cookie") or []

    def all_say(self, headers: dict[str, str]) -> set[int]:
        return {self.ask("GET", "/orders", headers)[0] for _ in range(REQUESTS)}


@pytest.fixture(params=SERVERS)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    made = Service(request.param, tmp_path)
    yield made
    made.stop()


def test_what_one_has_ended_all_refuse(service: Service) -> None:
    keys = Store.open(service.file).api_keys()
    issued = keys.create(owner="acme", scopes=["orders:read"])
    key = {"X-API-Key": issued.secret}
    time.sleep(0.1)  # by then each looks at what another process has changed
    assert service.all_say(key) == {200}
    user = json.dumps({"name": "alice", "password": "correct horse battery staple"})
    status, cookies = service.ask("POST", "/log-in", {"Origin": "https://shop.example"}, user)
    assert status == 200
    jar = CookieJar()
    jar.take(cookies)
    time.sleep(0.1)
    assert service.all_say({"Cookie": jar.header}) == {200}
    # One of the workers logs out; another process revokes.
    page = {"Cookie": jar.header, "X-CSRF-Token": jar["__Host-csrf"], "Origin": ORIGIN}
    assert service.ask("POST", "/auth/log-out", page)[0] == 204
    keys.revoke(issued.record.id)
    time.sleep(0.1)
    assert service.all_say({"Cookie": jar.header}) == {401}
    assert service.all_say(key) == {401}
