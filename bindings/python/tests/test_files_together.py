"""What several processes make or change at once: stores, rings in a folder, tokens in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from rounds import rounds

from gatekey import ApiKeys, KeyRing, OAuthClient, TokenManager

if TYPE_CHECKING:
    from pathlib import Path

HANDS = 4

OPENS = """
import sys
from gatekey import ApiKeys, Key, KeyRing, Revocations, Sessions, Signer
print("ready", flush=True)
for line in sys.stdin:
    url = f"sqlite:///{line.strip()}/auth.sqlite"
    try:
        ring = KeyRing.open(url)
        with Sessions.open(url, signer=Signer(ring)) as sessions, ApiKeys.open(url) as keys:
            sessions.start("alice")
            secret = keys.create(owner="acme").secret
        Revocations.open(url).revoke_subject("mallory")
        KeyRing.open(f"folder:{line.strip()}/ring")
        print("!", secret, flush=True)
    except Exception as error:
        print("?", type(error).__name__, error, flush=True)
"""

TURNS = """
import sys
from gatekey import KeyRing
ring = KeyRing.open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    try:
        ring.rotate()
        print("!", flush=True)
    except Exception as error:
        print("?", type(error).__name__, error, flush=True)
"""


class Hand:
    """Another process, which does what it is told."""

    def __init__(self, program: str, *words: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tempfile.gettempdir(),  # where no source of gatekey stands in the way
        )
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


def test_a_new_store_opens_for_all_who_come_at_once(tmp_path: Path) -> None:
    hands = [Hand(OPENS) for _ in range(HANDS)]
    for turn in range(rounds(10)):
        place = tmp_path / str(turn)
        place.mkdir()
        for hand in hands:
            hand.tell(str(place))
        said = [hand.line() for hand in hands]
        assert all(line.startswith("! ") for line in said), said
        with ApiKeys.open(f"sqlite:///{place}/auth.sqlite") as keys:
            assert all(keys.check(line[2:]).ok for line in said)
    for hand in hands:
        hand.end()


def test_a_ring_in_a_folder_loses_no_change(tmp_path: Path) -> None:
    folder = f"folder:{tmp_path}/ring"
    KeyRing.open(folder)
    hands = [Hand(TURNS, folder) for _ in range(2 * HANDS)]
    done = 0
    for _ in range(min(rounds(5), 7)):
        for hand in hands:
            hand.tell("rotate")
        said = [hand.line() for hand in hands]
        assert all(line == "!" for line in said), said
        done += len(said)
    for hand in hands:
        hand.end()
    # Each has made a key; two were there.
    assert len(KeyRing.open(folder).keys()) == done + 2


# The modules first: they may lie where nobody else may look.
READS = """
import os, sys
from gatekey import ApiKeys
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with ApiKeys.open(sys.argv[1], pepper=bytes(range(32))) as keys:
    for key in sys.argv[2:]:
        assert keys.check(key).ok
"""


def test_a_store_that_may_only_be_read_is_closed_in_peace() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/keys.sqlite"
        with ApiKeys.open(url, pepper=bytes(range(32))) as keys:
            issued = keys.create(owner="acme")
        os.chmod(f"{folder}/keys.sqlite", 0o444)
        os.chmod(folder, 0o555)  # noqa: S103
        for used in ([], [issued.secret]):
            command = [sys.executable, "-c", READS, url, *used]
            subprocess.run(command, check=True, cwd=tempfile.gettempdir())  # noqa: S603
        os.chmod(folder, 0o755)  # noqa: S103


class Provider(BaseHTTPRequestHandler):
    """Gives a token, when it is told to."""

    may_answer = threading.Event()
    asked = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        type(self).asked.set()
        type(self).may_answer.wait(30)
        answer = {"access_token": os.urandom(8).hex(), "token_type": "Bearer", "expires_in": 3600}
        body = json.dumps(answer)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_child_forked_in_a_refresh_keeps_no_lock(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/t"
    client = OAuthClient(
        "c",
        endpoints={"token_endpoint": endpoint},
        client_secret="x" * 32,
        allow_loopback_http=True,
    )
    manager = TokenManager(client, folder=str(tmp_path / "tokens"), client_credentials={})
    got: list[str] = []
    refresh = threading.Thread(target=lambda: got.append(manager.access_token("api")))
    refresh.start()
    assert Provider.asked.wait(30)
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        Provider.may_answer.set()
        refresh.join()
        first = got[0]
        # While the child lives; it would be refused after 30 seconds.
        assert manager.replace("api", first).access_token != first
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        server.shutdown()
        server.server_close()
