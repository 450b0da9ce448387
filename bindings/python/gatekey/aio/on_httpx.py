"""The transport on what httpx stands on, httpcore: a connection for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpcore

from gatekey.aio.transport import (
    CONNECT,
    is_about_tls,
    no_tls,
    not_there,
    read,
    too_large,
    too_slow,
)
from gatekey.exceptions import RequestBlockedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekey.aio.transport import Answer, Call


async def send(call: Call) -> Answer:
    """Send once."""
    request = call.request
    framing = [] if request.body is None else [("content-length", str(len(request.body)))]
    headers = [("host", call.authority), *call.headers, *framing]
    scheme = "https" if call.https else "http"
    url = httpcore.URL(scheme=scheme, host=call.host, port=call.port, target=call.target)
    network = Checked(call.addresses)
    connection = httpcore.AsyncHTTPConnection(
        origin=url.origin, ssl_context=call.tls, network_backend=network
    )
    try:
        response = await connection.handle_async_request(
            httpcore.Request(
                request.method,
                url,
                headers=[(name.encode(), value.encode()) for name, value in headers],
                content=request.body,
            )
        )
        head = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
        ]
        return response.status, head, await read(call, head, response.aiter_stream())
    except httpcore.TimeoutException:
        raise too_slow() from None
    except httpcore.LocalProtocolError:
        raise RequestBlockedError("The request holds what HTTP cannot carry.") from None
    except httpcore.RemoteProtocolError as error:
        raise (too_large() if "too long" in str(error) else not_there()) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise (no_tls() if call.https and is_about_tls(error) else not_there()) from None
    finally:
        await connection.aclose()
        await network.aclose()


class Checked(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were checked, whatever the name stands for by now."""

    def __init__(self, addresses: list[str]) -> None:
        """Take the addresses, to be tried in turn."""
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of them; the host's name is for TLS only."""
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses:
            try:
                self._stream = await self._inner.connect_tcp(
                    address, port, timeout or CONNECT, local_address, socket_options
                )
                return self._stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)

    async def aclose(self) -> None:
        """Close what is left: httpcore forgets a connection that is given up while TLS begins."""
        if self._stream is not None:
            await self._stream.aclose()
