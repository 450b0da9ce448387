"""`RemoteKeySet`: the keys that an issuer publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from gatekey._core import HttpTransport, _milliseconds, _RemoteKeySet, _seconds
from gatekey.oauth.operation import Transporting, run
from gatekey.oauth.options import check_transport, json_text

if TYPE_CHECKING:
    from gatekey._core import _Clock, _Seconds


@final
class RemoteKeySet(_RemoteKeySet):
    """The keys that an issuer publishes, for ``Verifier(keys)`` and ``ResourceServer(keys=keys)``.

    Fetched when they are first needed, and again when they are not fresh any more or a token
    wants a key that is not known; the latter once in ``cooldown`` seconds. What has failed is
    tried again after a second, then after twice as long each time. One caller fetches, the others
    use the keys that are known.
    """

    _options: str
    _clock: _Clock | None
    _transport: Transporting

    def __new__(
        cls,
        url: str | None = None,
        *,
        issuer: str | None = None,
        metadata_url: str | None = None,
        ttl: _Seconds = 3600,
        min_ttl: _Seconds = 60,
        max_ttl: _Seconds = 86_400,
        cooldown: _Seconds = 30,
        max_stale: _Seconds = 86_400,
        rsa_alg: str = "RS256",
        allow_loopback_http: bool = False,
        deadline: _Seconds = 10.0,
        clock: _Clock | None = None,
        transport: Transporting | None = None,
    ) -> RemoteKeySet:
        """Name where the keys are, by ``url`` or by the ``issuer`` whose metadata say it.

        :param ttl: seconds for which keys are fresh if ``Cache-Control`` does not say; what it
            says is kept between ``min_ttl`` and ``max_ttl``.
        :param max_stale: seconds for which keys are used although the issuer is out of reach.
        :param rsa_alg: the algorithm of RSA keys that name none.
        :param metadata_url: where the issuer's metadata are, if its address does not lead to them;
            they must still name the issuer.
        :param clock: the date, as everywhere. How old keys are is measured by the system's time, so
            that it makes nothing older or younger.
        :param transport: what carries the requests, as :class:`gatekey.OAuthClient` takes it.
        """
        options = {
            "url": url,
            "issuer": issuer,
            "metadata_url": metadata_url,
            "ttl": _seconds(ttl, "ttl"),
            "min_ttl": _seconds(min_ttl, "min_ttl"),
            "max_ttl": _seconds(max_ttl, "max_ttl"),
            "cooldown": _seconds(cooldown, "cooldown"),
            "max_stale": _seconds(max_stale, "max_stale"),
            "rsa_alg": rsa_alg,
            "allow_loopback_http": allow_loopback_http,
            "deadline_ms": _milliseconds(deadline, "deadline"),
        }
        check_transport(transport)
        if transport is None:
            transport = HttpTransport(allow_loopback_http=allow_loopback_http, deadline=deadline)
        text = json_text(options)
        keys = super().__new__(cls, text, transport, clock)
        keys._options, keys._clock = text, clock
        keys._transport = transport
        return keys

    def refresh(self) -> None:
        """Fetch the keys now; while another fetch is under way, wait for that one instead."""
        run(self._refresh(), self._transport)
