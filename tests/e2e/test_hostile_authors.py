"""A member that publishes records it should not: queriers leave them out and name it, or see that the sum lies."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from plimsoll.v1 import lender_pb2

from ledger.borrower.labels import Numbered
from ledger.crypto import group
from ledger.crypto.elgamal import Ciphertext
from ledger.positions.position_entry import PositionEntry
from tests.e2e.conftest import Hostile
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor, flip

NEW = itertools.count(300_000)
AUTHOR = "lender-5"
HONEST = {"lender-1": 1_000_000, "lender-4": 3_000_000}
QUERIER = "lender-2"
TODAY = int(time.time()) // 86_400

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def borrower(hostile: Hostile) -> str:
    """Two honest members have a claim."""
    identity = f"test:{next(NEW)}"
    for member, amount in HONEST.items():
        assert hostile.cluster.report(member, [row(identity, amount)]).published == 1
    hostile.cluster.wait_same_heads()
    hostile.impostor.catch_up()
    return identity


def ask(hostile: Hostile, borrower: str, *entries: bytes) -> lender_pb2.ExposureResponse:
    """What an honest member is told once the author has published these entries."""
    hostile.impostor.publish(*entries)
    return hostile.cluster.ask(QUERIER, borrower)


def check_left_out(answer: lender_pb2.ExposureResponse, *reasons: str) -> None:
    """The author is named for these reasons, and the honest members' sum is told."""
    assert [(left.member, left.reason) for left in answer.excluded] == [(AUTHOR, reason) for reason in reasons]
    assert answer.amounts.outstanding == sum(HONEST.values())
    assert (answer.lenders, answer.withheld) == (2, "")
    assert not answer.implausible


def broken(ciphertext: Ciphertext, what: str) -> Ciphertext:
    """A ciphertext whose proof does not hold, or that is no ciphertext."""
    r, bodies, proof = ciphertext.nonce_point, ciphertext.bodies, ciphertext.proof
    changes = {
        "challenge": Ciphertext(r, bodies, flip(proof, 0)),
        "response": Ciphertext(r, bodies, flip(proof, 32)),
        "response not canonical": Ciphertext(r, bodies, proof[:32] + b"\xff" * 32),
        "nonce point": Ciphertext(group.mul_base(group.random_scalar(os.urandom)), bodies, proof),
        "nonce point not canonical": Ciphertext(b"\xff" * 32, bodies, proof),
        "identity as nonce point": Ciphertext(group.IDENTITY, bodies, proof),
        "one body": Ciphertext(r, (*bodies[:6], group.mul_base(group.random_scalar(os.urandom))), proof),
        "body not canonical": Ciphertext(r, (b"\xff" * 32, *bodies[1:]), proof),
        "bodies swapped": Ciphertext(r, (bodies[1], bodies[0], *bodies[2:]), proof),
    }
    return changes[what]


@pytest.mark.parametrize(
    "what",
    [
        "challenge",
        "response",
        "response not canonical",
        "nonce point",
        "nonce point not canonical",
        "identity as nonce point",
        "one body",
        "body not canonical",
        "bodies swapped",
    ],
)
def test_a_record_whose_proof_fails_is_left_out_and_its_author_named(
    hostile: Hostile, borrower: str, what: str
) -> None:
    impostor = hostile.impostor
    label = impostor.borrower(borrower).query.positions(AUTHOR)(0)
    bad = broken(impostor.encrypt(label, impostor.amounts(500_000)), what)
    check_left_out(ask(hostile, borrower, impostor.position(borrower, (), ciphertext=bad)), "BAD_PROOF")


def victims_record(impostor: Impostor, borrower: str) -> PositionEntry:
    """lender-1's record about the borrower, which whoever holds the borrower's key can find."""
    log = impostor.chain.log("lender-1")
    index = Numbered(log, impostor.borrower(borrower).query.positions("lender-1")).index(0)
    assert index is not None
    return PositionEntry.parse(log.entry(index))


