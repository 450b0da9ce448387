"""The guard of `make bench`: what a decision costs in the core, and what it adds to a request behind uvicorn
and gunicorn. Writes docs/bench-guard.md; `QUICK=1` takes one short round and prints it only.

In the core every case takes a sample in each round, beside the bare verification that is in it; a ratio is the
median of the ratios within a round. Behind the servers, all contenders are up the whole time, and `wrk` asks
one after the other, round after round, every other round in reverse order; the CPU time is that of the server's
processes, by /proc.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from statistics import median

import callgrind
import hosts
import report
import services

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS", 1 if QUICK else 7))
SECONDS = int(os.environ.get("SECONDS", 1 if QUICK else 4))
LAUNCHES = 1 if QUICK else 5
CONNECTIONS = 16
FOLDER = hosts.WORK / "guard"
FEW, MANY = 200, 1200
BUDGET = 1500
"""What a decision about an API key or an HS256 session may take, in nanoseconds."""

# server -> door -> its name, and whose headers it is asked with
DOORS = {
    "FastAPI": {
        "open": ("open", "open"),
        "api_key": ("API key", "api_key"),
        "cookie": ("session in a cookie", "cookie"),
        "bearer": ("session behind `Bearer`", "bearer"),
        "jwt HS256": ("another issuer's JWT, HS256", "jwt HS256"),
        "jwt ES256": ("another issuer's JWT, ES256", "jwt ES256"),
        "pyjwt HS256": ("PyJWT in a dependency, HS256", "jwt HS256"),
        "pyjwt ES256": ("PyJWT in a dependency, ES256", "jwt ES256"),
    },
    "Flask": {
        "open": ("open", "open"),
        "api_key": ("API key", "api_key"),
        "cookie": ("session in a cookie", "cookie"),
        "jwt HS256": ("another issuer's JWT, HS256", "jwt HS256"),
        "flask-jwt-extended HS256": ("Flask-JWT-Extended, HS256", "jwt HS256"),
    },
}
COMMANDS = {
    "FastAPI": ["uvicorn", "--log-level", "warning", "--no-access-log", "--port", "{port}", "guard:fastapi_app"],
    "Flask": ["gunicorn", "--log-level", "warning", "-w", "1", "-b", "127.0.0.1:{port}", "guard:flask_app"],
}
Sample = tuple[float, float, float]
"""Requests a second, p99 in milliseconds, microseconds of CPU a request."""


# ---- the core ----


def core(program: Path) -> dict[str, dict[str, object]]:
    """For each case: what it is compared with, nanoseconds, the ratio, allocations, instructions."""
    times: dict[str, list[float]] = defaultdict(list)
    bare: dict[str, str] = {}
    calls: dict[str, str] = {}
    for launch in range(LAUNCHES):
        hosts.step(f"decisions of the guard, launch {launch + 1} of {LAUNCHES}")
        words = [program, "run", "3" if QUICK else "9", "5" if QUICK else "15"]
        done = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True)
        for line in done.stdout.splitlines():
            _, name, bare[name], calls[name], _, *samples = line.split("\t")
            times[name] += map(float, samples)
    found: dict[str, dict[str, object]] = {}
    for name, own in times.items():
        beside = times.get(bare[name])
        ratio = median(one / other for one, other in zip(own, beside, strict=True)) if beside else None
        found[name] = {
            "bare": bare[name],
            "time": median(own),
            "ratio": ratio,
            "calls": calls[name],
            "instructions": instructions(program, name),
        }
    return found


def instructions(program: Path, name: str) -> float | None:
    """Those of one call, without what hashes: valgrind hides the processor's own instructions for it."""
    if QUICK or not shutil.which("valgrind"):
        return None
    counts = []
    for count in (FEW, MANY):
        out = hosts.WORK / f"callgrind.guard.{count}"
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), "once", name, str(count)]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
        spent = callgrind.by_function(out)
        counts.append(sum(number for function, number in spent.items() if "sha256_block" not in function and "sha512_block" not in function))
    return (counts[1] - counts[0]) / (MANY - FEW)


# ---- behind a server ----


