"""Builds the programs that `run.py` measures, and says which peers are missing and why.

Everything lands under the folder `target/bench`: fixtures, virtual environment, programs. `make bench`
has installed libgatekey there and built the wheel before.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHES = ROOT / "benches"
TARGET = Path(os.environ.get("TARGET", ROOT / "target"))
WORK = TARGET / "bench"
FIXTURES = WORK / "fixtures"
PREFIX = WORK / "prefix"
CARGO = os.environ.get("CARGO", "cargo")
PYTHON = os.environ.get("PYTHON", sys.executable)
OLD_PYJWT = "2.10.1"


class Host:
    """A program that offers contenders; `command` is None when it cannot run, for `reason`."""

    def __init__(self, name: str, command: list[str] | None, env: dict[str, str] | None = None, reason: str = ""):
        self.name, self.command, self.env, self.reason = name, command, env or {}, reason


def step(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def run(*command: str | Path, **env: str) -> None:
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, env={**os.environ, **env})


def rust_program(*programs: str) -> Path:
    """The Rust contenders, or these of them; jwt-simple only where its BoringSSL can be built."""
    found = glob.glob("/usr/lib/llvm-*/lib/libclang*.so*") + glob.glob("/usr/lib64/libclang*.so*")
    clang = [library for library in found if "libclang-cpp" not in library]  # which clang-format brings along
    simple = shutil.which("cmake") and (clang or os.environ.get("LIBCLANG_PATH"))
    step("building the Rust contenders" + ("" if simple else " (without jwt-simple: no cmake or libclang)"))
    features = ["--features", "jwt-simple"] if simple else []
    manifest = BENCHES / "Cargo.toml"
    only = [word for program in programs for word in ("--bin", program)]
    run(CARGO, "build", "--release", "--manifest-path", manifest, *features, *only, CARGO_TARGET_DIR=str(TARGET))
    return TARGET / "release" / "gatekey-bench"


def fixtures(program: Path) -> None:
    step("making keys and tokens")
    shutil.rmtree(FIXTURES, ignore_errors=True)
    run(program, "fixtures", FIXTURES)


def all_hosts() -> list[Host]:
    program = rust_program()
    fixtures(program)
    return [Host("Rust", [str(program), "serve", str(FIXTURES)]), *c_hosts(), *python_hosts()]


def c_hosts() -> list[Host]:
    step("building the C and C++ contenders")
    debian_packages()
    out = WORK / "bin"
    out.mkdir(parents=True, exist_ok=True)
    cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    serve = out / "serve.o"
    run(cc, "-std=c11", "-O2", "-Wall", "-Wextra", "-c", BENCHES / "c/serve.c", "-o", serve)

    def host(name: str, source: str, libraries: list[str], *defines: str) -> Host:
        program = out / name
        compiler = [cc, "-std=c11"] if source.endswith(".c") else [cxx, "-std=c++17"]
        warnings = ["-Wall", "-Wextra"] if name.startswith("gatekey") else []
        run(*compiler, "-O2", *warnings, *defines, BENCHES / "c" / source, serve, *libraries, "-lpthread", "-o", program)
        return Host(name, [str(program), str(FIXTURES)])

    pkgconfig = str(PREFIX / "lib/pkgconfig")
    ours = package_flags("gatekey", PKG_CONFIG_PATH=pkgconfig) + [f"-Wl,-rpath,{PREFIX / 'lib'}"]
    hosts = [host("gatekey-c", "gatekey.c", ours), host("gatekey-cpp", "gatekey.cpp", ours)]
    if libjwt := package_flags("libjwt"):
        version = package("--modversion", "libjwt").strip()
        hosts.append(host("libjwt", "libjwt.c", libjwt, f'-DLIBJWT_VERSION="{version}"'))
    else:
        hosts.append(Host("libjwt", None, reason="the package libjwt-dev is not installed"))
    if Path("/usr/include/jwt/jwt.hpp").exists() and (crypto := package_flags("libcrypto")):
        version = debian_version("libcpp-jwt-dev")
        hosts.append(host("cpp-jwt", "cpp_jwt.cpp", crypto, f'-DCPP_JWT_VERSION="{version}"'))
    else:
        hosts.append(Host("cpp-jwt", None, reason="the package libcpp-jwt-dev is not installed"))
    return hosts


def debian_packages() -> None:
    """Installs the C and C++ peers where that is possible and allowed."""
    if os.geteuid() or not shutil.which("apt-get"):
        return
    have = Path("/usr/include/jwt.h").exists() and Path("/usr/include/jwt/jwt.hpp").exists()
    if not have:
        command = ["apt-get", "install", "-q", "-y", "libjwt-dev", "libcpp-jwt-dev", "libssl-dev"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def package(*arguments: str, **env: str) -> str:
    done = subprocess.run(["pkg-config", *arguments], capture_output=True, text=True, env={**os.environ, **env})
    return done.stdout if done.returncode == 0 else ""


def package_flags(name: str, **env: str) -> list[str]:
    return package("--cflags", "--libs", name, **env).split()


def debian_version(name: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return done.stdout.split("+")[0].split("-")[0] or "of this system"


def python_hosts() -> list[Host]:
    step("installing the Python contenders")
    venv = WORK / "venv"
    python = venv / "bin/python"
    if not python.exists():
        run(PYTHON, "-m", "venv", venv)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "-q"]
    run(*pip, "install", "-r", BENCHES / "python/requirements.txt")
    wheels = sorted((TARGET / "python").glob("gatekey-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    run(*pip, "install", "--force-reinstall", "--no-deps", wheels[-1])
    old = WORK / f"pyjwt-{OLD_PYJWT}"
    if not old.exists():
        run(*pip, "install", "--no-deps", "--target", old, f"PyJWT=={OLD_PYJWT}")
    command = [str(python), str(BENCHES / "python/host.py"), str(FIXTURES)]
    return [Host("Python", command), Host(f"PyJWT {OLD_PYJWT}", [*command, "PyJWT"], {"PYTHONPATH": str(old)})]
