"""2000s: a key, a secret or a set of them cannot be used; the program is to be changed."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


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
    """gatekey does not implement the type or curve of the key."""

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


class PassphraseRequiredError(InvalidKeyError):
    """A private key is encrypted, and no passphrase was given for it."""

    number = 2009
    code = "passphrase_required"
    kind = "PassphraseRequired"
    status = 500


class WrongPassphraseError(InvalidKeyError):
    """The passphrase given is not that of the private key, or the key was damaged."""

    number = 2010
    code = "wrong_passphrase"
    kind = "WrongPassphrase"
    status = 500


class KeyUnavailableError(InvalidKeyError):
    """The callback of a key in a KMS or HSM has failed, or has given no signature in time."""

    number = 2011
    code = "key_unavailable"
    kind = "KeyUnavailable"
    status = 503
    retryable = True
