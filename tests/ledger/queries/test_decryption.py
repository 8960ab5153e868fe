"""Threshold decryption: any t of n read the sums; every change to an answer or its setting is caught."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import elgamal, group, shamir
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.positions.fields import FIELDS, PACKED
from ledger.queries import decryption
from ledger.queries.decryption import PartialDecryption, Session
from tests.ledger.group_strategies import nonidentity_points, nonzero_scalars, scalars

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "decryption.json").read_text())
BODIES = [bytes.fromhex(body) for body in VECTORS["body_sums"]]
SESSION = Session(
    bytes.fromhex(VECTORS["consortium"]),
    VECTORS["epoch"],
    bytes.fromhex(VECTORS["inquiry"]),
    bytes.fromhex(VECTORS["nonce_sum"]),
    VECTORS["contributors"],
    dict(enumerate(BODIES)),
)
SHARES, PUBLIC_SHARES = (
    {each["index"]: [bytes.fromhex(raw) for raw in each[kind]] for each in VECTORS["custodians"]}
    for kind in ("shares", "public_shares")
)


def partial(vector: dict[str, Any]) -> PartialDecryption:
    points = tuple(bytes.fromhex(point) for point in vector["points"])
    return PartialDecryption(vector["custodian_index"], tuple(vector["fields"]), points, bytes.fromhex(vector["proof"]))


ANSWERS = [partial(vector) for vector in VECTORS["partial_decryptions"]]
WHOLE = {answer.custodian_index: answer for answer in ANSWERS if len(answer.fields) == 7}
GOOD = WHOLE[2]


def check(session: Session, answer: PartialDecryption, custodian: int = 2) -> None:
    decryption.verify(session, answer, PUBLIC_SHARES[custodian])


# Known answers and correctness


@pytest.mark.parametrize(
    "vector", VECTORS["partial_decryptions"], ids=lambda v: f"{v['custodian_index']}-{v['fields']}"
)
def test_partial_decryptions_are_the_known_answers(vector: dict[str, Any]) -> None:
    index = vector["custodian_index"]
    randomness = bytes.fromhex(vector["randomness"])
    made = decryption.decrypt(SESSION, index, SHARES[index], vector["fields"], randomness)
    assert made == partial(vector)
    public = PUBLIC_SHARES[index]
    assert decryption.decrypt(SESSION, index, SHARES[index], vector["fields"], randomness, public) == made
    decryption.verify(SESSION, made, public)


@pytest.mark.parametrize("chosen", list(combinations(range(1, 6), VECTORS["threshold"])))
def test_any_three_of_five_read_the_sums(chosen: tuple[int, ...]) -> None:
    masks = decryption.combine([WHOLE[index] for index in chosen], FIELDS)
    assert [masks[f].hex() for f in FIELDS] == VECTORS["masks"]
    points = decryption.remove_mask(BODIES, masks)
    assert points == {f: group.mul_base(group.scalar_from_int(m)) for f, m in enumerate(VECTORS["sums"])}


def test_fewer_than_t_read_nothing() -> None:
    masks = decryption.combine([WHOLE[1], WHOLE[4]], FIELDS)
    assert not {mask.hex() for mask in masks.values()} & set(VECTORS["masks"])


@settings(max_examples=5)
@given(st.integers(1, 4), st.lists(scalars, min_size=28, max_size=28), nonidentity_points, st.binary(min_size=32))
def test_any_t_of_n_give_the_mask_of_the_whole_key(t: int, raw: list[bytes], nonce_sum: bytes, seed: bytes) -> None:
    session = replace(SESSION, nonce_sum=nonce_sum)
    polynomials = [raw[4 * f : 4 * f + t] for f in FIELDS]
    answers = []
    for index in range(1, 6):
        shares = [shamir.evaluate(polynomials[f], index) for f in FIELDS]
        if group.ZERO in shares:  # a degenerate polynomial that hypothesis likes
            return
        answers.append(decryption.decrypt(session, index, shares, FIELDS, seed[:32]))
        decryption.verify(session, answers[-1], [group.mul_base(share) for share in shares])
    expected = {f: group.mul(polynomials[f][0], nonce_sum) for f in FIELDS}
    for chosen in combinations(answers, t):
        assert decryption.combine(chosen, FIELDS) == expected


@settings(max_examples=5)
@given(st.lists(nonzero_scalars, min_size=2, max_size=4), st.integers(0, 2**40))
def test_what_was_encrypted_comes_out_of_the_sum(nonces: list[bytes], amount: int) -> None:
    keys = [group.scalar_from_int(1000 + f) for f in FIELDS]
    publics = [group.mul_base(key) for key in keys]
    made = [elgamal.encrypt(publics, [amount] * 7, r, group.ONE, bytes(32), 1, "m", bytes(16)) for r in nonces]
    nonce_sum, bodies = elgamal.sum_ciphertexts(made)
    if nonce_sum == group.IDENTITY:
        return
    session = replace(SESSION, nonce_sum=nonce_sum)
    answer = decryption.decrypt(session, 1, keys, PACKED, bytes(32))
    points = decryption.remove_mask(bodies, decryption.combine([answer], PACKED))
    assert points == {f: group.mul_base(group.scalar_from_int(amount * len(nonces))) for f in PACKED}


# Binding: an answer serves one inquiry, sum, custodian, epoch and set of fields


@pytest.mark.parametrize(
    "session",
    [
        replace(SESSION, consortium=bytes(32)),
        replace(SESSION, epoch=SESSION.epoch + 1),
        replace(SESSION, inquiry=bytes(32)),
        replace(SESSION, nonce_sum=group.add(SESSION.nonce_sum, group.BASE)),
        replace(SESSION, contributors=SESSION.contributors + 1),
        *(
            replace(SESSION, body_sums={**SESSION.body_sums, f: group.add(SESSION.body_sums[f], group.BASE)})
            for f in FIELDS
        ),
    ],
    ids=["consortium", "epoch", "inquiry", "sum", "contributors", *(f"body {f.label}" for f in FIELDS)],
)
def test_an_answer_serves_one_inquiry_only(session: Session) -> None:
    check(SESSION, GOOD)
    with pytest.raises(Unverified) as caught:
        check(session, GOOD)
    assert (caught.value.reason, caught.value.path) == ("BAD_PROOF", "proof")


def test_an_answer_speaks_for_one_custodian_only() -> None:
    with pytest.raises(Unverified):
        check(SESSION, GOOD, custodian=3)
    with pytest.raises(Unverified):
        check(SESSION, replace(GOOD, custodian_index=3))


def test_a_field_cannot_be_dropped_from_a_proved_answer() -> None:
    for f in FIELDS:
        fields, points = GOOD.fields[:f] + GOOD.fields[f + 1 :], GOOD.points[:f] + GOOD.points[f + 1 :]
        with pytest.raises(Unverified):
            check(SESSION, replace(GOOD, fields=fields, points=points))


@pytest.mark.parametrize("f", FIELDS)
def test_every_point_is_proved(f: int) -> None:
    wrong = group.add(GOOD.points[f], group.BASE)
    with pytest.raises(Unverified):
        check(SESSION, replace(GOOD, points=(*GOOD.points[:f], wrong, *GOOD.points[f + 1 :])))


def test_errors_that_cancel_in_a_plain_sum_are_caught_by_the_weights() -> None:
    points = [*GOOD.points]
    points[0], points[1] = group.add(points[0], group.BASE), group.sub(points[1], group.BASE)
    with pytest.raises(Unverified):
        check(SESSION, replace(GOOD, points=tuple(points)))
    exchanged = (GOOD.points[1], GOOD.points[0], *GOOD.points[2:])
    with pytest.raises(Unverified):
        check(SESSION, replace(GOOD, points=exchanged))


def test_a_custodian_with_another_share_cannot_prove_its_answer() -> None:
    shares = [group.scalar_add(SHARES[2][0], group.ONE), *SHARES[2][1:]]
    with pytest.raises(Unverified):
        check(SESSION, decryption.decrypt(SESSION, 2, shares, FIELDS, bytes(32)))


@given(st.integers(0, 511))
def test_every_bit_of_the_proof_counts(bit: int) -> None:
    changed = bytearray(GOOD.proof)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PlimsollError):
        check(SESSION, replace(GOOD, proof=bytes(changed)))


# Malformed answers


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "BAD_LENGTH"),
        (bytes(31), "BAD_LENGTH"),
        (bytes(32), "IDENTITY_POINT"),
        (bytes.fromhex("01" + "00" * 31), "BAD_POINT"),
        (GOOD.points[4][:31] + bytes([GOOD.points[4][31] | 0x80]), "BAD_POINT"),
    ],
)
def test_points_that_are_no_elements_are_refused_and_named(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, points=(*GOOD.points[:4], raw, *GOOD.points[5:])))
    assert (caught.value.reason, caught.value.path) == (reason, "points[4]")


@pytest.mark.parametrize("index", [0, -1, 256, 2**64])
def test_an_index_that_no_custodian_has_is_refused(index: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, custodian_index=index))
    assert caught.value.path == "custodian_index"


@pytest.mark.parametrize("fields", [(), (0, 0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5, 7), (-1, 1, 2, 3, 4, 5, 6)])
def test_fields_that_are_unknown_repeated_or_none_are_refused(fields: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, fields=fields))
    assert caught.value.path == "fields"
    with pytest.raises(InvalidInput):
        decryption.decrypt(SESSION, 2, SHARES[2], fields, bytes(32))


def test_fields_out_of_order_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, fields=GOOD.fields[::-1], points=GOOD.points[::-1]))
    assert caught.value.reason == "BAD_ORDER"


def test_the_order_in_which_fields_are_asked_for_does_not_matter() -> None:
    made: Sequence[PartialDecryption] = [
        decryption.decrypt(SESSION, 2, SHARES[2], fields, bytes(32)) for fields in (PACKED, PACKED[::-1])
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize("count", [0, 6, 8])
def test_there_is_one_point_per_field(count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, points=(GOOD.points * 2)[:count]))
    assert caught.value.path == "points"


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_proof_is_64_bytes(size: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(SESSION, replace(GOOD, proof=(GOOD.proof * 2)[:size]))
    assert caught.value.path == "proof"


def test_a_sum_that_is_the_identity_is_neither_decrypted_nor_verified() -> None:
    session = replace(SESSION, nonce_sum=group.IDENTITY)
    with pytest.raises(InvalidInput):
        decryption.decrypt(session, 2, SHARES[2], FIELDS, bytes(32))
    with pytest.raises(InvalidInput):
        check(session, GOOD)


def test_answers_combine_only_if_distinct_and_complete() -> None:
    packed_only = next(answer for answer in ANSWERS if answer.fields == PACKED and answer.custodian_index == 3)
    with pytest.raises(InvalidInput):
        decryption.combine([WHOLE[1], WHOLE[1], WHOLE[2]], FIELDS)
    with pytest.raises(InvalidInput):
        decryption.combine([], FIELDS)
    with pytest.raises(InvalidInput) as caught:
        decryption.combine([WHOLE[1], WHOLE[2], packed_only], FIELDS)
    assert caught.value.reason == "MISSING_FIELD"
    assert set(decryption.combine([WHOLE[1], WHOLE[2], packed_only], PACKED)) == set(PACKED)


def test_repeated_randomness_repeats_no_nonce_for_another_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """One nonce under two challenges would give the share away: s1 - s2 = (c2 - c1) k*."""
    nonces: list[bytes] = []
    hedge = group.hedged_scalar

    def recorded(*arguments: Any) -> bytes:
        nonces.append(hedge(*arguments))
        return nonces[-1]

    monkeypatch.setattr(group, "hedged_scalar", recorded)
    sessions = [SESSION, replace(SESSION, inquiry=bytes(32)), replace(SESSION, nonce_sum=group.BASE)]
    for session in sessions:
        decryption.decrypt(session, 2, SHARES[2], FIELDS, bytes(32))
    decryption.decrypt(SESSION, 2, SHARES[2], PACKED, bytes(32))
    decryption.decrypt(SESSION, 3, SHARES[2], FIELDS, bytes(32))
    assert len(nonces) == len(set(nonces)) == 5
    decryption.decrypt(SESSION, 2, SHARES[2], FIELDS, bytes(32))
    assert nonces[5] == nonces[0]
