"""Attacks on the seams between servers, frameworks and the guard, in every framework."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from guard_doors import DOORS, Door, OfDjango, OfFlask, asgi
from guard_world import OWN, bearer

from gatekey import OAuthClient
from gatekey.exceptions import ConfigurationError
from gatekey.guard.base import FORM
from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatekey import FinishedLogin, HttpRequest


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    made = DOORS[request.param](tmp_path)
    yield made
    made.world.close()


def pages(jar: CookieJar, door: Door) -> list[tuple[str, str]]:
    """The headers of a page of the service."""
    return list(jar.headers(door.guard, OWN).items())


def logged_in(door: Door) -> CookieJar:
    jar = CookieJar()
    jar.take(door.call("POST", "/log-in").all("set-cookie"))
    assert len(jar) == 3
    return jar


# ---- where a request goes, and how it is spelled ----


def test_a_host_moves_no_guard(door: Door) -> None:
    for host in ("shop.test/public?", "shop.test#", "x/public?y=", "", "shop.test/public"):
        assert door.call("GET", "/orders", [("Host", host)]).status in (400, 401), host
    assert not door.calls


SPELLINGS = [
    "//any",
    "/x/../any",
    "/./any",
    "/any/",
    "/any//",
    "/any;v=1",
    "/any\x00",
    "/any\\",
    "/ANY",
    "/any.json",
    "/any%2f",
    "/%61ny",
    "/any?x=/public",
    "/public/../any",
    "/public/..;/any",
    "/any#/public",
    "/any /public",
    "/public%00/../any",
]


@pytest.mark.parametrize("prefix", ["", "/adm"])
def test_no_spelling_runs_a_handler_undecided(door: Door, prefix: str) -> None:
    for path in SPELLINGS:
        spelled(door, path, prefix)


def spelled(door: Door, path: str, prefix: str) -> None:
    more: dict[str, Any] = {"root_path": prefix} if door.is_asgi else {"SCRIPT_NAME": prefix}
    seen = door.call("GET", (prefix if door.is_asgi else "") + path, **more)
    assert not [ran for ran in door.calls if ran == "/any"]
    assert seen.status in (301, 302, 307, 308, 400, 401, 404), seen


def test_methods_are_what_they_are(door: Door) -> None:
    for method in ("HEAD", "OPTIONS", "QUERY", "PROPFIND", "pOST", "TRACE"):
        assert door.call(method, "/orders").status in (400, 401, 404, 405), method
    cookie = ("Cookie", door.world.jar().header)
    for method in ("POST", "QUERY", "PROPFIND", "pOST", "PUT"):
        for more in ([], [("X-HTTP-Method-Override", "GET")], [("X-Method-Override", "GET")]):
            seen = door.call(method, "/orders", [cookie, *more])
            assert seen.status in (400, 403, 405), (method, seen)
    assert not door.calls
    head = door.call("HEAD", "/orders", [cookie])
    assert head.status in (200, 405)
    assert door.call("GET", "/orders", [cookie]).status == 200


# ---- what servers and other sites do to headers ----


def test_a_cookie_that_is_planted_beside_ours(door: Door) -> None:
    good = door.world.access_token()
    own = f"__Host-access={good}"
    for header in (f"{own}; __Host-access=B", f"__Host-access=B; {own}"):
        assert door.call("GET", "/orders", [("Cookie", header)]).status == 400
    # None of these is our name.
    for other in (
        "\xa0__Host-access=B",
        "\x85__Host-access=B",
        '"__Host-access"=B',
        "=__Host-access=B",
        "__HOST-access=B",
        "$Version=1",
    ):
        assert door.call("GET", "/orders", [("Cookie", f"{other}; {own}")]).status == 200, other
        assert door.call("GET", "/orders", [("Cookie", other)]).status == 401, other


def test_lists_that_servers_squeeze(door: Door) -> None:
    one, two = door.world.access_token(), door.world.access_token()
    key = door.world.key()[0][1]
    joined = "; ".join if not door.is_asgi else None
    cookies = ["a=b;", "theme=dark;", f"__Host-access={one};", "z=1;"]
    sent = [("Cookie", joined(cookies))] if joined else [("Cookie", text) for text in cookies]
    assert door.call("GET", "/orders", sent).status == 200
    door.calls.clear()
    for headers in (
        [("Authorization", f"Bearer {one}, Bearer {two}")],
        [("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {two}")],
        [("X-API-Key", f"{key},{key}")],
        [("X-API-Key", key), ("X-API-Key", key)],
    ):
        seen = door.call("GET", "/orders", headers)
        assert seen.status in (400, 401), headers
    squeezed = f"a=b, __Host-access={one}, __Host-access={two}"
    assert door.call("GET", "/orders", [("Cookie", squeezed)]).status in (400, 401)
    assert not door.calls


def test_headers_that_look_like_ours(
    door: Door, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not door.has_peers:
        return  # as Starlette: what a request is made of is the same
    own = tmp_path / "own"
    own.mkdir()
    if isinstance(door, OfFlask):
        # It would know no address of anyone.
        with pytest.raises(ConfigurationError, match="exact_names=True"):
            type(door)(own, trusted_proxies=["10.0.0.0/8"])
        check_exact(door, tmp_path)
        return
    behind = type(door)(own, trusted_proxies=["10.0.0.0/8"])
    key = behind.world.key(cidrs=["198.51.100.0/24"])
    dashed = ("X-Forwarded-For", "198.51.100.7")
    through = behind.call("GET", "/orders", [*key, dashed], peer="10.0.0.2")
    # Where names collapse the header may be a client's, which has sent it with an underscore.
    assert through.status == (200 if door.is_asgi else 403)
    for name in ("X.Forwarded.For", "X_Gatekey_Subject", "Remote_User", "Forwarded", "Via"):
        seen = behind.call("GET", "/orders", [*key, (name, "198.51.100.7")], peer="10.0.0.2")
        assert seen.status == 403, name
    if door.is_asgi:
        alias = ("X_Forwarded_For", "198.51.100.7")
        assert behind.call("GET", "/orders", [*key, alias], peer="10.0.0.2").status == 403
    assert behind.call("GET", "/orders", [*key, dashed], peer="203.0.113.9").status == 403
    if isinstance(door, OfDjango) and not door.is_asgi:
        said = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        assert len([each for each in said if "exact_names=True" in each]) == 1
    behind.world.close()
    check_exact(door, tmp_path)


def check_exact(door: Door, tmp_path: Path) -> None:
    """Behind a server that drops names with an underscore."""
    exact = tmp_path / "exact"
    exact.mkdir()
    trusting = type(door)(exact, trusted_proxies=["10.0.0.0/8"], exact_names=True)
    key = trusting.world.key(cidrs=["198.51.100.0/24"])
    dashed = ("X-Forwarded-For", "198.51.100.7")
    assert trusting.call("GET", "/orders", [*key, dashed], peer="10.0.0.2").status == 200
    trusting.world.close()


def test_peers_that_are_no_address(door: Door) -> None:
    if not door.has_peers:
        return
    for peer in ("testclient", "", "unix:", "192.0.2.7:80", "fe80::1%eth0"):
        assert door.call("GET", "/orders", door.world.key(), peer=peer).status == 200, peer
    key = door.world.key(cidrs=["0.0.0.0/0", "::/0"])
    for peer in ("testclient", "", "unix:"):
        assert door.call("GET", "/orders", key, peer=peer).status == 403, peer


# ---- nothing of a request comes back ----


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar"])
def test_peers_that_the_server_has_forgotten_or_rewritten(framework: str, tmp_path: Path) -> None:
    door: Any = DOORS[framework](tmp_path, trusted_proxies=["unix", "127.0.0.1"])
    key = door.world.key(cidrs=["198.51.100.0/24"])
    sent = [*key, ("X-Forwarded-For", "198.51.100.7")]

    def status(client: Any, server: Any) -> int:
        more = {"client": client, "server": server}
        return asgi(door.app, "GET", "/orders", sent, "", more).status

    assert status(None, ("/run/shop.sock", None)) == 200
    assert status(None, None) == 200
    assert status(("127.0.0.1", 5000), ("127.0.0.1", 8000)) == 200
    # uvicorn, of a client of TCP that has gone: no Unix socket.
    assert status(None, ("127.0.0.1", 8000)) == 403
    # uvicorn's own --proxy-headers: whose address it is cannot be told.
    try:
        assert status(("198.51.100.7", 0), ("127.0.0.1", 8000)) == 500
    except ConfigurationError as error:
        assert "--no-proxy-headers" in str(error)  # noqa: PT017 - Starlette raises it again
    door.world.close()


def test_nothing_is_echoed(door: Door) -> None:
    for headers in (
        bearer('x"><svg>'),
        [("X-API-Key", 'gk_live_"><svg>')],
        [("Cookie", "__Host-access=<svg>")],
        bearer(door.world.issuer.token(audience="https://<svg>", sub="<svg>\u2028")),
    ):
        seen = door.call("GET", "/orders", headers)
        assert seen.status in (400, 401)
        assert b"svg" not in seen.body
        assert "svg" not in str(seen.headers)


@pytest.mark.parametrize("realm", ['a"', "a\r\nSet-Cookie: z=1", "\xe9", "", "a\\b"])
def test_settings_that_no_header_could_carry(door: Door, realm: str) -> None:
    with pytest.raises(ConfigurationError):
        type(door.guard)("memory:", realm=realm)


# ---- sessions in a browser ----


def test_log_in_refresh_and_log_out(door: Door) -> None:
    jar = logged_in(door)
    first = jar["__Host-access"]
    assert door.call("GET", "/orders", [("Cookie", jar.header)]).status == 200
    refused = door.call("POST", "/auth/refresh", [("Cookie", jar.header)])
    assert (refused.status, refused.all("set-cookie")) == (403, [])
    door.world.clock.advance(1000)
    assert door.call("GET", "/orders", [("Cookie", jar.header)]).status == 401
    refreshed = door.call("POST", "/auth/refresh", pages(jar, door))
    assert (refreshed.status, refreshed.one("cache-control")) == (200, "no-store")
    assert {"Authorization", "Cookie"} <= set((refreshed.one("vary") or "").split(", "))
    jar.take(refreshed.all("set-cookie"))
    assert jar["__Host-access"] != first
    assert door.call("GET", "/orders", [("Cookie", jar.header)]).status == 200
    out = door.call("POST", "/auth/log-out", pages(jar, door))
    assert (out.status, out.body, out.one("cache-control")) == (204, b"", "no-store")
    assert out.one("vary") == refreshed.one("vary")
    kept = jar.header
    jar.take(out.all("set-cookie"))
    assert len(jar) == 0
    # What was kept is worth nothing, and is forgotten.
    late = door.call("GET", "/orders", [("Cookie", kept)])
    assert late.status == 401
    assert len(late.all("set-cookie")) == 3


def test_development_without_https(door: Door, tmp_path: Path) -> None:
    own = tmp_path / "http"
    own.mkdir()
    origin = "http://localhost:8000"
    http = type(door)(own, danger_allow_http=True, public_url=origin)
    set_cookies = http.call("POST", "/log-in").all("set-cookie")
    assert [value.partition("=")[0] for value in set_cookies] == ["access", "refresh", "csrf"]
    assert not [value for value in set_cookies if "Secure" in value]
    jar = CookieJar()
    jar.take(set_cookies)
    assert http.call("POST", "/orders", [("Cookie", jar.header)]).status == 403
    page = list(jar.headers(http.guard, origin).items())
    assert http.call("POST", "/orders", page).status == 200
    http.world.close()


def test_the_log_says_why_and_no_secret(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gatekey")
    token = door.world.issuer.token(audience="https://other.example")
    key = door.world.key(scopes=["other"])
    for headers in (bearer(token), key, [("Cookie", f"__Host-access={token}")]):
        assert door.call("GET", "/orders", headers).status in (401, 403)
    said = [record.getMessage() for record in caplog.records if record.name == "gatekey"]
    assert len(said) == 3
    assert "401 invalid_audience" in said[0]
    assert "403 insufficient_scope" in said[1]
    assert not [text for text in said if token[:8] in text or key[0][1][-8:] in text]


@pytest.mark.parametrize("framework", DOORS)
def test_a_form_of_a_page_without_scripts(framework: str, tmp_path: Path) -> None:
    door = DOORS[framework](tmp_path, csrf_form_field="csrf")
    jar = logged_in(door)
    page = [("Cookie", jar.header), ("Origin", "null"), ("Sec-Fetch-Site", "same-origin")]

    def posted(body: str, *more: tuple[str, str], kind: str = FORM) -> int:
        own = {} if door.is_asgi else {"CONTENT_TYPE": kind}
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *more]
        return door.call("POST", "/orders", headers, body=body.encode(), **own).status

    good = f"csrf={quote(jar['__Host-csrf'])}"
    assert posted(good, *page) == 200
    assert posted("csrf=" + "A" * 64, *page) == 403
    assert posted("other=1", *page) == 403
    assert posted(good, *page, kind="application/json") == 403
    assert posted(good, ("Cookie", jar.header), ("Origin", "null")) == 403
    door.world.close()


def test_two_tabs_refresh_at_once(door: Door) -> None:
    jar = logged_in(door)
    sent = pages(jar, door)
    one, two = (door.call("POST", "/auth/refresh", sent) for _ in range(2))
    assert (one.status, two.status) == (200, 200)
    first, second = CookieJar(), CookieJar()
    first.take(one.all("set-cookie"))
    second.take(two.all("set-cookie"))
    assert first["__Host-refresh"] == second["__Host-refresh"]
    jar.take(two.all("set-cookie"))
    assert door.call("POST", "/auth/refresh", pages(jar, door)).status == 200


def test_a_refresh_that_comes_after_the_log_out(door: Door) -> None:
    jar = logged_in(door)
    before = pages(jar, door)
    refreshed = door.call("POST", "/auth/refresh", before)
    late = CookieJar()
    late.take(refreshed.all("set-cookie"))
    assert door.call("POST", "/auth/log-out", before).status == 204
    # The browser stores the answer of the refresh after that of the log-out.
    assert door.call("GET", "/orders", [("Cookie", late.header)]).status == 401
    assert door.call("POST", "/auth/refresh", pages(late, door)).status == 401


def test_devices_and_log_out_of_others(door: Door) -> None:
    here, there = logged_in(door), logged_in(door)
    other_user = door.world.jar(subject="bob")
    listed = door.call("GET", "/auth/devices", [("Cookie", here.header)])
    assert (listed.status, listed.one("cache-control")) == (200, "no-store")
    devices = listed.json["devices"]
    assert [device["is_this"] for device in devices].count(True) == 1
    assert len(devices) == 2
    other = next(device["id"] for device in devices if not device["is_this"])
    by_bob = door.call("DELETE", f"/auth/devices/{other}", pages(other_user, door))
    assert (by_bob.status, by_bob.json["code"]) == (404, "not_found")
    assert by_bob.one("content-type") == "application/problem+json"
    assert by_bob.one("www-authenticate") is None
    assert door.call("GET", "/orders", [("Cookie", there.header)]).status == 200
    assert door.call("DELETE", f"/auth/devices/{other}", pages(here, door)).status == 204
    assert door.call("GET", "/orders", [("Cookie", there.header)]).status == 401
    again = logged_in(door)
    assert door.call("POST", "/auth/log-out-others", pages(here, door)).status == 204
    assert door.call("GET", "/orders", [("Cookie", again.header)]).status == 401
    assert door.call("GET", "/orders", [("Cookie", here.header)]).status == 200
    everywhere = door.call("POST", "/auth/log-out-everywhere", pages(here, door))
    assert (everywhere.status, len(everywhere.all("set-cookie"))) == (204, 3)
    assert door.call("GET", "/orders", [("Cookie", here.header)]).status == 401
    assert door.call("GET", "/orders", [("Cookie", other_user.header)]).status == 200


def test_devices_need_a_session(door: Door) -> None:
    for headers in ([], door.world.key(), door.world.foreign()):
        assert door.call("GET", "/auth/devices", headers).status == 401
        assert door.call("POST", "/auth/log-out-everywhere", headers).status == 401


def test_what_is_published(door: Door) -> None:
    keys: Any = door.call("GET", "/.well-known/jwks.json").json["keys"]
    assert all("d" not in key for key in keys)
    metadata = door.call("GET", "/.well-known/oauth-protected-resource").json
    assert metadata["resource"] == "https://api.example"


# ---- log-ins by a provider ----


class Provider:
    """An authorization server that gives tokens for every code."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def send(self, request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        self.calls.append(request.url)
        tokens = {"access_token": "a", "token_type": "Bearer", "expires_in": 60}
        return 200, [("content-type", "application/json")], json.dumps(tokens).encode()


