"""Bad feeds at a real node: every bad row is named with its line, field and reason; the good ones are taken."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from plimsoll.v1 import lender_pb2

from ledger.errors import PlimsollError, Unavailable
from tests.cluster import Cluster
from tests.e2e.feeds import row
from tests.e2e.wire import bare_call, failure_of, refusal_of

LENDER = "lender-3"
LIMIT = 1 << 40
NEW = itertools.count(700_000)
IN_THREE_DAYS = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"borrower": ""}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "000001"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "test:"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "test:a b"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "test:" + 200 * "9"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "ssn:123456789"}, "borrower", "UNKNOWN_SCHEME"),
    ({"borrower": "cn-id:110105194912310021"}, "borrower", "BAD_CHECKSUM"),
    ({"borrower": "cn-id:11010519491331002X"}, "borrower", "BAD_CHECKSUM"),
    ({"borrower": "cn-id:1101051949123100"}, "borrower", "BAD_IDENTITY"),
    ({"borrower": "passport:XX:1234567"}, "borrower", "BAD_IDENTITY"),
    ({"loan_id": ""}, "loan_id", "BAD_TEXT"),
    ({"loan_id": 65 * "x"}, "loan_id", "BAD_TEXT"),
    ({"loan_id": "a\nb"}, "loan_id", "BAD_TEXT"),
    ({"product": "a\x00b"}, "product", "BAD_TEXT"),
    ({"product": " card"}, "product", "BAD_TEXT"),
    ({"currency": "USD"}, "currency", "OTHER_CURRENCY"),
    ({"currency": "cny"}, "currency", "OTHER_CURRENCY"),
    ({"currency": ""}, "currency", "OTHER_CURRENCY"),
    *(
        ({"credit_limit": 0, "monthly_due": 0, name: amount}, name, "OUT_OF_RANGE")
        for name in ("credit_limit", "outstanding", "monthly_due", "overdue")
        for amount in (-1, LIMIT + 1, (1 << 63) - 1, -(1 << 63))
    ),
    ({"days_past_due": -1}, "days_past_due", "OUT_OF_RANGE"),
    ({"days_past_due": 1 << 40}, "days_past_due", "OUT_OF_RANGE"),
    ({"classification": ""}, "classification", "UNKNOWN_CLASS"),
    ({"classification": "Pass"}, "classification", "UNKNOWN_CLASS"),
    ({"classification": "special mention"}, "classification", "UNKNOWN_CLASS"),
    ({"classification": "0"}, "classification", "UNKNOWN_CLASS"),
    ({"status": ""}, "status", "UNKNOWN_STATUS"),
    ({"status": "OPEN"}, "status", "UNKNOWN_STATUS"),
    ({"as_of": ""}, "as_of", "BAD_DATE"),
    ({"as_of": "2025-02-30"}, "as_of", "BAD_DATE"),
    ({"as_of": "20250101"}, "as_of", "BAD_DATE"),
    ({"as_of": "2025-01-01T00:00:00"}, "as_of", "BAD_DATE"),
    ({"as_of": "２０２５-01-01"}, "as_of", "BAD_DATE"),
    ({"as_of": "1969-12-31"}, "as_of", "BAD_DATE"),
    ({"as_of": IN_THREE_DAYS}, "as_of", "FUTURE_DATE"),
]


def good(**changes: Any) -> lender_pb2.FeedRow:
    """A good row of a borrower nobody knows yet."""
    return row(f"test:{next(NEW)}", **changes)


def feed() -> tuple[list[lender_pb2.FeedRow], list[tuple[int, str, str]]]:
    """Good and bad rows in turn; and what each bad one is to be rejected with."""
    rows, rejections = [], []
    for number, (changes, path, reason) in enumerate(BAD):
        line = 2 * number + 2
        rows.append(good(line=line, outstanding=10_000 + number))
        rows.append(row(**{"borrower": f"test:{next(NEW)}", "line": line + 1, **changes}))
        rejections.append((line + 1, path, reason))
    rows.append(row(rows[0].borrower, line=9001))
    rejections.append((9001, "loan_id", "DUPLICATE_LOAN"))
    return rows, rejections


def log_size(cluster: Cluster) -> int:
    return cluster.sizes(LENDER)[LENDER][0]


def test_bad_rows_are_named_and_the_others_taken(consortium: Cluster) -> None:
    rows, rejections = feed()
    summary = consortium.report(LENDER, rows)
    assert [(one.line, one.path, one.reason) for one in summary.rejections] == rejections
    assert (summary.read, summary.accepted, summary.rejected) == (len(rows), len(BAD), len(rejections))
    assert summary.published == len(BAD)
    for rejection in summary.rejections:
        assert rejection.message
        assert not any(secret in rejection.message for secret in ("test:7", "11010519", "1234567", str(LIMIT + 1)))
    for taken in rows[::2][:5]:
        answer = consortium.ask(LENDER, taken.borrower)
        assert (answer.lenders, answer.accounts, answer.includes_own) == (1, 1, True)


def test_strict_takes_all_or_nothing(consortium: Cluster) -> None:
    rows, rejections = feed()
    before = log_size(consortium)
    summary = consortium.report(LENDER, rows, strict=True)
    assert [(one.line, one.path, one.reason) for one in summary.rejections] == rejections
    assert (summary.accepted, summary.published) == (0, 0)
    assert log_size(consortium) == before
    good_rows = rows[:-1:2]
    summary = consortium.report(LENDER, good_rows, strict=True)
    assert (summary.accepted, summary.published, summary.rejected) == (len(good_rows), len(good_rows), 0)


def test_of_two_rows_of_one_loan_the_first_counts(consortium: Cluster) -> None:
    first = good(line=2, outstanding=1000)
    second = row(first.borrower, 2000, line=3)
    other_spelling = row(first.borrower.upper().replace("TEST", "TEST"), 3000, line=4)
    summary = consortium.report(LENDER, [first, second, other_spelling])
    assert [(one.line, one.reason) for one in summary.rejections] == [(3, "DUPLICATE_LOAN"), (4, "DUPLICATE_LOAN")]
    again = consortium.report(LENDER, [first])
    assert (again.published, again.unchanged) == (0, 1)


def test_a_sum_out_of_range_rejects_the_borrower_and_keeps_what_was(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert consortium.report(LENDER, [row(borrower, 5000)]).published == 1
    whole = {"credit_limit": 0, "monthly_due": 0}
    rows = [row(borrower, LIMIT // 2 + 1, loan_id=f"big-{number}", line=number, **whole) for number in (2, 3)]
    summary = consortium.report(LENDER, [*rows, good(line=4)])
    assert [(one.line, one.path, one.reason) for one in summary.rejections] == [
        (2, "outstanding", "SUM_OUT_OF_RANGE"),
        (3, "outstanding", "SUM_OUT_OF_RANGE"),
    ]
    assert (summary.accepted, summary.published) == (1, 1)
    assert consortium.ask(LENDER, borrower).bands[0].lenders == 1


def test_the_largest_amounts_there_are_are_taken(consortium: Cluster) -> None:
    most = dict.fromkeys(("credit_limit", "monthly_due", "overdue"), LIMIT)
    borrower = f"test:{next(NEW)}"
    assert consortium.report(LENDER, [row(borrower, LIMIT, days_past_due=9000, **most)]).published == 1
    answer = consortium.ask(LENDER, borrower)
    assert [band.lenders for band in answer.bands] == [0, 0, 0, 0, 0, 1]
    assert [band.lenders for band in answer.overdue_bands] == [0, 0, 0, 0, 1]


def test_an_older_state_does_not_undo_a_newer_one(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert consortium.report(LENDER, [row(borrower, 7000, as_of="2025-05-31")]).published == 1
    summary = consortium.report(LENDER, [row(borrower, 9000, as_of="2025-04-30")])
    assert [(one.line, one.path, one.reason) for one in summary.rejections] == [(2, "as_of", "STALE")]
    assert consortium.report(LENDER, [row(borrower, 7000, as_of="2025-06-30")]).published == 0


def test_an_empty_feed_is_a_feed(consortium: Cluster) -> None:
    before = log_size(consortium)
    summary = consortium.report(LENDER, [])
    assert (summary.read, summary.accepted, summary.published) == (0, 0, 0)
    assert summary.log_size == before == log_size(consortium)


def test_a_feed_that_breaks_off_is_not_taken(consortium: Cluster) -> None:
    before = log_size(consortium)

    def batches():
        yield [good(line=2)]
        raise ValueError("the file ended in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        list(consortium.lender(LENDER).report(batches()))
    assert log_size(consortium) == before


def test_a_feed_whose_sender_goes_away_is_not_taken(consortium: Cluster) -> None:
    before = log_size(consortium)
    responses = consortium.lender(LENDER).report(one_and_then_nothing())
    assert next(responses).phase == "reading"
    consortium.forget_session(LENDER, "lender")
    with pytest.raises(Unavailable):
        next(responses)
    assert log_size(consortium) == before


def one_and_then_nothing() -> Iterator[list[lender_pb2.FeedRow]]:
    """Batches of a sender that stays silent after two."""
    yield [good(line=2)]
    yield [good(line=3)]
    time.sleep(2)


def test_a_message_with_too_many_rows_ends_the_feed(consortium: Cluster) -> None:
    before = log_size(consortium)
    rows = [good(line=number) for number in range(4097)]
    with pytest.raises(PlimsollError) as refused:
        list(consortium.lender(LENDER).report([rows]))
    assert (refused.value.reason, refused.value.path) == ("TOO_MANY_ROWS", "rows")
    assert refused.value.grpc_status == "INVALID_ARGUMENT"
    assert log_size(consortium) == before


def test_a_message_beyond_all_bounds_is_refused_by_its_size(consortium: Cluster) -> None:
    endpoint = consortium.endpoint(LENDER, "lender")
    channel = consortium.channel(LENDER, endpoint.key, endpoint.certificate)
    call, _ = bare_call(channel, "LenderService.Report")
    huge = lender_pb2.ReportRequest(rows=[row("test:1", product=5 * 1024 * 1024 * "x")]).SerializeToString()
    failure = failure_of(call, iter([huge]))
    assert failure is not None
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_message_are_refused_and_leave_the_node_well(consortium: Cluster) -> None:
    endpoint = consortium.endpoint(LENDER, "lender")
    channel = consortium.channel(LENDER, endpoint.key, endpoint.certificate)
    for method in ("Report", "Exposure", "Exposures", "Assess", "Assessments"):
        call, empty = bare_call(channel, f"LenderService.{method}")
        garbage = b"\xff\xff\xff\xff\x07"
        failure = refusal_of(call, garbage if isinstance(empty, bytes) else iter([garbage]))
        assert failure.brief == ("INVALID_ARGUMENT", "BAD_MESSAGE", ""), method
    assert consortium.report(LENDER, [good()]).published == 1


def test_the_command_tells_lines_and_reasons_of_a_bad_file(consortium: Cluster, tmp_path: Path) -> None:
    header = "borrower,loan_id,product,currency,credit_limit,outstanding,monthly_due,overdue,days_past_due,"
    header += "classification,status,as_of\n"
    ok = "test:{},L1,card,CNY,100,{},10,0,0,pass,open,2025-06-30\n"
    lines = [
        ok.format(next(NEW), 50),  # line 2
        ok.format(next(NEW), "50.5"),
        ok.format(next(NEW), -1),
        ok.format(next(NEW), LIMIT + 1),
        ok.format(next(NEW), 50).replace("CNY", "USD"),
        "cn-id:110105194912310021" + ok.format(1, 50)[6:],
        "test:1,too,few\n",
        1_000_000 * "x" + "\n",
        ok.format(next(NEW), 60),  # line 10
    ]
    path = tmp_path / "feed.csv"
    path.write_bytes((header + "".join(lines)).encode() + b"\xff\xfe,\n")
    code, out, _ = report_command(consortium, path)
    assert code == 0
    summary = json.loads(out)
    told = [(one["line"], one["path"], one["reason"]) for one in summary["rejections"]]
    assert told == [
        (3, "outstanding", "BAD_NUMBER"),
        (4, "outstanding", "OUT_OF_RANGE"),
        (5, "outstanding", "OUT_OF_RANGE"),
        (6, "currency", "OTHER_CURRENCY"),
        (7, "borrower", "BAD_CHECKSUM"),
        (8, "", "COLUMN_COUNT"),
        (9, "", "LINE_TOO_LONG"),
        (11, "", "BAD_ENCODING"),
    ]
    assert (summary["read"], summary["accepted"], summary["published"]) == (10, 2, 2)
    missing = tmp_path / "missing.csv"
    missing.write_text(header.replace("currency,", ""))
    code, _, error = report_command(consortium, missing)
    assert code == 3
    assert json.loads(error)["error"] == {
        "reason": "MISSING_COLUMN",
        "message": "line 1: missing: currency",
        "path": "currency",
    }


def report_command(cluster: Cluster, path: Path) -> tuple[int, str, str]:
    """Exit code and output of `plimsoll --json report`."""
    program = [sys.executable, "-c", "from client.cli import main; raise SystemExit(main())"]
    command = [*program, "--home", str(cluster.home_folder(LENDER)), "--json", "report", str(path)]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr
