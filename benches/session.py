"""The sessions of `make bench`: measures refreshing and revocation, and writes docs/bench-sessions.md.

What a list of revoked tokens costs a verification is measured in one process, contender after contender
in turn, several launches over; refreshing in one and in four processes. `QUICK=1` takes one launch, fewer
entries, and prints the report only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path
from statistics import median

import hosts
import report
from apikey import time

QUICK = bool(os.environ.get("QUICK"))
ENTRIES = [1_000, 100_000] if QUICK else [1_000, 1_000_000]
LAUNCHES = 1 if QUICK else 5
SECONDS = 2 if QUICK else 5
PROCESSES = (1, 4)
LISTS = ("without a list", "with an empty list", "with one entry", "with all entries")


def lines(*command: str | Path) -> dict[str, list[float]]:
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {name: [float(number) for number in numbers] for name, *numbers in rows}


def revocations(program: Path) -> dict[tuple[str, int], list[float]]:
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for entries in ENTRIES:
        folder = hosts.WORK / f"revoked-{entries}"
        shutil.rmtree(folder, ignore_errors=True)
        hosts.step(f"revoking {entries:,} tokens")
        hosts.run(program, "prepare", folder, str(entries))
        for launch in range(LAUNCHES):
            hosts.step(f"{entries:,} revoked tokens, launch {launch + 1} of {LAUNCHES}")
            measured = lines(program, "run", folder)
            for name, (number, *_) in measured.items():
                found[name, entries].append(number)
            for alg in ("HS256", "ES256"):
                plain = measured[f"verify {alg} {LISTS[0]}"][0]
                for kind in LISTS[1:]:
                    found[f"more {alg} {kind}", entries].append(measured[f"verify {alg} {kind}"][0] - plain)
        shutil.rmtree(folder)
    return found


def refreshes(contenders: dict[str, list[str]]) -> dict[tuple[str, int], float]:
    """Refreshes a second, over all processes."""
    found = {}
    for processes in PROCESSES:
        for name, command in contenders.items():
            hosts.step(f"refreshing in {processes} processes, {name}")
            rates = []
            for _ in range(1 if QUICK else 3):
                folder = hosts.WORK / "refresh"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                if processes > 1:  # the store, and Django's tables, are made by the first one alone
                    subprocess.run([*command, str(folder), "0"], check=True, stdout=subprocess.DEVNULL)
                run = [subprocess.Popen([*command, str(folder), str(SECONDS)], stdout=subprocess.PIPE, text=True) for _ in range(processes)]
                outputs = [process.communicate()[0] for process in run]
                if any(process.returncode for process in run):
                    rates.append(float("nan"))
                    continue
                numbers = [output.split("\t") for output in outputs]
                rates.append(sum(float(count) / (float(nanos) / 1e9) for _, count, nanos, *_ in numbers))
                shutil.rmtree(folder)
            found[name, processes] = median(rates)
    return found


def rate(number: float) -> str:
    return "fails" if number != number else f"{number:,.0f}"


def write(list_figures: dict[tuple[str, int], list[float]], rates: dict[tuple[str, int], float], calls: dict[str, list[float]], contenders: list[str]) -> str:
    largest = ENTRIES[-1]
    of = lambda name, entries: median(list_figures[name, entries])
    text = [
        "# Sessions: how fast",
        "",
        f"Made by `make bench` on {date.today()}: {report.processor()}; {report.tools()}.",
        "",
        "## Verifying with a list of revoked tokens",
        "",
        f"4096 different tokens with `iss`, `jti` and `sid` in turn, none of them revoked; medians of {LAUNCHES} launches. What",
        "a list adds is the median of the differences within each launch. The entries are `jti`s.",
        "",
    ]
    header = ["", "HS256", "more", "ES256", "more"]
    rows = []
    for entries, kinds in ((ENTRIES[0], LISTS[:3]), *((n, LISTS[3:]) for n in ENTRIES)):
        for kind in kinds:
            label = kind if kind != LISTS[3] else f"with {entries:,} entries"
            cells = []
            for alg in ("HS256", "ES256"):
                more = list_figures.get((f"more {alg} {kind}", entries))
                cells += [time(of(f"verify {alg} {kind}", entries)), f"{median(more):+.0f} ns" if more else ""]
            rows.append([label, *cells])
    text += [report.table(header, rows), ""]
    text += [
        f"An entry takes {of('bytes', largest):.1f} bytes of memory at {largest:,} ({of('resident', largest):.1f} with everything that",
        f"opening adds); opening a store with so many takes {time(of('open', largest))}.",
        "",
        "## Refreshing",
        "",
        "Refreshes a second, each durable in SQLite (a full sync) before it is answered, HS256 access tokens, 64 sessions",
        "a process.",
        "",
    ]
    header = ["", *(f"{n} process{'es' if n > 1 else ''}" for n in PROCESSES)]
    rows = [[name, *(rate(rates[name, n]) for n in PROCESSES)] for name in contenders]
    text += [report.table(header, rows), ""]
    text += ["One call, the median:", ""]
    whats = dict.fromkeys(name.split(", ")[0] for name in calls)
    rows = [[f"`{what}`", *(time(calls[f"{what}, {place}"][0]) for place in ("SQLite", "memory"))] for what in whats]
    text += [report.table(["gatekey (Rust)", "durable, SQLite", "in memory"], rows), ""]
    more = median(list_figures["more HS256 with all entries", largest])
    met = "met" if more <= 50 else "**not met**"
    goals = [[f"a list of {largest:,} entries: at most 50 ns more, HS256", f"{more:.0f} ns", met]]
    text += ["## Goals", "", report.table(["", "measured", ""], goals), ""]
    return "\n".join(text)


def main() -> None:
    hosts.WORK.mkdir(parents=True, exist_ok=True)
    program = hosts.rust_program().with_name("gatekey-bench-sessions")
    hosts.python_hosts()
    python = [str(hosts.WORK / "venv/bin/python"), str(hosts.BENCHES / "python/session.py")]
    contenders = {
        "gatekey (Rust)": [str(program), "refresh"],
        "gatekey (Python)": [*python, "gatekey"],
        "djangorestframework-simplejwt": [*python, "simplejwt"],
    }
    folder = hosts.WORK / "calls"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    calls = lines(program, "calls", folder)
    shutil.rmtree(folder)
    text = write(revocations(program), refreshes(contenders), calls, list(contenders))
    print(text)
    if not QUICK:
        (hosts.ROOT / "docs/bench-sessions.md").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
