"""Assessments: a question to the ledger, and what the lender's own policy makes of the answer (docs/decisions.md).

Income, loan and policy never leave this node; the ledger sees the same inquiry as for any other question.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from plimsoll.v1 import lender_pb2

from ledger.decision import (
    Application,
    Assessment,
    DecisionPolicy,
    NewLoan,
    Reason,
    Record,
    default_policy,
    parse_decision_policy,
)
from ledger.decision.facts import facts_of
from ledger.decision.texts import LANGUAGES, change, what
from ledger.errors import InvalidInput
from node.clock import Clock
from node.consortium import Consortium
from node.homes import files
from node.lending.asking import Asking

MAX_REFERENCE = 200  # characters


class Deciding:
    """Answers Assess."""

    def __init__(self, consortium: Consortium, asking: Asking, policy: Path, clock: Clock) -> None:
        """policy: the lender's own, read anew each time; the default policy where there is none."""
        self._consortium = consortium
        self._asking = asking
        self._policy = policy
        self._clock = clock
        self._last: tuple[bytes, DecisionPolicy] | None = None

    async def assess(self, request: lender_pb2.AssessRequest) -> lender_pb2.AssessResponse:
        """Raises InvalidInput before anything is asked; then as `Asking.exposure`."""
        application = _application(request)
        reference = _reference(request.reference)
        policy = await asyncio.to_thread(self.policy_for, request.policy)
        response = await self._asking.exposure(request.question)
        member, manifest = self._consortium.member, self._consortium.manifest
        record = Record(
            int(self._clock.unix()),
            reference,
            manifest.origin(member),
            response.inquiry_index,
            policy,
            facts_of(response, member, manifest.minor_per_major),
            application,
        )
        return _message(record, response)

    def policy_for(self, given: bytes = b"") -> DecisionPolicy:
        """The policy in these bytes; else the lender's own as it is now, else the default one. Raises InvalidInput."""
        manifest = self._consortium.manifest
        if given:
            try:
                policy = self._parsed(given)
            except InvalidInput as error:
                raise error.under("policy") from error
        else:
            default = default_policy(manifest.currency, manifest.minor_per_major)
            policy = files.read_optional(self._policy, self._parsed, default)
        if (policy.currency, policy.minor_per_major) != (manifest.currency, manifest.minor_per_major):
            kept = f"{manifest.currency} with {manifest.minor_per_major} minor units"
            raise InvalidInput("OTHER_CURRENCY", f"the consortium counts in {kept}", "policy.currency")
        return policy

    def _parsed(self, raw: bytes) -> DecisionPolicy:
        """Cases mostly come with one policy: its text is parsed once. Any thread."""
        last = self._last
        if last is None or last[0] != raw:
            last = self._last = raw, parse_decision_policy(raw)
        return last[1]


def _application(request: lender_pb2.AssessRequest) -> Application:
    loan = NewLoan(request.loan.principal, request.loan.monthly_due) if request.HasField("loan") else None
    return Application(request.income if request.HasField("income") else None, loan)


def _reference(text: str) -> str:
    if len(text) > MAX_REFERENCE or not text.isprintable():
        raise InvalidInput("BAD_TEXT", f"must be at most {MAX_REFERENCE} printable characters", "reference")
    return text


def _message(record: Record, exposure: lender_pb2.ExposureResponse) -> lender_pb2.AssessResponse:
    assessment: Assessment = record.assessment()
    return lender_pb2.AssessResponse(
        outcome=assessment.outcome,
        held=assessment.held,
        headroom=assessment.headroom,
        reasons=[_reason(each, record.policy) for each in assessment.reasons],
        exposure=exposure,
        record=record.encode(),
    )


def _reason(reason: Reason, policy: DecisionPolicy) -> lender_pb2.Reason:
    texts = [
        lender_pb2.ReasonText(
            language=language, text=what(reason, language, policy), remedy=change(reason, language, policy)
        )
        for language in LANGUAGES
    ]
    return lender_pb2.Reason(
        code=reason.code,
        effect=reason.effect,
        figure=reason.figure,
        threshold=reason.threshold,
        unit=reason.unit,
        change=reason.change,
        change_unit=reason.change_unit,
        members=reason.members,
        texts=texts,
    )
