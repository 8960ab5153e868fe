"""The release rule over one member's inquiries about one borrower, as logs and manifests have them (section 10).

Written down as the page has it, every verdict from all that is before it; slow, and without any memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.second import challenged, merkle, release
from tests.second.entry import Entry
from tests.second.manifest import Consortium
from tests.second.record import World, log_name
from tests.second.refusal import Refused, require
from tests.second.selection import MOST_CONTRIBUTORS, heads_digest, select

DAY = release.DAY
# An inquiry that nobody answers, and one whose row cannot be worked out, on which nothing depends.
BEHIND, UNKNOWN = "BEHIND", "UNKNOWN"


@dataclass(frozen=True)
class Counted:
    """An inquiry that is not void, under the manifest it names."""

    entry: Entry
    manifest: Consortium
    querier: str

    @property
    def written(self) -> dict[str, int]:
        """By origin, but for the querier's own log: its sizes."""
        sizes = zip(self.manifest.names, self.entry.body.sizes, strict=True)
        return {self.manifest.origin(name): size for name, size in sizes if name != self.querier}

    @property
    def frozen(self) -> set[str]:
        names = {self.manifest.names[place] for place in self.entry.body.frozen} - {self.querier}
        return set(map(self.manifest.origin, names))

    def counts(self, origin: str) -> int:
        """How much of a log."""
        if origin in self.written:
            return self.written[origin]
        for ended in self.manifest.ended:
            suffix = "" if ended.number == 1 else f".{ended.number}"
            if f"plimsoll/{self.manifest.founding.hex()}/{ended.member}{suffix}" == origin:
                return ended.size
        return 0

    def live(self, origin: str) -> bool:
        return origin in self.written and origin not in self.frozen

    @property
    def since(self) -> int:
        days: int = self.manifest.policy["differencing_days"]
        return self.entry.time - DAY * days


class Replay:
    """`entries`: the inquiries 0 .. n; n is to be answered, under the world's manifest."""

    def __init__(self, world: World, querier: str, query_key: bytes, entries: Sequence[Entry]) -> None:
        self._world, self._querier, self._query_key = world, querier, query_key
        self._asked = [self._counted(entry) for entry in entries]
        self._last = len(entries) - 1
        self._codes: list[str] = []
        self._rows: list[frozenset[str] | None] = []
        # Those that are considered, and those of them that have a row, known or not.
        self._considered: list[int] = []
        self._with_row: list[int] = []

    def outcome(self) -> str:
        """The verdict on the last: "" or why amounts are withheld. Refused where nobody answers it."""
        for number in range(len(self._asked)):
            self._rows.append(None)
            self._codes.append(self._outcome(number))
        return self._codes[-1]

    def _counted(self, entry: Entry) -> Counted | None:
        if entry.kind != "inquiry":
            return None
        named = [one for one in self._world.chain if one.id == entry.body.manifest]
        require(named, "OTHER_MANIFEST")
        return Counted(entry, named[0], self._querier) if len(entry.body.sizes) == len(named[0].members) else None

    def _outcome(self, number: int) -> str:
        this = self._asked[number]
        if this is None:
            return release.VOID
        if self._beyond_quota(number, this):
            return self._refused(number, release.QUOTA)
        behind = self._behind(this)
        if behind:
            return self._refused(number, behind)
        self._considered.append(number)
        if this.entry.body.conflicting:
            return release.CONFLICTING
        if self._lost(this):
            return release.FROZEN
        self._with_row.append(number)
        row = self._row(this)
        if row is None:
            return UNKNOWN
        self._rows[number] = row
        policy = this.manifest.policy
        rule = release.Rule(policy["min_contributors"], policy["differencing_days"], policy["queries_per_borrower"])
        window = [
            known
            for k, (code, known) in enumerate(zip(self._codes, self._rows, strict=False))
            if code == "" and known and self._time(k) > this.since
        ]
        return rule.verdict(window, row)

    def _refused(self, number: int, code: str) -> str:
        if number == self._last:
            raise Refused(code)
        return BEHIND

    def _time(self, number: int) -> int:
        asked = self._asked[number]
        assert asked is not None
        return asked.entry.time

    def _of(self, numbers: Sequence[int]) -> list[Counted]:
        return [asked for number in numbers if (asked := self._asked[number]) is not None]

    def _beyond_quota(self, number: int, this: Counted) -> bool:
        counted = [one for one in self._asked[: number + 1] if one and one.entry.time > this.entry.time - DAY]
        most: int = this.manifest.policy["queries_per_borrower"]
        return len(counted) > most

    def _behind(self, this: Counted) -> str:
        for earlier in self._of(self._considered):
            if earlier.manifest.sequence > this.manifest.sequence:
                return "OTHER_MANIFEST"
        for earlier in self._of(self._considered):
            if any(origin in this.written and origin not in this.frozen for origin in earlier.frozen):
                return release.FROZEN
        for earlier in self._of(self._with_row):
            if any(this.live(origin) and size > this.counts(origin) for origin, size in earlier.written.items()):
                return "HEADS_WENT_BACK"
        return ""

    def _lost(self, this: Counted) -> bool:
        for earlier in self._of(self._with_row):
            if earlier.entry.time <= this.since:
                continue
            if any(size > this.counts(origin) for origin, size in earlier.written.items()):
                return True
            if not all(map(this.live, earlier.written)) and not self._is_of_these_trees(earlier):
                return True
        return False

    def _within_the_last(self, this: Counted) -> bool:
        """Whether the inquiry to be answered counts all that this one was about."""
        last = self._asked[self._last]
        assert last is not None
        return all(size <= last.counts(origin) for origin, size in this.written.items())

    def _is_of_these_trees(self, this: Counted) -> bool:
        if not self._within_the_last(this):
            return True  # then it is lost to the last one for its size, or nothing depends on it
        heads = []
        for name, size in zip(this.manifest.names, this.entry.body.sizes, strict=True):
            origin = this.manifest.origin(name)
            if name == self._querier and size > self._own_until(origin, this.entry.index):
                return False
            root = self._world.logs[log_name(origin)].root(size) if size else merkle.EMPTY_ROOT
            heads.append((origin, size, root))
        digest: bytes = this.entry.body.heads_digest
        return heads_digest(heads) == digest

    def _own_until(self, origin: str, place: int) -> int:
        last = self._asked[self._last]
        assert last is not None
        if origin == self._world.consortium.origin(self._querier):
            return place - self._world.record(self._querier).offset
        return last.counts(origin)

    def _row(self, this: Counted) -> frozenset[str] | None:
        if not self._within_the_last(this):
            return None
        body, world = this.entry.body, self._world.under(this.manifest.id)
        sizes = [
            0 if name == self._querier else size for name, size in zip(this.manifest.names, body.sizes, strict=True)
        ]
        own = challenged.own_before(self._world, self._querier, this.manifest, this.entry.index)
        by = challenged.challengers(world, body.sizes, body.settled, self._querier, own)
        records = select(world, self._query_key, sizes, this.entry.time, body.epoch, (), by).records
        row = frozenset(record.member for record in records) - {self._querier}
        return row if len(row) <= MOST_CONTRIBUTORS else frozenset()
