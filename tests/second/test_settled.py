"""What counts in key ceremonies of logs that are not witnessed, have ended, or follow one that has: settled.json."""

from __future__ import annotations

import base64
from collections import defaultdict

import pytest

from tests.second.ceremony import Beginning, Written, replay_epochs
from tests.second.log import Log
from tests.second.vectors import load, unhex

CASES = load("settled")["cases"]
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])


def written(log):
    held = Log(f"{log['member']} {log['number']}", [base64.b64decode(raw) for raw in log["entries"]])
    if log["ended"] is None:
        return Written(held, log["witnessed"])
    return Written(held, log["witnessed"], log["ended"]["size"], log["ended"]["last_epoch"])


def finals(case, logs):
    by_member = defaultdict(list)
    for log in logs:
        by_member[log["member"]].append(written(log))
    beginnings = [
        Beginning(e["epoch"], e["dealt_from"], unhex(e["manifest"]), tuple(e["custodians"]), e["threshold"])
        for e in case["epochs"]
    ]
    found = replay_epochs(unhex(case["consortium"]), beginnings, by_member)
    return {str(epoch): keys for epoch, (_, _, _, keys) in found.items() if keys}


@by_case
def test_the_keys_that_the_page_says_are_final(case):
    found = finals(case, case["logs"])
    assert {epoch: [key.encoded for key in keys.public] for epoch, keys in found.items()} == {
        epoch: unhex(keys) for epoch, keys in case["final"].items()
    }


@by_case
def test_nothing_is_final_before_anything_is_witnessed_or_has_ended(case):
    assert not finals(case, [{**log, "witnessed": 0, "ended": None} for log in case["logs"]])


def test_whoever_takes_all_that_is_held_for_settled_comes_to_other_keys():
    """The vectors tell an implementation that does without."""
    wrong = [
        case["case"]
        for case in CASES
        if {*finals(case, [{**log, "witnessed": len(log["entries"])} for log in case["logs"]])} != {*case["final"]}
    ]
    assert len(wrong) >= 4
