"""Real histories through real nodes: what a query says, against what the lenders' files add up to.

By default a part of the portfolio; PLIMSOLL_FULL=1 takes 2,000 borrowers and asks every lender about each, every month.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from client.sdk import exposure_request
from tests.cluster import CONSENT, Cluster
from tests.e2e.conftest import FULL, Found
from tests.e2e.feeds import Expected, expected_of, read_csv, send_file, to_be_told, told
from tests.e2e.release_rule import ReleaseRule

LENDERS = 5
MONTHS = 6
BORROWERS = 2000 if FULL else 200

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if FULL else 400)]


@dataclass
class Asked:
    """One question, its answer, and what the answer should be."""

    month: int
    querier: str
    borrower: str
    answer: lender_pb2.ExposuresResponse
    expected: Expected
    verdict: str

    def __str__(self) -> str:
        return f"month {self.month}, {self.querier} about {self.borrower}: {self.answer}"


@dataclass
class History:
    """All months, loaded in order and asked about after each."""

    cluster: Cluster
    feeds: Path
    asked: list[Asked] = field(default_factory=list)
    summaries: dict[tuple[int, str], lender_pb2.ReportSummary] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def feeds(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m1/lender-1.csv .. m6/lender-5.csv, and the truth of each month."""
    folder = tmp_path_factory.mktemp("feeds")
    options = [f"--lenders={LENDERS}", f"--borrowers={BORROWERS}", f"--months={MONTHS}"]
    subprocess.run([sys.executable, str(shared_data / "make_feed.py"), str(folder), *options], check=True)
    return folder


@pytest.fixture(scope="module")
def history(feeds: Path, found_module: Found) -> History:
    cluster = found_module(LENDERS, currency="TWD", policy={"queries_per_borrower": 1000})
    cluster.start()
    cluster.wait_ready()
    history = History(cluster, feeds)
    rules: dict[tuple[str, str], ReleaseRule] = {}
    for month in range(1, MONTHS + 1):
        _load(history, month)
        _ask(history, month, rules)
    print({name: round(seconds, 1) for name, seconds in history.seconds.items()}, len(history.asked), "queries")
    return history


def _load(history: History, month: int) -> None:
    started = time.monotonic()
    for member in history.cluster.members:
        path = history.feeds / f"m{month}" / f"{member}.csv"
        history.summaries[month, member] = send_file(history.cluster, member, path)
    history.cluster.wait_same_heads()
    history.seconds[f"load {month}"] = time.monotonic() - started


def _ask(history: History, month: int, rules: dict[tuple[str, str], ReleaseRule]) -> None:
    """Everybody asks about everybody in the last month, and always in a full run; else one lender about each."""
    started = time.monotonic()
    members = history.cluster.members
    truth = expected_of({member: read_csv(history.feeds / f"m{month}" / f"{member}.csv") for member in members})
    for number, querier in enumerate(members):
        borrowers = [
            borrower
            for place, borrower in enumerate(sorted(truth))
            if FULL or month == MONTHS or (place + month) % LENDERS == number
        ]
        requests = (
            lender_pb2.ExposuresRequest(
                id=place, request=exposure_request(borrower, entry_pb2.PURPOSE_POST_LOAN, CONSENT)
            )
            for place, borrower in enumerate(borrowers)
        )
        answers = {answer.id: answer for answer in history.cluster.lender(querier).exposures(requests)}
        assert len(answers) == len(borrowers)
        for place, borrower in enumerate(borrowers):
            rule = rules.setdefault((querier, borrower), ReleaseRule(members, querier))
            expected = truth[borrower]
            verdict = rule.verdict(expected.claims)
            history.asked.append(Asked(month, querier, borrower, answers[place], expected, verdict))
    history.seconds[f"ask {month}"] = time.monotonic() - started


def test_the_files_add_up_to_the_truth_that_came_with_them(feeds: Path) -> None:
    for month in range(1, MONTHS + 1):
        folder = feeds / f"m{month}"
        ours = expected_of({f"lender-{k}": read_csv(folder / f"lender-{k}.csv") for k in range(1, LENDERS + 1)})
        theirs = {record["borrower"]: record for record in read_csv(folder / "truth.csv")}
        assert ours.keys() == theirs.keys()
        for borrower, truth in theirs.items():
            expected = ours[borrower]
            assert {name: int(truth[name]) for name in expected.amounts} == expected.amounts
            assert (int(truth["lenders"]), int(truth["accounts"])) == (expected.lenders, expected.accounts)


def test_every_row_of_every_month_is_taken(history: History) -> None:
    for (month, member), summary in history.summaries.items():
        rows = len(read_csv(history.feeds / f"m{month}" / f"{member}.csv"))
        assert (summary.read, summary.accepted, summary.rejected) == (rows, rows, 0)
        assert summary.published + summary.unchanged == rows  # one account a borrower and lender in these feeds


def test_every_question_is_answered_from_every_lender(history: History) -> None:
    assert {asked.querier for asked in history.asked} == set(history.cluster.members)
    assert not [str(asked) for asked in history.asked if asked.answer.WhichOneof("outcome") != "response"]


def test_every_sum_that_is_let_out_is_the_truth(history: History) -> None:
    released = [asked for asked in history.asked if not asked.verdict]
    assert len(released) > len(history.asked) / 20
    for asked in released:
        response = asked.answer.response
        assert response.HasField("amounts"), str(asked)
        amounts = {name: getattr(response.amounts, name) for name in asked.expected.amounts}
        assert amounts == asked.expected.amounts, str(asked)


def test_amounts_are_withheld_where_the_rule_says_so_and_for_that_reason(history: History) -> None:
    assert {asked.verdict for asked in history.asked} >= {"", "FEW_CONTRIBUTORS"}
    for asked in history.asked:
        assert asked.answer.response.withheld == asked.verdict, str(asked)
        assert asked.answer.response.HasField("amounts") == (not asked.verdict), str(asked)


def test_classes_bands_accounts_and_lenders_are_always_the_truth(history: History) -> None:
    for asked in history.asked:
        assert told(asked.answer.response) == to_be_told(asked.expected), str(asked)
        assert asked.answer.response.includes_own == (asked.querier in asked.expected.claims), str(asked)


def test_nothing_is_left_out_or_called_implausible(history: History) -> None:
    for asked in history.asked:
        response = asked.answer.response
        assert not response.excluded, str(asked)
        assert not response.implausible, str(asked)
        assert not [left for left in response.custodians_failed if left.reason != "UNREACHABLE"], str(asked)


def test_the_last_month_again_publishes_nothing(history: History) -> None:
    before = history.cluster.wait_same_heads()
    for member in history.cluster.members:
        path = history.feeds / f"m{MONTHS}" / f"{member}.csv"
        summary = send_file(history.cluster, member, path)
        rows = len(read_csv(path))
        assert (summary.accepted, summary.published, summary.unchanged) == (rows, 0, rows)
    assert history.cluster.wait_same_heads() == before


def test_a_month_that_is_past_changes_nothing(history: History) -> None:
    before = history.cluster.wait_same_heads()
    for member in history.cluster.members:
        summary = send_file(history.cluster, member, history.feeds / "m1" / f"{member}.csv")
        assert (summary.accepted, summary.published) == (0, 0)
        assert {rejection.reason for rejection in summary.rejections} == {"STALE"}
    assert history.cluster.wait_same_heads() == before
