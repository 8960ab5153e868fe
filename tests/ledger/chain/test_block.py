"""Blocks: what is believed of them, what is refused, and when it is the author who has lied."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plimsoll.v1 import peer_pb2

from ledger.chain.block import MAX_BYTES, MAX_ENTRIES, blocks_from, head_block, verify_block
from ledger.chain.log_heads import Heads
from ledger.chain.log_state import LogState
from ledger.chain.tree import TileStore, Tree
from ledger.errors import InvalidInput, PlimsollError, Unready, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import open_head
from ledger.tlog.note import Signer
from ledger.witnessing.fork import Fork
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import ORIGIN, SIGNER, block, head_over, opened, written

HISTORY = [b"entry %d" % number for number in range(40)]
OTHER = HISTORY[:20] + [b"other %d" % number for number in range(20, 40)]  # forks at 20
NOTHING = LogState(Tree(TileStore(lambda level, number: None)))


def held(*blocks: peer_pb2.Block) -> LogState:
    state = NOTHING
    for one in blocks:
        new = verify_block(one, SIGNER.key, state)
        state = LogState(new.tree, new.heads)
    return state


def refusal(one: peer_pb2.Block, state: LogState = NOTHING) -> PlimsollError:
    with pytest.raises(PlimsollError) as caught:
        verify_block(one, SIGNER.key, state)
    return caught.value


# -- what is believed


@given(st.data())
def test_a_log_that_arrives_in_any_blocks_is_the_log(data):
    state = NOTHING
    for last in [False] * 6 + [True]:
        start = data.draw(st.integers(0, state.size))
        stop = len(HISTORY) if last else data.draw(st.integers(start, len(HISTORY)))
        size = data.draw(st.integers(stop, len(HISTORY)))
        before = state
        new = verify_block(block(HISTORY, start, stop, size), SIGNER.key, state)
        state = LogState(new.tree, new.heads)
        assert state.size == max(before.size, stop)
        assert list(new.entries) == HISTORY[before.size : state.size]
        assert state.tree.root() == merkle.root_of([merkle.leaf_hash(entry) for entry in HISTORY[: state.size]])
        covered = 0 if state.heads.held is None else state.heads.held.head.size
        assert state.heads.held is None or state.heads.held == head_over(HISTORY[:covered])
        assert all(one == head_over(HISTORY[: one.head.size]) for one in state.heads.ahead)
        assert state.heads.fit(state.size)
    assert state.heads == Heads(head_over(HISTORY))


def test_a_block_under_a_later_head_waits_for_it():
    state = held(block(HISTORY, 0, 10), block(HISTORY, 10, 20, 33))
    later = head_over(HISTORY[:33])
    assert (state.size, state.heads) == (20, Heads(head_over(HISTORY[:10]), later, (later,)))
    state = held(block(HISTORY, 0, 10), block(HISTORY, 10, 20, 33), block(HISTORY, 20, 33))
    assert (state.size, state.heads) == (33, Heads(later))


def test_reaching_the_head_that_was_ahead_under_a_larger_one_makes_it_the_head():
    state = held(block(HISTORY, 0, 20, 30), block(HISTORY, 20, 35, 40))
    later = head_over(HISTORY)
    assert (state.size, state.heads) == (35, Heads(head_over(HISTORY[:30]), later, (later,)))


def test_a_smaller_head_changes_nothing():
    state = held(block(HISTORY, 0, 30))
    for stop, size in [(0, 0), (0, 7), (10, 10), (10, 22), (30, 30)]:
        new = verify_block(block(HISTORY, 0, stop, size), SIGNER.key, state)
        assert (list(new.entries), new.heads.held, new.heads.ahead) == ([], state.heads.held, ())


def test_a_head_alone_is_kept_as_ahead_if_it_extends_all_that_is_held():
    state = held(block(HISTORY, 0, 30))
    new = verify_block(block(HISTORY, 30, 30, 40), SIGNER.key, state)
    assert (new.heads.held, new.heads.ahead) == (state.heads.held, (head_over(HISTORY),))
    # It extends the first 20, but perhaps not the 10 behind them.
    new = verify_block(block(HISTORY, 10, 20, 40), SIGNER.key, state)
    assert (new.heads.held, new.heads.ahead) == (state.heads.held, ())


def test_a_head_in_between_becomes_the_head_of_what_it_covers():
    state = held(block(HISTORY, 0, 10), block(HISTORY, 10, 25, 40))
    new = verify_block(block(HISTORY, 20, 20, 20), SIGNER.key, state)
    assert (new.heads.held, new.heads.ahead) == (head_over(HISTORY[:20]), (head_over(HISTORY),))


def test_foreign_signatures_on_a_head_are_not_kept():
    one = block(HISTORY, 0, 10)
    stranger = Signer.from_seed("example.com/witness", bytes(32))
    note = open_head(one.head, SIGNER.key).note
    one.head = note.with_signatures([stranger.sign(note.text)]).encode()
    kept = held(one).heads.held
    assert kept is not None
    assert kept.note == note


# -- what is refused


FLIPS = {
    "origin": lambda one: setattr(one, "origin", one.origin[:-1] + "b"),
    "start, earlier": lambda one: setattr(one, "start", one.start - 1),
    "start, later": lambda one: setattr(one, "start", one.start + 1),
    "a bit of an entry": lambda one: one.entries.__setitem__(3, bytes([one.entries[3][0] ^ 1]) + one.entries[3][1:]),
    "an entry left out": lambda one: one.entries.__delitem__(3),
    "the last left out": lambda one: one.entries.__delitem__(-1),
    "an entry more": lambda one: one.entries.append(b"more"),
    "two swapped": lambda one: one.entries.__setitem__(slice(3, 5), [one.entries[4], one.entries[3]]),
    "an entry cut": lambda one: one.entries.__setitem__(3, one.entries[3][:-1]),
    "a byte moved": lambda one: one.entries.__setitem__(
        slice(3, 5), [one.entries[3] + one.entries[4][:1], one.entries[4][1:]]
    ),
    "the proof's first hash": lambda one: one.consistency.__setitem__(0, bytes(32)),
    "the proof's last hash": lambda one: one.consistency.__setitem__(-1, bytes(32)),
    "a hash cut": lambda one: one.consistency.__setitem__(0, one.consistency[0][:-1]),
    "a hash left out": lambda one: one.consistency.__delitem__(0),
    "a hash more": lambda one: one.consistency.append(bytes(32)),
    "no proof": lambda one: one.consistency.__delitem__(slice(None)),
    "the head's size": lambda one: setattr(one, "head", one.head.replace(b"\n40\n", b"\n39\n")),
    "the head's root": lambda one: setattr(one, "head", one.head.replace(b"\n40\n", b"\n40\nA", 1)),
    "the head's origin": lambda one: setattr(one, "head", one.head.replace(b"alpha", b"alphb")),
    "the head's signature": lambda one: setattr(one, "head", one.head[:-8] + b"AAAA" + one.head[-4:]),
    "no head": lambda one: one.ClearField("head"),
    "another's head": lambda one: setattr(
        one, "head", head_over(HISTORY, Signer.from_seed(ORIGIN, bytes(32))).note.encode()
    ),
}


@pytest.mark.parametrize("flip", FLIPS.values(), ids=FLIPS)
@pytest.mark.parametrize(("start", "stop", "size"), [(10, 20, 40), (5, 25, 40)])
def test_a_block_with_any_part_changed_is_refused_and_blames_nobody(flip, start, stop, size):
    state = held(block(HISTORY, 0, 10))
    one = block(HISTORY, start, stop, size)
    verify_block(one, SIGNER.key, state)
    flip(one)
    error = refusal(one, state)
    assert isinstance(error, (InvalidInput, Unverified, Unready))
    assert not isinstance(error, Fork)


@pytest.mark.parametrize("flip", [name for name in FLIPS if "proof" not in name and "hash" not in name])
def test_a_block_up_to_its_head_with_any_part_changed_is_refused(flip):
    one = block(HISTORY, 10, 40)
    FLIPS[flip](one)
    assert not isinstance(refusal(one, held(block(HISTORY, 0, 10))), Fork)


def test_a_proof_where_none_is_needed_is_refused():
    one = block(HISTORY, 0, 10)
    one.consistency.append(bytes(32))
    assert refusal(one).path == "consistency"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_block_or_refused(raw):
    one = peer_pb2.Block()
    try:
        one.ParseFromString(raw)
    except Exception:  # noqa: BLE001 -- not a message: gRPC refuses it
        return
    refusal(one)


def test_a_block_that_begins_beyond_what_is_held_is_for_later():
    error = refusal(block(HISTORY, 11, 20), held(block(HISTORY, 0, 10)))
    assert (type(error), error.reason, error.path) == (Unready, "GAP", "start")
    assert refusal(block(HISTORY, 1, 1, 20)).reason == "GAP"


def test_a_block_has_at_most_4096_entries_and_2_mib_and_no_empty_or_oversized_entry():
    def reasons(entries):
        error = refusal(block(entries, 0, len(entries)))
        return error.reason, error.path

    largest = [b"x" * 60_000] * (MAX_BYTES // 60_000) + [b"x" * (MAX_BYTES % 60_000)]
    held(block(largest, 0, len(largest)))
    held(block([b"x"] * MAX_ENTRIES, 0, MAX_ENTRIES))
    assert reasons([*largest[:-1], largest[-1] + b"x"]) == ("BLOCK_TOO_LARGE", "entries")
    assert reasons([b"x"] * (MAX_ENTRIES + 1)) == ("BLOCK_TOO_LARGE", "entries")
    assert reasons([b"x", b"x" * 65_536]) == ("BAD_ENTRY_SIZE", "entries[1]")
    assert reasons([b"x", b"x", b""]) == ("BAD_ENTRY_SIZE", "entries[2]")
    held(block([b"x" * 65_535], 0, 1))


def test_entries_beyond_the_head_are_refused():
    one = block(HISTORY, 0, 10)
    one.entries.append(b"more")
    assert (refusal(one).reason, refusal(one).path) == ("BEYOND_HEAD", "head")
    one.start = 2**64 - 1
    assert refusal(one).reason == "BEYOND_HEAD"


def test_entries_held_already_must_be_the_same_even_where_the_head_is_an_old_one():
    state = held(block(HISTORY, 0, 30))
    one = block(HISTORY, 5, 10)
    one.entries[2] = b"lie"
    error = refusal(one, state)
    assert (error.reason, isinstance(error, Fork)) == ("ROOT_MISMATCH", False)


# -- forks


def check_evidence(error: Fork) -> None:
    """As a third party would, who has nothing but the two heads and the proof."""
    for signed in (error.known, error.conflicting):
        assert open_head(signed.note.encode(), SIGNER.key) == signed
    first, second = sorted((error.known.head, error.conflicting.head), key=lambda head: head.size)
    if first.size == second.size:
        assert first.root != second.root
        assert error.proof == ()
    else:
        assert error.old_root is not None
        assert error.proof is not None
        assert error.old_root != first.root
        merkle.verify_consistency(first.size, error.old_root, second.size, second.root, error.proof)


PROVABLE = {
    "same size, nothing else": ([block(HISTORY, 0, 30)], block(OTHER, 30, 30)),
    "same size, with entries": ([block(HISTORY, 0, 30)], block(OTHER, 0, 30)),
    "same size, entries before the fork": ([block(HISTORY, 0, 30)], block(OTHER, 0, 10, 30)),
    "smaller head": ([block(HISTORY, 0, 30)], block(OTHER, 15, 25)),
    "larger head, overlapping entries": ([block(HISTORY, 0, 30)], block(OTHER, 15, 40)),
    "larger head, overlapping from the fork on": ([block(HISTORY, 0, 30)], block(OTHER, 20, 40)),
    "larger head, overlapping from the start": ([block(HISTORY, 0, 30)], block(OTHER, 0, 33)),
    "same size as the head ahead": ([block(HISTORY, 0, 10, 30)], block(OTHER, 10, 20, 30)),
    "past the head ahead": ([block(HISTORY, 0, 10, 30)], block(OTHER, 10, 40)),
    "past the head ahead, entry by entry": (
        [block(HISTORY, 0, 10, 30), block(OTHER, 10, 20, 40)],
        block(OTHER, 20, 40),
    ),
}


@pytest.mark.parametrize(("before", "forked"), PROVABLE.values(), ids=PROVABLE)
def test_a_fork_is_reported_with_what_proves_it_to_anybody(before, forked):
    error = refusal(forked, held(*before))
    assert isinstance(error, Fork)
    assert (error.reason, error.path) == ("FORK", "head")
    check_evidence(error)


CERTAIN = {
    "larger head not reached, overlapping entries": ([block(HISTORY, 0, 30)], block(OTHER, 15, 33, 40)),
    "past the head ahead, not reached": ([block(HISTORY, 0, 10, 30)], block(OTHER, 10, 33, 40)),
    "entries behind the newest head, smaller head": (
        [block(HISTORY, 0, 10), block(HISTORY, 10, 30, 40)],
        block(OTHER, 25, 25),
    ),
    "entries behind the newest head, overlapping": (
        [block(HISTORY, 0, 10), block(HISTORY, 10, 30, 40)],
        block(OTHER, 15, 35),
    ),
}


@pytest.mark.parametrize(("before", "forked"), CERTAIN.values(), ids=CERTAIN)
def test_a_fork_that_is_certain_here_but_not_yet_provable_is_reported_with_both_heads(before, forked):
    error = refusal(forked, held(*before))
    assert isinstance(error, Fork)
    assert (error.old_root, error.proof) == (None, None)
    assert error.known.head.origin == error.conflicting.head.origin == ORIGIN


def test_the_head_accused_is_one_that_covers_what_is_held():
    """Of two heads ahead only the second covers entries 10 .. 19; the first belongs to the history that is right."""
    liar = HISTORY[:15] + OTHER[25:]
    state = held(block(HISTORY, 0, 10, 30), block(liar, 10, 20, 30 - 1))
    error = refusal(block(HISTORY, 18, 18), state)
    assert isinstance(error, Fork)
    assert (error.known, error.conflicting) == (head_over(liar[:29]), head_over(HISTORY[:18]))
    error = refusal(block(HISTORY, 12, 30), state)
    assert isinstance(error, Fork)
    assert (error.known, error.conflicting) == (head_over(liar[:29]), head_over(HISTORY[:30]))
    check_evidence(error)


def test_a_fork_keeps_its_heads_when_seen_from_an_enclosing_message():
    error = refusal(block(OTHER, 30, 30), held(block(HISTORY, 0, 30)))
    above = error.under("tail")
    assert isinstance(above, Fork)
    assert (above.path, above.reason, above.message) == ("tail.head", error.reason, error.message)
    check_evidence(above)


def test_entries_behind_a_fork_that_do_not_lead_to_its_head_blame_nobody():
    one = block(OTHER, 15, 40)
    one.entries[-1] = b"lie"
    error = refusal(one, held(block(HISTORY, 0, 30)))
    assert (error.reason, isinstance(error, Fork)) == ("ROOT_MISMATCH", False)


@given(st.integers(0, 39), st.data())
def test_whatever_the_blocks_an_honest_author_is_never_said_to_have_forked(lie, data):
    """The author signs one history; whoever passes it on changes entries as it likes."""
    tampered = [*HISTORY]
    tampered[lie] = b"lie"
    state = NOTHING
    for _ in range(6):
        start = data.draw(st.integers(0, state.size))
        stop = data.draw(st.integers(start, len(HISTORY)))
        size = data.draw(st.integers(stop, len(HISTORY)))
        one = block(HISTORY, start, stop, size)
        one.entries[:] = data.draw(st.sampled_from([HISTORY, tampered]))[start:stop]
        if list(one.entries) != HISTORY[start:stop]:
            assert (refusal(one, state).reason, start <= lie < stop) == ("ROOT_MISMATCH", True)
        else:
            new = verify_block(one, SIGNER.key, state)
            state = LogState(new.tree, new.heads)
    assert state.tree.root() == merkle.root_of([merkle.leaf_hash(entry) for entry in HISTORY[: state.size]])


# -- making blocks


def test_blocks_of_a_log_rebuild_it():
    rng = Random(1)
    entries = [sample.position(rng) for _ in range(2500)]
    log = written(entries[:2300], entries[2300:]).log("alpha")
    blocks = list(blocks_from(log, 0))
    assert [(one.start, len(one.entries)) for one in blocks] == [(0, 1000), (1000, 1000), (2000, 500)]
    copy = opened().replica(ORIGIN)
    assert [copy.apply(one) for one in blocks] == [1000, 2000, 2500]
    assert list(copy.log.entries(0)) == entries
    assert [len(one.entries) for one in blocks_from(log, 2400, limit=60)] == [60, 40]
    assert list(blocks_from(log, 2500)) == list(blocks_from(log, 2600)) == []


def test_blocks_keep_to_2_mib_however_large_the_entries():
    rng = Random(2)
    log = written([sample.position(rng, copy=32_768) for _ in range(150)]).log("alpha")
    blocks = list(blocks_from(log, 0))
    assert all(sum(map(len, one.entries)) <= MAX_BYTES for one in blocks)
    assert sum(len(one.entries) for one in blocks) == 150
    assert len(blocks) == 3


def test_blocks_end_at_the_head_when_more_is_held():
    chain = opened()
    chain.replica(ORIGIN).apply(block(HISTORY, 0, 10))
    chain.replica(ORIGIN).apply(block(HISTORY, 10, 30, 40))
    (one,) = blocks_from(chain.log("alpha"), 3)
    assert (one.start, len(one.entries), one.head) == (3, 7, head_over(HISTORY[:10]).note.encode())
    assert list(blocks_from(chain.log("alpha"), 10)) == []


def test_an_empty_log_has_no_blocks():
    assert list(blocks_from(opened().log("alpha"), 0)) == []
    assert head_block(opened().log("alpha"), 0) is None


def test_a_head_block_proves_the_head_to_whoever_holds_a_part():
    rng = Random(3)
    log = written([sample.inquiry(rng) for _ in range(30)]).log("alpha")
    one = head_block(log, 12)
    assert one is not None
    assert (list(one.entries), one.start) == ([], 12)
    copy = opened().replica(ORIGIN)
    assert copy.apply(next(blocks_from(log, 0, limit=12))) == 12
    assert copy.apply(one) == 12
    assert head_block(log, 31) is None
