"""Heartbeats: what is appended is witnessed, whoever is away, and nothing is cosigned that should not be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from time import sleep

import pytest
from plimsoll.v1 import peer_pb2

from ledger.errors import NotFound, PlimsollError, Unready, Unverified
from ledger.strict import encode_base64
from ledger.tlog import merkle
from ledger.tlog.note import Note
from ledger.tlog.tlog_witness import AddCheckpoint, OldSize
from ledger.witnessing.cosigned import verify_witnessed, witnesses
from ledger.witnessing.witness import Witness
from node.chain import witnessing
from tests.ledger.witnesses import cosigned, cosigner, entry, head_of, history, name, signer
from tests.node.witnesses import MANIFEST, NOW, Node, network


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


async def settled(nodes: list[Node]) -> None:
    for _ in range(2):
        for node in nodes:
            await node.compare()


async def test_one_beat_has_a_head_witnessed_and_the_next_tells_everybody(threads):
    nodes = network(threads)
    await nodes[0].committer.append([entry(1), entry(2)])
    await settled(nodes)
    await nodes[0].beat()
    assert nodes[0].witnessed.size(nodes[0].origin(1)) == 2
    assert nodes[3].witnessed.size(nodes[0].origin(1)) == 0
    await nodes[0].beat()
    for node in nodes:
        kept = node.witnessed.newest(node.origin(1))
        assert kept is not None
        assert set(witnesses(kept.signed, MANIFEST, "lender-1")) == {name(number) for number in (2, 3, 4, 5)}
        assert kept.time == NOW


async def test_who_was_away_learns_by_comparing(threads):
    nodes = network(threads)
    await settled(nodes)
    nodes[4].is_away = True
    await nodes[0].committer.append([entry(1)])
    await settled(nodes[:4])
    await nodes[0].beat()
    nodes[4].is_away = False
    await nodes[4].compare()
    assert nodes[4].witnessed.size(nodes[4].origin(1)) == 1


async def test_a_member_is_told_once_and_all_of_it_again_after_a_while(threads, monkeypatch):
    nodes = network(threads)
    await settled(nodes)
    await nodes[0].committer.append([entry(1)])
    await settled(nodes)
    await nodes[0].beat()
    note = nodes[0].witnessed.notes()
    assert nodes[0].witnessing.news("lender-2") == note
    assert nodes[0].witnessing.news("lender-2") == []
    assert nodes[0].witnessing.news("lender-3") == note
    await nodes[0].beat()  # the same head, witnessed again, is no news
    assert nodes[0].witnessing.news("lender-2") == []
    monkeypatch.setattr(witnessing, "TELL_AGAIN", -1.0)
    assert nodes[0].witnessing.news("lender-2") == nodes[0].witnessed.notes() != []


async def test_absent_witnesses_stop_no_log(threads, monkeypatch):
    monkeypatch.setattr(witnessing, "RETRIES", (0.0,))
    nodes = network(threads)
    await settled(nodes)
    for node in nodes[2:]:
        node.is_away = True
    for number in range(3):
        assert await nodes[0].committer.append([entry(number)]) == number
        await nodes[0].beat()
    assert nodes[0].witnessed.newest(nodes[0].origin(1)) is None
    assert nodes[0].chain.log("lender-1").size == 3


async def test_a_peer_that_receives_the_entries_late_cosigns_the_same_head(threads, monkeypatch):
    monkeypatch.setattr(witnessing, "RETRIES", (0.05,) * 40)
    nodes = network(threads)
    await settled(nodes)
    await nodes[0].committer.append([entry(1)])
    beating = asyncio.create_task(nodes[0].beat())
    await asyncio.sleep(0.1)
    assert nodes[0].witnessed.size(nodes[0].origin(1)) == 0
    await nodes[0].committer.append([entry(2)])
    await settled(nodes)
    await asyncio.wait_for(beating, 10)
    kept = nodes[0].witnessed.newest(nodes[0].origin(1))
    assert kept is not None
    assert kept.size == 1
    assert len(witnesses(kept.signed, MANIFEST, "lender-1")) == 4


async def test_an_empty_log_is_fresh_too(threads):
    nodes = network(threads)
    await settled(nodes)
    await nodes[0].beat()
    assert all(node.arrivals.age(node.origin(1), node.clock.monotonic()) is not None for node in nodes[1:])
    await nodes[0].beat()
    assert all(node.chain.log("lender-1").head is None for node in nodes)


async def test_freshness_is_the_older_of_the_heartbeats_time_and_its_receipt(threads):
    nodes = network(threads)
    await nodes[0].committer.append([entry(1)])
    await settled(nodes)
    for offset, expected in ((-50, 50.0), (+50, 0.0)):  # a slow clock shows as age, a fast one gains nothing
        for node in nodes:
            node.arrivals._confirmed.clear()
        nodes[0].clock.now = NOW + offset
        await nodes[0].beat()
        age = nodes[1].arrivals.age(nodes[1].origin(1), nodes[1].clock.monotonic())
        assert age is not None
        assert expected <= age < expected + 5


async def test_a_heartbeat_for_a_tree_that_is_not_held_says_nothing_of_freshness(threads, monkeypatch):
    monkeypatch.setattr(witnessing, "RETRIES", (0.0,))
    nodes = network(threads)
    await settled(nodes)
    await nodes[0].committer.append([entry(1)])
    await nodes[0].beat()
    assert nodes[1].arrivals.age(nodes[1].origin(1), nodes[1].clock.monotonic()) is None


async def test_nothing_is_cosigned_before_more_than_half_of_the_others_have_shown_the_log(threads):
    nodes = network(threads)
    await nodes[0].committer.append([entry(1)])
    two = nodes[1]
    request = peer_pb2.WitnessRequest(head=spoken(1, [entry(1)]))
    await two.gossip._compare(two.gossip._peers["lender-1"])
    await two.gossip._compare(two.gossip._peers["lender-3"])
    assert not (await two.witnessing.answer("lender-1", request)).head
    assert two.store.get(b"w") is None
    await two.gossip._compare(two.gossip._peers["lender-4"])
    assert (await two.witnessing.answer("lender-1", request)).head
    assert two.store.get(b"w") is not None


def spoken(author: int, entries: list[bytes], *, by: tuple[int, ...] = ()) -> bytes:
    """A head of these entries, cosigned by its author, and others."""
    return cosigned(head_of(entries, MANIFEST, author), MANIFEST, dict.fromkeys((author, *by), NOW))


@pytest.mark.parametrize(
    ("caller", "head", "witnessed", "reason"),
    [
        ("lender-3", spoken(1, history(2)), b"", "NOT_YOUR_LOG"),
        ("stranger", spoken(1, history(2)), b"", "NOT_YOUR_LOG"),
        ("lender-1", head_of(history(2), MANIFEST).note.encode(), b"", "NO_HEARTBEAT"),
        ("lender-1", spoken(1, history(2))[:-7] + b"AAAA==\n", b"", None),
        ("lender-1", b"", b"", None),
        ("lender-1", spoken(1, history(2)), spoken(1, history(2), by=(2, 3)), "NOT_WITNESSED"),
        ("lender-1", spoken(1, history(2)), b"nothing", None),
    ],
)
async def test_what_is_no_heartbeat_is_refused(threads, caller, head, witnessed, reason):
    nodes = network(threads)
    await nodes[0].committer.append(history(2))
    await settled(nodes)
    with pytest.raises(PlimsollError) as refused:
        await nodes[1].witnessing.answer(caller, peer_pb2.WitnessRequest(head=head, witnessed=witnessed))
    assert reason is None or refused.value.reason == reason
    assert nodes[1].store.get(b"w") is None


async def test_a_head_below_what_was_cosigned_is_refused(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(3))
    await settled(nodes)
    await nodes[0].beat()
    with pytest.raises(PlimsollError) as refused:
        await nodes[1].witnessing.answer("lender-1", peer_pb2.WitnessRequest(head=spoken(1, history(2))))
    assert refused.value.reason == "WENT_BACK"


async def test_heads_that_are_cosigned_at_once_share_a_write(threads, monkeypatch):
    nodes, cosign = network(threads), Witness.cosign

    def slowly(self, heads, time):
        sleep(0.1)  # the others come in the meantime
        return cosign(self, heads, time)

    monkeypatch.setattr(Witness, "cosign", slowly)
    for number, node in enumerate(nodes):
        await node.committer.append([entry(number)])
    await settled(nodes)
    before = nodes[4].store.writes
    requests = [(name(n), peer_pb2.WitnessRequest(head=spoken(n, [entry(n - 1)]))) for n in (1, 2, 3, 4)]
    answers = await asyncio.gather(*(nodes[4].witnessing.answer(*request) for request in requests))
    assert all(answer.head for answer in answers)
    assert nodes[4].store.writes - before <= 3


async def test_an_author_that_gets_a_wrong_answer_takes_no_notice(threads):
    nodes = network(threads)
    await nodes[0].committer.append([entry(1)])
    await settled(nodes)
    forged = cosigner(3, MANIFEST).cosign(head_of(history(4), MANIFEST).note.text, NOW)

    async def lie(caller: str, request: peer_pb2.WitnessRequest) -> peer_pb2.WitnessResponse:
        good = head_of([entry(1)], MANIFEST).note.with_signatures([forged])
        return peer_pb2.WitnessResponse(head=good.encode())

    nodes[2].witnessing.answer = lie  # type: ignore[method-assign]
    await nodes[0].beat()
    kept = nodes[0].witnessed.newest(nodes[0].origin(1))
    assert kept is not None
    assert "lender-3" not in witnesses(kept.signed, MANIFEST, "lender-1")
    verify_witnessed(kept.signed.note.encode(), MANIFEST, "lender-1")


def asked(old: int, size: int, branch: int = 0, author: int = 1) -> AddCheckpoint:
    """By C2SP tlog-witness, with the proof."""
    entries = history(size, branch)
    leaves = [merkle.leaf_hash(one) for one in entries]
    path: tuple[bytes, ...] = ()
    if old:
        path = merkle.consistency_path(
            old, size, lambda level, n: merkle.root_of(leaves[n << level : (n + 1) << level])
        )
    head = head_of(entries, MANIFEST, author)
    return AddCheckpoint(old, path, head.head.origin, size, head.head.root, head.note)


async def test_what_is_cosigned_on_request_and_by_heartbeats_is_one_memory(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(5))
    await settled(nodes)
    await nodes[0].beat()
    with pytest.raises(OldSize) as caught:
        await nodes[1].witnessing.extend(asked(0, 5))
    assert caught.value.size == 5
    assert await nodes[1].witnessing.extend(asked(5, 5))
    await nodes[0].committer.append(history(9)[5:])
    await settled(nodes)
    assert await nodes[1].witnessing.extend(asked(5, 9))
    await nodes[0].beat()
    assert nodes[0].witnessed.size(nodes[0].origin(1)) == 9


async def test_on_request_nothing_is_cosigned_before_others_have_said_how_far_the_log_has_got(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(5))
    with pytest.raises(Unready) as caught:
        await nodes[1].witnessing.extend(asked(0, 5))
    assert caught.value.reason == "UNCONFIRMED_MEMORY"
    await settled(nodes)
    assert await nodes[1].witnessing.extend(asked(0, 5))


async def test_on_request_the_empty_tree_has_one_root_which_is_looked_at_after_the_old_size(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(5))
    await settled(nodes)
    text = f"{nodes[0].origin(1)}\n0\n{encode_base64(bytes(32))}\n"
    empty = AddCheckpoint(0, (), nodes[0].origin(1), 0, bytes(32), Note(text, (signer(1).sign(text),)))
    with pytest.raises(Unverified):
        await nodes[1].witnessing.extend(empty)
    assert await nodes[1].witnessing.extend(asked(0, 5))
    with pytest.raises(OldSize):
        await nodes[1].witnessing.extend(empty)


async def test_on_request_no_log_is_cosigned_but_other_members(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(5))
    await settled(nodes)
    with pytest.raises(NotFound):
        await nodes[0].witnessing.extend(asked(0, 5))
    with pytest.raises(NotFound):
        await nodes[1].witnessing.extend(replace(asked(0, 5), origin="log.example/rome"))


async def test_a_head_of_another_history_that_is_posted_shows_the_fork(threads):
    nodes = network(threads)
    await nodes[0].committer.append(history(5))
    await settled(nodes)
    for request in (asked(0, 5, branch=1), asked(0, 4, branch=1)):
        with pytest.raises(PlimsollError):
            await nodes[1].witnessing.extend(request)
    assert "two histories" in nodes[1].gossip.problems[nodes[0].origin(1)]
    with pytest.raises(Unverified) as caught:
        await nodes[1].witnessing.extend(asked(0, 5))
    assert caught.value.reason == "FORK"
