"""assess, replay and simulate: what is sent, shown, saved and worked out from what was saved."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from plimsoll.v1 import lender_pb2

from ledger.decision import DecisionPolicy, Record, render_decision_policy
from ledger.errors import Unverified
from tests.client.cli.conftest import Plimsoll
from tests.client.fakes import FakeNode
from tests.ledger.decision.samples import POLICY, application, facts

DIGEST = "0123456789abcdef" * 4
ASSESS = ("assess", "test:1", "--consent-digest", DIGEST)
RECORD = Record(
    1_750_000_000, "case 7", "plimsoll/00/lender-1", 12, POLICY, facts(20_000_00, 4_500_00, 4), application()
)


def answer() -> lender_pb2.AssessResponse:
    """What a node says of RECORD."""
    reason = lender_pb2.Reason(code="LENDERS", effect="review", figure=5, threshold=4, unit="count")
    reason.texts.add(language="en", text="five", remedy="four")
    return lender_pb2.AssessResponse(
        outcome="review",
        headroom=0,
        reasons=[reason],
        exposure=lender_pb2.ExposureResponse(borrower="test:1", lenders=4),
        record=RECORD.encode(),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "case.json"
    path.write_bytes(RECORD.encode())
    return path


def test_what_is_asked_goes_to_the_lenders_own_node(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    node.answers["Assess"] = answer()
    policy = tmp_path / "p.toml"
    policy.write_text(render_decision_policy(DecisionPolicy(name="mine")))
    run = at_home(
        *ASSESS,
        "--income",
        800_000,
        "--loan",
        100_000,
        "--due",
        10_000,
        "--policy",
        policy,
        "--reference",
        "7",
        "--json",
    )
    assert run.code == 0, run.err
    [(method, caller, request)] = node.asked
    assert (method, caller.role) == ("Assess", "lender")
    assert (request.income, request.loan.principal, request.loan.monthly_due) == (800_000, 100_000, 10_000)
    assert (request.policy, request.reference) == (policy.read_bytes(), "7")
    assert request.question.consent_digest.hex() == DIGEST
    assert run.json["outcome"] == "review"
    assert run.json["reasons"][0]["text"] == {"en": "five"}
    assert run.json["exposure"]["lenders"] == 4
    assert "record" not in run.json


def test_no_income_and_no_income_at_all_are_two_things(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Assess"] = answer()
    at_home(*ASSESS)
    at_home(*ASSESS, "--income", 0)
    assert [request.HasField("income") for _, _, request in node.asked] == [False, True]


def test_the_record_is_saved_for_its_owner_alone(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    node.answers["Assess"] = answer()
    path = tmp_path / "case.json"
    run = at_home(*ASSESS, "--record", path)
    assert run.code == 0
    assert path.read_bytes() == RECORD.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "review" in run.out
    assert "With this loan, 5 lenders would have an open loan to you" in run.out
    chinese = at_home(*ASSESS, "--language", "zh")
    assert "可接受的上限为 4 家" in chinese.out


def test_a_loan_has_both_its_figures(at_home: Plimsoll) -> None:
    assert at_home(*ASSESS, "--loan", 1).code == 2


def test_a_decision_is_made_again_without_node_and_home(plimsoll: Plimsoll, saved: Path) -> None:
    run = plimsoll("replay", saved, "--json")
    assert run.code == 0
    assert (run.json["outcome"], run.json["reference"]) == ("review", "case 7")
    assert plimsoll("replay", saved).out.startswith("review")


def test_a_record_that_was_changed_is_refused(plimsoll: Plimsoll, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b'"outcome":"review"', b'"outcome":"approve"'))
    run = plimsoll("replay", saved)
    assert run.code == Unverified.exit_code
    assert "OTHER_RESULT" in run.err


def test_cases_stand_side_by_side(plimsoll: Plimsoll, saved: Path) -> None:
    case = "consolidation: loan=500000/20000 repay=500000/150000 close=2"
    run = plimsoll("simulate", saved, "--case", case, "--json")
    assert run.code == 0, run.err
    outcomes = {each["name"]: each["outcome"] for each in run.json["scenarios"]}
    assert outcomes == {"as it is": "review", "as asked": "review", "consolidation": "approve"}
    assert run.json["scenarios"][2]["outstanding"] == 20_000_00
    shown = plimsoll("simulate", saved, "--case", case).out
    assert "consolidation" in shown
    assert "approve" in shown


@pytest.mark.parametrize(
    "case", ["x", "x:", "x: loan=1", "x: loan=1/-1", "x: lend=1/1", "x: close=9", "x: loan=1/1 loan=1/1"]
)
def test_a_case_that_makes_no_sense_is_named(plimsoll: Plimsoll, saved: Path, case: str) -> None:
    run = plimsoll("simulate", saved, "--case", case)
    assert run.code == 3
    assert run.err.startswith("plimsoll: ")


def test_the_documented_policy_is_the_default_one() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "decisions.md").read_text()
    documented = text.split("```toml\n")[1].split("```")[0]
    assert documented.split() == render_decision_policy(DecisionPolicy()).split()


def test_every_code_is_documented() -> None:
    from ledger.decision.texts import TEXTS

    text = (Path(__file__).resolve().parents[3] / "docs" / "decisions.md").read_text()
    assert [
        line.split(" ")[1] for line in text.splitlines() if line.startswith("| ") and line.split(" ")[1].isupper()
    ] == list(TEXTS["en"])
    assert json.loads(RECORD.encode())["engine"] == 1
