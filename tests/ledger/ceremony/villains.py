"""Dishonest custodians: each is a twist of what an honest one would append. They hold their own secrets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ledger.ceremony import share_sealing
from ledger.ceremony.attempt import Attempt
from ledger.ceremony.dealing import BUNDLE_SIZE, Dealing
from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    RevealEntry,
)
from ledger.crypto import group
from tests.ledger.ceremony.simulation import Node, Twist

ONES = group.ONE * (BUNDLE_SIZE // group.SIZE)


def in_turn(*twists: Twist) -> Twist:
    """One twist after the other."""

    def twist(body: Body) -> list[Body]:
        bodies = [body]
        for each in twists:
            bodies = [out for body in bodies for out in each(body)]
        return bodies

    return twist


def current(node: Node) -> Attempt:
    ceremony = node.participant.ceremony
    assert ceremony is not None
    return ceremony.current


def as_dealing(node: Node, body: DealingEntry) -> Dealing:
    return Dealing(body.ceremony, node.dealer, body.commitments, body.possessions, body.sealed_shares)


def bad_shares(node: Node, to: Collection[int]) -> Twist:
    """Seals a well-formed share to each of these that does not fit the commitments."""

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, DealingEntry):
            return [body]
        sealed = list(body.sealed_shares)
        for j in to:
            key = current(node).readies[j][1].hpke_key
            sealed[j - 1] = share_sealing.seal(key, as_dealing(node, body).seal_info(j), ONES)
        return [replace(body, sealed_shares=tuple(sealed))]

    return twist


def junk_shares(to: Collection[int]) -> Twist:
    """Sends these something that does not open."""

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, DealingEntry):
            return [body]
        sealed = [bytes(len(one)) if j in to else one for j, one in enumerate(body.sealed_shares, 1)]
        return [replace(body, sealed_shares=tuple(sealed))]

    return twist


def no_reveals(body: Body) -> list[Body]:
    return [] if isinstance(body, RevealEntry) else [body]


def wrong_reveals(body: Body) -> list[Body]:
    return [replace(body, bundle=ONES)] if isinstance(body, RevealEntry) else [body]


def false_complaints(node: Node, against: Collection[int]) -> Twist:
    """Complains of good shares right before confirming."""

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, ConfirmationEntry):
            return [body]
        attempt = current(node)
        close = next(iter(attempt.closes.values()))
        complaints = [
            ComplaintEntry(attempt.ceremony, close.leaf, attempt.dealings[d][0]) for d in against if d in close.dealers
        ]
        return [*complaints, body]

    return twist


def confirms(transcript: bytes) -> Twist:
    """Confirms something else."""

    def twist(body: Body) -> list[Body]:
        return [replace(body, transcript=transcript)] if isinstance(body, ConfirmationEntry) else [body]

    return twist


def never(*kinds: type[Body]) -> Twist:
    """Leaves these out."""

    def twist(body: Body) -> list[Body]:
        return [] if isinstance(body, kinds) else [body]

    return twist


def closes_over(node: Node, dealers: Collection[int]) -> Twist:
    """Closes at once, over these dealers only."""

    def twist(body: Body) -> list[Body]:
        if not isinstance(body, CloseEntry):
            return [body]
        dealings = current(node).dealings
        return [CloseEntry(body.ceremony, tuple(dealings[d][0] for d in dealers if d in dealings))]

    return twist
