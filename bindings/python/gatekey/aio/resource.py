"""`ResourceServer` for asyncio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, final

from gatekey import oauth
from gatekey._core import _attempt
from gatekey.aio.attempt import attempted, plain
from gatekey.aio.operation import in_threads
from gatekey.aio.remote_key_set import RemoteKeySet
from gatekey.aio.verifier import carriers_of
from gatekey.oauth.options import mapped
from gatekey.oauth.resource import rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv6Address

    from typing_extensions import Unpack

    from gatekey._core import Access, AnyValue, _Seconds
    from gatekey.aio.operation import Carrier
    from gatekey.aio.options import ResourceServerOptions


@final
class ResourceServer:
    """The check of an API's incoming requests. See :class:`gatekey.ResourceServer`.

    What is known is decided at once: a JWT by keys that were fetched, an opaque token that was
    asked about, an API key. The loop asks other servers, once for all who wait for the same.
    """

    def __init__(self, audience: str | AnyValue, **given: Unpack[ResourceServerOptions]) -> None:
        """Take the options of :class:`gatekey.ResourceServer`, or their twins for asyncio."""
        options: dict[str, Any] = {**given}
        issuer, introspection = options.get("issuer"), options.get("introspection")
        how: dict[str, Any] = {
            "allow_loopback_http": bool(options.get("allow_loopback_http")),
            "transport": options.pop("transport", None),
        }
        if issuer is not None and options.get("keys") is None:
            options["keys"] = RemoteKeySet(issuer=issuer, **how)
        several: dict[str, oauth.DoorRule] = {}
        for name, named in (mapped(options.get("issuers"), "issuers") or {}).items():
            rule = several[name] = rule_of(named)._copy()
            if rule._keys is None:
                rule._keys = RemoteKeySet(issuer=name, **how)
        self._carriers = carriers_of(
            options.get("keys"), *(rule._keys for rule in several.values())
        )
        for rule in several.values():
            rule._keys = plain(rule._keys)
        if several:
            options["issuers"] = several
        self._introspects: Any = introspection
        blocking = {name: plain(value) for name, value in options.items()}
        made: list[oauth.ResourceServer] = []
        # Keys that fetch themselves are not waited for here.
        _attempt(lambda: made.append(oauth.ResourceServer(audience, **blocking)), False)
        self.sync = made[0] if made else oauth.ResourceServer(audience, **blocking)

    async def check(
        self,
        authorization: str | None,
        *,
        api_key: str | None = None,
        scopes: str | Iterable[str] = (),
        acr_values: str | Iterable[str] = (),
        max_age: _Seconds | None = None,
        address: str | IPv4Address | IPv6Address | None = None,
        tenant: str | None = None,
        decided_by: Literal["authorization", "api_key"] | None = None,
    ) -> Access:
        """Say who calls, once it is awaited; see :meth:`gatekey.ResourceServer.check`."""
        call = partial(
            self.sync.check,
            authorization,
            api_key=api_key,
            scopes=scopes,
            acr_values=acr_values,
            max_age=max_age,
            address=address,
            tenant=tenant,
            decided_by=decided_by,
        )
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
