"""The cookies of log-ins and log-outs are in the answer that really leaves, in every framework; and
what would be lost silently is said: a refused log-out, headers that are sent, a guard without its
hooks."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from django.conf import settings
from fastapi import FastAPI
from flask import Flask, stream_with_context
from guard_doors import (
    DOORS,
    Door,
    OfAiohttp,
    OfDjango,
    OfDjangoAsync,
    OfDrf,
    OfFastApi,
    OfFlask,
    OfLitestar,
    OfStarlette,
    Seen,
    asgi,
    set_django_up,
    wsgi,
)
from guard_world import OWN
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import Response as LitestarResponse
from litestar.handlers import HTTPRouteHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import gatekey.aiohttp
import gatekey.django
import gatekey.drf
import gatekey.fastapi
import gatekey.flask
import gatekey.litestar
import gatekey.starlette
from gatekey.exceptions import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

PEER = "192.0.2.7"
set_django_up()


class BrokenError(Exception):
    """What a route raises."""


def after(end: str) -> int:
    """Give the status that a route answers with after it has logged in or out."""
    if end == "raises":
        raise BrokenError
    return {"throws away": 200, "fails": 422}[end]


WAYS = [
    (f"/{what}/{end}", what, end)
    for what in ("in", "out")
    for end in ("throws away", "fails", "raises")
]


def path_of(path: str) -> str:
    return path.replace(" ", "-")


def starlette_routes(auth: Any) -> list[Any]:
    def made(what: str, end: str) -> Any:
        async def endpoint(request: Request) -> Response:
            if what == "in":
                await auth.log_in(request, Response(), "alice")
            else:
                await auth.log_out(request, Response())
            status = after(end)
            return PlainTextResponse("", status, {"Cache-Control": "public, max-age=60"})

        return endpoint

    async def streaming(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            with pytest.raises(UsageError, match="sent already"):
                await auth.log_in(request, Response(), "late")
            yield b"b"

        return StreamingResponse(chunks())

    found = [(path_of(path), made(what, end)) for path, what, end in WAYS]
    return [*found, ("/streaming", streaming)]


class Starlettes(OfStarlette):
    def more(self) -> list[Any]:
        return [
            Route(path, self.guard.public(endpoint), methods=["POST"])
            for path, endpoint in starlette_routes(self.guard)
        ]


class FastApis(OfFastApi):
    def build(self) -> None:
        super().build()
        for path, endpoint in starlette_routes(self.guard):
            endpoint.__annotations__ = {"request": Request}
            self.app.add_api_route(
                path,
                endpoint,
                methods=["POST"],
                dependencies=[self.guard.public()],
                response_model=None,
            )


class Flasks(OfFlask):
    def build(self) -> None:
        super().build()
        for path, what, end in WAYS:

            def view(what: str = what, end: str = end) -> Any:
                other = self.app.make_response("")
                if what == "in":
                    self.guard.log_in(other, "alice")
                else:
                    self.guard.log_out(other)
                return "", after(end), {"Cache-Control": "public, max-age=60"}

            self.add(path_of(path), view)

        def streaming() -> Any:
            def chunks() -> Iterator[str]:
                yield "a"
                with pytest.raises(UsageError, match="sent already"):
                    self.guard.log_in(self.app.make_response(""), "late")
                yield "b"

            return self.app.response_class(stream_with_context(chunks()))

        self.add("/streaming", streaming)

    def add(self, path: str, view: Any) -> None:
        self.app.add_url_rule(path, path, self.guard.public(view), methods=["POST"])


class Djangos(OfDjango):
    def build(self) -> None:
        from django.urls import path as url_path

        ways = [
            url_path(path_of(path)[1:], self.public(self.made(what, end)))
            for path, what, end in WAYS
        ]
        self.more = (*ways, url_path("streaming", self.public(self.streaming)))
        super().build()

    def made(self, what: str, end: str) -> Any:
        from django.http import HttpResponse

        def view(request: Any) -> Any:
            if what == "in":
                self.guard.log_in(request, HttpResponse(), "alice")
            else:
                self.guard.log_out(request, HttpResponse())
            headers = {"Cache-Control": "public, max-age=60"}
            return HttpResponse("", status=after(end), headers=headers)

        return view

    def streaming(self, request: Any) -> Any:
        from django.http import HttpResponse, StreamingHttpResponse

        def chunks() -> Iterator[str]:
            yield "a"
            with pytest.raises(UsageError, match="sent already"):
                self.guard.log_in(request, HttpResponse(), "late")
            yield "b"

        return StreamingHttpResponse(chunks())


class DjangosAsync(OfDjangoAsync, Djangos):
    pass


class Drfs(OfDrf, Djangos):
    pass


class Aiohttps(OfAiohttp):
    def route(self, path: str, guarding: Callable[[Any], Any]) -> None:
        super().route(path, guarding)
        if path != "/any":
            return
        for own, what, end in WAYS:

            async def handler(request: web.Request, what: str = what, end: str = end) -> Any:
                if what == "in":
                    await self.guard.log_in(request, web.Response(), "alice")
                else:
                    await self.guard.log_out(request, web.Response())
                headers = {"Cache-Control": "public, max-age=60"}
                return web.Response(status=after(end), headers=headers)

            self.app.router.add_post(path_of(own), self.guard.public(handler))

        async def streaming(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"a")
            with pytest.raises(UsageError, match="sent already"):
                await self.guard.log_in(request, web.Response(), "late")
            await response.write(b"b")
            return response

        self.app.router.add_post("/streaming", self.guard.public(streaming))


class Litestars(OfLitestar):
    def more(self) -> list[Any]:
        found = []
        for path, what, end in WAYS:

            def made(what: str, end: str) -> Any:
                async def endpoint(request: Any) -> Any:
                    if what == "in":
                        await self.guard.log_in(request, "alice")
                    else:
                        await self.guard.log_out(request)
                    headers = {"Cache-Control": "public, max-age=60"}
                    return LitestarResponse(b"", status_code=after(end), headers=headers)

                endpoint.__annotations__ = {
                    "request": LitestarRequest,
                    "return": LitestarResponse,
                }
                return endpoint

            handler = HTTPRouteHandler(
                path_of(path), http_method=["POST"], guards=[self.guard.public()]
            )
            found.append(handler(made(what, end)))
        return found


OWN_DOORS: dict[str, type[Door]] = {
    "fastapi": FastApis,
    "starlette": Starlettes,
    "aiohttp": Aiohttps,
    "litestar": Litestars,
    "flask": Flasks,
    "django": Djangos,
    "django async": DjangosAsync,
    "drf": Drfs,
}
"""Those that log in and out, and then answer with another response than the one that was given."""
assert OWN_DOORS.keys() == DOORS.keys()


@pytest.fixture(params=OWN_DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    made = OWN_DOORS[request.param](tmp_path)
    yield made
    made.world.close()


def post(door: Door, path: str, *headers: tuple[str, str]) -> Seen:
    """Post, where servers are told of what a route raises besides answering."""
    try:
        return door.call("POST", path, [("Origin", OWN), *headers])
    except BrokenError:
        pytest.fail("a server that hands it on has answered before")


def sessions(door: Door, subject: str) -> int:
    return len(door.guard.sessions.list(subject))


def answered(door: Door, path: str, *headers: tuple[str, str]) -> Seen:
    """Give the answer, of Starlette although it raises the exception again after it."""
    if not (path.endswith("raises") and isinstance(door, OfStarlette | OfFastApi)):
        return post(door, path, *headers)
    sent: list[Any] = []
    pairs = [(n.lower().encode(), v.encode()) for n, v in (("Origin", OWN), *headers)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": pairs,
        "client": (PEER, 1),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(BrokenError):
        asyncio.run(door.app(scope, receive, send))
    told = [(n.decode(), v.decode()) for n, v in sent[0]["headers"]]
    return Seen(sent[0]["status"], told, b"")


def test_a_log_in_reaches_the_browser(door: Door) -> None:
    seen = answered(door, "/in/throws-away")
    assert seen.status == 200
    names = sorted(value.partition("=")[0] for value in seen.all("set-cookie"))
    assert names == ["__Host-access", "__Host-csrf", "__Host-refresh"]
    assert seen.one("cache-control") == "no-store"
    # With the response that was given, each once.
    given = post(door, "/log-in")
    assert sorted(value.partition("=")[0] for value in given.all("set-cookie")) == names
    assert given.one("cache-control") == "no-store"


@pytest.mark.parametrize(("end", "status"), [("fails", 422), ("raises", 500)])
def test_no_log_in_goes_with_an_error(
    door: Door, end: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gatekey"):
        seen = answered(door, f"/in/{end}")
    assert (seen.status, seen.all("set-cookie")) == (status, [])
    own = [record.getMessage() for record in caplog.records if record.name == "gatekey"]
    assert own == [f"a log-in sets no cookies, because the answer is an error: {status}"]


@pytest.mark.parametrize(("end", "status"), [("throws-away", 200), ("fails", 422), ("raises", 500)])
def test_a_log_out_always_reaches_the_browser(door: Door, end: str, status: int) -> None:
    page = door.world.jar().headers(door.guard)
    seen = answered(door, f"/out/{end}", *page.items())
    assert (seen.status, sessions(door, "alice")) == (status, 0)
    cleared = seen.all("set-cookie")
    assert len(cleared) == 3
    assert all("Max-Age=0" in value for value in cleared)
    assert seen.one("cache-control") == "no-store"


def test_a_refused_log_out_is_the_answer(door: Door) -> None:
    jar = door.world.jar()
    for headers, status in (([], 401), ([("Cookie", jar.header)], 403)):
        seen = door.call("POST", "/out/throws-away", headers)
        assert (seen.status, seen.all("set-cookie")) == (status, []), seen
        assert seen.one("content-type") == "application/problem+json"
        assert seen.one("cache-control") == "no-store"
    assert sessions(door, "alice") == 1


def test_no_session_is_started_when_headers_are_sent(door: Door) -> None:
    if isinstance(door, OfLitestar):
        pytest.skip("its answers are made after the handler has returned")
    if isinstance(door, OfDjangoAsync):
        pytest.skip("Django reads a sync iterator before it answers by ASGI, with a warning")
    assert b"ab" in post(door, "/streaming").body.replace(b"1\r\n", b"").replace(b"\r\n", b"")
    assert sessions(door, "late") == 0


# ---- not installed, and twice ----


async def plain(_: Any) -> JSONResponse:
    return JSONResponse({})


def empty() -> dict[str, str]:
    return {}


def test_fastapi_and_starlette_without_install() -> None:
    auth = gatekey.fastapi.Guard("memory:")
    app = FastAPI()
    app.get("/", dependencies=[auth.public()])(empty)
    of_starlette = gatekey.starlette.Guard("memory:")
    other = Starlette(routes=[Route("/", of_starlette.requires()(plain))])
    for one in (app, other):
        with pytest.raises(ConfigurationError, match=r"call `auth\.install\(app\)`"):
            asgi(one, "GET", "/", [], PEER, {})
    app = FastAPI()
    app.get("/", dependencies=[auth.public()])(empty)
    other = Starlette(routes=[Route("/", of_starlette.requires()(plain))])
    for guard, again in ((auth, app), (of_starlette, other)):
        guard.install(again)
        with pytest.raises(ConfigurationError, match="already"):
            guard.install(again)
    assert asgi(app, "GET", "/", [], PEER, {}).status == 200
    assert asgi(other, "GET", "/", [], PEER, {}).status == 401
    running = Starlette(routes=[Route("/", plain)])
    asgi(running, "GET", "/", [], PEER, {})
    with pytest.raises(ConfigurationError, match="runs already"):
        of_starlette.install(running)


def test_flask_without_install() -> None:
    auth = gatekey.flask.Guard("memory:")
    app = Flask("shop", static_folder=None)
    app.testing = True
    app.add_url_rule("/", "home", auth.public(lambda: ""))
    with pytest.raises(ConfigurationError, match=r"call `auth\.install\(app\)`"):
        wsgi(app, "GET", "/", [], PEER, {})
    with app.test_request_context(), pytest.raises(ConfigurationError, match="install"):
        auth.form_token(app.make_response(""))
    app = Flask("shop", static_folder=None)
    auth.install(app)
    with pytest.raises(ConfigurationError, match="already"):
        gatekey.flask.Guard("memory:").install(app)


def test_aiohttp_without_install(caplog: pytest.LogCaptureFixture) -> None:
    auth = gatekey.aiohttp.Guard("memory:")

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/", auth.public(handler))

    async def status() -> int:
        async with TestClient(TestServer(app)) as client:
            return (await client.get("/")).status

    assert asyncio.run(status()) == 500
    assert "call `auth.install(app)`" in caplog.text
    other = web.Application()
    auth.install(other)
    with pytest.raises(ConfigurationError, match="already"):
        auth.install(other)


def test_litestar_without_its_plugin() -> None:
    auth = gatekey.litestar.Guard("memory:")

    async def handler() -> None: ...

    own = HTTPRouteHandler("/", http_method=["GET"], guards=[auth.public()])(handler)
    app = Litestar([own], openapi_config=None, logging_config=None, debug=True)
    seen = asgi(app, "GET", "/", [("Accept", "text/plain")], PEER, {})
    assert seen.status == 500
    assert b"Litestar(plugins=[auth.plugin()])" in seen.body
    with pytest.raises(ConfigurationError, match="already"):
        Litestar([own], plugins=[auth.plugin(), auth.plugin()], openapi_config=None)


@pytest.mark.parametrize("door_class", [OfDjango, OfDjangoAsync, OfDrf])
def test_django_without_its_middleware(
    door_class: type[OfDjango],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(settings, "MIDDLEWARE", [])
    door = door_class(tmp_path)
    for method, path in (("GET", "/orders"), ("POST", "/log-in")):
        caplog.clear()
        assert door.call(method, path, door.world.key()).status == 500
        said = 'add "gatekey.django.GuardMiddleware" to the setting MIDDLEWARE'
        assert any(said in str(record.exc_info) for record in caplog.records)
    assert door.guard.sessions.list("alice") == []
    door.world.close()
