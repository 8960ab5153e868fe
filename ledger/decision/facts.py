"""What a decision is made of: what the ledger says of a borrower, what the lender knows itself, and the new loan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import InvalidInput
from ledger.positions.bands import ABOVE
from ledger.positions.classification import CLASS_LABELS
from ledger.positions.loan import MAX_AMOUNT
from ledger.queries.exposure import Amounts
from ledger.strict import parse_decimal

MAX_INCOME = MAX_AMOUNT  # minor units a month


@dataclass(frozen=True, slots=True)
class Band:
    """How many lenders have between `low` and `high` minor units, both included; high None where there is no end."""

    low: int
    high: int | None
    lenders: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger says of one borrower.

    amounts: None where they are withheld, and `withheld` is why. classes: lenders per class, pass first. bands: of the
    outstanding; overdue: of what is overdue, ascending. inquiries_30, inquiries_90: of other lenders before a loan, in
    so many days. disputes: how many are open. stale, excluded: members whose log is stale, or whose record was left
    out or whose log is frozen. rolling: months that show rolling debt; None where no trajectory was asked for.
    """

    amounts: Amounts | None
    withheld: str
    lenders: int
    accounts: int
    includes_own: bool
    classes: tuple[int, ...]
    bands: tuple[Band, ...]
    overdue: tuple[Band, ...]
    inquiries_30: int = 0
    inquiries_90: int = 0
    disputes: int = 0
    stale: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    rolling: int | None = None

    @property
    def outstanding_bounds(self) -> tuple[int, int | None]:
        """The least and the most that is outstanding, minor units; None where the bands have no upper end."""
        if self.amounts is not None:
            return self.amounts.outstanding, self.amounts.outstanding
        low = sum(band.low * band.lenders for band in self.bands)
        high = 0
        for band in self.bands:
            if band.lenders and band.high is None:
                return low, None
            high += band.lenders * (band.high or 0)
        return low, high

    @property
    def worst_class(self) -> int | None:
        """Of any lender's: a number of ledger.positions.classification; None where nobody lends."""
        return max((place for place, lenders in enumerate(self.classes) if lenders), default=None)

    @property
    def worst_overdue(self) -> int | None:
        """The least that some lender has overdue, minor units, by the highest band; None where nothing is overdue."""
        return max((band.low for band in self.overdue if band.lenders), default=None)


@dataclass(frozen=True, slots=True)
class NewLoan:
    """What is asked for: principal, and what will be due each month, minor units."""

    principal: int = field(repr=False)
    monthly_due: int = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("principal", "monthly_due"):
            _check_amount(getattr(self, name), f"loan.{name}")


@dataclass(frozen=True, slots=True)
class Application:
    """What the lender knows itself. income: minor units a month, None where it is not known; it stays here."""

    income: int | None = field(default=None, repr=False)
    loan: NewLoan | None = None

    def __post_init__(self) -> None:
        if self.income is not None:
            _check_amount(self.income, "income")


def _check_amount(amount: int, path: str) -> None:
    if not 0 <= amount <= MAX_AMOUNT:
        raise InvalidInput("OUT_OF_RANGE", f"must be in 0 .. {MAX_AMOUNT} minor units", path)


def facts_of(
    response: lender_pb2.ExposureResponse, member: str, minor_per_major: int, rolling: int | None = None
) -> Facts:
    """What an answer says, for `member`, who asked. Raises InvalidInput for an answer that no node gives."""
    amounts: Amounts | None = None
    if response.HasField("amounts"):
        sums = response.amounts
        amounts = Amounts(sums.credit_limit, sums.outstanding, sums.monthly_due)
    elif not response.lenders:
        amounts = Amounts(0, 0, 0)
    if tuple(each.name for each in response.classes) != CLASS_LABELS:
        raise InvalidInput("UNKNOWN_CLASS", f"must be {', '.join(CLASS_LABELS)}", "classes")
    others = [
        each for each in response.inquiries if each.member != member and each.purpose == entry_pb2.PURPOSE_PRE_LOAN
    ]
    return Facts(
        amounts=amounts,
        withheld=response.withheld,
        lenders=response.lenders,
        accounts=response.accounts,
        includes_own=response.includes_own,
        classes=tuple(each.lenders for each in response.classes),
        bands=_bands(response.bands, minor_per_major, "bands"),
        overdue=_bands(response.overdue_bands, minor_per_major, "overdue_bands"),
        inquiries_30=sum(each.days_30 for each in others),
        inquiries_90=sum(each.days_90 for each in others),
        stale=_names(each.member for each in response.logs if each.stale),
        excluded=_names(
            [*(each.member for each in response.excluded), *(each.member for each in response.logs if each.frozen)]
        ),
        rolling=rolling,
    )


def _bands(counts: Sequence[lender_pb2.BandCount], minor_per_major: int, path: str) -> tuple[Band, ...]:
    bands, low = [], 0
    for place, each in enumerate(counts):
        high = None
        if each.upper != ABOVE:
            high = parse_decimal(each.upper, f"{path}[{place}].upper") * minor_per_major - 1
        bands.append(Band(low, high, each.lenders))
        low = low if high is None else high + 1
    return tuple(bands)


def _names(members: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(members)))
