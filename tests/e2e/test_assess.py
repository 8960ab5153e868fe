"""From real nodes to a decision: the command, the record it saves, and what is made of that later."""

from __future__ import annotations

import itertools
from pathlib import Path

from ledger.decision import DecisionPolicy, parse_record, render_decision_policy
from tests.cluster import CONSENT, Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row

NEW = itertools.count(560_000)
ASKER = "lender-5"
CLAIMS = {"lender-1": 1_500_000, "lender-2": 2_000_000, "lender-3": 500_000}


def claimed(cluster: Cluster) -> str:
    borrower = f"test:{next(NEW)}"
    for member, amount in CLAIMS.items():
        cluster.report(member, [row(borrower, amount)])
    cluster.wait_same_heads()
    return borrower


def assess(cluster: Cluster, borrower: str, *arguments: object, code: int = 0):
    return plimsoll(cluster, ASKER, "assess", borrower, "--consent-digest", CONSENT.hex(), *arguments, code=code)


def test_a_decision_rests_on_the_sums_of_all_and_can_be_made_again(consortium: Cluster, tmp_path: Path) -> None:
    borrower, path = claimed(consortium), tmp_path / "case.json"
    loan = ("--income", 1_000_000, "--loan", 600_000, "--due", 60_000, "--reference", "case 1", "--record", path)
    done = assess(consortium, borrower, *loan)
    owed = sum(CLAIMS.values()) + 600_000
    reasons = {each["code"]: each for each in done["reasons"]}
    assert done["exposure"]["amounts"]["outstanding"] == sum(CLAIMS.values())
    assert reasons["DEBT_TO_INCOME"]["figure"] == owed * 1000 // 1_000_000
    assert done["outcome"] == ("decline" if any(each["effect"] == "decline" for each in done["reasons"]) else "review")
    record = parse_record(path.read_bytes())
    assert record.index == done["exposure"]["inquiry_index"]
    assert borrower not in path.read_text()
    again = plimsoll(consortium, ASKER, "replay", path)
    assert (again["outcome"], again["reasons"], again["headroom"]) == (
        done["outcome"],
        done["reasons"],
        done["headroom"],
    )
    cases = plimsoll(consortium, ASKER, "simulate", path, "--case", "paid: repay=4000000/0 close=3")["scenarios"]
    assert [each["name"] for each in cases] == ["as it is", "as asked", "paid"]
    assert cases[2]["outstanding"] == 0


def test_the_homes_own_policy_decides_and_a_mistake_in_it_is_named_before_anything_is_asked(
    consortium: Cluster,
) -> None:
    borrower, home = claimed(consortium), consortium.home_folder(ASKER)
    own = home / "decision.toml"
    try:
        own.write_text(render_decision_policy(DecisionPolicy(name="ours", version=7)))
        assert assess(consortium, borrower)["exposure"]["lenders"] == 3
        size = consortium.status(ASKER).logs[4].size
        own.write_text("format = 1\n")
        refused = assess(consortium, borrower, code=3)["error"]
        assert refused["path"] == "decision.toml.format"
        own.write_text(render_decision_policy(DecisionPolicy(currency="EUR")))
        assert assess(consortium, borrower, code=3)["error"]["reason"] == "OTHER_CURRENCY"
        assert consortium.status(ASKER).logs[4].size == size
    finally:
        own.unlink()


def test_no_income_ever_reaches_a_log(consortium: Cluster) -> None:
    borrower = claimed(consortium)
    assess(consortium, borrower, "--income", 123_456_789)
    told = consortium.log_text(ASKER)
    assert "123456789" not in told
    assert "started" in told
