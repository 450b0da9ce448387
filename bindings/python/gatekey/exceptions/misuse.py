"""1-99: a call or a configuration is wrong, or gatekey cannot work at all."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


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
