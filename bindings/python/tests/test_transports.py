"""Transports of a program's own: whom they are given to, what they get, and what becomes of what
they give and raise."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from gatekey import (
    HttpRequest,
    HttpTransport,
    IssuerRule,
    Key,
    KeySet,
    OAuthClient,
    OAuthTokens,
    RemoteKeySet,
    ResourceServer,
    Signer,
    TokenManager,
    Verifier,
    aio,
    exceptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = "https://auth.example"
API = "https://api.example"
KEY = Key.generate("ES256", kid="one")
SECRET = Key.generate("HS256", kid="two")


class Server:
    """Answers for the issuer, wherever it is."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.forms: list[bytes | None] = []
        self.answer: Callable[[HttpRequest], Any] = self.plainly

    def send(self, request: HttpRequest) -> Any:
        self.asked.append((request.method, request.url.removeprefix(ISSUER), request.purpose))
        self.forms.append(request.body)
        assert request.deadline > 0
        return self.answer(request)

    def plainly(self, request: HttpRequest) -> Any:
        bodies = {
            "keys": KeySet([KEY.public()]).to_jwks(),
            "token": {"access_token": "a", "token_type": "Bearer", "expires_in": 3600},
            "introspection": {"active": True, "sub": "alice", "aud": API, "client_id": "c"},
            "metadata": {
                "issuer": ISSUER,
                "token_endpoint": f"{ISSUER}/token",
                "introspection_endpoint": f"{ISSUER}/introspect",
                "jwks_uri": f"{ISSUER}/jwks",
            },
        }
        return (
            200,
            [("content-type", "application/json")],
            json.dumps(bodies[request.purpose]).encode(),
        )

    async def loop(self, request: HttpRequest) -> Any:
        return self.send(request)


@pytest.fixture
def server() -> Server:
    return Server()


def token() -> str:
    signer = Signer(KEY, issuer=ISSUER, audience=API, typ="at+jwt", ttl=300)
    return signer.sign({"sub": "alice", "client_id": "c"})


def client(transport: Any, **more: Any) -> OAuthClient:
    return OAuthClient("c", issuer=ISSUER, client_secret="s", transport=transport, **more)


def test_whom_they_are_given_to(server: Server) -> None:
    # As a callable, and as an object with send().
    for transport in (server.send, server):
        server.asked.clear()
        assert client(transport).client_credentials().access_token == "a"
        assert [purpose for *_, purpose in server.asked] == ["metadata", "token"]
        server.asked.clear()
        keys = RemoteKeySet(issuer=ISSUER, transport=transport)
        assert Verifier(keys, issuer=ISSUER, audience=API, typ="at+jwt").verify(token())
        keys.refresh()
        assert [purpose for *_, purpose in server.asked].count("keys") == 2
        server.asked.clear()
        door = ResourceServer(API, issuer=ISSUER, transport=transport)
        assert door.check(f"Bearer {token()}").subject == "alice"
        assert server.asked
        door = ResourceServer(API, introspection=client(transport))
        assert door.check("Bearer opaque").subject == "alice"
        manager = TokenManager(
            client(HttpTransport()), transport=transport, client_credentials={"scopes": ["s"]}
        )
        assert manager.access_token("service") == "a"


def test_what_they_are_asked(server: Server) -> None:
    client(server, metadata_url=f"{ISSUER}/elsewhere").client_credentials(scopes=["s"])
    assert server.asked == [
        ("GET", "/elsewhere", "metadata"),
        ("POST", "/token", "token"),
    ]
    assert server.forms[0] is None
    assert b"scope=s" in (server.forms[1] or b"")
    server.asked.clear()
    keys = RemoteKeySet(issuer=ISSUER, metadata_url=f"{ISSUER}/elsewhere", transport=server)
    assert keys.to_jwks()["keys"]
    assert [path for _, path, _ in server.asked] == ["/elsewhere", "/jwks"]
    with pytest.raises(exceptions.ConfigurationError) as refused:
        RemoteKeySet(f"{ISSUER}/jwks", metadata_url=f"{ISSUER}/elsewhere", transport=server)
    assert refused.value.claim == "metadata_url"


