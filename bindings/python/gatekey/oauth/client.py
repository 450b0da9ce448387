"""`OAuthClient`: a registration at an authorization server, and what it asks of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from gatekey._core import HttpTransport, _milliseconds, _OAuthClient, _seconds
from gatekey.exceptions import UsageError
from gatekey.oauth.operation import Transporting, run
from gatekey.oauth.options import (
    check_transport,
    exchange_text,
    grant_text,
    json_text,
    listed,
    mapped,
    of_type,
    plain_json,
    private_key_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekey._core import (
        BegunLogin,
        DeviceCodes,
        FinishedLogin,
        Introspection,
        Key,
        LogoutNotice,
        OAuthTokens,
        Revocations,
        UserInfo,
        _Clock,
        _Operation,
        _Seconds,
        _Secrets,
    )

Carrier = TypeVar("Carrier")


class Registration(Generic[Carrier]):
    """What the blocking and the asyncio client share: the configuration and the operations."""

    _core: _OAuthClient

    def __init__(
        self,
        client_id: str,
        *,
        issuer: str | None = None,
        preset: str | None = None,
        client_secret: str | None = None,
        private_key: Key | str | bytes | Mapping[str, object] | None = None,
        auth_method: str | None = None,
        assertion_audience: str | None = None,
        assertion_headers: Mapping[str, object] | None = None,
        redirect_uri: str | None = None,
        scopes: str | Sequence[str] | None = None,
        endpoints: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        id_token_algorithms: str | Sequence[str] | None = None,
        trusted_audiences: str | Sequence[str] | None = None,
        allowed_tenants: str | Sequence[str] | None = None,
        discover: bool | None = None,
        metadata_url: str | None = None,
        require_pkce: bool = False,
        allow_loopback_http: bool = False,
        leeway: _Seconds = 60,
        deadline: _Seconds = 10.0,
        quirks: Mapping[str, object] | None = None,
        flow_keys: _Secrets | None = None,
        replay: Revocations | None = None,
        clock: _Clock | None = None,
        transport: Carrier | None = None,
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
        :param assertion_headers: more members of the headers of these tokens, such as ``x5t`` or
            ``x5t#S256``, by which Entra ID knows the certificate.
        :param discover: False: take the endpoints as they are given, and fetch no metadata.
        :param metadata_url: where the issuer's metadata are, if its address does not lead to them;
            they must still name the issuer.
        :param endpoints: by the names of RFC 8414, for example ``token_endpoint``.
        :param flow_keys: secrets that the cookies of log-ins are sealed with: one, as bytes or a
            text, or pairs of a number and one, oldest first, or a text as in a pepper file; every
            process that finishes log-ins needs the same. Without them this object
            makes one of its own.
        :param replay: refuses callbacks that were seen, even if the cookie was kept.
        :param allow_loopback_http: plain HTTP to this very machine, for tests.
        :param clock: the date, as seconds since 1970: a callable, or an object with ``now()``. How
            old something is, is still measured by the system's time.
        :param transport: what carries the requests, instead of the built-in transport as it is: a
            ``HttpTransport`` with other options, or a ``gatekey.Transport`` of the program's own.
        :raises ConfigurationError: something is missing, contradicts itself or is not HTTPS;
            ``claim`` names the member where there is one.
        """
        check_transport(transport)
        config: dict[str, object] = {
            "preset": preset,
            "issuer": issuer,
            "discover": discover,
            "metadata_url": metadata_url,
            "client_id": client_id,
            "client_secret": client_secret,
            "private_key": private_key_of(private_key),
            "token_endpoint_auth_method": auth_method,
            "assertion_audience": assertion_audience,
            "assertion_headers": plain_json(assertion_headers, "assertion_headers") or None,
            "redirect_uri": redirect_uri,
            "scopes": listed(scopes, "scopes"),
            "variables": mapped(variables, "variables"),
            "id_token_algorithms": listed(id_token_algorithms, "id_token_algorithms"),
            "trusted_audiences": listed(trusted_audiences, "trusted_audiences"),
            "allowed_tenants": listed(allowed_tenants, "allowed_tenants"),
            "quirks": mapped(quirks, "quirks"),
            "require_pkce": require_pkce,
            "allow_loopback_http": allow_loopback_http,
            "leeway": _seconds(leeway, "leeway"),
            "deadline_ms": _milliseconds(deadline, "deadline"),
        }
        for name, url in (mapped(endpoints, "endpoints") or {}).items():
            if name in config:
                raise UsageError(f"`{name}` is an argument of its own, and no endpoint.")
            config[name] = url
        self._core = _OAuthClient(
            json_text(config), flow_keys=flow_keys, replay=replay, clock=clock
        )
        self._own_transport = transport
        self._reach: dict[str, Any] = {
            "allow_loopback_http": allow_loopback_http,
            "deadline": deadline,
        }

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
        scopes: str | Sequence[str] | None,
        parameters: Mapping[str, str] | None,
        resources: str | Sequence[str] | None,
        **options: object,
    ) -> _Operation:
        if options.get("max_age") is not None:
            options["max_age"] = _seconds(options["max_age"], "max_age")
        options["scopes"] = listed(scopes, "scopes")
        options["resources"] = listed(resources, "resources")
        options["parameters"] = mapped(parameters, "parameters")
        return self._core.begin(json_text(options), cookies or "")

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.client_id!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("an OAuth client cannot be pickled or copied: it holds secrets")


