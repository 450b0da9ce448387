"""5000s: the authorization server, the log-in, and the check of an API's incoming requests."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


class OAuthError(GatekeyError):
    """A log-in, a token request or a presented token failed; ``status`` is what to answer."""

    status = 401
    _answers_as = 5004


class OAuthStateError(OAuthError):
    """The log-in was not begun by this browser, or too long ago.

    The callback's ``state`` fits no log-in that this browser has begun in the last ten minutes
    (RFC 6749 section 10.12).
    """

    number = 5000
    code = "oauth_state_mismatch"
    kind = "OauthStateMismatch"
    status = 400


class IssuerMismatchError(OAuthError):
    """The answer is from another authorization server than the one that was asked.

    The metadata, or the callback's ``iss`` (RFC 9207), names another issuer than the one
    configured.
    """

    number = 5001
    code = "oauth_issuer_mismatch"
    kind = "OauthIssuerMismatch"
    status = 400


class AccessDeniedError(OAuthError):
    """The user, or the server's policy, said no (``access_denied``, RFC 6749 section 4.1.2.1)."""

    number = 5002
    code = "oauth_access_denied"
    kind = "OauthAccessDenied"
    status = 403


class InteractionRequiredError(OAuthError):
    """The authorization server wants to ask the user something first.

    The server cannot answer without the user: ``login_required``, ``consent_required`` and the
    like (OpenID Connect Core section 3.1.2.6).
    """

    number = 5003
    code = "oauth_interaction_required"
    kind = "OauthInteractionRequired"
    status = 401


class InvalidGrantError(OAuthError):
    """The code or refresh token is not good any more.

    The authorization server refused the code, refresh token or assertion for good
    (``invalid_grant``, RFC 6749 section 5.2).
    """

    number = 5004
    code = "oauth_invalid_grant"
    kind = "OauthInvalidGrant"
    status = 401


class InvalidClientError(OAuthError):
    """The authorization server does not accept this client.

    The client's own authentication failed, or it may not do this (``invalid_client``,
    ``unauthorized_client``).
    """

    number = 5005
    code = "oauth_invalid_client"
    kind = "OauthInvalidClient"
    status = 500


class OAuthRefusedError(OAuthError):
    """The authorization server answered with any other error; ``peer_code`` names it."""

    number = 5006
    code = "oauth_refused"
    kind = "OauthRefused"
    status = 500


class OAuthServerError(OAuthError):
    """The authorization server cannot answer now.

    The authorization server answered 5xx or 429, ``server_error`` or
    ``temporarily_unavailable``.
    """

    number = 5007
    code = "oauth_server_failed"
    kind = "OauthServerFailed"
    status = 503
    retryable = True


class OAuthResponseError(OAuthError):
    """The authorization server's answer is malformed.

    The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with
    control characters, another token type.
    """

    number = 5008
    code = "oauth_malformed_response"
    kind = "OauthMalformedResponse"
    status = 503


class NonceMismatchError(OAuthError):
    """The ID token belongs to another log-in.

    The ID token's ``nonce`` is not the one of this log-in (OpenID Connect Core section
    3.1.3.7).
    """

    number = 5009
    code = "oauth_nonce_mismatch"
    kind = "OauthNonceMismatch"
    status = 401


class SubjectMismatchError(OAuthError):
    """The user info is about another user.

    The ``sub`` of the user info is not the one of the ID token (OpenID Connect Core section
    5.3.2).
    """

    number = 5010
    code = "oauth_subject_mismatch"
    kind = "OauthSubjectMismatch"
    status = 401


class DeviceCodeExpiredError(OAuthError):
    """The device code has expired before the user said yes or no (RFC 8628 section 3.5)."""

    number = 5011
    code = "oauth_device_expired"
    kind = "OauthDeviceExpired"
    status = 401


class NoTokenError(OAuthError):
    """The token manager has no token under this name, or the authorization server has ended it."""

    number = 5012
    code = "oauth_no_token"
    kind = "OauthNoToken"
    status = 401


class MissingCredentialsError(OAuthError):
    """There is no ``Authorization`` header, or another scheme than the ones accepted."""

    number = 5013
    code = "missing_credentials"
    kind = "MissingCredentials"
    status = 401


class InactiveTokenError(OAuthError):
    """The token is not active.

    The authorization server says that the token is expired, revoked or unknown (RFC 7662
    section 2.2).
    """

    number = 5014
    code = "token_inactive"
    kind = "TokenInactive"
    status = 401


class InsufficientAuthenticationError(OAuthError):
    """The token's ``acr`` or ``auth_time`` does not meet what this call demands (RFC 9470)."""

    number = 5015
    code = "insufficient_authentication"
    kind = "InsufficientAuthentication"
    status = 401


class SeveralCredentialsError(OAuthError):
    """The request brings more than one credential, in one place or in two (RFC 6750)."""

    number = 5016
    code = "several_credentials"
    kind = "SeveralCredentials"
    status = 400


class MalformedRequestError(OAuthError):
    """HTTP does not allow the request: control characters, or a header twice (RFC 9110)."""

    number = 5017
    code = "malformed_request"
    kind = "MalformedRequest"
    status = 400


class RequestTooLargeError(OAuthError):
    """The request has more headers, or longer ones, than are read (RFC 6585)."""

    number = 5018
    code = "request_too_large"
    kind = "RequestTooLarge"
    status = 431
