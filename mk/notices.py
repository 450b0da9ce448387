"""Writes THIRD-PARTY.md: the crates that are linked into the products, with the licenses they come under.

usage: notices.py [--check]      with --check it only says whether the file is up to date
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD-PARTY.md"
PRODUCTS = ("gatekey", "gatekey-c", "gatekey-python")
FEATURES = ("--features", "gatekey/capi,gatekey/cli,gatekey/http,gatekey/postgres,gatekey/redis,gatekey/sqlite")
TARGET = "x86_64-unknown-linux-gnu"
# The names under which crates ship the text of a license, and notices that must go along.
TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE")

HEAD = """# Third-party notices

What is linked into libgatekey, the command line and the Python package, beside gatekey itself and Rust's standard
library (MIT OR Apache-2.0, https://www.rust-lang.org). Rendered from `Cargo.lock` by `make notices`; where a crate
offers a choice of licenses, any of them may be chosen.
"""


def cargo(*words: str) -> str:
    command = [os.environ.get("CARGO", "cargo"), words[0], "--locked", *FEATURES, *words[1:]]
    return subprocess.check_output(command, cwd=ROOT, text=True)


def linked() -> list[dict]:
    """The packages that the products are made of, without what only builds or tests them."""
    # `cargo metadata` alone knows crates that no feature turns on.
    products = [word for name in PRODUCTS for word in ("--package", name)]
    shape = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", "--target", TARGET]
    used = {tuple(line.split()[:2]) for line in cargo("tree", *products, *shape).splitlines() if line}
    found = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", TARGET))
    members = set(found["workspace_members"])
    own = [package for package in found["packages"] if package["id"] not in members]
    own = [package for package in own if (package["name"], f"v{package['version']}") in used]
    return sorted(own, key=lambda package: (package["name"], package["version"]))


def texts(package: dict) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = [path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(TEXTS)]
    files.sort()
    lines = [path.read_text("utf-8").strip("\n\f ").split("\n") for path in files]
    return ["\n".join(line.rstrip() for line in one) for one in lines]


def page() -> str:
    packages = linked()
    owners: dict[str, list[str]] = defaultdict(list)
    lines = [HEAD, "| crate | version | license |", "|---|---|---|"]
    for package in packages:
        license = package["license"] or f"see {package['license_file']}"
        name = f"[{package['name']}]({package['repository'] or package['homepage']})"
        lines.append(f"| {name} | {package['version']} | {license} |")
        for text in texts(package):
            owners[text].append(package["name"])
    for text, names in sorted(owners.items(), key=lambda item: (item[1], item[0])):
        lines += ["", f"## {', '.join(dict.fromkeys(names))}", "", "~~~text", text, "~~~"]
    return "\n".join(lines) + "\n"


def main() -> int:
    new = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == new:
        return 0
    print("THIRD-PARTY.md does not fit Cargo.lock: run `make notices`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
