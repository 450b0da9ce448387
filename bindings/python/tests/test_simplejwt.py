"""The change-over from djangorestframework-simplejwt, which makes the tokens here itself."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from forge import forge
from guard_doors import DOORS, Door, OfDjangoAsync, OfDrf, Seen, set_django_up
from guard_world import NOW, OWN, bearer

import gatekey.drf
from gatekey import Key
from gatekey.exceptions import ConfigurationError
from gatekey.guard import FormerTokens
from gatekey.testing import Issuer

set_django_up()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import override_settings  # noqa: E402
from rest_framework_simplejwt import tokens  # noqa: E402
from rest_framework_simplejwt import views as peer_views  # noqa: E402

from gatekey import simplejwt  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

USERS: Any = get_user_model().objects
UNTIL = NOW + 86_400
PASSWORD = "correct horse"


@pytest.fixture(scope="module", autouse=True)
def tables() -> None:
    call_command("migrate", verbosity=0)


@pytest.fixture
def alice() -> Iterator[Any]:
    user = USERS.create_user("alice", password=PASSWORD)
    yield user
    user.delete()


def scopes(user: Any) -> list[str]:
    return ["orders:read", f"name:{user.username}"]


class OfShop(OfDrf):
    """A service that had simplejwt, with its routes."""

    @property
    def more(self) -> tuple[Any, ...]:  # type: ignore[override]
        from django.urls import path

        return (
            *simplejwt.urls(self.guard, "api/token", scopes=scopes, limits={"log-in": "5/min"}),
            path("peer/", peer_views.TokenObtainPairView.as_view(), name="peer"),
            path("peer/refresh/", peer_views.TokenRefreshView.as_view(), name="peer-r"),
            path("peer/verify/", peer_views.TokenVerifyView.as_view(), name="peer-v"),
            path("peer/blacklist/", peer_views.TokenBlacklistView.as_view(), name="peer-b"),
        )


def former(**options: Any) -> FormerTokens:
    given: dict[str, Any] = {"until": UNTIL, "scopes": scopes}
    return simplejwt.former_tokens(**(given | options))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Door]:
    with override_settings(GATEKEY_PUBLIC=["peer", "peer-r", "peer-v", "peer-b"]):
        made = OfShop(tmp_path, former=former(), user=simplejwt.user_of)
        yield made
    made.world.close()


def post(door: Door, path: str, body: Mapping[str, object]) -> Seen:
    sent = json.dumps(body).encode()
    return door.call("POST", path, body=sent, CONTENT_TYPE="application/json")


def access_of(user: Any, **claims: Any) -> str:
    return made_of(tokens.AccessToken.for_user(user), **claims)


def made_of(token: Any, **claims: Any) -> str:
    """A token of simplejwt's, at the time of the tests."""
    for name, value in ({"iat": NOW, "exp": NOW + 300} | claims).items():
        token[name] = value
    return str(token)


# ---- its access tokens ----


def test_its_access_tokens_of_active_users(shop: Door, alice: Any) -> None:
    seen = shop.call("GET", "/orders", bearer(access_of(alice)))
    assert (seen.status, seen.json["kind"]) == (200, "jwt")
    assert seen.json["subject"] == str(alice.pk)
    assert seen.json["scopes"] == ["orders:read", "name:alice"]
    # Of versions before 5.5, which write numbers.
    number = access_of(alice, user_id=alice.pk)
    assert shop.call("GET", "/orders", bearer(number)).status == 200


def test_the_user_is_the_projects(shop: Door, alice: Any) -> None:
    found: list[Any] = []
    guard: Any = shop.guard

    def user_of(own: Any) -> Any:
        found.append(simplejwt.user_of(own))
        return found[-1]

    guard.user_of = user_of
    assert shop.call("GET", "/orders", bearer(access_of(alice))).status == 200
    assert found == [alice]
    jar = shop.world.jar(subject=str(alice.pk))
    assert shop.call("GET", "/orders", [("Cookie", jar.header)]).status == 200
    assert found == [alice, alice]
    assert shop.call("GET", "/orders", shop.world.key()).status == 200
    assert isinstance(found[-1], gatekey.drf.Caller)


