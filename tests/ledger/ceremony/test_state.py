"""The stored state of a participant."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ceremony.state import ParticipantState
from ledger.errors import InvalidInput
from tests.ledger.mutations import edited
from tests.ledger.test_keys import SHARES

states = st.builds(
    ParticipantState,
    st.binary(min_size=32, max_size=32),
    st.integers(1, 99),
    st.binary(max_size=32),
    st.dictionaries(st.integers(1, 99), st.binary(max_size=256), max_size=3),
    st.lists(st.binary(max_size=99), max_size=3).map(tuple),
    st.none() | SHARES,
)

EMPTY = ParticipantState(bytes(32), 1).to_bytes()
FULL = ParticipantState(bytes(32), 1, bytes(32), {1: bytes(256)}, (b"entry",)).to_bytes()


@given(states)
def test_a_state_is_read_back_as_written(state: ParticipantState) -> None:
    assert ParticipantState.from_bytes(state.to_bytes()) == state


@given(st.binary(max_size=99) | edited([EMPTY, FULL]))
def test_bytes_that_are_no_state_are_refused_as_such(raw: bytes) -> None:
    try:
        state = ParticipantState.from_bytes(raw)
    except InvalidInput:
        return
    assert ParticipantState.from_bytes(state.to_bytes()) == state


@pytest.mark.parametrize("key", json.loads(FULL))
@pytest.mark.parametrize("value", [None, 1.5, 0, -1, True, "?", [], {}, ["?"], {"x": 1}, [1]])
def test_a_state_with_one_wrong_value_is_refused(key: str, value: object) -> None:
    plain = json.loads(FULL)
    if type(value) is type(plain[key]) and not value:
        return  # no entries, or no bundles
    plain[key] = value
    with pytest.raises(InvalidInput):
        ParticipantState.from_bytes(json.dumps(plain).encode())


@pytest.mark.parametrize("raw", [b"null", b"[]", b"1", b'"x"', b"{}", b"[" * 100_000])
def test_other_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        ParticipantState.from_bytes(raw)
