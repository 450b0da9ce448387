"""OAuth 2.0 and OpenID Connect as a client: log-ins, tokens for machines, remote keys.

::

    from gatekey import OAuthClient

    client = OAuthClient(
        "my-client",
        preset="google",
        client_secret=...,
        redirect_uri="https://app.example/cb",
    )
    begun = client.begin(return_to="/orders")  # redirect to .url, with .set_cookies
    login = client.finish(request_url, cookies)  # when the browser is back
    print(login.subject, login.claims)

Every call that needs another server has a twin in :mod:`gatekey.aio`.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from gatekey._core import (
    HttpRequest,
    HttpTransport,
    Key,
    _milliseconds,
    _OAuthClient,
    _RemoteKeySet,
    _ResourceServer,
    _seconds,
    _TokenManager,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from gatekey._core import (
        Access,
        ApiKeys,
        BegunLogin,
        DeviceCodes,
        FinishedLogin,
        Introspection,
        KeyRing,
        KeySet,
        LogoutNotice,
        OAuthTokens,
        Revocations,
        UserInfo,
        _Operation,
        _Seconds,
    )

_Carrier = TypeVar("_Carrier")

__all__ = ["OAuthClient", "RemoteKeySet", "ResourceServer", "TokenManager"]


def _at_least(span: _Seconds, what: str) -> int:
    return -(-_milliseconds(span, what) // 1000)


class _Client(Generic[_Carrier]):
    """What the blocking and the asyncio client share: the configuration and the operations."""

    _core: _OAuthClient

    def __init__(
        self,
        client_id: str,
        *,
        issuer: str | None = None,
        preset: str | None = None,
        client_secret: str | None = None,
        private_key: Key | str | Mapping[str, object] | None = None,
        auth_method: str | None = None,
        assertion_audience: str | None = None,
        redirect_uri: str | None = None,
        scopes: Sequence[str] | None = None,
        endpoints: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        id_token_algorithms: Sequence[str] | None = None,
        trusted_audiences: Sequence[str] | None = None,
        allowed_tenants: Sequence[str] | None = None,
        discover: bool | None = None,
        require_pkce: bool = False,
        allow_loopback_http: bool = False,
        leeway: _Seconds = 60,
        deadline: _Seconds = 10.0,
        quirks: Mapping[str, object] | None = None,
        flow_keys: str | bytes | Sequence[tuple[int, bytes]] | None = None,
        replay: Revocations | None = None,
        transport: _Carrier | None = None,
    ) -> None:
        """Take a registration at a server that its issuer, its endpoints or a preset name.

        :param issuer: its metadata are fetched when first needed, and must name this very issuer.
        :param preset: one of ``gatekey.OAUTH_PRESETS``; ``variables`` fill in its placeholders.
        :param private_key: for ``private_key_jwt``: a ``Key``, PEM text or a JWK.
        :param auth_method: ``client_secret_basic``, ``client_secret_post``,
            ``client_secret_jwt``, ``private_key_jwt``, ``tls_client_auth`` or ``none``; otherwise
            the best there is.
        :param assertion_audience: whom the tokens of ``client_secret_jwt`` and ``private_key_jwt``
            are for: ``issuer``, unless set, or ``token_endpoint``, where a server takes nothing
            else.
        :param discover: False: take the endpoints as they are given, and fetch no metadata.
        :param endpoints: by the names of RFC 8414, for example ``token_endpoint``.
        :param flow_keys: secrets that the cookies of log-ins are sealed with, as peppers are
            given; every process that finishes log-ins needs the same. Without them this object
            makes one of its own.
        :param replay: refuses callbacks that were seen, even if someone kept the cookie.
        :param allow_loopback_http: plain HTTP to this very machine, for tests.
        :param transport: what carries the requests, instead of the built-in transport as it is.
        :raises ConfigurationError: something is missing, contradicts itself or is not HTTPS;
            ``claim`` names the member where there is one.
        """
        config: dict[str, object] = {
            "preset": preset,
            "issuer": issuer,
            "discover": discover,
            "client_id": client_id,
            "client_secret": client_secret,
            "private_key": _private(private_key),
            "token_endpoint_auth_method": auth_method,
            "assertion_audience": assertion_audience,
            "redirect_uri": redirect_uri,
            "scopes": _list(scopes),
            "variables": dict(variables) if variables else None,
            "id_token_algorithms": _list(id_token_algorithms),
            "trusted_audiences": _list(trusted_audiences),
            "allowed_tenants": _list(allowed_tenants),
            "quirks": dict(quirks) if quirks else None,
            "require_pkce": require_pkce,
            "allow_loopback_http": allow_loopback_http,
            "leeway": _seconds(leeway, "leeway"),
            "deadline_ms": _milliseconds(deadline, "deadline"),
            **(endpoints or {}),
        }
        self._core = _OAuthClient(_json(config), flow_keys=flow_keys, replay=replay)
        self._own_transport = transport
        self._http = HttpTransport(allow_loopback_http=allow_loopback_http, deadline=deadline)

    @property
    def client_id(self) -> str:
        """The client's id."""
        return self._core.client_id

    @property
    def issuer(self) -> str | None:
        """Who the authorization server is, if the configuration names an issuer."""
        return self._core.issuer

    def end_login(self, callback: str) -> str | None:
        """Give the ``Set-Cookie`` value that ends a callback's log-in, whatever became of it."""
        return self._core.end_login(callback)

    def _begin(
        self,
        cookies: str | None,
        scopes: Sequence[str] | None,
        parameters: Mapping[str, str] | None,
        resources: Sequence[str] | None,
        **options: object,
    ) -> _Operation:
        if options.get("max_age") is not None:
            options["max_age"] = _seconds(options["max_age"], "max_age")
        options["scopes"] = _list(scopes)
        options["resources"] = _list(resources)
        options["parameters"] = dict(parameters) if parameters else None
        return self._core.begin(_json(options), cookies or "")

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.client_id!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("an OAuth client cannot be pickled or copied: it holds secrets")


