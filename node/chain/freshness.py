"""How current each member's log is (design section 4): its author's last heartbeat, and its last position beside it."""

from __future__ import annotations

from ledger.chain.chain import Chain
from ledger.queries.exposure import LogAge
from ledger.witnessing.cosigned import spoken_at
from ledger.witnessing.freshness import is_stale
from ledger.witnessing.witnessed import Witnessed
from node.chain.arrivals import Arrivals
from node.chain.witnessing import AHEAD
from node.clock import Clock
from node.consortium import Consortium


class Freshness:
    """Read-only; any thread."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        arrivals: Arrivals,
        witnessed: Witnessed,
        clock: Clock | None = None,
    ) -> None:
        self._consortium = consortium
        self._chain = chain
        self._arrivals = arrivals
        self._witnessed = witnessed
        self._clock = clock or Clock()

    def of(self, member: str, size: int) -> LogAge:
        """Of the log of a member of the manifest in force, of which `size` entries are used."""
        held = self._chain.log(member)
        heard, last = self.heard(member), held.last_position
        head_age = int(self._arrivals.running(self._clock.monotonic()) if heard is None else heard)
        feed_age = -1 if last is None else max(0, int(self._clock.unix()) - last.time)
        return LogAge(
            member,
            size,
            head_age,
            feed_age,
            is_stale(head_age, feed_age, self._consortium.manifest.policy.heartbeat_seconds),
            self._chain.frozen(held.origin),
            self._witnessed.size(held.origin),
        )

    def witnessed_root(self, member: str) -> str:
        """The root at the log's newest witnessed head, hex; "" where there is none."""
        kept = self._witnessed.newest(self._chain.log(member).origin)
        return "" if kept is None else kept.signed.head.root.hex()

    def heard(self, member: str) -> float | None:
        """Seconds since the author's last heartbeat, the older of its time and that of its receipt; 0 of this member's
        own log. Where none came since the start, by the newest witnessed head, which bears one; None without any."""
        if member == self._consortium.member:
            return 0.0
        age = self._arrivals.age(self._chain.log(member).origin, self._clock.monotonic())
        if age is not None:
            return age
        kept = self._witnessed.newest(self._chain.log(member).origin)
        spoken = None if kept is None else spoken_at(kept.signed, kept.manifest, kept.member)
        if spoken is None or spoken > self._clock.unix() + AHEAD:  # as no heartbeat would be taken
            return None
        return max(0.0, self._clock.unix() - spoken)
