from __future__ import annotations

from pathlib import Path

import pytest
from plimsoll.v1 import lender_pb2

from ledger.errors import InvalidInput, Unready
from ledger.positions.feed import COLUMNS
from tests.client.cli.conftest import Plimsoll
from tests.client.fakes import FakeNode

GOOD = "test:1,L1,card,CNY,100,50,5,0,0,pass,open,2026-01-31"
NO_NUMBER = GOOD.replace(",50,", ",5.0,")


def taken(requests: list[lender_pb2.ReportRequest]) -> list[lender_pb2.ReportResponse]:
    """As a node answers: it takes all rows but those of the borrower test:bad; none where strict and one is bad."""
    rows = [row for request in requests for row in request.rows]
    rejections = [
        lender_pb2.Rejection(line=row.line, path="borrower", reason="BAD_IDENTITY", message="no")
        for row in rows
        if row.borrower == "test:bad"
    ]
    accepted = 0 if requests[0].strict and rejections else len(rows) - len(rejections)
    summary = lender_pb2.ReportSummary(
        read=len(rows), accepted=accepted, rejected=len(rejections), rejections=rejections, published=accepted
    )
    return [
        lender_pb2.ReportResponse(phase="reading", done=len(rows)),
        lender_pb2.ReportResponse(phase="encrypting", done=1, total=2),
        lender_pb2.ReportResponse(phase="done", summary=summary),
    ]


@pytest.fixture
def feed(tmp_path: Path):
    def write(*lines: str) -> Path:
        path = tmp_path / "feed.csv"
        path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n")
        return path

    return write


def test_a_feed_is_sent_row_by_row_and_summed_up(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(GOOD, GOOD.replace("L1", "L2")), "--json")
    assert run.code == 0
    assert run.json == {
        "read": 2,
        "accepted": 2,
        "rejected": 0,
        "rejections": [],
        "published": 2,
        "closed": 0,
        "unchanged": 0,
        "log_size": 0,
        "held": None,
    }
    rows = [row for request in node.asked[0][2] for row in request.rows]
    assert [(row.line, row.loan_id, row.outstanding) for row in rows] == [(2, "L1", 50), (3, "L2", 50)]
    assert node.asked[0][1].role == "lender"


def test_rows_that_fail_here_and_there_are_listed_together_by_line(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    bad = GOOD.replace("test:1", "test:bad")
    run = at_home("report", feed(bad, NO_NUMBER, GOOD, bad, "only,three,columns"), "--json")
    assert run.code == 0
    assert (run.json["read"], run.json["accepted"], run.json["rejected"]) == (5, 1, 4)
    assert [(each["line"], each["reason"]) for each in run.json["rejections"]] == [
        (2, "BAD_IDENTITY"),
        (3, "BAD_NUMBER"),
        (5, "BAD_IDENTITY"),
        (6, "COLUMN_COUNT"),
    ]


def test_people_see_the_rejected_rows(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(GOOD, NO_NUMBER))
    assert run.code == 0
    assert "BAD_NUMBER" in run.out
    assert "outstanding" in run.out


def test_a_feed_of_which_nothing_is_accepted_fails(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(NO_NUMBER), "--json")
    assert run.code == InvalidInput.exit_code
    assert run.json["rejected"] == 1


def test_an_empty_feed_is_no_failure(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    assert at_home("report", feed()).code == 0


def test_strict_sends_nothing_where_a_line_is_no_row_and_lists_them_all(
    at_home: Plimsoll, node: FakeNode, feed
) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(GOOD, NO_NUMBER, "x"), "--strict", "--json")
    assert run.code == InvalidInput.exit_code
    assert (run.json["read"], run.json["accepted"], run.json["rejected"]) == (3, 0, 2)
    assert [each["line"] for each in run.json["rejections"]] == [3, 4]
    assert node.asked == []


def test_strict_leaves_what_rows_say_to_the_node(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(GOOD, GOOD.replace("test:1", "test:bad")), "--strict", "--json")
    assert run.code == InvalidInput.exit_code
    assert (run.json["read"], run.json["accepted"], run.json["rejected"]) == (2, 0, 1)
    assert node.asked[0][2][0].strict


def test_strict_takes_a_good_feed(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(GOOD), "--strict", "--json")
    assert (run.code, run.json["accepted"]) == (0, 1)


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_a_file_that_is_no_feed_is_one_error(at_home: Plimsoll, node: FakeNode, tmp_path: Path, strict) -> None:
    node.answers["Report"] = taken
    (tmp_path / "f.csv").write_text("borrower,amount\n")
    run = at_home("report", tmp_path / "f.csv", *strict)
    assert (run.code, run.out) == (InvalidInput.exit_code, "")
    assert run.err.startswith("plimsoll: loan_id: line 1: missing")
    assert run.err.count("\n") == 1


def test_a_node_that_cannot_take_feeds_now_says_why(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = Unready("BUSY", "another feed is being taken")
    run = at_home("report", feed(GOOD))
    assert (run.code, run.err) == (Unready.exit_code, "plimsoll: another feed is being taken [BUSY]\n")


def test_a_call_that_ends_without_a_summary_is_a_failure(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = [lender_pb2.ReportResponse(phase="reading")]
    run = at_home("report", feed(GOOD))
    assert run.code == 10
    assert "NO_SUMMARY" in run.err


def test_ten_thousand_rejections_are_told_and_the_others_counted(at_home: Plimsoll, node: FakeNode, feed) -> None:
    node.answers["Report"] = taken
    run = at_home("report", feed(*["x"] * 10_050), "--json")
    assert run.json["rejected"] == 10_050
    assert [each["line"] for each in run.json["rejections"]] == list(range(2, 10_002))
