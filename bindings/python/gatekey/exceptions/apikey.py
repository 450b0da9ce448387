"""3000s: an API key is refused, or a call that manages API keys names one that is not there."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


class ApiKeyError(GatekeyError):
    """An API key is refused; ``code`` is the reason's name, ``status`` what to answer."""

    status = 401
    _answers_as = 3000


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
    """The key's rate limit is reached; ``retry_after`` says when to come back."""

    number = 3009
    code = "rate_limited"
    kind = "RateLimited"
    status = 429
    retryable = True


class CreditsExhaustedError(ApiKeyError):
    """The key's credits are spent; ``retry_after`` says when the next refill is."""

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
