"""screen: what is refused before anything is asked, what is kept of each answer, and how it goes on."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from client.screening.journal import SALT, beside
from ledger.crypto.hashing import derive
from ledger.decision import DecisionPolicy, render_decision_policy
from ledger.errors import Exhausted, InvalidInput, Unavailable, Unready
from ledger.queries.inquiry import consent_digest
from tests.client.cli.conftest import Plimsoll, Run
from tests.client.fakes import FakeNode

DIGEST = "0123456789abcdef" * 4
CLASSES = ("pass", "special-mention", "substandard", "doubtful", "loss")
Requests = list[lender_pb2.AssessmentsRequest]


def answered(request: lender_pb2.AssessmentsRequest) -> lender_pb2.AssessmentsResponse:
    """An answer that can be told from others' by its index."""
    exposure = lender_pb2.ExposureResponse(
        borrower=request.request.question.borrower,
        amounts=lender_pb2.Amounts(credit_limit=300, outstanding=200, monthly_due=100),
        lenders=3,
        accounts=4,
        classes=[lender_pb2.ClassCount(name=name, lenders=int(name in CLASSES[:3])) for name in CLASSES],
        inquiry_index=1000 + request.id,
    )
    reasons = [lender_pb2.Reason(code="LENDERS", effect="review"), lender_pb2.Reason(code="OVERDUE", effect="review")]
    response = lender_pb2.AssessResponse(outcome="review", headroom=7, reasons=reasons, exposure=exposure)
    return lender_pb2.AssessmentsResponse(id=request.id, response=response)


def failure(request: lender_pb2.AssessmentsRequest, reason: str, status: str, **more: Any) -> Any:
    failed = lender_pb2.Failure(reason=reason, message="so it is", status=status, **more)
    return lender_pb2.AssessmentsResponse(id=request.id, failure=failed)


def all_answered(requests: Requests) -> list[lender_pb2.AssessmentsResponse]:
    """In reverse order, as they may come in any."""
    return [answered(request) for request in reversed(requests)]


class Screen:
    """A portfolio and its output."""

    def __init__(self, run: Plimsoll, node: FakeNode, folder: Path) -> None:
        self._run = run
        self._node = node
        self.portfolio = folder / "book.csv"
        self.output = folder / "out.csv"
        self.write("borrower", *(f"test:{number}" for number in range(1, 6)))

    def write(self, *lines: str) -> None:
        self.portfolio.write_text("\n".join(lines) + "\n")

    def __call__(self, *options: object, consent: tuple[str, ...] = ("--consent-digest", DIGEST)) -> Run:
        return self._run("screen", self.portfolio, "--output", self.output, *consent, *options)

    @property
    def rows(self) -> list[dict[str, str]]:
        with self.output.open(newline="") as file:
            return list(csv.DictReader(file))

    def asked(self) -> list[lender_pb2.AssessRequest]:
        """Of all runs."""
        calls = [request for method, _, request in self._node.asked if method == "Assessments"]
        return [each.request for call in calls for each in call]


