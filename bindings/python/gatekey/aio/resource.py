"""`ResourceServer` for asyncio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, final

from gatekey import oauth
from gatekey._core import _attempt
from gatekey.aio.attempt import attempted, plain
from gatekey.aio.operation import in_threads
from gatekey.aio.remote_key_set import RemoteKeySet
from gatekey.aio.verifier import carriers_of

if TYPE_CHECKING:
    from gatekey._core import Access, AnyValue
    from gatekey.aio.operation import Carrier


@final
class ResourceServer:
    """An API's door. See :class:`gatekey.ResourceServer`.

    What is known is decided at once: a JWT by keys that were fetched, an opaque token that was
    asked about, an API key. The loop asks other servers, once for all who wait for the same.
    """

    def __init__(self, audience: str | AnyValue, **options: Any) -> None:
        """Take the options of :class:`gatekey.ResourceServer`, or their twins for asyncio."""
        issuer, introspection = options.get("issuer"), options.get("introspection")
        how: dict[str, Any] = {
            "allow_loopback_http": bool(options.get("allow_loopback_http")),
            "transport": options.pop("transport", None),
        }
        if issuer is not None and options.get("keys") is None:
            options["keys"] = RemoteKeySet(issuer=issuer, **how)
        several = {
            name: RemoteKeySet(issuer=name, **how) if keys is None else keys
            for name, keys in (options.get("issuers") or {}).items()
        }
        self._carriers = carriers_of(options.get("keys"), *several.values())
        if several:
            options["issuers"] = {name: plain(keys) for name, keys in several.items()}
        self._introspects: Any = introspection
        given = {name: plain(value) for name, value in options.items()}
        made: list[oauth.ResourceServer] = []
        # Keys that fetch themselves are not waited for here.
        _attempt(lambda: made.append(oauth.ResourceServer(audience, **given)), False)
        self.sync = made[0] if made else oauth.ResourceServer(audience, **given)

    async def check(self, authorization: str | None, **demand: Any) -> Access:
        """Say who calls, by the value of the request's ``Authorization`` header.

        :param demand: as :meth:`gatekey.ResourceServer.check` takes it: ``api_key``,
            ``scopes``, ``acr_values``, ``max_age``, ``address``, ``tenant``, ``decided_by``.
        """
        call = partial(self.sync.check, authorization, **demand)
        return await attempted(call, self._carrier_of)

    def _carrier_of(self, about: str) -> Carrier:
        carrier = self._carriers.get(about)
        if carrier is not None:
            return carrier
        asks = self._introspects
        own: Carrier | None = getattr(asks, "_carrier", None)
        return own or in_threads(asks._transport)

    @property
    def metadata(self) -> dict[str, object]:
        """What to serve as JSON at ``metadata_path`` (RFC 9728)."""
        return self.sync.metadata

    @property
    def metadata_path(self) -> str | None:
        """The path of the metadata, if the API's identifier is an address."""
        return self.sync.metadata_path