@final
class OAuthClient(_Client[HttpTransport]):
    """One registration at one authorization server. Safe to share between threads."""

    @property
    def _transport(self) -> HttpTransport:
        return self._own_transport or self._http

    def begin(
        self,
        *,
        return_to: str = "/",
        scopes: Sequence[str] | None = None,
        prompt: str | None = None,
        login_hint: str | None = None,
        acr_values: str | None = None,
        max_age: _Seconds | None = None,
        resources: Sequence[str] | None = None,
        parameters: Mapping[str, str] | None = None,
        cookies: str | None = None,
    ) -> BegunLogin:
        """Begin a log-in: send the browser to ``url``, with every one of ``set_cookies``.

        :param return_to: the page of this site to go to afterwards; what could lead elsewhere
            becomes ``/``.
        :param cookies: the request's ``Cookie`` header, so that old log-ins are cleaned up.
        """
        operation = self._begin(
            cookies,
            scopes,
            parameters,
            resources,
            return_to=return_to,
            prompt=prompt,
            login_hint=login_hint,
            acr_values=acr_values,
            max_age=max_age,
        )
        begun: BegunLogin = self._run(operation)
        return begun

    def finish(self, callback: str, cookies: str | None) -> FinishedLogin:
        """Finish a log-in.

        ``state``, ``iss`` and errors are looked at before anything is asked of anybody.

        :param callback: its URL, its query, or the form that was posted.
        :param cookies: the request's ``Cookie`` header.
        :raises OAuthStateError: it was not begun by this browser.
        :raises AccessDeniedError: the user said no.
        """
        login: FinishedLogin = self._run(self._core.finish(callback, cookies or ""))
        return login

    def userinfo(self, tokens: OAuthTokens) -> UserInfo:
        """Ask who the user is. If an ID token has said so before, it must be the same."""
        info: UserInfo = self._run(self._core.userinfo(tokens))
        return info

    def refresh(self, tokens: OAuthTokens) -> OAuthTokens:
        """Get new tokens; keep them before you use them, as a ``TokenManager`` does.

        If it fails after the server has given a new refresh token, the error's ``tokens`` are the
        ones to keep: the old ones, with that.
        """
        return self._tokens(self._core.refresh(tokens))

    def client_credentials(
        self,
        *,
        scopes: Sequence[str] = (),
        resources: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get a token for the client itself (RFC 6749 section 4.4)."""
        return self._tokens(self._core.client_credentials(_grant(scopes, resources, parameters)))

    def jwt_bearer(
        self,
        assertion: str,
        *,
        scopes: Sequence[str] = (),
        resources: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Exchange an assertion that someone whom the server trusts has signed (RFC 7523)."""
        grant = _grant(scopes, resources, parameters)
        return self._tokens(self._core.jwt_bearer(assertion, grant))

    def token_exchange(
        self, subject_token: str, subject_token_type: str, **more: Any
    ) -> OAuthTokens:
        """Exchange one token for another (RFC 8693).

        :param more: any of ``actor_token``, ``actor_token_type``, ``requested_token_type``,
            ``audience``, ``scopes``, ``resources`` and ``parameters``.
        """
        return self._tokens(
            self._core.token_exchange(_exchange(subject_token, subject_token_type, more))
        )

    def device_codes(
        self, *, scopes: Sequence[str] = (), parameters: Mapping[str, str] | None = None
    ) -> DeviceCodes:
        """Begin the flow for a device (RFC 8628): show the codes, then ``poll``."""
        codes: DeviceCodes = self._run(self._core.device_codes(_grant(scopes, (), parameters)))
        return codes

    def poll(self, codes: DeviceCodes) -> OAuthTokens:
        """Ask until the user has said yes or no, as often as the server wants it."""
        return self._tokens(self._core.poll(codes))

    def introspect(self, token: str) -> Introspection:
        """Ask whether a token is good (RFC 7662)."""
        told: Introspection = self._run(self._core.introspect(token))
        return told

    def revoke(self, token: str, *, is_refresh_token: bool = True) -> None:
        """End a token at the server (RFC 7009)."""
        self._run(self._core.revoke(token, is_refresh_token))

    def logout_url(
        self,
        *,
        id_token: str | None = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
    ) -> str:
        """Say where to send the browser so that the user is signed out at the server too."""
        url: str = self._run(self._core.logout_url(id_token, post_logout_redirect_uri, state))
        return url

    def logout_notice(self, logout_token: str) -> LogoutNotice:
        """Verify the ``logout_token`` that the server posts when a session ends.

        It is of the type ``logout+jwt``, ``JWT`` or none, names a subject, a session or both, and
        is at most two minutes old. With ``replay`` it is accepted once; otherwise see that its
        ``token_id`` has not been seen.
        """
        notice: LogoutNotice = self._run(self._core.logout_notice(logout_token))
        return notice

    def _tokens(self, operation: _Operation) -> OAuthTokens:
        tokens: OAuthTokens = self._run(operation)
        return tokens

    def _run(self, operation: _Operation) -> Any:
        return _run(operation, self._transport)


@final
class RemoteKeySet(_RemoteKeySet):
    """The keys that an issuer publishes, for ``Verifier(keys)`` and ``ResourceServer(keys=keys)``.

    Fetched when they are first needed, and again when they are not fresh any more or a token
    wants a key that is not known; the latter once in ``cooldown`` seconds. One caller fetches,
    the others go on.
    """

    _transport: HttpTransport

    def __new__(
        cls,
        url: str | None = None,
        *,
        issuer: str | None = None,
        ttl: _Seconds = 3600,
        min_ttl: _Seconds = 60,
        max_ttl: _Seconds = 86_400,
        cooldown: _Seconds = 30,
        max_stale: _Seconds = 86_400,
        rsa_alg: str = "RS256",
        allow_loopback_http: bool = False,
        deadline: _Seconds = 10.0,
        transport: HttpTransport | None = None,
    ) -> RemoteKeySet:
        """Name where the keys are, by ``url`` or by the ``issuer`` whose metadata say it.

        :param ttl: seconds for which keys are fresh if ``Cache-Control`` does not say; what it
            says is kept between ``min_ttl`` and ``max_ttl``.
        :param max_stale: seconds for which keys are used although the issuer is out of reach.
        :param rsa_alg: the algorithm of RSA keys that name none.
        """
        options = {
            "url": url,
            "issuer": issuer,
            "ttl": _seconds(ttl, "ttl"),
            "min_ttl": _seconds(min_ttl, "min_ttl"),
            "max_ttl": _seconds(max_ttl, "max_ttl"),
            "cooldown": _seconds(cooldown, "cooldown"),
            "max_stale": _seconds(max_stale, "max_stale"),
            "rsa_alg": rsa_alg,
            "allow_loopback_http": allow_loopback_http,
            "deadline_ms": _milliseconds(deadline, "deadline"),
        }
        if transport is None:
            transport = HttpTransport(allow_loopback_http=allow_loopback_http, deadline=deadline)
        keys = super().__new__(cls, _json(options), transport)
        keys._transport = transport
        return keys

    def refresh(self) -> None:
        """Fetch the keys now."""
        _run(self._refresh(), self._transport)


@final
class TokenManager:
    """Other servers' tokens under names of your own: kept, and refreshed once for everybody.

    One request for all threads and, with a ``folder``, for all processes. A new refresh token is
    kept before anybody sees the access token that came with it. Only ``invalid_grant`` ends one;
    whatever else goes wrong, it is tried again later. Safe to share between threads, usable after
    a fork.
    """

    def __init__(
        self,
        client: OAuthClient,
        *,
        folder: str | os.PathLike[str] | None = None,
        seal: str | bytes | Sequence[tuple[int, bytes]] | None = None,
        client_credentials: Mapping[str, object] | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        """Manage tokens of this client's.

        :param folder: where they are kept (mode 0700, files 0600); in memory without one.
        :param seal: secrets, as peppers are given, under which they are sealed.
        :param client_credentials: ``{"scopes": [...], "resources": [...]}``: a name under which
            there is no token gets one for the client itself.
        """
        place = None if folder is None else str(folder)
        grant = None if client_credentials is None else _json(dict(client_credentials))
        carrier = transport or client._transport
        self._core = _TokenManager(client._core, place, carrier, seal=seal, grant=grant)

    def put(self, name: str, tokens: OAuthTokens) -> None:
        """Keep tokens, for example of a log-in that was just finished."""
        self._core.put(name, tokens)

    def remove(self, name: str) -> None:
        """Forget the tokens of a name; revoke them first."""
        self._core.remove(name)

    def access_token(self, name: str, *, min_ttl: _Seconds = 60) -> str:
        """Give an access token that is good for at least so many seconds, refreshed if need be.

        :raises NoTokenError: there is none; a log-in is needed.
        :raises InvalidGrantError: there is none any more.
        """
        return self._core.tokens(name, _at_least(min_ttl, "min_ttl")).access_token

    def tokens(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens:
        """Give all that came with the access token."""
        return self._core.tokens(name, _at_least(min_ttl, "min_ttl"))

    def known(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens | None:
        """Give what is known without asking anybody, if it is good for so many seconds."""
        return self._core.known(name, _at_least(min_ttl, "min_ttl"))

    def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this one, unless there are by now."""
        return self._core.replace(name, refused)

    def __repr__(self) -> str:
        return repr(self._core)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a TokenManager is not pickled or copied; share it")


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
        :param api_keys: are accepted at the same door.
        :param metadata_url: where ``metadata`` is served, for challenges (RFC 9728).
        """
        if issuer is not None and keys is None:
            keys = RemoteKeySet(issuer=issuer, allow_loopback_http=allow_loopback_http)
        options = {
            "audience": audience,
            "issuer": issuer,
            "token_types": _list(token_types),
            "algorithms": _list(algorithms),
            "leeway": _seconds(leeway, "leeway"),
            "metadata_url": metadata_url,
            "scopes_supported": _list(scopes_supported),
        }
        asking = None
        if introspection is not None:
            asking = (
                introspection._core,
                introspection._transport,
                _seconds(introspection_ttl, "introspection_ttl"),
                _seconds(introspection_negative_ttl, "introspection_negative_ttl"),
                introspection_audience,
            )
        self._core = _ResourceServer(
            _json(options),
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


def _run(operation: _Operation, transport: HttpTransport) -> Any:
    """Drive an operation to its end. The GIL is released while a request is out."""
    while (step := operation.step()) is not None:
        if isinstance(step, HttpRequest):
            operation.send(transport)
        else:
            time.sleep(step)
    return operation.result()


def _json(members: Mapping[str, object]) -> str:
    """Write the members that are not None."""
    return json.dumps({name: value for name, value in members.items() if value is not None})


def _list(values: Sequence[str] | None) -> list[str] | None:
    if isinstance(values, str):
        raise TypeError("a list of strings is wanted, not one string")
    return None if values is None else list(values)


def _private(key: Key | str | Mapping[str, object] | None) -> object:
    if key is None or isinstance(key, str):
        return key
    return key.to_jwk(private=True) if isinstance(key, Key) else dict(key)


def _grant(
    scopes: Sequence[str], resources: Sequence[str], parameters: Mapping[str, str] | None
) -> str:
    members = {
        "scopes": _list(scopes),
        "resources": _list(resources),
        "parameters": dict(parameters or {}),
    }
    return _json(members)


def _exchange(token: str, kind: str, more: Mapping[str, Any]) -> str:
    return _json({"subject_token": token, "subject_token_type": kind, **more})
