"""Traefik: what its API says at /api/rawdata, and then at /api/entrypoints."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from checks import IDENTITY, STRIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of paths whose encoded characters the entry point has refused.
ODD_RULE = r"PathRegexp(`;|\\|//|/\.\.?(/|$)`)"
NOBODY = {"sourceRange": ["255.255.255.255/32"], "rejectStatusCode": 400}
REFUSED = {*STRIPPED, "Connection", "Upgrade"}
# What may stand between: it changes no header of a request, and no path.
HARMLESS = {"buffering", "circuitBreaker", "compress", "inFlightReq", "ipAllowList", "rateLimit"}
NOT_ITS_OWN = {
    "status": ["100-199", "201-399", "402", "404-428", "430", "432-502", "504-599"],
    "statusRewrites": {"100-599": 503},
}
OF_A_ROUTER = {
    "entryPoints",
    "middlewares",
    "service",
    "rule",
    "priority",
    "observability",
    "status",
    "using",
    "tls",
    "ruleSyntax",
}
OF_FORWARD_AUTH = {
    "address",
    "trustForwardHeader",
    "authResponseHeaders",
    "maxBodySize",
    "maxResponseBodySize",
    "preserveRequestMethod",
}
LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d+")


def traefik(text: str) -> list[str]:
    """Check what its API says at /api/rawdata, and then at /api/entrypoints."""
    try:
        raw, end = json.JSONDecoder().raw_decode(text)
        return list(Running(raw, json.loads(text[end:])).wrong())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as why:
        return [f"this is not what Traefik says at /api/rawdata and /api/entrypoints: {why!r}"]


def kind_of(block: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give which middleware this is, and its options."""
    ((kind, options),) = (
        (name, value) for name, value in block.items() if name not in {"status", "usedBy", "error"}
    )
    return kind, options


