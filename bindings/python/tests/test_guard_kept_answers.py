"""Litestar keeps answers (`cache=`): never those to one caller for the next."""

from __future__ import annotations

from typing import Any

import pytest
from guard_doors import asgi
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.config.response_cache import ResponseCacheConfig

import gatekey.litestar
from gatekey.exceptions import ConfigurationError
from gatekey.testing import new_key

OWN = "https://shop.example"


def guard() -> gatekey.litestar.Guard:
    return gatekey.litestar.Guard("memory:", issuer=OWN, public_url=OWN, cookies=True)


def handler(path: str, own: Any, endpoint: Any, **options: Any) -> Any:
    endpoint.__annotations__ = {"request": LitestarRequest, "return": str}
    return get(path, guards=[own], **options)(endpoint)


def seen(app: Any, path: str, *headers: tuple[str, str]) -> Any:
    return asgi(app, "GET", path, list(headers), "192.0.2.7", {})


def by_subject(request: Any) -> str:
    return str(request.url.path) + str(request.headers.get("x-api-key"))


async def plain(request: Any) -> str:
    del request
    return "plain"


@pytest.mark.parametrize("cache", [True, 60])
@pytest.mark.parametrize("demand", [{}, {"optional": True}])
def test_a_guarded_handler_that_is_kept(cache: Any, demand: Any) -> None:
    auth = guard()
    routes = [handler("/x", auth.requires(**demand), plain, cache=cache)]
    config = ResponseCacheConfig(key_builder=by_subject)
    known: list[dict[str, Any]] = [{}, {"response_cache_config": config}]
    for options in known:
        app = Litestar(routes, plugins=[auth.plugin()], logging_config=None, **options)
        answer = seen(app, "/x", ("X-API-Key", new_key(auth)))
        assert answer.status == 500
    with pytest.raises(ConfigurationError, match=r"plain\. Leave out `cache`, or.*cache_key_b"):
        app_of(auth, routes)


def app_of(auth: gatekey.litestar.Guard, routes: list[Any], **options: Any) -> Litestar:
    plugin: Any = auth.plugin()
    app = Litestar(routes, plugins=[plugin], logging_config=None, **options)
    plugin._check(app)
    return app


def test_a_key_of_the_handlers_own() -> None:
    auth = guard()

    async def mine(request: Any) -> str:
        return str(auth.access(request).subject)

    routes = [handler("/x", auth.requires(), mine, cache=60, cache_key_builder=by_subject)]
    app = app_of(auth, routes)
    for name in ("alice", "bob", "alice"):
        key = new_key(auth, owner=name)
        for _ in range(2):
            assert seen(app, "/x", ("X-API-Key", key)).body.decode() == name
    assert seen(app, "/x").status == 401


def test_what_sets_cookies_is_not_kept() -> None:
    auth = guard()

    async def log_in(request: Any) -> str:
        return (await auth.log_in(request, "alice")).access_token

    async def page(request: Any) -> str:
        return auth.form_token(request)

    runs = 0

    async def counted(request: Any) -> str:
        nonlocal runs
        del request
        runs += 1
        return "public"

    routes = [
        handler("/log-in", auth.public(), log_in, cache=60),
        handler("/page", auth.public(), page, cache=60),
        handler("/open", auth.public(), counted, cache=60),
        handler("/never", auth.public(), plain, cache=60),
    ]
    app = app_of(
        auth,
        routes,
        response_cache_config=ResponseCacheConfig(
            cache_response_filter=lambda scope, _: scope["path"] != "/never"
        ),
    )
    for path in ("/log-in", "/page"):
        assert len({seen(app, path).body for _ in range(3)}) == 3
    first = seen(app, "/page")
    cookie = first.all("set-cookie")[0].partition(";")[0]
    # A browser that has the cookie already: its token is in the page alone.
    of_one = seen(app, "/page", ("Cookie", cookie)).body
    assert seen(app, "/page").body != of_one
    for _ in range(3):
        assert seen(app, "/open").body == b"public"
    assert runs == 1
