"""Every error that gatekey raises, under the names and in the tree that PyJWT's users know.

::

    GatekeyError                              everything below
    |- InvalidTokenError                      what a caller presented is refused: answer 401
    |  |- DecodeError                           not a token at all                          1000
    |  |  |- InvalidSignatureError              wins over every fault of the claims         1001
    |  |  `- TokenTooLargeError                                                             1015
    |  |- ExpiredSignatureError                 exp                                         1002
    |  |- ImmatureSignatureError                nbf                                         1003
    |  |  `- InvalidIssuedAtError               iat is in the future                        1016
    |  |- InvalidIssuerError                    iss                                         1004
    |  |- InvalidAudienceError                  aud                                         1005
    |  |- InvalidTypeError                      typ                                         1006
    |  |- InvalidSubjectError                   sub                                         1007
    |  |- MissingRequiredClaimError             see .claim                                  1008
    |  |- InvalidClaimError                     wrong type or value, see .claim             1009
    |  |  `- InvalidJTIError                  jti is not a string
    |  |- InvalidAlgorithmError                 not the one of the key                      1011
    |  |  `- UnsupportedAlgorithmError          unknown here, or none                       1010
    |  |- UnsupportedCriticalError              crit                                        1012
    |  |- KeyNotFoundError (KeyError)           kid                                         1013
    |  |- AmbiguousKeyError                                                                 1014
    |  |- TokenTooOldError                      max_age                                     1017
    |  `- RevokedTokenError                     see revocations                             1018
    |- InvalidKeyError                          a key that cannot be used                   2000
    |  |- WeakKeyError                                                                      2001
    |  |- UnsupportedKeyError                                                               2002
    |  |- KeyPairMismatchError                                                              2003
    |  |- KeyUsageError                                                                     2004
    |  |- SecretLooksLikeKeyError                                                           2005
    |  |- MixedKeySetError                                                                  2006
    |  |- AlgorithmRequiredError                                                            2007
    |  `- RingKeyNotFoundError (KeyError)                                                   2008
    |- ApiKeyError                            an API key is refused: answer .status
    |  |- MalformedApiKeyError                                                              3000
    |  |- UnknownApiKeyError                                                                3001
    |  |- BadApiKeySecretError                                                              3002
    |  |- ApiKeyDisabledError                                                               3003
    |  |- ApiKeyRevokedError                                                                3004
    |  |- ApiKeyExpiredError                                                                3005
    |  |- ApiKeyNotYetValidError                                                            3006
    |  |- ApiKeyAddressError                                                                3007
    |  |- InsufficientScopeError                                                            3008
    |  |- RateLimitedError                                                                  3009
    |  |- CreditsExhaustedError                                                             3010
    |  `- ApiKeyNotFoundError                                                               3011
    |- SessionError                           a request is refused: answer .status
    |  |- MalformedCookieError                                                              4000
    |  |- CsrfError                                                                         4001
    |  |- InvalidRefreshTokenError                                                          4002
    |  |- TokenReuseError                                                                   4003
    |  |- SessionEndedError                                                                 4004
    |  |- SessionExpiredError                                                               4005
    |  `- SessionNotFoundError                                                              4006
    |- StoreError                             what keys are kept in
    |  |- StoreUnavailableError (ApiKeyError)                                               6000
    |  |- StoreCorruptError                                                                 6001
    |  |- StoreConflictError                                                                6002
    |  |- StoreReadOnlyError                                                                6003
    |  |- StoreFullError                                                                    6004
    |  |- WrongPepperError                                                                  6005
    |  `- StoreRestoredError                                                                6006
    |- OAuthError                             a log-in or a token fails: answer .status
    |  |- OAuthStateError                                                                   5000
    |  |- IssuerMismatchError                                                               5001
    |  |- AccessDeniedError                                                                 5002
    |  |- InteractionRequiredError                                                          5003
    |  |- InvalidGrantError                                                                 5004
    |  |- InvalidClientError                                                                5005
    |  |- OAuthRefusedError                                                                 5006
    |  |- OAuthServerError                                                                  5007
    |  |- OAuthResponseError                                                                5008
    |  |- NonceMismatchError                                                                5009
    |  |- SubjectMismatchError                                                              5010
    |  |- DeviceCodeExpiredError                                                            5011
    |  |- NoTokenError                                                                      5012
    |  |- MissingCredentialsError                                                           5013
    |  |- InactiveTokenError                                                                5014
    |  `- InsufficientAuthenticationError                                                   5015
    |- TransportError                         another server could not be asked
    |  |- ConnectionFailedError                                                             7000
    |  |- DeadlineExceededError                                                             7001
    |  |- TlsError                              TLS                                         7002
    |  |- RequestBlockedError                                                               7003
    |  `- ResponseTooLargeError                                                             7004
    |- UsageError (ValueError)                  an argument is not acceptable               2
    |  `- ConfigurationError                    a verifier or signer makes no sense         3
    |- UnsupportedError                         not in this build                           4
    |- RandomUnavailableError                   try again later: answer 503                 5
    `- InternalError                            please report it                            1

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
    "RingKeyNotFoundError",
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
    "UnknownApiKeyError",
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

    number: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++; 0 for a class that is never raised itself."""

    code: ClassVar[str] = ""
    """The name for programs, for example ``invalid_signature``; empty for a class that is never
    raised itself."""

    status: ClassVar[int] = 500
    """The HTTP status to answer with."""

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

    number = 1
    code = "internal"
    kind = "Internal"
    status = 500


