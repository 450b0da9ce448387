"""The asyncio part of `make bench`: one contender, one row, in a process of its own.

    aio.py peer                       an authorization server that answers after half a second
    aio.py run CONTENDER ROW ADDRESS  prints seconds, and the longest the loop stood still

The server is another process, so that what it costs is not the contender's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

DELAY = 0.5
MANY = 200
STRANGERS = 40
API = "https://api.example"


# ---- the other side ----


async def peer() -> None:
    from gatekey import Key, KeySet, Signer

    key, count = Key.generate("ES256", kid="one"), 0
    address = ""

    def body(path: str, form: str) -> tuple[dict[str, Any], float]:
        nonlocal count
        if path == "/jwks":
            return KeySet([key.public()]).to_jwks(), 0
        if path == "/jwt":
            signer = Signer(key, issuer=address, audience=API, typ="at+jwt", ttl=3600)
            return {"token": signer.sign({"sub": "s", "client_id": "c"})}, 0
        if path == "/introspect":
            return {"active": True, "sub": "s", "aud": API}, DELAY
        if path == "/token":
            count += 1
            more = {"refresh_token": f"r{count}"} if "grant_type=" in form else {}
            return {"access_token": f"a{count}", "token_type": "Bearer", "expires_in": 3600, **more}, DELAY
        endpoints = {
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "introspection_endpoint": f"{address}/introspect",
            "jwks_uri": f"{address}/jwks",
        }
        return {"issuer": address, **endpoints}, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = [int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            form = (await reader.readexactly(sum(length))).decode()
            answer, delay = body(head.split(" ")[1], form)
            await asyncio.sleep(delay)
            text = json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                + f"content-length: {len(text)}\r\n\r\n".encode()
                + text
            )
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(address, flush=True)
    await server.serve_forever()


# ---- what is measured ----


async def measured(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds that it takes, and the longest that the loop stands still meanwhile."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    begun = time.perf_counter()
    await work()
    taken = time.perf_counter() - begun
    watching.cancel()
    return taken, longest


async def gatekey_run(backend: str, row: str, address: str) -> tuple[float, float]:
    from gatekey import HttpTransport, OAuthTokens, aio

    options: dict[str, Any] = {"allow_loopback_http": True, "deadline": 120}
    transport: Any
    if backend == "to_thread":
        # As a program does it that has blocking calls only.
        blocking = HttpTransport(**options)

        async def transport(request: Any) -> Any:
            return await asyncio.to_thread(blocking._send, request)
    else:
        transport = aio.HttpTransport(backend=backend, **options)
    client = aio.OAuthClient(
        "c",
        issuer=address,
        client_secret="s",
        redirect_uri="https://app.example/cb",
        scopes=["read"],
        transport=transport,
        **options,
    )
    begun = await client.begin()
    if row == "log-ins":
        state = begun.url.split("state=")[1].split("&")[0]
        callback, cookie = f"https://app.example/cb?code=c&state={state}", begun.set_cookies[0].split(";")[0]
        return await measured(lambda: asyncio.gather(*(client.finish(callback, cookie) for _ in range(MANY))))
    if row == "refreshes":
        manager = aio.TokenManager(client)
        for number in range(MANY):
            text = {"v": 1, "issuer": address, "access_token": "t", "refresh_token": "r", "scopes": [], "expires_at": 1}
            await manager.put(f"user{number}", OAuthTokens.from_secret_json(json.dumps(text)))
        return await measured(lambda: asyncio.gather(*(manager.tokens(f"user{n}") for n in range(MANY))))
    keys = aio.RemoteKeySet(issuer=address, transport=transport, allow_loopback_http=True)
    api = aio.ResourceServer(API, issuer=address, keys=keys, introspection=client)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))
    writer.write(b"GET /jwt HTTP/1.1\r\nhost: h\r\n\r\n")
    good = "Bearer " + json.loads((await reader.read()).partition(b"\r\n\r\n")[2])["token"]
    writer.close()
    await api.check(good)
    strangers = [asyncio.create_task(api.check(f"Bearer stranger{n}")) for n in range(STRANGERS)]
    await asyncio.sleep(0.05)
    found = await measured(lambda: api.check(good))
    await asyncio.gather(*strangers)
    return found


async def authlib_run(row: str, address: str) -> tuple[float, float]:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    import httpx

    limits = httpx.Limits(max_connections=None)

    async def log_in(client: Any) -> None:
        await client.fetch_token(f"{address}/token", grant_type="authorization_code", code="c")

    async def refresh(client: Any) -> None:
        await client.refresh_token(f"{address}/token", refresh_token="r")

    clients = [AsyncOAuth2Client("c", "s", redirect_uri="https://app.example/cb", limits=limits) for _ in range(MANY)]
    work = {"log-ins": log_in, "refreshes": refresh}[row]
    try:
        return await measured(lambda: asyncio.gather(*(work(client) for client in clients)))
    finally:
        for client in clients:
            await client.aclose()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["peer"]:
            asyncio.run(peer())
        case ["run", "authlib", row, address]:
            print(*asyncio.run(authlib_run(row, address)), sep="\t")
        case ["run", contender, row, address]:
            print(*asyncio.run(gatekey_run(contender, row, address)), sep="\t")
