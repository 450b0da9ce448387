"""`RemoteKeySet` for asyncio."""

from __future__ import annotations

from typing import Any, final

from gatekey import oauth
from gatekey.aio.operation import drive


@final
class RemoteKeySet:
    """The keys that an issuer publishes. See :class:`gatekey.RemoteKeySet`.

    ``await keys.refresh()`` when the program starts; ``gatekey.Verifier(keys.sync)`` verifies
    with them.
    """

    def __init__(self, url: str | None = None, **options: Any) -> None:
        """Take the options of :class:`gatekey.RemoteKeySet`."""
        self.sync = oauth.RemoteKeySet(url, **options)

    async def refresh(self) -> None:
        """Fetch the keys now."""
        await drive(self.sync._refresh(), self.sync._transport)

    @property
    def wants_refresh(self) -> bool:
        """Whether it is time to fetch the keys."""
        return self.sync.wants_refresh
