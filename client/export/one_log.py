"""One log into its folder: what is there is continued, and nothing is published that was not verified.

What was exported is the beginning of what is read now: the tree goes on from the tiles that are there, and must lead
to the root that the log's author has signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plimsoll.v1 import peer_pb2

from client.audit.reading.follower import Follower
from client.audit.reading.logs import LogId
from client.export.folder import CHECKPOINT, WITNESSED, LogFolder
from client.sdk import Session
from ledger.chain.log_heads import bare
from ledger.consortium.history import History
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import Head, SignedHead, open_head
from ledger.tlog.tiled_log import TiledLog
from ledger.tlog.tiling import Made, Tiler
from ledger.witnessing.cosigned import verify_witnessed_in

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)"""


@dataclass(frozen=True, slots=True)
class Exported:
    """before, size: how many entries there were and are; None without a checkpoint. witnessed: size of that head, or
    None. ahead: how many of these the node does not have."""

    before: int | None
    size: int | None
    witnessed: int | None
    ahead: int = 0


class LogExport:
    """Raises Unverified for whatever does not hold, and the folder then stays at the checkpoint it had."""

    def __init__(self, folder: LogFolder, log: LogId, heads: Iterable[bytes], witnessed: Iterable[bytes]) -> None:
        """heads, witnessed: what the node shows as this log's heads, and as witnessed ones."""
        self._folder = folder
        self._log = log
        self._heads = list(heads)
        self._witnessed = list(witnessed)
        self._claims: list[Head] = []

    def run(self, session: Session, history: History, progress: Progress, *, check: bool = False) -> Exported:
        """check: reads every byte that is there already."""
        self._claims = [open_head(note, self._log.key).head for note in self._heads]
        shown = [verify_witnessed_in(note, history)[0] for note in self._witnessed]
        before = self._held()
        size = 0 if before is None else before.head.size
        self._folder.clean(size)
        stored = TiledLog(self._folder, before.head) if before is not None else None
        if stored is not None and check:
            self._check(stored, progress)
        try:
            reading = _Reading(self._log, stored, [*self._claims, *(signed.head for signed in shown)])
            self._read(session, reading, progress)
            return self._publish(before, reading, reading.newest or before or _empty(shown), shown)
        except PlimsollError:
            self._folder.clean(size)
            raise

    def _held(self) -> SignedHead | None:
        note = self._folder.note(CHECKPOINT)
        try:
            return None if note is None else open_head(note, self._log.key)
        except PlimsollError as error:
            raise Unverified(error.reason, f"not a head of this log: {error.message}", CHECKPOINT) from error

    def _check(self, stored: TiledLog, progress: Progress) -> None:
        for stretch in stored.entries():
            progress(f"checking {self._log.name}", stretch.start + len(stretch.entries), stored.size)

    def _read(self, session: Session, reading: _Reading, progress: Progress) -> None:
        expected = max([head.size for head in self._claims], default=0)
        for block in session.read(self._log.origin, reading.size) if expected > reading.size else ():
            for tile, raw in reading.take(block):
                self._folder.put(tile, raw)
            progress(f"reading {self._log.name}", reading.size, max(expected, reading.size))
        for head in self._claims:
            reading.check(head)
        if self._log.ended is not None:
            reading.check(Head(self._log.origin, self._log.ended.size, self._log.ended.root))

    def _publish(
        self, before: SignedHead | None, reading: _Reading, newest: SignedHead | None, shown: Iterable[SignedHead]
    ) -> Exported:
        if newest is None:
            return Exported(None, None, None)
        largest = self._largest_witnessed(reading, shown)
        note = bare(newest, self._log.key).note
        if largest is not None and largest.head == newest.head:
            note = largest.note
        elif before is not None and before.head == newest.head:
            note = before.note  # perhaps with cosignatures that the node has forgotten
        for tile, raw in reading.edge():
            if before is None or not tile.belongs_to(before.head.size):
                self._folder.put(tile, raw)
        self._put(CHECKPOINT, note.encode())
        if largest is not None:
            self._put(WITNESSED, largest.note.encode())  # behind the checkpoint: it is never of more than that
        self._folder.clean(newest.head.size)
        claimed = max([head.size for head in self._claims], default=0)
        return Exported(
            None if before is None else before.head.size,
            newest.head.size,
            None if largest is None else largest.head.size,
            max(0, newest.head.size - claimed),
        )

    def _largest_witnessed(self, reading: _Reading, shown: Iterable[SignedHead]) -> SignedHead | None:
        """The one in the folder, or a larger one that is a head of what was read; of two of one size the one with more
        cosignatures."""
        known = self._folder.note(WITNESSED)
        found = [signed for signed in shown if signed.head.size <= reading.size]
        found += [] if known is None else [self._reopened(known)]
        for signed in found:
            reading.check(signed.head)
        return max(found, key=lambda signed: (signed.head.size, len(signed.note.signatures)), default=None)

    def _reopened(self, note: bytes) -> SignedHead:
        try:
            return open_head(note, self._log.key)
        except PlimsollError as error:
            raise Unverified(error.reason, f"not a head of this log: {error.message}", WITNESSED) from error

    def _put(self, name: str, note: bytes) -> None:
        if self._folder.note(name) != note:
            self._folder.publish(name, note)


class _Reading:
    """The log from where the folder has it, as it is read, and its tiles."""

    def __init__(self, log: LogId, stored: TiledLog | None, heads: Iterable[Head]) -> None:
        """heads: that will be compared."""
        self._stored = stored
        self._tiler = Tiler(stored)
        ended = () if log.ended is None else (log.ended.size,)
        sizes = {*(head.size for head in heads), *ended}
        self._follower = Follower(log.key, sizes, edge=self._tiler.tree)

    @property
    def size(self) -> int:
        return self._follower.size

    @property
    def newest(self) -> SignedHead | None:
        """The head that was read up to; None where nothing was read. Raises Unverified where it covers more."""
        newest = self._follower.newest
        if newest is not None and newest.head != self._follower.head:
            raise Unverified("TRUNCATED", "the node hands out fewer entries than its head covers")
        return newest

    def take(self, block: peer_pb2.Block) -> Made:
        """Verifies the next block; the tiles that are full by it."""
        taken = self._follower.take(block)
        return self._tiler.add(taken.entries, taken.leaves)

    def edge(self) -> Made:
        """The tiles that are not."""
        return self._tiler.edge()

    def check(self, head: Head) -> None:
        """Holds a head against what was read. Raises Unverified."""
        if head.size > self.size:
            raise Unverified("TRUNCATED", f"the node has a head of {head.size} entries, and hands out {self.size}")
        root = self._follower.root_at(head.size)
        if root is None and self._stored is not None:
            root = self._stored.root_at(head.size)
        if root != head.root:
            raise Unverified(
                "FORK", f"a head of {head.size} entries is of another history than what was read or stored"
            )


def _empty(shown: Iterable[SignedHead]) -> SignedHead | None:
    """The head of no entries, where its author has signed one."""
    return next((signed for signed in shown if signed.head.size == 0), None)
