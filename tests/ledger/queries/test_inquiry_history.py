from __future__ import annotations

from ledger.borrower.labels import BorrowerKeys
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.inquiry_history import InquiryCount, count_inquiries
from ledger.queries.selection import Tree
from tests.ledger.queries.test_selection import position
from tests.ledger.sample_consortium import START, MemoryLog

KEYS = BorrowerKeys.from_pseudonym_key(bytes(64)).query


def log_of(*asked: tuple[int, int], member: str = "a") -> MemoryLog:
    """(time, purpose) of inquiries 0, 1, 2, .."""
    log = MemoryLog(None)  # type: ignore[arg-type]  # nothing of it is signed here
    for number, (time, purpose) in enumerate(asked):
        label = KEYS.inquiries(member)(number)
        log.append(Inquiry(time, label, purpose, bytes(32), 0, 1, bytes(32), (0,), bytes(32)).encode())
    return log


def counts(log: MemoryLog, size: int | None = None) -> list[InquiryCount]:
    return list(count_inquiries(KEYS, [Tree("a", log, log.size if size is None else size)], START))


def test_nobody_asked():
    assert counts(log_of()) == []


def test_by_purpose_and_age_to_the_second():
    ages = [0, 30 * DAY - 1, 30 * DAY, 90 * DAY - 1, 90 * DAY]
    log = log_of(*[(START - age, 1) for age in ages], (START - 40 * DAY, 4))
    assert counts(log) == [InquiryCount("a", 1, 2, 4), InquiryCount("a", 4, 0, 1)]


def test_one_that_is_too_old_hides_none_behind_it():
    assert counts(log_of((START, 2), (0, 2), (0, 2))) == [InquiryCount("a", 2, 1, 1)]


def test_what_stands_beyond_the_size_is_not_counted():
    assert counts(log_of((START, 1), (START, 1)), size=1) == [InquiryCount("a", 1, 1, 1)]


def test_of_a_log_full_of_inquiries_the_newest_thousand_are_looked_at():
    log = log_of(*[(START, 1)] * 1200)
    assert counts(log) == [InquiryCount("a", 1, 1000, 1000)]


def test_gaps_and_other_kinds_are_passed_over():
    log = log_of((START, 1), (START, 1))
    for number in (2, 4):
        label = KEYS.inquiries("a")(number)
        log.append(Inquiry(START, label, 1, bytes(32), 0, 1, bytes(32), (0,), bytes(32)).encode())
    assert counts(log) == [InquiryCount("a", 1, 4, 4)]
    stray = log_of((START, 1))
    index = stray.append(position(0))
    stray._labels[KEYS.inquiries("a")(1)] = index
    assert counts(stray) == [InquiryCount("a", 1, 1, 1)]
