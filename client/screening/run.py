"""One run of a screening: asks about every case that has no answer yet, and keeps what comes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from plimsoll.v1 import lender_pb2

from client.consent import Consent
from client.screening.answers import Answers
from client.screening.cases import Case
from client.screening.rows import answered, failed
from client.sdk import Session, exposure_request
from ledger import refusal
from ledger.errors import PlimsollError

QUOTA = "QUOTA"
#: What a refusal is about that all cases would meet.
_FOR_ALL = ("policy", "decision.toml")


@dataclass(frozen=True, slots=True)
class Terms:
    """What all cases have in common. purpose: its number. policy: a text, b"" for the node's own. consent: makes the
    one for a line that brings none along."""

    purpose: int
    policy: bytes
    consent: Callable[[int], Consent]


@dataclass(slots=True)
class Run:
    """asked: in this run, with an answer or an error. retry: seconds until there is room in the day's quota, 0 where it
    is not known; None where it was not used up. exit_code: of the first failure."""

    answers: Answers
    cases: Sequence[Case]
    asked: int = 0
    exit_code: int = 0
    retry: int | None = None
    seconds: float = field(default=0.0)

    @property
    def left(self) -> int:
        """Cases that the next run asks about."""
        return sum(not self.answers.is_done(case.line) for case in self.cases)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        rows = list(self.answers)
        return {
            "cases": len(self.cases),
            "answered": sum(not row.error for row in rows),
            "left": self.left,
            "asked": self.asked,
            "outcomes": dict(Counter(row.outcome for row in rows if not row.error)),
            "errors": dict(Counter(row.error for row in rows if row.error)),
            "seconds": round(self.seconds, 3),
            "per_second": round(self.asked / self.seconds, 2) if self.asked and self.seconds else 0.0,
            "retry_seconds": self.retry,
        }

    def ask(self, session: Session, terms: Terms, advance: Callable[[], None]) -> None:
        """Until all are asked, or the day's quota is used up. advance: called after each answer.

        Raises what the node refuses the whole call with, or what it says of the policy; what came by then is kept.
        """
        started = time.monotonic()
        salts: dict[int, bytes] = {}
        by_line = {case.line: case for case in self.cases if not self.answers.is_done(case.line)}
        try:
            for response in session.assessments(self._requests(by_line, terms, salts)):
                case, salt = by_line[response.id], salts.pop(response.id)
                if response.WhichOneof("outcome") == "response":
                    self.answers.add(answered(case, response.response, salt))
                elif not self._keep_failure(case, response.failure, salt):
                    continue
                self.asked += 1
                advance()
        finally:
            self.seconds += time.monotonic() - started

    def _requests(
        self, by_line: dict[int, Case], terms: Terms, salts: dict[int, bytes]
    ) -> Iterator[lender_pb2.AssessmentsRequest]:
        """Ends early where there is nothing to be had; what is under way is still waited for, as it is counted."""
        for case in by_line.values():
            if self.retry is not None:
                return
            consent = Consent(case.consent) if case.consent else terms.consent(case.line)
            salts[case.line] = consent.salt or b""
            yield lender_pb2.AssessmentsRequest(id=case.line, request=_request(case, terms, consent))

    def _keep_failure(self, case: Case, failure: lender_pb2.Failure, salt: bytes) -> bool:
        """False where it is none of this case's own."""
        error = refusal.from_status(None, failure.status, failure.message)
        if failure.path.startswith(_FOR_ALL):
            raise type(error)(failure.reason, error.message, failure.path)
        if failure.reason == QUOTA:
            self.retry = max(self.retry or 0, failure.retry_seconds)
            return False
        self.answers.add(failed(case, failure, salt))
        self.exit_code = self.exit_code or error.exit_code
        return True


def _request(case: Case, terms: Terms, consent: Consent) -> lender_pb2.AssessRequest:
    loan = None if case.loan is None else lender_pb2.ProposedLoan(principal=case.loan[0], monthly_due=case.loan[1])
    return lender_pb2.AssessRequest(
        question=exposure_request(case.borrower, terms.purpose, consent.digest),
        income=case.income,
        loan=loan,
        policy=terms.policy,
        reference=case.reference,
    )


def with_what_is_left(error: PlimsollError, run: Run) -> PlimsollError:
    """The error that ended a run, and what to do."""
    error.message = f"{error.message}; {run.left} of {len(run.cases)} are left: the same command goes on"
    return error