@pytest.fixture(params=DOORS)
def by_provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Door, Provider]]:
    provider = Provider()
    hub = OAuthClient(
        "app",
        endpoints={
            "authorization_endpoint": "https://hub.example/authorize",
            "token_endpoint": "https://hub.example/token",
        },
        client_secret="s" * 32,
        redirect_uri=f"{OWN}/auth/hub/callback",
        transport=provider,
    )

    def user(name: str, login: FinishedLogin) -> dict[str, object] | None:
        assert (name, login.tokens.access_token) == ("hub", "a")
        return {"subject": "carol", "scopes": ["orders:read"]} if made.lets_in else None

    made: Door = DOORS[request.param](tmp_path, oauth={"hub": hub}, oauth_user=user)
    yield made, provider
    made.world.close()


def begun(door: Door, jar: CookieJar) -> str:
    """Begin a log-in; the callback that the provider leads to."""
    started = door.call(
        "GET", "/auth/hub/log-in", [("Cookie", jar.header)], query="return_to=/home"
    )
    assert (started.status, started.one("cache-control")) == (302, "no-store")
    cookies = started.all("set-cookie")
    assert all("__Host-" in value and "SameSite=Lax" in value for value in cookies)
    jar.take(cookies)
    url = urlsplit(started.one("location") or "")
    assert url.netloc == "hub.example"
    return f"code=c&state={parse_qs(url.query)['state'][0]}"


