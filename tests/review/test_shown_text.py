"""Text that others chose is shown to people: nothing in it may drive a terminal, or be what no terminal can show."""

from __future__ import annotations

import json

import pytest
from google.rpc import error_details_pb2, status_pb2

from ledger import refusal
from ledger.errors import PlimsollError
from ledger.queries.transcript import Transcript
from ledger.strict_json import Document

ESCAPE = "\x1b]0;owned\x07"


def test_a_refusal_shows_printable_text_of_bounded_length():
    status = status_pb2.Status(code=3)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=ESCAPE, domain="plimsoll"))
    violation = error_details_pb2.BadRequest.FieldViolation(field=ESCAPE)
    status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    error = refusal.from_status(status.SerializeToString(), "INVALID_ARGUMENT", ESCAPE + "x" * 10_000)
    assert str(error).isprintable()
    assert len(str(error)) < 2000
    assert error.reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize("key", [ESCAPE, "\ud800", "\n"])
def test_a_document_with_a_key_that_cannot_be_shown_is_refused_without_quoting_it(key):
    with pytest.raises(PlimsollError) as caught:
        Document.parse(json.dumps({key: 1}).encode(), 1000).finish()
    assert str(caught.value).isprintable()


def test_a_transcript_withholds_for_a_code_and_no_other_text():
    raw: dict[str, object] = {"format": "plimsoll/exposure-transcript/v1", "form": "redacted", "withheld": ESCAPE}
    raw |= {"nonce_sum": "", "inquiry": {}}
    with pytest.raises(PlimsollError) as caught:
        Transcript.parse(json.dumps(raw).encode())
    assert caught.value.path == "withheld"
