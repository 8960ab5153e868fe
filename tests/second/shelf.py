"""The logs of a folder as they are held against their heads (protocol section 24, A1 to A4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from tests.second import folder, head, note, succession, witness
from tests.second.entry import Entry
from tests.second.log import Log
from tests.second.manifest import Consortium, Ended
from tests.second.record import log_name
from tests.second.refusal import Refused, require


@dataclass(frozen=True)
class Finding:
    """index: of the first bad entry; None where it is about none. member: "" where nobody can be named."""

    member: str
    index: int | None
    code: str
    detail: str = ""


@dataclass(frozen=True)
class Claim:
    """A head that holds. witnessed: when it was; None where it was not."""

    head: head.Head
    raw: bytes
    witnessed: int | None


@dataclass
class OneLog:
    """One log. log: None where it does not hold. frozen: evidence against it was found."""

    member: str
    key: note.Key
    ended: Ended | None
    log: Log | None = None
    claims: list[Claim] = field(default_factory=list)
    in_doubt: bool = False
    frozen: bool = False

    @property
    def name(self) -> str:
        return log_name(self.key.name)

    @property
    def settled(self) -> int | None:
        """The size of its largest witnessed head."""
        return max((claim.head.size for claim in self.claims if claim.witnessed is not None), default=None)

    def kinds(self) -> dict[str, int]:
        """How many entries there are of each; "ignored" are those that are not sound, or of a kind not known."""
        return dict(Counter(entry.kind if entry else "ignored" for entry in (self.log.entries if self.log else ())))

    def root(self, size: int) -> bytes | None:
        return self.log.root(size) if self.log is not None and size <= len(self.log) else None

    def entries(self, kind: str) -> Iterator[Entry]:
        return (each for each in (self.log.entries if self.log else ()) if each and each.kind == kind)


class Shelf:
    """All of them, with what is wrong. Refused where the lineage does not hold."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.lineage = folder.read_file(where / "lineage", folder.MOST_LINEAGE)
        self.manifests = succession.lineage(self.lineage)
        self.current = self.manifests[-1]
        self.findings: list[Finding] = []
        self.unchecked: list[Finding] = []
        self.logs = {held.key.name: held for held in self._logs()}
        self._claim()
        for held in self.logs.values():
            self._read(held)

    @property
    def verdict(self) -> str:
        return "bad" if self.findings else "incomplete" if self.unchecked else "ok"

    @property
    def first_bad(self) -> dict[str, int | None]:
        """By member, the smallest index that is bad."""
        first: dict[str, int | None] = {}
        for found in self.findings:
            known = first.setdefault(found.member, found.index)
            if found.index is not None and (known is None or found.index < known):
                first[found.member] = found.index
        return first

    def find(self, member: str, index: int | None, refused: Refused) -> None:
        self.findings.append(Finding(member, index, refused.code, str(refused)))

    def _logs(self) -> Iterator[OneLog]:
        for name in self.current.names:
            yield OneLog(name, self.current.log_key(name), None)
        for ended in self.current.ended:
            suffix = "" if ended.number == 1 else f".{ended.number}"
            origin = f"plimsoll/{self.current.founding.hex()}/{ended.member}{suffix}"
            yield OneLog(ended.member, note.Key(origin, note.ED25519, ended.log_key), ended)

    def _claim(self) -> None:
        for path in sorted([*self.where.glob("*/checkpoint"), *self.where.glob("*/witnessed")]):
            raw = folder.read_file(path, folder.MOST_NOTE)
            origin = raw.partition(b"\n")[0].decode("utf-8", "replace")
            held = self.logs.get(origin)
            try:
                require(held, "UNKNOWN_LOG", origin)
                assert held is not None
                held.claims.append(self.opened(held, raw))
            except Refused as refused:
                self.find(held.member if held else "", None, refused)

    def seats(self, held: OneLog) -> Iterator[tuple[Consortium, list[note.Key], int]]:
        """The manifests under which the log is its author's: all members' cosigning keys, and the author's place."""
        for one in self.manifests:
            if held.member in one.names and one.origin(held.member) == held.key.name:
                keys = [witness.cosigner_key(one.origin(each.name), each.cosign_key) for each in one.members]
                yield one, keys, one.names.index(held.member)

    def opened(self, held: OneLog, raw: bytes) -> Claim:
        opened, times = head.open_head(raw, held.key), []
        for _, keys, own in self.seats(held):
            cosigned = head.open_head(raw, held.key, keys).cosigned
            by = sorted(time for key, time in cosigned.items() if key != keys[own])
            needed = len(keys) // 2 + 1
            times += [by[needed - 1]] if len(by) >= needed else []
        return Claim(opened, raw, min(times, default=None))

    # -- entries

    def _read(self, held: OneLog) -> None:
        """The log, if all of it is as its author has signed."""
        try:
            raw = folder.read_file(self.where / held.name / "checkpoint", folder.MOST_NOTE)
        except Refused as refused:
            if held.ended is None or held.ended.size:
                self.doubt(held, 0, refused)
            return
        try:
            signed = head.open_head(raw, held.key)
            entries = folder.Tiles(self.where / held.name, signed.size).entries()
            log = Log(held.key.name, entries)
            require(log.root(signed.size) == signed.root, "ROOT_MISMATCH")
            held.log = log
        except folder.InDoubt as refused:
            self.doubt(held, refused.index, refused)
        except Refused as refused:
            self.doubt(held, 0, refused)

    def doubt(self, held: OneLog, index: int | None, refused: Refused) -> None:
        held.in_doubt = True
        self.find(held.member, index, refused)

    def compare(self, held: OneLog) -> None:
        """With where it ended, and with the heads that lie in the folder."""
        if held.log is None:
            return
        ended = held.ended
        if ended and len(held.log) < ended.size:
            self.doubt(held, len(held.log), Refused("TRUNCATED"))
        elif ended and held.log.root(ended.size) != ended.root:
            self.doubt(held, None, Refused("OTHER_ROOT"))
        for claim in held.claims:
            root = held.root(claim.head.size)
            if root is None:
                self.unchecked.append(Finding(held.member, None, "TRUNCATED", "more has been witnessed"))
            elif root != claim.head.root and not (held.frozen and ended):
                self.doubt(held, None, Refused("FORK", "a head of another history"))
        self._conflicts(held)

    def _conflicts(self, held: OneLog) -> None:
        assert held.log is not None
        known = {claim.raw: claim for claim in held.claims if claim.witnessed is not None}.values()
        for one, other in combinations(known, 2):
            fits = [held.root(each.head.size) == each.head.root for each in (one, other)]
            right, wrong = (one, other) if fits[0] else (other, one)
            apart = fits[0] != fits[1] and wrong.head.size <= right.head.size
            if apart or (one.head.size == other.head.size and one.head.root != other.head.root):
                self.doubt(held, None, Refused("CONFLICTING_WITNESSES"))
