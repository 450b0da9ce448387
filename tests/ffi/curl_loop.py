"""Runs examples/curl-loop beside a real authorization server, and beside peers that misbehave.

usage: curl_loop.py PROGRAM FOLDER [WORD...]     (what the program runs under)
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "servers"))

from servers import Server, UnavailableError  # noqa: E402 (beside this folder)

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[["Request"], None]

BROWSER = f"{sys.executable} {ROOT / 'tests' / 'servers' / 'browser.py'}"
MANY = 50
MORE = bool(os.environ.get("CURL_LOOP_MORE"))
LAST = re.compile(
    r"(\d+) signed in, (\d+) tokens, (\d+) of them active, (\d+) failures, (\d+) ticks\n\Z"
)


@dataclass
class Outcome:
    """What the program has come to."""

    said: str
    signed_in: int
    tokens: int
    active: int
    failures: int
    ticks: int


def run(issuer: str, count: int, deadline_ms: int = 10000, ca_file: str = "") -> Outcome:
    """Run the example to its end, which comes without errors of memory."""
    words = [*UNDER, PROGRAM, issuer, BROWSER, str(count), str(deadline_ms)]
    words += [ca_file] if ca_file else []
    done = subprocess.run(  # noqa: S603
        words, capture_output=True, text=True, timeout=300, check=False
    )
    last = LAST.search(done.stdout)
    if last is None or done.returncode not in (0, 1):
        raise AssertionError(f"{done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    numbers = [int(number) for number in last.groups()]
    outcome = Outcome(done.stdout, *numbers)
    assert (done.returncode == 0) == (outcome.failures == 0 and outcome.signed_in == count), done
    return outcome


def failed(outcome: Outcome, *statuses: str, count: int) -> None:
    """See that every operation has failed, in one of these ways."""
    lines = outcome.said.splitlines()[:-1]
    assert len(lines) == outcome.failures == count, outcome
    for line in lines:
        assert any(f": {status} (" in line for status in statuses), line


class Request(BaseHTTPRequestHandler):
    """A request to a peer, which answers as its test says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Count it, and answer."""
        peer: Peer = self.server  # type: ignore[assignment]
        with peer.lock:
            peer.paths.append(self.path)
        peer.answer(self)

    def do_POST(self) -> None:
        """Read it, count it, and answer."""
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.do_GET()

    def give(self, status: int, body: bytes, **headers: str) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Peer(ThreadingHTTPServer):
    """A peer that does what its test says, until the end of it."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, answer: Handler) -> None:
        """Listen."""
        super().__init__(("127.0.0.1", 0), Request)
        self.answer = answer
        self.lock = threading.Lock()
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that have gone."""

    def metadata(self, **more: str) -> bytes:
        """Give what an issuer says of itself."""
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "introspection_endpoint": f"{self.url}/introspect",
            "jwks_uri": f"{self.url}/jwks",
        }
        return json.dumps({**said, **more}).encode()


def test_many_at_a_time_ask_for_metadata_and_keys_once() -> None:
    """50 log-ins and 50 renewals begin at once, 50 callbacks and introspections follow."""
    server = Server("oidc-provider", COUNTED="1", HOLD="20")
    try:
        outcome = run(server.address, MANY)
        with urllib.request.urlopen(f"{server.address}/counted") as answer:  # noqa: S310
            counted = json.load(answer)
    finally:
        server.stop()
    assert (outcome.signed_in, outcome.tokens, outcome.active) == (MANY, MANY, MANY), outcome
    assert outcome.failures == 0, outcome
    assert outcome.ticks > 0, outcome
    asked = {path: counted.get(path, 0) for path in PATHS}
    # A token for each log-in, and one for all calls to the API.
    wanted = (1, 1, MANY + 1, MANY)
    assert asked == dict(zip(PATHS, wanted, strict=True)), counted


METADATA = "/.well-known/openid-configuration"
PATHS = (METADATA, "/jwks", "/token", "/token/introspection")


def test_a_silent_server_does_not_stop_the_loop() -> None:
    """Each request ends at its deadline, and the loop has ticked until then."""
    never = threading.Event()

    def silent(_: Request) -> None:
        never.wait()

    peer = Peer(silent)
    # So long that a busy machine, too, lets the loop tick meanwhile.
    outcome = run(peer.url, MANY, 4000)
    # The first operation of each kind asks; the others end with its reason.
    failed(outcome, "DeadlineExceeded", count=2 * MANY)
    assert outcome.ticks >= 10, outcome
    assert len(peer.paths) == 1, peer.paths


def test_a_peer_that_trickles() -> None:
    """The deadline is for all of an answer, not for the next byte."""

    def trickle(request: Request) -> None:
        request.send_response(200)
        request.send_header("content-length", "100000")
        request.end_headers()
        while True:
            request.wfile.write(b" ")
            time.sleep(0.02)

    failed(run(Peer(trickle).url, 3, 500), "DeadlineExceeded", count=6)


def test_answers_that_are_refused() -> None:
    """Redirects, sizes, errors, half answers."""
    elsewhere = Peer(lambda request: request.give(200, b"{}"))

    def cut(request: Request) -> None:
        request.send_response(200)
        request.send_header("content-length", "1000")
        request.end_headers()
        request.wfile.write(b"{")
        request.close_connection = True

    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("connection", "close")
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    def many_headers(request: Request) -> None:
        request.give(200, b"{}", **{f"x_{n}": "x" for n in range(101)})

    def busy(request: Request) -> None:
        request.give(503, b"", retry_after="7")

    answers: dict[str, tuple[Handler, str]] = {
        "redirect": (
            lambda request: request.give(302, b"", location=elsewhere.url + METADATA),
            "RequestBlocked",
        ),
        "large": (lambda request: request.give(200, b" " * 3_000_000), TOO_LARGE),
        "endless": (endless, TOO_LARGE),
        "long headers": (lambda request: request.give(200, b"{}", x="x" * 70_000), TOO_LARGE),
        "many headers": (many_headers, TOO_LARGE),
        "cut": (cut, "ConnectionFailed"),
        "busy": (busy, "OauthServerFailed"),
        "compressed": (
            lambda request: request.give(200, b"\x1f\x8b", content_encoding="gzip"),
            "OauthMalformedResponse",
        ),
    }
    for name, (answer, status) in answers.items():
        outcome = run(Peer(answer).url, 3)
        print(f"  {name}: {outcome.said.splitlines()[0]}")
        failed(outcome, status, count=6)
        if name == "busy":
            waits = [int(wait) for wait in re.findall(r"try again in (\d+) ms", outcome.said)]
            assert len(waits) == 6, outcome
            assert max(waits) == 7000, "as Retry-After says"
            assert min(waits) > 0, "and less for those that have waited"
    assert not elsewhere.paths, "no redirect is followed"


TOO_LARGE = "ResponseTooLarge"


def test_addresses_that_are_not_reached() -> None:
    """Where clouds keep credentials, other machines without TLS, nobody."""
    for endpoint, status in (
        ("https://169.254.169.254/token", "RequestBlocked"),
        ("https://[::ffff:169.254.169.254]/token", "RequestBlocked"),
        ("https://[fe80::1]/token", "RequestBlocked"),
        ("http://192.0.2.1/token", "RequestBlocked"),
    ):
        peer = Peer(lambda _: None)
        said = peer.metadata(token_endpoint=endpoint)
        peer.answer = lambda request, said=said: request.give(200, said)  # type: ignore[misc]
        outcome = run(peer.url, 3, 2000)
        asked = [path for path in peer.paths if not path.startswith("/authorize")]  # the browser
        renewals = [line for line in outcome.said.splitlines() if line.startswith("renewal: ")]
        assert len(renewals) == 3, outcome
        assert all(f": {status} (" in line for line in renewals), outcome
        assert asked == [METADATA], peer.paths
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        failed(run(nobody, 3), "ConnectionFailed", count=6)


def test_the_servers_certificate_is_verified() -> None:
    """TLS to the real server: by its authority, and not without it."""
    if shutil.which("openssl") is None:
        print("ffi: SKIPPED certificates of curl-loop: openssl is missing")
        return
    certificate, key = FOLDER / "server.crt", FOLDER / "server.key"
    for name in ("localhost", "elsewhere.example") if MORE else ("localhost",):
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj"
        subprocess.run(  # noqa: S603
            [
                *(*words.split(), f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        server = Server("oidc-provider", TLS_CERT=str(certificate), TLS_KEY=str(key))
        try:
            failed(run(server.address, 3), "TlsFailed", count=6)
            trusted = run(server.address, 3, ca_file=str(certificate))
        finally:
            server.stop()
        if name == "localhost":
            # The browser of the tests does not know the authority: no user comes back.
            assert (trusted.tokens, trusted.active, trusted.failures) == (3, 3, 0), trusted
        else:
            failed(trusted, "TlsFailed", count=6)


def main() -> int:
    """Run the tests, a line each."""
    passed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        begun = time.monotonic()
        try:
            test()
        except UnavailableError as why:
            print(f"servers: SKIPPED {name}: {why}")
            continue
        except BaseException:
            print(f"test curl_loop {name[5:]} ... FAILED")
            raise
        passed += 1
        print(f"test curl_loop {name[5:]} ... ok <{time.monotonic() - begun:.3f}s>", flush=True)
    print(f"test result: {passed} passed; 0 failed; 0 ignored")
    return 0


if __name__ == "__main__":
    PROGRAM, FOLDER, UNDER = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    sys.exit(main())
