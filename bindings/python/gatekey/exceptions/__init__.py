"""Every error that gatekey raises, under the names and in the tree that PyJWT's users know.

::

    GatekeyError                              everything below
    |- InvalidTokenError                      what a caller presented is refused: answer 401
    |  |- DecodeError                         not a token at all                        100
    |  |  |- InvalidSignatureError            wins over every fault of the claims       101
    |  |  `- TokenTooLargeError                                                         115
    |  |- ExpiredSignatureError               exp                                       102
    |  |- ImmatureSignatureError              nbf                                       103
    |  |  `- InvalidIssuedAtError             iat is in the future                      116
    |  |- InvalidIssuerError                  iss                                       104
    |  |- InvalidAudienceError                aud                                       105
    |  |- InvalidTypeError                    typ                                       106
    |  |- InvalidSubjectError                 sub                                       107
    |  |- MissingRequiredClaimError           see .claim                                108
    |  |- InvalidClaimError                   wrong type or value, see .claim           109
    |  |  `- InvalidJTIError                  jti is not a string
    |  |- InvalidAlgorithmError               not the one of the key                    111
    |  |  `- UnsupportedAlgorithmError        unknown here, or none                     110
    |  |- UnsupportedCriticalError            crit                                      112
    |  |- KeyNotFoundError (KeyError)         kid                                       113
    |  |- AmbiguousKeyError                                                             114
    |  |- TokenTooOldError                    max_age                                   117
    |  `- RevokedTokenError                   see revocations                           118
    |- InvalidKeyError                        a key that cannot be used                 200
    |  |- WeakKeyError                                                                  201
    |  |- UnsupportedKeyError                                                           202
    |  |- KeyPairMismatchError                                                          203
    |  |- KeyUsageError                                                                 204
    |  |- SecretLooksLikeKeyError                                                       205
    |  |- MixedKeySetError                                                              206
    |  `- AlgorithmRequiredError                                                        207
    |- ApiKeyError                            an API key is refused: answer .status
    |  |- MalformedApiKeyError                MALFORMED                         300
    |  |- ApiKeyNotFoundError                 NOT_FOUND                         301
    |  |- BadApiKeySecretError                BAD_SECRET                        302
    |  |- ApiKeyDisabledError                 DISABLED                          303
    |  |- ApiKeyRevokedError                  REVOKED                           304
    |  |- ApiKeyExpiredError                  EXPIRED                           305
    |  |- ApiKeyNotYetValidError              NOT_YET                           306
    |  |- ApiKeyAddressError                  IP                                307
    |  |- InsufficientScopeError              SCOPE                             308
    |  |- RateLimitedError                    RATE_LIMITED                      309
    |  `- CreditsExhaustedError               CREDITS                           310
    |- SessionError                           a request is refused: answer .status
    |  |- MalformedCookieError                MALFORMED_COOKIE                  400
    |  |- CsrfError                           CSRF                              401
    |  |- InvalidRefreshTokenError             INVALID_REFRESH_TOKEN             402
    |  |- TokenReuseError                      TOKEN_REUSE                       403
    |  |- SessionEndedError                    SESSION_ENDED                     404
    |  |- SessionExpiredError                  SESSION_EXPIRED                   405
    |  `- SessionNotFoundError                 SESSION_NOT_FOUND                 406
    |- StoreError                             what keys are kept in
    |  |- StoreUnavailableError (ApiKeyError) STORE_UNAVAILABLE                 600
    |  |- StoreCorruptError                   STORE_CORRUPT                     601
    |  |- StoreConflictError                  STORE_CONFLICT                    602
    |  |- StoreReadOnlyError                  STORE_READ_ONLY                   603
    |  |- StoreFullError                      STORE_FULL                        604
    |  |- WrongPepperError                    WRONG_PEPPER                      605
    |  `- StoreRestoredError                  STORE_RESTORED                    606
    |- OAuthError                             a log-in or a token fails: answer .status
    |  |- OAuthStateError                      OAUTH_STATE                       500
    |  |- IssuerMismatchError                  OAUTH_ISSUER                      501
    |  |- AccessDeniedError                    ACCESS_DENIED                     502
    |  |- InteractionRequiredError             INTERACTION_REQUIRED              503
    |  |- InvalidGrantError                    INVALID_GRANT                     504
    |  |- InvalidClientError                   INVALID_CLIENT                    505
    |  |- OAuthRefusedError                    OAUTH_REFUSED                     506
    |  |- OAuthServerError                     OAUTH_SERVER                      507
    |  |- OAuthResponseError                   OAUTH_RESPONSE                    508
    |  |- NonceMismatchError                   OAUTH_NONCE                       509
    |  |- SubjectMismatchError                 OAUTH_SUBJECT                     510
    |  |- DeviceCodeExpiredError               DEVICE_EXPIRED                    511
    |  |- NoTokenError                         NO_TOKEN                          512
    |  |- MissingCredentialsError              MISSING_CREDENTIALS               513
    |  |- InactiveTokenError                   TOKEN_INACTIVE                    514
    |  `- InsufficientAuthenticationError      INSUFFICIENT_AUTHENTICATION       515
    |- TransportError                         another server could not be asked
    |  |- ConnectionFailedError                CONNECTION_FAILED                 700
    |  |- DeadlineExceededError                DEADLINE                          701
    |  |- TlsError                             TLS                               702
    |  |- RequestBlockedError                  REQUEST_BLOCKED                   703
    |  `- ResponseTooLargeError                RESPONSE_TOO_LARGE                704
    |- UsageError (ValueError)                an argument is not acceptable               2
    |  `- ConfigurationError                  a verifier or signer makes no sense         3
    |- UnsupportedError                       not in this build                           4
    |- RandomUnavailableError                 try again later: answer 503                 5
    `- InternalError                          please report it                            1

What PyJWT raises, gatekey raises under the same name or under a subclass, with these exceptions:
its ``PyJWK*Error`` and ``MissingCryptographyError`` have no counterpart, a claim of a wrong JSON
type is an ``InvalidClaimError`` whatever the claim, and arguments of a wrong Python type are a
``TypeError``. No message ever holds a token, a key, or text that a token's sender chose.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessDeniedError",
    "AlgorithmRequiredError",
    "AmbiguousKeyError",
    "ApiKeyAddressError",
    "ApiKeyDisabledError",
    "ApiKeyError",
    "ApiKeyExpiredError",
    "ApiKeyNotFoundError",
    "ApiKeyNotYetValidError",
    "ApiKeyRevokedError",
    "BadApiKeySecretError",
    "ConfigurationError",
    "ConnectionFailedError",
    "CreditsExhaustedError",
    "CsrfError",
    "DeadlineExceededError",
    "DecodeError",
    "DeviceCodeExpiredError",
    "ExpiredSignatureError",
    "GatekeyError",
    "ImmatureSignatureError",
    "InactiveTokenError",
    "InsufficientAuthenticationError",
    "InsufficientScopeError",
    "InteractionRequiredError",
    "InternalError",
    "InvalidAlgorithmError",
    "InvalidAudienceError",
    "InvalidClaimError",
    "InvalidClientError",
    "InvalidGrantError",
    "InvalidIssuedAtError",
    "InvalidIssuerError",
    "InvalidJTIError",
    "InvalidKeyError",
    "InvalidRefreshTokenError",
    "InvalidSignatureError",
    "InvalidSubjectError",
    "InvalidTokenError",
    "InvalidTypeError",
    "IssuerMismatchError",
    "KeyNotFoundError",
    "KeyPairMismatchError",
    "KeyUsageError",
    "MalformedApiKeyError",
    "MalformedCookieError",
    "MissingCredentialsError",
    "MissingRequiredClaimError",
    "MixedKeySetError",
    "NoTokenError",
    "NonceMismatchError",
    "OAuthError",
    "OAuthRefusedError",
    "OAuthResponseError",
    "OAuthServerError",
    "OAuthStateError",
    "PyJWTError",
    "RandomUnavailableError",
    "RateLimitedError",
    "RequestBlockedError",
    "ResponseTooLargeError",
    "RevokedTokenError",
    "SecretLooksLikeKeyError",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionNotFoundError",
    "StoreConflictError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreReadOnlyError",
    "StoreRestoredError",
    "StoreUnavailableError",
    "SubjectMismatchError",
    "TlsError",
    "TokenReuseError",
    "TokenTooLargeError",
    "TokenTooOldError",
    "TransportError",
    "UnsupportedAlgorithmError",
    "UnsupportedCriticalError",
    "UnsupportedError",
    "UnsupportedKeyError",
    "UsageError",
    "WeakKeyError",
    "WrongPepperError",
]


class GatekeyError(Exception):
    """The root of every error that gatekey raises."""

    code: ClassVar[int | str] = 0
    """The stable number, the same in Rust, C and C++; 0 for a class that is never raised itself.
    For API keys and stores, whose numbers are in ``number``, the reason's name."""

    kind: ClassVar[str] = ""
    """The name in Rust, for example ``InvalidSignature``."""

    claim: str | None = None
    """The claim that the error is about, where it is about one."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later."""

    www_authenticate: str | None = None
    """What a ``ResourceServer`` answers with: the value of the header, where there is one."""


