"""Mistakes with a guard on purpose: each is refused at once, and what is said names the argument, what was given and what
is wanted. One table for all doors; `test_mistakes` has those of everything else.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp.web
import fastapi
import flask
import pytest
import starlette.applications
from guard_doors import set_django_up

import gatekey.aiohttp
import gatekey.django
import gatekey.drf
import gatekey.fastapi
import gatekey.flask
import gatekey.litestar
import gatekey.starlette
from gatekey import Csrf, Key, SessionCookies, Store, aio
from gatekey.exceptions import ConfigurationError, UsageError
from gatekey.guard import Guard
from gatekey.oauth import ResourceServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

API = "https://api.example"
TOKENS = ResourceServer(API, issuers={"https://auth.example": Key.generate("ES256").public()})
set_django_up()
DOORS: dict[str, Any] = {
    "aiohttp": gatekey.aiohttp.Guard,
    "django": gatekey.django.Guard,
    "drf": gatekey.drf.Guard,
    "fastapi": gatekey.fastapi.Guard,
    "flask": gatekey.flask.Guard,
    "litestar": gatekey.litestar.Guard,
    "starlette": gatekey.starlette.Guard,
}
APPS: dict[str, Callable[[], Any]] = {
    "aiohttp": aiohttp.web.Application,
    "fastapi": fastapi.FastAPI,
    "flask": lambda: flask.Flask("shop"),
    "starlette": starlette.applications.Starlette,
}
INTERNAL = (
    "_Demand",
    "_Guard",
    "any_scopes",
    "object has no attribute",
    "integral",
    "C long",
    "__init__",
    "the argument",
)
"""What no text may hold."""
# fmt: off
OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"store": 5}, TypeError, "`store` must be a gatekey.Store, or the URL or path of a store, not int"),
    *(({name: 5}, TypeError, f"`{name}` must be a str, not int") for name in (
        "issuer", "audience", "public_url", "forwarded_header", "api_key_header", "csrf_header", "csrf_form_field",
        "realm", "metadata_url",
    )),
    ({"issuers": 5}, TypeError, "`issuers` must be a mapping"),
    *(({"audience": "https://a.example", "issuers": {"https://i.example": given}}, TypeError, told) for given, told in (
        ({"keys": []}, "are a dict: make them by KeySet.from_jwks(...)"),
        ("https://i.example/jwks", "are str: give RemoteKeySet(url)"),
        (b"PEM", "are bytes: give RemoteKeySet(url)"),
    )),
    ({"tokens": "x"}, TypeError, "`tokens` must be a gatekey.ResourceServer, not str"),
    ({"api_keys": "x"}, TypeError, "`api_keys` must be a gatekey.ApiKeys, True or False, not str"),
    ({"sessions": "x"}, TypeError, "`sessions` must be a gatekey.Sessions, True or False, not str"),
    ({"key_ring": "x"}, TypeError, "`key_ring` must be a gatekey.KeyRing, not str"),
    ({"key_ring": asyncio.run(aio.KeyRing.open("memory:"))}, TypeError, "give the twin's `sync`"),
    ({"token_ttl": "x"}, TypeError, "token_ttl must be seconds"),
    ({"token_ttl": -1}, UsageError, "token_ttl must be a finite number of seconds, zero or more"),
    ({"cookies": "x"}, TypeError, "`cookies` must be a gatekey.SessionCookies, True or False, not str"),
    ({"cookies": 1}, TypeError, "`cookies` must be"),
    ({"csrf_secret": 5}, TypeError, "`csrf_secret` must be a str or bytes, not int"),
    ({"csrf_secret_file": 5}, TypeError, "`csrf_secret_file` must be a path"),
    ({"csrf_form_field": ""}, ConfigurationError, "`csrf_form_field` is empty"),
    ({"public_url": "shop.example"}, ConfigurationError, "`public_url` is 'shop.example'"),
    ({"public_url": ""}, ConfigurationError, "`public_url` is ''"),
    ({"origins": 5}, TypeError, "`origins` must be"),
    ({"trusted_proxies": 5}, TypeError, "`trusted_proxies` must be"),
    ({"exact_names": "x"}, TypeError, "`exact_names` must be True or False, not str"),
    ({"ipv6_prefix": "x"}, TypeError, "`ipv6_prefix` must be an int, not str"),
    ({"ipv6_prefix": True}, TypeError, "`ipv6_prefix` must be an int, not bool"),
    *(({"ipv6_prefix": bits}, ConfigurationError, f"`ipv6_prefix` must be a whole number from 32 to 128, not {bits}.")
      for bits in (-1, 0, 500, 2**70)),
    ({"ipv6_prefix": 10**9999}, ConfigurationError, "not one of many digits"),
    ({"revocations": "x"}, TypeError, "`revocations` must be a gatekey.Revocations, not str"),
    ({"oauth": 5}, TypeError, "`oauth` must be a mapping"),
    ({"oauth": {5: 5}}, TypeError, "names of `oauth` must be str"),
    ({"oauth": {"hub": 5}}, TypeError, "`oauth['hub']` must be a gatekey.OAuthClient, not int"),
    ({"oauth_user": 5}, TypeError, "`oauth_user` must be a function, not int"),
    ({"former": "x"}, TypeError, "`former` must be a gatekey.guard.FormerTokens, not str"),
    ({"former": gatekey.guard.FormerTokens}, TypeError, "`former` must be a gatekey.guard.FormerTokens, not type"),
    ({"on_event": 5}, TypeError, "on_event must be callable, not int"),
    ({"pepper_file": 5}, TypeError, "`pepper_file` must be a path"),
    ({"clock": 5}, TypeError, "clock must be a callable"),
    ({"danger_allow_http": "x"}, TypeError, "`danger_allow_http` must be True or False, not str"),
    ({"danger_allow_http": True}, ConfigurationError, "`danger_allow_http` is about the cookies that the guard makes"),
    ({"danger_allow_http": True, "issuer": "https://a.example", "cookies": SessionCookies(Csrf("x" * 32))},
     ConfigurationError, "Cookies of your own"),
    # What would do nothing.
    *(({name: "x" * 32}, ConfigurationError, f"`{name}` is about the cookies that the guard makes: pass `cookies=True`")
      for name in ("csrf_secret", "csrf_secret_file")),
    ({"csrf_secret": "x" * 32, "issuer": "https://a.example", "cookies": SessionCookies(Csrf("x" * 32))},
     ConfigurationError, "have it from `SessionCookies(Csrf(secret))`."),
    ({"csrf_form_field": "csrf"}, ConfigurationError, "which only requests with `cookies` need: pass them, too"),
    ({"store": Store.open("memory:"), "pepper_file": "x"}, ConfigurationError, "give the pepper to `Store.open`"),
    ({"store": None, "pepper_file": "x"}, ConfigurationError, "`pepper_file` is for a `store` that the guard opens"),
    ({"token_ttl": 60}, ConfigurationError, "`token_ttl` is of the sessions that the guard makes: pass `issuer`"),
    ({"sessions": False, "issuer": "https://a.example", "token_ttl": 60}, ConfigurationError, "`token_ttl` is of"),
    ({"oauth_user": print}, ConfigurationError, "`oauth_user` is asked about log-ins by providers: name these in `oauth`"),
    ({"tokens": TOKENS, "issuers": {}}, ConfigurationError, "Name them in its `issuers`, or leave `tokens`"),
    ({"tokens": TOKENS, "audience": API}, ConfigurationError, "`tokens` has an audience of its own."),
    ({"forwarded_header": "X-Real-IP"}, ConfigurationError, "Name the proxies with `trusted_proxies=`"),
    ({"revocations": Store.open("memory:").revocations()}, ConfigurationError, "Give these with `issuers=` or `tokens=`"),
]
DEMANDS: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(({name: 5}, TypeError, f"{name} must be str, or an iterable of str, not int")
      for name in ("any_of", "kinds", "acr_values", "pair")),
    ({"any_of": []}, ConfigurationError, "`any_of` is empty"),
    ({"tenant": 5}, TypeError, "`tenant` must be a str, not int"),
    ({"claims": 5}, TypeError, "claims must be a mapping, not int"),
    ({"max_age": "x"}, TypeError, "max_age must be seconds"),
    *(({name: "x"}, TypeError, f"`{name}` must be True or False, not str") for name in (
        "fresh", "csrf_always", "danger_no_csrf", "own_pages", "optional", "same_tenant", "same_subject",
    )),
    ({"cost": "x"}, TypeError, "`cost` must be an int, not str"),
    ({"cost": True}, TypeError, "`cost` must be an int, not bool"),
    ({"cost": 1.5}, TypeError, "`cost` must be an int, not float"),
    ({"cost": -1}, UsageError, "`cost` must be a whole number from 0 to 4294967295, not -1."),
    ({"cost": 2**70}, UsageError, f"not {2**70}."),
    ({"kinds": "token"}, UsageError, '"token" is none of them'),
    ({"limits": 5}, TypeError, "limits must be a mapping"),
    ({"limits": {"a": 5}}, TypeError, "a rate of limits must be str, such as '5/min', not int"),
    ({"limits": {"a": (5, 60)}}, TypeError, "a rate of limits must be str, such as '5/min', not tuple"),
    ({"limits": {"a": "5/fortnight"}}, ConfigurationError, "(`limits`)"),
    ({"limits": {'"': "5/min"}}, ConfigurationError, "(`limits`)"),
    ({"any_of": "a b"}, ConfigurationError, "(`any_of`)"),
    ({"limits": {5: "1/s"}}, TypeError, "a name of limits must be str, not int"),
    ({"public": True}, TypeError, "no demand `public`; open a route to all callers by `public`"),
    ({"scopes": "a"}, TypeError, "no demand `scopes`; name the scopes one by one"),
    ({"csrf": "always"}, TypeError, "no demand `csrf`; it is `csrf_always`"),
    ({"any_scopes": "a"}, TypeError, "it is `any_of`"),
    ({"kind": "jwt"}, TypeError, "no demand `kind`; there are any_of, kinds, tenant"),
]
# fmt: on


def refused(call: Callable[[], object], wanted: type[Exception], said: str) -> None:
    with pytest.raises(wanted) as raised:
        call()
    text = str(raised.value)
    assert said in text
    internal = [
        word for word in INTERNAL if word in text.replace("there is no demand `any_scopes`", "")
    ]
    assert internal == []


@pytest.mark.parametrize(("options", "wanted", "said"), OPTIONS)
def test_options(options: dict[str, Any], wanted: type[Exception], said: str) -> None:
    given: dict[str, Any] = {"store": "memory:"} | options
    for door in (Guard, *DOORS.values()):
        refused(lambda door=door: door(**given), wanted, said)  # type: ignore[misc]


def test_no_guard_is_made_of_coroutines() -> None:
    async def user(*_: object) -> None: ...

    refused(lambda: Guard("memory:", oauth_user=user), TypeError, "`oauth_user` must be a plain")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize(("demands", "wanted", "said"), DEMANDS)
def test_demands(name: str, demands: dict[str, Any], wanted: type[Exception], said: str) -> None:
    auth = DOORS[name]("memory:")
    refused(lambda: auth.requires(**demands), wanted, said)


@pytest.mark.parametrize("name", DOORS)
def test_demands_that_no_caller_can_meet(name: str) -> None:
    """Row 750: told where the route is made, before there is a request."""
    auth = DOORS[name]("memory:")
    for demands, about in (
        ({"kinds": "session"}, "kinds"),
        ({"kinds": ["jwt", "opaque"], "optional": True}, "kinds"),
        ({"max_age": 60}, "kinds"),
        ({"claims": {"plan": "gold"}}, "kinds"),
        ({"kinds": "api_key", "pair": "session"}, "pair"),
    ):
        with pytest.raises(ConfigurationError) as raised:
            auth.requires(**demands)
        assert raised.value.claim == about
        words = {"max_age", "claims"}.isdisjoint(demands)
        assert ("`store=`, `issuer=`, `issuers=` or `tokens=`" in str(raised.value)) is words
    auth.requires(tenant="bank", kinds=["api_key", "session"])
    # One name of a limit has one rate, wherever it is named.
    auth.requires(limits={"pay": "5/min"})
    auth.public(limits={"pay": "5/60s"})
    for call in (auth.requires, auth.public):
        refused(
            lambda call=call: call(limits={"pay": "6/min"}),  # type: ignore[misc]
            ConfigurationError,
            "(`limits` is `pay:6/60s`, configured is `pay:5/60s`)",
        )
    # In another guard it is another limit.
    DOORS[name]("memory:").requires(limits={"pay": "6/min"})
    if name == "drf":
        refused(lambda: auth.view(kinds="session"), ConfigurationError, "of which this guard has")
        refused(lambda: auth.public_view(limits={"pay": "6/min"}), ConfigurationError, "6/60s")
    if hasattr(auth, "guarded"):
        call = lambda: auth.guarded(lambda: None, kinds="session")  # noqa: E731
        refused(call, ConfigurationError, "of which this guard has none")


@pytest.mark.parametrize("name", DOORS)
def test_what_is_guarded_and_opened(name: str) -> None:
    door_class = DOORS[name]
    auth = door_class("memory:")
    for scope in (5, ["a"], None):
        said = f"each scope of `requires` must be a str, one after the other, not {type(scope).__name__}"
        refused(lambda scope=scope: auth.requires(scope), TypeError, said)  # type: ignore[misc]
    refused(lambda: auth.requires(lambda: ""), TypeError, "call it before it decorates")
    refused(lambda: auth.public(own_pages="x"), TypeError, "`own_pages` must be True or False")
    refused(lambda: auth.public(limits=5), TypeError, "limits must be a mapping")
    for thing in (5, "x"):
        for call in (auth.public, auth.requires()):
            with pytest.raises(TypeError) as raised:
                call(thing)
            assert type(thing).__name__ in str(raised.value) or name in (
                "drf",
                "litestar",
                "fastapi",
            )
    if name == "drf":
        refused(lambda: auth.requires()(5), TypeError, "`auth.view(...)`")
        refused(lambda: auth.view()(5), TypeError, "guards a view, not int")
        refused(lambda: auth.public_view("x"), TypeError, "guards a view, not str")
        refused(lambda: door_class("memory:", user=5), TypeError, "`user` must be a function")
    if hasattr(auth, "guarded"):
        refused(lambda: auth.guarded(5), TypeError, "an ASGI application is wanted, not int")
    if name in ("django", "aiohttp"):
        refused(lambda: auth.requires()(dict), TypeError, "dict")


@pytest.mark.parametrize("name", APPS)
def test_install(name: str) -> None:
    auth, app = DOORS[name]("memory:", issuer="https://shop.example"), APPS[name]
    refused(lambda: auth.install(5), TypeError, "`app` must be a ")
    refused(lambda: auth.install(app(), prefix=5), TypeError, "`prefix` must be a str, not int")
    refused(
        lambda: auth.install(app(), public=5),
        TypeError,
        "`public` must be a str or a list of str, not int",
    )


@pytest.mark.parametrize("name", ["fastapi", "litestar"])
def test_what_is_no_decorator(name: str) -> None:
    """The right form is shown, and a call that was never made leaves nothing behind."""
    auth: Any = DOORS[name]("memory:")

    async def orders() -> None: ...

    form = {
        "fastapi": "Annotated[Access, auth.requires(...)]",
        "litestar": "guards=[auth.requires(",
    }
    for call in (
        auth.requires("orders:read"),
        auth.requires(),
        auth.public(),
        auth.public(limits={}),
    ):
        refused(lambda call=call: call(orders), TypeError, form[name])  # type: ignore[misc]
    opened = {"fastapi": "`dependencies=[auth.public()]`", "litestar": "guards=[auth.requires("}
    refused(lambda: auth.public(orders), TypeError, opened[name])


def test_what_the_environment_sets_for_others(tmp_path: Path) -> None:
    """Files of secrets that this guard has no use for are left alone; what is used is read."""
    absent = str(tmp_path / "absent" / "file")
    found = {"GATEKEY_PEPPER_FILE": absent, "GATEKEY_CSRF_SECRET_FILE": absent}
    own = {"GATEKEY_ISSUER": "https://a.example"}
    Guard.from_env(found | own, store=Store.open("memory:"))
    Guard.from_env(found | own, store=Store.open("memory:"), cookies=True, csrf_secret="x" * 32)
    refused(
        lambda: Guard.from_env(found | own, store=Store.open("memory:"), cookies=True),
        ConfigurationError,
        "CSRF secret cannot be read or made",
    )


def test_install_of_others() -> None:
    litestar = gatekey.litestar.Guard("memory:")
    refused(lambda: litestar.plugin(prefix=5), TypeError, "`prefix` must be a str")  # type: ignore[arg-type]
    refused(lambda: litestar.plugin(public=5), TypeError, "`public` must be a str or a list")  # type: ignore[arg-type]
    django = gatekey.django.Guard("memory:")
    refused(lambda: django.urls(5), TypeError, "`prefix` must be a str")  # type: ignore[arg-type]


def test_one_name_of_a_public_route_is_one() -> None:
    auth, app = gatekey.flask.Guard("memory:"), flask.Flask("shop", static_folder=None)
    app.add_url_rule("/health", "health", lambda: "")
    app.add_url_rule("/letter", "h", lambda: "")
    with pytest.raises(ConfigurationError, match=r"no guard: /letter \(h\)\."):
        auth.install(app, public="health")


@pytest.mark.parametrize("prefix", ["auth", "/auth", "/auth/", ""])
def test_a_prefix_has_its_slash(prefix: str) -> None:
    auth = Guard("memory:", issuer="https://shop.example")
    paths = {route.path for route in auth.own_routes(prefix)}
    assert ("/auth/devices" if prefix else "/devices") in paths


def test_the_environment() -> None:
    own = {"GATEKEY_STORE": "memory:"}
    refused(lambda: Guard.from_env(5), TypeError, "`environ` must be a mapping")  # type: ignore[arg-type]
    refused(lambda: Guard.from_env({5: "x"}), TypeError, "names of `environ` must be str")  # type: ignore[dict-item]
    refused(lambda: Guard.from_env({"GATEKEY_STORE": 5}), TypeError, "must be a str, not int")  # type: ignore[dict-item]
    for wrong, meant in (
        ("AUDIENC", "AUDIENCE"),
        ("ISSUERS", "ISSUER"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("CSRF_SECRET", "CSRF_SECRET_FILE"),
        ("PUBLIC_URI", "PUBLIC_URL"),
    ):
        said = f"The variable 'GATEKEY_{wrong}' is none of a guard's; GATEKEY_{meant} is."
        given = own | {f"GATEKEY_{wrong}": "x"}
        refused(lambda given=given: Guard.from_env(given), ConfigurationError, said)  # type: ignore[misc]
        Guard.from_env(own | {f"GATEKEY_{wrong}": " "})
    # What Kubernetes and others set is left alone.
    for name in (
        "PORT",
        "SERVICE_HOST",
        "PORT_80_TCP",
        "STORE_PORT",
        "STORE_SERVICE_HOST",
        "PEPPER",
        "LOG",
    ):
        Guard.from_env(own | {f"GATEKEY_{name}": "x"})


def test_sessions() -> None:
    auth: Any = Guard("memory:", issuer="https://shop.example")
    refused(
        lambda: auth.start_session(5),
        TypeError,
        "`subject` must be a str, not int: of a user of a database, for example, str(",
    )
    refused(lambda: auth.start_session("a", scopes=5), TypeError, "`scopes` must be")
    refused(lambda: auth.start_session("a", scopes="a b"), UsageError, "'a b' is no scope")
    refused(lambda: auth.start_session("a", claims=5), TypeError, "`claims` must be a mapping")
    refused(lambda: auth.start_session("a", meta=5), TypeError, "meta must be a mapping")
    refused(
        lambda: auth.start_session("a", client=5),
        TypeError,
        "a client or a reason must be str or bytes, not int",
    )


def test_the_table_is_long() -> None:
    assert len(OPTIONS) + len(DEMANDS) >= 70
    assert all(re.search(r"\w{4}", said) for _, _, said in OPTIONS + DEMANDS)
