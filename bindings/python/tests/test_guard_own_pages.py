"""A log-in comes from a page of the service, in every framework: no other site logs its visitors
in as a user of its choice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from guard_doors import DOORS, Door, OfDrf
from guard_world import OWN

from gatekey.exceptions import ConfigurationError
from gatekey.guard.base import FORM
from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    made = DOORS[request.param](tmp_path, csrf_form_field="csrf")
    yield made
    made.world.close()


def post(door: Door, *headers: tuple[str, str]) -> int:
    return door.call("POST", "/own-pages", headers).status


def test_what_browsers_say(door: Door) -> None:
    assert post(door, ("Origin", OWN)) == 200
    assert post(door, ("Sec-Fetch-Site", "same-origin")) == 200
    assert post(door, ("Origin", "null"), ("Sec-Fetch-Site", "same-origin")) == 200
    door.calls.clear()
    for origin in ("https://evil.test", "null", "http://shop.example", f"{OWN}.evil.test", ""):
        assert post(door, ("Origin", origin)) == 403, origin
    for site in ("cross-site", "same-site", ""):
        assert post(door, ("Sec-Fetch-Site", site)) == 403, site
    assert post(door) == 403
    # No other header stands in for it.
    for more in (("X-Requested-With", "x"), ("Authorization", "x"), ("Content-Type", "text/plain")):
        assert post(door, more) == 403, more
    assert not door.calls
    # The page itself may be linked from anywhere.
    assert door.call("GET", "/own-pages", [("Sec-Fetch-Site", "cross-site")]).status == 200


def test_browsers_that_say_nothing(door: Door) -> None:
    page = door.call("GET", "/form")
    jar = CookieJar()
    jar.take(page.all("set-cookie"))
    assert len(jar) == 1
    token = jar["__Host-csrf"]
    assert token in (page.one("x-token"), page.body.decode().partition('"token":"')[2][:64])
    cookie = ("Cookie", jar.header)
    assert post(door, cookie, ("X-CSRF-Token", token)) == 200
    again = door.call("GET", "/form", [cookie])
    assert again.all("set-cookie") == []

    def posted(field: str, *headers: tuple[str, str]) -> int:
        body = f"name=alice&csrf={quote(field)}".encode()
        own = {} if door.is_asgi else {"CONTENT_TYPE": FORM}
        kind = [("Content-Type", FORM), ("Content-Length", str(len(body)))]
        return door.call("POST", "/own-pages", [*kind, *headers], body=body, **own).status

    assert posted(token, cookie) == 200
    door.calls.clear()
    other = CookieJar()
    other.take(door.call("GET", "/form").all("set-cookie"))
    assert other["__Host-csrf"] != token
    assert posted(other["__Host-csrf"], cookie) == 403
    assert posted(token) == 403
    assert posted("", cookie) == 403
    assert posted(token, cookie, ("Origin", "https://evil.test")) == 403
    assert post(door, ("X-CSRF-Token", token)) == 403
    assert post(door, cookie) == 403
    assert not door.calls
    # The token of a session of the attacker's, with its cookie, is none of a page's.
    jar = door.world.jar(subject="mallory")
    planted = ("Cookie", f"__Host-csrf={jar['__Host-csrf']}")
    assert post(door, planted, ("X-CSRF-Token", jar["__Host-csrf"])) == 403


def test_a_page_beside_a_session(door: Door) -> None:
    jar = door.world.jar()
    page = door.call("GET", "/form", [("Cookie", jar.header)])
    assert page.all("set-cookie") == []
    headers = jar.headers(door.guard)
    assert post(door, *headers.items()) == 200


def test_it_is_about_callers_who_are_not_known(door: Door) -> None:
    with pytest.raises(ConfigurationError, match="optional"):
        door.guard.requires(own_pages=True)
    door.guard.requires(optional=True, own_pages=True)
    assert OfDrf.guard_class.public is not DOORS["flask"].guard_class.public
