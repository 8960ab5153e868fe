"""Audits that go on from the last one: only what is new is read, and whatever has changed since is found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.audit.keeping.memory import FORMAT, LogState, Memory, parse
from client.audit.reading.digest import CEREMONY
from client.audit.reading.kept import MAX_ABOUT, MAX_ATTEMPTS, CeremonyEntries, ceremonies_of
from client.audit.transcripts import Saved
from ledger.ceremony.entry import ComplaintEntry, ReadyEntry
from ledger.chain.entries import file_entry
from ledger.consortium.ballot import Vote, approval_entry
from ledger.consortium.lineage import verify_lineage
from ledger.errors import InvalidInput, Unavailable
from ledger.queries.transcript import FULL
from tests.client.audit import changed as story
from tests.client.audit.changed import FORKER, KEEPERS, before, changed, everywhere, grown
from tests.client.audit.world import (
    MEMBERS,
    Served,
    altered,
    audit,
    audit_twice,
    consortium,
    found_by,
    manifest,
    transcript,
)
from tests.ledger.sample_consortium import MemoryLog, loan


class Counted(Served):
    """Says which entries were read."""

    def read(self, origin: str, start: int = 0):
        self.asked.append(f"{origin.rpartition('/')[2]} from {start}")
        return super().read(origin, start)


def short(cut: int) -> dict[str, MemoryLog]:
    """The logs without their last few entries."""
    return {member: log.fork(log.size - cut) for member, log in consortium().logs.items()}


def remembered(logs: dict[str, MemoryLog] | None = None) -> Memory:
    nodes = [Served(member, logs=dict(logs or consortium().logs)) for member in MEMBERS]
    report, auditor = audit_twice(*nodes)
    assert report.findings == []
    return parse(auditor.remember(report).encode())


# -- what is new alone is read, and says the same


@pytest.mark.parametrize("cut", [0, 1, 3, 8])
def test_only_what_is_new_is_read_and_the_report_is_that_of_a_whole_audit(cut: int) -> None:
    node = Counted("lender-1")
    report, auditor = audit_twice(node, last=remembered(short(cut)), proofs=True)
    sizes = {member: log.size for member, log in consortium().logs.items()}
    assert set(node.asked) == {f"{member} from {size - cut}" for member, size in sizes.items()}
    whole, other = audit_twice(Served("lender-1"), proofs=True)
    assert report.findings == whole.findings == []
    assert [log.since for log in report.logs] == [size - cut for size in sizes.values()]
    for log, all_of_it in zip(report.logs, whole.logs, strict=True):
        assert (log.head, log.entries, log.timeline) == (all_of_it.head, all_of_it.entries, all_of_it.timeline)
    assert (report.phase, report.public_keys, report.manifests) == (whole.phase, whole.public_keys, whole.manifests)
    assert auditor.remember(report) == other.remember(whole)


def test_proofs_are_checked_of_new_positions_alone() -> None:
    report = audit(last=remembered(short(2)), proofs=True)
    assert sum(log.proofs or 0 for log in report.logs) == sum(
        1 for log in consortium().logs.values() for index, _ in log.entries_by_kind("position", log.size - 2)
    )


def test_from_scratch_reads_everything_again() -> None:
    node = Counted("lender-1")
    assert audit(node, last=remembered(), from_scratch=True).verdict == "ok"
    assert set(node.asked) == {f"{member} from 0" for member in MEMBERS}


def test_a_byte_that_rotted_on_the_nodes_disk_since_is_found_from_scratch() -> None:
    def rotten(member: str, place: int, entry: bytes) -> bytes:
        return entry[:-1] + bytes([entry[-1] ^ 1]) if (member, place) == ("lender-3", 3) else entry

    node = Served("lender-1", entries_of=rotten)
    assert found_by(audit(node, last=remembered(), from_scratch=True)) == [("lender-3", 3, "ROOT_MISMATCH")]


def test_a_transcript_of_before_is_still_verified() -> None:
    report = audit(last=remembered(), transcripts=[Saved.of("t", transcript(FULL))])
    assert [each["verdict"] for each in report.transcripts] == ["ok"]


def test_an_old_head_that_somebody_still_holds_is_no_finding() -> None:
    late = Served("lender-3", logs=short(5))
    assert audit(Served("lender-1"), late, last=remembered()).findings == []


def test_another_old_head_that_somebody_holds_is_a_fork() -> None:
    logs = dict(consortium().logs)
    logs["lender-2"] = altered(logs["lender-2"], 2, b"\xff").fork(7)
    late = Served("lender-3", logs=logs)
    assert found_by(audit(Served("lender-1"), late, last=remembered())) == [("lender-2", None, "FORK")]


def test_the_state_of_a_consortium_that_has_changed_since_is_gone_on_from() -> None:
    nodes = [before("dealing", name) for name in ("lender-1", FORKER)]
    report, auditor = story.audit_twice(*nodes)
    memory = parse(auditor.remember(report).encode())
    report, auditor = story.audit_twice(story.Node("lender-1"), last=memory, proofs=True)
    assert report.findings == []
    assert [each["phase"] for each in report.epochs] == ["final", "final"]
    assert any(log.since for log in report.logs)
    whole, other = story.audit_twice(story.Node("lender-1"), proofs=True)
    assert [log.entries for log in report.logs] == [log.entries for log in whole.logs]
    assert report.manifests == whole.manifests
    assert parse(auditor.remember(report).encode()) == other.remember(whole)


def test_what_a_manifest_that_was_not_known_then_makes_of_entries_is_found() -> None:
    """The entries of the second ceremony are in the logs, but the node shows no manifest that begins it."""
    first = verify_lineage(changed().lineage.founding, [])
    nodes = [story.Node(name, lineage=first) for name in ("lender-1", "lender-2", "lender-3", FORKER)]
    report, auditor = story.audit_twice(*nodes)
    memory = auditor.remember(report)
    again = story.audit(last=memory)
    assert [each["phase"] for each in again.epochs] == ["final", "final"]


def test_two_votes_are_found_though_the_first_was_read_long_ago() -> None:
    first = approval_entry(Vote(b"\x07" * 32, b"\x01" * 32), story.TIME)
    second = approval_entry(Vote(b"\x07" * 32, b"\x02" * 32), story.TIME)
    report, auditor = story.audit_twice(*everywhere(grown("lender-2", first)))
    memory = parse(auditor.remember(report).encode())
    size = changed().consortium.logs["lender-2"].size
    report = story.audit(*everywhere(grown("lender-2", first, second)), last=memory)
    assert found_by(report) == [("lender-2", size + 1, "DOUBLE_VOTE")]


def test_evidence_convicts_though_it_was_read_long_ago() -> None:
    log = changed().consortium.logs["lender-5"]
    entry = story.evidence(log, story.other_branch(log))
    nodes = everywhere(grown("lender-3.2", entry))
    report, auditor = story.audit_twice(*nodes)
    memory = parse(auditor.remember(report).encode())
    assert memory.logs[changed().lineage.current.origin("lender-3")].progressed is not None
    assert found_by(story.audit(*nodes, last=memory)) == [("lender-5", None, "FORK")]


# -- what has changed since


def test_a_log_that_was_cut_and_has_grown_anew_is_found() -> None:
    memory = remembered()
    logs = dict(consortium().logs)
    other = logs["lender-1"].fork(logs["lender-1"].size - 1)
    for number in range(5):
        other.append(consortium().position_entry("lender-1", f"test:more-{number}", loan(5)))
    logs["lender-1"] = other
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    assert found_by(audit(*nodes, last=memory)) == [("lender-1", None, "REWRITTEN")]


def test_a_log_with_a_finding_is_read_again_from_where_all_was_well() -> None:
    memory = remembered(short(2))
    bad = consortium().position_entry("lender-3", "test:other", loan(5))
    logs = dict(consortium().logs)
    logs["lender-1"] = logs["lender-1"].fork(logs["lender-1"].size)
    logs["lender-1"].append(bad)
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    report, auditor = audit_twice(*nodes, last=memory, proofs=True)
    assert [found[:2] for found in found_by(report)] == [("lender-1", logs["lender-1"].size - 1)]
    kept = auditor.remember(report)
    assert kept.logs[manifest().origin("lender-1")] == memory.logs[manifest().origin("lender-1")]
    assert kept.heads[manifest().origin("lender-2")].size == consortium().logs["lender-2"].size
    assert found_by(audit(*nodes, last=kept, proofs=True)) == found_by(report)


# -- the file


def test_a_file_of_the_first_format_is_read_and_its_logs_from_their_first_entry() -> None:
    heads = remembered().heads
    facts = {
        "format": "plimsoll/audit-state/v1",
        "consortium": manifest().consortium.hex(),
        "logs": {origin: {"size": head.size, "root": head.root.hex()} for origin, head in heads.items()},
    }
    memory = parse(json.dumps(facts).encode())
    assert memory == Memory(manifest().consortium, {origin: LogState(head) for origin, head in heads.items()})
    node = Counted("lender-1")
    assert audit(node, last=memory).verdict == "ok"
    assert set(node.asked) == {f"{member} from 0" for member in MEMBERS}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_byte_of_a_file_can_be_changed_unnoticed(data: st.DataObject) -> None:
    raw = remembered_raw()
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    with pytest.raises(InvalidInput) as caught:
        parse(raw[:place] + bytes([byte]) + raw[place + 1 :])
    assert caught.value.reason == "BAD_STATE"


@pytest.mark.parametrize("raw", [b"", b"\n", b" "])
def test_a_file_has_one_spelling(raw: bytes) -> None:
    assert parse(remembered_raw()).encode() == remembered_raw()
    if raw:
        with pytest.raises(InvalidInput):
            parse(remembered_raw() + raw)
    else:
        with pytest.raises(InvalidInput):
            parse(remembered_raw()[:-1])


def test_peaks_that_are_not_those_of_the_root_are_refused() -> None:
    memory = remembered()
    origin, state = next(iter(memory.logs.items()))
    assert state.progressed is not None
    peaks = (bytes(32), *state.progressed.peaks[1:])
    forged = replace(memory, logs={origin: LogState(state.head, replace(state.progressed, peaks=peaks))})
    with pytest.raises(InvalidInput, match="peaks"):
        parse(forged.encode())


_RAW: list[bytes] = []


def remembered_raw() -> bytes:
    if not _RAW:
        _RAW.append(remembered(short(0)).encode())
        assert FORMAT.encode() in _RAW[0]
    return _RAW[0]


# -- what is kept is bounded


def test_a_member_that_floods_its_log_with_ceremony_entries_fills_no_memory() -> None:
    ids = ceremonies_of(consortium().history)
    known = sorted(ids)[0]
    entries = CeremonyEntries("lender-1", ids)
    for number in range(3000):
        entries.take(3 * number, ReadyEntry(known, number.to_bytes(32, "big")).encode(1))
        entries.take(3 * number + 1, ComplaintEntry(known, bytes(32), number.to_bytes(32, "big")).encode(1))
        entries.take(3 * number + 2, ComplaintEntry(number.to_bytes(32, "big"), bytes(32), bytes(32)).encode(1))
    assert len(entries.entries) <= 1 + MAX_ABOUT
    assert entries.is_foreign
    assert len(entries._seen) <= 1 + MAX_ABOUT
    assert len(ids) == MAX_ATTEMPTS


def test_of_every_kind_the_first_counts_as_it_does_in_a_ceremony() -> None:
    ids = ceremonies_of(changed().lineage.history)
    assert len(ids) == 2 * MAX_ATTEMPTS
    for name in KEEPERS:
        log = changed().consortium.logs[name]
        entries = CeremonyEntries(name, ids)
        for index, entry in enumerate(log.entries):
            if file_entry(entry).code in CEREMONY:
                entries.take(index, entry)
        again = CeremonyEntries(name, ids)
        for kept in entries.kept():
            again.restore(kept)
        assert again.entries == entries.entries
        assert not entries.is_foreign


# -- what could not be checked


class Breaking(Served):
    """Goes away while lender-2's log is read."""

    def read(self, origin: str, start: int = 0):
        for number, block in enumerate(super().read(origin, start)):
            if number and origin.endswith("lender-2"):
                raise Unavailable("UNREACHABLE", "gone")
            yield block


def test_a_node_that_goes_away_is_no_finding_and_makes_the_audit_incomplete() -> None:
    memory = remembered(short(3))
    report, auditor = audit_twice(Breaking("lender-1", per_block=1), last=memory)
    assert (report.verdict, report.findings) == ("incomplete", [])
    ((unchecked),) = report.unchecked
    size = consortium().logs["lender-2"].size
    assert (unchecked.member, unchecked.index, unchecked.reason) == ("lender-2", size - 2, "UNREACHABLE")
    kept = auditor.remember(report)
    assert kept.logs[manifest().origin("lender-2")] == memory.logs[manifest().origin("lender-2")]
    assert kept.heads[manifest().origin("lender-1")].size == consortium().logs["lender-1"].size
    assert audit(last=kept).verdict == "ok"


def test_what_is_wrong_counts_more_than_what_could_not_be_checked() -> None:
    def rotten(member: str, place: int, entry: bytes) -> bytes:
        return b"\xff" if (member, place) == ("lender-3", 3) else entry

    report = audit(Breaking("lender-1", entries_of=rotten, per_block=1))
    assert report.verdict == "bad"
    assert [each.member for each in report.unchecked] == ["lender-2"]
