"""`make bench-many-machines`: how a store in PostgreSQL does between nodes; writes docs/bench-many-machines.md.

Nodes are groups of processes of this machine, each process with its own connections. PostgreSQL 18 is the tests' own, with `fsync`
on. `QUICK=1` takes fewer changes and a smaller start, and prints only.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/servers"))
sys.path.insert(0, str(ROOT / "benches"))

import report  # noqa: E402
from hosts import step  # noqa: E402
from postgres import PASSWORD, Postgres  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
NODES, PROCESSES = 3, 4
REVOCATIONS = 20 if QUICK else 200
SECONDS = 2 if QUICK else 5
WRITERS = (1, 8, 32)
KEYS = int(os.environ.get("KEYS", "10000" if QUICK else "100000"))
PEPPER = b"p" * 32


def opened(url: str):  # noqa: ANN201
    """The keys of a store."""
    from gatekey import Store

    return Store.open(url, pepper=PEPPER).api_keys()


def ask(text: str) -> None:
    print(text, flush=True)


# ---- the children ----


def node(url: str) -> None:
    """Verifies the key that it reads until it is refused, and says when that was."""
    from gatekey.exceptions import GatekeyError

    keys, parent = opened(url), os.getppid()
    ask("ready")
    for line in sys.stdin:
        key = line.strip()
        while os.getppid() == parent:
            try:
                keys.verify(key)
                break
            except GatekeyError:
                time.sleep(0.001)
        ask("seen")
        while os.getppid() == parent:
            before = time.time_ns()
            try:
                keys.verify(key)
            except GatekeyError:
                ask(str(before))
                break
            time.sleep(0.0005)


def writer(url: str, threads: int, seconds: float) -> None:
    """Makes keys on this number of threads; says how many."""
    keys = opened(url)
    counts = [0] * threads
    ask("ready")
    sys.stdin.readline()
    until = time.monotonic() + seconds

    def work(at: int) -> None:
        while time.monotonic() < until:
            keys.create(owner="bench")
            counts[at] += 1

    every = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    for one in every:
        one.start()
    for one in every:
        one.join()
    ask(str(sum(counts)))


class Child:
    """A process of this program."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, __file__, *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word: str) -> None:
        line = self.line()
        assert line == word, line

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


# ---- a relay that falls silent ----


class Relay:
    """Forwards a port; what has been connected before `silence` takes what comes, forwards nothing and closes nothing."""

    def __init__(self, port: int) -> None:
        self._speaking = threading.Event()
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            here, _ = self._listener.accept()
            there = socket.create_connection(("127.0.0.1", self._to))
            for one, other in ((here, there), (there, here)):
                words = (one, other, self._speaking)
                threading.Thread(target=self._forward, args=words, daemon=True).start()

    def silence(self) -> None:
        self._speaking.set()
        self._speaking = threading.Event()

    def _forward(self, one: socket.socket, other: socket.socket, silenced: threading.Event) -> None:
        try:
            while data := one.recv(65536):
                if not silenced.is_set():
                    other.sendall(data)
        except OSError:
            pass
        if not silenced.is_set():
            other.close()


# ---- what is measured ----


