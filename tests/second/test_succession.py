"""Section 14, from lineage.json."""

from __future__ import annotations

import base64

import pytest
from plimsoll.v1 import audit_pb2

from tests.second import succession
from tests.second.refusal import Refused
from tests.second.vectors import load

VECTORS = load("lineage")
RAW = base64.b64decode(VECTORS["lineage"])
CASES = {case["why"]: case for case in VECTORS["refused"]}


def test_the_lineage_is_verified_from_the_founding_manifest_on():
    history = succession.lineage(RAW)
    assert [one.id.hex() for one in history] == VECTORS["manifests"]
    assert [history[-1].origin(name) for name in history[-1].names] == VECTORS["in_force"]
    assert [one.sequence for one in history] == list(range(len(history)))


@pytest.mark.parametrize("why", CASES)
def test_a_step_that_breaks_a_rule_is_refused_with_its_code(why):
    with pytest.raises(Refused) as caught:
        succession.lineage(base64.b64decode(CASES[why]["lineage"]))
    assert caught.value.code == CASES[why]["code"]


def test_of_two_lineages_that_part_everybody_can_tell_who_approved_both():
    one, other = map(base64.b64decode, VECTORS["rivals"]["lineages"])
    assert succession.rivals(one, other) == VECTORS["rivals"]["members"]
    with pytest.raises(Refused) as caught:
        succession.rivals(one, one)
    assert caught.value.code == "NO_RIVALS"


def test_no_approval_can_be_exchanged_for_anothers():
    message = audit_pb2.Lineage.FromString(RAW)
    first, second = message.successions[0].approvals[:2]
    first.receipt = second.receipt
    with pytest.raises(Refused):
        succession.lineage(message.SerializeToString())
