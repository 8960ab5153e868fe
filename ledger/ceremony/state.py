"""What one custodian must not forget between two steps of a key ceremony; secret, so stored encrypted and kept out of
backups (design, section 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import InvalidInput
from ledger.keys import SecretShares
from ledger.strict import decode_base64, encode_base64

FORMAT = "plimsoll/v1/ceremony-state"
MAX_ATTEMPT = 1 << 32


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """The state of one attempt, whose id is `ceremony`.

    hpke_private: opens what is sealed to this custodian, 32 bytes; empty once the shares are out of it, or if it is
    lost. bundles: the shares dealt, by receiver, for as long as one may complain. entries: the bytes of every entry
    decided on, in order, whether or not they made it into the log. shares: once the keys are final.
    """

    ceremony: bytes
    attempt: int
    hpke_private: bytes = field(default=b"", repr=False)
    bundles: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    entries: tuple[bytes, ...] = field(default=(), repr=False)
    shares: SecretShares | None = None

    def to_bytes(self) -> bytes:
        """For encrypted storage only; `from_bytes` reads it."""
        plain = {
            "format": FORMAT,
            "ceremony": encode_base64(self.ceremony),
            "attempt": self.attempt,
            "hpke_private": encode_base64(self.hpke_private),
            "bundles": {str(index): encode_base64(bundle) for index, bundle in self.bundles.items()},
            "entries": [encode_base64(entry) for entry in self.entries],
            "shares": encode_base64(self.shares.to_bytes()) if self.shares else "",
        }
        return json.dumps(plain).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> ParticipantState:
        """Reads what `to_bytes` wrote. Raises InvalidInput."""
        try:
            plain = json.loads(raw)
            if plain["format"] != FORMAT:
                raise InvalidInput("BAD_STATE", "the stored ceremony state is of another format")
            return cls._read(plain)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InvalidInput("BAD_STATE", "this is not the stored state of a key ceremony") from error

    @classmethod
    def _read(cls, plain: dict[str, Any]) -> ParticipantState:
        shares = decode_base64(plain["shares"], "shares")
        attempt, entries = plain["attempt"], plain["entries"]
        if type(attempt) is not int or not 1 <= attempt < MAX_ATTEMPT or type(entries) is not list:
            raise TypeError
        return cls(
            ceremony=decode_base64(plain["ceremony"], "ceremony"),
            attempt=attempt,
            hpke_private=decode_base64(plain["hpke_private"], "hpke_private"),
            bundles={int(index): decode_base64(bundle, "bundles") for index, bundle in plain["bundles"].items()},
            entries=tuple(decode_base64(entry, "entries") for entry in entries),
            shares=SecretShares.from_bytes(shares) if shares else None,
        )
