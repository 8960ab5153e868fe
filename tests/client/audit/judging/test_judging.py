"""Clocks, quotas, inquiries over heads, heartbeats and witnesses: what is told, and what proves something wrong."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2, peer_pb2

from client.audit.judging.clock import TOLERANCE, Clock
from client.audit.judging.notices import Notices
from client.audit.reading.asking import MAX_HELD, Asking, DayQuota
from client.audit.reading.digest import UNTIMED, digest, digest_block
from client.audit.reading.follower import Taken
from client.audit.reading.logs import LogId
from client.audit.reading.one_log import OneLog
from client.audit.reading.proofs import MAX_TOLD, Prover
from client.audit.reading.shelf import WATCHED, Watch
from client.audit.reading.tally import Ground, Tally
from client.audit.reading.workers import Workers
from ledger.borrower.labels import QueryKeys
from ledger.chain.entries import UNSOUND, Kind, file_entry
from ledger.queries.inquiry import DAY, Inquiry, heads_digest
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import parse_note
from tests.client.audit.world import MEMBERS, Served, audit, consortium, found_by, manifest
from tests.ledger.sample_consortium import START, loan
from tests.ledger.sample_logs import SIGNER
from tests.lenders import lender

TIME = 1_760_000_000


def noticed(notices: Notices) -> list[tuple[int | None, str]]:
    return [(found.index, found.reason) for found in notices.remarks("lender-1")]


# -- digests


def position(time: int = TIME, number: int = 0) -> bytes:
    bare = entry_pb2.Entry.FromString(consortium().position_entry("lender-1", "test:some", loan(5)))
    bare.time, bare.position.label = time, number.to_bytes(16, "big")
    return bare.SerializeToString()


def some_entries() -> list[bytes]:
    inquiry = next(iter(consortium().logs["lender-2"].entries_by_kind("inquiry")))[1]
    evaluation = entry_pb2.Entry(time=5, evaluation=entry_pb2.Evaluation(count=3, epoch=1, batch_digest=bytes(32)))
    small = entry_pb2.Entry(time=127, position=entry_pb2.Entry.FromString(position()).position)
    return [
        position(TIME),
        position(TIME + 1),
        b"\xff",
        inquiry,
        evaluation.SerializeToString(),
        small.SerializeToString(),
        position(1 << 40),
        consortium().logs["lender-1"].entry(0),
        b"\x08\x01",
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(range(9)), max_size=30), st.integers(0, 1 << 40))
def test_a_digest_says_what_reading_each_entry_says(places: list[int], start: int) -> None:
    entries = [some_entries()[place] for place in places]
    found = digest(start, entries)
    assert list(found.leaves) == [merkle.leaf_hash(entry) for entry in entries]
    codes = [file_entry(entry).code for entry in entries]
    assert found.codes == {code: codes.count(code) for code in set(codes)}
    times = [UNTIMED if entry == b"\xff" else entry_pb2.Entry.FromString(entry).time for entry in entries]
    assert list(found.times) == times
    positions = [time for time, code in zip(times, codes, strict=True) if code == Kind.POSITION]
    assert found.position == (positions[-1] if positions else UNTIMED)
    assert [each.index for each in found.questions] == [start + n for n, c in enumerate(codes) if c == Kind.INQUIRY]
    assert [each[0] for each in found.evaluations] == [start + n for n, c in enumerate(codes) if c == Kind.EVALUATION]
    unsound = [start + n for n, code in enumerate(codes) if code == UNSOUND]
    assert (None if found.unsound is None else found.unsound[0]) == (unsound[0] if unsound else None)
    assert [each[2] for each in found.notable] == [e for e, c in zip(entries, codes, strict=True) if c == Kind.READY]
    raw = peer_pb2.Block(start=start, entries=entries).SerializeToString()
    assert digest_block(raw) == found


# -- clocks


def test_times_that_go_back_within_tolerance_are_not_told() -> None:
    notices = Notices()
    clock = Clock(notices)
    clock.take(0, array("q", [TIME, TIME - TOLERANCE, TIME + 9, UNTIMED, TIME + 9 - TOLERANCE]))
    assert noticed(notices) == []


def test_the_first_entry_dated_far_before_an_earlier_one_is_told_and_how_many_there_are() -> None:
    notices = Notices()
    clock = Clock(notices)
    clock.take(0, array("q", [TIME, TIME + 10]))
    clock.take(2, array("q", [TIME + 20, TIME + 19 - TOLERANCE, TIME + 20, TIME - DAY]))
    assert noticed(notices) == [(3, "CLOCK_WENT_BACK")]
    assert "2 in all" in next(notices.remarks("lender-1")).message


def test_an_entry_dated_after_a_head_over_it_was_seen_is_told() -> None:
    notices = Notices()
    clock = Clock(notices, [(3, TIME), (9, TIME + 1000)])
    clock.take(0, array("q", [TIME, TIME + TOLERANCE]))
    clock.take(2, array("q", [TIME + TOLERANCE + 1, TIME + TOLERANCE + 2]))
    assert noticed(notices) == [(2, "CLOCK_AHEAD")]
    clock.take(9, array("q", [TIME + DAY]))
    assert "in all" not in next(notices.remarks("lender-1")).message


def test_a_smaller_head_that_was_seen_later_allows_no_more() -> None:
    notices = Notices()
    Clock(notices, [(3, TIME + DAY), (9, TIME)]).take(0, array("q", [TIME + TOLERANCE + 1]))
    assert noticed(notices) == [(0, "CLOCK_AHEAD")]


# -- quotas


def test_a_days_quota_counts_what_lies_within_a_day_before_each_entry() -> None:
    quota = DayQuota()
    assert [quota.add(TIME + offset, 1, 2, TIME + DAY) for offset in (0, 1, DAY - 1, DAY, DAY + 1)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    quota = DayQuota()
    assert [quota.add(TIME + offset, 1, 2, TIME + 3 * DAY) for offset in (0, 1, DAY, 2 * DAY)] == [False] * 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(1, 5)), max_size=40), st.integers(0, 40))
def test_a_quota_that_is_gone_on_from_says_what_it_would_have_said(items: list[tuple[int, int]], cut: int) -> None:
    items = sorted((TIME + offset, weight) for offset, weight in items)
    whole, first = DayQuota(), DayQuota()
    said = [whole.add(time, weight, 20, TIME + 9 * DAY) for time, weight in items]
    for time, weight in items[:cut]:
        first.add(time, weight, 20, TIME + 9 * DAY)
    later = DayQuota(first.items())
    assert [later.add(time, weight, 20, TIME + 9 * DAY) for time, weight in items[cut:]] == said[cut:]


def test_more_evaluations_than_the_manifest_allows_are_told_at_the_first_that_is_above() -> None:
    limit = manifest().policy.evaluations_per_day
    notices = Notices()
    asking = Asking(consortium().history, lambda n: 0, notices, TIME)
    asking.evaluate((index, TIME, 4096) for index in range(limit // 4096 + 2))
    assert noticed(notices) == [(limit // 4096, "QUOTA")]


# -- inquiries over heads


def inquiry(**changes: object) -> bytes:
    original = next(iter(consortium().logs["lender-2"].entries_by_kind("inquiry")))[1]
    return replace(Inquiry.parse(original), **{"time": START + 7, "label": bytes(16), **changes}).encode()  # type: ignore[arg-type]


def with_inquiry(entry: bytes) -> list[Served]:
    logs = {member: log.fork(log.size) for member, log in consortium().logs.items()}
    logs["lender-2"].append(entry)
    return [Served(member, logs=logs) for member in MEMBERS]


def now_heads() -> list[Head]:
    logs = consortium().logs
    return [Head(manifest().origin(name), logs[name].size, logs[name].root_at(logs[name].size)) for name in MEMBERS]


def test_an_inquiry_over_the_logs_as_they_are_is_good() -> None:
    heads = now_heads()
    entry = inquiry(sizes=tuple(head.size for head in heads), heads_digest=heads_digest(heads))
    report = audit(*with_inquiry(entry))
    assert report.findings == []
    assert [log.inquiries for log in report.logs] == [{"checked": count, "unchecked": 0} for count in (0, 2, 0)]


def test_an_inquiry_with_another_digest_is_found_at_its_entry() -> None:
    sizes = tuple(head.size for head in now_heads())
    index = consortium().logs["lender-2"].size
    report = audit(*with_inquiry(inquiry(sizes=sizes, heads_digest=bytes(32))))
    assert found_by(report) == [("lender-2", index, "OTHER_HEADS")]


def witnessed_nodes(entry: bytes, time: int) -> list[Served]:
    """All logs witnessed, by everybody, at that time."""

    class Witnessing(Served):
        def witnessed(self) -> list[bytes]:
            return [self._cosigned(parse_note(raw)).encode() for raw in self.heads()]

        def _cosigned(self, note):
            for number, member in enumerate(MEMBERS, 1):
                name = manifest().cosigner_key(member).name
                cosigner = Cosigner.from_seed(name, lender(number).keyring.cosign_seed)
                note = note.with_signatures([cosigner.cosign(note.text, time)])
            return note

    return [Witnessing(node.member, logs=node.logs) for node in with_inquiry(entry)]


@pytest.mark.parametrize(("later", "found"), [(601, True), (600, False), (-9, False)])
def test_an_inquiry_over_more_than_a_log_had_well_after_it_is_found(later: int, found: bool) -> None:
    sizes = tuple(head.size + 50 * (number == 2) for number, head in enumerate(now_heads()))
    entry = inquiry(sizes=sizes)
    index = consortium().logs["lender-2"].size
    report = audit(*witnessed_nodes(entry, START + 7 + later))
    assert found_by(report) == [("lender-2", index, "NO_SUCH_SIZE")] * found
    if not found:
        assert report.logs[1].inquiries == {"checked": 1, "unchecked": 1}


def test_inquiries_that_nobody_answers_are_told_and_accuse_nobody() -> None:
    index = consortium().logs["lender-2"].size
    for entry, reason in ((inquiry(manifest=bytes(32)), "OTHER_MANIFEST"), (inquiry(sizes=(1,)), "BAD_HEADS")):
        report = audit(*with_inquiry(entry))
        assert report.findings == []
        assert [(each.member, each.index, each.reason) for each in report.remarks] == [("lender-2", index, reason)]


def test_an_inquiry_with_an_unknown_purpose_counts_for_nothing_and_is_told() -> None:
    message = entry_pb2.Entry.FromString(inquiry())
    message.inquiry.purpose = 77  # type: ignore[assignment]
    (remark,) = audit(*with_inquiry(message.SerializeToString())).remarks
    assert (remark.index, remark.reason) == (consortium().logs["lender-2"].size, "UNSOUND")
    assert "BAD_PURPOSE" in remark.message


def test_of_a_flood_of_inquiries_so_many_are_held_and_the_rest_is_counted() -> None:
    asking = Asking(consortium().history, lambda n: n - 1, Notices(), TIME)
    asked = digest(0, [inquiry(time=TIME + number * DAY // 50) for number in range(MAX_HELD + 10)])
    asking.ask(asked.questions)
    assert (len(asking.held), asking.seen) == (MAX_HELD, MAX_HELD + 10)


# -- heartbeats and witnesses


def test_a_log_that_is_witnessed_and_fed_gives_nothing_to_tell() -> None:
    heads = now_heads()
    entry = inquiry(sizes=tuple(head.size for head in heads), heads_digest=heads_digest(heads))
    report = audit(*witnessed_nodes(entry, START + 100), now=START + 130)
    assert (report.findings, report.remarks) == ([], [])
    assert [log.heartbeat for log in report.logs] == [START + 100] * 3
    assert [log.witnessed for log in report.logs] == [
        {"size": log.head.size, "time": START + 100} for log in report.logs
    ]


def test_a_silent_author_a_feed_that_stopped_and_entries_nobody_has_witnessed_are_told() -> None:
    heads = now_heads()
    entry = inquiry(sizes=tuple(head.size for head in heads), heads_digest=heads_digest(heads))
    report = audit(*witnessed_nodes(entry, START + 100), now=START + 8 * DAY)
    assert report.findings == []
    assert {(each.member, each.reason) for each in report.remarks} == {
        (member, reason) for member in MEMBERS for reason in ("STALE", "FEED_STALE")
    }
    report = audit(*with_inquiry(entry), now=START + 60)
    assert [(each.member, each.index, each.reason) for each in report.remarks] == [
        (member, 0, "NOT_YET_WITNESSED") for member in MEMBERS
    ]


def test_a_node_that_is_away_is_told() -> None:
    report = audit(Served("lender-1"), Served("lender-3", is_down=True))
    assert [(each.member, each.reason) for each in report.remarks] == [("lender-3", "SILENT")]


def test_a_cosignature_of_a_member_that_fails_is_found_with_who_shows_it() -> None:
    entry = inquiry(
        sizes=(0, 0, 0), heads_digest=heads_digest([Head(h.origin, 0, merkle.EMPTY_ROOT) for h in now_heads()])
    )
    through, *others = witnessed_nodes(entry, START)
    good = through.witnessed()
    note = parse_note(good[0])
    *lines, last = note.signatures
    forged = replace(
        note, signatures=(*lines, replace(last, payload=last.payload[:-1] + bytes([last.payload[-1] ^ 1])))
    )
    others[0].witnessed = lambda: [forged.encode()]  # type: ignore[method-assign]
    assert found_by(audit(through, *others)) == [("lender-2", None, "BAD_SIGNATURE")]


# -- memory


@cache
def one_position() -> bytes:
    return position()


def synthetic(count: int) -> Iterator[bytes]:
    template = bytearray(one_position())
    place = bytes(template).index((0).to_bytes(16, "big"))
    for number in range(count):
        template[place : place + 16] = number.to_bytes(16, "big")
        yield bytes(template)


class LongLog:
    """A source with one log, made up as it is read: it holds nothing itself."""

    def __init__(self, count: int) -> None:
        self.count = count
        tree = merkle.CompactRange()
        tree.extend(merkle.leaf_hash(entry) for entry in synthetic(count))
        self.head = sign_head(Head(SIGNER.key.name, count, tree.root()), SIGNER).note.encode()

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        block: list[bytes] = []
        for index, entry in enumerate(synthetic(self.count), 1):
            block.append(entry)
            if len(block) == 1000 or index == self.count:
                yield peer_pb2.Block(origin=origin, start=index - len(block), entries=block, head=self.head)
                block = []


def peak_of(count: int) -> int:
    """Bytes that auditing a log of so many entries, with a transcript's labels watched for, takes at most."""
    source = LongLog(count)
    ground = Ground(consortium().history, frozenset(), {SIGNER.key.name: SIGNER.key}, lambda n: 0)
    log = OneLog(source, LogId("lender-1", SIGNER.key, 1), lambda _: Tally(LogId("lender-1", SIGNER.key, 1), ground))  # type: ignore[arg-type]
    log.follower._at_end = True
    watch = Watch([QueryKeys(bytes(32))], "lender-1")
    watch.reset()
    tracemalloc.start()
    try:
        log.read(0, lambda *_: None)
        for index, entry in enumerate(synthetic(count)):
            label = file_entry(entry).label
            assert label is not None
            watch.take(label, index)
        log.state()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert log.findings == []
        assert log.size == count
        assert len(watch) == 2 * WATCHED


def test_memory_does_not_grow_with_the_log() -> None:
    peak_of(1000)  # what is loaded and remembered once
    small, large = peak_of(5_000), peak_of(20_000)
    assert large < small + 200_000  # a dictionary of 15,000 labels more would take 2 MB


def test_of_a_flood_of_bad_proofs_so_many_are_told_and_the_rest_is_counted() -> None:
    bad = entry_pb2.Entry.FromString(one_position())
    bad.position.epoch = 77
    entries = (bad.SerializeToString(),) * (MAX_TOLD // 2 + 1)
    with Workers(1) as workers:
        prover = Prover(workers, manifest().consortium, consortium().keys, 1)
        for start in (0, len(entries)):
            taken = Taken(start, entries, ())
            assert prover.submit("lender-1", taken) == len(entries)
        found = prover.findings()
    assert [each.index for each in found[:MAX_TOLD]] == list(range(MAX_TOLD))
    assert [(each.index, each.reason) for each in found[MAX_TOLD:]] == [(None, "BAD_PROOF")]
    assert found[-1].message.startswith("2 ")