WRONG: dict[str, Any] = {
    "nothing": None,
    "a body alone": b"{}",
    "two parts": (200, b"{}"),
    "four parts": (200, [], b"{}", 1),
    "a text for a status": ("200", [], b"{}"),
    "no status": (20, [], b"{}"),
    "a huge status": (10**30, [], b"{}"),
    "headers that are malformed": (200, 5, b"{}"),
    "headers that are no pairs": (200, ["content-type"], b"{}"),
    "headers of bytes": (200, [(b"content-type", b"a/b")], b"{}"),
    "a body that is malformed": (200, [], {}),
    "a body that may change": (200, [], bytearray(b"{}")),
}
LARGE: dict[str, Any] = {
    "a body": (200, [], b" " * (8 << 20)),
    "many headers": (200, [("x", "y")] * 101, b"{}"),
    "large headers": (200, [("x", "y" * 70_000)], b"{}"),
    "endless headers": (200, iter(lambda: ("x", "y"), None), b"{}"),
}


def ways(transport: Server) -> list[Callable[[], object]]:
    """Every way to ask with it, through Python and through the threads of the core."""
    there = aio.OAuthClient("c", issuer=ISSUER, client_secret="s", transport=transport.loop)
    keys = aio.RemoteKeySet(issuer=ISSUER, transport=transport.loop)
    manager = TokenManager(client(transport), client_credentials={})
    return [
        client(transport).client_credentials,
        RemoteKeySet(issuer=ISSUER, transport=transport).refresh,
        RemoteKeySet(issuer=ISSUER, transport=transport).to_jwks,
        lambda: ResourceServer(API, introspection=client(transport)).check("Bearer opaque"),
        lambda: manager.access_token("service"),
        lambda: asyncio.run(there.client_credentials()),
        lambda: asyncio.run(keys.refresh()),
    ]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer(server: Server, name: str) -> None:
    server.answer = lambda _: WRONG[name]
    for way in ways(server):
        with pytest.raises(exceptions.ConnectionFailedError) as refused:
            way()
        assert isinstance(refused.value.__cause__, (TypeError, ValueError)), name
        assert "transport" in str(refused.value.__cause__)


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large(server: Server, name: str) -> None:
    server.answer = lambda _: LARGE[name]
    for way in ways(server):
        with pytest.raises(exceptions.ResponseTooLargeError):
            way()


def test_what_they_raise(server: Server) -> None:
    class OwnError(Exception):
        pass

    for raised, kind in (
        (OwnError("no route"), exceptions.ConnectionFailedError),
        (ConnectionResetError(), exceptions.ConnectionFailedError),
        (exceptions.TlsError("ours"), exceptions.TlsError),
        (exceptions.DeadlineExceededError("ours"), exceptions.DeadlineExceededError),
        (TimeoutError("ours"), exceptions.DeadlineExceededError),
        # An error of another kind says nothing about a connection.
        (exceptions.InvalidTokenError("ours"), exceptions.ConnectionFailedError),
    ):

        def answer(_: HttpRequest, raised: Exception = raised) -> Any:
            raise raised

        server.answer = answer
        for way in ways(server):
            with pytest.raises(kind) as refused:
                way()
            assert refused.value.__cause__ is raised


