"""The root of the tree, and what every error has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gatekey._core import OAuthTokens
    from gatekey.skipped import SkippedKey


class GatekeyError(Exception):
    """The root of every error that gatekey raises.

    ``str(error)`` is for the log: it says what was given, what was expected and what to do. What a
    caller may read is ``public_message``; what an HTTP answer carries is ``status`` and
    ``headers``.
    """

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++; 0 for a class that is never raised itself."""

    code: ClassVar[str] = ""
    """The name for programs, for example ``invalid_signature``; empty for a class that is never
    raised itself."""

    kind: ClassVar[str] = ""
    """The name in Rust, for example ``InvalidSignature``."""

    status: ClassVar[int] = 500
    """The HTTP status to answer with."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later."""

    claim: str | None = None
    """The claim, the member of a configuration or the argument that the error is about, where it is
    about one."""

    retry_after: float | None = None
    """Seconds after which the same call may succeed, where waiting is the remedy."""

    tokens: OAuthTokens | None = None
    """What to keep although ``OAuthClient.refresh`` has failed: the old tokens with the new refresh
    token that the server had given by then."""

    key_id: str | None = None
    """The id of the API key that was refused, if its secret was proved."""

    skipped: SkippedKey | None = None
    """The key of a set that cannot be used, and why, where the error is about one: its ``kid`` and
    the ``reason``."""

    peer_code: str | None = None
    """The authorization server's own name of the error (RFC 6749 section 5.2), where it gave
    one."""

    peer_message: str | None = None
    """What the authorization server said, at most 200 printable characters. Another server wrote
    it: never show it as HTML."""

    _answers_as: ClassVar[int] = 1
    """The number that a class without one is answered as."""

    _challenge: str | None = None
    """The value of ``WWW-Authenticate``, where a ``ResourceServer`` says more than the kind."""

    @property
    def public_message(self) -> str:
        """What the caller may be told.

        It holds nothing of how the program works inside, no id, and of a refused token, key or
        session not which check it failed.
        """
        from gatekey._core import _public_message

        return _public_message(self.number or self._answers_as)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the HTTP answer.

        ``Cache-Control`` always, ``WWW-Authenticate`` with 401 and where a scope is missing (RFC
        6750 section 3), ``Retry-After`` in whole seconds with 429 and 503 where it is known.
        """
        from gatekey._core import _error_headers

        found = _error_headers(self.number or self._answers_as, self.retry_after)
        if self._challenge is not None:
            found["WWW-Authenticate"] = self._challenge
        return found

    @property
    def www_authenticate(self) -> str | None:
        """The value of the header ``WWW-Authenticate`` of the answer, where there is one."""
        return self.headers.get("WWW-Authenticate")


PyJWTError = GatekeyError
"""PyJWT's name of the root, so that an ``except`` clause survives the move."""
