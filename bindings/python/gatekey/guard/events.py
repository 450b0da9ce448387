"""`Event`: what a guard has decided or done, for metrics, audits and alarms."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from gatekey._core import _Decision, _Guard, _Request

    _Kind: TypeAlias = Literal["allowed", "refused", "logged_in", "refreshed", "logged_out"]

LOG = logging.getLogger("gatekey")
# Without a handler of the program's, logging would print warnings to standard error.
LOG.addHandler(logging.NullHandler())
SLOW = 1.0
"""After how many seconds a decision is slow: a store or another server is."""


@dataclass(frozen=True)
class Event:
    """What a guard has decided or done.

    It holds no credential, and of a request nothing but the method and the path.
    """

    kind: Literal["allowed", "refused", "logged_in", "refreshed", "logged_out"]
    """``allowed`` and ``refused`` are decisions about requests; the others, what became of a
    session. A log-in, refresh or log-out that is refused is ``refused``."""
    status: int
    """The HTTP status: 200 if the application goes on."""
    code: str | int | None
    """Why it was refused, in one word such as ``invalid_audience``: not for the caller."""
    subject: str | None
    """Who calls or logs in; ``None`` if nothing has proved it."""
    address: str | None
    """The caller's, as far as it can be known."""
    method: str | None
    """``None``, as the path, where there was no request: for ``start_session``."""
    path: str | None
    """Without the query."""
    seconds: float
    """How long it took."""

    @property
    def is_slow(self) -> bool:
        """Whether it took more than a second, because a store or another server is slow."""
        return self.seconds >= SLOW


class Events:
    """Reports to the log, and to the program's own hook if there is one."""

    def __init__(self, hook: Callable[[Event], object] | None) -> None:
        """Take the hook."""
        if hook is not None and not callable(hook):
            raise TypeError(f"on_event must be callable, not {type(hook).__name__}")
        if iscoroutinefunction(hook) or iscoroutinefunction(type(hook).__call__):
            raise TypeError("on_event must be a plain function: nothing awaits a coroutine's")
        self._hook = hook
        self._is_full = False

    def report(
        self,
        core: _Guard,
        decision: _Decision,
        request: _Request | None,
        seconds: float,
        kind: _Kind,
        later: Callable[[Callable[[], None]], bool] | None = None,
    ) -> None:
        """Report a decision, which stands whatever becomes of the report.

        :param later: has a hook called elsewhere, unless too many wait for that: on event loops.
        """
        if not decision.is_allowed:
            level = logging.WARNING if decision.status >= 500 else logging.INFO
            if LOG.isEnabledFor(level):
                error: Any = decision.error
                LOG.log(level, "refused, %d %s: %s", decision.status, error.code, error)
        if seconds >= SLOW:
            LOG.warning("slow: %.1f s for a decision; a store or another server is", seconds)
        if self._hook is None:
            return
        tell = partial(_tell, self._hook, _event(core, decision, request, seconds, kind))
        if later is None:
            tell()
            return
        was_full, self._is_full = self._is_full, not later(tell)
        if self._is_full and not was_full:
            LOG.error("the hook for events is too slow: events are dropped")


def _event(
    core: _Guard, decision: _Decision, request: _Request | None, seconds: float, kind: _Kind
) -> Event:
    error: Any = decision.error
    access, tokens = decision.access, decision.tokens
    subject = None if access is None else access.subject
    if tokens is not None:
        subject = tokens.session.subject
    return Event(
        kind=kind if decision.is_allowed else "refused",
        status=decision.status,
        code=None if error is None else error.code,
        subject=subject,
        address=None if request is None else core.address_of(request),
        method=None if request is None else request.method,
        path=None if request is None else request.path,
        seconds=seconds,
    )


def _tell(hook: Callable[[Event], object], event: Event) -> None:
    try:
        hook(event)
    except (Exception, SystemExit, GeneratorExit):  # a library's `sys.exit` ends no worker
        LOG.exception("the hook for events has failed; what was decided stands")
