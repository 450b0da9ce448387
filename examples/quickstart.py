"""Sign a token and verify it."""

from gatekey import Key, Signer, Verifier

key = Key.generate("ES256")
signer = Signer(key, issuer="https://auth.example", audience="orders", ttl=300)
token = signer.sign({"sub": "alice", "scope": "orders:read"})

verifier = Verifier(key.public(), issuer="https://auth.example", audience="orders")
claims = verifier.verify(token)  # or raises a gatekey.exceptions.InvalidTokenError
print(claims["sub"], "may", claims["scope"])
