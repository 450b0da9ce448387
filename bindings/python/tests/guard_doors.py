"""One service in every framework, and requests to it as servers hand them over.

No client of a framework's changes them.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import sys
import tempfile
import types
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import django
from aiohttp import web
from aiohttp.test_utils import TestServer
from django.conf import settings
from fastapi import FastAPI
from flask import Flask
from guard_world import World
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar.handlers import HTTPRouteHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import gatekey.aiohttp
import gatekey.django
import gatekey.drf
import gatekey.fastapi
import gatekey.flask
import gatekey.litestar
import gatekey.starlette
from gatekey import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PEER = "192.0.2.7"
ROUTES: dict[str, dict[str, Any]] = {
    "/orders": {"scopes": ["orders:read"]},
    "/any": {},
    "/tenant": {"tenant": "acme"},
    "/optional": {"optional": True},
    "/limited": {"limits": {"limited": "1/min"}},
    "/not/api": {"kinds": ["session", "jwt", "opaque"]},
    "/not/session": {"kinds": ["api_key", "jwt", "opaque"]},
    "/not/foreign": {"kinds": ["api_key", "session", "opaque"]},
    "/not/opaque": {"kinds": ["api_key", "session", "jwt"]},
}
"""What the routes demand, in every framework."""
PUBLIC: dict[str, dict[str, Any]] = {
    "/public": {},
    "/limited-public": {"limits": {"p": "1/min"}},
    "/own-pages": {"own_pages": True},
}


def shown(who: Access) -> dict[str, object]:
    return {"kind": who.kind, "by": who.proved_by, "subject": who.subject, "scopes": who.scopes}


@dataclass(frozen=True)
class Seen:
    """An answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for own, value in self.headers if own.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) <= 1, (name, found)
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door(ABC):
    """A service in one framework."""

    is_asgi = True
    has_peers = True
    """Whether a test says where a request comes from, and may send what no parser lets pass."""
    app: Any
    guard_class: Any

    def __init__(self, folder: Path, **options: Any) -> None:
        self.world = World(self.guard_class, folder, options)
        self.guard: Any = self.world.guard
        self.calls: list[str] = []
        self.logins: list[Any] = []
        self.lets_in = True
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make the application."""

    def requires(self, demand: dict[str, Any]) -> Any:
        scopes = demand.get("scopes", ())
        return self.guard.requires(
            *scopes, **{name: value for name, value in demand.items() if name != "scopes"}
        )

    def seen(self, path: str) -> None:
        """Note that a handler runs."""
        self.calls.append(path)

    def call(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        peer: str = PEER,
        **scope: Any,
    ) -> Seen:
        call = asgi if self.is_asgi else wsgi
        return call(self.app, method, path, list(headers), peer, scope)


def asgi(
    app: Any,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    peer: str,
    more: dict[str, Any],
) -> Seen:
    body = more.pop("body", b"")
    query = more.pop("query", "")
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": pairs,
        "client": (peer, 5000),
        "server": ("testserver", 80),
    } | more
    sent: list[Any] = []

    coming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Seen(start["status"], told, body)


def wsgi(
    app: Any,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    peer: str,
    more: dict[str, Any],
) -> Seen:
    sent: bytes = more.pop("body", b"")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": more.pop("query", ""),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer,
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    } | more
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    told: list[Any] = []

    def start_response(status: str, pairs: list[tuple[str, str]], _: Any = None) -> Any:
        told[:] = [int(status.split()[0]), pairs]

    chunks = app(environ, start_response)
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return Seen(told[0], [(name, value.strip()) for name, value in told[1]], body)


class OfStarlette(Door):
    guard_class = gatekey.starlette.Guard

    def build(self) -> None:
        routes = []
        for path, demand in ROUTES.items():
            routes.append(self.route(path, self.requires(demand)))
        for path, demand in PUBLIC.items():
            routes.append(self.route(path, self.guard.public(**demand)))

        async def log_in(request: Request) -> JSONResponse:
            response = JSONResponse({})
            await self.guard.log_in(request, response, "alice", scopes=["orders:read"])
            return response

        routes.append(Route("/log-in", self.guard.public(log_in), methods=["POST"]))

        async def form(request: Request) -> JSONResponse:
            response = JSONResponse({})
            response.headers["x-token"] = self.guard.form_token(request, response)
            return response

        routes.append(Route("/form", self.guard.public(form)))
        self.app: Any = Starlette(routes=[*routes, *self.more()])
        self.guard.install(self.app)

    def more(self) -> list[Any]:
        return []

    def route(self, path: str, guarding: Callable[[Any], Any]) -> Route:
        async def endpoint(request: Request) -> JSONResponse:
            self.seen(path)
            return JSONResponse(shown(self.guard.access(request)))

        return Route(path, guarding(endpoint), methods=["GET", "POST", "OPTIONS"])


class OfFastApi(Door):
    guard_class = gatekey.fastapi.Guard

    def build(self) -> None:
        self.app: Any = FastAPI()
        for path, demand in ROUTES.items():
            self.route(path, self.requires(demand))
        for path, demand in PUBLIC.items():
            self.route(path, self.guard.public(**demand))

        async def log_in(request: Request, response: Response) -> dict[str, str]:
            await self.guard.log_in(request, response, "alice", scopes=["orders:read"])
            return {}

        log_in.__annotations__ = {"request": Request, "response": Response}
        public = [self.guard.public()]
        self.app.add_api_route("/log-in", log_in, methods=["POST"], dependencies=public)

        async def form(request: Request, response: Response) -> dict[str, str]:
            response.headers["x-token"] = self.guard.form_token(request, response)
            return {}

        form.__annotations__ = {"request": Request, "response": Response}
        self.app.add_api_route("/form", form, dependencies=public)
        self.guard.install(self.app)

    def route(self, path: str, guarding: Any) -> None:
        async def endpoint(who: Any) -> dict[str, object]:
            self.seen(path)
            return shown(who)

        endpoint.__annotations__["who"] = Annotated[Access, guarding]
        for method in ("GET", "POST", "OPTIONS"):
            self.app.add_api_route(path, endpoint, methods=[method])


class OfLitestar(Door):
    guard_class = gatekey.litestar.Guard
    document: Any = None

    def build(self) -> None:
        handlers = [self.route(path, self.requires(demand)) for path, demand in ROUTES.items()]
        for path, demand in PUBLIC.items():
            handlers.append(self.route(path, self.guard.public(**demand)))

        async def log_in(request: Any) -> dict[str, str]:
            await self.guard.log_in(request, "alice", scopes=["orders:read"])
            return {}

        handlers.append(self.made("/log-in", ["POST"], self.guard.public(), log_in))

        async def form(request: Any) -> dict[str, str]:
            return {"token": self.guard.form_token(request)}

        handlers.append(self.made("/form", ["GET"], self.guard.public(), form))
        self.app: Any = Litestar(
            [*handlers, *self.more()],
            plugins=[self.guard.plugin()],
            openapi_config=self.document,
            logging_config=None,
        )

    def more(self) -> list[Any]:
        return []

    def route(self, path: str, guarding: Any) -> HTTPRouteHandler:
        async def endpoint(request: Any) -> dict[str, Any]:
            self.seen(path)
            return shown(self.guard.access(request))

        return self.made(path, ["GET", "POST", "OPTIONS"], guarding, endpoint)

    def made(self, path: str, methods: Any, guarding: Any, endpoint: Any) -> HTTPRouteHandler:
        endpoint.__annotations__["request"] = LitestarRequest
        endpoint.__annotations__["return"] = dict
        handler = HTTPRouteHandler(path, http_method=methods, guards=[guarding], status_code=200)
        return handler(endpoint)


class OfFlask(Door):
    guard_class = gatekey.flask.Guard
    is_asgi = False

    def build(self) -> None:
        self.app: Any = Flask("shop", static_folder=None)
        for path, demand in ROUTES.items():
            self.route(path, self.requires(demand))
        for path, demand in PUBLIC.items():
            self.route(path, self.guard.public(**demand))

        def log_in() -> Any:
            response = self.app.make_response({})
            self.guard.log_in(response, "alice", scopes=["orders:read"])
            return response

        self.app.add_url_rule("/log-in", "log_in", self.guard.public(log_in), methods=["POST"])

        def form() -> Any:
            response = self.app.make_response({})
            response.headers["x-token"] = self.guard.form_token(response)
            return response

        self.app.add_url_rule("/form", "form", self.guard.public(form))
        self.guard.install(self.app)

    def route(self, path: str, guarding: Callable[[Any], Any]) -> None:
        def view() -> dict[str, object]:
            self.seen(path)
            return shown(self.guard.access)

        self.app.add_url_rule(
            path,
            path[1:].replace("/", "_"),
            guarding(view),
            methods=["GET", "POST", "OPTIONS"],
            provide_automatic_options=False,
        )


class OfDjango(Door):
    guard_class = gatekey.django.Guard
    is_asgi = False
    more: tuple[Any, ...] = ()

    def build(self) -> None:
        set_django_up()
        from django.urls import path as url_path

        self.patterns: list[Any] = []
        for path, demand in ROUTES.items():
            self.patterns.append(self.route(url_path, path, self.requires(demand)))
        for path, demand in PUBLIC.items():
            self.patterns.append(self.route(url_path, path, self.guard.public(**demand)))
        self.patterns.append(url_path("log-in", self.log_in(), name="log-in"))
        self.patterns.append(url_path("form", self.public(self.form), name="form"))
        self.patterns += [*self.guard.urls(), *self.more]
        self.start()

    def log_in(self) -> Any:
        from django.http import JsonResponse

        def view(request: Any) -> Any:
            response = JsonResponse({})
            self.guard.log_in(request, response, "alice", scopes=["orders:read"])
            return response

        return self.public(view)

    def form(self, request: Any) -> Any:
        from django.http import JsonResponse

        response = JsonResponse({})
        response["x-token"] = self.guard.form_token(request, response)
        return response

    def public(self, view: Any) -> Any:
        return self.guard.public(view)

    def start(self) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        self.activate()
        self.app = WSGIHandler()

    def activate(self) -> None:
        from django.urls import clear_url_caches

        sys.modules["guard_urls"].urlpatterns = self.patterns  # type: ignore[attr-defined]
        clear_url_caches()

    def route(self, url_path: Any, path: str, guarding: Callable[[Any], Any]) -> Any:
        from django.http import JsonResponse

        def view(request: Any) -> Any:
            self.seen(path)
            return JsonResponse(shown(self.guard.access(request)))

        return url_path(path[1:], guarding(view), name=path[1:])

    def call(self, *args: Any, **kwargs: Any) -> Seen:
        self.activate()
        return super().call(*args, **kwargs)


class OfDjangoAsync(OfDjango):
    is_asgi = True

    def start(self) -> None:
        from django.core.handlers.asgi import ASGIHandler

        self.activate()
        self.app = ASGIHandler()

    def route(self, url_path: Any, path: str, guarding: Callable[[Any], Any]) -> Any:
        from django.http import JsonResponse

        async def view(request: Any) -> Any:
            self.seen(path)
            return JsonResponse(shown(self.guard.access(request)))

        return url_path(path[1:], guarding(view), name=path[1:])


class OfDrf(OfDjango):
    guard_class = gatekey.drf.Guard

    def public(self, view: Any) -> Any:
        return self.guard.public_view(view)

    def route(self, url_path: Any, path: str, guarding: Any) -> Any:
        from rest_framework.response import Response
        from rest_framework.views import APIView

        def handle(view: Any, request: Any) -> Any:  # noqa: ARG001
            self.seen(path)
            return Response(shown(self.guard.access(request._request)))

        members = dict.fromkeys(("get", "post", "options"), handle) | {
            "authentication_classes": [self.guard.authentication],
            "permission_classes": [guarding],
        }
        view: Any = type("View", (APIView,), members)
        return url_path(path[1:], view.as_view(), name=path[1:])


class OfAiohttp(Door):
    """A real server: there is no other way in."""

    guard_class = gatekey.aiohttp.Guard
    has_peers = False

    def build(self) -> None:
        self.app = web.Application()
        for path, demand in ROUTES.items():
            self.route(path, self.requires(demand))
        for path, demand in PUBLIC.items():
            self.route(path, self.guard.public(**demand))

        async def log_in(request: web.Request) -> web.Response:
            response = web.json_response({})
            await self.guard.log_in(request, response, "alice", scopes=["orders:read"])
            return response

        self.app.router.add_post("/log-in", self.guard.public(log_in))

        async def form(request: web.Request) -> web.Response:
            response = web.json_response({})
            response.headers["x-token"] = self.guard.form_token(request, response)
            return response

        self.app.router.add_get("/form", self.guard.public(form))
        self.guard.install(self.app)
        self.loop = asyncio.new_event_loop()
        self.server = TestServer(self.app)
        self.loop.run_until_complete(self.server.start_server())
        self.world.closing.append(self.stop)

    def stop(self) -> None:
        self.loop.run_until_complete(self.server.close())
        self.loop.close()

    def route(self, path: str, guarding: Callable[[Any], Any]) -> None:
        async def handler(request: web.Request) -> web.Response:
            self.seen(path)
            return web.json_response(shown(self.guard.access(request)))

        guarded = guarding(handler)
        for method in ("GET", "POST", "OPTIONS"):
            self.app.router.add_route(method, path, guarded)

    def call(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), **more: Any
    ) -> Seen:
        return self.loop.run_until_complete(self.sent(method, path, list(headers), more))

    async def sent(
        self, method: str, path: str, headers: list[tuple[str, str]], more: dict[str, Any]
    ) -> Seen:
        target = path + ("?" + more["query"] if "query" in more else "")
        lines = [f"{method} {target} HTTP/1.1", "Connection: close"]
        if not any(name == "Host" for name, _ in headers):
            lines.append("Host: shop.example")
        lines += [f"{name}: {value}" for name, value in headers]
        reader, writer = await asyncio.open_connection(self.server.host, self.server.port)
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + more.get("body", b""))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        status, *pairs = head.decode("latin-1").split("\r\n")
        told = [(name, value.strip()) for name, _, value in (pair.partition(":") for pair in pairs)]
        return Seen(int(status.split()[1]), told, body)


def database() -> dict[str, Any]:
    """Give a file that is gone with the process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/users.sqlite"}


def set_django_up() -> None:
    """Configure Django, which a process does once."""
    if settings.configured:
        return
    sys.modules["guard_urls"] = types.ModuleType("guard_urls")
    settings.configure(
        SECRET_KEY="of the tests, as long as those that Django makes itself",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="guard_urls",
        MIDDLEWARE=["gatekey.django.GuardMiddleware"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "rest_framework_simplejwt.token_blacklist",
            "drf_spectacular",
        ],
        REST_FRAMEWORK={
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
            "UNAUTHENTICATED_USER": None,
        },
        DATABASES={"default": database()},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
    )
    django.setup()


DOORS: dict[str, type[Door]] = {
    "fastapi": OfFastApi,
    "starlette": OfStarlette,
    "aiohttp": OfAiohttp,
    "litestar": OfLitestar,
    "flask": OfFlask,
    "django": OfDjango,
    "django async": OfDjangoAsync,
    "drf": OfDrf,
}
