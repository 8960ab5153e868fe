"""The verifier's half (protocol, 20)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from ledger.crypto.group import Point, Scalar
from ledger.errors import InvalidInput, Unverified
from ledger.positions.fields import FIELDS
from ledger.wellformed import bit, link
from ledger.wellformed.form import Proof, StepAnswers
from ledger.wellformed.statement import Statement
from ledger.wellformed.steps import BAND_EDGES, BIT_STEPS, LINKS, BitStep, edges_sum, field_sum, places
from ledger.wellformed.transcript import challenge, context, row_of


def verify(statement: Statement, proof: bytes) -> None:
    """Raises Unverified unless the proof shows that the statement's entry is well-formed; 40 ms.

    reason: STATEMENT for what no proof can be about, LENGTH, or the step that is malformed or does not hold:
    RANGE_<FIELD>, ONE_HOT_CLASS, ONE_HOT_BAND, ONE_HOT_OVERDUE_BAND, BAND_EDGES, LINK_<FIELD>.
    """
    try:
        statement.check()
    except InvalidInput as error:
        raise Unverified("STATEMENT", f"no proof can be about this: {error.message}", error.path) from error
    parsed = Proof.parse(proof)
    bound = context(statement.digest(), parsed.commitments)
    row = row_of(parsed.commitments)
    for step, answers in zip(BIT_STEPS, parsed.steps, strict=True):
        _check_bits(bound, step, row, answers)
    _check_edges(bound, statement, row, parsed)
    _check_links(bound, statement, row, parsed)


def _check_bits(bound: bytes, step: BitStep, row: Sequence[Point], answers: StepAnswers) -> None:
    announced: list[Point] = []
    for place, given in zip(places(step), answers.bits, strict=True):
        announced += bit.reopen(row[place], answers.challenge, given)
    _check(answers.challenge, bound, step.name, announced)


def _check_edges(bound: bytes, statement: Statement, row: Sequence[Point], proof: Proof) -> None:
    commitment = edges_sum(statement.bands).of_commitments(row)
    _check(proof.edges.challenge, bound, BAND_EDGES, [link.reopen_edges(commitment, proof.edges)])


def _check_links(bound: bytes, statement: Statement, row: Sequence[Point], proof: Proof) -> None:
    for f, name, given in zip(FIELDS, LINKS, proof.links, strict=True):
        commitment = field_sum(f, statement.bands).of_commitments(row)
        place = (statement.public_keys[f], statement.nonce_point, statement.bodies[f])
        _check(given.challenge, bound, name, link.reopen(*place, commitment, given))


def _check(claimed: Scalar, bound: bytes, step: str, announced: Sequence[Point]) -> None:
    if not hmac.compare_digest(claimed, challenge(bound, step, announced)):
        raise Unverified(step, "the proof does not show this of the entry", "proof")
