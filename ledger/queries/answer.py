"""An answered query: all that its exposure, its transcripts and their verification are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.consortium.manifest import Manifest
from ledger.positions.bands import Bands
from ledger.queries.decryption import PartialDecryption
from ledger.queries.findings import Asked, Findings
from ledger.queries.inquiry_history import InquiryCount
from ledger.queries.plausibility import Sums
from ledger.tlog.checkpoint import Head


@dataclass(frozen=True, slots=True)
class Answer:
    """What t custodians opened for one inquiry.

    entry, receipt: of the inquiry, as logged. query_key: 32 bytes, secret. heads: in the manifest's order of members.
    partials: ascending by custodian, () where nobody contributes; sums: None then. implausible: codes of the checks of
    `ledger.queries.plausibility` that fail.
    """

    manifest: Manifest
    bands: Bands
    epoch: int
    asked: Asked
    entry: bytes
    receipt: bytes
    query_key: bytes = field(repr=False)
    heads: tuple[Head, ...]
    findings: Findings = field(repr=False)
    partials: tuple[PartialDecryption, ...] = field(repr=False)
    sums: Sums | None = field(repr=False)
    implausible: tuple[str, ...]
    inquiries: tuple[InquiryCount, ...]

    @property
    def frozen(self) -> tuple[str, ...]:
        """Members whose logs are frozen, in the manifest's order: they count as far as they were witnessed."""
        return tuple(self.manifest.members[place].name for place in self.asked.inquiry.frozen)

    @property
    def contributors(self) -> int:
        """How many lenders were added up."""
        return len(self.findings.selection.contributions)