def test_doors_say_what_was_raised(server: Server) -> None:
    """Also when it is remembered: keys are first asked for when a verifier is made."""
    raised = OSError("no route")

    def broken(_: HttpRequest) -> Any:
        raise raised

    def keys() -> RemoteKeySet:
        return RemoteKeySet(issuer=ISSUER, transport=server)

    def verifiers() -> list[Verifier]:
        rules: dict[str, Any] = {
            "https://other.example": SECRET,
            ISSUER: IssuerRule(keys(), audience=API),
        }
        return [
            Verifier(keys(), issuer=ISSUER, audience=API, typ="at+jwt"),
            Verifier.for_issuers(rules, audience=API, typ="at+jwt"),
        ]

    server.answer = broken
    there = aio.RemoteKeySet(issuer=ISSUER, transport=server.loop)
    one, several = verifiers()
    door = ResourceServer(API, issuer=ISSUER, transport=server)
    own = aio.ResourceServer(API, issuer=ISSUER, transport=server.loop)
    threads = aio.ResourceServer(API, issuer=ISSUER, transport=server)
    awaiting = aio.Verifier(there, issuer=ISSUER, audience=API, typ="at+jwt")
    for way in (
        lambda: one.verify(token()),
        lambda: several.verify(token()),
        lambda: door.check(f"Bearer {token()}"),
        lambda: asyncio.run(own.check(f"Bearer {token()}")),
        lambda: asyncio.run(threads.check(f"Bearer {token()}")),
        lambda: asyncio.run(awaiting.verify(token())),
    ):
        for _again in range(2):
            with pytest.raises(exceptions.ConnectionFailedError) as refused:
                way()
            assert refused.value.__cause__ is raised


def test_what_is_no_exception_goes_through(server: Server) -> None:
    def interrupted(_: HttpRequest) -> Any:
        raise KeyboardInterrupt

    def endless(_: HttpRequest) -> Any:
        return 200, (interrupted(one) for one in [_]), b""

    for server.answer in (interrupted, endless):
        for way in ways(server)[:5]:
            with pytest.raises(KeyboardInterrupt):
                way()


