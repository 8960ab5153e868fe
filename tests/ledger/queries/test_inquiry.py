from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.crypto.hashing import digest
from ledger.errors import InvalidInput
from ledger.queries.inquiry import PURPOSES, Inquiry, consent_digest, heads_digest, purpose_number
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import EMPTY_ROOT
from tests.ledger.mutations import edited

hashes = st.binary(min_size=32, max_size=32)
u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
inquiries = st.builds(
    Inquiry,
    time=u64,
    label=st.binary(min_size=16, max_size=16),
    purpose=st.sampled_from(sorted(PURPOSES)),
    consent_digest=hashes,
    as_of=u32,
    epoch=u32,
    manifest=hashes,
    sizes=st.lists(u64, min_size=1, max_size=8).map(tuple),
    heads_digest=hashes,
)
EXAMPLE = Inquiry(1_760_000_000, bytes(16), 1, bytes(32), 0, 1, bytes(32), (3, 0), bytes(32))


@given(inquiries)
def test_what_is_written_is_read_back(inquiry):
    assert Inquiry.parse(inquiry.encode()) == inquiry


@given(edited([EXAMPLE.encode()]))
def test_other_bytes_are_another_inquiry_or_refused(raw):
    try:
        inquiry = Inquiry.parse(raw)
    except InvalidInput:
        return
    assert Inquiry.parse(inquiry.encode()) == inquiry


def test_another_kind_is_no_inquiry():
    entry = entry_pb2.Entry(time=1, evaluation=entry_pb2.Evaluation(count=1, epoch=1, batch_digest=bytes(32)))
    with pytest.raises(InvalidInput) as caught:
        Inquiry.parse(entry.SerializeToString())
    assert caught.value.reason == "BAD_ENTRY"


def test_a_label_is_not_shown():
    assert "label" not in repr(EXAMPLE)


def test_the_heads_digest_is_the_protocols_formula():
    heads = [Head("plimsoll/x/a", 3, bytes(32)), Head("plimsoll/x/b", 0, EMPTY_ROOT)]
    parts = (2, "plimsoll/x/a", 3, bytes(32), "plimsoll/x/b", 0, EMPTY_ROOT)
    assert heads_digest(heads) == digest("plimsoll/v1/heads", *parts)
    assert heads_digest(heads) != heads_digest(heads[::-1]) != heads_digest(heads[:1])


def test_a_consent_digest_takes_salt_and_document():
    assert consent_digest(bytes(32), b"yes") == digest("plimsoll/v1/consent", bytes(32), b"yes")
    assert consent_digest(bytes(31) + b"\x01", b"yes") != consent_digest(bytes(32), b"yes")
    with pytest.raises(InvalidInput):
        consent_digest(bytes(31), b"yes")


def test_purposes_have_names():
    assert [purpose_number(name) for name in ("pre-loan", "post-loan", "guarantor", "dispute", "self")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    with pytest.raises(InvalidInput) as caught:
        purpose_number("curiosity")
    assert (caught.value.reason, caught.value.path) == ("BAD_PURPOSE", "purpose")