def test_a_log_in_by_a_provider(by_provider: tuple[Door, Provider]) -> None:
    door, provider = by_provider
    jar = CookieJar()
    query = begun(door, jar)
    done = door.call("GET", "/auth/hub/callback", [("Cookie", jar.header)], query=query)
    assert (done.status, done.one("location")) == (302, "/home")
    jar.take(done.all("set-cookie"))
    assert len(jar) == 3  # the state is gone
    seen = door.call("GET", "/orders", [("Cookie", jar.header)])
    assert (seen.status, seen.json["subject"]) == (200, "carol")
    assert provider.calls == ["https://hub.example/token"]


def test_a_log_in_that_another_browser_has_begun(by_provider: tuple[Door, Provider]) -> None:
    door, provider = by_provider
    query = begun(door, CookieJar())
    victim = logged_in(door)
    for cookies in ([], [("Cookie", victim.header)]):
        done = door.call("GET", "/auth/hub/callback", cookies, query=query)
        assert done.status == 400, done
        assert done.one("content-type") == "application/problem+json"
        assert not [value for value in done.all("set-cookie") if "__Host-access" in value]
    assert provider.calls == []
    seen = door.call("GET", "/orders", [("Cookie", victim.header)])
    assert (seen.status, seen.json["subject"]) == (200, "alice")


def test_a_log_in_without_a_user(by_provider: tuple[Door, Provider]) -> None:
    door, _ = by_provider
    door.lets_in = False
    jar = CookieJar()
    query = begun(door, jar)
    done = door.call("GET", "/auth/hub/callback", [("Cookie", jar.header)], query=query)
    assert done.status == 403
    jar.take(done.all("set-cookie"))
    assert len(jar) == 0
