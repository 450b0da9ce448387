"""The exit of ASGI applications: no route answers a success about which nothing was decided.

Routes are believed to be guarded because of a mark. A decorator above the guard, a method that is
overridden, a route that replaces another: the guard may never be asked. This is seen here, where
the answer leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gatekey.exceptions import ConfigurationError
from gatekey.guard.answer import Answer
from gatekey.guard.events import LOG
from gatekey.guard.loop import refused
from gatekey.guard.pending import PENDING, Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from gatekey._core import _Decision, _Demand
    from gatekey.guard.base import Guard

DECIDED = "gatekey"
"""The member of a scope that holds what was decided about it: a list of :class:`Decided`."""


class Decided(NamedTuple):
    """What was decided about a request by one of its guards."""

    decision: _Decision
    demand: _Demand
    guard: Guard


def last_of(scope: Any) -> _Decision | None:
    """Give what was last decided about a scope."""
    found: list[Decided] = scope.get(DECIDED) or []
    return found[-1].decision if found else None


def note(scope: Any, decided: Decided) -> None:
    """Keep what was decided about a scope."""
    scope.setdefault(DECIDED, []).append(decided)
    settle(scope)


def settle(scope: Any) -> None:
    """Say that the answer to a request may leave: it is decided, or needs no decision."""
    pending: Pending | None = scope.get(PENDING)
    if pending is not None:
        pending.settle()


class Exempt:
    """Runs a route that needs no decision: it is public by its name."""

    def __init__(self, run: Callable[..., Awaitable[None]]) -> None:
        """Take what runs it."""
        self._run = run

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run it."""
        settle(scope)
        await self._run(scope, receive, send)


class _StoppedError(Exception):
    """Stops a route whose answer is replaced."""


class Exit:
    """Runs the routes; what they answer without a decision is a 500 instead of a success."""

    def __init__(self, app: Any, guard: Guard, name_of: Callable[[Any], str]) -> None:
        """Take the routes.

        :param name_of: names the route of a scope.
        """
        self._app, self._guard, self._name_of = app, guard, name_of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run them."""
        pending: Pending | None = scope.get(PENDING)
        if pending is None:
            await self._app(scope, receive, send)
            return
        pending.is_routed = True
        is_stopped = False

        async def sending(message: Any) -> None:
            nonlocal is_stopped
            if not is_stopped and not pending.is_settled and _is_success(scope, message):
                is_stopped = True
                for instead in await self._instead(scope, message):
                    await send(instead)
            if is_stopped:
                raise _StoppedError
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if not is_stopped:
                raise

    async def _instead(self, scope: Any, message: Any) -> Iterable[Any]:
        """Give the messages that are sent instead of an answer."""
        LOG.error(
            "undecided: %s answers without that its guard was asked, and the answer is a 500 "
            "instead. See that nothing above the guard answers, such as a decorator that caches, "
            "or say that the route is public.",
            self._name_of(scope),
        )
        answer = Answer.of(await refused(self._guard, scope, ConfigurationError.number))
        if message["type"] == "websocket.accept":
            return [{"type": "websocket.close", "code": 1011, "reason": ""}]
        kind = message["type"].removesuffix(".start")
        pairs = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        pairs.append((b"content-length", str(len(answer.body)).encode()))
        return [
            {"type": f"{kind}.start", "status": answer.status, "headers": pairs},
            {"type": f"{kind}.body", "body": answer.body},
        ]


def _is_success(scope: Any, message: Any) -> bool:
    if message["type"] == "websocket.accept":
        return True
    is_start = message["type"] in ("http.response.start", "websocket.http.response.start")
    return is_start and 200 <= message["status"] < 300 and scope.get("method") != "OPTIONS"
