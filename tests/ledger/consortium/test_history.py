"""Histories: manifests in their order, and what they say together."""

from __future__ import annotations

import pytest

from ledger.consortium.history import History
from ledger.errors import InvalidInput
from tests.ledger.electorate import names, renamed, rotated, successor, without
from tests.lenders import lender, manifest

FIVE = manifest(5)
ONE = successor(FIVE, members=[*FIVE.members, lender(9).member])
TWO = without(ONE, "lender-2")
THREE = rotated(TWO, "lender-4")
HISTORY = History([FIVE, ONE, TWO, THREE])


def test_the_last_one_is_in_force_and_all_are_found_by_their_id():
    assert HISTORY.current == THREE
    assert HISTORY.consortium == FIVE.id
    assert [HISTORY.get(one.id) for one in (FIVE, ONE, TWO, THREE)] == [FIVE, ONE, TWO, THREE]
    assert HISTORY.get(bytes(32)) is None


def test_a_seat_is_a_members_for_good():
    assert HISTORY.names == (*names(1, 2, 3, 4, 5), "lender-9")
    assert [HISTORY.seat(name) for name in HISTORY.names] == list(range(6))
    assert History([FIVE, ONE]).seat("lender-9") == HISTORY.seat("lender-9")
    with pytest.raises(KeyError):
        HISTORY.seat("lender-7")


def test_an_epoch_is_kept_by_the_manifest_that_began_it():
    assert HISTORY.keeping(1) == FIVE
    assert HISTORY.keeping(2) == TWO
    with pytest.raises(InvalidInput):
        HISTORY.keeping(3)


def test_it_grows_by_what_follows_and_by_nothing_else():
    assert History([FIVE]).followed_by(ONE).followed_by(TWO) == History([FIVE, ONE, TWO])
    assert hash(History([FIVE, ONE])) == hash(History([FIVE]).followed_by(ONE))
    assert History([FIVE]) != History([FIVE, ONE])
    for manifests in ([], [ONE], [FIVE, TWO], [FIVE, ONE, ONE], [manifest(4), renamed(FIVE, "x")]):
        with pytest.raises(InvalidInput) as caught:
            History(manifests)
        assert caught.value.reason == "BAD_SUCCESSION"
