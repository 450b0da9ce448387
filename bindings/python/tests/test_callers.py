"""What callers send is never the program's mistake: clients, addresses, nothing at all."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gatekey import (
    ApiKeys,
    Csrf,
    Key,
    KeyRing,
    ResourceServer,
    Sessions,
    Signer,
    Verifier,
    aio,
    danger_decode_unverified,
    exceptions,
)
from gatekey.exceptions import GatekeyError

NO_ADDRESS = (
    *("", "testclient", "1.2.3.4:80", "[::1]", "[::1]:80", "fe80::1%eth0", "010.0.0.1"),
    *("10.0.0", "10.0.0.1 ", "unknown", "10.0.0.1, 10.0.0.2", "\ud800", "\x00", "1" * 5000),
)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions.open("memory:", signer=Signer(Key.generate("HS256")))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Firefox", "Firefox"),
        ("M" * 300, "M" * 255),
        ("a\tb\r\nc\x00\x7f", "a b  c"),
        ("é" * 200, "é" * 127),
        # A header in UTF-8, as ASGI and WSGI servers hand it over.
        ("Fuchs \U0001f98a".encode().decode("latin-1"), "Fuchs \U0001f98a"),
        ("caf\u00e9 \u0085x", "caf\u00e9  x"),
        ("a\ud800b", "a\ufffd\ufffd\ufffdb"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_client_names_itself_as_it_likes(sessions: Sessions, sent: str | None, kept: str) -> None:
    tokens = sessions.start("alice", client=sent)
    assert tokens.session.client == sessions.list("alice")[0].client == kept
    keys = ApiKeys.open("memory:")
    record = keys.revoke(keys.create(owner="o").id, sent)
    assert (record.status, record.reason[:127]) == ("revoked", kept[:127] if sent else "")


def test_a_client_may_be_bytes_as_asgi_has_headers(sessions: Sessions) -> None:
    for sent in ("Fuchs \U0001f98a".encode(), b"caf\xe9\n"):
        kept = sent.decode("utf-8", "replace").strip()
        assert sessions.start("alice", client=sent).session.client == kept


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_an_address_that_is_none_is_not_known(address: str) -> None:
    keys = ApiKeys.open("memory:")
    free = keys.create(owner="o").secret
    bound = keys.create(owner="o", cidrs=["0.0.0.0/0", "::/0"]).secret
    door = ResourceServer("a", api_keys=keys)
    assert keys.verify(free, ip=address).owner == "o"
    assert keys.check(free, ip=address)
    assert door.check(f"Bearer {free}", address=address).subject == "o"
    for refused in (
        lambda: keys.verify(bound, ip=address),
        lambda: door.check(f"Bearer {bound}", address=address),
    ):
        with pytest.raises(exceptions.ApiKeyAddressError, match="not known") as raised:
            refused()
        assert raised.value.status == 403
    assert keys.verify(bound, ip="::1").owner == "o"


def test_nothing_is_a_missing_credential(sessions: Sessions) -> None:
    keys, key = ApiKeys.open("memory:"), Key.generate("HS256")
    door = ResourceServer("a", api_keys=keys)
    calls: list[Any] = [
        lambda: keys.verify(None),
        lambda: Verifier(key).verify(None),
        lambda: danger_decode_unverified(None),
        lambda: sessions.refresh(None),
        lambda: sessions.end(None),
        lambda: Csrf(bytes(range(32))).check(None, "x", method="POST"),
        lambda: door.check(None),
        lambda: keys.check(None).raise_for_status(),
    ]
    for call in calls:
        with pytest.raises(exceptions.MissingCredentialsError) as raised:
            call()
        assert (raised.value.status, raised.value.code) == (401, "missing_credentials")
        assert isinstance(raised.value, GatekeyError)


async def nothing_at_the_twins() -> None:
    key = Key.generate("HS256")
    async with await aio.Sessions.open("memory:", signer=Signer(key)) as sessions:
        for call in (sessions.refresh, sessions.end, aio.Verifier(key).verify):
            with pytest.raises(exceptions.MissingCredentialsError):
                await call(None)
        tokens = await sessions.start("alice", client="\tx" * 300)
        assert len(tokens.session.client) <= 255


def test_nothing_at_the_twins() -> None:
    import asyncio

    asyncio.run(nothing_at_the_twins())


def test_a_cookie_is_no_api_key() -> None:
    ring, keys = KeyRing.open("memory:"), ApiKeys.open("memory:")
    door = ResourceServer("a", issuer="https://i", keys=ring, api_keys=keys)
    with pytest.raises(exceptions.DecodeError, match="neither") as raised:
        door.check("Bearer a-session-cookie")
    assert raised.value.public_message == "The access token is not valid."
    for scheme in ("Bearer", "Api-Key", "api-key", "ApiKey"):
        assert door.check(f"{scheme} {keys.create(owner='o').secret}").kind == "api_key"


def test_keys_without_an_issuer_say_which_argument() -> None:
    with pytest.raises(exceptions.ConfigurationError, match="issuer") as raised:
        ResourceServer("a", keys=KeyRing.open("memory:"))
    assert raised.value.claim == "issuer"


def test_a_key_ends_at_a_date() -> None:
    keys = ApiKeys.open("memory:")
    now = int(time.time())
    moment = datetime.fromtimestamp(now + 60.9, timezone.utc)
    for end in (now + 60, now + 60.9, moment, moment.astimezone(timezone(timedelta(hours=5)))):
        assert keys.create(owner="o", expires_at=end).record.expires_at == now + 60
    # What is left of another key, to the microsecond, is never more.
    left = timedelta(seconds=60, microseconds=999_999)
    assert keys.create(owner="o", expires_in=left).record.expires_at in range(now + 60, now + 63)
    mistakes: list[dict[str, Any]] = [
        {"expires_in": 60, "expires_at": now + 60},
        {"expires_at": now - 1},
        {"expires_at": -1},
        {"expires_at": datetime.fromtimestamp(now + 60)},
    ]
    for wrong in mistakes:
        with pytest.raises(exceptions.UsageError, match="expire"):
            keys.create(owner="o", **wrong)
    rows: list[dict[str, Any]] = [
        {"secret": "legacy-key-1", "owner": "o", "revoked": True},
        {"secret": "legacy-key-2", "owner": "o", "revoked": False, "expires_at": now - 5},
        {"secret": "legacy-key-3", "owner": "o", "revoked": None, "expires_at": moment},
    ]
    assert keys.import_(rows, scheme="plaintext").imported == 3
    with pytest.raises(exceptions.ApiKeyRevokedError):
        keys.verify("legacy-key-1")
    with pytest.raises(exceptions.ApiKeyExpiredError):
        keys.verify("legacy-key-2")
    assert keys.verify("legacy-key-3").expires_at == now + 60
    with pytest.raises(TypeError, match="revoked must be bool"):
        keys.import_([{"secret": "legacy-key-4", "revoked": 1}], scheme="plaintext")


def test_a_log_in_in_the_second_of_a_revocation_is_good(sessions: Sessions) -> None:
    key = Key.generate("HS256")
    with Sessions.open("memory:", signer=Signer(key), clock=lambda: 1_800_000_000) as sessions:
        verifier = Verifier(key, revocations=sessions.revocations, clock=lambda: 1_800_000_000)
        before = sessions.start("bob")
        sessions.revocations.revoke_subject("bob")
        after = sessions.start("bob")
        assert verifier.verify(after.access_token).subject == "bob"
        with pytest.raises(exceptions.RevokedTokenError):
            verifier.verify(before.access_token)
        # The session itself goes on, until it is ended.
        assert verifier.verify(sessions.refresh(before.refresh_token).access_token)
        assert sessions.end_all("bob") == 2
        with pytest.raises(exceptions.SessionEndedError):
            sessions.refresh(after.refresh_token)
