"""What a patient querier gets out of real nodes: quotas, and the differencing attacks of design section 11."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from client.sdk import exposure_request
from ledger.errors import Exhausted
from tests.cluster import CONSENT, Cluster
from tests.e2e.conftest import FULL, FULL_REASON, Found
from tests.e2e.feeds import row
from tests.e2e.release_rule import ReleaseRule

NEW = itertools.count(500_000)
CLAIMS = {"lender-1": 1_000_000, "lender-2": 2_000_000, "lender-3": 4_000_000, "lender-4": 8_000_000}
QUERIER = "lender-5"


def claim(cluster: Cluster, borrower: str, members: Collection[str]) -> None:
    """Exactly these members have an open loan of the borrower."""
    for member, amount in CLAIMS.items():
        is_open = member in members
        cluster.report(member, [row(borrower, amount if is_open else 0, status="open" if is_open else "closed")])
    cluster.wait_same_heads()


def asked(cluster: Cluster, querier: str, borrower: str, members: Collection[str]) -> lender_pb2.ExposureResponse:
    """Makes the claims, asks, and checks everything that is never withheld."""
    claim(cluster, borrower, members)
    answer = cluster.ask(querier, borrower)
    assert answer.lenders == answer.accounts == len(members)
    assert answer.bands[1].lenders + answer.bands[2].lenders + answer.bands[0].lenders == len(members)
    if not answer.withheld:
        assert answer.amounts.outstanding == sum(CLAIMS[member] for member in members)
    assert answer.HasField("amounts") == (not answer.withheld)
    return answer


def test_one_contributor_besides_the_querier_is_not_told(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert asked(consortium, QUERIER, borrower, ["lender-1"]).withheld == "FEW_CONTRIBUTORS"
    assert asked(consortium, "lender-1", borrower, ["lender-1", "lender-2"]).withheld == "FEW_CONTRIBUTORS"
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == ""


def test_three_overlapping_pairs_do_not_give_a_single_lender_away(consortium: Cluster) -> None:
    """{1,2}, {2,3}, {1,3}: with all three sums each lender's amount could be solved for."""
    borrower = f"test:{next(NEW)}"
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == ""
    assert asked(consortium, QUERIER, borrower, ["lender-2", "lender-3"]).withheld == ""
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-3"]).withheld == "DIFFERENCING"
    assert asked(consortium, "lender-4", borrower, ["lender-1", "lender-3"]).withheld == ""


def test_before_and_after_a_lender_joins(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == ""
    after = asked(consortium, QUERIER, borrower, ["lender-1", "lender-2", "lender-3"])
    assert after.withheld == "DIFFERENCING"
    assert sum(count.lenders for count in after.classes) == 3
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == ""


def test_before_and_after_a_lender_leaves(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2", "lender-3"]).withheld == ""
    assert asked(consortium, QUERIER, borrower, ["lender-2", "lender-3"]).withheld == "DIFFERENCING"


def test_before_and_after_two_lenders_join_at_once(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    assert asked(consortium, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == ""
    assert asked(consortium, QUERIER, borrower, list(CLAIMS)).withheld == ""


def test_the_queriers_own_position_hides_nobody(consortium: Cluster) -> None:
    """What the querier reports about itself is struck out of every row: joining in must not change one."""
    borrower = f"test:{next(NEW)}"
    claim(consortium, borrower, ["lender-1", "lender-2"])
    assert consortium.ask(QUERIER, borrower).withheld == ""
    claim(consortium, borrower, ["lender-1", "lender-2", "lender-3"])
    assert consortium.report(QUERIER, [row(borrower, 50_000)]).published == 1
    own = consortium.ask(QUERIER, borrower)
    assert (own.lenders, own.includes_own, own.withheld) == (4, True, "DIFFERENCING")


def test_a_fourth_question_of_a_day_is_refused_and_others_go_on(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    claim(consortium, borrower, ["lender-1", "lender-2"])
    for _ in range(3):
        assert consortium.ask(QUERIER, borrower).withheld == ""
    before = consortium.sizes(QUERIER)[QUERIER]
    with pytest.raises(Exhausted) as refused:
        consortium.ask(QUERIER, borrower, entry_pb2.PURPOSE_DISPUTE)
    assert refused.value.reason == "BORROWER_QUOTA"
    assert consortium.sizes(QUERIER)[QUERIER] == before
    consortium.wait_same_heads()
    answer = consortium.ask("lender-3", borrower)
    assert answer.amounts.outstanding == 3_000_000
    counted = {(one.member, one.purpose): (one.days_30, one.days_90) for one in answer.inquiries}
    assert counted == {("lender-5", 1): (3, 3), ("lender-3", 1): (1, 1)}


def test_a_quota_is_not_passed_by_asking_all_at_once(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    claim(consortium, borrower, ["lender-1", "lender-2"])
    requests = [
        lender_pb2.ExposuresRequest(id=number, request=exposure_request(borrower, number % 5 + 1, CONSENT))
        for number in range(12)
    ]
    answers = list(consortium.lender(QUERIER).exposures(iter(requests), timeout=60))
    good = [answer for answer in answers if answer.WhichOneof("outcome") == "response"]
    bad = [answer.failure for answer in answers if answer.WhichOneof("outcome") == "failure"]
    assert len(good) == 3
    assert {(failure.status, failure.reason) for failure in bad} == {("RESOURCE_EXHAUSTED", "BORROWER_QUOTA")}
    assert {one.response.amounts.outstanding for one in good} == {3_000_000}


def test_every_purpose_is_counted_as_what_it_is(consortium: Cluster) -> None:
    borrower = f"test:{next(NEW)}"
    for purpose in range(1, 6):
        answer = consortium.ask(consortium.members[purpose - 1], borrower, purpose)
        consortium.wait_same_heads()
    counted = [(one.member, one.purpose, one.days_30) for one in answer.inquiries]
    assert counted == [(f"lender-{purpose}", purpose, 1) for purpose in range(1, 6)]


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason=FULL_REASON)
def test_where_three_must_contribute_sums_of_two_are_withheld(found: Found) -> None:
    cluster = found(5, policy={"min_contributors": 3})
    cluster.start()
    cluster.wait_ready()
    borrower = f"test:{next(NEW)}"
    assert asked(cluster, QUERIER, borrower, ["lender-1", "lender-2"]).withheld == "FEW_CONTRIBUTORS"
    assert asked(cluster, QUERIER, borrower, ["lender-1", "lender-2", "lender-3"]).withheld == ""
    assert asked(cluster, QUERIER, borrower, list(CLAIMS)).withheld == "DIFFERENCING"


def test_the_rule_in_the_tests_is_the_rule_in_the_nodes(consortium: Cluster) -> None:
    """A walk through many sets of contributors, each verdict foreseen."""
    sets = [set(pair) for size in (2, 3) for pair in itertools.combinations(CLAIMS, size)]
    for start in range(0, len(sets), 3):
        borrower, rule = f"test:{next(NEW)}", ReleaseRule(consortium.members, QUERIER)
        for members in sets[start : start + 3]:
            assert asked(consortium, QUERIER, borrower, members).withheld == rule.verdict(members)
