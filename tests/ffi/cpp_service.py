"""Sends ordinary and hostile requests to examples/cpp-service, and checks what is answered.

usage: cpp_service.py SERVICE FOLDER bearer|cookies

`cookies` is a build with them, of cpp-httplib 0.44 or later.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import gatekey

Seen = tuple[int, list[tuple[str, str]], str]  # status, headers, body

service, folder, mode = sys.argv[1:4]
cookies = mode == "cookies"
url = f"sqlite:///{folder}/store.sqlite"
secret_file = Path(folder) / "csrf"
secret_file.write_bytes(os.urandom(32))

store = gatekey.Store.open(url)
keys = store.api_keys()
issued = keys.create(owner="acme", scopes=["orders:read"])
rated = keys.create(owner="acme", scopes=["orders:read"], rate="2/min")
sessions = store.sessions(signer=gatekey.Signer(store.key_ring()))
token = str(sessions.start("alice", claims={"scope": "orders:read orders:write"}).access_token)
key = f"X-API-Key: {issued.secret}"
bearer = f"Authorization: Bearer {token}"

log = Path(folder) / "log"
with log.open("wb") as file:
    running = subprocess.Popen(  # noqa: S603
        [service, url, str(secret_file)], stdout=subprocess.PIPE, stderr=file, text=True
    )
assert running.stdout
port = int(running.stdout.readline())
failed: list[str] = []
passed = 0


def ask(*headers: str, line: str = "GET /orders", body: bytes = b"") -> Seen:
    """Give status, headers (a sorted list of pairs) and body of what is answered."""
    head = "\r\n".join([f"{line} HTTP/1.1", "Host: x", "Connection: close", *headers]) + "\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode("latin1") + body)
        got = b""
        while part := connection.recv(65536):
            got += part
    first, _, content = got.partition(b"\r\n\r\n")
    status, *lines = first.decode("latin1").split("\r\n")
    pairs = [(name, value) for name, _, value in (one.partition(": ") for one in lines)]
    length = dict(pairs).get("Content-Length", "0")
    if not line.startswith("HEAD") and int(length) != len(content):
        failed.append(f"{line}: Content-Length {length}, {len(content)} bytes")
    ours = ("Connection", "Content-Length", "Accept-Ranges")
    return (
        int(status.split()[1]),
        sorted(pair for pair in pairs if pair[0] not in ours),
        content.decode(),
    )


def same(name: str, got: object, expected: object) -> None:
    """Count, and tell what differs."""
    global passed
    if got == expected:
        passed += 1
    else:
        failed.append(f"{name}:\n      expected {expected}\n      got      {got}")


vary = ("Vary", "Authorization, Cookie, X-API-Key" if cookies else "Authorization, X-API-Key")
text = ("Content-Type", "text/plain")
no_store = ("Cache-Control", "no-store")
problem_type = ("Content-Type", "application/problem+json")


def orders_of(who: str) -> Seen:
    """Give the application's own answer."""
    return 200, [text, (vary[0], vary[1] + ", Accept")], f"orders of {who}, 127.0.0.1\n"


def refusal(status: int, title: str, detail: str, code: str, challenge: str | None = None) -> Seen:
    """Give a refusal of the guard's."""
    headers = [no_store, problem_type, vary, ("X-Content-Type-Options", "nosniff")]
    if challenge is not None:
        headers.append(("WWW-Authenticate", f'Bearer realm="shop"{challenge}'))
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return status, sorted(headers), json.dumps(body, separators=(",", ":"))


def described(code: str, detail: str) -> str:
    """Give what a challenge says of the reason."""
    return f', error="{code}", error_description="{detail}"'


