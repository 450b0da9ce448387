"""`gatekey.aio`: what needs no other server is answered at once; the rest lets the loop go on.

Every server here answers on the loop of its test: a call that stops the loop never ends."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from holder import PEPPER, Place
from issuer import API, Issuer, issuing, run

import gatekey
from gatekey import Key, KeySet, aio, exceptions
from gatekey.aio import pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HTTP: dict[str, Any] = {"allow_loopback_http": True}
CALLBACK = "https://app.example/callback"


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no thread is there to help; what is slow the first time has been done."""
    aio.transport.load(None, None)

    async def run(_: object, call: Callable[..., Any], *args: Any) -> Any:
        if call is aio.transport.load:
            return call(*args)
        raise AssertionError(f"a thread was asked for: {call}")

    monkeypatch.setattr(pool.Pool, "run", run)


def client(issuer: Issuer, **more: Any) -> aio.OAuthClient:
    given = {"client_secret": "s", "redirect_uri": CALLBACK, "deadline": 60, **HTTP, **more}
    return aio.OAuthClient("client", issuer=issuer.url, **given)


def door(issuer: Issuer, **more: Any) -> aio.ResourceServer:
    return aio.ResourceServer(API, issuer=issuer.url, **HTTP, **more)


@pytest.mark.usefixtures("no_threads")
def test_two_hundred_log_ins_at_once() -> None:
    """The server answers when all of them have arrived."""

    async def main() -> None:
        async with issuing() as (issuer, peer):
            everybody = asyncio.Event()

            async def hold(path: str) -> None:
                if path == "/token":
                    if issuer.count("/token") == 200:
                        everybody.set()
                    await everybody.wait()

            issuer.hold = hold
            own = client(issuer, scopes=["read"])
            begun = await own.begin()
            state = begun.url.split("state=")[1].split("&")[0]
            cookie = begun.set_cookies[0].split(";")[0]
            callback = f"{CALLBACK}?code=c&state={state}"
            logins = await asyncio.gather(*(own.finish(callback, cookie) for _ in range(200)))
            assert len({login.tokens.access_token for login in logins}) == 200
            await peer.until(lambda: peer.open == 0)

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_a_good_token_waits_for_no_stranger() -> None:
    async def main() -> None:
        async with issuing() as (issuer, peer):
            checked = asyncio.Event()

            async def hold(path: str) -> None:
                if path == "/introspect":
                    await checked.wait()

            issuer.hold = hold
            api = door(issuer, introspection=client(issuer))
            good = f"Bearer {issuer.token()}"
            assert (await api.check(good)).subject == "alice"
            strangers = [asyncio.create_task(api.check(f"Bearer t{n}")) for n in range(40)]
            await peer.until(lambda: issuer.count("/introspect") == 40)
            seen = len(issuer.seen)
            assert (await api.check(good, scopes=["read"])).kind == "jwt"
            assert len(issuer.seen) == seen
            checked.set()
            told = await asyncio.gather(*strangers)
            assert [access.subject for access in told] == [f"t{n}" for n in range(40)]
            # They are known now.
            assert (await api.check("Bearer t7")).subject == "t7"
            assert issuer.count("/introspect") == 40

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_the_same_is_asked_once() -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            api = door(issuer, introspection=client(issuer))
            good = f"Bearer {issuer.token()}"
            await asyncio.gather(*(api.check(good) for _ in range(200)))
            assert (issuer.count("/jwks"), len(issuer.seen)) == (1, 2)
            await asyncio.gather(*(api.check("Bearer opaque") for _ in range(20)))
            assert issuer.count("/introspect") == 1
            issuer.active = False
            for _ in range(2):
                with pytest.raises(exceptions.InactiveTokenError) as refused:
                    await api.check("Bearer other")
                assert refused.value.status == 401
                assert "invalid_token" in (refused.value.www_authenticate or "")
            assert issuer.count("/introspect") == 2

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_answers_that_are_not_remembered_are_asked_for_each_time() -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            api = aio.ResourceServer(
                API,
                introspection=client(issuer),
                introspection_ttl=0,
                introspection_negative_ttl=0,
            )
            for count in (1, 2, 3):
                assert (await api.check("Bearer opaque")).subject == "opaque"
                assert issuer.count("/introspect") == count

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_keys_are_fetched_by_the_loop() -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            keys = aio.RemoteKeySet(issuer=issuer.url, **HTTP)
            policy: dict[str, Any] = {"audience": API, "typ": "at+jwt"}
            one = aio.Verifier(keys, issuer=issuer.url, **policy)
            several = aio.Verifier.for_issuers({issuer.url: keys}, **policy)
            assert not issuer.seen
            for verifier in (one, several):
                assert (await verifier.verify(issuer.token()))["sub"] == "alice"
            assert issuer.count("/jwks") == 1

            # A key that is new is looked for once, however many want it.
            new = Key.generate("ES256", kid="two")
            issuer.published = [issuer.key, new]
            tokens = [one.verify(issuer.token(new)) for _ in range(50)]
            assert {claims["sub"] for claims in await asyncio.gather(*tokens)} == {"alice"}
            assert issuer.count("/jwks") == 2
            # Strangers' keys are not looked for again so soon.
            strange = issuer.token(Key.generate("ES256", kid="strange"))
            for verifier in (one, several, one):
                with pytest.raises(exceptions.KeyNotFoundError):
                    await verifier.verify(strange)
            assert issuer.count("/jwks") == 2

            # A verifier that does not know of the loop stops it neither.
            plain = gatekey.Verifier(keys.sync, issuer=issuer.url, **policy)
            assert plain.verify(issuer.token(new))["sub"] == "alice"
            with pytest.raises(exceptions.KeyNotFoundError):
                plain.verify(strange)
            await keys.refresh()
            assert not keys.wants_refresh

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_an_issuer_that_is_ill_is_told_so() -> None:
    async def main() -> None:
        async with issuing() as (issuer, _):
            issuer.status = "503 Busy"
            api = door(issuer, introspection=client(issuer))
            verifier = aio.Verifier(aio.RemoteKeySet(issuer=issuer.url, **HTTP), issuer=issuer.url)
            for call in (
                lambda: api.check(f"Bearer {issuer.token()}"),
                lambda: api.check("Bearer opaque"),
                lambda: verifier.verify(issuer.token()),
            ):
                with pytest.raises(exceptions.OAuthServerError):
                    await call()
            assert len(issuer.seen) < 60

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_what_is_given_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with issuing() as (issuer, peer):
            release = asyncio.Event()

            async def hold(_: str) -> None:
                await release.wait()

            issuer.hold = hold
            api, own = door(issuer, introspection=client(issuer)), client(issuer)
            good = f"Bearer {issuer.token()}"
            calls = [api.check(good) for _ in range(5)] + [api.check("Bearer x") for _ in range(5)]
            tasks: list[asyncio.Task[Any]] = [asyncio.create_task(call) for call in calls]
            tasks += [asyncio.create_task(own.client_credentials()) for _ in range(5)]
            await peer.until(lambda: len(issuer.seen) == 3)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.wait(tasks[1:])
            # One still waits for the keys, and nobody for anything else.
            await peer.until(lambda: peer.open == 1)
            assert not tasks[0].done()
            tasks[0].cancel()
            await asyncio.wait(tasks)
            await peer.until(lambda: peer.open == 0)
            release.set()
            assert (await api.check(good)).subject == "alice"
            assert (await api.check("Bearer x")).subject == "x"

    run(main)


