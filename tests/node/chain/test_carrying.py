"""A member's next log begins with what it wrote behind the end of its former one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from ledger.chain.chain import Chain
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.ended import EndedLog
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import seal_copy
from ledger.tlog.note import Signer
from node.chain.carrying import BATCH, left_behind
from tests.ledger import sample_entries as sample
from tests.ledger.loans import a_loan
from tests.ledger.positions.test_sealed_copy import a_copy
from tests.lenders import lender, manifest

RNG = Random(7)
ME = "lender-1"
FOUNDING = manifest(3)
NEW_SEED = bytes(range(32))


def position() -> bytes:
    """One that lender-1 has written: its sealed copy opens."""
    entry = PositionEntry.parse(sample.position(RNG))
    keyring = lender(1).keyring
    sealed = seal_copy(a_copy([a_loan()]), keyring.backup_key, FOUNDING.consortium, ME, entry.label, RNG.randbytes)
    return replace(entry, sealed=sealed).encode()


def succeeded(size: int, root: bytes) -> Manifest:
    """lender-1 writes its second log, under another key; `size` entries of the first one count."""
    key = Signer.from_seed("x", NEW_SEED).key.public_key
    members = [lender(number).member if number > 1 else _with_log_key(key) for number in range(1, 4)]
    ended = EndedLog(ME, 1, lender(1).member.log_key, size, root)
    return parse_manifest(
        render_manifest(
            name="Example", currency="CNY", time_zone="Asia/Shanghai", members=members, policy=FOUNDING.policy,
            after=FOUNDING, ended=[ended],
        )
    )  # fmt: skip


def _with_log_key(key: bytes):
    return replace(lender(1).member, log_key=key)


class World:
    """lender-1 with entries in its first log, of which only some count."""

    def __init__(self, entries: list[bytes], counted: int) -> None:
        store = MemoryStore()
        first = FOUNDING.log_key(ME)
        old = Chain(store, [(ME, first.name, first)])
        own = old.own(Signer.from_seed(first.name, lender(1).keyring.log_seed))
        for entry in entries:
            own.append([entry])
        self.manifest = succeeded(counted, old.log(ME).root_at(counted))
        second = self.manifest.log_key(ME)
        self.chain = Chain(store, [(ME, first.name, first), (ME, second.name, second)])
        self.own = self.chain.own(Signer.from_seed(second.name, NEW_SEED))

    def left(self) -> list[bytes]:
        return [entry for batch in left_behind(self.chain, self.manifest, ME, lender(1).keyring) for entry in batch]


def test_positions_and_inquiries_behind_the_end_are_carried_over_in_order_and_nothing_else():
    entries = [builder(RNG) for builder in sample.BUILDERS for _ in range(2) if builder is not sample.position]
    entries += [position() for _ in range(2)]
    kept = [entry for entry in entries[3:] if entry[6:7] in (b"\x12", b"\x1a")]
    world = World(entries, 3)
    assert world.left() == kept != []


def test_what_is_there_already_is_left_out_so_that_it_can_be_done_again():
    entries = [position() for _ in range(10)]
    world = World(entries, 4)
    world.own.append(world.left()[:2])
    assert world.left() == entries[6:]
    world.own.append(world.left())
    assert world.left() == []


def test_a_position_by_who_had_the_log_key_and_nothing_else_is_not_carried_over():
    mine, forged = position(), sample.position(RNG)
    assert World([forged, mine], 0).left() == [mine]


def test_many_come_in_batches():
    world = World([sample.position(RNG)], 1)
    assert list(left_behind(world.chain, FOUNDING, ME, lender(1).keyring)) == []
    assert list(left_behind(world.chain, world.manifest, ME, lender(1).keyring)) == []
    assert BATCH >= 256
    with pytest.raises(StopIteration):
        next(left_behind(world.chain, world.manifest, "lender-2", lender(1).keyring))
