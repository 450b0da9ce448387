"""How calls of the core are made on a loop: with memory, as far as it goes.

What another server is wanted for is asked by the loop, once for all who wait for the same; what
needs a file, a database or a slow hash goes to a thread.
"""

from __future__ import annotations

import asyncio
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from gatekey._core import _attempt, _RemoteKeySet
from gatekey.aio.operation import drive
from gatekey.aio.pool import NETWORK, STORES, this_loop
from gatekey.exceptions import OAuthServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gatekey._core import _Operation, _Told
    from gatekey.aio.operation import Carrier

P = ParamSpec("P")
T = TypeVar("T")

MOST_QUESTIONS = 64
"""How many questions to other servers one call may have; most have two at the most."""


async def attempted(call: Callable[[], T], carrier_of: Callable[[str], Carrier]) -> T:
    """Make a call that may have to ask other servers.

    :param carrier_of: gives the transport for what a question is about.
    """
    this_loop()
    told: list[_Told] = []
    for _ in range(MOST_QUESTIONS):
        outcome = _attempt(call, False, told) or await STORES.run(_attempt, call, True, told)
        if outcome is None:
            return await NETWORK.run(call)
        if len(outcome) == 1:
            return outcome[0]
        about, operation = outcome
        answer = await asked(about, operation, carrier_of(about))
        if answer is not None:
            told.append(answer)
    raise OAuthServerError("Other servers were asked, and what was asked for is still unknown.")


async def in_memory_or_thread(call: Callable[[], T]) -> T:
    """Make a call that asks no other server."""
    outcome = _attempt(call, False)
    if outcome is not None and len(outcome) == 1:
        return outcome[0]
    return await STORES.run(call)


class Flight:
    """A question that is out, and how many wait for its answer."""

    def __init__(
        self, task: asyncio.Task[Any], operation: _Operation, is_seen_through: bool = False
    ) -> None:
        self.task = task
        self._operation = operation
        self.waiters = 0
        self._is_seen_through = is_seen_through
        self._is_given_up = False
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[Any]) -> None:
        # Without a caller that waits, the next use reports it.
        _ = task.cancelled() or task.exception()

    @property
    def is_over(self) -> bool:
        """Whether it is answered, or given up and not over yet."""
        return self._is_given_up or self.task.done()

    async def wait(self) -> Any:
        """Wait for the answer; None if another cancelled it. It is given up if no caller waits.

        A task that is not cancelled itself gets no ``CancelledError``.
        """
        self.waiters += 1
        try:
            await asyncio.wait([self.task])
        finally:
            self.waiters -= 1
            if not (self.waiters or self._is_seen_through or self.task.done()):
                self._is_given_up = True
                # Now: the loop may be stopped before the task hears of it.
                self._operation.close()
                if not self.task.get_loop().is_closed():
                    self.task.cancel()
        return None if self.task.cancelled() else self.task.result()


# A flight lives as long as its task: a loop that is gone takes its tasks along.
FLIGHTS: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, Flight]]
FLIGHTS = WeakKeyDictionary()


def flights() -> WeakValueDictionary[str, Flight]:
    """Give the questions of this loop that are out."""
    return FLIGHTS.setdefault(this_loop(), WeakValueDictionary())


async def asked(about: str, operation: _Operation, carrier: Carrier) -> _Told | None:
    """Drive an operation, or wait for the one that is about the same; None: try again."""
    out = flights()
    flight = out.get(about)
    if flight is None or flight.is_over:
        flight = Flight(this_loop().create_task(drive(operation, carrier)), operation)
        out[about] = flight
    else:
        operation.close()
    told: _Told | None = await flight.wait()
    return told


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
    return thing._plain() if isinstance(thing, _RemoteKeySet) else getattr(thing, "sync", thing)
