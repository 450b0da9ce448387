"""4000s: cookies, CSRF, refresh tokens and sessions."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


class SessionError(GatekeyError):
    """A request is not of the session it says; ``status`` is what to answer."""

    status = 401
    _answers_as = 4002


class MalformedCookieError(SessionError):
    """A cookie's name comes twice, or its value holds what no cookie holds."""

    number = 4000
    code = "malformed_cookie"
    kind = "MalformedCookie"
    status = 400


class CsrfError(SessionError):
    """The request was caused by another site, or brings no CSRF token of its session."""

    number = 4001
    code = "csrf_rejected"
    kind = "CsrfRejected"
    status = 403


class InvalidRefreshTokenError(SessionError):
    """The text is not a refresh token of ours, or its session is not known any more."""

    number = 4002
    code = "invalid_refresh_token"
    kind = "InvalidRefreshToken"
    status = 401


class TokenReuseError(SessionError):
    """A refresh token was used again: an attacker may have it. The session has been ended."""

    number = 4003
    code = "token_reuse"
    kind = "TokenReuse"
    status = 401


class SessionEndedError(SessionError):
    """The session was logged out."""

    number = 4004
    code = "session_ended"
    kind = "SessionEnded"
    status = 401


class SessionExpiredError(SessionError):
    """The session was not refreshed in time, or has lasted for as long as a session may."""

    number = 4005
    code = "session_expired"
    kind = "SessionExpired"
    status = 401


class SessionNotFoundError(SessionError):
    """There is no session with this id."""

    number = 4006
    code = "session_not_found"
    kind = "SessionNotFound"
    status = 404
