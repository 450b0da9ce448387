"""An open store for asyncio, and everything that it hands out.

Each class has the methods of its twin in :mod:`gatekey`, with ``await``. What is known in memory is
answered at once; everything else works in threads of gatekey's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey import _core
from gatekey.aio.attempt import plain, quick, waiting
from gatekey.aio.pool import STORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import EllipsisType, TracebackType

    from typing_extensions import Self, Unpack

    from gatekey._core import ApiKeyRecord, StoreHealth
    from gatekey.aio.options import (
        ApiKeysOfStore,
        ApiKeysOptions,
        KeyRingOfStore,
        KeyRingOptions,
        RevocationsOfStore,
        RevocationsOptions,
        SessionsOfStore,
        SessionsOptions,
        StoreOptions,
    )


class Twin:
    """Has something of :mod:`gatekey` as ``sync``."""

    sync: Any

    @classmethod
    def _of(cls, sync: Any) -> Self:
        own = cls.__new__(cls)
        own.sync = sync
        return own

    @classmethod
    async def _opened(cls, call: Callable[..., Any], *args: Any, **options: Any) -> Self:
        given = {name: plain(value) for name, value in options.items()}
        return cls._of(await STORES.run(call, *args, **given))

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is opened: await {type(self).__name__}.open(...)")

    def __repr__(self) -> str:
        return repr(self.sync).replace("<gatekey.", "<gatekey.aio.", 1)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError(f"a {type(self).__name__} is not pickled or copied; share it")


class Closed(Twin):
    """Is closed when ``async with`` ends."""

    async def close(self) -> None:
        """Write down what is pending, and let go of files."""
        await STORES.run(self.sync.close)

    async def __aenter__(self) -> Self:
        self.sync.__enter__()  # what has been closed says so
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


@final
class ApiKeys(Closed):
    """API keys. See :class:`gatekey.ApiKeys`."""

    sync: _core.ApiKeys

    @classmethod
    async def open(cls, url: str | PathLike[str], **options: Unpack[ApiKeysOptions]) -> ApiKeys:
        """Open them; see :meth:`gatekey.ApiKeys.open`."""
        return await cls._opened(_core.ApiKeys.open, url, **options)

    verify = quick(_core.ApiKeys.verify)
    check = quick(_core.ApiKeys.check)
    create = waiting(_core.ApiKeys.create)
    rotate = waiting(_core.ApiKeys.rotate)
    revoke = waiting(_core.ApiKeys.revoke)
    disable = waiting(_core.ApiKeys.disable)
    enable = waiting(_core.ApiKeys.enable)
    get = waiting(_core.ApiKeys.get)
    list = waiting(_core.ApiKeys.list)
    audit = waiting(_core.ApiKeys.audit)
    import_ = waiting(_core.ApiKeys.import_)
    check_limits = waiting(_core.ApiKeys.check_limits)
    pepper_report = waiting(_core.ApiKeys.pepper_report)
    wrap_peppers = waiting(_core.ApiKeys.wrap_peppers)
    purge = waiting(_core.ApiKeys.purge)
    flush = waiting(_core.ApiKeys.flush)

    async def update(
        self,
        id: str,  # noqa: A002 - as its twin has it
        *,
        owned_by: str | EllipsisType = ...,
        tenant: str | None = None,
        actor: str | None = None,
        **changes: Any,
    ) -> ApiKeyRecord:
        """Change a key; see :meth:`gatekey.ApiKeys.update`."""
        own: dict[str, Any] = {"tenant": tenant, "actor": actor}
        if owned_by is not ...:
            own["owned_by"] = owned_by
        return await STORES.run(self.sync.update, id, **own, **changes)


@final
class Revocations(Twin):
    """What is revoked before it expires. See :class:`gatekey.Revocations`."""

    sync: _core.Revocations

    @classmethod
    async def open(
        cls, url: str | PathLike[str], **options: Unpack[RevocationsOptions]
    ) -> Revocations:
        """Open them; see :meth:`gatekey.Revocations.open`."""
        return await cls._opened(_core.Revocations.open, url, **options)

    revoke_token = waiting(_core.Revocations.revoke_token)
    revoke_session = waiting(_core.Revocations.revoke_session)
    revoke_subject = waiting(_core.Revocations.revoke_subject)
    revoke_key = waiting(_core.Revocations.revoke_key)
    revoke_before = waiting(_core.Revocations.revoke_before)
    seen_once = waiting(_core.Revocations.seen_once)
    refresh = waiting(_core.Revocations.refresh)
    purge = waiting(_core.Revocations.purge)


@final
class Sessions(Closed):
    """Sessions. See :class:`gatekey.Sessions`."""

    sync: _core.Sessions

    @classmethod
    async def open(cls, url: str | PathLike[str], **options: Unpack[SessionsOptions]) -> Sessions:
        """Open them; see :meth:`gatekey.Sessions.open`."""
        return await cls._opened(_core.Sessions.open, url, **options)

    @property
    def revocations(self) -> Revocations:
        """What the sessions revoke, for verifiers."""
        return Revocations._of(self.sync.revocations)

    start = waiting(_core.Sessions.start)
    refresh = waiting(_core.Sessions.refresh)
    end = waiting(_core.Sessions.end)
    end_by_id = waiting(_core.Sessions.end_by_id)
    end_all = waiting(_core.Sessions.end_all)
    end_under_pepper = waiting(_core.Sessions.end_under_pepper)
    get = waiting(_core.Sessions.get)
    list = waiting(_core.Sessions.list)
    events = waiting(_core.Sessions.events)
    purge = waiting(_core.Sessions.purge)


@final
class KeyRing(Twin):
    """Keys that rotate. See :class:`gatekey.KeyRing`."""

    sync: _core.KeyRing

    @classmethod
    async def open(cls, url: str | PathLike[str], **options: Unpack[KeyRingOptions]) -> KeyRing:
        """Open one; see :meth:`gatekey.KeyRing.open`."""
        return await cls._opened(_core.KeyRing.open, url, **options)

    rotate = waiting(_core.KeyRing.rotate)
    add = waiting(_core.KeyRing.add)
    remove = waiting(_core.KeyRing.remove)
    keys = quick(_core.KeyRing.keys)
    to_jwks = quick(_core.KeyRing.to_jwks)
    refresh = waiting(_core.KeyRing.refresh)

    async def active(self) -> Any:
        """Give the key that signs; see :attr:`gatekey.KeyRing.active`."""
        return await STORES.run(lambda: self.sync.active)

    async def token_ttl(self) -> int:
        """Give the longest life of a token; see :attr:`gatekey.KeyRing.token_ttl`."""
        return await STORES.run(lambda: self.sync.token_ttl)


@final
class Store(Closed):
    """An open store. See :class:`gatekey.Store`.

    ::

        async with await Store.open("sqlite:///auth.sqlite") as store:
            keys = await store.api_keys()
            record = await keys.verify(presented, scopes=["read"])
    """

    sync: _core.Store

    @classmethod
    async def open(cls, url: str | PathLike[str], **options: Unpack[StoreOptions]) -> Store:
        """Open it; see :meth:`gatekey.Store.open`."""
        return await cls._opened(_core.Store.open, url, **options)

    @property
    def url(self) -> str:
        """What names the store."""
        return self.sync.url

    @property
    def limits_state(self) -> dict[str, Any] | None:
        """What this process knows of the server of ``limits``; see :class:`gatekey.Store`."""
        return self.sync.limits_state

    async def health(self) -> StoreHealth:
        """Give how it is with the store; see :meth:`gatekey.Store.health`."""
        return await STORES.run(self.sync.health)

    async def api_keys(self, **options: Unpack[ApiKeysOfStore]) -> ApiKeys:
        """Hand out the API keys; see :meth:`gatekey.Store.api_keys`."""
        return await ApiKeys._opened(self.sync.api_keys, **options)

    async def sessions(self, **options: Unpack[SessionsOfStore]) -> Sessions:
        """Hand out the sessions; see :meth:`gatekey.Store.sessions`."""
        return await Sessions._opened(self.sync.sessions, **options)

    async def revocations(self, **options: Unpack[RevocationsOfStore]) -> Revocations:
        """Hand out what is revoked; see :meth:`gatekey.Store.revocations`."""
        return await Revocations._opened(self.sync.revocations, **options)

    async def key_ring(self, name: str = "default", **options: Unpack[KeyRingOfStore]) -> KeyRing:
        """Hand out a key ring; see :meth:`gatekey.Store.key_ring`."""
        return await KeyRing._opened(self.sync.key_ring, name, **options)


__all__ = ["ApiKeys", "KeyRing", "Revocations", "Sessions", "Store"]