PyJWTError = GatekeyError
"""PyJWT's name of the root, so that an ``except`` clause survives the move."""


class InternalError(GatekeyError):
    """A defect in gatekey itself; please report it."""

    code = 1
    kind = "Internal"


class UsageError(GatekeyError, ValueError):
    """The value of an argument is not acceptable."""

    code = 2
    kind = "InvalidArgument"


class ConfigurationError(UsageError):
    """A policy, signer or verifier contradicts itself or is incomplete."""

    code = 3
    kind = "InvalidConfiguration"


class UnsupportedError(GatekeyError):
    """The requested part is not in this build of gatekey."""

    code = 4
    kind = "Unsupported"


class RandomUnavailableError(GatekeyError):
    """The operating system's random number generator failed."""

    code = 5
    kind = "RandomUnavailable"
    retryable = True


class InvalidTokenError(GatekeyError):
    """The root of every refusal of a token."""


class DecodeError(InvalidTokenError):
    """The token is not a JWS compact serialization of a JSON object."""

    code = 100
    kind = "MalformedToken"


class InvalidSignatureError(DecodeError):
    """The signature or MAC does not match."""

    code = 101
    kind = "InvalidSignature"


class ExpiredSignatureError(InvalidTokenError):
    """``exp`` is now or in the past."""

    code = 102
    kind = "Expired"
    claim = "exp"


