"""`OAuthClient` for asyncio."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, final

from gatekey.aio.attempt import plain
from gatekey.aio.operation import AnyTransport, Carrier, blocking_of, carrier_of, drive
from gatekey.aio.pool import STORES
from gatekey.aio.transport import HttpTransport
from gatekey.oauth.client import Registration
from gatekey.oauth.options import exchange_text, grant_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from gatekey import _core
    from gatekey._core import (
        BegunLogin,
        DeviceCodes,
        FinishedLogin,
        Introspection,
        LogoutNotice,
        OAuthTokens,
        UserInfo,
        _Operation,
        _Seconds,
    )
    from gatekey.aio.options import ClientOptions, ExchangeOptions
    from gatekey.aio.store import Revocations
    from gatekey.oauth.operation import Transporting


@final
class OAuthClient(Registration[AnyTransport]):
    """One registration at one authorization server. See :class:`gatekey.OAuthClient`."""

    def __init__(
        self,
        client_id: str,
        *,
        replay: Revocations | _core.Revocations | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Take the options of :class:`gatekey.OAuthClient`.

        :param transport: what carries the requests: an async callable, a
            :class:`gatekey.aio.HttpTransport`, or a :class:`gatekey.HttpTransport` or another
            object with a blocking ``send``, which work in threads.
        """
        super().__init__(client_id, replay=plain(replay), **options)
        self._may_wait = replay is not None

    async def begin(
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
        """Begin a log-in: send the browser to ``url``, with every one of ``set_cookies``."""
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
        begun: BegunLogin = await self._run(operation)
        return begun

    async def finish(
        self,
        callback: str,
        cookies: str | None,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> FinishedLogin:
        """Finish a log-in; see :meth:`gatekey.OAuthClient.finish`."""
        grant = grant_text(scopes, resources, parameters)
        begin = partial(self._core.finish, callback, cookies or "", grant)
        # What was seen before is asked of a store.
        operation = await STORES.run(begin) if self._may_wait else begin()
        login: FinishedLogin = await self._run(operation)
        return login

    async def userinfo(self, tokens: OAuthTokens | str) -> UserInfo:
        """Ask who the user of these tokens, or of an access token alone, is."""
        info: UserInfo = await self._run(self._core.userinfo(tokens))
        return info

    async def metadata(self) -> dict[str, Any]:
        """Say what the server says about itself (RFC 8414), fetched if it is not known yet."""
        metadata: dict[str, Any] = await self._run(self._core.metadata())
        return metadata

    async def refresh(
        self,
        tokens: OAuthTokens,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get new tokens; keep them before you use them, and ``tokens`` of an error as well."""
        grant = grant_text(scopes, resources, parameters)
        return await self._tokens(self._core.refresh(tokens, grant))

    async def client_credentials(
        self,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get a token for the client itself (RFC 6749 section 4.4)."""
        grant = grant_text(scopes, resources, parameters)
        return await self._tokens(self._core.client_credentials(grant))

    async def jwt_bearer(
        self,
        assertion: str,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Exchange an assertion that an issuer whom the server trusts has signed (RFC 7523)."""
        grant = grant_text(scopes, resources, parameters)
        return await self._tokens(self._core.jwt_bearer(assertion, grant))

    async def token_exchange(
        self, subject_token: str, subject_token_type: str, **more: Unpack[ExchangeOptions]
    ) -> OAuthTokens:
        """Exchange one token for another (RFC 8693)."""
        exchange = exchange_text(subject_token, subject_token_type, more)
        return await self._tokens(self._core.token_exchange(exchange))

    async def device_codes(
        self,
        *,
        scopes: str | Sequence[str] = (),
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> DeviceCodes:
        """Begin the flow for a device without a browser (RFC 8628)."""
        grant = grant_text(scopes, resources, parameters)
        codes: DeviceCodes = await self._run(self._core.device_codes(grant))
        return codes

    async def poll(
        self,
        codes: DeviceCodes,
        *,
        resources: str | Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Ask until the user has said yes or no; cancel the task to give up."""
        return await self._tokens(self._core.poll(codes, grant_text((), resources, parameters)))

    async def introspect(
        self, token: str, *, parameters: Mapping[str, str] | None = None
    ) -> Introspection:
        """Ask whether a token is good (RFC 7662)."""
        grant = grant_text((), (), parameters)
        told: Introspection = await self._run(self._core.introspect(token, grant))
        return told

    async def revoke(self, token: str, *, is_refresh_token: bool = True) -> None:
        """End a token at the server (RFC 7009)."""
        await self._run(self._core.revoke(token, is_refresh_token))

    async def logout_url(
        self,
        *,
        id_token: str | None = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
    ) -> str:
        """Say where to send the browser so that the user is signed out at the server too."""
        operation = self._core.logout_url(id_token, post_logout_redirect_uri, state)
        url: str = await self._run(operation)
        return url

    async def logout_notice(self, logout_token: str) -> LogoutNotice:
        """Verify the ``logout_token`` that the server posts when a session ends."""
        notice: LogoutNotice = await self._run(self._core.logout_notice(logout_token))
        return notice

    async def _tokens(self, operation: _Operation) -> OAuthTokens:
        tokens: OAuthTokens = await self._run(operation)
        return tokens

    async def _run(self, operation: _Operation) -> Any:
        return await drive(operation, self._carrier, (STORES, STORES) if self._may_wait else None)

    @cached_property
    def _carrier(self) -> Carrier:
        own = carrier_of(self._own_transport)
        return HttpTransport(**self._reach) if own is None else own

    @property
    def _transport(self) -> Transporting | None:
        """The blocking transport, if there is one over the same way."""
        return blocking_of(self._carrier)