@pytest.mark.parametrize("factor", [1, 2, 1000])
def test_a_copied_ciphertext_is_left_out_also_scaled(hostile: Hostile, borrower: str, factor: int) -> None:
    """Added up, it would make the sum tell the victim's amount."""
    ciphertext = victims_record(hostile.impostor, borrower).ciphertext
    assert ciphertext is not None
    scalar = group.scalar_from_int(factor)
    scaled = Ciphertext(
        group.mul(scalar, ciphertext.nonce_point),
        tuple(group.mul(scalar, body) for body in ciphertext.bodies),
        ciphertext.proof,
    )
    check_left_out(ask(hostile, borrower, hostile.impostor.position(borrower, (), ciphertext=scaled)), "BAD_PROOF")


def test_a_copied_entry_is_nobodys_under_the_victims_label(hostile: Hostile, borrower: str) -> None:
    """A label counts in its author's log alone: nobody can squat another's, nor add a record to it."""
    impostor = hostile.impostor
    copied = victims_record(impostor, borrower)
    labels = impostor.borrower(borrower).query.positions("lender-1")
    squatted = [replace(copied, label=labels(number)).encode() for number in (0, 1, 2)]
    answer = ask(hostile, borrower, *squatted)
    check_left_out(answer)
    hostile.cluster.report("lender-1", [row(borrower, 2_000_000, as_of="2025-07-31")])
    hostile.cluster.wait_same_heads()
    assert hostile.cluster.ask(QUERIER, borrower).amounts.outstanding == 5_000_000


def with_amounts(impostor: Impostor, **changes: int) -> tuple[int, ...]:
    """An honest record's plaintexts but for these."""
    names = ("outstanding", "monthly_due", "credit_limit", "tally_low", "tally_high", "band", "overdue_band")
    honest = dict(zip(names, impostor.amounts(500_000), strict=True))
    return tuple((honest | changes).values())


IMPLAUSIBLE: dict[str, tuple[dict[str, int], set[str]]] = {
    "a negative amount": ({"outstanding": -100_000_000}, {"OUT_OF_RANGE:outstanding"}),
    "all amounts negative": (
        {"outstanding": -(1 << 39), "monthly_due": -(1 << 39), "credit_limit": -(1 << 39)},
        {"OUT_OF_RANGE:outstanding", "OUT_OF_RANGE:monthly_due", "OUT_OF_RANGE:credit_limit"},
    ),
    "an amount that takes away from others'": ({"outstanding": -2_500_000}, {"BAND_SUM"}),
    "an amount beyond its band": ({"outstanding": 40_000_000_000}, {"BAND_SUM"}),
    "an amount beyond all range": ({"credit_limit": 1 << 45}, {"OUT_OF_RANGE:credit_limit"}),
    "two bands": ({"band": 1 << 6 | 1}, {"UNREADABLE:band"}),
    "no band": ({"band": 0}, {"BANDS"}),
    "a band taken from others": ({"band": -1}, {"UNREADABLE:band"}),
    "two classes": ({"tally_high": 1}, {"CLASSES"}),
    "no class": ({"tally_low": 1 << 6}, {"CLASSES"}),
    "no account": ({"tally_low": 1}, {"ACCOUNTS"}),
    "nonsense in a packed field": ({"overdue_band": 1 << 47}, {"UNREADABLE:overdue_band"}),
}


@pytest.mark.parametrize("what", IMPLAUSIBLE)
def test_sums_that_cannot_be_are_withheld_as_implausible(hostile: Hostile, borrower: str, what: str) -> None:
    changes, codes = IMPLAUSIBLE[what]
    impostor = hostile.impostor
    started = time.monotonic()
    answer = ask(hostile, borrower, impostor.position(borrower, with_amounts(impostor, **changes)))
    assert time.monotonic() - started < 25
    assert not answer.HasField("amounts")
    assert answer.withheld == "IMPLAUSIBLE"
    assert codes <= set(answer.implausible)
    assert answer.lenders == 3
    assert not answer.excluded