class UsageError(GatekeyError, ValueError):
    """The value of an argument is not acceptable."""

    number = 2
    code = "invalid_argument"
    kind = "InvalidArgument"
    status = 500


class ConfigurationError(UsageError):
    """A policy, signer or verifier contradicts itself or is incomplete."""

    number = 3
    code = "invalid_configuration"
    kind = "InvalidConfiguration"
    status = 500


class UnsupportedError(GatekeyError):
    """The requested part is not in this build of gatekey."""

    number = 4
    code = "unsupported"
    kind = "Unsupported"
    status = 500


class RandomUnavailableError(GatekeyError):
    """The operating system's random number generator failed."""

    number = 5
    code = "random_unavailable"
    kind = "RandomUnavailable"
    status = 503
    retryable = True


class InvalidTokenError(GatekeyError):
    """The root of every refusal of a token."""

    status = 401


class DecodeError(InvalidTokenError):
    """The token is not a JWS compact serialization of a JSON object."""

    number = 1000
    code = "malformed_token"
    kind = "MalformedToken"
    status = 401


class InvalidSignatureError(DecodeError):
    """The signature or MAC does not match."""

    number = 1001
    code = "invalid_signature"
    kind = "InvalidSignature"
    status = 401


class ExpiredSignatureError(InvalidTokenError):
    """``exp`` is now or in the past."""

    number = 1002
    code = "expired"
    kind = "Expired"
    status = 401
    claim = "exp"


class ImmatureSignatureError(InvalidTokenError):
    """``nbf`` is in the future."""

    number = 1003
    code = "not_yet_valid"
    kind = "NotYetValid"
    status = 401
    claim = "nbf"


class InvalidIssuerError(InvalidTokenError):
    """``iss`` is not the expected one, or the policy says nothing about it."""

    number = 1004
    code = "invalid_issuer"
    kind = "InvalidIssuer"
    status = 401
    claim = "iss"


class InvalidAudienceError(InvalidTokenError):
    """``aud`` names nobody expected, or the policy says nothing about it."""

    number = 1005
    code = "invalid_audience"
    kind = "InvalidAudience"
    status = 401
    claim = "aud"


class InvalidTypeError(InvalidTokenError):
    """The header's ``typ`` is not the expected one."""

    number = 1006
    code = "invalid_type"
    kind = "InvalidType"
    status = 401


class InvalidSubjectError(InvalidTokenError):
    """``sub`` is not the expected one."""

    number = 1007
    code = "invalid_subject"
    kind = "InvalidSubject"
    status = 401
    claim = "sub"


class MissingRequiredClaimError(InvalidTokenError):
    """A claim that the policy requires is absent; its name is in ``claim``."""

    number = 1008
    code = "missing_claim"
    kind = "MissingClaim"
    status = 401


class InvalidClaimError(InvalidTokenError):
    """A registered claim has a wrong JSON type or an impossible value; see ``claim``."""

    number = 1009
    code = "invalid_claim"
    kind = "InvalidClaim"
    status = 401


class InvalidJTIError(InvalidClaimError):
    """``jti`` is not a string."""

    claim = "jti"


class UnsupportedCriticalError(InvalidTokenError):
    """The header lists an extension in ``crit`` that gatekey does not understand."""

    number = 1012
    code = "unsupported_critical"
    kind = "UnsupportedCritical"
    status = 401


class InvalidAlgorithmError(InvalidTokenError):
    """The header's ``alg`` is not the one that the key is bound to."""

    number = 1011
    code = "invalid_algorithm"
    kind = "InvalidAlgorithm"
    status = 401


class UnsupportedAlgorithmError(InvalidAlgorithmError):
    """The algorithm is not one that gatekey implements; ``none`` is not an algorithm."""

    number = 1010
    code = "unsupported_algorithm"
    kind = "UnsupportedAlgorithm"
    status = 401


