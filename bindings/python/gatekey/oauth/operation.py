"""How the blocking classes drive the operations of the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from gatekey._core import HttpRequest, HttpTransport

if TYPE_CHECKING:
    from gatekey._core import _Operation

Answer: TypeAlias = tuple[int, Iterable[tuple[str, str]], bytes]
"""Status, headers and body."""


class Transport(Protocol):
    """A transport of a program's own: an object with this method, or a callable like it."""

    def send(self, request: HttpRequest, /) -> Answer:
        """Send the request, once, and give status, headers and body, whatever the status.

        Follow no redirect, ask for no compression, and keep to the request's ``deadline`` and
        ``max_body``. An answer with a longer body, with more than 100 headers or with more than
        64 KiB of them is a ``ResponseTooLargeError``.

        :raises TransportError: there is no answer. What else is raised is a
            ``ConnectionFailedError``; either way it is the ``__cause__`` of what callers get.
        """


Transporting: TypeAlias = HttpTransport | Transport | Callable[[HttpRequest], Answer]
"""The built-in transport, or one of the program's own."""

FOR_LOOPS: Any = object()
"""Instead of a transport: threads have no transport, because only an event loop can ask."""


def run(operation: _Operation, transport: Transporting) -> Any:
    """Drive an operation to its end. The GIL is released while a request is out."""
    while (step := operation.step()) is not None:
        if isinstance(step, HttpRequest):
            operation.send(transport)
        else:
            time.sleep(step)
    return operation.result()