class Server:
    """One door, in a process of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], path: str) -> None:
        self.path = path
        # Uvicorn takes a descriptor for a Unix socket, and leaves Nagle's algorithm on: give it a port.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [word.format(port=self.port) for word in command],
            cwd=hosts.BENCHES / "python",
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.headers: dict[str, str] = {}

    def processes(self) -> list[int]:
        """The server's, and its workers."""
        own = self.process.pid
        listed = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, listed)]

    def cpu(self) -> float:
        """Seconds."""
        ticks = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def ask(self, seconds: int) -> Sample:
        sent = [word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")]
        address = f"http://127.0.0.1:{self.port}{self.path}"
        words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *sent, address]
        before = self.cpu()
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        spent = self.cpu() - before
        if "Non-2xx" in done or "Socket errors" in done:
            sys.exit(f"bench: a request was refused:\n{done}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])
        number = int(re.search(r"(\d+) requests in", done)[1])
        figure, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done).groups()
        return rate, float(figure) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], spent / number * 1e6

    def wait(self) -> None:
        """Until it answers 200."""
        sent = [word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")]
        address = f"http://127.0.0.1:{self.port}{self.path}"
        words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *sent, address]
        until = time.monotonic() + 60
        while (status := subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout) != "200":
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit(f"bench: a service answers {status}")
            time.sleep(0.2)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


