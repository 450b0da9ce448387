"""The guard for Django REST framework.

::

    from gatekey.drf import Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)

    class Orders(APIView):
        authentication_classes = [auth.authentication]
        permission_classes = [auth.requires("orders:read")]

        def get(self, request):
            return Response({"subject": request.auth.subject})

What a view demands is decided once, when its caller is authenticated: a rate is not charged for a
request that lacks a scope. With drf-spectacular the document of the API says what is taken.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission

from gatekey import django
from gatekey._core import Access
from gatekey.django import (
    DECIDED,
    OF,
    GuardMiddleware,
    check_installed,
    course_of,
    note,
    request_of,
    response_of,
)
from gatekey.exceptions import ConfigurationError, InactiveTokenError, SeveralCredentialsError
from gatekey.guard.answer import Answer, joined
from gatekey.guard.base import MARK, mark_of
from gatekey.guard.hooks import check_function, not_awaited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpResponse
    from rest_framework.request import Request
    from typing_extensions import Unpack

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.base import Demands

__all__ = ["Access", "Caller", "Guard", "GuardMiddleware", "Refused"]


class Refused(APIException):
    """A request was refused. Its answer is the guard's, whatever ``EXCEPTION_HANDLER`` is."""

    def __init__(self, decision: _Decision) -> None:
        """Take what was decided."""
        super().__init__(f"refused with {decision.status}")
        self.status_code = decision.status
        self.answer = Answer.of(decision)
        self.error = decision.error


