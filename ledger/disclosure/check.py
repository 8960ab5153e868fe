"""Verifying an opening, step by step (protocol, 21). Needs the consortium's manifests and nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ledger.borrower.labels import POSITION, Labels
from ledger.challenges.challenged import bands_of
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.crypto import elgamal
from ledger.crypto.group import Point
from ledger.disclosure.opening import Opening
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.positions.loan import records_digest
from ledger.positions.position import Position, fold
from ledger.positions.position_entry import PositionEntry
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.receipt import Receipt
from ledger.witnessing.cosigned import seats, witnesses


@dataclass(frozen=True, slots=True)
class Shown:
    """What a verified opening shows. position: the entry; index: its place in the log `origin`; size: of the tree that
    the receipt is under. cosigned: by member other than the author, when it saw that tree, Unix seconds by its clock.

    keys_known: whether the public keys were compared. counts: False where the manifests end that log before this entry.
    """

    opening: Opening = field(repr=False)
    position: PositionEntry
    origin: str
    index: int
    size: int
    cosigned: tuple[tuple[str, int], ...]
    keys_known: bool
    counts: bool

    @property
    def leaf(self) -> bytes:
        """The entry's leaf hash, by which transcripts and challenges name it."""
        return merkle.leaf_hash(self.opening.entry)


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A verified one. cosigned: by member other than the author, when."""

    index: int
    head: Head
    cosigned: Mapping[str, int]


def verify(raw: bytes, history: History, public_keys: Sequence[Point] | None = None) -> Shown:
    """Everything that the file can show. public_keys: X_f by field number, where the verifier knows them.

    Raises InvalidInput for a file that is no opening (D1, with the path), else Unverified, its reason the step's:
    OTHER_CONSORTIUM, NOT_A_MEMBER (D2), BAD_RECEIPT (D3), BAD_ENTRY (D4), OTHER_KEYS, BAD_PROOF (D5), OTHER_RECORDS
    (D6), OTHER_POSITION (D7), OTHER_CIPHERTEXT (D8), OTHER_LABEL (D9).
    """
    opening = Opening.parse(raw)
    _check_author(opening, history)
    receipt = _check_receipt(opening, history)
    position = _check_entry(opening, history)
    if not position.closed:
        _check_keys(opening, position, public_keys)
    _check_records(opening, position)
    _check_position(opening, position, history)
    if not position.closed:
        _check_ciphertext(opening, position)
    if opening.label is not None:
        label = Labels(opening.label.key, POSITION, opening.member)(opening.label.number)
        _require(hmac.compare_digest(label, position.label), "D9", "OTHER_LABEL", "this key and number", "label")
    return Shown(
        opening=opening,
        position=position,
        origin=receipt.head.origin,
        index=receipt.index,
        size=receipt.head.size,
        cosigned=tuple(receipt.cosigned.items()),
        keys_known=public_keys is not None and not position.closed,
        counts=_counts(history, receipt.head.origin, receipt.index),
    )


def _check_author(opening: Opening, history: History) -> None:
    if opening.consortium != history.consortium:
        raise Unverified("OTHER_CONSORTIUM", "D2: the opening is of another consortium", "consortium")
    if opening.member not in history.names:
        raise Unverified("NOT_A_MEMBER", "D2: there is and was no such member", "member")


def _check_receipt(opening: Opening, history: History) -> _Receipt:
    """Every line of the head's note counts: none may be changed, and none may be there that nobody can verify.

    All are verified under one manifest: a member's key may have another name under another one.
    """
    failure: PlimsollError = Unverified("WRONG_ORIGIN", "that is no log of this member")
    try:
        receipt = Receipt.parse(opening.receipt)
    except InvalidInput as error:
        raise _bad_receipt(error) from error
    for manifest, member in seats(history, receipt.claimed_head.origin):
        if member == opening.member:
            try:
                return _verified(opening, receipt, manifest)
            except PlimsollError as error:
                failure = error
    raise _bad_receipt(failure) from failure


def _verified(opening: Opening, receipt: Receipt, manifest: Manifest) -> _Receipt:
    cosigners = [manifest.cosigner_key(each.name) for each in manifest.members]
    signed = receipt.verify(opening.entry, manifest.log_key(opening.member), cosigners)
    if len(signed.note.signatures) != 1 + len(signed.cosignatures) or receipt.encode() != opening.receipt:
        raise Unverified("UNKNOWN_SIGNATURE", "it has signatures of others than members, or one twice")
    return _Receipt(receipt.index, signed.head, witnesses(signed, manifest, opening.member))


def _bad_receipt(error: PlimsollError) -> Unverified:
    return Unverified("BAD_RECEIPT", f"D3: the receipt does not show the entry: {error}", "receipt")


def _check_entry(opening: Opening, history: History) -> PositionEntry:
    try:
        position = PositionEntry.parse(opening.entry)
    except InvalidInput as error:
        raise Unverified("BAD_ENTRY", f"D4: the entry is no sound Position: {error.message}", "entry") from error
    if not 1 <= position.epoch <= history.current.epoch:
        raise Unverified("BAD_ENTRY", "D4: the entry names a key epoch that there is not", "entry")
    if position.closed == bool(opening.nonce):
        raise Unverified("BAD_ENTRY", "D4: a closed position has no nonce, any other has one", "nonce")
    return position


def _check_keys(opening: Opening, position: PositionEntry, known: Sequence[Point] | None) -> None:
    assert position.ciphertext is not None
    if known is not None and tuple(known) != opening.public_keys:
        raise Unverified("OTHER_KEYS", "D5: the public keys are not the consortium's", "public_keys")
    place = (opening.consortium, position.epoch, opening.member, position.label)
    try:
        elgamal.verify(position.ciphertext, opening.public_keys, *place)
    except PlimsollError as error:
        message = f"D5: the entry's own proof does not hold under these public keys: {error}"
        raise Unverified("BAD_PROOF", message, "public_keys") from error


def _check_records(opening: Opening, position: PositionEntry) -> None:
    ids = [loan.loan_id for loan in opening.loans]
    _require(all(a < b for a, b in pairwise(ids)), "D6", "OTHER_RECORDS", "the order of the loans", "loans")
    digest = records_digest(opening.salt, opening.loans)
    same = hmac.compare_digest(digest, position.records_digest)
    _require(same, "D6", "OTHER_RECORDS", "the digest of these loans and this salt", "loans")


def _check_position(opening: Opening, position: PositionEntry, history: History) -> None:
    try:
        folded = fold(opening.loans, bands_of(history.current))
    except InvalidInput as error:
        raise Unverified("OTHER_POSITION", f"D7: the loans make no position: {error}", "loans") from error
    same = folded == Position(opening.amounts, position.as_of, position.closed)
    _require(same, "D7", "OTHER_POSITION", "the position that these loans add up to", "amounts")


def _check_ciphertext(opening: Opening, position: PositionEntry) -> None:
    assert position.ciphertext is not None
    points = elgamal.points_of(opening.public_keys, opening.amounts, opening.nonce)
    same = points == (position.ciphertext.nonce_point, position.ciphertext.bodies)
    _require(same, "D8", "OTHER_CIPHERTEXT", "the ciphertext of these amounts under this nonce", "nonce")


def _require(condition: bool, step: str, reason: str, what: str, path: str) -> None:
    if not condition:
        raise Unverified(reason, f"{step}: {what} is not what the entry has", path)


def _counts(history: History, origin: str, index: int) -> bool:
    ended = {history.current.ended_key(log).name: log.size for log in history.current.ended}
    return index < ended.get(origin, index + 1)
