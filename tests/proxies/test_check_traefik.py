"""The check over what Traefik runs finds what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from checks.traefik import traefik
from stand import Traefik, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from stand import Application, Decision


FORGING = {"headers": {"customRequestHeaders": {"x-gatekey-kind": "root"}}, "status": "enabled"}


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, decision: Decision, application: Application
) -> str:
    """Give what runs, with the ports of the example."""
    folder: Path = tmp_path_factory.mktemp("t")
    try:
        front = Traefik(folder, decision, application)
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    try:
        first, second = front.running().split("\n\n")
    finally:
        front.stop()
    raw = json.loads(first)
    # No route uses these, as yet.
    raw["middlewares"] |= {"path@file": {"stripPrefix": {}}, "forging@file": FORGING}
    text = json.dumps(raw) + "\n" + json.dumps(json.loads(second))
    ports = {front.inner: "8084", front.port: "8080", front.admin: "8081"}
    for port, number in ports.items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{number}")
    return text


def test_as_it_is(running: str) -> None:
    assert traefik(running) == []
    for none in ("", "{}", "{} []", "[]\n[]", running.splitlines()[0], '{"routers":{}}[]'):
        assert traefik(none) != []


STRIP_FIRST = '"middlewares": ["gatekey-strip@file", "orders-read@file"]'
ENCODED = '"encodedCharacters": {}'
FORWARDED = '{"trustedIPs": ["127.0.0.1/32"], "notAppendXForwardedFor": true}'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"X-Gatekey-Kind": "", ', "", "does not strip X-Gatekey-Kind"),
        ('"X-Gatekey-Kind": ""', '"X-Gatekey-Kind": "a"', "does not strip X-Gatekey-Kind"),
        ('"X-Gatekey-Problem": "", ', "", "does not strip X-Gatekey-Problem"),
        ('"Connection": "", ', "", "does not strip Connection"),
        ('"Upgrade": "", ', "", "does not strip Upgrade"),
        ('"customRequestHeaders"', '"customResponseHeaders"', "does not strip Connection"),
        (
            STRIP_FIRST,
            '"middlewares": ["orders-read@file", "gatekey-strip@file"]',
            "does not strip",
        ),
        (STRIP_FIRST, '"middlewares": ["orders-read@file"]', "does not strip"),
        ('"middlewares": ["gatekey-strip@file"]', '"middlewares": []', "does not strip Connection"),
        ('"X-Gatekey-Kind", ', "", "`authResponseHeaders` are"),
        ('"X-Gatekey-Kind", ', '"X-Gatekey-Kind", "Host", ', "`authResponseHeaders` are"),
        (
            '"authResponseHeaders"',
            '"authResponseHeadersRegex": ".", "authResponseHeaders"',
            "Regex",
        ),
        ('"authResponseHeaders"', '"forwardBody": true, "authResponseHeaders"', "`forwardBody`"),
        ('"trustForwardHeader": false', '"trustForwardHeader": true', "trustForwardHeader"),
        ("8084/auth/orders-read", "8084/auth/", "constant"),
        ("8084/auth/orders-read", "8084/auth/orders-read?x", "constant"),
        ("8084/auth/orders-read", "8082/auth/orders-read", "30 seconds"),
        ('"address": "127.0.0.1:8084"', '"address": ":8084"', "30 seconds"),
        (FORWARDED, '{"insecure": true}', "hand on what forwardAuth says"),
        (FORWARDED, '{"trustedIPs": ["0.0.0.0/0"], "notAppendXForwardedFor": true}', "hand on"),
        ('"middlewares": ["gatekey-refusals@file"], ', "", "not the decision's own answer"),
        ('"201-399"', '"300-399"', "not the decision's own answer"),
        ('"100-599": 503', '"100-599": 500', "not the decision's own answer"),
        (', "serversTransport": "gatekey@file"', "", "waited for"),
        ('"middlewares": ["gatekey-later@file"], ', "", "Retry-After"),
        ('"rule": "PathPrefix(`/auth/`)"', '"rule": "PathPrefix(`/`)"', "rule is not known"),
        ('"using": ["gatekey"]', '"using": ["gatekey", "web"]', "clients reach it"),
        (
            '"service": "shop", "rule": "PathPrefix(`/`)"',
            '"service": "gatekey", "rule": "PathPrefix(`/`)"',
            "clients reach the decision",
        ),
        (ENCODED, '"encodedCharacters": {"allowEncodedPercent": true}', "encodedCharacters"),
        (f"{ENCODED}, ", "", "encodedCharacters"),
        (f'{ENCODED}, "sanitizePath": true', ENCODED, "sanitizePath"),
        ('"aliasHeadersStrategy": "delete"', '"aliasHeadersStrategy": "keep"', "aliases"),
        ('"forwardedHeaders": {}', '"forwardedHeaders": {"insecure": true}', "believe"),
        ('"forwardedHeaders": {}', '"forwardedHeaders": {"connection": ["X-Real-Ip"]}', "believe"),
        ("PathRegexp(`;|", "PathRegexp(`", "refuses no odd paths"),
        ('"rejectStatusCode": 400', '"rejectStatusCode": 200', "refuses no odd paths"),
        ('"priority": 1000000', '"priority": 10', "refuses no odd paths"),
        ('"sourceRange": ["255.255.255.255/32"]', '"sourceRange": ["0.0.0.0/0"]', "refuses no odd"),
        (
            '"status": "enabled", "using": ["web"]',
            '"status": "warning", "using": ["web"]',
            "warning",
        ),
        ('"service": "shop", ', '"service": "shop", "parentRefs": [], ', "`parentRefs`"),
        ('"address": "127.0.0.1:8081"', '"address": ":8081"', "the API"),
        ('"services":', '"tcpRouters": {}, "services":', "`tcpRouters`"),
        (
            STRIP_FIRST,
            '"middlewares": ["gatekey-strip@file", "path@file", "orders-read@file"]',
            "`stripPrefix` is not known",
        ),
        (
            STRIP_FIRST,
            '"middlewares": ["gatekey-strip@file", "orders-read@file", "forging@file"]',
            "x-gatekey-kind is set",
        ),
        (STRIP_FIRST, '"middlewares": ["forging@file", "gatekey-strip@file"]', "does not strip"),
    ],
)
def test_gone_wrong(running: str, old: str, new: str, said: str) -> None:
    assert old in running
    wrong = traefik(running.replace(old, new))
    assert any(said in each for each in wrong), wrong


def test_chains(running: str) -> None:
    """A chain is what is in it."""
    chain = '"middlewares": {"all@file": {"chain": {"middlewares": ["gatekey-strip", "orders-read@file"]}, "status": "enabled"}, '
    text = running.replace('"middlewares": {', chain)
    assert traefik(text.replace(STRIP_FIRST, '"middlewares": ["all@file"]')) == []


def test_no_decision(running: str) -> None:
    none = running.replace(', "orders-read@file"]', "]").replace(', "admin@file"]', "]")
    assert traefik(none) == ["no route asks for a decision"]
