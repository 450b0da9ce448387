"""`gatekey.aio` when loops stop, end or are closed, and when tasks are cancelled.

No other task notices, none waits for ever, and no new refresh token is lost."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from holding import BACKENDS, PATIENCE, Server, calls, carrier_of, client, ended, in_thread, serving
from issuer import API

import gatekey
from gatekey import OAuthTokens, aio, exceptions
from gatekey.aio import pool, refreshes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serving()


KINDS = ("keys", "opaque", "tokens", "replace", "metadata")


# ---- loops that are not run any more ----


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loop_that_stops_holds_up_nobody(server: Server, backend: str) -> None:
    """The deadline of its request is over soon, and others ask themselves."""

    def stopped(what: str) -> tuple[asyncio.AbstractEventLoop, Callable[[], Any]]:
        call = calls(server, what, 1, carrier_of(backend, 1))
        before = server.count(server.held or "")
        loop = asyncio.new_event_loop()
        task = loop.create_task(call())
        left.append(task)
        loop.run_until_complete(server.asked(server.held or "", before + 1))
        return loop, call

    left: list[Any] = []
    both = [stopped(what) for what in KINDS]
    server.held = None
    server.release.set()

    async def again(call: Callable[[], Any]) -> Any:
        while True:
            try:
                return await call()
            except exceptions.DeadlineExceededError:
                continue  # of a second, which a busy machine may exceed

    for _, call in both:
        got = in_thread(partial(asyncio.run, again(call)))
        assert not isinstance(got, BaseException), got
    for loop, _ in both:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        loop.close()


@pytest.mark.parametrize("what", KINDS)
def test_a_loop_that_is_closed_is_forgotten(
    server: Server, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    is_silent = False

    async def carry(request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        path = request.url.removeprefix(server.url)
        if is_silent and path == server.held:
            server.seen.append(path)
            await asyncio.get_running_loop().create_future()
        told = server.answer(path, dict(parse_qsl((request.body or b"").decode())))
        return 200, [], json.dumps(told).encode()

    call = calls(server, what, 60, carry)
    server.release.set()
    is_silent = True
    before = server.count(server.held or "")
    loop = asyncio.new_event_loop()
    task = loop.create_task(call())
    loop.run_until_complete(server.asked(server.held or "", before + 1))
    known = weakref.ref(loop)
    loop.close()
    del loop, task
    for _ in range(5):
        gc.collect()
    assert known() is None
    assert "destroyed but it is pending" in caplog.text
    # What it had out is nobody's any more, long before its deadline.
    is_silent = False
    got = in_thread(lambda: asyncio.run(call()))
    assert not isinstance(got, BaseException), got


@pytest.mark.parametrize("what", ["keys", "opaque"])
def test_a_question_is_given_up_with_its_last_task(server: Server, what: str) -> None:
    """Although the loop stops in that moment, and long before its deadline."""
    call = calls(server, what, 60, carrier_of("threads", 60))
    loop = asyncio.new_event_loop()
    task = loop.create_task(call())
    loop.run_until_complete(server.asked(server.held or ""))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    server.held = None
    got = in_thread(lambda: asyncio.run(asyncio.wait_for(call(), 30)))
    assert not isinstance(got, BaseException), got
    server.release.set()
    # From Python 3.12 on, none may be left.
    if left := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(left))
    loop.close()


def own_way(server: Server) -> Callable[[gatekey.HttpRequest], Coroutine[Any, Any, Any]]:
    """Give a transport of a program's own, which is async."""

    async def carry(request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        path = request.url.removeprefix(server.url)
        form = dict(parse_qsl((request.body or b"").decode()))
        pending = threading.Event()
        told: list[dict[str, Any]] = []

        def ask() -> None:
            told.append(server.answer(path, form))
            pending.set()

        threading.Thread(target=ask, daemon=True).start()
        while not pending.is_set():
            await asyncio.sleep(0.001)
        return 200, [], json.dumps(told[0]).encode()

    return carry


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_a_refresh_over_a_transport_of_ones_own_ends_with_its_loop(
    server: Server, tmp_path: Path, kept: str
) -> None:
    """Threads and other loops go on when it is late."""
    options: dict[str, Any] = {} if kept == "memory" else {"folder": tmp_path / "tokens"}
    manager = aio.TokenManager(client(server, 0.2, transport=own_way(server)), **options)
    manager.sync.put("name", ended(server))
    server.held = "/token"
    loop = asyncio.new_event_loop()
    left = loop.create_task(manager.tokens("name"))
    loop.run_until_complete(server.asked("/token"))
    server.held = None
    ways: list[Callable[[], Any]] = [
        lambda: asyncio.run(manager.access_token("name")),
        lambda: manager.sync.put("name", ended(server)),
        lambda: manager.sync.remove("name"),
    ]
    assert [in_thread(way) for way in ways] == ["a2", None, None]
    server.release.set()
    loop.run_until_complete(asyncio.wait([left]))
    loop.close()
    assert isinstance(in_thread(lambda: manager.sync.tokens("name")), exceptions.UsageError)


def test_a_blocking_call_on_the_loop_whose_refresh_is_out(server: Server) -> None:
    async def main() -> None:
        manager = aio.TokenManager(client(server))
        await manager.put("name", ended(server))
        server.held = "/token"
        task = asyncio.create_task(manager.tokens("name"))
        await server.asked("/token")
        blocked = threading.Event()

        def release() -> None:
            blocked.wait(PATIENCE)
            server.release.set()

        threading.Thread(target=release).start()
        blocked.set()
        assert manager.sync.access_token("name") == "a1"
        assert (await task).access_token == "a1"
        assert server.spent == ["r0"]

    got = in_thread(lambda: asyncio.run(main()))
    assert got is None, got


# ---- refreshes are seen through ----


@pytest.mark.parametrize("kept", ["memory", "folder"])
@pytest.mark.parametrize("how", ["tokens", "replace"])
def test_the_end_of_a_loop_loses_no_new_refresh_token(
    server: Server, tmp_path: Path, kept: str, how: str
) -> None:
    options: dict[str, Any] = {} if kept == "memory" else {"folder": tmp_path / "tokens"}
    manager = aio.TokenManager(client(server), **options)
    manager.sync.put("name", ended(server))
    server.held = "/token"

    async def view() -> None:
        call = manager.tokens("name") if how == "tokens" else manager.replace("name", "x")
        task = asyncio.create_task(call)
        await server.asked("/token")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(view())
    threading.Thread(target=server.release.set).start()
    tokens = asyncio.run(manager.tokens("name"))
    assert (tokens.refresh_token, server.spent) == ("r1", ["r0"])


def test_the_end_of_the_program_waits_for_a_refresh(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = refreshes.Refreshes()
    monkeypatch.setattr("gatekey.aio.token_manager.REFRESHES", own)
    manager = aio.TokenManager(client(server))
    manager.sync.put("name", ended(server))
    server.held = "/token"

    async def begin() -> None:
        task = asyncio.create_task(manager.tokens("name"))
        await server.asked("/token")
        task.cancel()

    asyncio.run(begin())
    threading.Thread(target=server.release.set).start()
    own._finish()
    known = manager.sync.known("name")
    assert known is not None
    assert known.refresh_token == "r1"


def test_a_fork_leaves_the_parents_refresh_alone(server: Server) -> None:
    manager = aio.TokenManager(client(server, 60))
    manager.sync.put("name", ended(server))
    server.held = "/token"

    async def begin() -> asyncio.Task[OAuthTokens]:
        task = asyncio.create_task(manager.tokens("name"))
        await server.asked("/token")
        child = os.fork()
        if child == 0:
            os._exit(3 if refreshes.REFRESHES.out(manager._about("name")) else 0)
        assert os.waitpid(child, 0)[1] == 0
        server.release.set()
        return task

    async def main() -> None:
        tokens = await (await begin())
        assert tokens.refresh_token == "r1"

    asyncio.run(main())
    # And a child refreshes on a loop of its own.
    child = os.fork()
    if child == 0:
        status = 1
        try:
            manager.sync.put("other", ended(server))
            assert asyncio.run(manager.access_token("other")) == "a2"
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert server.count("/token") == 2


def test_the_thread_of_refreshes_ends_when_it_is_idle(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.01)
    manager = aio.TokenManager(client(server), client_credentials={})
    for number in (1, 2):
        assert asyncio.run(manager.access_token(f"name{number}")) == f"a{number}"

        async def idle() -> None:
            while refreshes.REFRESHES._loop is not None:
                await asyncio.sleep(0.001)

        asyncio.run(asyncio.wait_for(idle(), PATIENCE))


@pytest.mark.parametrize("change", ["put", "remove"])
@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_changes_take_no_thread_from_the_refresh_that_they_wait_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, change: str
) -> None:
    """With as few threads as there can be. The name of the server has to be looked up by one."""
    for own in (pool.NETWORK, pool.HOLDING, pool.LOCKING, pool.CHANGES, pool.STORES):
        monkeypatch.setattr(own, "_most", 1)
    options: dict[str, Any] = {} if kept == "memory" else {"folder": tmp_path / "tokens"}

    async def main() -> None:
        manager = aio.TokenManager(client(server), **options)
        await manager.put("name", ended(server))
        server.held = "/.well-known/openid-configuration"
        wanted = asyncio.create_task(manager.tokens("name"))
        await server.asked("/.well-known/openid-configuration")
        new = ended(server)
        waits = [
            asyncio.create_task(
                manager.put("name", new) if change == "put" else manager.remove("name")
            )
            for _ in range(10)
        ]
        # A thread that does not know of the loop waits as well.
        thread = threading.Thread(target=manager.sync.put, args=["name", new])
        thread.start()
        for _ in range(20):
            await asyncio.sleep(0.001)
        server.release.set()
        assert (await wanted).access_token == "a1"
        await asyncio.gather(*waits)
        while thread.is_alive():
            await asyncio.sleep(0.001)
        assert (await client(server).metadata())["issuer"] == server.url

    got = in_thread(lambda: asyncio.run(main()))
    assert got is None, got


# ---- tasks that are cancelled ----


@pytest.mark.parametrize("what", ["keys", "opaque"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_who_is_cancelled_is_told_so(server: Server, what: str, backend: str) -> None:
    call = calls(server, what, 60, carrier_of(backend, 60))
    path = server.held or ""

    async def main(turns: int) -> None:
        server.seen.clear()
        server.release.clear()
        server.held = path
        first = asyncio.create_task(call())
        await server.asked(path)
        first.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        # Another one comes while the question is being given up, or has been.
        others = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(0)
        server.held = None
        server.release.set()
        assert await asyncio.gather(*others)
        await asyncio.wait([first])
        assert first.cancelled()

    for turns in range(6):
        if turns:
            call = calls(server, what, 60, carrier_of(backend, 60))
        asyncio.run(main(turns))


def test_a_question_that_another_task_cancels_is_asked_again(server: Server) -> None:
    call = calls(server, "keys", 60, carrier_of("aiohttp", 60))

    async def main() -> None:
        first = asyncio.create_task(call())
        await server.asked("/jwks")
        server.held = None
        for task in asyncio.all_tasks() - {asyncio.current_task(), first}:
            task.cancel()
        await first
        assert server.count("/jwks") == 2

    asyncio.run(main())


# ---- answers that are not remembered ----


def test_an_answer_is_for_who_waited_for_it(server: Server) -> None:
    """A caller is cancelled some turns of the loop after its answer; then the token is revoked."""
    hook: list[Callable[[], None]] = []

    async def carry(request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        told = server.answer(request.url.removeprefix(server.url), {})
        for call in hook:
            call()
        return 200, [], json.dumps(told).encode()

    async def main(turns: int) -> str:
        own = client(server, transport=carry)
        await own.metadata()
        api = aio.ResourceServer(
            API, introspection=own, introspection_ttl=0, introspection_negative_ttl=0
        )
        server.active = True
        loop = asyncio.get_running_loop()

        def later(left: int) -> None:
            if left:
                loop.call_soon(later, left - 1)
            else:
                task.cancel()

        hook[:] = [lambda: later(turns + 1)]
        task = asyncio.create_task(api.check("Bearer opaque"))
        await asyncio.wait([task])
        hook.clear()
        server.active = False
        with pytest.raises(exceptions.InactiveTokenError):
            await api.check("Bearer opaque")
        return "cancelled" if task.cancelled() else "answered"

    assert {asyncio.run(main(turns)) for turns in range(14)} == {"cancelled", "answered"}


# ---- a transport of a program's own ----


@pytest.mark.parametrize("count", [1, 9, 50])
def test_nothing_goes_past_a_transport_of_ones_own(server: Server, count: int) -> None:
    sent: list[str] = []

    async def main() -> None:
        async def carry(request: gatekey.HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
            sent.append(request.purpose)
            await asyncio.sleep(0)
            told = {"active": True, "aud": API, "sub": "alice"}
            if request.purpose == "metadata":
                told = {"issuer": server.url, "introspection_endpoint": f"{server.url}/introspect"}
            return 200, [], json.dumps(told).encode()

        own = client(server, transport=carry)
        api = aio.ResourceServer(API, introspection=own, introspection_ttl=0)
        checks = [asyncio.create_task(api.check("Bearer opaque")) for _ in range(count)]
        assert {access.subject for access in await asyncio.gather(*checks)} == {"alice"}
        with pytest.raises(exceptions.UsageError, match="async"):
            api.sync.check("Bearer opaque")

    asyncio.run(main())
    assert "introspection" in sent
    assert not server.seen


def test_threads_do_not_go_past_it_either(server: Server) -> None:
    other: Any = client(server, transport=own_way(server))
    manager = aio.TokenManager(other)
    manager.sync.put("name", ended(server))
    for call in (
        lambda: manager.sync.tokens("name"),
        lambda: manager.sync.access_token("name"),
        lambda: manager.sync.replace("name", "x"),
        lambda: gatekey.TokenManager(other).tokens("name"),
    ):
        with pytest.raises(exceptions.UsageError, match="async"):
            call()
    assert not server.seen
    token = asyncio.run(manager.access_token("name"))
    # What is known needs no transport.
    assert manager.sync.access_token("name") == manager.sync.replace("name", "x").access_token
    with pytest.raises(exceptions.UsageError):
        manager.sync.replace("name", token)


# ---- no loop of asyncio ----


def step(call: Coroutine[Any, Any, Any]) -> None:
    """Drive it as a library would that has another kind of loop."""
    try:
        call.send(None)
    finally:
        call.close()


@pytest.mark.filterwarnings("error")
def test_other_loops_are_refused(server: Server, tmp_path: Path) -> None:
    own = client(server)
    manager = aio.TokenManager(own, client_credentials={})
    api = aio.ResourceServer(API, introspection=own)
    verifier = aio.Verifier(aio.RemoteKeySet(issuer=server.url, allow_loopback_http=True))
    keys = aio.RemoteKeySet(issuer=server.url, allow_loopback_http=True)
    for call in (
        own.begin(),
        own.metadata(),
        own.client_credentials(),
        manager.tokens("name"),
        manager.replace("name", "x"),
        manager.put("name", ended(server)),
        manager.remove("name"),
        api.check("Bearer opaque"),
        verifier.verify(server.token()),
        keys.refresh(),
        aio.Store.open(
            f"sqlite:///{tmp_path}/s.sqlite", pepper=b"a pepper of the tests, 32 bytes."
        ),
    ):
        with pytest.raises(exceptions.UsageError, match="asyncio"):
            step(call)
        gc.collect()
    assert not server.seen
