"""One member's log as a verifier holds it: entries, roots and the places of labels (protocol sections 3, 4 and 6)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from tests.second import merkle
from tests.second.entry import Entry, read
from tests.second.refusal import require


class Log:
    def __init__(self, origin: str, entries: Iterable[bytes]) -> None:
        self.origin = origin
        self.raw = list(entries)
        require(all(1 <= len(raw) <= 65_535 for raw in self.raw), "BAD_ENTRY", "length")
        self.entries: list[Entry | None] = [read(raw, index) for index, raw in enumerate(self.raw)]
        self._roots: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self.raw)

    @cached_property
    def leaves(self) -> list[bytes]:
        return [merkle.leaf_hash(raw) for raw in self.raw]

    def root(self, size: int) -> bytes:
        require(0 <= size <= len(self), "NOT_IN_LOG", f"{self.origin} has no size {size}")
        if size not in self._roots:
            self._roots[size] = merkle.root(self.leaves[:size])
        return self._roots[size]

    @cached_property
    def places(self) -> dict[bytes, int]:
        """Label to the index of the first entry that carries it."""
        places: dict[bytes, int] = {}
        for entry in self.entries:
            if entry and entry.label is not None:
                places.setdefault(entry.label, entry.index)
        return places

    def at(self, index: int) -> Entry:
        entry = self.entries[index]
        require(entry, "BAD_ENTRY", f"{self.origin} {index}")
        assert entry is not None
        return entry
