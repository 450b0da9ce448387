"""What gatekey refuses and its peers accept: the table in docs/peers.md.

Each hostile token of tests/vectors/attack_tokens.txt goes to each peer that knows its algorithm,
with the right key, the one algorithm, the expected issuer and audience, `exp` required and the time
of the file: as strict as the peer's own interface lets a caller be. `python scoreboard.py` writes
the page; the tests fail when it is out of date.
"""

from __future__ import annotations

import datetime
import json
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import joserfc.jwk
import joserfc.jwt
import jwcrypto.jwk
import jwcrypto.jwt

import jwt as pyjwt

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
TOKENS = ROOT / "tests/vectors/attack_tokens.txt"
PAGE = ROOT / "docs/peers.md"
# Accepting these is a choice of policy or of limits, which a caller of ours may make, too.
# The last one is "exp now" once more.
POLICY = ("typ ", "iat ", 'kid "', "header", "token", "expired later")


INTRODUCTION = """\
# What gatekey refuses and its peers accept

Made by `tests/peers/scoreboard.py` from the hostile tokens of
[`attack_tokens.txt`](../tests/vectors/attack_tokens.txt): each goes to each peer that knows its
algorithm, with the right key, the one algorithm, the expected issuer and audience, `exp` required
and no leeway. gatekey refuses all of them, from Rust, C and Python. What is only a matter of policy
or limits (`typ`, `iat`, `kid`, sizes) is left out. `make test` fails when this page is out of date.
"""


@dataclass(frozen=True)
class Case:
    """A hostile token, and what is right for its good twin."""

    attack: str
    jwk: dict[str, Any]
    alg: str
    issuer: str
    audience: str
    now: int
    token: str


def cases() -> list[Case]:
    """The hostile tokens that are meant for an expected issuer and audience."""
    keys: dict[str, tuple[str, dict[str, Any]]] = {}
    policies: dict[str, tuple[str, str, int]] = {}
    found = []
    for line in TOKENS.read_text().splitlines():
        match line.split("\t"):
            case ["key", name, alg, jwk]:
                keys[name] = (alg, json.loads(jwk))
            case ["policy", name, issuer, audience, now]:
                policies[name] = (issuer, audience, int(now))
            case ["token", name, key, policy, status, token]:
                issuer, audience, now = policies[policy]
                attack = name.split("/", 1)[1]
                judged = status != "0" and "-" not in (issuer, audience, token)
                if judged and not attack.startswith(POLICY):
                    alg, jwk = keys[key]
                    found.append(Case(attack, jwk, alg, issuer, audience, now, token))
    return found


def _pyjwt(case: Case) -> None:
    moment = datetime.datetime.fromtimestamp(case.now, tz=datetime.timezone.utc)
    clock = mock.Mock(wraps=datetime.datetime, now=mock.Mock(return_value=moment))
    key = pyjwt.PyJWK(case.jwk, algorithm=case.alg).key
    with mock.patch("jwt.api_jwt.datetime", clock):
        pyjwt.decode(
            case.token,
            key,
            algorithms=[case.alg],
            issuer=case.issuer,
            audience=case.audience,
            options={"require": ["exp", "iss", "aud"]},
        )


def _joserfc(case: Case) -> None:
    token = joserfc.jwt.decode(case.token, joserfc.jwk.import_key(case.jwk), algorithms=[case.alg])
    joserfc.jwt.JWTClaimsRegistry(
        now=case.now,
        exp={"essential": True},
        iss={"essential": True, "value": case.issuer},
        aud={"essential": True, "value": case.audience},
    ).validate(token.claims)


def _jwcrypto(case: Case) -> None:
    key = jwcrypto.jwk.JWK.from_json(json.dumps(case.jwk))
    with mock.patch("time.time", return_value=float(case.now)):
        token = jwcrypto.jwt.JWT(
            algs=[case.alg],
            expected_type="JWS",
            check_claims={"exp": None, "iss": case.issuer, "aud": case.audience},
        )
        token.leeway = 0
        token.deserialize(case.token, key)


PEERS: dict[str, tuple[Callable[[Case], None], tuple[str, ...]]] = {
    "PyJWT": (_pyjwt, ("HS", "RS", "PS", "ES", "EdDSA")),
    "joserfc": (_joserfc, ("HS", "RS", "PS", "ES", "Ed")),
    "jwcrypto": (_jwcrypto, ("HS", "RS", "PS", "ES", "Ed", "ML-DSA")),
}


def _accepts(verify: Callable[[Case], None], case: Case) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verify(case)
    except Exception:  # noqa: BLE001 - any refusal counts, whatever its kind
        return False
    return True


def page() -> str:
    """The page, as it should be."""
    rows = []
    accepted: dict[str, set[str]] = defaultdict(set)
    for name, (verify, families) in PEERS.items():
        tried = [case for case in cases() if case.alg.startswith(families)]
        taken = [case for case in tried if _accepts(verify, case)]
        for case in taken:
            accepted[case.attack].add(name)
        peer = f"{name} {version(name.lower())}"
        rows.append(f"| {peer} | {len(tried)} | {len(taken)} | {len({c.attack for c in taken})} |")
    attacks = [
        f"| {attack} | " + " | ".join("accepts" if name in by else "" for name in PEERS) + " |"
        for attack, by in sorted(accepted.items())
    ]
    return "\n".join(
        [
            *INTRODUCTION.splitlines(),
            "",
            "| peer | hostile tokens | accepted | different attacks |",
            "|---|---:|---:|---:|",
            *rows,
            "",
            "## The attacks that get through",
            "",
            "| the token | " + " | ".join(PEERS) + " |",
            "|---|" + "---|" * len(PEERS),
            *attacks,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: written\n")
