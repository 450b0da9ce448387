"""What a guard says in the documents of drf-spectacular."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.utils import OpenApiResponse, extend_schema

from gatekey.drf import GuardAuthentication, demand_of


class GuardExtension(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Says in the document of an API what a guard takes, as alternatives."""

    target_class = GuardAuthentication
    match_subclasses = True

    @property
    def name(self) -> list[str]:  # type: ignore[override]
        """The names of all schemes."""
        return list(self.target.guard.schemes())

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        """Give all schemes."""
        return list(self.target.guard.schemes().values())

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Give those that the view takes: one of them is enough."""
        demand = demand_of(auto_schema.view)
        return [] if demand is None else list(self.target.guard.requirements(demand))


class SimplejwtExtension(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    """Says what the views of :mod:`gatekey.simplejwt` take and answer."""

    target_class = "gatekey.simplejwt._View"
    match_subclasses = True

    def view_replacement(self) -> Any:
        """Give the view with its bodies."""
        view: Any = self.target
        answer = view.answered or OpenApiResponse(description="It is so.")

        class Described(view):  # type: ignore[misc]
            @extend_schema(
                request=view.serializer,
                responses={200: answer},
                description=(view.__doc__ or view.__mro__[1].__doc__ or "").strip(),
            )
            def post(self, request: Any) -> Any:
                return super().post(request)

        return Described
