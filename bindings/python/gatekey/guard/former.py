"""`FormerTokens`: the access tokens of what a service had before, taken until a date."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatekey._core import _FormerTokens
from gatekey.guard.hooks import check_function, not_awaited
from gatekey.oauth.options import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gatekey._core import Key, KeySet, _Moment, _Request, _Seconds
    from gatekey.guard.base import Guard

    _LookUp = Callable[[str, Mapping[str, Any]], Iterable[str] | None]


class FormerTokens:
    """The access tokens of what a service had before, for ``Guard(former=...)``.

    They are taken until a date, of users whom the program looks up with each request. Of
    flask-jwt-extended, for example::

        FormerTokens(
            Key.from_secret(app.config["JWT_SECRET_KEY"], "HS256"),
            user_claim="sub",
            claims={"type": "access"},
            until=datetime(2027, 3, 1, tzinfo=timezone.utc),
            look_up=lambda subject, claims: ["orders:read"] if is_active(subject) else None,
        )

    From the date on they are refused; the service still starts. A log-out everywhere ends them.
    ``Access.kind`` is ``jwt``.
    """

    def __init__(
        self,
        keys: KeySet | Key | Iterable[Key],
        *,
        user_claim: str,
        claims: Mapping[str, object],
        until: _Moment,
        look_up: _LookUp,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        leeway: _Seconds = 0,
    ) -> None:
        """Say what the tokens are like.

        :param keys: what they are signed with, each with its one algorithm.
        :param user_claim: the claim that names the user: text, or a whole number.
        :param claims: what tells access tokens from refresh tokens and others, which the same key
            has signed; at least one.
        :param until: the date from which on none is taken, as a ``datetime`` with a time zone, or
            in seconds since 1970.
        :param look_up: is called with the user as text, and the token's claims, which are verified;
            gives the scopes that are granted, a list of str, or ``None`` for a user who is not
            there or not active. It is no ``async`` function. In services on event loops it runs in
            a thread.
        :param issuer: their ``iss``, if they have one.
        :param audience: their ``aud``, if they have one.
        :raises TypeError: ``look_up`` is no plain function.
        """
        check_function(look_up, "look_up")
        self._core = _FormerTokens(
            keys,
            user_claim=user_claim,
            until=until,
            claims=claims,
            issuer=issuer,
            audience=audience,
            leeway=leeway,
        )
        self._look_up = look_up
        self._until = until.timestamp() if isinstance(until, datetime) else float(until)

    def is_over(self, now: float) -> bool:
        """Tell whether the date has come."""
        return now >= self._until

    def __repr__(self) -> str:
        return "<gatekey.guard.FormerTokens>"


_Found = tuple[str, str]
_User = tuple[str, list[str]]


def found_in(guard: Guard, request: _Request) -> _Found | None:
    """Give whose former token a request brings, with its claims as JSON: from memory."""
    return None if guard._former is None else guard._core.former_user(request)


def looked_up(guard: Guard, found: _Found | None) -> _User | None:
    """Give the user with its scopes, if it is active. May wait."""
    if found is None or guard._former is None:
        return None
    subject, claims = found
    given: Any = guard._former._look_up(subject, json.loads(claims))
    granted = listed(not_awaited(given, "look_up"), "look_up")
    return None if granted is None else (subject, granted)
