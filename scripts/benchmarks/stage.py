"""What benchmarks share: a folder, how thorough to be, and five real nodes, founded by the first that needs them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from plimsoll.v1 import lender_pb2
from rich.console import Console

from client.portfolio import Portfolio
from scripts.benchmarks.machine import cpu_seconds
from tests.cluster import Cluster

LENDERS = 5
#: Queries and feeds come thicker here than any consortium would allow.
_POLICY = {"queries_per_borrower": 1000, "inquiries_per_day": 1_000_000}


class Stage:
    """quick: small and coarse. folder: on the disk to be measured. A context manager: it ends the nodes."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.console = Console(stderr=True, highlight=False)
        if not self.console.is_terminal:
            self.console.width = 140
        self._cluster: Cluster | None = None
        self._months = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.close()

    def say(self, text: str) -> None:
        """What goes on, for who waits."""
        self.console.print(f"  {text}", style="dim")

    def pick(self, thorough: int, quick: int) -> int:
        """A number of things to do."""
        return quick if self.quick else thorough

    @property
    def borrowers(self) -> int:
        """All of them are at all five lenders."""
        return self.pick(600, 60)

    @property
    def cluster(self) -> Cluster:
        """lender-1 .. lender-5, serving, t = 3, with the same borrowers in every book."""
        if self._cluster is None:
            self.say(f"founding {LENDERS} lenders")
            self._cluster = Cluster.found(self.folder / "cluster", LENDERS, policy=_POLICY)
            self._cluster.start()
            self._cluster.wait_ready()
            self.say(f"loading {self.borrowers} borrowers at each")
            for member in self._cluster.members:
                self._cluster.report(member, feed(member, self.borrowers))
            self._cluster.wait_same_heads()
        return self._cluster

    def settle(self) -> None:
        """Waits until every node reaches every other: after a start they try in growing steps."""
        cluster = self.cluster

        def settled() -> bool:
            return all(peer.reachable for member in cluster.running for peer in cluster.status(member).peers)

        cluster.wait_until(settled, "all nodes reach each other")

    def next_month(self) -> int:
        """A month whose feeds nobody has sent yet."""
        self._months += 1
        return self._months

    def cpu(self, *members: str) -> float:
        """Seconds of cores that these lenders' nodes, or all, have used, worker processes included."""
        return cpu_seconds(self.cluster.process(member).pid for member in members or self.cluster.running)


def feed(member: str, borrowers: int, month: int = 0) -> Iterator[lender_pb2.FeedRow]:
    """A feed of loans to test:000001 and on, all at this member, none above 300,000 major units; each month others."""
    today = datetime.now(UTC).date()
    portfolio = Portfolio(lenders=1, borrowers=borrowers, as_of=today, seed=f"{member} {month}")
    line = 1
    for number in range(1, borrowers + 1):
        for account in portfolio.accounts_of(number):
            line += 1
            loan = account.loan
            yield lender_pb2.FeedRow(
                line=line,
                borrower=account.borrower,
                loan_id=loan.loan_id,
                product=loan.product,
                currency=portfolio.currency,
                credit_limit=loan.credit_limit,
                # The same loan with the same balance would be no news.
                outstanding=loan.outstanding + month,
                monthly_due=loan.monthly_due,
                overdue=loan.overdue,
                days_past_due=loan.days_past_due,
                classification=loan.classification.label,
                status="open",
                as_of=today.isoformat(),
            )


def borrower(number: int) -> str:
    """How the feeds call the borrower with this number, from 1."""
    return f"test:{number:06d}"
