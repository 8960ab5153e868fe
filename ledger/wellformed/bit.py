"""That a commitment holds 0 or 1, and not which (Cramer, Damgard and Schoenmakers, 1994; protocol, 20).

B = b H + rho G: either B or B - H is a multiple of G that the prover knows. It answers for that branch truly and for
the other with a challenge chosen beforehand; both challenges add up to the step's. Neither branch is told apart by what
is computed: both are, and masks put them in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.crypto import group
from ledger.crypto.group import SIZE, Point, Scalar
from ledger.wellformed.form import BitAnswer
from ledger.wellformed.steps import VALUE_BASE


@dataclass(frozen=True, slots=True)
class BitSecrets:
    """value: 0 or 1. blinding: rho. nonce: of the true branch. challenge, response: of the other one."""

    value: int = field(repr=False)
    blinding: Scalar = field(repr=False)
    nonce: Scalar = field(repr=False)
    challenge: Scalar = field(repr=False)
    response: Scalar = field(repr=False)


def commit(value: int, blinding: Scalar) -> Point:
    """b H + rho G."""
    return group.add(group.mul_base(blinding), choose(value, group.IDENTITY, VALUE_BASE))


def announce(commitment: Point, secrets: BitSecrets) -> tuple[Point, Point]:
    """(A_0, A_1)."""
    simulated_for = choose(secrets.value, group.sub(commitment, VALUE_BASE), commitment)
    simulated = group.add(group.mul_base(secrets.response), group.mul(secrets.challenge, simulated_for))
    true = group.mul_base(secrets.nonce)
    return choose(secrets.value, true, simulated), choose(secrets.value, simulated, true)


def answer(challenge: Scalar, secrets: BitSecrets) -> BitAnswer:
    """The answer to the step's challenge."""
    true = group.scalar_sub(challenge, secrets.challenge)
    response = group.scalar_sub(secrets.nonce, group.scalar_mul(true, secrets.blinding))
    return BitAnswer(
        choose(secrets.value, true, secrets.challenge),
        choose(secrets.value, response, secrets.response),
        choose(secrets.value, secrets.response, response),
    )


def reopen(commitment: Point, challenge: Scalar, given: BitAnswer) -> tuple[Point, Point]:
    """(A_0, A_1) as they must have been: s_0 G + c_0 B and s_1 G + (c - c_0) (B - H)."""
    other = group.scalar_sub(challenge, given.challenge)
    zero = group.add(group.mul_base(given.zero), group.mul(given.challenge, commitment))
    return zero, group.add(group.mul_base(given.one), group.mul(other, group.sub(commitment, VALUE_BASE)))


def choose(bit: int, if_zero: bytes, if_one: bytes) -> bytes:
    """One of two strings of 32 bytes, without a branch on the secret bit."""
    zero, one = int.from_bytes(if_zero, "little"), int.from_bytes(if_one, "little")
    return (zero ^ (zero ^ one) & -bit).to_bytes(SIZE, "little")
