"""The witnessed heads of all logs that this node knows: one per log and hour for ever (design section 4).

The hour is that of the time by which enough members had cosigned. Of two heads of one hour the larger is kept, and none
that is no larger than one of an hour before: sizes rise with time, and nothing is written for a log that is idle.
Which head was the largest witnessed by a time is thus known to the hour; a time on the hour gets an exact answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from ledger.chain.log import Lock, Log
from ledger.chain.log_keys import WITNESSED, encode_index
from ledger.chain.store import Put, Store, prefix_end
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.errors import NotFound, PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.witnessing.cosigned import merged, open_cosigned, verify_witnessed_in, witnessed_at

HOUR = 3600

_ENDED_TOLD = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A witnessed head. time: by which enough members had cosigned, Unix seconds; manifest: under which that is so."""

    signed: SignedHead
    time: int
    manifest: Manifest
    member: str

    @property
    def size(self) -> int:
        """Of its tree."""
        return self.signed.head.size


class Witnessed:
    """Any thread may use it."""

    def __init__(self, store: Store, history: History, lock: Lock | None = None) -> None:
        """lock: guards writing; hand in a threading.Lock where several threads write."""
        self._store = store
        self._history = history
        self._lock = nullcontext() if lock is None else lock
        self._newest: dict[str, Kept | None] = {}

    def follow(self, history: History) -> None:
        """A successor of the manifest is in force."""
        self._history = history
        self._newest.clear()

    def newest(self, origin: str) -> Kept | None:
        """The largest head of this log that is known to be witnessed. Read from memory from the second time on."""
        if origin not in self._newest:
            self._newest[origin] = next(self._kept(origin, reverse=True), None)
        return self._newest[origin]

    def size(self, origin: str) -> int:
        """Of that head's tree; 0 where there is none."""
        kept = self.newest(origin)
        return 0 if kept is None else kept.size

    def by(self, origin: str, time: int) -> Kept | None:
        """The largest head that was witnessed by a time, Unix seconds; known to the hour."""
        found = self._kept(origin, stop=time // HOUR + 1, reverse=True)
        return next((kept for kept in found if kept.time <= time), None)

    def all(self, origin: str) -> Iterator[Kept]:
        """Every head kept of this log, ascending."""
        return self._kept(origin)

    def notes(self) -> list[bytes]:
        """The largest of every log that is written under the manifest in force, for others; and of those that have
        ended lately, where it is beyond the end (entries there may count in a key ceremony: protocol section 5)."""
        manifest = self._history.current
        found = [self.newest(manifest.origin(member.name)) for member in manifest.members]
        for log in manifest.ended[-_ENDED_TOLD:]:
            kept = self.newest(log.origin(manifest.consortium.hex()))
            if kept is not None and kept.size > log.size:
                found.append(kept)
        return [kept.signed.note.encode() for kept in found if kept is not None]

    def add(self, note: bytes) -> Kept:
        """Verifies a note and keeps it where it tells anything new; what is known of the log then.

        Not synced: whoever loses it gets it again from others. Raises as `verify_witnessed_in`; Conflict where another
        head of the same size is known to be witnessed.
        """
        signed, manifest, member = verify_witnessed_in(note, self._history)
        return self.keep(signed, manifest, member)

    def keep(self, signed: SignedHead, manifest: Manifest, member: str) -> Kept:
        """The same for a head that has been verified."""
        origin = signed.head.origin
        with self._lock:
            known = self.newest(origin)
            if known is not None and known.size == signed.head.size:
                if known.signed != signed:
                    raise Conflict(known.signed, signed)
                if known.manifest == manifest:
                    # The earlier line of a cosigner counts: it shows the head to have been witnessed as early as that.
                    signed = merged(known.signed, signed)
            time = witnessed_at(signed, manifest, member)
            assert time is not None, "witnessed"
            fresh = Kept(signed, time, manifest, member)
            if known is not None and fresh.size < known.size:
                self._fill(fresh)
                return known
            if known is None or fresh.size > known.size or _adds(fresh, known):
                self._put(fresh)
                self._newest[origin] = fresh
            return self._newest[origin] or fresh

    def rotten(self, origin: str) -> Iterator[tuple[bytes, Unverified]]:
        """The stored notes of this log that are none, or lie under another hour than theirs: key, and why; the newest
        first."""
        for key, note in self._store.scan(_prefix(origin), prefix_end(_prefix(origin)), reverse=True):
            try:
                kept = self._open(note)
                if kept is None or kept.signed.head.origin != origin or key != _key(origin, kept.time // HOUR):
                    raise Unverified("BAD_WITNESSED", "a witnessed head is stored as that of another log or hour")
            except Unverified as error:
                yield key, error

    def discard(self, keys: Iterable[bytes]) -> None:
        """Throws stored notes away. The largest comes again from others."""
        with self._lock:
            self._store.write([(key, None) for key in keys])
            self._newest.clear()

    def heal(self, origin: str) -> Unverified | None:
        """Throws away what has rotted of the newest notes of this log, up to the first that has not; why, if any."""
        first: Unverified | None = None
        while True:
            try:
                self.newest(origin)
                return first
            except Unverified as error:
                first = first or error
                self.discard([next(self.rotten(origin))[0]])

    def conflict(self, log: Log, *others: SignedHead) -> Conflict | None:
        """Two witnessed heads of this log that cannot both be of one history, by what is held of it, if there are.

        others: verified as witnessed, and perhaps not kept. A head of another history than the one held conflicts with
        those of this history that are no smaller; a smaller one may be from before the two parted.
        """
        state = log.state
        heads = [*(kept.signed for kept in self._kept(log.origin)), *others]
        heads = [signed for signed in heads if signed.head.size <= state.size]
        good = [signed for signed in heads if state.tree.root_at(signed.head.size) == signed.head.root]
        bad = [signed for signed in heads if signed not in good]
        if not good or not bad:
            return None
        largest, smallest = max(good, key=_size), min(bad, key=_size)
        return Conflict(largest, smallest) if _size(smallest) <= _size(largest) else None

    def _fill(self, fresh: Kept) -> None:
        """An older head that is the largest of its hour."""
        before = next(self._kept(fresh.signed.head.origin, stop=fresh.time // HOUR + 1, reverse=True), None)
        if before is None or before.size < fresh.size:
            self._put(fresh)

    def _put(self, fresh: Kept) -> None:
        origin, hour = fresh.signed.head.origin, fresh.time // HOUR
        puts: list[Put] = [(_key(origin, hour), fresh.signed.note.encode())]
        # Clocks differ: a later hour may hold a head no larger than this one, which then tells nothing more.
        later = self._kept(origin, start=hour + 1)
        puts += [(_key(origin, kept.time // HOUR), None) for kept in later if kept.size <= fresh.size]
        self._store.write(puts, sync=False)

    def _kept(self, origin: str, start: int = 0, stop: int | None = None, *, reverse: bool = False) -> Iterator[Kept]:
        last = prefix_end(_prefix(origin)) if stop is None else _key(origin, stop)
        for _, note in self._store.scan(_key(origin, start), last, reverse=reverse):
            kept = self._open(note)
            if kept is not None:
                yield kept

    def _open(self, note: bytes) -> Kept | None:
        try:
            signed, manifest, member = verify_witnessed_in(note, self._history)
        except NotFound:  # a log of no manifest that is known here
            return None
        except PlimsollError as error:
            raise Unverified("BAD_WITNESSED", f"a stored witnessed head is none: {error.message}") from error
        time = witnessed_at(signed, manifest, member)
        assert time is not None, "witnessed"
        return Kept(signed, time, manifest, member)


class Conflict(Unverified):
    """Two heads of one log, both witnessed, of which neither extends the other."""

    def __init__(self, known: SignedHead, other: SignedHead) -> None:
        super().__init__("CONFLICTING_WITNESSES", f"two conflicting heads of {known.head.origin} have been witnessed")
        self.known = known
        self.other = other


class Collected:
    """One head of one's own log while others cosign it."""

    def __init__(self, note: bytes, manifest: Manifest, member: str) -> None:
        """note: the head with its author's own cosignature. Raises as `open_cosigned`."""
        self._manifest = manifest
        self._member = member
        self.signed = open_cosigned(note, manifest, member)

    @property
    def time(self) -> int | None:
        """By which it was witnessed; None while too few have cosigned."""
        return witnessed_at(self.signed, self._manifest, self._member)

    def opened(self, note: bytes) -> SignedHead:
        """What a member answered, verified; any thread. Raises as `open_cosigned`."""
        return open_cosigned(note, self._manifest, self._member)

    def add(self, answered: SignedHead) -> None:
        """One thread at a time. Raises InvalidInput for another head."""
        self.signed = merged(self.signed, answered)


def _size(signed: SignedHead) -> int:
    return signed.head.size


def _adds(fresh: Kept, known: Kept) -> bool:
    """Whether, of the same head, one tells of more cosigners or of an earlier time."""
    return fresh.time < known.time or len(fresh.signed.cosignatures) > len(known.signed.cosignatures)


def _prefix(origin: str) -> bytes:
    return WITNESSED + origin.encode() + b"\0"


def _key(origin: str, hour: int) -> bytes:
    return _prefix(origin) + encode_index(hour)
