"""Up to where Challenges count in an inquiry (protocol, 19): heads that had been witnessed a day before.

Entries bear their author's time, and no tree says when it grew. What more than half of the members other than a log's
author have cosigned by some time existed by then; so the inquiry fixes such sizes, and the witnessed heads go along
with the request. Nobody but the asker is the worse for an inquiry that settles less than it could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ledger.cache import Cache
from ledger.chain.logview import LogView
from ledger.consortium.history import History
from ledger.consortium.joined import current_log
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError, Unverified
from ledger.queries.inquiry import Inquiry
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.witnessing.cosigned import verify_witnessed_in, witnessed_at

SETTLING = 86_400  # seconds that a challenged author has to answer
_NOTES_REMEMBERED = 512


class Settling(Protocol):
    """What a node knows of heads witnessed in the past."""

    def witnessed_by(self, origin: str, time: int) -> tuple[int, bytes] | None:
        """Size and note of the largest head of this log that is known to have been witnessed by `time`."""


class NothingSettled:
    """For who has kept no witnessed heads."""

    def witnessed_by(self, origin: str, time: int) -> tuple[int, bytes] | None:
        """Never."""
        return None


def settled_now(
    manifest: Manifest, heads: Sequence[Head], logs: Mapping[str, LogView], settling: Settling, now: int
) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    """`settled` of an inquiry about these heads, () where no Challenge counts, and the notes that go with it.

    heads: in the manifest's order. now: Unix seconds. One look into each log where nobody has challenged anything.
    """
    sizes, notes = [], []
    for member, head in zip(manifest.members, heads, strict=True):
        settled = None
        log = current_log(manifest, member.name, logs)
        first = next((index for index, _ in log.entries_by_kind("challenge", 0, head.size)), None)
        if first is not None:
            settled = settling.witnessed_by(head.origin, now - SETTLING)
        if first is None or settled is None or not first < settled[0] <= head.size:
            sizes.append(0)
            continue
        sizes.append(settled[0])
        notes.append(settled[1])
    return (tuple(sizes) if notes else ()), tuple(notes)


class PastHeads:
    """Verifies such notes, each once."""

    def __init__(self) -> None:
        self._heads: Cache[tuple[bytes, bytes], tuple[Head, int]] = Cache(_NOTES_REMEMBERED)

    def verify(self, manifest: Manifest, inquiry: Inquiry, notes: Sequence[bytes], history: History) -> list[Head]:
        """The heads, one for each element of `settled` that is not 0. Whether the trees held have these roots is the
        caller's to check. Raises Unverified (NOT_SETTLED)."""
        places = [place for place, size in enumerate(inquiry.settled) if size]
        heads = []
        for number, (place, note) in enumerate(zip(places, notes, strict=True)):
            head, time = self._opened(note, history, f"settled[{number}]")
            origin = manifest.origin(manifest.members[place].name)
            if (head.origin, head.size) != (origin, inquiry.settled[place]):
                raise Unverified("NOT_SETTLED", "the witnessed head is not of this log and size", f"settled[{number}]")
            if time > inquiry.time - SETTLING:
                raise Unverified("NOT_SETTLED", "the head was witnessed less than a day before", f"settled[{number}]")
            heads.append(head)
        return heads

    def _opened(self, note: bytes, history: History, path: str) -> tuple[Head, int]:
        key = (history.current.id, merkle.leaf_hash(note))
        found = self._heads.get(key)
        if found is None:
            try:
                signed, manifest, member = verify_witnessed_in(note, history)
            except PlimsollError as error:
                raise Unverified("NOT_SETTLED", error.message, path) from error
            time = witnessed_at(signed, manifest, member)
            assert time is not None, "witnessed"
            found = signed.head, time
            self._heads.put(key, found)
        return found
