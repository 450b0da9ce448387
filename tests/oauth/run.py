#!/usr/bin/env python3
"""Runs a program with an authorization server: ``run.py FOLDER PROGRAM [ARGUMENT]...``.

The program gets the issuer and a command that signs in without a window as two more arguments. The
server is installed below FOLDER if need be, and stopped afterwards. Ends with 0 and a word of it
where the server cannot be installed.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Install, start, run, stop."""
    folder, *program = sys.argv[1:]
    installed = subprocess.run([HERE / "install.sh", folder], check=False)  # noqa: S603
    if installed.returncode == 77:
        print(f"oauth: SKIPPED {Path(program[-1]).name}", file=sys.stderr)
        return 0
    installed.check_returncode()
    server = subprocess.Popen(  # noqa: S603
        ["node", Path(folder) / "server.mjs"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ,
        text=True,
    )
    try:
        ready = server.stdout.readline() if server.stdout else ""
        if not ready.startswith("READY "):
            print(f"the authorization server said {ready!r}", file=sys.stderr)
            return 1
        browser = f"{sys.executable} {HERE / 'agent.py'}"
        command = [*program, ready.split()[1], browser]
        return subprocess.run(command, check=False).returncode  # noqa: S603
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
