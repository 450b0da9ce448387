"""Limits that machines share, in a real Valkey: processes, forks, guards, a lost server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from forking import fork_once
from rounds import rounds
from servers import UnavailableError
from valkey import Valkey

from gatekey import ApiKeys, Store, aio, exceptions
from gatekey.flask import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEPPER = bytes(range(32))
QUOTA = 2000
PROCESSES = 8

CHILD = """
import sys, time
from gatekey import Store
from gatekey.exceptions import StoreUnavailableError
url, limits, secret = sys.argv[1:]
store = Store.open(url, pepper=bytes(range(32)), limits=limits)
keys = store.api_keys()
deadline = time.monotonic() + 60
while True:
    try:
        keys.check_limits()
        break
    except StoreUnavailableError:
        assert time.monotonic() < deadline
print("ready", flush=True)
sys.stdin.readline()
passed = refused = 0
while refused < 3:
    result = keys.check(secret)
    passed += result.ok
    refused = 0 if result.ok else refused + 1
    assert result.ok or result.code == "rate_limited", result.code
print(passed, store.limits_state["alone"], flush=True)
"""


@pytest.fixture(scope="module", params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[Valkey]:
    """Valkey 9, and Debian's Redis."""
    folder = Path(tempfile.mkdtemp(prefix="gatekey-limits-"))
    try:
        one = Valkey(folder, request.param)
    except UnavailableError as why:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"{request.param}: {why}")
    try:
        yield one
    finally:
        one.kill()
        shutil.rmtree(folder, ignore_errors=True)


def limits(server: Valkey) -> str:
    return f"redis://127.0.0.1:{server.port}?timeout_ms=1000"


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def state(store: Store) -> dict[str, Any]:
    known = store.limits_state
    assert known is not None
    return known


def passes(keys: ApiKeys, secret: str) -> int:
    """How often it is let, until it is refused three times."""
    passed = refused = 0
    while refused < 3:
        result = keys.check(secret)
        assert result.ok or result.code == "rate_limited"
        passed += result.ok
        refused = 0 if result.ok else refused + 1
    return passed


def test_eight_processes_share_one_limit(server: Valkey, tmp_path: Path) -> None:
    """Within 1 % of the quota, and nobody was alone."""
    url = f"sqlite:///{tmp_path}/auth.sqlite"
    with Store.open(url, pepper=PEPPER) as store:
        for _ in range(rounds(1)):
            secret = store.api_keys().create(owner="acme", rate=f"{QUOTA}/366d").secret
            words = [sys.executable, "-c", CHILD, url, limits(server), secret]
            # In another folder than the package, which has no extension beside it.
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            children: list[Any] = [
                subprocess.Popen(words, text=True, cwd=tmp_path, **pipes)  # noqa: S603
                for _ in range(PROCESSES)
            ]
            for child in children:
                assert child.stdout.readline() == "ready\n"
            told = []
            for child in children:
                child.stdin.write("\n")
                child.stdin.flush()
            for child in children:
                told.append([int(word) for word in child.communicate()[0].split()])
                assert child.returncode == 0
            passed, alone = (sum(column) for column in zip(*told, strict=True))
            assert abs(passed - QUOTA) <= QUOTA // 100
            assert alone == 0


def test_workers_are_forked(server: Valkey) -> None:
    """Each has a connection of its own, and all have one limit."""
    store = Store.open("memory:", pepper=PEPPER, limits=limits(server))
    keys = store.api_keys()
    keys.check_limits()
    for _ in range(3 * rounds(1)):
        secret = keys.create(owner="acme", rate="100/366d").secret
        assert keys.check(secret).ok

        def work(secret: str = secret) -> list[str]:
            return [str(passes(keys, secret))]

        assert sum(map(int, fork_once(work, work))) == 99
    assert state(store)["alone"] == 0


