"""The check over what Caddy runs finds what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from checks.caddy import caddy
from stand import EXAMPLES, Caddy, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stand import Application, Decision


class Adapting:
    """A running Caddy, which says what it makes of a Caddyfile."""

    def __init__(self, front: Caddy) -> None:
        self.front = front

    def __call__(self, old: str = "", new: str = "") -> str:
        """Give what it makes of the example, in which something is changed before."""
        text = (EXAMPLES / "caddy/Caddyfile").read_text()
        assert old in text
        said = self.front.told("caddy-admin.sock", "/adapt", text.replace(old, new))
        return json.dumps(json.loads(said)["result"])


@pytest.fixture(scope="module")
def printed(
    tmp_path_factory: pytest.TempPathFactory, decision: Decision, application: Application
) -> Iterator[Adapting]:
    try:
        front = Caddy(tmp_path_factory.mktemp("c"), decision, application)
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    yield Adapting(front)
    front.stop()


def test_as_it_is(printed: Adapting) -> None:
    assert caddy(printed()) == []
    nothing = '{"apps":{"http":{"servers":{"a":{"routes":[{}]}}}}}'
    for none in ("", "{}", "[]", '{"apps":1}', nothing):
        assert caddy(none) != []


APP = "reverse_proxy unix//run/shop/app.sock"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("request_header -*Gatekey*", "", "X-Gatekey-* of the client is not stripped"),
        ("request_header -*Gatekey*", "request_header -X-Gatekey-*", "is not stripped"),
        ("request_header -*Gatekey*", "request_header /a -*Gatekey*", "is not stripped"),
        ("request_header -Connection", "", "Connection of the client"),
        ("request_header -Upgrade", "", "Upgrade of the client"),
        ("respond @gatekey_odd", "# ", "read in two ways"),
        ("400\n", "200\n", "read in two ways"),
        ("%2e|", "", "read in two ways"),
        ("		import gatekey_strip\n", "", "is not stripped"),
        # Caddy's own order is another one.
        (
            "\n	route {\n		import gatekey_strip",
            "\n	handle {\n		import gatekey_strip",
            "read in two",
        ),
        ("/auth/{args[0]}", "/auth/{args[0]}?x={query}", "constant"),
        ("/auth/{args[0]}", "/auth/{path.0}", "constant"),
        ("header_up X-Forwarded-Method {method}", "", "X-Forwarded-Method"),
        ("X-Forwarded-Method {method}", "X-Forwarded-Method {header.X-M}", "X-Forwarded-Method"),
        ("header_up X-Forwarded-For {client_ip}", "", "X-Forwarded-For"),
        ("header_up X-Forwarded-For", "header_up +X-Forwarded-For", "X-Forwarded-For"),
        ("		method GET\n", "		method POST\n", "no body"),
        ("		method GET\n", "", "no body"),
        ("response_header_timeout 2s", "", "hangs"),
        ("			status 200\n", "", "only 200"),
        ("			header X-Gatekey-Tenant *\n", "", "only 200"),
        ("request_header X-Gatekey-Tenant {rp.header.X-Gatekey-Tenant}", "", "X-Gatekey-Tenant"),
        (
            "{rp.header.X-Gatekey-Tenant}",
            "{header.X-Gatekey-Tenant}",
            "X-Gatekey-Tenant is not set",
        ),
        ("header +Vary", "request_header X-Other {header.X-Any}\nheader +Vary", "X-Other is set"),
        ("header +Vary", "rewrite /public/x\nheader +Vary", "`rewrite` does more"),
        ("header +Vary", "header Vary", "mixes callers up"),
        ("401 403 429", "401 403 404 429", "refusals are"),
        ("error 503", "respond 200", "error 503"),
        ("	import gatekey_unavailable\n", "", "gatekey_unavailable"),
        ("handle_errors 5xx", "handle_errors 502", "handle_errors 5xx"),
        ("header Retry-After 1", "", "gatekey_unavailable"),
        (APP, "request_header X-Gatekey-Subject root\n" + APP, "set of X-Gatekey-Subject"),
        (APP, "request_header {query.a} root\n" + APP, "alone sets"),
        (APP, APP + " {\nheader_up +x-gatekey-KIND root\n}", "add of X-Gatekey-Kind"),
        (APP, APP + " {\nrewrite /orders/..\n}", "`rewrite` of reverse_proxy"),
        (APP, "reverse_proxy unix//run/gatekey/decide.sock", "clients reach the decision"),
        (APP, "uri strip_prefix /public\n" + APP, "`rewrite` is not known"),
        (APP, "vars client_ip 10.0.0.1\n" + APP, "`vars` is not known"),
        (APP, "php_fastcgi unix//run/shop/php.sock", "not known here"),
        (
            "	handle_errors",
            f"	handle_errors 404 {{\n{APP}\n}}\n	handle_errors",
            "is not stripped",
        ),
        ("http://:8080 {", "http://:8084 {\n" + APP + "\n}\nhttp://:8080 {", "is not stripped"),
        ("admin unix//run/shop/caddy-admin.sock|0600", "admin localhost:2019", "the admin API"),
    ],
)
def test_gone_wrong(printed: Adapting, old: str, new: str, said: str) -> None:
    wrong = caddy(printed(old, new))
    assert any(said in each for each in wrong), wrong


def test_no_decision(printed: Adapting) -> None:
    text = json.loads(printed("import gatekey orders-read", ""))
    assert caddy(json.dumps(text)) == []
    del text["apps"]["http"]["servers"]["srv0"]["routes"]
    assert "no route asks for a decision" in caddy(json.dumps(text))
    text["apps"]["layer4"] = {}
    assert "the app `layer4` is not known here" in caddy(json.dumps(text))
