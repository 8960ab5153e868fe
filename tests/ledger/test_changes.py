"""Inquiries over changes of the manifest, frozen logs and logs that have ended: what used to reset the release rule.

A querier wants one lender's amount, as in test_attacks. Now it may also
  E1  ask before and after a change of members, of policy, of keys or of custodians, and subtract
  E2  change its own log, so that its earlier inquiries are forgotten
  E3  name a manifest that is not in force yet, or no longer
  E4  have a log frozen, or forked, between two questions, so that the first one's row cannot be worked out any more
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import peer_pb2

from ledger.chain.replica_gap import LacksEntries
from ledger.consortium.history import History
from ledger.consortium.joined import name_in
from ledger.errors import InvalidInput, PlimsollError, Refused, Unavailable
from ledger.positions.fields import FIELDS, PACKED
from ledger.queries.custodian import Custodian
from ledger.queries.exposure import expose
from ledger.queries.findings import Asked, Examiner
from ledger.queries.inquiry import DAY
from ledger.queries.query import Query
from ledger.queries.question import epoch_of
from ledger.queries.span import isolates
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.queries.transcript_check import verify
from ledger.queries.transcript_roots import roots_named, roots_of_earlier
from tests.ledger.changing import Frost, freeze, reshare, succeed, swap, witnessed
from tests.ledger.sample_consortium import CONSENT, POLICY, Behind, Consortium, found, loan

BORROWER = "test:1"
ASKER = "lender-1"
KEEPERS = ("lender-1", "lender-2", "lender-3")


@pytest.fixture
def consortium() -> Consortium:
    """Six members, of which three are custodians."""
    return found(6, replace(POLICY, min_contributors=2), custodians=KEEPERS)


def lend(consortium: Consortium, *numbers: int) -> None:
    """Exactly these lenders have a loan to the borrower from now on."""
    for member in consortium.manifest.members:
        number = int(member.name.rpartition("-")[2])
        open_ = number in numbers
        if open_ or consortium.next_position(member.name, BORROWER):
            consortium.report(member.name, BORROWER, loan(1_000 * number, open=open_))


def ask(consortium: Consortium, querier: str = ASKER) -> str:
    """What all custodians say, those that remember and those just started; and the asker."""
    consortium.now += 1
    query, request = consortium.begin(querier, BORROWER)
    answers = [consortium.answer(index, querier, request) for index in consortium.custodians]
    answers += [started(consortium, index).answer(*asked(consortium, querier, request)) for index in (1, 2)]
    findings = query.examine()
    for answer in answers:
        assert (answer.withheld, answer.nonce_sum) == (findings.withheld, findings.nonce_sum or b"")
        assert len(answer.points) == (len(PACKED if findings.withheld else FIELDS) if findings.nonce_sum else 0)
    return findings.withheld


def asked(consortium: Consortium, querier: str, request: peer_pb2.DecryptRequest) -> tuple[Any, ...]:
    return querier, request, consortium.now, lambda name: 0, consortium.freezing


def started(consortium: Consortium, index: int) -> Custodian:
    return consortium.custodian(index)


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(PlimsollError) as caught:
        call(*arguments)
    return caught.value.reason


# -- E1: changes of the manifest


def test_a_change_of_policy_forgets_no_row(consortium):
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    succeed(consortium, policy=replace(consortium.manifest.policy, queries_per_borrower=99))
    lend(consortium, 2, 3)
    assert ask(consortium) == "DIFFERENCING"


def test_each_inquiry_is_judged_by_the_policy_it_was_made_under(consortium):
    lend(consortium, 2, 3)
    assert ask(consortium) == ""
    # Three are needed from now on: what was told stays told, and is no secret for the next.
    succeed(consortium, policy=replace(consortium.manifest.policy, min_contributors=3))
    assert ask(consortium) == "FEW_CONTRIBUTORS"
    lend(consortium, 2, 3, 4, 5)
    assert ask(consortium) == "DIFFERENCING"  # four less two leaves two


def test_the_quota_counts_over_a_change(consortium):
    succeed(consortium, policy=replace(consortium.manifest.policy, queries_per_borrower=2))
    ask(consortium)
    ask(consortium)
    succeed(consortium, policy=replace(consortium.manifest.policy, queries_per_borrower=3))
    ask(consortium)
    assert refused(ask, consortium) == "BORROWER_QUOTA"
    consortium.now += DAY
    ask(consortium)


def test_a_member_that_joins_contributes_from_then_on(consortium):
    lend(consortium, 2, 3)
    assert ask(consortium) == ""
    succeed(consortium, join=["lender-7"])
    consortium.report("lender-7", BORROWER, loan(7_000))
    assert ask(consortium) == "DIFFERENCING"
    assert ask(consortium, "lender-7") == ""
    assert consortium.ask("lender-2", BORROWER).contributors == 3


def test_a_member_that_leaves_is_not_given_away(consortium):
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    succeed(consortium, leave=["lender-4"])
    assert ask(consortium) == "DIFFERENCING"
    answer = consortium.ask("lender-5", BORROWER)
    assert answer.sums
    assert answer.sums.amounts[FIELDS[0]] == 5_000


def test_new_custodians_of_another_epoch_say_what_the_old_ones_would(consortium):
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    succeed(consortium, custodians=("lender-2", "lender-3", "lender-4", "lender-5", "lender-6"))
    # The old shares serve until the new ones are there.
    lend(consortium, 3, 4, 5)
    assert ask(consortium) == ""
    reshare(consortium)
    lend(consortium, 3, 4)
    assert ask(consortium) == "DIFFERENCING"
    assert consortium.ask("lender-6", BORROWER).sums
    query, request = consortium.begin(ASKER, BORROWER)
    assert epoch_of(request) == 2
    for index in (1, 2):
        assert query.accept(index, consortium.answer(index, ASKER, request))
    assert not query.is_complete  # three of five, where it was two of three
    assert query.accept(4, consortium.answer(4, ASKER, request))
    assert query.is_complete


def test_a_record_of_a_later_epoch_than_the_inquirys_is_left_out(consortium):
    lend(consortium, 2, 3)
    consortium.report("lender-4", BORROWER, loan(4_000), epoch=2)
    answer = consortium.ask(ASKER, BORROWER)
    assert [(left.member, left.reason) for left in answer.findings.selection.exclusions] == [
        ("lender-4", "WRONG_EPOCH")
    ]
    succeed(consortium, custodians=KEEPERS)
    reshare(consortium)
    assert consortium.ask("lender-5", BORROWER).contributors == 3


# -- a lender's logs, one after the other


def test_a_lenders_record_goes_on_in_its_next_log(consortium):
    lend(consortium, 2, 3, 4)
    succeed(consortium, rotate={"lender-4": consortium.log("lender-4").size})
    assert consortium.log("lender-4").size == 0
    assert consortium.ask("lender-5", BORROWER).contributors == 3
    assert ask(consortium) == ""
    index = consortium.report("lender-4", BORROWER, loan(8_000))
    assert index == 0
    answer = consortium.ask("lender-6", BORROWER)
    assert answer.sums
    assert answer.sums.amounts[FIELDS[0]] == 13_000
    (record,) = (one for one in answer.findings.selection.contributions if one.member == "lender-4")
    assert (record.number, record.index) == (1, 1)
    lend(consortium, 2, 3)
    assert ask(consortium) == "DIFFERENCING"


def test_what_a_log_held_beyond_its_end_does_not_count(consortium):
    lend(consortium, 2, 3, 4)
    size = consortium.log("lender-4").size
    consortium.report("lender-4", BORROWER, loan(9))
    succeed(consortium, rotate={"lender-4": size})
    answer = consortium.ask("lender-5", BORROWER)
    assert answer.sums
    assert answer.sums.amounts[FIELDS[0]] == 9_000
    # Its successor takes the number that the lost one had.
    consortium.report("lender-4", BORROWER, loan(40))
    answer = consortium.ask("lender-6", BORROWER)
    assert answer.sums
    assert answer.sums.amounts[FIELDS[0]] == 5_040


def test_a_custodian_must_hold_what_counts_of_an_ended_log(consortium):
    lend(consortium, 2, 3, 4)
    succeed(consortium, rotate={"lender-4": 1})
    _, request = consortium.begin(ASKER, BORROWER)
    logs: dict[str, Any] = {**consortium.logs, "lender-4": Behind(consortium.logs["lender-4"], 0)}
    with pytest.raises(LacksEntries) as caught:
        consortium.custodian(1, logs).answer(*asked(consortium, ASKER, request))
    assert (caught.value.member, caught.value.size) == ("lender-4", 1)
    other = consortium.logs["lender-4"].fork(0)
    other.append(consortium.logs["lender-5"].entry(0) if consortium.logs["lender-5"].size else request.entry)
    wrong = consortium.custodian(1, {**consortium.logs, "lender-4": other})
    assert refused(wrong.answer, *asked(consortium, ASKER, request)) == "OTHER_ROOT"


# -- E2: the asker's own log


def test_an_askers_new_log_forgets_no_row(consortium):
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    succeed(consortium, rotate={ASKER: consortium.log(ASKER).size})
    lend(consortium, 2, 3)
    assert ask(consortium) == "DIFFERENCING"
    assert consortium.log(ASKER).size == 1


def test_inquiries_are_numbered_and_counted_through_all_logs(consortium):
    lend(consortium, 2, 3)
    succeed(consortium, policy=replace(consortium.manifest.policy, queries_per_borrower=3, inquiries_per_day=4))
    ask(consortium)
    ask(consortium)
    succeed(consortium, rotate={ASKER: consortium.log(ASKER).size})
    answer = consortium.ask(ASKER, BORROWER)
    assert (answer.findings.number, answer.asked.index) == (2, 0)
    assert [(count.member, count.days_30) for count in answer.inquiries] == [(ASKER, 3)]
    assert refused(ask, consortium) == "BORROWER_QUOTA"
    consortium.ask(ASKER, "test:2")
    _, request = consortium.begin(ASKER, "test:3")
    assert refused(consortium.answer, 1, ASKER, request) == "QUOTA"
    assert refused(consortium.custodian(1).answer, *asked(consortium, ASKER, request)) == "QUOTA"


def test_an_inquiry_beyond_the_end_of_its_log_blocks_those_that_follow(consortium):
    """The attack: the manifest that ends the log is under way, and one more question is asked beyond that end."""
    lend(consortium, 2, 3, 4)
    end = consortium.log(ASKER).size
    assert ask(consortium) == ""
    succeed(consortium, rotate={ASKER: end})
    lend(consortium, 2, 3)
    _, request = consortium.begin(ASKER, BORROWER)
    for index in consortium.custodians:
        assert refused(consortium.custodian(index).answer, *asked(consortium, ASKER, request)) == "ENDED"
    consortium.now += 90 * DAY
    assert ask(consortium) == ""


def test_an_inquiry_that_was_carried_over_to_the_next_log_counts_there(consortium):
    lend(consortium, 2, 3, 4)
    consortium.report(ASKER, BORROWER, loan(1))
    end = consortium.log(ASKER).size
    consortium.report(ASKER, BORROWER, loan(2))
    assert ask(consortium) == ""
    behind = consortium.log(ASKER).entries[end:]
    succeed(consortium, rotate={ASKER: end})
    for entry in behind:
        consortium.log(ASKER).append(entry)
    assert ask(consortium) == ""
    lend(consortium, 1, 2, 3)
    assert ask(consortium) == "DIFFERENCING"


def test_a_spoilt_entry_beyond_the_end_does_not_hide_the_inquiry_behind_it(consortium):
    lend(consortium, 2, 3, 4)
    end = consortium.log(ASKER).size
    now, consortium.now = consortium.now, 1_000_000
    consortium.begin(ASKER, BORROWER)
    consortium.now = now
    assert ask(consortium) == ""
    succeed(consortium, rotate={ASKER: end})
    _, request = consortium.begin(ASKER, BORROWER)
    assert refused(consortium.answer, 1, ASKER, request) == "ENDED"


# -- E3: manifests before and behind


def test_an_inquiry_under_the_manifest_before_is_answered_for_a_while(consortium):
    lend(consortium, 2, 3)
    query, request = consortium.begin(ASKER, BORROWER)
    before = consortium.manifest.id
    succeed(consortium, join=["lender-7"])
    assert refused(consortium.answer, 1, ASKER, request) == "OTHER_MANIFEST"
    custodian = consortium.custodian(1)
    answer = custodian.answer(*asked(consortium, ASKER, request), (before,))
    assert query.accept(1, answer)
    another = started(consortium, 2)
    assert refused(another.answer, *asked(consortium, ASKER, request), (bytes(32),)) == "OTHER_MANIFEST"


def test_under_the_manifest_before_nobody_asks_from_a_log_that_has_ended(consortium):
    lend(consortium, 2, 3)
    before = consortium.manifest.id
    _, request = consortium.begin(ASKER, BORROWER)
    succeed(consortium, rotate={ASKER: 0}, leave=["lender-6"])
    assert refused(consortium.custodian(1).answer, *asked(consortium, ASKER, request), (before,)) == "OTHER_MANIFEST"
    _, request = consortium.begin("lender-5", BORROWER)
    assert refused(consortium.custodian(1).answer, *asked(consortium, "lender-6", request), (before,)) == (
        "NOT_A_MEMBER"
    )


def test_nobody_goes_back_to_a_manifest_before(consortium):
    """The attack: custodians of the old manifest do not know the new one, under which the first row was told."""
    lend(consortium, 2, 3, 4)
    old = consortium.history
    succeed(consortium, join=["lender-7"])
    assert ask(consortium) == ""
    new, consortium.history = consortium.history, old
    lend(consortium, 2, 3)
    query, request = consortium.begin(ASKER, BORROWER)
    behind = started(consortium, 1)  # knows the old manifest only
    consortium.history = new
    ahead = started(consortium, 2)
    assert refused(behind.answer, *asked(consortium, ASKER, request)) == "OTHER_MANIFEST"
    assert refused(ahead.answer, *asked(consortium, ASKER, request), (old.current.id,)) == "OTHER_MANIFEST"
    assert refused(query.examine) == "OTHER_MANIFEST"


def test_an_inquiry_of_a_manifest_still_to_come_blocks_what_follows_until_then(consortium):
    """The attack: a decoy names a manifest that comes into force later, and with it its row."""
    lend(consortium, 2, 3, 4)
    old = consortium.history
    succeed(consortium, policy=replace(consortium.manifest.policy, queries_per_borrower=99))
    consortium.begin(ASKER, BORROWER)  # the decoy, {2, 3, 4}
    new, consortium.history = consortium.history, old
    lend(consortium, 2, 3)
    _, request = consortium.begin(ASKER, BORROWER)
    assert refused(started(consortium, 1).answer, *asked(consortium, ASKER, request)) == "OTHER_MANIFEST"
    consortium.history = new
    lend(consortium, 2, 3, 5)
    # Neither the decoy's successor nor what it was to hide counts; the decoy does.
    assert ask(consortium) == ""
    lend(consortium, 2, 3)
    assert ask(consortium) == "DIFFERENCING"


# -- E4: frozen logs


def test_a_frozen_log_counts_at_its_last_witnessed_size(consortium):
    lend(consortium, 2, 3, 4)
    size = consortium.log("lender-4").size
    consortium.report("lender-4", BORROWER, loan(1))
    freeze(consortium, "lender-4", size)
    answer = consortium.ask(ASKER, BORROWER)
    assert answer.frozen == ("lender-4",)
    assert answer.sums
    assert answer.sums.amounts[FIELDS[0]] == 9_000
    assert answer.asked.inquiry.sizes[3] == size


def test_freezing_does_not_roll_a_log_back_for_a_second_sum(consortium):
    """The attack: {2, 3, 4} is told; then lender-4's log is frozen where it had no position yet."""
    lend(consortium, 2, 3)
    consortium.report("lender-4", "test:2", loan(1))
    size = consortium.log("lender-4").size
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    freeze(consortium, "lender-4", size)
    assert ask(consortium) == "FROZEN"
    # Bands still tell the story, and the answer that was withheld is no row: after the window it is over.
    assert ask(consortium) == "FROZEN"
    consortium.now += 90 * DAY
    assert ask(consortium) == ""


