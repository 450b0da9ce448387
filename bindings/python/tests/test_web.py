"""Cookies and CSRF tokens in Python; the rules themselves are tested in tests/it/session."""

from __future__ import annotations

import pickle
from http.cookies import SimpleCookie
from typing import Any

import pytest

from gatekey import Cookie, Csrf, exceptions


def test_python_reads_what_is_set() -> None:
    cookie = Cookie("__Host-refresh", max_age=604800, same_site="Strict")
    parsed = SimpleCookie(cookie.set("opaque.1-2_3"))["__Host-refresh"]
    assert parsed.value == "opaque.1-2_3"
    assert (parsed["path"], parsed["max-age"], parsed["samesite"]) == ("/", "604800", "Strict")
    assert parsed["secure"] is parsed["httponly"] is True
    assert parsed["domain"] == ""
    cleared = SimpleCookie(cookie.clear())["__Host-refresh"]
    assert (cleared.value, cleared["max-age"]) == ("", "0")
    assert cleared["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert (cleared["path"], cleared["samesite"]) == ("/", "Strict")


def test_reading() -> None:
    cookie = Cookie("__Host-a")
    assert cookie.name == "__Host-a"
    assert cookie.read("b=2; __Host-a=1") == "1"
    assert cookie.read("b=2") is cookie.read("") is cookie.read(None) is None
    with pytest.raises(exceptions.MalformedCookieError) as raised:
        cookie.read("__Host-a=1; __Host-a=2")
    assert (raised.value.status, raised.value.code) == (400, "malformed_cookie")
    assert isinstance(raised.value, exceptions.SessionError)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "__Host-a", "domain": "example.com"},
        {"name": "__Host-a", "path": "/x"},
        {"name": "a", "secure": False},
        {"name": "__Secure-a", "secure": False, "danger_allow_http": True},
        {"name": "a", "same_site": "None", "secure": False, "danger_allow_http": True},
        {"name": "a", "max_age": 0},
        {"name": "a", "domain": ".example.com"},
    ],
)
def test_what_a_browser_would_refuse(arguments: dict[str, Any]) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        Cookie(**arguments)


def test_mistakes() -> None:
    with pytest.raises(exceptions.UsageError):
        Cookie("a", same_site="Sometimes")
    with pytest.raises(exceptions.UsageError):
        Cookie("a").set("a b")
    with pytest.raises(TypeError):
        Cookie("a").set(b"x")  # type: ignore[arg-type]
    with pytest.raises(exceptions.WeakKeyError):
        Csrf(b"short")
    with pytest.raises(TypeError):
        Csrf(7)  # type: ignore[arg-type]
    assert Cookie("a", secure=False, danger_allow_http=True).set("1") == (
        "a=1; Path=/; HttpOnly; SameSite=Lax"
    )


def test_csrf() -> None:
    csrf = Csrf(bytes(range(32)))
    token = csrf.issue("session-1")
    csrf.check("session-1", token, method="POST", sec_fetch_site="same-origin")
    csrf.check("session-1", token, method="POST", origin="https://a.example", host="a.example")
    csrf.check("session-1", None, method="GET", sec_fetch_site="cross-site")
    for session, presented, headers in (
        ("session-2", token, {}),
        ("session-1", None, {}),
        ("session-1", token[:-1], {}),
        ("session-1", token, {"sec_fetch_site": "cross-site"}),
        ("session-1", token, {"sec_fetch_site": "same-site"}),
        ("session-1", token, {"origin": "https://b.example", "host": "a.example"}),
    ):
        with pytest.raises(exceptions.CsrfError) as raised:
            csrf.check(session, presented, method="POST", **headers)
        assert (raised.value.status, raised.value.code) == (403, "csrf_rejected")
        assert token not in str(raised.value)
    with pytest.raises(exceptions.UsageError):
        csrf.check("session-1", token, method="POST", origin="https://a.example")
    csrf.check(None, None, method="GET")
    with pytest.raises(exceptions.MissingCredentialsError) as missing:
        csrf.check(None, token, method="POST")
    assert missing.value.status == 401
    friendly = Csrf(bytes(range(32)), allow_same_site=True)
    friendly.check("session-1", token, method="POST", sec_fetch_site="same-site")
    assert repr(csrf) == "<gatekey.Csrf [redacted]>"
    with pytest.raises(TypeError):
        pickle.dumps(csrf)
