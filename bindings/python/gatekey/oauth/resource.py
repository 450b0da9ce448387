"""`ResourceServer`: an API's door."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, final

from gatekey._core import _ResourceServer, _seconds
from gatekey.oauth.options import json_text, listed
from gatekey.oauth.remote_key_set import RemoteKeySet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from gatekey._core import (
        Access,
        ApiKeys,
        Key,
        KeyRing,
        KeySet,
        Revocations,
        _Seconds,
    )
    from gatekey.oauth.client import OAuthClient


@final
class ResourceServer:
    """An API's door: JWTs of an issuer, opaque tokens, and API keys, behind one call.

    ::

        api = ResourceServer("https://api.example", issuer="https://auth.example")
        access = api.check(request.headers.get("Authorization"), scopes=["orders:read"])

    A refusal is an exception with ``status`` and ``www_authenticate`` to answer with.
    """

    def __init__(
        self,
        audience: str,
        *,
        issuer: str | None = None,
        keys: RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None = None,
        token_types: Sequence[str] | None = None,
        algorithms: Sequence[str] | None = None,
        leeway: _Seconds = 0,
        revocations: Revocations | None = None,
        introspection: OAuthClient | None = None,
        introspection_ttl: _Seconds = 30,
        introspection_negative_ttl: _Seconds = 10,
        introspection_audience: bool = False,
        introspection_unknown_tokens: int = 100,
        api_keys: ApiKeys | None = None,
        metadata_url: str | None = None,
        scopes_supported: Sequence[str] | None = None,
        allow_loopback_http: bool = False,
    ) -> None:
        """Open a door for the API of this identifier, which tokens must name as their audience.

        :param issuer: whose JWTs are accepted (RFC 9068); verified with ``keys``, or with those
            that its metadata lead to.
        :param token_types: the ``typ`` accepted instead of ``at+jwt``, for servers that say
            ``JWT``.
        :param introspection: the client that asks about tokens that are not JWTs (RFC 7662);
            answers are remembered for ``introspection_ttl`` seconds, never for longer than the
            token is good.
        :param introspection_unknown_tokens: how many tokens that the server does not know it is
            asked about at once; a tenth of it again each second, 0 for any number. Beyond that
            they are ``OAuthServerError``, with ``retry_after``.
        :param api_keys: are accepted at the same door.
        :param metadata_url: where ``metadata`` is served, for challenges (RFC 9728).
        """
        if issuer is not None and keys is None:
            keys = RemoteKeySet(issuer=issuer, allow_loopback_http=allow_loopback_http)
        options = {
            "audience": audience,
            "issuer": issuer,
            "token_types": listed(token_types),
            "algorithms": listed(algorithms),
            "leeway": _seconds(leeway, "leeway"),
            "metadata_url": metadata_url,
            "scopes_supported": listed(scopes_supported),
        }
        asking = None
        if introspection is not None:
            asking = (
                introspection._core,
                introspection._transport,
                _seconds(introspection_ttl, "introspection_ttl"),
                _seconds(introspection_negative_ttl, "introspection_negative_ttl"),
                introspection_audience,
                introspection_unknown_tokens,
            )
        self._core = _ResourceServer(
            json_text(options),
            keys=keys,
            introspection=asking,
            api_keys=api_keys,
            revocations=revocations,
        )

    def check(
        self,
        authorization: str | None,
        *,
        scopes: str | Iterable[str] = (),
        acr_values: str | Iterable[str] = (),
        max_age: _Seconds | None = None,
        address: str | IPv4Address | IPv6Address | None = None,
    ) -> Access:
        """Say who calls, by the value of the request's ``Authorization`` header.

        :param scopes: every one of these must have been granted.
        :param acr_values: one of these must be how the user signed in; ``max_age``: so many
            seconds ago at the most (RFC 9470).
        :param address: the caller's, for API keys with an allow-list. A text that is no address
            counts as an unknown one.
        :raises GatekeyError: with ``status`` and ``www_authenticate`` to answer with.
        """
        return self._core.check(authorization, scopes, acr_values, max_age, address)

    @property
    def metadata(self) -> dict[str, object]:
        """What to serve as JSON at ``metadata_path`` (RFC 9728)."""
        metadata: dict[str, object] = json.loads(self._core.metadata_json())
        return metadata

    @property
    def metadata_path(self) -> str | None:
        """The path of the metadata, if the API's identifier is an address."""
        return self._core.metadata_path

    def __repr__(self) -> str:
        return repr(self._core)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a ResourceServer is not pickled or copied; share it")
