from __future__ import annotations

import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.borrower.labels import NUMBER_LIMIT, BorrowerKeys, Labels, Numbered, QueryKeys
from ledger.crypto.hashing import derive, frame
from ledger.errors import InvalidInput
from tests.vectors import generate_labels

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "labels.json").read_text())
KEYS = BorrowerKeys.from_pseudonym_key(bytes(range(64)))


class Index:
    """A log of which nothing but the label index matters; counts how often it is asked."""

    def __init__(self, places: dict[bytes, int]) -> None:
        self._places = places
        self.asked = 0

    def find(self, label: bytes) -> int | None:
        self.asked += 1
        return self._places.get(label)


def numbered(*numbers: int, start: int = 100) -> tuple[Numbered, Index]:
    """A log in which these numbers have entries, at ascending places from `start` on."""
    labels = KEYS.query.positions("lender-1")
    index = Index({labels(number): start + place for place, number in enumerate(numbers)})
    return Numbered(index, labels), index


def test_the_vectors_hold():
    for case in VECTORS["borrowers"]:
        keys = BorrowerKeys.from_pseudonym_key(bytes.fromhex(case["pseudonym_key"]))
        assert keys.query.query_key.hex() == case["query_key"]
        assert keys.dispute_key.hex() == case["dispute_key"]
        for one in case["entries"]:
            labels = keys.query.positions if one["kind"] == "position" else keys.query.inquiries
            assert labels(one["member"])(one["number"]).hex() == one["label"]


def test_the_vectors_are_what_their_generator_makes():
    assert json.loads(json.dumps(generate_labels.vectors())) == VECTORS


def test_a_label_is_the_protocols_formula():
    key = derive(derive(bytes(range(64)), "plimsoll/v1/query-key"), "plimsoll/v1/label-key")
    plain = frame("plimsoll/v1/label", "position", "lender-1", 7)
    assert KEYS.query.positions("lender-1")(7) == hmac.digest(key, plain, "sha256")[:16]


def test_kinds_members_numbers_and_borrowers_all_tell_labels_apart():
    other = BorrowerKeys.from_pseudonym_key(bytes(64)).query
    seen = [
        labels(number)
        for keys in (KEYS.query, other)
        for labels in (keys.positions("a"), keys.positions("b"), keys.inquiries("a"), keys.inquiries("b"))
        for number in range(3)
    ]
    assert len(set(seen)) == len(seen)


def test_no_repr_shows_a_key():
    for shown in (KEYS, KEYS.query, KEYS.query.positions("a"), numbered()[0]):
        for secret in (KEYS.query.query_key, KEYS.dispute_key):
            assert secret.hex() not in repr(shown)
            assert repr(secret)[2:-1] not in repr(shown)


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65])
def test_keys_of_another_length_are_refused(size):
    with pytest.raises(InvalidInput):
        BorrowerKeys.from_pseudonym_key(bytes(size))
    with pytest.raises(InvalidInput):
        QueryKeys(bytes(size))


@given(st.integers(0, 300))
def test_the_newest_of_gapless_numbers_is_the_last(count):
    entries, index = numbered(*range(count))
    assert entries.newest(1000) == (count - 1 if count else None)
    assert index.asked <= 2 * max(1, count).bit_length() + 2


@given(st.integers(0, 60), st.integers(90, 170))
def test_entries_beyond_the_size_do_not_exist(count, size):
    entries, _ = numbered(*range(count))
    below = min(count, max(0, size - 100))
    assert entries.newest(size) == (below - 1 if below else None)


def the_protocols_search(present, size):
    """Section 6's pseudocode, word by word. present: number -> place."""

    def has(n: int) -> bool:
        return n < 2**32 and n in present and present[n] < size

    if not has(0):
        return None
    low, high = 0, 1
    while has(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if has(middle):
            low = middle
        else:
            high = middle
    return low


@given(st.dictionaries(st.integers(0, 70), st.integers(0, 40)), st.integers(0, 41))
def test_whatever_an_author_leaves_out_everybody_finds_the_same(present, size):
    labels = KEYS.query.positions("lender-1")
    index = Index({labels(number): place for number, place in present.items()})
    assert Numbered(index, labels).newest(size) == the_protocols_search(present, size)


def test_an_author_cannot_lead_a_search_beyond_64_bits():
    entries, index = numbered(0, *(1 << power for power in range(63)))
    newest = entries.newest(1000)
    assert newest is not None
    assert newest < NUMBER_LIMIT
    assert index.asked < 100


def test_there_is_no_label_beyond_the_limit():
    entries, index = numbered(0)
    assert entries.index(NUMBER_LIMIT) is None
    assert entries.index(-1) is None
    assert index.asked == 0


def test_a_label_is_sought_once():
    entries, index = numbered(0, 1, 2)
    assert [entries.index(2), entries.index_below(2, 103), entries.index_below(2, 102)] == [102, 102, None]
    assert index.asked == 1


def test_labels_are_made_for_one_kind_and_member():
    assert Labels(bytes(32), "position", "a")(0) != Labels(bytes(32), "inquiry", "a")(0)


def test_searches_end_where_the_vectors_say():
    labels = KEYS.query.positions("lender-1")
    for case in VECTORS["searches"]:
        index = Index({labels(int(number)): place for number, place in case["places"].items() if int(number) < 2**32})
        assert Numbered(index, labels).newest(case["size"]) == case["newest"], case["why"]
