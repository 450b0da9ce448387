"""What the `BearerAuth` of each client is made of: whose token it sends, and where to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gatekey._core import _named
from gatekey.exceptions import UsageError
from gatekey.oauth import TokenManager
from gatekey.oauth.options import at_least, flag, listed, of_type, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatekey._core import _Seconds
    from gatekey.aio import TokenManager as AsyncTokenManager

Place = tuple[str, str, int | None]
"""Scheme, host, and the port if the address has one."""

_PORTS = {"https": 443, "http": 80}


def written(host: str, port: int | None) -> str:
    """Write a host with its port, if it is not the usual one."""
    return host if port is None else f"{host}:{port}"


def _host_of(host: str, place: Callable[[str], Place]) -> tuple[str, int | None]:
    """Give the host and port that were named, as the client's own library reads them."""
    try:
        _, name, port = place(host if "://" in host else f"https://{host}")
    except Exception:  # noqa: BLE001, each library raises its own, with all of the text
        name, port = "", None
    if not name:
        shown = _named(host) if host.isprintable() else "(not printable)"
        raise UsageError(f"{shown!r} in hosts is no host; write it as in api.example:8443.")
    return name, port


class Bearer:
    """The token of a name, for some hosts: those that were named, or that of the first request."""

    def __init__(
        self,
        manager: TokenManager | AsyncTokenManager,
        name: str,
        hosts: str | Sequence[str] | None,
        min_ttl: _Seconds,
        allow_http: bool,
        place: Callable[[str], Place],
    ) -> None:
        own = manager if isinstance(manager, TokenManager) else getattr(manager, "sync", None)
        if not isinstance(own, TokenManager):
            made = "TokenManager(client)"
            raise of_type(
                manager, "manager", f"a gatekey.TokenManager, made by {made}, or its twin"
            )
        at_least(min_ttl, "min_ttl")
        self.manager = own
        self.name = text(name, "name")
        self.min_ttl = min_ttl
        self._allow_http = flag(allow_http, "danger_allow_http")
        self._lock = threading.Lock()
        self._hosts: set[tuple[str, int | None]] = set()
        given = listed(hosts, "hosts")
        if given == []:
            raise UsageError("hosts=[] names no host; leave it out for that of the first request.")
        for host in given or ():
            self._hosts.add(_host_of(host, place))

    def check(self, place: Place) -> None:
        """Refuse to send the token there, unless that is where it belongs."""
        scheme, host, port = place
        if scheme != "https" and not self._allow_http:
            raise UsageError("A token is sent over https only; the request's address is another.")
        usual = _PORTS.get(scheme)
        ports = {port, None if port == usual else port, usual if port is None else port}
        with self._lock:
            if not self._hosts:
                self._hosts.add((host, port))
            if self._hosts.isdisjoint((host, own) for own in ports):
                known = ", ".join(sorted(written(*own) for own in self._hosts))
                raise UsageError(
                    f"This token is for {known}, and is not sent to {written(host, port)}. Name all"
                    " the hosts of the API in hosts=[...], or send this request without it"
                    " (auth=None)."
                )

    def token(self) -> str:
        """Give the token to send."""
        return self.manager.access_token(self.name, min_ttl=self.min_ttl)

    def replace(self, refused: str) -> str | None:
        """Give another token than the one that was refused; None if there is no other yet."""
        other = self.manager.replace(self.name, refused).access_token
        return None if other == refused else other
