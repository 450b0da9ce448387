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
    |  `- TokenTooOldError                    max_age                                   117
    |- InvalidKeyError                        a key that cannot be used                 200
    |  |- WeakKeyError                                                                  201
    |  |- UnsupportedKeyError                                                           202
    |  |- KeyPairMismatchError                                                          203
    |  |- KeyUsageError                                                                 204
    |  |- SecretLooksLikeKeyError                                                       205
    |  |- MixedKeySetError                                                              206
    |  `- AlgorithmRequiredError                                                        207
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
    "AlgorithmRequiredError",
    "AmbiguousKeyError",
    "ConfigurationError",
    "DecodeError",
    "ExpiredSignatureError",
    "GatekeyError",
    "ImmatureSignatureError",
    "InternalError",
    "InvalidAlgorithmError",
    "InvalidAudienceError",
    "InvalidClaimError",
    "InvalidIssuedAtError",
    "InvalidIssuerError",
    "InvalidJTIError",
    "InvalidKeyError",
    "InvalidSignatureError",
    "InvalidSubjectError",
    "InvalidTokenError",
    "InvalidTypeError",
    "KeyNotFoundError",
    "KeyPairMismatchError",
    "KeyUsageError",
    "MissingRequiredClaimError",
    "MixedKeySetError",
    "PyJWTError",
    "RandomUnavailableError",
    "SecretLooksLikeKeyError",
    "TokenTooLargeError",
    "TokenTooOldError",
    "UnsupportedAlgorithmError",
    "UnsupportedCriticalError",
    "UnsupportedError",
    "UnsupportedKeyError",
    "UsageError",
    "WeakKeyError",
]


class GatekeyError(Exception):
    """The root of every error that gatekey raises."""

    code: ClassVar[int] = 0
    """The stable number, the same in Rust, C and C++; 0 for a class that is never raised itself."""

    kind: ClassVar[str] = ""
    """The name in Rust, for example ``InvalidSignature``."""

    claim: str | None = None
    """The claim that the error is about, where it is about one."""


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
