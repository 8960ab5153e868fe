"""Heads: the signed size and root of a log (C2SP tlog-checkpoint), and the names of logs (design section 4).

    <origin>\\n<tree size>\\n<base64(root)>\\n

The log key's name is the origin. Extension lines are refused: witnesses do not sign them, monitors cannot audit them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.errors import InvalidInput, Unverified
from ledger.strict import decode_base64, encode_base64, parse_decimal
from ledger.tlog import cosignature, merkle
from ledger.tlog.cosignature import Cosignature
from ledger.tlog.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    Signer,
    VerifierKey,
    check_key_name,
    parse_note,
    verify_note,
)

_CONSORTIUM_ID = re.compile(r"[0-9a-f]{64}")
_INCARNATION = re.compile(r"(.*)\.([1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """The tree of `size` entries of the log `origin` has this root (32 bytes; SHA-256("") for size 0)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_key_name(self.origin, "origin")
        if not 0 <= self.size <= merkle.MAX_SIZE:
            raise InvalidInput("BAD_SIZE", "a tree size is an integer in 0 .. 2^63 - 1", "size")
        if len(self.root) != merkle.HASH_SIZE or (self.size == 0 and self.root != merkle.EMPTY_ROOT):
            raise InvalidInput("BAD_HASH", "a root is 32 bytes, and that of no entries is SHA-256 of nothing", "root")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head whose log signature has been verified.

    note: as received, to be passed on. cosignatures: the verified ones, one a key. Two are equal if their heads are:
    signature lines come and go on the way.
    """

    head: Head
    note: Note = field(compare=False)
    cosignatures: tuple[Cosignature, ...] = field(default=(), compare=False)


def head_text(head: Head) -> str:
    """The note text of a head."""
    return f"{head.origin}\n{head.size}\n{encode_base64(head.root)}\n"


def parse_head_text(text: str) -> Head:
    """Reads a head's note text; three lines and no more. Raises InvalidInput."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "":
        raise InvalidInput("BAD_HEAD", "a head is three lines: origin, size and root")
    if len(lines) > 3:
        raise InvalidInput("EXTENSION_LINES", "a head here has no extension lines")
    return Head(lines[0], parse_decimal(lines[1], "size", merkle.MAX_SIZE), decode_base64(lines[2], "root"))


def sign_head(head: Head, signer: Signer) -> SignedHead:
    """The head under its log's key. The same head gives the same bytes. Raises InvalidInput for another log's key."""
    if signer.key.name != head.origin:
        raise InvalidInput("WRONG_ORIGIN", "a head is signed by the key of its own log", "origin")
    text = head_text(head)
    return SignedHead(head, Note(text, (signer.sign(text),)))


def open_head(raw: bytes, log_key: VerifierKey, cosigner_keys: Iterable[VerifierKey] = ()) -> SignedHead:
    """Reads and verifies a head: the log's own signature, and every cosignature by one of `cosigner_keys`.

    Raises InvalidInput for bytes that are no head or keys of the wrong type, Unverified where a signature by a known
    key fails, the log's is missing, or the head is of another log.
    """
    note = parse_note(raw)
    head = parse_head_text(note.text)
    cosigners = _checked_keys(log_key, cosigner_keys)
    if head.origin != log_key.name:
        raise Unverified("WRONG_ORIGIN", "the head is of another log", "origin")
    verified = verify_note(note, (log_key, *cosigners), cosignature.SCHEMES)
    if all(key != log_key for key, _ in verified):
        raise Unverified("NO_LOG_SIGNATURE", "the log itself has not signed this head", "signatures")
    statements = (cosignature.cosignature_of(line, key) for key, line in verified if key != log_key)
    return SignedHead(head, note, tuple(statements))


def log_origin(consortium_id_hex: str, member: str, incarnation: int = 1) -> str:
    """The origin of a member's log, "plimsoll/<id>/<member>", from its second incarnation on with ".<incarnation>".

    Raises InvalidInput for an id that is not 64 lowercase hex digits, a member name with "/" or one that would read as
    another member's later incarnation.
    """
    if _CONSORTIUM_ID.fullmatch(consortium_id_hex) is None:
        raise InvalidInput("BAD_CONSORTIUM_ID", "a consortium id is 64 lowercase hex digits", "consortium_id")
    check_key_name(member, "member")
    if "/" in member or _INCARNATION.fullmatch(member):
        raise InvalidInput("BAD_MEMBER", "a member's name has no '/' and does not end in a dot and a number", "member")
    if incarnation < 1:
        raise InvalidInput("BAD_INCARNATION", "incarnations count from 1", "incarnation")
    suffix = f".{incarnation}" if incarnation > 1 else ""
    return f"plimsoll/{consortium_id_hex}/{member}{suffix}"


def parse_origin(origin: str) -> tuple[str, str, int]:
    """(consortium id, member, incarnation) of an origin that `log_origin` made. Raises InvalidInput."""
    parts = origin.split("/")
    if len(parts) != 3 or parts[0] != "plimsoll":
        raise InvalidInput("BAD_ORIGIN", "an origin is plimsoll/<consortium id>/<member>", "origin")
    later = _INCARNATION.fullmatch(parts[2])
    member, incarnation = (later[1], parse_decimal(later[2], "origin")) if later else (parts[2], 1)
    if log_origin(parts[1], member, incarnation) != origin:  # ".1" is not written
        raise InvalidInput("BAD_ORIGIN", "an origin is plimsoll/<consortium id>/<member>", "origin")
    return parts[1], member, incarnation


def _checked_keys(log_key: VerifierKey, cosigner_keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The cosigners' keys, each type and each public key where it belongs."""
    cosigners = tuple(cosigner_keys)
    if log_key.type != ED25519 or any(key.type != COSIGNATURE_V1 for key in cosigners):
        raise InvalidInput("BAD_KEY_TYPE", "a log signs by type 01 and a cosigner by type 04", "keys")
    if len({key.public_key for key in cosigners}) != len(set(cosigners)):
        # The signed message does not hold the cosigner's name: one signature would count for both.
        raise InvalidInput("SHARED_KEY", "two cosigners have one public key", "keys")
    return cosigners
