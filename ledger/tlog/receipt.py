"""Receipts: proofs, standing alone, that an entry is in a log (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1\\nindex <decimal>\\n<base64 hash>\\n ...\\n\\n<head, verbatim, with cosignatures>

The format's optional "extra" line is unauthenticated; no receipt here has one, and one that has is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.errors import InvalidInput, Unverified
from ledger.strict import decode_base64, encode_base64, parse_decimal
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, open_head, parse_head_text
from ledger.tlog.note import MAX_NOTE_BYTES, VerifierKey, parse_note

MAX_RECEIPT_BYTES = MAX_NOTE_BYTES + 4096  # 63 hashes of 45 bytes a line, and the two lines before them

_FIRST_LINE = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An index, its inclusion path (32 bytes each, the leaf's sibling first) and the head's note, as bytes.

    claimed_head: what that note says; nothing of it is verified before `verify` or `check_under`. The shape is checked:
    the head parses, the index is below its size, the path has the one possible length.
    """

    index: int
    path: tuple[bytes, ...]
    head_note: bytes
    claimed_head: Head = field(init=False, compare=False)

    def __post_init__(self) -> None:
        try:
            head = parse_head_text(parse_note(self.head_note).text)
        except InvalidInput as error:
            raise error.under("head") from error
        merkle.check_inclusion_path(self.index, head.size, self.path)
        object.__setattr__(self, "claimed_head", head)

    def encode(self) -> bytes:
        """The receipt's bytes, of which `parse` makes the same receipt."""
        lines = [_FIRST_LINE, f"index {self.index}", *map(encode_base64, self.path), "", ""]
        return "\n".join(lines).encode() + self.head_note

    @classmethod
    def parse(cls, raw: bytes) -> Receipt:
        """Reads a receipt; verifies nothing. Raises InvalidInput."""
        if len(raw) > MAX_RECEIPT_BYTES:
            raise InvalidInput("RECEIPT_TOO_LARGE", f"a receipt is at most {MAX_RECEIPT_BYTES} bytes")
        proof, blank, head_note = raw.partition(b"\n\n")
        lines = proof.decode("ascii", "replace").split("\n")
        if not blank or len(lines) < 2 or lines[0] != _FIRST_LINE or not lines[1].startswith("index "):
            raise InvalidInput("BAD_RECEIPT", f"a receipt starts with {_FIRST_LINE} and its index")
        index = parse_decimal(lines[1].removeprefix("index "), "index", merkle.MAX_SIZE)
        path = tuple(decode_base64(line, f"path[{number}]") for number, line in enumerate(lines[2:]))
        return cls(index, path, head_note)

    def verify(self, entry: bytes, log_key: VerifierKey, cosigner_keys: Iterable[VerifierKey] = ()) -> SignedHead:
        """The verified head under which `entry` (its bytes as logged) stands at `index`.

        Raises Unverified where a signature or the path fails, InvalidInput for keys of the wrong type.
        """
        signed = open_head(self.head_note, log_key, cosigner_keys)
        self.check_under(entry, signed.head)
        return signed

    def check_under(self, entry: bytes, verified_head: Head) -> None:
        """Checks the receipt under a head verified before, which must be its own. Raises Unverified."""
        if self.claimed_head != verified_head:  # a path alone does not bind the tree's size
            raise Unverified("WRONG_HEAD", "the receipt is under another head", "head")
        leaf = merkle.leaf_hash(entry)
        merkle.verify_inclusion(leaf, self.index, verified_head.size, self.path, verified_head.root)
