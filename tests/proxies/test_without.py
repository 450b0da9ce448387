"""Each protection of an example is removed once: then the attack succeeds, and the check says so."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stand import EXAMPLES, FRONTS, UnavailableError, answering, wait_for

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
    """Name a caller where the route has no guard."""
    return told(front, "/public/x", "X-Gatekey-Subject: root") == "root"


def a_name_behind_a_guard(front: Front, decision: Decision, _: Application) -> bool:
    """Name another caller than the key does."""
    return told(front, "/orders", decision.key(), "X-Gatekey-Subject: root") != "acme"


def a_connection(front: Front, decision: Decision, _: Application) -> bool:
    """Have the proxy drop what it says."""
    return told(front, "/orders", decision.key(), "Connection: close, X-Gatekey-Subject") != "acme"


def two_readings(front: Front, _: Decision, application: Application) -> bool:
    """Have a path read differently."""
    front.ask("GET", "/public/%252e%252e/admin")
    front.ask("GET", "/public/%2e%2e/admin")
    front.ask("GET", "/public/..;/admin")
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


def a_websocket(front: Front, decision: Decision, _: Application) -> bool:
    """Open one by a browser's cookie, from another site."""
    token, _csrf = decision.session()
    asking = ("Connection: Upgrade, close", "Upgrade: websocket", "Origin: https://evil.example")
    answer = front.ask("GET", "/orders", f"Cookie: __Host-access={token}", *asking)
    seen = answer.json()["headers"] if answer.status == 200 else []
    return "upgrade" in [name.lower() for name, _ in seen]


class Running:
    """Runs proxies with changes."""

    def __init__(self, decision: Decision, application: Application) -> None:
        self.decision, self.application = decision, application
        self.reloading: Front | None = None

    def start(self, name: str, change: Callable[[str, str], str]) -> Front:
        """Run one with a change."""
        folder = Path(tempfile.mkdtemp(prefix="gatekey-without-"))
        folder.chmod(0o755)
        try:
            return FRONTS[name](folder, self.decision, self.application, change)
        except UnavailableError as why:
            pytest.skip(f"proxies: {why}")

    @staticmethod
    def stop(front: Front) -> None:
        front.stop()
        shutil.rmtree(front.folder)

    def reload(self, name: str, file: str, change: Callable[[str, str], str]) -> Front:
        """Have the one that runs read a changed file: Traefik takes long to start."""
        if self.reloading is None:
            watch = ("watch: false", "watch: true")
            self.reloading = self.start(name, lambda _, text: text.replace(*watch))
        front = self.reloading
        before = front.running()
        text = (EXAMPLES / name / file).read_text()
        (front.files / file).write_text(front.adapted(change(file, text)))
        wait_for("another configuration", lambda: front.running() != before)
        return front

    @contextlib.contextmanager
    def __call__(self, name: str, file: str, change: Callable[[str, str], str]) -> Iterator[Front]:
        by = FRONTS[name].by
        if self.decision.by != by:
            self.decision.stop()
        if not self.decision.processes:
            self.decision.start(by)
        if file == "routes.yml":
            front = self.reload(name, file, change)
        else:
            front = self.start(name, change)
        self.application.asked.clear()
        try:
            yield front
        finally:
            if front is not self.reloading:
                self.stop(front)


@pytest.fixture(scope="module")
def running(decision: Decision, application: Application) -> Iterator[Running]:
    one = Running(decision, application)
    yield one
    if one.reloading:
        one.stop(one.reloading)


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
    ("traefik", "routes.yml", 'X-Gatekey-Subject: ""', 'X-None: ""', a_name),
    ("traefik", "routes.yml", "- X-Gatekey-Subject\n", "- X-None\n", a_name_behind_a_guard),
    ("traefik", "routes.yml", f'Connection: ""\n{" " * 10}Upgrade: ""', 'X-None: ""', a_websocket),
    ("traefik", "routes.yml", "rule: PathRegexp(`;|", "rule: PathRegexp(`", two_readings),
    ("traefik", "traefik.yml", "EncodedPercent: false", "EncodedPercent: true", two_readings),
    ("traefik", "routes.yml", "127.0.0.1:8084/auth/", "127.0.0.1:8082/auth/", no_decision),
    ("traefik", "routes.yml", '"201-399"', '"300-399"', another_answer),
]


@pytest.mark.parametrize(("name", "file", "old", "new", "attack"), ATTACKS)
def test_without(
    running: Running,
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

    with running(name, file, change) as front:
        # What runs is told a moment before it does.
        wait_for("success", lambda: attack(front, running.decision, running.application))
        assert front.wrong() != []
