"""A decision's record: everything it was made of, so that it can be made again years later with the same result.

    {"format": "plimsoll/assessment/v1", "engine": 1, "time": .., "reference": .., "inquiry": {..}, "policy": text,
     "facts": {..}, "application": {..}, "result": {..}}

It names no borrower: `reference` is the lender's own number of the case, and `inquiry` (origin, index) is where the
question stands in the lender's log. Income and sums are in it: it is as confidential as the case's file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ledger.decision.assess import ENGINE, Assessment, assess
from ledger.decision.facts import Application, Band, Facts, NewLoan
from ledger.decision.policy import DecisionPolicy, parse_decision_policy, render_decision_policy
from ledger.decision.texts import LANGUAGES, change, what
from ledger.errors import InvalidInput, Unverified
from ledger.positions.classification import Classification
from ledger.queries.exposure import Amounts
from ledger.strict_json import Document

FORMAT = "plimsoll/assessment/v1"
MAX_BYTES = 1 << 18
_MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Record:
    """One decision. time: Unix seconds. origin, index: of the inquiry in the lender's log, "" and 0 without one."""

    time: int
    reference: str
    origin: str
    index: int
    policy: DecisionPolicy
    facts: Facts = field(repr=False)
    application: Application = field(repr=False)

    def assessment(self) -> Assessment:
        """What comes out."""
        return assess(self.facts, self.application, self.policy)

    def encode(self) -> bytes:
        """The record's bytes: JSON, keys in order, one line."""
        loan = self.application.loan
        return _line(
            {
                "format": FORMAT,
                "engine": ENGINE,
                "time": self.time,
                "reference": self.reference,
                "inquiry": {"origin": self.origin, "index": self.index},
                "policy": self.policy.text or render_decision_policy(self.policy),
                "facts": asdict(self.facts),
                "application": {
                    "income": self.application.income,
                    "loan": None if loan is None else asdict(loan),
                },
                "result": result_facts(self.assessment(), self.policy),
            }
        )

    @property
    def id(self) -> bytes:
        """SHA-256 of the record's bytes: 32 bytes."""
        return hashlib.sha256(self.encode()).digest()


def result_facts(assessment: Assessment, policy: DecisionPolicy) -> dict[str, Any]:
    """For programs, with the words for the borrower in every language."""
    return {
        "outcome": str(assessment.outcome),
        "held": assessment.held,
        "headroom": assessment.headroom,
        "policy": {"name": policy.name, "version": policy.version, "id": policy.id.hex()},
        "reasons": [
            {
                "code": reason.code,
                "effect": str(reason.effect),
                "figure": reason.figure,
                "threshold": reason.threshold,
                "unit": str(reason.unit),
                "change": reason.change,
                "change_unit": str(reason.change_unit),
                "members": list(reason.members),
                "text": {language: what(reason, language, policy) for language in LANGUAGES},
                "remedy": {language: change(reason, language, policy) for language in LANGUAGES},
            }
            for reason in assessment.reasons
        ],
    }


def parse_record(raw: bytes) -> Record:
    """Reads a record and makes its decision again. Raises InvalidInput; Unverified (OTHER_RESULT) where what comes out
    is not what stands there, or the rules are of another version."""
    document = Document.parse(raw, MAX_BYTES)
    if document.text("format") != FORMAT:
        raise InvalidInput("BAD_FORMAT", f"must be {FORMAT}", "format")
    if (engine := document.integer("engine", _MOST)) != ENGINE:
        raise Unverified(
            "OTHER_ENGINE", f"decided by version {engine} of the rules; this program has {ENGINE}", "engine"
        )
    time, reference = document.integer("time", _MOST), document.text("reference")
    inquiry = document.inner("inquiry")
    origin, index = inquiry.text("origin"), inquiry.integer("index", _MOST)
    inquiry.finish()
    policy = parse_decision_policy(document.text("policy").encode())
    record = Record(
        time,
        reference,
        origin,
        index,
        policy,
        _read_facts(document.inner("facts")),
        _read_application(document.inner("application")),
    )
    if raw != record.encode():
        raise Unverified("OTHER_RESULT", "from these facts and this policy another record follows", "result")
    return record


def _read_facts(document: Document) -> Facts:
    facts = Facts(
        amounts=None if document.null("amounts") else _read_amounts(document.inner("amounts")),
        withheld=document.text("withheld"),
        lenders=document.integer("lenders", _MOST),
        accounts=document.integer("accounts", _MOST),
        includes_own=document.boolean("includes_own"),
        classes=document.integers("classes", _MOST),
        bands=tuple(map(_read_band, document.each("bands"))),
        overdue=tuple(map(_read_band, document.each("overdue"))),
        inquiries_30=document.integer("inquiries_30", _MOST),
        inquiries_90=document.integer("inquiries_90", _MOST),
        disputes=document.integer("disputes", _MOST),
        stale=document.texts("stale"),
        excluded=document.texts("excluded"),
        rolling=None if document.null("rolling") else document.integer("rolling", _MOST),
    )
    document.finish()
    if len(facts.classes) > len(Classification):
        raise InvalidInput("BAD_LENGTH", f"there are {len(Classification)} classes", document.path("classes"))
    return facts


def _read_amounts(document: Document) -> Amounts:
    amounts = Amounts(*(document.integer(key, _MOST) for key in ("credit_limit", "outstanding", "monthly_due")))
    document.finish()
    return amounts


def _read_band(document: Document) -> Band:
    band = Band(
        document.integer("low", _MOST),
        None if document.null("high") else document.integer("high", _MOST),
        document.integer("lenders", _MOST),
    )
    document.finish()
    return band


def _read_application(document: Document) -> Application:
    income = None if document.null("income") else document.integer("income", _MOST)
    loan = None if document.null("loan") else _read_loan(document.inner("loan"))
    document.finish()
    return Application(income, loan)


def _read_loan(document: Document) -> NewLoan:
    loan = NewLoan(document.integer("principal", _MOST), document.integer("monthly_due", _MOST))
    document.finish()
    return loan


def _line(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
