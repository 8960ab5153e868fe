"""The group and the VOPRF: ristretto255_rfc9496.json, voprf_rfc9497.json, voprf_shared.json."""

from __future__ import annotations

import hashlib

import pytest

from tests.second import group, voprf
from tests.second.refusal import Refused
from tests.second.vectors import flipped, load, unhex

RISTRETTO, VOPRF, SHARED = load("ristretto255_rfc9496"), load("voprf_rfc9497"), load("voprf_shared")


def test_multiples_of_the_base():
    for number, encoding in enumerate(unhex(RISTRETTO["multiples_of_base"])):
        assert (number * group.G).encoded == encoding
        assert group.point(encoding) == number * group.G


@pytest.mark.parametrize("why", RISTRETTO["bad_encodings"])
def test_bad_encodings_are_refused(why):
    for encoding in unhex(RISTRETTO["bad_encodings"][why]):
        with pytest.raises(Refused, match="BAD_POINT"):
            group.point(encoding)


@pytest.mark.parametrize("case", RISTRETTO["one_way_map"], ids=lambda case: case["encoding"][:8])
def test_one_way_map(case):
    assert group.from_uniform(hashlib.sha512(case["label"].encode()).digest()).encoded.hex() == case["encoding"]


def test_the_group_has_order_l_and_adds_up():
    assert group.L * group.G == group.IDENTITY != group.G
    a, b = 12345678901234567890, group.L - 987654321
    assert group.combine([(a, group.G), (b, group.G)]) == (a + b) * group.G == a * group.G + b * group.G
    assert a * group.G - a * group.G == group.IDENTITY
    with pytest.raises(Refused, match="IDENTITY_POINT"):
        group.element(bytes(32))
    with pytest.raises(Refused, match="BAD_SCALAR"):
        group.scalar(group.L.to_bytes(32, "little"))


@pytest.mark.parametrize("small", [1, 0, group.P - 1, group.P, group.P + 1])
def test_ed25519_keys_of_small_order_or_another_spelling_are_refused(small):
    assert not group.edwards_of_prime_order(small.to_bytes(32, "little"))
    assert not group.edwards_of_prime_order(flipped(small.to_bytes(32, "little"), 31, 0x80))


def test_an_ed25519_key_with_a_part_of_small_order_is_refused():
    x, y, _, _ = group.G.coordinates
    assert group.edwards_of_prime_order(y.to_bytes(32, "little"))
    # (x, y) + (0, -1) = (-x, -y), of order 2 L.
    mixed = (group.P - y) | ((group.P - x) & 1) << 255
    assert not group.edwards_of_prime_order(mixed.to_bytes(32, "little"))


def test_key_derivation():
    key = voprf.derive_key(bytes.fromhex(VOPRF["seed"]), bytes.fromhex(VOPRF["key_info"]))
    assert group.scalar_bytes(key).hex() == VOPRF["private_key"]
    assert (key * group.G).encoded.hex() == VOPRF["public_key"]


@pytest.mark.parametrize("case", VOPRF["vectors"], ids=lambda case: f"batch of {len(case['input'])}")
def test_the_rfcs_vectors(case):
    key, public = group.scalar(bytes.fromhex(VOPRF["private_key"])), group.point(bytes.fromhex(VOPRF["public_key"]))
    blinds = [group.scalar(blind) for blind in unhex(case["blind"])]
    asked, answered, proof = unhex(case["blinded_element"]), unhex(case["evaluation_element"]), unhex(case["proof"])
    inputs = unhex(case["input"])
    assert [voprf.blinded(i, b).encoded for i, b in zip(inputs, blinds, strict=True)] == asked
    assert [(key * group.point(a)).encoded for a in asked] == answered
    nonce = group.scalar(bytes.fromhex(case["proof_random_scalar"]))
    assert voprf.prove_evaluation(key, public, asked, answered, nonce) == proof
    voprf.check_evaluation(public, asked, answered, proof)
    outputs = [voprf.finalize(i, b, group.point(z)) for i, b, z in zip(inputs, blinds, answered, strict=True)]
    assert outputs == unhex(case["output"])


def test_any_three_custodians_give_the_rfcs_output():
    asked, inputs = unhex(SHARED["blinded_element"]), unhex(SHARED["input"])
    blinds = [group.scalar(blind) for blind in unhex(SHARED["blind"])]
    answers = {}
    for custodian in SHARED["custodians"]:
        public, answered = group.point(unhex(custodian["public_share"])), unhex(custodian["evaluation_element"])
        assert group.scalar(unhex(custodian["share"])) * group.G == public
        voprf.check_evaluation(public, asked, answered, unhex(custodian["proof"]))
        answers[custodian["index"]] = [group.point(z) for z in answered]
    for subset in SHARED["subsets"]:
        lagrange = [group.lagrange_at_zero(j, subset["indices"]) for j in subset["indices"]]
        assert [group.scalar_bytes(factor) for factor in lagrange] == unhex(subset["lagrange"])
        z = [voprf.combined({j: answers[j][number] for j in subset["indices"]}) for number in range(len(asked))]
        assert [point.encoded for point in z] == unhex(SHARED["evaluation_element"])
        outputs = [voprf.finalize(*each) for each in zip(inputs, blinds, z, strict=True)]
        assert outputs == unhex(SHARED["output"])


def test_a_wrong_evaluation_is_refused():
    asked, custodian = unhex(SHARED["blinded_element"]), SHARED["custodians"][0]
    public, answered, proof = (
        group.point(unhex(custodian["public_share"])),
        unhex(custodian["evaluation_element"]),
        unhex(custodian["proof"]),
    )
    another = SHARED["custodians"][1]
    cases: list[tuple] = [
        (group.point(unhex(another["public_share"])), asked, answered, proof),
        (public, asked[::-1], answered, proof),
        (public, asked[::-1], answered[::-1], proof),
        (public, asked, unhex(another["evaluation_element"]), proof),
        (public, asked[:1], answered[:1], proof),
        (public, asked, answered, flipped(proof)),
        (public, asked, answered, flipped(proof, 32)),
        (public, asked, answered, proof[32:] + proof[:32]),
        (public, asked, [bytes(32), answered[1]], proof),
        (public, [], [], proof),
    ]
    for arguments in cases:
        with pytest.raises(Refused):
            voprf.check_evaluation(*arguments)
