"""The author's secrets: seven plaintexts as the row of bits that a proof commits to (protocol, 20)."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import InvalidInput
from ledger.positions.bands import Bands
from ledger.positions.digits import (
    BAND_DIGITS,
    DIGIT_BITS,
    DIGIT_LIMIT,
    MAX_ACCOUNTS,
    OVERDUE_BAND_DIGITS,
    TALLY_HIGH_DIGITS,
)
from ledger.positions.fields import FIELDS, Field
from ledger.positions.loan import MAX_AMOUNT
from ledger.wellformed.steps import ACCOUNT_WEIGHTS, AMOUNT_WEIGHTS


def bits_of(amounts: Sequence[int], bands: Bands) -> tuple[int, ...]:
    """The row of bits. Raises InvalidInput with the field's path for plaintexts that are not well-formed."""
    if len(amounts) != len(FIELDS):
        raise InvalidInput("BAD_LENGTH", f"there must be {len(FIELDS)}, one per field", "amounts")
    accounts, passing = amounts[Field.TALLY_LOW] >> DIGIT_BITS, amounts[Field.TALLY_LOW] & DIGIT_LIMIT - 1
    classes = (passing, *_digits(amounts, Field.TALLY_HIGH, TALLY_HIGH_DIGITS))
    band = _digits(amounts, Field.BAND, BAND_DIGITS)
    overdue = _digits(amounts, Field.OVERDUE_BAND, OVERDUE_BAND_DIGITS)
    _require_one_hot(classes, Field.TALLY_HIGH)
    _require_one_hot(band, Field.BAND)
    _require_one_hot((1 - sum(overdue), *overdue), Field.OVERDUE_BAND)
    _require(1 <= accounts <= MAX_ACCOUNTS, Field.TALLY_LOW, f"there must be 1 to {MAX_ACCOUNTS} accounts")
    return (
        *_distances_from_edges(amounts[Field.OUTSTANDING], band, bands),
        *_amount(amounts, Field.MONTHLY_DUE),
        *_amount(amounts, Field.CREDIT_LIMIT),
        *_range_bits(accounts - 1, ACCOUNT_WEIGHTS),
        *classes,
        *band,
        1 - sum(overdue),
        *overdue,
    )


def _distances_from_edges(outstanding: int, band: Sequence[int], bands: Bands) -> tuple[int, ...]:
    ranges = [bands.outstanding_range(place) for place in range(BAND_DIGITS)]
    low = sum(hot * edge for hot, (edge, _) in zip(band, ranges, strict=True))
    high = sum(hot * edge for hot, (_, edge) in zip(band, ranges, strict=True))
    _require(low <= outstanding <= high, Field.OUTSTANDING, "lies outside its band")
    above, below = outstanding - low, high - outstanding
    return (*_range_bits(above, AMOUNT_WEIGHTS), *_range_bits(below, AMOUNT_WEIGHTS))


def _amount(amounts: Sequence[int], field: Field) -> tuple[int, ...]:
    _require(0 <= amounts[field] <= MAX_AMOUNT, field, f"must be 0 to {MAX_AMOUNT}")
    return _range_bits(amounts[field], AMOUNT_WEIGHTS)


def _range_bits(value: int, weights: Sequence[int]) -> tuple[int, ...]:
    """The bits that make up a value in range: the last weight is taken once the others would not do."""
    doubling = len(weights) - 1
    over = value >> doubling
    rest = value - over * weights[-1]
    return (*(rest >> place & 1 for place in range(doubling)), over)


def _digits(amounts: Sequence[int], field: Field, count: int) -> tuple[int, ...]:
    _require(0 <= amounts[field] < 1 << DIGIT_BITS * count, field, f"must be {count} packed digits")
    return tuple(amounts[field] >> DIGIT_BITS * place & DIGIT_LIMIT - 1 for place in range(count))


def _require_one_hot(digits: Sequence[int], field: Field) -> None:
    one_hot = all(0 <= digit <= 1 for digit in digits) and sum(digits) == 1
    _require(one_hot, field, "must have exactly one digit that is 1")


def _require(condition: bool, field: Field, message: str) -> None:
    if not condition:
        raise InvalidInput("NOT_WELL_FORMED", message, f"amounts[{field}]")
