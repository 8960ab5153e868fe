from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.chain.entries import file_entry
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import InvalidInput
from ledger.positions.position_entry import PositionEntry
from tests.ledger.mutations import edited


def binary(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


u32 = st.integers(0, 2**32 - 1)
positions = st.builds(
    PositionEntry,
    time=st.integers(0, 2**64 - 1),
    label=binary(16),
    epoch=u32,
    as_of=u32,
    ciphertext=st.none() | st.builds(Ciphertext, binary(32), st.tuples(*[binary(32)] * 7), binary(64)),
    records_digest=binary(32),
    sealed=st.sampled_from([540, 2076, 8220, 32_796]).map(bytes),
)
EXAMPLE = PositionEntry(
    1_760_000_000, bytes(16), 1, 20_000, Ciphertext(bytes(32), (bytes(32),) * 7, bytes(64)), bytes(32), bytes(540)
)


@given(positions)
def test_what_is_written_is_read_back_and_filed_under_its_label(position):
    raw = position.encode()
    assert PositionEntry.parse(raw) == position
    assert file_entry(raw).label == position.label
    assert position.closed == (position.ciphertext is None)


@given(edited([EXAMPLE.encode()]))
def test_other_bytes_are_another_position_or_refused(raw):
    try:
        position = PositionEntry.parse(raw)
    except InvalidInput:
        return
    assert PositionEntry.parse(position.encode()) == position


def test_another_kind_is_no_position():
    entry = entry_pb2.Entry(time=1, evaluation=entry_pb2.Evaluation(count=1, epoch=1, batch_digest=bytes(32)))
    with pytest.raises(InvalidInput):
        PositionEntry.parse(entry.SerializeToString())


def test_nothing_that_could_be_linked_is_shown():
    assert "label" not in repr(EXAMPLE)
    assert "sealed" not in repr(EXAMPLE)
