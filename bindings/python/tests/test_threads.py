"""One verifier, one signer and one key set, shared by eight threads."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from rounds import rounds

from gatekey import Key, KeySet, Signer, Verified, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8
TURNS = rounds(5)

needs_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)


def together(work: Callable[[int], None]) -> None:
    """Run the work in every thread at once; the first exception is raised."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(run, number) for number in range(THREADS)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("alg", ["HS256", "ES256", "EdDSA", "RS256", "ML-DSA-44"])
def test_one_verifier_and_one_signer(alg: str, key_for: Callable[[str], Key]) -> None:
    signer = Signer(key_for(alg), issuer="i")
    verifier = Verifier(KeySet([key_for(alg)]), issuer="i")
    stranger = Signer(Key.generate(alg).with_kid(signer.key.kid), issuer="i").sign({})
    ids: list[str] = []

    def work(number: int) -> None:
        for turn in range(TURNS):
            claims = {"sub": f"{number}", "turn": turn, "deep": [{"n": number}]}
            verified = verifier.verify(signer.sign(claims))
            assert verified.subject == str(number)
            assert (verified["turn"], verified["deep"]) == (turn, [{"n": number}])
            ids.append(verified["jti"])
            with pytest.raises(exceptions.InvalidSignatureError):
                verifier.verify(stranger)

    together(work)
    assert len(set(ids)) == THREADS * TURNS


def test_the_first_look_at_one_result() -> None:
    key = Key.generate("HS256")
    signer, verifier = Signer(key), Verifier(key)
    results: list[Verified] = [verifier.verify(signer.sign({"n": n, "l": [n]})) for n in range(300)]

    def work(_: int) -> None:
        for n, verified in enumerate(results):
            assert (verified["n"], verified["l"]) == (n, [n])
            assert verified == verified.claims

    together(work)


def test_clocks_belong_to_their_verifier() -> None:
    key = Key.generate("ES256")
    token = Signer(key, ttl=None).sign({"exp": 4_000_000_000, "iat": 1})
    early = Verifier(key, clock=lambda: 3_999_999_999)
    late = Verifier(key, clock=lambda: 4_000_000_000)

    def work(number: int) -> None:
        for _ in range(rounds(10)):
            if number % 2:
                assert early.verify(token)
            else:
                with pytest.raises(exceptions.ExpiredSignatureError):
                    late.verify(token)

    together(work)


def lets_others_run(work: Callable[[], object], rounds: int = 200_000) -> bool:
    """Whether another thread gets on during the work, if only the work can let go of the GIL."""
    steps = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal steps
        while not stop.is_set():
            steps += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=count)
    try:
        thread.start()
        while steps == 0:
            time.sleep(0.001)
        before = steps
        for _ in range(rounds):
            work()
            if steps != before:
                return True
        return False
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()


@needs_gil
@pytest.mark.parametrize("alg", ["RS256", "PS512", "ES512", "EdDSA", "ML-DSA-87"])
def test_the_gil_is_released_for_public_keys(alg: str, key_for: Callable[[str], Key]) -> None:
    signer, verifier = Signer(key_for(alg)), Verifier(key_for(alg).public())
    token = signer.sign({})
    assert lets_others_run(lambda: verifier.verify(token))
    assert lets_others_run(lambda: signer.sign({}))


@needs_gil
def test_the_gil_is_kept_for_an_hmac(secret: Key) -> None:
    signer, verifier = Signer(secret), Verifier(secret)
    token = signer.sign({"n": 1})
    assert not lets_others_run(lambda: verifier.verify(token)["n"], rounds=5000)
    assert not lets_others_run(lambda: signer.sign({}), rounds=5000)


def test_an_rsa_key_is_made_without_the_gil() -> None:
    assert lets_others_run(lambda: Key.generate("RS256"))


def test_keys_are_imported_and_exported_in_threads(key: Key) -> None:
    pem, jwks = key.to_pem(private=True), KeySet([key]).to_jwks()

    def work(_: int) -> None:
        for _turn in range(rounds(2)):
            assert Key.from_pem(pem) == key
            assert key.public() in KeySet.from_jwks(jwks)

    together(work)


def test_a_clock_that_knows_its_verifier_is_collected() -> None:
    class Clock:
        verifier: Verifier
        signer: Signer

        def now(self) -> int:
            return 0

    def make() -> weakref.ref[Clock]:
        clock, key = Clock(), Key.generate("HS256")
        clock.verifier = Verifier(key, clock=clock)
        clock.signer = Signer(key, clock=clock)
        return weakref.ref(clock)

    remembered = make()
    gc.collect()
    assert remembered() is None
