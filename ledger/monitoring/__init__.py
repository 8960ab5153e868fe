"""Watching one's own borrowers after a loan, with their consent (docs/watching.md).

Pure: which question is due when, what has changed between two answers, and what a notification says. The node asks,
keeps and sends (node.lending.monitoring).
"""

from ledger.monitoring.changes import Headroom, events
from ledger.monitoring.event import CODES, Event, EventUnit
from ledger.monitoring.policy import Rules, Schedule, WatchPolicy, Webhook, parse_watch_policy
from ledger.monitoring.texts import text

__all__ = [
    "CODES",
    "Event",
    "EventUnit",
    "Headroom",
    "Rules",
    "Schedule",
    "WatchPolicy",
    "Webhook",
    "events",
    "parse_watch_policy",
    "text",
]
