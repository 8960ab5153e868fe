"""A member's logs one after the other, and what is known of a consortium (protocol section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from tests.second.entry import Entry, read
from tests.second.group import Point
from tests.second.log import Log
from tests.second.manifest import Consortium, Ended
from tests.second.refusal import Refused, require


def log_name(origin: str) -> str:
    return origin.split("/")[2]


class Record:
    """Places count through all logs; `offset` is the place of the first entry of the one that is written."""

    def __init__(self, former: list[tuple[Log, int]], current: Log) -> None:
        parts = [log.raw[:size] for log, size in former]
        self.offset = sum(map(len, parts))
        self.entries: list[Entry | None] = [
            read(raw, place) for place, raw in enumerate(raw for part in [*parts, current.raw] for raw in part)
        ]

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def places(self) -> dict[bytes, int]:
        """Label to the place of the first entry that carries it."""
        places: dict[bytes, int] = {}
        for entry in self.entries:
            if entry and entry.label is not None:
                places.setdefault(entry.label, entry.index)
        return places

    def at(self, place: int) -> Entry:
        entry = self.entries[place]
        if entry is None:
            raise Refused("BAD_ENTRY", str(place))
        return entry


@dataclass(frozen=True)
class World:
    """What a verifier knows: the manifest that is asked under, all logs by name, X_0 .. X_6, all manifests in order."""

    consortium: Consortium
    logs: Mapping[str, Log]
    public_keys: tuple[Point, ...]
    manifests: tuple[Consortium, ...] = ()

    @property
    def chain(self) -> tuple[Consortium, ...]:
        """The manifests from the founding one to the one in question."""
        known = self.manifests or (self.consortium,)
        return known[: known.index(self.consortium) + 1]

    def under(self, identity: bytes) -> World:
        """The same under another manifest."""
        found = [one for one in (*self.manifests, self.consortium) if one.id == identity]
        require(found, "OTHER_MANIFEST")
        return replace(self, consortium=found[0])

    def former(self, member: str) -> list[Ended]:
        return [ended for ended in self.consortium.ended if ended.member == member]

    def log(self, member: str) -> Log:
        """The one it writes."""
        return self.logs[log_name(self.consortium.origin(member))]

    def ended_log(self, ended: Ended) -> Log:
        """Of which the first entries count."""
        log = self.logs[ended.member if ended.number == 1 else f"{ended.member}.{ended.number}"]
        require(len(log) >= ended.size and log.root(ended.size) == ended.root, "OTHER_ROOT", "an ended log")
        return log

    def record(self, member: str) -> Record:
        return Record([(self.ended_log(ended), ended.size) for ended in self.former(member)], self.log(member))
