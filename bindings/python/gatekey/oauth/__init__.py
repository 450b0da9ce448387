"""OAuth 2.0 and OpenID Connect as a client: log-ins, tokens for machines, remote keys.

::

    from gatekey import OAuthClient

    client = OAuthClient(
        "my-client",
        preset="google",
        client_secret=...,
        redirect_uri="https://app.example/cb",
    )
    begun = client.begin(return_to="/orders")  # redirect to .url, with .set_cookies
    login = client.finish(request_url, cookies)  # when the browser is back
    print(login.subject, login.claims)

Every call that needs another server has a twin in :mod:`gatekey.aio`.
"""

from gatekey.oauth.client import OAuthClient
from gatekey.oauth.door_rule import DoorRule
from gatekey.oauth.operation import Transport
from gatekey.oauth.remote_key_set import RemoteKeySet
from gatekey.oauth.resource import ResourceServer
from gatekey.oauth.token_manager import TokenManager

__all__ = [
    "DoorRule",
    "OAuthClient",
    "RemoteKeySet",
    "ResourceServer",
    "TokenManager",
    "Transport",
]
