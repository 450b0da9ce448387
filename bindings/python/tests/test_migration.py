"""`docs/pyjwt.md`: both sides of each row of its table run, and give the same."""

from __future__ import annotations

import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
import pytest

import gatekey
from gatekey import Key, KeySet, Verified

PAGE = Path(__file__).parents[3] / "docs" / "pyjwt.md"
CODE = re.compile(r"`((?:[^`\\]|\\.)*)`")


class Encoder(json.JSONEncoder):
    """What PyJWT wants for values without a JSON form."""

    def default(self, o: object) -> str:
        return str(o)


def rows() -> dict[str, tuple[str, str]]:
    """Give what each row is about, and the code of its two columns."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and all(CODE.fullmatch(cell) for cell in cells[1:]):
            theirs, ours = (cell[1:-1].replace("\\|", "|") for cell in cells[1:])
            found[cells[0]] = (theirs, ours)
    return found


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the code of the table may name."""
    key, rsa = Key.generate("ES256"), Key.generate("RS256")
    secret = b"a secret of thirty-two bytes, ok"
    claims = {"sub": "alice", "aud": "a", "iss": "i", "exp": int(time.time()) + 60}
    pem, jwk = key.to_pem(private=True), key.public().to_jwk()
    return {
        **{name: getattr(gatekey, name) for name in gatekey.__all__ if not name.startswith("_")},
        "jwt": jwt,
        "theirs": {"algorithms": ["ES256"], "audience": "a", "issuer": "i"},
        "ours": {"audience": "a", "issuer": "i"},
        "Encoder": Encoder,
        "uuid": uuid.UUID(int=7),
        "claims": claims,
        "pem": pem,
        "public_pem": key.public().to_pem(),
        "rsa_pem": rsa.to_pem(private=True),
        "secret": secret,
        "jwk": jwk,
        "jwks": KeySet([key.public()]).to_jwks(),
        "token": jwt.encode(claims, pem, "ES256"),
        "hs256": jwt.encode(claims, secret, "HS256"),
        "numeric": jwt.encode({"sub": 7, "exp": claims["exp"]}, pem, "ES256"),
        "endless": jwt.encode({"sub": "alice"}, pem, "ES256"),
    }


def run(code: str, names: dict[str, Any]) -> Any:
    """Run the code of a cell; an error is what it gives."""
    try:
        return eval(code, dict(names))  # noqa: S307 - the page is ours
    except (jwt.PyJWTError, gatekey.exceptions.GatekeyError) as error:
        return error


def test_the_table_is_found() -> None:
    assert len(rows()) >= 20


@pytest.mark.parametrize("what", rows())
def test_both_sides_run_and_give_the_same(what: str, names: dict[str, Any]) -> None:
    theirs, ours = (run(code, names) for code in rows()[what])
    if what.startswith("no token"):
        assert isinstance(theirs, jwt.DecodeError)
        assert isinstance(ours, gatekey.exceptions.MissingCredentialsError)
        return
    assert not isinstance(theirs, Exception), theirs
    assert not isinstance(ours, Exception), ours
    if isinstance(theirs, str):
        # A signer adds to the claims and to the header.
        for part in (0, 1):
            wanted = gatekey.danger_decode_unverified(theirs)[part]
            made = gatekey.danger_decode_unverified(ours)[part]
            assert made | wanted == made
    elif isinstance(theirs, dict):
        assert isinstance(ours, (dict, Verified))
        assert dict(ours) == theirs
    elif isinstance(theirs, type):
        assert theirs.__name__ == ours.__name__
        assert issubclass(ours, gatekey.exceptions.GatekeyError)
    elif isinstance(theirs, jwt.PyJWKSet):
        assert len(theirs.keys) == len(ours) == 1
    else:
        assert isinstance(theirs, jwt.PyJWKClient)
        assert isinstance(ours, gatekey.RemoteKeySet)
