"""Outside auditors' witnesses cosign this member's log (C2SP tlog-witness, as its client).

Every heartbeat the head that is shown as the log's checkpoint goes to each of them, all the same one. Nothing waits for
them: one that is away, slow or lying costs its own line and nobody else anything.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from ledger.chain.log import Log
from ledger.errors import InvalidInput, PlimsollError, Unavailable, Unverified
from ledger.homes.web import OutsideWitness
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.cosignature import verify_cosignature
from ledger.tlog.note import SignatureLine
from ledger.tlog.tlog_witness import MAX_REQUEST, SIZE_TYPE, AddCheckpoint, parse_lines, parse_size
from node.clock import Clock
from node.web.publication import PATIENCE

log = structlog.get_logger()

#: Seconds for one answer of a witness.
TIMEOUT = 10.0
#: Requests in a round: a witness may say once where it stands, and once more if it went on meanwhile.
TRIES = 3
#: Seconds until a witness that failed is asked again: doubled each time, up to the second.
BACK_OFF = (5.0, 60.0)
#: Seconds without a line after which people are told.
TELL = 600.0
#: Heads whose lines are remembered.
HEADS = 16


@dataclass
class _State:
    """Of one witness. size: what it cosigned last, as far as known. since: its last line, or the start (monotonic)."""

    witness: OutsideWitness
    since: float
    size: int = 0
    problem: str = ""
    next: float = 0.0
    failures: int = 0


@dataclass
class _Shown:
    """A head that was sent to the witnesses, when (monotonic), and their lines."""

    head: SignedHead
    at: float
    lines: dict[str, SignatureLine]


class Outside:
    """This node towards its outside witnesses. To be used from the event loop's thread."""

    def __init__(
        self,
        witnesses: Sequence[OutsideWitness],
        folder: Path,
        own: Callable[[], Log],
        head: Callable[[], SignedHead | None],
        heartbeat: Callable[[], float],
        clock: Clock,
    ) -> None:
        """folder: to which a `ca` is relative. own: this member's log. head: which of it is shown. heartbeat: seconds.

        Raises InvalidInput for a `ca` that cannot be read.
        """
        now = clock.monotonic()
        self._states = [_State(witness, now) for witness in witnesses]
        self._trust = {one.name: _trust(one, folder, place) for place, one in enumerate(witnesses)}
        self._own = own
        self._head = head
        self._heartbeat = heartbeat
        self._clock = clock
        self._shown: OrderedDict[str, _Shown] = OrderedDict()

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        now = self._clock.monotonic()
        silent = [state for state in self._states if state.problem and now - state.since > TELL]
        return [f"outside witness {each.witness.name} does not cosign: {each.problem}" for each in silent]

    def ages(self) -> dict[str, float]:
        """By witness: seconds since its last line, or since the start."""
        now = self._clock.monotonic()
        return {state.witness.name: now - state.since for state in self._states}

    def dressed(self, head: SignedHead) -> SignedHead:
        """The head with the outside witnesses' lines; or, for a minute, an earlier one that more of them have cosigned,
        as a log that grows would never have a cosigned head to show otherwise."""
        now = self._clock.monotonic()
        recent = [
            one for one in self._shown.values() if now - one.at < PATIENCE and one.head.head.size <= head.head.size
        ]
        found = self._shown.get(head.note.text)
        best = max(recent, key=lambda one: (len(one.lines), one.head.head.size), default=None)
        if best is not None and len(best.lines) > (0 if found is None else len(found.lines)):
            return _with(best.head, best.lines)
        return head if found is None else _with(head, found.lines)

    def with_lines(self, head: SignedHead) -> SignedHead:
        """This very head, with what lines there are."""
        found = self._shown.get(head.note.text)
        return head if found is None else _with(head, found.lines)

    # -- asking

    async def run(self) -> None:
        """One round after the other."""
        resolver = _Resolver()
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=2, resolver=resolver, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "plimsoll"},
            ) as session:
                while True:
                    due = self._clock.monotonic() + self._heartbeat()
                    try:
                        await self._round(session)
                    except Exception as error:
                        log.error("outside witnesses cannot be asked", exc_info=error)
                    await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
        finally:
            await resolver.close()

    async def _round(self, session: aiohttp.ClientSession) -> None:
        head, now = self._head(), self._clock.monotonic()
        if head is None or any(head.head.size < shown.head.head.size for shown in self._shown.values()):
            return  # a witness has seen more than this already
        text = head.note.text
        shown = self._shown.setdefault(text, _Shown(head, now, {}))
        shown.head, shown.at = head, now
        self._shown.move_to_end(text)
        while len(self._shown) > HEADS:
            self._shown.popitem(last=False)
        async with asyncio.TaskGroup() as group:
            for state in self._states:
                if state.next <= now:
                    group.create_task(self._ask(session, state, shown))

    async def _ask(self, session: aiohttp.ClientSession, state: _State, shown: _Shown) -> None:
        try:
            line = await self._line(session, state, shown.head)
        except PlimsollError as error:
            self._failed(state, str(error))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._failed(state, f"does not answer: {type(error).__name__}")
        except Exception as error:
            log.error("asking an outside witness failed", witness=state.witness.name, exc_info=error)
            self._failed(state, "asking it failed; the node's log says why")
        else:
            shown.lines[state.witness.name] = line
            state.since, state.next, state.failures = self._clock.monotonic(), 0.0, 0
            if state.problem:
                log.info("outside witness cosigns again", witness=state.witness.name)
            state.problem = ""

    def _failed(self, state: _State, why: str) -> None:
        if state.problem != why:
            log.warning("outside witness does not cosign", witness=state.witness.name, why=why)
        first, most = BACK_OFF
        wait = min(most, first * 2 ** min(state.failures, 8))
        state.problem, state.failures, state.next = why, state.failures + 1, self._clock.monotonic() + wait

    async def _line(self, session: aiohttp.ClientSession, state: _State, head: SignedHead) -> SignatureLine:
        """Its line, verified. Raises PlimsollError, aiohttp.ClientError, OSError, TimeoutError."""
        size = head.head.size
        for _ in range(TRIES):
            old = min(state.size, size)
            proof = await asyncio.to_thread(self._own().consistency, old, size) if old else ()
            request = AddCheckpoint(old, proof, head.head.origin, size, head.head.root, head.note)
            status, kind, body = await self._post(session, state.witness, request.encode())
            if status == 200:
                state.size = size
                return _checked(body, head, state.witness)
            if status != 409 or kind != SIZE_TYPE:
                raise Unavailable("WITNESS_REFUSES", f"it answers with status {status}")
            told = parse_size(body)
            if told > size:
                raise Unverified(
                    "WITNESS_AHEAD",
                    f"it has seen {told} entries of this log, of which {size} are here: does a copy of this node run?",
                )
            if told == old:
                raise Unverified("WITNESS_LIES", "it refuses the size that it tells")
            state.size = told
        raise Unavailable("WITNESS_MOVES", "it stood elsewhere each time it was asked")

    async def _post(
        self, session: aiohttp.ClientSession, witness: OutsideWitness, body: bytes
    ) -> tuple[int, str, bytes]:
        trust = self._trust[witness.name]
        async with session.post(
            f"{witness.url}/add-checkpoint", data=body, ssl=trust if trust is not None else True, allow_redirects=False
        ) as response:
            raw = bytearray()
            async for piece in response.content.iter_any():
                raw += piece
                if len(raw) > MAX_REQUEST:
                    raise InvalidInput("TOO_LARGE", f"it answers with more than {MAX_REQUEST} bytes")
            return response.status, response.content_type, bytes(raw)


def _checked(body: bytes, head: SignedHead, witness: OutsideWitness) -> SignatureLine:
    for line in parse_lines(body):
        if line.is_by(witness.key):
            verify_cosignature(head.note.text, line, witness.key)
            return line
    raise Unverified("NO_COSIGNATURE", "it answers without a line by its key")


def _with(head: SignedHead, lines: dict[str, SignatureLine]) -> SignedHead:
    return SignedHead(head.head, head.note.with_signatures(lines.values()), head.cosignatures)


def _trust(witness: OutsideWitness, folder: Path, place: int) -> ssl.SSLContext | None:
    if witness.url.startswith("http:"):
        return None
    try:
        return ssl.create_default_context(cafile=None if witness.ca is None else str(folder / witness.ca))
    except (OSError, ssl.SSLError) as error:
        path = f"config.toml.web.witnesses[{place}].ca"
        raise InvalidInput("BAD_CERTIFICATE", "cannot be read as certificates (PEM)", path) from error


class _Resolver(AbstractResolver):
    """With threads of its own: names that take a minute to fail must not take those of others."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """aiohttp's hook."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    async def close(self) -> None:
        """aiohttp's hook, and ours; may be called twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)
