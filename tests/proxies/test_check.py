"""The check over a running configuration finds what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from checks.nginx import nginx
from stand import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable


def printed(change: Callable[[str, str], str] = lambda _name, text: text) -> str:
    """Give what `nginx -T` prints of the example, whose files are changed before."""
    folder = EXAMPLES / "nginx"
    files = [folder / "nginx.conf", *sorted((folder / "gatekey").iterdir())]
    parts = [
        f"# configuration file {each}:\n{change(each.name, each.read_text())}\n" for each in files
    ]
    return "".join(parts)


def test_nginx_as_it_is() -> None:
    assert nginx(printed()) == []
    assert nginx("") != []
    assert nginx("# configuration file /x:\nhttp { }}") != []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        # Row C2: one of its own, and none of those above are inherited.
        (
            "nginx.conf",
            "            include gatekey/open.conf;",
            "",
            "X-Gatekey-Subject is not replaced",
        ),
        (
            "nginx.conf",
            "            auth_request /_gatekey/orders-read;\n            include gatekey/guarded.conf;",
            '            auth_request /_gatekey/orders-read;\n            proxy_set_header Connection "";',
            "no variable",
        ),
        (
            "nginx.conf",
            "        location /orders {",
            '        location /more { proxy_pass http://shop; proxy_set_header Connection ""; }\n        location /orders {',
            "is not replaced",
        ),
        (
            "nginx.conf",
            "        location /orders {",
            "        location /more { grpc_pass shop; }\n        location /orders {",
            "only proxy_pass",
        ),
        (
            "nginx.conf",
            "auth_request /_gatekey/admin",
            "auth_request /public/",
            "no location of a decision",
        ),
        ("nginx.conf", "            internal;\n", "", "internal"),
        ("nginx.conf", "http://gatekey/auth/admin", "http://gatekey/auth/$arg_demand", "constant"),
        (
            "nginx.conf",
            "include gatekey/server.conf;",
            "include gatekey/server.conf; satisfy any;",
            "satisfy",
        ),
        (
            "nginx.conf",
            "include gatekey/server.conf;",
            "include gatekey/server.conf; underscores_in_headers on;",
            "aliases",
        ),
        (
            "nginx.conf",
            "include gatekey/server.conf;",
            "include gatekey/server.conf; ignore_invalid_headers off;",
            "aliases",
        ),
        (
            "guarded.conf",
            "proxy_set_header X-Gatekey-Tenant $gatekey_tenant;",
            "",
            "X-Gatekey-Tenant is not replaced",
        ),
        (
            "guarded.conf",
            "X-Gatekey-Tenant $gatekey_tenant;",
            "X-Gatekey-Tenant $http_x_gatekey_tenant;",
            "X-Gatekey-Tenant is not replaced",
        ),
        (
            "guarded.conf",
            "X-Gatekey-Tenant $gatekey_tenant;",
            "X-Gatekey-Tenant $gatekey_tenant; proxy_set_header X-Gatekey-Tenant a;",
            "X-Gatekey-Tenant is not replaced",
        ),
        (
            "guarded.conf",
            "$gatekey_kind $upstream_http_x_gatekey_kind",
            "$gatekey_kind $http_x_gatekey_kind",
            "X-Gatekey-Kind alone",
        ),
        ("guarded.conf", "add_header Vary", "add_header X-Vary", "mixes callers up"),
        ("guarded.conf", "error_page", "# error_page", "error_page"),
        ("guarded.conf", "401 403 500", "401 403", "error_page"),
        (
            "open.conf",
            'X-Gatekey-Problem ""',
            "X-Gatekey-Problem $http_x",
            "X-Gatekey-Problem is not replaced",
        ),
        ("nginx.conf", "include gatekey/server.conf;", "", "gatekey/server.conf"),
        ("server.conf", "return 400", "return 200", "gatekey/server.conf"),
        ("http.conf", "%2e|", "", "gatekey/http.conf"),
        ("http.conf", "map $request_uri", "map $uri", "gatekey/http.conf"),
        ("decision.conf", "$remote_addr", "$proxy_add_x_forwarded_for", "X-Forwarded-For"),
        ("decision.conf", "$request_method", "$http_x_forwarded_method", "X-Forwarded-Method"),
        ("decision.conf", "proxy_pass_request_body off;", "", "no body"),
        ("decision.conf", 'proxy_set_header X-Gatekey-Subject "";', "", "not stripped"),
    ],
)
def test_nginx_gone_wrong(file: str, old: str, new: str, said: str) -> None:
    def change(name: str, text: str) -> str:
        if name != file:
            return text
        assert old in text
        return text.replace(old, new)

    wrong = nginx(printed(change))
    assert any(re.search(re.escape(said), each) for each in wrong), wrong
