"""An authorization server that answers in threads of its own, when it is told to."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from issuer import API

from gatekey import Key, KeySet, OAuthTokens, Signer, aio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60
BACKENDS = ("aiohttp", "httpx", "threads")


class Server:
    """An authorization server; what is asked for at ``held`` waits for ``release``."""

    def __init__(self) -> None:
        self.key = Key.generate("ES256", kid="one")
        self.active = True
        self.held: str | None = None
        self.release = threading.Event()
        self.seen: list[str] = []
        self.spent: list[str] = []
        self.changed = threading.Condition()
        self.url = ""

    def token(self) -> str:
        signer = Signer(self.key, issuer=self.url, audience=API, typ="at+jwt", ttl=300)
        return signer.sign({"sub": "alice", "client_id": "c"})

    def count(self, path: str) -> int:
        return self.seen.count(path)

    def until(self, path: str, count: int = 1) -> None:
        """Wait until it was asked so many times, with the patience of a minute."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.count(path) >= count, PATIENCE)

    async def asked(self, path: str, count: int = 1) -> None:
        """Wait for it on a loop."""
        while self.count(path) < count:
            await asyncio.sleep(0.001)

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        with self.changed:
            self.seen.append(path)
            if path == "/token":
                self.spent.append(form.get("refresh_token", ""))
            number = len(self.spent)
            self.changed.notify_all()
        if path == self.held:
            assert self.release.wait(PATIENCE)
        if path == "/jwks":
            return KeySet([self.key.public()]).to_jwks()
        if path == "/introspect":
            return {"active": self.active, "aud": API, "sub": "alice"}
        if path == "/token":
            token = {"access_token": f"a{number}", "refresh_token": f"r{number}"}
            return {**token, "token_type": "Bearer", "expires_in": 3600}
        ends = {
            "token_endpoint": "token",
            "jwks_uri": "jwks",
            "authorization_endpoint": "authorize",
        }
        ends["introspection_endpoint"] = "introspect"
        return {"issuer": self.url, **{name: f"{self.url}/{end}" for name, end in ends.items()}}


def serving() -> Iterator[Server]:
    """Run a server until the generator goes on."""
    own = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            body = json.dumps(own.answer(self.path, form)).encode()
            try:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Threads(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

    with Threads(("127.0.0.1", 0), Handler) as listening:
        own.url = f"http://localhost:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield own
        own.release.set()
        listening.shutdown()
        thread.join()


def client(server: Server, deadline: float = 60, **more: Any) -> aio.OAuthClient:
    given = {"client_secret": "s", "redirect_uri": "http://localhost/cb", **more}
    return aio.OAuthClient(
        "client", issuer=server.url, allow_loopback_http=True, deadline=deadline, **given
    )


def ended(server: Server) -> OAuthTokens:
    text = {"issuer": server.url, "refresh_token": "r0", "expires_at": 1_000_000_000}
    return OAuthTokens.from_secret_json(json.dumps(text))


def in_thread(call: Callable[[], Any]) -> Any:
    """Give what it gives in another thread, or what it raises; fail if it never ends."""
    got: list[Any] = []

    def run() -> None:
        try:
            got.append(call())
        except BaseException as error:  # noqa: BLE001 - it is given to who waits
            got.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert got, "it never ends"
    return got[0]


def carrier_of(backend: str, deadline: float) -> aio.HttpTransport:
    return aio.HttpTransport(backend=backend, allow_loopback_http=True, deadline=deadline)


def calls(server: Server, what: str, deadline: float, carrier: Any) -> Callable[[], Any]:
    """Give a call, and have what it asks for held."""
    http: dict[str, Any] = {"allow_loopback_http": True, "deadline": deadline}
    own = client(server, deadline, transport=carrier)
    asyncio.run(own.metadata())
    server.held = {"keys": "/jwks", "opaque": "/introspect"}.get(what, "/token")
    if what == "metadata":
        own = client(server, deadline, transport=carrier)
        server.held = "/.well-known/openid-configuration"
        return own.begin
    if what == "keys":
        keys = aio.RemoteKeySet(f"{server.url}/jwks", transport=carrier, **http)
        token = server.token()
        verifier = aio.Verifier(keys, issuer=server.url, audience=API, typ="at+jwt")
        return lambda: verifier.verify(token)
    if what == "opaque":
        api = aio.ResourceServer(API, introspection=own, introspection_ttl=30)
        return lambda: api.check("Bearer opaque")
    manager = aio.TokenManager(own)
    manager.sync.put("name", ended(server))
    return {
        "tokens": lambda: manager.tokens("name"),
        "replace": lambda: manager.replace("name", "x"),
    }[what]
