"""Sign and verify tokens, refuse others, and verify what PyJWT has made.

Run by ``make demo-python``. A file ``jwt.py`` would stand in the way of PyJWT's ``import jwt``.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gatekey import Key, KeySet, Signer, Verifier
from gatekey.exceptions import InvalidTokenError

ISSUER = "https://auth.example"


def sign(key: Key, audience: str, **claims: object) -> str:
    """Make a token of alice's."""
    signer = Signer(key, issuer=ISSUER, audience=audience)
    return signer.sign({"sub": "alice", "scope": "orders:read", **claims})


def refused(verifier: Verifier, token: str) -> None:
    """Say why a token is refused; one that is accepted here ends the program."""
    try:
        verifier.verify(token)
    except InvalidTokenError as error:
        print(f"refused: {error.code}: {error}")
    else:
        sys.exit("this token must not be accepted")


def minted_by_pyjwt() -> tuple[KeySet, str]:
    """Have PyJWT make a token, of which we know the published key set."""
    with tempfile.TemporaryDirectory() as directory:
        mint = Path(__file__).with_name("mint_with_pyjwt.py")
        subprocess.run([sys.executable, str(mint), directory], check=True)  # noqa: S603
        jwks = json.loads(Path(directory, "jwks.json").read_text())
        return KeySet.from_jwks(jwks), Path(directory, "token.txt").read_text()


def main() -> None:
    """Run the demo."""
    key = Key.generate("ES256")
    verifier = Verifier(key.public(), issuer=ISSUER, audience="orders")
    token = sign(key, "orders")
    print(f"verified: sub {verifier.verify(token).subject}")
    refused(verifier, sign(key, "orders", exp=1_700_000_000))
    refused(verifier, sign(key, "billing"))
    header, claims, signature = token.split(".")
    letter = "B" if claims[-4] == "A" else "A"
    refused(verifier, f"{header}.{claims[:-4]}{letter}{claims[-3:]}.{signature}")

    keys, theirs = minted_by_pyjwt()
    verifier = Verifier(keys, issuer="https://pyjwt.example", audience="gatekey-demo")
    print(f"verified: sub {verifier.verify(theirs).subject}")


if __name__ == "__main__":
    main()
