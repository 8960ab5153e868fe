"""Challenged records in queries: who is left out, who is not, and what malicious challengers and askers achieve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.challenges.challenge import Challenge
from ledger.challenges.challenged import MAX_COUNTED
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.queries.answer import Answer
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.query import Query
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.queries.transcript_check import verify
from tests.ledger.sample_challenges import NEGATIVE, Witnesses, a_day_later, answer, challenge, lie, proof, watched
from tests.ledger.sample_consortium import Consortium, found, loan
from tests.ledger.witnesses import cosigned

BORROWER = "test:1"
ASKER = "lender-1"
LIAR = "lender-5"
HONEST = ("lender-2", "lender-3", "lender-4")


@pytest.fixture
def consortium() -> Consortium:
    """lender-2 to lender-4 have 100 each out to the borrower."""
    made = found(5)
    for member in HONEST:
        made.report(member, BORROWER, loan(100))
    return made


@pytest.fixture
def witnesses(consortium: Consortium) -> Witnesses:
    return watched(consortium)


def left_out(answer: Answer) -> list[tuple[str, str]]:
    return [(left.member, left.reason) for left in answer.findings.selection.exclusions]


def outstanding(answer: Answer) -> int | None:
    """The sum, None where it is withheld."""
    if answer.sums is None or answer.findings.withheld or answer.implausible:
        return None
    return next(iter(answer.sums.amounts.values()))


def test_a_lie_that_was_challenged_is_left_out_and_named_a_day_after_that_was_witnessed(consortium, witnesses):
    index = lie(consortium, LIAR, BORROWER)
    assert outstanding(consortium.ask(ASKER, BORROWER)) is None
    challenge(consortium, ASKER, LIAR, index)
    assert left_out(consortium.ask(ASKER, BORROWER)) == []
    witnesses.witness()
    consortium.now += DAY - 1
    assert left_out(consortium.ask("lender-2", BORROWER)) == []
    consortium.now += 1
    for asker in ("lender-3", "lender-4"):
        said = consortium.ask(asker, BORROWER)
        assert left_out(said) == [(LIAR, "CHALLENGED")]
        assert said.findings.selection.exclusions[0].index == index
        assert outstanding(said) == 300


def test_who_was_told_a_sum_with_the_lie_in_it_is_not_told_the_one_without(consortium, witnesses):
    """Else the difference would be the author's own amount, also that of an honest one whose node was down for long."""
    index = lie(consortium, LIAR, BORROWER)
    assert consortium.ask(ASKER, BORROWER).implausible
    challenge(consortium, ASKER, LIAR, index)
    witnesses.witness()
    a_day_later(consortium)
    said = consortium.ask(ASKER, BORROWER)
    assert (said.findings.withheld, said.sums.bands) == ("DIFFERENCING", (3, 0, 0, 0, 0, 0))


def test_nothing_of_it_is_in_inquiries_where_nobody_has_challenged_anything(consortium, witnesses):
    witnesses.witness()
    a_day_later(consortium)
    query, request = consortium.begin(ASKER, BORROWER)
    assert Inquiry.parse(query.entry).settled == ()
    assert not request.settled


def test_an_honest_author_that_answered_contributes(consortium, witnesses):
    challenge(consortium, LIAR, "lender-2", 0)
    answer(consortium, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    said = consortium.ask(ASKER, BORROWER)
    assert Inquiry.parse(said.entry).settled == (0, 0, 0, 0, 1)
    assert (left_out(said), outstanding(said)) == ([], 300)


def test_an_answer_counts_also_when_it_comes_late(consortium, witnesses):
    challenge(consortium, LIAR, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask(ASKER, BORROWER)) == [("lender-2", "CHALLENGED")]
    answer(consortium, "lender-2", 0)
    assert left_out(consortium.ask("lender-3", BORROWER)) == []


@pytest.mark.parametrize("case", ["garbage", "of another record", "of another author", "flipped", "in another's log"])
def test_an_answer_that_proves_nothing_is_none(consortium, witnesses, case):
    index = lie(consortium, LIAR, BORROWER)
    other = consortium.report(LIAR, "test:2", loan(5))
    shown = {
        "garbage": b"\x01" * 5000,
        "of another record": proof(consortium, LIAR, other),
        "of another author": proof(consortium, "lender-2", 0),
        "flipped": proof(consortium, LIAR, other)[:-1] + b"\0",
        "in another's log": proof(consortium, LIAR, other),
    }[case]
    challenge(consortium, ASKER, LIAR, index)
    answer(consortium, LIAR, index, shown, consortium.log("lender-4") if case == "in another's log" else None)
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask("lender-2", BORROWER)) == [(LIAR, "CHALLENGED")]


def test_a_liar_cannot_prove_its_record(consortium):
    index = lie(consortium, LIAR, BORROWER, NEGATIVE)
    with pytest.raises(InvalidInput):
        proof(consortium, LIAR, index)


