"""That a field's ciphertext and its commitment hold the same number (protocol, 20).

With D = m H + rho G the sum of commitments that makes up field f, and R = r G: knowledge of r, m and rho such that
R = r G, C_f = r X_f + m G and D = m H + rho G (a Schnorr proof of several secrets). It is not enough to know how
C_f and D differ: C_f could then hold a multiple of H, which nobody can read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.crypto import group
from ledger.crypto.group import Point, Scalar
from ledger.wellformed.form import EdgesAnswer, LinkAnswer
from ledger.wellformed.steps import VALUE_BASE


@dataclass(frozen=True, slots=True)
class Opening:
    """The secrets of a link, or the nonces that hide them."""

    nonce: Scalar = field(repr=False)
    plaintext: Scalar = field(repr=False)
    blinding: Scalar = field(repr=False)


def announce(public_key: Point, hiding: Opening) -> tuple[Point, Point, Point]:
    """(T_R, T_C, T_D)."""
    return (
        group.mul_base(hiding.nonce),
        group.add(group.mul(hiding.nonce, public_key), group.mul_base(hiding.plaintext)),
        group.add(group.mul(hiding.plaintext, VALUE_BASE), group.mul_base(hiding.blinding)),
    )


def answer(challenge: Scalar, secrets: Opening, hiding: Opening) -> LinkAnswer:
    """The answer to the link's challenge."""
    return LinkAnswer(
        challenge,
        respond(challenge, secrets.nonce, hiding.nonce),
        respond(challenge, secrets.plaintext, hiding.plaintext),
        respond(challenge, secrets.blinding, hiding.blinding),
    )


def reopen(
    public_key: Point, nonce_point: Point, body: Point, commitment: Point, given: LinkAnswer
) -> tuple[Point, Point, Point]:
    """(T_R, T_C, T_D) as they must have been."""
    c = given.challenge
    answers = announce(public_key, Opening(given.nonce, given.plaintext, given.blinding))
    r, body_part, commitment_part = (group.mul(c, point) for point in (nonce_point, body, commitment))
    return group.add(answers[0], r), group.add(answers[1], body_part), group.add(answers[2], commitment_part)


def reopen_edges(commitment: Point, given: EdgesAnswer) -> Point:
    """T = s G + c W: W must be a multiple of G alone, so what it commits to is 0."""
    return group.add(group.mul_base(given.response), group.mul(given.challenge, commitment))


def respond(challenge: Scalar, secret: Scalar, nonce: Scalar) -> Scalar:
    """nonce - challenge secret."""
    return group.scalar_sub(nonce, group.scalar_mul(challenge, secret))
