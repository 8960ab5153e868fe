"""Cosignatures of a log's heads (C2SP tlog-cosignature, version 1: Ed25519, signature type 04).

Signed is "cosignature/v1\\ntime <unix seconds>\\n" and the head's whole note text; a line's payload is the time (u64,
big endian) and the signature. It says: at that time this is the largest tree of that origin I have seen, and it extends
what I saw before. The message does not hold the cosigner's name, so a public key must belong to one cosigner only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.crypto import ed25519
from ledger.errors import InvalidInput, Unverified
from ledger.tlog import note
from ledger.tlog.note import COSIGNATURE_V1, Scheme, SignatureLine, VerifierKey

MAX_TIME = (1 << 63) - 1

_TIME_SIZE = 8
_PAYLOAD_SIZE = _TIME_SIZE + ed25519.SIGNATURE_SIZE


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified statement: `key` had seen this head as its log's largest at `time` (unix seconds)."""

    key: VerifierKey
    time: int


class Cosigner:
    """An Ed25519 key (type 04) that cosigns heads. Whether a head deserves it is the caller's to check before."""

    __slots__ = ("_private_key", "key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        """Takes over a private key, never the log's own, under a key name. Raises InvalidInput for a bad name."""
        self._private_key = private_key
        self.key = VerifierKey(name, COSIGNATURE_V1, ed25519.public_bytes(private_key))

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Cosigner:
        """From the 32 secret bytes of RFC 8032. Raises InvalidInput."""
        return cls(name, ed25519.private_key(seed))

    def cosign(self, text: str, time: int) -> SignatureLine:
        """This key's line for a head's note text at `time` (unix seconds). Raises InvalidInput."""
        note.check_text(text)
        signature = self._private_key.sign(_message(text, time))
        return SignatureLine(self.key.name, self.key.key_id, time.to_bytes(_TIME_SIZE, "big") + signature)

    def __repr__(self) -> str:
        return f"Cosigner({self.key})"


def verify_cosignature(text: str, line: SignatureLine, key: VerifierKey) -> int:
    """The time (unix seconds) at which `key` cosigned this note text.

    Raises InvalidInput for a key of another type or a payload that is no cosignature, Unverified where the line is by
    another key or its signature fails.
    """
    if key.type != COSIGNATURE_V1:
        raise InvalidInput("BAD_KEY_TYPE", "not a cosigning key (type 04)", "key")
    if not line.is_by(key):
        raise Unverified("WRONG_KEY", "the cosignature is by another key", "signature")
    time = _time_of(line)
    if not ed25519.signature_is_valid(key.public_key, line.payload[_TIME_SIZE:], _message(text, time)):
        raise Unverified("BAD_SIGNATURE", f"the cosignature of {key.name} fails", "signature")
    return time


def _scheme(text: str, line: SignatureLine, key: VerifierKey) -> bool:
    try:
        verify_cosignature(text, line, key)
    except (InvalidInput, Unverified):
        return False
    return True


SCHEMES: Mapping[int, Scheme] = MappingProxyType({**note.SCHEMES, COSIGNATURE_V1: _scheme})
"""For `note.verify_note`: both Ed25519 signature types."""


def cosignature_of(line: SignatureLine, key: VerifierKey) -> Cosignature:
    """What a line says that `note.verify_note` has verified under `key`. Raises InvalidInput."""
    return Cosignature(key, _time_of(line))


def _time_of(line: SignatureLine) -> int:
    if len(line.payload) != _PAYLOAD_SIZE:
        raise InvalidInput("BAD_COSIGNATURE", f"a cosignature is {_PAYLOAD_SIZE} bytes", "signature")
    return _checked_time(int.from_bytes(line.payload[:_TIME_SIZE], "big"))


def _checked_time(time: int) -> int:
    if not 0 <= time <= MAX_TIME:
        raise InvalidInput("BAD_TIME", "a cosignature's time is in 0 .. 2^63 - 1 seconds", "time")
    return time


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {_checked_time(time)}\n{text}".encode()
