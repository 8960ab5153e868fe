"""The feed guard: a feed that would change too much is kept back whole until a second person lets it pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog
from plimsoll.v1 import lender_pb2

from ledger.errors import Refused
from ledger.positions.feed import FeedLoan
from ledger.positions.feed_guard import Bounds, Breach, Difference, breaches, parse_bounds
from node.homes import files
from node.lending.quarantine import Quarantine

log = structlog.get_logger()


class FeedGuard:
    """Looks at every feed before anything of it is published. Any thread may use it, one at a time."""

    def __init__(self, quarantine: Quarantine, bounds: Path) -> None:
        """bounds: the lender's own file, read anew each time; the default bounds where there is none."""
        self._quarantine = quarantine
        self._bounds = bounds

    def check(self, difference: Difference, borrowers: int) -> tuple[Breach, ...]:
        """Why a feed must be kept back, if it must. borrowers: in the book. Raises InvalidInput for a bad file."""
        bounds = files.read_optional(self._bounds, parse_bounds, Bounds())
        return breaches(difference, bounds, borrowers, self._quarantine.last_rows)

    def keep(
        self, rows: Sequence[FeedLoan], difference: Difference, why: Sequence[Breach], sender: str, now: int
    ) -> lender_pb2.HeldFeed:
        """Keeps the feed; what is told of it. Durable when it returns."""
        feed = lender_pb2.HeldFeed(
            time=now,
            sender=sender,
            breaches=[lender_pb2.FeedBreach(code=each.code, figure=each.figure, limit=each.limit) for each in why],
            rows=difference.rows,
            borrowers=difference.borrowers,
            changed=difference.changed,
            opened=difference.opened,
            closed=difference.closed,
            zeroed=difference.zeroed,
            closing=difference.closing,
            worse=difference.worse,
            better=difference.better,
            before=difference.before,
            after=difference.after,
        )
        kept = self._quarantine.keep(feed, rows)
        log.warning("a feed is kept back", id=kept.id, sender=sender, why=[each.code for each in why])
        return kept

    def released(self, identity: str, by: str) -> list[FeedLoan]:
        """The rows of a feed that this person, another than the one who sent it, lets pass.

        Raises NotFound; Refused (SAME_PERSON); Unverified where it has rotted.
        """
        feed = self._quarantine.get(identity)
        if feed.sender == by:
            raise Refused("SAME_PERSON", f"{by} sent this feed: another person must look at it", "id")
        log.warning("a feed that was kept back is released", id=identity, sender=feed.sender, by=by)
        return list(self._quarantine.rows(identity))

    def discard(self, identity: str, by: str) -> None:
        """Throws it away. Raises NotFound."""
        self._quarantine.remove(identity)
        log.warning("a feed that was kept back is thrown away", id=identity, by=by)

    def taken(self, rows: int, released: str | None) -> None:
        """A feed was taken, this one if it had been kept back."""
        self._quarantine.taken(rows)
        if released is not None:
            self._quarantine.remove(released)

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        waiting = self._quarantine.count()
        return [f"{waiting} feed(s) are kept back and wait for a person: plimsoll held list"] if waiting else []

    def all(self) -> list[lender_pb2.HeldFeed]:
        """What is kept back, the oldest first. Raises Unverified where one has rotted."""
        return self._quarantine.all()
