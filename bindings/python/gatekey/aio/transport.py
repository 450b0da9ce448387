"""`HttpTransport`: the built-in transport, as an event loop has it.

The loop itself carries the requests, with aiohttp or httpx, whichever is installed; where neither
is, they wait in threads of gatekey's own. What may be asked is decided by the same rules of the
core, and nothing is read from the environment unless its proxy is asked for.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final
from urllib.parse import urlsplit

from gatekey import _core
from gatekey._core import __version__, _milliseconds, _named
from gatekey.aio.pool import NETWORK
from gatekey.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    DeadlineExceededError,
    RequestBlockedError,
    ResponseTooLargeError,
    TlsError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from gatekey._core import HttpRequest, _Seconds

Answer: TypeAlias = tuple[int, list[tuple[str, str]], bytes]

BACKENDS = {"aiohttp": "gatekey.aio.on_aiohttp", "httpx": "gatekey.aio.on_httpx"}
LARGEST_HEAD = 64 * 1024
MOST_HEADERS = 100
MOST_ADDRESSES = 16
CONNECT = 5.0
"""Seconds that connecting to one address may take, as with the blocking transport."""


@dataclass(frozen=True)
class Call:
    """A request whose name was looked up and may be asked at these addresses."""

    request: HttpRequest
    https: bool
    host: str
    port: int
    authority: str
    target: str
    addresses: list[str]
    tls: ssl.SSLContext

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What is sent, but for what frames the body."""
        own = self.request.headers
        given = {name for name, _ in own}
        more = {
            "user-agent": f"gatekey/{__version__}",
            "accept-encoding": "identity",
            "connection": "close",
        }
        return [*own, *((name, value) for name, value in more.items() if name not in given)]


class Backend(Protocol):
    """A package that speaks HTTP; it follows no redirect and reads no environment."""

    async def send(self, call: Call) -> Answer:
        """Send once to the call's addresses, one after the other until one is there."""


@final
class HttpTransport:
    """Carries requests on the event loop, within the rules of :class:`gatekey.HttpTransport`.

    TLS only, no redirects, no proxy unless it is asked for; the addresses that a name
    stands for are checked, and what was checked is what is connected to. Safe to share between
    threads and loops.
    """

    def __init__(
        self,
        *,
        allow_loopback_http: bool = False,
        public_only: bool = False,
        deadline: _Seconds = 10.0,
        ca: str | None = None,
        client_certificate: tuple[str, str] | None = None,
        proxy: str | None = None,
        backend: str | None = None,
    ) -> None:
        """Take the options of :class:`gatekey.HttpTransport`.

        :param client_certificate: such requests work in threads: Python reads keys from files only.
        :param proxy: such requests work in threads: the rules for proxies are the core's.
        :param backend: ``aiohttp``, ``httpx`` or ``threads``; without it the first one that is
            installed.
        :raises ConfigurationError: an option is wrong.
        """
        if backend not in (None, "threads", *BACKENDS):
            raise ConfigurationError(
                f"The backend is one of aiohttp, httpx and threads, not {_named(str(backend))!r}."
            )
        threads = client_certificate is not None or proxy is not None
        if threads and backend not in (None, "threads"):
            raise ConfigurationError("Client certificates and proxies need the backend 'threads'.")
        self.blocking = _core.HttpTransport(
            allow_loopback_http=allow_loopback_http,
            public_only=public_only,
            deadline=deadline,
            ca=ca,
            client_certificate=client_certificate,
            proxy=proxy,
        )
        self.is_by_proxy = proxy is not None
        self._deadline = _milliseconds(deadline, "deadline") / 1000
        self._ca = ca
        self._name = "threads" if threads else backend
        self._loaded: tuple[Backend | None, ssl.SSLContext | None] | None = None

    async def __call__(self, request: HttpRequest) -> Answer:
        """Send a request and give status, headers and body.

        :raises TransportError: there is no answer, or none that may be read.
        """
        if self._loaded is None:
            # Packages and certificates are read from files.
            self._loaded = await NETWORK.run(load, self._name, self._ca)
        backend, tls = self._loaded
        try:
            work = self._send(request, backend, tls)
            return await asyncio.wait_for(work, min(request.deadline, self._deadline))
        except (TimeoutError, asyncio.TimeoutError):
            raise too_slow() from None

    async def _send(
        self, request: HttpRequest, backend: Backend | None, tls: ssl.SSLContext | None
    ) -> Answer:
        if backend is None or tls is None:
            return await NETWORK.run(self.blocking._send, request)
        self.blocking._check(request.url, [])
        parts = urlsplit(request.url)
        host, https = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if https else 80)
        addresses = await look_up(host, port)
        self.blocking._check(request.url, addresses)
        for name, value in request.headers:
            if any((byte < " " and byte != "\t") or byte == "\x7f" for byte in name + value):
                raise RequestBlockedError(
                    "A header holds what HTTP cannot carry; see that tokens and secrets have no "
                    "line breaks."
                )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        authority = parts.netloc
        call = Call(request, https, host, port, authority, target, addresses[:MOST_ADDRESSES], tls)
        return await backend.send(call)

    def __repr__(self) -> str:
        return "<gatekey.aio.HttpTransport>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("an HttpTransport is not pickled or copied; share it")


