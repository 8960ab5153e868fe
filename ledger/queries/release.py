"""Which sums may be told: the release rule, replayed over the querier's earlier inquiries (protocol, 10).

What is known about a borrower's inquiries up to number n is a `Standing`, a pure function of the logs: each follows
from the one before it. So every custodian reaches the same verdict, in whatever order it is asked, and after a restart.

Logs end and are frozen, and what was beyond may be held by some and not by others; yet the rule needs the row of every
inquiry it looks back on. That it never needs one that not everybody can work out is shown here, once. Say that an
inquiry *counts* so much of a log: its size of a log that is written, frozen or not; what the manifest it names says of
one that has ended; nothing of any other. A log is *live* in it if it is its member's and not frozen. The querier's own
logs are left aside throughout: a row is without its column.

- `gone_back`: whoever counts less of a live log than an inquiry with a row did gets no answer and has no row.
- `_lost`: whoever counts less of any other log than an inquiry with a row within its window did, gets no amounts, and
  has no row. Both are told by sizes alone.
- So the rows that the verdict on inquiry I depends on are all over what I counts. For those in I's window that is what
  the two rules say. Let K be one of these, and D in the window of K, so that the verdict on K depends on D's row: as K
  has a row, D's trees are within what K counts; what K counts of a log is within what I counts, for K itself is in I's
  window, and a log that had ended under K's manifest has ended so under I's. And so on, back to the first.
- What I counts is fixed by I's heads and by its manifest, and every custodian has verified that it holds just that.

Trees of one size may still be of two branches of a log that has forked. Hence the digest: an inquiry in the window that
speaks of a log that is not live any more counts as lost, too, where the trees held here are not those it fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from heapq import nlargest

from ledger.consortium.manifest import Manifest
from ledger.consortium.policy import Policy
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.span import Row, isolates

FEW_CONTRIBUTORS = "FEW_CONTRIBUTORS"
DIFFERENCING = "DIFFERENCING"
FROZEN = "FROZEN"
CONFLICTING_WITNESSES = "CONFLICTING_WITNESSES"
WITHHELD = (FEW_CONTRIBUTORS, DIFFERENCING, FROZEN, CONFLICTING_WITNESSES)
# Verdicts that no answer ever carries, as such an inquiry gets none.
QUOTA = "QUOTA"
VOID = "VOID"
HEADS_WENT_BACK = "HEADS_WENT_BACK"
OTHER_MANIFEST = "OTHER_MANIFEST"
# Not a verdict: the row cannot be worked out from what is held, and nothing that is answered depends on it.
UNKNOWN = "UNKNOWN"

Reached = tuple[int, tuple[str, ...], tuple[int, ...]]
"""Of an inquiry with a row: time, origins, and how much of each it was about. Many are remembered, hence no mapping."""


@dataclass(frozen=True, slots=True)
class Step:
    """An inquiry as the rule sees it, under the manifest it names.

    time: Unix seconds. sequence: the manifest's. sizes: by origin, of the members' logs but the querier's own, as its
    column is struck out whatever it holds. frozen: origins among these. ended: by origin, how much counts of the logs
    that have ended. conflicting: whether it names conflicting witnesses.
    """

    time: int
    policy: Policy
    sizes: Mapping[str, int]
    frozen: frozenset[str] = frozenset()
    ended: Mapping[str, int] = field(default_factory=dict)
    conflicting: bool = False
    sequence: int = 0

    @classmethod
    def of(cls, manifest: Manifest, querier: str, inquiry: Inquiry) -> Step:
        """inquiry: of `querier`, with one size for each of the manifest's members."""
        origins = [manifest.origin(member.name) for member in manifest.members]
        others = [member.name != querier for member in manifest.members]
        return cls(
            inquiry.time,
            manifest.policy,
            {origin: size for origin, size, other in zip(origins, inquiry.sizes, others, strict=True) if other},
            frozenset(origins[place] for place in inquiry.frozen if others[place]),
            {log.origin(manifest.consortium.hex()): log.size for log in manifest.ended},
            bool(inquiry.conflicting),
            manifest.sequence,
        )

    def counts(self, origin: str) -> int:
        """How many entries of a log count."""
        return self.sizes.get(origin, self.ended.get(origin, 0))

    def is_live(self, origin: str) -> bool:
        """Whether a member writes this log, and it is not frozen."""
        return origin in self.sizes and origin not in self.frozen

    def holds(self, other: Step) -> bool:
        """Whether all that the other inquiry was about counts here too."""
        return all(size <= self.counts(origin) for origin, size in other.sizes.items())

    def is_behind(self, other: Step) -> bool:
        """Whether the other inquiry was about more of a log that is live here."""
        return any(self.is_live(origin) and size > self.sizes[origin] for origin, size in other.sizes.items())

    @property
    def horizon(self) -> int:
        """Inquiries of this time and earlier are outside the differencing window."""
        return self.time - DAY * self.policy.differencing_days


