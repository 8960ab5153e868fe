"""The file of an opening (protocol, 21): one strict JSON object. It is a secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ledger.borrower.labels import KEY_SIZE, NUMBER_LIMIT
from ledger.crypto.elgamal import PLAINTEXT_LIMIT
from ledger.crypto.group import SIZE, decode_scalar
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions import loan as loans_of
from ledger.positions.classification import Classification
from ledger.positions.fields import FIELDS
from ledger.positions.loan import MAX_AMOUNT, MAX_AS_OF, MAX_DAYS_PAST_DUE, SALT_SIZE, Loan
from ledger.strict import decode_base64, encode_base64
from ledger.strict_json import Document
from ledger.tlog.receipt import MAX_RECEIPT_BYTES

FORMAT = "plimsoll/opening/v1"
MAX_BYTES = 4 << 20
_HASH_SIZE = 32


@dataclass(frozen=True, slots=True)
class LabelOpening:
    """What shows whose position it is, to who can make the borrower's keys: its label key, 32 bytes, and the number of
    the position. Its holder finds all positions of this borrower in all logs, for good."""

    key: bytes = field(repr=False)
    number: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A well-formed opening; nothing of it is verified.

    consortium: 32 bytes. member: the author. entry: its bytes. receipt: a tlog-proof. public_keys: X_f by field number.
    loans: all that were folded in, ascending by loan_id. salt: of the records' digest. nonce: r. amounts: by field
    number. Of a closed position public_keys, nonce and amounts are empty.
    """

    consortium: bytes
    member: str
    entry: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    public_keys: tuple[bytes, ...] = field(repr=False)
    loans: tuple[Loan, ...] = field(repr=False)
    salt: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    amounts: tuple[int, ...] = field(repr=False)
    label: LabelOpening | None

    def encode(self) -> bytes:
        """The JSON object."""
        document: dict[str, object] = {
            "format": FORMAT,
            "consortium": self.consortium.hex(),
            "member": self.member,
            "entry": encode_base64(self.entry),
            "receipt": self.receipt.decode(),
            "public_keys": [key.hex() for key in self.public_keys],
            "loans": [_loan_json(loan) for loan in self.loans],
            "salt": self.salt.hex(),
            "nonce": self.nonce.hex(),
            "amounts": {f.label: amount for f, amount in zip(FIELDS, self.amounts, strict=False)},
        }
        if self.label is not None:
            document["label"] = {"key": self.label.key.hex(), "number": self.label.number}
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> Opening:
        """Reads one. Raises InvalidInput with the path of what is wrong."""
        document = Document.parse(raw, MAX_BYTES)
        if document.text("format") != FORMAT:
            raise InvalidInput("BAD_OPENING", f"not an opening: its format is not {FORMAT}", "format")
        nonce = document.hex("nonce", 0, SIZE)
        if nonce:
            decode_scalar(nonce, "nonce", nonzero=True)
        opening = cls(
            consortium=document.hex("consortium", _HASH_SIZE),
            member=document.text("member"),
            entry=decode_base64(document.text("entry"), "entry"),
            receipt=_receipt(document),
            public_keys=document.hexes("public_keys", SIZE),
            loans=tuple(map(_read_loan, document.each("loans"))),
            salt=document.hex("salt", SALT_SIZE),
            nonce=nonce,
            amounts=_read_amounts(document.inner("amounts"), closed=not nonce),
            label=_read_label(document.inner("label")) if "label" in document else None,
        )
        document.finish()
        if len(opening.public_keys) != (len(FIELDS) if nonce else 0):
            raise InvalidInput("BAD_OPENING", "must be one per field, or none where closed", "public_keys")
        return opening


def _receipt(document: Document) -> bytes:
    raw = document.text("receipt").encode("utf-8", "replace")
    if len(raw) > MAX_RECEIPT_BYTES:
        raise InvalidInput("RECEIPT_TOO_LARGE", f"a receipt is at most {MAX_RECEIPT_BYTES} bytes", "receipt")
    return raw


def _loan_json(loan: Loan) -> dict[str, object]:
    return {
        "loan_id": loan.loan_id,
        "product": loan.product,
        "credit_limit": loan.credit_limit,
        "outstanding": loan.outstanding,
        "monthly_due": loan.monthly_due,
        "overdue": loan.overdue,
        "days_past_due": loan.days_past_due,
        "classification": loan.classification.label,
        "open": loan.open,
        "as_of": loan.as_of,
    }


def _read_loan(one: Document) -> Loan:
    loan = Loan(
        loan_id=one.text("loan_id"),
        product=one.text("product"),
        credit_limit=one.integer("credit_limit", MAX_AMOUNT),
        outstanding=one.integer("outstanding", MAX_AMOUNT),
        monthly_due=one.integer("monthly_due", MAX_AMOUNT),
        overdue=one.integer("overdue", MAX_AMOUNT),
        days_past_due=one.integer("days_past_due", MAX_DAYS_PAST_DUE),
        classification=Classification.parse(one.text("classification"), one.path("classification")),
        open=one.boolean("open"),
        as_of=one.integer("as_of", MAX_AS_OF),
    )
    one.finish()
    try:
        return loans_of.check(loan)
    except PlimsollError as error:
        raise error.under(one.path("")[:-1]) from error


def _read_amounts(amounts: Document, *, closed: bool) -> tuple[int, ...]:
    read = () if closed else tuple(amounts.integer(f.label, PLAINTEXT_LIMIT - 1) for f in FIELDS)
    amounts.finish()
    return read


def _read_label(one: Document) -> LabelOpening:
    label = LabelOpening(one.hex("key", KEY_SIZE), one.integer("number", NUMBER_LIMIT - 1))
    one.finish()
    return label