@pytest.mark.parametrize("what", ["inactive", "deleted"])
def test_users_who_are_gone(shop: Door, alice: Any, what: str) -> None:
    token, jar = access_of(alice), shop.world.jar(subject=str(alice.pk))
    if what == "inactive":
        alice.is_active = False
        alice.save()
    else:
        USERS.filter(pk=alice.pk).delete()
    # The session's, too: its user is asked for with each request, as simplejwt does.
    for sent in (bearer(token), [("Cookie", jar.header)], bearer(jar["__Host-access"])):
        seen = shop.call("GET", "/orders", sent)
        assert (seen.status, seen.json["code"]) == (401, "invalid_token")
        assert seen.one("content-type") == "application/problem+json"
    assert not shop.calls


def test_nothing_else_of_its_own(shop: Door, alice: Any) -> None:
    secret = Key.from_secret("another secret of the tests, as long", "HS256")
    other_key = Issuer("https://other.example", clock=shop.world.clock)
    bad = {
        "refresh": made_of(tokens.RefreshToken.for_user(alice)),
        "sliding": made_of(tokens.SlidingToken.for_user(alice)),
        "expired": access_of(alice, exp=NOW),
        "untyped": access_of(alice, token_type=None),
        "a list": access_of(alice, token_type=["access"]),
        "nobody": access_of(alice, user_id=None),
        "true": access_of(alice, user_id=True),
        "a list of users": access_of(alice, user_id=[alice.pk]),
        "an object": access_of(alice, user_id={"pk": alice.pk}),
        "half": access_of(alice, user_id=alice.pk + 0.5),
        "another spelling": access_of(alice, user_id=f" {alice.pk}"),
        "zeros": access_of(alice, user_id=f"0{alice.pk}"),
        "no number": access_of(alice, user_id="alice"),
        "beyond": access_of(alice, user_id="9" * 40),
        "an issuer": access_of(alice, iss="https://other.example"),
        "an audience": access_of(alice, aud="other"),
        "another key": other_key.token(key=secret, typ="JWT", token_type="access", user_id="1"),
        "no algorithm": unsigned(access_of(alice)),
    }
    for what, token in bad.items():
        seen = shop.call("GET", "/orders", bearer(token))
        assert (seen.status, seen.json["code"]) == (401, "invalid_token"), what
        cookie = [("Cookie", f"__Host-access={token}")]
        assert shop.call("GET", "/orders", cookie).status == 401, what
        answer = post(shop, "/api/token/refresh/", {"refresh": token})
        assert answer.status == 401, (what, answer)
        assert answer.json["code"] == "token_not_valid", what
    answer = post(shop, "/api/token/refresh/", {"refresh": access_of(alice)})
    assert answer.status == 401
    assert not shop.calls


def unsigned(token: str) -> str:
    _, payload, _ = token.split(".")
    return f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."


def test_a_token_that_its_blacklist_names(shop: Door, alice: Any) -> None:
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

    token: Any = tokens.AccessToken.for_user(alice)
    sent = bearer(made_of(token))
    assert shop.call("GET", "/orders", sent).status == 200
    about = {"user": alice, "jti": token["jti"], "token": str(token)}
    ends: Any = datetime.fromtimestamp(NOW + 300, timezone.utc)
    listed = OutstandingToken.objects.create(**about, expires_at=ends)
    BlacklistedToken.objects.create(token=listed)
    assert shop.call("GET", "/orders", sent).status == 401
    assert shop.call("GET", "/orders", bearer(access_of(alice))).status == 200


def test_their_date(shop: Door, alice: Any, caplog: pytest.LogCaptureFixture) -> None:
    long = access_of(alice, exp=UNTIL + 600)
    shop.world.clock.advance(86_399)
    assert shop.call("GET", "/orders", bearer(long)).status == 200
    shop.world.clock.advance(1)
    assert shop.call("GET", "/orders", bearer(long)).status == 401
    with pytest.raises(TypeError):
        simplejwt.former_tokens()  # type: ignore[call-arg]
    # A service that starts then starts, and says so.
    gatekey.drf.Guard("memory:", issuer=OWN, former=former(until=NOW), clock=shop.world.clock)
    assert "former tokens is over" in caplog.text


def test_log_out_everywhere_ends_them(shop: Door, alice: Any) -> None:
    token = access_of(alice)
    assert shop.call("GET", "/orders", bearer(token)).status == 200
    shop.guard.sessions.end_all(str(alice.pk))
    assert shop.call("GET", "/orders", bearer(token)).status == 401


