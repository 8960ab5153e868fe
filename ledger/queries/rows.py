"""What an inquiry adds up, and whose records an earlier one did, as far as that can be told (protocol, 8 and 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.borrower.labels import QueryKeys
from ledger.chain.logview import LogView, log_of
from ledger.challenges.challenged import Challenger, Doubts, Prover, bands_of
from ledger.consortium.history import History
from ledger.consortium.joined import check_ended, current_log, log_name, name_in, offset_of, origins_of, record_of
from ledger.consortium.manifest import Manifest
from ledger.positions.digits import MAX_CONTRIBUTORS
from ledger.queries.inquiry import Inquiry, heads_digest
from ledger.queries.release import Look, Step
from ledger.queries.selection import RecordVerifier, Selection, Tree, select
from ledger.queries.span import Row
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head


@dataclass(frozen=True, slots=True)
class Now:
    """The inquiry to be answered: all rows are worked out from what it fixes."""

    manifest: Manifest
    querier: str
    step: Step


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier one of the same querier, under the manifest it names. place: in the querier's record."""

    manifest: Manifest
    inquiry: Inquiry
    step: Step
    place: int


class Rows:
    """Good for one inquiry."""

    def __init__(
        self,
        history: History,
        verifier: RecordVerifier,
        prover: Prover,
        now: Now,
        keys: QueryKeys,
        logs: Mapping[str, LogView],
    ) -> None:
        """logs: by name, those that have ended included."""
        self._history = history
        self._verifier = verifier
        self._prover = prover
        self._now = now
        self._keys = keys
        self._logs = logs
        self._checked: set[str] = set()

    def look(self, earlier: Earlier) -> Look:
        """The row of an earlier inquiry, if what it was about counts now. Raises as `select`."""
        if not self._now.step.holds(earlier.step):
            return Look(None)
        querier = self._now.querier
        row = self.row(self.select(earlier.manifest, earlier.inquiry, earlier.place, without=querier))
        if all(map(self._now.step.is_live, earlier.step.sizes)):
            return Look(row)
        return Look(row, astray=not self._is_of_these_trees(earlier))

    def select(self, manifest: Manifest, inquiry: Inquiry, place: int, without: str = "") -> Selection:
        """What an inquiry at this place of the querier's record adds up; without: a member that is left aside.

        Raises LacksEntries, Unready (NO_LOG), Unverified (OTHER_ROOT) where a log that has ended is not held.
        """
        trees = []
        for seat, (member, size) in enumerate(zip(manifest.members, inquiry.sizes, strict=True)):
            if member.name == without:
                continue
            for name in (name_in(manifest, member.name), *(log.name for log in manifest.former_logs(member.name))):
                self.check_ended(name)
            record = record_of(manifest, member.name, self._logs)
            logs = origins_of(manifest, member.name)
            trees.append(Tree(member.name, record.log, record.offset + size, seat in inquiry.conflicting, logs))
        doubts = self._doubts(manifest, inquiry, place)
        return select(self._keys, trees, inquiry.time, inquiry.epoch, self._verifier, doubts)

    def _doubts(self, manifest: Manifest, inquiry: Inquiry, place: int) -> Doubts | None:
        """The challenges that count. Of the querier's own log only what is before the inquiry is settled."""
        if not any(inquiry.settled):
            return None
        challengers = []
        for member, size, settled in zip(manifest.members, inquiry.sizes, inquiry.settled, strict=True):
            until = size
            if member.name == self._now.querier:
                until = min(size, self._own_before(manifest.origin(member.name), place))
            log = current_log(manifest, member.name, self._logs)
            challengers.append(Challenger(member.name, log, until, min(settled, until)))
        return Doubts(challengers, self._prover, bands_of(manifest))

    def _own_before(self, origin: str, place: int) -> int:
        """How many entries of one of the querier's logs stand before that place of its record."""
        manifest, querier = self._now.manifest, self._now.querier
        first = dict(origins_of(manifest, querier)).get(origin, place)
        before = max(0, place - first)
        return before if origin == manifest.origin(querier) else min(before, self._now.step.counts(origin))

    def row(self, selection: Selection) -> Row:
        """The contributors without the querier; nobody where there are too many, as nobody answers that."""
        contributors = {contribution.member for contribution in selection.contributions} - {self._now.querier}
        if len(contributors) > MAX_CONTRIBUTORS:
            return 0
        return sum(1 << self._history.seat(member) for member in contributors)

    def check_ended(self, name: str) -> None:
        """That a log is held as far as it counts, if it has ended; once for each."""
        if name not in self._checked:
            for log in self._now.manifest.ended:
                if log.name == name:
                    check_ended(log, self._logs)
            self._checked.add(name)

    def _is_of_these_trees(self, earlier: Earlier) -> bool:
        """Whether the heads that it fixed, at sizes that count now, are those of the logs held."""
        heads = []
        for member, size in zip(earlier.manifest.members, earlier.inquiry.sizes, strict=True):
            origin = earlier.manifest.origin(member.name)
            if member.name == self._now.querier and size > self._own_until(origin, earlier.place):
                return False
            root = log_of(self._logs, log_name(origin)).root_at(size) if size else merkle.EMPTY_ROOT
            heads.append(Head(origin, size, root))
        return heads_digest(heads) == earlier.inquiry.heads_digest

    def _own_until(self, origin: str, place: int) -> int:
        """How much of one of the querier's logs is settled: up to that inquiry itself, or to where the log ended."""
        manifest, querier = self._now.manifest, self._now.querier
        if origin == manifest.origin(querier):
            return place - offset_of(manifest, querier)
        return self._now.step.counts(origin)