class ImmatureSignatureError(InvalidTokenError):
    """``nbf`` is in the future."""

    code = 103
    kind = "NotYetValid"
    claim = "nbf"


class InvalidIssuerError(InvalidTokenError):
    """``iss`` is not the expected one, or the policy says nothing about it."""

    code = 104
    kind = "InvalidIssuer"
    claim = "iss"


class InvalidAudienceError(InvalidTokenError):
    """``aud`` names nobody expected, or the policy says nothing about it."""

    code = 105
    kind = "InvalidAudience"
    claim = "aud"


class InvalidTypeError(InvalidTokenError):
    """The header's ``typ`` is not the expected one."""

    code = 106
    kind = "InvalidType"


class InvalidSubjectError(InvalidTokenError):
    """``sub`` is not the expected one."""

    code = 107
    kind = "InvalidSubject"
    claim = "sub"


class MissingRequiredClaimError(InvalidTokenError):
    """A claim that the policy requires is absent; its name is in ``claim``."""

    code = 108
    kind = "MissingClaim"


class InvalidClaimError(InvalidTokenError):
    """A registered claim has a wrong JSON type or an impossible value; see ``claim``."""

    code = 109
    kind = "InvalidClaim"


class InvalidJTIError(InvalidClaimError):
    """``jti`` is not a string."""

    claim = "jti"