def test_ending_a_log_does_not_roll_it_back_either(consortium):
    lend(consortium, 2, 3)
    consortium.report("lender-4", "test:2", loan(1))
    size = consortium.log("lender-4").size
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    assert ask(consortium, "lender-5") == ""
    succeed(consortium, rotate={"lender-4": size})
    assert ask(consortium) == "FROZEN"
    succeed(consortium, leave=["lender-6"])
    assert ask(consortium) == "FROZEN"
    assert ask(consortium, "lender-5") == "FROZEN"
    assert ask(consortium, "lender-2") == "FEW_CONTRIBUTORS"  # it had not asked before


def test_a_log_that_shrinks_where_it_was_not_asked_about_changes_nothing(consortium):
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    consortium.report("lender-4", "test:2", loan(1))
    freeze(consortium, "lender-4", 1)
    assert ask(consortium) == ""


def branch(consortium: Consortium, member: str, size: int, outstanding: int):
    """Another branch of a log, of equal length, on which the member has another position."""
    fork = consortium.log(member).fork(size)
    whole = consortium.log(member)
    swap(consortium, member, fork)
    consortium.report(member, BORROWER, loan(outstanding, open=outstanding > 0))
    swap(consortium, member, whole)
    return fork


def test_a_row_of_another_branch_is_no_row_though_its_size_fits(consortium):
    """The attack: {2, 3, 4} is told on one branch; on the branch that is witnessed lender-4 has no open loan."""
    consortium.report("lender-4", "test:2", loan(1))
    other = branch(consortium, "lender-4", 1, 0)
    lend(consortium, 2, 3, 4)
    assert ask(consortium) == ""
    swap(consortium, "lender-4", other)
    freeze(consortium, "lender-4", other.size)
    # Custodians that answered the first one and such that know the witnessed branch alone say the same.
    assert ask(consortium) == "FROZEN"
    # So they do once the log has ended there.
    succeed(consortium, rotate={"lender-4": other.size})
    assert ask(consortium) == "FROZEN"
    consortium.now += 90 * DAY
    assert ask(consortium) == ""


