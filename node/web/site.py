"""What is served over HTTP (protocol section 23): logs as C2SP tlog-tiles, the manifests, and cosignatures on request.

GET  /<log>/checkpoint                 its head; <log> is the last part of its origin
GET  /<log>/witnessed                  the largest head of it that is known to be witnessed
GET  /<log>/tile/<L>/<N>[.p/<W>]       hashes, and /<log>/tile/entries/<N>[.p/<W>] the entries
GET  /lineage, /manifest               the consortium's manifests so far
GET  /metrics                          for this member's operators
POST /add-checkpoint                   C2SP tlog-witness
GET  /<SHA-256 of origin>/checkpoint   of a log elsewhere: what was cosigned last, for monitors
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ledger.chain.chain import Chain
from ledger.chain.log import Log
from ledger.chain.tree import TILE_WIDTH
from ledger.consortium.lineage import Lineage
from ledger.errors import NotFound, PlimsollError, Refused, Unverified
from ledger.tlog.note import SignatureLine
from ledger.tlog.tiles import BUNDLE, Tile
from ledger.tlog.tlog_witness import (
    LINES_TYPE,
    MAX_REQUEST,
    AddCheckpoint,
    ForeignWitness,
    parse_add_checkpoint,
    render_lines,
)
from ledger.witnessing.witnessed import Witnessed
from node.web.outside import Outside
from node.web.page import BYTES, FOR_A_MOMENT, FOR_EVER, NEVER, TEXT, Page, refusal
from node.web.publication import checkpoint, is_of
from node.web.server import Asked
from node.web.tiles import read_tile

#: A bundle's bytes at most.
BUNDLE_BYTES = TILE_WIDTH * (2 + 65_535)
#: What a path costs in units of work (node.wire.limits); 1 for all others.
COSTS = {"/lineage": 10.0, "/manifest": 10.0, "/metrics": 20.0, "/add-checkpoint": 4.0}

#: Bytes of the largest answer that gets a tag: hashing more would hold up everybody.
TAGGED = 1 << 20

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HASH = re.compile(r"[0-9a-f]{64}")
_ADD = "/add-checkpoint"


class Site:
    """Answers what is asked; who asks is known, and how much of it is the server's business."""

    def __init__(
        self,
        member: str,
        chain: Chain,
        witnessed: Witnessed,
        lineage: Callable[[], Lineage],
        extend: Callable[[AddCheckpoint], Coroutine[Any, Any, SignatureLine]],
        foreign: ForeignWitness | None = None,
        metrics: Callable[[], bytes] | None = None,
        outside: Outside | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """extend: cosigns a member's head. foreign: logs elsewhere. outside: who cosigns this member's log and is no
        member. clock: Unix seconds."""
        self._member = member
        self._chain = chain
        self._witnessed = witnessed
        self._lineage = lineage
        self._extend = extend
        self._foreign = foreign
        self._metrics = metrics
        self._outside = outside
        self._clock = clock

    async def answer(self, asked: Asked) -> Page:
        """Raises PlimsollError for what is refused."""
        if asked.path == _ADD:
            return await self._add_checkpoint(asked)
        if asked.caller is None and not asked.plain:
            raise Refused("NO_CERTIFICATE", "a client certificate is needed")
        if asked.method not in ("GET", "HEAD"):
            return Page(b"only GET and HEAD here\n", status=405, headers={"Allow": "GET, HEAD"})
        page = await self._read(asked)
        return page if page.cache == NEVER or len(page.body) > TAGGED else _unless_known(asked, page)

    async def _read(self, asked: Asked) -> Page:
        if asked.path in ("/lineage", "/manifest"):
            return Page(await asyncio.to_thread(self._lineage().encode), BYTES, FOR_A_MOMENT)
        if asked.path == "/metrics":
            return await self._read_metrics(asked)
        name, slash, rest = asked.path.removeprefix("/").partition("/")
        if rest == "checkpoint":
            return await asyncio.to_thread(self._checkpoint, name)
        if rest == "witnessed":
            return await asyncio.to_thread(self._largest_witnessed, name)
        if not slash or not rest.startswith("tile/"):
            raise NotFound("NO_PAGE", "nothing of that name is served here")
        return await self._tile(asked, self._log(name), rest)

    async def _tile(self, asked: Asked, log: Log, path: str) -> Page:
        try:
            tile = Tile.parse(path)
        except PlimsollError as error:
            raise NotFound("NO_TILE", error.message, "path") from error
        if tile.level == BUNDLE:
            await asked.room(BUNDLE_BYTES)
        body = await asyncio.to_thread(read_tile, log, tile)
        asked.keep(len(body))
        return Page(body, BYTES, FOR_EVER)

    def _checkpoint(self, name: str) -> Page:
        if _HASH.fullmatch(name):
            return self._elsewhere(name)
        log = self._log(name)
        head = checkpoint(log, self._witnessed.newest(log.origin), self._clock())
        if head is None:
            raise NotFound("NO_HEAD", "no head of this log is held yet")
        if self._outside is not None and log.member == self._member:
            head = self._outside.dressed(head)
        return Page(head.note.encode(), TEXT, FOR_A_MOMENT)

    def _largest_witnessed(self, name: str) -> Page:
        log = self._log(name)
        kept = self._witnessed.newest(log.origin)
        if kept is None or not is_of(log, kept):
            raise NotFound("NO_HEAD", "no head of this log is known to be witnessed whose tree is held")
        head = kept.signed if self._outside is None else self._outside.with_lines(kept.signed)
        return Page(head.note.encode(), TEXT, FOR_A_MOMENT)

    def _log(self, name: str) -> Log:
        for log in self._chain.logs():
            if log.origin.rpartition("/")[2] == name:
                return log
        raise NotFound("NO_LOG", "no log of this name is kept here")

    async def _read_metrics(self, asked: Asked) -> Page:
        caller = asked.caller
        if caller is None or caller.role != "operator" or caller.member != self._member:
            raise Refused("ROLE", f"metrics are for the operators of {self._member}")
        if self._metrics is None:
            raise NotFound("NO_PAGE", "nothing of that name is served here")
        return Page(self._metrics(), METRICS_TYPE)

    # -- as witness

    async def _add_checkpoint(self, asked: Asked) -> Page:
        if asked.method != "POST":
            return Page(b"only POST here\n", status=405, headers={"Allow": "POST"})
        request = parse_add_checkpoint(await asked.body(MAX_REQUEST))
        try:
            line = await self._cosigned(request, asked)
        except Unverified as error:
            asked.party.refused(error, time.monotonic())
            return refusal(error, unverified=422)
        return Page(render_lines([line]), LINES_TYPE)

    async def _cosigned(self, request: AddCheckpoint, asked: Asked) -> SignatureLine:
        if self._foreign is not None and request.origin in self._foreign.origins:
            return await asyncio.to_thread(self._foreign.add, request, int(self._clock()))
        if asked.caller is None and not asked.plain:
            raise NotFound("UNKNOWN_LOG", "no log of this origin is cosigned here", "checkpoint")
        return await self._extend(request)

    def _elsewhere(self, name: str) -> Page:
        for origin in () if self._foreign is None else self._foreign.origins:
            if hashlib.sha256(origin.encode()).hexdigest() == name:
                note = self._foreign.checkpoint(origin) if self._foreign else None
                if note is not None:
                    return Page(note, TEXT, FOR_A_MOMENT)
        raise NotFound("NO_HEAD", "no head of such a log was cosigned here")


def metrics_only(metrics: Callable[[], bytes]) -> Callable[[Asked], Coroutine[Any, Any, Page]]:
    """For the address `metrics` of config.toml, which serves nothing else."""

    async def answer(asked: Asked) -> Page:
        if asked.path != "/metrics":
            raise NotFound("NO_PAGE", "nothing of that name is served here")
        if asked.method not in ("GET", "HEAD"):
            return Page(b"only GET and HEAD here\n", status=405, headers={"Allow": "GET, HEAD"})
        return Page(metrics(), METRICS_TYPE)

    return answer


def _unless_known(asked: Asked, page: Page) -> Page:
    """304 for whoever has these very bytes (RFC 9110, section 13.1.2)."""
    tag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
    known = [each.strip().removeprefix("W/") for each in asked.header("If-None-Match").split(",")]
    if tag in known or "*" in known:
        return Page(b"", page.type, page.cache, 304, {"ETag": tag})
    return Page(page.body, page.type, page.cache, page.status, {"ETag": tag})
