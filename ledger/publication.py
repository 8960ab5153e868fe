"""From folded loans to Position entries, in bulk (protocol, 7).

`encrypt_batch` is what a pool of processes runs: a task of 256 to 4,096 drafts goes in pickled, entries come out. The
caller appends the entries of a whole feed run in ascending order of label, so that the feed's own order shows nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger import elgamal
from ledger.elgamal import Ciphertext
from ledger.errors import InvalidInput
from ledger.group import Point, Scalar
from ledger.hashing import frame
from ledger.labels import BorrowerKeys
from ledger.loan import Loan, records_digest
from ledger.position import Position
from ledger.position_entry import PositionEntry
from ledger.sealed_copy import SealedCopy, seal_copy

SEED_SIZE = 32
_RANDOM_DOMAIN = "plimsoll/v1/publication-randomness"


@dataclass(frozen=True, slots=True)
class Draft:
    """One position to be published.

    borrower: canonical identity. pseudonym_key: K_b, 64 bytes. number: of this position for this borrower in this log,
    from 0. loans: all that `position` was folded from, ascending by loan_id.
    """

    borrower: str = field(repr=False)
    pseudonym_key: bytes = field(repr=False)
    number: int
    loans: tuple[Loan, ...] = field(repr=False)
    position: Position = field(repr=False)


@dataclass(frozen=True, slots=True)
class Task:
    """Drafts of one member, and what it takes to encrypt them.

    field_keys: the X_f of key `epoch`. time: Unix seconds, for all entries. backup_key, hedge_secret: 32 secret bytes
    of the member. seed: 32 fresh random bytes for this task alone.
    """

    drafts: tuple[Draft, ...] = field(repr=False)
    consortium: bytes
    member: str
    epoch: int
    field_keys: tuple[Point, ...] = field(repr=False)
    time: int
    backup_key: bytes = field(repr=False)
    hedge_secret: bytes = field(repr=False)
    seed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Published:
    """A finished entry with the label it is filed under."""

    label: bytes = field(repr=False)
    entry: bytes = field(repr=False)


def encrypt_batch(task: Task) -> list[Published]:
    """The entries of a task, in the order of its drafts. Raises InvalidInput with the draft's path."""
    if len(task.seed) != SEED_SIZE or len(task.hedge_secret) != SEED_SIZE:
        raise InvalidInput("BAD_LENGTH", f"must be {SEED_SIZE} bytes", "seed")
    published = []
    for place, draft in enumerate(task.drafts):
        try:
            published.append(_encrypt(task, draft, place))
        except InvalidInput as error:
            raise error.under(f"drafts[{place}]") from error
    return published


def _encrypt(task: Task, draft: Draft, place: int) -> Published:
    query_keys = BorrowerKeys.from_pseudonym_key(draft.pseudonym_key).query
    label = query_keys.positions(task.member)(draft.number)
    rng = _randomness(task, place, label)
    salt = rng(32)
    nonce, ciphertext = _ciphertext(task, draft.position, label, rng)
    copy = SealedCopy(
        draft.borrower, draft.number, draft.pseudonym_key, draft.loans, salt, nonce, draft.position.amounts
    )
    sealed = seal_copy(copy, task.backup_key, task.consortium, task.member, label, rng)
    digest = records_digest(salt, draft.loans)
    entry = PositionEntry(task.time, label, task.epoch, draft.position.as_of, ciphertext, digest, sealed)
    return Published(label, entry.encode())


def _ciphertext(
    task: Task, position: Position, label: bytes, rng: Callable[[int], bytes]
) -> tuple[Scalar, Ciphertext | None]:
    """(r, the ciphertext); nothing of either where the position is closed."""
    if position.closed:
        return b"", None
    r, u = elgamal.hedged_nonces(task.hedge_secret, rng(32), label, position.amounts)
    place = (task.consortium, task.epoch, task.member, label)
    return r, elgamal.encrypt(task.field_keys, position.amounts, r, u, *place)


def _randomness(task: Task, place: int, label: bytes) -> Callable[[int], bytes]:
    """A stream of random bytes for one draft, out of the task's seed.

    The member's secret, the draft's place and its label go in, so that neither a repeated seed nor a known one alone
    makes two drafts' streams equal or foreseeable.
    """
    stream = hashlib.shake_256(frame(_RANDOM_DOMAIN, task.hedge_secret, task.seed, place, label)).digest(128)
    taken = 0

    def rng(size: int) -> bytes:
        nonlocal taken
        taken += size
        if taken > len(stream):
            raise InvalidInput("BAD_LENGTH", "more randomness was asked for than a draft takes")
        return stream[taken - size : taken]

    return rng
