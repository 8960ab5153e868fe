"""The command; what an audit finds is tested with client.audit."""

from __future__ import annotations

import json
from pathlib import Path

from plimsoll.v1 import audit_pb2

from ledger.errors import Unverified
from tests.client.cli.conftest import Plimsoll
from tests.client.cli.served import rotten
from tests.client.fakes import FakeNode


def test_a_good_audit_exits_with_0_and_says_so(at_home: Plimsoll, serving: FakeNode) -> None:
    run = at_home("audit", "run")
    assert run.code == 0
    assert run.out.startswith("Everything checked holds.")
    assert "silent: lender-2, lender-3" in run.out
    assert {caller.role for _, caller, _ in serving.asked} == {"auditor"}


def test_the_json_has_the_documented_keys(at_home: Plimsoll, serving: FakeNode) -> None:
    facts = at_home("audit", "run", "--json").json
    assert list(facts) == [
        "verdict",
        "through",
        "consortium",
        "name",
        "manifests",
        "logs",
        "heads_from",
        "silent",
        "keys",
        "epochs",
        "frozen",
        "challenges",
        "transcripts",
        "findings",
        "remarks",
        "unchecked",
        "time",
        "earlier",
        "acknowledged",
    ]
    assert (facts["verdict"], facts["through"], facts["heads_from"]) == ("ok", "lender-1", ["lender-1"])
    assert list(facts["silent"]) == ["lender-2", "lender-3"]
    assert facts["keys"] == {"phase": "waiting-for-ready", "public_keys": []}
    first = facts["logs"][0]
    assert (first["member"], first["size"], first["entries"]) == ("lender-1", 5, {"evaluation": 5})
    assert (first["receipts"], first["proofs"]) == (5, None)


def test_what_is_wrong_exits_with_9_and_names_member_and_entry(at_home: Plimsoll, serving: FakeNode) -> None:
    rotten(serving)
    run = at_home("audit", "run", "--json", "--no-peers")
    assert run.code == Unverified.exit_code
    assert run.json["verdict"] == "bad"
    assert [(one["member"], one["index"], one["reason"]) for one in run.json["findings"]] == [
        ("lender-1", 2, "ROOT_MISMATCH")
    ]
    shown = at_home("audit", "run", "--no-peers").out
    assert "lender-1, entry 2:" in shown
    assert "[ROOT_MISMATCH]" in shown


def test_a_transcript_that_is_none_is_found_bad(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{}")
    run = at_home("audit", "run", "--no-peers", "--json", "--transcript", tmp_path / "t.json")
    assert run.code == Unverified.exit_code
    assert run.json["transcripts"][0]["file"] == str(tmp_path / "t.json")


def test_a_transcript_file_that_is_not_there_is_said_so(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    run = at_home("audit", "run", "--transcript", tmp_path / "none")
    assert run.code == 5
    assert "NO_SUCH_FILE" in run.err


def test_what_an_audit_saw_is_kept_for_the_next(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert at_home("audit", "run", "--no-peers", "--state", state).code == 0
    kept = json.loads(state.read_text())
    assert sorted(log["size"] for log in kept["logs"].values()) == [0, 0, 5]
    assert at_home("audit", "run", "--no-peers", "--state", state).code == 0
    serving.answers["LatestHeads"], serving.answers["Read"] = audit_pb2.LatestHeadsResponse(), []
    run = at_home("audit", "run", "--no-peers", "--state", state, "--json")
    assert run.code == Unverified.exit_code
    assert run.json["findings"][0]["reason"] == "SHRUNK"
    assert json.loads(state.read_text()) == kept


def test_a_state_that_is_none_is_refused_before_anything_is_asked(
    at_home: Plimsoll, serving: FakeNode, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("x")
    run = at_home("audit", "run", "--state", tmp_path / "state")
    assert (run.code, run.out) == (3, "")
    assert serving.asked == []


def test_another_members_node_can_be_read_through(at_home: Plimsoll, serving: FakeNode) -> None:
    run = at_home("audit", "run", "--through", "lender-2")  # which does not run
    assert run.code == 6
    assert "UNREACHABLE" in run.err
    assert at_home("audit", "run", "--through", "lender-1", "--no-peers").code == 0
    assert at_home("audit", "run", "--through", "nobody").code == 5
