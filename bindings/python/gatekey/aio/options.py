"""The keywords of the classes of :mod:`gatekey.aio`: those of their twins, and the twins' twins.

A test holds them against the signatures in :mod:`gatekey`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from os import PathLike

    from gatekey import _core, oauth
    from gatekey._core import Key, KeySet, _Clock, _Expected, _Peppers, _RemoteKeySet, _Seconds
    from gatekey.aio.client import OAuthClient
    from gatekey.aio.operation import AnyTransport
    from gatekey.aio.store import ApiKeys, KeyRing, Revocations
    from gatekey.aio.verifier import Signer

    _Keys = Key | KeySet | Iterable[Key] | KeyRing | _core.KeyRing | _RemoteKeySet


class ClientOptions(TypedDict, total=False):
    """Those of :class:`gatekey.OAuthClient`."""

    issuer: str | None
    preset: str | None
    client_secret: str | None
    private_key: Key | str | bytes | Mapping[str, object] | None
    auth_method: str | None
    assertion_audience: str | None
    assertion_headers: Mapping[str, object] | None
    redirect_uri: str | None
    scopes: Sequence[str] | None
    endpoints: Mapping[str, str] | None
    variables: Mapping[str, str] | None
    id_token_algorithms: Sequence[str] | None
    trusted_audiences: Sequence[str] | None
    allowed_tenants: Sequence[str] | None
    discover: bool | None
    metadata_url: str | None
    require_pkce: bool
    allow_loopback_http: bool
    leeway: _Seconds
    deadline: _Seconds
    quirks: Mapping[str, object] | None
    flow_keys: str | bytes | Sequence[tuple[int, bytes]] | None
    clock: _Clock | None
    transport: AnyTransport | None


class ExchangeOptions(TypedDict, total=False):
    """What a token exchange (RFC 8693) may say."""

    actor_token: str
    actor_token_type: str
    requested_token_type: str
    audience: str
    scopes: Sequence[str]
    resources: Sequence[str]
    parameters: Mapping[str, str]


class RemoteKeySetOptions(TypedDict, total=False):
    """Those of :class:`gatekey.RemoteKeySet`."""

    issuer: str | None
    metadata_url: str | None
    ttl: _Seconds
    min_ttl: _Seconds
    max_ttl: _Seconds
    cooldown: _Seconds
    max_stale: _Seconds
    rsa_alg: str
    allow_loopback_http: bool
    deadline: _Seconds
    clock: _Clock | None


class TokenManagerOptions(TypedDict, total=False):
    """Those of :class:`gatekey.TokenManager`."""

    folder: str | PathLike[str] | None
    seal: str | bytes | Sequence[tuple[int, bytes]] | None
    client_credentials: Mapping[str, object] | None
    refresh_with: Mapping[str, object] | None
    transport: AnyTransport | None


class ResourceServerOptions(TypedDict, total=False):
    """Those of :class:`gatekey.ResourceServer`."""

    clients: Sequence[str] | None
    issuer: str | None
    keys: _Keys | None
    issuers: Mapping[str, oauth.DoorRule | _Keys | None] | None
    token_types: Sequence[str | None] | None
    claims: Mapping[str, object] | None
    algorithms: Sequence[str] | None
    leeway: _Seconds | None
    tenant_claim: str | None
    revocations: Revocations | _core.Revocations | None
    introspection: OAuthClient | oauth.OAuthClient | None
    introspection_ttl: _Seconds
    introspection_negative_ttl: _Seconds
    introspection_audience: bool
    introspection_unknown_tokens: int
    api_keys: ApiKeys | _core.ApiKeys | None
    resource: str | None
    metadata_url: str | None
    scopes_supported: Sequence[str] | None
    allow_loopback_http: bool
    clock: _Clock | None
    transport: AnyTransport | None


class IssuersOptions(TypedDict, total=False):
    """Those of :meth:`gatekey.Verifier.for_issuers`."""

    audience: _Expected
    typ: _Expected
    subject: str | int | None
    leeway: _Seconds
    max_age: _Seconds | None
    required: str | Iterable[str]
    allow_missing_exp: bool
    clock: _Clock | None
    algorithms: str | Iterable[str] | None
    max_token_bytes: int | None
    max_header_bytes: int | None
    try_keys_without_kid: bool
    revocations: Revocations | _core.Revocations | None
    claims: Mapping[str, Any] | None
    allow_numeric_subject: bool
    allow_padding: bool


class VerifierOptions(IssuersOptions, total=False):
    """Those of :class:`gatekey.Verifier`."""

    issuer: _Expected


class SignerOptions(TypedDict, total=False):
    """Those of :class:`gatekey.Signer`."""

    issuer: str | None
    audience: str | Iterable[str] | None
    ttl: _Seconds | None
    typ: str | None
    kid: bool
    token_ids: bool
    allow_missing_exp: bool
    clock: _Clock | None
    headers: Mapping[str, Any] | None
    default: Callable[[Any], Any] | None


class OpenOptions(TypedDict, total=False):
    """Those that are common to all that is opened."""

    max_stale: _Seconds
    clock: _Clock | None


class ApiKeysOfStore(TypedDict, total=False):
    """Those of :meth:`gatekey.Store.api_keys`."""

    prefix: str
    env: str
    limits: str | PathLike[str] | Literal[False] | None


class ApiKeysOptions(ApiKeysOfStore, OpenOptions, total=False):
    """Those of :meth:`gatekey.ApiKeys.open`."""

    pepper: _Peppers | None
    strict: bool


class RevocationsOfStore(TypedDict, total=False):
    """Those of :meth:`gatekey.Store.revocations`."""

    max_token_ttl: _Seconds
    tenant_claim: str


class RevocationsOptions(RevocationsOfStore, OpenOptions, total=False):
    """Those of :meth:`gatekey.Revocations.open`."""

    strict: bool
    create: bool


class SessionsOfStore(RevocationsOfStore, total=False):
    """Those of :meth:`gatekey.Store.sessions`."""

    signer: Signer | _core.Signer | None
    refresh_ttl: _Seconds
    absolute_ttl: _Seconds
    grace: _Seconds


class SessionsOptions(SessionsOfStore, OpenOptions, total=False):
    """Those of :meth:`gatekey.Sessions.open`."""

    pepper: _Peppers | None
    strict: bool


class KeyRingOfStore(TypedDict, total=False):
    """Those of :meth:`gatekey.Store.key_ring`."""

    alg: str
    token_ttl: _Seconds | None
    keys: Iterable[Key]


class KeyRingOptions(KeyRingOfStore, OpenOptions, total=False):
    """Those of :meth:`gatekey.KeyRing.open`."""

    name: str
    pepper: _Peppers | None


class StoreOptions(OpenOptions, total=False):
    """Those of :meth:`gatekey.Store.open`."""

    pepper: _Peppers | None
    pepper_file: str | PathLike[str] | None
    pepper_env: str | None
    strict: bool
    limits: str | None
    create: bool
