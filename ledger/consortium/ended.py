"""A log that nobody writes any more, as a manifest lists it (design sections 4 and 7).

log = "lender-4"
log_key = "<base64 of 32 bytes>"
size = 1200
root = "<base64 of 32 bytes>"

Its first `size` entries go on counting as its member's own, ahead of those of the member's next log; what was appended
beyond them does not. The log's name has its incarnation, from the second on: "lender-4.2".
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.consortium.caller import check_name
from ledger.errors import InvalidInput
from ledger.strict import decode_base64, encode_base64, parse_decimal
from ledger.tlog import merkle
from ledger.tlog.checkpoint import log_origin
from ledger.tlog.note import check_ed25519_public_key
from ledger.toml import Table, quote


@dataclass(frozen=True, slots=True)
class EndedLog:
    """incarnation: which of the member's logs, from 1. log_key: raw Ed25519 public key. root: of the first `size`."""

    member: str
    incarnation: int
    log_key: bytes
    size: int
    root: bytes

    @property
    def name(self) -> str:
        """As the manifest has it."""
        return self.member if self.incarnation == 1 else f"{self.member}.{self.incarnation}"

    def origin(self, consortium_id_hex: str) -> str:
        """The log's origin. Raises InvalidInput."""
        return log_origin(consortium_id_hex, self.member, self.incarnation)


def read_ended(table: Table) -> EndedLog:
    """Takes the four keys out of the table, which must then be empty. Raises InvalidInput."""
    member, dot, number = table.text("log").partition(".")
    check_name(member, table.path("log"))
    incarnation = parse_decimal(number, table.path("log")) if dot else 1
    if dot and incarnation < 2:
        raise InvalidInput("BAD_INCARNATION", "a first log has no number", table.path("log"))
    key = decode_base64(table.text("log_key"), table.path("log_key"))
    check_ed25519_public_key(key, table.path("log_key"))
    size = table.integer("size", 0, merkle.MAX_SIZE)
    root = decode_base64(table.text("root"), table.path("root"))
    if len(root) != merkle.HASH_SIZE or (size == 0 and root != merkle.EMPTY_ROOT):
        raise InvalidInput(
            "BAD_HASH", "a root is 32 bytes, and that of no entries is SHA-256 of nothing", table.path("root")
        )
    table.finish()
    return EndedLog(member, incarnation, key, size, root)


def render_ended(log: EndedLog) -> str:
    """The block, four lines."""
    return (
        f"log = {quote(log.name)}\n"
        f"log_key = {quote(encode_base64(log.log_key))}\n"
        f"size = {log.size}\n"
        f"root = {quote(encode_base64(log.root))}\n"
    )
