"""What developers of services ran into before there was a guard, each as they would try it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from guard_doors import DOORS, Door, OfFlask
from guard_world import OWN

import gatekey
import gatekey.guard
from gatekey import Csrf, SessionCookies, Store, aio, exceptions
from gatekey.exceptions import (
    ApiKeyNotFoundError,
    GatekeyError,
    SessionEndedError,
    SessionNotFoundError,
    UsageError,
)
from gatekey.testing import CookieJar

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    made = DOORS[request.param](tmp_path)
    yield made
    made.world.close()


def test_every_framework_has_a_guard_and_a_section() -> None:
    """No service writes the glue itself: which credential, errors, cookies, the document."""
    page = (ROOT / "docs/frameworks.md").read_text()
    for module, heading in {
        "fastapi": "FastAPI",
        "starlette": "Starlette",
        "litestar": "Litestar",
        "aiohttp": "aiohttp",
        "flask": "Flask",
        "django": "Django",
        "drf": "Django REST framework",
    }.items():
        assert f"from gatekey.{module} import" in page
        assert f"\n## {heading}\n" in page
    used = {door.guard_class.__module__ for door in DOORS.values()}
    assert len(used) == 7


def test_what_may_run_in_an_event_loop_has_a_twin() -> None:
    """Calls that write, or wait, are awaited; those that do not are named as such."""
    page = (ROOT / "docs/processes.md").read_text()
    for name in ("ApiKeys", "Sessions", "KeyRing", "Revocations", "Store"):
        twin, own = getattr(aio, name), getattr(gatekey, name)
        for method in ("create", "revoke", "verify", "start", "refresh", "end_all", "rotate"):
            if hasattr(own, method):
                assert inspect.iscoroutinefunction(getattr(twin, method)), (name, method)
    assert "Guard.check" in page


def test_errors_have_a_status_and_headers_whatever_they_are() -> None:
    """A handler of all errors needs no `getattr`."""
    found = [one for one in vars(exceptions).values() if isinstance(one, type)]
    errors = [one for one in found if issubclass(one, GatekeyError) and one.number]
    assert len(errors) > 50
    for kind in errors:
        error = kind()
        assert 400 <= error.status <= 599, kind
        assert error.public_message
        assert dict(error.headers) is not None
        later = error.headers.get("Retry-After") if hasattr(error.headers, "get") else None
        assert later is None or str(later).isdigit()
    keys = Store.open("memory:").api_keys()
    with pytest.raises(ApiKeyNotFoundError) as unknown:
        keys.get("0123456789Ab")
    assert unknown.value.status == 404


def test_development_without_https_is_one_option(door: Door, tmp_path: Path) -> None:
    own = tmp_path / "dev"
    own.mkdir()
    origin = "http://localhost:8000"
    http = type(door)(own, danger_allow_http=True, public_url=origin)
    jar = CookieJar()
    jar.take(http.call("POST", "/log-in").all("set-cookie"))
    assert set(jar.headers(http.guard, origin)) == {"Cookie", "X-CSRF-Token", "Origin"}
    page = list(jar.headers(http.guard, origin).items())
    assert http.call("POST", "/orders", page).status == 200
    assert http.call("POST", "/auth/log-out", page).status == 204
    http.world.close()


def test_cookies_are_set_cleared_and_read_in_one_place() -> None:
    store = Store.open("memory:")
    guard = gatekey.guard.Guard(store, issuer=OWN, cookies=True)
    assert guard.sessions is not None
    cookies = SessionCookies(Csrf(b"a secret of the tests, 32 bytes."))
    tokens = guard.sessions.start("alice")
    jar = CookieJar()
    jar.take(cookies.set(tokens))
    sent = cookies.read(jar.header)
    assert (sent.access, sent.refresh) == (tokens.access_token, tokens.refresh_token)
    ages = [int(text.partition("Max-Age=")[2].partition(";")[0]) for text in cookies.set(tokens)]
    assert ages[0] == tokens.expires_in < ages[1] == ages[2]
    jar.take(cookies.clear())
    assert len(jar) == 0


def test_ownership_is_in_the_call() -> None:
    store = Store.open("memory:")
    keys = store.api_keys()
    guard = gatekey.guard.Guard(store, issuer=OWN)
    sessions = guard.sessions
    assert sessions is not None
    mine = keys.create(owner="me", tenant="t1").record.id
    for owner in (
        {"owned_by": "you", "tenant": "t1"},
        {"owned_by": "me"},
        {"owned_by": "me", "tenant": "t2"},
    ):
        calls: list[Any] = [keys.get, keys.revoke, keys.rotate, keys.disable, keys.enable]
        for call in calls:
            with pytest.raises(ApiKeyNotFoundError):
                call(mine, **owner)
        with pytest.raises(ApiKeyNotFoundError):
            keys.update(mine, name="x", **owner)
    with pytest.raises(UsageError, match="owned_by"):
        keys.get(mine, tenant="t1")
    assert keys.update(mine, name="x", owned_by="me", tenant="t1").name == "x"
    assert keys.revoke(mine, owned_by="me", tenant="t1").status == "revoked"
    alice, bob = sessions.start("alice"), sessions.start("bob")
    with pytest.raises(SessionNotFoundError):
        sessions.end_by_id(alice.family, "bob")
    with pytest.raises(SessionNotFoundError):
        sessions.end_all("bob", but=alice.family)
    assert sessions.end_all("bob", but=bob.family) == 0
    assert [one.family for one in sessions.list("alice")] == [alice.family]


def test_everywhere_but_here_and_a_fresh_log_in(door: Door) -> None:
    sessions = door.guard.sessions
    here, there = door.world.jar(), door.world.jar()
    family = sessions.list("alice")[0].family
    assert sessions.end_all("alice", but=family) == 1
    assert [one.family for one in sessions.list("alice")] == [family]
    statuses = sorted(
        door.call("GET", "/orders", [("Cookie", jar.header)]).status for jar in (here, there)
    )
    assert statuses == [200, 401]
    sessions.end_all("alice")
    with pytest.raises(SessionEndedError):
        sessions.end_all("alice", but=family)
    # A log-in that was refreshed is not fresh.
    door.guard.requires(fresh=True)
    demand = door.guard.demand(fresh=True)
    assert demand.is_public is False


def test_a_fresh_log_in(tmp_path: Path) -> None:
    door = OfFlask(tmp_path)
    door.route("/fresh", door.guard.requires(fresh=True))
    jar = door.world.jar()
    assert door.call("GET", "/fresh", [("Cookie", jar.header)]).status == 200
    door.world.clock.advance(120)
    page = list(jar.headers(door.guard, OWN).items())
    jar.take(door.call("POST", "/auth/refresh", page).all("set-cookie"))
    refused = door.call("GET", "/fresh", [("Cookie", jar.header)])
    assert (refused.status, refused.json["code"]) == (401, "insufficient_user_authentication")
    assert door.call("GET", "/any", [("Cookie", jar.header)]).status == 200
    door.world.close()


def test_what_is_left_of_a_rate_and_what_a_call_costs(tmp_path: Path) -> None:
    door = OfFlask(tmp_path)
    seen: list[Any] = []

    def view() -> dict[str, str]:
        seen.append(door.guard.access.key)
        return {}

    guarding = door.guard.requires(cost=3, tenant="acme")
    door.app.add_url_rule("/dear", "dear", guarding(view))
    key = door.world.key(rate="10/60s", meta={"plan": "gold"})
    answer = door.call("GET", "/dear", key)
    assert (answer.status, answer.one("ratelimit")) == (200, '"key";r=7;t=18')
    assert answer.one("ratelimit-policy") == '"key";q=10;w=60'
    assert (seen[0].owner, seen[0].tenant, seen[0].meta) == ("acme", "acme", {"plan": "gold"})
    assert [door.call("GET", "/dear", key).status for _ in range(3)] == [200, 200, 429]
    refused = door.call("GET", "/dear", key)
    assert (refused.one("retry-after") or "").isdigit()
    door.world.close()


def test_the_log_says_what_a_service_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gatekey")
    door = OfFlask(tmp_path)
    assert door.call("GET", "/orders").status == 401
    for file in door.world.folder.glob("auth.sqlite*"):
        file.rename(file.with_name(f"gone-{file.name}"))
    assert door.call("GET", "/orders", [("X-API-Key", "gk_live_" + "A" * 48)]).status == 401
    said = {(one.levelname, one.name) for one in caplog.records if one.name == "gatekey"}
    assert ("INFO", "gatekey") in said
    door.world.close()


def test_nothing_of_the_package_prints() -> None:
    package = Path(gatekey.__file__).parent
    for file in package.rglob("*.py"):
        if file.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            assert not (is_call and node.func.id == "print"), file  # type: ignore[attr-defined]
