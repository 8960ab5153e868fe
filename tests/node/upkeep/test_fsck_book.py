"""fsck of a book: what is wrong is told, what the log says is put right, and nothing is thrown away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ledger.chain.memory_store import MemoryStore
from ledger.chain.store import prefix_end
from node.lending.book import Book
from node.upkeep.fsck_book import check_book
from tests.lenders import lender, seeded
from tests.node.taking_feeds import BORROWERS, KEYRING, MANIFEST, ME, Node, check, feed, fsck, told

RECORDS, COUNT = b"r", b"n"


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def node(executor):
    made = Node(MemoryStore(), MemoryStore(), executor)
    for month in (1, 2):
        made.report(feed(month))
    return made


def places(node: Node) -> list[bytes]:
    return [place for place, _ in node.book_store.scan(RECORDS, prefix_end(RECORDS))]


def repaired(node: Node, reason: str) -> None:
    found = fsck(node)
    assert (found.verdict, found.reason) == ("damaged", reason)
    assert "--repair" in found.todo
    found = fsck(node, repair=True)
    assert (found.verdict, found.reason) == ("repaired", reason)
    check(node)


def test_a_sound_book_passes_and_is_left_alone(node):
    before = node.book_store.snapshot()
    assert fsck(node, repair=True).verdict == "ok"
    assert node.book_store.snapshot() == before


def test_a_wrong_count_is_put_right(node):
    node.book_store.write([(COUNT, (99).to_bytes(8, "big"))])
    repaired(node, "BAD_COUNT")


@pytest.mark.parametrize("damage", ["flip", "cut", "move"])
def test_a_record_that_does_not_open_is_put_aside_and_made_again_out_of_the_log(node, damage):
    before = set(told(node))
    first, second, *_ = places(node)
    box = node.book_store.get(first)
    wrong = {"flip": box[:-1] + bytes([box[-1] ^ 1]), "cut": box[:-1], "move": node.book_store.get(second)}[damage]
    node.book_store.write([(first, wrong)])
    repaired(node, "BOOK_ROTTEN")
    assert set(told(node)) == before
    assert node.book_store.get(b"x" + first) == wrong


def test_a_record_that_is_lost_is_made_again(node):
    before = set(told(node))
    node.book_store.write([(places(node)[0], None)])
    repaired(node, "BOOK_BEHIND")
    assert set(told(node)) == before


@pytest.mark.parametrize("change", [{"published": 1}, {"amounts": [1] * 7}, {"closed": True}, {"as_of": 3}])
def test_a_record_that_contradicts_the_log_is_made_again(node, change):
    (record,) = node.book.get_many([BORROWERS[3]])
    right = record.SerializeToString(deterministic=True)
    for name, value in change.items():
        if name == "amounts":
            del record.amounts[:]
            record.amounts.extend(value)
        else:
            setattr(record, name, value)
    node.book.put_many([record])
    repaired(node, "BOOK_ROTTEN")
    assert told(node)[BORROWERS[3]] == right


def test_a_book_that_knows_more_than_the_log_is_left_alone_and_the_operator_told(node, executor):
    (record,) = node.book.get_many([BORROWERS[3]])
    record.published += 1
    node.book.put_many([record])
    for repair in (False, True):
        found = fsck(node, repair=repair)
        assert (found.verdict, found.reason) == ("damaged", "BOOK_AHEAD")
        assert "start the node" in found.todo


def test_with_another_lenders_keyring_nothing_is_lost(node):
    other = replace(lender(2).keyring, member=ME)
    before = node.book_store.snapshot()
    book = Book(node.book_store, other.book_key, seeded("other"))
    found = check_book(book, [(node.chain.log(ME), None)], other, MANIFEST, True, lambda *_: None)
    assert found.verdict == "damaged"
    kept = node.book_store.snapshot()
    assert all(
        box in (kept.get(place), kept.get(b"x" + place)) for place, box in before.items() if place[:1] == RECORDS
    )
    assert KEYRING.book_key != other.book_key
