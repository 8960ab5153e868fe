"""What an honest custodian does next, choice by choice. n = 5, t = 3, q = 4, and the clock begins at 0."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from ledger.ceremony.choices import Choices
from ledger.ceremony.dealing import BUNDLE_SIZE
from ledger.ceremony.entry import CloseEntry, ComplaintEntry, ConfirmationEntry, DealingEntry
from ledger.ceremony.patience import Patience, Timing
from ledger.ceremony.qualification import GIVEN_UP
from tests.ledger.ceremony.script import Script

TIMING = Timing(close_wait=60, settle=5, reveal_wait=60, turn=1)
ALL = (1, 2, 3, 4, 5)


class Custodian:
    """Custodian `index`, who has a good share of these dealings, looking at a script from time to time."""

    def __init__(self, script: Script, index: int, holds: Collection[int] = ALL) -> None:
        self.script, self.index, self.holds = script, index, set(holds)
        self.patience = Patience()

    def at(self, now: float) -> Choices:
        self.patience.look(now)
        attempt = self.script.judge()
        return Choices(
            attempt,
            self.index,
            TIMING,
            self.patience,
            self.script.checks,
            lambda dealer: bytes(BUNDLE_SIZE) if dealer in self.holds else None,
            self.index,
        )

    def complaints(self, now: float) -> list[int]:
        """The dealers it complains of."""
        dealer_of = {leaf: dealer for dealer, (leaf, _) in self.script.judge().dealings.items()}
        return [dealer_of[entry.dealing] for entry in self.at(now).complaints()]

    def votes_for(self, now: float) -> tuple[int, ...] | None:
        """The dealings that the vote it would cast qualifies, None for no vote."""
        entry = self.at(now).confirmation()
        if entry is None:
            return None
        trial = Script.__new__(Script)
        trial.__dict__ = {**self.script.__dict__, "logs": {i: list(log) for i, log in self.script.logs.items()}}
        trial.confirm(self.index, vote=entry)
        outcome = trial.judge().votes[self.index].outcome
        assert outcome is not None
        return outcome.qualified


def dealt(*dealers: int) -> Script:
    script = Script(5, 3).all_ready()
    for dealer in dealers or ALL:
        script.deal(dealer)
    return script


def closed(dealers: tuple[int, ...] = ALL) -> Script:
    script = dealt()
    script.close(1, dealers)
    return script


def counted(script: Script, entry: CloseEntry | None) -> tuple[int, ...]:
    assert entry is not None
    dealer_of = {leaf: dealer for dealer, (leaf, _) in script.judge().dealings.items()}
    return tuple(dealer_of[leaf] for leaf in entry.dealings)


# -- closing


@pytest.mark.parametrize(("index", "turn"), [(1, 0), (2, 1), (5, 4)])
def test_with_all_dealt_each_closes_in_its_turn(index: int, turn: float) -> None:
    custodian = Custodian(dealt(), index)
    if turn:
        assert custodian.at(0).close() is None
        assert custodian.patience.due == turn
        assert custodian.at(turn - 0.1).close() is None
    assert counted(custodian.script, custodian.at(turn).close()) == ALL


def test_with_t_dealt_it_closes_after_a_wait() -> None:
    custodian = Custodian(dealt(1, 2, 4), 2)
    assert custodian.at(0).close() is None
    assert custodian.at(60.9).close() is None
    assert counted(custodian.script, custodian.at(61).close()) == (1, 2, 4)


def test_with_fewer_than_t_dealt_it_does_not_close() -> None:
    custodian = Custodian(dealt(1, 2), 1)
    assert custodian.at(0).close() is None
    assert custodian.at(10_000).close() is None


def test_for_a_spoilt_dealing_it_does_not_wait() -> None:
    script = dealt(1, 2, 3, 4)
    script.deal(5, lambda entry: replace(entry, readies_digest=bytes(32)))
    assert counted(script, Custodian(script, 1).at(0).close()) == (1, 2, 3, 4)


def test_where_somebody_closed_it_does_not() -> None:
    custodian = Custodian(closed((1, 2, 3)), 2)
    assert custodian.at(0).close() is None
    assert custodian.at(10_000).close() is None
    assert custodian.at(10_000).has_working_close()


def test_where_a_close_came_to_nothing_it_closes_over_what_is_left() -> None:
    script = closed((1, 2, 3))
    custodian = Custodian(script, 2)
    script.complain(4, 1)
    assert custodian.at(0).has_working_close()
    assert custodian.at(59).close() is None
    assert custodian.at(60).close() is None  # its turn begins
    assert not custodian.at(61).has_working_close()
    assert counted(script, custodian.at(61).close()) == (2, 3, 4, 5)


# -- complaining


def test_it_complains_of_what_it_did_not_get_and_is_counted() -> None:
    assert Custodian(closed(), 4, holds=(1, 2, 4, 5)).complaints(0) == [3]
    assert Custodian(closed((1, 2, 4)), 4, holds=(1, 2, 4, 5)).complaints(0) == []
    assert Custodian(dealt(), 4, holds=()).complaints(0) == []


def test_having_confirmed_it_does_not_complain() -> None:
    script = closed()
    script.confirm(4)
    assert Custodian(script, 4, holds=(1, 2)).complaints(0) == []


def final(dropped: tuple[int, ...] = ()) -> Script:
    """Final by all but custodian 4, or but those dropped."""
    script = closed()
    complaints = [script.complain(author, dealer) for author in dropped for dealer in (1, 2, 3)]
    script.confirm(*(i for i in ALL if i not in (dropped or (4,))), vote=script.vote(complaints=complaints))
    assert script.judge().final is not None
    return script


def test_after_the_end_it_complains_of_what_it_lacks_for_its_share() -> None:
    assert Custodian(final(), 4, holds=(1, 2, 4)).complaints(0) == [3, 5]


def test_after_the_end_it_does_not_have_its_whole_share_published() -> None:
    assert Custodian(final(), 4, holds=(1, 2)).complaints(0) == []


def test_dropped_it_does_not_complain() -> None:
    assert Custodian(final(dropped=(4,)), 4, holds=(1, 2, 3, 4)).complaints(0) == []


# -- revealing


BUNDLES = {j: bytes([j]) * BUNDLE_SIZE for j in ALL}


def revealed(script: Script, index: int, already: Collection[bytes] = (), bundles: dict[int, bytes] = BUNDLES):
    return [entry.complaint for entry in Custodian(script, index).at(0).reveals(bundles, already)]


def test_it_answers_complaints_of_its_own_dealing_once() -> None:
    script = closed()
    mine, _ = script.complain(4, 2), script.complain(4, 3)
    assert revealed(script, 2) == [mine]
    assert revealed(script, 2, already=[mine]) == []
    entry = next(iter(Custodian(script, 2).at(0).reveals(BUNDLES, ())))
    assert entry.bundle == BUNDLES[4]


def test_it_opens_no_share_it_does_not_have_any_more() -> None:
    script = closed()
    script.complain(4, 2)
    assert revealed(script, 2, bundles={5: BUNDLES[5]}) == []


def test_it_opens_t_less_one_shares_and_no_more() -> None:
    script = closed()
    complaints = [script.complain(author, 2) for author in (1, 3, 4, 5)]
    assert len(revealed(script, 2)) == 2
    assert len(revealed(script, 2, already=complaints[:1])) == 1
    assert revealed(script, 2, already=complaints[1:3]) == []


def test_it_opens_nothing_to_who_complains_of_t_dealings() -> None:
    script = closed()
    for dealer in (1, 2, 3):
        script.complain(4, dealer)
    assert revealed(script, 2) == []


def test_it_answers_no_complaint_made_after_confirming() -> None:
    script = closed()
    script.confirm(4)
    script.complain(4, 2)
    assert revealed(script, 2) == []


# -- confirming


@pytest.mark.parametrize("index", [1, 3])
def test_it_confirms_in_its_turn_once_complaints_had_time_to_arrive(index: int) -> None:
    custodian = Custodian(closed(), index)
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(5 + index - 1 - 0.1) is None
    assert custodian.votes_for(5 + index - 1) == ALL


def test_it_waits_for_the_answer_to_a_complaint() -> None:
    script = closed()
    custodian = Custodian(script, 1)
    custodian.at(0)
    complaint = script.complain(4, 2)
    assert custodian.votes_for(10) is None
    assert custodian.votes_for(69.9) is None
    script.reveal(2, complaint, 4)
    assert custodian.votes_for(69.9) == ALL


def test_a_complaint_not_answered_in_time_disqualifies() -> None:
    script = closed()
    script.complain(4, 2)
    custodian = Custodian(script, 1)
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(60) == (1, 3, 4, 5)


def test_a_wrong_answer_disqualifies_without_further_wait() -> None:
    script = closed()
    script.reveal(2, script.complain(4, 2), 5)
    custodian = Custodian(script, 1)
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(5) == (1, 3, 4, 5)


def test_a_complaint_that_came_too_late_is_not_taken_into_account() -> None:
    script = closed()
    custodian = Custodian(script, 1)
    custodian.at(0)
    script.complain(4, 2)
    assert custodian.votes_for(65.1) == ALL
    # One's own is never too late.
    victim = Custodian(script, 4, holds=(1, 3, 4, 5))
    victim.patience.look(0)
    victim.patience.since(script.leaf_of(1, CloseEntry))
    assert victim.votes_for(70) is None
    assert victim.votes_for(130) == (1, 3, 4, 5)


def test_it_confirms_nothing_it_lacks_a_share_of() -> None:
    custodian = Custodian(closed(), 4, holds=(1, 3, 4, 5))
    custodian.at(0)
    assert custodian.votes_for(1000) is None


def test_having_complained_of_t_dealings_it_does_not_confirm() -> None:
    script = closed()
    for dealer in (1, 2, 3):
        script.complain(4, dealer)
    custodian = Custodian(script, 4)
    custodian.at(0)
    assert custodian.at(1000).confirmation() is None
    script.confirm(1, 2, 3, 5)
    assert script.judge().final is not None
    assert custodian.at(1000).confirmation() is None


# -- following others


def test_it_follows_a_vote_that_it_would_cast_without_waiting_for_its_turn() -> None:
    script = closed()
    script.confirm(1)
    custodian = Custodian(script, 5)
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(5) == ALL


def test_it_does_not_follow_one_that_qualifies_what_it_would_leave_out() -> None:
    script = closed()
    before = script.vote()
    script.complain(4, 2)
    script.confirm(1, 3, vote=before)
    custodian = Custodian(script, 5)
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(6) is None
    assert custodian.votes_for(64) == (1, 3, 4, 5)


def test_it_follows_one_that_qualifies_less() -> None:
    script = closed()
    complaint = script.complain(4, 2)
    without = script.vote(complaints=[complaint])
    script.reveal(2, complaint, 4)
    script.confirm(1, vote=without)
    custodian = Custodian(script, 5)
    custodian.at(0)
    assert custodian.votes_for(5) == (1, 3, 4, 5)


def test_it_follows_what_t_confirmed_at_once() -> None:
    script = closed()
    before = script.vote()
    script.complain(4, 2)
    script.confirm(1, 2, 3, vote=before)
    assert Custodian(script, 5).votes_for(0) == ALL


def test_it_follows_nothing_it_lacks_a_share_of() -> None:
    script = closed()
    script.confirm(1, 2, 3)
    assert Custodian(script, 5, holds=(1, 2, 3, 5)).votes_for(0) is None


def test_it_follows_the_vote_with_most_behind_it() -> None:
    script = dealt()
    script.close(1, (1, 2, 3))
    script.close(2, (2, 3, 4))
    script.confirm(1, vote=script.vote(1))
    script.confirm(2, 3, vote=script.vote(2))
    custodian = Custodian(script, 5)
    custodian.at(0)
    assert custodian.votes_for(5) == (2, 3, 4)


def test_of_two_closes_it_follows_the_lower_author() -> None:
    script = dealt()
    script.close(3, (1, 2, 3))
    script.close(2, (2, 3, 4))
    custodian = Custodian(script, 1)
    custodian.at(0)
    assert custodian.votes_for(5) == (2, 3, 4)


def test_it_leaves_a_close_that_came_to_nothing_for_one_that_works() -> None:
    script = closed((1, 2, 3))
    script.complain(4, 1)
    script.close(2, (2, 3, 4, 5))
    custodian = Custodian(script, 3, holds=(2, 3, 4, 5))
    assert custodian.votes_for(0) is None
    assert custodian.votes_for(60) == (2, 3, 4, 5)


def test_what_is_final_it_confirms_at_once() -> None:
    assert Custodian(final(), 4).votes_for(0) == ALL
    assert Custodian(final(), 4, holds=(1, 2, 3)).votes_for(0) is None


# -- giving up


def hopeless() -> Script:
    """Three of five dealers do not answer."""
    script = closed()
    for dealer, author in ((1, 4), (2, 5), (3, 4)):
        script.complain(author, dealer)
    return script


def test_where_nothing_can_come_of_it_it_gives_up() -> None:
    custodian = Custodian(hopeless(), 4)
    assert custodian.at(0).confirmation() is None
    entry = custodian.at(60).confirmation()
    assert isinstance(entry, ConfirmationEntry)
    assert entry.transcript == GIVEN_UP
    assert custodian.at(60).close() is None


def test_as_long_as_somebody_may_still_deal_it_does_not_give_up() -> None:
    script = dealt(1, 2, 3, 4)
    script.close(1, (1, 2, 3, 4))
    for dealer in (1, 2):
        script.post(
            5, ComplaintEntry(script.ceremony, script.leaf_of(1, CloseEntry), script.leaf_of(dealer, DealingEntry))
        )
    custodian = Custodian(script, 4)
    custodian.at(0)
    assert custodian.at(1000).confirmation() is None
    script.deal(5)
    assert counted(script, custodian.at(1004).close() or custodian.at(2000).close()) == (3, 4, 5)
