"""httpx: requests that carry a managed token, and httpx as the transport of :mod:`gatekey.aio`.

::

    with httpx.Client(auth=BearerAuth(manager, "orders")) as api:
        api.get("https://api.example/orders")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from gatekey._core import HttpTransport
from gatekey.exceptions import RequestBlockedError
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
        hosts: str | Sequence[str] | None = None,
        min_ttl: _Seconds = 60,
        danger_allow_http: bool = False,
    ) -> None:
        """Take the tokens of ``name`` from ``manager``.

        :param hosts: where the token may be sent, as ``api.example`` or ``api.example:8443``;
            without them, only where the first request goes. Other requests raise ``UsageError``.
        """
        self._own = manager
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
        own = self._own
        manager = own if isinstance(own, aio.TokenManager) else aio.TokenManager.over(own)
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


def transport(client: httpx.AsyncClient, *, public_only: bool = False) -> AsyncTransport:
    """Make a transport for :mod:`gatekey.aio` of an httpx client, as bounded as ours.

    A request goes to the name, so that the client's mounts, its ``NO_PROXY`` and its certificates
    are those of the name, and no connection is used for another one. The addresses that the name
    stands for are checked by the rules of ``gatekey.HttpTransport`` when the client connects, and
    what was checked is what it connects to. A connection to that name that the client has open is
    used as it is: with ``public_only`` give it a client of its own.

    Behind a proxy the proxy looks names up: ``public_only`` is refused there, and so is plain HTTP.
    A client with a transport of another kind, as in tests, is given the request as it is. The
    client belongs to one loop, and so does what uses this.

    :param public_only: only public addresses: for URLs that others may choose.
    """
    # Here, so that programs without asyncio do not import it.
    from gatekey.middleware._guarded import guarded

    # Whether http on this machine is allowed, the OAuth client has decided.
    rule = HttpTransport(allow_loopback_http=True, public_only=public_only)

    async def send(request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        rule._check(request.url, [])
        try:
            url = httpx.URL(request.url)
        except httpx.InvalidURL:
            raise RequestBlockedError("httpx cannot read the address.") from None
        with guarded(client._transport_for_url(url), url, rule, public_only):
            return await _sent(client, request, url)

    return send


async def _sent(
    client: httpx.AsyncClient, request: HttpRequest, url: httpx.URL
) -> tuple[int, list[tuple[str, str]], bytes]:
    from gatekey.aio.transport import is_about_tls, no_tls, not_there, too_large, too_slow

    try:
        async with client.stream(
            request.method,
            url,
            headers=request.headers,
            content=request.body,
            follow_redirects=False,
            timeout=request.deadline,
            auth=None,
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > request.max_body:
                    raise too_large()
            return response.status_code, response.headers.multi_items(), bytes(body)
    except httpx.TimeoutException:
        raise too_slow() from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise (no_tls() if is_about_tls(error) else not_there()) from None
