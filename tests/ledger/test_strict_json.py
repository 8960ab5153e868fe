from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.strict_json import Document


def refused(raw: bytes, take=lambda document: document.finish()) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        take(Document.parse(raw, 1000))
    assert caught.value.reason == "BAD_JSON"
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"1",
        b"[]",
        b'"x"',
        b"null",
        b"{",
        b"{}{}",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1.0}',
        b'{"a": 1e3}',
        b'{"a": ' + b"9" * 900 + b"}" + b" " * 100,
        b"[" * 1000,
        b'{"a": 1}',  # nobody takes it
    ],
)
def test_what_is_not_one_object_told_strictly_is_refused(raw):
    refused(raw)


@pytest.mark.parametrize("value", ["true", '"1"', "null", "[]", "-1", "6"])
def test_an_integer_is_an_integer_within_its_range(value):
    error = refused(b'{"a": ' + value.encode() + b"}", lambda document: document.integer("a", 5))
    assert error.path == "a"


@pytest.mark.parametrize("value", ["1", "null", '"0"', '"0G"', '"AB"', '"00"', '"000000"', '" 00"', '"0x00"'])
def test_hex_has_one_spelling_and_its_size(value):
    refused(b'{"a": ' + value.encode() + b"}", lambda document: document.hex("a", 2))


def test_sizes_may_be_several_or_any():
    document = Document.parse(b'{"a": "", "b": "0011", "c": "ff"}', 100)
    assert (document.hex("a", 0, 32), document.hex("b"), document.hexes) == (b"", b"\x00\x11", document.hexes)
    assert document.hex("c", 1) == b"\xff"


def test_paths_lead_to_the_place():
    raw = b'{"a": {"b": [{"c": "x"}, {"c": 1}]}}'

    def take(document: Document) -> None:
        for one in document.inner("a").each("b"):
            one.text("c")

    assert refused(raw, take).path == "a.b[1].c"
    assert refused(b'{"a": ["00", "0"]}', lambda document: document.hexes("a", 1)).path == "a[1]"
    assert refused(b'{"a": {"x": 1, "y": -1}}', lambda document: document.integers_or_null("a", 9)).path == "a.y"
    assert refused(b"{}", lambda document: document.text("gone")).path == "gone"
    assert refused(b'{"a": {"b": 1}}', lambda document: document.inner("a").finish()).path == "a.b"


def test_objects_by_name_have_their_own_paths():
    document = Document.parse(b'{"a": {"x": {"n": 1}, "y": {"n": -1}}}', 100)
    (first, one), (second, other) = document.named("a")
    assert (first, one.integer("n", 9), second) == ("x", 1, "y")
    with pytest.raises(InvalidInput) as caught:
        other.integer("n", 9)
    assert caught.value.path == "a.y.n"
    assert refused(b'{"a": {"x": 1}}', lambda document: list(document.named("a"))).path == "a.x"
    assert refused(b'{"a": []}', lambda document: document.named("a")).path == "a"


def test_nulls_are_allowed_only_where_said():
    assert Document.parse(b'{"a": {"x": null, "y": 3}}', 100).integers_or_null("a", 9) == {"x": None, "y": 3}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)


@given(values)
def test_nothing_but_a_refusal_leaves_it(value):
    raw = json.dumps(value).encode()
    try:
        document = Document.parse(raw, 10_000)
    except InvalidInput:
        return
    assert isinstance(value, dict)
    for key in value:
        try:
            document.integer(key, 10)
        except InvalidInput:
            continue
        assert type(value[key]) is int
    document.finish()
