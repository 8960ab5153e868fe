"""The steps of a proof, in order, and how its bits make up the seven plaintexts (protocol, 20).

All bits stand in one row: those of the first step, then those of the second, and so on. A number is a weighted sum over
that row. The same sums are taken of bits, of commitments and of their blindings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ledger.crypto import group
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.positions.bands import Bands
from ledger.positions.digits import (
    BAND_DIGITS,
    CLASSES,
    DIGIT_BITS,
    MAX_ACCOUNTS,
    OVERDUE_BAND_DIGITS,
    TALLY_HIGH_DIGITS,
)
from ledger.positions.fields import FIELDS, Field
from ledger.positions.loan import MAX_AMOUNT

# H = point_from_uniform(wide_digest("plimsoll/v1/wellformed-base")), RFC 9496's one-way map: nobody knows log_G H.
VALUE_BASE: Point = bytes.fromhex("de0f87a0132c9911013e197f5c08fb690e371c4f7f9f0285cf82ce5194cb6e3a")
VALUE_BASE_DOMAIN = "plimsoll/v1/wellformed-base"


def range_weights(maximum: int) -> tuple[int, ...]:
    """Weights of bits that can make 0 .. maximum (1 or more) and nothing else: 1, 2, 4, .. and what is left over."""
    doubling = maximum.bit_length() - 1
    return (*(1 << bit for bit in range(doubling)), maximum - (1 << doubling) + 1)


@dataclass(frozen=True, slots=True)
class BitStep:
    """A group of bits under one challenge. name: the reason of a refusal. bits: how many.

    one_hot: the bits add up to 1; the commitment to the first is then H less the others, and is not sent.
    """

    name: str
    bits: int
    one_hot: bool = False

    @property
    def sent(self) -> int:
        """How many commitments are in the proof."""
        return self.bits - self.one_hot


AMOUNT_WEIGHTS = range_weights(MAX_AMOUNT)
ACCOUNT_WEIGHTS = range_weights(MAX_ACCOUNTS - 1)

ABOVE_EDGE = BitStep("RANGE_OUTSTANDING", len(AMOUNT_WEIGHTS))  # outstanding less the lower edge of its band
BELOW_EDGE = BitStep("RANGE_BAND", len(AMOUNT_WEIGHTS))  # the upper edge less outstanding
MONTHLY_DUE = BitStep("RANGE_MONTHLY_DUE", len(AMOUNT_WEIGHTS))
CREDIT_LIMIT = BitStep("RANGE_CREDIT_LIMIT", len(AMOUNT_WEIGHTS))
ACCOUNTS = BitStep("RANGE_TALLY_LOW", len(ACCOUNT_WEIGHTS))  # accounts less 1
CLASS = BitStep("ONE_HOT_CLASS", CLASSES, one_hot=True)
BAND = BitStep("ONE_HOT_BAND", BAND_DIGITS, one_hot=True)
OVERDUE_BAND = BitStep("ONE_HOT_OVERDUE_BAND", 1 + OVERDUE_BAND_DIGITS, one_hot=True)  # first: nothing is overdue
BIT_STEPS = (ABOVE_EDGE, BELOW_EDGE, MONTHLY_DUE, CREDIT_LIMIT, ACCOUNTS, CLASS, BAND, OVERDUE_BAND)

BAND_EDGES = "BAND_EDGES"
LINKS = tuple(f"LINK_{f.name}" for f in FIELDS)

_STARTS = dict(zip(BIT_STEPS, accumulate((step.bits for step in BIT_STEPS), initial=0), strict=False))
BITS = sum(step.bits for step in BIT_STEPS)
COMMITMENTS = sum(step.sent for step in BIT_STEPS)
# Per bit step a challenge and three scalars a bit; BAND_EDGES: two; a link: four.
PROOF_SIZE = SIZE * (COMMITMENTS + len(BIT_STEPS) + 3 * BITS + 2 + 4 * len(LINKS))


def places(step: BitStep) -> range:
    """Where the step's bits stand in the row."""
    return range(_STARTS[step], _STARTS[step] + step.bits)


@dataclass(frozen=True, slots=True)
class Sum:
    """A weighted sum over the row of bits, plus a constant. terms: (place, weight), the weights of any sign."""

    terms: tuple[tuple[int, int], ...]
    constant: int = 0

    def of_commitments(self, row: Sequence[Point]) -> Point:
        """The commitment to the sum."""
        plus = _doubling_sum((weight, row[place]) for place, weight in self.terms if weight > 0)
        minus = _doubling_sum((-weight, row[place]) for place, weight in self.terms if weight < 0)
        total = group.sub(plus, minus)
        return group.add(total, group.mul(group.scalar_from_int(self.constant), VALUE_BASE))

    def of_blindings(self, row: Sequence[Scalar]) -> Scalar:
        """The blinding of that commitment."""
        total = group.ZERO
        for place, weight in self.terms:
            total = group.scalar_add(total, group.scalar_mul(group.scalar_from_int(weight), row[place]))
        return total


def field_sum(field: Field, bands: Bands) -> Sum:
    """The plaintext of a field."""
    match field:
        case Field.OUTSTANDING:
            lower = [bands.outstanding_range(band)[0] for band in range(BAND_DIGITS)]
            return Sum((*_terms(ABOVE_EDGE, AMOUNT_WEIGHTS), *_terms(BAND, lower)))
        case Field.MONTHLY_DUE:
            return Sum(_terms(MONTHLY_DUE, AMOUNT_WEIGHTS))
        case Field.CREDIT_LIMIT:
            return Sum(_terms(CREDIT_LIMIT, AMOUNT_WEIGHTS))
        case Field.TALLY_LOW:
            accounts = [weight << DIGIT_BITS for weight in ACCOUNT_WEIGHTS]
            return Sum((*_terms(ACCOUNTS, accounts), (places(CLASS)[0], 1)), 1 << DIGIT_BITS)
        case Field.TALLY_HIGH:
            return Sum(_terms(CLASS, (0, *_digits(TALLY_HIGH_DIGITS))))
        case Field.BAND:
            return Sum(_terms(BAND, _digits(BAND_DIGITS)))
        case Field.OVERDUE_BAND:
            return Sum(_terms(OVERDUE_BAND, (0, *_digits(OVERDUE_BAND_DIGITS))))


def edges_sum(bands: Bands) -> Sum:
    """The width of the band less both distances from its edges: 0 where outstanding lies within."""
    ranges = map(bands.outstanding_range, range(BAND_DIGITS))
    distances = [-weight for weight in AMOUNT_WEIGHTS]
    widths = _terms(BAND, [high - low for low, high in ranges])
    return Sum((*widths, *_terms(ABOVE_EDGE, distances), *_terms(BELOW_EDGE, distances)))


def _digits(count: int) -> tuple[int, ...]:
    return tuple(1 << DIGIT_BITS * place for place in range(count))


def _terms(step: BitStep, weights: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((place, weight) for place, weight in zip(places(step), weights, strict=True) if weight)


def _doubling_sum(terms: Iterable[tuple[int, Point]]) -> Point:
    """The sum of weight times point, for public weights: an addition costs a fifth of a multiplication."""
    pairs = tuple(terms)
    total = group.IDENTITY
    for bit in reversed(range(max((weight.bit_length() for weight, _ in pairs), default=0))):
        total = group.add(total, total)
        for weight, point in pairs:
            if weight >> bit & 1:
                total = group.add(total, point)
    return total