acme, alice = orders_of("acme, api_key"), orders_of("alice, session")
sentence = "The request needs credentials."
missing = refusal(401, "Unauthorized", sentence, "missing_credentials", ', scope="orders:read"')
sentence = "The access token is not valid."
invalid = refusal(
    401, "Unauthorized", sentence, "invalid_token", described("invalid_token", sentence)
)
sentence = "The request brings more than one credential."
several = refusal(
    400, "Bad Request", sentence, "several_credentials", described("invalid_request", sentence)
)
sentence = "The request needs a scope that was not granted."
scope = described("insufficient_scope", sentence) + ', scope="orders:write"'
forbidden = refusal(403, "Forbidden", sentence, "insufficient_scope", scope)
malformed = refusal(400, "Bad Request", "The request is malformed.", "malformed_request")
title = "Request Header Fields Too Large"
too_many = refusal(431, title, "The request is malformed.", "malformed_request")
unknown = 404, [no_store, problem_type], '{"type":"about:blank","title":"Not Found","status":404}'
# What a later cpp-httplib refuses itself.
bad = (400, [], "") if cookies else malformed

rows = {
    "an API key": ([key], acme),
    "a bearer token": ([bearer], alice),
    "nothing": ([], missing),
    "two tokens": ([bearer, bearer], several),
    "two kinds": ([key, bearer], several),
    "an encoded token": (["Authorization: Bearer A%42C"], invalid),
    "an encoded cookie plants nothing": ([f"Cookie: theme=1%3B%20__Host-access={token}"], missing),
    "an address in a header": ([key, "X-Forwarded-For: 1.1.1.1%2C%202.2.2.2"], acme),
    "REMOTE_ADDR": (["REMOTE_ADDR: 10.9.9.9", key], acme),
    "REMOTE_ADDR, later": ([key, "REMOTE_ADDR: 10.9.9.9", "Remote_Addr: 10.9.9.8"], acme),
    "a folded token": (
        ["Authorization: Bearer", f" {token}"],
        (400, [], "") if cookies else missing,
    ),
    "a blank before the colon": ([f"X-API-Key : {issued.secret}"], bad),
    "NUL": ([key, "X-A: a\0b"], bad),
    "a control byte": ([key, "X-A: a\x01b"], bad),
    "an encoded NUL": ([key, "X-A: a%00b"], acme if cookies else malformed),
    "an encoded line": ([key, "X-A: a%0D%0AX-B: b"], acme if cookies else malformed),
    "many headers": ([key] + ["X-A: 1"] * (80 if cookies else 490), acme),
    "501 headers": ([key] + ["X-A: 1"] * 500, (400, [], "") if cookies else too_many),
    "a part of a refusal": (["Range: bytes=0-3"], missing),
}
for name, (headers, expected) in rows.items():
    same(name, ask(*headers), expected)

for line, expected in {
    "GET /health": (200, [text, vary], "up\n"),
    "GET /orders?x=/health": acme,
    "GET /%6frders": acme,
    "HEAD /orders": (acme[0], acme[1], ""),
    "OPTIONS /orders": unknown,
    "DELETE /orders": unknown,
    "GET /nothing": unknown,
    "GET /orders/": unknown,
    "GET //orders": unknown,
    "GET /ORDERS": unknown,
    "GET /orders%00x": unknown,
    "GET /health/../orders": unknown,
    "GET /health/%2e%2e/orders": unknown,
    "GET /health/..%2forders": unknown,
    "GET /orders%23/health": unknown,
}.items():
    same(line, ask(key, line=line), expected)
same("HEAD without credentials", ask(line="HEAD /orders"), (missing[0], missing[1], ""))
# The decision is of the path that is served, whatever a header or the query says.
for header in ("X-Original-URI", "X-Original-URL", "X-Rewrite-URL"):
    same(header, ask(f"{header}: /health"), missing)
same("a path in the query", ask(line="GET /orders?x=/health"), missing)
# What a client names in Connection is still there for the guard.
named = "Connection: close, X-API-Key, Authorization, X-Forwarded-For"
same("named in Connection", ask(named, key), acme)
same("two, one of them named", ask(named, key, bearer), several)
# More than the server reads, which answers itself or closes: never with the orders.
for name, lines in {"10,000": ["X: a"] * 10000, "1 MiB": ["X: " + "a" * (1 << 20)]}.items():
    with contextlib.suppress(OSError, IndexError):
        same(name, ask(key, *lines)[0] in (400, 413, 414, 431), True)
same("a spelling without credentials", ask(line="GET /%6frders"), missing)

