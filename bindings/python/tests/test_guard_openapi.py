"""The document of an API says what a guard takes: alternatives, each with its scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard_doors import OfDrf, OfFastApi
from openapi_spec_validator import validate

if TYPE_CHECKING:
    from pathlib import Path

BEARER = {"type": "http", "scheme": "bearer"}
KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
COOKIE = {"type": "apiKey", "in": "cookie", "name": "__Host-access"}


def check(document: Any) -> None:
    validate(document)
    assert document["components"]["securitySchemes"] == {
        "bearer": BEARER,
        "apiKey": KEY,
        "session": COOKIE,
    }
    paths = document["paths"]
    every: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {"session": []}]
    assert paths["/any"]["get"]["security"] == every
    assert paths["/orders"]["post"]["security"] == [
        {name: ["orders:read"]} for one in every for name in one
    ]
    assert paths["/not/session"]["get"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert paths["/not/api"]["get"]["security"] == [{"bearer": []}, {"session": []}]
    assert paths["/optional"]["get"]["security"] == [*every, {}]
    for public in ("/public", "/limited-public"):
        assert not paths[public]["get"].get("security")


def test_fastapi(tmp_path: Path) -> None:
    door = OfFastApi(tmp_path)
    check(door.app.openapi())
    door.world.close()


def test_drf_spectacular(tmp_path: Path) -> None:
    door = OfDrf(tmp_path)
    from drf_spectacular import generators

    made: Any = generators
    generator = made.SchemaGenerator(patterns=door.patterns)
    check(generator.get_schema(request=None, public=True))
    door.world.close()


def test_the_schemes_are_what_the_guard_has(tmp_path: Path) -> None:
    door = OfFastApi(tmp_path, cookies=False, api_keys=False, api_key_header="X-Key")
    schemes = door.app.openapi()["components"]["securitySchemes"]
    assert schemes == {"bearer": BEARER}
    door.world.close()


def empty() -> dict[str, str]:
    return {}


def test_one_of_several_scopes_and_pairs(tmp_path: Path) -> None:
    door = OfFastApi(tmp_path)
    guard = door.guard
    one = guard.requires("a", any_of=["b", "c"], kinds=["api_key"])
    pair = guard.requires("a", kinds=["api_key"], pair=["session"])
    door.app.get("/one", dependencies=[one])(empty)
    door.app.get("/pair", dependencies=[pair])(empty)
    document = door.app.openapi()
    validate(document)
    found = {path: document["paths"][path]["get"]["security"] for path in ("/one", "/pair")}
    assert found == {
        "/one": [
            {"bearer": ["a", "b"]},
            {"bearer": ["a", "c"]},
            {"apiKey": ["a", "b"]},
            {"apiKey": ["a", "c"]},
        ],
        # Both at once; a place holds one of them.
        "/pair": [
            {"bearer": ["a"], "session": []},
            {"apiKey": ["a"], "bearer": []},
            {"apiKey": ["a"], "session": []},
        ],
    }
    assert document["paths"]["/public"]["get"]["security"] == []
    door.world.close()
