"""The asyncio twins of :mod:`gatekey.oauth`: the same operations, driven by an event loop.

::

    from gatekey.aio import OAuthClient

    begun = await client.begin(return_to="/orders")
    login = await client.finish(request_url, cookies)

Nothing here stops the loop. Requests are carried by the loop itself, with aiohttp or httpx,
whichever is installed, and otherwise in threads of gatekey's own; so are files and databases. What
is known in memory is answered at once.

A ``transport`` of a program's own is an async callable that takes an ``HttpRequest`` and gives
status, headers and body; :func:`gatekey.middleware.httpx.transport` makes one of an
``httpx.AsyncClient``. An object with a blocking ``send`` (:class:`gatekey.Transport`) works in
threads.
"""

from gatekey.aio.client import OAuthClient
from gatekey.aio.operation import AsyncTransport
from gatekey.aio.remote_key_set import RemoteKeySet
from gatekey.aio.resource import ResourceServer
from gatekey.aio.store import ApiKeys, KeyRing, Revocations, Sessions, Store
from gatekey.aio.token_manager import TokenManager
from gatekey.aio.transport import HttpTransport
from gatekey.aio.verifier import Signer, Verifier

__all__ = [
    "ApiKeys",
    "AsyncTransport",
    "HttpTransport",
    "KeyRing",
    "OAuthClient",
    "RemoteKeySet",
    "ResourceServer",
    "Revocations",
    "Sessions",
    "Signer",
    "Store",
    "TokenManager",
    "Verifier",
]