class UnsupportedCriticalError(InvalidTokenError):
    """The header lists an extension in ``crit`` that gatekey does not understand."""

    code = 112
    kind = "UnsupportedCritical"


class InvalidAlgorithmError(InvalidTokenError):
    """The header's ``alg`` is not the one that the key is bound to."""

    code = 111
    kind = "InvalidAlgorithm"


class UnsupportedAlgorithmError(InvalidAlgorithmError):
    """The algorithm is not one that gatekey implements; ``none`` is not an algorithm."""

    code = 110
    kind = "UnsupportedAlgorithm"


class KeyNotFoundError(InvalidTokenError, KeyError):
    """No key of the set fits."""

    code = 113
    kind = "KeyNotFound"

    __str__ = BaseException.__str__  # KeyError would quote the message


class AmbiguousKeyError(InvalidTokenError):
    """Several keys fit, and the policy does not allow trying them."""

    code = 114
    kind = "AmbiguousKey"


class TokenTooLargeError(DecodeError):
    """The token or one of its parts is longer than the policy allows."""

    code = 115
    kind = "TokenTooLarge"


class InvalidIssuedAtError(ImmatureSignatureError):
    """``iat`` is in the future."""

    code = 116
    kind = "IssuedInFuture"
    claim = "iat"


class TokenTooOldError(InvalidTokenError):
    """``iat`` is longer ago than the policy's ``max_age``."""

    code = 117
    kind = "TooOld"
    claim = "iat"


class RevokedTokenError(InvalidTokenError):
    """The token, its session, its subject or its key has been revoked."""

    code = 118
    kind = "RevokedToken"


class InvalidKeyError(GatekeyError):
    """The key cannot be parsed, or its parts do not form a key."""

    code = 200
    kind = "InvalidKey"


class WeakKeyError(InvalidKeyError):
    """The key is too weak."""

    code = 201
    kind = "WeakKey"


class UnsupportedKeyError(InvalidKeyError):
    """The type or curve of the key is not one that gatekey implements."""

    code = 202
    kind = "UnsupportedKey"


class KeyPairMismatchError(InvalidKeyError):
    """The private part does not belong to the public part."""

    code = 203
    kind = "KeyPairMismatch"


class KeyUsageError(InvalidKeyError):
    """``use``, ``key_ops`` or ``alg`` forbids this, or a public key is asked to sign."""

    code = 204
    kind = "KeyUsage"


class SecretLooksLikeKeyError(InvalidKeyError):
    """The HMAC secret is really a PEM, DER, SSH or JWK key."""

    code = 205
    kind = "SecretLooksLikeKey"


class MixedKeySetError(InvalidKeyError):
    """A key set may not mix symmetric and asymmetric keys."""

    code = 206
    kind = "MixedKeySet"


class AlgorithmRequiredError(InvalidKeyError):
    """The key fits several algorithms; name one."""

    code = 207
    kind = "AlgorithmRequired"


class ApiKeyError(GatekeyError):
    """An API key is refused; ``code`` is the reason's name, ``status`` what to answer."""

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++."""

    status: ClassVar[int] = 401
    """The HTTP status to answer with."""

    retry_after: float | None = None
    """Seconds after which the same call may succeed, where waiting is the remedy."""

    key_id: str | None = None
    """The id of the key, if it was refused after its secret was proved."""


class StoreError(GatekeyError):
    """What keys are kept in is out of reach, damaged, full or not the right one."""

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++."""

    status: ClassVar[int] = 503
    """The HTTP status to answer with."""

    key_id: str | None = None
    """The id of the API key, if its secret was proved before the store was found out of reach."""