def test_a_custodian_that_holds_another_branch_does_not_answer(consortium):
    lend(consortium, 2, 3, 4)
    held = consortium.log("lender-4")
    other = branch(consortium, "lender-4", 0, 5)
    freeze(consortium, "lender-4", held.size)
    custodian = consortium.custodian(1, {**consortium.logs, "lender-4": other})
    _, request = consortium.begin(ASKER, BORROWER)
    assert refused(custodian.answer, *asked(consortium, ASKER, request)) == "OTHER_ROOT"
    # Nor does it stay so once the right one is fetched.
    custodian._logs = consortium.logs
    assert custodian.answer(*asked(consortium, ASKER, request)).withheld == ""


def test_an_asker_that_holds_another_branch_fetches_it_first(consortium):
    lend(consortium, 2, 3, 4)
    freeze(consortium, "lender-4", consortium.log("lender-4").size)
    swap(consortium, "lender-4", branch(consortium, "lender-4", 0, 5))
    assert refused(consortium.begin, ASKER, BORROWER) == "OTHER_BRANCH"


def test_a_log_once_frozen_in_an_inquiry_stays_so(consortium):
    lend(consortium, 2, 3, 4)
    freeze(consortium, "lender-4", 1)
    assert ask(consortium) == ""
    consortium.freezing = Frost()
    query, request = consortium.begin(ASKER, BORROWER)
    assert refused(consortium.answer, 1, ASKER, request) == "FROZEN"
    assert refused(query.examine) == "FROZEN"
    freeze(consortium, "lender-4", 1)
    succeed(consortium, rotate={"lender-4": 1})
    consortium.freezing = Frost()
    assert ask(consortium) == ""


