"""Log-ins and log-outs by ASGI without a store are refused with 503, as everything else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guard_doors import Door, OfFastApi, OfLitestar, OfStarlette
from guard_world import OWN, lose_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", [OfStarlette, OfFastApi, OfLitestar])
def test_a_log_in(kind: type[Door], tmp_path: Path) -> None:
    door = kind(tmp_path)
    own = [("Origin", OWN)]
    assert door.call("POST", "/log-in", own).status == 200
    lose_store(door.world, [])
    answer = door.call("POST", "/log-in", own)
    assert answer.status == 503
    assert answer.one("Content-Type") == "application/problem+json"
    assert answer.one("Cache-Control") == "no-store"
    assert answer.all("Set-Cookie") == []
    door.world.close()
