"""Caddy: what its admin API says at /config/."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from checks import IDENTITY, ODD, REFUSALS, VARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    Facts = frozenset[str]

# What is to be so where a request leaves for another server, and what is wrong if it is not.
DEMANDED = {
    "odd": "a path that can be read in two ways is not refused: `import gatekey_strip` first",
    "*gatekey*": "X-Gatekey-* of the client is not stripped: `request_header -*Gatekey*`",
    "connection": "Connection of the client is not stripped: it lists headers that are dropped",
    "upgrade": "Upgrade of the client is not stripped: a cookie would open a websocket",
}
SERVERS_ERRORS = "{http.error.status_code} >= 500 && {http.error.status_code} <= 599"
PASSING = {"headers", "encode", "request_body"}
ENDING = {"static_response", "error", "file_server"}
OF_AN_APPLICATION = {
    "handler",
    "upstreams",
    "headers",
    "transport",
    "load_balancing",
    "health_checks",
    "flush_interval",
    "stream_timeout",
    "stream_close_delay",
    "request_buffers",
    "response_buffers",
}


def caddy(text: str) -> list[str]:
    """Check what its admin API says at /config/."""
    try:
        config = json.loads(text)
        if "apps" not in config:
            return ["this is not what Caddy's admin API says at /config/"]
        return list(whole(config))
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        return [f"this is not what Caddy's admin API says at /config/: {why!r}"]


def whole(config: dict[str, Any]) -> Iterator[str]:
    """Check a whole configuration."""
    admin = config.get("admin", {})
    if not admin.get("listen", "").startswith("unix/") or "remote" in admin:
        yield "the admin API, by which each process changes all of this, is not at a Unix socket"
    for name in set(config["apps"]) - {"http", "tls", "pki"}:
        yield f"the app `{name}` is not known here"
    asking = 0
    for name, server in config["apps"].get("http", {}).get("servers", {}).items():
        walk = Walk()
        walk.routes(server.get("routes", []), frozenset(), name)
        errors = server.get("errors", {}).get("routes", [])
        unavailable = list(flat(errors))
        walk.routes(errors, frozenset(), f"{name}: errors")
        yield from walk.wrong
        for dial, where in walk.applications:
            if dial in walk.decisions:
                yield f"{where}: clients reach the decision"
        asking += walk.asking
        if not any(
            each["handler"] == "static_response" and each.get("status_code") == 503
            for each in unavailable
        ) or not any("Retry-After" in sets(each, "response") for each in unavailable):
            yield f"{name}: `import gatekey_unavailable` is missing: no decision would be a 502"
        for matching in matchings(errors):
            if set(matching) - {"host"} and matching != {"expression": SERVERS_ERRORS}:
                yield f"{name}: `handle_errors 5xx` is for all of them, and for no others"
    if not asking:
        yield "no route asks for a decision"


def flat(routes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give all handlers, at any depth."""
    for route in routes:
        for handler in route.get("handle", []):
            yield handler
            yield from flat(handler.get("routes", []))


