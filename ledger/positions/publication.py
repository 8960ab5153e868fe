"""From folded loans to Position entries, in bulk (protocol, 7).

`publish` is what a pool of processes runs: a task of up to 4,096 items goes in pickled, entries come out. The caller
appends the entries of a whole feed run in ascending order of label, so that the feed's own order shows nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.crypto import elgamal
from ledger.crypto.elgamal import Ciphertext
from ledger.crypto.group import Point, Scalar
from ledger.crypto.hashing import frame
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.loan import Loan, records_digest
from ledger.positions.position import Position
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import SealedCopy, seal_copy

SEED_SIZE = 32
_RANDOM_DOMAIN = "plimsoll/v1/publication-randomness"

T = TypeVar("T")
Rng = Callable[[int], bytes]
_Encrypted = tuple[Rng, bytes, Scalar, Ciphertext | None]
"""The item's randomness, as far as it is used; the salt; r; the ciphertext."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One position to be published.

    label: 16 bytes, of position `number` (from 0) of this borrower and member. borrower: canonical identity.
    pseudonym_key: K_b, 64 bytes. loans: all that `position` was folded from, ascending by loan_id.
    """

    label: bytes = field(repr=False)
    borrower: str = field(repr=False)
    number: int
    pseudonym_key: bytes = field(repr=False)
    loans: tuple[Loan, ...] = field(repr=False)
    position: Position = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublicationTask:
    """Positions of one member, and what it takes to encrypt them.

    public_keys: the X_f of key `epoch`. time: Unix seconds, for all entries. backup_key, hedge_secret: 32 secret bytes
    of the member. seed: 32 fresh random bytes for this task alone.
    """

    consortium: bytes
    member: str
    epoch: int
    public_keys: tuple[Point, ...] = field(repr=False)
    time: int
    backup_key: bytes = field(repr=False)
    hedge_secret: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    items: tuple[Publication, ...] = field(repr=False)


def publish(task: PublicationTask) -> list[bytes]:
    """The entries of a task, in the order of its items. Raises InvalidInput with the item's path."""
    if len(task.seed) != SEED_SIZE or len(task.hedge_secret) != SEED_SIZE:
        raise InvalidInput("BAD_LENGTH", f"must be {SEED_SIZE} bytes", "seed")
    # All are encrypted before any is sealed: by turns, each would drive the other out of the processor's caches.
    encrypted = _each(task, _encrypt)
    return _each(task, lambda _, item, place: _finish(task, item, *encrypted[place]))


def _each(task: PublicationTask, work: Callable[[PublicationTask, Publication, int], T]) -> list[T]:
    done = []
    for place, item in enumerate(task.items):
        try:
            done.append(work(task, item, place))
        except PlimsollError as error:
            raise error.under(f"items[{place}]") from error
    return done


def _encrypt(task: PublicationTask, item: Publication, place: int) -> _Encrypted:
    rng = _randomness(task, place, item.label)
    salt = rng(32)
    return rng, salt, *_ciphertext(task, item.position, item.label, rng)


def _finish(
    task: PublicationTask, item: Publication, rng: Rng, salt: bytes, nonce: Scalar, ciphertext: Ciphertext | None
) -> bytes:
    copy = SealedCopy(item.borrower, item.number, item.pseudonym_key, item.loans, salt, nonce, item.position.amounts)
    sealed = seal_copy(copy, task.backup_key, task.consortium, task.member, item.label, rng)
    digest = records_digest(salt, item.loans)
    return PositionEntry(task.time, item.label, task.epoch, item.position.as_of, ciphertext, digest, sealed).encode()


def _ciphertext(task: PublicationTask, position: Position, label: bytes, rng: Rng) -> tuple[Scalar, Ciphertext | None]:
    """(r, the ciphertext); nothing of either where the position is closed."""
    if position.closed:
        return b"", None
    r, u = elgamal.hedged_nonces(task.hedge_secret, rng(32), label, position.amounts)
    place = (task.consortium, task.epoch, task.member, label)
    return r, elgamal.encrypt(task.public_keys, position.amounts, r, u, *place)


def _randomness(task: PublicationTask, place: int, label: bytes) -> Rng:
    """A stream of random bytes for one item, out of the task's seed.

    The member's secret, the key epoch, the item's place and its label go in, so that neither a repeated seed nor a
    known one alone makes two items' streams equal or foreseeable: one nonce in two epochs' proofs would give it away.
    """
    context = (_RANDOM_DOMAIN, task.hedge_secret, task.seed, task.epoch, place, label)
    stream = hashlib.shake_256(frame(*context)).digest(128)
    taken = 0

    def rng(size: int) -> bytes:
        nonlocal taken
        taken += size
        if taken > len(stream):
            raise InvalidInput("BAD_LENGTH", "more randomness was asked for than a position takes")
        return stream[taken - size : taken]

    return rng