def test_a_spoilt_answer_is_not_made_good_by_a_second(consortium, witnesses):
    challenge(consortium, ASKER, "lender-2", 0)
    answer(consortium, "lender-2", 0, b"spoilt")
    answer(consortium, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask("lender-3", BORROWER)) == [("lender-2", "CHALLENGED")]


def test_a_newer_position_is_another_record_and_not_challenged(consortium, witnesses):
    challenge(consortium, ASKER, LIAR, lie(consortium, LIAR, BORROWER))
    consortium.report(LIAR, BORROWER, loan(50))
    witnesses.witness()
    a_day_later(consortium)
    assert outstanding(consortium.ask("lender-2", BORROWER)) == 350


def test_an_author_that_challenges_itself_is_not_left_out(consortium, witnesses):
    challenge(consortium, "lender-2", "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask(ASKER, BORROWER)) == []


VOID: dict[str, dict[str, object]] = {
    "another leaf": {"leaf": bytes(32)},
    "another index": {"index": 1},
    "an index beyond the log": {"index": 1 << 40},
    "another log": {"origin": "plimsoll/nothing/lender-2"},
}


@pytest.mark.parametrize("what", VOID)
def test_a_challenge_that_names_no_record_rightly_is_void(consortium, witnesses, what):
    challenge(consortium, LIAR, "lender-2", 0, **VOID[what])
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask(ASKER, BORROWER)) == []


def test_a_challenge_of_a_closed_position_is_void(consortium, witnesses):
    index = consortium.report(LIAR, BORROWER, loan(5, open=False))
    challenge(consortium, ASKER, LIAR, index)
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask("lender-2", BORROWER)) == []


# -- time, about which challengers lie


def test_backdating_a_challenge_does_not_shorten_the_authors_day(consortium, witnesses):
    witnesses.witness()
    consortium.now += 10 * DAY
    challenge(consortium, LIAR, "lender-2", 0, time=1)
    witnesses.witness()
    assert left_out(consortium.ask(ASKER, BORROWER)) == []
    consortium.now += DAY - 1
    assert left_out(consortium.ask("lender-3", BORROWER)) == []


def test_two_of_five_members_cannot_backdate_what_was_witnessed(consortium, witnesses):
    challenge(consortium, LIAR, "lender-2", 0)
    witnesses.witness(LIAR, by=(4, 5))
    a_day_later(consortium)
    with pytest.raises(Unverified) as refused:
        consortium.ask("lender-4", BORROWER)
    assert refused.value.reason == "NOT_SETTLED"


def misled(consortium: Consortium, change) -> PlimsollError:
    """What a custodian says to an inquiry and its notes when an asker has changed them."""
    query, request = consortium.begin("lender-4", BORROWER)
    inquiry, notes = change(Inquiry.parse(query.entry), list(request.settled))
    setting, keys = consortium.asking("lender-4"), consortium.borrower(BORROWER).query
    heads = tuple(query._heads)
    numbered = keys.inquiries("lender-4")(1)
    again = Query(setting, keys, heads, replace(inquiry, label=numbered), (), tuple(notes))
    index = consortium.log("lender-4").append(again.entry)
    request = again.logged(index, consortium.log("lender-4").receipt(index))
    with pytest.raises(PlimsollError) as refused:
        consortium.answer(1, "lender-4", request)
    return refused.value


