"""Openings: what a lender shows of one position holds, and nothing of it can be changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ledger.consortium.history import History
from ledger.consortium.manifest import parse_manifest
from ledger.crypto import group
from ledger.crypto.group import L
from ledger.disclosure import LabelOpening, Opening, disclose, verify
from ledger.errors import InvalidInput, NotFound, PlimsollError, Unverified
from ledger.positions.bands import Bands
from ledger.positions.classification import Classification
from ledger.positions.loan import records_digest
from ledger.positions.position import fold
from ledger.positions.position_entry import PositionEntry
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.receipt import Receipt
from tests.ledger.sample_consortium import Consortium, found, loan
from tests.lenders import lender

BORROWER = "test:somebody"
LOANS = (
    loan(1_000, loan_id="A-1", overdue=300, days_past_due=12, classification=Classification.SUBSTANDARD),
    loan(2_345, loan_id="A-2", product="house"),
    loan(77, loan_id="B-1", open=False),
)


@cache
def world() -> Consortium:
    consortium = found(3)
    consortium.report("lender-1", "test:other", loan(5))
    consortium.report("lender-1", BORROWER, *LOANS)
    consortium.report("lender-1", BORROWER, *(replace(each, open=False) for each in LOANS))
    return consortium


def receipt(index: int, cosigners: tuple[int, ...] = (2, 3)) -> bytes:
    """As a node has it: under a head that these members have cosigned."""
    log = world().log("lender-1")
    bare = Receipt.parse(log.receipt(index))
    note = log.head(log.size).note
    keys = [(f"lender-{number}", lender(number).keyring.cosign_seed) for number in cosigners]
    names = [(world().manifest.cosigner_key(name).name, seed) for name, seed in keys]
    lines = [
        Cosigner.from_seed(name, seed).cosign(note.text, 1_760_000_000 + at) for at, (name, seed) in enumerate(names)
    ]
    return Receipt(index, bare.path, note.with_signatures(lines).encode()).encode()


def opened(index: int = 1, **how: Any) -> Opening:
    place = (world().manifest.consortium, "lender-1", BORROWER, world().log("lender-1").entry(index), receipt(index))
    return disclose(*place, world().keys.fields, bytes(32), **how)


@cache
def raw(index: int = 1) -> bytes:
    return opened(index, show_label=True).encode()


def refusal(changed: bytes) -> PlimsollError:
    with pytest.raises((Unverified, InvalidInput)) as refused:
        verify(changed, world().history, world().keys.fields)
    return refused.value


def test_an_opening_shows_what_the_entry_says() -> None:
    shown = verify(raw(), world().history, world().keys.fields)
    assert shown.opening.loans == LOANS
    assert shown.opening.amounts[:3] == (3_345, 334, 6_690)
    assert (shown.index, shown.size, shown.position.closed) == (1, 3, False)
    assert shown.origin == world().manifest.origin("lender-1")
    assert shown.cosigned == (("lender-2", 1_760_000_000), ("lender-3", 1_760_000_001))
    assert (shown.keys_known, shown.counts) == (True, True)
    assert not verify(raw(), world().history).keys_known


def test_a_closed_position_can_be_opened_as_well() -> None:
    shown = verify(opened(2).encode(), world().history, world().keys.fields)
    assert shown.position.closed
    assert not any(each.open for each in shown.opening.loans)
    assert (shown.opening.amounts, shown.opening.nonce, shown.opening.public_keys) == ((), b"", ())


def test_a_file_is_read_back_as_it_was_written() -> None:
    for opening in (opened(), opened(show_label=True), opened(2)):
        assert Opening.parse(opening.encode()) == opening


def test_the_label_key_is_left_out_unless_it_is_asked_for() -> None:
    assert opened().label is None
    key = world().borrower(BORROWER).query.label_key
    assert key.hex() not in opened().encode().decode()
    assert opened(show_label=True).label == LabelOpening(key, 0)
    assert key.hex() in raw().decode()


def test_an_opening_names_no_borrower_and_no_key_but_its_own() -> None:
    borrower = world().borrower(BORROWER)
    for secret in (BORROWER, world().pseudonym_key(BORROWER).hex(), borrower.query.query_key.hex(), "somebody"):
        assert secret not in raw().decode()
    assert "somebody" not in repr(opened())


def test_another_borrowers_position_is_not_opened() -> None:
    place = (world().manifest.consortium, "lender-1", "test:other", world().log("lender-1").entry(1), receipt(1))
    with pytest.raises(NotFound) as refused:
        disclose(*place, world().keys.fields, bytes(32))
    assert refused.value.reason == "OTHER_BORROWER"


# What is refused, by the first part of the path, where a value of the right form was changed.
STEPS = {
    "format": {"BAD_OPENING"},
    "consortium": {"OTHER_CONSORTIUM"},
    "member": {"NOT_A_MEMBER", "BAD_RECEIPT"},
    "entry": {"BAD_BASE64", "BAD_RECEIPT"},
    "receipt": {"BAD_RECEIPT"},
    "public_keys": {"OTHER_KEYS", "BAD_OPENING"},
    "loans": {"OTHER_RECORDS", "BAD_TEXT", "UNKNOWN_CLASS", "BAD_JSON"},
    "salt": {"OTHER_RECORDS"},
    "nonce": {"OTHER_CIPHERTEXT", "BAD_SCALAR"},
    "amounts": {"OTHER_POSITION"},
    "label": {"OTHER_LABEL"},
}


def changed_values(value: Any) -> Iterator[Any]:
    """Of a JSON value, others of the same kind, in one place each."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from {value + 1, abs(value - 1)}
    elif isinstance(value, str):
        yield from changed_texts(value)
    elif isinstance(value, list):
        for place, element in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in changed_values(element))
        yield from (value[1:], [*value, value[-1]], value[::-1])
    else:
        for key, element in value.items():
            yield from (value | {key: other} for other in changed_values(element))
            yield {name: kept for name, kept in value.items() if name != key}
        yield value | {"more": 1}


