"""A portfolio to be screened, as a CSV file. All of it is read and checked before anything is asked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from client.consent import from_digest
from client.csvlines import Lines, read_header, read_values
from ledger.borrower.identity import canonical
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.loan import MAX_AMOUNT
from ledger.strict import parse_decimal

COLUMNS = ("borrower", "income", "loan", "due", "reference", "consent_digest")
MAX_REFERENCE = 200  # characters


@dataclass(frozen=True, slots=True)
class Case:
    """One borrower. line: in the file; 1 is the header. Amounts in minor units; consent: 32 bytes, b"" if not given."""

    line: int
    borrower: str = field(repr=False)
    income: int | None = field(default=None, repr=False)
    loan: tuple[int, int] | None = field(default=None, repr=False)
    reference: str = ""
    consent: bytes = b""


def read_cases(content: bytes, *, needs_consent: bool) -> list[Case]:
    """All cases. needs_consent: each must have its own digest, as there is no other.

    Raises InvalidInput that names line and column, never an identity.
    """
    lines = Lines(io.BytesIO(content))
    columns = read_header(lines, COLUMNS, COLUMNS[:1], "EMPTY_FILE")
    if needs_consent and "consent_digest" not in columns:
        raise InvalidInput("NO_CONSENT", "give --consent, --consent-digest or the column consent_digest")
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for raw in lines:
        try:
            values = read_values(raw, columns)
            if values is None:
                continue
            case = _case(lines.number, values, needs_consent)
            if (before := seen.setdefault(case.borrower, case.line)) != case.line:
                raise InvalidInput("DUPLICATE", f"the borrower of line {before} again", "borrower")
        except PlimsollError as error:
            raise InvalidInput(error.reason, f"line {lines.number}: {error.message}", error.path) from None
        cases.append(case)
    if not cases:
        raise InvalidInput("EMPTY_FILE", "there is no case in it")
    return cases


def _case(line: int, values: Mapping[str, str], needs_consent: bool) -> Case:
    try:
        borrower = canonical(values["borrower"])
    except PlimsollError as error:
        raise InvalidInput(error.reason, error.message, "borrower") from None
    loan, due = _amount(values, "loan"), _amount(values, "due")
    if (loan is None) != (due is None):
        raise InvalidInput("BAD_LOAN", "loan and due go together", "due" if due is None else "loan")
    reference = values.get("reference", "")
    if len(reference) > MAX_REFERENCE or not reference.isprintable():
        raise InvalidInput("BAD_TEXT", f"must be at most {MAX_REFERENCE} printable characters", "reference")
    digest = values.get("consent_digest", "")
    if needs_consent and not digest:
        raise InvalidInput("NO_CONSENT", "there is no consent", "consent_digest")
    return Case(
        line,
        borrower,
        _amount(values, "income"),
        None if loan is None or due is None else (loan, due),
        reference,
        from_digest(digest).digest if digest else b"",
    )


def _amount(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name, "")
    return parse_decimal(text, name, MAX_AMOUNT) if text else None
