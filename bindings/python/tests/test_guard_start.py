"""A route without a guard stops the start, and is named; and what a guard is made of."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import APIRouter, FastAPI
from flask import Blueprint, Flask
from flask.views import MethodView
from guard_doors import OfDjango, OfDrf, OfFlask, asgi, set_django_up, wsgi
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

import gatekey.aiohttp
import gatekey.django
import gatekey.drf
import gatekey.fastapi
import gatekey.flask
import gatekey.starlette
from gatekey import Access, Store
from gatekey.exceptions import ConfigurationError
from gatekey.guard import Guard
from gatekey.guard.settings import csrf_secret_at
from gatekey.testing import new_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def start(app: Any) -> str:
    """Start an ASGI application; what it says of a start that has failed."""
    sent: list[Any] = []
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    failed = ""
    try:
        asyncio.run(app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send))
    except ConfigurationError as error:
        failed = str(error)
    if failed:
        assert sent == [{"type": "lifespan.startup.failed", "message": failed}]
        return failed
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    return ""


async def plain(_: Any) -> PlainTextResponse:
    return PlainTextResponse("")


def empty() -> dict[str, str]:
    return {}


async def socket(websocket: Any) -> None:
    await websocket.accept()


class Plain(HTTPEndpoint):
    async def get(self, _: Any) -> PlainTextResponse:
        return PlainTextResponse("of a class")


class Socket(WebSocketEndpoint):
    pass


STARLETTE: dict[str, Callable[[Path], Any]] = {
    "/plain (Route)": lambda _: Route("/plain", plain),
    "/class (Route)": lambda _: Route("/class", Plain),
    "/ws (WebSocketRoute)": lambda _: WebSocketRoute("/ws", Socket),
    "/files (Mount)": lambda folder: Mount("/files", StaticFiles(directory=folder)),
    "/sub/plain (Route)": lambda _: Mount("/sub", Starlette(routes=[Route("/plain", plain)])),
    "/in/plain (Route)": lambda _: Mount("/in", routes=[Route("/plain", plain)]),
    "/plain (Route) ": lambda _: Host("api.test", Starlette(routes=[Route("/plain", plain)])),
}


@pytest.mark.parametrize("name", STARLETTE)
def test_starlette(name: str, tmp_path: Path) -> None:
    auth = gatekey.starlette.Guard("memory:")
    guarded = Route("/good", auth.requires()(plain))
    app = Starlette(routes=[guarded])
    auth.install(app)
    app.router.routes.append(STARLETTE[name](tmp_path))  # after install
    said = start(app)
    assert name.strip() in said
    assert "/good" not in said
    with pytest.raises(ConfigurationError):
        asgi(app, "GET", "/good", [], "192.0.2.7", {})


def test_starlette_all_guarded(tmp_path: Path) -> None:
    auth = gatekey.starlette.Guard("memory:")
    sub = Starlette(routes=[Route("/plain", auth.requires()(plain))])
    app = Starlette(
        routes=[
            Route("/plain", auth.requires()(plain)),
            Route("/class", auth.requires()(Plain)),
            Route("/open", auth.public(plain)),
            Route("/named", plain, name="health"),
            WebSocketRoute("/ws", auth.requires()(Socket)),
            Mount("/files", auth.guarded(StaticFiles(directory=tmp_path))),
            Mount("/shown", auth.public(StaticFiles(directory=tmp_path))),
            Mount("/sub", sub),
        ]
    )
    auth.install(app, public=["health"])
    assert start(app) == ""
    (tmp_path / "a.txt").write_text("a")
    key = [("X-API-Key", new_key(auth))]
    for path in ("/plain", "/class", "/files/a.txt", "/sub/plain"):
        assert asgi(app, "GET", path, [], "192.0.2.7", {}).status == 401, path
        assert asgi(app, "GET", path, key, "192.0.2.7", {}).status == 200, path
    for path in ("/open", "/named", "/shown/a.txt"):
        assert asgi(app, "GET", path, [], "192.0.2.7", {}).status == 200, path
    # One that is added while it runs.
    app.router.routes.append(Route("/late", plain))
    with pytest.raises(ConfigurationError, match="/late"):
        asgi(app, "GET", "/late", key, "192.0.2.7", {})


def test_fastapi(tmp_path: Path) -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    auth.install(app)
    app.get("/good", dependencies=[auth.requires()])(empty)
    app.get("/open", dependencies=[auth.public()])(empty)
    whole = APIRouter(dependencies=[auth.requires("a")])
    whole.get("/of-router")(empty)
    app.include_router(whole, prefix="/v1")
    app.include_router(APIRouter(), dependencies=[auth.requires()])
    assert start(app) == ""
    bare = APIRouter()
    bare.get("/bare")(empty)
    app.include_router(bare, prefix="/v2")
    app.get("/plain")(empty)
    app.add_api_websocket_route("/ws", socket)
    app.mount("/files", StaticFiles(directory=tmp_path))
    sub = FastAPI(docs_url=None, redoc_url=None)
    sub.get("/inner")(empty)
    app.mount("/sub", sub)
    said = start(app)
    for name in ("/v2/bare (APIRoute)", "/plain (APIRoute)", "/ws", "/files (Mount)", "/sub/inner"):
        assert name in said, said
    for name in ("/good", "/open", "/v1", "/docs", "/openapi.json", "/auth"):
        assert name not in said, said


def test_fastapi_routes_of_a_router_that_is_included_already() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app, shop = FastAPI(), APIRouter()
    auth.install(app)
    app.include_router(shop)
    assert start(app) == ""
    shop.get("/late")(empty)
    with pytest.raises(ConfigurationError, match="/late"):
        asgi(app, "GET", "/late", [], "192.0.2.7", {})


def test_fastapi_refuses_in_a_mounted_application() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app, sub = FastAPI(), FastAPI()
    auth.install(app)

    async def inner(who: Any) -> dict[str, str | None]:
        return {"subject": who.subject}

    inner.__annotations__["who"] = Annotated[Access, auth.requires()]
    sub.get("/inner")(inner)
    app.mount("/sub", sub)
    seen = asgi(app, "GET", "/sub/inner", [], "192.0.2.7", {})
    assert (seen.status, seen.one("content-type")) == (401, "application/problem+json")
    key = [("X-API-Key", new_key(auth))]
    assert asgi(app, "GET", "/sub/inner", key, "192.0.2.7", {}).json == {"subject": "acme"}


def test_aiohttp(tmp_path: Path) -> None:
    auth = gatekey.aiohttp.Guard("memory:")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=auth.access(request).subject)

    class View(web.View):
        async def get(self) -> web.Response:
            return web.Response(text="of a class")

    def app(*routes: web.RouteDef | web.StaticDef) -> web.Application:
        made = web.Application()
        auth.install(made, public=["files"])
        made.add_routes(routes)  # after install
        return made

    async def started(one: web.Application) -> list[int]:
        key = {"X-API-Key": new_key(auth)}
        async with TestClient(TestServer(one)) as client:
            return [
                (await client.get(path, headers=headers)).status
                for path in ("/good", "/view")
                for headers in ({}, key)
            ]

    sub = web.Application()
    sub.router.add_get("/inner", handler)
    bare = app(web.get("/plain", handler), web.view("/view", View), web.static("/bare", tmp_path))
    bare.add_subapp("/sub", sub)
    with pytest.raises(ConfigurationError) as raised:
        asyncio.run(TestServer(bare).start_server())
    for name in ("/plain (GET)", "/view (*)", "/bare (GET)", "/sub/inner (GET)"):
        assert name in str(raised.value)
    good = app(
        web.get("/good", auth.requires()(handler)),
        web.view("/view", auth.requires()(View)),
        web.get("/open", auth.public(handler)),
        web.static("/files", tmp_path, name="files"),
    )
    assert asyncio.run(started(good)) == [401, 200, 401, 200]


def test_flask_order_of_decorators() -> None:
    auth = gatekey.flask.Guard("memory:")
    app = Flask("shop", static_folder=None)
    auth.install(app)

    def view() -> str:
        return ""

    app.get("/plain")(view)
    with pytest.raises(ConfigurationError, match=r"`view` stands above its route"):
        auth.requires()(view)
    with pytest.raises(ConfigurationError, match=r"/plain \(view\)"):
        wsgi(app, "GET", "/plain", [], "192.0.2.7", {})


IN_A_MODULE = """
from flask import Blueprint, Flask
from gatekey.flask import Guard
auth = Guard("memory:")
app = Flask(__name__, static_folder=None)
shop = Blueprint("shop", __name__)

