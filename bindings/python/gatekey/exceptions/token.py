"""1000s: what a caller presented as a token is refused; PyJWT's names and tree."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


class InvalidTokenError(GatekeyError):
    """The root of every refusal of a token."""

    status = 401
    _answers_as = 1000


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
    """``aud`` names no expected audience, or the policy says nothing about it."""

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
    """gatekey does not implement the algorithm; ``none`` is not an algorithm."""

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


class UnusableKeyError(InvalidTokenError, KeyError):
    """The key that the token names is in the set, but cannot be used; ``.skipped`` says why."""

    number = 1019
    code = "unusable_key"
    kind = "UnusableKey"
    status = 401
    claim = "kid"

    __str__ = BaseException.__str__  # KeyError would quote the message
