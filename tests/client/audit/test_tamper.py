"""The tamper matrix: whatever is changed on a node's disk, the auditor names the member and the first entry that is
wrong, or, where nothing that is wrong leaves the node, `fsck` names it there.

What an auditor is shown of a log are its entries, its signed head and proofs. The indexes of labels and kinds, and the
record of how far a log has got, never leave a node that runs. A node that starts with a log whose record or last,
partial tile has rotted hands out nothing of that log; it fetches it again, if it is another member's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.audit.keeping.memory import LogState, Memory
from ledger.chain.log_keys import last_index
from ledger.consortium.history import History
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.checkpoint import Head
from ledger.tlog.note import VerifierKey
from ledger.tlog.receipt import Receipt
from ledger.witnessing.witnessed import Witnessed
from tests.client.audit import tampered
from tests.client.audit.tampered import MANIFEST, SIZES, Disk, Node, audit, flipped, good, keys, named, under
from tests.ledger.witnesses import chain_of, entry, signer

RNG = Random(9)
SMALL = ("lender-1", "lender-3")
TILE = 256


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def found(runner: asyncio.Runner):
    """Member and first bad index by each finding of an audit through a node with this disk."""
    return lambda disk, running=True: named(audit(Node(disk, running=running, runner=runner)))


def fsck(disk: Disk, member: str) -> str:
    """What fsck says of a log: the path of the first bad thing, "" where all is well."""
    try:
        chain_of(MANIFEST, tampered.Rotting(disk)).verify(MANIFEST.origin(member))
    except Unverified as error:
        return error.path or error.reason
    return ""


def changed(disk: Disk, changes: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    merged = {**disk, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.mark.parametrize("running", [True, False])
def test_an_honest_disk_passes_both(found, running) -> None:
    assert found(good(), running) == []
    assert [fsck(good(), member) for member in SIZES] == [""] * 3


# -- entries


@pytest.mark.parametrize("member", SMALL)
def test_one_bit_in_any_byte_of_any_small_entry_is_found_at_that_entry(found, member) -> None:
    """Every byte of lender-1's entries, which are short, and some of each of lender-3's."""
    for index in range(SIZES[member]):
        key = keys(member).entry(index)
        size = len(good()[key])
        for place in range(size) if index == 4 and size < 100 else {0, size // 2, size - 1}:
            disk = flipped(key, place, RNG.randrange(8))
            assert found(disk) == [(member, index)], (index, place)
            assert fsck(disk, member).startswith("entries["), (index, place)


@given(st.integers(0, SIZES["lender-2"] - 1), st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_one_bit_anywhere_in_a_long_log_is_found_at_its_entry(index, place, bit) -> None:
    key = keys("lender-2").entry(index)
    disk = flipped(key, place % len(good()[key]), bit)
    with asyncio.Runner() as runner:
        assert named(audit(Node(disk, running=True, runner=runner))) == [("lender-2", index)]
        found = named(audit(Node(disk, running=False, runner=runner)))
    # The last, partial tile is hashed at the start: then nothing of this log is handed out.
    assert found == [("lender-2", index if index < TILE else 0)]
    # There only the head covers them, if neither kind nor label gives one away.
    assert fsck(disk, "lender-2") in ([f"entries[{index}]"] + ["entries[256..299]"] * (index >= TILE))


@pytest.mark.parametrize("index", [0, 1, 100, 255, 256, 299])
def test_an_entry_that_is_gone_is_found_where_it_was(found, index) -> None:
    disk = changed(good(), {keys("lender-2").entry(index): None})
    assert found(disk) == [("lender-2", index)]
    assert fsck(disk, "lender-2") == f"entries[{index}]"


@pytest.mark.parametrize("index", [0, 7, 255, 256, 298])
def test_an_entry_dropped_with_all_behind_it_moved_up_is_found_where_it_was(found, index) -> None:
    of, size = keys("lender-2"), SIZES["lender-2"]
    moved: dict[bytes, bytes | None] = {of.entry(at): good()[of.entry(at + 1)] for at in range(index, size - 1)}
    disk = changed(good(), {**moved, of.entry(size - 1): None})
    assert found(disk) == [("lender-2", index)]
    assert fsck(disk, "lender-2").startswith("entries[")


@pytest.mark.parametrize("index", [0, 7, 256, 299])
def test_an_entry_put_in_is_found_where_it_stands(found, index) -> None:
    of, size = keys("lender-2"), SIZES["lender-2"]
    moved = {of.entry(at + 1): good()[of.entry(at)] for at in range(index, size)}
    disk = changed(good(), {**moved, of.entry(index): entry(77)})
    assert found(disk) == [("lender-2", index)]
    assert fsck(disk, "lender-2").startswith("entries[")


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 299), (7, 250), (255, 256), (298, 299)])
def test_two_entries_swapped_are_found_at_the_first(found, one, other) -> None:
    first, second = (keys("lender-2").entry(index) for index in (one, other))
    disk = changed(good(), {first: good()[second], second: good()[first]})
    assert found(disk) == [("lender-2", one)]
    assert fsck(disk, "lender-2").startswith("entries[")


@pytest.mark.parametrize("size", [0, 1, 256, 257, 299])
def test_a_tail_cut_off_is_found_where_it_was(found, size) -> None:
    lost: dict[bytes, bytes | None] = {keys("lender-2").entry(at): None for at in range(size, SIZES["lender-2"])}
    disk = changed(good(), lost)
    assert found(disk) == [("lender-2", size)]
    assert fsck(disk, "lender-2") == f"entries[{size}]"


# -- whole logs


@pytest.mark.parametrize("running", [True, False])
def test_another_members_log_in_place_of_this_one_is_found_at_its_beginning(found, running) -> None:
    """All of lender-3's entries, tiles and records under lender-1's keys."""
    mine, other = keys("lender-1"), keys("lender-3")
    pairs = zip(mine.all(), other.all(), strict=True)
    put: dict[bytes, bytes | None] = {key: None for prefix in mine.all() for key in under(prefix)}
    for prefix, others in pairs:
        put |= {prefix + key[len(others) :]: good()[key] for key in under(others)}
    disk = changed(good(), put)
    assert found(disk, running) == [("lender-1", 0)]
    assert fsck(disk, "lender-1")


@pytest.mark.parametrize("running", [True, False])
def test_the_names_of_two_logs_exchanged_are_found_in_both(found, running) -> None:
    first, second = (b"o" + MANIFEST.origin(member).encode() for member in ("lender-1", "lender-2"))
    disk = changed(good(), {first: good()[second], second: good()[first]})
    if running:  # which number a log has is read once
        assert found(disk) == []
    else:
        assert found(disk, running) == [("lender-1", 0), ("lender-2", 0)]
    assert fsck(disk, "lender-1")
    assert fsck(disk, "lender-2")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 299])
def test_a_log_rolled_back_whole_is_found_by_what_the_last_audit_saw(runner, size) -> None:
    """Nothing about the disk is wrong: only that there was more."""
    older = tampered.older("lender-2", size)
    assert fsck(older, "lender-2") == ""
    node = Node(older, running=False, runner=runner)
    before = chain_of(MANIFEST, tampered.Rotting(good()))
    heads = [Head(log.origin, log.size, log.root_at(log.size)) for log in before.logs()]
    last = Memory(MANIFEST.consortium, {head.origin: LogState(head) for head in heads})
    report = audit(node, last)
    assert [(one.member, one.reason) for one in report.findings] == [("lender-2", "SHRUNK")]


@pytest.mark.parametrize("index", [0, 100, 299])
def test_a_log_rewritten_with_its_authors_key_is_found_by_what_the_last_audit_saw(runner, index) -> None:
    """lender-2 has signed another history, of which every hash and signature is right."""
    other = tampered.rewritten("lender-2", index)
    assert fsck(other, "lender-2") == ""
    before = chain_of(MANIFEST, tampered.Rotting(good())).log("lender-2")
    head = Head(before.origin, before.size, before.root_at(before.size))
    report = audit(
        Node(other, running=False, runner=runner), Memory(MANIFEST.consortium, {head.origin: LogState(head)})
    )
    assert {(one.member, one.reason) for one in report.findings} >= {("lender-2", "REWRITTEN")}


# -- the tree


@pytest.mark.parametrize("place", [*range(0, 32 * TILE, 997), 32 * TILE - 1])
def test_a_flipped_node_of_the_tree_is_found_by_both(found, place) -> None:
    disk = flipped(keys("lender-2").tile(0, 0), place, RNG.randrange(8))
    assert fsck(disk, "lender-2") == f"entries[{place // 32}]"
    # Where the tree is wrong there is no proof for any entry below it.
    for running in (True, False):
        report = found(disk, running)
        assert report
        assert {member for member, _ in report} == {"lender-2"}
        assert report[0][1] == 0


@pytest.mark.parametrize("index", [0, 16, 17, 18, 255])
def test_no_receipt_verifies_that_goes_through_a_flipped_node(runner, index) -> None:
    disk = flipped(keys("lender-2").tile(0, 0), 32 * 17)
    node, key = Node(disk, running=True, runner=runner), signer(2, tampered.MEMBERS).key
    with pytest.raises(PlimsollError):
        _verify_receipt(node, key, index)
    _verify_receipt(node, key, TILE)  # whose path has the tile's root, which a node that runs knows


def _verify_receipt(node: Node, key: VerifierKey, index: int) -> None:
    answer = node.receipt(key.name, index)
    Receipt.parse(answer.receipt).verify(answer.entry, key)


# -- what never leaves a node


@pytest.mark.parametrize("kind", ["labels", "kinds"])
@pytest.mark.parametrize("member", SIZES)
def test_an_index_that_is_wrong_is_found_by_fsck_and_misleads_no_auditor(found, member, kind) -> None:
    chosen = under(getattr(keys(member), kind))
    assert chosen or (kind, member) != ("labels", "lender-3")
    for key in chosen[:: max(1, len(chosen) // 8)]:
        other = key[:-9] + bytes([key[-9] ^ 1]) + key[-8:]
        cases: list[dict[bytes, bytes | None]] = [{key: None}, {key: None, other: b""}, {other: b""}, {key: b"x"}]
        for changes in cases:
            disk = changed(good(), changes)
            assert fsck(disk, member), changes
        assert found(changed(good(), {key: None, other: b""})) == []
        assert last_index(key) < SIZES[member]


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("member", SIZES)
def test_a_cosigned_head_that_has_rotted_is_not_shown_and_fsck_tells(runner, member, running) -> None:
    """Nor does it keep the logs from being audited: it is missing, and that is told."""
    (key,) = under(b"h" + MANIFEST.origin(member).encode() + b"\x00")
    for place in range(0, len(good()[key]), 31):
        disk = flipped(key, place, RNG.randrange(8))
        node = Node(disk, running=running, runner=runner)
        report = audit(node)
        assert report.findings == [], place
        told = {log.member: log.witnessed for log in report.logs}
        assert told[member] is None, place
        assert None not in [told[other] for other in SIZES if other != member]
        rotten = Witnessed(tampered.Rotting(disk), History([MANIFEST])).rotten(MANIFEST.origin(member))
        assert [found for found, _ in rotten] == [key], place


@pytest.mark.parametrize("member", SIZES)
def test_every_bit_of_the_record_head_and_signature_is_found_by_fsck(found, member) -> None:
    key = keys(member).standing
    for place in range(0, len(good()[key]), 1 if member == "lender-1" else 11):
        disk = flipped(key, place, RNG.randrange(8))
        assert fsck(disk, member), place
    assert found(disk) == []  # a node that runs has read it already


@pytest.mark.parametrize("member", SIZES)
def test_a_node_that_starts_with_a_head_that_has_rotted_does_not_pass_for_honest(found, member) -> None:
    key = keys(member).standing
    note = good()[key].index(b"plimsoll/")
    for place in range(note, len(good()[key]), 23):
        assert found(flipped(key, place, RNG.randrange(8)), running=False) == [(member, 0)], place