def matchings(routes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give all conditions, at any depth."""
    for route in routes:
        yield from route.get("match", [])
        for handler in route.get("handle", []):
            yield from matchings(handler.get("routes", []))


def sets(handler: dict[str, Any], which: str) -> dict[str, list[str]]:
    """Give the headers that a `headers` handler sets."""
    found: dict[str, list[str]] = handler.get(which, {}).get("set", {})
    return found


class Walk:
    """Goes the ways that a request may go, with what is so for all of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.wrong: list[str] = []
        self.asking = 0
        self.decisions: list[str] = []
        self.applications: list[tuple[str, str]] = []

    def routes(self, routes: list[dict[str, Any]], facts: Facts, where: str) -> Facts | None:
        """Give what is so behind these routes; None if no request comes there."""
        for number, route in enumerate(routes):
            matching = route.get("match")
            inside = self.handlers(route.get("handle", []), facts, f"{where}/{number}")
            if not matching and not route.get("group"):
                if inside is None or route.get("terminal"):
                    return None
                facts = inside
            elif inside is not None:
                if not route.get("terminal"):
                    facts &= inside
            elif refuses_odd(matching, route["handle"]):
                facts |= {"odd"}
        return facts

    def handlers(self, handlers: list[dict[str, Any]], facts: Facts, where: str) -> Facts | None:
        """Give what is so behind these handlers; None if they answer."""
        for number, each in enumerate(handlers):
            here, kind = f"{where}.{number}", each["handler"]
            after: Facts | None = facts
            if kind == "subroute" and set(each) == {"handler", "routes"}:
                after = self.routes(each["routes"], facts, here)
            elif kind == "headers":
                after = facts | self.stripped(each, here)
            elif kind == "reverse_proxy" and is_decision(each):
                self.left(facts, here)
                self.wrong += [f"{here}: {why}" for why in decision(each)]
                self.asking += 1
                self.decisions += [one["dial"] for one in each["upstreams"]]
            elif kind == "reverse_proxy":
                self.left(facts, here)
                self.stripped({"request": each.get("headers", {}).get("request", {})}, here)
                for name in set(each) - OF_AN_APPLICATION:
                    self.wrong.append(f"{here}: `{name}` of reverse_proxy is not known here")
                self.applications += [(one["dial"], here) for one in each.get("upstreams", [])]
                after = None
            elif kind in ENDING:
                after = None
            elif kind not in PASSING:
                self.wrong.append(f"{here}: the handler `{kind}` is not known here")
            if after is None:
                return None
            facts = after
        return facts

    def left(self, facts: Facts, where: str) -> None:
        """Say what is not so where a request leaves."""
        self.wrong += [f"{where}: {why}" for fact, why in DEMANDED.items() if fact not in facts]

    def stripped(self, handler: dict[str, Any], where: str) -> Facts:
        """Give the headers of a request that are removed; what is said of the identity is wrong."""
        changes = handler.get("request", {})
        for how in ("set", "add", "replace"):
            for name in changes.get(how, {}):
                if "gatekey" in name.lower() or "{" in name or "*" in name:
                    self.wrong.append(f"{where}: {how} of {name}, which the decision alone sets")
        return frozenset(name.lower() for name in changes.get("delete", ()))


def refuses_odd(matching: Any, handlers: list[dict[str, Any]]) -> bool:  # noqa: ANN401
    """Tell whether this refuses what can be read in two ways."""
    try:
        ((kind, by),) = matching[0].items()
        return (
            len(matching) == 1
            and kind == "vars_regexp"
            and by["{http.request.orig_uri}"]["pattern"] == f"(?i)^[^?]*({ODD})"
            and len(by) == len(handlers) == 1
            and handlers[0]["handler"] == "static_response"
            and handlers[0]["status_code"] == 400
        )
    except (ValueError, KeyError, TypeError):
        return False


def is_decision(handler: dict[str, Any]) -> bool:
    """Tell whether this asks for a decision."""
    uri: str = handler.get("rewrite", {}).get("uri", "")
    return uri.startswith("/auth/")


def decision(handler: dict[str, Any]) -> Iterator[str]:
    """Check what asks for a decision, and what is done by it."""
    for name in set(handler) - {*OF_AN_APPLICATION, "rewrite", "handle_response"}:
        yield f"`{name}` of a decision is not known here"
    if set(handler["rewrite"]) != {"method", "uri"} or handler["rewrite"]["method"] != "GET":
        yield "a decision is asked with GET, which has no body: `method GET`"
    if not re.fullmatch(r"/auth/[a-z0-9-]+", handler["rewrite"]["uri"]):
        yield "the demand in `rewrite` is a constant"
    told = {
        "X-Forwarded-Method": ["{http.request.method}"],
        "X-Forwarded-For": ["{http.vars.client_ip}"],
    }
    if handler.get("headers") != {"request": {"set": told}}:
        yield "`header_up` sets X-Forwarded-Method {method} and X-Forwarded-For {client_ip}, alone"
    if "response_header_timeout" not in handler.get("transport", {}):
        yield "a decision that hangs is waited for: `response_header_timeout 2s`"
    answers = handler.get("handle_response", [])
    if not answers or answers[0].get("match") != {
        "status_code": [200],
        "headers": {name: ["*"] for name in IDENTITY},
    }:
        yield "only 200 with all headers of the identity lets a request through"
    said: dict[str, list[str]] = {}
    added = (
        [each.get("response", {}).get("add", {}) for each in flat(answers[0]["routes"])]
        if answers
        else []
    )
    if {"Vary": [VARY]} not in added:
        yield f'a cache mixes callers up: `header +Vary "{VARY}"`'
    for each in flat(answers[0]["routes"] if answers else []):
        said.update(sets(each, "request"))
        if each["handler"] != "headers" or set(each.get("request", {})) - {"set"}:
            yield f"`{each['handler']}` does more than set headers where a request is let through"
    if any("match" in route for answer in answers for route in answer["routes"]):
        yield "what is done by a decision has a condition"
    for name in IDENTITY:
        if said.pop(name, None) != [f"{{http.reverse_proxy.header.{name}}}"]:
            yield f"{name} is not set: `request_header {name} {{rp.header.{name}}}`"
    for name in said:
        yield f"{name} is set where a request is let through"
    if [list(flat(each["routes"])) for each in answers[1:]] != [
        [{"handler": "copy_response"}],
        [{"handler": "error", "status_code": 503}],
    ]:
        yield "behind it come `copy_response` for refusals and `error 503` for all else"
    elif answers[1].get("match") != {"status_code": [*REFUSALS]} or "match" in answers[2]:
        yield f"refusals are {REFUSALS}, and all else is none"
