"""The guard for FastAPI.

::

    from gatekey.fastapi import Access, Guard

    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)
    app = FastAPI()
    auth.install(app)

    @app.get("/orders")
    async def orders(who: Annotated[Access, auth.requires("orders:read")]) -> dict[str, str]:
        return {"subject": who.subject}
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Security
from fastapi import routing as fastapi_routing
from fastapi.openapi.models import APIKey, HTTPBase
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from gatekey import starlette
from gatekey._core import Access
from gatekey.guard.base import mark_of
from gatekey.starlette import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.routing import BaseRoute
    from typing_extensions import Unpack

    from gatekey._core import _Demand
    from gatekey.guard.base import Demands

__all__ = ["Access", "Guard", "Refused"]


class _Scheme(SecurityBase):
    """How a credential is sent, for the document of the API alone."""

    def __init__(self, scheme_name: str, model: Any) -> None:
        self.scheme_name, self.model = scheme_name, model

    async def __call__(self) -> None:
        """Decide nothing."""


class _Requires:
    """What a route depends on: a decision."""

    def __init__(self, guard: Guard, demand: _Demand, schemes: list[_Scheme]) -> None:
        self.guard, self.demand = guard, demand
        parameters = [
            Parameter("connection", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)
        ]
        # Alternatives: FastAPI writes each as an object of its own in the operation's `security`.
        scopes = demand.scopes or demand.any_scopes
        for at, scheme in enumerate(schemes):
            depends = Security(scheme, scopes=scopes)
            parameters.append(
                Parameter(f"scheme_{at}", Parameter.KEYWORD_ONLY, default=depends, annotation=Any)
            )
        self.__signature__ = Signature(parameters)

    async def __call__(self, connection: HTTPConnection, **_: Any) -> Access:
        return await self.guard._require(connection, self.demand)


class Guard(starlette.Guard):
    """One decision at every door of a FastAPI application; see :class:`gatekey.guard.Guard`."""

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> Any:
        """Guard a route: ``who: Annotated[Access, auth.requires("orders:read")]``.

        For all routes of a router: ``APIRouter(dependencies=[auth.requires()])``.

        :param scopes: every one of these must have been granted; see
            :class:`gatekey.guard.Demands` for what else can be demanded.
        """
        demand = self.demand(*scopes, **demands)
        return Depends(_Requires(self, demand, self._schemes(demand)))

    def public(
        self,
        endpoint: Any = None,
        *,
        limits: Mapping[str, str] | None = None,
        own_pages: bool = False,
    ) -> Any:
        """Say that a route is open to all callers: ``dependencies=[auth.public()]``.

        With an application, such as ``StaticFiles``, say so of that.

        :param limits: names and rates for each address.
        :param own_pages: whether what changes something comes from pages of this service alone: for
            log-ins, so that no other site logs its visitors in as a user of its choice.
        """
        demand = self.demand(public=True, limits=limits, own_pages=own_pages)
        if endpoint is not None:
            return starlette.guarded_app(self, endpoint, demand)
        return Depends(_Requires(self, demand, []))

    def _schemes(self, demand: _Demand) -> list[_Scheme]:
        models: dict[str, Any] = {"http": HTTPBase, "apiKey": APIKey}
        return [
            _Scheme(name, models[about["type"]].model_validate(about))
            for name, about in self.schemes(demand).items()
        ]

    def _routes_of(self, app: object) -> Iterable[BaseRoute]:
        return _effective(app)

    def _is_guarded(self, route: BaseRoute) -> bool:
        endpoint = getattr(route, "endpoint", None)
        if mark_of(endpoint) is not None or _is_of_fastapi(endpoint):
            return True
        return _depends_on_guard(getattr(route, "dependant", None))


def _depends_on_guard(dependant: Any) -> bool:
    if dependant is None:
        return False
    if isinstance(dependant.call, _Requires):
        return True
    return any(_depends_on_guard(inner) for inner in dependant.dependencies)


def _is_of_fastapi(endpoint: Any) -> bool:
    """Tell the routes of the document and its pages."""
    return getattr(endpoint, "__module__", "") == "fastapi.applications"


def _effective(app: Any) -> Iterator[BaseRoute]:
    """Give all routes, those of included routers and the ones that come last, too."""
    routes: Iterable[Any] = getattr(app, "routes", ())
    contexts = getattr(fastapi_routing, "iter_route_contexts", None)
    for route in routes if contexts is None else contexts(routes):
        yield route
    last: Iterable[Any] = getattr(getattr(app, "router", app), "_low_priority_routes", ())
    yield from last
    for route in routes:
        effective = getattr(route, "effective_low_priority_routes", None)
        if effective is not None:
            yield from effective()
