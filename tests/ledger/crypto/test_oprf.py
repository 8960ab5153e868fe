"""The VOPRF: RFC 9497's vectors, by one key holder and by any t of n custodians; what is refused."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group, oprf, shamir
from ledger.errors import InvalidInput
from tests.ledger import rfc9497
from tests.ledger.group_strategies import nonidentity_points, nonzero_scalars

FOLDER = Path(__file__).parents[2] / "vectors"
RFC = json.loads((FOLDER / "voprf_rfc9497.json").read_text())
SHARED = json.loads((FOLDER / "voprf_shared.json").read_text())
KEY = bytes.fromhex(RFC["private_key"])


def octets(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def test_the_key_pair_is_derived_as_in_the_rfc() -> None:
    private, public = oprf.derive_key_pair(bytes.fromhex(RFC["seed"]), bytes.fromhex(RFC["key_info"]))
    assert (private.hex(), public.hex()) == (RFC["private_key"], RFC["public_key"])


@pytest.mark.parametrize("vector", RFC["vectors"], ids=["one", "another", "batch of two"])
def test_blinding_evaluating_and_finalizing_give_the_rfcs_figures(vector: dict[str, Any]) -> None:
    inputs, blinds = octets(vector["input"]), octets(vector["blind"])
    blinded = [oprf.blind(message, blind) for message, blind in zip(inputs, blinds, strict=True)]
    assert blinded == octets(vector["blinded_element"])
    evaluated = oprf.evaluate(KEY, oprf.decode_batch(blinded))
    assert list(evaluated) == octets(vector["evaluation_element"])
    assert [oprf.finalize(*each) for each in zip(inputs, blinds, evaluated, strict=True)] == octets(vector["output"])


@pytest.mark.parametrize("subset", SHARED["subsets"], ids=lambda subset: "".join(map(str, subset["indices"])))
def test_any_three_of_five_custodians_give_the_rfcs_output(subset: dict[str, Any]) -> None:
    custodians = {each["index"]: each for each in SHARED["custodians"]}
    blinded = octets(SHARED["blinded_element"])
    batches = []
    for index in subset["indices"]:
        batch = oprf.evaluate(bytes.fromhex(custodians[index]["share"]), blinded)
        assert list(batch) == octets(custodians[index]["evaluation_element"])
        batches.append(batch)
    assert list(shamir.lagrange_at_zero(subset["indices"])) == octets(subset["lagrange"])
    combined = oprf.combine_evaluations(subset["indices"], batches)
    assert list(combined) == octets(SHARED["evaluation_element"])
    finalized = zip(octets(SHARED["input"]), octets(SHARED["blind"]), combined, strict=True)
    assert [oprf.finalize(*each) for each in finalized] == octets(SHARED["output"])


@settings(max_examples=5)
@given(st.integers(1, 4), st.lists(nonzero_scalars, min_size=3, max_size=3), st.lists(nonidentity_points, min_size=1))
def test_a_shared_key_evaluates_like_the_key_for_every_threshold(
    t: int, randoms: list[bytes], elements: list[bytes]
) -> None:
    coefficients = [KEY, *randoms[: t - 1]]
    whole = oprf.evaluate(KEY, elements)
    for chosen in combinations(range(1, 6), t):
        batches = [oprf.evaluate(shamir.evaluate(coefficients, index), elements) for index in chosen]
        assert oprf.combine_evaluations(chosen, batches) == whole


def test_fewer_than_t_custodians_give_something_else() -> None:
    custodians = SHARED["custodians"][: SHARED["threshold"] - 1]
    batches = [octets(each["evaluation_element"]) for each in custodians]
    combined = oprf.combine_evaluations([each["index"] for each in custodians], batches)
    assert not set(combined) & set(octets(SHARED["evaluation_element"]))


@settings(max_examples=25)
@given(st.binary(max_size=200), nonzero_scalars, nonzero_scalars)
def test_the_output_does_not_depend_on_the_blind(message: bytes, one: bytes, other: bytes) -> None:
    outputs = {oprf.finalize(message, b, oprf.evaluate(KEY, [oprf.blind(message, b)])[0]) for b in (one, other)}
    assert len(outputs) == 1
    assert len(outputs.pop()) == oprf.OUTPUT_SIZE


@settings(max_examples=25)
@given(st.binary(max_size=300))
def test_hashing_agrees_with_the_rfc_in_plain_integers(message: bytes) -> None:
    assert oprf.hash_to_group(message) == rfc9497.hash_to_group(message)
    assert group.int_from_scalar(oprf.hash_to_scalar(message)) == rfc9497.hash_to_scalar(message)


# What is refused


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (bytes(32), "IDENTITY_POINT"),
        (bytes.fromhex("01" + "00" * 31), "BAD_POINT"),
        (group.BASE[:31], "BAD_LENGTH"),
        (group.BASE[:31] + bytes([group.BASE[31] | 0x80]), "BAD_POINT"),
    ],
)
def test_a_batch_with_a_bad_element_is_refused_and_the_element_named(element: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        oprf.decode_batch([group.BASE, element], "elements")
    assert (caught.value.reason, caught.value.path) == (reason, "elements[1]")


@pytest.mark.parametrize("count", [0, oprf.MAX_BATCH + 1])
def test_a_batch_has_1_to_4096_elements(count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        oprf.decode_batch([group.BASE] * count, "elements")
    assert (caught.value.reason, caught.value.path) == ("BAD_BATCH", "elements")
    with pytest.raises(InvalidInput):
        oprf.evaluate(KEY, [group.BASE] * count)


def test_a_full_batch_is_accepted() -> None:
    assert len(oprf.decode_batch([group.BASE] * oprf.MAX_BATCH)) == oprf.MAX_BATCH


@pytest.mark.parametrize("blind", [bytes(32), group.ORDER, b"\x01"])
def test_a_blind_that_hides_nothing_or_is_not_canonical_is_refused(blind: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        oprf.blind(b"cn-id:x", blind)
    assert caught.value.path == "blinding"


def test_an_input_that_hashes_to_the_identity_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is known, so the hash is replaced.
    monkeypatch.setattr(oprf, "hash_to_group", lambda message: group.IDENTITY)
    with pytest.raises(InvalidInput) as caught:
        oprf.blind(b"cn-id:x", group.ONE)
    assert caught.value.reason == "IDENTITY_POINT"


def test_inputs_longer_than_their_length_field_are_refused() -> None:
    longest = bytes(oprf.MAX_INPUT)
    oprf.finalize(longest, group.ONE, oprf.blind(longest, group.ONE))
    with pytest.raises(InvalidInput):
        oprf.blind(longest + b"x", group.ONE)
    with pytest.raises(InvalidInput):
        oprf.finalize(longest + b"x", group.ONE, group.BASE)
    with pytest.raises(InvalidInput):
        oprf.derive_key_pair(bytes(32), longest + b"x")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_is_32_bytes(size: int) -> None:
    with pytest.raises(InvalidInput):
        oprf.derive_key_pair(bytes(size), b"")


def test_batches_of_unlike_length_or_number_do_not_combine() -> None:
    one, two = [group.BASE], [group.BASE] * 2
    for indices, batches in (([1, 2], [one, two]), ([1, 2], [one]), ([1, 1], [one, one]), ([], [])):
        with pytest.raises(InvalidInput):
            oprf.combine_evaluations(indices, batches)
