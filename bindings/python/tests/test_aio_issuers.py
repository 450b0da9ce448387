"""`gatekey.aio` with several issuers: each with its own keys, fetched by the loop, on its own.

The servers answer on the loop of their test: a call that stops the loop never ends."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from issuer import API, Issuer, issuing, run

import gatekey
from gatekey import IssuerRule, Key, aio, exceptions
from gatekey.aio.attempt import FLIGHTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from peer import Peer

    Check = Callable[[str], Awaitable[str | None]]

HTTP: dict[str, Any] = {"allow_loopback_http": True}
KINDS = ["door", "door of keys", "door of blocking keys", "verifier", "verifier of rules"]


def checking(kind: str, *urls: str, **more: Any) -> Check:
    """Give a call that says whose token of several issuers it is."""
    remote: Any = gatekey.RemoteKeySet if kind.endswith("blocking keys") else aio.RemoteKeySet
    keys = {url: remote(issuer=url, cooldown=600, deadline=60, **HTTP) for url in urls}
    if kind.startswith("verifier"):
        rules = {url: IssuerRule(own) if "rules" in kind else own for url, own in keys.items()}
        verifier = aio.Verifier.for_issuers(rules, audience=API, typ="at+jwt", **more)

        async def verify(token: str) -> str | None:
            return (await verifier.verify(token)).issuer

        return verify
    named: Any = dict.fromkeys(urls) if kind == "door" else keys
    api = aio.ResourceServer(API, issuers=named, **HTTP, **more)

    async def check(token: str) -> str | None:
        return (await api.check(f"Bearer {token}")).issuer

    return check


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Issuer, Peer, Issuer, Peer]]:
    async with issuing() as (one, peer), issuing() as (other, far):
        yield one, peer, other, far


def held(issuer: Issuer) -> asyncio.Event:
    """Let the issuer answer nothing until it is told to."""
    release = asyncio.Event()

    async def hold(_: str) -> None:
        await release.wait()

    issuer.hold = hold
    return release


@pytest.mark.parametrize("kind", KINDS)
def test_each_issuer_has_its_own_keys(kind: str) -> None:
    async def main() -> None:
        async with two() as (one, peer, other, far):
            check = checking(kind, one.url, other.url)
            # Nothing is asked before it is wanted, and the loop has not been stopped for it.
            assert (peer.connections, far.connections) == (0, 0)
            assert await check(one.token()) == one.url
            # Nor is an issuer that is of no interest yet.
            assert (peer.connections, far.connections) == (2, 0)
            assert await check(other.token()) == other.url
            crossed = one.token(other.key, iss=one.url), other.token(one.key, iss=other.url)
            for token in crossed:
                with pytest.raises(exceptions.InvalidTokenError) as caught:
                    await check(token)
                # Both keys are called "one".
                assert isinstance(caught.value, exceptions.InvalidSignatureError), caught.value
            stranger = Issuer()
            stranger.url = "https://stranger.example"
            with pytest.raises(exceptions.InvalidIssuerError):
                await check(stranger.token(one.key))
            assert (one.count("/jwks"), other.count("/jwks")) == (2, 2)
            # And again, from memory.
            assert [await check(one.token()), await check(other.token())] == [one.url, other.url]
            assert (one.count("/jwks"), other.count("/jwks")) == (2, 2)

    run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_one_request_for_all_who_wait_for_an_issuer(kind: str) -> None:
    async def main() -> None:
        async with two() as (one, peer, other, far):
            check = checking(kind, one.url, other.url)
            tokens = [issuer.token() for _ in range(25) for issuer in (one, other)]
            named = await asyncio.gather(*(check(token) for token in tokens))
            assert named == [one.url, other.url] * 25
            assert (peer.connections, far.connections) == (2, 2)

    run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_issuer_that_is_silent_holds_up_only_its_own(kind: str) -> None:
    async def main() -> None:
        async with two() as (one, _, other, far):
            release = held(other)
            check = checking(kind, one.url, other.url)
            waiting = [asyncio.ensure_future(check(other.token())) for _ in range(20)]
            await far.until(lambda: far.open == 1)
            for _ in range(20):
                assert await check(one.token()) == one.url
            assert not any(task.done() for task in waiting)
            release.set()
            assert await asyncio.gather(*waiting) == [other.url] * 20
            assert far.connections == 2

    run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_issuer_that_is_down_is_told_and_tried_again(kind: str) -> None:
    async def main() -> None:
        async with two() as (one, _, other, far):
            other.status = "503 Service Unavailable"
            check = checking(kind, one.url, other.url)
            for _ in range(5):
                with pytest.raises(exceptions.OAuthServerError) as caught:
                    await check(other.token())
                assert caught.value.retry_after
                assert (caught.value.status, await check(one.token())) == (503, one.url)
            # It is left alone between the tries.
            assert far.connections <= 3 * 2
            other.status = "200 OK"
            for _ in range(600):
                try:
                    assert await check(other.token()) == other.url
                    break
                except exceptions.OAuthServerError:
                    await asyncio.sleep(0.1)
            else:
                raise AssertionError("it was not tried again")

    run(main)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "blocking" not in kind])
def test_what_is_cancelled_leaves_nothing_behind(kind: str) -> None:
    async def main() -> None:
        async with two() as (one, _, other, far):
            release = held(other)
            check = checking(kind, one.url, other.url)
            waiting = [asyncio.ensure_future(check(other.token())) for _ in range(5)]
            await far.until(lambda: far.open == 1)
            first, *rest = waiting
            first.cancel()
            await asyncio.wait([first])
            # The others are still waited for.
            assert (first.cancelled(), far.open) == (True, 1)
            for task in rest:
                task.cancel()
            await asyncio.wait(rest)
            await far.until(lambda: far.open == 0)
            # What the cancelled tasks remember of their ends holds the flight, too.
            del first, rest, task, waiting
            gc.collect()
            assert not FLIGHTS[asyncio.get_running_loop()]
            release.set()
            assert [await check(other.token()), await check(one.token())] == [other.url, one.url]

    run(main)


def test_opaque_tokens_beside_several_issuers() -> None:
    async def main() -> None:
        async with two() as (one, _, other, _far), issuing() as (asked, _peer):
            client = aio.OAuthClient(
                "client", issuer=asked.url, client_secret="s", deadline=60, **HTTP
            )
            own = Key.generate("ES256", kid="one")
            api = aio.ResourceServer(
                API,
                issuers={one.url: None, other.url: own.public()},
                introspection=client,
                **HTTP,
            )
            headers = [f"Bearer {token}" for token in (one.token(), other.token(own), "opaque")]
            told = await asyncio.gather(*(api.check(header) for header in headers))
            assert [access.issuer for access in told] == [one.url, other.url, asked.url]
            assert [access.kind for access in told] == ["jwt", "jwt", "opaque"]
            assert (one.count("/introspect"), asked.count("/introspect")) == (0, 1)
            assert other.seen == []
            assert api.metadata["resource"] == API

    run(main)


def test_a_mistake_is_told_when_it_is_made() -> None:
    async def main() -> None:
        key = Key.generate("ES256").public()
        keys = gatekey.RemoteKeySet(issuer="https://a.example")
        mistakes: list[dict[str, Any]] = [
            {"issuers": {}},
            {"issuers": {"": key}},
            {"issuers": {"https://a.example": key}, "issuer": "https://a.example", "keys": key},
            {"issuers": {"https://a.example": keys}, "leeway": 601},
            {"issuers": {"https://a.example": keys}, "token_types": []},
        ]
        for wrong in mistakes:
            with pytest.raises(exceptions.GatekeyError):
                aio.ResourceServer(API, **wrong)
        with pytest.raises(TypeError):
            aio.ResourceServer(API, issuers={"https://a.example": "no keys"})  # type: ignore[dict-item]

    run(main)
