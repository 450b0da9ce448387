"""`DoorRule`: what a `ResourceServer` accepts of one issuer's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey._core import ANY, AnyValue, _seconds
from gatekey.oauth.options import listed, plain_json, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gatekey._core import Key, KeyRing, KeySet, _RemoteKeySet, _Seconds


@final
class DoorRule:
    """What a door accepts of one issuer's tokens instead of what it accepts of all.

    ::

        ResourceServer(
            "https://api.example",
            issuers={
                "https://auth.example": None,
                "https://other.example": DoorRule(audience=ANY, clients=["svc"]),
            },
        )
    """

    def __init__(
        self,
        keys: _RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None = None,
        *,
        audience: str | Sequence[str] | AnyValue | None = None,
        clients: Sequence[str] | None = None,
        token_types: Sequence[str | None] | None = None,
        claims: Mapping[str, object] | None = None,
        algorithms: Sequence[str] | None = None,
        leeway: _Seconds | None = None,
        tenant_claim: str | None = None,
    ) -> None:
        """Say it; what is not given is as the door has it.

        :param keys: the issuer's; those that its metadata lead to, unless given.
        :param audience: one, or one of several, or ``gatekey.ANY``, only together with
            ``clients``, here or of the door.
        """
        several = audience if isinstance(audience, str | AnyValue) else listed(audience, "audience")
        members = {
            "audience": None if audience is ANY else several,
            "any_audience": True if audience is ANY else None,
            "clients": listed(clients, "clients"),
            "token_types": listed(token_types, "token_types"),
            "claims": plain_json(claims, "claims"),
            "algorithms": listed(algorithms, "algorithms"),
            "leeway": None if leeway is None else _seconds(leeway, "leeway"),
            "tenant_claim": None if tenant_claim is None else text(tenant_claim, "tenant_claim"),
        }
        self._keys = keys
        self._members = {name: value for name, value in members.items() if value is not None}

    def _copy(self) -> DoorRule:
        own = DoorRule(self._keys)
        own._members = self._members
        return own

    def __repr__(self) -> str:
        return f"<gatekey.DoorRule {', '.join(sorted(self._members)) or 'as the door has it'}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a DoorRule is not pickled or copied; share it")
