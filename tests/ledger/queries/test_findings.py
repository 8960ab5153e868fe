"""What the logs say about an inquiry: the same whoever asks, in whatever order, with whatever remembered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Exhausted, InvalidInput
from ledger.positions.fields import FIELDS, PACKED
from ledger.queries import findings, rows
from ledger.queries.findings import Asked, Examiner
from tests.ledger.sample_consortium import Consortium, found, loan, standing_of

BORROWER = "test:1"
ASKER = "lender-1"


def asked_of(consortium: Consortium, querier: str = ASKER) -> list[Asked]:
    """All inquiries in a member's log."""
    log = consortium.logs[querier]
    return [Asked.read(querier, index, entry) for index, entry in log.entries_by_kind("inquiry")]


def history(consortium: Consortium, steps: list[set[int]]) -> None:
    """Before each inquiry exactly these lenders have a loan to the borrower."""
    for lenders in steps:
        consortium.now += 3600
        for number, member in enumerate(consortium.logs, 1):
            if number in lenders or consortium.next_position(member, BORROWER):
                consortium.report(member, BORROWER, loan(100 * number, open=number in lenders))
        consortium.begin(ASKER, BORROWER)


@settings(max_examples=10)
@given(st.lists(st.sets(st.integers(2, 5)), min_size=1, max_size=5), st.data())
def test_neither_the_order_of_questions_nor_what_is_remembered_matters(steps, data):
    consortium = found(5)
    history(consortium, steps)
    keys = consortium.borrower(BORROWER).query
    every = asked_of(consortium)
    fresh = [Examiner(consortium.history, consortium.keys).examine(one, keys, consortium.logs) for one in every]
    examiner = Examiner(consortium.history, consortium.keys)
    for place in data.draw(st.lists(st.integers(0, len(every) - 1), max_size=8)):
        assert examiner.examine(every[place], keys, consortium.logs) == fresh[place]


def test_what_is_released_depends_on_the_verdict():
    consortium = found(5)
    assert consortium.ask(ASKER, BORROWER).findings.released == ()
    consortium.report("lender-2", BORROWER, loan(1))
    assert consortium.ask(ASKER, BORROWER).findings.released == PACKED
    consortium.report("lender-3", BORROWER, loan(1))
    assert consortium.ask(ASKER, BORROWER).findings.released == FIELDS


def test_the_standing_is_remembered_without_key_or_label():
    consortium = found(5)
    for member in ("lender-2", "lender-3"):
        consortium.report(member, BORROWER, loan(1))
    answer = consortium.ask(ASKER, BORROWER)
    standing = standing_of(consortium, ASKER, answer)
    assert standing is not None
    assert (standing.withheld, dict(standing.released)) == ("", {0b00110: consortium.now})
    assert tuple(standing.sizes.values()) == answer.asked.inquiry.sizes[1:]  # the asker's own log does not matter
    keys = consortium.borrower(BORROWER).query
    for secret in (keys.query_key, keys.inquiries(ASKER)(0), keys.positions("lender-2")(0)):
        assert repr(secret)[2:-1] not in repr(consortium.examiners[ASKER].standings._young)


def test_more_than_63_contributors_are_refused_and_give_no_row(monkeypatch):
    consortium = found(5)
    for module in (findings, rows):
        monkeypatch.setattr(module, "MAX_CONTRIBUTORS", 2)
    history(consortium, [{2, 3}, {2, 3, 4}])
    keys = consortium.borrower(BORROWER).query
    first, second = asked_of(consortium)
    examiner = Examiner(consortium.history, consortium.keys)
    with pytest.raises(Exhausted) as caught:
        examiner.examine(second, keys, consortium.logs)
    assert caught.value.reason == "TOO_MANY_CONTRIBUTORS"
    assert examiner.examine(first, keys, consortium.logs).withheld == ""
    consortium.report("lender-4", BORROWER, loan(1, open=False))
    # {2,3,4} was refused, so that {2,3} again gives nothing away.
    consortium.begin(ASKER, BORROWER)
    assert examiner.examine(asked_of(consortium)[2], keys, consortium.logs).withheld == ""


def test_a_borrower_cannot_be_asked_about_without_end(monkeypatch):
    consortium = found(5)
    monkeypatch.setattr(findings, "MAX_INQUIRIES", 2)
    history(consortium, [set(), set(), set()])
    keys = consortium.borrower(BORROWER).query
    examiner = Examiner(consortium.history, consortium.keys)
    every = asked_of(consortium)
    assert examiner.examine(every[1], keys, consortium.logs).number == 1
    with pytest.raises(Exhausted) as caught:
        examiner.examine(every[2], keys, consortium.logs)
    assert caught.value.reason == "TOO_MANY_INQUIRIES"


def test_another_entry_is_no_inquiry():
    consortium = found(3)
    consortium.report(ASKER, BORROWER, loan(1))
    with pytest.raises(InvalidInput):
        Asked.read(ASKER, 0, consortium.logs[ASKER].entry(0))
