"""Threads of gatekey's own, for what waits and cannot be told to come back later.

They are not those of the loop's default executor: a program's own work there waits for none of
ours, and ours for none of it. A thread that had nothing to do for a while ends.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from gatekey.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

IDLE = 5.0
"""Seconds after which a thread without work ends."""
PATIENCE = 10.0
"""Seconds that the end of the program waits for calls that have begun."""


def this_loop() -> asyncio.AbstractEventLoop:
    """Give the loop that this runs on.

    :raises UsageError: it runs on none of asyncio's.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "gatekey.aio needs an event loop of asyncio, and runs on none; with another library "
            "use the classes of gatekey in its threads."
        ) from None


class Pool:
    """As many threads as there is work for, up to ``most``."""

    def __init__(self, most: int) -> None:
        """Take the most threads that there may be at a time; none is started yet."""
        self._most = most
        self.forget()
        atexit.register(self._finish)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Begin with nothing: the threads of a parent are not there after a fork."""
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._turn = threading.Condition()
        self._threads = self._idle = 0

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in a thread. One that has not begun is taken back with the task."""
        this_loop()
        context = contextvars.copy_context()
        work = partial(context.run, call, *args, **kwargs)
        return await asyncio.wrap_future(self.submit(work))

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have a thread do it."""
        future: Future[T] = Future()
        with self._turn:
            self._jobs.append((future, work))
            if self._idle >= len(self._jobs):
                self._turn.notify()
            elif self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name="gatekey", daemon=True).start()
        return future

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                    future.set_exception(error)
            # What they hold must not wait for the next job.
            del job, future, work

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._turn:
            self._idle += 1
            try:
                while not self._jobs:
                    if not self._turn.wait(IDLE) and not self._jobs:
                        self._threads -= 1
                        return None
                return self._jobs.popleft()
            finally:
                self._idle -= 1

    def _finish(self) -> None:
        """Let calls come to their end before the interpreter stops threads wherever they are."""
        with self._turn:
            busy = [future for future, _ in self._jobs]
            self._jobs.clear()
        for future in busy:
            future.cancel()
        end = time.monotonic() + PATIENCE
        while self._threads > self._idle and time.monotonic() < end:
            time.sleep(0.01)


STORES = Pool(16)
"""For files, databases and slow hashes."""
NETWORK = Pool(256)
"""For requests of the built-in transport, and for looking names up. They wait for no other pool."""
HOLDING = Pool(64)
"""For steps of a refresh that holds a lock. They wait for `NETWORK` at the most."""
LOCKING = Pool(64)
"""For steps of a refresh that takes a lock. They wait for `HOLDING` at the most."""
CHANGES = Pool(64)
"""For changes of kept tokens. They wait for a refresh, and nothing waits for them."""
