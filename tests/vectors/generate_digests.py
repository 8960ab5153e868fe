"""Writes digests.json: the digests and the sealed copy for which no other file has a known answer (protocol 6, 7, 8).

    python -m tests.vectors.generate_digests

Made by the second implementation in tests/second, without the ledger's code; the same run gives the same bytes, as the
sealed copy is packed without compression (any zlib stream opens). Byte strings are hex.

evaluation_batches: consortium, epoch and elements, and the batch_digest of an Evaluation. loan_records: salt and loans
in no order, and the records_digest; class 0 to 4. heads: (origin, size, root) of each member, and the heads_digest of
an Inquiry; one log is empty. sealed_copies: backup_key, consortium, member, label, nonce and the SealedPosition
(serialized), with the key and aad that follow and the `sealed` field of a Position.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from plimsoll.v1 import sealed_pb2

from tests.second import group, inquiry, merkle, position, selection

FILE = Path(__file__).parent / "digests.json"
CONSORTIUM, SALT = bytes(range(32)), bytes(range(32, 64))
LOANS = [
    ("b-2", "card", 5_000_000, 123_456, 10_000, 0, 0, 0, 1, 20_370),
    ("a-1", "住房贷款", 0, 1 << 40, 0, 99, 365, 4, 1, 20_369),
    ("Z", "", 100, 0, 0, 0, 0, 2, 0, 0),
    ("ä", "x", 1, 2, 3, 4, 5, 1, 1, 6),
]
LOAN_KEYS = (
    "loan_id", "product", "credit_limit", "outstanding", "monthly_due", "overdue", "days_past_due", "classification",
    "open", "as_of",
)  # fmt: skip


def evaluation_batches() -> list[dict[str, Any]]:
    elements = [(number * group.G).encoded for number in (1, 2, 3)]
    cases = [(1, elements[:1]), (1, elements), (2, elements[::-1])]
    return [
        {
            "consortium": CONSORTIUM.hex(),
            "epoch": epoch,
            "elements": [element.hex() for element in batch],
            "batch_digest": inquiry.evaluation_digest(CONSORTIUM, epoch, batch).hex(),
        }
        for epoch, batch in cases
    ]


def loan_records() -> list[dict[str, Any]]:
    return [
        {
            "salt": SALT.hex(),
            "loans": [dict(zip(LOAN_KEYS, loan, strict=True)) for loan in loans],
            "records_digest": position.records_digest(SALT, loans).hex(),
        }
        for loans in ([], LOANS[:1], LOANS)
    ]


def heads() -> list[dict[str, Any]]:
    origins = [f"plimsoll/{CONSORTIUM.hex()}/lender-{number}" for number in (1, 2, 3)]
    used = [(origins[0], 7, SALT), (origins[1], 0, merkle.EMPTY_ROOT), (origins[2], (1 << 63) - 1, CONSORTIUM)]
    listed = [{"origin": origin, "size": size, "root": root.hex()} for origin, size, root in used]
    return [{"heads": listed, "heads_digest": selection.heads_digest(used).hex()}]


def sealed_copies() -> list[dict[str, Any]]:
    loans = [sealed_pb2.Loan() for _ in LOANS]
    for message, loan in zip(loans, sorted(LOANS), strict=True):
        for key, value in zip(LOAN_KEYS, loan, strict=True):
            setattr(message, key, value)
    opened = sealed_pb2.SealedPosition(
        borrower="test:000009", number=3, pseudonym_key=bytes(range(64)), loans=loans, salt=SALT
    )
    opened.nonce, opened.amounts[:] = group.scalar_bytes(12345), [123_456, 10_000, 5_000_000, 64, 1 << 18, 1, 1]
    closed = sealed_pb2.SealedPosition(borrower="test:1", number=0, pseudonym_key=bytes(64), loans=loans[:1], salt=SALT)
    return [_sealed(copy, bytes([number]) * 12) for number, copy in enumerate((opened, closed))]


def _sealed(copy: sealed_pb2.SealedPosition, nonce: bytes) -> dict[str, Any]:
    backup_key, member, label = SALT[::-1], "lender-1", bytes(range(16))
    key, aad = position.sealing(backup_key, CONSORTIUM, member, label)
    raw = copy.SerializeToString(deterministic=True)
    packed = zlib.compress(raw, 0)
    room = next(size for size in (512, 2048, 8192, 32_768) if size >= 4 + len(packed))
    padded = (len(packed).to_bytes(4, "big") + packed).ljust(room, b"\0")
    return {
        "backup_key": backup_key.hex(),
        "consortium": CONSORTIUM.hex(),
        "member": member,
        "label": label.hex(),
        "nonce": nonce.hex(),
        "position": raw.hex(),
        "key": key.hex(),
        "aad": aad.hex(),
        "sealed": (nonce + ChaCha20Poly1305(key).encrypt(nonce, padded, aad)).hex(),
    }


def vectors() -> dict[str, Any]:
    return {
        "evaluation_batches": evaluation_batches(),
        "loan_records": loan_records(),
        "heads": heads(),
        "sealed_copies": sealed_copies(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", "utf-8")
