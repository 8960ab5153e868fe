"""One row an answer: columns, types, and what of an answer goes into which. No identity."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from plimsoll.v1 import lender_pb2

from client.csvlines import decode, split
from client.screening.cases import Case
from ledger.errors import InvalidInput
from ledger.strict import parse_decimal

_PASSING = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"})
_LASTING_REASONS = frozenset({"TOO_MANY_INQUIRIES", "TOO_MANY_CONTRIBUTORS"})
_PASSING_REASONS = frozenset({"STALE", "SUPERSEDED", "OMITTED"})


@dataclass(frozen=True, slots=True)
class Row:
    """line, reference: of the case. Amounts in minor units, None where they are not told. error: a reason code, "" with
    an answer; again: it may pass, and the next run asks again. consent_salt: hex, "" where the digest was given."""

    line: int
    reference: str
    outcome: str = ""
    held: bool = False
    headroom: int | None = field(default=None, repr=False)
    withheld: str = ""
    credit_limit: int | None = field(default=None, repr=False)
    outstanding: int | None = field(default=None, repr=False)
    monthly_due: int | None = field(default=None, repr=False)
    lenders: int | None = None
    accounts: int | None = None
    worst_class: str = ""
    codes: tuple[str, ...] = ()
    inquiry_index: int | None = None
    consent_salt: str = ""
    error: str = ""
    again: bool = False


COLUMNS = tuple(each.name for each in fields(Row))
BOOLEANS = ("held", "again")
NUMBERS = (
    "line", "headroom", "credit_limit", "outstanding", "monthly_due", "lenders", "accounts", "inquiry_index",
)  # fmt: skip


def answered(case: Case, response: lender_pb2.AssessResponse, salt: bytes) -> Row:
    """What is kept of an answer."""
    exposure = response.exposure
    sums = exposure.amounts if exposure.HasField("amounts") else None
    classes = [each.name for each in exposure.classes if each.lenders]  # the best one first
    return Row(
        line=case.line,
        reference=case.reference,
        outcome=response.outcome,
        held=response.held,
        headroom=response.headroom if response.HasField("headroom") else None,
        withheld=exposure.withheld,
        credit_limit=None if sums is None else sums.credit_limit,
        outstanding=None if sums is None else sums.outstanding,
        monthly_due=None if sums is None else sums.monthly_due,
        lenders=exposure.lenders,
        accounts=exposure.accounts,
        worst_class=classes[-1] if classes else "",
        codes=tuple(reason.code for reason in response.reasons),
        inquiry_index=exposure.inquiry_index,
        consent_salt=salt.hex(),
    )


def failed(case: Case, failure: lender_pb2.Failure, salt: bytes) -> Row:
    """What is kept where there is none."""
    passing = failure.status in _PASSING and failure.reason not in _LASTING_REASONS
    again = passing or failure.reason in _PASSING_REASONS
    return Row(case.line, case.reference, consent_salt=salt.hex(), error=failure.reason, again=again)


def encode(row: Row) -> bytes:
    """One line of CSV."""
    return line_of([_text(getattr(row, name)) for name in COLUMNS])


def line_of(values: Sequence[str]) -> bytes:
    """The same of any values."""
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerow(values)
    return made.getvalue().encode()


def parse(raw: bytes) -> Row:
    """What `encode` made. Raises InvalidInput with the column's path."""
    values = split(decode(raw))
    if len(values) != len(COLUMNS):
        raise InvalidInput("COLUMN_COUNT", f"has {len(values)} columns where there must be {len(COLUMNS)}")
    found: dict[str, object] = dict(zip(COLUMNS, values, strict=True))
    for name in NUMBERS:
        text = str(found[name])
        found[name] = parse_decimal(text, name) if text or name == "line" else None
    for name in BOOLEANS:
        if found[name] not in ("true", "false"):
            raise InvalidInput("BAD_FLAG", "must be true or false", name)
        found[name] = found[name] == "true"
    found["codes"] = tuple(str(found["codes"]).split())
    return Row(**found)  # type: ignore[arg-type]  # each as its column is


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)
