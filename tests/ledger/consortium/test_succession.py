"""Which manifest may succeed another, rule by rule, and how many approvals that takes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.consortium.address import Address
from ledger.consortium.history import History
from ledger.consortium.manifest import parse_manifest
from ledger.consortium.succession import (
    approvals_needed,
    check_successor,
    needed,
    read_successor,
    removed_members,
    voters,
)
from ledger.errors import InvalidInput, Refused
from node.homes.authority import issue_authority
from tests.ledger.electorate import (
    ended,
    moved,
    names,
    renamed,
    rotated,
    successor,
    successor_text,
    with_member,
    without,
)
from tests.lenders import NOW, lender, manifest

FIVE = manifest(5)
HISTORY = History([FIVE])


def refusal(after, history=HISTORY):
    with pytest.raises(Refused) as caught:
        check_successor(history, after)
    return caught.value.reason, caught.value.path


def joined(before, number=9, **changes):
    return successor(before, members=[*before.members, lender(number).member], **changes)


@pytest.mark.parametrize(
    "after",
    [
        successor(FIVE),
        renamed(FIVE, "Another name"),
        successor(FIVE, time_zone="Europe/Paris"),
        successor(FIVE, policy=replace(FIVE.policy, min_contributors=3, amount_bits=40, heads_seconds=60)),
        moved(FIVE),
        joined(FIVE),
        rotated(FIVE, "lender-2"),
        without(FIVE, "lender-2"),
        without(FIVE, "lender-4", "lender-5"),
        successor(FIVE, members=with_member(FIVE, "lender-1", cosign_key=lender(50).member.cosign_key)),
        successor(FIVE, epoch=2),
        successor(FIVE, epoch=2, custodians=names(3, 1), threshold=2),
        joined(FIVE, epoch=2, custodians=names(9, 1, 2, 3), threshold=4),
    ],
)
def test_what_may_change_may(after):
    check_successor(HISTORY, after)
    assert read_successor(HISTORY, after.text) == after
    assert HISTORY.followed_by(after).current == after


def test_only_the_manifest_in_force_is_succeeded():
    first = renamed(FIVE, "One")
    history = History([FIVE, first])
    assert refusal(renamed(FIVE, "Two"), history) == ("BAD_SUCCESSION", "previous")
    assert refusal(FIVE) == ("BAD_SUCCESSION", "previous")
    check_successor(history, renamed(first, "Two"))
    skipped = renamed(first, "Two").text.replace("sequence = 2", "sequence = 3")
    assert refusal(parse_manifest(skipped), history) == ("BAD_SUCCESSION", "previous")
    assert refusal(renamed(manifest(5, "Others"), "One")) == ("BAD_SUCCESSION", "previous")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"currency": "USD"}, "currency"),
        ({"minor_per_major": 10}, "minor_per_major"),
        ({"policy": replace(FIVE.policy, bands=(1, 2, 3, 4, 5))}, "policy.bands"),
        ({"policy": replace(FIVE.policy, overdue_bands=(1, 2, 3, 4))}, "policy.overdue_bands"),
    ],
)
def test_what_is_encrypted_in_the_logs_keeps_its_meaning(changes, path):
    assert refusal(successor(FIVE, **changes)) == ("FIXED_TERM", path)


def test_members_keep_their_order_and_new_ones_come_last():
    assert refusal(successor(FIVE, members=FIVE.members[::-1])) == ("BAD_ORDER", "member")
    assert refusal(successor(FIVE, members=[lender(9).member, *FIVE.members])) == ("BAD_ORDER", "member")
    gone = without(FIVE, "lender-2").members
    assert refusal(without(FIVE, "lender-2", members=[lender(9).member, *gone])) == ("BAD_ORDER", "member")


def test_a_former_members_name_is_nobodys():
    gone = without(FIVE, "lender-2")
    history = HISTORY.followed_by(gone)
    again = replace(
        lender(9).member,
        name="lender-2",
        tls_ca=issue_authority("lender-2", lender(9).keyring.authority_key, NOW).public_bytes(Encoding.DER),
    )
    assert refusal(successor(gone, members=[*gone.members, again]), history) == ("NAME_REUSED", "member[4].name")
    assert refusal(successor(gone, members=[*gone.members, lender(2).member], ended=()), history)[0] == "NAME_REUSED"


def test_the_log_of_who_leaves_or_changes_its_key_ends():
    staying = [one for one in FIVE.members if one.name != "lender-2"]
    keepers = {"custodians": names(1, 3, 4, 5), "epoch": 2}
    assert refusal(successor(FIVE, members=staying, **keepers)) == ("LOG_NOT_ENDED", "ended")
    fresh = with_member(FIVE, "lender-2", log_key=lender(50).member.log_key)
    assert refusal(successor(FIVE, members=fresh)) == ("LOG_NOT_ENDED", "ended")
    after = rotated(FIVE, "lender-2")
    assert after.origin("lender-2") == FIVE.origin("lender-2") + ".2"
    assert after.ended_key(after.former_logs("lender-2")[0]) == FIVE.log_key("lender-2")
    third = rotated(after, "lender-2", 51)
    check_successor(HISTORY.followed_by(after), third)
    assert third.origin("lender-2") == FIVE.origin("lender-2") + ".3"
    assert [log.name for log in third.former_logs("lender-2")] == ["lender-2", "lender-2.2"]


def test_no_other_log_ends_and_none_under_another_key():
    stranger = replace(ended(FIVE, "lender-2"), member="lender-9", log_key=lender(9).member.log_key)
    assert refusal(successor(FIVE, ended=[stranger])) == ("BAD_ENDED", "ended[0].log")
    with pytest.raises(InvalidInput, match="used no more"):  # the text itself is none: its key is in use
        successor(FIVE, ended=[ended(FIVE, "lender-2")])
    wrong = replace(ended(FIVE, "lender-2"), log_key=lender(9).member.log_key)
    assert refusal(without(FIVE, "lender-2", ended=[wrong])) == ("BAD_ENDED", "ended[0].log")
    twice = [ended(FIVE, "lender-2"), replace(ended(FIVE, "lender-2"), incarnation=2, log_key=lender(9).member.log_key)]
    assert refusal(without(FIVE, "lender-2", ended=twice)) == ("BAD_ENDED", "ended[1].log")


def test_what_has_ended_stays_listed_as_it_is():
    gone = without(FIVE, "lender-2", "lender-3")
    history = HISTORY.followed_by(gone)
    check_successor(history, successor(gone))
    first, second = gone.ended
    for changed in (
        [],
        [first],
        [second, first],
        [replace(first, size=8), second],
        [replace(first, root=bytes(32)), second],
    ):
        assert refusal(successor(gone, ended=changed), history) == ("ENDED_CHANGED", "ended")


@pytest.mark.parametrize("key", ["log_key", "cosign_key"])
@pytest.mark.parametrize("source", ["log_key", "cosign_key"])
def test_a_new_key_was_never_anybodys(key, source):
    before = rotated(FIVE, "lender-2")
    before = successor(before, members=with_member(before, "lender-3", cosign_key=lender(51).member.cosign_key))
    history = History([FIVE, rotated(FIVE, "lender-2"), before])
    used = FIVE.member("lender-2" if source == "log_key" else "lender-3")
    fresh = replace(lender(9).member, **{key: getattr(used, source)})
    if source == "log_key":  # the key of an ended log: the text itself says so
        with pytest.raises(InvalidInput, match="used no more"):
            successor(before, members=[*before.members, fresh])
    else:
        after = successor(before, members=[*before.members, fresh])
        assert refusal(after, history) == ("KEY_REUSED", f"member[5].{key}")


def test_a_member_does_not_exchange_its_two_keys():
    own = FIVE.member("lender-2")
    after = successor(
        FIVE,
        members=with_member(FIVE, "lender-2", log_key=lender(50).member.log_key, cosign_key=own.cosign_key),
        ended=[ended(FIVE, "lender-2")],
    )
    check_successor(HISTORY, after)
    swapped = with_member(FIVE, "lender-2", cosign_key=lender(50).member.cosign_key, log_key=own.cosign_key)
    assert refusal(successor(FIVE, members=swapped, ended=[ended(FIVE, "lender-2")])) == (
        "KEY_REUSED",
        "member[1].log_key",
    )


def test_a_ca_is_renewed_over_its_key_or_over_a_fresh_one_but_not_over_a_former_one():
    def with_ca(before, number):
        ca = issue_authority("lender-2", lender(number).keyring.authority_key, NOW).public_bytes(Encoding.DER)
        return successor(before, members=with_member(before, "lender-2", tls_ca=ca))

    check_successor(HISTORY, with_ca(FIVE, 2))
    changed = with_ca(FIVE, 50)
    check_successor(HISTORY, changed)
    assert refusal(with_ca(changed, 2), HISTORY.followed_by(changed)) == ("KEY_REUSED", "member[1].tls_ca")


def test_addresses_may_pass_from_one_to_another():
    swapped = with_member(FIVE, "lender-1", address=Address("lender-2.example", 7700))
    swapped[1] = replace(swapped[1], address=Address("lender-1.example", 7700))
    check_successor(HISTORY, successor(FIVE, members=swapped))


@pytest.mark.parametrize("changes", [{"custodians": names(1, 2, 3), "threshold": 3}, {"threshold": 4}])
def test_custodians_and_threshold_change_with_the_epoch_only(changes):
    assert refusal(successor(FIVE, **changes)) == ("BAD_EPOCH", min(changes))
    check_successor(HISTORY, successor(FIVE, epoch=2, **changes))


def test_epochs_follow_each_other():
    second = successor(FIVE, epoch=2)
    assert refusal(successor(FIVE, epoch=3)) == ("BAD_EPOCH", "epoch")
    assert refusal(successor(second, epoch=1), HISTORY.followed_by(second)) == ("BAD_EPOCH", "epoch")
    check_successor(HISTORY.followed_by(second), successor(second, epoch=3))


def test_an_epoch_may_be_dealt_from_an_earlier_one_than_the_last():
    second = successor(FIVE, epoch=2, custodians=names(1, 2, 3), threshold=2)
    history = HISTORY.followed_by(second)
    assert second.dealt_from == 1
    third = successor(second, epoch=3, dealt_from=1, custodians=names(1, 2, 4), threshold=2)
    check_successor(history, third)
    assert third.dealt_from == 1
    assert refusal(successor(third, dealt_from=2), history.followed_by(third)) == ("BAD_EPOCH", "dealt_from")
    check_successor(history.followed_by(third), successor(third, dealt_from=1))


def test_the_dealers_of_the_epoch_that_is_dealt_from_must_stay():
    second = successor(FIVE, epoch=2, custodians=names(3, 4, 5), threshold=2)
    history = HISTORY.followed_by(second)
    gone = without(second, "lender-4", "lender-5", epoch=3, custodians=names(1, 2, 3), threshold=2)
    assert refusal(gone, history) == ("TOO_FEW_DEALERS", "member")
    check_successor(
        history, without(second, "lender-4", "lender-5", epoch=3, dealt_from=1, custodians=names(1, 2, 3), threshold=2)
    )


@pytest.mark.parametrize("dealt_from", [0, 2, 3])
def test_an_epoch_is_dealt_from_one_before_it(dealt_from):
    with pytest.raises(InvalidInput) as caught:
        successor(FIVE, epoch=2, dealt_from=dealt_from)
    assert caught.value.path == "dealt_from"


def test_enough_old_custodians_stay_to_hand_the_keys_on():
    few = successor(FIVE, epoch=2, custodians=names(1, 2, 3), threshold=2)
    history = HISTORY.followed_by(few)
    check_successor(history, without(few, "lender-1", custodians=names(2, 3, 4)))
    gone = without(few, "lender-1", "lender-2", custodians=names(3, 4, 5))
    assert refusal(gone, history) == ("TOO_FEW_DEALERS", "member")


# Approvals


def test_who_is_removed_has_no_vote():
    after = without(FIVE, "lender-2")
    assert removed_members(FIVE, after) == ("lender-2",)
    assert voters(FIVE, after) == tuple(names(1, 3, 4, 5))
    assert voters(FIVE, rotated(FIVE, "lender-2")) == tuple(names(1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("members", "ordinary", "ending"),
    [(3, 3, 2), (4, 3, 3), (5, 4, 4), (6, 5, 4), (7, 5, 5), (8, 6, 6), (9, 7, 6), (100, 67, 67)],
)
def test_how_many_approvals_it_takes(members, ordinary, ending):
    assert (needed(members, ends_logs=False), needed(members, ends_logs=True)) == (ordinary, ending)
    assert 3 * ordinary > 2 * members
    assert 3 * ending >= 2 * members


def test_what_it_takes_depends_on_whether_logs_end():
    six = manifest(6)
    assert approvals_needed(six, renamed(six, "x")) == 5
    assert approvals_needed(six, without(six, "lender-1")) == approvals_needed(six, rotated(six, "lender-1")) == 4


@pytest.mark.parametrize("members", range(3, 101))
def test_any_two_sets_that_suffice_share_a_third_of_the_members_whomever_they_remove(members):
    for one in (True, False):
        for two in (True, False):
            shared = needed(members, ends_logs=one) + needed(members, ends_logs=two) - members
            assert 3 * shared >= members


def test_counting_only_those_not_expelled_would_let_one_of_five_pass_two_successors():
    # The rule this one replaces: more than two thirds of the others. Two camps expel each other; lender-3 votes twice.
    more_than_two_thirds_of_four = 2 * 4 // 3 + 1
    assert len({*names(1, 2, 3)}) == len({*names(3, 4, 5)}) == more_than_two_thirds_of_four
    assert approvals_needed(FIVE, without(FIVE, "lender-5")) == more_than_two_thirds_of_four + 1


def test_with_more_than_half_one_of_five_could_pass_two_successors():
    half = 5 // 2 + 1
    assert any(
        len({*one} & {*two}) == 1 for one in combinations(range(5), half) for two in combinations(range(5), half)
    )


def test_the_text_of_a_successor_is_the_same_for_whoever_writes_it():
    assert successor_text(FIVE, name="x") == successor_text(manifest(5), name="x")
