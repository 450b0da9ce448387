"""Log in, refresh, notice a stolen refresh token, log out everywhere."""

import sys

from gatekey import Signer, Store, Verifier
from gatekey.exceptions import RevokedTokenError, TokenReuseError

url = sys.argv[1] if len(sys.argv) > 1 else "sqlite:///sessions.sqlite"
with Store.open(url) as store:  # one file: keys that rotate, sessions, what is revoked
    ring = store.key_ring()
    sessions = store.sessions(signer=Signer(ring, issuer="https://auth.example"))
    verifier = Verifier(ring, issuer="https://auth.example", revocations=sessions.revocations)

    first = sessions.start("alice", client="Firefox on Linux")
    print(verifier.verify(first.access_token).subject, "is in for", first.expires_in, "seconds")
    second = sessions.refresh(first.refresh_token)  # each refresh token is good once
    third = sessions.refresh(second.refresh_token)
    try:
        sessions.refresh(first.refresh_token)  # by a thief who has a copy
    except TokenReuseError as error:
        print("reuse detected:", error)

    phone, laptop = sessions.start("alice"), sessions.start("alice")
    print("logged out of", sessions.end_all("alice"), "sessions")
    for tokens in (third, phone, laptop):
        try:
            verifier.verify(tokens.access_token)
        except RevokedTokenError as error:
            print("access token:", error)
