"""What the guards have in common of frameworks whose routes are decorated functions and classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import parse_qsl

from gatekey.exceptions import StoreError, UsageError
from gatekey.guard import base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from gatekey._core import Access, _Decision, _Demand, _Request
    from gatekey.guard.base import Demands

T = TypeVar("T")
LONGEST_FORM = 64 * 1024
"""The most bytes of a form that are looked at for a CSRF token, before the route reads it."""


class Guard(base.Guard, ABC):
    """Routes are guarded by ``requires`` and ``public``, as decorators."""

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> Callable[[T], T]:
        """Guard a route: the function or class that answers its requests.

        :param scopes: every one of these must have been granted; see
            :class:`gatekey.guard.Demands` for what else can be demanded.
        :raises ConfigurationError: a demand can never be met, or the route has a guard.
        """
        demand = self.demand(*scopes, **demands)
        return lambda route: self._guarding(route, demand)

    @overload
    def public(self, route: T) -> T: ...

    @overload
    def public(
        self, *, limits: Mapping[str, str] | None = None, own_pages: bool = False
    ) -> Callable[[T], T]: ...

    def public(
        self,
        route: Any = None,
        *,
        limits: Mapping[str, str] | None = None,
        own_pages: bool = False,
    ) -> Any:
        """Say that a route is open to all callers.

        :param limits: names and rates for each address.
        :param own_pages: whether what changes something comes from pages of this service alone: for
            log-ins, so that no other site logs its visitors in as a user of its choice.
        """
        demand = self.open_demand(limits=limits, own_pages=own_pages)
        if route is not None:
            return self._opened(route, demand)
        return lambda route: self._opened(route, demand)

    def _opened(self, route: T, demand: _Demand) -> T:
        """Guard what is open to all callers."""
        return self._guarding(route, demand)

    def _begun(self, request: _Request, subject: str, **about: Any) -> _Decision:
        """Start a session, or refuse: without its store a service cannot."""
        try:
            return self._log_in(request, subject, **about)
        except StoreError as error:
            return self._refused(request, error.number)

    @abstractmethod
    def _guarding(self, route: T, demand: _Demand) -> T:
        """Guard it, and mark it as guarded."""


def access_of(decision: _Decision | None) -> Access:
    """Give who calls, by what was decided about a request.

    :raises UsageError: nothing was decided about it.
    """
    access = decision and decision.access
    if access is None:
        raise UsageError("The route of this request has no guard; give it `requires(...)`.")
    return access


def is_short(length: str | bytes) -> bool:
    """Tell whether a ``Content-Length`` is that of a form which a door may read."""
    digits = length if isinstance(length, bytes) else length.encode("utf-8", "replace")
    return digits.isdigit() and len(digits) <= 6 and int(digits) <= LONGEST_FORM


def field_of(form: bytes, name: str) -> str | None:
    """Give the value of the first field of this name in a form (``x-www-form-urlencoded``)."""
    if len(form) > LONGEST_FORM:
        return None
    text = form.decode("utf-8", "replace")
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError:  # more fields than that
        return None
    return next((value for own, value in fields if own == name), None)
