"""What its author cannot take back: entries below a witnessed head, in the history of that head."""

from __future__ import annotations

from ledger.chain.block import blocks_from
from ledger.chain.chain import Replica
from ledger.chain.log import Log
from ledger.chain.memory_store import MemoryStore
from ledger.chain.own_log import OwnLog
from ledger.consortium.history import History
from ledger.witnessing.settled import Settled
from ledger.witnessing.witnessed import Witnessed
from tests.ledger.witnesses import chain_of, cosigned, head_of, history, name, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
NOW = 1_700_000_000
THREE = {2: NOW, 3: NOW, 4: NOW}


def replica(*entries: list[bytes]) -> Log:
    """Of the first member's log, fetched in these steps."""
    author, holder = chain_of(MANIFEST), chain_of(MANIFEST)
    for more in entries:
        OwnLog(author.log(name(1)), signer(1)).append(more)
        for block in blocks_from(author.log(name(1)), holder.log(name(1)).size):
            Replica(holder.log(name(1))).apply(block)
    return holder.log(name(1))


class World:
    def __init__(self) -> None:
        self.witnessed = Witnessed(MemoryStore(), History([MANIFEST]))
        self.settled = Settled(self.witnessed)

    def witness(self, entries: list[bytes]) -> None:
        self.witnessed.add(cosigned(head_of(entries, MANIFEST), MANIFEST, THREE))


def test_nothing_is_settled_before_anything_is_witnessed():
    assert World().settled.size(replica(history(5))) == 0


def test_what_stands_below_the_largest_witnessed_head_is():
    world, held = World(), replica(history(7))
    for size in (3, 5):
        world.witness(history(size))
        assert world.settled.size(held) == size


def test_a_head_that_is_not_held_in_full_says_nothing_yet():
    world, held = World(), replica(history(4))
    world.witness(history(3))
    assert world.settled.size(held) == 3
    world.witness(history(6))
    assert world.settled.size(held) == 3
    assert world.settled.size(replica(history(6))) == 6
    assert World().settled.size(held) == 0


def test_a_replica_of_another_branch_has_nothing_settled_by_that_head():
    world = World()
    world.witness(history(5, 2, 2))
    assert world.settled.size(replica(history(6, 1, 2))) == 0
    assert world.settled.size(replica(history(5, 2, 2))) == 5


def test_what_was_settled_stays_so_whatever_is_witnessed_later():
    """Two heads that conflict: it takes helpers, and people."""
    world, held = World(), replica(history(8, 1, 2))
    world.witness(history(4, 1, 2))
    assert world.settled.size(held) == 4
    world.witness(history(8, 2, 2))
    assert world.settled.size(held) == 4
