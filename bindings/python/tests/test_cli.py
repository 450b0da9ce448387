"""The command ``gatekey`` that the package brings: the same program as ``cargo install`` makes.

What its commands do is tested in tests/cli.rs; here, that Python's copy is whole, what a terminal
shows, and that Ctrl-C works.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import gatekey

SCRIPT = str(Path(sys.executable).with_name("gatekey"))


def run(
    *arguments: str, folder: Path, command: tuple[str, ...] = (SCRIPT,), stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"GATEKEY_STORE": "keys.sqlite", "PATH": os.environ["PATH"]}
    return subprocess.run(  # noqa: S603
        [*command, *arguments],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def terminal() -> tuple[int, int]:
    """Both ends of a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return ours, theirs


def read_all(ours: int) -> str:
    """Read until nobody has the other end open any more."""
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux tells it so
            break
        if not part:
            break
        seen += part
    return seen.decode()


@pytest.mark.parametrize("command", [(SCRIPT,), (sys.executable, "-m", "gatekey")])
def test_both_ways_to_call_it(command: tuple[str, ...], tmp_path: Path) -> None:
    shown = run("--version", folder=tmp_path, command=command)
    assert shown.stdout == f"gatekey {gatekey.__version__}\n"
    assert "Usage: gatekey key create" in run("key", "create", "--help", folder=tmp_path).stdout
    assert run("key", "destroy", folder=tmp_path, command=command).returncode == 2


def test_a_key_of_the_command_is_a_key_of_the_package(tmp_path: Path) -> None:
    made = run("key", "create", "--owner", "acme", "--scope", "read", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    with gatekey.ApiKeys.open(f"sqlite:///{tmp_path}/keys.sqlite") as keys:
        record = keys.verify(key, scopes=["read"])
        assert (record.owner, record.created_by) == ("acme", "cli")
        revoked = run("key", "revoke", record.id, "--json", folder=tmp_path)
        assert json.loads(revoked.stdout)["status"] == "revoked"
        deadline = time.monotonic() + 60  # 50 ms, were the machine idle
        while keys.check(key).ok and time.monotonic() < deadline:
            time.sleep(0.01)
        assert keys.check(key).code == "api_key_revoked"
    assert run("key", "verify", folder=tmp_path, stdin=key).returncode == 1


def test_the_scan_rule_finds_its_keys(tmp_path: Path) -> None:
    made = run("key", "create", "--owner", "a", "--prefix", "acme_x", folder=tmp_path)
    rule = run("scan-rule", "--prefix", "acme_x", "--regex", folder=tmp_path).stdout.strip()
    assert re.search(rule, f"export KEY={made.stdout.strip()};") is not None
    assert re.search(rule, made.stdout.strip()[:-1]) is None
    gitleaks = run("scan-rule", "--prefix", "acme_x", folder=tmp_path).stdout
    assert f"regex = '''{rule}'''" in gitleaks


def test_an_import_shows_its_progress_to_people_alone(tmp_path: Path) -> None:
    rows = "".join(f"acme,legacy-key-{n:08}\n" for n in range(4000))
    (tmp_path / "rows.csv").write_text("owner,secret\n" + rows)
    line = [SCRIPT, "key", "import", "rows.csv", "--scheme", "plaintext"]
    for more, shows in (([], True), (["--json"], False)):
        ours, theirs = terminal()
        child = subprocess.Popen(  # noqa: S603
            [*line, "--store", f"{len(more)}.sqlite", *more],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        told, (out, _) = read_all(ours), child.communicate(timeout=60)
        os.close(ours)
        assert child.returncode == 0, told
        steps = [int(step.replace(",", "")) for step in re.findall(r"([\d,]+)/4,000 rows", told)]
        assert bool(steps) == shows, told
        assert steps == sorted(steps)
        assert ("4000" in out) == shows or json.loads(out)["imported"] == 4000
        assert "legacy-key" not in told
    piped = run(*line[1:], "--store", "piped.sqlite", folder=tmp_path)
    assert piped.stdout == "Imported 4000 keys.\n"
    assert "rows" not in piped.stderr


def ask(tmp_path: Path, typed: bytes, *line: str) -> tuple[int, str]:
    """Run a command, or verify a key, as a person types: the exit code and what was shown."""
    ours, theirs = terminal()
    child = subprocess.Popen(  # noqa: S603
        [SCRIPT, *(line or ("key", "verify", "--store", "keys.sqlite"))],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    seen = b""
    while b"not shown" not in seen:
        seen += os.read(ours, 65536)
    time.sleep(0.2)  # until the echo is off
    os.write(ours, typed)
    shown = seen.decode() + read_all(ours)
    os.close(ours)
    return child.wait(timeout=30), shown


def test_a_prompt_shows_nothing(tmp_path: Path) -> None:
    key = run("key", "create", "--owner", "acme", folder=tmp_path).stdout.strip()
    code, shown = ask(tmp_path, key.encode() + b"\n")
    assert code == 0, shown
    assert "API key (not shown):" in shown
    assert key not in shown


def test_interrupt_ends_it(tmp_path: Path) -> None:
    run("key", "create", "--owner", "acme", folder=tmp_path)
    code, shown = ask(tmp_path, b"\x03")
    assert code == -signal.SIGINT, shown
    assert "Traceback" not in shown


def test_the_passphrase_of_a_key_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    theirs = ec.generate_private_key(ec.SECP256R1())
    sealed = theirs.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"correct horse"),
    )
    (tmp_path / "key.pem").write_bytes(sealed)
    key = gatekey.Key.from_pem(sealed, passphrase="correct horse")
    code, shown = ask(tmp_path, b"correct horse\n", "jwk", "thumbprint", "key.pem")
    assert code == 0, shown
    assert "passphrase of the key (not shown):" in shown
    assert key.thumbprint() in shown
    assert "horse" not in shown
    code, shown = ask(tmp_path, b"wrong horse\n", "jwk", "thumbprint", "key.pem")
    assert code == 3, shown
    assert "passphrase" in shown
    assert "horse" not in shown
