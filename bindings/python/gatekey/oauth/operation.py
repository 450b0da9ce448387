"""How the blocking classes drive the operations of the core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gatekey._core import HttpRequest

if TYPE_CHECKING:
    from gatekey._core import HttpTransport, _Operation


def run(operation: _Operation, transport: HttpTransport) -> Any:
    """Drive an operation to its end. The GIL is released while a request is out."""
    while (step := operation.step()) is not None:
        if isinstance(step, HttpRequest):
            operation.send(transport)
        else:
            time.sleep(step)
    return operation.result()