class SessionError(GatekeyError):
    """A request is not of the session it says; ``status`` is what to answer."""

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++."""

    status: ClassVar[int] = 401
    """The HTTP status to answer with."""


class OAuthError(GatekeyError):
    """A log-in, a token request or a presented token failed; ``status`` is what to answer."""

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++."""

    status: ClassVar[int] = 401
    """The HTTP status to answer with."""

    peer_code: str | None = None
    """The authorization server's own name of the error (RFC 6749 section 5.2), where it gave
    one."""

    peer_message: str | None = None
    """What the server said, at most 200 printable characters. A stranger's text: never show it as
    HTML."""

    retry_after: float | None = None
    """Seconds after which the same call may succeed, where waiting is the remedy."""


class TransportError(GatekeyError):
    """Another server could not be asked, or did not answer as it must."""

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++."""

    status: ClassVar[int] = 503
    """The HTTP status to answer with."""


class MalformedApiKeyError(ApiKeyError):
    """The text is not an API key: wrong length, alphabet or checksum."""

    number = 300
    code = "MALFORMED"
    kind = "MalformedApiKey"


class ApiKeyNotFoundError(ApiKeyError):
    """No API key has this id in this environment and tenant."""

    number = 301
    code = "NOT_FOUND"
    kind = "ApiKeyNotFound"


class BadApiKeySecretError(ApiKeyError):
    """The id exists, the secret is not its own."""

    number = 302
    code = "BAD_SECRET"
    kind = "BadApiKeySecret"


class ApiKeyDisabledError(ApiKeyError):
    """The key is disabled; it can be enabled again."""

    number = 303
    code = "DISABLED"
    kind = "ApiKeyDisabled"


class ApiKeyRevokedError(ApiKeyError):
    """The key is revoked for good."""

    number = 304
    code = "REVOKED"
    kind = "ApiKeyRevoked"


class ApiKeyExpiredError(ApiKeyError):
    """The key's time of expiry is now or in the past."""

    number = 305
    code = "EXPIRED"
    kind = "ApiKeyExpired"


class ApiKeyNotYetValidError(ApiKeyError):
    """The key's time of validity begins in the future."""

    number = 306
    code = "NOT_YET"
    kind = "ApiKeyNotYetValid"


class ApiKeyAddressError(ApiKeyError):
    """The caller's address is not on the key's allow-list, or was not given."""

    number = 307
    code = "IP"
    kind = "ApiKeyAddress"
    status = 403


class InsufficientScopeError(ApiKeyError):
    """The key lacks a scope that the call requires (RFC 6750 section 3.1)."""

    number = 308
    code = "SCOPE"
    kind = "InsufficientScope"
    status = 403


class RateLimitedError(ApiKeyError):
    """The key's rate limit is reached; ``retry_after`` tells when to come back."""

    number = 309
    code = "RATE_LIMITED"
    kind = "RateLimited"
    retryable = True
    status = 429


class CreditsExhaustedError(ApiKeyError):
    """The key's credits are spent; ``retry_after`` tells of the next refill."""

    number = 310
    code = "CREDITS"
    kind = "CreditsExhausted"
    status = 429


class MalformedCookieError(SessionError):
    """A cookie's name comes twice, or its value holds what no cookie holds."""

    number = 400
    code = "MALFORMED_COOKIE"
    kind = "MalformedCookie"
    status = 400


class CsrfError(SessionError):
    """The request was caused by another site, or brings no CSRF token of its session."""

    number = 401
    code = "CSRF"
    kind = "CsrfRejected"
    status = 403


class InvalidRefreshTokenError(SessionError):
    """The text is not a refresh token of ours, or its session is not known any more."""

    number = 402
    code = "INVALID_REFRESH_TOKEN"
    kind = "InvalidRefreshToken"


