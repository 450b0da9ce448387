"""Every kind of credential, refused in every way, in every framework: one golden file for all.

`GATEKEY_WRITE_GOLDEN=1` writes it again; look at what has changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from guard_doors import DOORS, Door, Seen
from guard_world import Row, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).with_name("guard_golden.json")
ROWS = rows()
OURS = (
    "www-authenticate",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "cache-control",
    "x-content-type-options",
    "set-cookie",
)
LOOKED_AT = {"authorization", "cookie", "x-api-key"}
CASES = [(kind, name) for kind, found in ROWS.items() for name in found]


def written(seen: Seen) -> dict[str, Any]:
    """Give what an answer must have: what the framework adds of its own is left out."""
    headers = {name: seen.all(name) for name in OURS if seen.all(name)}
    body = seen.body.decode()
    if seen.status >= 400:
        headers["content-type"] = seen.all("content-type")
    elif body:
        body = json.loads(body)
    vary = {name.strip().lower() for value in seen.all("vary") for name in value.split(",")}
    assert vary >= LOOKED_AT, vary
    return {"status": seen.status, "headers": headers, "body": body}


class Opened:
    """The service in each framework, for rows that change nothing of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.doors: dict[str, Door] = {}

    def door(self, framework: str) -> Door:
        if framework not in self.doors:
            folder = self.folder / framework
            folder.mkdir()
            self.doors[framework] = DOORS[framework](folder)
        return self.doors[framework]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    made = Opened(tmp_path_factory.mktemp("opened"))
    yield made
    for door in made.doors.values():
        door.world.close()


def answer(framework: str, row: Row, folder: Path, opened: Opened) -> dict[str, Any]:
    is_alone = row.before is not None or "limited" in row.target
    door = DOORS[framework](folder) if is_alone else opened.door(framework)
    try:
        headers = row.make(door.world)
        if row.before is not None:
            row.before(door.world, headers)
        for _ in range(row.times):
            door.calls.clear()
            seen = door.call(row.method, row.target, headers)
        # The handler runs where it is let in, and only there.
        assert bool(door.calls) == (seen.status == 200), (door.calls, seen)
        return written(seen)
    finally:
        if is_alone:
            door.world.close()


def golden() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text())
    return found


@pytest.mark.skipif("GATEKEY_WRITE_GOLDEN" not in os.environ, reason="it is written on demand")
def test_write(tmp_path_factory: pytest.TempPathFactory, opened: Opened) -> None:
    found: dict[str, dict[str, Any]] = {}
    for kind, name in CASES:
        folder = tmp_path_factory.mktemp("golden")
        found.setdefault(kind, {})[name] = answer("starlette", ROWS[kind][name], folder, opened)
    GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def test_the_golden_file_has_every_row() -> None:
    assert {(kind, name) for kind, found in golden().items() for name in found} == set(CASES)


def test_one_answer_for_every_bad_key_and_token() -> None:
    """Nothing is told to a caller who has proved nothing, and no kind of key apart."""
    found = golden()
    for kind in ("api key", "opaque", "foreign jwt", "session bearer"):
        same = ("malformed", "bad secret", "expired", "not yet", "revoked", "wrong audience")
        bad = [found[kind][name] for name in same if name in found[kind]]
        assert len(bad) >= 5
        assert all(one == bad[0] for one in bad), kind
    for rows_of in found.values():
        for name, one in rows_of.items():
            if one["status"] >= 400:
                assert one["headers"]["cache-control"] == ["no-store"], name
                assert one["headers"]["x-content-type-options"] == ["nosniff"], name
                assert ("ratelimit" in one["headers"]) == (name == "rate"), name


def test_a_parser_of_requests_refuses_controls_before(tmp_path: Path) -> None:
    door = DOORS["aiohttp"](tmp_path)
    assert door.call("GET", "/orders", ROWS["nothing"]["control"].make(door.world)).status == 400
    assert not door.calls
    door.world.close()


@pytest.mark.parametrize("framework", DOORS)
@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda text: text.replace(" ", "-"))
def test_as_in_every_framework(
    kind: str, name: str, framework: str, tmp_path: Path, opened: Opened
) -> None:
    if (framework, name) == ("aiohttp", "control"):
        return  # its parser's answer, see above
    assert answer(framework, ROWS[kind][name], tmp_path, opened) == golden()[kind][name]
