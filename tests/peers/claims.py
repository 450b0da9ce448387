"""Random claims: integers of any size, doubles, every plane of Unicode, nesting."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

FAR = 32503680000  # the year 3000


def claims(dice: random.Random) -> dict[str, Any]:
    """Claims that every peer accepts by default: `exp` far away, `iat` and `nbf` long ago."""
    registered = {
        "exp": FAR,
        "iat": 1_600_000_000,
        "nbf": 1_600_000_000,
        "iss": "https://issuer.example",
        "sub": text(dice) or "ada",
        "aud": dice.choice(["api", ["api"], ["api", "other"]]),
        "jti": text(dice) or "1",
    }
    keep = {
        name: value for name, value in registered.items() if name == "exp" or dice.random() < 0.7
    }
    for _ in range(dice.randrange(6)):
        keep.setdefault("x" + text(dice), value(dice, 4))
    return keep


def text(dice: random.Random) -> str:
    ranges = [
        (0x20, 0x7E),
        (0, 0x1F),
        (0x80, 0x7FF),
        (0x800, 0xD7FF),
        (0xE000, 0xFFFF),
        (0x10000, 0x10FFFF),
    ]
    return "".join(chr(dice.randint(*dice.choice(ranges))) for _ in range(dice.randrange(8)))


def value(dice: random.Random, depth: int) -> Any:
    kind = dice.randrange(9 if depth else 6)
    if kind == 0:
        return dice.choice([None, True, False, "", 0, -0.0, 1.0, 2**53, 2**64, -(2**63)])
    if kind == 1:
        return dice.getrandbits(dice.choice([7, 31, 63, 64, 200])) * dice.choice([1, -1])
    if kind == 2:
        return finite(dice)
    if kind < 6:
        return text(dice)
    if kind == 6:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {text(dice): value(dice, depth - 1) for _ in range(dice.randrange(4))}


def finite(dice: random.Random) -> float:
    while True:
        (number,) = struct.unpack("<d", struct.pack("<Q", dice.getrandbits(64)))
        if number == number and abs(number) != float("inf"):
            return number