class Bench:
    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.count = 0

    def url(self, schema: str, port: int | None = None, **parameters: str) -> str:
        from urllib.parse import quote, urlencode

        words = urlencode({"schema": schema, **parameters})
        return f"postgresql://postgres:{quote(PASSWORD)}@127.0.0.1:{port or self.server.port}/postgres?{words}"

    def schema(self) -> str:
        self.count += 1
        return f"bench_{self.count}"

    def latency(self, is_notified: bool) -> list[float]:
        """Milliseconds from the answer to `revoke` until each process refuses."""
        step("revocations, " + ("notified" if is_notified else "not notified"))
        schema = self.schema()
        keys = opened(self.url(schema))
        relay = Relay(self.server.port)
        feed = self.url(schema, relay.port)
        children = [Child("node", self.url(schema, feed_url=feed)) for _ in range(NODES * PROCESSES)]
        found = []
        many = REVOCATIONS if is_notified else max(5, REVOCATIONS // 10)
        for _ in range(many):
            issued = keys.create(owner="bench")
            for child in children:
                child.tell(issued.secret)
            for child in children:
                child.expect("seen")
            time.sleep(0.1)
            if not is_notified:
                relay.silence()
            keys.revoke(issued.id)
            revoked = time.time_ns()
            found += [max(0.0, (int(child.line()) - revoked) / 1e6) for child in children]
        for child in children:
            child.end()
        return found

    def rate(self, threads: int, processes: int) -> float:
        """Keys made in a second, by threads of processes."""
        step(f"{threads} writers in {processes} processes")
        schema = self.schema()
        opened(self.url(schema)).create(owner="bench")
        children = [Child("writer", self.url(schema), threads // processes, SECONDS) for _ in range(processes)]
        for child in children:
            child.tell("go")
        made = sum(int(child.line()) for child in children)
        for child in children:
            child.end()
        return made / SECONDS

    def verifying(self) -> tuple[float, float]:
        """Nanoseconds of a verification, from SQLite and from PostgreSQL, taken in turn."""
        from gatekey import Store

        with tempfile.TemporaryDirectory() as folder:
            stores = [
                Store.open(f"sqlite:///{folder}/keys.sqlite", pepper=PEPPER).api_keys(),
                opened(self.url(self.schema())),
            ]
            texts = [keys.create(owner="bench").secret for keys in stores]
            taken: list[list[float]] = [[], []]
            for _ in range(5 if QUICK else 40):
                for at, (keys, text) in enumerate(zip(stores, texts, strict=True)):
                    verify = keys.verify
                    before = time.perf_counter_ns()
                    for _ in range(20_000):
                        verify(text)
                    taken[at].append((time.perf_counter_ns() - before) / 20_000)
            return median(taken[0]), median(taken[1])

    def start(self, many: int) -> float:
        """Seconds to open a store with this number of keys in a new process."""
        step(f"a start with {many:,} keys")
        schema = self.schema()
        keys = opened(self.url(schema))
        left = iter(range(many))

        def make() -> None:
            while next(left, None) is not None:
                keys.create(owner="bench")

        every = [threading.Thread(target=make) for _ in range(16)]
        for one in every:
            one.start()
        for one in every:
            one.join()
        words = "import sys,time\nsys.path.insert(0, sys.argv[2])\nimport many\n"
        words += "begun = time.monotonic()\n"
        words += "keys = many.opened(sys.argv[1])\nprint(time.monotonic() - begun)"
        done = subprocess.run(
            [sys.executable, "-c", words, self.url(schema), str(ROOT / "benches")], check=True, capture_output=True, text=True
        )
        return float(done.stdout)


def row(name: str, found: list[float], goal: str) -> list[str]:
    cut = quantiles(found, n=100, method="inclusive")
    return [name, f"{median(found):.1f} ms", f"{cut[98]:.1f} ms", f"{max(found):.1f} ms", goal]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.sql("ALTER SYSTEM SET fsync = on")
        server.sql("SELECT pg_reload_conf()")
        bench = Bench(server)
        try:
            parts = measured(bench)
        finally:
            server.stop()
    text = f"""# Measured: a store in PostgreSQL

`make bench-many-machines` writes this page. {date.today()}, {platform.machine()}, {os.cpu_count()} CPUs, PostgreSQL 18 on the same
machine with `fsync` on, load {os.getloadavg()[0]:.1f} at the end. Nodes are groups of processes here, so that the CPUs are shared
with the server, and no network is between.

## From a revocation to its refusal
{NODES} nodes of {PROCESSES} processes that verify all the time; from the return of `revoke` until a call is refused that begins later. Without
notifications: the listening connections were silenced, not closed.

{report.table(["", "p50", "p99", "most", "goal"], parts["latency"])}

## Changes in a second
Keys made, each durable when its call returns. All changes take their number under one lock; those that wait in one process go
together in one transaction.

{report.table(["writers", "in one process", "in four processes"], parts["rates"])}

## Verifying, and opening
{report.table(["", "measured"], parts["others"])}
"""
    print(text)
    if not QUICK:
        (ROOT / "docs/bench-many-machines.md").write_text(text)


def measured(bench: Bench) -> dict[str, list[list[str]]]:
    latency = [
        row("notified", bench.latency(True), "5 ms, 25 ms"),
        row("not notified", bench.latency(False), "1,100 ms"),
    ]
    rates = [
        [str(writers), f"{bench.rate(writers, 1):,.0f}", f"{bench.rate(writers, 4):,.0f}" if writers >= 4 else ""]
        for writers in WRITERS
    ]
    sqlite, postgres = bench.verifying()
    took = bench.start(KEYS)
    others = [
        ["a verification from Python, SQLite", f"{sqlite:,.0f} ns"],
        ["a verification from Python, PostgreSQL", f"{postgres:,.0f} ns ({(postgres / sqlite - 1) * 100:+.1f} %)"],
        [f"opening a store of {KEYS:,} keys", f"{took:.1f} s"],
    ]
    return {"latency": latency, "rates": rates, "others": others}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["node", url]:
            node(url)
        case ["writer", url, threads, seconds]:
            writer(url, int(threads), float(seconds))
        case _:
            main()
