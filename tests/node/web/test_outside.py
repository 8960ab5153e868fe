"""Outside witnesses: who is there cosigns, who is away, slow or lying costs its own line and nothing else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from ledger.errors import InvalidInput
from ledger.homes.web import OutsideWitness
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.cosignature import verify_cosignature
from ledger.tlog.note import VerifierKey
from node.clock import Clock
from node.web import outside
from node.web.outside import Outside
from tests.e2e.elsewhere import Witness
from tests.ledger.witnesses import AUTHOR, chain_of, entry, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
LOG_KEY = MANIFEST.log_key(AUTHOR)


class Lying(Witness):
    """`behave` changes what it answers."""

    def __init__(self, name: str = "w1") -> None:
        super().__init__(name)
        self.behave = ""
        self.statuses: list[int] = []

    @property
    def outside(self) -> OutsideWitness:
        return OutsideWitness(self.name, self.verifier, self.url)

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey.parse(self.key)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Lying]:
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


Lie = Callable[[Lying, str, bytes], tuple[int, str, bytes]]
SIZE = "text/x.tlog.size"
LIES: dict[str, Lie] = {
    "bad signature": lambda one, kind, body: (200, kind, one.line(b"another text\n")),
    "another key": lambda one, kind, body: (200, kind, Lying("w9").line(b"x\n")),
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

    def __init__(self, *witnesses: Lying) -> None:
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

    def lines(self, *witnesses: Lying) -> list[str]:
        """Who has cosigned what is shown; every line verified."""
        shown = self.outside.dressed(self.head)
        for line in shown.note.signatures[1:]:
            key = next(each.verifier for each in witnesses if line.is_by(each.verifier))
            verify_cosignature(shown.note.text, line, key)
        return [line.name for line in shown.note.signatures[1:]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "TIMEOUT", 1.0)


async def test_a_new_witness_cosigns_and_follows_the_log() -> None:
    async with Lying().serving() as one:
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
    async with Lying().serving() as one:
        author = Author(one)
        await author.round()
        author.grow(4)
        author.outside._states[0].size = 0
        await author.round()
        assert one.asked[-2:] == [(0, 9), (5, 9)]
        assert author.lines(one) == ["w1"]


@pytest.mark.parametrize("lie", [*LIES, "slow"])
async def test_a_witness_that_lies_or_is_slow_costs_its_line_alone(lie: str) -> None:
    async with Lying("w1").serving() as good, Lying("w2").serving() as bad:
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
    one = Lying()
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
    async with Lying().serving() as one:
        author = Author(one)
        await author.round()
        author.grow(1)
        assert author.outside.dressed(author.head).head.size == 5
        assert author.outside.with_lines(author.head).note == author.head.note
        monkeypatch.setattr(outside, "PATIENCE", -1.0)  # a minute later
        assert author.outside.dressed(author.head).head.size == 6


async def test_a_witness_with_another_history_is_named() -> None:
    async with Lying().serving() as one:
        author = Author(one)
        await author.round()
        one.root = bytes(32)
        author.grow(1)
        await author.round()
        assert one.statuses[-1] == 422
        assert "status 422" in author.outside._states[0].problem


async def test_it_runs_until_it_is_cancelled() -> None:
    async with Lying().serving() as one:
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
        witness = OutsideWitness("w1", Lying().verifier, "https://w.example", name)
        with pytest.raises(InvalidInput) as caught:
            outside._trust(witness, tmp_path, 3)
        assert caught.value.path == "config.toml.web.witnesses[3].ca"


def test_the_machines_certificates_are_trusted_where_none_are_named(tmp_path: Path) -> None:
    context = outside._trust(OutsideWitness("w1", Lying().verifier, "https://w.example"), tmp_path, 0)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
