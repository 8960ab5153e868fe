"""Outside witnesses: who is there cosigns, who is away, slow or lying costs its own line and nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import SignedHead
from ledger.cosignature import verify_cosignature
from ledger.errors import InvalidInput
from ledger.note import VerifierKey
from ledger.web import OutsideWitness
from node.clock import Clock
from node.web import outside
from node.web.outside import Outside
from tests.ledger.witnesses import AUTHOR, chain_of, entry, signer
from tests.lenders import manifest
from tests.second import merkle as second_merkle
from tests.second.refusal import Refused

MANIFEST = manifest(5)
LOG_KEY = MANIFEST.log_key(AUTHOR)


class Witness:
    """One of its own making: nothing of the ledger's. `behave` changes what it answers."""

    def __init__(self, name: str = "w1") -> None:
        self.name = name
        self.secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self.secret.public_key().public_bytes_raw()
        self.size, self.root = 0, b""
        self.time = 1_700_000_000
        self.asked: list[tuple[int, int]] = []
        self.statuses: list[int] = []
        self.behave = ""
        self.port = 0

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public).digest()[:4]

    @property
    def key(self) -> VerifierKey:
        encoded = base64.b64encode(b"\x04" + self.public).decode()
        return VerifierKey.parse(f"{self.name}+{self.id.hex()}+{encoded}")

    @property
    def outside(self) -> OutsideWitness:
        return OutsideWitness(self.name, self.key, f"http://127.0.0.1:{self.port}/some/prefix")

    def answer(self, raw: bytes) -> tuple[int, str, bytes]:
        first, _, note = raw.partition(b"\n\n")
        lines = first.decode().split("\n")
        old, proof = int(lines[0].removeprefix("old ")), [base64.b64decode(line) for line in lines[1:]]
        text = note.rpartition(b"\n\n")[0] + b"\n"
        _, size_text, root_text = text.decode().split("\n")[:3]
        size, root = int(size_text), base64.b64decode(root_text)
        self.asked.append((old, size))
        if old != self.size:
            return 409, "text/x.tlog.size", b"%d\n" % self.size
        try:
            if old:
                second_merkle.check_consistency(old, size, self.root, root, proof)
        except Refused:
            return 422, "text/plain", b""
        self.size, self.root = size, root
        return 200, "text/plain", self.line(text)

    def line(self, text: bytes) -> bytes:
        self.time += 1
        signed = self.secret.sign(b"cosignature/v1\ntime %d\n" % self.time + text)
        payload = self.id + self.time.to_bytes(8, "big") + signed
        return f"— {self.name} {base64.b64encode(payload).decode()}\n".encode()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Witness]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert head.startswith("POST /some/prefix/add-checkpoint HTTP/1.1\r\n")
            length = next(int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            status, kind, body = self.lied(*self.answer(await reader.readexactly(length)))
            self.statuses.append(status)
            if self.behave == "slow":
                await asyncio.sleep(30)
            location = "Location: /other\r\n" if status == 308 else ""
            headers = f"Content-Type: {kind}\r\n{location}Content-Length: {len(body)}\r\nConnection: close\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{headers}\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def lied(self, status: int, kind: str, body: bytes) -> tuple[int, str, bytes]:
        lie = LIES.get(self.behave)
        return (status, kind, body) if lie is None else lie(self, kind, body)


Lie = Callable[[Witness, str, bytes], tuple[int, str, bytes]]
SIZE = "text/x.tlog.size"
LIES: dict[str, Lie] = {
    "bad signature": lambda one, kind, body: (200, kind, one.line(b"another text\n")),
    "another key": lambda one, kind, body: (200, kind, Witness("w9").line(b"x\n")),
    "garbage": lambda one, kind, body: (200, kind, b"\xff" * 100),
    "nothing": lambda one, kind, body: (200, kind, b""),
    "far too much": lambda one, kind, body: (200, kind, body * 10_000),
    "redirect": lambda one, kind, body: (308, kind, b""),
    "refuses": lambda one, kind, body: (403, kind, b""),
    "ahead": lambda one, kind, body: (409, SIZE, b"1000000\n"),
    "respelled": lambda one, kind, body: (409, SIZE, b"+0\n"),
    "no size": lambda one, kind, body: (409, "text/plain", b"0\n"),
    "turns": lambda one, kind, body: (409, SIZE, b"%d\n" % ((one.asked[-1][0] + 1) % 3)),
    "same": lambda one, kind, body: (409, SIZE, b"%d\n" % one.asked[-1][0]),
}


class Author:
    """lender-1, whose log grows, towards these witnesses."""

    def __init__(self, *witnesses: Witness) -> None:
        self.chain = chain_of(MANIFEST)
        self.grow(5)
        self.outside = Outside(
            [each.outside for each in witnesses],
            Path("/"),
            lambda: self.chain.log(AUTHOR),
            lambda: self.head,
            lambda: 5.0,
            Clock(),
        )

    def grow(self, count: int) -> None:
        size = self.chain.log(AUTHOR).size
        self.chain.own(signer(1)).append([entry(number) for number in range(size, size + count)])

    @property
    def head(self) -> SignedHead:
        head = self.chain.log(AUTHOR).head
        assert head is not None
        return head

    async def round(self) -> None:
        for state in self.outside._states:
            state.next = 0.0  # it need not be waited for
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=outside.TIMEOUT)) as session:
            await self.outside._round(session)

    def lines(self, *witnesses: Witness) -> list[str]:
        """Who has cosigned what is shown; every line verified."""
        shown = self.outside.dressed(self.head)
        for line in shown.note.signatures[1:]:
            key = next(each.key for each in witnesses if line.is_by(each.key))
            verify_cosignature(shown.note.text, line, key)
        return [line.name for line in shown.note.signatures[1:]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "TIMEOUT", 1.0)


