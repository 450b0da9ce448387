"""`RemoteKeySet` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey import oauth
from gatekey._core import _RemoteKeySet
from gatekey.aio.operation import carrier_of, drive
from gatekey.aio.transport import HttpTransport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gatekey.aio.operation import AnyTransport, Carrier
    from gatekey.aio.options import RemoteKeySetOptions


@final
class RemoteKeySet(_RemoteKeySet):
    """The keys that an issuer publishes. See :class:`gatekey.RemoteKeySet`.

    They never wait: :class:`Verifier` and :class:`ResourceServer` fetch them when they are wanted.
    A ``gatekey.Verifier`` uses those that were last fetched; ``await keys.refresh()`` for it when
    the program starts and whenever ``wants_refresh``.
    """

    _carrier: Carrier

    def __new__(
        cls,
        url: str | None = None,
        *,
        transport: AnyTransport | None = None,
        **options: Unpack[RemoteKeySetOptions],
    ) -> RemoteKeySet:
        """Take the options of :class:`gatekey.RemoteKeySet`."""
        plain = oauth.RemoteKeySet(url, **options)
        keys = super().__new__(cls, plain._options, None, plain._clock)
        reach = {"allow_loopback_http", "deadline"}
        given: dict[str, Any] = {name: value for name, value in options.items() if name in reach}
        own = carrier_of(transport)
        keys._carrier = HttpTransport(**given) if own is None else own
        return keys

    async def refresh(self) -> None:
        """Fetch the keys now; while another fetch is under way, wait for that one instead."""
        await drive(self._refresh(), self._carrier)

    @property
    def sync(self) -> RemoteKeySet:
        """What a ``gatekey.Verifier`` takes: the keys themselves."""
        return self
