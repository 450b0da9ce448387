"""How a loop drives the operations of the core."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from gatekey import _core
from gatekey._core import HttpRequest
from gatekey.aio.pool import NETWORK, this_loop
from gatekey.aio.transport import HttpTransport
from gatekey.exceptions import DeadlineExceededError, TransportError

if TYPE_CHECKING:
    from gatekey._core import _Operation
    from gatekey.aio.pool import Pool

AsyncTransport: TypeAlias = Callable[
    [HttpRequest], Awaitable[tuple[int, Iterable[tuple[str, str]], bytes]]
]
"""Carries a request and gives status, headers and body, or raises a ``TransportError``."""

Carrier: TypeAlias = AsyncTransport | _core.HttpTransport
"""That, or the blocking transport, which works in a thread."""


async def drive(
    operation: _Operation, transport: Carrier, pools: tuple[Pool, Pool] | None = None
) -> Any:
    """Drive an operation to its end.

    :param pools: where its own steps are made, because they ask a store or take locks: those
        before its first request, and those after it, for which others may wait by then.
    """
    pool, later = pools or (None, None)
    try:
        this_loop()
        while (step := await _step(operation, pool)) is not None:
            if not isinstance(step, HttpRequest):
                await asyncio.sleep(step)
                continue
            pool = later
            if isinstance(transport, _core.HttpTransport):
                await NETWORK.run(operation.send, transport)
            else:
                await _send(operation, step, transport)
        return operation.result()
    finally:
        # What it holds must not wait until nobody looks at an exception any more. A step that is
        # being made in a thread comes to its end first.
        if later is None:
            operation.close()
        else:
            later.submit(operation.close)


async def _step(operation: _Operation, pool: Pool | None) -> HttpRequest | float | None:
    return operation.step() if pool is None else await pool.run(operation.step)


async def _send(operation: _Operation, request: HttpRequest, transport: AsyncTransport) -> None:
    """Send with a transport of the loop; the deadline holds whatever it does."""
    try:
        # Ours has its own eye on the deadline.
        patience = None if isinstance(transport, HttpTransport) else request.deadline
        status, headers, body = await asyncio.wait_for(transport(request), patience)
    except TransportError as error:
        operation.fail(error.number)
    except (TimeoutError, asyncio.TimeoutError):
        operation.fail(DeadlineExceededError.number)
    else:
        operation.feed(status, [(str(name), str(value)) for name, value in headers], body)


def blocking_of(carrier: Carrier) -> _core.HttpTransport | None:
    """Give what carries requests in threads; None for an async transport of a program's own."""
    blocking = getattr(carrier, "blocking", carrier)
    return blocking if isinstance(blocking, _core.HttpTransport) else None
