"""A fork does not take back what has decided something: a manifest's succession, keys that are final."""

from __future__ import annotations

import pytest

from ledger.witnessing.settled import Settled
from node.successions import Successions
from tests.simulation.taking_back import ApprovalWorld, ConfirmationWorld, PartingWorld, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEEDS = range(8)


def hold(kind: type[PartingWorld], seeds: range = SEEDS) -> list[dict[str, int]]:
    counts = []
    for seed in seeds:
        outcome = play(kind, seed)
        if not outcome.ok:
            trace = "\n".join(outcome.tail)
            pytest.fail(f"{trace}\n{outcome.violations}\n{kind.__name__}, seed {seed}", pytrace=False)
        counts.append(dict(outcome.counts))
    return counts


def caught(kind: type[PartingWorld]) -> str:
    """What the first seed that notices says."""
    for seed in SEEDS:
        outcome = play(kind, seed)
        if not outcome.ok:
            return outcome.violations[0]
    raise AssertionError("nobody has noticed")


def test_an_approval_shown_to_half_of_the_others_brings_all_of_them_to_the_successor_or_none():
    counts = hold(ApprovalWorld)
    assert any(each.get("gone over") for each in counts), "the attack is a real one"


def test_a_confirmation_shown_to_half_of_the_others_makes_keys_final_for_all_of_them_or_for_none():
    hold(ConfirmationWorld)


def test_nodes_that_show_each_other_no_successions_are_noticed(monkeypatch):
    monkeypatch.setattr(Successions, "heard", lambda *_: None)
    assert "manifests are" in caught(ApprovalWorld)


def test_nodes_that_take_all_they_hold_for_settled_are_noticed(monkeypatch):
    monkeypatch.setattr(Settled, "size", lambda settled, held: held.size)
    violation = caught(ConfirmationWorld)
    assert "ceremonies stand at" in violation or "other keys" in violation
