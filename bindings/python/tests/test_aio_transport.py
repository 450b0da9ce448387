"""`gatekey.aio.HttpTransport`: on each of its backends the same rules as the blocking transport,
whose own tests in the core these follow."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from peer import HEAD, Peer, said, serving

import gatekey
from gatekey import aio, exceptions
from gatekey.middleware import httpx as with_httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from gatekey import HttpRequest

MOST = 512 * 1024
BACKENDS = ["aiohttp", "httpx", "threads"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def get(url: str, deadline: float = 60) -> HttpRequest:
    """Give a request for keys, of which no more than 512 KiB are read."""
    keys = gatekey.RemoteKeySet(url, allow_loopback_http=True, deadline=deadline)
    step = keys._refresh().step()
    assert isinstance(step, gatekey.HttpRequest)
    assert step.max_body == MOST
    return step


def post(url: str) -> HttpRequest:
    client = gatekey.OAuthClient(
        "c",
        client_secret="s",
        discover=False,
        issuer=url,
        endpoints={"token_endpoint": f"{url}/token"},
        allow_loopback_http=True,
        deadline=60,
    )
    step = client._core.client_credentials("{}").step()
    assert isinstance(step, gatekey.HttpRequest)
    return step


def here(backend: str, **options: Any) -> aio.HttpTransport:
    given = {"allow_loopback_http": True, "deadline": 60, **options}
    return aio.HttpTransport(backend=backend, **given)


async def refusal(transport: aio.HttpTransport, request: HttpRequest) -> str:
    with pytest.raises(exceptions.TransportError) as refused:
        await transport(request)
    return type(refused.value).__name__


def test_what_is_sent(backend: str) -> None:
    async def main() -> None:
        async with serving(said(b"{}")) as peer:
            status, headers, body = await here(backend)(get(f"{peer.url}/a;b?c=%2F&d"))
            assert (status, body) == (200, b"{}")
            assert ("content-type", "application/json") in [
                (name.lower(), value) for name, value in headers
            ]
            await here(backend)(post(peer.url))
        first, *lines = peer.requests[0].decode().strip().split("\r\n")
        assert first == "GET /a;b?c=%2F&d HTTP/1.1"
        sent = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
        assert sent.pop("user-agent") == f"gatekey/{gatekey.__version__}"
        assert sent.pop("accept").startswith("application/jwk-set+json")
        assert sent.pop("accept-encoding") == "identity"
        assert sent.pop("connection", "close") == "close"
        assert sent == {"host": f"127.0.0.1:{peer.port}"}
        head, _, form = peer.requests[1].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /token HTTP/1.1")
        assert b"content-type: application/x-www-form-urlencoded" in head.lower()
        assert b"grant_type=client_credentials" in form

    asyncio.run(main())


def test_answers_come_back_as_they_are(backend: str) -> None:
    async def main() -> None:
        async with serving(said(b"{}")) as elsewhere:
            place = f"location: {elsewhere.url}/"
            for status, header, body in [
                ("302 Found", place, b""),
                ("307 Temporary Redirect", place, b"x"),
                ("401 Unauthorized", "www-authenticate: Basic", b"{}"),
                ("503 Busy", "retry-after: 7", b"busy"),
                ("200 OK", "content-encoding: gzip", b"not gzip at all"),
                ("200 OK", "set-cookie: a=b", b"{}"),
            ]:
                async with serving(said(body, header, status=status)) as peer:
                    for _ in range(2):
                        answer = await here(backend)(get(peer.url))
                        assert (answer[0], answer[2]) == (int(status[:3]), body)
                assert peer.connections == 2
                assert b"cookie" not in peer.requests[1].lower()
            assert elsewhere.connections == 0

    asyncio.run(main())


def test_bodies_end_at_the_limit(backend: str) -> None:
    def told(body: bytes) -> bytes:
        return HEAD + f"content-length: {len(body)}\r\n\r\n".encode() + body

    def untold(body: bytes) -> bytes:
        return HEAD + b"connection: close\r\n\r\n" + body

    def chunked(body: bytes) -> bytes:
        size = f"{len(body):x}\r\n".encode()
        return HEAD + b"transfer-encoding: chunked\r\n\r\n" + size + body + b"\r\n0\r\n\r\n"

    async def main() -> None:
        for framed in (told, untold, chunked):
            async with serving(framed(b"a" * MOST)) as peer:
                answer = await here(backend)(get(peer.url))
                assert len(answer[2]) == MOST
            async with serving(framed(b"a" * (MOST + 1))) as peer:
                assert await refusal(here(backend), get(peer.url)) == "ResponseTooLargeError"

    asyncio.run(main())


def test_an_endless_body_is_left(backend: str) -> None:
    async def endless(_: Peer, writer: asyncio.StreamWriter, *_more: bytes) -> None:
        writer.write(HEAD + b"connection: close\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(b"a" * 65536)
                await writer.drain()

    async def main() -> None:
        async with serving(endless) as peer:
            assert await refusal(here(backend), get(peer.url)) == "ResponseTooLargeError"
            await peer.until(lambda: peer.open == 0)

    asyncio.run(main())


def test_heads_end_at_the_limit(backend: str) -> None:
    def many(count: int) -> bytes:
        # Two more are there.
        return said(b"", *["x: y"] * (count - 2))

    def long(length: int) -> bytes:
        return said(b"", "x: " + "a" * length)

    async def main() -> None:
        for fine in (many(100), long(60 * 1024)):
            async with serving(fine) as peer:
                assert (await here(backend)(get(peer.url)))[0] == 200
        for large in (many(101), many(200), many(9000), long(64 * 1024), long(1 << 20)):
            async with serving(large) as peer:
                assert await refusal(here(backend), get(peer.url)) == "ResponseTooLargeError"

    asyncio.run(main())


def test_broken_answers_are_broken_connections(backend: str) -> None:
    async def main() -> None:
        for answer in (
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"access',
            b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            b"HTTP/1.1 two OK\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"\xff" * 4096,
            b"\0" * 4096,
        ):
            async with serving(answer) as peer:
                for request in (get(peer.url), post(peer.url)):
                    kind = await refusal(here(backend), request)
                    assert kind == "ConnectionFailedError", answer
            assert peer.connections == 2, "tried again"
        # Nobody listens.
        async with serving(b"") as peer:
            pass
        for scheme in ("http", "https"):
            request = get(f"{scheme}://127.0.0.1:{peer.port}/")
            assert await refusal(here(backend), request) == "ConnectionFailedError"

    asyncio.run(main())


def test_the_deadline_is_for_everything(backend: str) -> None:
    async def silent(_: Peer, __: asyncio.StreamWriter, *_more: bytes) -> None:
        await asyncio.sleep(3600)

    def drips(first: bytes, drop: bytes) -> Callable[..., Awaitable[None]]:
        async def answer(_: Peer, writer: asyncio.StreamWriter, *_more: bytes) -> None:
            writer.write(first)
            while True:
                writer.write(drop)
                await asyncio.sleep(0.05)

        return answer

    async def main() -> None:
        for slow in (
            silent,
            drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            drips(b"HTTP/1.1 200 OK\r\n", b"x"),
            drips(HEAD + b"content-length: 1000\r\n\r\n", b" "),
            drips(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        ):
            async with serving(slow) as peer:
                # Whichever of the two is the shorter one.
                for own, in_all in ((0.2, 60), (60, 0.2)):
                    transport = here(backend, deadline=in_all)
                    kind = await refusal(transport, get(peer.url, own))
                    assert kind == "DeadlineExceededError"
        # TLS that is never agreed on.
        async with serving(silent) as peer:
            request = get(f"https://127.0.0.1:{peer.port}/", 0.2)
            assert await refusal(here(backend), request) == "DeadlineExceededError"

    asyncio.run(main())


def test_plain_http_is_for_this_machine_and_must_be_allowed(backend: str) -> None:
    async def main() -> None:
        async with serving(said(b"{}")) as peer:
            for host in ("127.0.0.1", "localhost"):
                request = get(f"http://{host}:{peer.port}/")
                strict = aio.HttpTransport(backend=backend)
                assert await refusal(strict, request) == "RequestBlockedError"
                assert (await here(backend)(request))[0] == 200
        assert peer.connections == 2

    asyncio.run(main())


def test_what_is_not_public_hears_nothing(backend: str) -> None:
    hosts = (
        *("127.0.0.1", "localhost", "LocalHost", "127.1", "2130706433", "0x7f.1", "0x7f000001"),
        *("0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "0"),  # noqa: S104
        *("169.254.169.254", "10.0.0.1"),
    )

    async def main() -> None:
        async with serving(b"") as peer:
            for host in hosts:
                transport = here(backend, public_only=True)
                kind = await refusal(transport, get(f"https://{host}:{peer.port}/"))
                assert kind == "RequestBlockedError", host
            for host in ("169.254.169.254", "0.0.0.0", "[fe80::1]"):  # noqa: S104
                kind = await refusal(here(backend), get(f"https://{host}:{peer.port}/"))
                assert kind == "RequestBlockedError", host
        assert peer.connections == 0

    asyncio.run(main())


@pytest.mark.parametrize("native", ["aiohttp", "httpx"])
def test_what_was_checked_is_what_is_asked(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for something else a moment later does not get past."""
    asked: list[str] = []
    meanings: list[list[str]] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, Any]]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in meanings.pop(0)]

    async def main() -> None:
        async with serving(b"") as peer:
            monkeypatch.setattr("gatekey.aio.transport.socket.getaddrinfo", look_up)
            request = get(f"https://name.example:{peer.port}/")
            for first in (["1.1.1.1", "10.0.0.1"], ["10.0.0.1", "1.1.1.1"], ["fe80::1%eth0"]):
                meanings[:] = [first, ["127.0.0.1"]]
                kind = await refusal(here(native, public_only=True), request)
                assert kind == "RequestBlockedError"
            assert (len(asked), peer.connections) == (3, 0)
            # It is asked once, and all addresses are tried: the second one answers.
            meanings[:] = [["127.0.0.2", "127.0.0.1"], ["1.1.1.1"]]
            assert await refusal(here(native), request) in {"TlsError", "ConnectionFailedError"}
            assert len(asked) == 4
            assert peer.connections >= 1

    asyncio.run(main())


