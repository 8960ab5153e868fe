"""The author's half (protocol, 20): constant-time as far as Python goes, nonces hedged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from ledger.crypto import elgamal, group
from ledger.crypto.group import Point, Scalar
from ledger.errors import InvalidInput
from ledger.positions.fields import FIELDS
from ledger.wellformed import bit, link
from ledger.wellformed.bit import BitSecrets
from ledger.wellformed.form import EdgesAnswer, LinkAnswer, Proof, StepAnswers
from ledger.wellformed.link import Opening
from ledger.wellformed.statement import Statement
from ledger.wellformed.steps import BAND_EDGES, BIT_STEPS, LINKS, BitStep, edges_sum, field_sum, places
from ledger.wellformed.transcript import challenge, context, row_of
from ledger.wellformed.witness import bits_of

NONCE_DOMAIN = "plimsoll/v1/wellformed-nonce"

Fresh = Callable[[], Scalar]
"""One secret scalar after the other, none of them ever used again."""


def prove(statement: Statement, nonce: Scalar, amounts: Sequence[int], rng: Callable[[int], bytes]) -> bytes:
    """The proof, PROOF_SIZE bytes, that the statement's entry is well-formed; 60 ms.

    nonce: r; amounts: the plaintexts by field number, as the author sealed them for itself. rng: for 32 fresh bytes.
    Raises InvalidInput where the entry is none of these, or they are not well-formed (with the field's path).
    """
    statement.check()
    bits = bits_of(amounts, statement.bands)
    group.decode_scalar(nonce, "nonce", nonzero=True)
    if elgamal.points_of(statement.public_keys, amounts, nonce) != (statement.nonce_point, statement.bodies):
        raise InvalidInput("OTHER_POINTS", "the entry does not encrypt these amounts with this nonce")
    return prove_bits(statement, nonce, amounts, bits, hedged(statement, nonce, rng)).encode()


def hedged(statement: Statement, nonce: Scalar, rng: Callable[[int], bytes]) -> Fresh:
    """Scalars out of r, 32 fresh bytes and the statement (design, section 6)."""
    number, digest, randomness = count(), statement.digest(), rng(group.SIZE)
    return lambda: group.hedged_scalar(NONCE_DOMAIN, nonce, randomness, digest, next(number))


def prove_bits(statement: Statement, nonce: Scalar, amounts: Sequence[int], bits: Sequence[int], fresh: Fresh) -> Proof:
    """The proof over a row of bits; worth nothing unless these make up the amounts."""
    blindings = _blindings(fresh)
    secrets = [BitSecrets(b, rho, fresh(), fresh(), fresh()) for b, rho in zip(bits, blindings, strict=True)]
    commitments = _commitments(bits, blindings)
    row = row_of(commitments)
    bound = context(statement.digest(), commitments)
    steps = tuple(_prove_bits(bound, step, row, secrets) for step in BIT_STEPS)
    edges = _prove_edges(bound, edges_sum(statement.bands).of_blindings(blindings), fresh())
    links = []
    for f, name in zip(FIELDS, LINKS, strict=True):
        plaintext = amounts[f].to_bytes(group.SIZE, "little")
        opening = Opening(nonce, plaintext, field_sum(f, statement.bands).of_blindings(blindings))
        links.append(_prove_link(bound, name, statement.public_keys[f], opening, fresh))
    return Proof(commitments, steps, edges, tuple(links))


def _blindings(fresh: Fresh) -> list[Scalar]:
    """One for each bit of the row; of a one-hot step they add up to 0, as its commitments add up to H."""
    row: list[Scalar] = []
    for step in BIT_STEPS:
        drawn = [fresh() for _ in range(step.sent)]
        if step.one_hot:
            total = group.ZERO
            for blinding in drawn:
                total = group.scalar_add(total, blinding)
            row.append(group.scalar_neg(total))
        row += drawn
    return row


def _commitments(bits: Sequence[int], blindings: Sequence[Scalar]) -> tuple[tuple[Point, ...], ...]:
    """Those that are sent, per step."""
    sent = (places(step)[step.one_hot :] for step in BIT_STEPS)
    return tuple(tuple(bit.commit(bits[place], blindings[place]) for place in step) for step in sent)


def _prove_bits(bound: bytes, step: BitStep, row: Sequence[Point], secrets: Sequence[BitSecrets]) -> StepAnswers:
    announced: list[Point] = []
    for place in places(step):
        announced += bit.announce(row[place], secrets[place])
    c = challenge(bound, step.name, announced)
    return StepAnswers(c, tuple(bit.answer(c, secrets[place]) for place in places(step)))


def _prove_edges(bound: bytes, blinding: Scalar, hiding: Scalar) -> EdgesAnswer:
    c = challenge(bound, BAND_EDGES, [group.mul_base(hiding)])
    return EdgesAnswer(c, link.respond(c, blinding, hiding))


def _prove_link(bound: bytes, name: str, public_key: Point, opening: Opening, fresh: Fresh) -> LinkAnswer:
    hiding = Opening(fresh(), fresh(), fresh())
    return link.answer(challenge(bound, name, link.announce(public_key, hiding)), opening, hiding)
