"""Selection, on a lender's log made up of closed positions, which need no proof, around one of query.json."""

from __future__ import annotations

from plimsoll.v1 import entry_pb2

from tests.second import labels, selection
from tests.second.log import Log
from tests.second.query_world import (
    CONSORTIUM,
    PUBLIC,
    QUERY_KEY,
    RAW,
)
from tests.second.record import World
from tests.second.vectors import flipped

TODAY = 1_760_000_000 // 86_400


def label_of(number):
    return labels.label(labels.label_key(QUERY_KEY), labels.POSITION, "lender-2", number)


def closed(number, as_of=TODAY):
    made = entry_pb2.Position(label=label_of(number), epoch=1, as_of=as_of, closed=True)
    made.records_digest, made.sealed = bytes(32), bytes(540)
    return entry_pb2.Entry(time=1, position=made).SerializeToString()


def inquiry_under(number):
    made = entry_pb2.Inquiry(label=label_of(number), purpose=entry_pb2.PURPOSE_SELF, sizes=[1])
    made.consent_digest = made.manifest = made.heads_digest = bytes(32)
    return entry_pb2.Entry(time=1, inquiry=made).SerializeToString()


OPEN = RAW["lender-2"][0]  # lender 2's position 0 for this borrower, sound and proved
LATER = closed(1, as_of=TODAY + 2)


def outcome(*entries, time=1_760_000_000, epoch=1):
    logs = {name: Log(CONSORTIUM.origin(name), entries if name == "lender-2" else []) for name in CONSORTIUM.names}
    sizes = [len(log) for log in logs.values()]
    found = selection.select(World(CONSORTIUM, logs, PUBLIC[1:]), QUERY_KEY, sizes, time, epoch)
    return [(r.number, r.entry.index) for r in found.records], [(reason, index) for _, reason, index in found.excluded]


def with_position(raw, **changed):
    message = entry_pb2.Entry.FromString(raw)
    for key, value in changed.items():
        setattr(message.position, key, value)
    return message.SerializeToString()


def test_selection_takes_the_newest_and_names_what_it_leaves_out():
    as_of_0 = entry_pb2.Entry.FromString(OPEN).position.as_of
    assert outcome(OPEN) == ([(0, 0)], [])
    assert outcome() == ([], [])
    assert outcome(OPEN, closed(1)) == ([], [])
    # Of one label the first entry counts; one that is not sound carries none.
    assert outcome(OPEN, with_position(OPEN, as_of=as_of_0 + 1)) == ([(0, 0)], [])
    assert outcome(with_position(OPEN, proof=bytes(63)), OPEN) == ([(0, 1)], [])
    assert outcome(OPEN, LATER) == ([(0, 0)], [("FUTURE_AS_OF", 1)])
    assert outcome(LATER[:-1], OPEN, LATER) == ([(0, 1)], [("FUTURE_AS_OF", 2)])
    assert outcome(OPEN, closed(1, as_of=as_of_0 - 1)) == ([(0, 0)], [("AS_OF_WENT_BACK", 1)])
    assert outcome(with_position(OPEN, as_of=TODAY + 2)) == ([], [("FUTURE_AS_OF", 0)])
    assert outcome(with_position(OPEN, as_of=TODAY + 1)) == ([(0, 0)], [])


def test_selection_excludes_authors_whose_entries_do_not_follow_each_other():
    assert outcome(closed(1), OPEN) == ([], [("GAP", 0)])
    four = [OPEN, *(closed(number) for number in (1, 2, 4))]
    assert outcome(*four) == outcome(*four, closed(3)) == ([], [("GAP", 3)])
    # Of these 5 is the newest and 4 its predecessor; number 3 is not asked for.
    assert outcome(*four, closed(5)) == ([], [])
    assert outcome(inquiry_under(0), OPEN) == ([], [("WRONG_KIND", 0)])
    assert outcome(inquiry_under(0), closed(1)) == ([], [("WRONG_KIND", 0)])
    assert outcome(OPEN, inquiry_under(1)) == ([], [("WRONG_KIND", 1)])


def test_selection_passes_over_fifteen_entries_and_no_more():
    future = [closed(number, as_of=TODAY + 2) for number in range(1, 18)]
    seen = [("FUTURE_AS_OF", index) for index in range(16, 0, -1)]
    assert outcome(OPEN, *future[:15]) == ([(0, 0)], seen[1:])
    assert outcome(OPEN, *future[:16]) == ([], [*seen, ("TOO_MANY_IGNORED", 0)])
    again = [("FUTURE_AS_OF", index) for index in range(17, 1, -1)]
    assert outcome(OPEN, *future) == ([], [*again, ("TOO_MANY_IGNORED", 1)])


def test_selection_excludes_what_is_not_proved():
    assert outcome(with_position(OPEN, epoch=2)) == ([], [("WRONG_EPOCH", 0)])
    assert outcome(with_position(OPEN, epoch=0)) == ([], [("WRONG_EPOCH", 0)])
    assert outcome(with_position(OPEN, epoch=2), epoch=2) == ([], [("BAD_PROOF", 0)])
    assert outcome(OPEN, epoch=2) == ([(0, 0)], [])
    body = entry_pb2.Entry.FromString(OPEN).position
    for changed in (
        {"nonce_point": bytes(32)},
        {"nonce_point": b"\xff" * 32},
        {"nonce_point": body.bodies[0]},
        {"proof": flipped(body.proof, 40)},
        {"proof": b"\xff" * 64},
    ):
        assert outcome(with_position(OPEN, **changed)) == ([], [("BAD_PROOF", 0)])
