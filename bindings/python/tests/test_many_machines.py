"""examples/many-machines: three nodes, PostgreSQL and Valkey, as `make demo-many` shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_the_demo_shows_what_it_says() -> None:
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", ROOT / "examples/many-machines/demo.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests/servers")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split() for line in run.stdout.splitlines()]
    if any("SKIPPED" in line[0] for line in lines):
        pytest.skip(run.stdout.splitlines()[-1])
    answers = [words[3] for words in lines if words[0] in {"paris", "tokyo", "lima"}]
    made, used, revoked, *rest = answers
    refused, limited = rest[:3], rest[3:]
    assert [made, used, revoked] == ["200"] * 3
    assert refused == ["401"] * 3, "each node refuses a key that one of them has revoked"
    assert limited == [*["200"] * 5, "429"], "five a minute, for all of them together"
