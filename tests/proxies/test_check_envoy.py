"""The check over what Envoy runs finds what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from checks.envoy import envoy
from stand import Envoy, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from stand import Application, Decision


@pytest.fixture(scope="module")
def dump(
    tmp_path_factory: pytest.TempPathFactory, decision: Decision, application: Application
) -> str:
    """Give what runs, with one name and value beside another as this file writes them."""
    folder: Path = tmp_path_factory.mktemp("e")
    try:
        front = Envoy(folder, decision, application)
    except UnavailableError as why:
        pytest.skip(f"proxies: {why}")
    try:
        return json.dumps(json.loads(front.running()))
    finally:
        front.stop()


def test_as_it_is(dump: str) -> None:
    assert envoy(dump) == []
    for none in ("", "{}", "[]", '{"configs":[]}'):
        assert envoy(none) != []


STRIPPING = '{"remove_on_match": {"key_matcher": {"ignore_case": true, "contains": "gatekey"}}}'
PER_ROUTE = (
    '"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"'
)
OPEN = f'{{{PER_ROUTE}, "disabled": true}}'
ADDED = '"request_headers_to_add": [{"header": {"key": "x-GATEKEY-kind", "value": "a"}}]'
BUFFER = '"type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"'
LUA = BUFFER.replace("buffer.v3.Buffer", "lua.v3.Lua")
MUTATION = BUFFER.replace("buffer.v3.Buffer", "header_mutation.v3.HeaderMutation")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"{STRIPPING}, ", "", "contains `gatekey`"),
        ('"contains": "gatekey"', '"contains": "x-gatekey"', "contains `gatekey`"),
        ('"ignore_case": true', '"ignore_case": false', "contains `gatekey`"),
        ('"remove": "X-Forwarded-For"', '"remove": "X-Other"', "tell the rest"),
        ("%REQ(:METHOD)%", "%REQ(X-HTTP-METHOD-OVERRIDE)%", "tell the rest"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%REQ(X-REAL-IP)%", "tell the rest"),
        ("OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD", "tell the rest"),
        ('{"name": "gatekey.strip", ', '{"name": "gatekey.strip", "disabled": true, ', "left out"),
        (
            '"http_filters": [',
            f'"http_filters": [{{"name": "x", "typed_config": {{"@type": {LUA}}}}}, ',
            "not known",
        ),
        (
            '"http_filters": [',
            f'"http_filters": [{{"name": "x", "typed_config": {{"@type": {BUFFER}}}}}, ',
            "the first filter",
        ),
        (
            '{"name": "envoy.filters.http.router"',
            f'{{"name": "x", "typed_config": {{"@type": {MUTATION}}}}}, {{"name": "envoy.filters.http.router"',
            "the first filter",
        ),
        ('ext_authz.v3.ExtAuthz"', 'ext_authz.v3.Other"', "not one filter that asks"),
        (
            '"status_on_error": {"code": "ServiceUnavailable"}',
            '"stat_prefix": "a"',
            "status_on_error",
        ),
        (
            '"status_on_error"',
            '"failure_mode_allow": true, "status_on_error"',
            "failure_mode_allow",
        ),
        ('"status_on_error"', '"filter_enabled": {}, "status_on_error"', "`filter_enabled`"),
        ('"status_on_error"', '"with_request_body": {}, "status_on_error"', "`with_request_body`"),
        ('{"exact": "origin"}, ', "", "what a guard reads"),
        ('{"exact": "origin"}', '{"prefix": "o"}', "what a guard reads"),
        ('{"exact": "x-gatekey-kind"}, ', "", "allowed_upstream_headers"),
        ('{"exact": "x-gatekey-kind"}', '{"prefix": "x-gatekey-"}', "allowed_upstream_headers"),
        (
            '{"exact": "x-gatekey-kind"}',
            '{"exact": "x-gatekey-kind"}, {"exact": "host"}',
            "allowed_upstream_headers",
        ),
        (
            '"allowed_client_headers"',
            '"allowed_upstream_headers_to_append": {}, "allowed_client_headers"',
            "to_append",
        ),
        (
            '_on_success": {"patterns": [{"exact": "vary"}]',
            '_on_success": {"patterns": []',
            "mixes callers up",
        ),
        ('{"exact": "retry-after"}, ', "", "allowed_client_headers"),
        ('"path_override": "/auth/orders-read"', '"path_prefix": "/auth/orders-read"', "constant"),
        ('"path_override": "/auth/admin"', '"path_override": "/auth"', "constant"),
        (', "timeout": "1s"', "", "timeout"),
        (OPEN, f'{{{PER_ROUTE}, "check_settings": {{}}}}', "check_settings"),
        (
            OPEN,
            '{"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true}',
            "not known",
        ),
        (f'"gatekey.ask": {OPEN}', f'"gatekey.strip": {OPEN}', "gatekey.strip"),
        ('"domains"', f'{ADDED}, "domains"', "x-GATEKEY-kind is set"),
        ('"virtual_hosts"', f'{ADDED}, "virtual_hosts"', "x-GATEKEY-kind is set"),
        (
            '"match": {"prefix": "/"}',
            f'{ADDED}, "match": {{"prefix": "/"}}',
            "x-GATEKEY-kind is set",
        ),
        ('"domains"', '"typed_per_filter_config": {}, "domains"', "typed_per_filter_config"),
        ('"virtual_hosts"', '"vhds": {}, "virtual_hosts"', "`vhds`"),
        ('"route": {"cluster": "shop"}', '"route": {"cluster_header": "x"}', "cluster_header"),
        (
            '"route": {"cluster": "shop"}',
            '"route": {"cluster": "gatekey"}',
            "leads to the decision",
        ),
        ('"status": 400', '"status": 200', "two readings"),
        ("(?i).*(%2e|", "(?i).*(", "two readings"),
        ('"DROP_HEADER"', '"ALLOW"', "headers_with_underscores_action"),
        ('"use_remote_address": true', '"use_remote_address": false', "use_remote_address"),
        ('"normalize_path": false', '"normalize_path": true', "normalize_path"),
        (
            '"use_remote_address"',
            '"upgrade_configs": [{"upgrade_type": "websocket"}], "use_remote_address"',
            "upgrade_configs",
        ),
        ('"use_remote_address"', '"rds": {}, "use_remote_address"', "`rds`"),
        (
            '"local_reply_config"',
            '"server_name": "x", "access_log_": 1, "local_reply_config"',
            "access_log_",
        ),
        ('"default_value": 429', '"default_value": 404', "local_reply_config"),
        ('"mappers"', '"body_format": {}, "mappers"', "local_reply_config"),
        ('"Retry-After"', '"X-Other"', "local_reply_config"),
        ('"static_listeners"', '"dynamic_listeners"', "dynamic_listeners"),
        (".HttpConnectionManager", ".Other", "is not known here"),
        ('{"pipe": {"path": "', '{"socket_address": {"path": "', "the admin API"),
        ('"check_settings"', '"disabled": true, "check_settings"', "is not known"),
    ],
)
def test_gone_wrong(dump: str, old: str, new: str, said: str) -> None:
    assert old in dump
    wrong = envoy(dump.replace(old, new))
    assert any(said in each for each in wrong), wrong


def test_no_decision(dump: str) -> None:
    config = json.loads(dump)
    listeners = next(each for each in config["configs"] if "static_listeners" in each)
    listener = listeners["static_listeners"][0]["listener"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        route["typed_per_filter_config"] = {"gatekey.ask": json.loads(OPEN)}
    assert envoy(json.dumps(config)) == ["no route asks for a decision"]