def test_a_log_that_was_never_witnessed_counts_for_nothing(consortium):
    lend(consortium, 2, 3, 4)
    freeze(consortium, "lender-4", 0)
    answer = consortium.ask(ASKER, BORROWER)
    assert (answer.contributors, answer.findings.withheld) == (2, "")


def test_where_conflicting_heads_were_witnessed_the_author_is_named_and_amounts_withheld(consortium):
    lend(consortium, 2, 3, 4)
    succeed(consortium, rotate={"lender-4": 1})  # what it had in a former log does not count either
    freeze(consortium, "lender-4", 0)
    consortium.freezing.conflicts.add(consortium.manifest.origin("lender-4"))
    assert ask(consortium) == "CONFLICTING_WITNESSES"
    answer = consortium.ask(ASKER, BORROWER)
    exposure = expose(answer, BORROWER, [])
    assert (exposure.amounts, exposure.lenders, exposure.withheld) == (None, 2, "CONFLICTING_WITNESSES")
    assert [(left.member, left.reason) for left in exposure.excluded] == [("lender-4", "CONFLICTING_WITNESSES")]


# -- Q11 and Q12


def frozen_request(consortium: Consortium) -> peer_pb2.DecryptRequest:
    lend(consortium, 2, 3, 4)
    consortium.report("lender-4", "test:2", loan(1))
    freeze(consortium, "lender-4", 2)
    return consortium.begin(ASKER, BORROWER)[1]


