"""What a member must not forget of its part in all key epochs; secret, so stored encrypted and kept out of backups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.ceremony.state import FORMAT as PARTICIPANT_FORMAT
from ledger.errors import InvalidInput
from ledger.strict import decode_base64, encode_base64

FORMAT = "plimsoll/v1/keeper-state"


@dataclass(frozen=True, slots=True)
class KeeperState:
    """participants: the states of its part in each epoch's ceremony, secret.

    final_since: Unix seconds by epoch, when this member first saw that it is final; of epochs after one of which it has
    a state.
    """

    participants: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    final_since: Mapping[int, int] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """For encrypted storage only; `from_bytes` reads it."""
        plain = {
            "format": FORMAT,
            "participants": {str(epoch): encode_base64(state) for epoch, state in self.participants.items()},
            "final_since": {str(epoch): seconds for epoch, seconds in self.final_since.items()},
        }
        return json.dumps(plain).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> KeeperState:
        """Reads what `to_bytes` wrote, or the state of a founding's Participant alone. Raises InvalidInput."""
        try:
            plain = json.loads(raw)
            if plain["format"] == PARTICIPANT_FORMAT:
                return cls({1: raw})
            if plain["format"] != FORMAT:
                raise InvalidInput("BAD_STATE", "the stored state of shares is of another format")
            return cls._read(plain)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InvalidInput("BAD_STATE", "this is not the stored state of a custodian's shares") from error

    @classmethod
    def _read(cls, plain: dict[str, Any]) -> KeeperState:
        participants = {_epoch(key): decode_base64(raw, "participants") for key, raw in plain["participants"].items()}
        since = {_epoch(key): seconds for key, seconds in plain["final_since"].items()}
        if any(type(seconds) is not int for seconds in since.values()):
            raise TypeError
        return cls(participants, since)


def _epoch(key: str) -> int:
    epoch = int(key)
    if epoch < 1 or str(epoch) != key:
        raise ValueError
    return epoch
