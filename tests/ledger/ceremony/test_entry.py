"""The bytes of a ceremony's entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
    parse_body,
    read_entry,
)
from ledger.ceremony.share_sealing import public_key
from ledger.errors import InvalidInput
from ledger.tlog import merkle
from tests.ledger.mutations import edited

HASH = bytes(range(32))


def hashes(count: int) -> tuple[bytes, ...]:
    return tuple(bytes([i]) * 32 for i in range(1, count + 1))


BODIES: list[Body] = [
    ReadyEntry(HASH, public_key(HASH)),
    DealingEntry(HASH, HASH, (hashes(3),) * 8, (bytes(64),) * 8, (bytes(304),) * 5),
    CloseEntry(HASH, hashes(3)),
    ComplaintEntry(HASH, HASH, HASH),
    RevealEntry(HASH, HASH, b"".join(hashes(8))),
    ConfirmationEntry(HASH, HASH, hashes(2), hashes(1), HASH),
    ConfirmationEntry(HASH, HASH, (), (), HASH),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_kind_is_read_back_as_written(body: Body) -> None:
    raw = body.encode(5)
    assert parse_body(raw) == body
    entry = read_entry("a-bank", 7, raw)
    assert entry is not None
    assert (entry.author, entry.index, entry.leaf, entry.body) == ("a-bank", 7, merkle.leaf_hash(raw), body)
    assert entry_pb2.Entry.FromString(raw).time == 5


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_an_entry_with_a_short_field_is_no_entry_of_a_ceremony(body: Body) -> None:
    message = entry_pb2.Entry.FromString(body.encode(5))
    kind = getattr(message, message.WhichOneof("kind") or "")
    for name, value in [(field.name, value) for field, value in kind.ListFields()]:
        changed = entry_pb2.Entry.FromString(body.encode(5))
        inner = getattr(changed, changed.WhichOneof("kind") or "")
        if isinstance(value, bytes):
            setattr(inner, name, value[:-1])
        elif name == "coordinates":
            del inner.coordinates[-1]
        else:
            getattr(inner, name)[0] = value[0][:-1]
        assert read_entry("a-bank", 0, changed.SerializeToString()) is None


def test_a_ready_whose_key_is_of_small_order_is_ignored() -> None:
    assert read_entry("a-bank", 0, ReadyEntry(HASH, bytes(32)).encode(1)) is None


def test_other_kinds_are_ignored() -> None:
    evaluation = entry_pb2.Entry(time=1, evaluation=entry_pb2.Evaluation(count=1, epoch=1, batch_digest=HASH))
    assert read_entry("a-bank", 0, evaluation.SerializeToString()) is None
    assert read_entry("a-bank", 0, b"") is None


@given(st.binary(max_size=200) | edited([body.encode(1) for body in BODIES]))
def test_nothing_but_our_own_refusal_leaves_the_parser(raw: bytes) -> None:
    entry = read_entry("a-bank", 0, raw)
    if entry is None:
        with pytest.raises(InvalidInput):
            parse_body(raw)
    else:
        assert parse_body(raw) == entry.body


def test_a_repr_shows_no_opened_share() -> None:
    assert "\\x03\\x03" not in repr(BODIES[4])
