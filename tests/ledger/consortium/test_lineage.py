"""Lineages: manifests that show by themselves that they were approved."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from plimsoll.v1 import audit_pb2

from ledger.consortium.ballot import Vote, approval_entry
from ledger.consortium.lineage import MAX_LINEAGE_BYTES, check_approvals, founded, open_lineage, rivals, verify_lineage
from ledger.consortium.proposals import Proposals
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.tlog.receipt import Receipt
from tests.ledger.electorate import TIME, Electorate, founding_lineage, moved, names, renamed, without
from tests.ledger.mutations import edited
from tests.lenders import signed_manifest


def step(electorate, lineage, after, members):
    """The lineage with one more manifest, approved by these members in their logs."""
    electorate.propose(members[0], after)
    electorate.approve(members, after)
    proposals = Proposals(electorate.chain, lineage.history)
    proposals.read()
    accepted = proposals.accepted()
    assert accepted is not None
    assert accepted.manifest == after
    return lineage.followed_by(after, proposals.proofs(after.id))


FIVE = Electorate(5)
FOUNDED = founding_lineage(5)
ONE = step(FIVE, FOUNDED, renamed(FOUNDED.current, "One"), names(1, 2, 4, 5))
TWO = step(FIVE, ONE, without(ONE.current, "lender-3"), names(1, 2, 4, 5))
THREE = step(FIVE, TWO, moved(TWO.current), names(2, 4, 5))


def message():
    return audit_pb2.Lineage.FromString(THREE.encode())


def refusal(changed):
    with pytest.raises(PlimsollError) as caught:
        open_lineage(changed.SerializeToString())
    return caught.value.reason, caught.value.path


def test_a_lineage_is_read_back_as_it_was_without_any_log():
    read = open_lineage(THREE.encode())
    assert read == THREE
    assert [one.id for one in read.history.manifests] == [one.id for one in THREE.history.manifests]
    assert read.current == THREE.current
    assert read.current.sequence == 3
    assert read.encode() == THREE.encode()
    assert open_lineage(FOUNDED.encode()) == FOUNDED
    assert verify_lineage(THREE.founding, THREE.successions()) == THREE


def test_a_founding_manifest_that_somebody_has_not_signed_begins_none():
    with pytest.raises(Unready) as caught:
        founded(signed_manifest(5, without=("lender-3",)).encode())
    assert caught.value.reason == "UNSIGNED"
    changed = message()
    changed.founding = signed_manifest(5, without=("lender-3",)).encode()
    assert refusal(changed) == ("UNSIGNED", "founding.signatures")


def test_every_part_of_every_step_is_verified():
    for at in range(3):
        for place in (0, len(message().successions[at].approvals) - 1):
            path = f"successions[{at}].approvals[{place}]"
            changed = message()
            changed.successions[at].approvals[place].member = "lender-3" if at else "lender-9"
            assert refusal(changed)[1].startswith(f"successions[{at}].approvals")
            changed = message()
            changed.successions[at].approvals[place].entry = b"\x08\x01"
            assert refusal(changed)[1].startswith(f"{path}.entry")
            changed = message()
            changed.successions[at].approvals[place].receipt = b""
            assert refusal(changed) == ("BAD_RECEIPT", f"{path}.receipt")


@pytest.mark.parametrize("part", ["entry", "receipt", "member"])
def test_no_byte_of_an_approval_can_be_another(part):
    before, after = ONE.current, TWO.current
    good = TWO.approvals[1]
    check_approvals(before, after, good)
    value = getattr(good[1], part)
    raw = value.encode() if part == "member" else value
    for position in range(len(raw)):
        flipped = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        changed = replace(good[1], **{part: flipped.decode() if part == "member" else flipped})
        with pytest.raises(PlimsollError) as caught:
            check_approvals(before, after, [good[0], changed, *good[2:]])
        assert caught.value.path.startswith("approvals")


def test_another_members_approval_does_not_count_as_ones_own():
    changed = message()
    approvals = changed.successions[2].approvals
    approvals[0].receipt, approvals[0].entry = approvals[1].receipt, approvals[1].entry
    assert refusal(changed) == ("WRONG_ORIGIN", "successions[2].approvals[0].receipt.origin")


def test_an_approval_of_another_successor_or_predecessor_does_not_count():
    assert len({ONE.current.id, TWO.current.id, THREE.current.id}) == 3
    for wrong in (Vote(ONE.current.id, TWO.current.id), Vote(TWO.current.id, TWO.current.id)):
        index = FIVE.append("lender-2", approval_entry(wrong, TIME))
        receipt = FIVE.chain.log("lender-2").receipt(index).encode()
        changed = message()
        changed.successions[2].approvals[0].entry = FIVE.chain.log("lender-2").entry(index)
        changed.successions[2].approvals[0].receipt = receipt
        assert refusal(changed) == ("OTHER_APPROVAL", "successions[2].approvals[0].entry")


def test_one_approval_too_few_and_it_is_not_accepted():
    for at, needed in enumerate((4, 4, 3)):
        for place in (0, needed - 1):
            changed = message()
            del changed.successions[at].approvals[place]
            assert refusal(changed) == ("TOO_FEW_APPROVALS", f"successions[{at}].approvals")


def test_nobody_approves_twice():
    changed = message()
    changed.successions[2].approvals[1].CopyFrom(changed.successions[2].approvals[0])
    assert refusal(changed) == ("BAD_ORDER", "successions[2].approvals")
    changed = message()
    first = audit_pb2.ApprovalProof.FromString(changed.successions[2].approvals[0].SerializeToString())
    del changed.successions[2].approvals[0]
    changed.successions[2].approvals.append(first)
    assert refusal(changed) == ("BAD_ORDER", "successions[2].approvals")


def test_who_is_expelled_approves_nothing():
    FIVE.approve("lender-3", TWO.current)
    log = FIVE.chain.log("lender-3")
    changed = message()
    extra = changed.successions[1].approvals.add()
    extra.member, extra.entry, extra.receipt = "lender-3", log.entry(log.size - 1), log.receipt(log.size - 1).encode()
    assert refusal(changed) == ("NO_VOTE", "successions[1].approvals[4].member")


def test_steps_neither_go_missing_nor_change_places():
    for order in ((1, 2), (0, 2), (1, 0, 2), (0, 0)):
        steps = [message().successions[at] for at in order]
        changed = audit_pb2.Lineage(founding=THREE.founding, successions=steps)
        assert refusal(changed)[0] == "BAD_SUCCESSION"
    for length in range(4):
        short = audit_pb2.Lineage(founding=THREE.founding, successions=message().successions[:length])
        assert open_lineage(short.SerializeToString()).current == THREE.history.manifests[length]


def test_a_text_that_breaks_a_rule_is_refused_whoever_approves_it():
    changed = message()
    text = changed.successions[2].manifest
    changed.successions[2].manifest = text.replace(b'currency = "CNY"', b'currency = "USD"')
    assert refusal(changed) == ("FIXED_TERM", "successions[2].currency")
    changed.successions[2].manifest = b"\xff"
    assert refusal(changed) == ("BAD_MANIFEST", "successions[2].manifest")
    changed.successions[2].manifest = text.replace(b"elsewhere", b"elsewhen")
    assert refusal(changed) == ("OTHER_APPROVAL", "successions[2].approvals[0].entry")


def test_a_lineage_goes_on_where_it_was_and_nowhere_else():
    THREE.check_extends(THREE)
    THREE.check_extends(FOUNDED)
    with pytest.raises(Refused) as caught:
        ONE.check_extends(THREE)
    assert caught.value.reason == "SHORTER_LINEAGE"
    other = Electorate(5)
    fork = step(other, FOUNDED, renamed(FOUNDED.current, "Another"), names(1, 2, 3, 4))
    for one, two in ((fork, ONE), (fork, THREE), (THREE, fork), (founding_lineage(4), FOUNDED)):
        with pytest.raises(Refused) as caught:
            one.check_extends(two)
        assert caught.value.reason == "OTHER_LINEAGE"


def test_what_others_add_to_a_head_is_not_handed_on():
    for proofs in THREE.approvals:
        for proof in proofs:
            assert Receipt.parse(proof.receipt).head_note.count("\u2014 ".encode()) == 1


def test_it_is_not_endless():
    with pytest.raises(InvalidInput) as caught:
        open_lineage(bytes(MAX_LINEAGE_BYTES + 1))
    assert caught.value.reason == "LINEAGE_TOO_LARGE"


@settings(max_examples=30, deadline=None)
@given(edited([THREE.encode(), ONE.encode()]))
def test_edited_bytes_are_the_same_lineage_or_refused(raw):
    try:
        read = open_lineage(raw)
    except PlimsollError:
        return
    known = [one.id for one in THREE.history.manifests]
    ids = [one.id for one in read.history.manifests]
    assert ids == known[: len(ids)]


def test_nobody_makes_a_lineage_of_unverified_parts():
    after = renamed(THREE.current, "Four")
    with pytest.raises(Unverified):
        THREE.followed_by(after, ())
    with pytest.raises(Unverified):
        THREE.followed_by(after, [replace(THREE.approvals[2][0])])


# Known answers

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "lineage.json").read_text())


def test_the_known_lineage_is_verified():
    history = open_lineage(base64.b64decode(VECTORS["lineage"])).history
    assert [one.id.hex() for one in history.manifests] == VECTORS["manifests"]
    assert [history.current.origin(one.name) for one in history.current.members] == VECTORS["in_force"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_known_bad_steps_are_refused_with_their_codes(case):
    with pytest.raises(PlimsollError) as caught:
        open_lineage(base64.b64decode(case["lineage"]))
    assert caught.value.reason == case["code"]


def test_known_rivals_are_told_by_the_approvals_alone():
    one, other = (open_lineage(base64.b64decode(raw)) for raw in VECTORS["rivals"]["lineages"])
    before = one.history.manifests[1]
    found = rivals(one, before, other.succession_of(before.id))
    assert found is not None
    assert (found.before, found.ours, found.theirs) == (before, one.current, other.current)
    assert list(found.members) == VECTORS["rivals"]["members"]
    assert rivals(one, before, one.succession_of(before.id)) is None


def test_a_lineage_is_shown_step_by_step():
    again = founded(THREE.founding)
    for before in THREE.history.manifests[:-1]:
        again = again.followed_by_step(THREE.succession_of(before.id))
    assert again == THREE
    assert again.upto(THREE.history.manifests[1]).encode() == THREE.upto(THREE.history.manifests[1]).encode()
    for unknown in (THREE.current.id, bytes(32)):
        with pytest.raises(NotFound):
            THREE.succession_of(unknown)
