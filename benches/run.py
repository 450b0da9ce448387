"""`make bench`: measures every contender, interleaved, and writes docs/bench.md and docs/bench.svg.

In every round each contender of a group (one operation, one algorithm) takes one sample after the
other, each in its own process, and every other round in reverse order; a ratio is the median over
the rounds of the ratio to the floor's sample of the same round. The processes are started again a few
times, because where a program lands in memory moves its speed by some per cent.
`QUICK=1` takes a few short rounds and writes nothing but the report to standard output;
`ROUNDS` and `MILLISECONDS` override the number of rounds and the length of a sample.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict

import chart
import hosts
import report

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS", 3 if QUICK else 21))
MILLISECONDS = float(os.environ.get("MILLISECONDS", 10 if QUICK else 40))
LAUNCHES = 1 if QUICK else 3

# What is taken of the operations that are not measured for all libraries.
TWO_THREADS = ("gatekey (C)", "gatekey (Python)", "PyJWT 2.15.1", "oxyjwt")
REFUSALS = ("HS256", "ES256")

Case = tuple[str, str, str]


class Program:
    """One running host."""

    def __init__(self, host: hosts.Host) -> None:
        assert host.command
        self.process = subprocess.Popen(
            host.command,
            env={**os.environ, **host.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.cases: list[Case] = []
        self.versions: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        while (line := self.answer()) != "ready":
            match line.split("\t"):
                case ["case", contender, op, alg]:
                    self.cases.append((contender, op, alg))
                case ["version", name, number]:
                    self.versions[name] = number
                case ["skip", name, reason]:
                    self.skipped[name] = reason

    def answer(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.process.args[0]} ended; its complaint is above")
        return line.rstrip("\n")

    def sample(self, case: Case, milliseconds: float) -> float:
        self.process.stdin.write("\t".join(case) + f"\t{milliseconds}\n")
        self.process.stdin.flush()
        return float(self.answer())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def wanted(case: Case) -> bool:
    contender, op, alg = case
    if op == "verify-2-threads":
        return contender in TWO_THREADS
    if op.startswith("refuse"):
        return alg in REFUSALS
    return True


def launch(every: list[hosts.Host]) -> list[Program]:
    hosts.step("proving that each contender accepts the good tokens and refuses the bad ones")
    return [Program(host) for host in every if host.command]


def measure(every: list[hosts.Host]) -> tuple[dict[Case, list[float]], list[Program]]:
    samples: dict[Case, list[float]] = defaultdict(list)
    started = time.monotonic()
    programs: list[Program] = []
    for turn in range(ROUNDS):
        if turn % -(-ROUNDS // LAUNCHES) == 0:
            for program in programs:
                program.end()
            programs = launch(every)
            where = {case: program for program in programs for case in program.cases if wanted(case)}
            groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
            for case in where:
                groups[case[1:]].append(case)
        for group in groups.values():
            for case in group if turn % 2 == 0 else reversed(group):
                samples[case].append(where[case].sample(case, MILLISECONDS))
        left = (time.monotonic() - started) / (turn + 1) * (ROUNDS - turn - 1)
        print(f"bench: round {turn + 1} of {ROUNDS}, {left:.0f} s to go", file=sys.stderr, flush=True)
    for program in programs:
        program.end()
    return dict(samples), programs


def main() -> None:
    hosts.WORK.mkdir(parents=True, exist_ok=True)
    every = hosts.all_hosts()
    skipped = {host.name: host.reason for host in every if host.command is None}
    samples, programs = measure(every)
    versions: dict[str, str] = {}
    for program in programs:
        skipped |= program.skipped
        for name, number in program.versions.items():
            numbers = [*filter(None, versions.get(name, "").split(", ")), number]
            versions[name] = ", ".join(dict.fromkeys(numbers))
    result = report.Result(samples, versions, skipped, ROUNDS, LAUNCHES, MILLISECONDS)
    text = report.write(result)
    print(text)
    raw = [[*case, taken] for case, taken in samples.items()]
    (hosts.WORK / "samples.json").write_text(json.dumps(raw))
    if not QUICK:
        (hosts.ROOT / "docs").mkdir(exist_ok=True)
        (hosts.ROOT / "docs/bench.md").write_text(text)
        (hosts.ROOT / "docs/bench.svg").write_text(chart.draw(result))


if __name__ == "__main__":
    main()
