"""What clients, applications and attackers see of each proxy of examples/proxies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from checks import IDENTITY, STRIPPED, VARY
from stand import ORIGIN, Answer, answering, request, send, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from stand import Application, Decision, Front

FORGED = [f"{name}: root" for name in STRIPPED]
ALIASES = [
    *(f"{name.upper()}: root" for name in IDENTITY),
    *(f"{name.replace('-', '_')}: root" for name in IDENTITY),
    *(f"{name.replace('-', '.')}: root" for name in IDENTITY),
]


def identity(front: Front, answer: Answer) -> dict[str, str]:
    """Give what the application was told, of which each name is there once at most."""
    assert answer.status == 200, (answer, front.log.read_text()[-2000:])
    ours, seen = {name.lower(): name for name in STRIPPED}, dict[str, str]()
    for name, value in answer.json()["headers"]:
        if name.lower() in ours:
            assert ours[name.lower()] not in seen, answer
            seen[ours[name.lower()]] = value
        elif name.lower().replace("_", "-").replace(".", "-") in ours:
            assert front.passes_aliases, answer
    assert "X-Gatekey-Problem" not in seen
    return {name: value for name, value in seen.items() if value}


def refused(answer: Answer, status: int) -> dict[str, Any]:
    """Check what all refusals have; give the problem."""
    assert answer.status == status, answer
    assert answer.all("Content-Type") == ["application/problem+json"], answer
    assert answer.all("Cache-Control") == ["no-store"], answer
    assert len(answer.all("WWW-Authenticate")) <= 1 and (
        status != 401 or answer.all("WWW-Authenticate")
    )
    problem: dict[str, Any] = json.loads(answer.body)
    assert problem["status"] == status, answer
    return problem


def directly(decision: Decision, front: Front, method: str, name: str, *headers: str) -> Answer:
    """Ask the decision itself."""
    own = [f"X-Forwarded-Method: {method}", "X-Forwarded-For: 127.0.0.1"]
    return send(front.place(decision), request("GET", f"/auth/{name}", *own, *headers))


def test_the_running_configuration(front: Front) -> None:
    assert front.wrong() == []


def test_identity(front: Front, decision: Decision) -> None:
    token, _ = decision.session(tenant="shop")
    key = decision.key("orders:read", "orders:list", tenant="shop")
    told = identity(front, front.ask("GET", "/orders/1?x=1", key))
    assert {**told, "X-Gatekey-Key-Id": "k"} == {
        "X-Gatekey-Subject": "acme",
        "X-Gatekey-Tenant": "shop",
        "X-Gatekey-Scopes": told["X-Gatekey-Scopes"],
        "X-Gatekey-Kind": "api_key",
        "X-Gatekey-Key-Id": "k",
    }
    assert set(told["X-Gatekey-Scopes"].split()) == {"orders:read", "orders:list"}
    depends = ",".join(front.ask("GET", "/orders", key).all("Vary"))
    every = {*(VARY.split(", ") if front.varies else ()), "Accept-Encoding"}
    assert {each.strip() for each in depends.split(",")} == every
    alone = identity(front, front.ask("GET", "/orders", decision.key()))
    assert set(alone) == {*IDENTITY} - {"X-Gatekey-Tenant"}
    for line in (f"Authorization: Bearer {token}", f"Cookie: a=b; __Host-access={token}"):
        told = identity(front, front.ask("GET", "/orders", line))
        assert (told["X-Gatekey-Subject"], told["X-Gatekey-Kind"]) == ("alice", "session")
        assert "X-Gatekey-Key-Id" not in told


def test_what_is_not_there_is_not_copied(front: Front, decision: Decision) -> None:
    """Row C1: a key without a tenant, and a client that names one."""
    answer = directly(decision, front, "GET", "orders-read", key := decision.key())
    assert [answer.all(name) != [] for name in IDENTITY] == [True] * 5
    good = identity(front, front.ask("GET", "/orders", key))
    for forged in (FORGED, ALIASES, FORGED + FORGED):
        assert identity(front, front.ask("GET", "/orders", key, *forged)) == good
        assert identity(front, front.ask("GET", "/public/x", *forged)) == {}
        assert front.ask("GET", "/orders", *forged).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/%2E./admin",
        "/public/..%2fadmin",
        "/public/..%2Fadmin",
        "/public/%252e%252e/admin",
        "/public/..%5cadmin",
        "/public/..\\admin",
        "/public/..;/admin",
        "/public;/../admin",
        "//admin",
        "/public//../admin",
        "/admin?x=/public/",
        "/admin%23/public",
        "/admin%3f/public/",
        "/publicx",
        "http://shop.example/admin",
        "/_gatekey/admin",
        "/auth/orders-read",
    ],
)
def test_paths(front: Front, application: Application, decision: Decision, path: str) -> None:
    """Row C3: no spelling, and no header, opens what is guarded."""
    answer = front.ask(
        "GET",
        path,
        "X-Original-URI: /public/",
        "X-Forwarded-Uri: /public/",
        "X-Original-URL: /public/",
    )
    assert answer.status in {400, 401, 404}, answer
    assert application.asked == []
    # The demand is that of the path: this key may not do what is not in /orders.
    answer = front.ask(
        "GET", path, decision.key(), "X-Forwarded-Uri: /orders", "X-Gatekey-Demand: orders-read"
    )
    assert answer.status in {400, 403, 404}, answer
    assert application.asked == []


def test_refusals(front: Front, application: Application, decision: Decision) -> None:
    """Row C4: each refusal is the decision's, with its headers and its body."""
    token, _ = decision.session()
    once = decision.key(rate="1/h")
    assert front.ask("GET", "/orders", once).status == 200
    application.asked.clear()
    rows: list[tuple[int, tuple[str, ...]]] = [
        (401, ()),
        (401, ("X-API-Key: junk",)),
        (401, ("Authorization: Bearer junk",)),
        (400, (decision.key(), f"Authorization: Bearer {token}")),
        (403, (decision.key("orders:list"),)),
        (403, (decision.key(cidrs=("10.0.0.0/8",)), "X-Forwarded-For: 10.0.0.1")),
        (429, (once,)),
        (431, tuple(f"X-{i}: 1" for i in range(501))),
        (401, ("Authorization: Basic x",)),
    ]
    for status, headers in rows:
        answer = front.ask("GET", "/orders", *headers)
        if status == 431 and answer.all("Content-Type") != ["application/problem+json"]:
            assert answer.status == status, answer
            continue  # the proxy's own limit
        problem = refused(answer, status)
        own = directly(
            decision, front, "GET", "orders-read", *(h for h in headers if "Forwarded" not in h)
        )
        assert problem == own.json(), (answer, own)
        for name in ("WWW-Authenticate", "Cache-Control", "X-Content-Type-Options", "Vary"):
            assert answer.all(name) == own.all(name), (name, answer, own)
        assert bool(answer.all("Retry-After")) == bool(own.all("Retry-After")) == (status == 429)
        assert front.ask("HEAD", "/orders", *headers).status == status
    assert application.asked == []


