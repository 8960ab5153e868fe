"""Successors as they are written, and what people are told of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.consortium.address import Address
from ledger.consortium.amendment import Amendment, amend, describe_change
from ledger.consortium.history import History
from ledger.consortium.succession import read_successor
from ledger.errors import InvalidInput, NotFound
from ledger.tlog.checkpoint import Head
from tests.ledger.electorate import names
from tests.lenders import lender, manifest

FIVE = manifest(5)
ROOT = bytes(range(32))


def standing(member):
    return Head(FIVE.origin(member), 42, ROOT)


def nothing_ends(member):
    raise AssertionError(f"the log of {member} need not end")


def written(change, heads=nothing_ends):
    return read_successor(History([FIVE]), amend(FIVE, change, heads))


def test_nothing_but_what_is_asked_for_changes():
    after = written(Amendment())
    assert (after.previous, after.sequence, after.epoch) == (FIVE.id, 1, 1)
    for key in ("name", "currency", "minor_per_major", "time_zone", "members", "custodians", "threshold", "policy"):
        assert getattr(after, key) == getattr(FIVE, key)
    assert describe_change(FIVE, after) == ["nothing changes", "takes 4 approvals of 5 members that have a vote"]


def test_a_member_joins_as_its_card_says_and_keeps_no_keys_yet():
    after = written(Amendment(add=[lender(9).member]))
    assert after.members == (*FIVE.members, lender(9).member)
    assert (after.custodians, after.epoch) == (FIVE.custodians, 1)
    assert describe_change(FIVE, after)[0] == "lender-9 joins, at lender-9.example:7700"


def test_a_member_that_leaves_ends_its_log_and_the_other_custodians_go_on():
    after = written(Amendment(remove=["lender-2"]), standing)
    assert [member.name for member in after.members] == names(1, 3, 4, 5)
    assert (after.custodians, after.threshold, after.epoch) == (tuple(names(1, 3, 4, 5)), 3, 2)
    (log,) = after.ended
    assert (log.name, log.size, log.root, log.log_key) == ("lender-2", 42, ROOT, FIVE.log_key("lender-2").public_key)
    said = describe_change(FIVE, after)
    assert said[:2] == ["lender-2 is removed", "the log lender-2 ends at its first 42 entries"]
    assert "the custodians' shares are dealt anew: key epoch 2, from 1" in said
    assert said[-1] == "takes 4 approvals of 4 members that have a vote"


def test_a_card_brings_a_new_address_ca_or_cosigning_key_and_ends_no_log():
    spare = lender(50).member
    card = replace(FIVE.member("lender-3"), address=Address("new.example", 1), cosign_key=spare.cosign_key)
    after = written(Amendment(replace=[card]))
    assert after.member("lender-3") == card
    assert describe_change(FIVE, after)[:2] == [
        "lender-3 moves: lender-3.example:7700 -> new.example:1",
        "lender-3 changes its cosigning key",
    ]


def test_a_card_with_a_new_log_key_begins_a_new_log():
    card = replace(FIVE.member("lender-3"), log_key=lender(50).member.log_key)
    after = written(Amendment(replace=[card]), standing)
    assert after.origin("lender-3").endswith("/lender-3.2")
    assert after.epoch == 1
    assert "lender-3 changes its log key" in describe_change(FIVE, after)


@pytest.mark.parametrize(
    ("change", "custodians", "threshold"),
    [
        (Amendment(refresh=True), names(1, 2, 3, 4, 5), 3),
        (Amendment(custodians=names(4, 2)), names(4, 2), 2),
        (Amendment(custodians=names(1, 2, 3, 4)), names(1, 2, 3, 4), 3),
        (Amendment(threshold=5), names(1, 2, 3, 4, 5), 5),
        (Amendment(add=[lender(9).member], custodians=names(1, 2, 3, 4, 5, 9)), names(1, 2, 3, 4, 5, 9), 4),
    ],
)
def test_other_custodians_or_fresh_shares_begin_a_key_epoch(change, custodians, threshold):
    after = written(change)
    assert (after.custodians, after.threshold, after.epoch) == (tuple(custodians), threshold, 2)


def test_the_policy_changes_by_key():
    after = written(Amendment(policy={"queries_per_borrower": "7"}))
    assert after.policy == replace(FIVE.policy, queries_per_borrower=7)
    assert describe_change(FIVE, after)[0] == "policy: queries_per_borrower = 3 -> 7"


def test_what_fits_no_member_is_refused_by_name():
    for change, path in (
        (Amendment(remove=["lender-9"]), "remove[0]"),
        (Amendment(replace=[lender(9).member]), "card[0]"),
        (Amendment(replace=[lender(2).member], remove=["lender-2"]), "card[0]"),
        (Amendment(policy={"nonsense": "1"}), "policy.nonsense"),
    ):
        with pytest.raises(InvalidInput) as caught:
            amend(FIVE, change, standing)
        assert caught.value.path == path


def test_a_log_whose_head_is_not_known_cannot_be_ended():
    def unknown(member):
        raise NotFound("NO_LOG", "unknown")

    with pytest.raises(NotFound):
        amend(FIVE, Amendment(remove=["lender-2"]), unknown)
