"""Fixtures: one key of every algorithm, made once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from rounds import rounds

from gatekey import ALGORITHMS, Key, Signer, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile("gatekey", database=None, deadline=None, max_examples=rounds(20))
settings.load_profile("gatekey")

ISSUER = "https://auth.example"
AUDIENCE = "orders"


@cache
def key_of(alg: str) -> Key:
    return Key.generate(alg)


@pytest.fixture(params=ALGORITHMS)
def any_key(request: pytest.FixtureRequest) -> Key:
    return key_of(request.param)


@pytest.fixture
def key() -> Key:
    return key_of("ES256")


@pytest.fixture
def secret() -> Key:
    return key_of("HS256")


@pytest.fixture
def signer(key: Key) -> Signer:
    return Signer(key, issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def verifier(key: Key) -> Verifier:
    return Verifier(key.public(), issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def token(signer: Signer) -> str:
    return signer.sign({"sub": "alice", "scope": "orders:read", "roles": ["a", "b"]})


@pytest.fixture
def key_for() -> Callable[[str], Key]:
    return key_of
