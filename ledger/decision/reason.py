"""A reason: a stable code, what it leads to, the figure it rests on, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a reason leads to. Of several the strongest counts."""

    NOTE = "note"
    REVIEW = "review"
    DECLINE = "decline"


class Unit(StrEnum):
    """What figures count."""

    PERMILLE = "permille"
    """Thousandths of a month's income."""
    MINOR = "minor"
    """Minor units of the currency."""
    COUNT = "count"
    CLASS = "class"
    """A number of ledger.positions.classification."""
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an outcome is not simply approved.

    figure, threshold: what was found and what is allowed, in `unit`; None where there is nothing to count. change: by
    how much something must fall for the next better outcome, in `change_unit`; None where time or somebody else must
    change it. members: those it is about, if any.
    """

    code: str
    effect: Effect
    unit: Unit = Unit.COUNT
    figure: int | None = None
    threshold: int | None = None
    change: int | None = None
    change_unit: Unit = Unit.MINOR
    members: tuple[str, ...] = ()
