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

from inspect import Parameter, Signature, isfunction, signature
from typing import TYPE_CHECKING, Any

from fastapi import Security
from fastapi import routing as fastapi_routing
from fastapi.openapi.models import APIKey, HTTPBase
from fastapi.params import Depends as Dependency
from fastapi.security.base import SecurityBase
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Host, Mount, Router

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

DOCUMENTED = "_gatekey_documented"
"""The attribute of an application whose document says what is required."""


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
        # For the schemes of the document; `install` writes what each operation requires.
        scopes = demand.scopes or demand.any_scopes
        for at, scheme in enumerate(schemes):
            depends = Security(scheme, scopes=scopes)
            parameters.append(
                Parameter(f"scheme_{at}", Parameter.KEYWORD_ONLY, default=depends, annotation=Any)
            )
        self.__signature__ = Signature(parameters)

    async def __call__(self, connection: HTTPConnection, **_: Any) -> Access:
        return await self.guard._require(connection, self.demand)


class _Dependency(Dependency):
    """A dependency, and no decorator."""

    def __call__(self, *_: object) -> None:
        """Say how a route is guarded.

        :raises TypeError: always.
        """
        raise TypeError(
            "`requires(...)` and `public(...)` of FastAPI are dependencies, and no decorators: "
            "take `who: Annotated[Access, auth.requires(...)]` as a parameter of the function, or "
            "give `dependencies=[auth.public()]` to the route"
        )


class Guard(starlette.Guard):
    """One decision at every door of a FastAPI application; see :class:`gatekey.guard.Guard`."""

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> Any:
        """Guard a route: ``who: Annotated[Access, auth.requires("orders:read")]``.

        For all routes of a router: ``APIRouter(dependencies=[auth.requires()])``.

        :param scopes: every one of these must have been granted; see
            :class:`gatekey.guard.Demands` for what else can be demanded.
        """
        demand = self.demand(*scopes, **demands)
        return _Dependency(_Requires(self, demand, self._schemes(demand)))

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
        demand = self.open_demand(limits=limits, own_pages=own_pages)
        # An application takes a scope, `receive` and `send`.
        if isfunction(endpoint) and len(signature(endpoint).parameters) != 3:
            raise TypeError(
                f"`public` opens an application of ASGI, and {endpoint.__name__!r:.60} is none: a "
                "route is opened by `dependencies=[auth.public()]` beside its path"
            )
        if endpoint is not None:
            return starlette.guarded_app(self, endpoint, demand)
        return _Dependency(_Requires(self, demand, []))

    def install(self, app: Starlette, *, prefix: str = "/auth", public: Iterable[str] = ()) -> None:
        """Add the guard's own routes, the answers of refusals, and what the API's document says.

        The start of the application fails if a route has neither ``requires`` nor ``public``. An
        ``app.openapi`` of the program's own belongs before this call.

        :param prefix: where refresh, log-out and devices are.
        :param public: names of routes that are public.
        """
        super().install(app, prefix=prefix, public=public)
        _document(app)

    def _schemes(self, demand: _Demand) -> list[_Scheme]:
        models: dict[str, Any] = {"http": HTTPBase, "apiKey": APIKey}
        return [
            _Scheme(name, models[about["type"]].model_validate(about))
            for name, about in self.schemes(demand).items()
        ]

    def _routes_without(self, app: object, walk: Any, prefix: str = "") -> Iterator[str]:
        _document(app)
        return super()._routes_without(app, walk, prefix)

    def _routes_of(self, app: object) -> Iterable[BaseRoute]:
        return _effective(app)

    def _is_guarded(self, route: BaseRoute) -> bool:
        endpoint = getattr(route, "endpoint", None)
        if mark_of(endpoint) is not None:
            return True
        return _depends_on_guard(getattr(route, "dependant", None))

    def _needs_none(self, route: BaseRoute) -> bool:
        return _is_of_fastapi(getattr(route, "endpoint", None))


def _depends_on_guard(dependant: Any) -> bool:
    return next(_guards_of(dependant), None) is not None


def _guards_of(dependant: Any) -> Iterator[_Requires]:
    """Give the guards that a route depends on."""
    if dependant is None:
        return
    if isinstance(dependant.call, _Requires):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards_of(inner)


def _document(app: Any) -> None:
    """Have the document of an application, and of those that are mounted, say what is required."""
    if (make := getattr(app, "openapi", None)) is not None and not getattr(app, DOCUMENTED, False):
        setattr(app, DOCUMENTED, True)
        made: list[dict[str, Any]] = []

        def openapi() -> dict[str, Any]:
            document: dict[str, Any] = make()
            if not (made and made[0] is document):  # FastAPI keeps it
                made[:] = [_with_requirements(document, app)]
            return document

        app.openapi = openapi
    for route in getattr(app, "routes", ()):
        if isinstance(route, Mount | Host):
            inner: Any = getattr(route, "_base_app", route.app)
            while not isinstance(inner, Starlette | Router) and hasattr(inner, "app"):
                inner = inner.app
            if isinstance(inner, Starlette | Router):
                _document(inner)


def _with_requirements(document: dict[str, Any], app: object) -> dict[str, Any]:
    """Say of each operation what it requires: FastAPI has no words for pairs and for nothing."""
    answered: set[tuple[str, str]] = set()
    for route in _effective(app):
        found: Any = route
        dependant = getattr(found, "dependant", None)
        guards = list(_guards_of(dependant))
        path = getattr(found, "path_format", None) or ""
        operations = document.get("paths", {}).get(path, {})
        for method in getattr(found, "methods", None) or ():
            if (path, method) in answered:  # another route answers there
                continue
            answered.add((path, method))
            operation = operations.get(method.lower())
            # Two guards are two decisions, of which FastAPI itself says as much as it can.
            if operation is not None and len(guards) == 1:
                own = guards[0].guard.requirements(guards[0].demand)
                operation["security"] = _beside(own, operation.get("security", []), dependant)
    return document


def _beside(
    own: list[dict[str, list[str]]], told: list[dict[str, list[str]]], dependant: Any
) -> list[dict[str, list[str]]]:
    """Say what a guard requires together with the schemes of the program itself."""
    needed: dict[str, list[str]] = {}
    found = [*own]
    for scheme in _schemes_of(dependant):
        name = scheme.scheme_name
        scopes = next((each[name] for each in told if name in each), [])
        if getattr(scheme, "auto_error", True):
            needed[name] = scopes
        else:
            found = [*found, *(one | {name: scopes} for one in own or [{}])]
            found = found if own else [*found, {}]
    return [one | needed for one in found or [{}]] if needed else found


def _schemes_of(dependant: Any) -> Iterator[SecurityBase]:
    """Give the schemes of the program's own that a route depends on."""
    if isinstance(dependant.call, SecurityBase) and not isinstance(dependant.call, _Scheme):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _schemes_of(inner)


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