@dataclass(frozen=True, slots=True)
class Look:
    """What a selection shows. row: the contributors without the querier; None where it cannot be worked out.

    astray: whether it speaks of a log that is not live any more, and of other trees than those held here.
    """

    row: Row | None
    astray: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A querier's standing with one borrower after one of its inquiries.

    withheld: that inquiry's verdict, "" if its amounts are released. released: each row released so far with the
    latest time of an inquiry that had it. reach: of inquiries with a row, how far they went, but for those that
    another one exceeds in all; no more than the quota allows, as only so many can be earlier and of a later time.
    frozen: origins named as frozen so far. astray: by their origins, the latest time of inquiries that were. times: of
    the latest inquiries, as many as any quota asks for. sequence: of the newest manifest named.
    """

    withheld: str = VOID
    released: Mapping[Row, int] = field(default_factory=dict)
    reach: tuple[Reached, ...] = ()
    frozen: frozenset[str] = frozenset()
    astray: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    times: tuple[int, ...] = ()
    sequence: int = 0

    @property
    def sizes(self) -> Mapping[str, int]:
        """By origin, the largest tree an inquiry with a row was about."""
        largest: dict[str, int] = {}
        for _, origins, sizes in self.reach:
            for origin, size in zip(origins, sizes, strict=True):
                largest[origin] = max(size, largest.get(origin, 0))
        return largest

    def voided(self) -> Standing:
        """After an entry that stands under the next label but is no inquiry that could ever be answered."""
        return replace(self, withheld=VOID)

    def gone_back(self, step: Step) -> str:
        """Why an inquiry that comes next gets no answer as an earlier one was ahead of it, or ""."""
        if step.sequence < self.sequence:
            return OTHER_MANIFEST
        if any(origin in step.sizes and origin not in step.frozen for origin in self.frozen):
            return FROZEN
        ahead = (origin for origin, size in self.sizes.items() if step.is_live(origin) and size > step.sizes[origin])
        return HEADS_WENT_BACK if any(True for _ in ahead) else ""

    def advanced(self, step: Step, look: Callable[[], Look], most: int = 0) -> Standing:
        """After this inquiry.

        look: selects. It is not asked for where nobody answers, or no amounts are told whatever is selected: a log full
        of such inquiries must not cost its readers a selection each. most: how many times to keep, if more than this
        inquiry's own policy asks for.
        """
        quota = step.policy.queries_per_borrower
        counted = replace(self, times=tuple(nlargest(max(quota, most), (*self.times, step.time))))
        if self._recent(step.time) >= quota:
            return replace(counted, withheld=QUOTA)
        behind = self.gone_back(step)
        if behind:
            return replace(counted, withheld=behind)
        counted = replace(counted, frozen=self.frozen | step.frozen, sequence=step.sequence)
        if step.conflicting:
            return replace(counted, withheld=CONFLICTING_WITNESSES)
        if self._lost(step):
            return replace(counted, withheld=FROZEN)
        return counted._with_row(step, look())

    def _with_row(self, step: Step, seen: Look) -> Standing:
        origins = tuple(step.sizes)
        astray = self.astray
        if seen.astray:
            astray = {**astray, origins: max(step.time, astray.get(origins, step.time))}
        after = replace(self, reach=_reached(self.reach, step), astray=astray, withheld=UNKNOWN)
        if seen.row is None:
            return after
        withheld = self._verdict(step, seen.row)
        if withheld:
            return replace(after, withheld=withheld)
        last = max(step.time, self.released.get(seen.row, step.time))
        return replace(after, withheld="", released={**self.released, seen.row: last})

    def _lost(self, step: Step) -> bool:
        """Whether an inquiry in the window was about what does not count any more, or about other trees."""
        less = any(
            size > step.counts(origin)
            for time, origins, sizes in self.reach
            if time > step.horizon
            for origin, size in zip(origins, sizes, strict=True)
        )
        return less or any(
            time > step.horizon and not all(map(step.is_live, origins)) for origins, time in self.astray.items()
        )

    def _recent(self, time: int) -> int:
        return sum(earlier > time - DAY for earlier in self.times)

    def _verdict(self, step: Step, row: Row) -> str:
        least = step.policy.min_contributors
        if row.bit_count() < least:
            return FEW_CONTRIBUTORS
        rows = [earlier for earlier, last in self.released.items() if last > step.horizon]
        return DIFFERENCING if isolates([*rows, row], least - 1) else ""


def _reached(reach: tuple[Reached, ...], step: Step) -> tuple[Reached, ...]:
    """With one inquiry more."""
    mine = tuple(step.sizes)
    # One tuple of origins serves all inquiries of a manifest.
    mine = next((origins for _, origins, _ in reach if origins == mine), mine)
    rest = tuple(
        (time, origins, sizes)
        for time, origins, sizes in reach
        if time > step.time
        or any(size > step.sizes.get(origin, -1) for origin, size in zip(origins, sizes, strict=True))
    )
    return (*rest, (step.time, mine, tuple(step.sizes.values())))
