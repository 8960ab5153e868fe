"""What the challenges of a proof are made of (protocol, 20).

Every step's challenge hashes the whole statement, all commitments, the step's name and what is announced in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ledger.crypto import group
from ledger.crypto.group import Point, Scalar
from ledger.crypto.hashing import wide_digest
from ledger.wellformed.steps import BIT_STEPS, VALUE_BASE

COMMITMENTS_DOMAIN = "plimsoll/v1/wellformed-commitments"
CHALLENGE_DOMAIN = "plimsoll/v1/wellformed-challenge"


def context(statement_digest: bytes, commitments: Sequence[Sequence[Point]]) -> bytes:
    """64 bytes that bind the statement and the commitments sent, per bit step."""
    sent = tuple(chain.from_iterable(commitments))
    return wide_digest(COMMITMENTS_DOMAIN, statement_digest, len(sent), *sent)


def challenge(bound: bytes, step: str, announced: Sequence[Point]) -> Scalar:
    """The challenge of a step; `bound` is the `context`."""
    return group.hash_to_scalar(CHALLENGE_DOMAIN, bound, step, len(announced), *announced)


def row_of(commitments: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """The commitments to all bits: those sent, and the first of each one-hot step, H less its others."""
    row: list[Point] = []
    for step, sent in zip(BIT_STEPS, commitments, strict=True):
        if step.one_hot:
            row.append(group.sub(VALUE_BASE, group.sum_points(sent)))
        row += sent
    return tuple(row)
