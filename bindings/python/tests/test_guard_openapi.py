"""The document of an API says what a guard takes: alternatives, each with its scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.security import HTTPBasic, OAuth2PasswordBearer
from guard_doors import OfDrf, OfFastApi, OfLitestar, asgi
from litestar import Litestar, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from openapi_spec_validator import validate
from starlette import routing

import gatekey.fastapi
import gatekey.litestar

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


class Documented(OfLitestar):
    document = OpenAPIConfig("shop", "1")


def test_litestar(tmp_path: Path) -> None:
    door = Documented(tmp_path)
    document = door.app.openapi_schema.to_schema()
    check(document)
    assert set(document["paths"]) >= {"/orders", "/public"}
    assert not [path for path in document["paths"] if path.startswith(("/auth", "/.well-known"))]
    door.world.close()


def test_litestar_layers_pairs_and_schemes_of_the_program() -> None:
    auth = gatekey.litestar.Guard("memory:", issuer="https://shop.example", cookies=True)

    def route(path: str, *guards: Any) -> Any:
        async def handler() -> dict[str, str]:
            return {}

        return get(path, guards=list(guards))(handler)

    pair = auth.requires("a", kinds=["api_key"], pair=["session"])
    one = auth.requires("a", any_of=["b", "c"], kinds=["api_key"])
    own = route("/own", auth.requires("b", kinds=["api_key"]))
    within = Router("/in", route_handlers=[own, route("/open", auth.public())], guards=[one])
    more = Components(security_schemes={"mtls": SecurityScheme(type="mutualTLS")})
    config = OpenAPIConfig("shop", "1", components=more)
    for _ in range(2):  # a configuration that applications share
        app = Litestar(
            [route("/pair", pair), within, route("/open", auth.public())],
            plugins=[auth.plugin()],
            openapi_config=config,
        )
    document = app.openapi_schema.to_schema()
    validate(document)
    paths = document["paths"]
    assert paths["/pair"]["get"]["security"] == [
        {"bearer": ["a"], "session": []},
        {"apiKey": ["a"], "bearer": []},
        {"apiKey": ["a"], "session": []},
    ]
    alternatives = [{name: ["a", scope]} for name in ("bearer", "apiKey") for scope in "bc"]
    assert paths["/in/open"]["get"]["security"] == alternatives
    assert paths["/in/own"]["get"]["security"] == [
        {"bearer": ["a", "b"]},
        {"bearer": ["a", "c", "b"]},
        {"apiKey": ["a", "b"]},
        {"apiKey": ["a", "c", "b"]},
    ]
    assert not paths["/open"]["get"].get("security")
    assert set(document["components"]["securitySchemes"]) == {"mtls", "bearer", "apiKey", "session"}
    assert config.components is more


def test_drf_spectacular(tmp_path: Path) -> None:
    door = OfDrf(tmp_path)
    from drf_spectacular import generators

    made: Any = generators
    generator = made.SchemaGenerator(patterns=door.patterns)
    check(generator.get_schema(request=None, public=True))
    door.world.close()


def test_drf_spectacular_of_simplejwt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    door = OfDrf(tmp_path)
    from drf_spectacular import generators

    from gatekey import simplejwt

    made: Any = generators
    views = simplejwt.urls(door.guard, "api/token")
    document = made.SchemaGenerator(patterns=views).get_schema(request=None, public=True)
    told = capsys.readouterr()
    assert "rror" not in told.out + told.err, told
    validate(document)

    def members(path: str, part: str) -> set[str]:
        operation = document["paths"][path]["post"]
        body = operation["requestBody"] if part == "request" else operation["responses"]["200"]
        name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        return set(document["components"]["schemas"][name]["properties"])

    assert members("/api/token/", "request") == {"username", "password"}
    assert members("/api/token/", "answer") == {"access", "refresh"}
    assert members("/api/token/refresh/", "request") == {"refresh"}
    assert members("/api/token/refresh/", "answer") == {"access", "refresh"}
    assert members("/api/token/verify/", "request") == {"token"}
    assert members("/api/token/blacklist/", "request") == {"refresh"}
    told = document["paths"]["/api/token/"]["post"]["description"]
    assert told == "Logs a user in."
    door.world.close()


def test_the_schemes_are_what_the_guard_has(tmp_path: Path) -> None:
    own = {"cookies": False, "csrf_secret": None, "api_keys": False, "api_key_header": "X-Key"}
    door = OfFastApi(tmp_path, **own)
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


def security(app: Any, path: str) -> Any:
    return app.openapi()["paths"][path]["get"].get("security")


def test_fastapi_says_what_the_route_that_answers_takes() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    auth.install(app)
    for path, demands in {
        "/hidden-later": [(auth.requires("admin"), True), (auth.public(), False)],
        "/hidden-first": [(auth.public(), False), (auth.requires("admin"), True)],
        "/twice": [(auth.requires("read"), True), (auth.requires("other"), True)],
    }.items():
        for demand, is_shown in demands:
            app.get(path, dependencies=[demand], include_in_schema=is_shown)(lambda: "")
    with pytest.warns(UserWarning, match="Duplicate Operation ID"):
        app.openapi()
    for _ in range(2):
        assert security(app, "/hidden-later") == [{"bearer": ["admin"]}, {"apiKey": ["admin"]}]
        assert security(app, "/hidden-first") == []
        assert security(app, "/twice") == [{"bearer": ["read"]}, {"apiKey": ["read"]}]


def test_fastapi_keeps_schemes_of_the_program() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    auth.install(app)
    needed = Depends(OAuth2PasswordBearer("token"))
    asked = Depends(HTTPBasic(auto_error=False))
    key = auth.requires("a", kinds="api_key")
    for path, dependencies in {
        "/needed": [key, needed],
        "/asked": [key, asked],
        "/open": [auth.public(), needed],
        "/open-asked": [auth.public(), asked],
        "/optional": [auth.requires(kinds="api_key", optional=True), needed],
    }.items():
        app.get(path, dependencies=dependencies)(lambda: "")
    validate(app.openapi())
    guarded: list[dict[str, list[str]]] = [{"bearer": ["a"]}, {"apiKey": ["a"]}]
    own: dict[str, list[str]] = {"OAuth2PasswordBearer": []}
    basic: dict[str, list[str]] = {"HTTPBasic": []}
    for _ in range(2):
        assert security(app, "/needed") == [one | own for one in guarded]
        assert security(app, "/asked") == [*guarded, *(one | basic for one in guarded)]
        assert security(app, "/open") == [own]
        assert security(app, "/open-asked") == [basic, {}]
        every: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {}]
        assert security(app, "/optional") == [one | own for one in every]


@pytest.mark.parametrize("how", ["bare", "guarded", "public", "in a router"])
def test_fastapi_of_a_mounted_application(how: str) -> None:
    auth = gatekey.fastapi.Guard("memory:", issuer="https://shop.example", cookies=True)
    app, sub = FastAPI(), FastAPI()
    auth.install(app)
    demands: dict[str, Any] = {
        "/optional": auth.requires(kinds="api_key", optional=True),
        "/any": auth.requires(kinds="api_key", any_of=["a", "b"]),
        "/pair": auth.requires(kinds="api_key", pair="session"),
    }
    for path, demand in demands.items():
        sub.get(path, dependencies=[demand])(lambda: "")
    mounted: Any = sub
    if how == "in a router":
        mounted = routing.Router([routing.Mount("/in", sub)])
    elif how != "bare":
        mounted = auth.guarded(sub) if how == "guarded" else auth.public(sub)
    app.mount("/sub", mounted)
    asgi(app, "GET", "/", [], "192.0.2.7", {})  # it starts
    assert security(sub, "/optional")[-1] == {}
    assert {"apiKey": ["b"]} in security(sub, "/any")
    assert {"apiKey": [], "session": []} in security(sub, "/pair")


def test_litestar_of_a_handler_with_two_paths() -> None:
    auth = gatekey.litestar.Guard("memory:")

    async def handler() -> str:
        return ""

    route = get(["/a", "/b"], guards=[auth.requires("read")])(handler)
    app = Litestar([route], plugins=[auth.plugin()])
    paths = app.openapi_schema.to_schema()["paths"]
    for path in ("/a", "/b"):
        assert paths[path]["get"]["security"] == [{"bearer": ["read"]}, {"apiKey": ["read"]}]
