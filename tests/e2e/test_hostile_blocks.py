"""PeerService.Push of blocks that somebody has tampered with: each is refused with its reason, and none is stored."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from plimsoll.v1 import peer_pb2

from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.note import Signer
from tests.e2e.conftest import Hostile
from tests.e2e.impostor import Impostor, flip
from tests.e2e.proxy import honest
from tests.e2e.wire import refusal_of

SERVER = "lender-1"
COUNT = itertools.count()
Change = Callable[[Impostor, peer_pb2.Block], None]


def fresh(impostor: Impostor, entries: int = 5) -> peer_pb2.Block:
    """Entries of the impostor's log that nobody has seen, behind those that SERVER has."""
    impostor.deliver(SERVER)
    made = [impostor.evaluation([next(COUNT).to_bytes(32, "big")]) for _ in range(entries)]
    return impostor.block(impostor.append(*made))


def head_of(impostor: Impostor, size: int, root: bytes, signer: Signer | None = None) -> bytes:
    """A head under the impostor's key, of any size and root."""
    return sign_head(Head(impostor.origin, size, root), signer or impostor.signer).note.encode()


def other_head(impostor: Impostor) -> bytes:
    """A good head of another member's log."""
    head = impostor.chain.log("lender-4").head
    assert head is not None
    return head.note.encode()


def respelled(note: bytes) -> bytes:
    """Other bytes at the end of the signature, still base64."""
    text, signature, end = note[:-9], note[-9:-5], note[-5:]
    return text + (b"AAAA" if signature != b"AAAA" else b"BBBB") + end


def set_head(make: Callable[[Impostor, peer_pb2.Block], bytes]) -> Change:
    def change(impostor: Impostor, block: peer_pb2.Block) -> None:
        block.head = make(impostor, block)

    return change


def set_origin(origin: Callable[[Impostor], str]) -> Change:
    def change(impostor: Impostor, block: peer_pb2.Block) -> None:
        block.origin = origin(impostor)

    return change


def claim_for_another(impostor: Impostor, block: peer_pb2.Block) -> None:
    block.origin = impostor.manifest.origin("lender-4")
    block.start = impostor.chain.log("lender-4").size


def set_entries(make: Callable[[list[bytes]], list[bytes]]) -> Change:
    def change(_: Impostor, block: peer_pb2.Block) -> None:
        entries = make(list(block.entries))
        del block.entries[:]
        block.entries.extend(entries)

    return change


def shift(by: int) -> Change:
    def change(_: Impostor, block: peer_pb2.Block) -> None:
        block.start += by

    return change


def add_proof(_: Impostor, block: peer_pb2.Block) -> None:
    block.consistency.append(bytes(32))


def stranger(impostor: Impostor) -> Signer:
    return Signer.from_seed(impostor.origin, bytes(range(32)))