class Running:
    """What runs."""

    def __init__(self, raw: dict[str, Any], points: list[dict[str, Any]]) -> None:
        """Take it."""
        self.raw = raw
        self.routers: dict[str, dict[str, Any]] = raw["routers"]
        self.points = {one["name"]: one for one in points}
        # What forwardAuth asks, by the address of an entry point.
        self.asked: set[str] = set()
        self.asking = 0

    def wrong(self) -> Iterator[str]:
        """Say what is wrong."""
        for name in set(self.raw) - {"routers", "middlewares", "services"}:
            yield f"`{name}`: what is not HTTP is not known here"
        guards: list[str] = []
        for name, each in self.raw.get("middlewares", {}).items():
            kind, options = kind_of(each)
            if kind == "forwardAuth":
                guards += [f"{name}: {why}" for why in self.guard(options)]
        yield from guards
        for point in self.asked:
            yield from (f"{point}: {why}" for why in self.inner(self.points[point]))
        by_point: dict[str, list[str]] = {}
        for name, router in self.routers.items():
            for key in set(router) - OF_A_ROUTER:
                yield f"{name}: `{key}` of a router is not known here"
            if router["status"] != "enabled":
                yield f"{name}: its status is {router['status']}"
            for point in router.get("using", []):
                by_point.setdefault(point, []).append(name)
        for point, names in by_point.items():
            if point not in self.asked:
                yield from (f"{point}: {why}" for why in self.outer(self.points[point], names))
        if not self.asking:
            yield "no route asks for a decision"

    def guard(self, options: dict[str, Any]) -> Iterator[str]:
        """Check a forwardAuth."""
        for key in set(options) - OF_FORWARD_AUTH:
            yield f"`{key}` of forwardAuth is not known here"
        if options.get("trustForwardHeader"):
            yield "`trustForwardHeader: true` believes what clients say of themselves"
        if sorted(options.get("authResponseHeaders", [])) != sorted(IDENTITY):
            yield f"`authResponseHeaders` are {', '.join(IDENTITY)}"
        found = re.fullmatch(r"http://([^/@?]+)/auth/[a-z0-9-]+", options["address"])
        if not found:
            yield "the demand is a constant: `address: http://127.0.0.1:PORT/auth/NAME`"
            return
        here = [name for name, one in self.points.items() if one["address"] == found[1]]
        self.asked.update(here)
        if not here:
            yield "it asks no entry point: it would wait 30 seconds, and say 500"

    def inner(self, point: dict[str, Any]) -> Iterator[str]:
        """Check the entry point that forwardAuth asks."""
        if not LOOPBACK.fullmatch(point["address"]):
            yield "others reach it: its address is on 127.0.0.1"
        if point.get("forwardedHeaders") != {
            "trustedIPs": ["127.0.0.1/32"],
            "notAppendXForwardedFor": True,
        }:
            yield "`forwardedHeaders` hand on what forwardAuth says of the client, as it says it"
        for name, router in self.routers.items():
            if point["name"] not in router.get("using", []):
                continue
            kinds = [kind_of(one) for one in self.middlewares(router)]
            servers = self.raw["services"][self.service(name, router)].get("loadBalancer", {})
            if router["using"] != [point["name"]]:
                yield f"{name}: clients reach it"
            if router["rule"] == "PathPrefix(`/auth/`)":
                given = [{key: one.get(key) for key in NOT_ITS_OWN} for _, one in kinds]
                if [kind for kind, _ in kinds] != ["errors"] or given != [NOT_ITS_OWN]:
                    yield f"{name}: all that is not the decision's own answer is 503: `errors`"
                if "serversTransport" not in servers:
                    yield f"{name}: a decision that hangs is waited for: `serversTransport`"
            elif router["rule"] == "Path(`/unavailable`)":
                said = kinds[0][1].get("customResponseHeaders", {}) if kinds else {}
                if "Retry-After" not in said or servers.get("servers"):
                    yield f"{name}: it says Retry-After, and has no servers"
            else:
                yield f"{name}: its rule is not known here"

    def outer(self, point: dict[str, Any], names: list[str]) -> Iterator[str]:
        """Check an entry point that clients reach."""
        if all(self.routers[name]["service"].endswith("@internal") for name in names):
            if not LOOPBACK.fullmatch(point["address"]):
                yield "the API is at an address that others reach"
            return
        http = point.get("http", {})
        if "encodedCharacters" not in http or any(http["encodedCharacters"].values()):
            yield "`encodedCharacters` allow what can be read in two ways: all of them are false"
        if not http.get("sanitizePath"):
            yield "`sanitizePath: false` leaves `..` in paths"
        if http.get("aliasHeadersStrategy") not in ("delete", "reject"):
            yield "aliases of the identity's headers pass: `aliasHeadersStrategy: delete`"
        if {"insecure", "connection"} & set(point.get("forwardedHeaders", {})):
            yield "`forwardedHeaders` believe what clients say of themselves"
        first = max(names, key=lambda name: self.routers[name]["priority"])
        odd = self.routers[first]
        kinds = [kind_of(one) for one in self.middlewares(odd)]
        if odd["rule"] != ODD_RULE or kinds != [("ipAllowList", NOBODY)]:
            yield f"the router of the highest priority, {first}, refuses no odd paths: `{ODD_RULE}`"
        for name in names:
            if name != first or odd["rule"] != ODD_RULE:
                yield from (f"{name}: {why}" for why in self.application(name))

    def application(self, name: str) -> Iterator[str]:
        """Check a router that leads to an application."""
        router = self.routers[name]
        kinds = [kind_of(one) for one in self.middlewares(router)]
        given = kinds[0][1].get("customRequestHeaders", {}) if kinds else {}
        small = {key.lower(): value for key, value in given.items()}
        lacking = [one for one in REFUSED if small.get(one.lower()) != ""]
        if not kinds or kinds[0][0] != "headers" or lacking:
            yield f"its first middleware does not strip {', '.join(sorted(lacking)) or 'all'}"
        for kind, options in kinds[1:]:
            if kind == "headers":
                for header in options.get("customRequestHeaders", {}):
                    if "gatekey" in header.lower():
                        yield f"{header} is set, which the decision alone sets"
            elif kind not in {"forwardAuth", *HARMLESS}:
                yield f"the middleware `{kind}` is not known here"
        self.asking += any(kind == "forwardAuth" for kind, _ in kinds)
        if self.service(name, router) in {
            self.service(other, one)
            for other, one in self.routers.items()
            if self.asked & set(one.get("using", []))
        }:
            yield "clients reach the decision"

    def middlewares(self, router: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the middlewares of a router, with those of chains in their place."""
        found: list[dict[str, Any]] = []
        waiting = list(router.get("middlewares", []))
        while waiting:
            name = waiting.pop(0)
            one: dict[str, Any] = self.raw["middlewares"][name]
            if "chain" in one:
                provider = name.rpartition("@")[2]
                names = one["chain"]["middlewares"]
                waiting[:0] = [each if "@" in each else f"{each}@{provider}" for each in names]
            else:
                found.append(one)
        return found

    @staticmethod
    def service(name: str, router: dict[str, Any]) -> str:
        """Give the whole name of a router's service."""
        service: str = router["service"]
        return service if "@" in service else f"{service}@{name.rpartition('@')[2]}"
