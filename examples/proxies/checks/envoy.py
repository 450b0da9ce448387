"""Envoy: what its admin API says at /config_dump."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from checks import IDENTITY, ODD, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterator

FILTERS = "type.googleapis.com/envoy.extensions.filters."
MANAGER = FILTERS + "network.http_connection_manager.v3.HttpConnectionManager"
STRIP = FILTERS + "http.header_mutation.v3.HeaderMutation"
ASK = FILTERS + "http.ext_authz.v3.ExtAuthz"
ROUTER = FILTERS + "http.router.v3.Router"
# What may stand between these: it changes no header of a request.
HARMLESS = (
    FILTERS + "http.buffer.v3.Buffer",
    FILTERS + "http.compressor.v3.Compressor",
    FILTERS + "http.local_ratelimit.v3.LocalRateLimit",
)
TOLD = {
    "X-Forwarded-Method": "%REQ(:METHOD)%",
    "X-Forwarded-For": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
}
# What a guard reads.
READ = {
    "authorization",
    "cookie",
    "dpop",
    "origin",
    "sec-fetch-site",
    "x-api-key",
    "x-csrf-token",
    *(name.lower() for name in TOLD),
}
OF_A_REFUSAL = {"www-authenticate", "retry-after", "cache-control", "content-type"}
CHANGES = {
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
}
KNOWN = {
    "HTTP connection manager": {
        "@type",
        "access_log",
        "access_log_options",
        "codec_type",
        "common_http_protocol_options",
        "delayed_close_timeout",
        "drain_timeout",
        "generate_request_id",
        "http2_protocol_options",
        "http3_protocol_options",
        "http_filters",
        "http_protocol_options",
        "local_reply_config",
        "max_request_headers_kb",
        "merge_slashes",
        "normalize_path",
        "path_with_escaped_slashes_action",
        "request_headers_timeout",
        "request_timeout",
        "route_config",
        "server_header_transformation",
        "server_name",
        "stat_prefix",
        "stream_idle_timeout",
        "tracing",
        "use_remote_address",
        "xff_num_trusted_hops",
    },
    "ext_authz filter": {
        "@type",
        "allowed_headers",
        "failure_mode_allow",
        "http_service",
        "stat_prefix",
        "status_on_error",
        "transport_api_version",
        "validate_mutations",
    },
    "http_service": {"server_uri", "path_override", "authorization_response"},
    "authorization_response": {
        "allowed_upstream_headers",
        "allowed_client_headers",
        "allowed_client_headers_on_success",
    },
    "route configuration": {"@type", "name", "virtual_hosts", *CHANGES},
    "virtual host": {"name", "domains", "routes", "require_tls", "retry_policy", *CHANGES},
    "route": {
        "match",
        "name",
        "route",
        "redirect",
        "direct_response",
        "typed_per_filter_config",
        "metadata",
        "decorator",
        "tracing",
        "stat_prefix",
        *CHANGES,
    },
    "route action": {
        "cluster",
        "timeout",
        "idle_timeout",
        "retry_policy",
        "prefix_rewrite",
        "host_rewrite_literal",
        "hash_policy",
        "max_stream_duration",
        "priority",
    },
}


def envoy(text: str) -> list[str]:
    """Check what its admin API says at /config_dump."""
    try:
        return list(whole(json.loads(text)["configs"]))
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        return [f"this is not what Envoy's admin API says at /config_dump: {why!r}"]


def unknown(block: dict[str, Any], kind: str) -> Iterator[str]:
    """Say what is not known here."""
    for name in sorted(set(block) - KNOWN[kind]):
        yield f"`{name}` of a {kind} is not known here"


def whole(configs: list[dict[str, Any]]) -> Iterator[str]:
    """Check all parts of a dump."""
    dumps = {each["@type"].rpartition(".")[2]: each for each in configs}
    admin = dumps["BootstrapConfigDump"]["bootstrap"].get("admin", {})
    if "pipe" not in admin.get("address", {}):
        yield "the admin API, which stops the server, is not at a Unix socket"
    for name in ("ListenersConfigDump", "RoutesConfigDump", "ScopedRoutesConfigDump"):
        for part in set(dumps.get(name, {})) - {"@type", "version_info"}:
            if not part.startswith("static_"):
                yield f"`{part}`: what is not in this file is not known here"
    if set(dumps.get("EcdsConfigDump", {})) - {"@type"}:
        yield "filters from elsewhere are not known here"
    asking = 0
    for listener in dumps["ListenersConfigDump"].get("static_listeners", []):
        one = listener["listener"]
        for chain in [*one.get("filter_chains", []), one.get("default_filter_chain", {})]:
            for each in chain.get("filters", []):
                config = each["typed_config"]
                if config["@type"] != MANAGER:
                    yield f"{one.get('name')}: the filter {each['name']} is not known here"
                    continue
                manager = Manager(config)
                yield from (f"{one.get('name')}: {why}" for why in manager.wrong())
                asking += manager.asking
    if not asking:
        yield "no route asks for a decision"


class Manager:
    """An HTTP connection manager, which has filters and routes."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Take it."""
        self.config = config
        self.asking = 0
        self.ask: dict[str, Any] = {}

    def wrong(self) -> Iterator[str]:
        """Say what is wrong."""
        config = self.config
        yield from unknown(config, "HTTP connection manager")
        options = config.get("common_http_protocol_options", {})
        if options.get("headers_with_underscores_action") not in ("DROP_HEADER", "REJECT_REQUEST"):
            yield "aliases of headers pass: `headers_with_underscores_action: DROP_HEADER`"
        if not config.get("use_remote_address"):
            yield "addresses are what clients say: `use_remote_address: true`"
        if config.get("normalize_path") or config.get("merge_slashes"):
            yield "paths are changed before the first route sees them: `normalize_path: false`"
        if not tells_refusals(config.get("local_reply_config", {})):
            yield "`local_reply_config` leaves no refusals alone, or makes no 503 of all else"
        yield from self.filters(config["http_filters"])
        yield from self.routes(config.get("route_config", {}))

    def filters(self, filters: list[dict[str, Any]]) -> Iterator[str]:
        """Check that what strips comes before what asks, and nothing that adds behind it."""
        kinds = [each["typed_config"]["@type"] for each in filters]
        for each, kind in zip(filters, kinds, strict=True):
            if set(each) != {"name", "typed_config"} or kind not in (STRIP, ASK, ROUTER, *HARMLESS):
                yield f"the filter {each['name']} is not known here, or may be left out"
        if kinds[0] != STRIP or kinds.count(STRIP) != 1 or not strips(filters[0]["typed_config"]):
            yield "the first filter does not remove all that contains `gatekey`, and tell the rest"
        if kinds.count(ASK) != 1:
            yield "there is not one filter that asks"
            return
        self.ask = filters[kinds.index(ASK)]
        config = self.ask["typed_config"]
        yield from unknown(config, "ext_authz filter")
        if config.get("failure_mode_allow"):
            yield "`failure_mode_allow: true` lets everybody in when there is no decision"
        if config.get("status_on_error") != {"code": "ServiceUnavailable"}:
            yield "no decision is not 503: `status_on_error: { code: ServiceUnavailable }`"
        if exact(config.get("allowed_headers", {})) != READ:
            yield f"`allowed_headers` are what a guard reads: {', '.join(sorted(READ))}"
        yield from service(config.get("http_service", {}))

    def routes(self, config: dict[str, Any]) -> Iterator[str]:
        """Check all routes."""
        yield from unknown(config, "route configuration")
        yield from adds(config)
        for host in config.get("virtual_hosts", []):
            yield from unknown(host, "virtual host")
            yield from adds(host)
            routes = host.get("routes", [])
            if not routes or not refuses_odd(routes[0]):
                yield f"{host['name']}: the first route does not refuse all that has two readings"
            for route in routes:
                where = f"{host['name']}/{route.get('name') or json.dumps(route['match'])}"
                yield from (f"{where}: {why}" for why in self.route(route))

    def route(self, route: dict[str, Any]) -> Iterator[str]:
        """Check a route."""
        yield from unknown(route, "route")
        yield from adds(route)
        own = dict(route.get("typed_per_filter_config", {}))
        config = own.pop(self.ask.get("name", ""), None)
        if own:
            yield f"of the filters {', '.join(own)} a route says something that is not known here"
        open_route = {"@type": ASK + "PerRoute", "disabled": True}
        if config is not None and config != open_route:
            if set(config) != {"@type", "check_settings"} or config["@type"] != open_route["@type"]:
                yield "what it says of the filter that asks is not known here"
            settings = config.get("check_settings", {})
            if set(settings) != {"http_service"}:
                yield "`check_settings` has an http_service, and nothing else"
            yield from service(settings.get("http_service", {}))
        if "route" in route:
            action = route["route"]
            yield from unknown(action, "route action")
            self.asking += config != open_route
            uri = self.ask.get("typed_config", {}).get("http_service", {}).get("server_uri", {})
            if action.get("cluster") in (None, uri.get("cluster")):
                yield "it leads to the decision, or to what is not known here"