def load(name: str | None, ca: str | None) -> tuple[Backend | None, ssl.SSLContext | None]:
    """Import what there is, and read whom to trust. Without either of them: threads."""
    if name == "threads":
        return None, None
    for one in BACKENDS if name is None else [name]:
        try:
            backend: Any = importlib.import_module(BACKENDS[one])
            return backend, trusting(ca)
        except ImportError as missing:
            if name is not None:
                raise ConfigurationError(
                    f"The backend {name!r} needs the packages {name} and certifi: {missing}."
                ) from None
    return None, None


def trusting(ca: str | None) -> ssl.SSLContext:
    """Trust these authorities and no others, or Mozilla's; never what the environment names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
    elif "-----BEGIN" in ca:
        context.load_verify_locations(cadata=ca)
    return context


async def look_up(host: str, port: int) -> list[str]:
    """Give the addresses of a host. The system's own look-up knows no deadline: it has a thread."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        found = await NETWORK.run(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise not_there() from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def read(call: Call, head: Sequence[tuple[str, str]], chunks: AsyncIterable[bytes]) -> bytes:
    """Read a body, of which no more is kept than what is allowed."""
    size = sum(len(name) + len(value) + 4 for name, value in head)
    if len(head) > MOST_HEADERS or size > LARGEST_HEAD:
        raise too_large()
    most = call.request.max_body
    told = [value for name, value in head if name.lower() == "content-length"]
    if told and told[0].isdecimal() and int(told[0][:20]) > most:
        raise too_large()
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise too_large()
    return bytes(body)


def is_about_tls(error: BaseException | None) -> bool:
    """Whether TLS was not agreed on."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def too_large() -> ResponseTooLargeError:
    """Say that there is more than was asked for."""
    return ResponseTooLargeError(
        "The answer is larger than this request allows; see that the address is the right one."
    )


def too_slow() -> DeadlineExceededError:
    """Say that the time is over."""
    return DeadlineExceededError(
        "The other server took too long; try again, or set a longer deadline for client and "
        "transport."
    )


def not_there() -> ConnectionFailedError:
    """Say that there is no connection."""
    return ConnectionFailedError(
        "The other server cannot be reached, or closed the connection; see that name, port and "
        "network are right, and try again."
    )


def no_tls() -> TlsError:
    """Say that TLS was not agreed on."""
    return TlsError(
        "TLS was not agreed on; see that the certificate is valid, for this name and of a trusted "
        "authority, and that the server speaks TLS 1.2."
    )
