"""A server on the loop of the tests that answers as they like, and tells what it has seen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Answer = Callable[["Peer", asyncio.StreamWriter, bytes], Awaitable[None]]

TLS = b"\x16"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Peer:
    """Reads a whole request, then lets ``answer`` do with the connection what it likes."""

    def __init__(self, answer: Answer | bytes) -> None:
        self.answer = answer
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.open = 0
        self.changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so, with the patience of a minute."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(happened), 60)

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            request = await reader.readexactly(1)
            if request != TLS:
                request += await reader.readuntil(b"\r\n\r\n")
            length = [
                int(line.split(b":")[1])
                for line in request.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ]
            request += await reader.readexactly(sum(length))
            self.requests.append(request)
            await self.tell()
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
            else:
                gone = asyncio.ensure_future(reader.read())
                work = asyncio.ensure_future(self.answer(self, writer, request))
                await asyncio.wait([gone, work], return_when=asyncio.FIRST_COMPLETED)
                for task in (gone, work):
                    task.cancel()
                    with suppress(asyncio.CancelledError, OSError):
                        await task
            with suppress(OSError):
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self.open -= 1
            await self.tell()


@asynccontextmanager
async def serving(answer: Answer | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Have a peer on a free port of this machine."""
    peer = Peer(answer)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
        await peer.until(lambda: peer.open == 0)
    finally:
        server.close()


def said(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Give an answer, whole."""
    more = "".join(f"{header}\r\n" for header in headers)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
