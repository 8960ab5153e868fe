"""Promises of the sealed copy in a position."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import sealed_pb2

from ledger.crypto.sealed import seal
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.positions.loan import Loan
from ledger.positions.position import fold
from ledger.positions.sealed_copy import DOMAIN, SIZES, SealedCopy, check_room, open_copy, seal_copy
from tests.ledger.loans import BANDS, a_loan, books

KEY, CONSORTIUM, MEMBER, LABEL = bytes(range(32)), b"c" * 32, "lender-1", b"l" * 16
BORROWER = "cn-id:11010519491231002X"
PLACE = (CONSORTIUM, MEMBER, LABEL)


def zeros(count: int) -> bytes:
    return bytes(count)


def a_copy(book: list[Loan], noise: random.Random | None = None, **changes: Any) -> SealedCopy:
    noise = noise or random.Random(1)
    position = fold(book, BANDS)
    copy = SealedCopy(
        borrower=BORROWER,
        number=3,
        pseudonym_key=noise.randbytes(64),
        loans=tuple(sorted(book, key=lambda loan: loan.loan_id)),
        salt=noise.randbytes(32),
        nonce=b"" if position.closed else noise.randbytes(32),
        amounts=position.amounts,
    )
    return replace(copy, **changes)


def sealed_raw(padded: bytes) -> bytes:
    return seal(KEY, DOMAIN, PLACE, padded, zeros)


def framed(packed: bytes, size: int) -> bytes:
    return (len(packed).to_bytes(4, "big") + packed).ljust(size, b"\0")


@given(books())
@settings(max_examples=50)
def test_a_sealed_copy_gives_its_author_everything_back(book: list[Loan]) -> None:
    copy = a_copy(book)
    box = seal_copy(copy, KEY, *PLACE, zeros)
    assert len(box) - 28 in SIZES
    assert open_copy(box, KEY, *PLACE) == copy


def test_neither_key_nor_identity_nor_amounts_show_when_printed() -> None:
    text = repr(a_copy([a_loan()]))
    assert BORROWER not in text
    assert "1234567" not in text
    assert repr(random.Random(1).randbytes(64)) not in text


def test_few_loans_and_many_are_told_apart_by_four_sizes_only() -> None:
    noise = random.Random(2)
    sizes = []
    for count in (1, 2, 3, 30, 200, 700):
        loans = [a_loan(f"LN{n:08d}", outstanding=noise.randrange(10**7), credit_limit=10**7) for n in range(count)]
        sizes.append(len(seal_copy(a_copy(loans), KEY, *PLACE, zeros)) - 28)
    assert sizes[:3] == [512, 512, 512]
    assert sizes == sorted(sizes)
    assert set(sizes) <= set(SIZES)


@pytest.mark.parametrize(
    "place",
    [(b"d" * 32, MEMBER, LABEL), (CONSORTIUM, "lender-2", LABEL), (CONSORTIUM, MEMBER, b"m" * 16)],
)
def test_a_copy_moved_to_another_entry_does_not_open(place: tuple[bytes, str, bytes]) -> None:
    box = seal_copy(a_copy([a_loan()]), KEY, *PLACE, zeros)
    with pytest.raises(Unverified):
        open_copy(box, KEY, *place)


def test_another_backup_key_does_not_open_it() -> None:
    with pytest.raises(Unverified):
        open_copy(seal_copy(a_copy([a_loan()]), KEY, *PLACE, zeros), bytes(32), *PLACE)


@given(st.integers(0, 539), st.integers(1, 255))
@settings(max_examples=60)
def test_every_altered_byte_is_noticed(place: int, mask: int) -> None:
    box = bytearray(seal_copy(a_copy([a_loan()]), KEY, *PLACE, zeros))
    box[place] ^= mask
    with pytest.raises(Unverified):
        open_copy(bytes(box), KEY, *PLACE)


@pytest.mark.parametrize("length", [0, 27, 28, 539, 541, 32_797])
def test_other_sizes_are_refused_unread(length: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_copy(bytes(length), KEY, *PLACE)
    assert (caught.value.reason, caught.value.path) == ("BAD_LENGTH", "sealed")


GOOD = zlib.compress(a_copy([a_loan()]).to_proto().SerializeToString())


@pytest.mark.parametrize(
    ("padded", "reason"),
    [
        (framed(GOOD, 2_048), "BAD_PADDING"),  # a size larger than needed
        (framed(GOOD, 512)[:-1] + b"\1", "BAD_PADDING"),
        (b"\xff\xff\xff\xff" + bytes(508), "BAD_PADDING"),
        ((509).to_bytes(4, "big") + bytes(508), "BAD_PADDING"),
        (framed(b"not zlib", 512), "BAD_COMPRESSION"),
        (framed(GOOD[:-1], 512), "BAD_COMPRESSION"),
        (framed(GOOD + b"x", 512), "BAD_COMPRESSION"),
        (framed(zlib.compress(bytes(1 << 24), 9), 32_768), "BAD_COMPRESSION"),  # 16 MiB in 16 KiB
        (framed(zlib.compress(b"\xff\xff\xff"), 512), "BAD_SEALED_COPY"),
    ],
)
def test_what_no_sealing_made_is_refused_even_under_the_right_key(padded: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_copy(sealed_raw(padded), KEY, *PLACE)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"borrower": "cn-id:11010519491231002x"}, "borrower"),
        ({"borrower": "nobody"}, "borrower"),
        ({"number": -1}, "number"),
        ({"pseudonym_key": bytes(63)}, "pseudonym_key"),
        ({"salt": b""}, "salt"),
        ({"nonce": b""}, "nonce"),
        ({"amounts": (1, 2)}, "amounts"),
        ({"amounts": (0, 0, 0, 0, 0, 0, 2**48)}, "amounts[6]"),
        ({"loans": ()}, "loans"),
        ({"loans": (a_loan("B"), a_loan("A"))}, "loans"),
        ({"loans": (a_loan("A"), a_loan("A"))}, "loans"),
        ({"loans": (a_loan("A", open=False),)}, "nonce"),  # closed, yet with a nonce
    ],
)
def test_a_copy_that_contradicts_itself_is_not_sealed(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        seal_copy(a_copy([a_loan()], **changes), KEY, *PLACE, zeros)
    assert caught.value.path == path


def test_nor_is_it_opened_and_the_path_says_where() -> None:
    message = a_copy([a_loan()]).to_proto()
    message.loans[0].overdue = 2**41
    box = sealed_raw(framed(zlib.compress(message.SerializeToString()), 512))
    with pytest.raises(InvalidInput) as caught:
        open_copy(box, KEY, *PLACE)
    assert caught.value.path == "sealed.loans[0].overdue"


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_under_the_right_key_open_or_are_refused(raw: bytes) -> None:
    try:
        copy = open_copy(sealed_raw(framed(zlib.compress(raw), 512)), KEY, *PLACE)
    except PlimsollError:
        return
    assert SealedCopy.from_proto(sealed_pb2.SealedPosition.FromString(raw)) == copy


def noisy_loans(count: int, top: int, text: str, noise: random.Random) -> list[Loan]:
    return [
        a_loan(
            f"{n}{text}"[:64],
            product="".join(noise.choices(text or "r", k=len(text))),
            outstanding=noise.randrange(top),
            credit_limit=noise.randrange(top),
            monthly_due=noise.randrange(top),
            overdue=noise.randrange(top),
            days_past_due=noise.randrange(9),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_what_has_room_is_always_sealed(seed: int) -> None:
    """Around the limit, whatever the key, salt and nonce turn out to be."""
    noise = random.Random(seed)
    text = "贷款分期𠮷ⅷ" * (seed % 3) * 5
    low, high = 1, 1023
    while high - low > 1:
        middle = (low + high) // 2
        loans = noisy_loans(middle, 2**30, text[:60], random.Random(seed))
        try:
            check_room(BORROWER, loans)
        except InvalidInput:
            high = middle
        else:
            low = middle
    loans = noisy_loans(low, 2**30, text[:60], random.Random(seed))
    for _ in range(3):
        copy = a_copy(loans, noise, amounts=(2**48 - 1,) * 7, number=2**63 - 1)
        assert len(seal_copy(copy, KEY, *PLACE, zeros)) == 32_768 + 28


def test_1023_ordinary_loans_have_room() -> None:
    loans = noisy_loans(1023, 10**7, "", random.Random(0))
    check_room(BORROWER, loans)
    assert (
        open_copy(seal_copy(a_copy(loans, amounts=(1,) * 7), KEY, *PLACE, zeros), KEY, *PLACE).loans[0].loan_id == "0"
    )


def test_more_loans_than_have_room_are_refused_before_and_at_sealing() -> None:
    loans = noisy_loans(1023, 2**40, "贷款分期𠮷ⅷ" * 9, random.Random(0))
    with pytest.raises(InvalidInput) as caught:
        check_room(BORROWER, loans)
    assert caught.value.reason == "TOO_MANY_LOANS"
    copy = a_copy([a_loan()], loans=tuple(sorted(loans, key=lambda loan: loan.loan_id)))
    with pytest.raises(InvalidInput) as caught:
        seal_copy(copy, KEY, *PLACE, zeros)
    assert caught.value.reason == "TOO_MANY_LOANS"


def test_a_few_loans_of_the_widest_kind_fit_without_a_trial() -> None:
    noise = random.Random(5)
    wide = [chr(code) for code in range(0x20000, 0x2A6D0)]
    loans = [
        a_loan("".join(noise.choices(wide, k=64)), product="".join(noise.choices(wide, k=64)), outstanding=2**40)
        for _ in range(48)
    ]
    check_room(BORROWER, loans)
    assert seal_copy(a_copy([a_loan()], loans=tuple(sorted(loans, key=lambda loan: loan.loan_id))), KEY, *PLACE, zeros)
