"""What a guard reads from files and the environment."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekey.exceptions import ConfigurationError
from gatekey.guard.events import LOG

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "GATEKEY_"
"""What the names of the variables begin with."""
TEXTS = {
    "STORE": "store",
    "PEPPER_FILE": "pepper_file",
    "ISSUER": "issuer",
    "AUDIENCE": "audience",
    "CSRF_SECRET_FILE": "csrf_secret_file",
    "PUBLIC_URL": "public_url",
}
"""The variables that are texts, and the options of a guard that they are."""
LISTS = {"TRUSTED_PROXIES": "trusted_proxies"}
"""Those that are lists, separated by commas or spaces."""
NEAR = 0.75
"""How much a name is like another one that is meant (:mod:`difflib`)."""
BYTES = 32
"""How many bytes a CSRF secret has."""


def options_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """Give the options that the environment sets. An empty variable is not set.

    Others whose names begin with ``GATEKEY_`` are left alone: Kubernetes sets some of its own, such
    as ``GATEKEY_PORT``, for a service that is called so.

    :raises ConfigurationError: no variable is set, or the name of one is nearly that of another.
    """
    known = [*TEXTS, *LISTS]
    options: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or not value.strip():
            continue
        own = name.removeprefix(PREFIX)
        if own in TEXTS:
            options[TEXTS[own]] = value.strip()
        elif own in LISTS:
            options[LISTS[own]] = value.replace(",", " ").split()
        elif near := get_close_matches(own, known, 1, NEAR):
            raise ConfigurationError(
                f"The variable {name!r:.80} is none of a guard's; {PREFIX}{near[0]} is. Mend its "
                "name, or name it otherwise."
            )
    if not options:
        shown = ", ".join(PREFIX + name for name in known)
        raise ConfigurationError(f"No variable of a guard is set; set some of {shown}.")
    return options


def without_idle(found: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the files of secrets that nothing needs.

    The environment may be that of several services.

    :param found: what the environment sets.
    :param given: what the program says instead.
    """
    idle = set()
    if not isinstance({**found, **given}.get("store"), str | os.PathLike):
        idle.add("pepper_file")
    if given.get("cookies") is not True or given.get("csrf_secret") is not None:
        idle.add("csrf_secret_file")
    return {name: value for name, value in found.items() if name not in idle}


def csrf_secret_at(path: Path) -> bytes:
    """Give the secret in this file, which is made if it is not there.

    :raises ConfigurationError: it cannot be read or made, others may read it, or it is too short.
    """
    try:
        if not path.exists():
            _make(path)
            LOG.warning(
                "made a new secret for CSRF tokens, which all processes and machines of a service "
                "share: %s",
                path,
            )
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(
                f"The file of the CSRF secret may be read by others than its owner: "
                f"chmod 600 {path}"
            )
        secret = _without_line_end(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"The file of the CSRF secret cannot be read or made: {error.strerror}: {path}"
        ) from error
    if len(secret) < BYTES:
        raise ConfigurationError(
            f"The file of the CSRF secret holds fewer than {BYTES} bytes; delete it, and a new one "
            f"is made: {path}"
        )
    return secret


def _without_line_end(content: bytes) -> bytes:
    """Give what a file of text holds; of random bytes all count, spaces, too."""
    text = content.strip()
    return text if text.isascii() and text.decode().isprintable() else content


def _make(path: Path) -> None:
    """Make it whole, so that of several processes that begin at once all have the same."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(file, "wb") as out:
            out.write(secrets.token_hex(BYTES).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def beside(store: str) -> Path | None:
    """Give the path of the CSRF secret of a store with a file; None for another store."""
    path = store.removeprefix("sqlite:///") if store.startswith("sqlite:///") else None
    return Path(path.partition("?")[0] + ".csrf") if path else None