def test_whoever_knows_of_more_frozen_logs_says_so_and_whoever_knows_of_fewer_asks_for_time(consortium):
    request = frozen_request(consortium)
    knowing = consortium.freezing
    consortium.freezing = Frost()
    with pytest.raises(Unavailable) as caught:
        consortium.answer(1, ASKER, request)
    assert caught.value.reason == "NOT_FROZEN"
    more = Frost({**knowing.notes, consortium.manifest.origin("lender-5"): b""})
    consortium.freezing = more
    with pytest.raises(Refused) as found_more:
        consortium.answer(1, ASKER, request)
    assert found_more.value.reason == "FROZEN"
    assert "lender-5" in found_more.value.message
    consortium.freezing = Frost(knowing.notes, {consortium.manifest.origin("lender-4")})
    assert refused(consortium.answer, 1, ASKER, request) == "CONFLICTING_WITNESSES"
    consortium.freezing = knowing
    assert consortium.answer(1, ASKER, request).withheld == ""


def test_the_head_of_a_frozen_log_must_be_witnessed(consortium):
    request = frozen_request(consortium)
    notes = {
        b"": "NOT_WITNESSED",
        witnessed(consortium, "lender-4", 2, by=3): "NOT_WITNESSED",  # half of six is no majority
        witnessed(consortium, "lender-4", 1): "NOT_WITNESSED",
        witnessed(consortium, "lender-5", consortium.log("lender-5").size): "NOT_WITNESSED",
        b"nonsense": "NOT_WITNESSED",
    }
    for note, code in notes.items():
        request.witnessed[0] = note
        assert refused(consortium.answer, 1, ASKER, request) == code
    request.witnessed[0] = witnessed(consortium, "lender-4", 2, by=4)
    assert consortium.answer(1, ASKER, request).withheld == ""