def test_nothing_is_read_from_the_environment(
    backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    netrc.chmod(0o600)

    async def main() -> None:
        async with serving(said(b"trap")) as trap, serving(said(b"{}")) as peer:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, trap.url)
                monkeypatch.setenv(name.upper(), trap.url)
            monkeypatch.setenv("NETRC", str(netrc))
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
            monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
            assert (await here(backend)(get(peer.url)))[2] == b"{}"
            assert b"authorization" not in peer.requests[0].lower()
            kind = await refusal(here(backend), get(f"https://127.0.0.1:{peer.port}/"))
            assert kind in {"TlsError", "ConnectionFailedError"}
        assert trap.connections == 0
        assert not (tmp_path / "keys").exists()

    asyncio.run(main())


# ---- TLS ----


class Authority:
    """Signs certificates for ``localhost``."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        signs = x509.KeyUsage(*(number == 5 for number in range(9)))  # certificates alone
        self.certificate = self.sign(self.name, self.key.public_key(), ca, signs)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(
        self, name: x509.Name, key: Any, *extensions: x509.ExtensionType, days: int = 1
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        # Python 3.13 asks for both.
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        for extension in (*extensions, own, issuer):
            builder = builder.add_extension(extension, critical=extension in extensions)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, folder: Path, name: str = "localhost", days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = self.sign(x509.Name([]), key.public_key(), names, days=days)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        pem += key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / "server.pem").write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        return context


def test_who_is_believed(backend: str, tmp_path: Path) -> None:
    ours, other = Authority(), Authority()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # of the server's side
        async with serving(said(b"{}"), ours.server(tmp_path)) as peer:
            request = get(f"https://localhost:{peer.port}/")
            trusting = here(backend, ca=ours.pem)
            assert (await trusting(request))[2] == b"{}"
            assert await refusal(here(backend), request) == "TlsError"
            assert await refusal(here(backend, ca=other.pem), request) == "TlsError"
            by_address = get(f"https://127.0.0.1:{peer.port}/")
            assert await refusal(trusting, by_address) == "TlsError"
        for wrong in (
            ours.server(tmp_path, "elsewhere.example"),
            ours.server(tmp_path, days=-1),
        ):
            async with serving(said(b"{}"), wrong) as peer:
                request = get(f"https://localhost:{peer.port}/")
                assert await refusal(here(backend, ca=ours.pem), request) == "TlsError"

    asyncio.run(main())


# ---- many at once, and given up ----


def test_two_hundred_at_once(backend: str) -> None:
    """The peer answers when all of them are there."""

    async def together(peer: Peer, writer: asyncio.StreamWriter, *_more: bytes) -> None:
        await peer.until(lambda: len(peer.requests) == 200)
        writer.write(said(b"{}"))

    async def main() -> None:
        async with serving(together) as peer:
            transport, request = here(backend), get(peer.url)
            answers = await asyncio.gather(*(transport(request) for _ in range(200)))
            assert [answer[2] for answer in answers] == [b"{}"] * 200

    asyncio.run(main())


def test_the_loop_goes_on_meanwhile(backend: str) -> None:
    """The peer answers when the loop has had its turns."""
    turns = 0

    async def later(_: Peer, writer: asyncio.StreamWriter, *_more: bytes) -> None:
        begun = turns
        while turns < begun + 20:
            await asyncio.sleep(0)
        writer.write(said(b"{}"))

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        ticking = asyncio.create_task(tick())
        async with serving(later) as peer:
            assert (await here(backend)(get(peer.url)))[2] == b"{}"
        ticking.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("native", ["aiohttp", "httpx"])
def test_what_is_given_up_leaves_nothing_behind(native: str) -> None:
    async def silent(_: Peer, __: asyncio.StreamWriter, *_more: bytes) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        transport = here(native)
        async with serving(said(b"{}")) as peer:
            await transport(get(peer.url))
        threads = threading.active_count()
        async with serving(silent) as peer:
            tasks = [asyncio.create_task(transport(get(peer.url))) for _ in range(20)]
            await peer.until(lambda: len(peer.requests) == 20)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in done)
            # Every connection is closed while the loop goes on.
            await peer.until(lambda: peer.open == 0)
        assert threading.active_count() <= threads
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


# ---- a client of httpx that a program has ----


def test_a_client_of_ones_own_keeps_to_the_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, asked = Authority(), []
    meanings: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, Any]]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in meanings]

    async def main() -> None:
        trusting = ssl.create_default_context(cadata=ours.pem)
        tls = ours.server(tmp_path, "name.example")
        async with serving(said(b"{}"), tls) as peer, httpx.AsyncClient(verify=trusting) as client:
            monkeypatch.setattr("gatekey.aio.transport.socket.getaddrinfo", look_up)
            request = get(f"https://name.example:{peer.port}/a?b=c")
            for wrong in (["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.1"]):
                meanings[:] = wrong
                for public_only in (True, False):
                    if not public_only and wrong[0] != "169.254.169.254":
                        continue
                    send = with_httpx.transport(client, public_only=public_only)
                    with pytest.raises(exceptions.RequestBlockedError):
                        await send(request)
            assert peer.connections == 0
            meanings[:] = ["127.0.0.2", "127.0.0.1"]
            assert (await with_httpx.transport(client)(request))[2] == b"{}"
            assert asked == ["name.example"] * 5
            assert f"name.example:{peer.port}".encode() in peer.requests[0]
            assert peer.requests[0].startswith(b"GET /a?b=c ")
        # Where there is no network, nothing is looked up.
        mock = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"[]")))
        async with httpx.AsyncClient(transport=mock) as client:
            assert (await with_httpx.transport(client)(request))[2] == b"[]"
        assert len(asked) == 5

    asyncio.run(main())


def test_a_client_of_ones_own_keeps_names_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two names at one address: a connection to one of them is not used for the other."""
    ours = Authority()

    def look_up(_: str, port: int, *__: object, **___: object) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    async def answer(_: Peer, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(said(b"{}"))
        await asyncio.sleep(3600)  # and keeps the connection

    async def main() -> None:
        trusting = ssl.create_default_context(cadata=ours.pem)
        tls = ours.server(tmp_path, "one.example")
        async with serving(answer, tls) as peer, httpx.AsyncClient(verify=trusting) as client:
            monkeypatch.setattr("gatekey.aio.transport.socket.getaddrinfo", look_up)
            send = with_httpx.transport(client)
            assert (await send(get(f"https://one.example:{peer.port}/")))[2] == b"{}"
            assert peer.open == 1
            with pytest.raises(exceptions.TlsError):
                await send(get(f"https://two.example:{peer.port}/"))
            assert len(peer.requests) == 1
            # What the client itself asks for goes as before.
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
                await client.get(f"https://localhost:{peer.port}/")
            with pytest.raises(exceptions.RequestBlockedError):
                await send(get("https://0177.0.0.1/"))

    asyncio.run(main())


def test_a_client_of_ones_own_takes_the_way_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    class Way(httpx.AsyncHTTPTransport):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            used.append(f"{self.name} {request.url.host}")
            return await super().handle_async_request(request)

    async def main() -> None:
        async with serving(said(b"{}")) as peer, serving(said(b"[]")) as proxy:
            request = get(f"http://localhost:{peer.port}/a")
            mounts = {"all://localhost": Way("mounted")}
            async with httpx.AsyncClient(transport=Way("other"), mounts=mounts) as client:
                assert (await with_httpx.transport(client)(request))[2] == b"{}"
            assert used == ["mounted localhost"]
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "localhost")
            async with httpx.AsyncClient() as client:
                assert (await with_httpx.transport(client)(request))[2] == b"{}"
                assert proxy.connections == 0
                # Plain HTTP would tell the proxy everything, and it would look names up.
                with pytest.raises(exceptions.RequestBlockedError):
                    await with_httpx.transport(client)(get(f"{peer.url}/a"))
                guarded = with_httpx.transport(client, public_only=True)
                with pytest.raises(exceptions.ConfigurationError, match="proxy"):
                    await guarded(get("https://name.example/a"))
                assert proxy.connections == 0
                # What is encrypted for the name goes through it, by its name.
                with pytest.raises(exceptions.TransportError):
                    await with_httpx.transport(client)(get("https://name.example/a"))
                assert proxy.requests[0].startswith(b"CONNECT name.example:443 ")

    asyncio.run(main())


def test_a_backend_is_one_that_there_is() -> None:
    with pytest.raises(exceptions.ConfigurationError, match="aiohttp, httpx and threads"):
        aio.HttpTransport(backend="requests")
    with pytest.raises(exceptions.ConfigurationError, match="threads"):
        aio.HttpTransport(backend="httpx", client_certificate=("", ""))
    with pytest.raises(exceptions.UsageError):
        aio.HttpTransport(deadline=0)
    assert repr(aio.HttpTransport()) == "<gatekey.aio.HttpTransport>"
