"""How the validator is built, installed and taken away, and what is said where that cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cluster import ROOT, Cluster

if TYPE_CHECKING:
    from pathlib import Path


def made(cluster: Cluster, *words: str) -> tuple[int, str]:
    """Run make in the folder where the validator was built; give how it ended and what it said."""
    done = subprocess.run(  # noqa: S603
        [shutil.which("make") or "make", "-s", "with_llvm=no", *words],
        cwd=cluster.folder / "build",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
        check=False,
    )
    return done.returncode, done.stdout


def test_install_and_uninstall(cluster: Cluster, tmp_path: Path) -> None:
    """Two files, there and gone; gatekey itself may be gone before."""
    config = [f"PG_CONFIG={cluster.bin}/pg_config", f"DESTDIR={tmp_path}"]
    prefix = f"GATEKEY_PREFIX={cluster.folder}/gatekey"
    assert made(cluster, "install", *config, prefix) == (0, "")
    installed = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert installed == ["gatekey_keys", "gatekey_validator.so"]
    assert made(cluster, "uninstall", *config, "GATEKEY_PREFIX=/nowhere") == (0, "")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["PG_CONFIG=/nowhere/pg_config"], "server headers are missing"),
        (["PG_CONFIG=/nowhere/pg_config", "clean"], "set PG_CONFIG"),
        (["GATEKEY_PREFIX=/nowhere"], "gatekey.h is missing"),
    ],
)
def test_what_is_missing(cluster: Cluster, words: list[str], said: str) -> None:
    """The message says what, and what to do."""
    usual = [f"PG_CONFIG={cluster.bin}/pg_config", f"GATEKEY_PREFIX={cluster.folder}/gatekey"]
    code, text = made(cluster, *usual, *words)
    assert code != 0
    assert said in text


def test_where_it_cannot_be_had(tmp_path: Path) -> None:
    """Without PostgreSQL 18 these tests are skipped, and say why."""
    folder = tmp_path / "servers/postgres18"
    folder.mkdir(parents=True)
    (folder / ".unavailable").touch()
    test = "tests/pg18/test_tokens.py::test_good_ones"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**os.environ, "CARGO_TARGET_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "pg18: PostgreSQL 18 could not be fetched" in done.stdout
    assert "1 skipped" in done.stdout
