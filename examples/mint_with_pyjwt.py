"""Mint a token with PyJWT: writes token.txt and jwks.json into a directory for others to verify."""

import json
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://pyjwt.example"
AUDIENCE = "gatekey-demo"


def main(directory: Path) -> None:
    """Write the token and, for its verifiers, the key set with the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bob", "iat": now, "exp": now + 300}
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "pyjwt-1"})

    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwks = {"keys": [{**jwk, "kid": "pyjwt-1", "alg": "ES256", "use": "sig"}]}

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "token.txt").write_text(token)
    (directory / "jwks.json").write_text(json.dumps(jwks))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python mint_with_pyjwt.py DIRECTORY")
    main(Path(sys.argv[1]))
