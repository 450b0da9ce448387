"""The two services of the examples, in C and in C++, under `wrk`: open, and behind a guard with an API key and with session tokens
of three algorithms. `guard.py` puts them into docs/bench-guard.md; alone, it prints their tables (`make bench-services`).

Each door is a process with a store of its own, whose key ring has the door's algorithm.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hosts

FOLDER = hosts.WORK / "services"
ORIGIN = "https://shop.example"
ALGORITHMS = ("HS256", "RS256", "ES256")
NAMES = {"open": "open", "api_key": "API key"} | {alg: f"session's token, {alg}" for alg in ALGORITHMS}
# server -> the packages that it needs, by what they install
KINDS = {"C": ("microhttpd.h", "libmicrohttpd-dev"), "C++": ("/usr/include/httplib.h", "libcpp-httplib-dev")}
Door = tuple[list[str], dict[str, str], dict[str, str]]
"""Command with `{port}`, environment, headers to ask with."""


def installed(kind: str) -> bool:
    words = ["=".join(KINDS[kind]), "pkg-config"]
    return subprocess.run([hosts.ROOT / "tests/need.sh", *words], check=False).returncode == 0


def built(kind: str) -> tuple[Path, Path]:
    """The service and the same server without a guard."""
    library = [f"-I{hosts.PREFIX}/include", f"-L{hosts.PREFIX}/lib", "-lgatekey", f"-Wl,-rpath,{hosts.PREFIX}/lib", "-lpthread"]
    package = "libmicrohttpd" if kind == "C" else "cpp-httplib"
    server = subprocess.check_output(["pkg-config", "--cflags", "--libs", package], text=True).split()
    if kind == "C":
        compiler = [os.environ.get("CC", "cc"), "-std=c11", "-O2"]
        sources = ("examples/c-service/orders.c", "benches/c/open_microhttpd.c")
    else:
        compiler = [os.environ.get("CXX", "c++"), "-std=c++17", "-O2"]
        sources = ("examples/cpp-service/service.cpp", "benches/c/open_httplib.cpp")
    programs = FOLDER / f"guarded-{kind}", FOLDER / f"open-{kind}"
    for source, program in zip(sources, programs, strict=True):
        hosts.run(*compiler, hosts.ROOT / source, "-o", program, *library, *server)
    return programs


def url_of(kind: str, door: str) -> str:
    return f"sqlite:///{FOLDER}/{kind}-{door}.sqlite"


def prepare() -> None:
    """Makes the stores, and writes the headers of each door's client. Needs gatekey's Python module."""
    from gatekey import Signer, Store

    for kind, door in itertools.product(KINDS, NAMES):
        headers = {}
        if door != "open":
            with Store.open(url_of(kind, door)) as store:
                if door == "api_key":
                    headers["X-API-Key"] = str(store.api_keys().create(owner="acme", scopes=["orders:read"]).secret)
                else:
                    signer = Signer(store.key_ring(alg=door), issuer=ORIGIN if kind == "C" else None)
                    started = store.sessions(signer=signer).start("alice", claims={"scope": "orders:read"})
                    headers["Authorization"] = f"Bearer {started.access_token}"
        (FOLDER / f"{kind}-{door}.json").write_text(json.dumps(headers))


def doors(kind: str) -> dict[str, Door]:
    """Every door of a server, ready to be started."""
    guarded, bare = built(kind)
    csrf = FOLDER / "csrf"
    csrf.write_bytes(os.urandom(32))
    found: dict[str, Door] = {}
    for door in NAMES:
        url = url_of(kind, door)
        headers = json.loads((FOLDER / f"{kind}-{door}.json").read_text())
        if kind == "C":
            command = [str(bare if door == "open" else guarded), "--port", "{port}"]
        else:
            command = [str(bare), "{port}"] if door == "open" else [str(guarded), url, str(csrf), "{port}"]
        environment = {
            "GATEKEY_STORE": url,
            "GATEKEY_PUBLIC_URL": ORIGIN,
            "GATEKEY_CSRF_SECRET_FILE": str(csrf),
            "GATEKEY_LOG": "off",
        }
        found[door] = command, environment, headers
    return found


def contenders(interpreter: Path) -> dict[str, dict[str, Door]]:
    """Server -> door; without the servers that this machine cannot have. The interpreter has gatekey."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    hosts.run(interpreter, __file__, "prepare")
    return {kind: doors(kind) for kind in KINDS if installed(kind)}


def main() -> None:
    import guard

    if not guard.wrk():
        raise SystemExit("bench: wrk and curl are needed")
    found: dict = {}
    for kind, every in contenders(guard.python()).items():
        found |= guard.under_wrk(kind, every, "/orders")
    print(guard.services_in_c(found))


if __name__ == "__main__":
    prepare() if sys.argv[1:] == ["prepare"] else main()
