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
)
from gatekey.middleware._bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from gatekey._core import HttpRequest, _Seconds
    from gatekey.aio import AsyncTransport
    from gatekey.aio import TokenManager as AsyncTokenManager
    from gatekey.middleware._bearer import Place
    from gatekey.oauth import TokenManager

__all__ = ["BearerAuth", "transport"]


class BearerAuth(httpx.Auth):
    """Puts the access token of a name into each request; another one if the API refuses it, once.

    A body that can be sent only once, such as a generator, is not sent again: the answer is the
    API's 401, and the next request has the new token. Takes a ``gatekey.TokenManager`` or a
    ``gatekey.aio.TokenManager``, for clients of either kind. Only ``https`` requests to ``hosts``
    get a token; httpx drops it when a redirect leads to another origin. No lock is held while a
    request is out.
    """

    def __init__(
        self,
        manager: TokenManager | AsyncTokenManager,
        name: str,
        *,
        hosts: Sequence[str] | None = None,
        min_ttl: _Seconds = 60,
        danger_allow_http: bool = False,
    ) -> None:
        """Take the tokens of ``name`` from ``manager``.

        :param hosts: where the token may be sent, as ``api.example`` or ``api.example:8443``;
            without them, only where the first request goes. Other requests raise ``UsageError``.
        """
        self._bearer = Bearer(manager, name, hosts, min_ttl, danger_allow_http, _place)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx.Auth."""
        self._bearer.check(_place(request.url))
        token = self._bearer.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if not _is_refused(response):
            return
        other = self._bearer.replace(token)
        if other is not None and _is_repeatable(request):
            request.headers["Authorization"] = f"Bearer {other}"
            yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See httpx.Auth."""
        # Here, so that programs without asyncio do not import it.
        from gatekey import aio

        bearer = self._bearer
        bearer.check(_place(request.url))
        manager = object.__new__(aio.TokenManager)
        manager.sync = bearer.manager
        token = await manager.access_token(bearer.name, min_ttl=bearer.min_ttl)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if not _is_refused(response):
            return
        other = (await manager.replace(bearer.name, token)).access_token
        if other != token and _is_repeatable(request):
            request.headers["Authorization"] = f"Bearer {other}"
            yield request


def _is_refused(response: httpx.Response) -> bool:
    """Whether the API says so: a host that it redirects to has not seen the token."""
    return response.status_code == 401 and "Authorization" in response.request.headers


def _is_repeatable(request: httpx.Request) -> bool:
    """Whether the body can be sent again from its beginning."""
    if isinstance(request.stream, httpx.ByteStream):
        return True
    # Forms with files, which httpx reads from their beginning each time.
    fields = getattr(request.stream, "fields", None)
    return fields is not None and all(_is_at_hand(getattr(field, "file", b"")) for field in fields)


def _is_at_hand(file: object) -> bool:
    if isinstance(file, (bytes, str)):
        return True
    seekable = getattr(file, "seekable", None)
    return seekable is not None and bool(seekable())


def _place(url: httpx.URL | str) -> Place:
    url = httpx.URL(url)
    return url.scheme, url.host, url.port


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
