"""Which signed heads of a log are kept."""

from __future__ import annotations

import pytest

from ledger.chain.log_heads import Heads, bare, nearest_and_farthest
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.note import Signer
from tests.ledger.sample_logs import ORIGIN, SIGNER, head_over

HEADS = [head_over([b"x"] * size) for size in range(12)]


def test_of_the_heads_ahead_the_nearest_and_the_farthest_are_kept():
    heads = [HEADS[size] for size in (3, 7, 5, 6, 4)]
    assert nearest_and_farthest(heads, 3) == (HEADS[4], HEADS[7])
    assert nearest_and_farthest(heads, 6) == (HEADS[7],)
    assert nearest_and_farthest(heads, 7) == ()


def test_new_entries_are_covered_by_the_head_they_came_under_and_the_others_stay_known():
    heads = Heads().after(HEADS[9], 4, covers=True, grown=True)
    assert heads == Heads(None, HEADS[9], (HEADS[9],))
    heads = heads.after(HEADS[7], 5, covers=True, grown=True)
    assert heads == Heads(None, HEADS[7], (HEADS[7], HEADS[9]))
    heads = heads.after(HEADS[8], 6, covers=True, grown=True)  # neither nearest nor farthest, but the cover
    assert heads == Heads(None, HEADS[8], (HEADS[7], HEADS[9]))
    heads = heads.after(HEADS[10], 7, covers=True, grown=True)
    assert heads == Heads(HEADS[7], None, (HEADS[8], HEADS[10]))


def test_a_head_over_a_part_of_what_is_held_changes_the_held_one_alone():
    heads = Heads(HEADS[2], HEADS[9], (HEADS[9],))
    assert heads.after(HEADS[4], 6, covers=True, grown=False) == Heads(HEADS[4], HEADS[9], (HEADS[9],))
    assert heads.after(HEADS[1], 6, covers=True, grown=False) == heads
    assert heads.after(HEADS[6], 6, covers=True, grown=False) == Heads(HEADS[6], None, (HEADS[9],))


def test_a_head_that_may_not_extend_what_is_held_is_not_kept():
    heads = Heads(HEADS[5])
    assert heads.after(HEADS[9], 5, covers=False, grown=False) == heads
    assert heads.after(HEADS[9], 5, covers=True, grown=False) == Heads(HEADS[5], None, (HEADS[9],))


def test_every_entry_held_has_a_head_that_covers_it():
    heads = Heads(HEADS[3], HEADS[9], (HEADS[7], HEADS[9]))
    assert [heads.covering(index) for index in (0, 2, 3, 5)] == [HEADS[3], HEADS[3], HEADS[9], HEADS[9]]


@pytest.mark.parametrize(
    ("heads", "size"),
    [
        (Heads(), 1),
        (Heads(HEADS[3]), 4),
        (Heads(HEADS[4], HEADS[5], (HEADS[5],)), 4),
        (Heads(HEADS[3], HEADS[9]), 4),
        (Heads(HEADS[3], HEADS[8], (HEADS[9],)), 4),
        (Heads(HEADS[4], None, (HEADS[4],)), 4),
        (Heads(HEADS[4], None, (HEADS[9], HEADS[8])), 4),
        (Heads(HEADS[4], None, (HEADS[7], HEADS[8], HEADS[9])), 4),
    ],
)
def test_heads_that_cannot_be_those_of_a_log_are_seen(heads, size):
    assert not heads.fit(size)


def test_a_bare_head_has_the_logs_own_signature_alone():
    signed = HEADS[5]
    stranger = Signer.from_seed(ORIGIN, bytes(32))
    decorated = SignedHead(signed.head, signed.note.with_signatures([stranger.sign(signed.note.text)]))
    assert len(decorated.note.signatures) == 2
    assert bare(decorated, SIGNER.key).note == signed.note