@auth.requires("orders:read")
@{place}.get("/orders")
def orders():
    return "secret"
"""


@pytest.mark.parametrize("place", ["app", "shop"])
def test_flask_order_of_decorators_at_import(place: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`orders` stands above"):
        exec(IN_A_MODULE.format(place=place), {"__name__": "shop"})  # noqa: S102


def test_flask_views_that_are_replaced() -> None:
    auth = gatekey.flask.Guard("memory:")
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/plain", "plain", auth.requires()(lambda: ""))
    auth.install(app)
    assert wsgi(app, "GET", "/plain", [], "192.0.2.7", {}).status == 401
    app.view_functions["plain"] = lambda: "secret"
    with pytest.raises(ConfigurationError, match="/plain"):
        wsgi(app, "GET", "/plain", [], "192.0.2.7", {})


def test_flask_blueprints_classes_and_files(tmp_path: Path) -> None:
    auth = gatekey.flask.Guard("memory:")
    (tmp_path / "static").mkdir()
    app = Flask("shop", root_path=str(tmp_path))
    shop = Blueprint("shop", "shop")
    shop.get("/bare")(lambda: "")

    class Orders(MethodView):
        def get(self) -> str:
            return ""

    app.register_blueprint(shop, url_prefix="/shop")
    app.add_url_rule("/class", view_func=Orders.as_view("class"))
    with pytest.raises(ConfigurationError) as raised:
        auth.install(app)
    for name in ("/shop/bare", "/class", "/static/"):
        assert name in str(raised.value)
    good = Flask("shop", root_path=str(tmp_path))

    @auth.requires()
    class Guarded(MethodView):
        def get(self) -> str:
            return str(auth.access.subject)

    good.add_url_rule("/class", view_func=Guarded.as_view("class"))
    auth.install(good, public=["static"])
    assert wsgi(good, "GET", "/class", [], "192.0.2.7", {}).status == 401
    key = [("X-API-Key", new_key(auth))]
    assert wsgi(good, "GET", "/class", key, "192.0.2.7", {}).body == b"acme"


def test_django_names_what_has_no_guard(tmp_path: Path) -> None:
    set_django_up()
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpResponse
    from django.urls import include
    from django.urls import path as url_path
    from django.views import View

    def view(_: Any) -> HttpResponse:
        return HttpResponse("")

    class Orders(View):
        def get(self, _: Any) -> HttpResponse:
            return HttpResponse("of a class")

    door = OfDjango(tmp_path)
    key = door.world.key()
    inner = ([url_path("view", view, name="inner")], "shop")
    door.patterns += [
        url_path("plain", view),
        url_path("class", Orders.as_view()),
        url_path("in/", include(inner)),
    ]
    with pytest.raises(ImproperlyConfigured) as raised:
        door.start()
    for name in ("/plain", "/class", "/in/view (shop:inner)"):
        assert name in str(raised.value)
    # Nothing runs that was added after the start.
    for path in ("/plain", "/class", "/in/view"):
        seen = door.call("GET", path, key)
        assert (seen.status, b"of a class" in seen.body) == (500, False)
    del door.patterns[-3:]
    guarded = door.guard.requires("orders:read")(Orders)
    door.patterns.append(url_path("class", guarded.as_view()))
    door.start()
    assert door.call("GET", "/class").status == 401
    assert door.call("GET", "/class", key).body == b"of a class"


def test_drf_views_with_permissions_of_their_own(tmp_path: Path) -> None:
    set_django_up()
    from django.core.exceptions import ImproperlyConfigured
    from django.urls import path as url_path
    from rest_framework.permissions import AllowAny
    from rest_framework.views import APIView

    door = OfDrf(tmp_path)
    own: Any = type("Own", (APIView,), {"permission_classes": [AllowAny]})
    door.patterns.append(url_path("own", own.as_view()))
    with pytest.raises(ImproperlyConfigured, match="/own"):
        door.start()


def test_a_rate_is_not_charged_for_a_scope_that_lacks(tmp_path: Path) -> None:
    for door_class in (OfFlask, OfDrf):
        folder = tmp_path / door_class.__name__
        folder.mkdir()
        door = door_class(folder)
        key = door.world.key(scopes=["other"], rate="1/60s")
        assert [door.call("GET", "/orders", key).status for _ in range(3)] == [403] * 3
        assert door.call("GET", "/any", key).status == 200
        door.world.close()


# ---- what it is made of ----


def test_importing_gatekey_imports_no_framework() -> None:
    names = "starlette fastapi flask django rest_framework asyncio.events aiohttp httpx requests"
    code = (
        "import sys, gatekey, gatekey.guard, gatekey.testing\n"
        f"assert not set(sys.modules) & set({names.split()!r}), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)  # noqa: S603


def test_options_of_the_environment(tmp_path: Path) -> None:
    secret, pepper = tmp_path / "csrf", tmp_path / "pepper"
    pepper.write_text(f"1 {'5e' * 32}\n")
    pepper.chmod(0o600)
    env = {
        "GATEKEY_STORE": str(tmp_path / "auth.sqlite"),
        "GATEKEY_PEPPER_FILE": str(pepper),
        "GATEKEY_ISSUER": "https://shop.example",
        "GATEKEY_AUDIENCE": "https://api.example",
        "GATEKEY_CSRF_SECRET_FILE": str(secret),
        "GATEKEY_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1 unix",
        "GATEKEY_PUBLIC_URL": "https://shop.example/app",
        "PATH": os.environ["PATH"],
    }
    auth = Guard.from_env(env, cookies=True)
    assert auth.sessions is not None
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    tokens = auth.start_session("alice", scopes=["a"]).tokens
    auth.close()
    again = Guard.from_env(env, cookies=True)
    assert tokens is not None
    assert again.cookies is not None
    assert again.cookies.names[0] == "__Host-access"
    again.close()
    with pytest.raises(ConfigurationError, match="GATEKEY_STORE"):
        Guard.from_env({"GATEKEY_STORE": " ", "HOME": "/root"})
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Guard.from_env(env, cookies=True)
    secret.chmod(0o600)
    secret.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="fewer than 32 bytes"):
        Guard.from_env(env, cookies=True)


def test_a_csrf_secret_of_random_bytes_is_taken_whole(tmp_path: Path) -> None:
    file = tmp_path / "csrf"
    for raw, taken in (
        (b"\n" + b"\xff" * 30 + b" ", b"\n" + b"\xff" * 30 + b" "),
        (b"5e" * 32 + b"\r\n", b"5e" * 32),
    ):
        file.write_bytes(raw)
        file.chmod(0o600)
        assert csrf_secret_at(file) == taken


def test_the_csrf_secret_is_beside_the_store(tmp_path: Path) -> None:
    made = Guard(tmp_path / "auth.sqlite", cookies=True)
    assert (tmp_path / "auth.sqlite.csrf").stat().st_mode & 0o777 == 0o600
    made.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "nobody to let in"),
        ({"store": "memory:", "cookies": True, "sessions": False}, "sessions"),
        ({"sessions": True}, "store"),
        ({"store": "memory:", "issuers": {"https://i.example": None}}, "audience"),
        (
            {"store": "memory:", "cookies": True, "csrf_secret": "x" * 32, "csrf_secret_file": "y"},
            "one of",
        ),
        ({"store": "memory:", "origins": ["http://shop.example"]}, "http"),
        (
            {"store": "memory:", "cookies": True, "public_url": "http://localhost:8000"},
            "`public_url` is 'http://localhost:8000': .*danger_allow_http=True",
        ),
        ({"store": "memory:", "trusted_proxies": "10.0.0.0/99"}, "10.0.0|network|prox"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Guard(options.pop("store", None), **options)


def test_demands_that_contradict_each_other() -> None:
    auth = Guard("memory:")
    every: tuple[dict[str, Any], ...] = (
        {"csrf_always": True, "danger_no_csrf": True},
        {"same_tenant": True},
        {"kinds": "token"},
        {"acr_values": []},
        {"claims": {}},
        {"limits": {}},
    )
    for wrong in every:
        with pytest.raises((ConfigurationError, gatekey.exceptions.UsageError)):
            auth.demand(**wrong)
    with pytest.raises(ConfigurationError):
        auth.demand("two scopes")
    with pytest.raises(TypeError, match="limits"):
        auth.demand(limits="5/min")
    view = gatekey.flask.Guard("memory:").requires()(lambda: "")
    with pytest.raises(ConfigurationError, match="two guards"):
        gatekey.flask.Guard("memory:").requires()(view)


def test_what_is_dangerous_or_new_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = "http://localhost:8000"
    made = Guard(tmp_path / "auth.sqlite", cookies=True, public_url=url, danger_allow_http=True)
    made.close()
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [each for each in warned if "danger_allow_http" in each and "production" in each]
    assert [each for each in warned if str(tmp_path / "auth.sqlite.csrf") in each]
    caplog.clear()
    made = Guard(tmp_path / "auth.sqlite", cookies=True, public_url="https://shop.example")
    made.close()
    assert not caplog.records


def test_the_guard_of_a_route_is_the_one_that_is_installed() -> None:
    told = "another guard is installed"
    for of in (gatekey.starlette, gatekey.fastapi):
        installed, other = of.Guard("memory:"), of.Guard("memory:")
        key = {"x-api-key": new_key(other)}
        app = Starlette() if of is gatekey.starlette else FastAPI()
        if isinstance(app, FastAPI):
            app.get("/orders", dependencies=[gatekey.fastapi.Guard.requires(other)])(empty)
        else:
            guarded = gatekey.starlette.Guard.requires(other)(plain)
            app.router.routes.append(Route("/orders", guarded))
        installed.install(app)
        with pytest.raises(ConfigurationError, match=told):
            asgi(app, "GET", "/orders", list(key.items()), "192.0.2.7", {})
    installed, other = gatekey.flask.Guard("memory:"), gatekey.flask.Guard("memory:")
    flask = Flask(__name__)
    flask.testing = True
    flask.get("/orders")(other.requires()(lambda: "seen"))
    installed.install(flask)
    with pytest.raises(ConfigurationError, match=told):
        flask.test_client().get("/orders", headers={"X-API-Key": new_key(other)})

    async def of_aiohttp() -> int:
        auth, another = gatekey.aiohttp.Guard("memory:"), gatekey.aiohttp.Guard("memory:")
        app = web.Application()

        async def handler(_: web.Request) -> web.Response:
            return web.Response()

        app.router.add_get("/orders", another.requires()(handler))
        auth.install(app)
        async with TestClient(TestServer(app)) as client:
            answer = await client.get("/orders", headers={"X-API-Key": new_key(another)})
            return answer.status

    assert asyncio.run(of_aiohttp()) == 500


def test_it_is_shared_and_shows_no_secret() -> None:
    auth = Guard(
        Store.open("memory:"), issuer="https://i.example", cookies=True, csrf_secret="x" * 32
    )
    assert repr(auth) == "<gatekey.guard.Guard of api_keys, sessions, cookies>"
    with pytest.raises(TypeError, match="share it"):
        auth.__reduce__()