def test_by_a_password_that_has_changed(tmp_path: Path, alice: Any) -> None:
    setting = {"CHECK_REVOKE_TOKEN": True, "ISSUER": "old", "AUDIENCE": "us", "LEEWAY": 5}
    with override_settings(SIMPLE_JWT=setting):
        door = OfDrf(tmp_path, former=former(), user=simplejwt.user_of)
        from rest_framework_simplejwt.utils import get_md5_hash_password

        own = {"iss": "old", "aud": "us", "hash_password": get_md5_hash_password(alice.password)}
        good = bearer(access_of(alice, **own))
        assert door.call("GET", "/orders", good).status == 200
        late = bearer(access_of(alice, **own, exp=NOW - 4))
        assert door.call("GET", "/orders", late).status == 200
        for name in own:
            lacking = bearer(access_of(alice, **{**own, name: "other"}))
            assert door.call("GET", "/orders", lacking).status == 401, name
        alice.set_password("another")
        alice.save()
        assert door.call("GET", "/orders", good).status == 401
        door.world.close()


def test_settings_that_would_take_too_much() -> None:
    for setting in ({"TOKEN_TYPE_CLAIM": None}, {"JWK_URL": "https://auth.example/jwks"}):
        with override_settings(SIMPLE_JWT=setting), pytest.raises(ConfigurationError):
            former()
    keys = Key.from_secret("another secret of the tests, as long", "HS256")
    about: Any = {"user_claim": "sub", "until": UNTIL, "look_up": lambda *_: []}
    with pytest.raises(ConfigurationError, match="refresh"):
        gatekey.drf.Guard("memory:", former=FormerTokens(keys, claims={}, **about))
    with pytest.raises(ConfigurationError, match="sessions"):
        simplejwt.urls(gatekey.drf.Guard("memory:"))


def test_async_views(tmp_path: Path, alice: Any) -> None:
    door = OfDjangoAsync(tmp_path, former=former())
    assert door.call("GET", "/orders", bearer(access_of(alice))).status == 200
    alice.is_active = False
    alice.save()
    assert door.call("GET", "/orders", bearer(access_of(alice))).status == 401
    door.world.close()


@pytest.mark.parametrize("framework", DOORS)
def test_those_of_flask_jwt_extended_in_every_framework(framework: str, tmp_path: Path) -> None:
    asked: list[str] = []

    def look_up(subject: str, claims: Mapping[str, Any]) -> list[str] | None:
        asked.append(f"{subject} {claims['fresh']}")
        return ["orders:read"] if subject == "alice" else None

    secret = b"a secret of the tests, in JWT_SECRET_KEY"
    own = FormerTokens(
        Key.from_secret(secret, "HS256"),
        user_claim="sub",
        claims={"type": "access"},
        until=UNTIL,
        look_up=look_up,
    )
    door = DOORS[framework](tmp_path, former=own)

    def sent(subject: str = "alice", kind: str = "access") -> list[tuple[str, str]]:
        claims = {"fresh": False, "iat": NOW, "nbf": NOW, "exp": NOW + 900, "jti": "j"}
        claims |= {"type": kind, "sub": subject, "csrf": "c"}
        return bearer(forge(json.dumps(claims).encode(), secret=secret))

    seen = door.call("GET", "/orders", sent())
    assert (seen.status, seen.json["subject"]) == (200, "alice")
    assert door.call("GET", "/orders", sent("bob")).status == 401
    assert asked == ["alice False", "bob False"]
    assert door.call("GET", "/orders", sent(kind="refresh")).status == 401
    assert door.call("GET", "/orders", door.world.key()).status == 200
    assert len(asked) == 2
    door.world.close()


# ---- its routes ----


def told(seen: Seen) -> tuple[int, Any, str | None]:
    return seen.status, seen.json, seen.one("www-authenticate")


