"""What a notification says and does not say, and that nobody but the lender can have sent it."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from plimsoll.v1 import lender_pb2

from ledger.errors import InvalidInput, Unverified
from ledger.monitoring.consent import question_digest, question_salt
from ledger.monitoring.webhook import (
    EVENT_HEADER,
    GIVE_UP,
    SIGNATURE_HEADER,
    TIME_HEADER,
    TOLERANCE,
    body,
    headers,
    pause,
    read_secret,
    verify,
)
from ledger.queries.inquiry import consent_digest

SECRET = b"0123456789abcdef"
NOW = 1_750_000_000
EVENT = lender_pb2.WatchEvent(
    number=3,
    id="3-00ff00ff00ff00ff",
    time=NOW,
    watch="ab" * 8,
    borrower="cn-id:11010519491231002X",
    reference="case 7",
    code="EXPOSURE_UP",
    before=100,
    now=300,
    limit=20,
    unit="minor",
    limit_unit="percent",
    inquiry_index=12,
    texts=[lender_pb2.ReasonText(language="en", text="up")],
)


def test_a_notification_has_the_figures_and_no_identity() -> None:
    content = body(EVENT, "cd" * 32, "lender-1")
    told = json.loads(content)
    assert b"cn-id" not in content
    assert b"11010519491231002" not in content
    assert (told["code"], told["before"], told["now"], told["limit"]) == ("EXPOSURE_UP", 100, 300, 20)
    assert (told["reference"], told["watch"], told["text"]) == ("case 7", "ab" * 8, {"en": "up"})
    assert json.loads(body(lender_pb2.WatchEvent(code="OVERDUE"), "", ""))["before"] is None


def test_the_signature_is_what_the_page_says() -> None:
    found = headers(SECRET, EVENT.id, NOW, b"{}")
    assert (found[EVENT_HEADER], found[TIME_HEADER]) == (EVENT.id, str(NOW))
    expected = hmac.new(SECRET, str(NOW).encode() + b"." + b"{}", hashlib.sha256).hexdigest()
    assert found[SIGNATURE_HEADER] == f"v1={expected}"
    verify(SECRET, found, b"{}", NOW + TOLERANCE)


@pytest.mark.parametrize("late", [TOLERANCE + 1, -TOLERANCE - 1])
def test_a_notification_that_is_sent_again_by_somebody_else_is_too_old(late: int) -> None:
    with pytest.raises(Unverified, match="OLD_NOTIFICATION"):
        verify(SECRET, headers(SECRET, EVENT.id, NOW, b"{}"), b"{}", NOW + late)


@pytest.mark.parametrize(
    "change",
    [
        {TIME_HEADER: str(NOW + 1)},
        {TIME_HEADER: ""},
        {TIME_HEADER: "+1"},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "v1=" + "0" * 64},
        {SIGNATURE_HEADER: "é"},
    ],
)
def test_whatever_is_changed_is_noticed(change: dict[str, str]) -> None:
    with pytest.raises(Unverified, match="BAD_SIGNATURE"):
        verify(SECRET, {**headers(SECRET, EVENT.id, NOW, b"{}"), **change}, b"{}", NOW)


def test_another_body_and_another_secret_are_noticed() -> None:
    for secret, content in ((SECRET, b"{ }"), (SECRET + b"0", b"{}")):
        with pytest.raises(Unverified, match="BAD_SIGNATURE"):
            verify(secret, headers(SECRET, EVENT.id, NOW, b"{}"), content, NOW)


def test_a_secret_is_long_enough_and_has_no_line_end() -> None:
    assert read_secret(SECRET + b"\r\n") == SECRET
    for raw in (b"", SECRET[1:] + b"\n", bytes(4097)):
        with pytest.raises(InvalidInput, match="BAD_LENGTH"):
            read_secret(raw)


def test_tries_go_on_for_a_day_later_and_later() -> None:
    pauses = [pause(failures) for failures in range(1, 40)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5, 3600)
    assert sum(pauses) > GIVE_UP


def test_questions_under_one_consent_do_not_look_alike() -> None:
    consent, secret = bytes(range(32)), bytes(32)
    digests = {question_digest(secret, number, consent) for number in range(20)}
    assert len(digests) == 20
    assert question_digest(secret, 7, consent) == consent_digest(question_salt(secret, 7), consent)
    assert question_digest(bytes(31) + b"\1", 0, consent) not in digests
