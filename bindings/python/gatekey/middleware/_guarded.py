"""What an httpx client connects to: the addresses of a name that were checked, and no others."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from gatekey.aio.transport import CONNECT, MOST_ADDRESSES, look_up
from gatekey.exceptions import ConfigurationError, RequestBlockedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatekey._core import HttpTransport

Rule = tuple[str, "HttpTransport"]
"""The address of a request, and what checks the addresses of its host."""

_RULE: ContextVar[Rule | None] = ContextVar("gatekey_rule", default=None)


@contextmanager
def guarded(
    transport: httpx.AsyncBaseTransport, url: httpx.URL, rule: HttpTransport, public_only: bool
) -> Iterator[None]:
    """Have what connects in here check where to; requests of the client's own go as before."""
    pool = getattr(transport, "_pool", None)
    if not isinstance(transport, httpx.AsyncHTTPTransport):
        yield  # of another kind, as in tests
        return
    if isinstance(pool, (httpcore.AsyncHTTPProxy, httpcore.AsyncSOCKSProxy)):
        if public_only:
            raise ConfigurationError(
                "With public_only addresses are checked, and this client leaves them to a proxy; "
                "give the transport a client without one."
            )
        if url.scheme != "https":
            raise RequestBlockedError("Plain HTTP is for this machine, and not sent to a proxy.")
        yield
        return
    backend = getattr(pool, "_network_backend", None)
    if not isinstance(backend, httpcore.AsyncNetworkBackend):
        raise ConfigurationError("This version of httpx does not let addresses be checked.")
    if not isinstance(backend, Guarded):
        untyped: Any = pool
        untyped._network_backend = Guarded(backend)
    token = _RULE.set((str(url), rule))
    try:
        yield
    finally:
        _RULE.reset(token)


class Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, where there is a rule, and as before elsewhere."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        """Take what the client connects with."""
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses; its name is for TLS only."""
        rule = _RULE.get()
        if rule is None:
            return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        url, checks = rule
        addresses = await look_up(host, port)
        checks._check(url, addresses)
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(
                    address, port, min(timeout or CONNECT, CONNECT), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect as before."""
        return await self._inner.connect_unix_socket(path, timeout, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
