"""requests: requests that carry a managed token.

::

    requests.get("https://api.example/orders", auth=BearerAuth(manager, "orders"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests.auth

from gatekey.exceptions import UsageError

if TYPE_CHECKING:
    from gatekey._core import _Seconds
    from gatekey.oauth import TokenManager

__all__ = ["BearerAuth"]


class BearerAuth(requests.auth.AuthBase):
    """Puts the access token of a name into each request. Only ``https`` requests get it.

    requests drops it when a redirect leads to another host.
    """

    def __init__(
        self,
        manager: TokenManager,
        name: str,
        *,
        min_ttl: _Seconds = 60,
        danger_allow_http: bool = False,
    ) -> None:
        """Take the tokens of ``name`` from ``manager``."""
        self._manager = manager
        self._name = name
        self._min_ttl = min_ttl
        self._allow_http = danger_allow_http

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See requests.auth.AuthBase."""
        if not (request.url or "").startswith("https://") and not self._allow_http:
            raise UsageError("A token is sent over https only; the request's address is another.")
        token = self._manager.access_token(self._name, min_ttl=self._min_ttl)
        request.headers["Authorization"] = f"Bearer {token}"
        return request