def test_a_server_that_goes_away(server: Valkey) -> None:
    """Rates hold, nothing is a 500, and what happens can be read."""
    store = Store.open("memory:", pepper=PEPPER, limits=limits(server))
    keys = store.api_keys()
    keys.check_limits()
    secret = keys.create(owner="acme", rate="100/366d").secret
    assert passes(keys, secret) == 100
    server.kill()
    try:
        assert passes(keys, secret) == 0
        other = keys.create(owner="acme", rate="100/366d").secret
        assert 0 < passes(keys, other) <= 100
        known = state(store)
        assert known["alone"] > 0
        assert not known["connected"]
        assert known["troubles"]
        assert "server of the limits" in known["last"]
        with pytest.raises(exceptions.StoreUnavailableError, match="server of the limits"):
            keys.check_limits()
    finally:
        server.start()

    def is_back() -> bool:
        try:
            keys.check_limits()
        except exceptions.StoreUnavailableError:
            return False
        return True

    wait_for("the server", is_back)
    assert state(store)["connected"]


def test_guards_count_together(server: Valkey) -> None:
    """Over one store that names the server, by a URL of their own, and with the store's URL."""
    named = Store.open("memory:", pepper=PEPPER, limits=limits(server))
    plain = Store.open("memory:", pepper=PEPPER)
    guards = [Guard(named), Guard(plain, limits=limits(server)), Guard(plain)]
    statuses: list[list[int]] = []
    for auth in guards:
        app = Flask("shop", static_folder=None)

        @app.get("/")
        @auth.public(limits={f"hello-{server.port}": "5/366d"})
        def hello() -> str:
            return "hello"

        @app.get("/warm")
        @auth.public(limits={"warm": "100000/s"})
        def warm() -> str:
            return "warm"

        auth.install(app)
        client = app.test_client()

        def is_connected(auth: Guard = auth, client: Any = client) -> bool:
            assert client.get("/warm").status_code == 200
            return auth.limits_state is None or auth.limits_state["connected"]

        wait_for("the server", is_connected)
        statuses.append([client.get("/").status_code for _ in range(4)])
    assert guards[0].limits_state
    assert guards[2].limits_state is None
    # Five for the first two, and five for the one that counts alone.
    assert statuses == [[200] * 4, [200, 429, 429, 429], [200] * 4]


def test_on_event_loops(server: Valkey) -> None:
    """Nothing is asked on the loop."""

    async def main() -> int:
        async with await aio.Store.open("memory:", pepper=PEPPER, limits=limits(server)) as store:
            keys = await store.api_keys()
            secret = (await keys.create(owner="acme", rate="10/366d")).secret
            results = await asyncio.gather(*(keys.check(secret) for _ in range(40)))
            assert store.limits_state is not None
            return sum(result.ok for result in results)

    assert asyncio.run(main()) == 10


def test_what_keys_say_goes_first(server: Valkey, tmp_path: Path) -> None:
    """By the short way as well."""
    path = tmp_path / "auth.sqlite"
    shared = ApiKeys.open(path, pepper=PEPPER, limits=limits(server))
    secret = shared.create(owner="acme", rate="10/366d").secret
    assert passes(shared, secret) == 10
    with Store.open(path, pepper=PEPPER, limits=limits(server)) as store:
        assert passes(store.api_keys(), secret) == 0
        assert passes(store.api_keys(limits=False), secret) == 10
    assert Store.open("memory:").limits_state is None


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("redis://:Zx9%21kQ@cache.example", exceptions.ConfigurationError, "TLS and a password"),
        ("rediss://cache.example", exceptions.ConfigurationError, "TLS and a password"),
        ("redis://:Zx9%21kQ@127.0.0.1:x", exceptions.UsageError, "redis://host:6379"),
        ("http://127.0.0.1", exceptions.UsageError, "redis://host:6379"),
        ("redis://127.0.0.1?nam=a", exceptions.UsageError, "name="),
        ("redis://127.0.0.1?ca_file=/no", exceptions.ConfigurationError, "ca_file"),
    ],
)
def test_refusals(url: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        Store.open("memory:", limits=url)
    assert "Zx9" not in f"{caught.value!r} {caught.value}"
    with pytest.raises(TypeError, match="limits"):
        Store.open("memory:", limits=7)  # type: ignore[arg-type]


def test_no_password_is_shown() -> None:
    store = Store.open("memory:", limits="redis://:Zx9%21kQ@127.0.0.1:1")
    keys = store.api_keys()
    with pytest.raises(exceptions.StoreUnavailableError) as caught:
        keys.check_limits()
    shown = f"{store!r} {keys!r} {store.limits_state} {caught.value!r}"
    assert "127.0.0.1:1" in shown
    assert "Zx9" not in shown
    assert "kQ" not in shown