def changed_texts(value: str) -> Iterator[str]:
    """Hexadecimal digits stay such; at most 40 places are changed."""
    for place in range(0, len(value), max(1, len(value) // 40)):
        letter = value[place]
        other = f"{int(letter, 16) ^ 1:x}" if letter in "0123456789abcdef" else "QR"[letter == "Q"]
        yield value[:place] + other + value[place + 1 :]


@pytest.mark.parametrize("key", STEPS)
def test_no_field_can_be_changed(key: str) -> None:
    document = json.loads(raw())
    assert set(document) == set(STEPS)
    number = 0
    for number, other in enumerate(changed_values(document[key]), 1):  # noqa: B007
        error = refusal(json.dumps(document | {key: other}).encode())
        assert error.reason in STEPS[key] | {"BAD_JSON"}, (error, other)
        step = {"member": "receipt", "entry": "receipt", "salt": "loans"}.get(key, "")
        assert error.path.startswith((key, step or key))
        assert isinstance(error, InvalidInput) or re.match(r"D[2-9]: ", error.message)
    assert number >= 2


@pytest.mark.parametrize("key", sorted(STEPS.keys() - {"label"}))
def test_no_field_can_be_missing_or_there_twice(key: str) -> None:
    document = json.loads(raw())
    del document[key]
    assert refusal(json.dumps(document).encode()).path.startswith(key)
    twice = raw().replace(b'"format"', json.dumps({key: 0})[1:-1].encode() + b', "format"', 1)
    assert refusal(twice).reason == "BAD_JSON"


def test_every_byte_of_the_receipt_counts() -> None:
    document = json.loads(raw())
    text = document["receipt"]
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        error = refusal(json.dumps(document | {"receipt": text[:place] + other + text[place + 1 :]}).encode())
        assert error.reason == "BAD_RECEIPT"
        assert error.message.startswith("D3: ")


def test_signatures_that_nobody_can_verify_are_refused() -> None:
    stranger = Cosigner.from_seed("stranger", bytes(32))
    head = world().log("lender-1").head(3)
    note = head.note.with_signatures([stranger.cosign(head.note.text, 1)])
    strange = Receipt(1, Receipt.parse(receipt(1)).path, note.encode()).encode()
    assert refusal(replace(opened(), receipt=strange).encode()).reason == "BAD_RECEIPT"


def test_a_nonce_has_one_spelling() -> None:
    nonce = (int.from_bytes(opened().nonce, "little") + L).to_bytes(32, "little")
    assert refusal(replace(opened(), nonce=nonce).encode()).reason == "BAD_SCALAR"


def test_loans_that_do_not_make_the_position_are_refused() -> None:
    """The author's own digest is right here: what it published contradicts itself."""
    consortium = found(3, seed="dishonest")
    lie = [loan(1_000)]
    entry = PositionEntry.parse(consortium.position_entry("lender-1", BORROWER, loan(5_000)))
    published = replace(entry, records_digest=records_digest(bytes(32), lie)).encode()
    log = consortium.log("lender-1")
    index = log.append(published)
    honest = disclose(
        consortium.manifest.consortium, "lender-1", BORROWER, published, log.receipt(index), consortium.keys.fields,
        bytes(32),
    )  # fmt: skip
    for amounts in (honest.amounts, fold_of(lie)):
        shown = replace(honest, loans=tuple(lie), salt=bytes(32), amounts=amounts)
        with pytest.raises(Unverified) as refused:
            verify(shown.encode(), consortium.history)
        expected = "OTHER_POSITION" if amounts == honest.amounts else "OTHER_CIPHERTEXT"
        assert refused.value.reason == expected


def fold_of(loans: list[Any]) -> tuple[int, ...]:
    policy = world().manifest.policy
    return fold(loans, Bands.from_major(policy.bands, policy.overdue_bands, world().manifest.minor_per_major)).amounts


def test_keys_of_the_authors_own_making_are_refused_by_who_knows_the_right_ones() -> None:
    own = tuple(group.mul_base(group.scalar_from_int(7 + f)) for f in range(7))
    consortium = found(3, seed="own keys")
    entry = consortium.position_entry("lender-1", BORROWER, *LOANS, public_keys=own)
    log = consortium.log("lender-1")
    place = (consortium.manifest.consortium, "lender-1", BORROWER, entry, log.receipt(log.append(entry)))
    made = disclose(*place, own, bytes(32)).encode()
    assert not verify(made, consortium.history).keys_known
    with pytest.raises(Unverified) as refused:
        verify(made, consortium.history, consortium.keys.fields)
    assert refused.value.reason == "OTHER_KEYS"
    right = disclose(*place, consortium.keys.fields, bytes(32)).encode()
    with pytest.raises(Unverified) as refused:
        verify(right, consortium.history, consortium.keys.fields)
    assert refused.value.reason == "BAD_PROOF"


def test_another_consortium_opens_nothing() -> None:
    other: History = found(4, seed="elsewhere").history
    with pytest.raises(Unverified) as refused:
        verify(raw(), other)
    assert refused.value.reason == "OTHER_CONSORTIUM"


def test_a_huge_or_deep_file_is_refused_early() -> None:
    for bad in (b" " * (5 << 20), b"[" * 100_000, b"\xff", b"{}", b"[]", b"null"):
        assert refusal(bad).reason == "BAD_JSON"


def test_the_order_of_keys_is_free() -> None:
    document = json.loads(raw())
    assert verify(json.dumps(dict(reversed(document.items()))).encode(), world().history).index == 1


# Known answers.

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "openings.json").read_text(encoding="utf-8"))


def known_history() -> History:
    return History([parse_manifest(VECTORS["manifest"])])


@pytest.mark.parametrize("vector", VECTORS["openings"], ids=lambda vector: vector["what"])
def test_known_openings_hold(vector: dict[str, Any]) -> None:
    keys = [bytes.fromhex(key) for key in VECTORS["public_keys"]]
    shown = verify(json.dumps(vector["opening"]).encode(), known_history(), keys)
    assert json.loads(shown.opening.encode()) == vector["opening"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_known_changes_are_refused_with_the_code(case: dict[str, Any]) -> None:
    document = VECTORS["openings"][case["of"]]["opening"] | case.get("set", {})
    kept = {key: value for key, value in document.items() if key not in case.get("drop", ())}
    with pytest.raises((InvalidInput, Unverified)) as refused:
        verify(json.dumps(kept).encode(), known_history())
    assert (refused.value.reason if isinstance(refused.value, Unverified) else "D1") == case["code"]
