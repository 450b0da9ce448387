"""What a guard reports: to the log, and to a hook of the program's, in every framework."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest
from guard_doors import DOORS, PEER, Door, OfFlask, OfStarlette, asgi
from guard_world import NOW, OWN, bearer, signed_badly

import gatekey.guard
from gatekey import RemoteKeySet, ResourceServer
from gatekey.guard import Event
from gatekey.guard import events as reporting
from gatekey.guard import loop as on_loops
from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gatekey import HttpRequest


class Seen:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[str] = set()
        self._turn = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._turn:
            self.events.append(event)
            self.threads.add(threading.current_thread().name)
            self._turn.notify_all()

    def take(self, count: int) -> list[Event]:
        """Give so many events, once they are there, and forget them."""
        with self._turn:
            assert self._turn.wait_for(lambda: len(self.events) >= count, 60)
            found, self.events = self.events, []
        assert len(found) == count, found
        return found


@pytest.fixture(params=DOORS)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Door, Seen]]:
    seen = Seen()
    made = DOORS[request.param](tmp_path, on_event=seen)
    yield made, seen
    made.world.close()


def test_decisions(told: tuple[Door, Seen]) -> None:
    door, seen = told
    peer = PEER if door.has_peers else "127.0.0.1"
    secret = door.world.foreign()[0][1][7:]
    for headers, kind, status, code, subject in (
        (door.world.key(), "allowed", 200, None, "acme"),
        (door.world.cookie(), "allowed", 200, None, "alice"),
        ([], "refused", 401, "missing_credentials", None),
        (bearer(signed_badly(secret)), "refused", 401, "invalid_signature", None),
        (door.world.key(scopes=["other"]), "refused", 403, "insufficient_scope", None),
    ):
        seen.events.clear()
        door.call("GET", "/orders", headers, query="secret=1")
        (event,) = seen.take(1)
        assert (event.kind, event.status, event.code) == (kind, status, code)
        assert (event.subject, event.address) == (subject, peer)
        assert (event.method, event.path) == ("GET", "/orders")
        assert event.seconds >= 0
        assert not event.is_slow
        # No credential, and nothing else that was sent.
        said = repr(event)
        sent = [value for _, value in headers]
        assert not [value for value in sent if value[-20:] in said]
        assert "secret=1" not in said
    with pytest.raises(FrozenInstanceError):
        event.status = 200  # type: ignore[misc]
    door.call("GET", "/public")
    (event,) = seen.take(1)
    assert (event.kind, event.subject) == ("allowed", None)


def test_sessions(told: tuple[Door, Seen]) -> None:
    door, seen = told
    jar = CookieJar()
    jar.take(door.call("POST", "/log-in").all("set-cookie"))
    events = {event.kind: event for event in seen.take(2)}
    assert events["allowed"].path == "/log-in"
    assert (events["logged_in"].subject, events["logged_in"].method) == ("alice", "POST")
    page = list(jar.headers(door.guard, OWN).items())
    assert door.call("POST", "/auth/refresh", [("Cookie", jar.header)]).status == 403
    (event,) = seen.take(1)
    assert (event.kind, event.code, event.path) == ("refused", "csrf_rejected", "/auth/refresh")
    jar.take(door.call("POST", "/auth/refresh", page).all("set-cookie"))
    (event,) = seen.take(1)
    assert (event.kind, event.subject, event.status) == ("refreshed", "alice", 200)
    page = list(jar.headers(door.guard, OWN).items())
    assert door.call("POST", "/auth/log-out", page).status == 204
    (event,) = seen.take(1)
    assert (event.kind, event.status) == ("logged_out", 200)
    door.guard.start_session("bob")
    (event,) = seen.take(1)
    assert (event.kind, event.subject) == ("logged_in", "bob")
    assert (event.address, event.method, event.path) == (None, None, None)


def test_a_hook_that_raises_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for framework, door_class in DOORS.items():
        own = tmp_path / framework
        own.mkdir()
        told = Seen()

        def raising(event: Event, told: Seen = told) -> None:
            told(event)
            raise RuntimeError("of the hook")

        door = door_class(own, on_event=raising)
        caplog.clear()
        assert door.call("GET", "/orders", door.world.key()).status == 200
        assert door.call("GET", "/orders").status == 401
        told.take(2)
        on_loops.HOOKS.submit(lambda: None).result(60)
        failed = [one for one in caplog.records if "hook for events has failed" in one.getMessage()]
        assert len(failed) == 2, framework
        door.world.close()


def test_a_hook_never_stops_a_loop(tmp_path: Path) -> None:
    held, seen = threading.Event(), Seen()

    def slow(event: Event) -> None:
        assert held.wait(60)
        seen(event)

    door = OfStarlette(tmp_path, on_event=slow)
    key = door.world.key()
    # The answer does not wait for the hook, which waits for what happens after the answer.
    for _ in range(3):
        assert asgi(door.app, "GET", "/orders", key, PEER, {}).status == 200
    assert seen.events == []
    held.set()
    assert [event.kind for event in seen.take(3)] == ["allowed"] * 3
    assert seen.threads == {"gatekey"}
    door.world.close()


def test_events_of_a_hook_that_is_too_slow_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(on_loops, "MOST", 2)
    held, seen = threading.Event(), Seen()

    def slow(event: Event) -> None:
        assert held.wait(60)
        seen(event)

    door = OfStarlette(tmp_path, on_event=slow)
    key = door.world.key()
    for _ in range(8):
        assert asgi(door.app, "GET", "/orders", key, PEER, {}).status == 200
    held.set()
    on_loops.HOOKS.submit(lambda: None).result(60)
    assert 2 <= len(seen.events) <= 3
    assert caplog.text.count("events are dropped") == 1
    door.world.close()


def test_what_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reporting, "SLOW", 0.0)
    for door_class in (OfFlask, OfStarlette):
        seen = Seen()
        own = tmp_path / door_class.__name__
        own.mkdir()
        door = door_class(own, on_event=seen)
        caplog.clear()
        door.call("GET", "/orders", door.world.opaque())
        (event,) = seen.take(1)
        assert event.is_slow
        assert "slow: " in caplog.text
        door.world.close()


class Publishing:
    """Publishes keys, but not at once."""

    def __init__(self, body: bytes) -> None:
        self.body, self.calls = body, 0

    def send(self, _: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionError
        return 200, [("content-type", "application/json")], self.body


def test_keys_that_are_fetched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gatekey")
    for door_class in (OfFlask, OfStarlette):
        own = tmp_path / door_class.__name__
        own.mkdir()
        plain = door_class(own)
        keys = plain.world.issuer.keys

        transport = Publishing(json.dumps(keys.to_jwks()).encode())
        remote = RemoteKeySet("https://auth.example/jwks", transport=transport)
        tokens = ResourceServer(
            "https://api.example", issuers={"https://auth.example": remote}, clock=lambda: NOW
        )
        fetching = own / "fetching"
        fetching.mkdir()
        caplog.clear()
        door = door_class(fetching, tokens=tokens)
        sent = bearer(plain.world.issuer.token(audience="https://api.example", scope="orders:read"))
        # What has failed is tried again after a second.
        patience = time.monotonic() + 60
        while door.call("GET", "/orders", sent).status == 503 and time.monotonic() < patience:
            assert "fetched" not in caplog.text
            time.sleep(0.1)
        assert door.call("GET", "/orders", sent).status == 200
        said = [one.getMessage() for one in caplog.records if "fetched" in one.getMessage()]
        assert len(said) == 1
        assert "https://auth.example/jwks" in said[0]
        plain.world.close()
        door.world.close()


def test_a_hook_is_callable() -> None:
    wrong: Callable[[], Any] = lambda: gatekey.guard.Guard("memory:", on_event="print")  # type: ignore[arg-type]  # noqa: E731
    with pytest.raises(TypeError, match="on_event"):
        wrong()


def test_hooks_have_the_context_of_the_request(tmp_path: Path) -> None:
    import contextvars

    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="")
    seen: list[str] = []
    done = threading.Event()

    def hook(_: Event) -> None:
        seen.append(trace.get())
        done.set()

    door = OfStarlette(tmp_path, on_event=hook)
    key = door.world.key()

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        trace.set("of this request")
        await door.app(scope, receive, send)

    assert asgi(traced, "GET", "/orders", key, PEER, {}).status == 200
    assert done.wait(60)
    assert seen == ["of this request"]
    assert asyncio.iscoroutinefunction(traced)
    door.world.close()


PROGRAM = """
from gatekey.exceptions import ConnectionFailedError
from gatekey.guard import Guard
from gatekey._core import _Request

def hook(event):
    print(event.kind, event.status)
    raise RuntimeError("of the hook")

auth = Guard({store!r}, issuer="https://shop.example", cookies=True, on_event=hook)
request = _Request.of_asgi(dict(method="POST", path="/", headers=[], client=("192.0.2.7", 1)))
auth._decide(request, auth.demand())
auth._refused(request, ConnectionFailedError.number)
auth.start_session("alice")
"""


def test_nothing_is_printed_to_standard_error(tmp_path: Path) -> None:
    code = PROGRAM.format(store=str(tmp_path / "auth.sqlite"))
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.stdout, done.stderr) == ("refused 401\nrefused 503\nlogged_in 200\n", "")
