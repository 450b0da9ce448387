"""What a log-in of PostgreSQL 18 with examples/pg18-validator costs beside `trust`.

Log-ins of all kinds take turns, and a ratio is that of medians: what else the machine does meets all of them alike.
`LOGINS` says how many of each (200). Prints the table of the example's README.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests/pg18")]
from cluster import Client, Cluster, Issuer

LOGINS = int(os.environ.get("LOGINS", "200"))


def log_in(cluster: Cluster, user: str, token: str) -> float:
    """Give the milliseconds until the server is ready for a query."""
    begun = time.perf_counter()
    client = Client(cluster.port, user, token)
    took = (time.perf_counter() - begun) * 1000
    client.close()
    assert not client.error, client.error
    return took


def measure(cluster: Cluster, issuer: Issuer) -> tuple[float, float]:
    """Give the medians of `trust` and of a token."""
    times: dict[str, list[float]] = {"admin": [], "app_a": []}
    for number in range(LOGINS + 10):
        for user in sorted(times, reverse=bool(number % 2)):
            token = issuer.token() if user == "app_a" else ""
            took = log_in(cluster, user, token)
            if number >= 10:
                times[user].append(took)
    return median(times["admin"]), median(times["app_a"])


def main() -> None:
    """Measure with the library loaded by each log-in, and by the server."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-pg18-"))
    cluster, issuer = Cluster(folder), Issuer()
    try:
        quiet = {"log_min_messages": "warning", "log_connections": "''"}
        cluster.policies(cluster.policy(issuer))
        cluster.hba(cluster.line(issuer.url), "host all admin 127.0.0.1/32 trust")
        print("| gatekey is loaded by | `trust` | a token, ES256 | ratio |\n|---|---:|---:|---:|")
        for name, more in (("each log-in", {}), ("the server", {"shared_preload_libraries": "'gatekey_validator'"})):
            cluster.stop()
            cluster.start(**quiet, **more)
            trust, token = measure(cluster, issuer)
            print(f"| {name} | {trust:.1f} ms | {token:.1f} ms | {token / trust:.1f} |", flush=True)
    finally:
        cluster.run("pg_ctl", "stop", "-D", cluster.data, "-m", "immediate", check=False)
        issuer.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
