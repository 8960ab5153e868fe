"""The lender's half: an opening out of the entry and the copy that its author sealed for itself (protocol, 21)."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.borrower.labels import BorrowerKeys
from ledger.crypto.group import Point
from ledger.disclosure.opening import LabelOpening, Opening
from ledger.errors import NotFound
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import open_copy


def disclose(
    consortium: bytes,
    member: str,
    borrower: str,
    entry: bytes,
    receipt: bytes,
    public_keys: Sequence[Point],
    backup_key: bytes,
    *,
    show_label: bool = False,
) -> Opening:
    """The opening of this member's own Position entry. public_keys: X_f by field number; backup_key: 32 bytes.

    borrower: canonical identity of whom the position must be about. show_label: with the borrower's label key. Raises
    InvalidInput for an entry that is none, Unverified where its copy does not open, NotFound (OTHER_BORROWER).
    """
    position = PositionEntry.parse(entry)
    copy = open_copy(position.sealed, backup_key, consortium, member, position.label)
    if copy.borrower != borrower:
        raise NotFound("OTHER_BORROWER", "this position is not about that borrower", "index")
    return Opening(
        consortium=consortium,
        member=member,
        entry=entry,
        receipt=receipt,
        public_keys=() if position.closed else tuple(public_keys),
        loans=copy.loans,
        salt=copy.salt,
        nonce=copy.nonce,
        amounts=copy.amounts,
        label=LabelOpening(BorrowerKeys.from_pseudonym_key(copy.pseudonym_key).query.label_key, copy.number)
        if show_label
        else None,
    )
