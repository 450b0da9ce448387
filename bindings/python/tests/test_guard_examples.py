"""The services of the examples, with each kind of credential; and how many lines a guard takes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatekey.testing import Issuer

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = ["fastapi_service", "litestar_service", "flask_service", "drf_service"]
# Each in a process of its own: Django is set up once, and the environment is read at import.
PROGRAM = """
import importlib, json, os, sys
sys.path[:0] = [{tests!r}, {examples!r}]
from guard_doors import asgi, wsgi
from gatekey.testing import CookieJar, new_key
service = importlib.import_module({name!r})
call = asgi if {name!r} in ("fastapi_service", "litestar_service") else wsgi

def ask(method, path, headers=(), body=None):
    extra = {{"body": json.dumps(body).encode()}} if body else {{}}
    kind = ("Content-Type", "application/json")
    if call is wsgi:
        extra["CONTENT_TYPE"] = kind[1]
    own = [("Host", "shop.example"), kind, *headers]
    return call(service.app, method, path, own, "192.0.2.7", extra)

key = [("X-API-Key", new_key(service.auth, scopes=["orders:read"]))]
token = [("Authorization", "Bearer " + {token!r})]
out = [ask("GET", "/orders").status]
out += [ask("GET", "/orders", key).json, ask("GET", "/orders", token).json]
def log_in(password, origin="https://shop.example"):
    own = [("Origin", origin)]
    return ask("POST", "/log-in", own, body=dict(name="alice", password=password))
bad = [log_in("no").status for _ in range(4)]
cross = log_in("correct horse battery staple", "https://evil.example").status
logged = log_in("correct horse battery staple")
out += [cross, bad, logged.status, log_in("no").status]
jar = CookieJar()
jar.take(logged.all("set-cookie"))
cookie = [("Cookie", jar.header)]
page = list(jar.headers(service.auth, "https://shop.example").items())
out += [ask("GET", "/orders", cookie).json, ask("DELETE", "/orders/7", cookie).status]
out += [ask("DELETE", "/orders/7", page).json, ask("DELETE", "/orders/7", key).status]
out += [len(ask("GET", "/auth/devices", cookie).json["devices"])]
out += [ask("POST", "/auth/log-out", page).status, ask("GET", "/orders", cookie).status]
print(json.dumps(out))
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    issuer = Issuer("https://partner.example")
    (tmp_path / "jwks.json").write_text(json.dumps(issuer.keys.to_jwks()))
    return {
        "GATEKEY_STORE": str(tmp_path / "auth.sqlite"),
        "GATEKEY_PUBLIC_URL": "https://shop.example",
        "PARTNER_JWKS": str(tmp_path / "jwks.json"),
        "TOKEN": issuer.token(audience="https://shop.example/api", scope="orders:read"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_of_credential(name: str, env: dict[str, str]) -> None:
    tests, token = str(Path(__file__).parent), env.pop("TOKEN")
    code = PROGRAM.format(tests=tests, examples=str(EXAMPLES), name=name, token=token)
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    none, key, jwt, cross, *rest = json.loads(done.stdout)
    bad, status, late, session, forged, page, other, devices, *end = rest
    assert cross == 403
    assert none == 401
    assert (key["caller"], key["kind"]) == ("acme", "api_key")
    assert (jwt["caller"], jwt["kind"]) == ("alice", "jwt")
    assert (bad, status, late) == ([401] * 4, 200, 429)
    assert (session["caller"], session["kind"]) == ("alice", "session")
    assert (forged, page, other) == (403, {"cancelled": 7, "by": "alice"}, 401)
    assert (devices, end) == (1, [204, 401])


def test_the_readme_shows_a_service() -> None:
    code = (EXAMPLES / "fastapi_service.py").read_text()
    page = EXAMPLES.parent / "bindings" / "python" / "README.md"
    assert f"```python\n{code}```\n" in page.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_guard_takes_few_lines(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        own: Any = node
        named = isinstance(node, ast.Name) and node.id in ("auth", "Guard", "PARTNER", "Access")
        of_gatekey = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gatekey")
        if named or of_gatekey:
            lines |= set(range(own.lineno, own.end_lineno + 1))
    text = source.splitlines()
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    for node in calls:
        if "Guard" in ast.unparse(node):
            lines |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    assert len(lines) <= 15, [text[line - 1] for line in sorted(lines)]
