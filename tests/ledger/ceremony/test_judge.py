"""What counts in an attempt and what does not, entry by entry."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony.attempt import Attempt
from ledger.ceremony.entry import CloseEntry, ComplaintEntry, ConfirmationEntry, DealingEntry, ReadyEntry, RevealEntry
from ledger.ceremony.qualification import GIVEN_UP
from ledger.ceremony.share_sealing import public_key
from ledger.crypto import group
from tests.ledger.ceremony.script import Script
from tests.ledger.ceremony.simulation import make_context


def closed() -> Script:
    """n = 4, t = 3: all dealt, custodian 1 closed over all. q = 4."""
    script = Script().all_dealt()
    script.close(1)
    return script


# -- Ready and Dealing


def test_no_dealing_counts_before_all_are_ready() -> None:
    script = Script().all_dealt()
    attempt = script.judge([0, 2, 2, 2])
    assert not attempt.dealings
    assert not attempt.void
    assert set(script.judge().dealings) == {1, 2, 3, 4}


def test_the_first_ready_counts() -> None:
    script = Script()
    script.all_ready()
    script.post(2, ReadyEntry(script.ceremony, public_key(bytes([77]) * 32)))
    for i in script.context.indices:
        script.deal(i)
    assert set(script.judge().dealings) == {1, 2, 3, 4}
    assert script.judge().readies[2][0] == script.logs[2][0].leaf


def test_a_dealing_sealed_to_other_readies_is_void() -> None:
    script = Script().all_ready()
    script.deal(2, lambda entry: replace(entry, readies_digest=bytes(32)))
    assert script.reasons() == {2: "OTHER_READIES"}
    assert script.judge().spoilt == {2}


def test_a_dealing_whose_possession_fails_is_void() -> None:
    script = Script().all_ready()
    script.deal(2, lambda entry: replace(entry, possessions=entry.possessions[::-1]))
    assert script.reasons() == {2: "BAD_PROOF"}


def test_a_dealing_with_commitments_of_another_length_is_void() -> None:
    script = Script().all_ready()
    script.deal(1, lambda entry: replace(entry, commitments=tuple(row[:-1] for row in entry.commitments)))
    script.deal(2, lambda entry: replace(entry, commitments=tuple((*row, row[0]) for row in entry.commitments)))
    script.deal(3, lambda entry: replace(entry, sealed_shares=entry.sealed_shares[:-1]))
    assert script.reasons() == dict.fromkeys((1, 2, 3), "BAD_LENGTH")


def test_a_dealing_with_an_identity_constant_term_is_void() -> None:
    script = Script().all_ready()
    script.deal(
        2,
        lambda entry: replace(entry, commitments=((group.IDENTITY, *entry.commitments[0][1:]), *entry.commitments[1:])),
    )
    assert script.reasons() == {2: "IDENTITY_POINT"}


def test_another_dealers_dealing_copied_byte_for_byte_is_void_and_harms_nobody() -> None:
    script = Script().all_ready()
    script.post(1, script.dealing_entry(2))
    for i in (2, 3, 4):
        script.deal(i)
    assert script.reasons() == {1: "BAD_PROOF"}
    # The two leaves are the same; naming it in a Close names the valid one.
    assert script.leaf_of(1, DealingEntry) == script.leaf_of(2, DealingEntry)
    script.close(3, (2, 3, 4))
    assert [close.dealers for close in script.judge().closes.values()] == [(2, 3, 4)]
    # Whoever sees the copy alone does not hold the Close for void.
    partial = script.judge([2, 1, 3, 2])
    assert not partial.closes
    assert {void.author for void in partial.void} == {1}


def test_a_dealing_of_another_attempt_or_ceremony_is_void() -> None:
    script, other = Script().all_ready(), Script(attempt=2).all_ready()
    foreign = other.dealing_entry(2)
    script.post(2, replace(foreign, ceremony=script.ceremony, readies_digest=script.dealing_entry(2).readies_digest))
    assert script.reasons() == {2: "BAD_PROOF"}


def test_of_two_dealings_the_first_counts() -> None:
    script = Script().all_ready()
    first = script.deal(2)
    second = Script().all_ready().dealing_entry(2)
    script.post(2, replace(second, sealed_shares=second.sealed_shares[::-1]))
    assert script.judge().dealings[2][0] == first


def test_a_spoilt_dealing_is_not_made_good_by_a_second() -> None:
    script = Script().all_ready()
    script.deal(2, lambda entry: replace(entry, readies_digest=bytes(32)))
    script.deal(2)
    assert 2 not in script.judge().dealings


# -- Close


def test_a_close_counts_valid_dealings_in_order_and_at_least_t() -> None:
    script = Script().all_dealt()
    first = script.close(2, (1, 3, 4))
    assert script.judge().closes[first].dealers == (1, 3, 4)
    script.close(1, (1, 2))
    script.close(3, (2, 1, 4))
    script.close(4, (1, 1, 2))
    assert script.reasons() == {1: "TOO_FEW_DEALINGS", 3: "BAD_ORDER", 4: "BAD_ORDER"}


def test_a_close_over_a_void_dealing_never_counts() -> None:
    script = Script().all_ready()
    for i in (1, 2, 3):
        script.deal(i)
    script.deal(4, lambda entry: replace(entry, possessions=entry.possessions[::-1]))
    script.close(1)
    assert not script.judge().closes


def test_of_two_closes_of_one_author_the_first_counts() -> None:
    script = Script().all_dealt()
    first = script.close(1, (1, 2, 3))
    script.close(1, (2, 3, 4))
    assert list(script.judge().closes) == [first]


def test_equal_closes_are_one_of_the_lowest_author() -> None:
    script = Script().all_dealt()
    leaves = {script.close(3), script.close(2)}
    assert len(leaves) == 1
    script.logs = dict(reversed(script.logs.items()))
    (close,) = script.judge().closes.values()
    assert close.author == 2


# -- Complaint and Reveal


def test_a_complaint_counts_and_the_dealers_reveal_answers_it() -> None:
    script = closed()
    complaint = script.complain(3, 2)
    attempt = script.judge()
    assert [(c.author, c.dealer) for c in attempt.complaints.values()] == [(3, 2)]
    assert not attempt.is_answered(attempt.complaints[complaint])
    script.reveal(2, complaint, 3)
    attempt = script.judge()
    assert attempt.is_answered(attempt.complaints[complaint])


def test_a_reveal_of_another_share_does_not_answer_and_is_not_made_good() -> None:
    script = closed()
    complaint = script.complain(3, 2)
    script.reveal(2, complaint, 4)
    script.reveal(2, complaint, 3)
    attempt = script.judge()
    assert not attempt.is_answered(attempt.complaints[complaint])
    assert script.reasons() == {2: "BAD_SHARE"}


def test_nobody_but_the_dealer_answers() -> None:
    script = closed()
    complaint = script.complain(3, 2)
    script.reveal(4, complaint, 3)
    script.post(4, RevealEntry(script.ceremony, complaint, script.bundle(2, 3)))
    assert not script.judge().reveals


def test_the_same_bytes_in_another_log_are_another_complaint() -> None:
    """Else whose share a Reveal opens, and whom a Confirmation counts, would depend on which log came first."""
    script = closed()
    mine, copy = script.complain(3, 2), script.complain(4, 2)
    assert script.logs[3][-1].leaf == script.logs[4][-1].leaf
    assert mine != copy
    script.reveal(2, mine, 3)
    attempt = script.judge()
    assert attempt.is_answered(attempt.complaints[mine])
    assert not attempt.is_answered(attempt.complaints[copy])


def test_a_second_complaint_of_the_same_dealing_is_ignored() -> None:
    script = closed()
    first = script.complain(3, 2)
    script.complain(3, 2, time=9)
    assert list(script.judge().complaints) == [first]


def test_of_one_authors_complaints_only_n_are_looked_at() -> None:
    """Each names a dealing that was not seen and may yet come: without a bound everybody would keep them all."""
    script = closed()
    for number in range(script.context.size):
        script.post(3, ComplaintEntry(script.ceremony, bytes(32), bytes([number]) * 32))
    late = script.complain(3, 2)
    attempt = script.judge()
    assert attempt.out == {3}
    assert late not in attempt.complaints


def test_of_one_dealers_reveals_only_n_are_looked_at() -> None:
    script = closed()
    mine = script.complain(3, 2)
    for number in range(script.context.size - 1):
        script.post(2, RevealEntry(script.ceremony, bytes([number]) * 32, bytes(256)))
    script.reveal(2, mine, 3)
    assert script.judge().is_answered(script.judge().complaints[mine])
    another = closed()
    theirs = another.complain(3, 2)
    for number in range(another.context.size):
        another.post(2, RevealEntry(another.ceremony, bytes([number]) * 32, bytes(256)))
    another.reveal(2, theirs, 3)
    assert not another.judge().is_answered(another.judge().complaints[theirs])


def test_a_complaint_of_a_dealing_its_close_does_not_count_is_void() -> None:
    script = Script().all_dealt()
    script.close(1, (1, 2, 3))
    script.complain(3, 4)
    assert script.reasons() == {3: "NOT_COUNTED"}


def test_a_complaint_behind_its_authors_confirmation_is_late() -> None:
    script = closed()
    early = script.complain(3, 2)
    reveal = script.reveal(2, early, 3)
    script.confirm(3, vote=script.vote(complaints=[early], reveals=[reveal]))
    late = script.complain(3, 4)
    attempt = script.judge()
    assert not attempt.complaints[early].late
    assert attempt.complaints[late].late
    (close,) = attempt.closes.values()
    assert [c.id for c in attempt.complaints_under(close)] == [early]


# -- Confirmation


def test_q_equal_confirmations_make_the_keys_final() -> None:
    script = closed()
    vote = script.vote()
    script.confirm(1, 2, 3, vote=vote)
    assert script.judge().final is None
    script.confirm(4, vote=vote)
    final = script.judge().final
    assert final is not None
    assert final.digest == vote.transcript
    assert final.qualified == (1, 2, 3, 4)


def test_an_answered_complaint_leads_to_the_same_transcript() -> None:
    script = closed()
    plain = script.vote()
    complaint = script.complain(3, 2)
    reveal = script.reveal(2, complaint, 3)
    assert script.vote(complaints=[complaint], reveals=[reveal]).transcript == plain.transcript
    assert script.vote(complaints=[complaint]).transcript != plain.transcript


def test_a_confirmation_waits_for_what_it_lists() -> None:
    script = closed()
    complaint = script.complain(3, 2)
    vote = script.vote(complaints=[complaint])
    script.confirm(1, vote=vote)
    partial = script.judge([4, 2, 2, 2])
    assert partial.votes[1].outcome is None
    assert not partial.void
    outcome = script.judge().votes[1].outcome
    assert outcome is not None
    assert outcome.qualified == (1, 3, 4)


def test_one_custodian_has_one_vote() -> None:
    script = closed()
    vote = script.vote()
    script.confirm(1, 1, 1, 2, 3, vote=vote)
    assert script.judge().final is None
    other = replace(vote, transcript=bytes([5]) * 32)
    script.confirm(4, vote=other)
    script.confirm(4, vote=vote)
    assert script.judge().final is None
    assert script.reasons() == {4: "OTHER_TRANSCRIPT"}


@pytest.mark.parametrize("kind", ["complaint under another close", "late complaint", "stray reveal", "wrong digest"])
def test_a_confirmation_that_does_not_follow_is_void(kind: str) -> None:
    script = Script(5, 3).all_dealt()
    script.close(1, (1, 2, 3))
    script.close(2)
    vote = script.vote()
    if kind == "complaint under another close":
        vote = replace(vote, complaints=(script.complain(5, 4, closer=2),))
    elif kind == "late complaint":
        script.confirm(5, vote=vote)
        late = script.complain(5, 2)
        # Answered, it would change nothing.
        vote = replace(vote, complaints=(late,), reveals=(script.reveal(2, late, 5),))
    elif kind == "stray reveal":
        vote = replace(vote, reveals=(script.reveal(2, script.complain(5, 2), 5),))
    else:
        vote = replace(vote, transcript=bytes([1]) * 32)
    script.confirm(3, vote=vote)
    assert 3 in script.reasons()
    assert 3 not in script.judge().votes


def test_who_complained_of_t_dealings_has_no_vote() -> None:
    script = Script(5, 3).all_dealt()
    script.close(1)
    for dealer in (1, 2, 3):
        script.complain(5, dealer)
    script.confirm(5)
    assert script.reasons() == {5: "DROPPED"}
    assert script.judge().out == {5}


def test_complaints_drop_their_author_whether_or_not_they_are_valid() -> None:
    """Else a vote that counts could stop counting when what the complaints name arrives."""
    script = Script(5, 3).all_dealt()
    script.close(1)
    for number in (1, 2, 3):
        script.post(5, ComplaintEntry(script.ceremony, bytes(32), bytes([number]) * 32))
    script.confirm(5)
    assert script.reasons() == {5: "DROPPED"}
    assert script.judge().out == {5}


def test_a_vote_may_drop_a_custodian() -> None:
    script = Script(5, 3).all_dealt()
    script.close(1)
    complaints = [script.complain(5, dealer) for dealer in (1, 2, 3)]
    script.confirm(1, 2, 3, 4, vote=script.vote(complaints=complaints))
    final = script.judge().final
    assert final is not None
    assert final.dropped == (5,)
    assert final.qualified == (1, 2, 3, 4, 5)


# -- failure


def test_an_attempt_fails_once_no_outcome_can_reach_q() -> None:
    script = Script(5, 3).all_dealt()
    script.close(1)
    script.close(2, (1, 2, 3))
    script.confirm(1, 2, vote=script.vote(1))
    script.confirm(3, vote=script.vote(2))
    assert not script.judge().failed
    script.confirm(4, vote=script.vote(2))
    attempt = script.judge()
    assert attempt.failed
    assert attempt.final is None


def test_a_vote_that_still_waits_keeps_an_attempt_open() -> None:
    script = Script(5, 3).all_dealt()
    script.close(1)
    vote = script.vote()
    script.confirm(1, 2, 3, vote=vote)
    script.confirm(4, vote=replace(vote, transcript=bytes([1]) * 32))
    unseen = script.complain(5, 2)
    script.confirm(5, vote=replace(vote, complaints=(unseen,)))
    lengths = [len(script.logs[i]) for i in script.context.indices]
    del script.logs[5][-2]  # the complaint
    assert not script.judge(lengths).failed


def test_giving_up_counts_for_nothing() -> None:
    script = Script(5, 3).all_dealt()
    script.close(1)
    vote = script.vote()
    script.confirm(1, 2, 3, vote=vote)
    script.confirm(4, vote=replace(vote, transcript=GIVEN_UP))
    assert not script.judge().failed
    script.confirm(5, vote=replace(vote, transcript=GIVEN_UP))
    assert script.judge().failed


def test_no_attempt_fails_before_all_are_ready() -> None:
    """Else one custodian of three could give up a million attempts in advance, and all would have to replay them."""
    script = Script(3, 2)
    script.ready(1)
    script.ready(2)
    script.post(3, ConfirmationEntry(script.ceremony, bytes(32), (), (), GIVEN_UP))
    assert not script.judge().failed
    script.ready(3)
    assert script.judge().failed


def test_a_dropped_custodian_is_not_waited_for() -> None:
    script = Script(4, 3).all_dealt()
    script.close(1)
    for dealer in (1, 2, 3):
        script.complain(4, dealer)
    assert script.judge().failed  # q = 4 of 4


def test_an_attempt_fails_once_too_few_can_deal() -> None:
    script = Script(4, 3).all_ready()
    script.deal(1, lambda entry: replace(entry, readies_digest=bytes(32)))
    assert not script.judge().failed
    script.deal(2, lambda entry: replace(entry, readies_digest=bytes(32)))
    assert script.judge().failed


def test_two_transcripts_are_never_both_final() -> None:
    """Whatever fewer than t dishonest custodians tell whom: two sets of q have t custodians in common."""
    for size in range(2, 40):
        for threshold in range(size // 2 + 1, size + 1):
            context = make_context(size, threshold)
            assert threshold <= context.quorum <= size
            assert 2 * context.quorum - size >= threshold


# -- order of arrival


def troubled(chance: random.Random) -> Script:
    """A founding or a resharing in which anything may happen, valid or not."""
    script = chance.choice([Script(4, 3), Script(4, 3, former=(4, 3)), Script(3, 2, former=(4, 3))]).all_ready()
    for dealer in script.context.dealer_indices:
        if chance.random() < 0.1:
            script.deal(dealer, lambda entry: replace(entry, readies_digest=bytes(32)))
        else:
            script.deal(dealer)
    dealers = sorted(script.judge().dealings)
    if len(dealers) >= 3:
        script.close(1, dealers)
        script.close(2, dealers[-3:])
    complaints: list[tuple[bytes, int, int]] = []
    for _ in range(chance.randrange(16)):
        author, action = (
            chance.choice(script.context.indices),
            chance.choice(["complain", "complain", "reveal", "confirm", "junk"]),
        )
        if action == "junk" or len(dealers) < 3:
            script.post(author, CloseEntry(script.ceremony, (bytes(32),) * 3))
        elif action == "complain":
            dealer = chance.randint(1, 4)
            complaints.append((script.complain(author, dealer, chance.randint(1, 2)), author, dealer))
        elif action == "confirm":
            script.confirm(author, vote=any_vote(script, chance))
        elif complaints:
            complaint, receiver, dealer = chance.choice(complaints)
            script.reveal(dealer, complaint, chance.choice([receiver, receiver, 1]))
    return script


def any_vote(script: Script, chance: random.Random) -> ConfirmationEntry:
    attempt = script.judge()
    close = chance.choice(list(attempt.closes.values()))
    concerned = [c.id for c in attempt.complaints.values() if c.dealer in close.dealers and chance.random() < 0.5]
    reveals = {attempt.reveals[c].leaf for c in concerned if c in attempt.reveals and chance.random() < 0.9}
    try:
        return script.vote(close.author, concerned, reveals)
    except AssertionError:  # too few dealings qualify under these
        return replace(script.vote(close.author), transcript=bytes([3]) * 32)


def assert_extends(later: Attempt, earlier: Attempt) -> None:
    """Nothing that counted stops counting, nothing void comes back, no verdict is revised."""
    assert earlier.readies.items() <= later.readies.items()
    assert earlier.dealings.keys() <= later.dealings.keys()
    assert earlier.spoilt <= later.spoilt
    assert not later.spoilt & earlier.dealings.keys()
    for leaf, close in earlier.closes.items():
        assert later.closes[leaf].dealers == close.dealers
    assert earlier.complaints.items() <= later.complaints.items()
    assert earlier.reveals.items() <= later.reveals.items()
    assert earlier.out <= later.out
    assert {(void.author, void.leaf) for void in earlier.void} <= {(void.author, void.leaf) for void in later.void}
    for author, vote in earlier.votes.items():
        if vote.outcome:
            assert later.votes[author].outcome == vote.outcome
    if earlier.final:
        assert later.final == earlier.final
    if earlier.failed:
        assert later.failed
    assert not (later.final and later.failed)


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_whatever_arrives_later_revises_nothing(seed: int) -> None:
    chance = random.Random(seed)
    script = troubled(chance)
    full = [len(log) for log in script.logs.values()]
    lengths = [0] * len(full)
    earlier = script.judge(lengths)
    while lengths != full:
        lengths = [min(end, have + chance.choice([0, 1, 1, 3])) for have, end in zip(lengths, full, strict=True)]
        later = script.judge(lengths)
        assert_extends(later, earlier)
        earlier = later


def test_what_was_checked_before_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    script = closed()
    complaint = script.complain(3, 2)
    script.reveal(2, complaint, 3)
    script.confirm(1)
    before = script.judge()

    def refuse(*arguments: object) -> bytes:
        raise AssertionError("group operations on a second look")

    for name in ("mul", "mul_base", "add", "decode_point"):
        monkeypatch.setattr(group, name, refuse)
    assert script.judge() == before
