"""plimsoll exposure --batch: one question a line of a file, one line of JSON an answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from plimsoll.v1 import lender_pb2

from client import plain
from client.cli.connect import connect
from client.cli.options import Settings
from client.cli.output import line, progress
from client.consent import Consent
from client.sdk import exposure_request
from ledger import refusal
from ledger.errors import InvalidInput
from ledger.queries.inquiry import purpose_number


def ask_many(settings: Settings, batch: Path, purpose: str, make_consent: Callable[[], Consent]) -> int:
    """Prints the answers in the order they come; the exit code of the first failure, 0 without one.

    Each answer has its question's line number and its own consent, freshly salted where it is of a document.
    """
    borrowers = dict(_borrowers(batch))
    consents = {number: make_consent() for number in borrowers}
    why = purpose_number(purpose)
    requests = (_request(number, borrower, why, consents[number]) for number, borrower in borrowers.items())
    code = 0
    with connect(settings, "lender") as session, progress() as bar:
        task = bar.add_task("asking", total=len(borrowers))
        for response in session.exposures(requests):
            number = response.id
            facts, failed = _outcome(response, borrowers[number])
            line({"line": number, **facts, **consents[number].facts()})
            bar.advance(task)
            code = code or failed
    return code


def _borrowers(batch: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1, and what stands there; empty lines are passed over. Raises InvalidInput."""
    try:
        text = sys.stdin.read() if str(batch) == "-" else batch.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_ENCODING", "not UTF-8", str(batch)) from None
    for number, each in enumerate(text.split("\n"), 1):
        if stripped := each.strip():
            yield number, stripped


def _request(number: int, borrower: str, purpose: int, consent: Consent) -> lender_pb2.ExposuresRequest:
    return lender_pb2.ExposuresRequest(id=number, request=exposure_request(borrower, purpose, consent.digest))


def _outcome(response: lender_pb2.ExposuresResponse, borrower: str) -> tuple[dict[str, Any], int]:
    """What is printed of an answer, and its exit code."""
    if response.WhichOneof("outcome") == "response":
        return plain.exposure(response.response), 0
    failure = response.failure
    error = refusal.from_status(None, failure.status, failure.message)
    facts = {"reason": failure.reason, "message": failure.message, "path": failure.path}
    return {"borrower": borrower, "error": facts}, error.exit_code
