from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import Exhausted, NotFound, Refused
from ledger.queries.inquiry import consent_digest
from tests.client.cli.conftest import Plimsoll
from tests.client.fakes import FakeNode

DIGEST = "0123456789abcdef" * 4


def full_answer(**changes: object) -> lender_pb2.ExposureResponse:
    answer = lender_pb2.ExposureResponse(
        borrower="test:000009",
        amounts=lender_pb2.Amounts(credit_limit=500_000_00, outstanding=38_000_00, monthly_due=15_500_05),
        accounts=7,
        lenders=5,
        includes_own=True,
        classes=[lender_pb2.ClassCount(name="pass", lenders=4), lender_pb2.ClassCount(name="loss", lenders=1)],
        bands=[lender_pb2.BandCount(upper="10000", lenders=2), lender_pb2.BandCount(upper="above", lenders=3)],
        overdue_bands=[lender_pb2.BandCount(upper="1000", lenders=1)],
        freshness_seconds=17,
        logs=[lender_pb2.LogFreshness(member="lender-1", size=12, feed_age_seconds=-1)],
        excluded=[lender_pb2.Left(member="lender-3", reason="BAD_PROOF")],
        inquiries=[
            lender_pb2.InquiryCount(member="lender-2", purpose=entry_pb2.PURPOSE_PRE_LOAN, days_30=1, days_90=2)
        ],
        custodians_failed=[lender_pb2.Left(member="lender-2", reason="BAD_PARTIAL")],
        inquiry_index=11,
        transcript=b'{"format": "x"}',
    )
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


def withheld(reason: str) -> lender_pb2.ExposureResponse:
    answer = full_answer(withheld=reason)
    answer.ClearField("amounts")
    return answer


ASK = ("exposure", "test:000009", "--purpose", "pre-loan", "--consent-digest", DIGEST)


