"""Heads that were witnessed in the past, for inquiries (ledger.challenges.settling)."""

from __future__ import annotations

from ledger.cache import Cache
from ledger.witnessing.witnessed import Witnessed

_MINUTE = 60
_REMEMBERED = 512


class Settling:
    """Any thread may use it. What was witnessed by a minute that is over does not change but by what comes late."""

    def __init__(self, witnessed: Witnessed) -> None:
        self._witnessed = witnessed
        self._found: Cache[tuple[str, int], tuple[int, bytes]] = Cache(_REMEMBERED)

    def witnessed_by(self, origin: str, time: int) -> tuple[int, bytes] | None:
        """See ledger.challenges.settling; to the minute before."""
        key = origin, time // _MINUTE
        found = self._found.get(key)
        if found is None:
            kept = self._witnessed.by(origin, time // _MINUTE * _MINUTE)
            if kept is None:
                return None
            found = kept.size, kept.signed.note.encode()
            self._found.put(key, found)
        return found
