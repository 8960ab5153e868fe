"""One consent for many questions: each has a digest of its own, so that the log does not link them.

docs/watching.md says how it is shown later that a question was asked under a consent.
"""

from __future__ import annotations

from ledger.crypto.hashing import mac
from ledger.queries.inquiry import consent_digest


def question_salt(secret: bytes, number: int) -> bytes:
    """The salt of the watch's n-th question, from 0: 32 bytes. secret: the watch's, 32 bytes."""
    return mac(secret, "plimsoll/v1/watch-consent", number)


def question_digest(secret: bytes, number: int, consent: bytes) -> bytes:
    """What stands in that question's inquiry: the consent's own digest (32 bytes), salted once more. 32 bytes.

    Whoever is shown secret and consent finds every question that was asked under it, and no other.
    """
    return consent_digest(question_salt(secret, number), consent)
