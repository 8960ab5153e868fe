"""A made-up portfolio for the demo: one feed per lender, and the truth that only a query over all of them can find.

Everything follows from the seed. Borrowers have 1, 2, 3, 4 or 5 accounts in shares of 55, 22, 12, 7 and 4 %, mostly at
as many lenders. The first borrower is the one of the design's section 1: every lender alone sees a debt service
(monthly due by monthly income) below 50 %, while together the debt is 380 % of the monthly income.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ledger.crypto.hashing import Part, digest
from ledger.errors import InvalidInput
from ledger.positions.classification import CLASS_LABELS, Classification
from ledger.positions.feed import COLUMNS, parse_date
from ledger.positions.loan import Loan

AMOUNTS = ("credit_limit", "outstanding", "monthly_due", "overdue")
TRUTH_COLUMNS = ("borrower", "lenders", "accounts", *AMOUNTS, *CLASS_LABELS)
MAX_LENDERS = 63  # no sum takes more contributors (design, section 6)
MAX_BORROWERS = 10_000_000

_ACCOUNT_SHARES = ((55, 1), (77, 2), (89, 3), (96, 4), (100, 5))  # cumulative %, accounts
_SAME_LENDER = 10  # % of further accounts that stay with the lender of the one before
_LIMITS = (3_000, 5_000, 8_000, 10_000, 20_000, 30_000, 50_000, 80_000, 120_000, 200_000, 300_000)  # major units
_MONTHS_LATE = ((88, 0), (93, 1), (95, 2), (96, 3), (97, 5), (98, 8), (99, 11), (100, 14))  # cumulative %, months
# Days past due up to which a loan stays in a class, by China's rules on the risk classification of assets (2023).
_CLASS_BY_DAYS = ((0, 0), (90, 1), (270, 2), (360, 3))

# The over-indebted borrower, in major units: lent in short instalments by up to five lenders.
_INCOME = 10_000
_OUTSTANDING = (9_600, 8_400, 7_200, 6_800, 6_000)  # 380 % of the income together
_MONTHLY_DUE = (4_200, 3_600, 2_900, 2_600, 2_200)  # 42, 36, 29, 26, 22 % of it


@dataclass(frozen=True, slots=True)
class Account:
    """One loan and whose it is: lender counts from 1."""

    lender: int
    borrower: str
    loan: Loan


@dataclass(frozen=True, slots=True)
class OverIndebted:
    """The borrower whom every lender alone takes for solvent. Amounts in minor units; income by month."""

    borrower: str
    monthly_income: int
    accounts: tuple[Account, ...]

    def service_percent(self, lender: int | None = None) -> int:
        """Monthly due by monthly income, of what one lender sees, or all."""
        return self._percent(sum(a.loan.monthly_due for a in self.accounts if lender in (None, a.lender)))

    def debt_percent(self, lender: int | None = None) -> int:
        """Outstanding by monthly income, of what one lender sees, or all."""
        return self._percent(sum(a.loan.outstanding for a in self.accounts if lender in (None, a.lender)))

    def _percent(self, amount: int) -> int:
        return round(100 * amount / self.monthly_income)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What to generate. as_of: the day all accounts speak of. currency: ISO 4217."""

    lenders: int
    borrowers: int
    as_of: date
    currency: str = "CNY"
    minor_per_major: int = 100
    seed: str = "plimsoll"

    def over_indebted(self) -> OverIndebted:
        """The first borrower, test:000001."""
        count = min(self.lenders, len(_OUTSTANDING))
        # With fewer lenders the same debt lies with those there are; the rest of the division with the first.
        shares = [sum(_OUTSTANDING) * part // sum(_OUTSTANDING[:count]) for part in _OUTSTANDING[:count]]
        shares[0] += sum(_OUTSTANDING) - sum(shares)
        accounts = []
        for lender, (outstanding, due) in enumerate(zip(shares, _MONTHLY_DUE, strict=False), start=1):
            limit = -(-outstanding * 5 // 4_000) * 1_000
            loan = self._loan(1, lender, "instalment", (limit, outstanding, due, 0), 0)
            accounts.append(Account(lender, _name(1), loan))
        return OverIndebted(_name(1), _INCOME * self.minor_per_major, tuple(accounts))

    def accounts_of(self, number: int) -> tuple[Account, ...]:
        """All accounts of borrower 1 .. `borrowers`, at whichever lender."""
        if number == 1:
            return self.over_indebted().accounts
        dice = _Dice(self.seed, number)
        order = sorted(range(1, self.lenders + 1), key=lambda lender: dice.roll(1 << 62))
        accounts: list[Account] = []
        for place in range(1, _pick(_ACCOUNT_SHARES, dice.roll(100)) + 1):
            stays = bool(accounts) and dice.roll(100) < _SAME_LENDER
            if not stays and not order:
                break  # one account a lender is the rule, so few lenders mean few accounts
            lender = accounts[-1].lender if stays else order.pop()
            accounts.append(Account(lender, _name(number), self._account(number, place, dice)))
        return tuple(accounts)

    def _account(self, number: int, place: int, dice: _Dice) -> Loan:
        limit = _LIMITS[dice.roll(len(_LIMITS))]
        used = 0 if dice.roll(100) < 12 else limit * dice.roll(1_001) // 1_000
        if dice.roll(100) < 60:
            product, due = "revolving", max(used // 20, min(used, 100))
        else:
            product, due = "instalment", -(-used // (3 + dice.roll(34)))
        late = _pick(_MONTHS_LATE, dice.roll(100)) if used else 0
        return self._loan(number, place, product, (limit, used, due, min(due * late, used)), 30 * late)

    def _loan(self, number: int, place: int, product: str, major: tuple[int, int, int, int], days: int) -> Loan:
        limit, outstanding, due, overdue = (amount * self.minor_per_major for amount in major)
        return Loan(
            f"{number:06d}-{place}",
            product,
            limit,
            outstanding,
            due,
            overdue,
            days,
            _classify(days),
            True,
            parse_date(self.as_of.isoformat()),
        )


def write_portfolio(portfolio: Portfolio, out: Path) -> OverIndebted:
    """Writes out/lender-1.csv .. and out/truth.csv, the latter with one row per borrower: the sums over all lenders.

    Memory does not grow with the portfolio. Raises InvalidInput for counts out of range, OSError.
    """
    _check_count(portfolio.lenders, MAX_LENDERS, "lenders")
    _check_count(portfolio.borrowers, MAX_BORROWERS, "borrowers")
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        feeds = [_writer(files, out / f"lender-{k}.csv", COLUMNS) for k in range(1, portfolio.lenders + 1)]
        truth = _writer(files, out / "truth.csv", TRUTH_COLUMNS)
        for number in range(1, portfolio.borrowers + 1):
            accounts = portfolio.accounts_of(number)
            for account in accounts:
                feeds[account.lender - 1].writerow(_feed_row(account, portfolio))
            truth.writerow(_true_sums(accounts))
    return portfolio.over_indebted()


class _Dice:
    """Draws for one borrower: the same for ever, and untouched by how many other borrowers there are."""

    def __init__(self, *what: Part) -> None:
        self._what = what
        self._rolls = 0

    def roll(self, sides: int) -> int:
        """0 .. sides - 1."""
        self._rolls += 1
        return int.from_bytes(digest("plimsoll/v1/portfolio", *self._what, self._rolls)) % sides


def _pick(shares: Sequence[tuple[int, int]], percent: int) -> int:
    return next(value for limit, value in shares if percent < limit)


def _classify(days: int) -> Classification:
    return Classification(next((number for limit, number in _CLASS_BY_DAYS if days <= limit), 4))


def _name(number: int) -> str:
    return f"test:{number:06d}"


def _feed_row(account: Account, portfolio: Portfolio) -> dict[str, object]:
    loan = account.loan
    return {
        "borrower": account.borrower,
        "loan_id": loan.loan_id,
        "product": loan.product,
        "currency": portfolio.currency,
        **{name: getattr(loan, name) for name in AMOUNTS},
        "days_past_due": loan.days_past_due,
        "classification": loan.classification.label,
        "status": "open",
        "as_of": portfolio.as_of.isoformat(),
    }


def _true_sums(accounts: Sequence[Account]) -> dict[str, object]:
    worst: dict[int, Classification] = {}
    for account in accounts:
        worst[account.lender] = max(account.loan.classification, worst.get(account.lender, Classification.PASS))
    classes = list(worst.values())
    return {
        "borrower": accounts[0].borrower,
        "lenders": len(worst),
        "accounts": len(accounts),
        **{name: sum(getattr(account.loan, name) for account in accounts) for name in AMOUNTS},
        **{classification.label: classes.count(classification) for classification in Classification},
    }


def _writer(files: ExitStack, path: Path, columns: Sequence[str]) -> csv.DictWriter[str]:
    writer = csv.DictWriter(files.enter_context(path.open("w", newline="")), columns, lineterminator="\n")
    writer.writeheader()
    return writer


def _check_count(count: int, maximum: int, path: str) -> None:
    if not 1 <= count <= maximum:
        raise InvalidInput("OUT_OF_RANGE", f"must be 1 to {maximum}", path)
