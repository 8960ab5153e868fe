"""The HTTP server's limits, over real sockets: nobody takes more than a share, and honest callers go on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.consortium.address import Address
from ledger.consortium.caller import Caller
from ledger.consortium.certificate import certificate_pem, key_pem
from ledger.errors import NotFound, Unready
from node.homes.authority import issue_authority, issue_leaf
from node.homes.keyring import generate_key
from node.web import connection, server
from node.web.contexts import Contexts
from node.web.page import Page
from node.web.server import Asked, WebServer
from node.wire.limits import Limits, Parties
from node.wire.tls import Callers, Presented
from tests.cluster import free_ports
from tests.lenders import NOW, lender, manifest

MANIFEST = manifest(3)
KEY = generate_key()
LARGE = 8 << 20


def certificate(number: int, role: str, *, name: str = "home", days: int = 30, ca: int | None = None) -> bytes:
    issuer = lender(ca or number)
    caller = Caller(MANIFEST.consortium, f"lender-{number}", role, name)  # type: ignore[arg-type]
    leaf = issue_leaf(
        issuer.authority, issuer.keyring.authority_key, caller, KEY.public_key(), NOW - timedelta(days=1), days=days
    )
    return certificate_pem(leaf)


async def answer(asked: Asked) -> Page:
    if asked.path == "/who":
        return Page(b"nobody" if asked.caller is None else asked.caller.uri.encode())
    if asked.path == "/large":
        await asked.room(LARGE)
        return Page(bytes(LARGE))
    if asked.path == "/slow":
        await asyncio.sleep(5)
    if asked.path == "/body":
        return Page(str(len(await asked.body(1000))).encode())
    if asked.path == "/bug":
        raise ValueError("secret")
    if asked.path == "/hello":
        return Page(b"hello")
    raise NotFound("NO_PAGE", "nothing of that name is served here")


@asynccontextmanager
async def plain(limits: Limits | None = None) -> AsyncIterator[int]:
    """Everybody is a stranger there."""
    (port,) = free_ports(1)
    served = WebServer(Address("127.0.0.1", port), answer, Parties("me", lambda: 0.0, limits))
    await served.start()
    try:
        yield port
    finally:
        await served.stop()


class Peer:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int, context: ssl.SSLContext | None = None) -> Peer:
        name = None if context is None else "localhost"
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name, limit=1 << 16))

    async def say(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def get(self, path: str, method: str = "GET", headers: str = "", body: bytes = b"") -> tuple[int, str, bytes]:
        await self.say(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + body)
        return await self.heard(method)

    async def heard(self, method: str = "GET") -> tuple[int, str, bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length: "))
        body = b"" if method == "HEAD" else await self.reader.readexactly(length)
        return int(head.split(" ")[1]), head, body

    async def ended(self, within: float = 5.0) -> bool:
        """Whether the other side has closed it by then."""
        try:
            async with asyncio.timeout(within):
                while await self.reader.read(1 << 16):
                    pass
                return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def peers(port: int) -> AsyncIterator[Callable[..., asyncio.Future[Peer]]]:
    """A function that connects; what it made is closed at the end."""
    made: list[Peer] = []

    async def connect(context: ssl.SSLContext | None = None) -> Peer:
        made.append(await Peer.to(port, context))
        return made[-1]

    try:
        yield connect  # type: ignore[misc]
    finally:
        for peer in made:
            peer.close()
        await asyncio.sleep(0)


async def test_requests_of_one_connection_are_answered_in_order() -> None:
    async with plain() as port, peers(port) as connect:
        peer = await connect()
        assert (await peer.get("/hello"))[::2] == (200, b"hello")
        status, head, body = await peer.get("/hello", "HEAD")
        assert (status, body) == (200, b"")
        assert "Content-Length: 5" in head
        assert (await peer.get("/nothing"))[0] == 404
        assert (await peer.get("/who"))[2] == b"nobody"
        await peer.say(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        assert [(await peer.heard())[2] for _ in range(2)] == [b"hello"] * 2


async def test_a_query_is_not_part_of_the_path() -> None:
    async with plain() as port, peers(port) as connect:
        assert (await (await connect()).get("/hello?x=/y"))[0] == 200


async def test_what_fails_inside_says_nothing_of_it() -> None:
    async with plain() as port, peers(port) as connect:
        status, _, body = await (await connect()).get("/bug")
        assert (status, b"secret" in body) == (500, False)


@pytest.mark.parametrize(
    "raw",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 4 + b"\r\n\r\n", b"GET  /hello HTTP/1.1\r\n\r\n",
     b"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
     b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
     b"GET /hello HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 100 + b"\r\n",
     b"GET /hello HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_the_connection_ended(raw: bytes) -> None:
    async with plain() as port, peers(port) as connect:
        peer = await connect()
        await peer.say(raw)
        assert (await peer.heard())[0] == 400
        assert await peer.ended()
        assert (await (await connect()).get("/hello"))[0] == 200


async def test_a_protocol_is_not_changed() -> None:
    async with plain() as port, peers(port) as connect:
        peer = await connect()
        assert (await peer.get("/hello", headers="Connection: Upgrade\r\nUpgrade: h2c\r\n"))[0] == 200
        assert await peer.ended()


async def test_a_body_has_a_size_and_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL", 0.3)
    async with plain() as port, peers(port) as connect:
        assert (await (await connect()).get("/body", "POST", "Content-Length: 1000\r\n", bytes(1000)))[2] == b"1000"
        assert (await (await connect()).get("/body", "POST", "Content-Length: 1001\r\n", bytes(1001)))[0] == 413
        chunks = (b"100\r\n" + bytes(256) + b"\r\n") * 4 + b"0\r\n\r\n"
        assert (await (await connect()).get("/body", "POST", "Transfer-Encoding: chunked\r\n", chunks))[0] == 413
        assert (await (await connect()).get("/body", "POST", "Transfer-Encoding: chunked\r\n", b"zz\r\n"))[0] == 400
        gzipped = "Content-Encoding: gzip\r\nContent-Length: 5\r\n"
        assert (await (await connect()).get("/body", "POST", gzipped, b"hello"))[0] == 400
        assert (await (await connect()).get("/body", "POST", "Content-Length: 1000\r\n", b"hello"))[0] == 408


async def test_who_says_nothing_or_never_ends_its_headers_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK", 0.05)
    monkeypatch.setattr(connection, "HEAD", 0.3)
    monkeypatch.setattr(connection, "IDLE", 2.0)
    async with plain() as port, peers(port) as connect:
        silent, dripping, between = await connect(), await connect(), await connect()
        assert (await between.get("/hello"))[0] == 200
        begun = asyncio.get_running_loop().time()
        ends = [asyncio.create_task(peer.ended(20)) for peer in (silent, dripping, between)]
        await dripping.say(b"GET /hello HTTP/1.1\r\n")
        while not ends[1].done():
            await asyncio.sleep(0.05)
            dripping.writer.write(b"X: y\r\n")
        assert not ends[0].done()
        assert not ends[2].done()
        assert await asyncio.gather(*ends) == [True] * 3
        assert 1.9 < asyncio.get_running_loop().time() - begun < 10


async def test_a_request_under_way_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK", 0.05)
    monkeypatch.setattr(connection, "IDLE", 0.2)
    monkeypatch.setattr(connection, "HEAD", 0.2)

    async def slow(asked: Asked) -> Page:
        await asyncio.sleep(0.6)
        return Page(b"done")

    (port,) = free_ports(1)
    served = WebServer(Address("127.0.0.1", port), slow, Parties("me", lambda: 0.0))
    await served.start()
    async with peers(port) as connect:
        assert (await (await connect()).get("/"))[2] == b"done"
    await served.stop()


async def test_an_answer_that_is_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL", 0.5)
    async with plain(Limits(answer_bytes=LARGE)) as port, peers(port) as connect:
        lazy = await connect()
        lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await lazy.say(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.2)
        # Its bytes count until it is given up: the next one of the party waits, and is served then.
        waiting = asyncio.create_task((await connect()).get("/large"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert (await (await connect()).get("/hello"))[0] == 200
        async with asyncio.timeout(10):
            assert len((await waiting)[2]) == LARGE


async def test_a_party_has_so_many_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE", 0.2)
    async with plain(Limits(calls=3)) as port, peers(port) as connect:
        busy = [await connect() for _ in range(3)]
        for peer in busy:
            await peer.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.2)
        status, head, body = await (await connect()).get("/hello")
        assert status == 429
        assert "Retry-After: 1" in head
        assert b"TOO_MANY_CALLS" in body
        busy[0].close()


async def test_who_asks_too_fast_waits() -> None:
    loop = asyncio.get_running_loop()
    async with plain(Limits(work=20.0, burst=2.0)) as port, peers(port) as connect:
        peer, begun = await connect(), loop.time()
        for _ in range(10):
            assert (await peer.get("/hello"))[0] == 200
        assert 0.35 < loop.time() - begun < 10


async def test_who_is_refused_for_what_it_says_is_slowed_down() -> None:
    loop = asyncio.get_running_loop()
    async with plain(Limits(work=50.0, burst=10.0)) as port, peers(port) as connect:
        peer, begun = await connect(), loop.time()
        for _ in range(3):
            assert (await peer.get("/body", "POST", "Content-Length: 1001\r\n", bytes(1001)))[0] == 413
        assert loop.time() - begun > 0.3


async def test_there_are_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    async with plain() as port, peers(port) as connect:
        first = [await connect() for _ in range(3)]
        assert [(await peer.get("/hello"))[0] for peer in first] == [200] * 3
        assert await (await connect()).ended()
        first[0].close()
        await asyncio.sleep(0.2)
        assert (await (await connect()).get("/hello"))[0] == 200


async def test_a_port_that_is_taken_is_named() -> None:
    async with plain() as port:
        with pytest.raises(Unready) as caught:
            await WebServer(Address("127.0.0.1", port), answer, Parties("me", lambda: 0.0)).start()
        assert caught.value.reason == "CANNOT_LISTEN"


async def test_it_stops_with_requests_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE", 0.2)
    async with peers(0) as _, plain() as port:
        peer = await Peer.to(port)
        await peer.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
    assert await peer.ended()
    peer.close()


# -- TLS


class Secure:
    """A server of lender-1's with mutual TLS, of which manifest, certificate and revocations may change."""

    def __init__(self, *, strangers: bool = False, revoked: frozenset[bytes] = frozenset()) -> None:
        (self.port,) = free_ports(1)
        self.manifest = MANIFEST
        self.presented = Presented(key_pem(KEY), certificate(1, "node"))
        self.callers = Callers(MANIFEST, revoked)
        contexts = Contexts(lambda: (self.manifest, self.presented), strangers=strangers)
        self.server = WebServer(
            Address("127.0.0.1", self.port),
            answer,
            Parties("lender-1", lambda: 0.0),
            context=contexts.current,
            identify=self.callers.identify,
        )

    async def __aenter__(self) -> Secure:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()


