"""A query from end to end, in memory: what the asker gets, and whom it believes.

Custodians are the adversaries here. Fewer than t of them may answer whatever they like, in whatever order; the result
must be the right one without them, and they must be named.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.crypto import group
from ledger.errors import Exhausted, PlimsollError, Refused, Unready
from ledger.positions.classification import Classification
from ledger.positions.fields import Field
from ledger.queries.answer import Answer
from ledger.queries.exposure import Amounts, Exposure, Left, LogAge, expose
from ledger.queries.inquiry import DAY
from ledger.queries.query import BAD_PARTIAL, DISAGREES, Query
from tests.ledger.sample_consortium import CONSENT, TODAY, Behind, Consortium, found, loan, small_table

BORROWER = "test:1"
ASKER = "lender-1"


@pytest.fixture
def consortium() -> Consortium:
    return found(5)


def report_all(consortium: Consortium, *outstanding: int) -> None:
    for member, amount in zip(consortium.logs, outstanding, strict=False):
        consortium.report(member, BORROWER, loan(amount))


def exposure(consortium: Consortium, answer: Answer, failed: tuple[Left, ...] = ()) -> Exposure:
    ages = [LogAge(name, log.size, number, -1) for number, (name, log) in enumerate(consortium.logs.items())]
    return expose(answer, BORROWER, ages, failed)


def counts(pairs: tuple[tuple[str, int], ...]) -> dict[str, int]:
    return {name: count for name, count in pairs if count}


# -- what the asker gets


def test_the_sums_over_all_lenders(consortium):
    consortium.report("lender-1", BORROWER, loan(700), loan(50, loan_id="L2"), loan(9, loan_id="L3", open=False))
    consortium.report("lender-2", BORROWER, loan(4_000, overdue=300, classification=Classification.SUBSTANDARD))
    consortium.report("lender-3", BORROWER, loan(60_000, classification=Classification.LOSS, overdue=60_000))
    consortium.report("lender-4", BORROWER, loan(5, open=False))
    consortium.report("lender-5", "test:2", loan(1))
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert answer.amounts == Amounts(credit_limit=129_500, outstanding=64_750, monthly_due=6_475)
    assert (answer.withheld, answer.implausible, answer.excluded) == ("", (), ())
    assert (answer.accounts, answer.lenders, answer.includes_own) == (4, 3, True)
    assert counts(answer.classes) == {"pass": 1, "substandard": 1, "loss": 1}
    assert counts(answer.bands) == {"10": 1, "50": 1, "above": 1}
    assert counts(answer.overdue_bands) == {"5": 1, "above": 1}
    assert (answer.freshness_seconds, answer.inquiry_index) == (4, 1)


def test_every_class_and_band_is_named_even_where_nobody_is_in_it(consortium):
    report_all(consortium, 1, 1, 1)
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert [name for name, _ in answer.classes] == ["pass", "special-mention", "substandard", "doubtful", "loss"]
    assert [name for name, _ in answer.bands] == ["10", "50", "100", "200", "500", "above"]
    assert [name for name, _ in answer.overdue_bands] == ["1", "5", "10", "20", "above"]


def test_an_unknown_borrower_has_no_exposure(consortium):
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert (answer.amounts, answer.withheld, answer.lenders, answer.accounts) == (None, "FEW_CONTRIBUTORS", 0, 0)
    assert not counts(answer.classes)
    assert answer.inquiries[0].days_30 == 1


def test_one_other_lender_is_told_by_its_band_only(consortium):
    consortium.report("lender-2", BORROWER, loan(4_000))
    consortium.report("lender-1", BORROWER, loan(10))
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert (answer.amounts, answer.withheld) == (None, "FEW_CONTRIBUTORS")
    assert (answer.lenders, answer.accounts, counts(answer.bands)) == (2, 2, {"10": 1, "50": 1})


def test_the_askers_own_record_may_be_absent(consortium):
    consortium.report("lender-2", BORROWER, loan(4_000))
    consortium.report("lender-3", BORROWER, loan(5_000))
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert (answer.includes_own, answer.lenders) == (False, 2)
    assert answer.amounts
    assert answer.amounts.outstanding == 9_000


@settings(max_examples=8)
@given(st.lists(st.integers(0, 100_000) | st.none(), min_size=5, max_size=5), st.permutations(range(1, 6)))
def test_whoever_lends_what_and_whoever_answers_the_sum_is_the_sum(amounts, custodians):
    consortium = found(5)
    for member, amount in zip(consortium.logs, amounts, strict=True):
        if amount is not None:
            consortium.report(member, BORROWER, loan(amount))
    others = sum(amount is not None for amount in amounts[1:])
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER, custodians[:3]))
    there = [amount for amount in amounts if amount is not None]
    assert answer.lenders == sum(dict(answer.bands).values()) == len(there)
    if others >= 2:
        assert answer.amounts == Amounts(2 * sum(there), sum(there), sum(amount // 10 for amount in there))
    else:
        assert (answer.amounts, answer.withheld) == (None, "FEW_CONTRIBUTORS")


def test_the_newest_state_counts(consortium):
    report_all(consortium, 1_000, 2_000, 3_000)
    consortium.report("lender-2", BORROWER, loan(2_500))
    consortium.report("lender-3", BORROWER, loan(0))
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert answer.amounts
    assert answer.amounts.outstanding == 3_500


def test_inquiries_are_counted_by_member_and_purpose(consortium):
    report_all(consortium, 1, 2, 3)
    consortium.ask("lender-2", BORROWER)
    consortium.now += 45 * DAY
    consortium.ask("lender-2", BORROWER, purpose=entry_pb2.PURPOSE_GUARANTOR)
    consortium.ask("lender-2", BORROWER)
    consortium.ask("lender-3", "test:2")
    consortium.now += 10 * DAY
    answer = consortium.ask(ASKER, BORROWER, purpose=entry_pb2.PURPOSE_SELF)
    found_counts = [(one.member, one.purpose, one.days_30, one.days_90) for one in answer.inquiries]
    assert found_counts == [("lender-1", 5, 1, 1), ("lender-2", 1, 1, 2), ("lender-2", 3, 1, 1)]
    consortium.now += 50 * DAY
    assert ("lender-2", 1, 0, 1) in [
        (one.member, one.purpose, one.days_30, one.days_90) for one in consortium.ask(ASKER, BORROWER).inquiries
    ]


def test_the_message_says_what_the_answer_says(consortium):
    report_all(consortium, 1_000, 2_000, 3_000)
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER), (Left("lender-5", BAD_PARTIAL),))
    message = answer.to_message(b"{}")
    assert message.borrower == BORROWER
    assert (message.amounts.outstanding, message.amounts.credit_limit, message.amounts.monthly_due) == (
        6_000,
        12_000,
        600,
    )
    assert {count.name: count.lenders for count in message.classes}["pass"] == 3
    assert {count.upper: count.lenders for count in message.bands} == dict(answer.bands)
    assert {count.upper: count.lenders for count in message.overdue_bands} == dict(answer.overdue_bands)
    assert [(left.member, left.reason) for left in message.custodians_failed] == [("lender-5", "BAD_PARTIAL")]
    assert [(log.member, log.head_age_seconds, log.feed_age_seconds) for log in message.logs][4] == ("lender-5", 4, -1)
    assert [(one.member, one.purpose, one.days_30, one.days_90) for one in message.inquiries] == [("lender-1", 1, 1, 1)]
    assert (message.freshness_seconds, message.inquiry_index, message.transcript) == (4, 1, b"{}")
    assert (message.lenders, message.accounts, message.includes_own, message.withheld) == (3, 3, True, "")


def test_withheld_amounts_are_absent_from_the_message(consortium):
    message = exposure(consortium, consortium.ask(ASKER, BORROWER)).to_message()
    assert not message.HasField("amounts")
    assert message.withheld == "FEW_CONTRIBUTORS"


def test_no_repr_shows_borrower_amount_or_key(consortium):
    report_all(consortium, 12_345, 23_456, 34_567)
    query, _ = consortium.begin(ASKER, BORROWER)
    answer = consortium.ask("lender-2", BORROWER)
    shown = repr(query) + repr(answer) + repr(exposure(consortium, answer))
    for secret in ("test:1", "70368", "12345", consortium.borrower(BORROWER).query.query_key.hex()):
        assert secret not in shown


# -- before anything is logged


def test_an_inquiry_above_the_quota_is_not_even_logged(consortium):
    per_day = consortium.manifest.policy.queries_per_borrower
    for _ in range(per_day):
        consortium.begin(ASKER, BORROWER)
    with pytest.raises(Exhausted) as caught:
        consortium.begin(ASKER, BORROWER)
    assert (caught.value.reason, caught.value.retry) == ("BORROWER_QUOTA", DAY)
    consortium.now += DAY
    consortium.begin(ASKER, BORROWER)


def test_no_inquiry_is_logged_while_the_replicas_are_behind_the_last_one(consortium):
    report_all(consortium, 1, 2, 3)
    consortium.ask(ASKER, BORROWER)
    behind: dict[str, Any] = {**consortium.logs, "lender-3": Behind(consortium.logs["lender-3"], 0)}
    with pytest.raises(Unready) as caught:
        Query.begin(consortium.asking(ASKER, behind), consortium.borrower(BORROWER).query, 1, CONSENT, consortium.now)
    assert caught.value.reason == "HEADS_WENT_BACK"


def test_nothing_is_examined_before_it_is_logged(consortium):
    query = Query.begin(consortium.asking(ASKER), consortium.borrower(BORROWER).query, 1, CONSENT, consortium.now)
    with pytest.raises(Unready):
        query.examine()


def test_too_few_answers_give_no_sums(consortium):
    report_all(consortium, 1, 2, 3)
    query, request = consortium.begin(ASKER, BORROWER)
    for index in (1, 1, 2):
        query.accept(index, consortium.answer(index, ASKER, request))
    assert not query.is_complete
    with pytest.raises(Unready) as caught:
        query.finish(small_table())
    assert caught.value.reason == "TOO_FEW_CUSTODIANS"


def test_who_asks_itself_examines_once_and_does_not_check_its_own_proof(consortium, monkeypatch):
    report_all(consortium, 1_000, 2_000, 3_000)
    query, request = consortium.begin(ASKER, BORROWER)
    findings = query.examine()
    worked_out = consortium.answer(1, ASKER, request)

    def ask(now):
        fresh = consortium.custodian(1)
        monkeypatch.setattr(fresh, "_examiner", None)
        return fresh.answer(ASKER, request, now, lambda name: 0, findings=findings)

    answer = ask(consortium.now)
    assert (answer.points, answer.nonce_sum) == (worked_out.points, worked_out.nonce_sum)
    with pytest.raises(Refused) as caught:
        ask(consortium.now + 10_000)
    assert caught.value.reason == "STALE"
    assert not query.accept(2, answer, is_own=True)
    assert query.accept(1, answer, is_own=True)
    for index in (2, 3):
        assert query.accept(index, consortium.answer(index, ASKER, request))
    assert query.finish(small_table()).sums.amounts[Field.OUTSTANDING] == 6_000


# -- what custodians may try


def lies(consortium: Consortium, request: peer_pb2.DecryptRequest, earlier: peer_pb2.DecryptResponse):
    """(what custodian 1 might answer, how it is named)."""
    good = consortium.answer(1, ASKER, request)
    other = consortium.answer(2, ASKER, request)

    def changed(**fields: Any) -> Any:
        answer: Any = peer_pb2.DecryptResponse()
        answer.CopyFrom(good)
        for name, value in fields.items():
            answer.ClearField(name)
            if isinstance(value, list):
                getattr(answer, name).extend(value)
            else:
                setattr(answer, name, value)
        return answer

    points = list(good.points)
    moved = group.add(points[0], group.BASE)
    yield "an answer to another inquiry", earlier, {BAD_PARTIAL, DISAGREES}
    yield "another custodian's answer", other, {BAD_PARTIAL}
    yield (
        "another's points and proof in its own name",
        changed(points=list(other.points), proof=other.proof),
        {BAD_PARTIAL},
    )
    yield "another epoch", changed(epoch=2), {BAD_PARTIAL}
    yield "a point moved", changed(points=[moved, *points[1:]]), {BAD_PARTIAL}
    yield "points in another order", changed(points=points[::-1]), {BAD_PARTIAL}
    yield "a point missing", changed(points=points[:-1]), {BAD_PARTIAL}
    yield "a point too many", changed(points=[*points, points[0]]), {BAD_PARTIAL}
    yield "a short point", changed(points=[points[0][:31], *points[1:]]), {BAD_PARTIAL}
    yield "no point of the group", changed(points=[b"\xff" * 32, *points[1:]]), {BAD_PARTIAL}
    yield "the identity", changed(points=[bytes(32), *points[1:]]), {BAD_PARTIAL}
    yield "no proof", changed(proof=b""), {BAD_PARTIAL}
    yield "a scalar above the order", changed(proof=good.proof[:32] + b"\xff" * 32), {BAD_PARTIAL}
    yield "a bit of the challenge", changed(proof=bytes([good.proof[0] ^ 1]) + good.proof[1:]), {BAD_PARTIAL}
    yield (
        "a bit of the response",
        changed(proof=good.proof[:32] + bytes([good.proof[32] ^ 1]) + good.proof[33:]),
        {BAD_PARTIAL},
    )
    yield "nothing", peer_pb2.DecryptResponse(), {DISAGREES}
    yield "another sum", changed(nonce_sum=moved), {DISAGREES}
    yield "no sum", changed(nonce_sum=b""), {DISAGREES}
    yield "withheld without reason", changed(withheld="DIFFERENCING", points=points[3:]), {DISAGREES}
    exclusion = peer_pb2.Exclusion(member="lender-2", reason="BAD_PROOF", index=0)
    yield "an author slandered", changed(excluded=[exclusion]), {DISAGREES}


def test_every_lie_of_a_custodian_is_noticed_named_and_without_effect(consortium):
    report_all(consortium, 1_000, 2_000, 3_000)
    _, before = consortium.begin(ASKER, BORROWER)
    earlier = consortium.answer(1, ASKER, before)
    query, request = consortium.begin(ASKER, BORROWER)
    for lie, answer, names in lies(consortium, request, earlier):
        again = Query.begin(
            consortium.asking("lender-2"), consortium.borrower(BORROWER).query, 1, CONSENT, consortium.now
        )
        assert again.entry != query.entry
        assert not query.accept(1, answer), lie
        assert query.failed[1] in names, lie
    for index in (4, 2, 5):
        assert not query.is_complete
        assert query.accept(index, consortium.answer(index, ASKER, request))
    answer = exposure(consortium, query.finish(small_table()))
    assert answer.amounts
    assert answer.amounts.outstanding == 6_000
    assert list(query.failed) == [1]


def test_points_where_nothing_can_be_decrypted_are_a_lie(consortium):
    query, request = consortium.begin(ASKER, BORROWER)
    answer = consortium.answer(1, ASKER, request)
    answer.points.append(group.BASE)
    assert not query.accept(1, answer)
    assert query.failed == {1: BAD_PARTIAL}


def test_an_answer_for_less_than_what_is_released_is_a_lie(consortium):
    report_all(consortium, 1_000, 2_000)
    query, request = consortium.begin(ASKER, BORROWER)
    withheld = consortium.answer(1, ASKER, request)
    assert len(withheld.points) == 4
    withheld.withheld = ""
    assert not query.accept(1, withheld)
    assert query.failed == {1: DISAGREES}


@settings(max_examples=30)
@given(st.data())
def test_no_edited_answer_changes_the_result(data):
    consortium = found(3)
    report_all(consortium, 1_000, 2_000, 3_000)
    query, request = consortium.begin(ASKER, BORROWER)
    raw = bytearray(consortium.answer(1, ASKER, request).SerializeToString())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        bent = peer_pb2.DecryptResponse.FromString(bytes(raw))
    except Exception:  # noqa: BLE001 -- what gRPC refuses never arrives
        return
    query.accept(1, bent)
    for index in (2, 3):
        query.accept(index, consortium.answer(index, ASKER, request))
    sums = query.finish(small_table()).sums
    assert sums is not None
    assert dict(sums.amounts) == {0: 6_000, 1: 600, 2: 12_000}


def test_a_search_that_takes_too_long_is_ended(consortium):
    report_all(consortium, 2**23, 2**23, 2**21)
    query, request = consortium.begin(ASKER, BORROWER)
    for index in (1, 2, 3):
        query.accept(index, consortium.answer(index, ASKER, request))
    with pytest.raises(PlimsollError) as caught:
        query.finish(small_table(), lambda: False)
    assert caught.value.reason == "SEARCH_STOPPED"


def test_records_of_tomorrow_and_yesterday_are_named_in_the_answer(consortium):
    report_all(consortium, 1_000, 2_000, 3_000)
    consortium.report("lender-2", BORROWER, loan(9, as_of=TODAY + 5))
    consortium.report("lender-3", BORROWER, loan(9, as_of=TODAY - 5))
    answer = exposure(consortium, consortium.ask(ASKER, BORROWER))
    assert answer.amounts
    assert answer.amounts.outstanding == 6_000
    assert answer.excluded == (Left("lender-2", "FUTURE_AS_OF"), Left("lender-3", "AS_OF_WENT_BACK"))