def test_log_in_as_there(shop: Door, alice: Any) -> None:
    good = {"username": "alice", "password": PASSWORD}
    ours, peers = post(shop, "/api/token/", good), post(shop, "/peer/", good)
    assert (
        (ours.status, set(ours.json))
        == (peers.status, set(peers.json))
        == (
            200,
            {"access", "refresh"},
        )
    )
    assert ours.all("set-cookie") == []
    seen = shop.call("GET", "/orders", bearer(ours.json["access"]))
    assert (seen.status, seen.json["kind"]) == (200, "session")
    assert seen.json["scopes"] == ["orders:read", "name:alice"]
    for bad in (
        {"username": "alice", "password": "no"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "alice"},
        {"password": PASSWORD},
        {},
        {"username": "", "password": ""},
        {"username": ["alice"], "password": {}},
        {"username": None, "password": None},
    ):
        shop.world.clock.advance(60)
        theirs = post(shop, "/peer/", bad)
        assert told(post(shop, "/api/token/", bad)) == told(theirs), bad
        assert theirs.status in (400, 401)
    alice.is_active = False
    alice.save()
    assert told(post(shop, "/api/token/", good)) == told(post(shop, "/peer/", good))


def test_forms_and_limits(shop: Door, alice: Any) -> None:
    assert alice.last_login is None
    form = f"username=alice&password={PASSWORD.replace(' ', '+')}".encode()
    kind = "application/x-www-form-urlencoded"
    with override_settings(SIMPLE_JWT={"UPDATE_LAST_LOGIN": True}):
        sent = shop.call("POST", "/api/token/", body=form, CONTENT_TYPE=kind)
    assert sent.status == 200
    assert USERS.get(pk=alice.pk).last_login is not None
    assert shop.call("GET", "/api/token/").status == 405
    answers = [post(shop, "/api/token/", {}).status for _ in range(4)]
    assert answers == [400] * 3 + [429]


@pytest.mark.usefixtures("alice")
def test_refresh_as_there(shop: Door) -> None:
    good = {"username": "alice", "password": PASSWORD}
    first = post(shop, "/api/token/", good).json
    next_one = post(shop, "/api/token/refresh/", {"refresh": first["refresh"]})
    assert (next_one.status, set(next_one.json)) == (200, {"access", "refresh"})
    assert shop.call("GET", "/orders", bearer(next_one.json["access"])).status == 200
    for bad in ({}, {"refresh": ""}, {"refresh": None}, {"refresh": ["x"]}):
        theirs = post(shop, "/peer/refresh/", bad)
        assert told(post(shop, "/api/token/refresh/", bad)) == told(theirs), bad
    for text in ("x", "a.b.c", "\ud800"):
        theirs = post(shop, "/peer/refresh/", {"refresh": text})
        ours = post(shop, "/api/token/refresh/", {"refresh": text})
        assert told(ours) == told(theirs), text
    # An old one is as one that simplejwt has on its list: the session is over.
    shop.world.clock.advance(120)
    again = post(shop, "/api/token/refresh/", {"refresh": next_one.json["refresh"]}).json
    old = post(shop, "/api/token/refresh/", {"refresh": first["refresh"]})
    assert (old.status, old.json["code"]) == (401, "token_not_valid")
    assert "Bearer" in (old.one("www-authenticate") or "")
    assert post(shop, "/api/token/refresh/", {"refresh": again["refresh"]}).status == 401


def test_no_refresh_for_users_who_are_gone(shop: Door, alice: Any) -> None:
    good = {"username": "alice", "password": PASSWORD}
    ours = post(shop, "/api/token/", good).json["refresh"]
    theirs = post(shop, "/peer/", good).json["refresh"]
    alice.is_active = False
    alice.save()
    seen = post(shop, "/api/token/refresh/", {"refresh": ours})
    assert told(seen) == told(post(shop, "/peer/refresh/", {"refresh": theirs}))
    assert seen.status == 401
    alice.is_active = True
    alice.save()
    # Its session is over.
    assert post(shop, "/api/token/refresh/", {"refresh": ours}).status == 401


def test_verify_as_there(shop: Door, alice: Any) -> None:
    good = {"username": "alice", "password": PASSWORD}
    ours = post(shop, "/api/token/", good).json
    former_one = access_of(alice)
    for token in (ours["access"], former_one):
        assert told(post(shop, "/api/token/verify/", {"token": token})) == (200, {}, None)
    now = str(tokens.AccessToken.for_user(alice))
    assert told(post(shop, "/peer/verify/", {"token": now})) == (200, {}, None)
    key = shop.world.key()[0][1]
    for token in ("x", key, ours["refresh"], "", None, "\ud800", "\u20ac", "a b", "a\r\nb"):
        theirs = post(shop, "/peer/verify/", {"token": token})
        assert told(post(shop, "/api/token/verify/", {"token": token})) == told(theirs), token
    assert told(post(shop, "/api/token/verify/", {})) == told(post(shop, "/peer/verify/", {}))


