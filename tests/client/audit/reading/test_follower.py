from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plimsoll.v1 import peer_pb2

from client.audit.reading.follower import Follower
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog import merkle
from tests.ledger.sample_logs import ORIGIN, SIGNER, block, head_over

KEY = SIGNER.key
HISTORY = [bytes([1 + number]) * (1 + number % 5) for number in range(40)]


def cuts(size: int):
    """Ways of cutting a log into blocks: where each ends."""
    return st.sets(st.integers(1, size - 1)).map(lambda inner: [*sorted(inner), size])


@given(
    cuts(len(HISTORY)), st.sets(st.integers(0, len(HISTORY))), st.sets(st.integers(0, len(HISTORY) - 1)), st.booleans()
)
def test_any_way_of_cutting_a_log_gives_the_same_tree(ends, sizes, indices, one_head) -> None:
    follower = Follower(KEY, sizes, indices)
    start = 0
    for end in ends:
        taken = follower.take(block(HISTORY, start, end, len(HISTORY) if one_head else end))
        assert (taken.start, list(taken.entries)) == (start, HISTORY[start:end])
        assert list(taken.leaves) == [merkle.leaf_hash(entry) for entry in HISTORY[start:end]]
        start = end
    assert follower.head == head_over(HISTORY).head
    for size in sizes:
        assert follower.root_at(size) == head_over(HISTORY[:size]).head.root
    for index in indices:
        assert follower.leaf(index) == merkle.leaf_hash(HISTORY[index])


def test_what_was_not_asked_for_is_not_kept() -> None:
    follower = Follower(KEY, [3], [4])
    follower.take(block(HISTORY, 0, 10))
    assert follower.root_at(5) is None
    assert follower.leaf(5) is None
    assert follower.root_at(10) == head_over(HISTORY[:10]).head.root  # where it stands


def test_what_was_not_reached_is_not_known() -> None:
    follower = Follower(KEY, [30], [30])
    follower.take(block(HISTORY, 0, 10))
    assert follower.root_at(30) is None
    assert follower.leaf(30) is None


def bad_blocks() -> dict[str, peer_pb2.Block]:
    """Blocks that must not be taken after the first five entries."""
    good = block(HISTORY, 5, 12, 20)
    blocks = {name: peer_pb2.Block.FromString(good.SerializeToString()) for name in BAD}
    blocks["other origin"].origin = ORIGIN + "x"
    blocks["gap"].start = 6
    blocks["overlap"].start = 4
    del blocks["no entries"].entries[:]
    blocks["empty entry"].entries[2] = b""
    blocks["huge entry"].entries[2] = bytes(65_536)
    blocks["changed entry"].entries[2] = b"other"
    del blocks["missing entry"].entries[-1]
    blocks["further entry"].entries.append(b"more")
    blocks["swapped entries"].entries[:2] = list(good.entries[:2])[::-1]
    blocks["no head"].head = b""
    blocks["unsigned head"].head = good.head.replace(b"\n\n", b"\n", 1)
    blocks["head of another size"].head = head_over(HISTORY[:19]).note.encode()
    blocks["head of another log"].head = head_over([b"x", *HISTORY[1:20]]).note.encode()
    blocks["head below its entries"].head = head_over(HISTORY[:11]).note.encode()
    del blocks["no proof"].consistency[:]
    blocks["changed proof"].consistency[0] = bytes(32)
    blocks["longer proof"].consistency.append(bytes(32))
    return blocks


BAD = (
    "other origin",
    "gap",
    "overlap",
    "no entries",
    "empty entry",
    "huge entry",
    "changed entry",
    "missing entry",
    "further entry",
    "swapped entries",
    "no head",
    "unsigned head",
    "head of another size",
    "head of another log",
    "head below its entries",
    "no proof",
    "changed proof",
    "longer proof",
)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_block_is_refused_and_changes_nothing(name: str) -> None:
    follower = Follower(KEY, [7], [6])
    follower.take(block(HISTORY, 0, 5))
    with pytest.raises(PlimsollError) as caught:
        follower.take(bad_blocks()[name])
    assert isinstance(caught.value, InvalidInput | Unverified)
    assert follower.head == head_over(HISTORY[:5]).head
    assert (follower.root_at(7), follower.leaf(6)) == (None, None)
    follower.take(block(HISTORY, 5, 12, 20))
    assert follower.head == head_over(HISTORY[:12]).head


def test_an_older_head_whose_signature_was_checked_before_does_not_vouch_for_a_changed_one() -> None:
    follower = Follower(KEY)
    follower.take(block(HISTORY, 0, 5, 20))
    changed = block(HISTORY, 5, 12, 20)
    changed.head = changed.head[:-10] + b"AAAAAAAA=\n"
    with pytest.raises((InvalidInput, Unverified)):
        follower.take(changed)
