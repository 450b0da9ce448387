"""What a decision of examples/proxies costs behind each proxy: a route without a guard, with an API key, with a session.

All proxies run the whole time, as their examples are. `wrk` asks one after the other, round after round, every other
round in reverse order. CPU time is that of the proxy's and the decision's processes, by /proc, divided by the requests;
the application behind them is an nginx that says one line. `ROUNDS` (5) and `SECONDS` (3). Prints the table of
docs/proxies.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests/proxies")]
from stand import FRONTS, TEMPORARY, Decision, Front, UnavailableError, build, free_port, wait_for
from servers import need

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "3"))
CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("open", "API key", "session")


class Shop:
    """An application that says one line: nginx, at a socket and a port."""

    def __init__(self, folder: Path) -> None:
        need("nginx is missing", "nginx")
        folder.mkdir()
        self.path, self.port = str(folder / "app.sock"), free_port()
        temporary = "".join(f"{each}_temp_path {folder}/{each};" for each in TEMPORARY)
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
            f"http {{ access_log off; keepalive_requests 100000000; {temporary}\n"
            f"server {{ listen unix:{self.path}; listen 127.0.0.1:{self.port}; default_type application/json;\n"
            f"""location / {{ return 200 '{{"order":4711,"state":"on its way"}}'; }} }} }}\n"""
        )
        words = ["nginx", "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]
        self.process = subprocess.Popen(words)
        wait_for("an application", lambda: Path(self.path).exists())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def family(*pids: int) -> list[int]:
    """Give processes with those that they have started."""
    parents = {}
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                parents[int(one.name)] = int((one / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = list(pids)
    for pid in found:
        found += [each for each, parent in parents.items() if parent == pid]
    return found


def cpu(pids: list[int]) -> float:
    """Give the seconds that processes have had."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS


def sample(front: Front, decision: Decision, headers: list[str], path: str) -> tuple[float, float]:
    """Give requests in a second, and microseconds of CPU for each."""
    answer = front.ask("GET", path, *headers)
    assert answer.status == 200, answer
    pids = family(front.process.pid, *(one.pid for one in decision.processes))
    sent = [word for line in headers for word in ("-H", line)]
    url = f"http://127.0.0.1:{front.port}{path}"
    before = cpu(pids)
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *sent, url]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    took = cpu(pids) - before
    assert "Non-2xx" not in said, said
    count, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec: *([\d.]+)", said)
    assert count and rate, said
    return float(rate[1]), took / int(count[1]) * 1e6


def measure(fronts: list[Front], decision: Decision) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Ask all of them in each round."""
    bearer = f"Authorization: Bearer {decision.session()[0]}"
    asking = {"open": ([], "/public/1"), "API key": ([decision.key()], "/orders/1"), "session": ([bearer], "/orders/1")}
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    cases = [(front, kind) for front in fronts for kind in KINDS]
    for turn in range(ROUNDS):
        print(f"bench: proxies under wrk, round {turn + 1} of {ROUNDS}", file=sys.stderr, flush=True)
        for front, kind in reversed(cases) if turn % 2 else cases:
            found[front.name, kind].append(sample(front, decision, *asking[kind]))
    return found


def row(name: str, found: dict[tuple[str, str], list[tuple[float, float]]]) -> str:
    """Give a line of the table; a ratio is the median of those within a round."""
    opened = found[name, "open"]
    words = [name, f"{median(rate for rate, _ in opened):,.0f}/s"]
    words += [f"{median(r / o for (r, _), (o, _) in zip(found[name, k], opened, strict=True)):.2f}" for k in KINDS[1:]]
    words += [f"{median(took for _, took in found[name, kind]):.0f} µs" for kind in KINDS]
    return f"| {' | '.join(words)} |"


def main() -> None:
    """Start all that can be had, and measure."""
    need("wrk is missing", "wrk")
    folder = Path(tempfile.mkdtemp(prefix="gatekey-bench-"))
    folder.chmod(0o755)
    stops = []
    try:
        shop = Shop(folder / "shop")
        stops.append(shop)
        decision = Decision(build("cc", folder), folder)
        stops.append(decision)
        for by in ("socket", "port"):
            decision.start(by)
        fronts = []
        for name, kind in FRONTS.items():
            own = folder / name
            own.mkdir()
            try:
                fronts.append(kind(own, decision, shop))
            except UnavailableError as why:
                print(f"bench: SKIPPED {name}: {why}", file=sys.stderr)
        stops += fronts
        found = measure(fronts, decision)
        print("| proxy | open | API key | session | CPU of a request, open | API key | session |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        print("\n".join(row(front.name, found) for front in fronts))
    except UnavailableError as why:
        print(f"bench: SKIPPED proxies: {why}", file=sys.stderr)
    finally:
        for one in reversed(stops):
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