def test_ended_sessions(front: Front, decision: Decision) -> None:
    """The answer clears the cookies of a session that has ended."""
    tokens = decision.sessions.start("alice", claims={"scope": "orders:read"})
    cookie = f"Cookie: __Host-access={tokens.access_token}"
    assert front.ask("GET", "/orders", cookie).status == 200
    decision.sessions.end(tokens.refresh_token)
    wait_for("a refusal", lambda: front.ask("GET", "/orders", cookie).status != 200)
    refused(answer := front.ask("GET", "/orders", cookie), 401)
    own = directly(decision, front, "GET", "orders-read", cookie).all("Set-Cookie")
    assert len(own) > 1
    assert answer.all("Set-Cookie") == (own if front.keeps_cookies else [])


def out_of_reach(front: Front, answer: Answer) -> None:
    """Check that the client is told to come again."""
    if front.unavailable == "application/problem+json":
        refused(answer, 503)
    assert answer.status == 503, answer
    assert answer.all("Content-Type") == [front.unavailable], answer
    assert answer.all("Cache-Control") == ["no-store"], answer
    assert int(answer.all("Retry-After")[0]) >= 1, answer


def unavailable(front: Front, application: Application, key: str) -> None:
    """Check that nobody is let in, and that the client is told to come again."""
    application.asked.clear()
    for method, headers in (("GET", (key,)), ("POST", (key,)), ("GET", ())):
        out_of_reach(front, front.ask(method, "/orders", *headers))
    assert application.asked == []
    assert front.ask("GET", "/public/x").status == 200