def exact(matchers: dict[str, Any]) -> set[str]:
    """Give the names of a list that has exact names alone."""
    names = set()
    for each in matchers.get("patterns", []):
        names.add(each["exact"].lower() if set(each) == {"exact"} else f"?{each}")
    return names


def adds(block: dict[str, Any]) -> Iterator[str]:
    """Say where something else than the decision names who calls."""
    for each in block.get("request_headers_to_add", []):
        if "gatekey" in each["header"]["key"].lower():
            yield f"{each['header']['key']} is set, which the decision alone sets"


def strips(config: dict[str, Any]) -> bool:
    """Tell whether the names are removed, and the request is told."""
    matcher = {"ignore_case": True, "contains": "gatekey"}
    changes: list[dict[str, Any]] = [{"remove_on_match": {"key_matcher": matcher}}]
    changes += [{"remove": name} for name in TOLD]
    for name, value in TOLD.items():
        header = {"key": name, "value": value}
        one = {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        changes.append({"append": one})
    return set(config) == {"@type", "mutations"} and config["mutations"] == {
        "request_mutations": changes
    }


def service(config: dict[str, Any]) -> Iterator[str]:
    """Check what is asked, and what is done by the answer."""
    yield from unknown(config, "http_service")
    if not re.fullmatch(r"/auth/[a-z0-9-]+", config.get("path_override", "")):
        yield "the demand is a constant: `path_override: /auth/NAME`"
    if "timeout" not in config.get("server_uri", {}):
        yield "a decision has no `timeout`"
    answer = config.get("authorization_response", {})
    yield from unknown(answer, "authorization_response")
    if exact(answer.get("allowed_upstream_headers", {})) != {name.lower() for name in IDENTITY}:
        yield f"`allowed_upstream_headers` are {', '.join(IDENTITY).lower()}"
    if "vary" not in exact(answer.get("allowed_client_headers_on_success", {})):
        yield "a cache mixes callers up: `allowed_client_headers_on_success` lacks `vary`"
    if not exact(answer.get("allowed_client_headers", {})) >= OF_A_REFUSAL:
        yield f"`allowed_client_headers` lacks one of {', '.join(sorted(OF_A_REFUSAL))}"


def refuses_odd(route: dict[str, Any]) -> bool:
    """Tell whether this refuses what can be read in two ways."""
    return bool(
        route["match"] == {"safe_regex": {"regex": f"(?i).*({ODD}).*"}}
        and route.get("direct_response", {}).get("status") == 400
    )


def tells_refusals(config: dict[str, Any]) -> bool:
    """Tell whether refusals stay as they are, and all else is 503. Envoy keeps no 5xx at all."""
    mappers = config.get("mappers", [])
    any_answer = {"response_flag_filter": {"flags": ["UAEX"]}}
    kept = [
        {"status_code_filter": {"comparison": {"value": value}}}
        for status in REFUSALS
        for value in [{"default_value": status, "runtime_key": "gatekey.none"}]
        if status < 500
    ]
    return bool(
        set(config) == {"mappers"}
        and len(mappers) > 1
        and mappers[0]
        == {"filter": {"and_filter": {"filters": [any_answer, {"or_filter": {"filters": kept}}]}}}
        and mappers[1]["filter"] == any_answer
        and mappers[1]["status_code"] == 503
        and "Retry-After" in [each["header"]["key"] for each in mappers[1]["headers_to_add"]]
    )
