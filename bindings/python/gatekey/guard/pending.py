"""`Pending`: the cookies of a log-in or log-out, which the answer that really leaves must carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekey.exceptions import ConfigurationError, UsageError
from gatekey.guard.events import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable

PENDING = "gatekey.pending"
"""The name of a request's own in ASGI scopes, in WSGI environments and of others."""


class Pending:
    """What one answer must set, whichever response the program sends in the end."""

    def __init__(self, guard: object = None, outer: Pending | None = None) -> None:
        """Begin with nothing.

        :param guard: the one that is installed in the application.
        :param outer: that of the application which this one is mounted in.
        """
        self._guards: tuple[object, ...] = (guard, *(() if outer is None else outer._guards))
        self._outer = outer
        self.is_routed = False
        """Whether the request has come as far as to a route."""
        self.is_settled = False
        """Whether the answer may leave: it was decided about, or needs no decision."""
        self.is_personal = False
        """Whether the answer is for this caller alone: it sets cookies, or has a form's token."""
        self._is_sent = False
        self._cookies: dict[str, tuple[str, bool]] = {}

    def knows(self, guard: object) -> bool:
        """Tell whether a guard is installed, here or in an application around."""
        return any(one is guard for one in self._guards)

    def settle(self) -> None:
        """Say that the answer may leave, from the applications around, too."""
        self.is_settled = True
        if self._outer is not None:
            self._outer.settle()

    def check(self) -> None:
        """Look whether cookies can still be set, before a session is started or ended.

        :raises UsageError: the headers of the answer are sent already.
        """
        if self._is_sent:
            raise UsageError(
                "The headers of this answer are sent already, and no cookie can be set any more: "
                "log in or out before the response is begun."
            )

    def add(self, headers: Iterable[tuple[str, str]], *, is_log_in: bool = False) -> None:
        """Have the answer set these cookies; a later one of the same name counts."""
        self.is_personal = True
        for name, value in headers:
            if name == "Set-Cookie":
                self._cookies[value.partition("=")[0]] = value, is_log_in

    def leaving(self, status: int, there: Iterable[str]) -> list[str] | None:
        """Give what an answer must set beyond what it sets; None: it has to do with no session.

        It must not be kept by caches otherwise. No log-in goes with an answer that says that the
        request has failed.

        :param there: its ``Set-Cookie`` headers.
        """
        self._is_sent = True
        if not self._cookies:
            return None
        own = set(there)
        missing = [pair for pair in self._cookies.values() if pair[0] not in own]
        added = [value for value, is_log_in in missing if status < 400 or not is_log_in]
        if len(added) < len(missing):
            LOG.warning("a log-in sets no cookies, because the answer is an error: %d", status)
        return added


def with_cookies(
    headers: list[tuple[bytes, bytes]], status: int, pending: Pending
) -> list[tuple[bytes, bytes]]:
    """Add what is missing to the headers of an answer by ASGI."""
    there = [value.decode("latin-1") for name, value in headers if name.lower() == b"set-cookie"]
    added = pending.leaving(status, there)
    if added is None:
        return headers
    kept = [pair for pair in headers if pair[0].lower() != b"cache-control"]
    cookies = [(b"set-cookie", value.encode("latin-1")) for value in added]
    return [*kept, (b"cache-control", b"no-store"), *cookies]


def not_installed(what: str) -> ConfigurationError:
    """Say what is missing of a program whose routes have guards."""
    return ConfigurationError(
        f"A route of this application has a guard, which is not installed: {what}."
    )


def check_guard(guard: object, pending: Pending | None, what: str) -> None:
    """Look whether the guard of a route is the one that is installed.

    :raises ConfigurationError: none is, or another one.
    """
    if pending is None:
        raise not_installed(what)
    if not pending.knows(guard):
        raise ConfigurationError(
            "A route of this application has a guard, and another guard is installed: guard all "
            "routes with the one that is installed."
        )


def installed_twice() -> ConfigurationError:
    """Say that an application has a guard already."""
    return ConfigurationError(
        "A guard is installed in this application already: install one, once, and guard all routes "
        "with that."
    )
