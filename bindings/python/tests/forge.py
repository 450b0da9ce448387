"""Makes the tokens that no signer would: any header, any payload, a good HS256 signature."""

from __future__ import annotations

import base64
import hashlib
import hmac

from gatekey import Key

SECRET = bytes(range(32))
HEADER = b'{"alg":"HS256","typ":"JWT"}'


def secret_key(*, kid: str | None = None) -> Key:
    return Key.from_secret(SECRET, "HS256", kid=kid)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(payload: bytes, header: bytes = HEADER, secret: bytes = SECRET) -> str:
    body = f"{b64(header)}.{b64(payload)}"
    return f"{body}.{b64(hmac.digest(secret, body.encode(), hashlib.sha256))}"
