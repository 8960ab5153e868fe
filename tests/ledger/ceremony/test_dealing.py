"""Dealings: what an honest one gives, and that no dishonest one passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.ceremony import share_sealing
from ledger.ceremony.dealing import (
    BUNDLE_SIZE,
    POSSESSION_DOMAIN,
    Dealing,
    check_bundle,
    split_bundle,
    unseal_bundle,
    verify,
)
from ledger.crypto import group, schnorr, shamir
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.keys import COORDINATES
from tests.ledger.ceremony.script import dealt, private_key

CEREMONY = bytes([7]) * 32
N, T = 4, 3


def sample(dealer: int = 2) -> tuple[Dealing, tuple[bytes, ...]]:
    return dealt(CEREMONY, dealer, T, N)


def with_row(dealing: Dealing, coordinate: int, row: tuple[bytes, ...]) -> Dealing:
    rows = list(dealing.commitments)
    rows[coordinate] = row
    return replace(dealing, commitments=tuple(rows))


def possess(secret: bytes, dealer: int, coordinate: int, ceremony: bytes = CEREMONY) -> bytes:
    nonce = group.scalar_from_int(5)
    return schnorr.prove(POSSESSION_DOMAIN, (ceremony, dealer, coordinate), secret, nonce)


def test_every_receiver_opens_a_share_that_fits() -> None:
    dealing, bundles = sample()
    verify(dealing, T, N)
    for j in range(1, N + 1):
        assert unseal_bundle(dealing, j, private_key(j)) == bundles[j - 1]


@pytest.mark.parametrize("receivers", [(1, 2, 3), (2, 3, 4), (4, 1, 2)])
def test_any_t_shares_give_the_constant_terms(receivers: tuple[int, ...]) -> None:
    dealing, bundles = sample()
    for c, row in enumerate(dealing.commitments):
        shares = [split_bundle(bundles[j - 1])[c] for j in receivers]
        assert group.mul_base(shamir.interpolate(receivers, shares)) == row[0]
        assert group.mul_base(shamir.interpolate(receivers[1:], shares[1:])) != row[0]


def test_two_dealings_have_nothing_in_common() -> None:
    one, _ = sample(1)
    other, _ = sample(2)
    points = [point for dealing in (one, other) for row in dealing.commitments for point in row]
    assert len(set(points)) == len(points)


def test_nobody_opens_a_share_sealed_to_another() -> None:
    dealing, _ = sample()
    with pytest.raises(Unverified):
        unseal_bundle(dealing, 1, private_key(2))
    swapped = replace(dealing, sealed_shares=(dealing.sealed_shares[1], *dealing.sealed_shares[1:]))
    with pytest.raises(Unverified):
        unseal_bundle(swapped, 1, private_key(2))


@pytest.mark.parametrize(
    "move",
    [
        lambda dealing: replace(dealing, dealer=3),
        lambda dealing: replace(dealing, ceremony=bytes(32)),
        lambda dealing: with_row(dealing, 0, dealing.commitments[1]),
        lambda dealing: with_row(dealing, 7, (*dealing.commitments[7][:2], group.BASE)),
    ],
    ids=["another dealer", "another ceremony", "other commitments", "one other coefficient"],
)
def test_a_sealed_share_opens_nowhere_but_in_its_own_dealing(move: Callable[[Dealing], Dealing]) -> None:
    dealing, _ = sample()
    with pytest.raises(Unverified) as refusal:
        unseal_bundle(move(dealing), 1, private_key(1))
    assert refusal.value.reason == "SEALED_SHARE"


@pytest.mark.parametrize("coordinate", range(COORDINATES))
def test_a_share_off_the_polynomial_is_found_in_every_coordinate(coordinate: int) -> None:
    dealing, bundles = sample()
    scalars = list(split_bundle(bundles[0]))
    scalars[coordinate] = group.scalar_add(scalars[coordinate], group.ONE)
    with pytest.raises(Unverified) as refusal:
        check_bundle(dealing.commitments, 1, b"".join(scalars))
    assert refusal.value.reason == "BAD_SHARE"
    sealed = share_sealing.seal(share_sealing.public_key(private_key(1)), dealing.seal_info(1), b"".join(scalars))
    with pytest.raises(Unverified):
        unseal_bundle(replace(dealing, sealed_shares=(sealed, *dealing.sealed_shares[1:])), 1, private_key(1))


def test_one_receivers_share_does_not_pass_for_anothers() -> None:
    dealing, bundles = sample()
    with pytest.raises(Unverified):
        check_bundle(dealing.commitments, 2, bundles[0])


@pytest.mark.parametrize("size", [0, BUNDLE_SIZE - 1, BUNDLE_SIZE + 32])
def test_a_bundle_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput):
        split_bundle(bytes(size))


def test_a_share_that_is_no_canonical_scalar_is_refused() -> None:
    dealing, bundles = sample()
    first = int.from_bytes(bundles[0][:32], "little") + group.L
    respelled = first.to_bytes(32, "little") + bundles[0][32:]
    with pytest.raises(InvalidInput):
        check_bundle(dealing.commitments, 1, respelled)


@pytest.mark.parametrize("coordinate", range(COORDINATES))
def test_every_proof_of_possession_is_checked(coordinate: int) -> None:
    dealing, _ = sample()
    for at in (0, 40):
        proof = bytearray(dealing.possessions[coordinate])
        proof[at] ^= 1
        proofs = (*dealing.possessions[:coordinate], bytes(proof), *dealing.possessions[coordinate + 1 :])
        with pytest.raises(Unverified):
            verify(replace(dealing, possessions=proofs), T, N)


@pytest.mark.parametrize(
    "copy",
    [
        lambda dealing: replace(dealing, dealer=1),
        lambda dealing: replace(dealing, ceremony=bytes(32)),
        lambda dealing: replace(dealing, commitments=dealing.commitments[::-1], possessions=dealing.possessions[::-1]),
    ],
    ids=["as another dealer", "in another ceremony", "for other coordinates"],
)
def test_a_copied_dealing_proves_nothing(copy: Callable[[Dealing], Dealing]) -> None:
    dealing, _ = sample()
    with pytest.raises(Unverified) as refusal:
        verify(copy(dealing), T, N)
    assert refusal.value.reason == "BAD_PROOF"


def test_a_key_made_to_cancel_the_others_is_refused() -> None:
    """A' = aG - (sum of the others): its dealer would alone know the sum. It knows a, but not the logarithm of A'."""
    mine, _ = sample(2)
    others = group.sum_points(sample(d)[0].commitments[0][0] for d in (1, 3, 4))
    a = group.scalar_from_int(99)
    rogue = with_row(mine, 0, (group.sub(group.mul_base(a), others), *mine.commitments[0][1:]))
    for proof in (possess(a, 2, 0), mine.possessions[0], sample(1)[0].possessions[0]):
        with pytest.raises(Unverified):
            verify(replace(rogue, possessions=(proof, *mine.possessions[1:])), T, N)
    # The same key with its own logarithm known passes: the proof was all that stood against it.
    known = with_row(mine, 0, (group.mul_base(a), *mine.commitments[0][1:]))
    verify(replace(known, possessions=(possess(a, 2, 0), *mine.possessions[1:])), T, N)


def test_an_identity_constant_term_is_refused_even_with_a_proof() -> None:
    dealing, _ = sample()
    zero = with_row(dealing, 0, (group.IDENTITY, *dealing.commitments[0][1:]))
    with pytest.raises(InvalidInput) as refusal:
        verify(replace(zero, possessions=(possess(group.ZERO, 2, 0), *dealing.possessions[1:])), T, N)
    assert refusal.value.reason == "IDENTITY_POINT"


def test_a_higher_coefficient_may_be_zero() -> None:
    dealing, _ = sample()
    verify(with_row(dealing, 3, (*dealing.commitments[3][:2], group.IDENTITY)), T, N)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: with_row(d, 5, d.commitments[5][:-1]),
        lambda d: with_row(d, 5, (*d.commitments[5], group.BASE)),
        lambda d: replace(d, commitments=d.commitments[:-1]),
        lambda d: replace(d, commitments=(*d.commitments, d.commitments[0])),
        lambda d: replace(d, possessions=d.possessions[:-1]),
        lambda d: replace(d, possessions=(d.possessions[0][:-1], *d.possessions[1:])),
        lambda d: replace(d, sealed_shares=d.sealed_shares[:-1]),
        lambda d: replace(d, sealed_shares=(*d.sealed_shares, d.sealed_shares[0])),
        lambda d: replace(d, sealed_shares=(d.sealed_shares[0][:-1], *d.sealed_shares[1:])),
        lambda d: replace(d, dealer=0),
        lambda d: with_row(d, 0, (b"\xff" * 32, *d.commitments[0][1:])),
        lambda d: with_row(d, 0, (*d.commitments[0][:2], b"\x01" + bytes(31))),
    ],
    ids=[
        "a commitment less",
        "a commitment more",
        "a coordinate less",
        "a coordinate more",
        "a proof less",
        "a short proof",
        "a share less",
        "a share more",
        "a short share",
        "dealer zero",
        "no point first",
        "no point last",
    ],
)
def test_a_dealing_of_another_shape_is_refused(change: Callable[[Dealing], Dealing]) -> None:
    with pytest.raises(PlimsollError):
        verify(change(sample()[0]), T, N)


def test_a_dealing_for_another_threshold_or_number_is_refused() -> None:
    dealing, _ = sample()
    for t, n in ((T - 1, N), (T + 1, N), (T, N + 1), (T, N - 1)):
        with pytest.raises(InvalidInput):
            verify(dealing, t, n)
