"""When a log is stale (protocol section 18): its author is silent, or feeds it no more."""

from __future__ import annotations

#: Heartbeats that may be missed, and seconds that an author may be silent whatever the heartbeat.
MISSED, SILENCE = 12, 60
#: Seconds without a position: a node that lives, with a feed that does not, looks fresh by its heartbeats.
UNFED = 7 * 86_400


def is_stale(head_age: int, feed_age: int, heartbeat_seconds: int) -> bool:
    """head_age: seconds since the author's last heartbeat; feed_age: since its last position, -1 where there is none
    yet, as who lends nothing feeds nothing. heartbeat_seconds: the policy's."""
    return head_age > max(SILENCE, MISSED * heartbeat_seconds) or feed_age > UNFED
