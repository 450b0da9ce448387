"""API authentication in one audited core: JSON Web Tokens, API keys, sessions and OAuth 2.0.

::

    from gatekey import Key, Signer, Verifier

    key = Key.generate("ES256")
    token = Signer(key, issuer="https://auth.example", audience="api").sign({"sub": "alice"})
    claims = Verifier(key.public(), issuer="https://auth.example", audience="api").verify(token)
    assert claims["sub"] == "alice"

    from gatekey import Store

    store = Store.open("sqlite:///auth.sqlite")
    keys = store.api_keys()
    issued = keys.create(owner="acme", scopes=["read"], rate="100/60s")
    assert keys.verify(issued.secret, scopes=["read"]).owner == "acme"

    sessions = store.sessions(signer=Signer(key, issuer="https://auth.example"))
    tokens = sessions.start("alice")
    tokens = sessions.refresh(tokens.refresh_token)
    sessions.end_all("alice")

    from gatekey import OAuthClient, ResourceServer

    client = OAuthClient("id", preset="github", client_secret=..., redirect_uri="https://app.example")
    begun = client.begin()
    login = client.finish(request_url, cookies)

Keys are bound to one algorithm each. A verifier refuses what it was not told to expect. Every
error is a class of :mod:`gatekey.exceptions`.
"""

from collections.abc import Mapping as _Mapping

from gatekey import exceptions
from gatekey._core import (
    ALGORITHMS,
    ANY,
    OAUTH_PRESETS,
    Access,
    ApiKeyCheck,
    ApiKeyRecord,
    ApiKeys,
    AuditRecord,
    BegunLogin,
    Cookie,
    Csrf,
    DeviceCodes,
    FinishedLogin,
    HttpRequest,
    HttpTransport,
    ImportReport,
    Introspection,
    IssuedApiKey,
    IssuerRule,
    Key,
    KeyRing,
    KeySet,
    LogoutNotice,
    OAuthTokens,
    Page,
    PepperUse,
    Revocations,
    RingKey,
    SentCookies,
    SessionCookies,
    SessionEvent,
    SessionRecord,
    Sessions,
    SessionTokens,
    Signer,
    SignRequest,
    Store,
    StoreHealth,
    Unsigned,
    UserInfo,
    Verified,
    Verifier,
    __version__,
    api_key_from_headers,
    api_key_from_query,
    danger_decode_unverified,
    scan_rule,
    store_acknowledge_restore,
    store_backup,
    store_restore,
)
from gatekey.oauth import (
    DoorRule,
    OAuthClient,
    RemoteKeySet,
    ResourceServer,
    TokenManager,
    Transport,
)
from gatekey.skipped import SkippedKey

# They are known by the name under which they are documented.
for _class in (DoorRule, OAuthClient, RemoteKeySet, ResourceServer, TokenManager, Transport):
    _class.__module__ = "gatekey"
del _class

_Mapping.register(Verified)

__all__ = [
    "ALGORITHMS",
    "ANY",
    "OAUTH_PRESETS",
    "Access",
    "ApiKeyCheck",
    "ApiKeyRecord",
    "ApiKeys",
    "AuditRecord",
    "BegunLogin",
    "Cookie",
    "Csrf",
    "DeviceCodes",
    "DoorRule",
    "FinishedLogin",
    "HttpRequest",
    "HttpTransport",
    "ImportReport",
    "Introspection",
    "IssuedApiKey",
    "IssuerRule",
    "Key",
    "KeyRing",
    "KeySet",
    "LogoutNotice",
    "OAuthClient",
    "OAuthTokens",
    "Page",
    "PepperUse",
    "RemoteKeySet",
    "ResourceServer",
    "Revocations",
    "RingKey",
    "SentCookies",
    "SessionCookies",
    "SessionEvent",
    "SessionRecord",
    "SessionTokens",
    "Sessions",
    "SignRequest",
    "Signer",
    "SkippedKey",
    "Store",
    "StoreHealth",
    "TokenManager",
    "Transport",
    "Unsigned",
    "UserInfo",
    "Verified",
    "Verifier",
    "__version__",
    "api_key_from_headers",
    "api_key_from_query",
    "danger_decode_unverified",
    "exceptions",
    "scan_rule",
    "store_acknowledge_restore",
    "store_backup",
    "store_restore",
]
