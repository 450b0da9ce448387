"""`ResourceServer`: the check of an API's incoming requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, final

from gatekey._core import ANY, IssuerRule, _bounded, _ResourceServer, _seconds
from gatekey.exceptions import ConfigurationError
from gatekey.oauth.client import check_client
from gatekey.oauth.door_rule import DoorRule
from gatekey.oauth.options import (
    check_transport,
    flag,
    json_text,
    listed,
    mapped,
    plain_json,
    text,
)
from gatekey.oauth.remote_key_set import RemoteKeySet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from gatekey._core import (
        Access,
        AnyValue,
        ApiKeys,
        Key,
        KeyRing,
        KeySet,
        Revocations,
        _Clock,
        _RemoteKeySet,
        _Seconds,
    )
    from gatekey.oauth.client import OAuthClient
    from gatekey.oauth.operation import Transporting


def rule_of(rule: Any) -> DoorRule:
    """Give the rule of an issuer that may be named with its keys alone."""
    if isinstance(rule, IssuerRule):
        raise TypeError("an IssuerRule is for Verifier.for_issuers(): take a DoorRule")
    if isinstance(rule, Mapping):
        raise TypeError("the keys of an issuer are a dict: make them by KeySet.from_jwks(...)")
    if isinstance(rule, str | bytes):
        raise TypeError(
            f"the keys of an issuer are {type(rule).__name__}: give RemoteKeySet(url) for the URL "
            "of a JWK Set, KeySet.from_jwks(text) for the set itself, Key.from_pem(text) for a key "
            "in PEM, or None for those that the issuer's metadata lead to"
        )
    return rule if isinstance(rule, DoorRule) else DoorRule(rule)


@final
class ResourceServer:
    """The check of an API's incoming requests: JWTs, opaque tokens and API keys, in one call.

    ::

        api = ResourceServer("https://api.example", issuer="https://auth.example")
        access = api.check(request.headers.get("Authorization"), scopes=["orders:read"])

    A refusal is an exception with ``status`` and ``www_authenticate`` to answer with.
    """

    def __init__(
        self,
        audience: str | AnyValue,
        *,
        clients: str | Sequence[str] | None = None,
        issuer: str | None = None,
        keys: RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None = None,
        issuers: Mapping[
            str, DoorRule | RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None
        ]
        | None = None,
        token_types: str | Sequence[str | None] | None = None,
        claims: Mapping[str, object] | None = None,
        algorithms: str | Sequence[str] | None = None,
        leeway: _Seconds | None = None,
        tenant_claim: str | None = None,
        revocations: Revocations | None = None,
        introspection: OAuthClient | None = None,
        introspection_ttl: _Seconds = 30,
        introspection_negative_ttl: _Seconds = 10,
        introspection_audience: bool = True,
        introspection_unknown_tokens: int = 100,
        api_keys: ApiKeys | None = None,
        resource: str | None = None,
        metadata_url: str | None = None,
        scopes_supported: str | Sequence[str] | None = None,
        allow_loopback_http: bool = False,
        clock: _Clock | None = None,
        transport: Transporting | None = None,
    ) -> None:
        """Check requests to the API of this identifier, which tokens must name as their audience.

        :param audience: ``gatekey.ANY``, only together with ``clients``, for issuers whose access
            tokens name no API, or none that could be given here.
        :param clients: whose tokens are accepted, by ``client_id``, ``cid`` or ``appid``; every
            client's unless given.
        :param issuer: whose JWTs are accepted (RFC 9068); verified with ``keys``, or with those
            that its metadata lead to.
        :param issuers: several issuers, each with its own keys, which verify no other's tokens;
            ``None`` for those that its metadata lead to; a :class:`DoorRule` for an issuer whose
            tokens have another audience, other clients or types than those of the door.
        :param token_types: the ``typ`` accepted instead of ``at+jwt``; ``None`` in the list for
            tokens without one: ``[None, "JWT"]``. ID tokens are still refused.
        :param claims: values that a token's claims must have, such as ``{"token_type": "access"}``;
            of opaque tokens, those of the server's answer.
        :param leeway: how far an issuer's clock may be off: 30 seconds unless given, and 0 for one
            whose keys are a ``KeyRing`` of ours.
        :param tenant_claim: the claim that names a token's tenant; without it only API keys have
            one.
        :param introspection: the client that asks about tokens that are not JWTs (RFC 7662);
            answers are remembered for ``introspection_ttl`` seconds, never for longer than the
            token is good. They must name the audience, unless ``introspection_audience`` is
            ``False``.
        :param introspection_unknown_tokens: how many tokens that the server does not know it is
            asked about at once; a tenth of it again each second, 0 for any number. Beyond that
            they are ``OAuthServerError``, with ``retry_after``.
        :param api_keys: are accepted by the same server, and known before any other server is
            asked.
        :param resource: the API's identifier for ``metadata``, where ``audience`` is ``ANY``.
        :param metadata_url: where ``metadata`` is served, for challenges (RFC 9728).
        :param clock: the date, as seconds since 1970, that tokens are judged by: a callable, or an
            object with ``now()``. API keys and rings go by their own.
        :param transport: what fetches the keys of issuers that are given none, as
            :class:`gatekey.OAuthClient` takes it; ``introspection`` has its own.
        :raises ConfigurationError: nothing would be accepted, or an option contradicts itself.
        """
        if resource is not None and audience is not ANY:
            raise ConfigurationError(
                "The `resource` is for `audience=ANY`; otherwise the audience is the identifier."
            )

        if issuers is not None and not mapped(issuers, "issuers"):
            raise ConfigurationError("No issuer is named in `issuers`: name at least one.")
        if audience is not ANY:
            text(audience, "audience")
        flag(allow_loopback_http, "allow_loopback_http")
        check_transport(transport)
        if introspection is not None:
            check_client(introspection, "introspection")

        def known(
            name: str, keys: _RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None
        ) -> _RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key]:
            if keys is not None:
                return keys
            return RemoteKeySet(
                issuer=name, allow_loopback_http=allow_loopback_http, transport=transport
            )

        own = {name: rule_of(rule) for name, rule in (mapped(issuers, "issuers") or {}).items()}
        of_issuer = keys if issuer is None else known(issuer, keys)
        options = {
            "audience": (resource or "") if audience is ANY else audience,
            "any_audience": audience is ANY,
            "clients": listed(clients, "clients"),
            "issuer": issuer,
            "token_types": listed(token_types, "token_types"),
            "claims": plain_json(claims, "claims"),
            "algorithms": listed(algorithms, "algorithms"),
            "leeway": None if leeway is None else _seconds(leeway, "leeway"),
            "tenant_claim": tenant_claim,
            "metadata_url": metadata_url,
            "scopes_supported": listed(scopes_supported, "scopes_supported"),
            "issuers": {name: rule._members for name, rule in own.items() if rule._members} or None,
        }
        asking = None
        if introspection is not None:
            asking = (
                introspection._core,
                introspection._transport,
                _seconds(introspection_ttl, "introspection_ttl"),
                _seconds(introspection_negative_ttl, "introspection_negative_ttl"),
                flag(introspection_audience, "introspection_audience"),
                _bounded(introspection_unknown_tokens, "introspection_unknown_tokens", 2**32 - 1),
            )
        several = [(name, known(name, rule._keys)) for name, rule in own.items()]
        # For a guard on a loop, which asks by the same transports.
        self._asks = introspection
        self._fetches = [of_issuer, *(keys for _, keys in several)]
        self._core = _ResourceServer(
            json_text(options),
            keys=of_issuer,
            issuers=several,
            introspection=asking,
            api_keys=api_keys,
            revocations=revocations,
            clock=clock,
        )

    def check(
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
        """Say who calls, by the value of the request's ``Authorization`` header.

        :param api_key: the value of the request's ``X-API-Key`` header, or of another that is for
            API keys alone. A request has exactly one credential, unless ``decided_by`` is given.
        :param scopes: every one of these must have been granted.
        :param acr_values: one of these must be how the user signed in; ``max_age``: at most that
            many seconds ago (RFC 9470).
        :param address: the caller's, for API keys with an allow-list. A text that is no address
            counts as an unknown one.
        :param tenant: what the caller must belong to: the tenant of an API key, or of a token by
            ``tenant_claim``.
        :param decided_by: which credential decides where a request may bring both: it must be
            there, it alone must meet the demand, and nothing of the other is granted, which must be
            valid if it is there.
        :raises GatekeyError: with ``status`` and ``www_authenticate`` to answer with.
        """
        return self._core.check(
            authorization, api_key, scopes, acr_values, max_age, address, tenant, decided_by
        )

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
