"""`TokenManager` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey import oauth
from gatekey.aio.pool import NETWORK

if TYPE_CHECKING:
    from gatekey._core import OAuthTokens, _Seconds


@final
class TokenManager:
    """Other servers' tokens, kept and refreshed once. See :class:`gatekey.TokenManager`.

    What is known is given at once; refreshing works in a thread, because it may wait for other
    processes.
    """

    def __init__(self, client: oauth.OAuthClient, **options: Any) -> None:
        """Take the options of :class:`gatekey.TokenManager`; the client is the blocking one."""
        self.sync = oauth.TokenManager(client, **options)

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
        known = self.sync.known(name, min_ttl=min_ttl)
        if known is not None:
            return known
        return await NETWORK.run(self.sync.tokens, name, min_ttl=min_ttl)

    async def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this access token."""
        return await NETWORK.run(self.sync.replace, name, refused)