def python() -> Path:
    """The interpreter that has the servers."""
    venv = hosts.WORK / "venv-guard"
    if not (venv / "bin/python").exists():
        hosts.run(hosts.PYTHON, "-m", "venv", venv)
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    hosts.run(*pip, "-r", hosts.BENCHES / "python/requirements-guard.txt")
    wheel = max((hosts.TARGET / "python").glob("gatekey-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    hosts.run(*pip, "--force-reinstall", "--no-deps", wheel)
    return venv / "bin/python"


def wrk() -> bool:
    """Whether there is one: installed from Debian where that is possible and allowed."""
    if not shutil.which("wrk") and not os.geteuid() and shutil.which("apt-get"):
        words = ["apt-get", "install", "-q", "-y", "wrk", "curl"]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return bool(shutil.which("wrk") and shutil.which("curl"))


def served() -> dict[tuple[str, str], list[Sample]]:
    interpreter = python()
    shutil.rmtree(FOLDER, ignore_errors=True)
    hosts.run(interpreter, hosts.BENCHES / "python/guard.py", "prepare", FOLDER)
    headers = json.loads((FOLDER / "headers.json").read_text())
    found: dict[tuple[str, str], list[Sample]] = {}
    for kind, doors in DOORS.items():
        command = [str(interpreter), "-m", *COMMANDS[kind]]
        environment = {"GUARD_FOLDER": str(FOLDER)}
        every = {door: (command, {**environment, "GUARD_DOOR": door}, headers[whose]) for door, (_, whose) in doors.items()}
        found |= under_wrk(kind, every, "/orders/4711")
    for kind, every in services.contenders(interpreter).items():
        found |= under_wrk(kind, every, "/orders")
    return found


def under_wrk(kind: str, doors: dict[str, services.Door], path: str) -> dict[tuple[str, str], list[Sample]]:
    """What each door of a server takes, all of them up at once and asked by turns."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    servers = {door: Server(command, environment, path) for door, (command, environment, _) in doors.items()}
    try:
        for door, server in servers.items():
            server.headers = doors[door][2]
            server.wait()
            server.ask(1)  # warm
        for turn in range(ROUNDS):
            hosts.step(f"{kind} under wrk, round {turn + 1} of {ROUNDS}")
            for door in servers if turn % 2 == 0 else reversed(servers):
                found[kind, door].append(servers[door].ask(SECONDS))
    finally:
        for server in servers.values():
            server.end()
    return found


# ---- the page ----


def is_of_a_key(name: str) -> bool:
    """Whether it is the refusal of a key that is not good, or not here."""
    return name.startswith("refused: ") and "API key" in name


def refused_keys(cases: dict[str, dict[str, object]]) -> str:
    rows = []
    for name, case in cases.items():
        if is_of_a_key(name):
            beside, counted = case["ratio"], case["instructions"]
            label = name.removeprefix("refused: ")
            rows.append([
                label,
                report.duration(case["time"]),
                f"{beside:.2f}" if beside else "",
                f"{counted:,.0f}" if counted else "",
            ])
    return report.table(["", "time", "of an unknown key's", "instructions"], rows)


def decisions(cases: dict[str, dict[str, object]]) -> str:
    rows = []
    for name, case in cases.items():
        if is_of_a_key(name):
            continue
        beside, counted = case["ratio"], case["instructions"]
        label = name if name.startswith(("ApiKeys", "HMAC", "Verifier")) else f"**{name}**"
        rows.append([
            label,
            report.duration(case["time"]),
            f"{report.times(beside)}" if beside else "",
            f"{counted:,.0f}" if counted else "",
            str(case["calls"]),
        ])
    return report.table(["", "time", "of its verification", "instructions", "allocations"], rows)


def behind(found: dict[tuple[str, str], list[Sample]], kind: str, names: dict[str, str]) -> str:
    rows = []
    for door, name in names.items():
        own, beside = found[kind, door], found[kind, "open"]
        ratio = median(one[0] / other[0] for one, other in zip(own, beside, strict=True))
        more = median(one[2] - other[2] for one, other in zip(own, beside, strict=True))
        rows.append([
            name if door == "open" or name.startswith(("PyJWT", "Flask")) else f"**{name}**",
            f"{median(one[0] for one in own):,.0f}",
            "" if door == "open" else f"{ratio:.2f}",
            f"{median(one[1] for one in own):.1f} ms",
            f"{median(one[2] for one in own):.0f} µs",
            "" if door == "open" else f"{more:+.0f} µs",
        ])
    return report.table(["", "requests a second", "of open", "p99", "CPU a request", "more than open"], rows)


def services_in_c(found: dict[tuple[str, str], list[Sample]]) -> str:
    """Those of the two services that could be built."""
    servers = {
        "C": "In C, on libmicrohttpd (examples/c-service, eight threads with epoll)",
        "C++": "In C++, on cpp-httplib (examples/cpp-service, its threads and its five requests a connection)",
    }
    tables = (f"\n### {title}\n\n{behind(found, kind, services.NAMES)}\n" for kind, title in servers.items() if (kind, "open") in found)
    intro = """
The services in C and C++ answer `GET /orders` with one line, behind the guard and, as `open`, from the same server without gatekey. The
token is a session's, signed by a key ring of that algorithm.
"""
    shown = "".join(tables)
    return intro + shown if shown else ""


def goals(cases: dict[str, dict[str, object]]) -> str:
    rows = []
    for name in ("API key", "session behind Bearer", "session in a cookie, GET"):
        taken = cases[name]["time"]
        met = "met" if taken <= BUDGET else "**not met**"
        rows.append([f"{name}: at most {BUDGET / 1000:.1f} µs", report.duration(taken), met])
    return report.table(["", "measured", ""], rows)


def write(cases: dict[str, dict[str, object]], found: dict[tuple[str, str], list[Sample]]) -> str:
    under_wrk = ""
    if found:
        under_wrk = f"""
## Behind a server

`GET /orders/4711` with a JSON answer of 35 bytes, one worker, {CONNECTIONS} connections of `wrk` on the same machine; medians of
{ROUNDS} rounds of {SECONDS} s, interleaved; ratios and differences within a round. The guard takes every kind of credential, of a SQLite
store, and has its own routes, as `install` adds them. Its sessions are signed by the store's key ring (ES256).

### FastAPI, on uvicorn (uvloop, httptools)

{behind(found, "FastAPI", {door: name for door, (name, _) in DOORS["FastAPI"].items()})}

### Flask, on gunicorn (one sync worker)

{behind(found, "Flask", {door: name for door, (name, _) in DOORS["Flask"].items()})}
{services_in_c(found)}"""
    return f"""# The guard: how fast

Made by `make bench` on {date.today()}: {report.processor()}; {report.tools()}.

## One decision

`Guard::check` in Rust with everything on: API keys with a tenant, networks and a rate, sessions with a list of revoked tokens, two other
issuers, cookies and a CSRF secret, origins, trusted proxies, a realm; the route demands a scope and limits by address. A request
has the 12 headers that a browser sends through a proxy, a cookie header of five others among them, and its credential; 64
credentials in turn. Beside it the verification alone, with the same demands. Medians of {LAUNCHES} launches. Instructions are those of
callgrind, without the blocks of SHA-2.

{decisions(cases)}

### Keys that are refused

All of them have the same answer, byte for byte. What is left to learn is the time:

{refused_keys(cases)}
{under_wrk}
{kept()}## Goals

{goals(cases)}
"""


def kept() -> str:
    """The section on instructions, which was counted and written by hand."""
    page = hosts.ROOT / "docs/bench-guard.md"
    found = re.search(r"^## Instructions.*?(?=^## )", page.read_text() if page.exists() else "", re.M | re.S)
    return found[0] if found else ""


def main() -> None:
    hosts.WORK.mkdir(parents=True, exist_ok=True)
    program = hosts.rust_program("gatekey-bench-guard").with_name("gatekey-bench-guard")
    cases = core(program)
    found = served() if wrk() else {}
    text = write(cases, found)
    print(text)
    if not QUICK:
        (hosts.ROOT / "docs/bench-guard.md").write_text(text)


if __name__ == "__main__":
    main()