def check_client(client: object, name: str, of: str = "gatekey") -> None:
    """Refuse what is no client, and say how one is made."""
    if not isinstance(client, Registration):
        made = "OAuthClient(client_id, issuer=..., client_secret=...)"
        raise of_type(client, name, f"a {of}.OAuthClient, made by {made}")


@final
class OAuthClient(Registration[Transporting]):
    """One registration at one authorization server. Safe to share between threads."""

    @cached_property
    def _transport(self) -> Transporting:
        own = self._own_transport
        return HttpTransport(**self._reach) if own is None else own

    def begin(
        self,
        *,
        return_to: str = "/",
        scopes: str | Sequence[str] | None = None,
        prompt: str | None = None,
        login_hint: str | None = None,
        acr_values: str | None = None,
        max_age: _Seconds | None = None,
        resources: str | Sequence[str] | None = None,
        parameters: Mapping[str, str] | None = None,
        cookies: str | None = None,
    ) -> BegunLogin:
        """Begin a log-in: send the browser to ``url``, with every one of ``set_cookies``.

        :param return_to: the page of this site to go to afterwards, at most 2,048 bytes; what could
            lead elsewhere becomes ``/``.
        :param parameters: the server's own parameters, instead of the preset's of those names.
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

    def finish(
        self,
        callback: str,
        cookies: str | None,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> FinishedLogin:
        """Finish a log-in.

        ``state``, ``iss`` and errors are looked at before any request is made.

        :param callback: its URL, its query, or the form that was posted.
        :param cookies: the request's ``Cookie`` header.
        :param resources: out of those that ``begin`` asked for; a single one is asked for in any
            case (RFC 8707 section 2.2).
        :param parameters: of the server's own, for the request of the tokens; so are ``scopes``.
        :raises OAuthStateError: it was not begun by this browser.
        :raises AccessDeniedError: the user said no.
        """
        grant = grant_text(scopes, resources, parameters)
        login: FinishedLogin = self._run(self._core.finish(callback, cookies or "", grant))
        return login

    def userinfo(self, tokens: OAuthTokens | str) -> UserInfo:
        """Ask who the user is. If an ID token has said so before, it must be the same.

        :param tokens: or an access token alone; then it is not known whom it should be about, so
            look at ``subject``.
        """
        info: UserInfo = self._run(self._core.userinfo(tokens))
        return info

    def metadata(self) -> dict[str, Any]:
        """Say what the server says about itself (RFC 8414), fetched if it is not known yet.

        A new dict, with the endpoints of the configuration in their places. Nothing of it has been
        checked but the issuer.
        """
        metadata: dict[str, Any] = self._run(self._core.metadata())
        return metadata

    def refresh(
        self,
        tokens: OAuthTokens,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get new tokens; keep them before you use them, as a ``TokenManager`` does.

        :param scopes: to ask for instead of all that were granted (RFC 6749 section 6).
        :param resources: instead of those of the tokens.
        :param parameters: of the server's own.

        If it fails after the server has given a new refresh token, the error's ``tokens`` are the
        ones to keep: the old ones, with that.
        """
        grant = grant_text(scopes, resources, parameters)
        return self._tokens(self._core.refresh(tokens, grant))

    def client_credentials(
        self,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get a token for the client itself (RFC 6749 section 4.4)."""
        return self._tokens(
            self._core.client_credentials(grant_text(scopes, resources, parameters))
        )

    def jwt_bearer(
        self,
        assertion: str,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Exchange an assertion that an issuer whom the server trusts has signed (RFC 7523)."""
        grant = grant_text(scopes, resources, parameters)
        return self._tokens(self._core.jwt_bearer(assertion, grant))

    def token_exchange(
        self, subject_token: str, subject_token_type: str, **more: Any
    ) -> OAuthTokens:
        """Exchange one token for another (RFC 8693).

        :param more: any of ``actor_token``, ``actor_token_type``, ``requested_token_type``,
            ``audience``, ``scopes``, ``resources`` and ``parameters``.
        """
        return self._tokens(
            self._core.token_exchange(exchange_text(subject_token, subject_token_type, more))
        )

    def device_codes(
        self,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> DeviceCodes:
        """Begin the flow for a device (RFC 8628): show the codes, then ``poll``."""
        grant = grant_text(scopes, resources, parameters)
        codes: DeviceCodes = self._run(self._core.device_codes(grant))
        return codes

    def poll(
        self,
        codes: DeviceCodes,
        *,
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Ask until the user has said yes or no, as often as the server wants it.

        :param parameters: of the server's own, in each question; so are ``resources``.
        """
        return self._tokens(self._core.poll(codes, grant_text((), resources, parameters)))

    def introspect(
        self, token: str, *, parameters: Mapping[str, str] | None = None
    ) -> Introspection:
        """Ask whether a token is good (RFC 7662).

        :param parameters: ``token_type_hint``, or those of the server's own.
        """
        grant = grant_text((), (), parameters)
        told: Introspection = self._run(self._core.introspect(token, grant))
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
        return run(operation, self._transport)