class KeyNotFoundError(InvalidTokenError, KeyError):
    """No key of the set fits."""

    number = 1013
    code = "key_not_found"
    kind = "KeyNotFound"
    status = 401

    __str__ = BaseException.__str__  # KeyError would quote the message


class AmbiguousKeyError(InvalidTokenError):
    """Several keys fit, and the policy does not allow trying them."""

    number = 1014
    code = "ambiguous_key"
    kind = "AmbiguousKey"
    status = 401


class TokenTooLargeError(DecodeError):
    """The token or one of its parts is longer than the policy allows."""

    number = 1015
    code = "token_too_large"
    kind = "TokenTooLarge"
    status = 401


class InvalidIssuedAtError(ImmatureSignatureError):
    """``iat`` is in the future."""

    number = 1016
    code = "issued_in_future"
    kind = "IssuedInFuture"
    status = 401
    claim = "iat"


class TokenTooOldError(InvalidTokenError):
    """``iat`` is longer ago than the policy's ``max_age``."""

    number = 1017
    code = "too_old"
    kind = "TooOld"
    status = 401
    claim = "iat"


class RevokedTokenError(InvalidTokenError):
    """The token, its session, its subject or its key has been revoked."""

    number = 1018
    code = "revoked_token"
    kind = "RevokedToken"
    status = 401


class InvalidKeyError(GatekeyError):
    """The key cannot be parsed, or its parts do not form a key."""

    number = 2000
    code = "invalid_key"
    kind = "InvalidKey"
    status = 500


class WeakKeyError(InvalidKeyError):
    """The key is too weak."""

    number = 2001
    code = "weak_key"
    kind = "WeakKey"
    status = 500


class UnsupportedKeyError(InvalidKeyError):
    """The type or curve of the key is not one that gatekey implements."""

    number = 2002
    code = "unsupported_key"
    kind = "UnsupportedKey"
    status = 500


class KeyPairMismatchError(InvalidKeyError):
    """The private part does not belong to the public part."""

    number = 2003
    code = "key_pair_mismatch"
    kind = "KeyPairMismatch"
    status = 500


class KeyUsageError(InvalidKeyError):
    """``use``, ``key_ops`` or ``alg`` forbids this, or a public key is asked to sign."""

    number = 2004
    code = "key_usage"
    kind = "KeyUsage"
    status = 500


class SecretLooksLikeKeyError(InvalidKeyError):
    """The HMAC secret is really a PEM, DER, SSH or JWK key."""

    number = 2005
    code = "secret_looks_like_key"
    kind = "SecretLooksLikeKey"
    status = 500


class MixedKeySetError(InvalidKeyError):
    """A key set may not mix symmetric and asymmetric keys."""

    number = 2006
    code = "mixed_key_set"
    kind = "MixedKeySet"
    status = 500


class AlgorithmRequiredError(InvalidKeyError):
    """The key fits several algorithms; name one."""

    number = 2007
    code = "algorithm_required"
    kind = "AlgorithmRequired"
    status = 500


class RingKeyNotFoundError(InvalidKeyError, KeyError):
    """A call that manages a key ring names a key that the ring does not have."""

    number = 2008
    code = "ring_key_not_found"
    kind = "RingKeyNotFound"
    status = 404

    __str__ = BaseException.__str__  # KeyError would quote the message


class ApiKeyError(GatekeyError):
    """An API key is refused; ``code`` is the reason's name, ``status`` what to answer."""

    status = 401

    retry_after: float | None = None
    """Seconds after which the same call may succeed, where waiting is the remedy."""

    key_id: str | None = None
    """The id of the key, if it was refused after its secret was proved."""


class StoreError(GatekeyError):
    """What keys are kept in is out of reach, damaged, full or not the right one."""

    status = 503

    key_id: str | None = None
    """The id of the API key, if its secret was proved before the store was found out of reach."""


class SessionError(GatekeyError):
    """A request is not of the session it says; ``status`` is what to answer."""

    status = 401


class OAuthError(GatekeyError):
    """A log-in, a token request or a presented token failed; ``status`` is what to answer."""

    status = 401

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

    status = 503


class MalformedApiKeyError(ApiKeyError):
    """The text is not an API key: wrong length, alphabet or checksum."""

    number = 3000
    code = "malformed_api_key"
    kind = "MalformedApiKey"
    status = 401


class UnknownApiKeyError(ApiKeyError):
    """No API key has the presented id in this environment and tenant."""

    number = 3001
    code = "unknown_api_key"
    kind = "UnknownApiKey"
    status = 401


class BadApiKeySecretError(ApiKeyError):
    """The id exists, the secret is not its own."""

    number = 3002
    code = "bad_api_key_secret"
    kind = "BadApiKeySecret"
    status = 401


