"""How often the tests do what they do many times: `GATEKEY_ROUNDS`."""

from __future__ import annotations

import os


def rounds(few: int) -> int:
    """`few` in `make test`, ten times as many in `make test-all`."""
    return few * int(os.environ.get("GATEKEY_ROUNDS", "1"))