def test_there_is_one_note_for_each_frozen_log(consortium):
    request = frozen_request(consortium)
    note = request.witnessed.pop()
    assert refused(consortium.answer, 1, ASKER, request) == "BAD_REQUEST"
    request.witnessed.extend([note, note])
    assert refused(consortium.answer, 1, ASKER, request) == "BAD_REQUEST"


def test_a_frozen_log_is_used_no_smaller_than_it_was_known_to_be_witnessed(consortium):
    request = frozen_request(consortium)

    def held(size: int):
        return lambda name: size if name == "lender-4" else 0

    custodian, (querier, _, now, _, freezing) = consortium.custodian(1), asked(consortium, ASKER, request)
    assert refused(custodian.answer, querier, request, now, held(3), freezing) == "OMITTED"
    assert custodian.answer(querier, request, now, held(2), freezing).withheld == ""


def test_who_has_forked_asks_nothing(consortium):
    request = frozen_request(consortium)
    freeze(consortium, ASKER, 1)
    assert refused(consortium.answer, 1, ASKER, request) == "FORK"
    assert refused(consortium.begin, ASKER, BORROWER) == "FORK"


# -- transcripts


@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_transcripts_verify_over_changes(consortium, form):
    lend(consortium, 2, 3, 4)
    first = consortium.ask(ASKER, BORROWER)
    succeed(consortium, rotate={ASKER: consortium.log(ASKER).size, "lender-4": 1}, leave=["lender-6"])
    consortium.report("lender-4", BORROWER, loan(40))
    second = consortium.ask(ASKER, BORROWER)
    succeed(consortium, custodians=("lender-2", "lender-3", "lender-4"), join=["lender-7"])
    old = reshare(consortium)
    freeze(consortium, "lender-4", 1)
    third = consortium.ask(ASKER, BORROWER)
    keys = (old.public, consortium.keys)
    for answer in (first, second, third):
        raw = Transcript.of(answer, form).encode()
        report = verify(raw, consortium.logs, consortium.history, *keys)
        assert (report.failed, report.message) == ("", "")
        assert ("frozen" in report.assumed) == (answer is third)
    raw = Transcript.of(third, form).encode()
    assert verify(raw, consortium.logs, consortium.history, old.public).failed == "T1"
    assert verify(raw, consortium.logs, History(consortium.history.manifests[:2]), *keys).failed == "T1"
    swapped = {**consortium.logs, "lender-4": consortium.logs["lender-5"]}
    assert verify(raw, swapped, consortium.history, *keys).failed == "T4"


