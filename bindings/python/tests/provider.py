"""The certified authorization server oidc-provider as a child of the tests."""

from __future__ import annotations

import os

import pytest
from servers import Server, UnavailableError, command

CALLBACK = "http://127.0.0.1:9999/cb"
SECRET = "a-secret-of-the-tests-0123456789abcdef"
API = "https://api.example.test"


def start_or_skip(**variant: str) -> Server:
    """The server on a free port; skips the test where it cannot be installed."""
    have_or_skip()
    return Server("oidc-provider", **variant)


def have_or_skip() -> None:
    """Installs the server; skips the test where that cannot be done."""
    try:
        command("oidc-provider")
    except UnavailableError as why:
        # By name: reasons that are the same are reported as one.
        name = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        pytest.skip(f"{name}: {why}")
