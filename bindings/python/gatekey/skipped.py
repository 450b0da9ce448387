"""A member of a JWK Set that is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gatekey.exceptions import GatekeyError


class SkippedKey(NamedTuple):
    """A member of a JWK Set that cannot be used: its ``kid``, if it has one, and why."""

    #: The key's ``kid``; None if it has none that is a string.
    kid: str | None
    #: What reading this member alone raises.
    reason: GatekeyError


SkippedKey.__module__ = "gatekey"