def client(folder: Path, shown: bytes | None, authority: int = 1) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=lender(authority).member.authority_pem.decode())
    if shown is not None:
        (folder / "client.pem").write_bytes(key_pem(KEY) + shown)
        context.load_cert_chain(folder / "client.pem")
    return context


async def said_to(secure: Secure, context: ssl.SSLContext) -> tuple[int, bytes]:
    """Status and body; (0, b"") where there is no connection."""
    async with peers(secure.port) as connect:
        try:
            peer = await connect(context)
            return (await peer.get("/who"))[::2]
        except (OSError, asyncio.IncompleteReadError):
            return 0, b""


@pytest.mark.parametrize("role", ["node", "lender", "operator", "auditor"])
async def test_a_caller_is_who_its_certificate_says(role: str, tmp_path: Path) -> None:
    async with Secure() as secure:
        status, who = await said_to(secure, client(tmp_path, certificate(2, role)))
        assert (status, who.decode().split("/")[3:]) == (200, ["lender-2", role, "home"])


async def test_nobody_gets_in_without_a_members_certificate(tmp_path: Path) -> None:
    async with Secure() as secure:
        assert await said_to(secure, client(tmp_path, None)) == (0, b"")
        alien = issue_authority("lender-9", KEY, NOW)
        caller = Caller(MANIFEST.consortium, "lender-1", "auditor", "x")
        leaf = certificate_pem(issue_leaf(alien, KEY, caller, KEY.public_key(), NOW - timedelta(days=1), days=30))
        assert await said_to(secure, client(tmp_path, leaf)) == (0, b"")


