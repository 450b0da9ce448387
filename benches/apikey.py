"""The API keys of `make bench`: measures ours and the peers, and writes docs/bench-api-keys.md.

For each size a store is made once; then every contender opens it and verifies its keys in random
order, one contender after the other, several times over. A figure is the median over these launches.
`QUICK=1` takes one launch, leaves the largest size out and prints the report only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import date
from statistics import median

import hosts
import report

QUICK = bool(os.environ.get("QUICK"))
SIZES = [1_000, 100_000] if QUICK else [1_000, 100_000, 1_000_000]
LAUNCHES = 1 if QUICK else 3
DRF = "djangorestframework-api-key"

# name of the contender, of the measurement, size -> the numbers of each launch
Figures = dict[tuple[str, str, int], list[list[float]]]


def contenders() -> dict[str, list[str]]:
    rust = str(hosts.rust_program().with_name("gatekey-bench-api-keys"))
    hosts.step("building the C host of the API keys")
    out = hosts.WORK / "bin"
    out.mkdir(parents=True, exist_ok=True)
    flags = hosts.package_flags("gatekey", PKG_CONFIG_PATH=str(hosts.PREFIX / "lib/pkgconfig"))
    source, program = hosts.BENCHES / "c/apikey.c", out / "keys"
    cc = os.environ.get("CC", "cc")
    hosts.run(cc, "-std=c11", "-O2", "-Wall", "-Wextra", source, *flags, f"-Wl,-rpath,{hosts.PREFIX / 'lib'}", "-o", program)
    hosts.python_hosts()
    python = [str(hosts.WORK / "venv/bin/python"), str(hosts.BENCHES / "python/apikey.py")]
    return {
        "gatekey (Rust)": [rust, "run"],
        "gatekey (C)": [str(program)],
        "gatekey (Python)": [*python, "gatekey"],
        "dict of SHA-256": [*python, "dict"],
        DRF: [*python, "drf"],
    }


def measure(every: dict[str, list[str]]) -> Figures:
    figures: Figures = defaultdict(list)
    for size in SIZES:
        folder = hosts.WORK / f"keys-{size}"
        shutil.rmtree(folder, ignore_errors=True)
        hosts.step(f"making {size:,} API keys")
        hosts.run(every["gatekey (Rust)"][0], "prepare", folder, str(size))
        for launch in range(LAUNCHES):
            order = list(every.items())
            for name, command in order if launch % 2 == 0 else reversed(order):
                hosts.step(f"{size:,} API keys, launch {launch + 1} of {LAUNCHES}, {name}")
                done = subprocess.run([*command, str(folder)], check=True, stdout=subprocess.PIPE, text=True)
                for line in done.stdout.splitlines():
                    what, *numbers = line.split("\t")
                    figures[name, what, size].append([float(number) for number in numbers])
        shutil.rmtree(folder)
    return figures


def figure(figures: Figures, name: str, what: str, size: int, which: int = 0) -> float | None:
    launches = figures.get((name, what, size))
    return median(launch[which] for launch in launches) if launches else None


def time(nanoseconds: float | None) -> str:
    if nanoseconds is None:
        return "-"
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 9_995 * size / (1 if unit == "ns" else 10):
            shown = nanoseconds / size
            return f"{shown:.0f} {unit}" if shown >= 99.5 or unit == "ns" else f"{shown:.1f} {unit}"
    return f"{nanoseconds / 1e9:.1f} s"


def write(figures: Figures, every: dict[str, list[str]]) -> str:
    lines = [
        "# API keys: how fast",
        "",
        f"Made by `make bench` on {date.today()}: {report.processor()}; {report.tools()}.",
        f"Keys are verified in random order; medians of {LAUNCHES} launches, each of 1,000,000 verifications after a",
        "warm-up. p50 and p99 are of 200,000 calls timed one by one, less what reading the clock costs. Verifying",
        "includes handing out the owner. The store is SQLite; what is verified is read from memory.",
        "",
        "## Verifying a key",
        "",
    ]
    header = ["", *(f"{size:,} keys: mean, p50, p99" for size in SIZES)]
    rows = []
    for name in every:
        whats = dict.fromkeys(what for (own, what, _) in figures if own == name and what.startswith("verify"))
        for what in whats:
            label = name if what == "verify" else f"{name}, {what.removeprefix('verify ')}"
            cells = [" · ".join(time(figure(figures, name, what, size, n)) for n in range(3)) for size in SIZES]
            rows.append([label, *cells])
    lines += [report.table(header, rows), ""]
    lines += ["## Everything else", ""]
    rows = []
    for name in every:
        bytes_ = [figure(figures, name, "bytes", size) for size in SIZES]
        if any(bytes_):
            rows.append([f"{name}: memory a key", *("-" if b is None else f"{b:.0f} bytes" for b in bytes_)])
        opened = [figure(figures, name, "open", size) for size in SIZES]
        if any(opened):
            rows.append([f"{name}: opening", *map(time, opened)])
    for name in every:
        refused = [figure(figures, name, "bad checksum", size) for size in SIZES]
        if any(refused):
            rows.append([f"{name}: refusing a bad checksum", *map(time, refused)])
    for what, label in (
        ("create", "creating a key, durably (p50)"),
        ("revoke", "revoking a key, durably (p50)"),
        ("cold", "verifying a key that another process has just made, from SQLite (p50)"),
    ):
        rows.append([f"gatekey (Rust): {label}", *(time(figure(figures, "gatekey (Rust)", what, size)) for size in SIZES)])
    lines += [report.table(["", *(f"{size:,} keys" for size in SIZES)], rows), ""]
    lines += [
        "The memory of a key is all that opening the store adds; of that a key's hot record takes 128 bytes, its",
        "entry in the index 8 bytes of a table that is at most five eighths full. At 1,000 keys it is mostly SQLite's.",
        "",
        "## Goals",
        "",
        goals(figures),
        "",
    ]
    return "\n".join(lines)


def goals(figures: Figures) -> str:
    largest = SIZES[-1]
    of = lambda name, what, which=0: figure(figures, name, what, largest, which) or float("nan")
    drf = of(DRF, "verify")
    wanted = [
        (f"C at {largest:,} keys, mean: at most 500 ns", of("gatekey (C)", "verify"), 500, False),
        (f"C at {largest:,} keys, p99: at most 1.2 µs", of("gatekey (C)", "verify", 2), 1200, False),
        (f"Python at {largest:,} keys, mean: at most 600 ns", of("gatekey (Python)", "verify"), 600, False),
        ("a bad checksum, Rust: at most 50 ns", of("gatekey (Rust)", "bad checksum"), 50, False),
        (f"Python, times as fast as {DRF}: at least 300", drf / of("gatekey (Python)", "verify"), 300, True),
    ]
    rows = []
    for text, measured, limit, at_least in wanted:
        met = measured >= limit if at_least else measured <= limit
        rows.append([text, f"{measured:.0f}", "met" if met else "**not met**"])
    return report.table(["", "measured", ""], rows)


def main() -> None:
    hosts.WORK.mkdir(parents=True, exist_ok=True)
    every = contenders()
    text = write(measure(every), every)
    print(text)
    if not QUICK:
        (hosts.ROOT / "docs/bench-api-keys.md").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
