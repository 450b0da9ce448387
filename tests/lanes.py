#!/usr/bin/env python3
"""Runs the tests in lanes, side by side, once `make` has built what they need.

usage: lanes.py [--all] [NAME...]      the lanes whose names begin so; none: every lane

A lane is one command. There is one more at once than there are cores, for some of them wait. A
lane's output is shown whole when it ends, and kept in target/lanes. In the end: the ten slowest
tests, what was skipped, how many passed, and, where a lane failed, what the first one said. Ends
with 1 then. `--all` adds what only `make test-all` runs: every combination, and what is shipped.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
LOGS = TARGET / "lanes"
SECONDS = LOGS / "seconds.json"
CARGO = os.environ.get("CARGO", "cargo")
PYTHON = os.environ.get("PYTHON", sys.executable)
PACKAGE = ROOT / "bindings/python"
SLOWEST = 10
# Seconds; a lane that takes longer hangs, and is ended with all that it has started.
LONGEST = 40 * 60 if "--all" in sys.argv else 15 * 60
# What a failed lane said is at the end of what it printed.
SHOWN_OF_A_FAILURE = 120


@dataclass
class Lane:
    """A command with a name, where it runs, and what is found out when it has."""

    name: str
    command: list[str]
    folder: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    junit: Path | None = None
    seconds: float = 0
    code: int | None = None
    output: str = ""
    ended: float = 0


# ---- what there is to run ----


def shell(name: str, text: str, **environment: str) -> Lane:
    """Give a lane that is a line of bash, at the root of the project."""
    return Lane(name, ["bash", "-euo", "pipefail", "-c", text], environment=environment)


def rust(words: str, everything: bool) -> list[Lane]:
    """Give a lane for each test program of the workspace, which Cargo builds and names."""
    command = [CARGO, "test", "--no-run", *words.split(), "--message-format=json", "--quiet"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    # How long each test took is unstable; this is how a stable libtest tells it all the same.
    runner = "export RUSTC_BOOTSTRAP=1; exec {} -Zunstable-options --report-time"
    lanes = []
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact" or not message["profile"]["test"]:
            continue
        if program := message["executable"]:
            name = {"gatekey": "unit"}.get(message["target"]["name"], message["target"]["name"])
            if "bin" in message["target"]["kind"]:
                continue  # one line, and no test
            folder = Path(message["manifest_path"]).parent
            lane = shell(f"rust {name}", runner.format(shlex.quote(program)))
            lane.folder = folder
            lanes.append(lane)
            if name == "it" and everything:
                older = shell(
                    "rust it-postgres15", f"{runner} postgres".format(shlex.quote(program))
                )
                older.folder, older.environment = folder, {"GATEKEY_POSTGRES": "15"}
                lanes.append(older)
    return lanes


def ffi(everything: bool) -> list[Lane]:
    """Give the lanes of C and C++: each way to link and to watch, or every combination."""
    # Valgrind runs what `shared` would.
    kinds = ("valgrind", "sanitized", "static")
    lanes = [shell(f"ffi {kind}", f"tests/ffi/run.sh {kind}") for kind in kinds]
    lanes.append(shell("ffi linking", "tests/ffi/linking.sh"))
    tokens = {"KMS_TOKENS": "320"} if everything else {}
    lanes.append(shell("ffi kms", "tests/ffi/kms.sh", **tokens))
    # PostgreSQL's log-ins, with examples/pg18-validator.
    lanes.append(pytest("ffi pg18", ROOT, "-q", "-rs", "-p", "no:cacheprovider", "tests/pg18"))
    requests = {"SERVICE_REQUESTS": "1000"} if everything else {}
    lanes.append(shell("ffi cpp-service", "tests/ffi/cpp_service.sh", **requests))
    # nginx, Caddy, Envoy and Traefik, with examples/proxies.
    lanes.append(
        pytest("ffi proxies", ROOT, "-q", "-rs", "-p", "no:cacheprovider", "tests/proxies")
    )
    lanes.append(shell("ffi c-service", "tests/ffi/c_service.sh", **requests))
    lanes.append(shell("ffi tsan", "tests/ffi/tsan.sh"))
    more = {"CURL_LOOP_MORE": "1"} if everything else {}
    lanes.append(shell("ffi curl-loop", "tests/ffi/curl_loop.sh", **more))
    if everything:
        for cc, cxx in (("gcc", "g++"), ("clang", "clang++")):
            for c, cpp in (("c11", "c++17"), ("c17", "c++20"), ("c2x", "c++2b")):
                for kind in ("sanitized", "shared", "static"):
                    toolchain = {"FFI_CC": cc, "FFI_CXX": cxx, "C_STANDARD": c, "CXX_STANDARD": cpp}
                    need = f"tests/need.sh {cc} {cxx}={cc} || exit 0; "
                    name = f"ffi {kind} {cc} {c} {cpp}"
                    lanes.append(shell(name, f"{need}tests/ffi/run.sh {kind}", **toolchain))
    return lanes


def python() -> list[Lane]:
    """Give the lanes of the Python package."""
    bin_folder = Path(PYTHON).parent
    examples = " ".join(str(path) for path in sorted((ROOT / "examples").glob("*.py")))
    mypy, server, lanes_py = (
        f"{PYTHON} -m mypy",
        " ".join(f"../../tests/servers/{name}.py" for name in ("servers", "postgres", "valkey")),
        "../../tests/lanes.py",
    )
    services = " ".join(
        f"../../tests/ffi/{name}.py" for name in ("c_service", "cpp_service", "load")
    )
    curl_loop = "../../tests/ffi/curl_loop.py"
    many = "../../examples/many-machines"
    servers = f"../../tests/servers ../../tests/rounds ../../tests/pg18 {services} {curl_loop}"
    proxies = "../../tests/proxies ../../examples/proxies"
    ours = f". {examples} {servers} {proxies} {many} {lanes_py}"
    ruff = f"{bin_folder}/ruff"
    stub_options = "--mypy-config-file ../pyproject.toml --allowlist stubtest.txt"
    lines = {
        "python types": f"{mypy} -p gatekey; {mypy} tests {examples} {server}; {mypy} {lanes_py}; "
        f"{mypy} {services}; {mypy} {curl_loop} {server}; "
        f"{mypy} ../../tests/pg18; {mypy} {proxies} {server}; {mypy} {many} {server}",
        # As VS Code has it.
        "python pyright": f"{PYTHON} -m pyright --pythonpath {PYTHON} {examples}",
        "python stubs": f"cd tests; {PYTHON} -m mypy.stubtest gatekey {stub_options}",
        "python lints": f"{ruff} check --quiet --config pyproject.toml {ours}; "
        f"{ruff} format --quiet --check --config pyproject.toml {ours}",
    }
    lanes = [pytest("python tests", PACKAGE, "-q")]
    for name, line in lines.items():
        lane = shell(name, line)
        lane.folder = PACKAGE
        lanes.append(lane)
    peers = ["-q", "-p", "no:cacheprovider", "-W", "ignore:EdDSA is deprecated", "tests/peers"]
    return [*lanes, pytest("python peers", ROOT, *peers)]


def pytest(name: str, folder: Path, *words: str) -> Lane:
    """Give a lane of pytest, which writes down how long each test took."""
    junit = LOGS / f"{name}.xml"
    program = str(Path(PYTHON).with_name("pytest"))
    return Lane(name, [program, f"--junitxml={junit}", *words], folder, junit=junit)


def lanes(everything: bool, words: str) -> list[Lane]:
    """Give every lane, the long ones first."""
    small = [
        # One lane: Cargo lets only one of these work at a time.
        shell(
            "cargo",
            f"{CARGO} fmt --all --check; "
            f"{CARGO} clippy --quiet --all-targets {words} -- -D warnings; "
            f"{CARGO} test --quiet --doc {words}",
        ),
        shell("ffi headers", "tests/ffi/headers.sh"),
        shell("ffi installed", "tests/ffi/installed.sh dev"),
        shell("ffi format", "tests/ffi/format.sh"),
        shell("notices", f"{PYTHON} mk/notices.py --check"),
    ]
    every = [*rust(words, everything), *ffi(everything), *python(), *small]
    return [*every, *as_shipped()] if everything else every


def as_shipped() -> list[Lane]:
    """Give the lanes of what is released, and of each feature alone."""
    alone = "".join(
        f"echo 'with {feature or 'no feature'}'; {CARGO} clippy --quiet --locked -p gatekey "
        f"--all-targets --features '{feature}' -- -D warnings; "
        for feature in ("", "capi", "jsonwebtoken", "sqlite", "postgres", "redis", "http", "cli")
    )
    folder = LOGS / "wheel"
    install = f"{PYTHON} -m pip install --quiet --no-deps --upgrade --target {folder}"
    tests = pytest("release python tests", PACKAGE, "-q")
    tests.environment["PYTHONPATH"] = str(folder)
    command = f"{install} {TARGET}/python/*.whl; {shlex.join(tests.command)}"
    tests.command = shell(tests.name, command).command
    library = {"FFI_LIBRARY": str(TARGET / "release"), "FFI_OUT": str(TARGET / "ffi/release")}
    kinds = ("shared", "static", "sanitized", "valgrind")
    return [
        *(shell(f"release ffi {kind}", f"tests/ffi/run.sh {kind}", **library) for kind in kinds),
        shell("release ffi linking", "tests/ffi/linking.sh", **library),
        shell("release ffi installed", "tests/ffi/installed.sh release"),
        shell("release packages", "tests/ffi/packages.sh", **library),
        shell("release wheel", f"tests/wheels.sh {TARGET}/python/*.whl"),
        tests,
        shell("features", alone),
    ]


# ---- running them ----


def run(lane: Lane, begun: float) -> None:
    """Run it, keep what it printed, and show it whole."""
    print(f"[{time.monotonic() - begun:4.0f} s] {lane.name} ...", flush=True)
    environment = {**os.environ, **lane.environment}
    started = time.monotonic()
    log = LOGS / f"{lane.name}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(  # noqa: S603
            lane.command,
            cwd=lane.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            lane.code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            lane.code = process.wait()
            out.write(f"\nThis lane did not end within {LONGEST} seconds.\n".encode())
    lane.ended = time.monotonic()
    lane.seconds = lane.ended - started
    lane.output = log.read_text(errors="replace")
    outcome = "passed" if lane.code == 0 else f"FAILED with {lane.code}"
    with SHOWING:
        print(
            f"\n=== {lane.name}: {outcome} after {lane.seconds:.1f} s\n{lane.output.rstrip()}\n",
            flush=True,
        )


SHOWING = threading.Lock()


def seconds_last_time() -> dict[str, float]:
    """Give what each lane took when it ran last."""
    return json.loads(SECONDS.read_text()) if SECONDS.exists() else {}


def longest_first(every: list[Lane]) -> list[Lane]:
    """Order them by what they took the last time, so that no long one begins last."""
    took = seconds_last_time()
    return sorted(every, key=lambda lane: -took.get(lane.name, float("inf")))


# ---- what they said ----

TIMED = re.compile(r"^test (.+?) \.\.\. .*?<([0-9.]+)s>", re.MULTILINE)
RESULT = re.compile(r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
CHECKS = re.compile(r"\((\d+) checks\)")
SKIPPED = re.compile(r"^.*\b(?:SKIPPED|skipped:).*$", re.MULTILINE)


def tests_of(lane: Lane) -> tuple[list[tuple[float, str]], list[int]]:
    """Give the time and name of each test, and how many passed, failed and were skipped."""
    if lane.junit:
        if not lane.junit.exists():
            return [], [0, 1, 0]
        named, failed, skipped = [], 0, 0
        for case in ElementTree.parse(lane.junit).getroot().iter("testcase"):  # noqa: S314
            name = f"{lane.name}: {case.get('classname')}::{case.get('name')}"
            named.append((float(case.get("time", "0")), name))
            tags = {child.tag for child in case}
            failed += bool(tags & {"failure", "error"})
            skipped += "skipped" in tags
        return named, [len(named) - failed - skipped, failed, skipped]
    named = [
        (float(seconds), f"{lane.name}: {name}") for name, seconds in TIMED.findall(lane.output)
    ]
    results = [[int(number) for number in found] for found in RESULT.findall(lane.output)]
    counts = [sum(numbers) for numbers in zip(*results, strict=True)]
    # A lane that counts nothing is one check: the types, the lints.
    return named, counts or [int(lane.code == 0), int(lane.code != 0), 0]


def report(every: list[Lane], begun: float) -> int:
    """Say what was slow, what was skipped, how many passed, and last what failed first."""
    tests: list[tuple[float, str]] = []
    passed = failed = skipped = checks = 0
    reasons: dict[str, None] = {}
    for lane in every:
        named, (good, bad, left) = tests_of(lane)
        tests += named
        passed, failed, skipped = passed + good, failed + bad, skipped + left
        checks += sum(map(int, CHECKS.findall(lane.output)))
        reasons.update(dict.fromkeys(SKIPPED.findall(lane.output)))
    print("The slowest tests:")
    for seconds, name in sorted(tests, reverse=True)[:SLOWEST]:
        print(f"  {seconds:6.1f} s  {name}")
    print("The lanes:")
    for lane in sorted(every, key=lambda lane: -lane.seconds):
        print(f"  {lane.seconds:6.1f} s  {lane.name}")
    if reasons:
        print("Skipped:")
        print("\n".join(f"  {reason.strip()}" for reason in reasons))
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    print(f"{len(every)} lanes, {checks} checks in C and C++, {minutes} min {seconds} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    broken = sorted((lane for lane in every if lane.code), key=lambda lane: lane.ended)
    if not broken:
        return 0
    for lane in broken[1:]:
        print(f"FAILED: {lane.name} ({LOGS / lane.name}.log)")
    first = broken[0]
    print(f"\nFAILED first: {first.name}: {shlex.join(first.command)}\n")
    print("\n".join(first.output.rstrip().splitlines()[-SHOWN_OF_A_FAILURE:]))
    return 1


def main() -> int:
    """Run the lanes that are asked for."""
    words = sys.argv[1:]
    everything = "--all" in words
    prefixes = tuple(word for word in words if word != "--all") or ("",)
    LOGS.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    every = lanes(everything, os.environ["CARGO_WORDS"])
    every = [lane for lane in every if lane.name.startswith(prefixes)]
    if not every:
        sys.exit(f"lanes.py: no lane begins with {' or '.join(prefixes)}")
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        list(pool.map(lambda lane: run(lane, begun), longest_first(every)))
    took = seconds_last_time() | {lane.name: lane.seconds for lane in every}
    SECONDS.write_text(json.dumps(took))
    return report(every, begun)


if __name__ == "__main__":
    sys.exit(main())
