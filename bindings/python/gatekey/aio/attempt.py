"""How calls of the core are made on a loop: with memory, as far as it goes.

What another server is wanted for is asked by the loop, once for all who wait for the same; what
needs a file, a database or a slow hash goes to a thread.
"""

from __future__ import annotations

import asyncio
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from gatekey._core import _attempt
from gatekey.aio.operation import drive
from gatekey.aio.pool import NETWORK, STORES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gatekey._core import _Operation
    from gatekey.aio.operation import Carrier

P = ParamSpec("P")
T = TypeVar("T")

MOST_QUESTIONS = 8
"""How many other servers one call may want to ask before it is left to wait in a thread."""


async def attempted(call: Callable[[], T], carrier_of: Callable[[str], Carrier]) -> T:
    """Make a call that may have to ask other servers.

    :param carrier_of: gives the transport for what a question is about.
    """
    for _ in range(MOST_QUESTIONS):
        outcome = _attempt(call, False) or await STORES.run(_attempt, call, True)
        if outcome is None:
            break
        if len(outcome) == 1:
            return outcome[0]
        about, operation = outcome
        await asked(about, operation, carrier_of(about))
    return await NETWORK.run(call)


async def in_memory_or_thread(call: Callable[[], T]) -> T:
    """Make a call that asks no other server."""
    outcome = _attempt(call, False)
    if outcome is not None and len(outcome) == 1:
        return outcome[0]
    return await STORES.run(call)


class Flight:
    """A question that is out, and how many wait for its answer."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.waiters = 0

    async def wait(self) -> None:
        """Wait for the answer. When nobody does any more, it is given up."""
        self.waiters += 1
        try:
            await asyncio.shield(self.task)
        finally:
            self.waiters -= 1
            if not self.waiters and not self.task.done():
                self.task.cancel()


FLIGHTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Flight]] = WeakKeyDictionary()


async def asked(about: str, operation: _Operation, carrier: Carrier) -> None:
    """Drive an operation, or wait for the one that is about the same."""
    loop = asyncio.get_running_loop()
    flights = FLIGHTS.setdefault(loop, {})
    flight = flights.get(about)
    if flight is None or flight.task.done():
        task = loop.create_task(drive(operation, carrier))
        flight = flights[about] = Flight(task)
        task.add_done_callback(lambda _: flights.pop(about, None))
    else:
        operation.close()
    await flight.wait()


def waiting(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make the twin of a method that needs files or a database: it works in a thread."""

    async def twin(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await STORES.run(method, self.sync, *args, **kwargs)

    update_wrapper(twin, method)
    return twin


def quick(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make the twin of a method that is nearly always answered from memory."""

    async def twin(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await in_memory_or_thread(partial(method, self.sync, *args, **kwargs))

    update_wrapper(twin, method)
    return twin


def plain(thing: Any) -> Any:
    """Give what an asyncio twin stands for, as the core takes it."""
    return getattr(thing, "sync", thing)