class TokenReuseError(SessionError):
    """A refresh token was used again: someone else may have it. The session has been ended."""

    number = 403
    code = "TOKEN_REUSE"
    kind = "TokenReuse"


class SessionEndedError(SessionError):
    """The session was logged out."""

    number = 404
    code = "SESSION_ENDED"
    kind = "SessionEnded"


class SessionExpiredError(SessionError):
    """The session was not refreshed in time, or has lasted for as long as a session may."""

    number = 405
    code = "SESSION_EXPIRED"
    kind = "SessionExpired"


class SessionNotFoundError(SessionError):
    """There is no session with this id."""

    number = 406
    code = "SESSION_NOT_FOUND"
    kind = "SessionNotFound"
    status = 404


class OAuthStateError(OAuthError):
    """The log-in was not begun by this browser, or too long ago.

    The callback's ``state`` fits no log-in that this browser has begun in the last ten minutes
    (RFC 6749 section 10.12).
    """

    number = 500
    code = "OAUTH_STATE"
    kind = "OauthStateMismatch"
    status = 400


class IssuerMismatchError(OAuthError):
    """The answer is from another authorization server than the one that was asked.

    The metadata, or the callback's ``iss`` (RFC 9207), names another issuer than the one
    configured.
    """

    number = 501
    code = "OAUTH_ISSUER"
    kind = "OauthIssuerMismatch"
    status = 400


class AccessDeniedError(OAuthError):
    """The user, or the server's policy, said no (``access_denied``, RFC 6749 section 4.1.2.1)."""

    number = 502
    code = "ACCESS_DENIED"
    kind = "OauthAccessDenied"
    status = 403


class InteractionRequiredError(OAuthError):
    """The authorization server wants to ask the user something first.

    The server cannot answer without the user: ``login_required``, ``consent_required`` and the
    like (OpenID Connect Core section 3.1.2.6).
    """

    number = 503
    code = "INTERACTION_REQUIRED"
    kind = "OauthInteractionRequired"


class InvalidGrantError(OAuthError):
    """The code or refresh token is not good any more.

    The authorization server refused the code, refresh token or assertion for good
    (``invalid_grant``, RFC 6749 section 5.2).
    """

    number = 504
    code = "INVALID_GRANT"
    kind = "OauthInvalidGrant"


class InvalidClientError(OAuthError):
    """The authorization server does not accept this client.

    The client's own authentication failed, or it may not do this (``invalid_client``,
    ``unauthorized_client``).
    """

    number = 505
    code = "INVALID_CLIENT"
    kind = "OauthInvalidClient"
    status = 500


class OAuthRefusedError(OAuthError):
    """The authorization server answered with any other error; ``peer_code`` names it."""

    number = 506
    code = "OAUTH_REFUSED"
    kind = "OauthRefused"
    status = 500


class OAuthServerError(OAuthError):
    """The authorization server cannot answer now.

    The authorization server answered 5xx or 429, ``server_error`` or
    ``temporarily_unavailable``.
    """

    number = 507
    code = "OAUTH_SERVER"
    kind = "OauthServerFailed"
    retryable = True
    status = 503


class OAuthResponseError(OAuthError):
    """The authorization server's answer is not one.

    The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with
    control characters, another token type.
    """

    number = 508
    code = "OAUTH_RESPONSE"
    kind = "OauthMalformedResponse"
    status = 503


class NonceMismatchError(OAuthError):
    """The ID token belongs to another log-in.

    The ID token's ``nonce`` is not the one of this log-in (OpenID Connect Core section
    3.1.3.7).
    """

    number = 509
    code = "OAUTH_NONCE"
    kind = "OauthNonceMismatch"


class SubjectMismatchError(OAuthError):
    """The user info is about someone else.

    The ``sub`` of the user info is not the one of the ID token (OpenID Connect Core section
    5.3.2).
    """

    number = 510
    code = "OAUTH_SUBJECT"
    kind = "OauthSubjectMismatch"