def test_the_json_has_the_documented_keys(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Exposure"] = full_answer()
    run = at_home(*ASK, "--json")
    assert run.code == 0
    assert run.json == {
        "borrower": "test:000009",
        "amounts": {"credit_limit": 50_000_000, "outstanding": 3_800_000, "monthly_due": 1_550_005},
        "withheld": "",
        "accounts": 7,
        "lenders": 5,
        "includes_own": True,
        "classes": {"pass": 4, "loss": 1},
        "bands": {"10000": 2, "above": 3},
        "overdue_bands": {"1000": 1},
        "freshness_seconds": 17,
        "logs": [
            {
                "member": "lender-1",
                "size": 12,
                "head_age_seconds": 0,
                "feed_age_seconds": -1,
                "stale": False,
                "frozen": False,
                "witnessed_size": 0,
            }
        ],
        "excluded": [{"member": "lender-3", "reason": "BAD_PROOF"}],
        "inquiries": [{"member": "lender-2", "purpose": "pre-loan", "days_30": 1, "days_90": 2}],
        "custodians_failed": [{"member": "lender-2", "reason": "BAD_PARTIAL"}],
        "implausible": [],
        "inquiry_index": 11,
        "consent_digest": DIGEST,
        "consent_salt": None,
    }


def test_amounts_withheld_are_null_with_the_reason(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Exposure"] = withheld("DIFFERENCING")
    run = at_home(*ASK, "--json")
    assert (run.json["amounts"], run.json["withheld"]) == (None, "DIFFERENCING")


def test_people_see_major_units_with_the_currency(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Exposure"] = full_answer()
    run = at_home(*ASK)
    for text in (
        "38,000.00 CNY",
        "15,500.05 CNY",
        "5 (this one included)",
        "pass 4, loss 1",
        "below 10,000 2, above 3",
    ):
        assert text in run.out
    assert "left out: lender-3 (BAD_PROOF)" in run.out
    assert "custodian failed: lender-2 (BAD_PARTIAL)" in run.out


def test_people_see_how_fresh_each_log_is_and_which_are_stale_or_frozen(at_home: Plimsoll, node: FakeNode) -> None:
    answer = full_answer()
    del answer.logs[:]
    answer.logs.add(member="lender-1", size=12, witnessed_size=10, head_age_seconds=0, feed_age_seconds=-1)
    answer.logs.add(member="lender-2", size=7, head_age_seconds=7200, feed_age_seconds=9 * 86_400, stale=True)
    answer.logs.add(member="lender-3", size=5, witnessed_size=5, head_age_seconds=4, stale=True, frozen=True)
    node.answers["Exposure"] = answer
    out = at_home(*ASK).out
    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["lender-1", "12", "10", "0 s ago", "never", "fresh"] in lines
    assert ["lender-2", "7", "0", "2 h ago", "9 d ago", "stale"] in lines
    assert ["lender-3", "5", "5", "4 s ago", "0 s ago", "frozen"] in lines
    assert "frozen: lender-3 has signed two histories" in out


def test_people_are_told_why_amounts_are_withheld(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Exposure"] = withheld("FEW_CONTRIBUTORS")
    run = at_home(*ASK)
    assert "withheld, FEW_CONTRIBUTORS: too few other lenders contribute" in run.out


@pytest.mark.parametrize("purpose", ["pre-loan", "post-loan", "guarantor", "dispute", "self"])
def test_each_purpose_goes_out_as_itself(at_home: Plimsoll, node: FakeNode, purpose: str) -> None:
    node.answers["Exposure"] = full_answer()
    assert at_home("exposure", "test:1", "--purpose", purpose, "--consent-digest", DIGEST, "--json").code == 0
    sent = node.asked[0][2]
    assert entry_pb2.Purpose.Name(sent.purpose) == "PURPOSE_" + purpose.replace("-", "_").upper()
    assert sent.consent_digest.hex() == DIGEST


def test_a_consent_document_is_salted_afresh_and_the_salt_is_given_to_the_lender(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path
) -> None:
    document = tmp_path / "consent.pdf"
    document.write_bytes(b"I agree. \x00\xff")
    node.answers["Exposure"] = full_answer()
    salts = set()
    for place in range(2):
        run = at_home("exposure", "test:1", "--purpose", "self", "--consent", document, "--json")
        salt = bytes.fromhex(run.json["consent_salt"])
        digest = consent_digest(salt, document.read_bytes())
        assert node.asked[place][2].consent_digest == digest
        assert run.json["consent_digest"] == digest.hex()
        salts.add(salt)
    assert len(salts) == 2
    run = at_home("exposure", "test:1", "--purpose", "self", "--consent", document)
    assert "keep it with the document" in run.out


@pytest.mark.parametrize(("digest", "reason"), [("00", "BAD_DIGEST"), ("g" * 64, "BAD_DIGEST")])
def test_a_bad_consent_is_refused_before_the_node_is_asked(
    at_home: Plimsoll, node: FakeNode, digest: str, reason: str
) -> None:
    run = at_home("exposure", "test:1", "--purpose", "self", "--consent-digest", digest)
    assert run.code == 3
    assert reason in run.err
    assert node.asked == []


def test_an_empty_consent_document_is_refused(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    run = at_home("exposure", "test:1", "--purpose", "self", "--consent", tmp_path / "empty")
    assert run.code == 3
    assert "EMPTY_CONSENT" in run.err


@pytest.mark.parametrize(
    ("options", "form"),
    [([], lender_pb2.TRANSCRIPT_FORM_FULL), (["--redacted"], lender_pb2.TRANSCRIPT_FORM_REDACTED)],
)
def test_a_transcript_is_saved_for_its_owner_alone(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path, options: list[str], form: int
) -> None:
    target = tmp_path / "transcript.json"
    target.write_text("an older one, for all to read")
    target.chmod(0o644)
    node.answers["Exposure"] = full_answer()
    run = at_home(*ASK, "--transcript", target, *options, "--json")
    assert run.json["transcript_file"] == str(target)
    assert "transcript" not in run.json
    assert target.read_bytes() == b'{"format": "x"}'
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert node.asked[0][2].transcript == form
    assert os.listdir(tmp_path) == ["transcript.json"]


def test_people_are_told_which_transcript_is_a_secret(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    node.answers["Exposure"] = full_answer()
    assert "a secret" in at_home(*ASK, "--transcript", tmp_path / "t").out
    assert "(redacted)" in at_home(*ASK, "--transcript", tmp_path / "t", "--redacted").out


def test_a_place_that_cannot_be_written_costs_no_inquiry(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    run = at_home(*ASK, "--transcript", tmp_path / "nowhere" / "t.json")
    assert run.code == NotFound.exit_code
    assert run.err.count("\n") == 1
    assert node.asked == []


def test_a_refused_question_leaves_no_file(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    node.answers["Exposure"] = Exhausted("QUOTA", "3 a day")
    run = at_home(*ASK, "--transcript", tmp_path / "t.json")
    assert run.code == Exhausted.exit_code
    assert os.listdir(tmp_path) == []


def test_an_answer_without_the_transcript_asked_for_is_shown_and_is_a_failure(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path
) -> None:
    node.answers["Exposure"] = full_answer(transcript=b"")
    run = at_home(*ASK, "--transcript", tmp_path / "t.json", "--json")
    assert run.code != 0
    assert run.json["lenders"] == 5
    assert "NO_TRANSCRIPT" in run.err
    assert os.listdir(tmp_path) == []


def test_an_identity_can_be_kept_off_the_command_line(
    at_home: Plimsoll, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answers["Exposure"] = full_answer()
    monkeypatch.setattr("sys.stdin", io.StringIO("cn-id:11010519491231002X\n"))
    assert at_home("exposure", "-", "--purpose", "self", "--consent-digest", DIGEST, "--json").code == 0
    assert node.asked[0][2].borrower == "cn-id:11010519491231002X"


# -- many at once


def _answered(requests: list[lender_pb2.ExposuresRequest]) -> list[lender_pb2.ExposuresResponse]:
    """In reverse order; borrowers with an x fail."""
    answers = []
    for each in reversed(requests):
        if "x" in each.request.borrower:
            failure = lender_pb2.Failure(reason="QUOTA", message="no more", path="", status="RESOURCE_EXHAUSTED")
            answers.append(lender_pb2.ExposuresResponse(id=each.id, failure=failure))
        else:
            response = full_answer(borrower=each.request.borrower)
            answers.append(lender_pb2.ExposuresResponse(id=each.id, response=response))
    return answers


def test_a_batch_gives_a_line_of_json_an_answer_with_the_lines_number(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path
) -> None:
    (tmp_path / "batch").write_text("\ufefftest:1\n\n  test:2 \r\ntest:3")
    node.answers["Exposures"] = _answered
    run = at_home("exposure", "--batch", tmp_path / "batch", "--purpose", "post-loan", "--consent-digest", DIGEST)
    assert run.code == 0
    answers = [json.loads(line) for line in run.out.splitlines()]
    assert [(answer["line"], answer["borrower"]) for answer in answers] == [(4, "test:3"), (3, "test:2"), (1, "test:1")]
    assert all(answer["amounts"]["outstanding"] == 3_800_000 for answer in answers)
    assert {each.request.purpose for each in node.asked[0][2]} == {entry_pb2.PURPOSE_POST_LOAN}


def test_a_batch_goes_on_after_a_failure_and_exits_by_the_first(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path
) -> None:
    (tmp_path / "batch").write_text("test:1\ntest:x\ntest:3\n")
    node.answers["Exposures"] = _answered
    run = at_home("exposure", "--batch", tmp_path / "batch", "--purpose", "self", "--consent-digest", DIGEST)
    assert run.code == Exhausted.exit_code
    answers = {answer["line"]: answer for answer in map(json.loads, run.out.splitlines())}
    assert answers[2]["borrower"] == "test:x"
    assert answers[2]["error"] == {"reason": "QUOTA", "message": "no more", "path": ""}
    assert answers[1]["lenders"] == answers[3]["lenders"] == 5


def test_every_question_of_a_batch_has_its_own_salt(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "batch").write_text("test:1\ntest:2\n")
    (tmp_path / "consent").write_text("all of you")
    node.answers["Exposures"] = _answered
    run = at_home("exposure", "--batch", tmp_path / "batch", "--purpose", "self", "--consent", tmp_path / "consent")
    salts = {answer["line"]: bytes.fromhex(answer["consent_salt"]) for answer in map(json.loads, run.out.splitlines())}
    assert len(set(salts.values())) == 2
    for each in node.asked[0][2]:
        assert each.request.consent_digest == consent_digest(salts[each.id], b"all of you")


def test_a_batch_comes_from_stdin_too(at_home: Plimsoll, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("test:7\n"))
    node.answers["Exposures"] = _answered
    run = at_home("exposure", "--batch", "-", "--purpose", "self", "--consent-digest", DIGEST)
    assert run.json["borrower"] == "test:7"


def test_a_batch_that_is_not_text_is_refused(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(b"\xff\xfet\0e\0")
    run = at_home("exposure", "--batch", tmp_path / "batch", "--purpose", "self", "--consent-digest", DIGEST)
    assert run.code == 3
    assert "BAD_ENCODING" in run.err


def test_a_batch_the_node_refuses_as_a_whole_is_one_error(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "batch").write_text("test:1\n")
    node.answers["Exposures"] = Refused("ROLE", "not you")
    run = at_home("exposure", "--batch", tmp_path / "batch", "--purpose", "self", "--consent-digest", DIGEST)
    assert (run.code, run.out, run.err) == (Refused.exit_code, "", "plimsoll: not you [ROLE]\n")
