"""Forks under three busy threads: every child works at once, and nothing is lost or drawn twice."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from forking import PATIENCE, PEPPER, busy, fork_once, in_a_worker, in_forks, witness
from rounds import rounds

from gatekey import (
    ALGORITHMS,
    ApiKeys,
    Key,
    KeyRing,
    OAuthClient,
    RemoteKeySet,
    Revocations,
    Sessions,
    Signer,
    TokenManager,
    Verifier,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

SECRET = Key.from_secret(bytes(range(32, 64)), "HS256")
EACH_ALGORITHM = 6
SERIAL = itertools.count()


def own(name: str) -> str:
    """A name that no other process or thread has."""
    return f"{name}-{os.getpid()}-{next(SERIAL)}"


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except exceptions.GatekeyError as error:
        return type(error).__name__
    return "OK"


def is_revoked(verifier: Verifier, token: str) -> bool:
    return code_of(lambda: verifier.verify(token)) == "RevokedTokenError"


# ---- signatures ----


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signing(key_for: Callable[[str], Key], alg: str) -> None:
    signer = Signer(key_for(alg), token_ids=True)
    verifier = Verifier(key_for(alg))

    def work() -> list[str]:
        token = signer.sign({"sub": "alice"})
        return [f"drawn {token.split('.')[1]}", f"token {token}"]

    tokens = [line for line in in_forks(work, EACH_ALGORITHM) if line.startswith("token")]
    for line in tokens[-50:]:
        assert verifier.verify(line.split()[1]).subject == "alice"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_verifying(key_for: Callable[[str], Key], alg: str) -> None:
    verifier = Verifier(key_for(alg))
    token = Signer(key_for(alg)).sign({"sub": "alice"})
    bad = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")

    def work() -> list[str]:
        assert verifier.verify(token).subject == "alice"
        assert code_of(lambda: verifier.verify(bad)) != "OK"
        return []

    in_forks(work, EACH_ALGORITHM)


@pytest.mark.parametrize("alg", ["HS256", "ES256", "EdDSA", "ML-DSA-44", "ML-DSA-87"])
def test_making_keys(alg: str) -> None:
    def work() -> list[str]:
        return [f"drawn {Key.generate(alg).thumbprint()}"]

    in_forks(work, EACH_ALGORITHM)


# ---- stores ----

SESSIONS = """
key = Key.from_secret(bytes(range(32, 64)), "HS256")
sessions = Sessions.open(sys.argv[1], signer=Signer(key), pepper=bytes(range(32)))
verifier = Verifier(key, revocations=sessions.revocations)
---
if kind == "refused":
    try:
        verifier.verify(value)
        raise SystemExit(f"still good: {value}")
    except RevokedTokenError:
        continue
record = sessions.get(value)
assert (record.ended_at is None) == (kind == "lives"), record
"""


def test_session(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with Sessions.open(url, signer=Signer(SECRET), pepper=PEPPER) as sessions:
        verifier = Verifier(SECRET, revocations=sessions.revocations)

        def work() -> list[str]:
            stays, goes = sessions.start(own("alice")), sessions.start(own("bob"))
            again = sessions.refresh(stays.refresh_token)
            assert verifier.verify(again.access_token)
            if os.getpid() % 2:
                assert sessions.end(goes.refresh_token)
            else:
                assert sessions.end_all(goes.session.subject) == 1
            assert is_revoked(verifier, goes.access_token)
            drawn = {stays.refresh_token, goes.refresh_token, again.refresh_token, goes.family}
            assert len(drawn) == 4
            return [
                *(f"drawn {value}" for value in drawn),
                f"lives {stays.family}",
                f"ended {goes.family}",
                f"refused {goes.access_token}",
            ]

        told = in_forks(work)
        for line in told:
            if line.startswith("refused "):
                assert in_the_end(lambda: is_revoked(verifier, line[8:]))  # noqa: B023
    witness(SESSIONS, url, told)


API_KEYS = """
keys = ApiKeys.open(sys.argv[1], pepper=bytes(range(32)))
---
in_the_end(lambda: keys.check(value).code == kind)
"""


def test_apikey(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=PEPPER) as keys:

        def work() -> list[str]:
            first, other = keys.create(owner="acme"), keys.create(owner="acme", credits=5)
            assert keys.check(first.secret).ok
            assert keys.check(other.secret).ok
            rotated = keys.rotate(first.id)
            keys.revoke(other.id)
            assert keys.check(rotated.secret).ok
            assert keys.check(other.secret).code == "api_key_revoked"
            return [
                *(f"drawn {issued.secret}" for issued in (first, other, rotated)),
                f"ok {rotated.secret}",
                f"api_key_revoked {other.secret}",
            ]

        told = in_forks(work)
        for line in told:
            kind, secret = line.split()
            if kind != "drawn":
                assert in_the_end(lambda: keys.check(secret).code == kind)  # noqa: B023
    witness(API_KEYS, url, told)


def in_the_end(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def slow_hash(secret: str, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode(), b"saltysalt", iterations)
    return f"pbkdf2_sha256${iterations}$saltysalt${base64.b64encode(digest).decode()}"


def test_imports(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=PEPPER) as keys:
        row = {"hash": slow_hash("acme.right", 20_000), "lookup": "acme", "owner": "acme"}
        assert keys.import_([row], scheme="pbkdf2-sha256").imported == 1

        def work() -> list[str]:
            assert keys.check("acme.wrong").code == "bad_api_key_secret"
            secret = own("aKeyOfAnotherSystem").replace("-", "")
            slow = {"hash": slow_hash(f"{secret}.s", 1000), "lookup": secret, "owner": "acme"}
            assert keys.import_([slow], scheme="pbkdf2-sha256").imported == 1
            assert keys.check(f"{secret}.s").ok
            return [f"ok {secret}.s"]

        told = in_forks(work)
        assert keys.check("acme.right").ok
    witness(API_KEYS, url, told)


REVOCATIONS = """
revocations = Revocations.open(sys.argv[1])
verifier = Verifier(Key.from_secret(bytes(range(32, 64)), "HS256"), revocations=revocations)
---
if kind == "seen":
    assert not revocations.seen_once(None, value, time.time() + 600)
    continue
