"""Makes a wheel the same wherever and whenever it is built: its list of what is inside (CycloneDX) names no folder, no
time and no random number of the build, and its files have one date.

usage: wheel.py WHEEL...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def date() -> str:
    """Seconds since 1970, as https://reproducible-builds.org/specs/source-date-epoch/ has them."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    command = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "315532800"


def normalised(text: str, seconds: str) -> str:
    sbom = json.loads(text.replace(f"file://{ROOT}", "file:///gatekey"))
    sbom["metadata"]["timestamp"] = subprocess.check_output(
        ["date", "--utc", f"--date=@{seconds}", "+%Y-%m-%dT%H:%M:%SZ"], text=True
    ).strip()
    sbom["serialNumber"] = ""
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(sbom, sort_keys=True))
    sbom["serialNumber"] = f"urn:uuid:{name}"
    return json.dumps(sbom, indent=2) + "\n"


def main() -> None:
    seconds = date()
    wheel = [sys.executable, "-m", "wheel"]
    for path in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            subprocess.run([*wheel, "unpack", "--dest", work, path], check=True, stdout=subprocess.DEVNULL)
            (folder,) = Path(work).iterdir()
            sboms = list(folder.glob("*.dist-info/sboms/*.json"))
            if not sboms:
                sys.exit(f"{path} has no list of what is inside")
            for sbom in sboms:
                sbom.write_text(normalised(sbom.read_text("utf-8"), seconds), "utf-8")
            subprocess.run(
                [*wheel, "pack", "--dest-dir", path.parent, folder],
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "SOURCE_DATE_EPOCH": seconds},
            )


if __name__ == "__main__":
    main()
