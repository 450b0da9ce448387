"""How to make a call of each method that waits for another server or a guard; for `test_gil.py`.

`waiting.py` has those that wait for a store. Both fill one table.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from holder import PEPPER, Place
from waiting import CASES, LATER, case, clock, known

from gatekey import (
    HttpRequest,
    HttpTransport,
    Key,
    KeySet,
    OAuthClient,
    OAuthTokens,
    RemoteKeySet,
    ResourceServer,
    Signer,
    TokenManager,
    Verifier,
)
from gatekey._core import _attempt, _Guard, _Request
from gatekey.guard import Guard
from gatekey.testing import CookieJar, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from waiting import Make

__all__ = ["CASES", "nobody"]

# ---- other servers ----


@case("_RemoteKeySet.to_jwks")
def _(place: Place) -> Callable[[], object]:
    return RemoteKeySet(place.silent_server(), allow_loopback_http=True).to_jwks


@case("_Operation.send")
def _(place: Place) -> Callable[[], object]:
    return RemoteKeySet(place.silent_server(), allow_loopback_http=True).refresh


@case("HttpTransport._send")
def _(place: Place) -> Callable[[], object]:
    keys = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    request = keys._refresh().step()
    assert isinstance(request, HttpRequest)
    transport = HttpTransport(allow_loopback_http=True)
    return lambda: transport._send(request)


def unknown_key(verify: Callable[[RemoteKeySet, str], Callable[[str], object]]) -> Make:
    """Of a token that makes keys be looked for again."""

    def make(place: Place) -> Callable[[], object]:
        known, other = Key.generate("ES256"), Key.generate("ES256")
        address = place.silent_server(json.dumps(KeySet([known.public()]).to_jwks()))
        keys = RemoteKeySet(address, allow_loopback_http=True)
        signer = Signer(other, issuer="i", audience="https://a", typ="at+jwt")
        call, token = verify(keys, "i"), signer.sign({"sub": "s", "client_id": "c"})
        return lambda: call(token)

    return make


def resource_server(keys: RemoteKeySet, issuer: str) -> Callable[[str], object]:
    own = ResourceServer("https://a", issuer=issuer, keys=keys)
    return lambda token: own.check(f"Bearer {token}")


POLICY: dict[str, Any] = {"audience": "https://a", "typ": "at+jwt"}
CASES |= {
    "_ResourceServer.check by keys": unknown_key(resource_server),
    "Verifier.verify with remote keys": unknown_key(
        lambda keys, issuer: Verifier(keys, issuer=issuer, **POLICY).verify
    ),
    "Verifier.verify with remote keys of an issuer": unknown_key(
        lambda keys, issuer: Verifier.for_issuers({issuer: keys}, **POLICY).verify
    ),
}


@case("_ResourceServer.check by introspection")
def _(place: Place) -> Callable[[], object]:
    client = place.client()
    door = ResourceServer("https://a", introspection=client)
    return lambda: door.check("Bearer opaque")


def door(**options: Any) -> Make:
    def make(place: Place) -> Callable[[], object]:
        keys, secret = known(place, **options)
        own = ResourceServer("https://a", api_keys=keys)
        own.check(f"Bearer {secret}")
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold("read")
        return lambda: own.check(f"Bearer {secret}")

    return make


CASES["_ResourceServer.check by API keys"] = door()
CASES["_ResourceServer.check by API keys with a clock"] = door(clock=clock)


@case("_ResourceServer.__new__ of remote keys")
def _(place: Place) -> Callable[[], object]:
    address = place.silent_server()
    return lambda: ResourceServer("https://a", issuer=address, allow_loopback_http=True)


def guarded(
    what: str, call: Callable[[Guard, CookieJar], Callable[[], object]], **options: Any
) -> Make:
    """A guard with sessions in cookies, while its store is held."""

    def make(place: Place) -> Callable[[], object]:
        own = Guard(place.store(**options), cookies=True, csrf_secret=PEPPER)
        made = call(own, log_in(own))
        time.sleep(0.06)  # so that it is time for a look at the store
        place.hold(what)
        return made

    return make


def sent(headers: Mapping[str, str], method: str = "POST") -> _Request:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return _Request.of_asgi({"method": method, "path": "/", "headers": pairs})


def decides(own: Guard, jar: CookieJar) -> Callable[[], object]:
    request, demand = sent({"Cookie": jar.header}, "GET"), own.demand()
    own._core.check(request, demand)
    return lambda: own._core.check(request, demand)


def refreshes(own: Guard, jar: CookieJar) -> Callable[[], object]:
    request = sent(jar.headers(own))
    return lambda: own._core.refresh(request)


def logs_out(own: Guard, jar: CookieJar) -> Callable[[], object]:
    request = sent(jar.headers(own))
    return lambda: own._core.log_out(request)


CASES |= {
    "_Guard.check": guarded("read", decides),
    "_Guard.check with a clock": guarded("read", decides, clock=clock),
    "_Guard.log_in": guarded("write", lambda own, _: lambda: own._core.log_in("bob")),
    "_Guard.refresh": guarded("write", refreshes),
    "_Guard.log_out": guarded("write", logs_out),
}


@case("_Guard.check by introspection")
def _(place: Place) -> Callable[[], object]:
    own = Guard(tokens=ResourceServer("https://a", introspection=place.client()))
    request, demand = sent({"Authorization": "Bearer opaque"}), own.demand()
    return lambda: own._core.check(request, demand)


@case("_Guard.__new__ of remote keys")
def _(place: Place) -> Callable[[], object]:
    keys = RemoteKeySet(place.silent_server(), allow_loopback_http=True)
    made: list[ResourceServer] = []
    _attempt(lambda: made.append(ResourceServer("https://a", issuers={"https://i": keys})), False)
    return lambda: _Guard(tokens=made[0]._core)


def nobody() -> OAuthClient:
    """Make a client of a server that is not there."""
    return OAuthClient(
        "c", issuer="http://127.0.0.1:9", client_secret="s", allow_loopback_http=True
    )


def managed(call: Callable[[TokenManager, OAuthTokens], object]) -> Make:
    """Of another process that refreshes the same tokens."""

    def make(place: Place) -> Callable[[], object]:
        client, folder = nobody(), place.folder / "tokens"
        text = {"issuer": client.issuer, "access_token": "t", "expires_at": LATER}
        tokens = OAuthTokens.from_secret_json(json.dumps(text))
        manager = TokenManager(client, folder=folder)
        manager.remove("name")
        (lock,) = folder.glob("name-*.lock")
        place.hold("file", lock)
        return lambda: call(manager, tokens)

    return make


CASES |= {
    "_TokenManager.put": managed(lambda own, tokens: own.put("name", tokens)),
    "_TokenManager.remove": managed(lambda own, _: own.remove("name")),
    "_TokenManager.tokens": managed(lambda own, _: own.tokens("name")),
    "_TokenManager.replace": managed(lambda own, _: own.replace("name", "t")),
}
