"""One decision and one application for all tests, and each proxy between them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from stand import FRONTS, Application, Decision, Front, UnavailableError, build, need

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets, and open to other users."""
    one = Path(tempfile.mkdtemp(prefix="gatekey-proxies-"))
    one.chmod(0o755)
    yield one
    shutil.rmtree(one, ignore_errors=True)


@pytest.fixture(scope="session", params=["cc", "clang"])
def program(request: Any, folder: Path) -> Path:
    """Give the decision, by each compiler."""
    try:
        need(
            f"{request.param} or libmicrohttpd is missing",
            "microhttpd.h=libmicrohttpd-dev",
            request.param,
        )
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    return build(request.param, folder)


@pytest.fixture(scope="session")
def decision(folder: Path) -> Iterator[Decision]:
    """Give the decision with its store."""
    try:
        need("a compiler or libmicrohttpd is missing", "microhttpd.h=libmicrohttpd-dev", "cc=gcc")
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    one = Decision(build("cc", folder), folder)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def application(folder: Path) -> Iterator[Application]:
    """Give the application."""
    one = Application(str(folder / "app.sock"))
    yield one
    one.stop()


@pytest.fixture(scope="session", params=FRONTS)
def proxy(
    request: Any, folder: Path, decision: Decision, application: Application
) -> Iterator[Front]:
    """Give each proxy, as it runs."""
    own = folder / f"at-{request.param}"
    own.mkdir()
    try:
        one = FRONTS[request.param](own, decision, application)
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    yield one
    one.stop()


@pytest.fixture
def front(proxy: Front, decision: Decision, application: Application) -> Front:
    """Give a proxy whose decision runs, and an application that was not asked yet."""
    if decision.by != proxy.by:
        decision.stop()
    if not decision.processes:
        decision.start(proxy.by)
    application.asked.clear()
    return proxy
