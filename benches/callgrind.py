"""`make callgrind`: instructions of one HS256 verify and sign, gatekey's against the floor's.

Each case runs twice with different counts under valgrind; the difference leaves the set-up out.
Valgrind hides the processor's SHA instructions, so hashing weighs more here than it does in time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hosts

FEW, MANY = 100, 300
SHOWN = 14


def profile(program: Path, contender: str, op: str, alg: str, count: int) -> Path:
    out = hosts.WORK / f"callgrind.{contender.split()[0]}.{op}.{count}"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, "once", hosts.FIXTURES]
    subprocess.run([*command, contender, op, alg, str(count)], check=True, stderr=subprocess.DEVNULL)
    return out


def by_function(profiled: Path) -> dict[str, int]:
    command = ["callgrind_annotate", "--threshold=100", str(profiled)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, int] = {}
    for count, name in re.findall(r"^\s*([\d,]+) \([^)]*\)\s+\S*?:(\S.*?)(?: \[.*)?$", listing, re.M):
        found[name] = found.get(name, 0) + int(count.replace(",", ""))
    return found


def per_operation(program: Path, contender: str, op: str, alg: str) -> dict[str, float]:
    few, many = (by_function(profile(program, contender, op, alg, n)) for n in (FEW, MANY))
    spent = {name: (count - few.get(name, 0)) / (MANY - FEW) for name, count in many.items()}
    return {name: count for name, count in spent.items() if count >= 1}


def main() -> None:
    if not shutil.which("valgrind"):
        print("callgrind: skipped: valgrind is not installed")
        return
    alg = os.environ.get("ALG", "HS256")
    program = hosts.rust_program()
    hosts.fixtures(program)
    for op in ("verify", "sign"):
        totals = {}
        for contender in ("floor", "gatekey (Rust)"):
            print(f"callgrind: {contender} {op}", file=sys.stderr, flush=True)
            spent = per_operation(program, contender, op, alg)
            totals[contender] = sum(spent.values())
            print(f"\n{alg} {op}, {contender}: {totals[contender]:.0f} instructions")
            for name, count in sorted(spent.items(), key=lambda item: -item[1])[:SHOWN]:
                print(f"  {count:8.0f}  {name[:110]}")
        print(f"\n{alg} {op}: gatekey executes {totals['gatekey (Rust)'] / totals['floor']:.2f} times the floor's instructions")


if __name__ == "__main__":
    main()
