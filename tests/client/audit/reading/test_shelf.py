"""Transcripts over logs that are read through, with few things kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from plimsoll.v1 import peer_pb2

from client.audit.reading import shelf as module
from client.audit.reading.digest import digest_block
from client.audit.reading.digested import digested
from client.audit.reading.shelf import Watch
from client.audit.reading.workers import Workers
from client.audit.transcripts import Saved, Shelf, verify_over
from ledger.borrower.labels import QueryKeys
from ledger.errors import PlimsollError, Unavailable, Unverified
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.tlog.checkpoint import Head
from tests.client.audit import changed as story
from tests.client.audit.changed import changed
from tests.client.audit.world import MEMBERS, Served, altered, consortium, transcript
from tests.ledger.sample_logs import block

NAMES = ("founding", "joined", "refreshed", "frozen", "expelled")


class Counting(Served):
    """Says how often each log was read."""

    def read(self, origin: str, start: int = 0):
        self.asked.append(origin.rpartition("/")[2])
        return super().read(origin, start)


@pytest.mark.parametrize("watched", [1, 2, 3, 512])
@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_it_does_not_matter_how_many_labels_are_watched_for_at_first(
    form: str, watched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCHED", watched)
    facts, finding = verify_over(Served("lender-1"), Saved.of("t", transcript(form)))
    assert (finding, facts["verdict"], facts["opened"]["outstanding"]) == (None, "ok", 39)


@pytest.mark.parametrize("watched", [1, 512])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_transcripts_over_changes_verify_with_nothing_but_a_source(
    form: str, name: str, watched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCHED", watched)
    facts, finding = verify_over(story.Node("lender-1"), Saved.of("t", changed().transcripts[name, form]))
    assert (finding, facts["verdict"]) == (None, "ok")


@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_a_log_is_read_once_where_the_labels_watched_for_suffice(form: str) -> None:
    node = Counting("lender-1")
    verify_over(node, Saved.of("t", transcript(form)))
    assert sorted(node.asked) == sorted(MEMBERS)


def test_what_is_no_transcript_needs_no_log() -> None:
    node = Counting("lender-1")
    shelf = Shelf(node, consortium().history, [Saved.of("t", b"{}")])
    shelf.read(lambda *_: None)
    assert node.asked == []


def test_a_record_that_was_changed_on_the_way_breaks_the_verification_off() -> None:
    log = consortium().logs["lender-3"]
    node = Served(
        "lender-1", entries_of=lambda member, at, entry: b"\xff" if (member, at) == ("lender-3", 3) else entry
    )
    with pytest.raises(Unverified):
        verify_over(node, Saved.of("t", transcript(FULL)))
    other = Served("lender-1")
    other.logs["lender-3"] = altered(log, 3, b"\xff")
    facts, finding = verify_over(other, Saved.of("t", transcript(FULL)))
    assert facts["verdict"] == "bad"
    assert finding is not None


def test_a_watch_keeps_as_many_labels_as_its_borrower_has_not_as_the_log_has() -> None:
    keys = QueryKeys(bytes(range(32)))
    watch = Watch([keys], "lender-2")
    watch.reset()
    before = len(watch)
    for index in range(5000):
        watch.take(index.to_bytes(16, "big"), index)
    assert len(watch) == before
    positions = keys.positions("lender-2")
    watch.take(positions(7), 9)
    watch.take(positions(7), 10)
    assert (watch.find(positions(7)), watch.find(positions(8)), watch.missed) == (9, None, set())
    assert watch.find(positions(600)) is None
    assert watch.missed == {positions(600)}
    watch.reset()
    watch.take(positions(600), 3)
    assert (watch.find(positions(600)), watch.find(positions(7)), watch.missed) == (3, None, set())
    assert len(watch) == 2 * before + 2
    assert watch.find(b"another's label.") is None
    watch.reset()
    assert len(watch) == 2 * before + 3


def test_a_log_that_is_read_again_must_be_the_one_that_was_audited() -> None:
    heads = {consortium().manifest.origin("lender-3"): consortium().logs["lender-3"]}
    other = Served("lender-1")
    other.logs["lender-3"] = altered(consortium().logs["lender-3"], 3, b"\xff")
    anchors = {origin: Head(origin, log.size, log.root_at(log.size)) for origin, log in heads.items()}
    shelf = Shelf(other, consortium().history, [Saved.of("t", transcript(FULL))], anchors=anchors)
    with pytest.raises(Unverified) as caught:
        shelf.read(lambda *_: None)
    assert caught.value.reason == "FORK"


def test_the_earlier_inquiries_that_a_release_rests_on_are_found() -> None:
    parsed = Transcript.parse(changed().transcripts["expelled", FULL])
    shelf = Shelf(
        story.Node("lender-1"), changed().lineage.history, [Saved.of("t", changed().transcripts["expelled", FULL])]
    )
    shelf.read(lambda *_: None)
    named = {name: set(log.sizes) for name, log in shelf.logs.items()}
    shelf._prepare(parsed, lambda *_: None)
    assert any(set(log.sizes) > named[name] for name, log in shelf.logs.items())


# -- blocks, digested by other processes

HISTORY = [bytes([1 + number % 200]) * (1 + number % 5) for number in range(60)]


def test_blocks_come_in_order_whoever_digests_them() -> None:
    blocks = [block(HISTORY, start, start + 5) for start in range(0, 60, 5)]
    with Workers(2) as workers:
        found = list(digested(blocks, workers))
    assert [one.start for one, _ in found] == [one.start for one in blocks]
    assert [each for _, each in found] == [digest_block(one.SerializeToString()) for one in blocks]


def test_what_came_before_a_failure_is_digested_first() -> None:
    def breaking() -> Iterator[peer_pb2.Block]:
        yield block(HISTORY, 0, 5)
        yield block(HISTORY, 5, 10)
        raise Unavailable("UNREACHABLE", "gone")

    class Later:
        """Digests when asked for the result."""

        limit = 10

        def submit(self, task, *args):
            future: Future[object] = Future()
            future.set_result(task(*args))
            return future

    coming = digested(breaking(), Later())  # type: ignore[arg-type]
    assert [next(coming)[0].start, next(coming)[0].start] == [0, 5]
    with pytest.raises(PlimsollError) as caught:
        next(coming)
    assert caught.value.reason == "UNREACHABLE"


def test_what_an_audit_saw_of_a_log_behind_its_end_nobody_has_to_keep() -> None:
    report, auditor = story.audit_twice(story.Node("lender-1"))
    assert report.findings == []
    last = auditor.remember(report)
    ended = {log.name: log.size for log in changed().lineage.current.ended}
    logs = {name: log.fork(ended.get(name, log.size)) for name, log in changed().consortium.logs.items()}
    assert any(logs[name].size < changed().consortium.logs[name].size for name in ended)
    saved = Saved.of("t", changed().transcripts["expelled", FULL])
    assert verify_over(story.Node("lender-1", logs=logs), saved, last=last)[1] is None


def test_logs_of_members_that_have_no_part_in_it_are_not_read() -> None:
    node = CountingNode("lender-1")
    verify_over(node, Saved.of("t", changed().transcripts["founding", FULL]))
    assert set(node.asked) == {"lender-1", "lender-2", "lender-3", "lender-3.2", "lender-4"}


class CountingNode(story.Node):
    """Says which logs were read."""

    def read(self, origin: str, start: int = 0):
        self.asked.append(origin.rpartition("/")[2])
        return super().read(origin, start)
