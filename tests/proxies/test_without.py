"""Each protection of an example is removed once: then the attack succeeds, and the check says so."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stand import FRONTS, UnavailableError, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stand import Application, Decision, Front


def told(front: Front, path: str, *headers: str) -> str | None:
    """Give the subject that the application is told."""
    answer = front.ask("GET", path, *headers)
    if answer.status != 200:
        return None
    seen = dict(answer.json()["headers"])
    return next((value for name, value in seen.items() if name.lower() == "x-gatekey-subject"), "")


def a_name(front: Front, _: Decision, __: Application) -> bool:
    """Name somebody where the route has no guard."""
    return told(front, "/public/x", "X-Gatekey-Subject: root") == "root"


def a_name_behind_a_guard(front: Front, decision: Decision, _: Application) -> bool:
    """Name somebody else than the key does."""
    return told(front, "/orders", decision.key(), "X-Gatekey-Subject: root") != "acme"


def a_connection(front: Front, decision: Decision, _: Application) -> bool:
    """Have the proxy drop what it says."""
    return told(front, "/orders", decision.key(), "Connection: close, X-Gatekey-Subject") != "acme"


def two_readings(front: Front, _: Decision, application: Application) -> bool:
    """Have a path read differently."""
    front.ask("GET", "/public/%252e%252e/admin")
    front.ask("GET", "/public/%2e%2e/admin")
    return application.asked != []


def no_decision(front: Front, decision: Decision, application: Application) -> bool:
    """Find out that what is out of reach is not told as such. Nobody is let in all the same."""
    decision.stop()
    status = front.ask("GET", "/orders", decision.key()).status
    assert application.asked == []
    assert status >= 400
    return status != 503


def another_answer(front: Front, decision: Decision, application: Application) -> bool:
    """Be let in by something else that answers in the decision's place."""
    decision.stop()
    with answering(front.place(decision), 204):
        front.ask("GET", "/orders")
    return application.asked != []


def everybody(front: Front, decision: Decision, application: Application) -> bool:
    """Be let in while there is no decision."""
    decision.stop()
    front.ask("GET", "/orders")
    return application.asked != []


def an_address(front: Front, decision: Decision, _: Application) -> bool:
    """Claim one."""
    key = decision.key(cidrs=("10.0.0.0/8",))
    return told(front, "/orders", key, "X-Forwarded-For: 10.0.0.1") == "acme"


def another_site(front: Front, decision: Decision, _: Application) -> bool:
    """Post with a browser's cookie."""
    token, _csrf = decision.session()
    return front.ask("POST", "/orders", f"Cookie: __Host-access={token}").status == 200


@contextlib.contextmanager
def running(
    name: str,
    decision: Decision,
    application: Application,
    change: Callable[[str, str], str],
) -> Iterator[Front]:
    """Run a proxy with a change."""
    kind = FRONTS[name]
    if decision.by != kind.by:
        decision.stop()
    if not decision.processes:
        decision.start(kind.by)
    with tempfile.TemporaryDirectory(prefix="gatekey-without-") as folder:
        Path(folder).chmod(0o755)
        try:
            front = kind(Path(folder), decision, application, change)
        except UnavailableError as why:
            pytest.skip(f"proxies: {why}")
        application.asked.clear()
        try:
            yield front
        finally:
            front.stop()


ATTACKS = [
    ("nginx", "nginx.conf", "            include gatekey/open.conf;", "", a_name),
    (
        "nginx",
        "guarded.conf",
        "X-Gatekey-Subject $gatekey_subject",
        "X-Gatekey-Subject $http_x_gatekey_subject",
        a_name_behind_a_guard,
    ),
    ("nginx", "server.conf", "if ($gatekey_odd_path)", "if ($arg_none)", two_readings),
    ("nginx", "guarded.conf", "error_page 401 403 500", "error_page 401 403", no_decision),
    ("nginx", "decision.conf", "$remote_addr", "$http_x_forwarded_for", an_address),
    ("nginx", "decision.conf", "$request_method", "GET", another_site),
    ("caddy", "Caddyfile", "request_header -*Gatekey*", "", a_name),
    ("caddy", "Caddyfile", "request_header -Connection", "", a_connection),
    (
        "caddy",
        "Caddyfile",
        "{rp.header.X-Gatekey-Subject}",
        "{header.X-Forged}",
        a_name_behind_a_guard,
    ),
    ("caddy", "Caddyfile", "respond @gatekey_odd", "# respond @gatekey_odd", two_readings),
    ("caddy", "Caddyfile", "handle_errors 5xx", "handle_errors 418", no_decision),
    ("caddy", "Caddyfile", "			status 200\n", "			status 2xx\n", another_answer),
    ("caddy", "Caddyfile", "{client_ip}", "{header.X-Forwarded-For}", an_address),
    ("caddy", "Caddyfile", "{method}", "GET", another_site),
    ("envoy", "envoy.yaml", "- remove_on_match:", "- remove: X-None #", a_name),
    ("envoy", "envoy.yaml", "exact: x-gatekey-subject", "exact: x-none", a_name_behind_a_guard),
    ("envoy", "envoy.yaml", "'(?i).*", "'none.*", two_readings),
    ("envoy", "envoy.yaml", "failure_mode_allow: false", "failure_mode_allow: true", everybody),
    ("envoy", "envoy.yaml", "status_on_error:", "# status_on_error:", no_decision),
    ("envoy", "envoy.yaml", "use_remote_address: true", "use_remote_address: false", an_address),
    ("envoy", "envoy.yaml", "%REQ(:METHOD)%", "GET", another_site),
]


@pytest.mark.parametrize(("name", "file", "old", "new", "attack"), ATTACKS)
def test_without(
    decision: Decision,
    application: Application,
    name: str,
    file: str,
    old: str,
    new: str,
    attack: Callable[[Front, Decision, Application], bool],
) -> None:
    def change(this: str, text: str) -> str:
        if this != file:
            return text
        assert old in text
        return text.replace(old, new)

    with running(name, decision, application, change) as front:
        assert attack(front, decision, application)
        assert front.wrong() != []