def test_a_negative_amount_that_fits_the_bands_is_not_told_from_an_honest_sum(hostile: Hostile, borrower: str) -> None:
    """What plausibility cannot see: a lie within the bands' width. It is its own claim that the author falsifies."""
    impostor = hostile.impostor
    answer = ask(hostile, borrower, impostor.position(borrower, with_amounts(impostor, outstanding=-1)))
    assert answer.amounts.outstanding == sum(HONEST.values()) - 1
    assert not answer.implausible


def positions(impostor: Impostor, borrower: str, days: Sequence[int], start: int = 0) -> list[bytes]:
    """Records one after the other, each speaking of one of these days."""
    return [
        impostor.position(borrower, impostor.amounts(100_000 * (place + 1)), number=start + place, as_of=day)
        for place, day in enumerate(days)
    ]


def test_records_of_the_future_are_passed_over_and_named(hostile: Hostile, borrower: str) -> None:
    entries = positions(hostile.impostor, borrower, [TODAY, TODAY + 3, TODAY + 40])
    answer = ask(hostile, borrower, *entries)
    assert [left.reason for left in answer.excluded] == ["FUTURE_AS_OF", "FUTURE_AS_OF"]
    assert answer.amounts.outstanding == sum(HONEST.values()) + 100_000


def test_a_record_that_goes_back_in_time_is_passed_over_and_named(hostile: Hostile, borrower: str) -> None:
    entries = positions(hostile.impostor, borrower, [TODAY - 10, TODAY - 5, TODAY - 9])
    answer = ask(hostile, borrower, *entries)
    assert [left.reason for left in answer.excluded] == ["AS_OF_WENT_BACK"]
    assert answer.amounts.outstanding == sum(HONEST.values()) + 200_000


def test_too_many_records_to_be_passed_over_leave_their_author_out(hostile: Hostile, borrower: str) -> None:
    entries = positions(hostile.impostor, borrower, [TODAY, *[TODAY + 9] * 17])
    answer = ask(hostile, borrower, *entries)
    assert {left.reason for left in answer.excluded} == {"FUTURE_AS_OF", "TOO_MANY_IGNORED"}
    assert answer.amounts.outstanding == sum(HONEST.values())


def test_a_gap_in_the_numbers_leaves_the_author_out(hostile: Hostile, borrower: str) -> None:
    impostor = hostile.impostor
    first, second, third = positions(impostor, borrower, [TODAY, TODAY, TODAY])
    check_left_out(ask(hostile, borrower, first, third, second), "GAP")


def test_a_key_epoch_that_does_not_exist_leaves_the_author_out(hostile: Hostile, borrower: str) -> None:
    impostor = hostile.impostor
    entry = impostor.position(borrower, impostor.amounts(500_000), epoch=2)
    check_left_out(ask(hostile, borrower, entry), "WRONG_EPOCH")


def test_of_two_records_of_one_number_the_first_counts(hostile: Hostile, borrower: str) -> None:
    impostor = hostile.impostor
    first, second = (impostor.position(borrower, impostor.amounts(amount), number=0) for amount in (500_000, 900_000))
    impostor.publish(first)
    impostor.force(second)
    assert hostile.cluster.ask(QUERIER, borrower).amounts.outstanding == sum(HONEST.values()) + 500_000


def test_an_inquiry_under_a_positions_label_leaves_the_author_out(hostile: Hostile, borrower: str) -> None:
    impostor = hostile.impostor
    keys = impostor.borrower(borrower).query
    check_left_out(
        ask(hostile, borrower, impostor.inquiry(keys, label=keys.positions(AUTHOR)(0)).encode()), "WRONG_KIND"
    )


def test_entries_that_mean_nothing_are_kept_and_do_no_harm(hostile: Hostile, borrower: str) -> None:
    impostor = hostile.impostor
    unknown_kind = b"\x08\x01\xf2\x07\x02\x08\x01"  # field 126: a kind that nobody here knows
    impostor.force(b"\x00", b"\xff" * 65_535, unknown_kind)
    answer = ask(hostile, borrower, impostor.position(borrower, impostor.amounts(500_000)))
    assert answer.amounts.outstanding == sum(HONEST.values()) + 500_000
    assert not answer.excluded
