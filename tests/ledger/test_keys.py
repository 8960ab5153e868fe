"""The shared keys' public and secret side."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group, shamir
from ledger.errors import InvalidInput, Unverified
from ledger.keys import COORDINATES, PublicKeys, SecretShares, public_keys
from tests.ledger.group_strategies import scalars, seeded

SHARES = st.builds(
    SecretShares.of,
    st.integers(0, 2**32 - 1),
    st.integers(1, 255),
    st.lists(scalars, min_size=COORDINATES, max_size=COORDINATES),
)


def shared(size: int = 3, threshold: int = 2, epoch: int = 1) -> tuple[PublicKeys, list[SecretShares]]:
    """Keys as a trusted dealer would make them."""
    rng = seeded(1)
    polynomials = [[group.random_scalar(rng) for _ in range(threshold)] for _ in range(COORDINATES)]
    shares = [
        SecretShares.of(epoch, j, [shamir.evaluate(polynomial, j) for polynomial in polynomials])
        for j in range(1, size + 1)
    ]
    points = [[group.mul_base(scalar) for scalar in share] for share in shares]
    return public_keys(epoch, [group.mul_base(polynomial[0]) for polynomial in polynomials], points), shares


def test_coordinates_come_in_order() -> None:
    keys, shares = shared()
    assert list(keys) == [keys.oprf, *keys.fields]
    assert list(keys.custodian(2)) == [keys.custodians[1].oprf, *keys.custodians[1].fields]
    assert list(shares[0]) == [shares[0].oprf, *shares[0].fields]
    assert shares[0].by_field() == {f: shares[0].fields[f] for f in range(7)}


def test_shares_fit_the_keys_of_their_custodian_and_epoch_only() -> None:
    keys, shares = shared()
    for share in shares:
        share.check_fit(keys)
    with pytest.raises(Unverified):
        SecretShares.of(1, 2, list(shares[0])).check_fit(keys)
    with pytest.raises(Unverified):
        SecretShares.of(2, 1, list(shares[0])).check_fit(keys)
    with pytest.raises(Unverified):
        SecretShares.of(1, 4, list(shares[0])).check_fit(keys)
    with pytest.raises(Unverified):
        SecretShares.of(1, 0, list(shares[0])).check_fit(keys)


@pytest.mark.parametrize("coordinate", range(COORDINATES))
def test_one_wrong_coordinate_does_not_fit(coordinate: int) -> None:
    keys, shares = shared()
    scalars = list(shares[0])
    scalars[coordinate] = group.scalar_add(scalars[coordinate], group.ONE)
    with pytest.raises(Unverified):
        SecretShares.of(1, 1, scalars).check_fit(keys)


@given(SHARES)
def test_shares_are_read_back_as_written(shares: SecretShares) -> None:
    assert SecretShares.from_bytes(shares.to_bytes()) == shares


@settings(max_examples=100)
@given(SHARES, st.data())
def test_bytes_that_are_no_shares_are_refused(shares: SecretShares, data: st.DataObject) -> None:
    raw = shares.to_bytes()
    cut = data.draw(st.integers(0, len(raw) - 1))
    for bad in (raw[:cut], raw + b"\0", b"x" + raw[1:], raw[:-1] + b"\xff"):
        with pytest.raises(InvalidInput):
            SecretShares.from_bytes(bad)


def test_a_repr_shows_no_secret() -> None:
    _, shares = shared()
    shown = repr(shares[0])
    assert "index=1" in shown
    for scalar in shares[0]:
        assert scalar.hex() not in shown
        assert repr(scalar)[2:20] not in shown


@pytest.mark.parametrize("bad", [group.IDENTITY, b"\xff" * 32, b""])
def test_a_key_that_is_no_point_or_the_identity_is_refused(bad: bytes) -> None:
    keys, _ = shared()
    good = list(keys)
    shares = [list(custodian) for custodian in keys.custodians]
    for c in range(COORDINATES):
        with pytest.raises(InvalidInput):
            public_keys(1, [*good[:c], bad, *good[c + 1 :]], shares)
        with pytest.raises(InvalidInput):
            public_keys(1, good, [[*good[:c], bad, *good[c + 1 :]], *shares[1:]])


def test_there_are_eight_coordinates() -> None:
    keys, shares = shared()
    with pytest.raises(InvalidInput):
        public_keys(1, list(keys)[:-1], [])
    with pytest.raises(InvalidInput):
        SecretShares.of(1, 1, list(shares[0])[:-1])


@pytest.mark.parametrize("index", [0, 4, -1])
def test_asking_for_an_unknown_custodian_is_refused(index: int) -> None:
    keys, _ = shared()
    with pytest.raises(InvalidInput):
        keys.custodian(index)
