"""The logs that transcripts speak of, read over a source, with as little kept of them as it takes.

A log is read through, however long it is, and of it are kept: roots and leaf hashes at the places that transcripts
name, and where certain labels first stand. Which labels can matter follows from a full transcript's query key: those of
its borrower, by number. Numbers are probed upwards (docs/protocol.md, section 6), never beyond twice a number that is
there; so the first few are watched for. Where one was asked for that was not, a challenge's label (section 19) among
them, it is taken not to be there, and afterwards the log is read again and the verification begun anew. What is kept
thus grows with what the logs have about these borrowers, not with the logs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from client.audit.reading import receipts
from client.audit.reading.digest import CEREMONY
from client.audit.reading.follower import Follower
from client.audit.reading.kept import CeremonyEntries
from client.audit.reading.logs import LogId
from client.audit.reading.one_log import Progress
from client.audit.reading.source import Source
from client.audit.reading.tiles import Tiles
from ledger.borrower.labels import Labels, QueryKeys
from ledger.ceremony import CeremonyEntry
from ledger.chain.entries import Kind, file_entry
from ledger.challenges.challenged import MAX_COUNTED
from ledger.errors import InvalidInput, NotFound, Unverified
from ledger.tlog.checkpoint import Head

#: Numbers of labels that are watched for at first.
WATCHED = 512


class Further(Exception):
    """A log has to be read again, for it was not known that this would be asked. No PlimsollError: who verifies must
    not take it for a failure."""

    def __init__(self, log: ShelfLog) -> None:
        super().__init__("read again")
        self.log = log


class Watch:
    """Where certain labels first stand in one log: the first of each borrower's, and others that were asked for."""

    def __init__(self, borrowers: Iterable[QueryKeys], member: str) -> None:
        self._series: list[Labels] = []
        for keys in borrowers:
            self._series += [keys.positions(member), keys.inquiries(member)]
        self._numbers = WATCHED
        self._others: set[bytes] = set()
        self._places: dict[bytes, int | None] = {}
        self.missed: set[bytes] = set()

    def __len__(self) -> int:
        """How many labels are watched for."""
        return len(self._places)

    def __bool__(self) -> bool:
        return bool(self._series or self._others)

    def reset(self) -> None:
        """Forgets what was found; watches for what was missed, too."""
        if self.missed:
            further = {each(number) for each in self._series for number in range(self._numbers, 2 * self._numbers + 1)}
            if further & self.missed:
                self._numbers = 2 * self._numbers + 1
            self._others |= self.missed - further
            self.missed = set()
        labels = (labels(number) for labels in self._series for number in range(self._numbers))
        self._places = dict.fromkeys(labels) | dict.fromkeys(self._others)

    def take(self, label: bytes, index: int) -> None:
        """An entry with this label."""
        if label in self._places and self._places[label] is None:
            self._places[label] = index

    def find(self, label: bytes) -> int | None:
        """Where it first stands. Of one that is not watched for nobody knows: it is noted as missed."""
        if label not in self._places:
            self.missed.add(label)
        return self._places.get(label)


class ShelfLog:
    """One log, as the verification of transcripts needs it (logview.TreeView). Raises Further where it asks for
    what was not kept."""

    def __init__(
        self,
        source: Source,
        log: LogId,
        borrowers: Sequence[QueryKeys],
        ceremonies: frozenset[bytes],
        anchor: Head | None,
    ) -> None:
        """ceremonies: the ids of those of which entries are kept. anchor: what has been verified of it before."""
        self.id = log
        self.sizes: set[int] = set() if anchor is None else {anchor.size}
        self.indices: set[int] = set()
        self._source = source
        self._ceremonies = ceremonies
        self._anchor = anchor
        self._watch = Watch(borrowers, log.member)
        self._stops: dict[int, tuple[int, ...]] = {}
        self._challenges: deque[int] = deque(maxlen=MAX_COUNTED)
        self._follower = Follower(log.key)
        self._found = CeremonyEntries(log.member, ceremonies)

    def read(self, progress: Progress) -> None:
        """Reads all of it. Raises PlimsollError."""
        self._watch.reset()
        self._challenges.clear()
        tiled = isinstance(self._source, Tiles)
        follower = self._follower = Follower(self.id.key, self.sizes, self.indices, at_end=tiled)
        self._found = CeremonyEntries(self.id.member, self._ceremonies)
        try:
            for block in self._source.read(self.id.origin):
                taken = follower.take(block)
                self._file(taken.start, taken.entries)
                progress(f"transcripts: {self.id.name}", follower.size, follower.size)
        except NotFound:
            if self.id.ended is None or self.id.ended.size:
                raise
        self._check_anchor()

    def _check_anchor(self) -> None:
        if self._anchor is None or (self.id.ended is not None and self.id.ended.size < self._anchor.size):
            return  # what was seen behind an end nobody has to keep
        if self._follower.root_at(self._anchor.size) != self._anchor.root:
            raise Unverified("FORK", f"{self.id.name}, read again, is not the same log")

    def _file(self, start: int, entries: Sequence[bytes]) -> None:
        if not self._watch and not self._ceremonies:
            return
        stops = sorted(stop for stop in self._stops if start <= stop <= start + len(entries))
        for index, entry in enumerate(entries, start):
            while stops and stops[0] == index:
                self._stops[stops.pop(0)] = tuple(self._challenges)
            code, label = file_entry(entry)
            if label is not None:
                self._watch.take(label, index)
                if code == Kind.CHALLENGE:
                    self._challenges.append(index)
            elif code in CEREMONY and self._ceremonies:
                self._found.take(index, entry)
        for stop in stops:
            self._stops[stop] = tuple(self._challenges)

    @property
    def ceremony(self) -> Sequence[CeremonyEntry]:
        """Its entries of key ceremonies, where these were asked for."""
        return self._found.entries

    @property
    def size(self) -> int:
        """How many entries were read."""
        return self._follower.size

    def root_at(self, size: int) -> bytes:
        """The root at a size that has been read. Raises InvalidInput for others."""
        if size > self.size:
            raise InvalidInput("BAD_SIZE", f"{self.id.name} has {self.size} entries", "size")
        root = self._follower.root_at(size)
        if root is None:
            self.sizes.add(size)
            raise Further(self)
        return root

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash at an index that has been read. Raises InvalidInput for others."""
        if index >= self.size:
            raise InvalidInput("BAD_INDEX", f"{self.id.name} has {self.size} entries", "index")
        leaf = self._follower.leaf(index)
        if leaf is None:
            self.indices.add(index)
            raise Further(self)
        return leaf

    @property
    def is_provisional(self) -> bool:
        """Whether labels were asked for that had not been watched for, and were taken not to be there."""
        return bool(self._watch.missed)

    def known_root(self, size: int) -> bytes | None:
        """The root at a size, where it is known."""
        return self._follower.root_at(size)

    def find(self, label: bytes) -> int | None:
        """Index of the first entry with this label, as far as is known: see `is_provisional`."""
        return self._watch.find(label)

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The newest 256 challenges below `stop`, which is as many as anybody counts; without their bytes."""
        assert kind == "challenge", "nothing else is asked for"
        end = self.size if stop is None else stop
        if end not in self._stops:
            self._stops[end] = ()
            raise Further(self)
        return ((index, b"") for index in self._stops[end] if start <= index)

    def entry(self, index: int) -> bytes:
        """An entry's bytes, fetched and verified anew: they are not kept."""
        return receipts.fetch_entry(self._source, self.id.key, self._follower, index)
