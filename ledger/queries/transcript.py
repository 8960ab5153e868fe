"""Transcripts: an answer with what proves it (protocol, 13).

The *full* form holds the query key: whoever has it checks everything, and can follow this borrower; it is a secret. The
*redacted* form shows that t custodians opened these sums for this inquiry, and no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.borrower.labels import KEY_SIZE, NUMBER_LIMIT
from ledger.crypto.group import SIZE
from ledger.crypto.schnorr import PROOF_SIZE
from ledger.crypto.shamir import MAX_INDEX
from ledger.errors import InvalidInput
from ledger.positions.fields import FIELDS, PACKED, Field
from ledger.queries.answer import Answer
from ledger.queries.decryption import PartialDecryption
from ledger.queries.selection import Exclusion
from ledger.strict import decode_base64, encode_base64
from ledger.strict_json import Document
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import MAX_SIZE

FORMAT = "plimsoll/exposure-transcript/v1"
FULL = "full"
REDACTED = "redacted"
MAX_BYTES = 16 << 20
_MAX_EPOCH = (1 << 32) - 1
_MAX_SUM = (1 << 48) - 1
_CODE = re.compile(r"[A-Z_]{0,64}")


@dataclass(frozen=True, slots=True)
class HeadUsed:
    """The tree of one member's log that was used."""

    member: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was added up: position `number` of its author for this borrower, at `index` of its log."""

    member: str
    number: int
    index: int
    entry: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """What only the full form holds. query_key: 32 bytes."""

    query_key: bytes = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)
    excluded: tuple[Exclusion, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A well-formed transcript; nothing of it is verified. Fields are those of the protocol's table.

    fields: which are released. result: by field; None where a sum was not found.
    """

    consortium: bytes
    manifest: bytes
    epoch: int
    querier: str
    index: int
    entry: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    heads: tuple[HeadUsed, ...]
    contributors: int
    withheld: str
    nonce_sum: bytes
    body_sums: tuple[bytes, ...] = field(repr=False)
    partials: tuple[PartialDecryption, ...] = field(repr=False)
    result: Mapping[Field, int | None] = field(repr=False)
    secret: Secret | None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The released fields, ascending; none where nobody contributed."""
        return released(self.nonce_sum, self.withheld)

    @classmethod
    def of(cls, answer: Answer, form: str) -> Transcript:
        """The transcript of an answer, FULL or REDACTED."""
        manifest, findings = answer.manifest, answer.findings
        secret = None
        if form == FULL:
            records = tuple(Record(c.member, c.number, c.index, c.entry) for c in findings.selection.contributions)
            secret = Secret(answer.query_key, records, findings.selection.exclusions)
        plaintexts = answer.sums.plaintexts() if answer.sums else {}
        return cls(
            consortium=manifest.consortium,
            manifest=manifest.id,
            epoch=answer.epoch,
            querier=answer.asked.querier,
            index=answer.asked.index,
            entry=answer.entry,
            receipt=answer.receipt,
            heads=tuple(map(_head_used, (member.name for member in manifest.members), answer.heads)),
            contributors=answer.contributors,
            withheld=findings.withheld,
            nonce_sum=findings.nonce_sum or b"",
            body_sums=tuple(findings.body_sums[f] for f in findings.released),
            partials=answer.partials,
            result={f: plaintexts[f] for f in findings.released},
            secret=secret,
        )

    def encode(self) -> bytes:
        """The JSON object."""
        document: dict[str, object] = {
            "format": FORMAT,
            "form": REDACTED if self.secret is None else FULL,
            "consortium": self.consortium.hex(),
            "manifest": self.manifest.hex(),
            "epoch": self.epoch,
            "querier": self.querier,
            "inquiry": {
                "index": self.index,
                "entry": encode_base64(self.entry),
                "receipt": self.receipt.decode(),
            },
            "heads": [{"member": used.member, "size": used.size, "root": used.root.hex()} for used in self.heads],
            "contributors": self.contributors,
            "withheld": self.withheld,
            "nonce_sum": self.nonce_sum.hex(),
            "body_sums": [body.hex() for body in self.body_sums],
            "partials": [
                {
                    "custodian": partial.custodian_index,
                    "points": [point.hex() for point in partial.points],
                    "proof": partial.proof.hex(),
                }
                for partial in self.partials
            ],
            "result": {f.label: m for f, m in self.result.items()},
        }
        if self.secret is not None:
            document |= _secret_json(self.secret)
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> Transcript:
        """Reads one. Raises InvalidInput with the path of what is wrong."""
        document = Document.parse(raw, MAX_BYTES)
        if document.text("format") != FORMAT:
            raise InvalidInput("BAD_TRANSCRIPT", f"not a transcript: its format is not {FORMAT}", "format")
        form = document.text("form")
        if form not in (FULL, REDACTED):
            raise InvalidInput("BAD_TRANSCRIPT", f"must be {FULL} or {REDACTED}", "form")
        inquiry = document.inner("inquiry")
        nonce_sum = document.hex("nonce_sum", 0, SIZE)
        withheld = document.text("withheld")
        if _CODE.fullmatch(withheld) is None:
            raise InvalidInput("BAD_TRANSCRIPT", "must be a code, or empty", "withheld")
        transcript = cls(
            consortium=document.hex("consortium", 32),
            manifest=document.hex("manifest", 32),
            epoch=document.integer("epoch", _MAX_EPOCH),
            querier=document.text("querier"),
            index=inquiry.integer("index", MAX_SIZE),
            entry=_base64(inquiry, "entry"),
            receipt=inquiry.text("receipt").encode("utf-8", "replace"),
            heads=tuple(map(_read_head, document.each("heads"))),
            contributors=document.integer("contributors", MAX_INDEX),
            withheld=withheld,
            nonce_sum=nonce_sum,
            body_sums=document.hexes("body_sums", SIZE),
            partials=tuple(_read_partial(one, released(nonce_sum, withheld)) for one in document.each("partials")),
            result=_read_result(document),
            secret=_read_secret(document) if form == FULL else None,
        )
        inquiry.finish()
        document.finish()
        return transcript


def released(nonce_sum: bytes, withheld: str) -> tuple[Field, ...]:
    """The fields that are decrypted where SR is `nonce_sum`, empty for nobody, and the verdict `withheld`."""
    if not nonce_sum:
        return ()
    return PACKED if withheld else FIELDS


def _head_used(member: str, head: Head) -> HeadUsed:
    return HeadUsed(member, head.size, head.root)


def _secret_json(secret: Secret) -> dict[str, object]:
    return {
        "query_key": secret.query_key.hex(),
        "records": [
            {"member": one.member, "number": one.number, "index": one.index, "entry": encode_base64(one.entry)}
            for one in secret.records
        ],
        "excluded": [{"member": one.member, "reason": one.reason, "index": one.index} for one in secret.excluded],
    }


def _read_secret(document: Document) -> Secret:
    return Secret(
        document.hex("query_key", KEY_SIZE),
        tuple(map(_read_record, document.each("records"))),
        tuple(map(_read_exclusion, document.each("excluded"))),
    )


def _read_head(one: Document) -> HeadUsed:
    used = HeadUsed(one.text("member"), one.integer("size", MAX_SIZE), one.hex("root", 32))
    one.finish()
    return used


def _read_partial(one: Document, fields: tuple[Field, ...]) -> PartialDecryption:
    index = one.integer("custodian", MAX_INDEX)
    partial = PartialDecryption(index, fields, one.hexes("points", SIZE), one.hex("proof", PROOF_SIZE))
    one.finish()
    return partial


def _read_record(one: Document) -> Record:
    record = Record(
        one.text("member"), one.integer("number", NUMBER_LIMIT), one.integer("index", MAX_SIZE), _base64(one, "entry")
    )
    one.finish()
    return record


def _read_exclusion(one: Document) -> Exclusion:
    exclusion = Exclusion(one.text("member"), one.text("reason"), one.integer("index", MAX_SIZE))
    one.finish()
    return exclusion


def _read_result(document: Document) -> dict[Field, int | None]:
    by_label = {f.label: f for f in FIELDS}
    found = document.integers_or_null("result", _MAX_SUM)
    for name in found:
        if name not in by_label:
            raise InvalidInput("BAD_TRANSCRIPT", "there is no such field", f"result.{name}")
    return {by_label[name]: value for name, value in found.items()}


def _base64(document: Document, key: str) -> bytes:
    return decode_base64(document.text(key), document.path(key))
