"""requests: requests that carry a managed token.

::

    requests.get("https://api.example/orders", auth=BearerAuth(manager, "orders"))
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import requests.auth
import requests.cookies
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body
from urllib3.util import parse_url

from gatekey.middleware._bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekey._core import _Seconds
    from gatekey.aio import TokenManager as AsyncTokenManager
    from gatekey.middleware._bearer import Place
    from gatekey.oauth import TokenManager

__all__ = ["BearerAuth"]


class BearerAuth(requests.auth.AuthBase):
    """Puts the access token of a name into each request; another one if the API refuses it, once.

    A body that can be sent only once, such as a generator, is not sent again: the answer is the
    API's 401, and the next request has the new token. Only ``https`` requests to ``hosts`` get a
    token; requests drops it when a redirect leads to another host.
    """

    def __init__(
        self,
        manager: TokenManager | AsyncTokenManager,
        name: str,
        *,
        hosts: str | Sequence[str] | None = None,
        min_ttl: _Seconds = 60,
        danger_allow_http: bool = False,
    ) -> None:
        """Take the tokens of ``name`` from ``manager``.

        :param hosts: where the token may be sent, as ``api.example`` or ``api.example:8443``;
            without them, only where the first request goes. Other requests raise ``UsageError``.
        """
        self._bearer = Bearer(manager, name, hosts, min_ttl, danger_allow_http, _place)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See requests.auth.AuthBase."""
        self._bearer.check(_place(request.url or ""))
        token = self._bearer.token()
        request.headers["Authorization"] = f"Bearer {token}"
        request.hooks["response"].append(partial(self._answered, token))
        return request

    def _answered(
        self, token: str, response: requests.Response, **sending: object
    ) -> requests.Response:
        """Send it again with another token, if the API has refused this one."""
        request = response.request
        is_ours = request.headers.get("Authorization") == f"Bearer {token}"
        if response.status_code != 401 or not is_ours:
            return response  # a host that it was redirected to has not seen the token
        other = self._bearer.replace(token)
        if other is None or not _is_rewound(request):
            return response
        _ = response.content  # to the end, so that the connection can be used again
        response.close()
        again = request.copy()
        # As requests' own HTTPDigestAuth does it, with what requests has no types for.
        untyped: Any = requests.cookies
        jar: Any = getattr(again, "_cookies", None)
        untyped.extract_cookies_to_jar(jar, request, response.raw)
        again.prepare_cookies(jar)
        again.headers["Authorization"] = f"Bearer {other}"
        connection: Any = response.connection
        answer: requests.Response = connection.send(again, **sending)
        answer.history.append(response)
        answer.request = again
        return answer


def _place(url: str) -> Place:
    parts = parse_url(url)
    return parts.scheme or "", parts.host or "", parts.port


def _is_rewound(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent again from where it began."""
    body: object = request.body
    if body is None or isinstance(body, (bytes, str)):
        return True
    if not isinstance(getattr(request, "_body_position", None), int):
        return False
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
