"""aiohttp: nothing succeeds that no guard has decided; clones of requests; names of routes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from guard_world import OWN
from test_guard_exit import alarms, key

import gatekey.aiohttp
from gatekey.exceptions import ConfigurationError
from gatekey.testing import log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CSRF = b"a secret of the tests, 32 bytes."


def guard() -> gatekey.aiohttp.Guard:
    return gatekey.aiohttp.Guard(
        "memory:", issuer=OWN, cookies=True, csrf_secret=CSRF, public_url=OWN
    )


async def plain(_: web.Request) -> web.Response:
    return web.Response(text="of alice")


def asked(app: web.Application, *requests: Sequence[Any]) -> list[tuple[int, str, Any]]:
    """Start it, and ask: method, path, headers."""

    async def run() -> list[tuple[int, str, Any]]:
        found = []
        async with TestClient(TestServer(app)) as client:
            for method, path, headers in requests:
                answer = await client.request(method, path, headers=headers, allow_redirects=False)
                found.append((answer.status, await answer.text(), answer.headers))
        return found

    return asyncio.run(run())


def cached(handler: Any) -> Any:
    """A cache above a guard, which answers by itself."""

    async def call(request: web.Request) -> web.StreamResponse:
        return await plain(request)

    call.__dict__.update(handler.__dict__)
    return call


def raising(handler: Any) -> Any:
    async def call(_: web.Request) -> web.StreamResponse:
        raise web.HTTPOk(text="of alice")

    call.__dict__.update(handler.__dict__)
    return call


def streaming(handler: Any) -> Any:
    async def call(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"of alice")
        return response

    call.__dict__.update(handler.__dict__)
    return call


@pytest.mark.parametrize("above", [cached, raising, streaming])
def test_decorators_that_answer(
    above: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    auth, app = guard(), web.Application()
    app.router.add_get("/x", above(auth.requires()(plain)))
    app.router.add_get("/open", above(auth.public(plain)))
    auth.install(app)
    found = asked(app, ("GET", "/x", {}), ("GET", "/x", key(auth)), ("GET", "/open", {}))
    assert [status for status, _, _ in found] == [500, 500, 200]
    assert not any("alice" in text for _, text, _ in found[:2])
    if above is not streaming:
        assert found[0][2]["Cache-Control"] == "no-store"
    assert len([one for one in alarms(caplog) if one.startswith("/x (GET)")]) == 2


def test_classes(caplog: pytest.LogCaptureFixture) -> None:
    auth, app = guard(), web.Application()

    class View(web.View):
        async def get(self) -> web.Response:
            return await plain(self.request)

    class Own(auth.requires()(View)):  # type: ignore[misc]
        def __await__(self) -> Any:
            return plain(self.request).__await__()

    opened: Any = auth.public(View)
    derived: Any = type("Derived", (opened,), {})
    app.router.add_view("/own", Own)
    app.router.add_view("/open", opened)
    app.router.add_view("/again", auth.requires()(derived))
    auth.install(app)
    found = asked(app, *(("GET", path, {}) for path in ("/own", "/open", "/again")))
    assert [status for status, _, _ in found] == [500, 200, 401]
    assert "/own" in alarms(caplog)[0]
    bad = web.Application()
    bad.router.add_view("/derived", derived)
    guard().install(bad)
    with pytest.raises(ConfigurationError, match="/derived"):
        asyncio.run(TestServer(bad).start_server())


def test_names_that_several_routes_have() -> None:
    auth, app, inner = guard(), web.Application(), web.Application()
    app.router.add_get("/health", plain, name="health")
    app.router.add_post("/health", plain, name="health")
    inner.router.add_get("/x", plain, name="health")
    app.add_subapp("/admin/", inner)
    auth.install(app, public=["health"])
    with pytest.raises(ConfigurationError, match=r"'health'.*: /admin/x, /health\."):
        asyncio.run(TestServer(app).start_server())


def test_silent_where_no_handler_has_answered(caplog: pytest.LogCaptureFixture) -> None:
    auth, inner = guard(), web.Application()

    @web.middleware
    async def maintenance(request: web.Request, handler: Any) -> Any:
        return web.Response(text="back soon") if request.query else await handler(request)

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/log-in")

    moved.__dict__.update(auth.requires()(plain).__dict__)
    app = web.Application(middlewares=[maintenance])
    app.router.add_get("/x", auth.requires()(plain))
    app.router.add_get("/moved", moved)
    app.router.add_get("/named", plain, name="named")
    inner.router.add_get("/x", auth.requires()(plain))
    app.add_subapp("/in/", inner)
    auth.install(app, public=["named"])
    app.middlewares.append(maintenance)
    own = key(auth)
    wanted = {"/x": 200, "/moved": 302, "/named": 200, "/in/x": 200, "/x?a=b": 200, "/none": 404}
    found = asked(app, *(("GET", path, own) for path in wanted), ("GET", "/x?a=b", {}))
    assert [status for status, _, _ in found] == [*wanted.values(), 200]
    assert not alarms(caplog)


def test_clones_of_requests() -> None:
    """A middleware that hands on a clone, as those do that know proxies."""
    auth = guard()

    @web.middleware
    async def cloning(request: web.Request, handler: Any) -> Any:
        method = request.query.get("_method", request.method)
        return await handler(request.clone(remote="203.0.113.9", method=method))

    @auth.public(own_pages=True)
    async def enter(request: web.Request) -> web.Response:
        await auth.log_in(request, web.Response(), "alice")
        raise web.HTTPSeeOther("/home")

    @auth.requires()
    async def leave(request: web.Request) -> web.Response:
        await auth.log_out(request, web.Response())
        raise web.HTTPSeeOther("/bye")

    @auth.requires()
    async def who(request: web.Request) -> web.Response:
        access = auth.access(request)
        return web.Response(text=f"{access.subject} {access.address}")

    app = web.Application(middlewares=[cloning])
    app.router.add_get("/who", who)
    app.router.add_post("/who", who)
    app.router.add_post("/in", enter)
    app.router.add_post("/out", leave)
    auth.install(app)
    own, page = key(auth, owner="alice", rate="10/60s"), log_in(auth).headers(auth, OWN)
    cookie = {"Cookie": page["Cookie"]}
    found = asked(
        app,
        ("GET", "/who", own),
        ("POST", "/in", {"Origin": OWN}),
        ("POST", "/who?_method=GET", cookie),
        ("GET", "/who?_method=POST", cookie),
        ("POST", "/out", page),
    )
    assert [status for status, _, _ in found] == [200, 303, 403, 403, 303]
    assert found[0][1] == "alice 203.0.113.9"
    assert found[0][2]["RateLimit"].startswith('"key";r=9')
    assert "X-API-Key" in found[0][2]["Vary"]
    for status, _, headers in (found[1], found[4]):
        assert len(headers.getall("Set-Cookie")) == 3, status
        assert headers["Cache-Control"] == "no-store"
