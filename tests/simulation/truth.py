"""What is true: every position ever published, in plain, read out of the copy its author sealed for itself, and what
follows from it for a query at given heads. Worked out here by other means than the product's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.positions.bands import Bands
from ledger.positions.classification import CLASS_LABELS
from ledger.positions.sealed_copy import open_copy
from ledger.tlog.merkle import leaf_hash
from node.homes.keyring import Keyring


@dataclass(frozen=True)
class Told:
    """A position as its author meant it. amounts: the seven plaintexts, () where closed. spoilt: its proof is wrong."""

    borrower: str
    number: int
    amounts: tuple[int, ...]
    closed: bool
    spoilt: bool = False


class Truth:
    """What entries tell. spoilt: hashes of entries that a dishonest author has published with a wrong proof."""

    def __init__(self, consortium: bytes, keyrings: Mapping[str, Keyring], bands: Bands) -> None:
        self._consortium = consortium
        self._keyrings = keyrings
        self._bands = bands
        self.spoilt: set[bytes] = set()

    def read(self, author: str, raw: bytes) -> Told | None:
        """What an entry tells about a borrower. Raises what opening an honest author's copy never should."""
        entry = entry_pb2.Entry.FromString(raw)
        if entry.WhichOneof("kind") != "position":
            return None
        position = entry.position
        copy = open_copy(position.sealed, self._keyrings[author].backup_key, self._consortium, author, position.label)
        spoilt = leaf_hash(raw) in self.spoilt
        return Told(copy.borrower, copy.number, tuple(copy.amounts), position.closed, spoilt)

    def at(
        self, borrower: str, told: Mapping[str, Sequence[Told | None]], sizes: Mapping[str, int]
    ) -> tuple[dict[str, tuple[int, ...]], list[tuple[str, str]]]:
        """By lender with an open record of this borrower at these sizes: what it has out; and who must be left out."""
        out, left = {}, []
        for member, size in sizes.items():
            newest = None
            for one in told[member][:size]:
                if one is not None and one.borrower == borrower:
                    newest = one
            if newest is None or newest.closed:
                continue
            if newest.spoilt:
                left.append((member, "BAD_PROOF"))
            else:
                out[member] = newest.amounts
        return out, left

    def differences(
        self,
        answer: lender_pb2.ExposureResponse,
        querier: str,
        lent: Mapping[str, tuple[int, ...]],
        left_out: Sequence[tuple[str, str]],
        fewest: int,
    ) -> list[str]:
        """Where an answer says something else than the truth. fewest: min_contributors."""
        expected: dict[str, object] = {
            "lenders": len(lent),
            "includes_own": querier in lent,
            "accounts": sum(amounts[3] >> 6 for amounts in lent.values()),
            "classes": _digits(lent.values(), _class_digits, len(CLASS_LABELS)),
            "bands": _digits(lent.values(), lambda amounts: _unpacked(amounts[5], 6), 6),
            "overdue_bands": _digits(lent.values(), lambda amounts: _unpacked(amounts[6], 5), 5),
            "excluded": list(left_out),
            "implausible": [],
        }
        given: dict[str, object] = {
            "lenders": answer.lenders,
            "includes_own": answer.includes_own,
            "accounts": answer.accounts,
            "classes": [one.lenders for one in answer.classes],
            "bands": [one.lenders for one in answer.bands],
            "overdue_bands": [one.lenders for one in answer.overdue_bands],
            "excluded": [(left.member, left.reason) for left in answer.excluded],
            "implausible": list(answer.implausible),
        }
        if answer.HasField("amounts"):
            given["sums"] = (answer.amounts.outstanding, answer.amounts.monthly_due, answer.amounts.credit_limit)
            expected["sums"] = tuple(sum(amounts[field] for amounts in lent.values()) for field in range(3))
        expected["withheld"], given["withheld"] = "", _withheld_wrongly(answer, len(lent.keys() - {querier}) < fewest)
        return [f"{name}: {given[name]} and not {expected[name]}" for name in expected if given[name] != expected[name]]


def _withheld_wrongly(answer: lender_pb2.ExposureResponse, few: bool) -> str:
    """Amounts are there unless a reason says why not, and few contributors are always one."""
    if bool(answer.withheld) == answer.HasField("amounts"):
        return f"{answer.withheld!r}, with amounts"
    frozen = any(log.frozen for log in answer.logs)
    if answer.withheld in ("FROZEN", "CONFLICTING_WITNESSES"):
        return "" if frozen else answer.withheld
    return "" if few == (answer.withheld == "FEW_CONTRIBUTORS") else f"{answer.withheld!r}, few: {few}"


def _unpacked(packed: int, digits: int) -> list[int]:
    return [packed >> 6 * digit & 63 for digit in range(digits)]


def _class_digits(amounts: tuple[int, ...]) -> list[int]:
    return [amounts[3] & 63, *_unpacked(amounts[4], 4)]


def _digits(lent: Iterable[tuple[int, ...]], digits: object, count: int) -> list[int]:
    rows = [digits(amounts) for amounts in lent]  # type: ignore[operator]
    return [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * count


def singles_out(rows: Collection[frozenset[str]], strangers: int) -> frozenset[str] | None:
    """So few members (fewer than `strangers`) that a combination of these answers is about them alone; None: nobody.

    By elimination over the rationals, for each such set of members: a combination that vanishes for all others, but is
    not zero, is there if leaving these members' columns out lowers the rank.
    """
    members = sorted(frozenset().union(*rows))
    rank = _rank([[Fraction(member in row) for member in members] for row in rows])
    for few in combinations(members, strangers - 1):
        others = [member for member in members if member not in few]
        if _rank([[Fraction(member in row) for member in others] for row in rows]) < rank:
            return frozenset(few)
    return None


def _rank(matrix: list[list[Fraction]]) -> int:
    rank = 0
    for column in range(len(matrix[0]) if matrix else 0):
        pivot = next((row for row in range(rank, len(matrix)) if matrix[row][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        for row in range(len(matrix)):
            if row != rank and matrix[row][column]:
                factor = matrix[row][column] / matrix[rank][column]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[rank], strict=True)]
        rank += 1
    return rank
