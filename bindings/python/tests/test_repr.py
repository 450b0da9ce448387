"""`repr` speaks Python: the class by its name, texts in Python's quotes, nothing of Rust."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gatekey
from gatekey import (
    ApiKeys,
    Cookie,
    Csrf,
    HttpTransport,
    IssuerRule,
    Key,
    KeyRing,
    KeySet,
    OAuthClient,
    OAuthTokens,
    RemoteKeySet,
    ResourceServer,
    SessionCookies,
    Sessions,
    Signer,
    Store,
    TokenManager,
    Verifier,
    _core,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STUB = ast.parse((Path(gatekey.__file__).parent / "_core.pyi").read_text())
# Made only by a server's answer; tests/test_oauth.py has them.
OF_ANSWERS = {"FinishedLogin", "DeviceCodes", "UserInfo", "Introspection", "LogoutNotice"}
# Of no use by themselves.
OTHERS = {"BegunLogin", "HttpRequest", "_Now", "_Acknowledged", "_Told", "_Sends"}
NAME = "o\"'\n\x1b[31m\u202e"


def things() -> Iterator[object]:
    key = Key.generate("HS256")
    ring, store = KeyRing.open("memory:"), Store.open("memory:")
    keys = ApiKeys.open("memory:")
    sessions = Sessions.open("memory:", signer=Signer(key))
    yield store.health()
    yield from (key, ring, store, keys, sessions, KeySet([key]), Signer(key), Verifier(key))
    made = keys.create(owner="it's", scopes=["a"])
    tokens = sessions.start("it's")
    yield from (made, made.record, keys.check(made.secret), keys.list(), keys.audit()[0])
    yield from (tokens, tokens.session, sessions.events()[0], sessions.revocations, ring.active)
    yield from (keys.import_([], scheme="plaintext"), keys.pepper_report()[0])
    yield from (Cookie("a"), Csrf(bytes(range(32))), HttpTransport(), IssuerRule(key), gatekey.ANY)
    yield Verifier(key).verify(Signer(key).sign({"a": 1}))
    yield Signer(key).prepare({"a": 1})
    yield from requests_to_sign()
    remote = RemoteKeySet(issuer="https://auth.example")
    yield from (remote, IssuerRule(remote), remote._refresh())
    client = OAuthClient("app", issuer="https://auth.example", redirect_uri="https://a.example/b")
    own = OAuthTokens("https://auth.example", refresh_token="refresh", subject="it's")
    yield from (client, client._core, own, TokenManager(client), TokenManager(client)._core)
    door = ResourceServer("https://a.example", api_keys=keys)
    yield from (door, door._core, door.check(f"Bearer {made.secret}"))
    cookies = SessionCookies(Csrf(bytes(range(32))))
    guard = _core._Guard(api_keys=keys, sessions=sessions, cookies=cookies)
    request = _core._Request.of_asgi({"path": "/", "headers": [(b"x-api-key", b"none")]})
    demand = _core._Demand()
    claims = {"type": "access"}
    yield _core._FormerTokens(key, user_claim="sub", until=0, claims=claims)
    yield from (cookies, cookies.read("__Host-access=a"), guard, request, demand)
    yield from (guard.check(request, demand), guard.log_in("it's"))


def requests_to_sign() -> list[object]:
    seen: list[object] = []

    def sign(request: object) -> bytes:
        seen.append(request)
        raise OSError

    with pytest.raises(gatekey.exceptions.KeyUnavailableError):
        Key.with_callback(Key.generate("ES256").public(), sign)
    return seen


def test_every_class_is_shown_as_pythons() -> None:
    seen: set[str] = set()
    for thing in things():
        shown = repr(thing)
        name = type(thing).__name__
        seen |= {one.__name__ for one in type(thing).__mro__}
        if thing is gatekey.ANY:
            assert shown == "gatekey.ANY"
            continue
        assert re.match(rf"<gatekey\.(oauth\.client\.)?_?{name.lstrip('_')}\b.*>$", shown), shown
        for rust in ("Some(", "None)", " { ", "Ok(", "..", "::", '"'):
            if not (rust == '"' and '"it\'s"' in shown):
                assert rust not in shown, shown
        if "it's" in shown:
            assert '"it\'s"' in shown, shown
    wanted = {one.name for one in STUB.body if isinstance(one, ast.ClassDef)}
    assert wanted - OF_ANSWERS - OTHERS <= seen, sorted(wanted - OF_ANSWERS - OTHERS - seen)


def test_a_name_steers_no_terminal() -> None:
    own: Any = OAuthTokens("https://i", refresh_token="r", subject=NAME)
    assert repr(NAME) in repr(own)
    assert _core.OAuthTokens is OAuthTokens


@pytest.mark.parametrize("wrong", [-1, 1e300, float("nan")])
def test_times_are_told_by_the_arguments_name(wrong: float) -> None:
    revocations = Sessions.open("memory:").revocations
    with pytest.raises(gatekey.exceptions.UsageError, match=r"^at must be a time") as raised:
        revocations.revoke_before(wrong)
    assert "The at" not in str(raised.value)
    with pytest.raises(gatekey.exceptions.UsageError, match=r"^not_before must be"):
        ApiKeys.open("memory:").create(owner="o", not_before=wrong)
