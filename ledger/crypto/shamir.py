"""Shamir shares over the scalars of ristretto255, with commitments (design, section 5).

A polynomial of degree t - 1 is t coefficients, constant term first; custodian j = 1..n holds its value at j. Feldman's
commitments are the coefficients times G, out of which everybody can compute every custodian's public share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.crypto import group
from ledger.crypto.group import L, Point, Scalar
from ledger.errors import InvalidInput, Unverified

MAX_INDEX = 255


def check_index(index: int, path: str = "") -> int:
    """The index itself. Raises InvalidInput outside 1 .. MAX_INDEX (0 would be the secret)."""
    if not 1 <= index <= MAX_INDEX:
        raise InvalidInput("BAD_INDEX", f"a custodian's index is 1 to {MAX_INDEX}", path)
    return index


def lagrange_at_zero(indices: Sequence[int]) -> tuple[Scalar, ...]:
    """The weight of each share in the secret: lambda_j = prod over m != j of m / (m - j), mod L; in the order given.

    Raises InvalidInput for no index, one out of range or a repeated one. The indices are public.
    """
    if not indices or len(set(indices)) != len(indices):
        raise InvalidInput("BAD_INDEX", "custodians' indices must be distinct, and there must be one")
    for index in indices:
        check_index(index)
    return tuple(_weight(j, [m for m in indices if m != j]) for j in indices)


def _weight(j: int, others: list[int]) -> Scalar:
    above, below = 1, 1
    for m in others:
        above = above * m % L
        below = below * (m - j) % L
    return group.scalar_from_int(above * pow(below, -1, L))


def evaluate(coefficients: Sequence[Scalar], index: int) -> Scalar:
    """The polynomial's value at `index`: that custodian's share (Horner, on secrets)."""
    x = group.scalar_from_int(check_index(index))
    value = group.ZERO
    for coefficient in reversed(coefficients):
        value = group.scalar_add(group.scalar_mul(value, x), coefficient)
    return value


def interpolate(indices: Sequence[int], shares: Sequence[Scalar]) -> Scalar:
    """The polynomial's constant term out of at least t shares. Only tests may ever call this on shares."""
    total = group.ZERO
    for weight, share in zip(lagrange_at_zero(indices), shares, strict=True):
        total = group.scalar_add(total, group.scalar_mul(weight, share))
    return total


def combine_points(indices: Sequence[int], points: Sequence[Point]) -> Point:
    """The sum of lambda_j P_j: with P_j = s_j A for shares s_j of s, this is s A."""
    return group.lincomb(lagrange_at_zero(indices), points)


def commit(coefficients: Sequence[Scalar]) -> tuple[Point, ...]:
    """Feldman's commitments to the coefficients, constant term first."""
    return tuple(group.mul_base(coefficient) for coefficient in coefficients)


def add_commitments(
    commitments: Iterable[Sequence[Point]], weights: Sequence[Scalar] | None = None
) -> tuple[Point, ...]:
    """Commitments to the sum of several polynomials of one degree, each times its public weight (1 where None)."""
    columns = zip(*commitments, strict=True)
    if weights is None:
        return tuple(map(group.sum_points, columns))
    return tuple(group.lincomb(weights, column) for column in columns)


def public_share(commitments: Sequence[Point], index: int) -> Point:
    """The share at `index` times G, out of the commitments alone (Horner)."""
    x = group.scalar_from_int(check_index(index))
    value = group.IDENTITY
    for commitment in reversed(commitments):
        value = group.add(group.mul(x, value), commitment)
    return value


def verify_share(share: Scalar, index: int, commitments: Sequence[Point]) -> None:
    """Raises Unverified unless `share` is the committed polynomial's value at `index`."""
    if group.mul_base(share) != public_share(commitments, index):
        raise Unverified("BAD_SHARE", f"the share for custodian {index} does not fit the dealer's commitments")
