"""`TokenManager` for asyncio."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, final

from gatekey import oauth
from gatekey.aio.attempt import Flight, flights, in_memory_or_thread
from gatekey.aio.operation import blocking_of, carrier_of, drive, in_threads
from gatekey.aio.pool import CHANGES, HOLDING, LOCKING, this_loop
from gatekey.aio.refreshes import REFRESHES, over
from gatekey.aio.transport import HttpTransport
from gatekey.exceptions import UsageError
from gatekey.oauth.client import check_client
from gatekey.oauth.operation import FOR_LOOPS
from gatekey.oauth.options import at_least

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gatekey._core import OAuthTokens, _Operation, _Seconds
    from gatekey.aio.client import OAuthClient
    from gatekey.aio.operation import Carrier
    from gatekey.aio.options import TokenManagerOptions


@final
class TokenManager:
    """Other servers' tokens, kept and refreshed once. See :class:`gatekey.TokenManager`.

    What is good is given at once; with a ``folder`` its file is read in a thread. A refresh that
    has begun is completed although no caller waits for it any more, and although the loop that
    wanted it has ended, so that a new refresh token is not lost: it runs on a loop of gatekey's
    own, and takes no longer than the client's deadline. Only an async transport of a program's own
    belongs to the loop that uses it: there the refresh continues while that loop runs, and ends
    with it.

    ``sync`` is the same manager for threads. It never goes past a transport of the program's own:
    where that is async, it gives the tokens that are good, and raises ``UsageError`` for others.
    """

    sync: oauth.TokenManager

    def __init__(
        self, client: OAuthClient | oauth.OAuthClient, **given: Unpack[TokenManagerOptions]
    ) -> None:
        """Take the client and the options of :class:`gatekey.TokenManager`."""
        check_client(client, "client", "gatekey.aio")
        plain: Any = client
        options: dict[str, Any] = {**given}
        own = carrier_of(options.pop("transport", None))
        if own is None and isinstance(client, oauth.OAuthClient):
            set_by_client = client._own_transport
            own = (
                HttpTransport(**client._reach)
                if set_by_client is None
                else in_threads(set_by_client)
            )
        self._own_carrier: Carrier = plain._carrier if own is None else own
        blocking = blocking_of(self._own_carrier)
        self.sync = oauth.TokenManager(
            plain, transport=FOR_LOOPS if blocking is None else blocking, **options
        )

    @classmethod
    def over(cls, manager: oauth.TokenManager) -> TokenManager:
        """Give the twin of a blocking manager: the same tokens, over the same transport."""
        own = cls.__new__(cls)
        own.sync = manager
        return own

    async def put(self, name: str, tokens: OAuthTokens) -> None:
        """Keep tokens, for example of a log-in that was just finished."""
        await self._settled(name)
        await CHANGES.run(self.sync.put, name, tokens)

    async def remove(self, name: str) -> None:
        """Forget the tokens of a name; revoke them first."""
        await self._settled(name)
        await CHANGES.run(self.sync.remove, name)

    async def access_token(self, name: str, *, min_ttl: _Seconds = 60) -> str:
        """Give an access token good for at least ``min_ttl`` seconds, refreshed if need be."""
        return (await self.tokens(name, min_ttl=min_ttl)).access_token

    async def tokens(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens:
        """Give all that came with the access token."""
        this_loop()
        seconds = at_least(min_ttl, "min_ttl")
        while True:
            known = await in_memory_or_thread(partial(self.sync.known, name, min_ttl=min_ttl))
            if known is not None:
                return known
            own = await self._renewed(name, seconds, None)
            if own is not None:
                return own

    async def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this access token."""
        this_loop()
        while True:
            own = await self._renewed(name, 0, refused)
            if own is not None:
                return own

    async def _settled(self, name: str) -> None:
        """Wait while a refresh of these tokens is out, here and not in a thread."""
        about = self._about(name)
        while True:
            if (future := REFRESHES.out(about)) is not None:
                await over(future)
            elif (flight := flights().get(about)) is not None and not flight.is_over:
                await asyncio.wait([flight.task])
            else:
                return

    async def _renewed(self, name: str, min_ttl: int, refused: str | None) -> OAuthTokens | None:
        """Refresh; None: another's refresh was waited for."""
        operation = self.sync._core._renewal(name, min_ttl, refused)
        about, carrier = self._about(name), self._carrier
        if blocking_of(carrier) is None:
            return await self._renewed_here(about, operation, carrier)
        try:
            future, is_own = REFRESHES.begin(about, lambda: self._drive(operation, carrier))
        except RuntimeError:  # no thread can be started
            operation.close()
            raise
        if not is_own:
            operation.close()
        await over(future)
        tokens: OAuthTokens | None = future.result() if is_own else None
        return tokens

    async def _renewed_here(
        self, about: str, operation: _Operation, carrier: Carrier
    ) -> OAuthTokens | None:
        flight = flights().get(about)
        if flight is not None and not flight.is_over:
            operation.close()
            await asyncio.wait([flight.task])
            return None
        task = this_loop().create_task(self._drive(operation, carrier))
        flight = flights()[about] = Flight(task, operation, is_seen_through=True)
        tokens: OAuthTokens | None = await flight.wait()
        return tokens

    async def _drive(self, operation: _Operation, carrier: Carrier) -> Any:
        # The manager is kept with it: what it is about is the manager's place in memory.
        pools = (LOCKING, HOLDING) if self.sync._folder else None
        return await drive(operation, carrier, pools)

    @property
    def _carrier(self) -> Carrier:
        own: Carrier | None = getattr(self, "_own_carrier", None)
        if own is not None:
            return own
        if self.sync._carrier is None:
            raise UsageError("This manager's transport is async: make a gatekey.aio.TokenManager.")
        return in_threads(self.sync._carrier)

    def _about(self, name: str) -> str:
        return f"tokens {id(self.sync)} {name}"

    def __repr__(self) -> str:
        return repr(self.sync)