def test_no_decision(front: Front, application: Application, decision: Decision) -> None:
    """Row C4: it hangs, and it is away; then it is back."""
    key = decision.key()
    with decision.silent():
        out_of_reach(front, front.ask("POST", "/orders", key))
    assert application.asked == []
    decision.stop()
    unavailable(front, application, key)
    decision.start(front.by)
    assert front.ask("GET", "/orders", key).status == 200


def test_the_decision_cannot_say(
    front: Front, application: Application, decision: Decision
) -> None:
    """Row C4: its own 503, here for a subject that no header can carry."""
    token = decision.sessions.start("root ", claims={"scope": "orders:read"}).access_token
    answer = front.ask("GET", "/orders", f"Authorization: Bearer {token}")
    refused(answer, 503)
    assert int(answer.all("Retry-After")[0]) >= 1
    assert application.asked == []


@pytest.mark.parametrize("status", [101, 302, 404, 500, 502, 599])
def test_answers_that_are_none(
    front: Front, application: Application, decision: Decision, status: int
) -> None:
    """Something else answers in the decision's place."""
    decision.stop()
    with answering(front.place(decision), status):
        out_of_reach(front, front.ask("GET", "/orders", "X-API-Key: x"))
        assert application.asked == []


def test_bodies(front: Front, application: Application, decision: Decision) -> None:
    """Row C4: bodies go to the application alone, and a refusal waits for none."""
    key, body = decision.key(), b"x" * 5_000_000
    chunked = b"4c4b40\r\n" + body + b"\r\n0\r\n\r\n"
    head = request("POST", "/orders", key, "Transfer-Encoding: chunked")
    assert front.ask("POST", "/orders", key, body=body).json()["length"] == 5_000_000
    assert (
        front.ask("POST", "/orders", key, "Expect: 100-continue", body=body).json()["length"]
        == 5_000_000
    )
    assert send(front.port, head + chunked).json()["length"] == 5_000_000
    application.asked.clear()
    refused(front.ask("POST", "/orders", "Content-Length: 5000000", "Expect: 100-continue"), 401)
    refused(front.ask("POST", "/orders", "Content-Length: 77"), 401)
    refused(front.ask("POST", "/orders", "Transfer-Encoding: chunked"), 401)
    assert application.asked == []


def test_connection(front: Front, decision: Decision) -> None:
    """Row C5: what a client lists as of its connection arrives all the same."""
    key = decision.key(cidrs=("127.0.0.0/8",))
    good = identity(front, front.ask("GET", "/orders", key))
    names = (*STRIPPED, "X-Forwarded-For", "X-Forwarded-Method", "X-API-Key")
    listed = ", ".join(("close", *(name for name in names if name not in front.hides)))
    for lines in (
        (f"Connection: {listed}",),
        ("Connection: close", f"Connection: {listed}"),
        (f"connection: {listed}", *FORGED),
    ):
        assert identity(front, front.ask("GET", "/orders", key, *lines)) == good
    for name in front.hides:
        assert front.ask("GET", "/orders", key, f"Connection: close, {name}").status in {400, 401}
    # Of a browser's session, another site cannot hide the method that is asked.
    token, _ = decision.session()
    line = "Connection: close, X-Forwarded-Method, Origin"
    refused(front.ask("POST", "/orders", f"Cookie: __Host-access={token}", line), 403)


