"""The simulator itself: each of these nodes is broken in one way, and a few dozen seeds must show it."""

from __future__ import annotations

import asyncio

import pytest

from ledger.borrower.labels import Numbered
from ledger.chain import block
from ledger.queries.release import DIFFERENCING, Standing
from ledger.queries.selection import RecordVerifier
from node.chain.committer import Committer
from node.chain.guard import SelfForkGuard
from node.chain.unasked import Unasked
from node.chain.witnessing import Witnessing
from tests.simulation.machine import Kinds, Machine
from tests.simulation.plan import Backup, Cut, Plan, Rewind
from tests.simulation.scenario import draw
from tests.simulation.world import World, after_ceremony, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEEDS = 48


def caught(kinds: Kinds | None = None, only=lambda plan: True, seeds: int = SEEDS) -> str:
    """What the first seed that notices says."""
    for seed in range(seeds):
        plan = draw(seed)
        if only(plan):
            outcome = play(plan, kinds)
            if not outcome.ok:
                return outcome.violations[0]
    raise AssertionError("nobody has noticed")


def test_a_node_that_acknowledges_before_it_syncs(monkeypatch):
    prepared = World.prepared

    def lying(world: World, machine: Machine) -> Machine:
        machine.chain_disk.lies = True
        return prepared(world, machine)

    monkeypatch.setattr(World, "prepared", lying)
    assert "before it was durable" in caught()


def test_a_disk_that_lies_loses_what_was_acknowledged(monkeypatch):
    """The same, without looking at the disk: by what is missing after a crash."""
    prepared = World.prepared

    def lying(world: World, machine: Machine) -> Machine:
        machine.chain_disk.lies = True
        return prepared(world, machine)

    monkeypatch.setattr(World, "prepared", lying)
    monkeypatch.setattr("tests.simulation.disk.Disk.is_durable", lambda disk, key: True)
    violation = caught(only=lambda plan: any(isinstance(event, Cut) for event in plan.events))
    assert "lost" in violation or "another entry" in violation


class Hasty(Committer):
    """Tells its callers where their entries will stand before they do."""

    async def append(self, entries):
        index = self._own.size
        writing = asyncio.ensure_future(super().append(entries))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return index


def test_a_committer_that_does_not_wait():
    assert "before it was durable" in caught(Kinds(committer=Hasty))


class AlwaysOpen(SelfForkGuard):
    """Signs without asking the others."""

    def __init__(self, others: int, alone: bool = False) -> None:
        super().__init__(others, alone=True)


def test_a_restored_backup_that_goes_on_writing():
    def rewound(plan):
        kinds = {type(event) for event in plan.events}
        return Rewind in kinds and Backup in kinds and not plan.villain

    violation = caught(Kinds(guard=AlwaysOpen), rewound, 400)
    assert "another entry" in violation or "two histories" in violation or "before it was durable" in violation


def test_a_release_rule_that_releases(monkeypatch):
    monkeypatch.setattr(Standing, "_verdict", lambda standing, step, row: "")
    violation = caught()
    assert "few: True" in violation or "shows what" in violation


def test_a_release_rule_that_forgets_what_it_released(monkeypatch):
    verdict = Standing._verdict

    def forgetful(standing, step, row) -> str:
        said = verdict(standing, step, row)
        return "" if said == DIFFERENCING else said

    monkeypatch.setattr(Standing, "_verdict", forgetful)
    assert "shows what" in caught(only=lambda plan: plan.members > 3, seeds=600)


def test_a_selection_that_takes_an_older_position(monkeypatch):
    newest = Numbered.newest

    def older(numbered, size) -> int | None:
        found = newest(numbered, size)
        return found - 1 if found else found

    monkeypatch.setattr(Numbered, "newest", older)
    caught()


def test_a_gossip_that_stores_what_it_has_not_verified(monkeypatch):
    monkeypatch.setattr(block, "_check_leads_to", lambda *proof: None)
    caught(only=lambda plan: plan.villain == "garbler", seeds=600)


def test_proofs_that_nobody_checks(monkeypatch):
    monkeypatch.setattr(RecordVerifier, "is_proved", lambda *record: True)
    caught(only=lambda plan: plan.villain == "forger", seeds=600)


def hoarded(plan: Plan) -> bool:
    return plan.villain == "hoarder"


def test_members_that_cosign_nothing_unasked(monkeypatch):
    monkeypatch.setattr(Unasked, "_due", lambda *about: None)
    assert "log counts at" in caught(only=hoarded, seeds=150)


def test_members_that_tell_nobody_but_the_author_what_they_cosign(monkeypatch):
    monkeypatch.setattr(Witnessing, "cosigned", lambda witnessing, caller: [])
    assert "log counts at" in caught(only=hoarded, seeds=150)


def test_worlds_begin_where_a_ceremony_has_ended():
    assert set(after_ceremony(3)) == {"lender-1", "lender-2", "lender-3"}
