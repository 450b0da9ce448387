"""The page about event loops lists every method, by whether it waits; as `test_gil.py` knows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from asking import CASES

import gatekey

PAGE = Path(__file__).parents[3] / "docs" / "processes.md"
CLASSES = (
    gatekey.ApiKeys,
    gatekey.Cookie,
    gatekey.Csrf,
    gatekey.KeyRing,
    gatekey.OAuthClient,
    gatekey.RemoteKeySet,
    gatekey.ResourceServer,
    gatekey.Revocations,
    gatekey.SessionCookies,
    gatekey.Sessions,
    gatekey.Signer,
    gatekey.Store,
    gatekey.TokenManager,
    gatekey.Verifier,
)


def listed(kind: str) -> set[str]:
    """Give the names in the first column of the table under this heading."""
    section = PAGE.read_text().split(f"### {kind}\n")[1].split("\n##")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    return {name for cell in cells for name in re.findall(r"`([A-Za-z_.]+)`", cell)}


MEMORY, READS, WRITES = (
    listed(kind) for kind in ("Memory only", "May wait", "May write, may wait")
)


@pytest.mark.parametrize("owner", CLASSES, ids=lambda owner: owner.__name__)
def test_every_method_is_listed(owner: type) -> None:
    methods = {
        f"{owner.__name__}.{name}"
        for base in owner.__mro__
        for name in vars(base)
        if base is not object and not name.startswith("_") and callable(getattr(owner, name))
    } - {f"{owner.__name__}.wants_refresh"}
    assert methods
    assert methods <= MEMORY | READS | WRITES, sorted(methods - MEMORY - READS - WRITES)


def test_what_waits_is_not_listed_as_memory_alone() -> None:
    names = {name.split()[0].lstrip("_") for name in CASES if "dropped" not in name}
    names = {name.removesuffix(".__new__") for name in names}
    # What Python calls itself, and what is behind the classes.
    waits = {name for name in names if "._" not in name and not name.startswith("Operation")}
    assert len(waits) > 50
    assert waits <= READS | WRITES, sorted(waits - READS - WRITES)


def test_what_is_listed_is_there() -> None:
    for name in MEMORY | READS | WRITES:
        if name.startswith(("gk_", "_")) or name in ("finish", "logout_notice", "replay"):
            continue
        owner, _, member = name.partition(".")
        # That of the core, which those for frameworks are made of.
        thing = gatekey._core._Guard if owner == "Guard" else getattr(gatekey, owner)
        assert not member or hasattr(thing, member), name
