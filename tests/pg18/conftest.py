"""One cluster for all tests; each has an issuer of its own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cluster import Cluster, Issuer, wait_for
from servers import UnavailableError, need

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL 18 with the validator."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-pg18-"))
    try:
        need("make or setpriv is missing", "make", "setpriv=util-linux")
        one = Cluster(folder)
    except UnavailableError as why:
        pytest.skip(f"pg18: {why}")
    try:
        yield one
    finally:
        one.run("pg_ctl", "stop", "-D", one.data, "-m", "immediate", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def issuer(cluster: Cluster) -> Iterator[Issuer]:
    """An issuer, the line of app_a that believes it, and no keys that are kept."""
    one = Issuer()
    # What the test before has begun would write its keys among ours.
    wait_for("fetches to end", lambda: not cluster.fetchers())
    cluster.forget()
    cluster.policies(cluster.policy(one))
    cluster.hba(cluster.line(one.url))
    cluster.reload()
    yield one
    one.stop()
