"""For the tests of a service: a clock that is set, issuers, keys, and clients that log in.

::

    from gatekey.testing import Clock, Issuer

    clock = Clock()
    issuer = Issuer("https://auth.example", clock=clock)
    auth = Guard("memory:", issuers={issuer.name: issuer.keys}, audience=API, clock=clock)
    token = issuer.token(subject="alice", audience=API, scope="orders:read")

Nothing of it belongs into a program.
"""

from __future__ import annotations

import time
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from gatekey._core import Key, KeySet, Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gatekey.guard import Guard

__all__ = ["Clock", "CookieJar", "Issuer", "log_in", "new_key"]


class Clock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, now: float | None = None) -> None:
        """Set it, to seconds since 1970; to now unless given."""
        self._now = time.time() if now is None else now

    def now(self) -> float:
        """Give the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class Issuer:
    """Another service that issues access tokens (RFC 9068), with a key that was just made."""

    def __init__(self, name: str, *, alg: str = "ES256", clock: Clock | None = None) -> None:
        """Make its key.

        :param name: its identifier, ``iss`` of its tokens.
        """
        self.name = name
        self._clock = clock or Clock()
        self._key = Key.generate(alg)
        self.keys = KeySet([self._key.public()])

    def token(
        self,
        *,
        subject: str = "alice",
        audience: str | Iterable[str] | None = None,
        scope: str = "",
        ttl: float = 900,
        typ: str | None = "at+jwt",
        key: Key | None = None,
        **claims: object,
    ) -> str:
        """Sign an access token; ``claims`` are added, and stand in for what it would say.

        :param key: another key than the issuer's, for tokens that are refused.
        """
        now = int(self._clock.now())
        own: dict[str, Any] = {
            "iss": self.name,
            "sub": subject,
            "client_id": "app",
            "iat": now,
            "exp": int(now + ttl),
        }
        if scope:
            own["scope"] = scope
        if audience is not None:
            own["aud"] = audience if isinstance(audience, str) else list(audience)
        signer = Signer(key or self._key, ttl=None, typ=typ, allow_missing_exp=True)
        return signer.sign({**own, **claims})


def new_key(guard: Guard, owner: str = "acme", **options: Any) -> str:
    """Make an API key of a guard's, with the options of ``ApiKeys.create``; the key itself."""
    if guard.api_keys is None:
        raise TypeError("the guard takes no API keys")
    return guard.api_keys.create(owner=owner, **options).secret


class CookieJar:
    """What a browser keeps of one service under HTTPS: by name; ``Secure`` cookies, too.

    Test clients of most frameworks speak HTTP, where ``__Host-`` cookies are lost: give them the
    header of a jar, and the jar their answers.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[str, str] = {}

    def take(self, set_cookies: Iterable[str]) -> None:
        """Take the values of an answer's ``Set-Cookie`` headers."""
        for text in set_cookies:
            for name, morsel in SimpleCookie(text).items():
                if morsel["max-age"] == "0":
                    self._kept.pop(name, None)
                else:
                    self._kept[name] = morsel.value

    def __getitem__(self, name: str) -> str:
        """Give the value of a cookie."""
        return self._kept[name]

    def __contains__(self, name: object) -> bool:
        return name in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def header(self) -> str:
        """The value of the ``Cookie`` header."""
        return "; ".join(f"{name}={value}" for name, value in self._kept.items())

    def headers(self, guard: Guard, origin: str | None = None) -> Mapping[str, str]:
        """Give what a page of the service sends with a request that changes something."""
        found = {"Cookie": self.header}
        if guard.cookies is not None and (shown := guard.cookies.names[2]) in self:
            found["X-CSRF-Token"] = self[shown]
        return found if origin is None else {**found, "Origin": origin}


def log_in(guard: Guard, subject: str = "alice", **options: Any) -> CookieJar:
    """Start a session, and give the cookies that a browser has then.

    :param options: those of :meth:`gatekey.guard.Guard.start_session`.
    """
    jar = CookieJar()
    decision = guard.start_session(subject, **options)
    jar.take(value for name, value in decision.headers if name == "Set-Cookie")
    return jar