@pytest.fixture
def screen(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> Screen:
    node.answers["Assessments"] = all_answered
    return Screen(at_home, node, tmp_path)


def test_every_case_goes_out_with_what_is_known_of_it_and_comes_back_as_a_row(
    screen: Screen, node: FakeNode, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(render_decision_policy(DecisionPolicy(name="mine")))
    other = "ab" * 32
    screen.write(
        "reference,borrower,income,loan,due,consent_digest",
        f'"case, 1",test:1,800000,100000,10000,{other}',
        "",
        "case 2,test:2,0,,,",
        ",test:3,,,,",
    )
    run = screen("--policy", policy, "--json")
    assert run.code == 0, run.err
    [(_, caller, _)] = node.asked
    assert caller.role == "lender"
    first, second, third = screen.asked()
    assert (first.income, first.loan.principal, first.loan.monthly_due) == (800_000, 100_000, 10_000)
    assert (first.reference, first.policy) == ("case, 1", policy.read_bytes())
    assert (second.HasField("income"), second.HasField("loan"), third.HasField("income")) == (True, False, False)
    assert [each.question.consent_digest.hex() for each in (first, second, third)] == [other, DIGEST, DIGEST]
    assert {each.question.purpose for each in (first, second, third)} == {entry_pb2.PURPOSE_POST_LOAN}
    assert [(row["line"], row["reference"]) for row in screen.rows] == [("2", "case, 1"), ("4", "case 2"), ("5", "")]
    assert screen.rows[1] == {
        "line": "4",
        "reference": "case 2",
        "outcome": "review",
        "held": "false",
        "headroom": "7",
        "withheld": "",
        "credit_limit": "300",
        "outstanding": "200",
        "monthly_due": "100",
        "lenders": "3",
        "accounts": "4",
        "worst_class": "substandard",
        "codes": "LENDERS OVERDUE",
        "inquiry_index": "1004",
        "consent_salt": "",
        "error": "",
        "again": "false",
    }
    assert run.json["outcomes"] == {"review": 3}
    assert (run.json["cases"], run.json["answered"], run.json["left"], run.json["asked"]) == (3, 3, 0, 3)


def test_nobody_is_named_in_what_is_written_and_only_its_owner_reads_it(screen: Screen) -> None:
    screen.write("borrower", "cn-id:11010519491231002X")
    assert screen().code == 0
    for path in (screen.output, beside(screen.output)):
        assert "11010519491231002X" not in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("lines", "reason", "where"),
    [
        (["borrower,name", "test:1,x"], "UNKNOWN_COLUMN", "line 1"),
        (["income", "1"], "MISSING_COLUMN", "borrower: line 1"),
        (["borrower,income,income", "test:1,1,1"], "DUPLICATE_COLUMN", "line 1"),
        (["borrower", "test:1", "nobody"], "BAD_IDENTITY", "borrower: line 3"),
        (["borrower,income", "test:1,1", "test:2,1_0"], "BAD_DECIMAL", "income: line 3"),
        (["borrower,income", "test:1,-1"], "BAD_DECIMAL", "income: line 2"),
        (["borrower,loan,due", f"test:1,{(1 << 40) + 1},1"], "BAD_DECIMAL", "loan: line 2"),
        (["borrower,loan,due", "test:1,5,"], "BAD_LOAN", "due: line 2"),
        (["borrower,loan", "test:1,5"], "BAD_LOAN", "due: line 2"),
        (["borrower", "test:1", "", "TEST:1"], "DUPLICATE", "borrower: line 4: the borrower of line 2"),
        (["borrower,reference", "test:1,a\x07"], "BAD_TEXT", "reference: line 2"),
        (["borrower,consent_digest", "test:1,abcd"], "BAD_DIGEST", "consent_digest: line 2"),
        (["borrower,income", "test:1"], "COLUMN_COUNT", "line 2"),
        (["borrower"], "EMPTY_FILE", "no case"),
        ([], "EMPTY_FILE", "empty"),
    ],
)
def test_one_bad_line_and_nothing_is_asked(
    screen: Screen, node: FakeNode, lines: list[str], reason: str, where: str
) -> None:
    screen.portfolio.write_text("".join(f"{line}\n" for line in lines))
    run = screen()
    assert run.code == InvalidInput.exit_code
    assert f"[{reason}]" in run.err
    assert where in run.err
    assert not screen.output.exists()
    assert not beside(screen.output).exists()
    assert node.asked == []


def test_a_case_without_any_consent_is_refused(screen: Screen, node: FakeNode) -> None:
    assert "NO_CONSENT" in screen(consent=()).err
    screen.write("borrower,consent_digest", f"test:1,{DIGEST}", "test:2,")
    assert "consent_digest: line 3" in screen(consent=()).err
    assert screen("--consent", screen.portfolio).code == 2
    assert node.asked == []
    screen.write("borrower,consent_digest", f"test:1,{DIGEST}")
    assert screen(consent=()).code == 0


def test_the_salts_of_a_consent_are_fresh_kept_and_can_be_made_again(screen: Screen, tmp_path: Path) -> None:
    document = tmp_path / "consent.txt"
    document.write_text("all of you")
    assert screen(consent=("--consent", str(document))).code == 0
    salts = [bytes.fromhex(row["consent_salt"]) for row in screen.rows]
    sent = [each.question.consent_digest for each in screen.asked()]
    assert sent == [consent_digest(salt, b"all of you") for salt in salts]
    assert len(set(salts)) == 5
    secret = bytes.fromhex(json.loads(beside(screen.output).read_text().splitlines()[1])["secret"])
    assert salts == [derive(secret, SALT, line) for line in range(2, 7)]


def test_a_policy_with_a_mistake_is_refused_before_anything_is_asked(
    screen: Screen, node: FakeNode, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text("format = 1\n")
    run = screen("--policy", tmp_path / "p.toml")
    assert run.code == 3
    assert "p.toml.format" in run.err
    assert node.asked == []


def test_what_the_node_says_of_the_policy_ends_the_run_and_is_no_rows_fault(screen: Screen, node: FakeNode) -> None:
    node.answers["Assessments"] = lambda requests: [
        failure(each, "OTHER_CURRENCY", "INVALID_ARGUMENT", path="policy.currency") for each in requests
    ]
    run = screen()
    assert run.code == 3
    assert "policy.currency" in run.err
    assert "5 of 5 are left" in run.err
    assert screen.rows == []


# -- going on


def kinds(requests: Requests) -> list[Any]:
    """Of test:1 .. test:5: an answer, errors that pass, and errors that do not."""
    made = {
        1: answered,
        2: lambda each: failure(each, "TOO_FEW_CUSTODIANS", "UNAVAILABLE"),
        3: lambda each: failure(each, "BORROWER_QUOTA", "RESOURCE_EXHAUSTED", retry_seconds=60),
        4: lambda each: failure(each, "TOO_MANY_INQUIRIES", "RESOURCE_EXHAUSTED"),
        5: lambda each: failure(each, "SUPERSEDED", "PERMISSION_DENIED"),
    }
    return [made[each.id - 1](each) for each in requests]


def test_errors_that_pass_are_asked_again_by_the_next_run_and_no_others(screen: Screen, node: FakeNode) -> None:
    node.answers["Assessments"] = kinds
    run = screen("--json")
    assert run.code == Unavailable.exit_code  # of the first one
    assert run.json["errors"] == {
        "TOO_FEW_CUSTODIANS": 1,
        "BORROWER_QUOTA": 1,
        "TOO_MANY_INQUIRIES": 1,
        "SUPERSEDED": 1,
    }
    assert (run.json["answered"], run.json["left"]) == (1, 3)
    node.reset()
    node.answers["Assessments"] = all_answered
    run = screen("--json")
    assert run.code == 0
    assert [each.question.borrower for each in screen.asked()] == ["test:2", "test:3", "test:5"]
    assert [row["error"] for row in screen.rows] == ["", "", "", "TOO_MANY_INQUIRIES", ""]
    assert (run.json["asked"], run.json["answered"], run.json["left"]) == (3, 4, 0)
    node.reset()
    assert screen("--json").json["asked"] == 0
    assert node.asked == []


def test_the_days_quota_stops_it_and_it_says_when_to_go_on(screen: Screen, node: FakeNode) -> None:
    def quota(requests: Requests) -> list[Any]:
        used_up = [failure(each, "QUOTA", "RESOURCE_EXHAUSTED", retry_seconds=3600) for each in requests[2:]]
        return [*(answered(each) for each in requests[:2]), *used_up]

    node.answers["Assessments"] = quota
    run = screen("--json")
    assert run.code == Exhausted.exit_code
    assert "3 of 5 are left" in run.err
    assert "there is room again at 20" in run.err
    assert (run.json["answered"], run.json["left"], run.json["retry_seconds"]) == (2, 3, 3600)
    assert run.json["retry_at"] in run.err
    assert [row["line"] for row in screen.rows] == ["2", "3"]
    node.answers["Assessments"] = all_answered
    assert screen().code == 0
    assert len(screen.rows) == 5


def test_a_node_that_goes_away_leaves_what_it_has_answered(screen: Screen, node: FakeNode) -> None:
    def stops(requests: Requests) -> Any:
        yield from (answered(each) for each in requests[:3])
        raise Unavailable("CLOSING", "the node is being stopped")

    node.answers["Assessments"] = stops
    run = screen()
    assert run.code == Unavailable.exit_code
    assert "2 of 5 are left: the same command goes on" in run.err
    node.reset()
    node.answers["Assessments"] = all_answered
    assert screen().code == 0
    assert [each.question.borrower for each in screen.asked()] == ["test:4", "test:5"]
    assert [row["line"] for row in screen.rows] == ["2", "3", "4", "5", "6"]


def test_ctrl_c_leaves_a_state_to_go_on_from(screen: Screen, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    from client.screening.answers import Answers

    add = Answers.add

    def interrupted(self: Answers, row: Any) -> None:
        add(self, row)
        if len(self) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Answers, "add", interrupted)
    assert screen().code == 130
    monkeypatch.setattr(Answers, "add", add)
    assert len(screen.rows) == 2
    node.reset()
    node.answers["Assessments"] = all_answered
    assert screen().code == 0
    assert len(screen.asked()) == 3
    assert len(screen.rows) == 5


def cut_anywhere(content: bytes, header: int) -> list[int]:
    return [0, 5, header, header + 1, header + 30, len(content) - 1]


@pytest.mark.parametrize("place", range(6))
def test_a_last_line_that_was_cut_short_is_cut_off(screen: Screen, node: FakeNode, place: int) -> None:
    assert screen().code == 0
    whole = screen.output.read_bytes()
    cut = cut_anywhere(whole, whole.index(b"\n"))[place]
    screen.output.write_bytes(whole[:cut])
    left = whole[:cut].count(b"\n")
    node.reset()
    node.answers["Assessments"] = all_answered
    assert screen().code == 0
    assert len(screen.asked()) == 5 - max(0, left - 1)
    assert screen.output.read_bytes() == whole


def test_a_journal_that_was_cut_short_is_begun_anew_or_gone_on_with(screen: Screen) -> None:
    assert screen().code == 0
    journal = beside(screen.output)
    whole = journal.read_bytes()
    for cut in (0, 10, whole.index(b"\n") + 1, len(whole) - 3):
        journal.write_bytes(whole[:cut])
        assert screen().code == 0
        lines = journal.read_text().splitlines()
        assert all(json.loads(line) for line in lines)
        assert json.loads(lines[0])["format"] == "plimsoll/screening/v1"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda screen: screen.write("borrower", "test:9"), "portfolio"),
        (lambda screen: ("--purpose", "pre-loan"), "purpose"),
        (lambda screen: ("--policy", screen.portfolio.with_name("p.toml")), "policy"),
    ],
)
def test_other_questions_into_the_same_output_are_refused(
    screen: Screen, node: FakeNode, change: Callable[[Screen], Any], what: str
) -> None:
    assert screen().code == 0
    before = screen.output.read_bytes()
    screen.portfolio.with_name("p.toml").write_text(render_decision_policy(DecisionPolicy()))
    node.reset()
    run = screen(*(change(screen) or ()))
    assert run.code == 3
    assert "OTHER_SCREENING" in run.err
    assert f"another {what}:" in run.err
    assert screen.output.read_bytes() == before
    assert node.asked == []


