"""The classes of ``gatekey.aio`` take what their twins take, and say so to type checkers.

Each ``type: ignore`` is a mistake that mypy must find: one that it lets pass is an unused ignore.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import gatekey
from gatekey import aio, exceptions
from gatekey.aio import options

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = gatekey.Key.generate("ES256")


@pytest.mark.parametrize(
    ("told", "twin", "more"),
    [
        (options.ClientOptions, gatekey.OAuthClient, {"client_id", "replay"}),
        (options.RemoteKeySetOptions, gatekey.RemoteKeySet, {"url", "transport"}),
        (options.TokenManagerOptions, gatekey.TokenManager, {"client"}),
        (options.ResourceServerOptions, gatekey.ResourceServer, {"audience"}),
        (options.VerifierOptions, gatekey.Verifier, {"keys"}),
        (options.IssuersOptions, gatekey.Verifier.for_issuers, {"issuers"}),
        (options.SignerOptions, gatekey.Signer, {"key"}),
        (options.ApiKeysOptions, gatekey.ApiKeys.open, {"url"}),
        (options.ApiKeysOfStore, gatekey.Store.api_keys, {"self"}),
        (options.RevocationsOptions, gatekey.Revocations.open, {"url"}),
        (options.RevocationsOfStore, gatekey.Store.revocations, {"self"}),
        (options.SessionsOptions, gatekey.Sessions.open, {"url"}),
        (options.SessionsOfStore, gatekey.Store.sessions, {"self"}),
        (options.KeyRingOptions, gatekey.KeyRing.open, {"url"}),
        (options.KeyRingOfStore, gatekey.Store.key_ring, {"self", "name"}),
        (options.StoreOptions, gatekey.Store.open, {"url"}),
    ],
)
def test_the_keywords_are_those_of_the_twin(told: Any, twin: Any, more: set[str]) -> None:
    keywords: set[str] = set()
    for one in told.__mro__[:-1]:
        keywords |= set(getattr(one, "__annotations__", {}))
    assert keywords | more == set(inspect.signature(twin).parameters)


def test_check_has_the_keywords_of_its_twin() -> None:
    own = inspect.signature(aio.ResourceServer.check).parameters
    assert set(own) == set(inspect.signature(gatekey.ResourceServer.check).parameters)


def test_a_wrong_keyword_is_told_at_once() -> None:
    client = aio.OAuthClient("c", issuer="https://auth.example")
    with pytest.raises(TypeError):
        aio.OAuthClient("c", isuer="https://a")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.ResourceServer("x", isuer="y")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.RemoteKeySet(isuer="https://a")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.TokenManager(client, foldr="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.Verifier(KEY, isuer="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.Verifier.for_issuers({"x": KEY}, isuer="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        aio.Signer(KEY, isuer="x")  # type: ignore[call-arg]
    api = aio.ResourceServer("x", issuer="https://a", keys=KEY)
    with pytest.raises(TypeError):
        _ = api.check(None, tenent="b")  # type: ignore[call-arg]


def test_a_wrong_keyword_of_what_is_opened(tmp_path: Any) -> None:
    async def main() -> None:
        place = f"sqlite:///{tmp_path / 'x.sqlite'}"
        with pytest.raises(TypeError):
            await aio.Store.open(place, peper=b"x")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await aio.ApiKeys.open(place, peper=b"x")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await aio.Revocations.open(place, peper=b"x")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await aio.Sessions.open(place, peper=b"x")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await aio.KeyRing.open(place, peper=b"x")  # type: ignore[call-arg]
        store = await aio.Store.open("memory:")
        with pytest.raises(TypeError):
            await store.api_keys(prefx="x")  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await store.sessions(signr=None)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await store.revocations(max_ttl=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await store.key_ring("default", algo="x")  # type: ignore[call-arg]

    asyncio.run(main())


def test_a_wrong_type_is_found() -> None:
    with pytest.raises((TypeError, exceptions.GatekeyError)):
        aio.OAuthClient("c", issuer=5)  # type: ignore[arg-type]
    with pytest.raises((TypeError, exceptions.GatekeyError)):
        aio.RemoteKeySet(issuer=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="issuers"):
        aio.ResourceServer("x", issuers=["https://a"])  # type: ignore[arg-type]


def refused(call: Callable[[], object], *words: str) -> None:
    with pytest.raises((TypeError, exceptions.UsageError)) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_twins_are_told_apart() -> None:
    async def opened() -> tuple[Any, Any]:
        keys = await aio.ApiKeys.open("memory:")
        return keys, await aio.Revocations.open("memory:")

    keys, revoked = asyncio.run(opened())
    api, issuer = "https://api.example", "https://auth.example"
    own: dict[str, Any] = {"issuer": issuer, "keys": KEY}
    refused(lambda: gatekey.ResourceServer(api, api_keys=keys), "gatekey.aio.ApiKeys", "sync")
    refused(
        lambda: gatekey.ResourceServer(api, revocations=revoked, **own), "gatekey.aio.Revocations"
    )
    refused(
        lambda: gatekey.OAuthClient("c", issuer=issuer, replay=revoked),
        "gatekey.aio.Revocations",
    )
    refused(lambda: gatekey.Verifier(KEY, revocations=revoked), "gatekey.aio.Revocations")
    refused(
        lambda: gatekey.Verifier.for_issuers({issuer: KEY}, revocations=revoked),
        "gatekey.aio.Revocations",
    )
    signer: Any = aio.Signer(KEY)
    refused(lambda: gatekey.Sessions.open("memory:", signer=signer), "gatekey.aio.Signer")
    store = gatekey.Store.open("memory:")
    refused(lambda: store.sessions(signer=signer), "gatekey.aio.Signer")
    refused(lambda: gatekey.ResourceServer(api, api_keys=7), "gatekey.ApiKeys", "int")  # type: ignore[arg-type]
    gatekey.ResourceServer(api, api_keys=keys.sync)
    aio.ResourceServer(api, api_keys=keys)


def test_keys_for_asyncio_that_nobody_has_fetched() -> None:
    remote: Any = aio.RemoteKeySet("https://auth.example/jwks")
    api, issuer = "https://api.example", "https://auth.example"
    calls: list[Callable[[], object]] = [
        lambda: gatekey.ResourceServer(api, issuer=issuer, keys=remote),
        lambda: gatekey.ResourceServer(api, issuers={issuer: remote}),
        lambda: gatekey.ResourceServer(api, issuers={issuer: gatekey.DoorRule(remote)}),
        lambda: gatekey.Verifier(remote, issuer=issuer),
        lambda: gatekey.Verifier.for_issuers({issuer: remote}),
    ]
    for call in calls:
        refused(call, "asyncio", "gatekey.aio")
    aio.ResourceServer(api, issuer=issuer, keys=remote)
    aio.ResourceServer(api, issuers={issuer: gatekey.DoorRule(remote)})
    aio.Verifier(remote, issuer=issuer)
    aio.Verifier.for_issuers({issuer: remote})
