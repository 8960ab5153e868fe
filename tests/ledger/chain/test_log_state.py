"""The record of how far a log has got: what is written is read back, and rot is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.log_heads import Heads
from ledger.chain.log_state import LogState, Mark, Record
from ledger.chain.tree import TileStore, Tree
from ledger.errors import Unverified
from ledger.tlog import merkle
from ledger.tlog.note import Signer
from tests.ledger.sample_logs import ORIGIN, SIGNER, head_over

U64 = st.integers(0, 2**64 - 1)
RECORDS = st.builds(
    Record,
    size=U64,
    root=st.binary(min_size=32, max_size=32),
    last_position=st.none() | st.builds(Mark, st.integers(0, 2**64 - 2), U64),
    counts=st.dictionaries(st.integers(0, 255), U64, max_size=20),
    head_note=st.binary(max_size=300),
    cover_note=st.binary(max_size=300),
    ahead_notes=st.lists(st.binary(max_size=300), max_size=2).map(tuple),
)


@given(RECORDS)
def test_a_record_is_read_back_as_written(record):
    assert Record.decode(record.encode()) == record


def test_the_bytes_of_a_record_are_as_documented():
    record = Record(300, b"R" * 32, Mark(7, 1_760_000_000), {11: 2, 2: 298}, b"head\n", b"cover\n", (b"a", b""))
    assert record.encode().hex(" ", 8) == (
        b"\x01" + (300).to_bytes(8, "big") + b"R" * 32 + (8).to_bytes(8, "big") + (1_760_000_000).to_bytes(8, "big")
        + b"\x02" + b"\x02" + (298).to_bytes(8, "big") + b"\x0b" + (2).to_bytes(8, "big")
        + b"\0\0\0\x05head\n" + b"\0\0\0\x06cover\n" + b"\0\0\0\x01a" + b"\0\0\0\0"
    ).hex(" ", 8)  # fmt: skip


@given(RECORDS, st.data())
def test_a_record_that_is_cut_or_continued_has_rotted(record, data):
    raw = record.encode()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for rotten in (cut, raw + b"\0", b"\x02" + raw[1:]):
        with pytest.raises(Unverified) as caught:
            Record.decode(rotten)
        assert (caught.value.reason, caught.value.path) == ("BAD_STANDING", "standing")


def test_kinds_out_of_order_or_twice_have_rotted():
    raw = Record(1, bytes(32), None, {2: 1, 3: 1}, b"", b"", ()).encode()
    kinds = raw[58:76]
    for swapped in (kinds[9:] + kinds[:9], kinds[:9] * 2):
        with pytest.raises(Unverified):
            Record.decode(raw[:58] + swapped + raw[76:])


ENTRIES = [b"%d" % number for number in range(5)]
TREE = Tree(TileStore(lambda level, number: None)).extended([merkle.leaf_hash(entry) for entry in ENTRIES])


def restored(heads: Heads, root: bytes | None = None) -> LogState:
    held, cover, *ahead = [b"" if one is None else one.note.encode() for one in (heads.held, heads.cover, *heads.ahead)]
    record = Record(5, root or TREE.root(), None, {}, held, cover, tuple(ahead))
    return LogState.restore(record, record.encode(), TREE, SIGNER.key)


MORE = [*ENTRIES, b"5", b"6"]
OTHER = [b"x", *ENTRIES[1:]]


STRANGER = Signer.from_seed(ORIGIN, bytes(32))


HEAD, LATER = head_over(ENTRIES), head_over(MORE)


@pytest.mark.parametrize(
    "heads", [Heads(HEAD), Heads(head_over(ENTRIES[:3]), LATER, (LATER,)), Heads(None, LATER, (LATER,))]
)
def test_heads_that_fit_what_is_held_are_restored(heads):
    state = restored(heads)
    assert (state.size, state.heads) == (5, heads)


@pytest.mark.parametrize(
    ("heads", "reason"),
    [
        (Heads(head_over(OTHER)), "ROOT_MISMATCH"),
        (Heads(head_over(OTHER[:3]), LATER, (LATER,)), "ROOT_MISMATCH"),
        (Heads(LATER), "ROOT_MISMATCH"),
        (Heads(head_over(ENTRIES[:3])), "BAD_STANDING"),
        (Heads(head_over(ENTRIES[:3]), None, (LATER,)), "BAD_STANDING"),
        (Heads(head_over(ENTRIES, STRANGER)), "BAD_HEAD"),
        (Heads(None, head_over(MORE, STRANGER), (LATER,)), "BAD_HEAD"),
        (Heads(HEAD, None, (head_over(MORE, STRANGER),)), "BAD_HEAD"),
    ],
)
def test_heads_that_do_not_fit_what_is_held_are_refused(heads, reason):
    with pytest.raises(Unverified) as caught:
        restored(heads)
    assert caught.value.reason == reason


def test_entries_that_do_not_lead_to_the_stored_root_are_refused():
    with pytest.raises(Unverified) as caught:
        restored(Heads(HEAD), root=b"x" * 32)
    assert (caught.value.reason, caught.value.path) == ("ROOT_MISMATCH", "standing")
