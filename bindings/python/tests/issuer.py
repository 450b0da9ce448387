"""An authorization server on the loop of the tests: what stops the loop stops the server."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs

from peer import Peer, said, serving

from gatekey import Key, KeySet, Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

API = "https://api.example"


class Refusing(ThreadPoolExecutor):
    """The loop's default executor, which is not ours to use."""

    def submit(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("the loop's default executor was used")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on a loop of its own, and see that nothing is left of it."""

    async def all_of_it() -> None:
        asyncio.get_running_loop().set_default_executor(Refusing())
        await main()
        for _ in range(100):
            if len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(all_of_it())


class Issuer:
    """Publishes keys, gives tokens and tells of them, each when ``hold`` lets it."""

    def __init__(self) -> None:
        self.key = Key.generate("ES256", kid="one")
        self.published = [self.key]
        self.seen: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.status = "200 OK"
        self.hold: Callable[[str], Awaitable[None]] = self.nothing
        self.active = True
        self.url = ""

    @staticmethod
    async def nothing(_: str) -> None:
        """Hold nothing."""

    def count(self, path: str) -> int:
        return self.seen.count(path)

    def token(self, key: Key | None = None, **claims: Any) -> str:
        signer = Signer(key or self.key, issuer=self.url, audience=API, typ="at+jwt", ttl=300)
        return signer.sign({"sub": "alice", "client_id": "c", "scope": "read", **claims})

    def body(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        number = len(self.forms)
        match path:
            case "/jwks":
                return KeySet([key.public() for key in self.published]).to_jwks()
            case "/introspect":
                token = {"sub": form["token"], "scope": "read", "aud": API}
                return {"active": self.active, **token}
            case "/token":
                return {
                    "access_token": f"a{number}",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "refresh_token": f"r{number}",
                }
            case _:
                return {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "introspection_endpoint": f"{self.url}/introspect",
                    "jwks_uri": f"{self.url}/jwks",
                }

    async def answer(self, peer: Peer, writer: asyncio.StreamWriter, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.seen.append(path)
        if form:
            self.forms.append(form)
        answer = json.dumps(self.body(path, form)).encode()
        await peer.tell()
        await self.hold(path)
        writer.write(said(answer, status=self.status))


@asynccontextmanager
async def issuing() -> AsyncIterator[tuple[Issuer, Peer]]:
    issuer = Issuer()
    async with serving(issuer.answer) as peer:
        issuer.url = peer.url
        yield issuer, peer
