"""The asyncio twins of :mod:`gatekey.oauth`: the same operations, driven by an event loop.

::

    from gatekey.aio import OAuthClient

    begun = await client.begin(return_to="/orders")
    login = await client.finish(request_url, cookies)

Without a ``transport`` the built-in one works in a thread. Any other is an async callable that
takes an ``HttpRequest`` and gives status, headers and body;
:func:`gatekey.middleware.httpx.transport` makes one of an ``httpx.AsyncClient``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, final

from gatekey import oauth as _sync
from gatekey._core import HttpRequest, HttpTransport
from gatekey.exceptions import DeadlineExceededError, TransportError
from gatekey.oauth.client import Registration
from gatekey.oauth.options import exchange_text, grant_text

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from gatekey._core import (
        Access,
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

__all__ = ["AsyncTransport", "OAuthClient", "RemoteKeySet", "ResourceServer", "TokenManager"]

AsyncTransport: TypeAlias = Callable[
    [HttpRequest], Awaitable[tuple[int, Iterable[tuple[str, str]], bytes]]
]
"""Carries a request and gives status, headers and body, or raises a ``TransportError``."""


@final
class OAuthClient(Registration[AsyncTransport]):
    """One registration at one authorization server. See :class:`gatekey.OAuthClient`."""

    async def begin(
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

    async def finish(self, callback: str, cookies: str | None) -> FinishedLogin:
        """Finish a log-in; see :meth:`gatekey.OAuthClient.finish`."""
        login: FinishedLogin = await self._run(self._core.finish(callback, cookies or ""))
        return login

    async def userinfo(self, tokens: OAuthTokens) -> UserInfo:
        """Ask who the user is."""
        info: UserInfo = await self._run(self._core.userinfo(tokens))
        return info

    async def refresh(self, tokens: OAuthTokens) -> OAuthTokens:
        """Get new tokens; keep them before you use them, and ``tokens`` of an error as well."""
        return await self._tokens(self._core.refresh(tokens))

    async def client_credentials(
        self,
        *,
        scopes: Sequence[str] = (),
        resources: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Get a token for the client itself (RFC 6749 section 4.4)."""
        grant = grant_text(scopes, resources, parameters)
        return await self._tokens(self._core.client_credentials(grant))

    async def jwt_bearer(
        self,
        assertion: str,
        *,
        scopes: Sequence[str] = (),
        resources: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> OAuthTokens:
        """Exchange an assertion that someone whom the server trusts has signed (RFC 7523)."""
        grant = grant_text(scopes, resources, parameters)
        return await self._tokens(self._core.jwt_bearer(assertion, grant))

    async def token_exchange(
        self, subject_token: str, subject_token_type: str, **more: Any
    ) -> OAuthTokens:
        """Exchange one token for another (RFC 8693)."""
        exchange = exchange_text(subject_token, subject_token_type, more)
        return await self._tokens(self._core.token_exchange(exchange))

    async def device_codes(
        self, *, scopes: Sequence[str] = (), parameters: Mapping[str, str] | None = None
    ) -> DeviceCodes:
        """Begin the flow for a device without a browser (RFC 8628)."""
        grant = grant_text(scopes, (), parameters)
        codes: DeviceCodes = await self._run(self._core.device_codes(grant))
        return codes

    async def poll(self, codes: DeviceCodes) -> OAuthTokens:
        """Ask until the user has said yes or no; cancel the task to give up."""
        return await self._tokens(self._core.poll(codes))

    async def introspect(self, token: str) -> Introspection:
        """Ask whether a token is good (RFC 7662)."""
        told: Introspection = await self._run(self._core.introspect(token))
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
        return await _drive(operation, self._own_transport or self._http)


@final
class RemoteKeySet:
    """The keys that an issuer publishes. See :class:`gatekey.RemoteKeySet`.

    ``await keys.refresh()`` when the program starts; ``gatekey.Verifier(keys.sync)`` verifies
    with them.
    """

    def __init__(self, url: str | None = None, **options: Any) -> None:
        """Take the options of :class:`gatekey.RemoteKeySet`."""
        self.sync = _sync.RemoteKeySet(url, **options)

    async def refresh(self) -> None:
        """Fetch the keys now."""
        await _drive(self.sync._refresh(), self.sync._transport)

    @property
    def wants_refresh(self) -> bool:
        """Whether it is time to fetch the keys."""
        return self.sync.wants_refresh


@final
class TokenManager:
    """Other servers' tokens, kept and refreshed once. See :class:`gatekey.TokenManager`.

    What is known is given at once; refreshing works in a thread, because it may wait for other
    processes.
    """

    def __init__(self, client: _sync.OAuthClient, **options: Any) -> None:
        """Take the options of :class:`gatekey.TokenManager`; the client is the blocking one."""
        self.sync = _sync.TokenManager(client, **options)

    async def put(self, name: str, tokens: OAuthTokens) -> None:
        """Keep tokens, for example of a log-in that was just finished."""
        await asyncio.to_thread(self.sync.put, name, tokens)

    async def remove(self, name: str) -> None:
        """Forget the tokens of a name; revoke them first."""
        await asyncio.to_thread(self.sync.remove, name)

    async def access_token(self, name: str, *, min_ttl: _Seconds = 60) -> str:
        """Give an access token that is good for at least so many seconds, refreshed if need be."""
        return (await self.tokens(name, min_ttl=min_ttl)).access_token

    async def tokens(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens:
        """Give all that came with the access token."""
        known = self.sync.known(name, min_ttl=min_ttl)
        if known is not None:
            return known
        return await asyncio.to_thread(self.sync.tokens, name, min_ttl=min_ttl)

    async def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this access token."""
        return await asyncio.to_thread(self.sync.replace, name, refused)


@final
class ResourceServer:
    """An API's door. See :class:`gatekey.ResourceServer`.

    Checks work in a thread: keys may have to be fetched, or the authorization server asked.
    """

    def __init__(self, audience: str, **options: Any) -> None:
        """Take the options of :class:`gatekey.ResourceServer`."""
        self.sync = _sync.ResourceServer(audience, **options)

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
        return await asyncio.to_thread(
            self.sync.check,
            authorization,
            scopes=scopes,
            acr_values=acr_values,
            max_age=max_age,
            address=address,
        )


async def _drive(operation: _Operation, transport: AsyncTransport | HttpTransport) -> Any:
    while (step := operation.step()) is not None:
        if not isinstance(step, HttpRequest):
            await asyncio.sleep(step)
        elif isinstance(transport, HttpTransport):
            await asyncio.to_thread(operation.send, transport)
        else:
            await _send(operation, step, transport)
    return operation.result()


async def _send(operation: _Operation, request: HttpRequest, transport: AsyncTransport) -> None:
    """Send with a program's own transport; the deadline holds whatever it does."""
    try:
        answer = await asyncio.wait_for(transport(request), request.deadline)
    except TransportError as error:
        operation.fail(error.number)
    except (TimeoutError, asyncio.TimeoutError):
        operation.fail(DeadlineExceededError.number)
    else:
        status, headers, body = answer
        operation.feed(status, [(str(name), str(value)) for name, value in headers], body)