async def test_a_new_witness_cosigns_and_follows_the_log() -> None:
    async with Witness().serving() as one:
        author = Author(one)
        await author.round()
        assert author.lines(one) == ["w1"]
        author.grow(300)
        await author.round()
        await author.round()
        assert one.asked == [(0, 5), (5, 305), (305, 305)]
        assert author.lines(one) == ["w1"]
        assert author.head.note.text == author.outside.dressed(author.head).note.text


async def test_a_node_that_has_forgotten_asks_from_where_the_witness_stands() -> None:
    async with Witness().serving() as one:
        author = Author(one)
        await author.round()
        author.grow(4)
        author.outside._states[0].size = 0
        await author.round()
        assert one.asked[-2:] == [(0, 9), (5, 9)]
        assert author.lines(one) == ["w1"]


@pytest.mark.parametrize("lie", [*LIES, "slow"])
async def test_a_witness_that_lies_or_is_slow_costs_its_line_alone(lie: str) -> None:
    async with Witness("w1").serving() as good, Witness("w2").serving() as bad:
        author = Author(good, bad)
        bad.behave = lie
        async with asyncio.timeout(5):
            await author.round()
        assert author.lines(good, bad) == ["w1"]
        assert len(bad.asked) <= outside.TRIES
        problem = author.outside._states[1].problem
        assert problem
        assert problem.isprintable()
        bad.behave = ""
        await author.round()
        assert sorted(author.lines(good, bad)) == ["w1", "w2"]
        assert author.outside._states[1].problem == ""


async def test_a_witness_that_is_away_is_asked_ever_more_rarely_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Witness()
    async with one.serving():
        pass
    author = Author(one)
    assert author.outside.alerts == []
    waits = []
    for _ in range(6):
        await author.round()
        waits.append(round(author.outside._states[0].next - Clock().monotonic()))
    assert waits == [5, 10, 20, 40, 60, 60]
    monkeypatch.setattr(outside, "TELL", -1.0)
    assert author.outside.alerts == ["outside witness w1 does not cosign: does not answer: ClientConnectorError"]
    async with one.serving():
        await author.round()
    assert author.outside.alerts == []
    assert author.lines(one) == ["w1"]


async def test_a_log_that_grows_shows_the_last_head_that_was_cosigned(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Witness().serving() as one:
        author = Author(one)
        await author.round()
        author.grow(1)
        assert author.outside.dressed(author.head).head.size == 5
        assert author.outside.with_lines(author.head).note == author.head.note
        monkeypatch.setattr(outside, "PATIENCE", -1.0)  # a minute later
        assert author.outside.dressed(author.head).head.size == 6


async def test_a_witness_with_another_history_is_named() -> None:
    async with Witness().serving() as one:
        author = Author(one)
        await author.round()
        one.root = bytes(32)
        author.grow(1)
        await author.round()
        assert one.statuses[-1] == 422
        assert "status 422" in author.outside._states[0].problem


async def test_it_runs_until_it_is_cancelled() -> None:
    async with Witness().serving() as one:
        author = Author(one)
        running = asyncio.create_task(author.outside.run())
        async with asyncio.timeout(10):
            while not author.lines(one):  # noqa: ASYNC110 -- what is looked at tells nobody
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert set(author.outside.ages()) == {"w1"}


def test_a_file_of_certificates_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        witness = OutsideWitness("w1", Witness().key, "https://w.example", name)
        with pytest.raises(InvalidInput) as caught:
            outside._trust(witness, tmp_path, 3)
        assert caught.value.path == "config.toml.web.witnesses[3].ca"


def test_the_machines_certificates_are_trusted_where_none_are_named(tmp_path: Path) -> None:
    context = outside._trust(OutsideWitness("w1", Witness().key, "https://w.example"), tmp_path, 0)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
