"""gunicorn --preload: the master opens a store, on which a thread of it works; workers use it.

What a worker has said is done, all see; it is there after a restart, and if the master is killed.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from forking import PATIENCE, PEPPER
from rounds import rounds

from gatekey import ApiKeys, Key, Sessions, Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKERS = 3

APP = """
import json, os, threading, time
from urllib.parse import parse_qsl
from gatekey import *
from gatekey.exceptions import *

PEPPER, URL = bytes(range(32)), os.environ["STORE"]
SECRET = Key.from_secret(bytes(range(32, 64)), "HS256")
keys = ApiKeys.open(URL, pepper=PEPPER)
sessions = Sessions.open(URL, signer=Signer(SECRET), pepper=PEPPER)
verifier = Verifier(SECRET, revocations=sessions.revocations)
started = keys.create(owner="master")

def busy():  # in the master alone, while it forks
    while True:
        keys.revoke(keys.create(owner="thread").id)
        sessions.end(sessions.start("thread").refresh_token)
        time.sleep(0.001)

threading.Thread(target=busy, daemon=True).start()

def create(owner):
    issued = keys.create(owner=owner)
    return {"id": issued.id, "secret": issued.secret}

def revoke(id):
    keys.revoke(id)
    return {"revoked": id}

def check(secret):
    return {"code": keys.check(secret).code}

def log_in(subject):
    tokens = sessions.start(subject)
    return {"access": tokens.access_token, "refresh": tokens.refresh_token}

def log_out(refresh):
    return {"ended": sessions.end(refresh)}

def verify(access):
    try:
        return {"code": verifier.verify(access).subject}
    except RevokedTokenError:
        return {"code": "api_key_revoked"}

ROUTES = {f"/{call.__name__}": call for call in (create, revoke, check, log_in, log_out, verify)}

def app(environ, start_response):
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        form = dict(parse_qsl(environ["wsgi.input"].read(size).decode()))
        said, status = ROUTES[environ["PATH_INFO"]](**form), "200 OK"
    except GatekeyError as error:
        said, status = {"error": str(error)}, "500 Failed"
    body = json.dumps({**said, "pid": os.getpid(), "parent": os.getppid()}).encode()
    start_response(status, [("content-type", "application/json"), ("connection", "close")])
    return [body]
"""


class Connection(http.client.HTTPConnection):
    """Over a socket in a folder."""

    def __init__(self, place: Path) -> None:
        super().__init__("gunicorn", timeout=PATIENCE)
        self.place = str(place)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.place)


class Gunicorn:
    """A running service, on a socket in a folder."""

    def __init__(self, folder: Path, kind: str) -> None:
        (folder / "service.py").write_text(APP)
        self.url = f"sqlite:///{folder}/auth.sqlite"
        words = ["-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--worker-class", kind]
        words += ["--threads", "3" if kind == "gthread" else "1", "--bind", f"unix:{folder}/socket"]
        words += ["--chdir", str(folder), "--worker-tmp-dir", str(folder), "--timeout", "60"]
        words += ["--no-control-socket"] if has_control_socket() else []
        self.log = (folder / "log").open("w+")
        self.master = subprocess.Popen(  # noqa: S603
            [sys.executable, *words, "service:app"],
            env={**os.environ, "STORE": self.url},
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
            start_new_session=True,
        )
        self.socket = folder / "socket"
        if not in_the_end(self.answers):
            self.kill()
            pytest.fail(self.said())

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def answers(self) -> bool:
        try:
            self.ask("check", secret="nothing")
        except OSError:
            return False
        return True

    def ask(self, route: str, **form: str) -> dict[str, str]:
        """Asks whichever worker is there; OSError if none answers."""
        connection = Connection(self.socket)
        try:
            connection.request("POST", f"/{route}", urlencode(form))
            answer = connection.getresponse()
            text = answer.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        assert answer.status == 200, text
        said: dict[str, str] = json.loads(text)
        return said

    def all_say(self, code: str, route: str, **form: str) -> set[str]:
        """Asks until every worker has said it; who they are."""
        agree: set[str] = set()

        def asked() -> bool:
            said = self.ask(route, **form)
            (agree.add if said["code"] == code else agree.discard)(said["pid"])
            return len(agree) >= WORKERS

        assert in_the_end(asked), (route, form, agree, self.said())
        return agree

    def kill(self) -> None:
        """Kills what is left, and waits."""
        with suppress(ProcessLookupError):
            os.killpg(self.master.pid, signal.SIGKILL)
        self.master.wait()
        assert in_the_end(lambda: not self.answers())  # nobody listens any more


def has_control_socket() -> bool:
    """Whether this gunicorn has one; it would lie outside of the test's folder."""
    said = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--help"], capture_output=True, text=True, check=True
    )
    return "--no-control-socket" in said.stdout


