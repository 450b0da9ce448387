"""`Course`: which view a request was led to, and what was decided about it.

A mark says that a view has a guard, and a decorator above that, such as a cache, or a subclass can
answer without it. So what leaves is looked at again: nothing succeeds that nobody has decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekey.exceptions import ConfigurationError
from gatekey.guard.answer import Answer
from gatekey.guard.base import MARK, mark_of
from gatekey.guard.events import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekey._core import _Decision, _Demand, _Request
    from gatekey.guard.base import Guard

COURSE = "gatekey.course"
"""The name of a request's own in WSGI environments and of others."""
NEEDS = {"OPTIONS": 0, "GET": 1, "HEAD": 1}
"""How much methods need of a guard; others change something. OPTIONS may ask before a request."""


class Course:
    """What becomes of one request."""

    def __init__(self, method: str = "") -> None:
        """Begin, with the method that was sent."""
        self.method = method
        self.decision: _Decision | None = None
        """What counts now."""
        self.allowed: list[_Decision] = []
        """All that let the request in: an answer has the headers of each."""
        self.paid = 0
        """What was taken of the rate and credits of an API key."""
        self._guard: Guard | None = None
        self._route = ""
        self._is_decided = False

    def led_to(self, guard: Guard, route: str, method: str) -> None:
        """Note that a view is called which is not open to all callers, and by which method."""
        self._guard, self._route, self.method = guard, route, method

    def note(self, decision: _Decision) -> None:
        """Note what was decided."""
        self.decision, self._is_decided = decision, True
        if decision.is_allowed:
            self.allowed.append(decision)

    def headers(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Give what goes with an answer: the names of `Vary`, and all else, such as rates.

        Of a view that another one has called the rates are those that count now.
        """
        vary: list[str] = []
        last: dict[str, list[tuple[str, str]]] = {}
        for decision in self.allowed:
            own: dict[str, list[tuple[str, str]]] = {}
            for name, value in decision.headers:
                if name == "Vary":
                    vary.append(value)
                else:
                    own.setdefault(name, []).append((name, value))
            last |= own
        return vary, [pair for pairs in last.values() for pair in pairs]

    def lacks_decision(self, status: int) -> bool:
        """Tell whether an answer succeeds of a view with a guard that has not decided."""
        led = self._guard is not None and not self._is_decided
        return led and 200 <= status < 300 and self.method != "OPTIONS"

    def refused(self, request: _Request) -> Answer:
        """Answer instead of the view, and say so in the log."""
        guard: Any = self._guard
        LOG.error(
            "%s was answered, and no guard has decided about it: the answer was not sent. Has it a "
            "decorator above its guard, such as a cache, or a method that replaces the one with "
            "the guard? If it is open to all callers, say so with `public`",
            self._route,
        )
        self._is_decided = True
        return Answer.of(guard._refused(request, ConfigurationError.number))


def own_mark_of(thing: object) -> _Demand | None:
    """Give what is demanded of a view; of a class that is only derived from a public one, None."""
    demand: Any = mark_of(thing)
    if demand is None or not isinstance(thing, type) or MARK in vars(thing):
        return demand  # type: ignore[no-any-return]
    return None if demand.is_public else demand


def is_open(thing: object) -> bool:
    """Tell whether a view says itself that it is open to all callers."""
    demand = own_mark_of(thing)
    return demand is not None and demand.is_public


def stricter(sent: str, now: str) -> str:
    """Give the one that needs more, of the method that was sent and what was made of it."""
    return max(sent, now, key=lambda method: NEEDS.get(method, 2))


def named_twice(name: str, routes: Iterable[str], option: str = "public") -> ConfigurationError:
    """Say that a name of a public route is that of others, too."""
    shown = ", ".join(sorted(routes))
    return ConfigurationError(
        f"The name {name!r} in `{option}` is that of several routes: {shown}. Give the one that is "
        "public a name that no other has, or say that it is public with `public`."
    )
