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
    |  |- RevokedTokenError                     see revocations                             1018
    |  `- UnusableKeyError (KeyError)           kid, see .skipped                           1019
    |- InvalidKeyError                          a key that cannot be used                   2000
    |  |- WeakKeyError                                                                      2001
    |  |- UnsupportedKeyError                                                               2002
    |  |- KeyPairMismatchError                                                              2003
    |  |- KeyUsageError                                                                     2004
    |  |- SecretLooksLikeKeyError                                                           2005
    |  |- MixedKeySetError                                                                  2006
    |  |- AlgorithmRequiredError                                                            2007
    |  |- RingKeyNotFoundError (KeyError)                                                   2008
    |  |- PassphraseRequiredError                                                           2009
    |  |- WrongPassphraseError                                                              2010
    |  `- KeyUnavailableError                   a KMS or HSM gave no signature              2011
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
    |  |- InsufficientAuthenticationError                                                   5015
    |  |- SeveralCredentialsError                                                           5016
    |  |- MalformedRequestError                                                             5017
    |  `- RequestTooLargeError                                                              5018
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
type is an ``InvalidClaimError`` whatever the claim, and a ``UsageError`` where it is to be signed;
arguments of a wrong Python type are a ``TypeError``. No message ever holds a token or a key. Of
what a token says, a message has the type, issuer and audience that a good signature vouches for,
and the ``kid`` of a key that is not there: at most 31 printable characters of each.
"""

from __future__ import annotations

from gatekey.exceptions.apikey import (
    ApiKeyAddressError,
    ApiKeyDisabledError,
    ApiKeyError,
    ApiKeyExpiredError,
    ApiKeyNotFoundError,
    ApiKeyNotYetValidError,
    ApiKeyRevokedError,
    BadApiKeySecretError,
    CreditsExhaustedError,
    InsufficientScopeError,
    MalformedApiKeyError,
    RateLimitedError,
    UnknownApiKeyError,
)
from gatekey.exceptions.base import (
    GatekeyError,
    PyJWTError,
)
from gatekey.exceptions.key import (
    AlgorithmRequiredError,
    InvalidKeyError,
    KeyPairMismatchError,
    KeyUnavailableError,
    KeyUsageError,
    MixedKeySetError,
    PassphraseRequiredError,
    RingKeyNotFoundError,
    SecretLooksLikeKeyError,
    UnsupportedKeyError,
    WeakKeyError,
    WrongPassphraseError,
)
from gatekey.exceptions.misuse import (
    ConfigurationError,
    InternalError,
    RandomUnavailableError,
    UnsupportedError,
    UsageError,
)
from gatekey.exceptions.oauth import (
    AccessDeniedError,
    DeviceCodeExpiredError,
    InactiveTokenError,
    InsufficientAuthenticationError,
    InteractionRequiredError,
    InvalidClientError,
    InvalidGrantError,
    IssuerMismatchError,
    MalformedRequestError,
    MissingCredentialsError,
    NonceMismatchError,
    NoTokenError,
    OAuthError,
    OAuthRefusedError,
    OAuthResponseError,
    OAuthServerError,
    OAuthStateError,
    RequestTooLargeError,
    SeveralCredentialsError,
    SubjectMismatchError,
)
from gatekey.exceptions.session import (
    CsrfError,
    InvalidRefreshTokenError,
    MalformedCookieError,
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    SessionNotFoundError,
    TokenReuseError,
)
from gatekey.exceptions.store import (
    StoreConflictError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
    StoreRestoredError,
    StoreUnavailableError,
    WrongPepperError,
)
from gatekey.exceptions.token import (
    AmbiguousKeyError,
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidClaimError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidJTIError,
    InvalidSignatureError,
    InvalidSubjectError,
    InvalidTokenError,
    InvalidTypeError,
    KeyNotFoundError,
    MissingRequiredClaimError,
    RevokedTokenError,
    TokenTooLargeError,
    TokenTooOldError,
    UnsupportedAlgorithmError,
    UnsupportedCriticalError,
    UnusableKeyError,
)
from gatekey.exceptions.transport import (
    ConnectionFailedError,
    DeadlineExceededError,
    RequestBlockedError,
    ResponseTooLargeError,
    TlsError,
    TransportError,
)

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
    "KeyUnavailableError",
    "KeyUsageError",
    "MalformedApiKeyError",
    "MalformedCookieError",
    "MalformedRequestError",
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
    "PassphraseRequiredError",
    "PyJWTError",
    "RandomUnavailableError",
    "RateLimitedError",
    "RequestBlockedError",
    "RequestTooLargeError",
    "ResponseTooLargeError",
    "RevokedTokenError",
    "RingKeyNotFoundError",
    "SecretLooksLikeKeyError",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionNotFoundError",
    "SeveralCredentialsError",
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
    "UnusableKeyError",
    "UsageError",
    "WeakKeyError",
    "WrongPassphraseError",
    "WrongPepperError",
]

for _name in __all__:  # Where a class is defined is of no interest to who reads a traceback.
    globals()[_name].__module__ = __name__
