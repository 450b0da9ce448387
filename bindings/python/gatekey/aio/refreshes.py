"""A loop of gatekey's own, where refreshes of tokens are seen through.

The loop that wants one may end, or stop, while the server has given a new refresh token already.
So its refresh runs here, in a thread that ends when there was nothing to do for a while.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gatekey.aio import pool
from gatekey.aio.pool import this_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Refreshes:
    """Those of all managers that are out, by what they are about."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._of_a_parent: list[object] = []
        self._forget()
        atexit.register(self._finish)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_the_parents)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out: dict[str, Future[Any]] = {}

    def _forget_the_parents(self) -> None:
        """Leave what the parent has out alone: to close it here would end it there."""
        self._of_a_parent.append((self._loop, self._out))
        self._forget()

    def out(self, about: str) -> Future[Any] | None:
        """Give the one that is out, if there is one."""
        with self._lock:
            return self._out.get(about)

    def begin(
        self, about: str, make: Callable[[], Coroutine[Any, Any, Any]]
    ) -> tuple[Future[Any], bool]:
        """Begin one, unless one is out; give it, and whether it is new."""
        with self._lock:
            known = self._out.get(about)
            if known is not None:
                return known, False
            loop = self._loop or self._start()
            future = self._out[about] = Future()
            loop.call_soon_threadsafe(self._drive, loop, about, future, make)
        return future, True

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=work, args=[loop], name="gatekey", daemon=True)
        thread.start()
        self._loop = loop
        return loop

    def _drive(
        self,
        loop: asyncio.AbstractEventLoop,
        about: str,
        future: Future[Any],
        make: Callable[[], Coroutine[Any, Any, Any]],
    ) -> None:
        task = loop.create_task(make())

        def over(task: asyncio.Task[Any]) -> None:
            with self._lock:
                del self._out[about]
            loop.call_later(pool.IDLE, self._end_if_idle, loop)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is None:
                future.set_result(task.result())
            else:
                future.set_exception(error)

        task.add_done_callback(over)

    def _end_if_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if self._loop is loop and not self._out:
                self._loop = None
                loop.stop()

    def _finish(self) -> None:
        """Let them come to their end before the interpreter stops threads wherever they are."""
        end = time.monotonic() + pool.PATIENCE
        while self._out and time.monotonic() < end:
            time.sleep(0.01)


def work(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def over(future: Future[Any]) -> None:
    """Wait until it is over; that it is waited for no longer is nothing to it."""
    loop = this_loop()
    own = loop.create_future()

    def wake() -> None:
        if not own.done():
            own.set_result(None)

    def tell(_: Future[Any]) -> None:
        # The loop may be closed by then.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await own


REFRESHES = Refreshes()