body = "Content-Length: 3"
same("POST", ask(bearer, body, line="POST /orders", body=b"abc"), (201, [text, vary], "3 bytes\n"))
same("POST without the scope", ask(key, body, line="POST /orders", body=b"abc"), forbidden)
same(
    "a body that is too long",
    ask(bearer, "Content-Length: 9000000", line="POST /orders")[0],
    400 if cookies else 413,
)

if cookies:
    cookie = f"Cookie: theme=1; __Host-access={token}"
    same("a cookie", ask(cookie), alice)
    same("two cookies", ask(f"{cookie}; __Host-access={token}")[0], 400)
    same("a cookie of another site", ask(cookie, body, line="POST /orders", body=b"abc")[0], 403)
    ours = ["Sec-Fetch-Site: same-origin", "Origin: https://shop.example", "Content-Length: 0"]
    browser = sessions.start("bob", claims={"scope": "orders:read"})
    csrf = gatekey.Csrf(secret_file.read_bytes()).issue(browser.family)
    kept = f"__Host-refresh={browser.refresh_token}; __Host-csrf={csrf}"
    got = ask(f"Cookie: {kept}", *ours, line="POST /refresh")
    same("a refresh without the CSRF token", got[0], 403)
    got = ask(f"Cookie: {kept}", f"X-CSRF-Token: {csrf}", *ours, line="POST /refresh")
    new = {
        value.partition("=")[0]: value.partition("=")[2].partition(";")[0]
        for name, value in got[1]
        if name == "Set-Cookie"
    }
    same("a refresh", (got[0], {"__Host-access", "__Host-refresh"} <= set(new)), (204, True))
    access = f"__Host-access={new.get('__Host-access')}"
    same("a new cookie", ask(f"Cookie: {access}"), orders_of("bob, session"))
    kept = f"{access}; __Host-csrf={csrf}"
    got = ask(f"Cookie: {kept}", f"X-CSRF-Token: {csrf}", *ours, line="POST /log-out")
    cleared = [value for name, value in got[1] if name == "Set-Cookie"]
    same(
        "a log-out of a browser",
        (got[0], len(cleared), all("Max-Age=0" in one for one in cleared)),
        (204, 3, True),
    )
    same("a cookie after the log-out", ask(f"Cookie: {access}")[0], 401)
else:
    same("a cookie is not looked at", ask(f"Cookie: __Host-access={token}"), missing)

# Eight threads at once.
answers: list[Seen] = []
threads = [
    threading.Thread(target=lambda: answers.extend(ask(key) for _ in range(25))) for _ in range(8)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
same("200 requests at once", answers, [acme] * 200)

limited = f"X-API-Key: {rated.secret}"
same("the first two of a rate", [ask(limited)[0], ask(limited)[0]], [200, 200])
status, told, refused = ask(limited)
same(
    "a rate that is used up",
    (status, json.loads(refused)["status"], no_store in told),
    (429, 429, True),
)
same(
    "when to come back",
    re.fullmatch("[1-9][0-9]?", dict(told).get("Retry-After", "")) is not None,
    True,
)

# Another process revokes; the service learns of it while it runs.
keys.revoke(issued.record.id)
deadline = time.monotonic() + 60
while (answer := ask(key)) == acme and time.monotonic() < deadline:
    time.sleep(0.1)
sentence = "The API key is not valid."
same(
    "a revoked key",
    answer,
    refusal(401, "Unauthorized", sentence, "invalid_api_key", described("invalid_token", sentence)),
)

out = ask(bearer, "Content-Length: 0", line="POST /log-out-everywhere")
policy = [("RateLimit", '"log-out";r=4;t=12'), ("RateLimit-Policy", '"log-out";q=5;w=60')]
same("a log-out", out, (204, [*policy, vary], ""))
same("after it", ask(bearer), invalid)

running.send_signal(signal.SIGTERM)
same("a clean stop", running.wait(60), 0)
said = log.read_text()
same("nothing for the sanitizers to say", re.findall("Sanitizer|runtime error", said), [])
same("no secret in the log", [one for one in (token, str(issued.secret)) if one in said], [])

for one in failed:
    print(f"    {one}")
print(f"test cpp-service {mode} ... {'FAILED' if failed else 'ok'} ({passed} checks)")
sys.exit(1 if failed else 0)
