"""The certified authorization server oidc-provider as a child of the tests, and the browser that
signs in at it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CALLBACK = "http://127.0.0.1:9999/cb"
SECRET = "a-secret-of-the-tests-0123456789abcdef"
API = "https://api.example.test"


class Provider:
    """The server on a free port, until it is closed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            ["node", str(folder / "server.mjs")],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            text=True,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line.startswith("READY "), line
        self.issuer = line.split()[1]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


def installed() -> Path:
    """Where it is; skips the test where it cannot be installed."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "oauth"
    command = [str(ROOT / "tests" / "oauth" / "install.sh"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 77:
        # By name: reasons that are the same are reported as one.
        name = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        pytest.skip(f"{name}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return target