class Caller:
    """``request.user``, unless the guard has a function that finds users."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, access: Access) -> None:
        """Take who calls."""
        self.access = access
        self.pk = self.username = access.subject

    def __str__(self) -> str:
        return str(self.pk)


class GuardAuthentication(BaseAuthentication):
    """Authenticates by a guard: ``auth.authentication`` is a class of one."""

    guard: ClassVar[Guard]

    def __init__(self) -> None:
        """Describe it to drf-spectacular, if that is there: it asks for objects of this class."""
        if "drf_spectacular.extensions" in sys.modules:
            import gatekey.guard.spectacular  # noqa: F401 - that it is known

    def authenticate(self, request: Request) -> tuple[Any, Access] | None:
        """Decide what the view demands.

        :raises Refused: the request is refused.
        """
        view: Any = (request.parser_context or {}).get("view")
        permission = _permission_of(view)
        if permission is None:
            return None
        access = self.guard.decided_for(request, view, permission)
        return (
            None if access.is_anonymous else (self.guard.known_user(request, view, access), access)
        )

    def authenticate_header(self, request: Request) -> Any:  # noqa: ARG002 - the framework's
        """Give a challenge, so that nothing turns a 401 into a 403."""
        return "Bearer"


class GuardPermission(BasePermission):
    """Lets in whom a guard lets in: ``auth.requires(...)`` is a class of one."""

    guard: ClassVar[Guard]
    demand: ClassVar[_Demand]
    cost: ClassVar[int] = 0
    again: ClassVar[Callable[[int, bool], _Demand] | None] = None
    """Makes the same demand of a caller who has paid, or who only sees what could be done."""

    def __init__(self, *view: object) -> None:
        """Take nothing.

        :raises TypeError: it stands as a decorator.
        """
        if view:
            raise TypeError(
                "`requires(...)` is a permission class, and no decorator: put it into "
                "`permission_classes = [...]`; for views of Django's own there is `auth.view(...)`"
            )

    def has_permission(self, request: Request, view: Any) -> Any:
        """Decide, unless the authentication has.

        :raises Refused: the request is refused; so is one with another credential besides, by
            which another authentication class has found a user.
        """
        access = self.guard.decided_for(request, view, self)
        by: Any = request.successful_authenticator
        if by is not None and not isinstance(by, GuardAuthentication) and not access.is_anonymous:
            raise self.guard.several(request, view)
        if request.auth is None and not access.is_anonymous:
            request.user = self.guard.known_user(request, view, access)
            request.auth = access
        return True


class Guard(django.Guard):
    """One decision at every door of an API of DRF; see :class:`gatekey.guard.Guard`."""

    def __init__(
        self, *args: Any, user: Callable[[Access], Any] | None = None, **options: Any
    ) -> None:
        """Take the options of :class:`gatekey.guard.Guard`.

        :param user: finds ``request.user`` by who calls; a :class:`Caller` unless given. A request
            whose user is ``None``, or anonymous, is refused: one who is gone, or not active any
            more. It is no ``async`` function.
        """
        if user is not None:
            check_function(user, "user")
        super().__init__(*args, **options)
        self.user_of: Callable[[Access], Any] = user or Caller
        self.authentication: type[GuardAuthentication] = type(
            "GuardAuthentication", (GuardAuthentication,), {"guard": self}
        )

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> type[GuardPermission]:
        """Give a permission class, which must be the only one of a guard's that a view has.

        :param scopes: every one of these must have been granted; see
            :class:`gatekey.guard.Demands` for what else can be demanded.
        """
        demand = self.demand(*scopes, **demands)
        given: int | None = demands.get("cost")
        cost = 1 if given is None else given

        def again(paid: int, is_shown: bool) -> _Demand:
            more = {**demands, "cost": 0 if is_shown else max(0, cost - paid)}
            return self.demand(*scopes, **(more | {"limits": None} if is_shown else more))

        made = self._permission(demand)
        made.cost, made.again = cost, staticmethod(again)
        return made

    def public(  # type: ignore[override]
        self, *, limits: Mapping[str, str] | None = None, own_pages: bool = False
    ) -> type[GuardPermission]:
        """Give a permission class that opens a view to all callers.

        :param limits: names and rates for each address.
        :param own_pages: whether what changes something comes from pages of this service alone: for
            log-ins, so that no other site logs its visitors in as a user of its choice.
        """
        return self._permission(self.open_demand(limits=limits, own_pages=own_pages))

    def view(self, *scopes: str, **demands: Unpack[Demands]) -> Callable[[Any], Any]:
        """Guard a view of Django's own; see :meth:`gatekey.django.Guard.requires`."""
        return super().requires(*scopes, **demands)

    def log_in(self, request: Any, response: Any, subject: str, **options: Any) -> SessionTokens:
        """Start a session; with a request and response of DRF, or of Django.

        :param options: those of :meth:`gatekey.django.Guard.log_in`.
        """
        return super().log_in(request, response, subject, **options)

    def public_view(
        self,
        view: Any = None,
        *,
        limits: Mapping[str, str] | None = None,
        own_pages: bool = False,
    ) -> Any:
        """Open a view of Django's own; see :meth:`gatekey.django.Guard.public`."""
        demand = self.open_demand(limits=limits, own_pages=own_pages)
        if view is not None:
            return self._opened(view, demand)
        return lambda view: self._opened(view, demand)

    def _permission(self, demand: _Demand) -> type[GuardPermission]:
        members = {"guard": self, "demand": demand, MARK: demand, OF: self}
        return type("GuardPermission", (GuardPermission,), members)

    def decided_for(self, request: Request, view: Any, permission: Any) -> Access:
        """Decide, once for a request; what else a view demands of its caller takes no more.

        :raises Refused: the request is refused.
        """
        own: Any = request._request
        demand: _Demand = permission.demand
        course = course_of(own)
        found: tuple[_Decision, _Demand] | None = getattr(own, DECIDED, None)
        # Pages of the API ask what their forms may do, by a copy of the request.
        is_shown = found is not None and request.method != own.method
        if found is None or (found[1] is not demand and not permission.again):
            check_installed(own)
            found = self._decide(self._request_of(own), demand), demand
            course.paid = permission.cost
            note(own, *found)
            _with(view, found[0])
        elif found[1] is not demand:
            again = permission.again(course.paid, is_shown)
            found = self._decide(self._request_of(own), again), demand
        decision = found[0]
        access = decision.access
        if access is None:
            raise Refused(decision) if is_shown else self._refusal(view, decision)
        return access

    def several(self, request: Request, view: Any) -> Refused:
        """Refuse two credentials: a class before the guard's has found a user by one of its own."""
        own = request_of(request._request)
        return self._refusal(view, self._refused(own, SeveralCredentialsError.number))

    def known_user(self, request: Request, view: Any, access: Access) -> Any:
        """Find the user of a caller.

        :raises Refused: there is none.
        """
        user = not_awaited(self.user_of(access), "user")
        if not user or getattr(user, "is_anonymous", False) is True:
            own = request_of(request._request)
            raise self._refusal(view, self._refused(own, InactiveTokenError.number))
        return user

    def _refusal(self, view: Any, decision: _Decision) -> Refused:
        """Give a whole answer: no handler of the project's, and no headers of the view's."""
        view.get_exception_handler = lambda: _answer
        view.headers = {}
        return Refused(decision)


def demand_of(view: Any) -> _Demand | None:
    """Give what a view demands.

    :raises ConfigurationError: it has two guards.
    """
    permission = _permission_of(view)
    return None if permission is None else mark_of(permission)


def _permission_of(view: Any) -> Any:
    permissions = () if view is None else view.get_permissions()
    found = [one for one in permissions if mark_of(one) is not None]
    if len(found) > 1:
        raise ConfigurationError("A view has two guards; say all that it demands in one.")
    return found[0] if found else None


def _with(view: Any, decision: _Decision) -> None:
    """Have the view's headers say what goes with the answer."""
    headers = dict(getattr(view, "headers", {}))
    for name, value in decision.headers:
        headers[name] = joined([headers.get("Vary", "")], value) if name == "Vary" else value
    view.headers = headers


def _answer(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    from rest_framework.views import exception_handler, set_rollback

    if not isinstance(error, Refused):
        response: HttpResponse | None = exception_handler(error, dict(context))
        return response
    set_rollback()
    return response_of(error.answer)