class ApiKeyDisabledError(ApiKeyError):
    """The key is disabled; it can be enabled again."""

    number = 3003
    code = "api_key_disabled"
    kind = "ApiKeyDisabled"
    status = 401


class ApiKeyRevokedError(ApiKeyError):
    """The key is revoked for good."""

    number = 3004
    code = "api_key_revoked"
    kind = "ApiKeyRevoked"
    status = 401


class ApiKeyExpiredError(ApiKeyError):
    """The key's time of expiry is now or in the past."""

    number = 3005
    code = "api_key_expired"
    kind = "ApiKeyExpired"
    status = 401


class ApiKeyNotYetValidError(ApiKeyError):
    """The key's time of validity begins in the future."""

    number = 3006
    code = "api_key_not_yet_valid"
    kind = "ApiKeyNotYetValid"
    status = 401


class ApiKeyAddressError(ApiKeyError):
    """The caller's address is not on the key's allow-list, or was not given."""

    number = 3007
    code = "api_key_address"
    kind = "ApiKeyAddress"
    status = 403


class InsufficientScopeError(ApiKeyError):
    """The key lacks a scope that the call requires (RFC 6750 section 3.1)."""

    number = 3008
    code = "insufficient_scope"
    kind = "InsufficientScope"
    status = 403


class RateLimitedError(ApiKeyError):
    """The key's rate limit is reached; ``retry_after`` tells when to come back."""

    number = 3009
    code = "rate_limited"
    kind = "RateLimited"
    status = 429
    retryable = True


class CreditsExhaustedError(ApiKeyError):
    """The key's credits are spent; ``retry_after`` tells of the next refill."""

    number = 3010
    code = "credits_exhausted"
    kind = "CreditsExhausted"
    status = 429


class ApiKeyNotFoundError(ApiKeyError):
    """A call that manages API keys names one that is not there."""

    number = 3011
    code = "api_key_not_found"
    kind = "ApiKeyNotFound"
    status = 404


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
    """A refresh token was used again: someone else may have it. The session has been ended."""

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
    """The authorization server's answer is not one.

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
    """The user info is about someone else.

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


class StoreUnavailableError(StoreError, ApiKeyError):
    """The store cannot be reached or has not been heard of for longer than ``max_stale``."""

    number = 6000
    code = "store_unavailable"
    kind = "StoreUnavailable"
    status = 503
    retryable = True


class StoreCorruptError(StoreError):
    """The store, or a row of it, is damaged, was altered, or is of an unknown version."""

    number = 6001
    code = "store_corrupt"
    kind = "StoreCorrupt"
    status = 503


class StoreConflictError(StoreError):
    """The row has changed since it was read, or exists already."""

    number = 6002
    code = "store_conflict"
    kind = "StoreConflict"
    status = 503
    retryable = True


class StoreReadOnlyError(StoreError):
    """The store is read-only: the file, its folder or the file system."""

    number = 6003
    code = "store_read_only"
    kind = "StoreReadOnly"
    status = 503


class StoreFullError(StoreError):
    """The disk is full; nothing was changed."""

    number = 6004
    code = "store_full"
    kind = "StoreFull"
    status = 503


class WrongPepperError(StoreError):
    """A pepper that the store's rows were made with is missing or has another value."""

    number = 6005
    code = "wrong_pepper"
    kind = "WrongPepper"
    status = 500


class StoreRestoredError(StoreError):
    """The store is older than its mark, as a restored backup is, or one of the two is missing."""

    number = 6006
    code = "store_restored"
    kind = "StoreRestored"
    status = 503


class ConnectionFailedError(TransportError):
    """The name does not resolve, nobody listens, or the connection broke."""

    number = 7000
    code = "connection_failed"
    kind = "ConnectionFailed"
    status = 503
    retryable = True


class DeadlineExceededError(TransportError):
    """The whole answer was not there within the deadline (10 seconds unless set)."""

    number = 7001
    code = "deadline_exceeded"
    kind = "DeadlineExceeded"
    status = 503
    retryable = True


class TlsError(TransportError):
    """The other server's certificate is not acceptable.

    TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
    version is too old.
    """

    number = 7002
    code = "tls_failed"
    kind = "TlsFailed"
    status = 503


class RequestBlockedError(TransportError):
    """The address may not be asked.

    The URL is not HTTPS, names an address that the policy keeps out, or the answer was a
    redirect.
    """

    number = 7003
    code = "request_blocked"
    kind = "RequestBlocked"
    status = 500


class ResponseTooLargeError(TransportError):
    """The answer is too large.

    The answer's body or head is longer than what the operation takes (1 MiB, key sets and
    metadata 512 KiB).
    """

    number = 7004
    code = "response_too_large"
    kind = "ResponseTooLarge"
    status = 503
