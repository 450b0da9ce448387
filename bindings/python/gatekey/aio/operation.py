"""How a loop drives the operations of the core."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

from gatekey import _core
from gatekey._core import HttpRequest
from gatekey.aio.pool import NETWORK, this_loop
from gatekey.aio.transport import HttpTransport, too_slow
from gatekey.oauth.operation import Transport

if TYPE_CHECKING:
    from gatekey._core import _Operation
    from gatekey.aio.pool import Pool
    from gatekey.oauth.operation import Transporting

AsyncTransport: TypeAlias = Callable[
    [HttpRequest], Awaitable[tuple[int, Iterable[tuple[str, str]], bytes]]
]
"""Carries a request and gives status, headers and body, or raises a ``TransportError``."""

AnyTransport: TypeAlias = AsyncTransport | _core.HttpTransport | Transport
"""What the classes for asyncio take: that, or a blocking one, which works in threads."""


@dataclass(frozen=True)
class InThreads:
    """A blocking transport of a program's own, which works in threads."""

    transport: Transporting


Carrier: TypeAlias = AsyncTransport | _core.HttpTransport | InThreads
"""That, or a blocking transport, which works in a thread."""


def in_threads(transport: Transporting) -> Carrier:
    """Give what a loop can use of a blocking transport."""
    return transport if isinstance(transport, _core.HttpTransport) else InThreads(transport)


def carrier_of(given: AnyTransport | None) -> Carrier | None:
    """Give what a loop can use of the transport that its classes were given.

    :raises TypeError: it is not a transport.
    """
    if given is None or isinstance(given, _core.HttpTransport) or callable(given):
        return given
    if callable(getattr(given, "send", None)):
        return InThreads(given)
    raise TypeError(
        "transport must be an HttpTransport, an async callable that takes an HttpRequest, or an "
        f"object with a blocking send(), not {type(given).__name__}"
    )


def blocking_of(carrier: Carrier) -> Transporting | None:
    """Give what carries requests in threads; None for an async transport of a program's own."""
    if isinstance(carrier, InThreads):
        return carrier.transport
    blocking = carrier.blocking if isinstance(carrier, HttpTransport) else carrier
    return blocking if isinstance(blocking, _core.HttpTransport) else None


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
            if isinstance(transport, InThreads):
                await NETWORK.run(operation.send, transport.transport)
            elif isinstance(transport, _core.HttpTransport):
                await NETWORK.run(operation.send, transport)
            elif isinstance(transport, HttpTransport) and transport.is_by_proxy:
                # What the core says about a proxy is reported as it is.
                await NETWORK.run(operation.send, transport.blocking)
            else:
                await _send(operation, step, transport)
        return operation.result()
    finally:
        # What it holds must not wait until an exception is freed. A step that is being made in a
        # thread ends first.
        if later is None:
            operation.close()
        else:
            later.submit(operation.close)


async def _step(operation: _Operation, pool: Pool | None) -> HttpRequest | float | None:
    return operation.step() if pool is None else await pool.run(operation.step)


async def _send(operation: _Operation, request: HttpRequest, transport: AsyncTransport) -> None:
    """Send with a transport of the loop; the deadline holds whatever it does."""
    # Ours has its own eye on the deadline, and tells all that there is to tell.
    is_own = not isinstance(transport, HttpTransport)
    try:
        coming = transport(request)
        if not isawaitable(coming):
            raise TypeError(
                "the transport of a class of gatekey.aio must give an awaitable; give a blocking "
                "one as an object with send()"
            )
        answer = await asyncio.wait_for(coming, request.deadline if is_own else None)
    except (TimeoutError, asyncio.TimeoutError) as error:
        operation.fail(too_slow(), error if is_own else None)
    except Exception as error:  # noqa: BLE001 - it is the cause of what is raised
        operation.fail(error, error if is_own else None)
    else:
        operation.feed(answer)