async def test_certificates_that_only_some_member_vouches_for_are_refused(tmp_path: Path) -> None:
    async with Secure() as secure:
        status, why = await said_to(secure, client(tmp_path, certificate(1, "auditor", ca=2)))
        assert status == 403
        assert b"WRONG_AUTHORITY" in why


async def test_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    shown = certificate(2, "auditor", name="former")
    from cryptography.x509 import load_pem_x509_certificate

    fingerprint = load_pem_x509_certificate(shown).fingerprint(SHA256())
    async with Secure(revoked=frozenset({fingerprint})) as secure:
        status, why = await said_to(secure, client(tmp_path, shown))
        assert (status, b"REVOKED_CERTIFICATE" in why) == (403, True)


async def test_strangers_get_in_where_they_may_and_are_nobody(tmp_path: Path) -> None:
    async with Secure(strangers=True) as secure:
        assert await said_to(secure, client(tmp_path, None)) == (200, b"nobody")
        assert (await said_to(secure, client(tmp_path, certificate(2, "auditor"))))[1].endswith(
            b"lender-2/auditor/home"
        )


async def test_a_renewed_certificate_is_shown_to_who_connects_next(tmp_path: Path) -> None:
    async with Secure() as secure, peers(secure.port) as connect:
        context = client(tmp_path, certificate(2, "auditor"))
        old = await connect(context)
        before = old.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        secure.presented = Presented(key_pem(KEY), certificate(1, "node", days=60))
        new = await connect(context)
        assert new.writer.get_extra_info("ssl_object").getpeercert(binary_form=True) != before
        assert [(await peer.get("/who"))[0] for peer in (old, new)] == [200, 200]


async def test_who_leaves_the_consortium_is_refused_on_connections_that_stand(tmp_path: Path) -> None:
    async with Secure() as secure, peers(secure.port) as connect:
        peer = await connect(client(tmp_path, certificate(3, "auditor")))
        assert (await peer.get("/who"))[0] == 200
        secure.manifest = replace(MANIFEST, id=bytes(32), members=MANIFEST.members[:2])
        secure.callers.follow(secure.manifest)
        assert (await peer.get("/who"))[0] == 403
        assert await said_to(secure, client(tmp_path, certificate(3, "auditor"))) == (0, b"")


async def test_a_handshake_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANDSHAKE", 0.3)
    async with Secure() as secure, peers(secure.port) as connect:
        silent, garbage = await connect(), await connect()
        await garbage.say(b"GET / HTTP/1.1\r\n\r\n")
        assert await garbage.ended()
        assert await silent.ended(2)


async def test_one_address_has_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_OF_ONE", 2)
    async with Secure() as secure, peers(secure.port) as connect:
        held = [await connect() for _ in range(2)]
        assert await (await connect()).ended()
        assert not await held[0].ended(0.1)
