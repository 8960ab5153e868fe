"""Which sums may be told: the release rule, replayed over the querier's earlier inquiries (protocol, 10).

What is known about a borrower's inquiries up to number n is a `Standing`, a pure function of the logs: each follows
from the one before it. So every custodian reaches the same verdict, in whatever order it is asked, and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest

from ledger.inquiry import DAY
from ledger.policy import Policy
from ledger.span import Row, isolates

FEW_CONTRIBUTORS = "FEW_CONTRIBUTORS"
DIFFERENCING = "DIFFERENCING"
# Two verdicts that no answer ever carries, as such an inquiry gets none.
QUOTA = "QUOTA"
VOID = "VOID"


@dataclass(frozen=True, slots=True)
class Standing:
    """A querier's standing with one borrower after one of its inquiries.

    withheld: that inquiry's verdict, "" if its amounts are released. released: each row released so far with the
    latest time of an inquiry that had it. sizes: for each member the largest tree an inquiry with a row was about;
    () before the first. times: of the latest inquiries, as many as the quota asks for.
    """

    withheld: str = VOID
    released: Mapping[Row, int] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    times: tuple[int, ...] = ()

    def voided(self) -> Standing:
        """After an entry that stands under the next label but is no inquiry that could ever be answered."""
        return Standing(VOID, self.released, self.sizes, self.times)

    def advanced(self, time: int, sizes: tuple[int, ...], row: Callable[[], Row], policy: Policy) -> Standing:
        """After an inquiry of `time` about trees of these sizes.

        row: the contributors without the querier. It is not asked for where the quota is used up: nobody answers such
        an inquiry, and a log full of them must not cost its readers a selection each.
        """
        times = tuple(nlargest(policy.queries_per_borrower, (*self.times, time)))
        if self._recent(time) >= policy.queries_per_borrower:
            return Standing(QUOTA, self.released, self.sizes, times)
        here = row()
        sizes = tuple(map(max, self.sizes, sizes)) if self.sizes else sizes
        withheld = self._verdict(time, here, policy)
        if withheld:
            return Standing(withheld, self.released, sizes, times)
        released = {**self.released, here: max(time, self.released.get(here, time))}
        return Standing("", released, sizes, times)

    def covers(self, sizes: tuple[int, ...]) -> bool:
        """Whether trees of these sizes hold everything the earlier inquiries were about."""
        return all(earlier <= now for earlier, now in zip(self.sizes, sizes, strict=False))

    def _recent(self, time: int) -> int:
        return sum(earlier > time - DAY for earlier in self.times)

    def _verdict(self, time: int, row: Row, policy: Policy) -> str:
        if row.bit_count() < policy.min_contributors:
            return FEW_CONTRIBUTORS
        horizon = time - DAY * policy.differencing_days
        rows = [earlier for earlier, last in self.released.items() if last > horizon]
        return DIFFERENCING if isolates([*rows, row], policy.min_contributors - 1) else ""
