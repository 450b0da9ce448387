"""The shared file of attack tokens, which Rust and C run as well: same token, same verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gatekey import Key, Verifier, exceptions

FILE = Path(__file__).parents[3] / "tests" / "vectors" / "attack_tokens.txt"


@dataclass(frozen=True)
class Attack:
    name: str
    key: str
    policy: str
    status: int
    token: str


@dataclass(frozen=True)
class Policy:
    issuer: str | None
    audience: str | None
    now: int


def field(text: str) -> str:
    return "" if text == "-" else text


KEYS: dict[str, Key] = {}
POLICIES: dict[str, Policy] = {}
ATTACKS: list[Attack] = []

for line in FILE.read_bytes().decode().split("\n"):
    if not line or line.startswith("#"):
        continue
    kind, *fields = line.split("\t")
    if kind == "key":
        name, alg, jwk = fields
        KEYS[name] = Key.from_jwk(jwk, alg)
    elif kind == "policy":
        name, issuer, audience, now = fields
        POLICIES[name] = Policy(field(issuer) or None, field(audience) or None, int(now))
    elif kind == "token":
        name, key, policy, status, token = fields
        ATTACKS.append(Attack(name, key, policy, int(status), field(token)))
    else:
        raise ValueError(f"unknown line: {kind}")


def verdict(attack: Attack, token: str | bytes) -> int:
    policy = POLICIES[attack.policy]
    verifier = Verifier(
        KEYS[attack.key],
        issuer=policy.issuer,
        audience=policy.audience,
        clock=lambda: policy.now,
    )
    try:
        verifier.verify(token)
    except exceptions.InvalidTokenError as error:
        return error.number
    return 0


def test_the_file_is_there_and_means_something() -> None:
    assert len(ATTACKS) > 100
    assert sum(attack.status == 0 for attack in ATTACKS) > 0
    assert len({attack.status for attack in ATTACKS}) > 5


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(attack: Attack) -> None:
    assert verdict(attack, attack.token) == attack.status
    assert verdict(attack, attack.token.encode()) == attack.status