def in_the_end(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(params=["sync", "gthread"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gunicorn]:
    made = Gunicorn(tmp_path, request.param)
    yield made
    made.kill()
    made.log.close()


def work(service: Gunicorn, good: list[str], gone: list[str]) -> set[str]:
    """Creates, revokes and logs out; all workers see it. Who they are."""
    issued, leaked = service.ask("create", owner="acme"), service.ask("create", owner="acme")
    service.all_say("ok", "check", secret=issued["secret"])
    service.all_say("ok", "check", secret=leaked["secret"])
    service.ask("revoke", id=leaked["id"])
    good.append(issued["secret"])
    gone.append(leaked["secret"])
    tokens = service.ask("log_in", subject="alice")
    service.all_say("alice", "verify", access=tokens["access"])
    assert service.ask("log_out", refresh=tokens["refresh"])["ended"]
    service.all_say("api_key_revoked", "verify", access=tokens["access"])
    return service.all_say("api_key_revoked", "check", secret=leaked["secret"])


def judge(url: str, good: list[str], gone: list[str]) -> None:
    """What was said is so for one who opens the store now."""
    with ApiKeys.open(url, pepper=PEPPER) as keys:
        assert [keys.check(secret).code for secret in good] == ["ok"] * len(good)
        assert [keys.check(secret).code for secret in gone] == ["api_key_revoked"] * len(gone)
    signer = Signer(Key.from_secret(bytes(range(32, 64)), "HS256"))
    with Sessions.open(url, signer=signer, pepper=PEPPER) as sessions:
        assert sessions.list("alice") == []


def test_workers_and_a_graceful_restart(service: Gunicorn) -> None:
    good: list[str] = []
    gone: list[str] = []
    workers = work(service, good, gone)
    for _ in range(rounds(1)):
        old = set(workers)
        service.master.send_signal(signal.SIGHUP)
        assert in_the_end(lambda: service.ask("check", secret=good[0])["pid"] not in old)  # noqa: B023
        for secret in good:
            service.all_say("ok", "check", secret=secret)
        workers = work(service, good, gone)
    service.master.terminate()
    assert service.master.wait(PATIENCE) == 0, service.said()
    judge(service.url, good, gone)


def test_a_master_that_is_killed(service: Gunicorn) -> None:
    good: list[str] = []
    gone: list[str] = []
    work(service, good, gone)
    leaked = [service.ask("create", owner="acme") for _ in range(5)]
    tokens = [service.ask("log_in", subject="alice") for _ in range(5)]
    service.master.kill()
    service.master.wait()
    # Another process comes and goes; the workers go on for a while, each as it notices.
    ApiKeys.open(service.url, pepper=PEPPER).close()
    for issued, session in zip(leaked, tokens, strict=True):
        try:
            service.ask("revoke", id=issued["id"])
            gone.append(issued["secret"])
            good.append(service.ask("create", owner="acme")["secret"])
            assert service.ask("log_out", refresh=session["refresh"])["ended"]
        except OSError:
            break
    assert gone
    service.kill()
    with ApiKeys.open(service.url, pepper=PEPPER) as keys:
        assert [keys.check(secret).code for secret in good] == ["ok"] * len(good)
        assert [keys.check(secret).code for secret in gone] == ["api_key_revoked"] * len(gone)
