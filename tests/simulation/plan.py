"""What happens in a world, and when: plain values, so that a plan can be printed, shrunk and kept as a test."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Loan:
    """One loan's state as its lender's system would report it; amounts in minor units."""

    borrower: str
    loan_id: str
    outstanding: int
    monthly_due: int
    credit_limit: int
    overdue: int
    classification: str
    open: bool


@dataclass(frozen=True)
class Report:
    """A lender's books change, and it sends its whole feed. machine: which one, where the member has two."""

    at: float
    member: str
    loans: tuple[Loan, ...]


@dataclass(frozen=True)
class Ask:
    at: float
    member: str
    borrower: str


@dataclass(frozen=True)
class Crash:
    """Power off; on again after `down` seconds."""

    at: float
    member: str
    down: float


@dataclass(frozen=True)
class Cut:
    """Power off in the middle of the write after the next `writes`."""

    at: float
    member: str
    writes: int
    down: float


@dataclass(frozen=True)
class Partition:
    """Nothing passes between these members and the others. one_way: only what they send is lost."""

    at: float
    members: tuple[str, ...]
    seconds: float
    one_way: bool = False


@dataclass(frozen=True)
class Storm:
    """The network is bad for a while."""

    at: float
    seconds: float
    loss: float
    twice: float
    delay: float


@dataclass(frozen=True)
class SlowDisk:
    """Every piece of work takes so long on average."""

    at: float
    member: str
    seconds: float
    pace: float


@dataclass(frozen=True)
class BadDisk:
    """Writes fail at this rate; half of those that fail are kept."""

    at: float
    member: str
    seconds: float
    rate: float


@dataclass(frozen=True)
class Skew:
    """The wall clock is off from now on."""

    at: float
    member: str
    skew: float


@dataclass(frozen=True)
class Rewind:
    """The machine breaks down and comes back with its disk as at the last `Backup`, or empty but for its keys."""

    at: float
    member: str
    down: float
    empty: bool


@dataclass(frozen=True)
class Backup:
    at: float
    member: str


Event = Report | Ask | Crash | Cut | Partition | Storm | SlowDisk | BadDisk | Skew | Rewind | Backup


@dataclass(frozen=True)
class Plan:
    """ceremony: begins with no keys; otherwise with those of an earlier ceremony. villain: what one member does, and
    who it is. seconds: until everything is healed."""

    seed: int
    members: int
    seconds: float
    ceremony: bool
    villain: str = ""
    culprit: str = ""
    events: tuple[Event, ...] = field(default=())
