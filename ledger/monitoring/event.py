"""Something that has changed about a borrower: a stable code, and the figures before and now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CODES = (
    "NEW_LENDER",
    "SETTLED",
    "EXPOSURE_UP",
    "EXPOSURE_MAY_BE_UP",
    "WORSE_CLASS",
    "OVERDUE",
    "INQUIRIES",
    "HEADROOM_GONE",
    "NEW_DISPUTE",
    "CONSENT_ENDED",
)
"""All of them, in the order in which one answer's are told. CONSENT_ENDED comes from the calendar."""


class EventUnit(StrEnum):
    """What figures count."""

    MINOR = "minor"
    """Minor units of the currency."""
    COUNT = "count"
    CLASS = "class"
    """A number of ledger.positions.classification."""
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Event:
    """before, now: what the two answers say, in `unit`; None where there is nothing to count. limit: the rule's own
    figure, in `limit_unit`. members: whose records count in one of the answers only, which may be why."""

    code: str
    unit: EventUnit = EventUnit.COUNT
    before: int | None = None
    now: int | None = None
    limit: int | None = None
    limit_unit: EventUnit = EventUnit.COUNT
    members: tuple[str, ...] = ()
