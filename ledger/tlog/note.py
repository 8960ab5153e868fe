"""Signed notes and verifier keys (C2SP signed-note).

    <text, ends in \\n>\\n<signature lines>            a line: U+2014 SP <key name> SP base64(key ID[4] || payload) \\n
    <key name>+<8 hex of key ID>+base64(type || key)    a verifier key

Signed is the text with its final newline. Text may hold blank lines, so the last one parts text from signatures. A
signature line may be added, dropped or replaced by anyone who relays a note: a note's bytes are nobody's identity.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.crypto import ed25519
from ledger.crypto.ed25519 import check_ed25519_public_key
from ledger.errors import InvalidInput, Unverified
from ledger.strict import decode_base64, encode_base64

__all__ = [
    "COSIGNATURE_V1",
    "ED25519",
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "ML_DSA_44",
    "SCHEMES",
    "Note",
    "Scheme",
    "SignatureLine",
    "Signer",
    "VerifierKey",
    "check_ed25519_public_key",
    "check_key_name",
    "check_text",
    "parse_note",
    "verify_note",
]

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
ML_DSA_44 = 0x06  # known by number only: its keys and signatures pass through unread

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 256

_KEY_ID_SIZE = 4
_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x1f]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID_TEXT = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key of one signature type.

    name: not empty, no white space, no "+". public_key: 32 raw bytes for the two Ed25519 types, any for others.
    key_id: 4 bytes, SHA-256(name || 0x0A || type || public_key)[:4].
    The constructor checks shapes; `parse` refuses weak Ed25519 points too, as keys then come from outside.
    """

    name: str
    type: int
    public_key: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        check_key_name(self.name, "name")
        if not 0 <= self.type <= 0xFF:
            raise InvalidInput("BAD_KEY_TYPE", "a signature type is one byte", "type")
        if not self.public_key or (self._is_ed25519() and len(self.public_key) != ed25519.PUBLIC_KEY_SIZE):
            raise InvalidInput("BAD_PUBLIC_KEY", "a public key of the wrong length for its type", "public_key")
        preimage = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        object.__setattr__(self, "key_id", hashlib.sha256(preimage).digest()[:_KEY_ID_SIZE])

    def __str__(self) -> str:
        """The one-line form that `parse` reads."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, text: str, path: str = "key") -> VerifierKey:
        """Reads `<name>+<hex key ID>+<base64>` (no newline). Raises InvalidInput."""
        parts = text.split("+", 2)
        if len(parts) != 3 or _KEY_ID_TEXT.fullmatch(parts[1]) is None:
            raise InvalidInput("BAD_VERIFIER_KEY", "a verifier key is <name>+<8 hex digits>+<base64>", path)
        material = decode_base64(parts[2], path)
        if not material:
            raise InvalidInput("BAD_VERIFIER_KEY", "the key material is empty", path)
        try:
            key = cls(parts[0], material[0], material[1:])
        except InvalidInput as error:
            raise error.under(path) from error
        if key.key_id.hex() != parts[1]:
            raise InvalidInput("BAD_KEY_ID", "the key ID does not belong to this name and key", path)
        if key._is_ed25519():
            check_ed25519_public_key(key.public_key, path)
        return key

    def _is_ed25519(self) -> bool:
        return self.type in (ED25519, COSIGNATURE_V1)


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line. key_id: 4 bytes; payload: what follows it, at least 1 byte; its meaning is the key type's."""

    name: str
    key_id: bytes
    payload: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name, "name")
        if len(self.key_id) != _KEY_ID_SIZE or not self.payload:
            raise InvalidInput(
                "BAD_SIGNATURE_LINE", "a signature is a key ID of 4 bytes and at least 1 more", "payload"
            )

    def __str__(self) -> str:
        """The line without its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.payload)}"

    @classmethod
    def parse(cls, text: str, path: str = "signature") -> SignatureLine:
        """Reads one line without its newline. Raises InvalidInput."""
        parts = text.removeprefix(_DASH).split(" ")
        if not text.startswith(_DASH) or len(parts) != 2:
            raise InvalidInput("BAD_SIGNATURE_LINE", "a signature line is <em dash> <key name> <base64>", path)
        raw = decode_base64(parts[1], path)
        try:
            return cls(parts[0], raw[:_KEY_ID_SIZE], raw[_KEY_ID_SIZE:])
        except InvalidInput as error:
            raise error.under(path) from error

    def is_by(self, key: VerifierKey) -> bool:
        """Whether the line claims this key: name and key ID together name it."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A text (ends in a newline, no other control character) and 1 .. 256 signature lines, none verified yet."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __post_init__(self) -> None:
        check_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise InvalidInput("BAD_SIGNATURE_COUNT", f"a note has 1 to {MAX_SIGNATURES} signatures", "signatures")

    def encode(self) -> bytes:
        """The note's bytes, of which `parse_note` makes the same note. Raises InvalidInput above 1 MiB."""
        lines = "".join(f"{line}\n" for line in self.signatures)
        raw = f"{self.text}\n{lines}".encode()
        if len(raw) > MAX_NOTE_BYTES:
            raise InvalidInput("NOTE_TOO_LARGE", f"a note is at most {MAX_NOTE_BYTES} bytes")
        return raw

    def with_signatures(self, lines: Iterable[SignatureLine]) -> Note:
        """The same text with these lines too; one replaces an older one of its key, so verify before you add.

        Raises InvalidInput above 256 lines.
        """
        by_key = {(line.name, line.key_id): line for line in (*self.signatures, *lines)}
        return Note(self.text, tuple(by_key.values()))