def test_what_is_no_transport() -> None:
    others: list[Any] = [5, "http", object()]
    for wrong in others:
        with pytest.raises(TypeError, match="HttpRequest"):
            RemoteKeySet(issuer=ISSUER, transport=wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            client(wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            TokenManager(client(HttpTransport()), transport=wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            aio.RemoteKeySet(issuer=ISSUER, transport=wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            aio.ResourceServer(API, issuer=ISSUER, transport=wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            aio.OAuthClient("c", issuer=ISSUER, transport=wrong)
        with pytest.raises(TypeError, match="HttpRequest"):
            aio.TokenManager(client(HttpTransport()), transport=wrong)


def test_a_failure_is_not_the_last_one(server: Server) -> None:
    """What another transport of the thread has raised is no cause of this."""

    def broken(_: HttpRequest) -> Any:
        raise ZeroDivisionError

    server.answer = broken
    keys = RemoteKeySet(issuer=ISSUER, transport=server)
    with pytest.raises(exceptions.ConnectionFailedError):
        keys.to_jwks()
    nobody = RemoteKeySet("http://127.0.0.1:1/", allow_loopback_http=True)
    with pytest.raises(exceptions.ConnectionFailedError) as refused:
        nobody.to_jwks()
    assert refused.value.__cause__ is None
    gc.collect()


def test_a_failure_that_is_hidden(server: Server) -> None:
    """Keys are used although others cannot be fetched: that is no cause of what fails later."""
    stale = [RemoteKeySet(issuer=ISSUER, min_ttl=1, ttl=1, transport=server) for _ in range(2)]
    first, other = (Verifier(keys, issuer=ISSUER, audience=API, typ="at+jwt") for keys in stale)
    first.verify(token())
    other.verify(token())
    while not all(keys.wants_refresh for keys in stale):
        time.sleep(0.01)

    def broken(_: HttpRequest) -> Any:
        raise ZeroDivisionError

    def interrupted(_: HttpRequest) -> Any:
        raise KeyboardInterrupt

    server.answer = broken
    asked = len(server.asked)
    assert first.verify(token())["sub"] == "alice"
    assert len(server.asked) > asked
    nobody = OAuthClient("c", issuer="http://127.0.0.1:1", allow_loopback_http=True)
    door = ResourceServer(API, introspection=nobody)
    for way in (nobody.metadata, lambda: door.check("Bearer opaque")):
        with pytest.raises(exceptions.ConnectionFailedError) as refused:
            way()
        assert refused.value.__cause__ is None
    # That the program is to end is not hidden.
    server.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        other.verify(token())


def test_refreshes_with_more_to_say(server: Server) -> None:
    more: dict[str, Any] = {"parameters": {"tenant": "t 1"}, "scopes": ["s"], "resources": [API]}
    old = OAuthTokens(ISSUER, refresh_token="r")
    manager = TokenManager(client(server), refresh_with=more)
    manager.put("alice", old)
    assert manager.access_token("alice") == "a"
    form = server.forms[-1] or b""
    assert b"tenant=t%201" in form
    assert b"scope=s" in form
    assert b"resource=https%3A%2F%2Fapi.example" in form
    own = aio.OAuthClient("c", issuer=ISSUER, client_secret="s", transport=server.loop)
    there = aio.TokenManager(own, refresh_with=more)

    async def main() -> None:
        await there.put("alice", old)
        assert await there.access_token("alice") == "a"

    asyncio.run(main())
    assert b"tenant=t%201" in (server.forms[-1] or b"")
    with pytest.raises(exceptions.ConfigurationError):
        TokenManager(client(server), refresh_with={"tenant": "t"})


def test_blocking_ones_on_a_loop(server: Server) -> None:
    """What the blocking classes have works in threads, where their twins are made of them."""

    async def main() -> None:
        for transport in (server.send, server):
            keys = RemoteKeySet(issuer=ISSUER, transport=transport)
            own = client(transport)
            verifier = aio.Verifier(keys, issuer=ISSUER, audience=API, typ="at+jwt")
            assert (await verifier.verify(token()))["sub"] == "alice"
            door = aio.ResourceServer(API, issuer=ISSUER, keys=keys, introspection=own)
            assert (await door.check("Bearer opaque")).subject == "alice"
            for manager in (
                aio.TokenManager(own, client_credentials={}),
                aio.TokenManager.over(TokenManager(own, client_credentials={})),
            ):
                assert await manager.access_token("service") == "a"

    asyncio.run(main())


def test_blocking_ones_are_seen_through(server: Server) -> None:
    """A refresh over one belongs to no loop: it goes on when the loop that wanted it has ended."""
    begun, release = threading.Event(), threading.Event()

    def slowly(request: HttpRequest) -> Any:
        begun.set()
        assert release.wait(60)
        return server.plainly(request)

    own = OAuthClient(
        "c",
        issuer=ISSUER,
        discover=False,
        endpoints={"token_endpoint": f"{ISSUER}/token"},
        transport=server,
    )
    manager = TokenManager(own)
    there = aio.TokenManager.over(manager)
    manager.put("alice", OAuthTokens(ISSUER, refresh_token="r"))
    server.answer = slowly

    async def given_up() -> None:
        task = asyncio.create_task(there.access_token("alice"))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(given_up())
    release.set()
    assert asyncio.run(there.access_token("alice")) == "a"
    assert manager.access_token("alice") == "a"
    assert len(server.asked) == 1


def test_classes_of_loops_take_blocking_objects(server: Server) -> None:
    class Blocking:
        send = server.send

    own = aio.OAuthClient("c", issuer=ISSUER, client_secret="s", transport=Blocking())
    keys = aio.RemoteKeySet(issuer=ISSUER, transport=Blocking())
    door = aio.ResourceServer(API, issuer=ISSUER, introspection=own, transport=Blocking())
    manager = aio.TokenManager(own, client_credentials={})

    async def main() -> None:
        assert (await own.client_credentials()).access_token == "a"
        await keys.refresh()
        assert (await door.check(f"Bearer {token()}")).subject == "alice"
        assert (await door.check("Bearer opaque")).subject == "alice"
        assert await manager.access_token("service") == "a"

    asyncio.run(main())
    assert manager.sync.access_token("other") == "a"
    # A function that blocks would stop the loop: it is refused, and says what to do.
    wrong = aio.OAuthClient("c", issuer=ISSUER, client_secret="s", transport=server.send)
    with pytest.raises(exceptions.ConnectionFailedError) as refused:
        asyncio.run(wrong.client_credentials())
    assert "send()" in str(refused.value.__cause__)


def test_an_async_one_is_never_gone_past(server: Server) -> None:
    """Not even where the client has a transport for threads."""
    manager = aio.TokenManager(client(server), transport=server.loop, client_credentials={})
    for ask in (
        lambda: manager.sync.access_token("service"),
        lambda: manager.sync.replace("service", "a"),
    ):
        with pytest.raises(exceptions.UsageError):
            ask()
    assert not server.asked
    assert asyncio.run(manager.access_token("service")) == "a"
    assert manager.sync.access_token("service") == "a"


def test_the_clock_of_remote_keys_is_read_when_it_is_asked(server: Server) -> None:
    """`Retry-After` is a date, and the answer has none of its own."""
    now = [2_000_000_000.0]
    server.answer = lambda _: (503, [("retry-after", "Wed, 18 May 2033 03:33:27 GMT")], b"")
    own = RemoteKeySet(f"{ISSUER}/jwks", clock=lambda: now[0], transport=server)
    there = aio.RemoteKeySet(f"{ISSUER}/jwks", clock=lambda: now[0], transport=server.loop)
    now[0] -= 10
    for ask in (own.refresh, lambda: asyncio.run(there.refresh())):
        with pytest.raises(exceptions.OAuthServerError) as refused:
            ask()
        assert refused.value.retry_after == 17
    for clock in (5, "now"):
        with pytest.raises(TypeError, match="clock"):
            RemoteKeySet(f"{ISSUER}/jwks", clock=clock, transport=server)  # type: ignore[arg-type]


def test_what_a_proxy_refuses() -> None:
    """Threads and loops say the same about it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    connection = listening.accept()[0]
                    with connection, connection.makefile("rb") as lines:
                        while lines.readline() != b"\r\n":
                            pass
                        connection.sendall(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        there = aio.OAuthClient("c", issuer=ISSUER, transport=aio.HttpTransport(proxy=proxy))
        for ask in (
            client(HttpTransport(proxy=proxy)).metadata,
            lambda: asyncio.run(there.metadata()),
        ):
            with pytest.raises(exceptions.ConnectionFailedError, match="407"):
                ask()


def test_proxies() -> None:
    for transport in (HttpTransport, aio.HttpTransport):
        shown = repr(transport(proxy="http://user:s3cret@proxy.example:3128"))
        assert "s3cret" not in shown
        for wrong in ("socks5://h:1", "https://h:1", "h:1", "http://a%0d%0ab:c@h:1"):
            with pytest.raises(exceptions.ConfigurationError) as refused:
                transport(proxy=wrong)
            assert refused.value.claim == "proxy"
        with pytest.raises(exceptions.ConfigurationError, match="public_only"):
            transport(proxy="http://h:1", public_only=True)
    for backend in ("aiohttp", "httpx"):
        with pytest.raises(exceptions.ConfigurationError, match="threads"):
            aio.HttpTransport(proxy="http://h:1", backend=backend)
    nobody = "http://127.0.0.1:1"
    with pytest.raises(exceptions.ConnectionFailedError):
        client(HttpTransport(proxy=nobody)).client_credentials()
    there = aio.OAuthClient(
        "c", issuer=ISSUER, client_secret="s", transport=aio.HttpTransport(proxy=nobody)
    )
    with pytest.raises(exceptions.ConnectionFailedError):
        asyncio.run(there.client_credentials())


def test_the_environment_is_asked_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://h:1")
    HttpTransport()
    aio.HttpTransport()
    for transport in (HttpTransport, aio.HttpTransport):
        with pytest.raises(exceptions.ConfigurationError):
            transport(proxy="environment")