class DeviceCodeExpiredError(OAuthError):
    """The device code has expired before the user said yes or no (RFC 8628 section 3.5)."""

    number = 511
    code = "DEVICE_EXPIRED"
    kind = "OauthDeviceExpired"


class NoTokenError(OAuthError):
    """The token manager has no token under this name, or the authorization server has ended it."""

    number = 512
    code = "NO_TOKEN"
    kind = "OauthNoToken"


class MissingCredentialsError(OAuthError):
    """There is no ``Authorization`` header, or another scheme than the ones accepted."""

    number = 513
    code = "MISSING_CREDENTIALS"
    kind = "MissingCredentials"


class InactiveTokenError(OAuthError):
    """The token is not active.

    The authorization server says that the token is expired, revoked or unknown (RFC 7662
    section 2.2).
    """

    number = 514
    code = "TOKEN_INACTIVE"
    kind = "TokenInactive"


class InsufficientAuthenticationError(OAuthError):
    """The token's ``acr`` or ``auth_time`` does not meet what this call demands (RFC 9470)."""

    number = 515
    code = "INSUFFICIENT_AUTHENTICATION"
    kind = "InsufficientAuthentication"


class StoreUnavailableError(StoreError, ApiKeyError):
    """The store cannot be reached or has not been heard of for longer than ``max_stale``."""

    number = 600
    code = "STORE_UNAVAILABLE"
    kind = "StoreUnavailable"
    retryable = True
    status = 503


class StoreCorruptError(StoreError):
    """The store, or a row of it, is damaged, was altered, or is of an unknown version."""

    number = 601
    code = "STORE_CORRUPT"
    kind = "StoreCorrupt"


class StoreConflictError(StoreError):
    """The row has changed since it was read, or exists already."""

    number = 602
    code = "STORE_CONFLICT"
    kind = "StoreConflict"
    retryable = True


class StoreReadOnlyError(StoreError):
    """The store is read-only: the file, its folder or the file system."""

    number = 603
    code = "STORE_READ_ONLY"
    kind = "StoreReadOnly"


class StoreFullError(StoreError):
    """The disk is full; nothing was changed."""

    number = 604
    code = "STORE_FULL"
    kind = "StoreFull"


class WrongPepperError(StoreError):
    """A pepper that the store's rows were made with is missing or has another value."""

    number = 605
    code = "WRONG_PEPPER"
    kind = "WrongPepper"
    status = 500


class StoreRestoredError(StoreError):
    """The store is older than its mark, as a restored backup is, or one of the two is missing."""

    number = 606
    code = "STORE_RESTORED"
    kind = "StoreRestored"


class ConnectionFailedError(TransportError):
    """The name does not resolve, nobody listens, or the connection broke."""

    number = 700
    code = "CONNECTION_FAILED"
    kind = "ConnectionFailed"
    retryable = True
    status = 503


class DeadlineExceededError(TransportError):
    """The whole answer was not there within the deadline (10 seconds unless set)."""

    number = 701
    code = "DEADLINE"
    kind = "DeadlineExceeded"
    retryable = True
    status = 503


class TlsError(TransportError):
    """The other server's certificate is not acceptable.

    TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
    version is too old.
    """

    number = 702
    code = "TLS"
    kind = "TlsFailed"
    status = 503


class RequestBlockedError(TransportError):
    """The address may not be asked.

    The URL is not HTTPS, names an address that the policy keeps out, or the answer was a
    redirect.
    """

    number = 703
    code = "REQUEST_BLOCKED"
    kind = "RequestBlocked"
    status = 500


class ResponseTooLargeError(TransportError):
    """The answer is too large.

    The answer's body or head is longer than what the operation takes (1 MiB, key sets and
    metadata 512 KiB).
    """

    number = 704
    code = "RESPONSE_TOO_LARGE"
    kind = "ResponseTooLarge"
    status = 503
