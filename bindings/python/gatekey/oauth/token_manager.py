"""`TokenManager`: the tokens of other servers, kept and refreshed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from gatekey._core import _TokenManager
from gatekey.exceptions import UsageError
from gatekey.oauth.client import check_client
from gatekey.oauth.operation import FOR_LOOPS
from gatekey.oauth.options import (
    at_least,
    check_transport,
    folder_of,
    json_text,
    mapped,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from gatekey._core import OAuthTokens, _Seconds, _Secrets
    from gatekey.oauth.client import OAuthClient
    from gatekey.oauth.operation import Transporting


@final
class TokenManager:
    """Other servers' tokens under names of your own: kept, and refreshed once for all callers.

    One request for all threads and, with a ``folder``, for all processes. A new refresh token is
    kept before any caller gets the access token that came with it. Only ``invalid_grant`` ends one;
    whatever else goes wrong, it is tried again later. What another process puts or removes in the
    folder is noticed at each use. Safe to share between threads, usable after a fork.
    """

    def __init__(
        self,
        client: OAuthClient,
        *,
        folder: str | os.PathLike[str] | None = None,
        seal: _Secrets | None = None,
        client_credentials: Mapping[str, object] | None = None,
        refresh_with: Mapping[str, object] | None = None,
        transport: Transporting | None = None,
    ) -> None:
        """Manage tokens of this client's, by its clock.

        :param folder: where they are kept (mode 0700, files 0600); in memory without one. Managers
            of several servers and clients can share it: each has its own tokens.
        :param seal: secrets, as ``flow_keys`` of the client are given, under which they are sealed.
            What was put and does not fit them is ``WrongPepperError``.
        :param client_credentials: ``{"scopes": [...], "resources": [...]}``: a name under which
            there is no token gets one for the client itself. Other scopes are another token.
        :param refresh_with: what each refresh says in addition to the refresh token:
            ``{"parameters": {...}, "scopes": [...], "resources": [...]}``.
        :param transport: what carries the requests, instead of the client's.
        """
        check_client(client, "client")
        place = folder_of(folder, "folder")
        grant, more = (
            None if said is None else json_text(mapped(said, name) or {})
            for name, said in (
                ("client_credentials", client_credentials),
                ("refresh_with", refresh_with),
            )
        )
        if transport is not FOR_LOOPS:
            check_transport(transport)
        if transport is None:
            transport = client._transport
        carrier = None if transport is FOR_LOOPS else transport
        self._core = _TokenManager(
            client._core, place, carrier, seal=seal, grant=grant, refresh_with=more
        )
        self._carrier, self._folder = carrier, place

    def put(self, name: str, tokens: OAuthTokens) -> None:
        """Keep tokens, for example of a log-in that was just finished."""
        self._core.put(name, tokens)

    def remove(self, name: str) -> None:
        """Forget the tokens of a name; revoke them first."""
        self._core.remove(name)

    def access_token(self, name: str, *, min_ttl: _Seconds = 60) -> str:
        """Give an access token good for at least ``min_ttl`` seconds, refreshed if need be.

        :param min_ttl: seconds; or half of the token's life where the server gives none
            that are good for longer.
        :raises NoTokenError: there is no token; a log-in is needed.
        :raises InvalidGrantError: it has ended, for good.
        """
        return self.tokens(name, min_ttl=min_ttl).access_token

    def tokens(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens:
        """Give all that came with the access token."""
        if self._carrier is None:
            return on_a_loop(self.known(name, min_ttl=min_ttl))
        return self._core.tokens(name, at_least(min_ttl, "min_ttl"))

    def known(self, name: str, *, min_ttl: _Seconds = 60) -> OAuthTokens | None:
        """Give what is kept, without asking the server, if it is good for ``min_ttl`` seconds."""
        return self._core.known(name, at_least(min_ttl, "min_ttl"))

    def replace(self, name: str, refused: str) -> OAuthTokens:
        """Get other tokens, because an API has refused this one, unless there are by now.

        If the API refuses new ones as well, the next is asked for after a second, then after
        two, at most once a minute; until then the refused one is given once more.
        """
        if self._carrier is None:
            known = self.known(name, min_ttl=0)
            return on_a_loop(None if known is None or known.access_token == refused else known)
        return self._core.replace(name, refused)

    def __repr__(self) -> str:
        return repr(self._core)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a TokenManager is not pickled or copied; share it")


def on_a_loop(tokens: OAuthTokens | None) -> OAuthTokens:
    """Give what is known where only an event loop can ask for more."""
    if tokens is None:
        raise UsageError(
            "The server has to be asked, and this manager's transport is async: use the "
            "gatekey.aio.TokenManager on its loop, or give it a HttpTransport."
        )
    return tokens
