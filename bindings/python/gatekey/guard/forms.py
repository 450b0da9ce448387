"""Forms that a door reads by ASGI, before the route does: short ones, whatever they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekey.guard.base import FORM
from gatekey.guard.door import LONGEST_FORM, is_short

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    _Receive = Callable[[], Awaitable[Any]]


def is_form(scope: Any) -> bool:
    """Tell whether a request brings a short form with fields, and no files."""
    kind: bytes = dict(scope["headers"]).get(b"content-type", b"")
    return kind.partition(b";")[0].strip().lower() == FORM.encode() and _is_short(scope)


async def read(scope: Any, receive: _Receive) -> tuple[bytes | None, _Receive]:
    """Read a body of at most ``LONGEST_FORM`` bytes, and give what to receive all of it from again.

    One that is longer, or whose length is not said, is ``None``: a server goes by
    ``Transfer-Encoding`` where a request has both, as RFC 9112 section 6.3 demands.
    """
    if not _is_short(scope):
        return None, receive
    chunks: list[bytes] = []
    size, is_whole = 0, False
    coming: list[Any] = []
    while size <= LONGEST_FORM and not is_whole:
        message = await receive()
        if message["type"] != "http.request":  # the client is gone
            coming.append(message)
            break
        if chunk := message.get("body", b""):
            chunks.append(chunk)
        size += len(chunk)
        is_whole = not message.get("more_body", False)
    body = b"".join(chunks)
    coming.insert(0, {"type": "http.request", "body": body, "more_body": not is_whole})

    async def again() -> Any:
        return coming.pop(0) if coming else await receive()

    return body if is_whole and size <= LONGEST_FORM else None, again


def _is_short(scope: Any) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" not in headers and is_short(headers.get(b"content-length", b""))
