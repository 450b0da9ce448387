"""The main job in Python: sign, verify, refuse, and verify what others made.

Run by ``make demo-python``.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gatekey
from gatekey import Key, KeySet, Signer, Verifier
from gatekey.exceptions import InvalidTokenError

ISSUER = "https://auth.example"
AUDIENCE = "orders"

# RFC 7515 appendix A: the claims are the same in A.1 to A.3; A.4 signs the word "Payload".
RFC_CLAIMS = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_EXPIRY = 1300819380
RFC_TOKENS = [
    (
        "RFC 7515 A.1",
        "HS256",
        {
            "kty": "oct",
            "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
            "PS4hcgUuTwjAzZr1Z9CAow",
        },
        f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_CLAIMS}."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    (
        "RFC 7515 A.2",
        "RS256",
        {
            "kty": "RSA",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"
            "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b"
            "32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
            "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJ"
            "H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
            "yuXpoQ",
            "e": "AQAB",
        },
        f"eyJhbGciOiJSUzI1NiJ9.{RFC_CLAIMS}."
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B"
        "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ"
        "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
        "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    ),
    (
        "RFC 7515 A.3",
        "ES256",
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        f"eyJhbGciOiJFUzI1NiJ9.{RFC_CLAIMS}."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
        "UJqPP3-Kg6NU1Q",
    ),
]
RFC_NOT_CLAIMS = (
    "RFC 7515 A.4",
    "ES512",
    {
        "kty": "EC",
        "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9"
        "tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZ"
        "mh9ubmf63e3kyMj2",
    },
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOY"
    "aRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJ"
    "jyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
)


def sign_and_verify() -> tuple[Signer, Verifier, str]:
    """Generate a key, sign with it, verify with its public half."""
    key = Key.generate("ES256")
    signer = Signer(key, issuer=ISSUER, audience=AUDIENCE, ttl=300)
    token = signer.sign({"sub": "alice", "scope": "orders:read"})

    verifier = Verifier(key.public(), issuer=ISSUER, audience=AUDIENCE)
    claims = verifier.verify(token)
    show("signed", f"ES256, {len(token)} bytes, kid {key.kid[:10]}...")
    show("verified", f"sub {claims.subject}, scope {claims['scope']}, exp {claims.expires_at}")
    return signer, verifier, token


def refuse(signer: Signer, verifier: Verifier, token: str) -> None:
    """Show that a token which is not good is not taken."""
    expired = signer.sign({"sub": "alice", "exp": 1_700_000_000})
    header, claims, signature = token.split(".")
    tampered = f"{header}.{claims[:-4]}{flip(claims[-4])}{claims[-3:]}.{signature}"
    elsewhere = Signer(signer.key, issuer=ISSUER, audience="billing").sign({"sub": "alice"})
    show_refusal("expired", verifier, expired)
    show_refusal("tampered", verifier, tampered)
    show_refusal("wrong audience", verifier, elsewhere)


def verify_rfc_tokens() -> None:
    """Verify the tokens printed in RFC 7515, at a moment when they were good."""
    for name, alg, jwk, token in RFC_TOKENS:
        key = Key.from_jwk(jwk, alg)
        claims = Verifier(key, issuer="joe", clock=lambda: RFC_EXPIRY - 1).verify(token)
        show(name, f"{alg}, iss {claims.issuer}, is_root {claims['http://example.com/is_root']}")
    name, alg, jwk, token = RFC_NOT_CLAIMS
    show_refusal(name, Verifier(Key.from_jwk(jwk, alg)), token, "not a JWT: its payload is a word")


def verify_pyjwt_token() -> None:
    """Verify what PyJWT mints on the spot, knowing only its published key set."""
    with tempfile.TemporaryDirectory() as directory:
        mint = Path(__file__).with_name("mint_with_pyjwt.py")
        subprocess.run([sys.executable, str(mint), directory], check=True)  # noqa: S603
        token = Path(directory, "token.txt").read_text()
        keys = KeySet.from_jwks(json.loads(Path(directory, "jwks.json").read_text()))
    verifier = Verifier(keys, issuer="https://pyjwt.example", audience="gatekey-demo")
    claims = verifier.verify(token)
    show("PyJWT", f"{claims.alg}, iss {claims.issuer}, sub {claims.subject}, kid {claims.key_id}")


def flip(character: str) -> str:
    """Another base64url character."""
    return "B" if character == "A" else "A"


def show(what: str, text: str) -> None:
    """Print one line of the demo."""
    print(f"  {what:<15} {text}")


def show_refusal(what: str, verifier: Verifier, token: str, remark: str = "") -> None:
    """Print why the token is refused; a token that is accepted here ends the demo."""
    try:
        verifier.verify(token)
    except InvalidTokenError as error:
        show(what, f"refused, {type(error).__name__} ({error.number}): {remark or error}")
    else:
        sys.exit(f"{what}: this token must not be accepted")


def main() -> None:
    """Run the demo."""
    print(f"gatekey {gatekey.__version__} from Python {sys.version.split()[0]}")
    signer, verifier, token = sign_and_verify()
    refuse(signer, verifier, token)
    verify_rfc_tokens()
    verify_pyjwt_token()


if __name__ == "__main__":
    main()