MISMATCH = ("DATA_LOSS", "ROOT_MISMATCH", "entries")
NO_PROOF = ("INVALID_ARGUMENT", "BAD_PATH_LENGTH", "consistency")  # fewer entries than the head speaks of
UNSIGNED = ("DATA_LOSS", "NO_KNOWN_SIGNATURE", "head.signatures")
TAMPERED: dict[str, tuple[Change, tuple[str, str, str]]] = {
    "no origin": (set_origin(lambda _: ""), ("NOT_FOUND", "NO_LOG", "origin")),
    "unknown origin": (set_origin(lambda one: one.origin + "x"), ("NOT_FOUND", "NO_LOG", "origin")),
    "another log's origin": (claim_for_another, ("DATA_LOSS", "WRONG_ORIGIN", "head.origin")),
    "starts earlier": (shift(-1), NO_PROOF),
    "an entry changed": (set_entries(lambda all_: [flip(all_[0]), *all_[1:]]), MISMATCH),
    "the last entry changed": (set_entries(lambda all_: [*all_[:-1], flip(all_[-1])]), MISMATCH),
    "an entry left out": (set_entries(lambda all_: all_[:1] + all_[2:]), NO_PROOF),
    "the first entry left out": (set_entries(lambda all_: all_[1:]), NO_PROOF),
    "the last entry left out": (set_entries(lambda all_: all_[:-1]), NO_PROOF),
    "an entry twice": (
        set_entries(lambda all_: [all_[0], *all_]),
        ("INVALID_ARGUMENT", "BEYOND_HEAD", "head"),
    ),
    "entries swapped": (set_entries(lambda all_: [all_[1], all_[0], *all_[2:]]), MISMATCH),
    "entries joined": (set_entries(lambda all_: [all_[0] + all_[1], *all_[2:]]), NO_PROOF),
    "an entry added": (
        set_entries(lambda all_: [*all_, b"\x08\x01"]),
        ("INVALID_ARGUMENT", "BEYOND_HEAD", "head"),
    ),
    "an empty entry": (
        set_entries(lambda all_: [b"", *all_[1:]]),
        ("INVALID_ARGUMENT", "BAD_ENTRY_SIZE", "entries[0]"),
    ),
    "an entry too long": (
        set_entries(lambda all_: [all_[0], bytes(65_536), *all_[2:]]),
        ("INVALID_ARGUMENT", "BAD_ENTRY_SIZE", "entries[1]"),
    ),
    "too many entries": (
        set_entries(lambda all_: all_ * 1000),
        ("INVALID_ARGUMENT", "BLOCK_TOO_LARGE", "entries"),
    ),
    "too many bytes": (
        set_entries(lambda all_: [bytes(65_535)] * 33),
        ("INVALID_ARGUMENT", "BLOCK_TOO_LARGE", "entries"),
    ),
    "no head": (set_head(lambda _, __: b""), ("INVALID_ARGUMENT", "BAD_NOTE", "head")),
    "a head that is no note": (set_head(lambda _, __: b"\xff\x00"), ("INVALID_ARGUMENT", "BAD_NOTE", "head")),
    "the head's signature changed": (
        set_head(
            lambda _, block: block.head[:-6] + (b"AAA" if block.head[-6:-3] != b"AAA" else b"BBB") + block.head[-3:]
        ),
        ("DATA_LOSS", "BAD_SIGNATURE", "head.signatures[0]"),
    ),
    "another log's head": (set_head(lambda one, _: other_head(one)), ("DATA_LOSS", "WRONG_ORIGIN", "head.origin")),
    "a stranger's head": (
        set_head(lambda one, _: head_of(one, one.log.size, one.log.root_at(one.log.size), stranger(one))),
        UNSIGNED,
    ),
    "a larger head with the tree's root": (
        set_head(lambda one, _: head_of(one, one.log.size + 1, one.log.root_at(one.log.size))),
        NO_PROOF,
    ),
    "a hash too many in the proof": (add_proof, NO_PROOF),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_block_is_refused_and_the_honest_one_taken(hostile: Hostile, name: str) -> None:
    impostor, (change, expected) = hostile.impostor, TAMPERED[name]
    block = fresh(impostor)
    tampered = peer_pb2.Block()
    tampered.CopyFrom(block)
    change(impostor, tampered)
    before = hostile.cluster.sizes(SERVER)
    failure = refusal_of(impostor.stubs[SERVER].Push, peer_pb2.PushRequest(block=tampered))
    assert failure.brief == expected, failure
    assert hostile.cluster.sizes(SERVER) == before
    assert impostor.push(SERVER, block) == impostor.log.size
    assert hostile.cluster.sizes(SERVER)["lender-5"][0] == impostor.log.size


def test_a_block_that_starts_beyond_what_is_held_is_not_taken(hostile: Hostile) -> None:
    impostor = hostile.impostor
    held = impostor.push(SERVER, fresh(impostor))
    impostor.append(impostor.evaluation([bytes(32)]))
    later = impostor.append(impostor.evaluation([bytes(32)]))
    assert impostor.push(SERVER, impostor.block(later)) == held
    assert impostor.push(SERVER, impostor.block(held)) == impostor.log.size


def test_a_block_pushed_again_changes_nothing(hostile: Hostile) -> None:
    impostor = hostile.impostor
    block = fresh(impostor)
    assert impostor.push(SERVER, block) == impostor.push(SERVER, block) == impostor.log.size
    empty = peer_pb2.Block(origin=block.origin, start=impostor.log.size, head=block.head)
    assert impostor.push(SERVER, empty) == impostor.log.size


def test_half_a_block_is_taken_with_its_proof_and_the_rest_later(hostile: Hostile) -> None:
    impostor = hostile.impostor
    block = fresh(impostor, 6)
    half = peer_pb2.Block(origin=block.origin, start=block.start, entries=block.entries[:2], head=block.head)
    half.consistency.extend(impostor.log.consistency(block.start + 2, impostor.log.size))
    refused = peer_pb2.Block()
    refused.CopyFrom(half)
    refused.consistency[0] = flip(refused.consistency[0])
    assert refusal_of(impostor.stubs[SERVER].Push, peer_pb2.PushRequest(block=refused)).brief == MISMATCH
    assert impostor.push(SERVER, half) == block.start + 2
    assert impostor.push(SERVER, block) == impostor.log.size


def test_another_member_may_bring_an_entry_but_not_write_one(hostile: Hostile) -> None:
    """Gossip passes on what others wrote; who brings it does not matter, who signed it does."""
    impostor = hostile.impostor
    log = impostor.chain.log("lender-4")
    assert log.head is not None
    forger = Signer.from_seed(log.origin, hostile.cluster.keyring("lender-5").log_seed)
    forged = peer_pb2.Block(
        origin=log.origin,
        start=log.size,
        entries=[impostor.evaluation([bytes(32)])],
        head=sign_head(Head(log.origin, log.size + 1, bytes(32)), forger).note.encode(),
    )
    failure = refusal_of(impostor.stubs[SERVER].Push, peer_pb2.PushRequest(block=forged))
    assert failure.brief == UNSIGNED


def test_pulls_of_what_is_not_there_are_refused_or_empty(hostile: Hostile) -> None:
    stub: Any = hostile.impostor.stubs[SERVER]
    failure = refusal_of(stub.Pull, peer_pb2.PullRequest(origin="nobody"))
    assert failure.brief == ("NOT_FOUND", "NO_LOG", "origin")
    origin = hostile.impostor.manifest.origin("lender-4")
    assert list(stub.Pull(peer_pb2.PullRequest(origin=origin, start=1 << 60), timeout=10)) == []


def test_a_peer_that_serves_tampered_blocks_keeps_nobody_from_the_truth(hostile: Hostile) -> None:
    """lender-2 changes every entry it passes on; what others wrote arrives all the same, from others."""

    def tamper(method: str, request: bytes, answer: bytes) -> bytes:
        if method != "Pull":
            return answer
        response = peer_pb2.PullResponse.FromString(answer)
        for place, entry in enumerate(response.block.entries):
            response.block.entries[place] = flip(entry)
        return response.SerializeToString()

    impostor, proxy = hostile.impostor, hostile.proxies["lender-2"]
    proxy.tamper = tamper
    try:
        impostor.append(impostor.evaluation([bytes(32)]))
        impostor.deliver("lender-2")  # which alone has it at first, and passes it on
        for member in hostile.cluster.running:
            hostile.cluster.wait_until(
                lambda member=member: hostile.cluster.sizes(member)["lender-5"][0] == impostor.log.size,  # type: ignore[misc]
                f"{member} has all of lender-5's log",
                20,
            )
    finally:
        proxy.tamper = honest
    for member in hostile.cluster.running:
        problems = {log.member: log.problem for log in hostile.cluster.status(member).logs}
        assert problems["lender-5"] == ""