class Frugal:
    """A log that was read once: it has the roots that were asked for beforehand."""

    def __init__(self, log: Any, sizes: set[int]) -> None:
        self._log, self._sizes, self.size = log, sizes, log.size
        self.find, self.entry, self.leaf_hash = log.find, log.entry, log.leaf_hash

    def root_at(self, size: int) -> bytes:
        if size not in self._sizes:
            raise InvalidInput("BAD_SIZE", "not kept")
        root: bytes = self._log.root_at(size)
        return root


def test_whoever_reads_logs_once_is_told_which_roots_a_transcript_needs(consortium):
    lend(consortium, 2, 3, 4)
    ask(consortium)
    consortium.report("lender-4", BORROWER, loan(5))
    ask(consortium)
    succeed(consortium, rotate={"lender-4": consortium.log("lender-4").size, ASKER: consortium.log(ASKER).size})
    freeze(consortium, "lender-3", 1)
    answer = consortium.ask(ASKER, BORROWER)
    transcript = Transcript.of(answer, FULL)

    def checked(roots: set[tuple[str, int]]):
        logs: Any = {
            name: Frugal(log, {size for one, size in roots if one == name}) for name, log in consortium.logs.items()
        }
        return verify(transcript.encode(), logs, consortium.history, consortium.keys)

    named = roots_named(transcript, consortium.history)
    earlier = roots_of_earlier(transcript, consortium.history, consortium.logs)
    assert ("lender-4", 2) in named
    assert checked(named).failed == "T8"
    assert checked(named | earlier).is_good
    assert roots_of_earlier(replace(transcript, secret=None), consortium.history, consortium.logs) == set()
    assert roots_named(replace(transcript, manifest=bytes(32)), consortium.history) == set()


# -- whoever asks, in whatever order, with whatever remembered

events = st.one_of(
    st.tuples(st.just("lend"), st.frozensets(st.integers(2, 6), min_size=1)),
    st.tuples(st.just("rotate"), st.sampled_from([ASKER, "lender-3", "lender-4"])),
    st.tuples(st.just("end early"), st.sampled_from(["lender-3", "lender-4"])),
    st.tuples(st.just("freeze"), st.sampled_from(["lender-4", "lender-5"])),
    st.tuples(st.just("fork"), st.sampled_from(["lender-5"])),
    st.tuples(st.just("leave"), st.sampled_from(["lender-6", "lender-5"])),
    st.tuples(st.just("join"), st.just("lender-7")),
    st.tuples(st.just("policy"), st.integers(2, 3)),
)


