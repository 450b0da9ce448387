"""Log-ins by a provider, through the routes that a guard installs: from end to end, in every
framework, with a certified authorization server; and in the browser of an attacker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import browser
import pytest
from guard_doors import DOORS, Door
from guard_world import OWN
from provider import CALLBACK, SECRET, have_or_skip, start_or_skip

from gatekey import OAuthClient
from gatekey.guard.base import FORM
from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Server

    from gatekey import FinishedLogin

BEGIN, BACK = "/auth/hub/log-in", "/auth/hub/callback"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    have_or_skip()
    own = start_or_skip()
    yield own
    own.stop()


def client(address: str) -> OAuthClient:
    return OAuthClient(
        "web-basic",
        issuer=address,
        client_secret=SECRET,
        redirect_uri=CALLBACK,
        scopes=["openid", "email"],
        allow_loopback_http=True,
    )


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Iterator[Door]:
    seen: list[FinishedLogin] = []

    def user(name: str, login: FinishedLogin) -> dict[str, Any] | None:
        assert name == "hub"
        seen.append(login)
        subject = f"{login.issuer} {login.subject}"
        return {"subject": subject, "scopes": ["orders:read"]} if made.lets_in else None

    made: Door = DOORS[request.param](
        tmp_path, oauth={"hub": client(server.address)}, oauth_user=user
    )
    made.logins = seen
    yield made
    made.world.close()


def begin(door: Door, jar: CookieJar, return_to: str | None = "/home?a=b") -> str:
    """Begin a log-in, and give where it leads."""
    query = {} if return_to is None else {"query": "return_to=" + quote(return_to, safe="")}
    seen = door.call("GET", BEGIN, [("Cookie", jar.header)], **query)
    assert (seen.status, seen.one("cache-control")) == (302, "no-store"), seen
    (cookie,) = seen.all("set-cookie")
    # `__Host-` and `Secure` where the callback is HTTPS: in test_guard_attacks.
    for attribute in ("gk_flow_", "; Path=/", "; HttpOnly", "; SameSite=Lax"):
        assert attribute in cookie, cookie
    jar.take([cookie])
    return seen.one("location") or ""


def back(door: Door, jar: CookieJar, callback: str) -> Any:
    seen = door.call("GET", BACK, [("Cookie", jar.header)], query=urlsplit(callback).query)
    jar.take(seen.all("set-cookie"))
    return seen


def who(door: Door, jar: CookieJar) -> str | None:
    seen = door.call("GET", "/orders", [("Cookie", jar.header)])
    return seen.json["subject"] if seen.status == 200 else None


def test_from_end_to_end(door: Door, server: Server) -> None:
    jar = CookieJar()
    url = begin(door, jar)
    asked = parse_qs(urlsplit(url).query)
    assert url.startswith(server.address)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [CALLBACK]
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    # Of what is secret in it nothing is readable in the cookie.
    assert asked["state"][0] not in jar.header
    callback = browser.login(url, CALLBACK)
    done = back(door, jar, callback)
    assert (done.status, done.one("location"), done.body) == (302, "/home?a=b", b"")
    assert done.one("cache-control") == "no-store"
    assert len(jar) == 3  # the session's; that of the log-in is gone
    assert who(door, jar) == f"{server.address} alice"
    assert door.logins[-1].issuer == server.address
    # The same callback once more: its cookie is gone, and the session goes on.
    again = back(door, jar, callback)
    assert (again.status, len(jar)) == (400, 3)
    assert who(door, jar) == f"{server.address} alice"


def test_a_callback_of_another_browser(door: Door, server: Server) -> None:
    attackers = CookieJar()
    callback = browser.login(begin(door, attackers), CALLBACK)
    victim = CookieJar()
    victim.take(door.call("POST", "/log-in", [("Origin", OWN)]).all("set-cookie"))
    for jar in (CookieJar(), victim):
        before = jar.header
        for more in ([], [("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site")]):
            cookies = [("Cookie", before)] if before else []
            seen = door.call("GET", BACK, [*cookies, *more], query=urlsplit(callback).query)
            assert seen.status == 400, seen
            assert seen.one("content-type") == "application/problem+json"
            assert seen.one("cache-control") == "no-store"
            jar.take(seen.all("set-cookie"))
            assert jar.header == before
    assert door.logins == []
    assert who(door, victim) == "alice"
    # With a log-in of its own that has begun: its state is another one.
    url = begin(door, victim)
    assert back(door, victim, callback).status == 400
    assert back(door, victim, browser.login(url, CALLBACK)).status == 302
    assert who(door, victim) == f"{server.address} alice"
    # It was the attacker's log-in, which the attacker can still finish, for itself.
    assert back(door, attackers, callback).status == 302


def test_a_log_in_while_logged_in(door: Door, server: Server) -> None:
    jar = CookieJar()
    jar.take(door.call("POST", "/log-in", [("Origin", OWN)]).all("set-cookie"))
    first = jar["__Host-access"]
    assert back(door, jar, browser.login(begin(door, jar), CALLBACK, "bob")).status == 302
    assert jar["__Host-access"] != first
    assert who(door, jar) == f"{server.address} bob"


def test_what_the_provider_answers_instead(door: Door) -> None:
    jar = CookieJar()
    jar.take(door.call("POST", "/log-in", [("Origin", OWN)]).all("set-cookie"))
    kept = jar.header
    seen = back(door, jar, browser.deny(begin(door, jar), CALLBACK))
    assert (seen.status, seen.json["status"], jar.header) == (403, 403, kept)
    for answer, status in (
        ({"error": "server_error"}, 503),
        ({"error": "temporarily_unavailable"}, 503),
        # What it should never say of a request of ours is a defect of this service.
        ({"error": "invalid_request", "error_description": "<svg>"}, 500),
        ({"error": "<svg>\r\nSet-Cookie: a=b"}, 500),
        ({"code": "no code"}, 401),
        ({"code": "a", "iss": "https://evil.test"}, 400),
        ({}, 400),
    ):
        url = begin(door, jar)
        state = parse_qs(urlsplit(url).query)["state"][0]
        issuer = url.partition("/auth?")[0]
        query = urlencode({"state": state, "iss": issuer} | answer)
        seen = back(door, jar, f"{CALLBACK}?{query}")
        assert seen.status == status, (answer, seen)
        assert b"svg" not in seen.body
        assert "svg" not in str(seen.headers)
        assert jar.header == kept, answer
    for query in ("", "state=x", "code=a&state=", "code=a&code=b&state=x", "%ff=%fe", "a" * 9000):
        assert back(door, jar, f"{CALLBACK}?{query}").status == 400, query[:30]
    assert who(door, jar) == "alice"
    assert door.logins == []


def test_no_user(door: Door) -> None:
    door.lets_in = False
    jar = CookieJar()
    seen = back(door, jar, browser.login(begin(door, jar), CALLBACK))
    assert (seen.status, len(jar)) == (403, 0)


RETURNS = {
    "/orders?a=1#b": "/orders?a=1#b",
    "//evil.test": "/",
    "/\\evil.test": "/",
    "https://evil.test/": "/",
    "https:evil.test": "/",
    "javascript:alert(1)": "/",
    "/%2f/evil.test": "/",
    "/%5cevil.test": "/",
    "\t//evil.test": "/",
    "/a\r\nSet-Cookie: a=b": "/",
    "evil.test": "/",
    "": "/",
    "/" + "a" * 3000: "/",
}


def test_it_returns_to_this_site_alone(door: Door) -> None:
    # The server asks nothing of one who has signed in: one browser for all.
    own = browser.Browser(CALLBACK)
    for wanted, found in RETURNS.items():
        jar = CookieJar()
        url = begin(door, jar, wanted)
        assert own.open(url) or own.sign_in("alice")
        done = back(door, jar, own.url)
        assert (done.status, done.one("location")) == (302, found), wanted
    jar = CookieJar()
    assert own.open(begin(door, jar, None))
    assert back(door, jar, own.url).one("location") == "/"


def test_an_answer_that_is_posted(door: Door, server: Server) -> None:
    """As Apple's."""
    jar = CookieJar()
    query = urlsplit(browser.login(begin(door, jar), CALLBACK)).query
    kind = ("Content-Type", FORM)

    def posted(body: str) -> Any:
        own = {} if door.is_asgi else {"CONTENT_TYPE": FORM}
        headers = [("Cookie", jar.header), kind, ("Content-Length", str(len(body)))]
        seen = door.call("POST", BACK, headers, body=body.encode(), **own)
        jar.take(seen.all("set-cookie"))
        return seen

    assert posted("code=a&state=b").status == 400
    assert posted("a" * 70_000).status == 400
    done = posted(query)
    assert (done.status, done.one("location")) == (302, "/home?a=b")
    assert who(door, jar) == f"{server.address} alice"


