"""The copy of a position that its author seals for itself inside the entry (design, section 6; protocol, section 7).

From these copies alone a lender that lost its disk rebuilds its book. Others see only which of four sizes a copy has.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise

from google.protobuf.message import DecodeError
from plimsoll.v1 import sealed_pb2

from ledger.borrower import identity
from ledger.crypto.hashing import wide_digest
from ledger.crypto.sealed import OVERHEAD, open_sealed, seal
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.fields import FIELDS
from ledger.positions.loan import SALT_SIZE, Loan

DOMAIN = "plimsoll/v1/sealed-copy"
SIZES = (512, 2_048, 8_192, 32_768)  # bytes of padded plaintext
PSEUDONYM_KEY_SIZE = 64
NONCE_SIZE = 32
MAX_NUMBER = (1 << 63) - 1
MAX_MESSAGE = 1 << 20  # bytes; a compressed copy may not blow up beyond
_LENGTH_SIZE = 4
_PLAINTEXT_LIMIT = 1 << 48
# A loan takes at most 600 bytes before compression: this many fit in any case.
_ALWAYS_FIT = 48
# zlib's window (log2 of bytes) and memory level, for what fits in the window and for the rest.
_SMALL, _LARGE = (12, 4), (15, 8)
_MARGIN = 512  # for how well another key, salt and nonce may compress


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """What the author of a position needs to open it or to rebuild its book.

    borrower: canonical identity. number: of this position for this borrower in this log, from 0. pseudonym_key: 64
    bytes. loans: all folded in, open and closed, ascending by loan_id. salt: of records_digest, 32 bytes. nonce: r, 32
    bytes, and amounts: seven plaintexts by field number; both empty where no loan is open.
    """

    borrower: str = field(repr=False)
    number: int
    pseudonym_key: bytes = field(repr=False)
    loans: tuple[Loan, ...] = field(repr=False)
    salt: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    amounts: tuple[int, ...] = field(repr=False)

    @classmethod
    def from_proto(cls, message: sealed_pb2.SealedPosition) -> SealedCopy:
        """Raises InvalidInput with the path of the field that cannot be."""
        loans = []
        for place, loan in enumerate(message.loans):
            try:
                loans.append(Loan.from_proto(loan))
            except PlimsollError as error:
                raise error.under(f"loans[{place}]") from error
        return check(
            cls(
                message.borrower,
                message.number,
                message.pseudonym_key,
                tuple(loans),
                message.salt,
                message.nonce,
                tuple(message.amounts),
            )
        )

    def to_proto(self) -> sealed_pb2.SealedPosition:
        return sealed_pb2.SealedPosition(
            borrower=self.borrower,
            number=self.number,
            pseudonym_key=self.pseudonym_key,
            loans=[loan.to_proto() for loan in self.loans],
            salt=self.salt,
            nonce=self.nonce,
            amounts=self.amounts,
        )


def check(copy: SealedCopy) -> SealedCopy:
    """The copy itself. Raises InvalidInput."""
    if identity.canonical(copy.borrower) != copy.borrower:
        raise InvalidInput("BAD_IDENTITY", "not in canonical form", "borrower")
    if not 0 <= copy.number <= MAX_NUMBER:
        raise InvalidInput("OUT_OF_RANGE", f"must be 0 to {MAX_NUMBER}", "number")
    ids = [loan.loan_id for loan in copy.loans]
    if not ids or any(a >= b for a, b in pairwise(ids)):
        raise InvalidInput("BAD_ORDER", "must be one or more, in ascending order of loan_id", "loans")
    running = any(loan.open for loan in copy.loans)
    _check_length(len(copy.pseudonym_key), PSEUDONYM_KEY_SIZE, "pseudonym_key")
    _check_length(len(copy.salt), SALT_SIZE, "salt")
    _check_length(len(copy.nonce), NONCE_SIZE if running else 0, "nonce")
    _check_length(len(copy.amounts), len(FIELDS) if running else 0, "amounts")
    for place, amount in enumerate(copy.amounts):
        if not 0 <= amount < _PLAINTEXT_LIMIT:
            raise InvalidInput("OUT_OF_RANGE", "must be below 2^48", f"amounts[{place}]")
    return copy


def seal_copy(
    copy: SealedCopy, backup_key: bytes, consortium: bytes, member: str, label: bytes, rng: Callable[[int], bytes]
) -> bytes:
    """The `sealed` field of a Position: 540, 2,076, 8,220 or 32,796 bytes.

    backup_key, consortium: 32 bytes; label: 16. Raises InvalidInput, TOO_MANY_LOANS where the copy has no room.
    """
    return seal(backup_key, DOMAIN, (consortium, member, label), _pad(_pack(check(copy))), rng)


def open_copy(box: bytes, backup_key: bytes, consortium: bytes, member: str, label: bytes) -> SealedCopy:
    """The copy sealed for exactly this place. Raises Unverified for another key or place or altered bytes, InvalidInput
    for what no `seal_copy` made."""
    if len(box) - OVERHEAD not in SIZES:
        raise InvalidInput("BAD_LENGTH", "not one of the four sizes of a sealed copy", "sealed")
    message = sealed_pb2.SealedPosition()
    try:
        message.ParseFromString(_inflate(_unpad(open_sealed(backup_key, DOMAIN, (consortium, member, label), box))))
    except DecodeError:
        raise InvalidInput("BAD_SEALED_COPY", "not a SealedPosition", "sealed") from None
    try:
        return SealedCopy.from_proto(message)
    except PlimsollError as error:
        raise error.under("sealed") from error


def check_room(borrower: str, loans: Collection[Loan]) -> None:
    """Whether a position over these loans will have room for its sealed copy, asked before anything is promised.

    Raises InvalidInput, TOO_MANY_LOANS. What passes here always passes `seal_copy`.
    """
    if len(loans) <= _ALWAYS_FIT:
        return
    filler = wide_digest("plimsoll/v1/sealed-copy-filler")
    ordered = tuple(sorted(loans, key=lambda loan: loan.loan_id))
    widest = (_PLAINTEXT_LIMIT - 1,) * len(FIELDS)
    _pad(_pack(SealedCopy(borrower, MAX_NUMBER, filler, ordered, filler[:32], filler[32:], widest)) + bytes(_MARGIN))


def _pack(copy: SealedCopy) -> bytes:
    raw = copy.to_proto().SerializeToString(deterministic=True)
    # Setting up zlib's usual 32 KiB window takes five times as long as compressing one borrower's few loans.
    deflate = zlib.compressobj(9, zlib.DEFLATED, *(_SMALL if len(raw) <= 1 << _SMALL[0] else _LARGE))
    return deflate.compress(raw) + deflate.flush()


def _pad(packed: bytes) -> bytes:
    framed = len(packed).to_bytes(_LENGTH_SIZE, "big") + packed
    for size in SIZES:
        if len(framed) <= size:
            return framed.ljust(size, b"\0")
    raise InvalidInput("TOO_MANY_LOANS", "the borrower's loans have no room in one position", "loan_id")


def _unpad(padded: bytes) -> bytes:
    end = _LENGTH_SIZE + int.from_bytes(padded[:_LENGTH_SIZE], "big")
    packed = padded[_LENGTH_SIZE:end]
    if end > len(padded) or _pad(packed) != padded:
        raise InvalidInput("BAD_PADDING", "the padding is not the one that belongs there", "sealed")
    return packed


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, MAX_MESSAGE)
    except zlib.error:
        raise InvalidInput("BAD_COMPRESSION", "not zlib data", "sealed") from None
    if not inflater.eof or inflater.unused_data:
        raise InvalidInput("BAD_COMPRESSION", f"cut short, or followed by more, or above {MAX_MESSAGE} bytes", "sealed")
    return raw


def _check_length(length: int, expected: int, path: str) -> None:
    if length != expected:
        raise InvalidInput("BAD_LENGTH", f"must have length {expected}", path)
