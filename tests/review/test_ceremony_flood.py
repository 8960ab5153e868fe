"""A custodian may append what it likes for ever: following the key ceremony costs one look an entry, and no memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.ceremony import Beginning, Ceremony, CeremonyContext, CeremonyEntry, Epochs, replay
from ledger.ceremony.entry import (
    Body,
    CloseEntry,
    ComplaintEntry,
    ConfirmationEntry,
    DealingEntry,
    ReadyEntry,
    RevealEntry,
    read_entry,
)
from ledger.ceremony.share_sealing import public_key
from node.custody.following import Following
from tests.review.peers import MANIFEST, chain, signer

FOUNDING = Beginning.of(MANIFEST)
CONTEXT = CeremonyContext.of(MANIFEST)
FLOOD = 300


def numbered(number: int) -> bytes:
    return number.to_bytes(32, "big")


def bodies(ceremony: bytes, number: int) -> list[Body]:
    """One of each kind, no two alike."""
    hash_ = numbered(number + 1)
    commitments = tuple((hash_,) * CONTEXT.threshold for _ in range(8))
    return [
        ReadyEntry(ceremony, public_key(hash_)),
        DealingEntry(ceremony, hash_, commitments, (bytes(64),) * 8, (bytes(304),) * CONTEXT.size),
        CloseEntry(ceremony, (hash_,)),
        ComplaintEntry(ceremony, hash_, hash_),
        RevealEntry(ceremony, hash_, bytes(256)),
        ConfirmationEntry(ceremony, hash_, (), (), hash_),
    ]


def flooded(ceremonies):
    """A chain in which lender-2 appended hundreds of entries of each kind for these ceremonies."""
    held = chain()
    own = held.own(signer(2))
    for ceremony in ceremonies:
        for number in range(FLOOD):
            own.append([body.encode(1) for body in bodies(ceremony, number)])
    return held


def entries(following: Following, failed: int = 0) -> list[CeremonyEntry]:
    """What is kept where so many attempts have failed."""
    current = replay(CONTEXT, []).current
    epochs = Epochs((FOUNDING,), {1: Ceremony(CONTEXT, (current,) * failed, current)})
    return following.entries([FOUNDING], epochs)


def test_a_flood_for_this_ceremony_is_kept_only_as_far_as_it_counts():
    held = flooded([CONTEXT.ceremony_id(1)])
    kept = entries(Following(held))
    assert len(kept) == 4 + 2 * CONTEXT.size
    log = held.log("lender-2")
    everything = [read_entry("lender-2", index, raw) for index, raw in enumerate(log.entries(0))]
    whole = replay(CONTEXT, [entry for entry in everything if entry is not None])
    assert replay(CONTEXT, kept).current == whole.current


def test_a_flood_for_other_ceremonies_is_not_kept_at_all():
    others = [numbered(1), CONTEXT.ceremony_id(1000)]
    assert not entries(Following(flooded(others)))


def test_nothing_is_parsed_twice(monkeypatch: pytest.MonkeyPatch):
    held = flooded([CONTEXT.ceremony_id(1)])
    following = Following(held)
    first = entries(following)
    read = []
    monkeypatch.setattr("node.custody.following.read_entry", lambda *place: read.append(place))
    assert entries(following) == first
    held.own(signer(3)).append([bodies(CONTEXT.ceremony_id(1), 0)[0].encode(1)])
    entries(following)
    assert len(read) == 1


def test_entries_of_an_attempt_that_came_early_are_there_when_it_begins():
    held = chain()
    later = [CONTEXT.ceremony_id(number) for number in (5, 9, 20)]
    held.own(signer(2)).append([bodies(ceremony, 0)[0].encode(1) for ceremony in later])
    following = Following(held)
    assert not entries(following)
    for failed, found in ((3, 1), (8, 2), (19, 3)):
        assert len(entries(following, failed)) >= found


def test_a_receiver_may_complain_of_more_dealers_than_there_are_receivers():
    """In a resharing from many custodians to few."""
    few = replace(FOUNDING, manifest=bytes(32), epoch=2, dealt_from=1, custodians=FOUNDING.custodians[:1], threshold=1)
    held = chain()
    own = held.own(signer(1))
    ceremony = few.context(None).ceremony_id(1)
    for number in range(10):
        own.append([ComplaintEntry(ceremony, numbered(1), numbered(number)).encode(1)])
    assert len(Following(held).entries([FOUNDING, few], None)) == len(FOUNDING.custodians)
