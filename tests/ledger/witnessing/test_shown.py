"""What members show to have cosigned adds up by head, and nobody makes anybody remember more than one head a log."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import PlimsollError
from ledger.tlog.checkpoint import SignedHead
from ledger.witnessing.cosigned import verify_witnessed, witnesses
from ledger.witnessing.shown import Shown, opened_shown, shown_by
from tests.ledger.witnesses import AUTHOR, cosigned, cosigner, head_of, history, name
from tests.lenders import manifest

MANIFEST = manifest(5)
T = 1_700_000_000


def head(size: int, branch: int = 0) -> SignedHead:
    return head_of(history(size, branch), MANIFEST)


def shown(size: int, number: int, branch: int = 0, time: int = T) -> SignedHead:
    return opened_shown(cosigned(head(size, branch), MANIFEST, {number: time}), MANIFEST, AUTHOR, name(number))


def test_a_head_is_witnessed_once_enough_members_have_shown_it():
    one = Shown(MANIFEST)
    for number in (2, 3):
        assert not one.is_witnessed(AUTHOR, one.add(AUTHOR, name(number), shown(4, number)))
    assert not one.is_witnessed(AUTHOR, one.add(AUTHOR, name(4), shown(5, 4)))
    together = one.add(AUTHOR, name(5), shown(4, 5, time=T + 9))
    assert one.is_witnessed(AUTHOR, together)
    signed = verify_witnessed(together.note.encode(), MANIFEST, AUTHOR)
    assert witnesses(signed, MANIFEST, AUTHOR) == {name(2): T, name(3): T, name(5): T + 9}


def test_heads_of_two_histories_do_not_add_up():
    one = Shown(MANIFEST)
    for number, branch in ((2, 0), (3, 0), (4, 1), (5, 1)):
        assert not one.is_witnessed(AUTHOR, one.add(AUTHOR, name(number), shown(4, number, branch)))


@given(said=st.lists(st.tuples(st.integers(2, 5), st.integers(1, 9), st.integers(0, 1)), max_size=25))
@settings(max_examples=50, deadline=None)
def test_of_each_member_the_first_of_its_largest_heads_is_remembered_and_nothing_else(said):
    one, largest = Shown(MANIFEST), dict[int, SignedHead]()
    for number, size, branch in said:
        signed = shown(size, number, branch)
        one.add(AUTHOR, name(number), signed)
        if number not in largest or size > largest[number].head.size:
            largest[number] = signed
    assert {number: one.by(AUTHOR, name(number)) for number in largest} == largest
    assert len(one._heads[AUTHOR]) == len(largest) <= 4


def test_what_a_member_has_left_behind_counts_no_more():
    """Its line of then would: but whoever may be told by a liar must not have to keep all."""
    one = Shown(MANIFEST)
    one.add(AUTHOR, name(2), shown(4, 2))
    one.add(AUTHOR, name(2), shown(6, 2))
    assert set(witnesses(one.add(AUTHOR, name(3), shown(4, 3)), MANIFEST, AUTHOR)) == {name(3)}


def test_what_is_witnessed_is_forgotten():
    one = Shown(MANIFEST)
    one.add(AUTHOR, name(2), shown(4, 2))
    one.add(AUTHOR, name(3), shown(6, 3))
    one.forget(AUTHOR, 4)
    assert (one.by(AUTHOR, name(2)), one.by(AUTHOR, name(3))) == (None, head(6))


def test_what_a_member_shows_is_its_own():
    """Lines of others are not looked at, be they good or broken: each shows its own."""
    raw = cosigned(head(4), MANIFEST, {1: T, 2: T, 3: T})
    broken = cosigner(4, MANIFEST).cosign(head(5).note.text, T)
    note = head(4).note.with_signatures([cosigner(2, MANIFEST).cosign(head(4).note.text, T), broken])
    for each in (raw, note.encode()):
        opened = opened_shown(each, MANIFEST, AUTHOR, name(2))
        assert set(witnesses(opened, MANIFEST, AUTHOR)) == {name(2)}
        assert len(opened.note.signatures) == 2


@pytest.mark.parametrize(
    ("note", "member", "reason"),
    [
        (cosigned(head(4), MANIFEST, {3: T}), "lender-2", "NOT_COSIGNED"),
        (head(4).note.encode(), "lender-2", "NOT_COSIGNED"),
        (cosigned(head(4), MANIFEST, {1: T}), "lender-1", "OWN_LOG"),
        (cosigned(head(4), MANIFEST, {2: T}), "stranger", None),
        (cosigned(head_of(history(4), MANIFEST, 3), MANIFEST, {2: T}), "lender-2", None),
        (cosigned(head(4), MANIFEST, {2: T})[:-9] + b"AAAAAAA=\n", "lender-2", None),
        (b"", "lender-2", None),
    ],
)
def test_what_does_not_show_that_is_refused(note, member, reason):
    with pytest.raises(PlimsollError) as refused:
        opened_shown(note, MANIFEST, AUTHOR, member)
    assert reason is None or refused.value.reason == reason


def test_the_authors_signature_must_be_there():
    line = cosigner(2, MANIFEST).cosign(head(4).note.text, T)
    forged = cosigned(head(4), MANIFEST, {}).replace(b"4\n", b"5\n", 1)
    with pytest.raises(PlimsollError):
        opened_shown(forged + f"{line}\n".encode(), MANIFEST, AUTHOR, "lender-2")


def test_what_one_shows_is_what_others_read():
    line = cosigner(2, MANIFEST).cosign(head(4).note.text, T)
    heard = SignedHead(head(4).head, head(4).note.with_signatures([cosigner(1, MANIFEST).cosign(head(4).note.text, T)]))
    mine = shown_by(heard, line, MANIFEST, AUTHOR, "lender-2")
    opened = opened_shown(mine.note.encode(), MANIFEST, AUTHOR, "lender-2")
    assert (mine, mine.cosignatures, mine.note) == (opened, opened.cosignatures, opened.note)