@pytest.mark.parametrize("framework", DOORS)
def test_a_provider_out_of_reach(framework: str, tmp_path: Path) -> None:
    away = client("http://127.0.0.1:9")
    door = DOORS[framework](tmp_path, oauth={"hub": away}, oauth_user=lambda *_: None)
    seen = door.call("GET", BEGIN)
    assert (seen.status, seen.one("content-type")) == (503, "application/problem+json")
    assert seen.all("set-cookie") == []
    door.world.close()


@pytest.mark.parametrize("framework", DOORS)
def test_the_store_is_gone(framework: str, tmp_path: Path) -> None:
    door = DOORS[framework](tmp_path)
    jar = door.world.jar()
    page = list(jar.headers(door.guard, OWN).items())
    for file in tmp_path.glob("auth.sqlite*"):
        file.rename(file.with_name(f"gone-{file.name}"))
    for method, path in (
        ("POST", "/auth/refresh"),
        ("POST", "/auth/log-out"),
        ("POST", "/auth/log-out-others"),
        ("GET", "/auth/devices"),
        ("DELETE", "/auth/devices/0123456789Ab"),
    ):
        seen = door.call(method, path, page)
        assert (seen.status, seen.all("set-cookie")) == (503, []), (path, seen)
        assert seen.one("content-type") == "application/problem+json"
    door.world.close()
