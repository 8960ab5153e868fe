"""From points to sums, and whether these can be (protocol section 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from tests.second.group import IDENTITY, G, P, Point
from tests.second.manifest import Consortium
from tests.second.position import FIELDS

AMOUNTS = FIELDS[:3]
DIGITS = {"tally_high": 4, "band": 6, "overdue_band": 5}
BABY_BITS = 14
MOST_ACCOUNTS = 1023
LARGEST_AMOUNT = 1 << 40


def _keys(points: Sequence[Point]) -> list[int]:
    """Per point a number that equal elements share: the less of x/y and y/x (RFC 9496, section 4.3.3); -1 for zero."""
    prefixes = [1]
    for point in points:
        x, y, _, _ = point.coordinates
        prefixes.append(prefixes[-1] * (x * y % P or 1) % P)
    inverse, keys = pow(prefixes[-1], P - 2, P), []
    for point, prefix in zip(reversed(points), reversed(prefixes[:-1]), strict=True):
        x, y, _, _ = point.coordinates
        product = x * y % P
        one = prefix * inverse % P
        inverse = inverse * (product or 1) % P
        keys.append(min(x * x * one % P, y * y * one % P) if product else -1)
    return keys[::-1]


@cache
def _baby_steps() -> dict[int, int]:
    steps = [IDENTITY]
    for _ in range((1 << BABY_BITS) - 1):
        steps.append(steps[-1] + G)
    return {key: number for number, key in enumerate(_keys(steps))}


def logarithm(target: Point, bits: int, batch: int = 256) -> int | None:
    """The m below 2^bits with mG = target, by baby and giant steps."""
    table, giant = _baby_steps(), -((1 << BABY_BITS) * G)
    rest, limit = target, -(-(1 << bits) // (1 << BABY_BITS))
    for start in range(0, limit, batch):
        run = [rest]
        for _ in range(min(batch, limit - start)):
            run.append(run[-1] + giant)
        rest = run.pop()
        for offset, key in enumerate(_keys(run)):
            if key in table:
                found = ((start + offset) << BABY_BITS) + table[key]
                return found if found < 1 << bits else None
    return None


def packed(target: Point, digits: int, most: int) -> int | None:
    """The number with so many 6-bit digits, adding up to at most `most`, whose multiple of G is the target."""
    bases = [(1 << 6 * d) * G for d in range(digits)]

    def search(digit: int, left: int, rest: Point, value: int) -> int | None:
        if digit == digits:
            return value if rest == IDENTITY else None
        for count in range(left + 1):
            found = search(digit + 1, left - count, rest, value + (count << 6 * digit))
            if found is not None:
                return found
            rest = rest - bases[digit]
        return None

    return search(0, most, target, 0)


def read_sum(field: str, target: Point, contributors: int, amount_bits: int) -> int | None:
    if field in AMOUNTS:
        return logarithm(target, amount_bits)
    if field == "tally_low":
        return logarithm(target, 22)
    return packed(target, DIGITS[field], contributors)


def digits_of(value: int, count: int) -> list[int]:
    return [value >> 6 * digit & 63 for digit in range(count)]


def classes(tally_low: int, tally_high: int) -> list[int]:
    """Pass, special-mention, substandard, doubtful, loss."""
    return [tally_low & 63, *digits_of(tally_high, 4)]


def opened(body_sum: Point, mask: Point) -> Point:
    return body_sum - mask


def is_opening(value: int, body_sum: Point, mask: Point) -> bool:
    return value * G == opened(body_sum, mask)


def failed_checks(sums: Mapping[str, int | None], contributors: int, consortium: Consortium) -> list[str]:
    """P1 to P6; `sums` has the released fields, None where nothing was found."""
    failed = [f"OUT_OF_RANGE:{f}" for f in AMOUNTS if f in sums and sums[f] is None]
    failed += [f"UNREADABLE:{f}" for f in FIELDS[3:] if f in sums and sums[f] is None]
    low, high, band, owed = (sums.get(f) for f in ("tally_low", "tally_high", "band", "outstanding"))
    if low is not None and high is not None and sum(classes(low, high)) != contributors:
        failed.append("CLASSES")
    if band is not None and sum(digits_of(band, 6)) != contributors:
        failed.append("BANDS")
    if low is not None and not contributors <= low >> 6 <= MOST_ACCOUNTS * contributors:
        failed.append("ACCOUNTS")
    if band is not None and owed is not None and not _fits_bands(owed, digits_of(band, 6), consortium):
        failed.append("BAND_SUM")
    return failed


def _fits_bands(owed: int, lenders: Sequence[int], consortium: Consortium) -> bool:
    edges: list[int] = [edge * consortium.minor_per_major for edge in consortium.policy["bands"]]
    lower, upper = [0, *edges], [*[edge - 1 for edge in edges], LARGEST_AMOUNT]
    least = sum(count * edge for count, edge in zip(lenders, lower, strict=True))
    return least <= owed <= sum(count * edge for count, edge in zip(lenders, upper, strict=True))
