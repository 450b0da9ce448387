"""Turns samples into medians, ratios, goals and the Markdown of docs/bench.md."""

from __future__ import annotations

import platform
import re
import subprocess
from datetime import date
from pathlib import Path
from statistics import median, quantiles

ALGORITHMS = ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"]
PUBLIC = ALGORITHMS[1:]

# In the order of the tables: what it is called, in which language it is called.
CONTENDERS = [
    ("floor", "Rust"),
    ("primitive", "Rust"),
    ("gatekey (Rust)", "Rust"),
    ("jsonwebtoken, struct", "Rust"),
    ("jsonwebtoken, Value", "Rust"),
    ("jwt-simple", "Rust"),
    ("gatekey (C)", "C"),
    ("libjwt", "C"),
    ("gatekey (C++)", "C++"),
    ("cpp-jwt", "C++"),
    ("gatekey (Python)", "Python"),
    ("gatekey (Python), read", "Python"),
    ("oxyjwt", "Python"),
    ("PyJWT 2.10.1", "Python"),
    ("PyJWT 2.15.1", "Python"),
    ("joserfc", "Python"),
]


class Result:
    """The samples of one run, with the questions the report asks of them."""

    def __init__(self, samples, versions, skipped, rounds, launches, milliseconds) -> None:
        self.samples, self.versions, self.skipped = samples, versions, skipped
        self.rounds, self.launches, self.milliseconds = rounds, launches, milliseconds

    def has(self, contender: str, op: str, alg: str) -> bool:
        return (contender, op, alg) in self.samples

    def time(self, contender: str, op: str, alg: str) -> float:
        """The median, in nanoseconds per operation."""
        return median(self.samples[contender, op, alg])

    def spread(self, contender: str, op: str, alg: str) -> float:
        """Half the distance of the quartiles, as a part of the median."""
        taken = self.samples[contender, op, alg]
        if len(taken) < 3:
            return 0.0
        low, middle, high = quantiles(taken, n=4, method="inclusive")
        return (high - low) / 2 / middle

    def ratio(self, case: tuple[str, str, str], other: tuple[str, str, str]) -> float:
        """The median over the rounds of how many times `other`'s time `case` took."""
        return median(a / b for a, b in zip(self.samples[case], self.samples[other], strict=True))

    def over_floor(self, contender: str, op: str, alg: str) -> float:
        return self.ratio((contender, op, alg), ("floor", op, alg))


def duration(nanoseconds: float) -> str:
    if nanoseconds < 9_995:
        return f"{nanoseconds / 1e3:.2f} µs"
    if nanoseconds < 99_950:
        return f"{nanoseconds / 1e3:.1f} µs"
    return f"{nanoseconds / 1e3:.0f} µs"