try:
    verifier.verify(value)
    raise SystemExit(f"still good: {value}")
except RevokedTokenError:
    pass
"""


def test_revocations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    revocations = Revocations.open(url)
    verifier, signer = Verifier(SECRET, revocations=revocations), Signer(SECRET)

    def work() -> list[str]:
        name, until = own("token"), int(time.time()) + 600
        token = signer.sign({"sub": name, "jti": name})
        assert verifier.verify(token)
        if os.getpid() % 2:
            revocations.revoke_token(None, name, until)
        else:
            revocations.revoke_subject(name)
        assert is_revoked(verifier, token)
        assert revocations.seen_once(None, name, until)
        return [f"refused {token}", f"seen {name}"]

    witness(REVOCATIONS, url, in_forks(work))


RING = """
ring = KeyRing.open(sys.argv[1], pepper=bytes(range(32)))
verifier = Verifier(ring)
---
assert verifier.verify(value).subject == "alice"
"""


def test_key_rings(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    ring = KeyRing.open(url, pepper=PEPPER)
    changing = KeyRing.open(url, pepper=PEPPER, name="changing")
    signer, verifier = Signer(ring, ttl=600), Verifier(ring)

    def work() -> list[str]:
        token = signer.sign({"sub": "alice"})
        assert verifier.verify(token).subject == "alice"
        changing.rotate()
        for key in changing.keys():  # noqa: SIM118 # no mapping
            if key.state == "retired":
                code_of(lambda: changing.remove(key.kid))  # noqa: B023 # another may be faster
        return [f"token {token}"]

    witness(RING, url, in_forks(work))


# ---- other servers ----

SERVER = """
import itertools, json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
numbers, held, let_go = itertools.count(1), set(), set()
class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.answer(sys.argv[1])
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/held":  # until the test says otherwise
            print("held", flush=True)
            sys.stdin.readline()
        token = f"at-{next(numbers)}"
        self.answer(json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 600}))
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
print(server.server_port, flush=True)
server.serve_forever()
"""


class Peer:
    """A small server in a process of its own, which has a key and gives out tokens."""

    def __init__(self) -> None:
        self.key = Key.generate("ES256")
        jwks = json.dumps({"keys": [self.key.public().to_jwk()]})
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", SERVER, jwks]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603
        self.url = f"http://127.0.0.1:{int(self.line())}"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def manager(self, path: str, folder: Path | None) -> TokenManager:
        client = OAuthClient(
            "c",
            endpoints={"token_endpoint": self.url + path},
            client_secret="a-secret-of-the-tests-0123456789abcdef",
            allow_loopback_http=True,
        )
        return TokenManager(client, folder=folder, client_credentials={})


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_token_manager(peer: Peer, tmp_path: Path, kept: str) -> None:
    manager = peer.manager("/token", tmp_path if kept == "folder" else None)

    def work() -> list[str]:
        name = own("api")
        token = manager.access_token(name)
        assert manager.access_token(name) == token
        newer = manager.replace(name, token).access_token
        manager.remove(name)
        shared = manager.access_token("shared")
        assert shared.startswith("at-")
        return [f"drawn {token}", f"drawn {newer}"]

    in_forks(work)


def test_a_child_keeps_no_lock_of_a_token(peer: Peer, tmp_path: Path) -> None:
    manager = peer.manager("/held", tmp_path)
    tokens: list[str] = []
    thread = threading.Thread(target=lambda: tokens.append(manager.access_token("api")))
    thread.start()
    assert peer.line() == "held"
    read, write = os.pipe()
    worker = os.fork()
    if worker == 0:  # a worker that lives long and never touches the tokens
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    peer.let_go()
    thread.join(PATIENCE)
    assert tokens
    peer.let_go()
    assert manager.replace("api", tokens[0]).access_token != tokens[0]
    os.close(write)
    assert os.waitpid(worker, 0)[1] == 0


def test_remote_keys(peer: Peer) -> None:
    keys = RemoteKeySet(f"{peer.url}/keys", allow_loopback_http=True, cooldown=1)
    verifier = Verifier(keys)
    token = Signer(peer.key).sign({"sub": "alice"})
    unknown = Signer(Key.generate("ES256")).sign({"sub": "alice"})

    def work() -> list[str]:
        fresh = RemoteKeySet(f"{peer.url}/keys", allow_loopback_http=True)
        assert Verifier(fresh).verify(token).subject == "alice"
        assert verifier.verify(token).subject == "alice"
        assert code_of(lambda: verifier.verify(unknown)) == "KeyNotFoundError"
        return []

    in_forks(work)


def test_kept_connections() -> None:
    """Neither side goes on with a connection that was open when it forked."""
    key = Key.generate("ES256")
    body = json.dumps({"keys": [key.public().to_jwk()]}).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    connections: list[socket.socket] = []

    def keep(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                if line == b"\r\n":
                    connection.sendall(answer)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connections.append(listener.accept()[0])
                threading.Thread(target=keep, args=[connections[-1]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        keys = RemoteKeySet(address, allow_loopback_http=True)

        def twice() -> list[str]:
            keys.refresh()
            keys.refresh()
            return ["fetched"]

        twice()
        assert len(connections) == 1
        assert fork_once(twice, twice) == ["fetched", "fetched"]
        assert len(connections) == 3


# ---- multiprocessing ----


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    context: Any = multiprocessing.get_context(method)
    with ApiKeys.open(url, pepper=PEPPER) as keys:

        def work() -> list[str]:
            issued = keys.create(owner="thread")
            return [f"drawn {issued.secret}", f"ok {issued.secret}"]

        told = []
        with busy(work) as theirs:
            for _ in range(rounds(8 if method == "fork" else 2)):
                here, there = context.Pipe(duplex=False)
                store = keys if method == "fork" else None
                worker = context.Process(target=in_a_worker, args=(url, store, there))
                worker.start()
                there.close()
                good, gone = here.recv()
                told += [f"drawn {good}", f"drawn {gone}", f"ok {good}", f"api_key_revoked {gone}"]
                worker.join(PATIENCE)
                assert worker.exitcode == 0
        told += theirs
        draws = [line for line in told if line.startswith("drawn ")]
        assert len(draws) == len(set(draws))
        for line in told:
            kind, secret = line.split()
            if kind != "drawn":
                assert in_the_end(lambda: keys.check(secret).code == kind)  # noqa: B023
    witness(API_KEYS, url, told)


# ---- a daemon ----


def test_a_daemon(tmp_path: Path) -> None:
    """Its parent has gone; another process opens and closes the store, and revokes."""
    url = f"sqlite:///{tmp_path}/keys.sqlite"
    with ApiKeys.open(url, pepper=PEPPER) as keys:
        mine, operators = keys.create(owner="a"), keys.create(owner="b")
    told = tmp_path / "told"

    def shape() -> list[str]:
        keys = ApiKeys.open(url, pepper=PEPPER)
        keys.revoke(keys.create(owner="warm").id)
        if os.fork() != 0:
            os._exit(0)
        while os.getppid() == parent:
            time.sleep(0.001)
        witness(API_KEYS, url, [f"ok {mine.secret}", f"ok {operators.secret}"])
        keys.revoke(mine.id)
        code = "keys = ApiKeys.open(sys.argv[1], pepper=bytes(range(32)))\n---\nkeys.revoke(value)"
        witness(code, url, [f"revoke {operators.id}"])
        assert in_the_end(lambda: keys.check(operators.secret).code == "api_key_revoked")
        new = keys.create(owner="c")
        witness(API_KEYS, url, [f"api_key_revoked {mine.secret}", f"ok {new.secret}"])
        return [
            f"api_key_revoked {mine.secret}",
            f"api_key_revoked {operators.secret}",
            f"ok {new.secret}",
        ]

    parent = os.getpid()
    told.touch()
    lines = fork_once(shape, list)
    assert len(lines) == 3
    witness(API_KEYS, url, lines)
