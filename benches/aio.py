"""The asyncio rows of `make bench`: many log-ins and refreshes at once, and a good token beside strangers'.

Each contender takes its turn in a process of its own, round after round, every other round in reverse order;
the server, which answers after half a second, is another process. Writes docs/bench-asyncio.md; `QUICK=1`
takes one round and prints it only.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from datetime import date
from pathlib import Path
from statistics import median

import hosts
import report

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 5
PROGRAM = Path(__file__).parent / "python/aio.py"
OURS = {
    "aiohttp": "gatekey, on aiohttp",
    "httpx": "gatekey, on httpx",
    "threads": "gatekey, threads of its own",
    "to_thread": "gatekey, `asyncio.to_thread`",
}
PEERS = {"authlib": "Authlib, on httpx"}
ROWS = {
    "log-ins": "200 log-ins at once",
    "refreshes": "200 refreshes at once",
    "stranger": "a good JWT beside 40 tokens with unknown keys",
}


def python() -> Path:
    """The interpreter that has the contenders."""
    venv = hosts.WORK / "venv"
    if not (venv / "bin/python").exists():
        hosts.run(hosts.PYTHON, "-m", "venv", venv)
    requirements = Path(__file__).parent / "python/requirements-asyncio.txt"
    wheel = max((hosts.TARGET / "python").glob("gatekey-*.whl"))
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    hosts.run(*pip, "-r", requirements)
    hosts.run(*pip, "--force-reinstall", "--no-deps", wheel)
    return venv / "bin/python"


def measure(interpreter: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with subprocess.Popen([interpreter, PROGRAM, "peer"], stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().strip()
        try:
            for turn in range(ROUNDS):
                hosts.step(f"asyncio, round {turn + 1} of {ROUNDS}")
                for row in ROWS:
                    contenders = [*OURS, *(PEERS if row != "stranger" else {})]
                    for one in contenders if turn % 2 == 0 else reversed(contenders):
                        words = [interpreter, PROGRAM, "run", one, row, address]
                        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
                        taken, stood = map(float, done.stdout.split("\t"))
                        found[one, row].append((taken, stood))
        finally:
            server.kill()
    return found


def shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def write(found: dict[tuple[str, str], list[tuple[float, float]]]) -> str:
    text = [
        "# asyncio: how fast",
        "",
        f"Made by `make bench` on {date.today()}: {report.processor()}; {report.tools()}.",
        "",
        "The other server answers after 0.5 s. Medians of "
        f"{ROUNDS} rounds, interleaved; in brackets the longest that the loop stood still meanwhile.",
        "",
    ]
    rows = []
    for one, name in {**OURS, **PEERS}.items():
        cells = []
        for row in ROWS:
            samples = found.get((one, row))
            taken = shown(median(taken for taken, _ in samples)) if samples else ""
            stood = f" ({shown(median(stood for _, stood in samples))})" if samples else ""
            cells.append(taken + stood)
        rows.append([name, *cells])
    text += [report.table(["", *ROWS.values()], rows), ""]
    return "\n".join(text)


def main() -> None:
    hosts.WORK.mkdir(parents=True, exist_ok=True)
    text = write(measure(python()))
    print(text)
    if not QUICK:
        (hosts.ROOT / "docs/bench-asyncio.md").write_text(text)


if __name__ == "__main__":
    main()