class Story:
    """What happens to a consortium, and what the asker was told: the members truly summed, and when."""

    def __init__(self) -> None:
        self.consortium = found(6, replace(POLICY, min_contributors=2), custodians=KEEPERS)
        self.told: list[tuple[int, int]] = []
        self.asked: list[tuple[Asked, str, dict[str, Any], History]] = []
        self.examiner = Examiner(self.consortium.history, self.consortium.keys)

    def happen(self, event: tuple[str, Any]) -> None:
        kind, what = event
        getattr(self, "_" + kind.replace(" ", "_"))(what)
        self.examiner.follow(self.consortium.history)

    def _lend(self, lenders: frozenset[int]) -> None:
        live = [
            number
            for number in lenders
            if f"lender-{number}" in self.consortium.manifest and not self._is_frozen(f"lender-{number}")
        ]
        for number in live:
            self.consortium.report(f"lender-{number}", BORROWER, loan(1_000 * number))
        for member in self.consortium.manifest.members:
            if int(member.name.rpartition("-")[2]) in lenders or self._is_frozen(member.name):
                continue
            if self.consortium.next_position(member.name, BORROWER):
                self.consortium.report(member.name, BORROWER, loan(1, open=False))

    def _ask(self, days: int) -> None:
        self.consortium.now += days * DAY + 1
        query, request = self.consortium.begin(ASKER, BORROWER)
        findings = query.examine()
        said = {self.consortium.answer(1, ASKER, request).withheld, findings.withheld}
        fresh = self.consortium.custodian(2)
        said.add(fresh.answer(*asked(self.consortium, ASKER, request)).withheld)
        assert len(said) == 1
        known = self.consortium.logs.copy()
        self.asked.append((query._known(), findings.withheld, known, self.consortium.history))
        if not findings.withheld:
            row = sum(
                1 << self.consortium.history.seat(one.member)
                for one in findings.selection.contributions
                if one.member != ASKER
            )
            policy = self.consortium.manifest.policy
            window = [r for r, t in self.told if t > self.consortium.now - 90 * DAY]
            assert row.bit_count() >= policy.min_contributors
            assert not isolates([*window, row], policy.min_contributors - 1)
            self.told.append((row, self.consortium.now))

    def _is_frozen(self, member: str) -> bool:
        return self.consortium.freezing.frozen(self.consortium.manifest.origin(member))

    def _rotate(self, member: str) -> None:
        succeed(self.consortium, rotate={member: self.consortium.log(member).size})

    def _end_early(self, member: str) -> None:
        succeed(self.consortium, rotate={member: self.consortium.log(member).size // 2})

    def _freeze(self, member: str) -> None:
        if member in self.consortium.manifest and not self._is_frozen(member):
            freeze(self.consortium, member, self.consortium.log(member).size // 2)

    def _fork(self, member: str) -> None:
        """Another branch from the middle on is the one that was witnessed, and everybody fetches it."""
        if member not in self.consortium.manifest or self._is_frozen(member) or not self.consortium.log(member).size:
            return
        fork = self.consortium.log(member).fork(self.consortium.log(member).size // 2)
        swap(self.consortium, member, fork)
        self.consortium.report(member, BORROWER, loan(5, open=fork.size % 2 == 0))
        freeze(self.consortium, member, fork.size)

    def _leave(self, member: str) -> None:
        size = {member: self.consortium.log(member).size} if member in self.consortium.manifest else {}
        if size and len(self.consortium.manifest.members) > 4:
            succeed(self.consortium, leave=[member], ended=size)

    def _join(self, member: str) -> None:
        if member not in self.consortium.history.names:
            succeed(self.consortium, join=[member])

    def _policy(self, least: int) -> None:
        succeed(self.consortium, policy=replace(self.consortium.manifest.policy, min_contributors=least))


days = st.none() | st.sampled_from([0, 0, 0, 30, 60, 95])


@settings(max_examples=10)
@given(st.lists(st.tuples(events, days), min_size=3, max_size=9), st.randoms(use_true_random=False))
def test_whatever_happens_all_agree_and_nobody_is_isolated(happening, random):
    story = Story()
    story.happen(("lend", frozenset({2, 3, 4, 5})))
    for event, wait in happening:
        story.happen(event)
        if wait is not None:
            story.happen(("ask", wait))
    keys = story.consortium.borrower(BORROWER).query
    order = list(range(len(story.asked)))
    random.shuffle(order)
    # Replayed in any order, by one that remembers and by such that do not; with the manifests known then or now.
    for place in order:
        inquiry, withheld, logs, history = story.asked[place]
        assert story.examiner.examine(inquiry, keys, logs).withheld == withheld
        assert Examiner(history, story.consortium.keys).examine(inquiry, keys, logs).withheld == withheld


def test_a_query_begins_with_what_is_known_of_frozen_logs(consortium):
    lend(consortium, 2, 3, 4)
    freeze(consortium, "lender-4", 1)
    keys = consortium.borrower(BORROWER).query
    query = Query.begin(consortium.asking(ASKER), keys, 1, CONSENT, consortium.now)
    inquiry = query._inquiry
    assert (inquiry.frozen, inquiry.conflicting, inquiry.sizes[3]) == ((3,), (), 1)
    assert name_in(consortium.manifest, "lender-4") == "lender-4"