def test_a_file_that_is_no_output_is_left_alone(screen: Screen, node: FakeNode) -> None:
    screen.output.write_text("my thesis\n")
    assert "NOT_A_SCREENING" in screen().err
    screen.output.unlink()
    assert screen().code == 0
    kept = screen.output.read_text()
    node.reset()
    for text, where in (
        ("my thesis\n", "line 1"),
        (kept.replace("review", "review,", 1), "line 2: has 18 columns"),
        (kept.replace("1002", "x", 1), "line 2, inquiry_index"),
        (kept.replace("false", "maybe", 1), "line 2, held"),
        (kept.replace("\n2,", "\n99,", 1), "line 2: no case stands in that line"),
    ):
        screen.output.write_text(text)
        run = screen()
        assert (run.code, "BAD_OUTPUT" in run.err) == (3, True)
        assert where in run.err
        assert screen.output.read_text() == text
    assert node.asked == []


def test_two_runs_into_one_output_are_refused(screen: Screen, node: FakeNode) -> None:
    assert screen().code == 0
    with beside(screen.output).open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = screen()
    assert run.code == Unready.exit_code
    assert "SCREENING_RUNS" in run.err


def test_a_place_that_cannot_be_written_costs_no_inquiry(screen: Screen, node: FakeNode, tmp_path: Path) -> None:
    assert screen("--parquet", tmp_path / "nowhere" / "p").code == 5
    screen.output = tmp_path / "nowhere" / "out.csv"
    assert screen().code == 5
    assert node.asked == []


