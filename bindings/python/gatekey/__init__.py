"""API authentication in one audited core: sign and verify JSON Web Tokens.

::

    from gatekey import Key, Signer, Verifier

    key = Key.generate("ES256")
    token = Signer(key, issuer="https://auth.example", audience="api").sign({"sub": "alice"})
    claims = Verifier(key.public(), issuer="https://auth.example", audience="api").verify(token)
    assert claims["sub"] == "alice"

Keys are bound to one algorithm each. A verifier refuses what it was not told to expect. Every
error is a class of :mod:`gatekey.exceptions`.
"""

from collections.abc import Mapping as _Mapping

from gatekey import exceptions
from gatekey._core import (
    ALGORITHMS,
    ANY,
    IssuerRule,
    Key,
    KeySet,
    Signer,
    Unsigned,
    Verified,
    Verifier,
    __version__,
    danger_decode_unverified,
)

_Mapping.register(Verified)

__all__ = [
    "ALGORITHMS",
    "ANY",
    "IssuerRule",
    "Key",
    "KeySet",
    "Signer",
    "Unsigned",
    "Verified",
    "Verifier",
    "__version__",
    "danger_decode_unverified",
    "exceptions",
]
