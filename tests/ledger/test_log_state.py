"""The record of how far a log has got: what is written is read back, and rot is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.checkpoint import SignedHead
from ledger.errors import Unverified
from ledger.log_state import LogState, Mark, Record, bare, nearest_and_farthest
from ledger.note import Signer
from ledger.tree import TileStore, Tree
from tests.ledger.sample_logs import ORIGIN, SIGNER, head_over

U64 = st.integers(0, 2**64 - 1)
RECORDS = st.builds(
    Record,
    size=U64,
    root=st.binary(min_size=32, max_size=32),
    last_position=st.none() | st.builds(Mark, st.integers(0, 2**64 - 2), U64),
    counts=st.dictionaries(st.integers(0, 255), U64, max_size=20),
    head_note=st.binary(max_size=300),
    ahead_notes=st.lists(st.binary(max_size=300), max_size=2).map(tuple),
)


@given(RECORDS)
def test_a_record_is_read_back_as_written(record):
    assert Record.decode(record.encode()) == record


def test_the_bytes_of_a_record_are_as_documented():
    record = Record(300, b"R" * 32, Mark(7, 1_760_000_000), {11: 2, 2: 298}, b"head\n", (b"a", b""))
    assert record.encode().hex(" ", 8) == (
        b"\x01" + (300).to_bytes(8, "big") + b"R" * 32 + (8).to_bytes(8, "big") + (1_760_000_000).to_bytes(8, "big")
        + b"\x02" + b"\x02" + (298).to_bytes(8, "big") + b"\x0b" + (2).to_bytes(8, "big")
        + b"\0\0\0\x05head\n" + b"\0\0\0\x01a" + b"\0\0\0\0"
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
    raw = Record(1, bytes(32), None, {2: 1, 3: 1}, b"", ()).encode()
    kinds = raw[58:76]
    for swapped in (kinds[9:] + kinds[:9], kinds[:9] * 2):
        with pytest.raises(Unverified):
            Record.decode(raw[:58] + swapped + raw[76:])


ENTRIES = [b"%d" % number for number in range(5)]
TREE = Tree(TileStore(lambda level, number: None)).extended([merkle.leaf_hash(entry) for entry in ENTRIES])


def restored(head: SignedHead | None, *ahead: SignedHead, root: bytes | None = None) -> LogState:
    note = b"" if head is None else head.note.encode()
    record = Record(5, root or TREE.root(), None, {}, note, tuple(one.note.encode() for one in ahead))
    return LogState.restore(record, record.encode(), TREE, SIGNER.key)


MORE = [*ENTRIES, b"5", b"6"]
OTHER = [b"x", *ENTRIES[1:]]


def test_a_log_is_held_up_to_its_head_or_beyond_it_under_heads_ahead():
    whole = restored(head_over(ENTRIES))
    assert (whole.size, whole.head, whole.ahead) == (5, head_over(ENTRIES), ())
    partly = restored(head_over(ENTRIES[:3]), head_over(MORE))
    assert (partly.size, partly.head, partly.ahead) == (5, head_over(ENTRIES[:3]), (head_over(MORE),))
    restored(None, head_over(MORE))
    restored(head_over(ENTRIES), head_over(MORE[:6]), head_over(MORE))


STRANGER = Signer.from_seed(ORIGIN, bytes(32))


@pytest.mark.parametrize(
    ("head", "ahead", "reason"),
    [
        (head_over(OTHER), [], "ROOT_MISMATCH"),
        (head_over(OTHER[:3]), [head_over(MORE)], "ROOT_MISMATCH"),
        (head_over(MORE), [], "ROOT_MISMATCH"),
        (head_over(ENTRIES[:3]), [], "BAD_STANDING"),
        (None, [], "BAD_STANDING"),
        (head_over(ENTRIES), [head_over(ENTRIES)], "BAD_STANDING"),
        (head_over(ENTRIES), [head_over(MORE), head_over(MORE[:6])], "BAD_STANDING"),
        (head_over(ENTRIES, STRANGER), [], "BAD_HEAD"),
        (head_over(ENTRIES), [head_over(MORE, STRANGER)], "BAD_HEAD"),
    ],
)
def test_heads_that_do_not_fit_what_is_held_are_refused(head, ahead, reason):
    with pytest.raises(Unverified) as caught:
        restored(head, *ahead)
    assert caught.value.reason == reason


def test_entries_that_do_not_lead_to_the_stored_root_are_refused():
    with pytest.raises(Unverified) as caught:
        restored(head_over(ENTRIES), root=b"x" * 32)
    assert (caught.value.reason, caught.value.path) == ("ROOT_MISMATCH", "standing")


def test_a_bare_head_has_the_logs_own_signature_alone():
    signed = head_over(ENTRIES)
    line = STRANGER.sign(signed.note.text)
    decorated = SignedHead(signed.head, signed.note.with_signatures([line]))
    assert len(decorated.note.signatures) == 2
    assert bare(decorated, SIGNER.key).note == signed.note


def test_of_the_heads_ahead_the_nearest_and_the_farthest_are_kept():
    heads = [head_over(MORE[:size]) for size in (3, 7, 5, 6, 4)]
    assert nearest_and_farthest(heads, 3) == (heads[4], heads[1])
    assert nearest_and_farthest(heads, 6) == (heads[1],)
    assert nearest_and_farthest(heads, 7) == ()