def test_several_loops_have_their_own_questions() -> None:
    def one() -> None:
        async def main() -> None:
            async with issuing() as (issuer, _):
                api = door(issuer)
                tokens = [f"Bearer {issuer.token()}" for _ in range(5)]
                await asyncio.gather(*(api.check(token) for token in tokens))
                assert issuer.count("/jwks") == 1

        run(main)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- stores ----

TWINS = ["ApiKeys", "KeyRing", "Revocations", "Sessions", "Store"]
OTHERWISE = {"__new__", "__enter__", "__exit__", "__len__", "__bool__", "__repr__", "__reduce__"}
OTHERWISE.add("__doc__")


@pytest.mark.parametrize("name", TWINS)
def test_every_method_has_a_twin(name: str) -> None:
    ours, theirs = getattr(aio, name), getattr(gatekey, name)
    names = {member for member in vars(theirs) if member not in OTHERWISE} - {"__module__"}
    missing = {member for member in names if not hasattr(ours, member)}
    assert not missing
    for member in names:
        twin = getattr(ours, member)
        if callable(twin):
            assert inspect.iscoroutinefunction(twin), member
            assert twin.__doc__


def test_a_store_in_the_hand(tmp_path: Path) -> None:
    async def main() -> None:
        url = f"sqlite:///{tmp_path}/auth.sqlite"
        async with await aio.Store.open(url, pepper=PEPPER) as store:
            assert store.url.endswith("auth.sqlite")
            assert (await store.health()).reachable
            keys, ring = await store.api_keys(), await store.key_ring(alg="ES256")
            issued = await keys.create(owner="acme", scopes=["read"])
            assert (await keys.verify(issued.secret, scopes=["read"])).owner == "acme"
            assert not await keys.check("nonsense")
            await keys.revoke(issued.id)
            with pytest.raises(exceptions.ApiKeyRevokedError):
                await keys.verify(issued.secret)
            signer = aio.Signer(ring, issuer="i", audience="a", ttl=60)
            sessions = await store.sessions(signer=signer)
            tokens = await sessions.start("alice")
            revoked = await store.revocations()
            verifier = aio.Verifier(ring, issuer="i", audience="a", revocations=revoked)
            assert (await verifier.verify(tokens.access_token))["sub"] == "alice"
            assert (await verifier.verify(await signer.sign({"sub": "bob"})))["sub"] == "bob"
            await revoked.revoke_subject("alice")
            with pytest.raises(exceptions.RevokedTokenError):
                await verifier.verify(tokens.access_token)
            assert (await ring.to_jwks())["keys"]
            await ring.rotate()
            assert (await ring.active()).kid
            with pytest.raises(TypeError, match=r"await ApiKeys\.open"):
                aio.ApiKeys()
            assert repr(keys).startswith("<gatekey.aio.ApiKeys")
        with pytest.raises(exceptions.UsageError, match="closed"):
            await keys.create(owner="acme")

    run(main)


