"""Whatever happens to a consortium, the second implementation comes to the same verdicts as the ledger."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.test_changes import ASKER, BORROWER, Story, days, events
from tests.second import inquiry, manifest
from tests.second.group import point
from tests.second.log import Log
from tests.second.record import World


@settings(max_examples=4)
@given(st.lists(st.tuples(events, days), min_size=4, max_size=8))
def test_both_implementations_come_to_the_same(happening):
    story = Story()
    story.happen(("lend", frozenset({2, 3, 4, 5})))
    for event, wait in happening:
        story.happen(event)
        if wait is not None:
            story.happen(("ask", wait))
    consortium = story.consortium
    key = consortium.borrower(BORROWER).query.query_key
    public = tuple(point(bytes(each)) for each in consortium.keys.fields)
    manifests = [manifest.read(each.text) for each in consortium.history.manifests]
    prefix = f"plimsoll/{consortium.manifest.consortium.hex()}/"
    for asked, withheld, logs, history in story.asked:
        known = tuple(manifests[: len(history.manifests)])
        held = {name: Log(prefix + name, log.entries) for name, log in logs.items()}
        world = World(known[-1], held, public, known)
        place = world.record(ASKER).offset + asked.index
        assert inquiry.withheld(world, ASKER, key, place) == withheld
