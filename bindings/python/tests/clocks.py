"""A clock that tests move."""

from __future__ import annotations

NOW = 1_800_000_000


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.time: int | float = NOW

    def now(self) -> int | float:
        return self.time
