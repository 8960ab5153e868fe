"""A member's record: its logs one after the other, as far as they count (protocol, 8).

Who writes a new log, because its key was changed or lost or the log had forked, goes on where the former one ended:
labels bind the member and a number, not a log. A *place* counts through the record: the first entries of each former
log, as many as the manifest says, then those of the log that is written now. Heads, roots and receipts are of one log
alone and know nothing of the others: an entry's index there is its place less the record's `offset`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.chain.logview import AnyLog, LogView, TreeView, log_of
from ledger.chain.replica_gap import LacksEntries
from ledger.consortium.ended import EndedLog
from ledger.consortium.manifest import Manifest
from ledger.errors import Unverified
from ledger.queries.selection import Readable


@dataclass(frozen=True, slots=True)
class Record:
    """log: the whole record. offset: how many entries the former logs have, which is the place of the next one."""

    log: Readable
    offset: int


class Joined:
    """The first so many entries of some logs, then all of another."""

    def __init__(self, former: Sequence[tuple[Readable, int]], current: Readable) -> None:
        """former: the logs in order, and how many of their entries count."""
        self._former = [(log, size) for log, size in former if size]
        self._current = current
        self.offset = sum(size for _, size in self._former)

    def find(self, label: bytes) -> int | None:
        """Place of the first entry with this label."""
        offset = 0
        for log, size in self._former:
            index = log.find(label)
            if index is not None and index < size:
                return offset + index
            offset += size
        index = self._current.find(label)
        return None if index is None else offset + index

    def entry(self, place: int) -> bytes:
        """The entry's bytes."""
        index = place
        for log, size in self._former:
            if index < size:
                return log.entry(index)
            index -= size
        return self._current.entry(index)


class Counting:
    """The same with an index of kinds, for quotas."""

    def __init__(self, former: Sequence[tuple[LogView, int]], current: LogView) -> None:
        self._former = former
        self._current = current

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Place and bytes of the entries of one kind, start .. stop - 1, ascending."""
        offset = 0
        for log, size in self._former:
            until = size if stop is None else min(size, max(0, stop - offset))
            for index, entry in log.entries_by_kind(kind, max(0, start - offset), until):
                yield offset + index, entry
            offset += size
        until_end = None if stop is None else max(0, stop - offset)
        for index, entry in self._current.entries_by_kind(kind, max(0, start - offset), until_end):
            yield offset + index, entry


def log_name(origin: str) -> str:
    """What logs are held under: "lender-4" for a member's first, "lender-4.2" for its second."""
    return origin.rpartition("/")[2]


def name_in(manifest: Manifest, member: str) -> str:
    """The name of the log that a member writes under this manifest. Raises NotFound."""
    return log_name(manifest.origin(member))


def current_log(manifest: Manifest, member: str, logs: Mapping[str, AnyLog]) -> AnyLog:
    """That log. Raises NotFound, Unready (NO_LOG)."""
    return log_of(logs, name_in(manifest, member))


def record_of(manifest: Manifest, member: str, logs: Mapping[str, AnyLog]) -> Record:
    """A member's record under this manifest. logs: by name. Raises NotFound, Unready (NO_LOG)."""
    current = current_log(manifest, member, logs)
    former = manifest.former_logs(member)
    if not former:
        return Record(current, 0)
    joined = Joined(_held(former, logs), current)
    return Record(joined, joined.offset)


def counted_of(manifest: Manifest, member: str, logs: Mapping[str, LogView]) -> LogView | Counting:
    """The same record, to count quotas in."""
    current = current_log(manifest, member, logs)
    former = manifest.former_logs(member)
    return Counting(_held(former, logs), current) if former else current


def offset_of(manifest: Manifest, member: str) -> int:
    """The place of the first entry of the log that this member writes now."""
    return sum(log.size for log in manifest.former_logs(member))


def origins_of(manifest: Manifest, member: str) -> tuple[tuple[str, int], ...]:
    """Of which logs, by origin, a member's record consists, and the place of the first entry of each."""
    found, place = [], 0
    for log in manifest.former_logs(member):
        found.append((log.origin(manifest.consortium.hex()), place))
        place += log.size
    return (*found, (manifest.origin(member), place))


def check_ended(ended: EndedLog, logs: Mapping[str, TreeView]) -> None:
    """That a log that has ended is held as far as it counts, and is the one the manifest means.

    Raises LacksEntries, Unready (NO_LOG), Unverified (OTHER_ROOT).
    """
    if not ended.size:
        return
    log = log_of(logs, ended.name)
    if log.size < ended.size:
        raise LacksEntries.of(ended.name, ended.size)
    if log.root_at(ended.size) != ended.root:
        raise Unverified("OTHER_ROOT", f"the log {ended.name} has another root where it ended", "manifest")


def _held(former: Sequence[EndedLog], logs: Mapping[str, AnyLog]) -> list[tuple[AnyLog, int]]:
    return [(log_of(logs, log.name), log.size) for log in former if log.size]