@pytest.mark.usefixtures("no_threads")
def test_what_is_in_memory_needs_no_thread() -> None:
    async def main() -> None:
        keys = aio.ApiKeys._of(gatekey.ApiKeys.open("memory:", pepper=PEPPER, max_stale=60))
        issued = keys.sync.create(owner="acme")
        keys.sync.verify(issued.secret)
        for _ in range(3):
            assert (await keys.verify(issued.secret)).owner == "acme"
        key = Key.generate("ES256")
        verifier, signer = aio.Verifier(key, audience="a"), aio.Signer(key, audience="a")
        assert (await verifier.verify(await signer.sign({"sub": "s"})))["sub"] == "s"
        with pytest.raises(exceptions.InvalidTokenError):
            await verifier.verify("nonsense")
        with pytest.raises(TypeError):
            aio.Verifier(KeySet([key]), nonsense=1)  # type: ignore[call-arg]
        assert repr(verifier) == "<gatekey.aio.Verifier>"
        assert repr(signer) == "<gatekey.aio.Signer>"

    run(main)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.release()


def test_a_store_that_is_held_does_not_hold_the_loop(place: Place) -> None:
    """Another process lets go of the file when the loop has had its turns."""

    async def main() -> None:
        store = await aio.Store.open(place.url, pepper=PEPPER)
        keys = await store.api_keys()
        sessions = await store.sessions(signer=aio.Signer(Key.generate("HS256")))
        own = await sessions.start("alice")
        for call in (
            lambda: keys.create(owner="acme"),
            lambda: sessions.refresh(own.refresh_token),
        ):
            place.hold("write")
            waits = asyncio.create_task(call())
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not waits.done()
            place.release()
            assert await waits
        await store.close()

    run(main)


# ---- threads of our own ----


def test_threads_end_when_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.01)
    own = pool.Pool(4)

    async def main() -> None:
        begin = threading.Barrier(4)
        assert len(set(await asyncio.gather(*(own.run(begin.wait) for _ in range(4))))) == 4
        assert await asyncio.gather(*(own.run(lambda n: n, n) for n in range(50))) == [*range(50)]
        with pytest.raises(ZeroDivisionError):
            await own.run(lambda: 1 // 0)
        while own._threads:
            await asyncio.sleep(0.01)
        assert await own.run(lambda: 1) == 1

    run(main)


def test_what_has_not_begun_is_taken_back() -> None:
    own = pool.Pool(1)

    async def main() -> None:
        begun, release = threading.Event(), threading.Event()
        done: list[int] = []

        def first() -> None:
            begun.set()
            release.wait()

        running = asyncio.create_task(own.run(first))
        while not begun.is_set():
            await asyncio.sleep(0)
        waiting = asyncio.create_task(own.run(done.append, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        running.cancel()
        await asyncio.wait([waiting, running])
        release.set()
        assert await own.run(lambda: 2) == 2
        assert not done

    run(main)


def test_threads_after_a_fork() -> None:
    async def main() -> None:
        assert await pool.STORES.run(lambda: 1) == 1

    run(main)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run(main)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
