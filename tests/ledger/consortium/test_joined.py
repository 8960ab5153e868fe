"""A member's logs, one after the other, read as one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.replica_gap import LacksEntries
from ledger.consortium.ended import EndedLog
from ledger.consortium.joined import Counting, Joined, check_ended, counted_of, log_name, name_in, offset_of, record_of
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.tlog.merkle import EMPTY_ROOT
from tests.ledger.changing import succeed
from tests.ledger.sample_consortium import Behind, found, loan


class List:
    """A log whose entries are numbers: the label is the number, the kind its parity."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.size = len(numbers)

    def find(self, label: bytes) -> int | None:
        number = label[0]
        return self.numbers.index(number) if number in self.numbers else None

    def entry(self, index: int) -> bytes:
        assert 0 <= index < self.size
        return bytes([self.numbers[index]])

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None):
        assert start >= 0
        assert stop is None or stop >= 0
        for index, number in list(enumerate(self.numbers))[start:stop]:
            if kind == ("odd" if number % 2 else "even"):
                yield index, bytes([number])


logs = st.lists(st.integers(0, 20), max_size=6).map(lambda numbers: List(*numbers))


@settings(max_examples=60)
@given(st.lists(st.tuples(logs, st.integers(0, 6)), max_size=3), logs, st.data())
def test_a_record_reads_like_the_logs_as_far_as_they_count_one_behind_the_other(former, current, data):
    former = [(log, min(size, log.size)) for log, size in former]
    whole = List(*(number for log, size in former for number in log.numbers[:size]), *current.numbers)
    joined, counting = Joined(former, current), Counting(former, current)
    assert joined.offset == whole.size - current.size
    for number in range(21):
        assert joined.find(bytes([number])) == whole.find(bytes([number]))
    for place in range(whole.size):
        assert joined.entry(place) == whole.entry(place)
    start = data.draw(st.integers(0, whole.size))
    stop = data.draw(st.none() | st.integers(start, whole.size + 1))
    for kind in ("odd", "even"):
        found_ones = list(counting.entries_by_kind(kind, start, stop))
        assert found_ones == list(whole.entries_by_kind(kind, start, stop))


def test_who_has_written_one_log_has_it_for_a_record():
    consortium = found(3)
    record = record_of(consortium.manifest, "lender-2", consortium.logs)
    assert (record.log, record.offset) == (consortium.logs["lender-2"], 0)
    assert counted_of(consortium.manifest, "lender-2", consortium.logs) is consortium.logs["lender-2"]


def test_logs_are_known_by_the_last_part_of_their_origin():
    consortium = found(3)
    consortium.report("lender-2", "test:1", loan(1))
    before = consortium.manifest
    after = succeed(consortium, rotate={"lender-2": 1})
    assert [name_in(manifest, "lender-2") for manifest in (before, after)] == ["lender-2", "lender-2.2"]
    assert log_name(after.origin("lender-2")) == "lender-2.2"
    assert (offset_of(before, "lender-2"), offset_of(after, "lender-2")) == (0, 1)
    assert record_of(after, "lender-2", consortium.logs).offset == 1


def test_a_log_that_has_ended_must_be_the_one_the_manifest_means():
    consortium = found(3)
    for _ in range(3):
        consortium.report("lender-2", "test:1", loan(1))
    log = consortium.logs["lender-2"]
    ended = EndedLog("lender-2", 1, bytes(32), 2, log.root_at(2))
    check_ended(ended, consortium.logs)
    with pytest.raises(LacksEntries) as lacking:
        check_ended(ended, {"lender-2": Behind(log, 1)})
    assert (lacking.value.member, lacking.value.size) == ("lender-2", 2)
    with pytest.raises(Unverified):
        check_ended(ended, {"lender-2": consortium_log_of_another_root()})
    with pytest.raises(Unready):
        check_ended(ended, {})
    check_ended(EndedLog("lender-2", 1, bytes(32), 0, EMPTY_ROOT), {})  # of nothing, nothing is needed


def consortium_log_of_another_root():
    other = found(3, seed="another")
    for _ in range(2):
        other.report("lender-2", "test:1", loan(1))
    return other.logs["lender-2"]


def test_what_cannot_be_read_is_no_bare_error():
    consortium = found(3)
    with pytest.raises(PlimsollError):
        record_of(consortium.manifest, "lender-9", consortium.logs)
    with pytest.raises(PlimsollError):
        record_of(consortium.manifest, "lender-2", {})
