"""python -m tests.e2e.lying_node <seconds its clock is off> <seconds of patience> <honest or liar> <arguments ..>

A node like any other, but that it challenges those who do not answer after so many seconds, and that a liar encrypts
other figures than it is told, for the outstanding amounts below, and shows nonsense for a proof.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ledger.challenges.proving import prove_record
from ledger.crypto import elgamal, group, schnorr
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import InvalidInput
from ledger.positions import publication
from ledger.positions.position_entry import PositionEntry
from ledger.positions.publication import PublicationTask
from ledger.positions.sealed_copy import open_copy
from ledger.wellformed import PROOF_SIZE
from node.__main__ import main as run
from node.challenges import doubting, proving
from tests.faults.odd_node import shift

OUTSTANDING, CREDIT_LIMIT, OVERDUE_BAND = 0, 2, 6


def _with(place: int, value: int) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    return lambda amounts: (*amounts[:place], value, *amounts[place + 1 :])


#: By the outstanding amount that its book has, minor units: what the liar encrypts instead.
LIES: dict[int, Callable[[tuple[int, ...]], tuple[int, ...]]] = {
    1_000_001: _with(OUTSTANDING, -200_000_000),  # negative
    1_000_002: _with(CREDIT_LIMIT, 1 << 45),  # too large
    1_000_003: _with(OVERDUE_BAND, 1 << 47),  # unreadable
    1_000_004: _with(OUTSTANDING, 40_000_000_000),  # not in its band
    1_000_005: _with(OUTSTANDING, -200_000_001),  # negative, and it says nothing when asked
}
SILENT = 1_000_005


def _ciphertext(task: PublicationTask, position: Any, label: bytes, rng: Any) -> tuple[bytes, Ciphertext | None]:
    """As `ledger.positions.publication._ciphertext`, over any integers."""
    if position.closed:
        return b"", None
    amounts = LIES.get(position.amounts[0], lambda same: same)(position.amounts)
    r, u = elgamal.hedged_nonces(task.hedge_secret, rng(32), label, position.amounts)
    place = (task.consortium, task.epoch, task.member, label)
    plain = elgamal.encrypt(task.public_keys, [0] * 7, r, u, *place)
    points = (group.mul_base((amount % group.L).to_bytes(32, "little")) for amount in amounts)
    bodies = tuple(group.add(body, point) for body, point in zip(plain.bodies, points, strict=True))
    statement = elgamal._statement(task.public_keys, *place, plain.nonce_point, bodies)
    challenge = group.hash_to_scalar(elgamal.DOMAIN, *statement, group.mul_base(u))
    return r, Ciphertext(plain.nonce_point, bodies, schnorr.respond(challenge, r, u))


def lie() -> None:
    """From now on."""
    prove = prove_record
    publication._ciphertext = _ciphertext

    def shown(*arguments: Any) -> bytes:
        try:
            return prove(*arguments)
        except InvalidInput:
            if _outstanding(*arguments) == SILENT:
                raise
            return os.urandom(PROOF_SIZE)

    proving.prove_record = shown  # type: ignore[attr-defined, assignment]


def _outstanding(*arguments: Any) -> int:
    """What the liar's own copy of a record says."""
    consortium, _, member, entry, _, backup_key, _ = arguments
    position = PositionEntry.parse(entry)
    return open_copy(position.sealed, backup_key, consortium, member, position.label).amounts[OUTSTANDING]


def main(arguments: Sequence[str]) -> int:
    """Runs the node; its exit code."""
    off, patience, how, *rest = arguments
    shift(float(off))
    doubting.PATIENCE = float(patience)
    doubting.FIRST_PAUSE = 1.0
    if how == "liar":
        lie()
    return run(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
