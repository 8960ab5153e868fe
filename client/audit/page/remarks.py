"""What the codes of remarks mean: worth knowing, no proof of anything wrong (docs/auditing.md has the same list)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "SILENT": "A member did not answer, so what it holds was not compared.",
        "STALE": "A log's author has not been heard of for long: its node is down, or cut off.",
        "FEED_STALE": "A log's last position is old: its author's node lives, and its loan system reports nothing.",
        "NOT_YET_WITNESSED": "The log's last entries are not cosigned by enough members yet. Normal for seconds.",
        "CLOCK_AHEAD": "Entries are dated later than they can have been made.",
        "CLOCK_WENT_BACK": "Entries are dated well before entries ahead of them.",
        "QUOTA": "A lender logged more questions in a day than its quota; custodians refuse those above it.",
        "OTHER_MANIFEST": "A question names a manifest that is not known here; custodians refuse it.",
        "BAD_HEADS": "A question does not name one size for each member; custodians refuse it.",
        "UNSOUND": "Entries keep no form that the protocol knows, and count for nothing.",
        "NO_KEYS": "The key ceremony is not final, so that proofs could not be checked.",
        "CHALLENGED": "A position was challenged and not proved well-formed in time; queries leave it out.",
    }
)


def remark(code: str) -> str:
    """Of any code; "" for one that has no more to be said than its message."""
    return REMARKS.get(code, "")
