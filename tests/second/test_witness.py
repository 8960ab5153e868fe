"""Witnessed heads and evidence of forks: witness.json, and what this product publishes."""

from __future__ import annotations

import pytest
from plimsoll.v1 import entry_pb2

from tests.second import note, witness
from tests.second.entry import read
from tests.second.refusal import Refused
from tests.second.vectors import load

VECTORS = load("witness")
LOG = note.verifier_key(VECTORS["log_key"])
COSIGNERS = [note.verifier_key(key) for key in VECTORS["cosigner_keys"]]
NOTES, EVIDENCE = VECTORS["witnessed"], VECTORS["evidence"]


def message(entry: str) -> entry_pb2.Evidence:
    return entry_pb2.Entry.FromString(bytes.fromhex(entry)).evidence


@pytest.mark.parametrize("case", NOTES["valid"], ids=range(len(NOTES["valid"])))
def test_a_head_is_witnessed_from_the_time_on_at_which_more_than_half_had_cosigned(case):
    opened, time = witness.witnessed(case["note"].encode(), LOG, COSIGNERS, 0)
    assert (opened.size, time) == (case["size"], case["time"])


@pytest.mark.parametrize("case", NOTES["refused"], ids=lambda case: case["why"])
def test_any_other_is_not(case):
    with pytest.raises(Refused):
        witness.witnessed(case["note"].encode(), LOG, COSIGNERS, 0)


@pytest.mark.parametrize("case", VECTORS["shown"]["valid"], ids=range(len(VECTORS["shown"]["valid"])))
def test_what_members_show_adds_up(case):
    shown = witness.Shown(LOG, COSIGNERS, 0)
    for said, expected in case:
        found = shown.take(said["by"], said["note"].encode())
        assert (found and {"size": found[0].size, "time": found[1]}) == expected


@pytest.mark.parametrize("case", VECTORS["shown"]["refused"], ids=lambda case: case["why"])
def test_members_show_what_they_have_cosigned_of_others(case):
    with pytest.raises(Refused):
        witness.Shown(LOG, COSIGNERS, 0).take(case["by"], case["note"].encode())


@pytest.mark.parametrize("case", VECTORS["turns"], ids=range(len(VECTORS["turns"])))
def test_members_take_turns(case):
    found = witness.turn(*(case[name] for name in ("heartbeat", "gossip", "members", "author", "time")))
    assert found == tuple(case[name] for name in ("quarter_seconds", "number", "quarter", "speaker"))


def test_cosigning_keys_are_named_after_their_members_logs():
    for key in COSIGNERS:
        assert witness.cosigner_key(key.name.removesuffix("/cosigner"), key.public) == key


@pytest.mark.parametrize("entry", EVIDENCE["valid"], ids=range(len(EVIDENCE["valid"])))
def test_evidence_needs_nothing_but_the_logs_key(entry):
    assert read(bytes.fromhex(entry), 0) is not None, "it is sound"
    first, second = witness.evidence(message(entry), LOG)
    assert (first.size, first.root) < (second.size, second.root)


@pytest.mark.parametrize("case", EVIDENCE["refused"], ids=lambda case: case["why"])
def test_what_proves_nothing_is_refused(case):
    with pytest.raises(Refused):
        witness.evidence(message(case["entry"]), LOG)
