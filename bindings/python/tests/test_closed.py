"""What was closed says so in one way, whatever is called: the program is at fault."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gatekey
from gatekey import Key, ResourceServer, Signer, Store, Verifier, aio, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

STUB = ast.parse((Path(gatekey.__file__).parent / "_core.pyi").read_text())
LATER = 4_000_000_000
PEPPER = b"a pepper of the tests, 32 bytes."
# What is no call on the store: how it is closed, looked at and shared.
FREE = {
    "open",
    "close",
    "url",
    "limits_state",
    "revocations",
    "__enter__",
    "__exit__",
    "__len__",
    "__bool__",
}

CALLS: dict[str, Callable[[Any, Any], object]] = {
    "ApiKeys.create": lambda keys, _: keys.create(owner="o"),
    "ApiKeys.verify": lambda keys, made: keys.verify(made.secret),
    "ApiKeys.check": lambda keys, made: keys.check(made.secret),
    "ApiKeys.rotate": lambda keys, made: keys.rotate(made.id),
    "ApiKeys.revoke": lambda keys, made: keys.revoke(made.id),
    "ApiKeys.disable": lambda keys, made: keys.disable(made.id),
    "ApiKeys.enable": lambda keys, made: keys.enable(made.id),
    "ApiKeys.update": lambda keys, made: keys.update(made.id, name="n"),
    "ApiKeys.get": lambda keys, made: keys.get(made.id),
    "ApiKeys.list": lambda keys, _: keys.list(),
    "ApiKeys.audit": lambda keys, _: keys.audit(),
    "ApiKeys.import_": lambda keys, _: keys.import_(
        [{"secret": "legacy-key-1", "owner": "o"}], scheme="plaintext"
    ),
    "ApiKeys.purge": lambda keys, _: keys.purge(),
    "ApiKeys.pepper_report": lambda keys, _: keys.pepper_report(),
    "ApiKeys.wrap_peppers": lambda keys, _: keys.wrap_peppers(),
    "ApiKeys.check_limits": lambda keys, _: keys.check_limits(),
    "ApiKeys.flush": lambda keys, _: keys.flush(),
    "Sessions.start": lambda own, _: own.start("bob"),
    "Sessions.refresh": lambda own, made: own.refresh(made.refresh_token),
    "Sessions.end": lambda own, made: own.end(made.refresh_token),
    "Sessions.end_by_id": lambda own, made: own.end_by_id(made.family),
    "Sessions.end_under_pepper": lambda own, _: own.end_under_pepper(9),
    "Sessions.end_all": lambda own, _: own.end_all("alice"),
    "Sessions.list": lambda own, _: own.list("alice"),
    "Sessions.get": lambda own, made: own.get(made.family),
    "Sessions.events": lambda own, _: own.events(),
    "Sessions.purge": lambda own, _: own.purge(),
    "Revocations.revoke_token": lambda own, _: own.revoke_token("i", "j", LATER),
    "Revocations.revoke_session": lambda own, _: own.revoke_session("s"),
    "Revocations.revoke_subject": lambda own, _: own.revoke_subject("s"),
    "Revocations.revoke_key": lambda own, _: own.revoke_key("k"),
    "Revocations.revoke_before": lambda own, _: own.revoke_before(1),
    "Revocations.seen_once": lambda own, _: own.seen_once("i", "j", LATER),
    "Revocations.refresh": lambda own, _: own.refresh(),
    "Revocations.purge": lambda own, _: own.purge(),
    "KeyRing.rotate": lambda ring, _: ring.rotate(),
    "KeyRing.add": lambda ring, _: ring.add(Key.generate("ES256")),
    "KeyRing.remove": lambda ring, _: ring.remove("k"),
    "KeyRing.keys": lambda ring, _: ring.keys(),
    "KeyRing.active": lambda ring, _: ring.active,
    "KeyRing.token_ttl": lambda ring, _: ring.token_ttl,
    "KeyRing.to_jwks": lambda ring, _: ring.to_jwks(),
    "KeyRing.refresh": lambda ring, _: ring.refresh(),
    "Store.api_keys": lambda store, _: store.api_keys(),
    "Store.sessions": lambda store, _: store.sessions(),
    "Store.key_ring": lambda store, _: store.key_ring(),
    "Store.health": lambda store, _: store.health(),
}


def test_every_method_is_tried() -> None:
    for owner in STUB.body:
        name = owner.name if isinstance(owner, ast.ClassDef) else ""
        if name in {"ApiKeys", "Sessions", "Revocations", "KeyRing", "Store"}:
            assert isinstance(owner, ast.ClassDef)
            methods = {one.name for one in owner.body if isinstance(one, ast.FunctionDef)}
            known = {call.split(".")[1] for call in CALLS if call.startswith(f"{name}.")}
            assert methods - FREE == known, name


@pytest.mark.parametrize("by_store", [True, False])
@pytest.mark.parametrize("where", ["memory:", "file"])
def test_what_was_closed_says_so(tmp_path: Path, where: str, by_store: bool) -> None:
    url = where if where == "memory:" else tmp_path / "closed.sqlite"
    store = Store.open(url, pepper=PEPPER)
    ring = store.key_ring()
    keys, sessions = store.api_keys(), store.sessions(signer=Signer(ring))
    made, started = keys.create(owner="o"), sessions.start("alice")
    things: dict[str, tuple[Any, Any]] = {
        "ApiKeys": (keys, made),
        "Sessions": (sessions, started),
    }
    if by_store:
        revocations = store.revocations()
        things |= {
            "Revocations": (revocations, None),
            "KeyRing": (ring, None),
            "Store": (store, None),
        }
        door = ResourceServer("a", api_keys=keys)
        verifier = Verifier(ring, revocations=revocations)
        verifier.verify(started.access_token)
        store.close()
        with pytest.raises(exceptions.UsageError, match="closed"):
            door.check(f"Bearer {made.secret}")
        with pytest.raises(exceptions.UsageError, match="closed"):
            verifier.verify(started.access_token)
        with pytest.raises(exceptions.UsageError, match="closed"):
            Signer(ring).sign({})
    else:
        keys.close()
        sessions.close()
    for name, call in CALLS.items():
        thing, own = things.get(name.split(".")[0], (None, None))
        if thing is not None:
            with pytest.raises(exceptions.UsageError, match="closed") as raised:
                call(thing, own)
            assert (raised.value.status, raised.value.code) == (500, "invalid_argument"), name


@pytest.mark.parametrize("where", ["memory:", "file"])
def test_what_was_closed_says_so_whatever_it_is_given(tmp_path: Path, where: str) -> None:
    url = where if where == "memory:" else tmp_path / "closed.sqlite"
    store = Store.open(url, pepper=PEPPER)
    key = Key.generate("EdDSA")
    ring, keys, sessions = store.key_ring(), store.api_keys(), store.sessions(signer=Signer(key))
    revocations = store.revocations()
    assert "active" in repr(ring)
    store.close()
    calls: dict[str, Callable[[], object]] = {
        "verify": lambda: keys.verify("x"),
        "verify nothing": lambda: keys.verify(None),
        "check": lambda: keys.check("x"),
        "check nothing": lambda: keys.check(None),
        "refresh": lambda: sessions.refresh("x"),
        "refresh nothing": lambda: sessions.refresh(None),
        "end": lambda: sessions.end("x"),
        "end nothing": lambda: sessions.end(None),
        "end_by_id": lambda: sessions.end_by_id("o"),
        "get": lambda: sessions.get("o"),
        "seen_once": lambda: revocations.seen_once("i", "j", 1),
        "len": lambda: len(revocations),
        "Verifier": lambda: Verifier(key, revocations=revocations),
        "ResourceServer": lambda: ResourceServer("https://a", api_keys=keys),
        "with the store": store.__enter__,
        "with keys": keys.__enter__,
        "with sessions": sessions.__enter__,
    }
    for name, call in calls.items():
        with pytest.raises(exceptions.UsageError, match="closed"):
            pytest.fail(f"{name}: {call()!r}")
    assert repr(ring) == "<gatekey.KeyRing closed>"


def test_with_closed_things_of_aio() -> None:
    async def enter() -> None:
        store = await aio.Store.open("memory:", pepper=PEPPER)
        keys = await store.api_keys()
        async with store:
            await keys.list()
        for thing in (store, keys):
            with pytest.raises(exceptions.UsageError, match="closed"):
                await thing.__aenter__()

    asyncio.run(enter())
