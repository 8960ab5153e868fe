"""The borrower's consent as it goes into an inquiry: a salted digest (docs/protocol.md, section 8).

The log shows that there was a document; only who holds document and salt can show which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import InvalidInput
from ledger.queries.inquiry import SALT_SIZE, consent_digest

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Consent:
    """digest: 32 bytes, for the inquiry. salt: 32 bytes, to be kept with the document; None where others made it."""

    digest: bytes
    salt: bytes | None = None

    def facts(self) -> dict[str, str | None]:
        """For programs."""
        return {"consent_digest": self.digest.hex(), "consent_salt": None if self.salt is None else self.salt.hex()}


def from_document(document: bytes, rng: Callable[[int], bytes]) -> Consent:
    """The consent in a document, under a fresh salt, so that two inquiries cannot be linked by it. InvalidInput."""
    if not document:
        raise InvalidInput("EMPTY_CONSENT", "the consent document is empty", "consent")
    salt = rng(SALT_SIZE)
    return Consent(consent_digest(salt, document), salt)


def from_digest(text: str) -> Consent:
    """A digest made elsewhere: 64 hex digits. Raises InvalidInput."""
    if _DIGEST.fullmatch(text) is None:
        raise InvalidInput("BAD_DIGEST", "a consent digest is 64 hex digits", "consent_digest")
    return Consent(bytes.fromhex(text))
