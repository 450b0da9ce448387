"""`gatekey.aio.TokenManager`: the loop asks, one request for all who wait, and nothing is lost.

The server answers on the loop of its test: a call that stops the loop never ends."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from holder import Place
from issuer import Issuer, issuing, run

import gatekey
from gatekey import OAuthTokens, TokenManager, aio, exceptions
from gatekey.aio import pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEAL = b"0123456789abcdef0123456789abcdef"


def client(issuer: Issuer) -> aio.OAuthClient:
    return aio.OAuthClient(
        "client",
        issuer=issuer.url,
        client_secret="s",
        discover=False,
        endpoints={"token_endpoint": f"{issuer.url}/token"},
        allow_loopback_http=True,
        deadline=60,
    )


def ended(issuer: Issuer, spent: str = "r") -> OAuthTokens:
    """Give tokens of which only the refresh token is of use."""
    text = {
        "v": 1,
        "issuer": issuer.url,
        "access_token": "old",
        "refresh_token": spent,
        "scopes": [],
        "expires_at": 1_000_000_000,
    }
    return OAuthTokens.from_secret_json(json.dumps(text))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.release()


@pytest.fixture(params=["memory", "folder"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {} if request.param == "memory" else {"folder": tmp_path / "tokens", "seal": SEAL}


def test_two_hundred_names_are_refreshed_at_once(options: dict[str, Any]) -> None:
    """The server answers when the refreshes of all of them have arrived."""

    async def main() -> None:
        async with issuing() as (issuer, peer):
            everybody = asyncio.Event()

            async def hold(_: str) -> None:
                if issuer.count("/token") == 200:
                    everybody.set()
                await everybody.wait()

            issuer.hold = hold
            manager = aio.TokenManager(client(issuer), **options)
            names = [f"user{n}" for n in range(200)]
            for name in names:
                await manager.put(name, ended(issuer, f"r-{name}"))
            tokens = await asyncio.gather(*(manager.tokens(name) for name in names))
            sent = {form["refresh_token"] for form in issuer.forms}
            assert sent == {f"r-{name}" for name in names}
            assert len({one.access_token for one in tokens}) == 200
            assert peer.connections == 200
            for name, one in zip(names, tokens, strict=True):
                assert await manager.access_token(name) == one.access_token
            assert issuer.count("/token") == 200

    run(main)


def test_what_is_good_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            manager = aio.TokenManager(client(issuer), client_credentials={"scopes": ["a"]})
            first = await manager.access_token("api")

            async def nobody(_: object, call: Callable[..., object], *__: object) -> None:
                raise AssertionError(f"a thread was asked for: {call}")

            monkeypatch.setattr(pool.Pool, "run", nobody)
            assert await manager.access_token("api") == first
            # Nor is one for asking.
            assert (await manager.replace("api", first)).access_token != first
            with pytest.raises(exceptions.UsageError):
                await manager.tokens("")

    run(main)


def test_one_request_for_all_who_wait(options: dict[str, Any]) -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            manager = aio.TokenManager(client(issuer), **options)
            await manager.put("alice", ended(issuer))
            got = await asyncio.gather(*(manager.access_token("alice") for _ in range(100)))
            assert (len(set(got)), issuer.count("/token")) == (1, 1)
            refused = got[0]
            others = await asyncio.gather(*(manager.replace("alice", refused) for _ in range(20)))
            assert len({one.access_token for one in others} - {refused}) == 1
            assert issuer.count("/token") == 2
            # Threads see the same tokens.
            assert manager.sync.access_token("alice") == others[0].access_token
            await manager.remove("alice")
            with pytest.raises(exceptions.NoTokenError):
                await manager.access_token("alice")

    run(main)


def test_a_new_refresh_token_is_not_lost_with_who_waited_for_it(options: dict[str, Any]) -> None:
    async def main() -> None:
        async with issuing() as (issuer, peer):
            release = asyncio.Event()

            async def hold(_: str) -> None:
                await release.wait()

            issuer.hold = hold
            manager = aio.TokenManager(client(issuer), **options)
            await manager.put("alice", ended(issuer))
            waits = [asyncio.create_task(manager.tokens("alice")) for _ in range(3)]
            await peer.until(lambda: len(issuer.forms) == 1)
            for task in waits:
                task.cancel()
            await asyncio.wait(waits)
            assert all(task.cancelled() for task in waits)
            late = asyncio.create_task(manager.tokens("alice"))
            await asyncio.sleep(0)
            release.set()
            tokens = await late
            # The old refresh token was used once.
            assert [form["refresh_token"] for form in issuer.forms] == ["r"]
            assert tokens.refresh_token == "r1"
            await peer.until(lambda: peer.open == 0)
            # And no lock is left.
            await manager.put("alice", tokens)

    run(main)


def test_what_another_process_holds_does_not_hold_the_loop(place: Place) -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            folder = place.folder / "tokens"
            manager = aio.TokenManager(client(issuer), folder=folder)
            await manager.put("name", ended(issuer))
            (lock,) = folder.glob("name-*.lock")
            place.hold("file", lock)
            waits = asyncio.create_task(manager.tokens("name"))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not waits.done()
            assert not issuer.forms
            place.release()
            assert (await waits).refresh_token == "r1"

    run(main)


def test_threads_and_loops_refresh_once(tmp_path: Path) -> None:
    """A blocking manager waits for the loop's refresh, and the loop for its."""

    async def main() -> None:
        async with issuing() as (issuer, peer):
            release = asyncio.Event()

            async def hold(_: str) -> None:
                await release.wait()

            issuer.hold = hold
            manager = aio.TokenManager(client(issuer), folder=tmp_path / "tokens")
            await manager.put("alice", ended(issuer))
            waits = asyncio.create_task(manager.tokens("alice"))
            await peer.until(lambda: len(issuer.forms) == 1)
            got: list[str] = []
            thread = threading.Thread(target=lambda: got.append(manager.sync.access_token("alice")))
            thread.start()
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not got
            release.set()
            tokens = await waits
            while thread.is_alive():
                await asyncio.sleep(0.001)
            assert got == [tokens.access_token]
            assert len(issuer.forms) == 1

    run(main)


def test_twins_of_blocking_things() -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            plain = gatekey.OAuthClient(
                "client",
                client_secret="s",
                discover=False,
                issuer=issuer.url,
                endpoints={"token_endpoint": f"{issuer.url}/token"},
                allow_loopback_http=True,
            )
            grant = {"scopes": ["a"]}
            over = aio.TokenManager.over(TokenManager(plain, client_credentials=grant))
            assert await over.access_token("api") == "a1"
            own = aio.TokenManager(plain, client_credentials=grant)
            assert await own.access_token("api") == "a2"
            issuer.status = "503 Busy"
            with pytest.raises(exceptions.OAuthServerError) as ill:
                await own.access_token("other")
            assert ill.value.retryable
            assert "secret" not in repr(own)

    run(main)