def test_sockets(front: Front, decision: Decision, application: Application) -> None:
    """Row C6: other users of the machine reach neither the decision nor the application."""
    if front.by != "socket":
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", decision.port))
        return
    for path in (decision.socket, application.path):
        assert os.stat(path).st_mode & 0o777 == 0o660
    if os.getuid() != 0:
        pytest.skip("proxies: only root is another user for a moment")
    text = (
        "import os,socket,sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    )
    for path in (decision.socket, application.path):
        done = subprocess.run(
            [sys.executable, "-c", text, path], capture_output=True, text=True, check=False
        )
        assert "PermissionError" in done.stderr


def test_revoked(front: Front, decision: Decision) -> None:
    issued = decision.keys.create(owner="acme", scopes=["orders:read"])
    line = f"X-API-Key: {issued.secret}"
    assert front.ask("GET", "/orders", line).status == 200
    decision.keys.revoke(issued.id)
    wait_for("a refusal", lambda: front.ask("GET", "/orders", line).status != 200)
    refused(front.ask("GET", "/orders", line), 401)


def test_other_sites(front: Front, application: Application, decision: Decision) -> None:
    """A cookie is asked where the request comes from, by the method of the client."""
    token, csrf = decision.session()
    cookie = f"Cookie: __Host-access={token}; __Host-csrf={csrf}"
    own = (f"Origin: {ORIGIN}", f"X-CSRF-Token: {csrf}")
    for headers in (
        (),
        (f"X-CSRF-Token: {csrf}", "Origin: https://evil.example"),
        ("X-Forwarded-Method: GET",),
        ("X-HTTP-Method-Override: GET",),
    ):
        for method in ("POST", "DELETE"):
            refused(front.ask(method, "/orders", cookie, *headers), 403)
    assert application.asked == []
    assert front.ask("POST", "/orders", cookie, *own).status == 200
    # No websocket is opened by a cookie of another site's page.
    answer = front.ask(
        "GET",
        "/orders",
        cookie,
        "Connection: Upgrade, close",
        "Upgrade: websocket",
        "Origin: https://evil.example",
    )
    seen = [] if answer.status != 200 else [name.lower() for name, _ in answer.json()["headers"]]
    assert "upgrade" not in seen


def test_the_clients_address(front: Front, decision: Decision) -> None:
    here, elsewhere = decision.key(cidrs=("127.0.0.0/8",)), decision.key(cidrs=("10.0.0.0/8",))
    second = decision.key(cidrs=("127.0.0.2/32",))
    assert send(front.port, request("GET", "/orders", second), "127.0.0.2").status == 200
    refused(send(front.port, request("GET", "/orders", second), "127.0.0.3"), 403)
    assert front.ask("GET", "/orders", here, "X-Forwarded-For: 10.0.0.1").status == 200
    for line in ("X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Real-IP: 10.0.0.1"):
        refused(front.ask("GET", "/orders", elsewhere, line, line), 403)


def test_the_decision_alone(program: Path, decision: Decision) -> None:
    """By each compiler: a proxy that is set up wrongly lets nobody in."""
    decision.stop()
    before, decision.program = decision.program, program
    decision.start("socket")
    try:
        key, method = decision.key(), "X-Forwarded-Method: GET"
        for path, lines, status in (
            ("/auth/orders-read", (key, method), 200),
            ("/auth/orders-read/public/", (key, method), 200),
            ("/auth/orders-read", (key,), 503),
            ("/auth/orders-read", (key, method, method), 503),
            ("/auth/orders-rea", (key, method), 503),
            ("/auth/orders-readx", (key, method), 503),
            ("/auth/", (key, method), 503),
            ("/orders-read", (key, method), 503),
            ("/auth/admin", (key, method), 403),
        ):
            assert send(decision.socket, request("GET", path, *lines)).status == status, path
        odd = decision.sessions.start(" root", claims={"scope": "orders:read"}).access_token
        assert (
            send(
                decision.socket,
                request("GET", "/auth/orders-read", method, f"Authorization: Bearer {odd}"),
            ).status
            == 503
        )
    finally:
        decision.stop()
        decision.program = before
