"""What others' tools are told to trust says no more and no less than the protocol does."""

from __future__ import annotations

from itertools import combinations

import pytest

from ledger.consortium.history import History
from ledger.consortium.trust import cosigner_keys, log_key, log_keys, policy_for
from ledger.errors import NotFound, Unverified
from ledger.tlog.tlog_policy import Policy, parse_policy
from ledger.witnessing.cosigned import quorum
from tests.ledger.changing import succeed
from tests.ledger.sample_consortium import found
from tests.ledger.witnesses import cosigned, head_of, history, name
from tests.lenders import manifest


def of(count: int) -> History:
    return History([manifest(count)])


@pytest.fixture(scope="module")
def changed() -> History:
    """lender-2 has left, and lender-3 writes its second log."""
    consortium = found(5, seed="trust", custodians=("lender-1", "lender-4", "lender-5"))
    succeed(consortium, leave=["lender-2"], rotate={"lender-3": 0})
    return consortium.history


def test_the_keys_are_those_of_the_manifest() -> None:
    keys = log_keys(of(3))
    assert list(keys) == ["lender-1", "lender-2", "lender-3"]
    assert all(keys[member] == manifest(3).log_key(member) for member in keys)
    assert cosigner_keys(of(3)) == {member: manifest(3).cosigner_key(member) for member in keys}


def test_logs_that_have_ended_are_among_them_and_come_last(changed: History) -> None:
    assert list(log_keys(changed)) == ["lender-1", "lender-3.2", "lender-4", "lender-5", "lender-2", "lender-3"]
    assert list(cosigner_keys(changed)) == ["lender-1", "lender-3", "lender-4", "lender-5"]
    for key in log_keys(changed).values():
        assert key.name.startswith(f"plimsoll/{changed.consortium.hex()}/")


def test_a_log_is_found_by_its_name_and_by_its_origin(changed: History) -> None:
    key = log_keys(changed)["lender-3.2"]
    assert log_key(changed, "lender-3.2") == log_key(changed, key.name) == key
    with pytest.raises(NotFound):
        log_key(changed, "lender-2.2")


def accepts(policy: Policy, note: bytes) -> bool:
    try:
        policy.open(note)
    except Unverified as error:
        if error.reason != "NO_QUORUM":
            raise
        return False
    return True


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_a_log_s_own_policy_accepts_a_head_exactly_if_it_is_witnessed(count: int) -> None:
    of_all = manifest(count)
    head = head_of(history(4), of_all)
    policy = parse_policy(policy_for(of(count), "lender-1").encode())
    for size in range(count + 1):
        for who in combinations(range(1, count + 1), size):
            others = sum(number != 1 for number in who)
            note = cosigned(head, of_all, dict.fromkeys(who, 1000))
            assert accepts(policy, note) == (others >= quorum(of_all))


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_the_policy_for_all_logs_accepts_no_head_that_is_not_witnessed_and_all_that_their_authors_have_cosigned(
    count: int,
) -> None:
    of_all = manifest(count)
    policy = parse_policy(policy_for(of(count)).encode())
    for author in (1, count):
        head = head_of(history(4), of_all, author)
        for size in range(count + 1):
            for who in combinations(range(1, count + 1), size):
                witnessed = sum(number != author for number in who) >= quorum(of_all)
                accepted = accepts(policy, cosigned(head, of_all, dict.fromkeys(who, 1000)))
                assert accepted <= witnessed
                if author in who:
                    assert accepted == witnessed


def test_a_policy_of_another_log_knows_this_one_not() -> None:
    with pytest.raises(Unverified) as caught:
        policy_for(of(3), "lender-2").open(cosigned(head_of(history(4), manifest(3)), manifest(3), {1: 1, 2: 1, 3: 1}))
    assert caught.value.reason == "UNKNOWN_LOG"


def test_the_author_of_a_former_log_is_no_witness_of_it_either(changed: History) -> None:
    for log, out in (("lender-3", "lender-3"), ("lender-3.2", "lender-3"), ("lender-2", "lender-2")):
        policy = policy_for(changed, log)
        assert [one.name for one in policy.witnesses] == [
            f"{member}/cosigner" for member in cosigner_keys(changed) if member != out
        ]
        assert policy.groups[0].threshold == 3


def test_the_policy_of_a_changed_consortium_has_all_its_logs(changed: History) -> None:
    policy = parse_policy(policy_for(changed).encode())
    assert {log.key for log in policy.logs} == set(log_keys(changed).values())
    assert policy.groups[0].threshold == 4
    assert name(1) not in {one.name for one in policy.witnesses}