@pytest.fixture
def due(consortium: Consortium, witnesses: Witnesses) -> Consortium:
    """lender-5 has challenged an honest record a day ago and nobody has answered; the log has grown since."""
    challenge(consortium, LIAR, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    consortium.report(LIAR, "test:3", loan(5))
    witnesses.witness()
    return consortium


def test_an_asker_can_settle_nothing_without_the_witnessed_head(due):
    assert misled(due, lambda inquiry, notes: (inquiry, [])).reason == "BAD_REQUEST"
    assert misled(due, lambda inquiry, notes: (inquiry, [b"nonsense"])).reason == "NOT_SETTLED"


def test_an_asker_can_settle_no_other_size_than_the_heads(due):
    def more(inquiry, notes):
        return replace(inquiry, settled=(*inquiry.settled[:4], 2)), notes

    assert misled(due, more).reason == "NOT_SETTLED"


def test_an_asker_can_settle_no_head_that_was_witnessed_less_than_a_day_ago(due, witnesses):
    def newer(inquiry, notes):
        size, note = witnesses.witnessed_by(due.manifest.origin(LIAR), due.now)
        return replace(inquiry, settled=(*inquiry.settled[:4], size)), [note]

    assert misled(due, newer).reason == "NOT_SETTLED"


def test_an_asker_can_settle_no_other_log_by_it(due):
    def other(inquiry, notes):
        return replace(inquiry, settled=(0, 0, 1, 0, 0)), notes

    assert misled(due, other).reason == "NOT_SETTLED"


def test_an_asker_can_settle_no_head_of_another_history(due):
    """Cosigned by all, as far as the note goes; but custodians hold another tree."""
    log = due.log(LIAR).fork(0)
    log.append(due.log("lender-3").entries[0])
    note = cosigned(log.head(1), due.manifest, dict.fromkeys(range(1, 6), due.now - 2 * DAY))
    assert misled(due, lambda inquiry, notes: (inquiry, [note])).reason == "NOT_SETTLED"


def test_a_head_counts_as_witnessed_when_enough_had_cosigned_it_and_not_before(due):
    """Two early lines are none of five members' majority."""
    times = {1: due.now - 2 * DAY, 2: due.now - 2 * DAY, 3: due.now - DAY + 1, 4: due.now}
    note = cosigned(due.log(LIAR).head(1), due.manifest, times)
    assert misled(due, lambda inquiry, notes: (inquiry, [note])).reason == "NOT_SETTLED"


# -- floods


def test_of_a_flood_of_challenges_only_the_newest_count(consortium, witnesses):
    challenge(consortium, LIAR, "lender-2", 0)
    challenge(consortium, LIAR, "lender-3", 0)
    for number in range(MAX_COUNTED - 1):
        consortium.log(LIAR).append(Challenge(1, "nobody", number, bytes(32)).encode())
    witnesses.witness()
    a_day_later(consortium)
    assert left_out(consortium.ask(ASKER, BORROWER)) == [("lender-3", "CHALLENGED")]


def test_newer_challenges_count_from_the_inquirys_own_heads_and_not_from_what_is_settled(consortium, witnesses):
    challenge(consortium, LIAR, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    for number in range(MAX_COUNTED):
        consortium.log(LIAR).append(Challenge(1, "nobody", number, bytes(32)).encode())
    assert left_out(consortium.ask(ASKER, BORROWER)) == []


# -- what was said before


def test_the_release_rule_knows_whom_a_challenge_left_out(consortium, witnesses):
    """Asking before and after one record is left out would tell that record by subtraction."""
    challenge(consortium, LIAR, "lender-2", 0)
    assert outstanding(consortium.ask(ASKER, BORROWER)) == 300
    witnesses.witness()
    a_day_later(consortium)
    said = consortium.ask(ASKER, BORROWER)
    assert left_out(said) == [("lender-2", "CHALLENGED")]
    assert said.findings.withheld == "DIFFERENCING"


def test_what_an_asker_challenges_later_is_no_part_of_what_it_asked_before(consortium, witnesses):
    """Also where that inquiry claims more of its own log than there was."""
    setting, keys = consortium.asking(ASKER), consortium.borrower(BORROWER).query
    query = Query.begin(setting, keys, 1, bytes(32), consortium.now)
    sizes = (1000, *query._inquiry.sizes[1:])
    claimed = replace(query._inquiry, sizes=sizes, settled=(1000, 0, 0, 0, 0))
    consortium.log(ASKER).append(claimed.encode())
    challenge(consortium, ASKER, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    said = consortium.ask(ASKER, BORROWER)
    assert left_out(said) == [("lender-2", "CHALLENGED")]
    assert said.findings.withheld == "DIFFERENCING"


def test_a_custodian_just_started_works_out_the_same(consortium, witnesses):
    index = lie(consortium, LIAR, BORROWER)
    challenge(consortium, ASKER, LIAR, index)
    witnesses.witness()
    a_day_later(consortium)
    consortium.ask(ASKER, BORROWER)
    challenge(consortium, ASKER, "lender-2", 0)
    witnesses.witness()
    a_day_later(consortium)
    query, request = consortium.begin(ASKER, BORROWER)
    for number in (1, 2, 3):
        fresh = consortium.custodian(number).answer(ASKER, request, consortium.now, lambda name: 0, consortium.freezing)
        assert query.accept(number, fresh), query.failed
    assert [left.member for left in query.examine().selection.exclusions] == ["lender-2", LIAR]


@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_a_transcript_shows_what_was_left_out_and_assumes_what_was_settled(consortium, witnesses, form):
    challenge(consortium, ASKER, LIAR, lie(consortium, LIAR, BORROWER))
    witnesses.witness()
    a_day_later(consortium)
    transcript = Transcript.of(consortium.ask("lender-2", BORROWER), form).encode()
    report = verify(transcript, consortium.logs, consortium.history, consortium.keys)
    assert report.is_good, report.message
    assert "settled" in report.assumed
    if form == FULL:
        wrong = transcript.replace(b"CHALLENGED", b"BAD_PROOF")
        assert verify(wrong, consortium.logs, consortium.history, consortium.keys).failed == "T6"
