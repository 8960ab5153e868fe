"""A log full of inquiries about one borrower must not hold up a custodian, who serves one question at a time."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest

from ledger.errors import Unavailable
from ledger.queries.custodian import RECORDS_AT_ONCE
from ledger.queries.findings import Asked
from ledger.queries.inquiry import DAY
from tests.ledger.queries.test_custodian import ASKER, BORROWER, heads_of, inquiry, reported, request_for
from tests.ledger.sample_consortium import POLICY, Consortium, found

ROWS = RECORDS_AT_ONCE // 5


def asked_often(times: int) -> tuple[Consortium, list]:
    """One inquiry a day, every one with a row of its own to be worked out."""
    consortium = reported(found(5, replace(POLICY, queries_per_borrower=3)))
    heads = heads_of(consortium)
    for number in range(times):
        entry = inquiry(consortium, heads, number=number, time=consortium.now - DAY * (times - number))
        consortium.logs[ASKER].append(entry.encode())
    return consortium, heads


@pytest.fixture(scope="module")
def long_history():
    consortium, heads = asked_often(3 * ROWS + 10)
    request = request_for(consortium, inquiry(consortium, heads, number=3 * ROWS + 10), heads)
    return consortium, request


def test_a_long_history_is_replayed_in_pieces_and_then_answered(long_history):
    consortium, request = long_history
    for _ in range(3):
        started = process_time()
        with pytest.raises(Unavailable) as caught:
            consortium.answer(1, ASKER, request)
        assert caught.value.reason == "REPLAYING"
        assert process_time() - started < 10
    response = consortium.answer(1, ASKER, request)
    assert response.withheld == ""
    # Who asks works out the same in one go.
    keys = consortium.borrower(BORROWER).query
    index = consortium.logs[ASKER].size - 1
    asked = Asked.read(ASKER, index, consortium.logs[ASKER].entry(index))
    assert consortium.examiners[ASKER].examine(asked, keys, consortium.logs).nonce_sum == response.nonce_sum


def test_an_ordinary_history_is_replayed_at_once():
    consortium, heads = asked_often(ROWS)
    request = request_for(consortium, inquiry(consortium, heads, number=ROWS), heads)
    assert consortium.answer(1, ASKER, request).points
