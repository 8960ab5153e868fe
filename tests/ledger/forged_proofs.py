"""Proofs about positions that are not well-formed, by an author that follows the protocol as far as it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ledger.crypto import group
from ledger.crypto.group import L, Point, Scalar
from ledger.positions.bands import Bands
from ledger.positions.fields import FIELDS
from ledger.wellformed import Statement, bit, link, steps
from ledger.wellformed.bit import BitSecrets
from ledger.wellformed.form import EdgesAnswer, LinkAnswer, Proof, StepAnswers
from ledger.wellformed.link import Opening
from ledger.wellformed.prover import Fresh
from ledger.wellformed.steps import AMOUNT_WEIGHTS, BIT_STEPS, places
from ledger.wellformed.transcript import challenge, context, row_of
from tests.ledger.loans import BANDS

LABEL = bytes(range(16))


def statement_of(keys: Sequence[Point], r: Scalar, amounts: Sequence[int], extra: Point = group.IDENTITY) -> Statement:
    """About an entry over any integers. extra: added to the body of outstanding."""
    plain = [group.mul_base(group.scalar_from_int(amount)) for amount in amounts]
    bodies = [group.add(group.mul(r, key), point) for key, point in zip(keys, plain, strict=True)]
    bodies[0] = group.add(bodies[0], extra)
    place = ("north-bank", LABEL, bytes(range(32)), group.mul_base(r), tuple(bodies))
    return Statement(bytes(32), 1, tuple(keys), *place, BANDS)


def row_values(amounts: Sequence[int], bands: Bands = BANDS, below_edge: int | None = None) -> list[int]:
    """What makes the sums right: bits where it can be, and elsewhere what is no bit.

    below_edge: claimed instead of the distance from the band's upper edge.
    """
    high, band, overdue = _digits(amounts[4], 4), _digits(amounts[5], 6), _digits(amounts[6], 5)
    committed = [1 - sum(band[1:]), *band[1:]]  # the first one of a one-hot step is not the author's to choose
    edges = list(zip(committed, map(bands.outstanding_range, range(6)), strict=True))
    above = amounts[0] - sum(hot * low for hot, (low, _) in edges)
    below = sum(hot * upper for hot, (_, upper) in edges) - amounts[0] if below_edge is None else below_edge
    in_range = [bit for value in (above, below, amounts[1], amounts[2]) for bit in _range(value, AMOUNT_WEIGHTS)]
    accounts = _range((amounts[3] >> 6) - 1, steps.ACCOUNT_WEIGHTS)
    return [*in_range, *accounts, 1 - sum(high), *high, *committed, 1 - sum(overdue), *overdue]


def forge(statement: Statement, r: Scalar, amounts: Sequence[int], values: Sequence[int], fresh: Fresh) -> bytes:
    """A proof over the values, which need not be bits nor make up the amounts."""
    blindings = [fresh() for _ in values]
    for step in BIT_STEPS:
        if step.one_hot:
            first, *rest = places(step)
            blindings[first] = group.scalar_from_int(-sum(group.int_from_scalar(blindings[place]) for place in rest))
    row = [_commit(value, rho) for value, rho in zip(values, blindings, strict=True)]
    sent = tuple(tuple(row[place] for place in places(step)[step.one_hot :]) for step in BIT_STEPS)
    row = list(row_of(sent))
    bound = context(statement.digest(), sent)
    secrets = [
        BitSecrets(int(v == 1), rho, fresh(), fresh(), fresh()) for v, rho in zip(values, blindings, strict=True)
    ]
    answers = []
    for step in BIT_STEPS:
        announced = [point for place in places(step) for point in bit.announce(row[place], secrets[place])]
        c = challenge(bound, step.name, announced)
        answers.append(StepAnswers(c, tuple(bit.answer(c, secrets[place]) for place in places(step))))
    edges = _edges(bound, statement, blindings, fresh())
    links = tuple(_link(bound, f, statement, r, amounts, blindings, fresh) for f in range(7))
    return Proof(sent, tuple(answers), edges, links).encode()


def _edges(bound: bytes, statement: Statement, blindings: Sequence[Scalar], w: Scalar) -> EdgesAnswer:
    c = challenge(bound, steps.BAND_EDGES, [group.mul_base(w)])
    return EdgesAnswer(c, link.respond(c, steps.edges_sum(statement.bands).of_blindings(blindings), w))


def _link(
    bound: bytes, f: int, statement: Statement, r: Scalar, amounts: Sequence[int], row: Sequence[Scalar], fresh: Fresh
) -> LinkAnswer:
    rho = steps.field_sum(FIELDS[f], statement.bands).of_blindings(row)
    hiding = Opening(fresh(), fresh(), fresh())
    c = challenge(bound, steps.LINKS[f], link.announce(statement.public_keys[f], hiding))
    return link.answer(c, Opening(r, group.scalar_from_int(amounts[f]), rho), hiding)


def with_scalar(proof: bytes, element: int, change: int) -> bytes:
    """The proof with `change` added to its scalar at this place, not reduced."""
    at = 32 * element
    value = int.from_bytes(proof[at : at + 32], "little") + change
    return proof[:at] + (value % 2**256).to_bytes(32, "little") + proof[at + 32 :]


def renamed(statement: Statement, **changes: object) -> Statement:
    return replace(statement, **changes)  # type: ignore[arg-type]


def _commit(value: int, blinding: Scalar) -> Point:
    return group.add(group.mul(group.scalar_from_int(value % L), steps.VALUE_BASE), group.mul_base(blinding))


def _digits(value: int, count: int) -> list[int]:
    """6 bits each; what is above or negative goes into the last."""
    return [*(value >> 6 * place & 63 for place in range(count - 1)), value >> 6 * (count - 1)]


def _range(value: int, weights: Sequence[int]) -> list[int]:
    doubling = len(weights) - 1
    over = value >> doubling
    rest = value - over * weights[-1]
    if over not in (0, 1) or not 0 <= rest < 1 << doubling:
        return [value, *[0] * doubling]
    return [*(rest >> place & 1 for place in range(doubling)), over]
