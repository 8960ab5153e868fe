"""Where a ceremony stands, for whoever has the logs."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony import CeremonyContext, CeremonyEntry, Checks, replay
from ledger.ceremony.qualification import GIVEN_UP
from tests.ledger.ceremony.script import Script
from tests.ledger.ceremony.simulation import make_context
from tests.lenders import manifest


def test_phases_follow_one_another() -> None:
    script = Script(4, 3)

    def stand() -> tuple[str, tuple[str, ...]]:
        ceremony = replay(script.context, script.entries())
        return ceremony.phase, ceremony.waiting_for

    one, two, three, four = script.context.custodians
    assert stand() == ("waiting-for-ready", (one, two, three, four))
    script.ready(2)
    assert stand() == ("waiting-for-ready", (one, three, four))
    for i in (1, 3, 4):
        script.ready(i)
    assert stand() == ("dealing", (one, two, three, four))
    for i in (1, 2, 4):
        script.deal(i)
    assert stand() == ("dealing", (three,))
    script.deal(3)
    assert stand() == ("closing", ())
    script.close(1)
    assert stand() == ("confirming", (one, two, three, four))
    vote = script.vote()
    script.confirm(1, 2, vote=vote)
    assert stand() == ("confirming", (three, four))
    complaint = script.complain(4, 1)
    assert stand() == ("confirming", (one, three, four))
    script.reveal(1, complaint, 4)
    assert stand() == ("confirming", (three, four))
    script.confirm(3, 4, vote=vote)
    assert stand() == ("final", ())


def test_keys_are_there_once_final_and_not_before() -> None:
    script = Script(4, 3).all_dealt()
    script.close(1)
    vote = script.vote()
    script.confirm(1, 2, 3, vote=vote)
    assert replay(script.context, script.entries()).keys is None
    script.confirm(4, vote=vote)
    ceremony = replay(script.context, script.entries())
    assert ceremony.outcome is not None
    assert ceremony.outcome.digest == vote.transcript
    assert ceremony.keys == ceremony.outcome.keys
    assert ceremony.keys is not None
    assert ceremony.keys.epoch == 1


def test_who_is_no_custodian_has_no_say() -> None:
    script = Script(4, 3).all_dealt()
    script.close(1)
    script.confirm(1, 2, 3)
    before = replay(script.context, script.entries())
    theirs = [replace(entry, author="a-bank") for entry in script.entries()]
    assert replay(script.context, [*theirs, *script.entries()]) == before


def failed_attempt(number: int) -> Script:
    script = Script(4, 3, number).all_dealt()
    script.close(1)
    script.confirm(1, vote=replace(script.vote(), transcript=GIVEN_UP))
    return script


def after(first: Script, second: Script) -> list[CeremonyEntry]:
    """The entries of two attempts in the same logs."""
    later = [replace(entry, index=entry.index + 100) for entry in second.entries()]
    return first.entries() + later


def test_a_failed_attempt_is_followed_by_the_next() -> None:
    first, second = failed_attempt(1), Script(4, 3, 2).all_ready()
    ceremony = replay(first.context, first.entries())
    assert (ceremony.current.number, ceremony.phase) == (2, "waiting-for-ready")
    assert [attempt.number for attempt in ceremony.failed] == [1]
    ceremony = replay(first.context, after(first, second))
    assert (ceremony.current.number, ceremony.phase) == (2, "dealing")
    assert replay(first.context, after(first, failed_attempt(2))).current.number == 3


def test_an_attempt_is_not_looked_at_before_the_one_before_it_failed() -> None:
    second = Script(4, 3, 2).all_dealt()
    second.close(1)
    second.confirm(1, 2, 3, 4)
    ceremony = replay(second.context, second.entries())
    assert (ceremony.current.number, ceremony.phase) == (1, "waiting-for-ready")
    assert replay(second.context, after(failed_attempt(1), second)).phase == "final"


def test_entries_of_another_ceremony_do_not_count() -> None:
    script = Script(4, 3).all_dealt()
    for other in (
        replace(script.context, consortium=bytes(32)),
        replace(script.context, manifest=bytes(32)),
        replace(script.context, epoch=2),
    ):
        assert replay(other, script.entries()).current.readies == {}


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_entries_are_handed_in_does_not_matter(chance: random.Random) -> None:
    script = Script(4, 3).all_dealt()
    script.close(1)
    script.close(1, (1, 2, 3))
    script.close(2, (1, 2, 4))
    script.close(2)
    complaint = script.complain(3, 2)
    script.confirm(1, vote=script.vote(complaints=[complaint]))
    entries = script.entries()
    straight = replay(script.context, entries, script.checks)
    chance.shuffle(entries)
    shuffled = replay(script.context, entries, script.checks)
    assert shuffled.phase == straight.phase
    assert shuffled.current.votes == straight.current.votes
    assert shuffled.current.complaints == straight.current.complaints
    assert shuffled.current.closes == straight.current.closes


def test_checks_may_be_kept_from_call_to_call() -> None:
    script, checks = Script(4, 3).all_ready(), Checks()
    for i in script.context.indices:
        script.deal(i)
        assert replay(script.context, script.entries(), checks) == replay(script.context, script.entries())


def test_a_ceremonys_context_is_the_manifests() -> None:
    agreed = manifest(3)
    context = CeremonyContext.of(agreed)
    assert (context.consortium, context.manifest, context.epoch) == (agreed.consortium, agreed.id, 1)
    assert (context.custodians, context.threshold) == (agreed.custodians, agreed.threshold)
    assert context.index_of(agreed.custodians[0]) == 1
    assert context.index_of("nobody") == 0


def test_every_attempt_and_epoch_has_an_id_of_its_own() -> None:
    ids = {make_context(3, 2, epoch).ceremony_id(attempt) for epoch in (1, 2) for attempt in (1, 2, 3)}
    assert len(ids) == 6
