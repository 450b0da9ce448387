"""httpx: requests that carry a managed token, and httpx as the transport of :mod:`gatekey.aio`.

::

    with httpx.Client(auth=BearerAuth(manager, "orders")) as api:
        api.get("https://api.example/orders")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from gatekey.exceptions import (
    ConnectionFailedError,
    DeadlineExceededError,
    ResponseTooLargeError,
    UsageError,
)
from gatekey.oauth import TokenManager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from gatekey._core import HttpRequest, _Seconds
    from gatekey.aio import AsyncTransport
    from gatekey.aio import TokenManager as AsyncTokenManager

__all__ = ["BearerAuth", "transport"]


class BearerAuth(httpx.Auth):
    """Puts the access token of a name into each request; another one if the API refuses it, once.

    Takes a ``gatekey.TokenManager`` or a ``gatekey.aio.TokenManager``, for clients of either
    kind. Only ``https`` requests get the token; httpx drops it when a redirect leads to another
    origin. No lock is held while a request is out.
    """

    def __init__(
        self,
        manager: TokenManager | AsyncTokenManager,
        name: str,
        *,
        min_ttl: _Seconds = 60,
        danger_allow_http: bool = False,
    ) -> None:
        """Take the tokens of ``name`` from ``manager``."""
        self._sync = manager if isinstance(manager, TokenManager) else manager.sync
        self._name = name
        self._min_ttl = min_ttl
        self._allow_http = danger_allow_http

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx.Auth."""
        self._check(request)
        token = self._sync.access_token(self._name, min_ttl=self._min_ttl)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if self._is_refused(response):
            token = self._sync.replace(self._name, token).access_token
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See httpx.Auth."""
        # Here, so that programs without asyncio do not import it.
        from gatekey import aio

        self._check(request)
        manager = object.__new__(aio.TokenManager)
        manager.sync = self._sync
        token = await manager.access_token(self._name, min_ttl=self._min_ttl)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if self._is_refused(response):
            token = (await manager.replace(self._name, token)).access_token
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    @staticmethod
    def _is_refused(response: httpx.Response) -> bool:
        """Whether the API says so: a host that it redirects to has not seen the token."""
        return response.status_code == 401 and "Authorization" in response.request.headers

    def _check(self, request: httpx.Request) -> None:
        if request.url.scheme != "https" and not self._allow_http:
            raise UsageError("A token is sent over https only; the request's address is another.")


def transport(client: httpx.AsyncClient) -> AsyncTransport:
    """Make a transport for :mod:`gatekey.aio` of an httpx client, as bounded as ours."""

    async def send(request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        try:
            async with client.stream(
                request.method,
                request.url,
                headers=[*request.headers, ("accept-encoding", "identity")],
                content=request.body,
                follow_redirects=False,
                timeout=request.deadline,
                auth=None,
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > request.max_body:
                        raise ResponseTooLargeError("The answer is too large.")
                return response.status_code, response.headers.multi_items(), bytes(body)
        except httpx.TimeoutException:
            raise DeadlineExceededError("The other server took too long.") from None
        except httpx.HTTPError:
            raise ConnectionFailedError("The other server cannot be reached.") from None

    return send
