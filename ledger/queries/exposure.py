"""The answer to a query, as a lender gets it: a value, and the message its node returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import lender_pb2

from ledger.positions.classification import CLASS_LABELS
from ledger.positions.fields import Field
from ledger.queries.answer import Answer
from ledger.queries.inquiry_history import InquiryCount
from ledger.queries.plausibility import IMPLAUSIBLE, Sums


@dataclass(frozen=True, slots=True)
class Amounts:
    """Three sums in minor units."""

    credit_limit: int = field(repr=False)
    outstanding: int = field(repr=False)
    monthly_due: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogAge:
    """How current one member's log is. head_age: seconds since its author's last heartbeat, 0 for one's own.

    feed_age: seconds since its last position, by that entry's time; -1 where there is none yet. stale: by
    freshness. frozen: its author has signed two histories. witnessed_size: of its newest witnessed head, or 0.
    """

    member: str
    size: int
    head_age: int
    feed_age: int
    stale: bool = False
    frozen: bool = False
    witnessed_size: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """An author left out, or a custodian whose answer was wrong, and why: a stable code."""

    member: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """How loaded one borrower is.

    amounts: None where they are withheld; `withheld` then is the code. classes, bands, overdue_bands: (name, lenders)
    in order. logs: in the manifest's order. implausible: codes of the checks that failed (ledger.queries.plausibility).
    inquiry_index: of the inquiry in the asker's log.
    """

    borrower: str = field(repr=False)
    amounts: Amounts | None
    withheld: str
    accounts: int
    lenders: int
    includes_own: bool
    classes: tuple[tuple[str, int], ...]
    bands: tuple[tuple[str, int], ...]
    overdue_bands: tuple[tuple[str, int], ...]
    logs: tuple[LogAge, ...]
    excluded: tuple[Left, ...]
    inquiries: tuple[InquiryCount, ...]
    custodians_failed: tuple[Left, ...]
    implausible: tuple[str, ...]
    inquiry_index: int

    @property
    def freshness_seconds(self) -> int:
        """Age of the stalest log used."""
        return max((log.head_age for log in self.logs), default=0)

    def to_message(self, transcript: bytes = b"") -> lender_pb2.ExposureResponse:
        """As the RPC returns it. transcript: the one asked for."""
        message = lender_pb2.ExposureResponse(
            borrower=self.borrower,
            withheld=self.withheld,
            accounts=self.accounts,
            lenders=self.lenders,
            includes_own=self.includes_own,
            freshness_seconds=self.freshness_seconds,
            implausible=self.implausible,
            transcript=transcript,
            inquiry_index=self.inquiry_index,
        )
        if self.amounts is not None:
            message.amounts.credit_limit = self.amounts.credit_limit
            message.amounts.outstanding = self.amounts.outstanding
            message.amounts.monthly_due = self.amounts.monthly_due
        self._add_counts(message)
        for log in self.logs:
            message.logs.add(
                member=log.member,
                size=log.size,
                head_age_seconds=log.head_age,
                feed_age_seconds=log.feed_age,
                stale=log.stale,
                frozen=log.frozen,
                witnessed_size=log.witnessed_size,
            )
        for left in self.excluded:
            message.excluded.add(member=left.member, reason=left.reason)
        for left in self.custodians_failed:
            message.custodians_failed.add(member=left.member, reason=left.reason)
        return message

    def _add_counts(self, message: lender_pb2.ExposureResponse) -> None:
        for name, lenders in self.classes:
            message.classes.add(name=name, lenders=lenders)
        for upper, lenders in self.bands:
            message.bands.add(upper=upper, lenders=lenders)
        for upper, lenders in self.overdue_bands:
            message.overdue_bands.add(upper=upper, lenders=lenders)
        for count in self.inquiries:
            message.inquiries.add(
                member=count.member,
                purpose=count.purpose,
                days_30=count.days_30,
                days_90=count.days_90,
            )


def expose(answer: Answer, borrower: str, logs: Sequence[LogAge], custodians_failed: Iterable[Left] = ()) -> Exposure:
    """The answer to the question how loaded `borrower` (its canonical identity) is.

    logs: how current each member's log is, in the manifest's order. custodians_failed: those that were asked in vain.
    """
    sums = answer.sums or Sums({}, None, None, None, None)
    querier, selection = answer.asked.querier, answer.findings.selection
    return Exposure(
        borrower=borrower,
        amounts=_amounts(answer),
        withheld=answer.findings.withheld or (IMPLAUSIBLE if answer.implausible else ""),
        accounts=sums.tally[1] if sums.tally else 0,
        lenders=answer.contributors,
        includes_own=any(contribution.member == querier for contribution in selection.contributions),
        classes=_counts(CLASS_LABELS, sums.classes),
        bands=_counts(answer.bands.outstanding_labels(), sums.bands),
        overdue_bands=_counts(answer.bands.overdue_labels(), sums.overdue_bands),
        logs=tuple(logs),
        excluded=tuple(Left(left.member, left.reason) for left in selection.exclusions),
        inquiries=answer.inquiries,
        custodians_failed=tuple(custodians_failed),
        implausible=answer.implausible,
        inquiry_index=answer.asked.index,
    )


def _amounts(answer: Answer) -> Amounts | None:
    if answer.sums is None or answer.findings.withheld or answer.implausible:
        return None
    found = {f: amount for f, amount in answer.sums.amounts.items() if amount is not None}
    return Amounts(found[Field.CREDIT_LIMIT], found[Field.OUTSTANDING], found[Field.MONTHLY_DUE])


def _counts(names: Sequence[str], lenders: Sequence[int] | None) -> tuple[tuple[str, int], ...]:
    """By name; nobody where nothing was added up or the sum cannot be read."""
    return tuple(zip(names, lenders or [0] * len(names), strict=True))
