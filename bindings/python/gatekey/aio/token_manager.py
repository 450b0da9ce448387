"""`TokenManager` for asyncio."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, final

from gatekey import _core, oauth
from gatekey.aio.attempt import FLIGHTS, Flight, in_memory_or_thread
from gatekey.aio.operation import drive
from gatekey.aio.pool import NETWORK
from gatekey.aio.transport import HttpTransport
from gatekey.oauth.options import at_least

if TYPE_CHECKING:
    from gatekey._core import OAuthTokens, _Operation, _Seconds
    from gatekey.aio.client import OAuthClient
    from gatekey.aio.operation import Carrier


@final
class TokenManager:
    """Other servers' tokens, kept and refreshed once. See :class:`gatekey.TokenManager`.

    What is good is given at once; with a ``folder`` its file is read in a thread. The loop asks the
    server. A refresh that has begun is seen through although nobody waits for it any more, so that
    a new refresh token is not lost: it takes no longer than the client's deadline.
    """

    sync: oauth.TokenManager

    def __init__(self, client: OAuthClient | oauth.OAuthClient, **options: Any) -> None:
        """Take the client and the options of :class:`gatekey.TokenManager`."""
        plain: Any = client
        own = options.pop("transport", None) or getattr(client, "_carrier", client._own_transport)
        self._own_carrier: Carrier = own or HttpTransport(**client._reach)
        blocking = getattr(own, "blocking", own)
        if isinstance(blocking, _core.HttpTransport):
            options["transport"] = blocking
        self.sync = oauth.TokenManager(plain, **options)

    @classmethod
    def over(cls, manager: oauth.TokenManager) -> TokenManager:
        """Give the twin of a blocking manager: the same tokens, over the same transport."""
        own = cls.__new__(cls)
        own.sync = manager
        return own

    async def put(self, name: str, tokens: OAuthTokens) -> None:
        """Keep tokens, for example of a log-in that was just finished."""
        await NETWORK.run(self.sync.put, name, tokens)

    async def remove(self, name: str) -> None:
        """Forget the tokens of a name; revoke them first."""
        await NETWORK.run(self.sync.remove, name)

    async def access_token(self, name: str, *, min_ttl: _Seconds = 60) -> str:
        """Give an access token that is good for at least so many seconds, refreshed if need be."""
        return (await self.tokens(name, min_ttl=min_ttl)).access_token

    async def tokens(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens:
        """Give all that came with the access token."""
        while True:
            known = await in_memory_or_thread(partial(self.sync.known, name, min_ttl=min_ttl))
            if known is not None:
                return known
            if not await self._others(name):
                seconds = at_least(min_ttl, "min_ttl")
                return await self._renewed(name, self.sync._core._renewal(name, seconds, None))

    async def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this access token."""
        while await self._others(name):
            pass
        return await self._renewed(name, self.sync._core._renewal(name, 0, refused))

    async def _others(self, name: str) -> bool:
        """Wait for the refresh of another task; False if there is none."""
        flight = self._flights().get(self._about(name))
        if flight is None:
            return False
        await asyncio.wait([flight.task])
        return True

    async def _renewed(self, name: str, operation: _Operation) -> OAuthTokens:
        flights, about = self._flights(), self._about(name)
        task = asyncio.get_running_loop().create_task(
            drive(operation, self._carrier, pool=NETWORK if self.sync._folder else None)
        )
        flights[about] = Flight(task)

        def over(task: asyncio.Task[Any]) -> None:
            del flights[about]
            # Where nobody waits any more, it is told by the next use.
            _ = task.cancelled() or task.exception()

        task.add_done_callback(over)
        tokens: OAuthTokens = await asyncio.shield(task)
        return tokens

    @property
    def _carrier(self) -> Carrier:
        return getattr(self, "_own_carrier", None) or self.sync._carrier

    def _flights(self) -> dict[str, Flight]:
        return FLIGHTS.setdefault(asyncio.get_running_loop(), {})

    def _about(self, name: str) -> str:
        return f"tokens {id(self.sync)} {name}"

    def __repr__(self) -> str:
        return repr(self.sync)
