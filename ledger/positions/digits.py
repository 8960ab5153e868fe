"""Packed digits: several small counts in one plaintext, 6 bits each, lowest first (design, section 6, Position).

Digits add up independently as long as no sum exceeds 63, hence at most 63 contributors to a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import Exhausted, InvalidInput

DIGIT_BITS = 6
DIGIT_LIMIT = 1 << DIGIT_BITS
MAX_CONTRIBUTORS = DIGIT_LIMIT - 1
MAX_ACCOUNTS = 1023  # of one lender
TALLY_LOW_LIMIT = 1 << 22  # 63 lenders in class pass, 63 times 1,023 accounts above them
CLASSES = 5  # pass, special-mention, substandard, doubtful, loss
TALLY_HIGH_DIGITS = CLASSES - 1
BAND_DIGITS = MAX_DIGITS = 6
OVERDUE_BAND_DIGITS = 5


def check_contributors(count: int) -> int:
    """The count itself. Raises Exhausted from 64 on, InvalidInput below 1."""
    if count < 1:
        raise InvalidInput("OUT_OF_RANGE", "a sum has at least one contributor", "contributors")
    if count > MAX_CONTRIBUTORS:
        raise Exhausted("TOO_MANY_CONTRIBUTORS", f"at most {MAX_CONTRIBUTORS} lenders can be added up", "contributors")
    return count


def pack(digits: Sequence[int], path: str = "") -> int:
    """The digits, lowest first, each 0 .. 63, as one number. Raises InvalidInput."""
    value = 0
    for place, digit in enumerate(digits):
        if not 0 <= digit < DIGIT_LIMIT:
            raise InvalidInput("OUT_OF_RANGE", f"a digit must be 0 to {DIGIT_LIMIT - 1}", f"{path}[{place}]")
        value |= digit << DIGIT_BITS * place
    return value


def unpack(value: int, count: int, path: str = "") -> tuple[int, ...]:
    """The `count` digits of a packed number, lowest first. Raises InvalidInput where it does not fit into them."""
    if not 0 <= value < 1 << DIGIT_BITS * count:
        raise InvalidInput("OUT_OF_RANGE", f"not a number of {count} packed digits", path)
    return tuple(value >> DIGIT_BITS * place & DIGIT_LIMIT - 1 for place in range(count))


def one_hot(place: int | None, count: int, path: str = "") -> int:
    """A one in digit `place` of `count`, nothing for None. Raises InvalidInput."""
    if place is None:
        return 0
    if not 0 <= place < count:
        raise InvalidInput("OUT_OF_RANGE", f"there are only {count} digits", path)
    return 1 << DIGIT_BITS * place


def pack_tally_low(pass_lenders: int, accounts: int) -> int:
    """tally_low, of one lender or a sum: lenders in class pass in bits 0 to 5, accounts above. Raises InvalidInput."""
    if not 0 <= pass_lenders <= MAX_CONTRIBUTORS:
        raise InvalidInput("OUT_OF_RANGE", f"pass lenders must be 0 to {MAX_CONTRIBUTORS}", "pass_lenders")
    if not 0 <= accounts <= MAX_ACCOUNTS * MAX_CONTRIBUTORS:
        raise InvalidInput("OUT_OF_RANGE", f"accounts must be 0 to {MAX_ACCOUNTS} per lender", "accounts")
    return accounts << DIGIT_BITS | pass_lenders


def unpack_tally_low(value: int) -> tuple[int, int]:
    """(lenders in class pass, accounts). Raises InvalidInput from 2^22 on."""
    if not 0 <= value < TALLY_LOW_LIMIT:
        raise InvalidInput("OUT_OF_RANGE", "not a packed tally", "tally_low")
    return value & DIGIT_LIMIT - 1, value >> DIGIT_BITS


def tallies(loan_class: int, accounts: int) -> tuple[int, int]:
    """(tally_low, tally_high) of one lender in class 0 (pass) .. 4 (loss), 0 .. 1,023 accounts. Raises InvalidInput."""
    if not 0 <= loan_class < CLASSES:
        raise InvalidInput("OUT_OF_RANGE", f"a class must be 0 to {CLASSES - 1}", "class")
    if not 0 <= accounts <= MAX_ACCOUNTS:
        raise InvalidInput("OUT_OF_RANGE", f"a lender has at most {MAX_ACCOUNTS} accounts here", "accounts")
    passing = loan_class == 0
    high = None if passing else loan_class - 1
    return pack_tally_low(int(passing), accounts), one_hot(high, TALLY_HIGH_DIGITS)
