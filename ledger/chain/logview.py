"""What the protocol's readers need of a log; `ledger.chain.log` and whatever stands in for it in tests provide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from ledger.errors import Unready
from ledger.queries.selection import Readable


class TreeView(Readable, Protocol):
    """One member's log as far as it is held here, every entry of it verified against a signed head."""

    @property
    def size(self) -> int:
        """How many entries are held."""

    def leaf_hash(self, index: int) -> bytes:
        """SHA-256(00 || entry)."""

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries."""


class LogView(TreeView, Protocol):
    """The same, with an index of kinds."""

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the entries of one kind (the name in `Entry`'s oneof), start .. stop - 1, ascending."""


AnyLog = TypeVar("AnyLog", bound=Readable)


def log_of(logs: Mapping[str, AnyLog], member: str) -> AnyLog:
    """The log of a member of the consortium. Raises Unready where it cannot be read here, for it is damaged."""
    log = logs.get(member)
    if log is None:
        raise Unready("NO_LOG", f"the log of {member} cannot be read here: it has to be fetched anew")
    return log
