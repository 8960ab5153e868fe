"""Who is called stale."""

from __future__ import annotations

import pytest

from ledger.witnessing.freshness import UNFED, is_stale


@pytest.mark.parametrize(
    ("head_age", "feed_age", "heartbeat", "stale"),
    [
        (0, 0, 5, False),
        (60, 0, 5, False),
        (61, 0, 5, True),
        (61, 0, 60, False),
        (720, 0, 60, False),
        (721, 0, 60, True),
        (0, UNFED, 5, False),
        (0, UNFED + 1, 5, True),
        (0, -1, 5, False),
        (61, -1, 1, True),
    ],
)
def test_a_log_is_stale_without_heartbeats_or_without_a_feed(head_age, feed_age, heartbeat, stale):
    assert is_stale(head_age, feed_age, heartbeat) is stale