@pytest.mark.usefixtures("alice")
def test_blacklist_as_there(shop: Door) -> None:
    good = {"username": "alice", "password": PASSWORD}
    ours, theirs = post(shop, "/api/token/", good).json, post(shop, "/peer/", good).json
    for path, pair in (("/api/token/", ours), ("/peer/", theirs)):
        body = {"refresh": pair["refresh"]}
        assert told(post(shop, f"{path}blacklist/", body)) == (200, {}, None)
        answers = [told(post(shop, f"{path}{name}/", body)) for name in ("refresh", "blacklist")]
        assert (
            answers
            == [
                (
                    401,
                    {"detail": "Token is blacklisted", "code": "token_not_valid"},
                    'Bearer realm="api"',
                )
            ]
            * 2
        ), path
    assert shop.call("GET", "/orders", bearer(ours["access"])).status == 401
    for bad in ({}, {"refresh": "x"}):
        there = post(shop, "/peer/blacklist/", bad)
        assert told(post(shop, "/api/token/blacklist/", bad)) == told(there)


def test_the_store_is_gone(shop: Door, alice: Any) -> None:
    good = {"username": "alice", "password": PASSWORD}
    ours = post(shop, "/api/token/", good).json
    for file in shop.world.folder.glob("auth.sqlite*"):
        file.rename(file.with_name(f"gone-{file.name}"))
    for path, body in (
        ("", good),
        ("refresh/", {"refresh": ours["refresh"]}),
        ("verify/", {"token": ours["access"]}),
        ("blacklist/", {"refresh": ours["refresh"]}),
    ):
        seen = post(shop, f"/api/token/{path}", body)
        assert (seen.status, set(seen.json)) == (503, {"detail"}), path
    # A token of simplejwt's that nothing is asked about but its user is as good as the sessions'.
    assert shop.call("GET", "/orders", bearer(access_of(alice))).status == 503


def test_what_holds_tokens_is_kept_by_no_cache(shop: Door, alice: Any) -> None:
    made = post(shop, "/api/token/", {"username": "alice", "password": PASSWORD})
    assert (made.status, made.one("cache-control")) == (200, "no-store")
    again = post(shop, "/api/token/refresh/", {"refresh": made.json["refresh"]})
    assert (again.status, again.one("cache-control")) == (200, "no-store")
    said = {"token": again.json["access"]}
    assert post(shop, "/api/token/verify/", said).status == 200
    alice.is_active = False
    alice.save()
    # As routes say: its session is there, and its user is not.
    assert shop.call("GET", "/orders", bearer(said["token"])).status == 401
    assert post(shop, "/api/token/verify/", said).json["code"] == "token_not_valid"


def test_pages_about_errors_show_no_secret(
    shop: Door, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise RuntimeError

    assert alice.is_active
    with override_settings(DEBUG=True):
        monkeypatch.setattr(simplejwt, "tokens_of", fail)
        page = post(shop, "/api/token/", {"username": "alice", "password": PASSWORD})
        monkeypatch.setattr(simplejwt, "_pair", fail)
        token = "gkr_" + "a" * 43
        monkeypatch.setattr(simplejwt._View, "sessions", property(fail))
        other = post(shop, "/api/token/refresh/", {"refresh": token})
    assert (page.status, other.status) == (500, 500)
    assert b"RuntimeError" in page.body
    assert PASSWORD.encode() not in page.body
    assert token.encode() not in other.body


def test_scopes_are_given_by_a_plain_function(shop: Door) -> None:
    async def later(_: Any) -> list[str]:
        return []

    wrong: Any = later
    with pytest.raises(TypeError, match="`scopes` must be a plain function"):
        simplejwt.former_tokens(until=UNTIL, scopes=wrong)
    guard: Any = shop.guard
    with pytest.raises(TypeError, match="`scopes` must be a plain function"):
        simplejwt.urls(guard, scopes=wrong)