def parse_note(raw: bytes) -> Note:
    """Reads a note of at most 1 MiB; verifies nothing. Raises InvalidInput."""
    if len(raw) > MAX_NOTE_BYTES:
        raise InvalidInput("NOTE_TOO_LARGE", f"a note is at most {MAX_NOTE_BYTES} bytes")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_NOTE", "a note is UTF-8") from error
    head, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise InvalidInput("BAD_NOTE", "a note is text, a blank line and signature lines, each ending in a newline")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:  # before any is read: a note of 1 MiB could hold 70,000
        raise InvalidInput("BAD_SIGNATURE_COUNT", f"a note has 1 to {MAX_SIGNATURES} signatures", "signatures")
    signatures = tuple(SignatureLine.parse(line, f"signatures[{number}]") for number, line in enumerate(lines))
    return Note(head + "\n", signatures)


Scheme = Callable[[str, SignatureLine, VerifierKey], bool]
"""Whether a line is the key's signature of the text."""


def _ed25519_scheme(text: str, line: SignatureLine, key: VerifierKey) -> bool:
    return ed25519.signature_is_valid(key.public_key, line.payload, text.encode())


SCHEMES: Mapping[int, Scheme] = MappingProxyType({ED25519: _ed25519_scheme})


def verify_note(
    note: Note, keys: Iterable[VerifierKey], schemes: Mapping[int, Scheme] = SCHEMES
) -> tuple[tuple[VerifierKey, SignatureLine], ...]:
    """The lines that `keys` made, with their keys, in the note's order and each key once.

    Lines of unknown keys are ignored, and so are keys of a type without a scheme (`cosignature.SCHEMES` adds type 04).
    Raises Unverified where one line of a known key fails or none is left, InvalidInput where two different keys go by
    one name and key ID.
    """
    known = _by_identity(key for key in keys if key.type in schemes)
    verified: dict[VerifierKey, SignatureLine] = {}
    for number, line in enumerate(note.signatures):
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not schemes[key.type](note.text, line, key):
            raise Unverified("BAD_SIGNATURE", f"the signature of {line.name} fails", f"signatures[{number}]")
        verified.setdefault(key, line)
    if not verified:
        raise Unverified("NO_KNOWN_SIGNATURE", "no signature is by a known key", "signatures")
    return tuple(verified.items())


class Signer:
    """An Ed25519 key (type 01) that signs note texts. Deterministic (RFC 8032): the same text, the same line."""

    __slots__ = ("_private_key", "key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        """Takes over a private key under a key name. Raises InvalidInput for a bad name."""
        self._private_key = private_key
        self.key = VerifierKey(name, ED25519, ed25519.public_bytes(private_key))

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Signer:
        """From the 32 secret bytes of RFC 8032. Raises InvalidInput."""
        return cls(name, ed25519.private_key(seed))

    def sign(self, text: str) -> SignatureLine:
        """This key's line for the text. Raises InvalidInput for a text that no note may hold."""
        check_text(text)
        return SignatureLine(self.key.name, self.key.key_id, self._private_key.sign(text.encode()))

    def __repr__(self) -> str:
        return f"Signer({self.key})"


def check_key_name(name: str, path: str) -> None:
    """Refuses a key name that is empty or holds white space, a control character or "+". Raises InvalidInput."""
    if not name or "+" in name or any(map(str.isspace, name)) or _CONTROL.search(name) or not _is_utf8(name):
        raise InvalidInput("BAD_KEY_NAME", "a key name is not empty and has no space, control character or '+'", path)


def check_text(text: str) -> None:
    """Refuses what no note's text can be. Raises InvalidInput."""
    if not text.endswith("\n") or _CONTROL_BUT_NEWLINE.search(text) or not _is_utf8(text):
        raise InvalidInput(
            "BAD_NOTE_TEXT", "a note's text ends in a newline and has no other control character", "text"
        )


def _is_utf8(text: str) -> bool:
    """False for lone surrogates, the one thing a str may hold that UTF-8 does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_identity(keys: Iterable[VerifierKey]) -> dict[tuple[str, bytes], VerifierKey]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise InvalidInput("AMBIGUOUS_KEY", f"two keys of {key.name} share a key ID", "keys")
    return known