def times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.1f}" if ratio < 99.95 else f"{ratio:.0f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def times_table(result: Result, op: str) -> str:
    rows = []
    for contender, language in CONTENDERS:
        if not any(result.has(contender, op, alg) for alg in ALGORITHMS):
            continue
        name = f"**{contender}**" if contender.startswith("gatekey") else contender
        row = [name if language in name else f"{name} ({language})"]
        for alg in ALGORITHMS:
            case = (contender, op, alg)
            if not result.has(*case):
                row.append("-")
                continue
            cell = f"{duration(result.time(*case))} ±{result.spread(*case) * 100:.0f}%"
            row.append(cell if contender == "floor" else f"{cell} **{times(result.over_floor(*case))}**")
        rows.append(row)
    return table(["", *ALGORITHMS], rows)


def threads_table(result: Result) -> str:
    rows = []
    for contender, _ in CONTENDERS:
        if result.has(contender, "verify-2-threads", "HS256"):
            cells = [f"{speed_up(result, contender, alg):.2f}" for alg in ALGORITHMS]
            rows.append([contender, *cells])
    return table(["", *ALGORITHMS], rows)


def speed_up(result: Result, contender: str, alg: str) -> float:
    return result.ratio((contender, "verify", alg), (contender, "verify-2-threads", alg))


def refusals_table(result: Result) -> str:
    rows = []
    for contender, _ in CONTENDERS:
        for alg in ALGORITHMS:
            if not result.has(contender, "refuse-expired", alg):
                continue
            row = [f"{contender}, {alg}", duration(result.time(contender, "verify", alg))]
            for op in ("refuse-expired", "refuse-signature"):
                ratio = result.ratio((contender, op, alg), (contender, "verify", alg))
                row.append(f"{duration(result.time(contender, op, alg))} **{times(ratio)}**")
            rows.append(row)
    return table(["", "accepted", "expired", "bad signature"], rows)


def goals(result: Result) -> list[tuple[str, str, bool]]:
    """What the design promises, what was measured, and whether that keeps the promise."""
    found: list[tuple[str, str, bool]] = []

    def at_most(what: str, measured: float, limit: float) -> None:
        found.append((f"{what}: at most {limit:g}", f"{measured:.3f}", measured <= limit))

    def at_least(what: str, measured: float, limit: float) -> None:
        found.append((f"{what}: at least {limit:g}", f"{measured:.2f}", measured >= limit))

    limits = {
        "verify": {"HS256": 1.5, "RS256": 1.06, "PS256": 1.06, "ES256": 1.03, "ES384": 1.03, "EdDSA": 1.03},
        "sign": {"HS256": 1.5, "RS256": 1.02, "PS256": 1.02, "ES256": 1.05, "ES384": 1.05, "EdDSA": 1.05},
    }
    for op, by_alg in limits.items():
        for alg, limit in by_alg.items():
            at_most(f"C {op} {alg}, times the floor", result.over_floor("gatekey (C)", op, alg), limit)
    for alg in ALGORITHMS:
        at_least(f"C verify {alg}, two threads against one", speed_up(result, "gatekey (C)", alg), 1.9)
    for contender, what in (("gatekey (Python)", "verify"), ("gatekey (Python), read", "verify and read")):
        ours = (contender, "verify", "HS256")
        at_most(f"Python {what} HS256, times the floor", result.over_floor(*ours), 2.5)
        for peer, limit in (("PyJWT 2.15.1", 25), ("PyJWT 2.10.1", 10), ("oxyjwt", 1)):
            if result.has(peer, "verify", "HS256"):
                ratio = result.ratio((peer, *ours[1:]), ours)
                at_least(f"Python {what} HS256, times as fast as {peer}", ratio, limit)
    ours = ("gatekey (Python)", "verify", "HS256")
    for op, what in (("refuse-expired", "an expired token"), ("refuse-signature", "a bad signature")):
        ratio = result.ratio((ours[0], op, "HS256"), ours)
        at_most(f"Python HS256, refusing {what} against accepting", ratio, 1.2)
    return found


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"model name\s*:\s*(.*)", text)
    flags = set(re.search(r"flags\s*:\s*(.*)", text)[1].split()) if "flags" in text else set()
    features = [name for flag, name in (("sha_ni", "SHA-NI"), ("avx512ifma", "AVX-512 IFMA"), ("adx", "ADX")) if flag in flags]
    virtual = ", virtual" if "hypervisor" in flags else ""
    return f"{model[1] if model else platform.machine()} ({text.count('processor')} CPUs{virtual}; {', '.join(features)})"


def tools() -> str:
    def first_line(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]

    rustc = " ".join(first_line("rustc", "--version").split()[:2])
    cc = first_line("cc", "-dumpfullversion")
    return f"{rustc}, gcc {cc} -O2, CPython {platform.python_version()}"


def write(result: Result) -> str:
    known = sorted(result.versions.items(), key=lambda item: item[0].lower())
    versions = ", ".join(f"{name} {number}" for name, number in known)
    goal_rows = [[what, measured, "met" if met else "**not met**"] for what, measured, met in goals(result)]
    skipped = "".join(f"- Not measured: {name}: {reason}.\n" for name, reason in result.skipped.items())
    return f"""# Speed

![Verifying and signing, as a share of the floor's speed](bench.svg)

Written by `make bench` on {date.today():%-d %B %Y}; quote the ratios, not the times, and only within this page.

- Processor: {processor()}.
- Tools: {tools()}. Peers: {versions}.
- {result.rounds} rounds in {result.launches} launches; in each round, every contender in turn runs for {result.milliseconds:g} ms, every other round in reverse.
  A cell is the median time per operation, half the distance of the quartiles, and in **bold** the median over the rounds of
  the ratio to the floor's sample of the same round.
- Token: header `{{"alg","typ"}}`, payload of 9 members and 265 bytes, 16 different ones in turn. Verify = signature, exp,
  aud and iss; keys are parsed once wherever the library allows it. Before it is timed, every contender must
  accept the good tokens and refuse a bad signature, an expired token, a wrong audience, a wrong issuer and `alg: none`.
- **floor** = the least honest work: split, three SIMD base64 decodes, the AWS-LC primitive with a key parsed once
  (HS256: its SHA-256 states saved), one JSON pass that allocates nothing, the clock, three compares. It hands nothing out,
  knows the header by heart and does not look for duplicate members: a limit, not a product. To sign: serde_json of a
  struct, base64, the primitive. **primitive** = aws-lc-rs alone. **read** = and one claim is read through the mapping.
{skipped}
## Verify

{times_table(result, "verify")}

## Sign

{times_table(result, "sign")}

## Two threads

How many times as many tokens two threads verify as one, with one shared verifier.

{threads_table(result)}

## Refusing, from Python

What an exception costs beside an accepted token; **bold** is the ratio.

{refusals_table(result)}

## Goals

{table(["", "measured", ""], goal_rows)}
"""