# -- for people, and for columnar tools


def test_people_see_what_came_of_it(screen: Screen, node: FakeNode) -> None:
    node.answers["Assessments"] = kinds
    out = screen().out
    assert "1 of 5, 3 left" in out
    assert "review 1" in out
    assert "BORROWER_QUOTA 1" in out


def test_parquet_has_the_same_rows_with_types(screen: Screen, node: FakeNode, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    node.answers["Assessments"] = kinds
    path = tmp_path / "out.parquet"
    screen("--parquet", path)
    table = parquet.read_table(io.BytesIO(path.read_bytes()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert table.column_names == list(screen.rows[0])
    rows = table.to_pylist()
    assert [str(row["line"]) for row in rows] == [row["line"] for row in screen.rows]
    assert (rows[0]["outstanding"], rows[0]["codes"], rows[0]["held"]) == (200, ["LENDERS", "OVERDUE"], False)
    assert (rows[1]["outstanding"], rows[1]["error"], rows[1]["again"]) == (None, "TOO_FEW_CUSTODIANS", True)
    assert str(table.schema.field("headroom").type) == "int64"


def test_parquet_without_what_it_takes_says_so_before_anything_is_asked(
    screen: Screen, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    run = screen("--parquet", tmp_path / "out.parquet")
    assert run.code == Unready.exit_code
    assert "pip install 'plimsoll[parquet]'" in run.err
    assert node.asked == []
    assert screen().code == 0
    assert sorted(os.listdir(tmp_path)) == ["book.csv", "out.csv", "out.csv.screening"]
