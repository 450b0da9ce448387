#!/usr/bin/env python3
"""Run a program with an authorization server: ``run.py FOLDER PROGRAM [ARGUMENT]...``.

The program gets the issuer and a command that signs in without a window as two more arguments. The
server is installed below FOLDER if need be, and stopped afterwards. A program that sends SIGUSR1
to this one gets SIGUSR2 back when the server has started again with other keys. Ends with 0 and a
word of it where the server cannot be installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


class Server:
    """The authorization server; its client ``web-pkjwt`` proves itself with the key in RP_KEY."""

    def __init__(self, folder: str, environment: dict[str, str]) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: S603
            ["node", Path(folder) / "server.mjs"],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        ready = self._process.stdout.readline() if self._process.stdout else ""
        if not ready.startswith("READY "):
            raise SystemExit(f"the authorization server said {ready!r}")
        self.issuer = ready.split()[1]

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()


def main() -> int:
    """Install, start, run, stop."""
    folder, *program = sys.argv[1:]
    installed = subprocess.run([HERE / "install.sh", folder], check=False)  # noqa: S603
    if installed.returncode == 77:
        print(f"oauth: SKIPPED {Path(program[-1]).name}", file=sys.stderr)
        return 0
    installed.check_returncode()
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "RP_KEY": str(Path(scratch) / "rp.jwk")}
        servers = [Server(folder, environment)]
        issuer = servers[0].issuer
        command = [*program, issuer, f"{sys.executable} {HERE / 'agent.py'}"]
        child = subprocess.Popen(command, env=environment)  # noqa: S603

        def start_again(*_arguments: object) -> None:
            servers.pop().stop()
            renewed = {**environment, "PORT": issuer.rsplit(":", 1)[1], "KID": "2"}
            servers.append(Server(folder, renewed))
            child.send_signal(signal.SIGUSR2)

        signal.signal(signal.SIGUSR1, start_again)
        try:
            return child.wait()
        finally:
            servers[0].stop()


if __name__ == "__main__":
    sys.exit(main())
