"""The examples run, and the README shows them as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from provider import have_or_skip

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
TOLD = "made the pepper file {}.pepper; back it up: without it everything in the store is lost\n"


def run(name: str, *arguments: str, told: str = "") -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stderr == told
    return done.stdout


def test_quickstart() -> None:
    assert run("quickstart.py") == "alice may orders:read\n"


def test_the_readme_shows_the_quickstart() -> None:
    code = (EXAMPLES / "quickstart.py").read_text()
    assert f"```python\n{code}```\n" in (ROOT / "bindings/python/README.md").read_text()


def test_tokens() -> None:
    verified, expired, elsewhere, tampered, minted = run("tokens.py").splitlines()
    assert verified == "verified: sub alice"
    assert expired.startswith("refused: expired: ")
    assert elsewhere.startswith("refused: invalid_audience: ")
    assert tampered.startswith("refused: invalid_signature: ")
    assert minted == "verified: sub bob"


def test_mint_with_pyjwt(tmp_path: Path) -> None:
    assert run("mint_with_pyjwt.py", str(tmp_path / "new")) == ""
    assert (tmp_path / "new" / "token.txt").read_text().count(".") == 2
    assert '"keys"' in (tmp_path / "new" / "jwks.json").read_text()


def test_keys(tmp_path: Path) -> None:
    file = f"{tmp_path}/keys.sqlite"
    told = TOLD.format(file)
    shown = run("apikey.py", f"sqlite:///{file}", told=told)
    assert "acme may read orders\n" in shown
    assert shown.endswith("the new secret: ok\nafter revoking: api_key_revoked\n")


def test_session(tmp_path: Path) -> None:
    file = f"{tmp_path}/sessions.sqlite"
    told = TOLD.format(file)
    shown = run("session.py", f"sqlite:///{file}", told=told)
    assert shown.startswith("alice is in for 900 seconds\nreuse detected: ")
    assert "logged out of 2 sessions\n" in shown
    assert shown.count("access token: The token has been revoked.\n") == 3


@pytest.mark.parametrize(
    "name", ["quickstart.py", "apikey.py", "session.py", "tokens.py", "mint_with_pyjwt.py"]
)
def test_examples_are_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) <= 80


def test_oauth() -> None:
    have_or_skip()
    beside = [sys.executable, str(ROOT / "tests/servers/servers.py"), "run", "oidc-provider"]
    command = [*beside, sys.executable, str(EXAMPLES / "oauth.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "alice signed in\n"
        "GET /orders: 200, the orders of alice\n"
        'GET /orders: 401, WWW-Authenticate: Bearer scope="api:read"\n'
    )
