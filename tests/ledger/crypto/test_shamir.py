"""Shamir shares and Feldman commitments: any t of n give the secret, fewer say nothing, wrong shares are caught."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group, shamir
from ledger.crypto.group import L
from ledger.errors import InvalidInput, Unverified
from tests.ledger.group_strategies import integers, nonidentity_points, scalars

polynomials = st.lists(scalars, min_size=1, max_size=4)
indices = st.integers(1, shamir.MAX_INDEX)


@given(st.lists(integers, min_size=1, max_size=5), indices)
def test_a_share_is_the_polynomials_value_in_plain_integers(coefficients: list[int], index: int) -> None:
    share = shamir.evaluate([group.scalar_from_int(c) for c in coefficients], index)
    assert group.int_from_scalar(share) == sum(c * index**k for k, c in enumerate(coefficients)) % L


@settings(max_examples=20)
@given(polynomials, st.data())
def test_any_t_of_n_shares_give_the_secret(coefficients: list[bytes], data: st.DataObject) -> None:
    t = len(coefficients)
    chosen = data.draw(st.lists(indices, min_size=t, max_size=t + 2, unique=True))
    shares = [shamir.evaluate(coefficients, index) for index in chosen]
    assert shamir.interpolate(chosen, shares) == coefficients[0]


@given(scalars, scalars, scalars)
def test_t_minus_one_shares_fit_every_secret(secret: bytes, other: bytes, slope: bytes) -> None:
    share = shamir.evaluate([secret, slope], 7)
    # The line through the same share and another secret: one share excludes nothing.
    other_slope = group.scalar_mul(group.scalar_sub(share, other), group.scalar_invert(group.scalar_from_int(7)))
    assert shamir.evaluate([other, other_slope], 7) == share


@settings(max_examples=10)
@given(polynomials, nonidentity_points)
def test_points_under_shares_combine_to_the_point_under_the_secret(coefficients: list[bytes], point: bytes) -> None:
    for chosen in combinations(range(1, 6), len(coefficients)):
        under_shares = [group.mul(shamir.evaluate(coefficients, index), point) for index in chosen]
        assert shamir.combine_points(chosen, under_shares) == group.mul(coefficients[0], point)


@settings(max_examples=20)
@given(polynomials, indices)
def test_commitments_give_every_public_share(coefficients: list[bytes], index: int) -> None:
    commitments = shamir.commit(coefficients)
    share = shamir.evaluate(coefficients, index)
    assert commitments[0] == group.mul_base(coefficients[0])
    assert shamir.public_share(commitments, index) == group.mul_base(share)
    shamir.verify_share(share, index, commitments)


@settings(max_examples=20)
@given(polynomials, indices)
def test_a_share_off_by_one_or_of_a_neighbour_or_under_a_changed_commitment_is_caught(
    coefficients: list[bytes], index: int
) -> None:
    commitments = shamir.commit(coefficients)
    share = shamir.evaluate(coefficients, index)
    with pytest.raises(Unverified):
        shamir.verify_share(group.scalar_add(share, group.ONE), index, commitments)
    for place in range(len(commitments)):
        changed = [*commitments]
        changed[place] = group.add(changed[place], group.BASE)
        with pytest.raises(Unverified):
            shamir.verify_share(share, index, changed)


def test_a_share_for_another_custodian_is_caught() -> None:
    coefficients = [group.scalar_from_int(c) for c in (5, 7, 11)]
    with pytest.raises(Unverified) as caught:
        shamir.verify_share(shamir.evaluate(coefficients, 2), 3, shamir.commit(coefficients))
    assert caught.value.reason == "BAD_SHARE"


@settings(max_examples=10)
@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=4), indices)
def test_sums_of_dealings_are_dealings_of_the_sum(dealings: list[tuple[bytes, bytes, bytes]], index: int) -> None:
    total = group.ZERO
    for dealing in dealings:
        total = group.scalar_add(total, shamir.evaluate(dealing, index))
    commitments = shamir.add_commitments([shamir.commit(dealing) for dealing in dealings])
    shamir.verify_share(total, index, commitments)


@settings(max_examples=10)
@given(st.lists(st.tuples(scalars, scalars, scalars, scalars), min_size=1, max_size=4), indices)
def test_so_are_weighted_sums(dealings: list[tuple[bytes, bytes, bytes, bytes]], index: int) -> None:
    total = group.ZERO
    for weight, *dealing in dealings:
        total = group.scalar_add(total, group.scalar_mul(weight, shamir.evaluate(dealing, index)))
    committed = [shamir.commit(dealing) for _, *dealing in dealings]
    commitments = shamir.add_commitments(committed, [weight for weight, *_ in dealings])
    shamir.verify_share(total, index, commitments)


@pytest.mark.parametrize("bad", [[], [0], [-1], [256], [1, 1], [1, 2, 1], [1, 0]])
def test_indices_that_are_no_set_of_custodians_are_refused(bad: list[int]) -> None:
    with pytest.raises(InvalidInput) as caught:
        shamir.lagrange_at_zero(bad)
    assert caught.value.reason == "BAD_INDEX"


@pytest.mark.parametrize("index", [0, -1, 256])
def test_nobody_gets_a_share_at_zero_or_out_of_range(index: int) -> None:
    with pytest.raises(InvalidInput):
        shamir.evaluate([group.ONE], index)
    with pytest.raises(InvalidInput):
        shamir.public_share([group.BASE], index)


def test_lagrange_weights_follow_the_order_of_the_indices() -> None:
    three, minus_three, one = (group.scalar_from_int(value) for value in (3, -3, 1))
    assert shamir.lagrange_at_zero([1, 2, 3]) == (three, minus_three, one)
    assert shamir.lagrange_at_zero([3, 1, 2]) == (one, three, minus_three)
    assert shamir.lagrange_at_zero([200]) == (one,)
