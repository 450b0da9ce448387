"""The transport on aiohttp: a session for each request, with nothing in common but the rules."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import aiohttp
import aiohttp.abc
import yarl

from gatekey.aio.transport import (
    CONNECT,
    LARGEST_HEAD,
    is_about_tls,
    no_tls,
    not_there,
    read,
    too_large,
    too_slow,
)
from gatekey.exceptions import RequestBlockedError

if TYPE_CHECKING:
    from gatekey.aio.transport import Answer, Call

NOT_ADDED = ["Accept", "Accept-Encoding", "Content-Type", "User-Agent"]


async def send(call: Call) -> Answer:
    """Send once."""
    request = call.request
    try:
        async with (
            session_for(call) as session,
            session.request(
                request.method,
                yarl.URL(request.url, encoded=True),
                headers=call.headers,
                data=request.body,
                allow_redirects=False,
            ) as response,
        ):
            head = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in response.raw_headers
            ]
            return response.status, head, await read(call, head, response.content.iter_any())
    except (aiohttp.ServerTimeoutError, TimeoutError):
        raise too_slow() from None
    except aiohttp.ClientResponseError as error:
        raise (too_large() if is_about_size(error.message) else not_there()) from None
    except aiohttp.InvalidURL:
        raise RequestBlockedError("The request holds what HTTP cannot carry.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise (no_tls() if call.https and is_about_tls(error) else not_there()) from None
    except ValueError:
        raise RequestBlockedError("The request holds what HTTP cannot carry.") from None


def session_for(call: Call) -> aiohttp.ClientSession:
    """Make a session that adds nothing to a request, and sends it once."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=Checked(call.addresses),
            ssl=call.tls,
            use_dns_cache=False,
            force_close=True,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
        skip_auto_headers=NOT_ADDED,
        auto_decompress=False,
        trust_env=False,
        max_line_size=LARGEST_HEAD,
        max_field_size=LARGEST_HEAD,
    )
    # aiohttp would send a GET again when the other side hangs up, and has no other word for it.
    session._retry_connection = False
    return session


def is_about_size(message: str) -> bool:
    """Whether a head was refused for the length of its lines or their number."""
    return "bytes" in message or message.startswith("Too many")


class Checked(aiohttp.abc.AbstractResolver):
    """Gives the addresses that were checked, whatever the name stands for by now."""

    def __init__(self, addresses: list[str]) -> None:
        """Take the addresses, to be tried in turn."""
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Give them; the host's name is for TLS only."""
        del family  # of any
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""
