"""Issue an API key, verify, rotate and revoke it."""

import sys

from gatekey import ApiKeys

url = sys.argv[1] if len(sys.argv) > 1 else "sqlite:///keys.sqlite"
with ApiKeys.open(url) as keys:
    issued = keys.create(owner="acme", scopes=["orders:read"], rate="100/60s")
    print("show this once:", issued.secret[:20] + "...")
    print(keys.verify(issued.secret, scopes=["orders:read"]).owner, "may read orders")
    rotated = keys.rotate(issued.id, overlap=3600)  # the old one is good for one more hour
    print("the new secret:", keys.check(rotated.secret).code)
    keys.revoke(issued.id, reason="leaked")
    print("after revoking:", keys.check(rotated.secret).code)
