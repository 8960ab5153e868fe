"""C2SP signed notes with Ed25519 keys (type 01) and timestamped cosignatures (type 04)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.second.refusal import Refused, require

ED25519, COSIGNATURE = 1, 4


@dataclass(frozen=True)
class Key:
    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


@dataclass(frozen=True)
class Note:
    text: str
    # Time by key for cosignatures, None for plain signatures.
    verified: dict[Key, int | None]


def strict_base64(text: str) -> bytes:
    """RFC 4648, section 4, with the padding and without spare bits."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused("MALFORMED", "base64") from error
    require(base64.b64encode(raw).decode() == text, "MALFORMED", "base64 spelt in another way")
    return raw


def verifier_key(text: str) -> Key:
    """`<name>+<key id>+<base64 of type and key>`."""
    name, identifier, encoded = text.split("+", 2)
    raw = strict_base64(encoded)
    key = Key(name, raw[0], raw[1:])
    require(key.id.hex() == identifier and len(key.public) == 32, "MALFORMED", "verifier key")
    return key


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    fields = line.split(" ")
    require(len(fields) == 3 and fields[0] == "—", "MALFORMED", "signature line")
    name, payload = fields[1], strict_base64(fields[2])
    require(name and "+" not in name and not any(c.isspace() for c in name), "MALFORMED", "key name")
    require(len(payload) > 4, "MALFORMED", "no signature")
    return name, payload[:4], payload[4:]


def parse(raw: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text, and (key name, key id, signature) per line."""
    try:
        note = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("MALFORMED", "not UTF-8") from error
    require(all(c >= " " or c == "\n" for c in note), "MALFORMED", "control character")
    cut = note.rfind("\n\n")
    require(cut >= 0 and note.endswith("\n") and len(note) > cut + 2, "MALFORMED", "no signatures")
    return note[: cut + 1], [_signature_line(line) for line in note[cut + 2 : -1].split("\n")]


def open_note(raw: bytes, keys: Iterable[Key]) -> Note:
    """Every signature of a known key must verify, and there must be one."""
    text, lines = parse(raw)
    known = {(key.name, key.id): key for key in keys}
    verified: dict[Key, int | None] = {}
    for name, identifier, signature in lines:
        key = known.get((name, identifier))
        if key and key not in verified:
            verified[key] = _verified_time(key, text, signature)
        elif key:
            _verified_time(key, text, signature)
    require(verified, "UNVERIFIED", "no known key has signed")
    return Note(text, verified)


def _verified_time(key: Key, text: str, signature: bytes) -> int | None:
    time, message = None, text.encode()
    if key.kind == COSIGNATURE:
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature as error:
        raise Refused("UNVERIFIED", key.name) from error
    return time
