#!/usr/bin/env python3
"""Proves over a running configuration that each route replaces the identity that clients send.

usage: nginx -T 2> /dev/null | check.py nginx
       curl -s --unix-socket /run/shop/caddy-admin.sock localhost/config/ | check.py caddy
       curl -s --unix-socket /run/shop/envoy-admin.sock localhost/config_dump | check.py envoy
       curl -s localhost:8081/api/rawdata localhost:8081/api/entrypoints | check.py traefik

Prints what is wrong, and ends with 1 then. It knows the files beside it and what is built like
them; what it does not know is wrong.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from checks.caddy import caddy
from checks.envoy import envoy
from checks.nginx import nginx
from checks.traefik import traefik

if TYPE_CHECKING:
    from collections.abc import Callable

FRONTS: dict[str, Callable[[str], list[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
    "envoy": envoy,
    "traefik": traefik,
}


def main() -> int:
    """Check what comes in."""
    if len(sys.argv) != 2 or sys.argv[1] not in FRONTS:
        print((__doc__ or "").strip())
        return 2
    wrong = FRONTS[sys.argv[1]](sys.stdin.read())
    print("\n".join(wrong) or "each route replaces what clients say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
