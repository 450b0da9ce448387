"""`ResourceServer` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey import oauth
from gatekey.aio.pool import NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address

    from gatekey._core import Access, _Seconds


@final
class ResourceServer:
    """An API's door. See :class:`gatekey.ResourceServer`.

    Checks work in a thread: keys may have to be fetched, or the authorization server asked.
    """

    def __init__(self, audience: str, **options: Any) -> None:
        """Take the options of :class:`gatekey.ResourceServer`."""
        self.sync = oauth.ResourceServer(audience, **options)

    async def check(
        self,
        authorization: str | None,
        *,
        scopes: Sequence[str] = (),
        acr_values: Sequence[str] = (),
        max_age: _Seconds | None = None,
        address: str | IPv4Address | IPv6Address | None = None,
    ) -> Access:
        """Say who calls, by the value of the request's ``Authorization`` header."""
        return await NETWORK.run(
            self.sync.check,
            authorization,
            scopes=scopes,
            acr_values=acr_values,
            max_age=max_age,
            address=address,
        )
