#!/usr/bin/env python3
"""Three nodes, one PostgreSQL, one Valkey: a key made on one, used on another, revoked on a third.

`make demo-many` runs it: tests/servers has the real servers, which are started on free ports and
stopped by their process ids.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from postgres import PASSWORD, Postgres
from servers import UnavailableError
from valkey import Valkey

from gatekey import Store

HERE = Path(__file__).parent
NAMES = ("paris", "tokyo", "lima")
PATIENCE = 60
"""Seconds in which a node starts, and in which a revocation is seen, or never will be."""


class Node:
    """A process of uvicorn with node.py."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        """Start it; `wait` says when it listens."""
        self.name = name
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        words = ["uvicorn", "--fd", str(listening.fileno()), "--log-level", "warning", "node:app"]
        with log.open("w") as file:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *words],
                env={**os.environ, **environment},
                cwd=HERE,
                pass_fds=[listening.fileno()],
                stdout=file,
                stderr=file,
            )
        listening.close()
        self._line: http.client.HTTPConnection | None = None

    def wait(self, log: Path) -> None:
        """Wait until it answers."""
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                self.ask("GET", "/orders", "")
                return
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"The node {self.name} does not start:\n{log.read_text()}")
            time.sleep(0.05)

    def ask(
        self, method: str, path: str, key: str, body: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str]]:
        """Give the status and the content of an answer."""
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            self._line.request(method, path, json.dumps(body) if body else None, headers)
            answer = self._line.getresponse()
            return answer.status, json.loads(answer.read() or b"{}") or {}
        except OSError:
            self._line = None
            raise

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait()


def show(node: Node, what: str, status: int, more: str = "") -> None:
    """Print what one node answered."""
    print(f"  {node.name:<6}{what:<34}{status}  {more}", flush=True)


def tell(nodes: list[Node], admin: str) -> None:
    """Do what the demo is about."""
    paris, tokyo, lima = nodes

    print("A key made on one node is good on another, as soon as it has heard of it:")
    body = {"owner": "acme", "rate": "1000/60s"}
    status, made = paris.ask("POST", "/keys", admin, body)
    begun = time.perf_counter()
    show(paris, "POST /keys", status, made.get("secret", "")[:16] + "...")
    while True:
        status, seen = tokyo.ask("GET", "/orders", made["secret"])
        if status == http.HTTPStatus.OK or time.perf_counter() - begun > PATIENCE:
            break
    show(tokyo, "GET /orders", status, f"{since(begun)} later, caller {seen.get('caller')}")

    print("Revoked on the third, it is refused by all; none of them asks a server to know:")
    status, _ = lima.ask("DELETE", f"/keys/{made['id']}", admin)
    begun = time.perf_counter()
    show(lima, "DELETE /keys/...", status)
    waiting = list(nodes)
    while waiting:
        for node in list(waiting):
            status, _ = node.ask("GET", "/orders", made["secret"])
            if status == http.HTTPStatus.UNAUTHORIZED:
                show(node, "GET /orders", status, f"{since(begun)} later")
                waiting.remove(node)
        if time.perf_counter() - begun > PATIENCE:
            sys.exit("A revoked key is still accepted.")

    print("A limit holds for all of them together: six requests with a key of 5 a minute:")
    _, made = paris.ask("POST", "/keys", admin, {"owner": "acme", "rate": "5/60s"})
    for node in [*nodes, *nodes]:
        status, _ = node.ask("GET", "/orders", made["secret"])
        show(node, "GET /orders", status)
    if status != http.HTTPStatus.TOO_MANY_REQUESTS:
        sys.exit("Six requests were let through.")


def since(begun: float) -> str:
    """Give the milliseconds since then."""
    return f"{1000 * (time.perf_counter() - begun):.1f} ms"


def main() -> int:
    """Start everything, show it, stop everything."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-many-"))
    with contextlib.ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            print("Starting PostgreSQL, Valkey and three nodes ...", flush=True)
            cluster = Path(tempfile.mkdtemp(prefix="gatekey-postgres-"))  # of another user
            ends.callback(shutil.rmtree, cluster, ignore_errors=True)
            postgres = Postgres(cluster)
            ends.callback(postgres.stop)
            (folder / "valkey").mkdir()
            valkey = Valkey(folder / "valkey")
            ends.callback(valkey.kill)
        except UnavailableError as why:
            print(f"SKIPPED: {why}")
            return 0
        pepper = folder / "pepper"
        pepper.touch(0o600)
        pepper.write_text(f"1 {secrets.token_hex(32)}\n")
        url = f"postgresql://postgres:{quote(PASSWORD)}@127.0.0.1:{postgres.port}/postgres"
        environment = {
            "GATEKEY_STORE": url,
            "GATEKEY_PEPPER_FILE": str(pepper),
            # A second for an answer, and not 5 ms: the machine may be busy.
            "GATEKEY_LIMITS": f"redis://127.0.0.1:{valkey.port}?timeout_ms=1000",
        }
        with Store.open(url, pepper_file=pepper) as store:
            admin = store.api_keys().create(owner="ops", scopes=["keys:write"]).secret
        nodes = [Node(name, environment, folder / name) for name in NAMES]
        for node in nodes:
            ends.callback(node.stop)
        for node in nodes:
            node.wait(folder / node.name)
        tell(nodes, admin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
