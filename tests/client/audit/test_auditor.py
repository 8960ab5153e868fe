from __future__ import annotations

import json
from dataclasses import replace

import pytest
from plimsoll.v1 import entry_pb2

from client.audit.keeping.memory import LogState, Memory, parse
from client.audit.transcripts import Saved
from ledger.errors import InvalidInput, Unavailable, Unverified
from ledger.queries.transcript import FULL, REDACTED
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.note import Signer
from tests.client.audit.world import (
    BORROWERS,
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


def flipped(raw: bytes, place: int = -1) -> bytes:
    changed = bytearray(raw)
    changed[place] ^= 1
    return bytes(changed)


def first_position(member: str) -> int:
    index, _ = next(iter(consortium().logs[member].entries_by_kind("position")))
    return int(index)


def inquiry_index() -> int:
    """Of the one that lender-2 has made."""
    index, _ = next(iter(consortium().logs["lender-2"].entries_by_kind("inquiry")))
    return int(index)


# -- all is well


def test_honest_logs_are_found_good_and_described() -> None:
    report = audit(proofs=True)
    assert (report.verdict, report.findings) == ("ok", [])
    assert report.through == "lender-1"
    assert sorted(report.asked) == list(MEMBERS)
    assert report.phase == "final"
    assert report.public_keys == list(consortium().keys)
    for log in report.logs:
        kept = consortium().logs[log.member]
        assert log.head == Head(manifest().origin(log.member), kept.size, kept.root_at(kept.size))
        assert sum(log.entries.values()) == kept.size
        assert log.entries["position"] == log.proofs == len(BORROWERS) + (log.member == "lender-2")
        assert log.receipts >= 3


@pytest.mark.parametrize("through", MEMBERS)
def test_it_does_not_matter_through_whom_one_reads(through: str) -> None:
    mine = audit(Served(through))
    assert [log.head for log in mine.logs] == [log.head for log in audit().logs]
    assert mine.verdict == "ok"


@pytest.mark.parametrize("per_block", [1, 2, 16, 1000])
def test_it_does_not_matter_how_logs_are_cut_into_blocks(per_block: int) -> None:
    assert audit(Served("lender-1", per_block=per_block)).verdict == "ok"


def test_without_proofs_asked_for_none_are_counted() -> None:
    assert [log.proofs for log in audit().logs] == [None] * 3


def test_an_empty_log_is_no_finding() -> None:
    logs = {member: MemoryLog(log._signer) for member, log in consortium().logs.items()}
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    report = audit(*nodes, proofs=True)
    assert (report.verdict, report.phase) == ("ok", "waiting-for-ready")
    assert [log.head.size for log in report.logs] == [0, 0, 0]


def test_who_does_not_answer_is_named_but_not_accused() -> None:
    report = audit(Served("lender-1"), Served("lender-3", is_down=True))
    assert report.verdict == "ok"
    assert list(report.silent) == ["lender-3"]


def test_the_node_that_is_read_through_must_answer() -> None:
    with pytest.raises(Unavailable):
        audit(Served("lender-1", is_down=True))


def test_others_are_left_alone_where_asked() -> None:
    other = Served("lender-2")
    report = audit(Served("lender-1"), other, peers=False)
    assert report.asked == ["lender-1"]
    assert other.asked == []


def test_sessions_with_others_are_closed() -> None:
    other, through = Served("lender-2"), Served("lender-1")
    audit(through, other)
    assert other.asked == ["close"]
    assert through.asked == []


def test_a_node_behind_the_others_is_no_finding() -> None:
    logs = dict(consortium().logs)
    logs["lender-3"] = logs["lender-3"].fork(9)
    assert audit(Served("lender-1", logs=logs)).verdict == "ok"


def test_entries_that_are_not_sound_are_counted_and_not_accused() -> None:
    logs = {member: log.fork(log.size) for member, log in consortium().logs.items()}
    logs["lender-3"].append(b"\xff")
    report = audit(*(Served(member, logs=logs) for member in MEMBERS))
    assert report.verdict == "ok"
    assert report.logs[2].entries["unsound"] == 1


# -- something is wrong


@pytest.mark.parametrize("per_block", [1, 7, 1000])
@pytest.mark.parametrize("index", [0, 5, 14])
def test_a_byte_changed_in_the_nodes_store_is_found_at_its_entry(index: int, per_block: int) -> None:
    def rotten(member: str, place: int, entry: bytes) -> bytes:
        return flipped(entry) if (member, place) == ("lender-3", index) else entry

    report = audit(Served("lender-1", entries_of=rotten, per_block=per_block))
    assert found_by(report) == [("lender-3", index, "ROOT_MISMATCH")]
    assert report.verdict == "bad"


def test_the_other_logs_are_still_checked() -> None:
    def rotten(member: str, place: int, entry: bytes) -> bytes:
        return flipped(entry) if member != "lender-2" and place == 2 else entry

    report = audit(Served("lender-1", entries_of=rotten))
    assert [finding[:2] for finding in found_by(report)] == [("lender-1", 2), ("lender-3", 2)]
    assert report.logs[1].receipts > 0


def test_a_log_handed_out_shorter_than_its_head_is_found() -> None:
    report = audit(Served("lender-1", cut={"lender-2": 6}))
    assert ("lender-2", None, "TRUNCATED") in found_by(report)


@pytest.mark.parametrize("witness", ["lender-1", "lender-2"])
def test_an_author_that_shows_others_another_log_is_found(witness: str) -> None:
    """lender-3 has signed two logs of one size; the auditor reads through one of those that hold the other."""
    index = first_position("lender-3")
    entry = consortium().position_entry("lender-3", "test:other", loan(5))
    fork = altered(consortium().logs["lender-3"], index, entry)
    through = Served("lender-1")
    through.logs["lender-3"] = fork
    report = audit(through)
    assert ("lender-3", None, "FORK") in found_by(report)
    assert all(member == "lender-3" for member, _, _ in found_by(report))


def test_a_longer_log_that_does_not_continue_what_was_read_is_found() -> None:
    index = first_position("lender-3")
    entry = consortium().position_entry("lender-3", "test:other", loan(5))
    through = Served("lender-1")
    through.logs["lender-3"] = altered(consortium().logs["lender-3"], index, entry).fork(index + 3)
    assert ("lender-3", None, "FORK") in found_by(audit(through))


def test_a_head_that_its_author_did_not_sign_is_found_with_who_showed_it() -> None:
    class Forger(Served):
        def heads(self) -> list[bytes]:
            origin = manifest().origin("lender-2")
            return [sign_head(Head(origin, 5, bytes(32)), Signer.from_seed(origin, bytes(32))).note.encode()]

    report = audit(Served("lender-1"), Forger("lender-3"))
    assert [finding[:2] for finding in found_by(report)] == [("lender-3", None)]


def test_a_head_of_a_log_that_is_no_members_is_found() -> None:
    class Stranger(Served):
        def heads(self) -> list[bytes]:
            origin = f"plimsoll/{'0' * 64}/lender-1"
            return [sign_head(Head(origin, 5, bytes(32)), Signer.from_seed(origin, bytes(32))).note.encode()]

    assert found_by(audit(Served("lender-1"), Stranger("lender-3"))) == [("lender-3", None, "UNKNOWN_LOG")]


def test_receipts_that_do_not_hold_are_found_at_their_entry() -> None:
    class BadReceipts(Served):
        def receipt(self, origin: str, index: int):
            answer = super().receipt(origin, index)
            if origin.endswith("lender-3"):
                other = (index + 1) % consortium().logs["lender-3"].size
                answer.receipt = super().receipt(origin, other).receipt
            return answer

    findings = found_by(audit(BadReceipts("lender-1")))
    assert findings
    assert {(member, reason) for member, _, reason in findings} == {("lender-3", "OTHER_RECEIPT")}


def test_a_receipt_of_another_entry_under_another_log_is_found() -> None:
    """It verifies by itself, but under a log that the author showed to nobody else."""
    index = 0
    entry = consortium().position_entry("lender-3", "test:other", loan(5))
    fork = altered(consortium().logs["lender-3"], index, entry)

    class Forked(Served):
        def receipt(self, origin: str, at: int):
            answer = super().receipt(origin, at)
            if origin.endswith("lender-3"):
                answer.entry, answer.receipt = fork.entry(at), fork.receipt(at)
            return answer

    findings = found_by(audit(Forked("lender-1")))
    assert ("lender-3", 0, "ROOT_MISMATCH") in findings


def test_a_position_with_a_bad_proof_is_its_authors_and_found_by_proofs_alone() -> None:
    index = consortium().logs["lender-2"].size - 1  # behind the inquiry, which else would be about other heads
    logs = dict(consortium().logs)
    original = logs["lender-2"].entry(index)
    message = entry_pb2.Entry.FromString(original)
    message.position.proof = flipped(message.position.proof)
    logs["lender-2"] = altered(logs["lender-2"], index, message.SerializeToString())
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    assert audit(*nodes).verdict == "ok"
    assert [finding[:2] for finding in found_by(audit(*nodes, proofs=True))] == [("lender-2", index)]


def test_a_position_copied_from_another_lender_is_found() -> None:
    logs = {member: log.fork(log.size) for member, log in consortium().logs.items()}
    index = logs["lender-3"].append(logs["lender-1"].entry(first_position("lender-1")))
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    assert [finding[:2] for finding in found_by(audit(*nodes, proofs=True))] == [("lender-3", index)]


def test_a_log_that_changes_while_it_is_audited_is_found() -> None:
    """Read once without and once with an altered entry, under a head that fits each."""
    index = first_position("lender-1")
    entry = consortium().position_entry("lender-1", "test:other", loan(5))
    fork = altered(consortium().logs["lender-1"], index, entry)

    class Changing(Served):
        reads = 0

        def read(self, origin: str, start: int = 0):
            self.reads += origin.endswith("lender-1")
            if self.reads == 2:
                self.logs["lender-1"] = fork
            return super().read(origin, start)

    findings = found_by(audit(Changing("lender-1"), proofs=True))
    assert ("lender-1", "FORK") in {(member, reason) for member, _, reason in findings}


# -- the manifest


def test_a_manifest_that_somebody_has_not_signed_ends_the_audit() -> None:
    text, _, signatures = Served("lender-1").note.decode().rpartition("\n\n")
    lines = signatures.removesuffix("\n").split("\n")
    short = f"{text}\n\n" + "\n".join(lines[:2]) + "\n"
    with pytest.raises(Unverified, match="lender-3"):
        audit(Served("lender-1", note=short.encode()))


def test_an_altered_manifest_ends_the_audit() -> None:
    note = Served("lender-1").note.replace(b"Asia/Shanghai", b"Asia/Shanghaj")
    with pytest.raises(Unverified):
        audit(Served("lender-1", note=note))


def test_another_consortiums_manifest_ends_the_audit() -> None:
    class Elsewhere(Served):
        @property
        def endpoint(self):
            endpoint = super().endpoint
            return replace(endpoint, caller=replace(endpoint.caller, consortium=bytes(32)))

    with pytest.raises(Unverified) as caught:
        audit(Elsewhere("lender-1"))
    assert caught.value.reason == "OTHER_CONSORTIUM"


# -- what the last audit saw


def remembered(*nodes: Served) -> Memory:
    through, *others = nodes or (Served("lender-1"),)
    report, auditor = audit_twice(through, *others)
    return parse(auditor.remember(report).encode())


def test_what_an_audit_saw_is_kept_and_found_again() -> None:
    memory = remembered()
    assert memory.heads[manifest().origin("lender-2")].size == consortium().logs["lender-2"].size
    assert audit(last=memory).verdict == "ok"


def test_a_log_that_has_grown_is_good() -> None:
    logs = {member: log.fork(6) for member, log in consortium().logs.items()}
    memory = remembered(*(Served(member, logs=logs) for member in MEMBERS))
    assert audit(last=memory).verdict == "ok"


def test_a_log_that_has_shrunk_since_is_found_though_everybody_agrees_on_it() -> None:
    memory = remembered()
    logs = dict(consortium().logs)
    logs["lender-1"] = logs["lender-1"].fork(7)
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    assert audit(*nodes).verdict == "ok"
    assert found_by(audit(*nodes, last=memory)) == [("lender-1", None, "SHRUNK")]


def test_a_log_rewritten_since_is_found_though_everybody_agrees_on_it() -> None:
    memory = remembered()
    logs = dict(consortium().logs)
    index = first_position("lender-1")
    entry = consortium().position_entry("lender-1", "test:other", loan(5))
    logs["lender-1"] = altered(logs["lender-1"], index, entry)
    nodes = [Served(member, logs=logs) for member in MEMBERS]
    assert found_by(audit(*nodes)) == [("lender-2", inquiry_index(), "OTHER_HEADS")]
    report, auditor = audit_twice(*nodes, last=memory)
    assert found_by(report) == [("lender-1", None, "REWRITTEN")]
    assert auditor.remember(report).heads[manifest().origin("lender-1")] == memory.heads[manifest().origin("lender-1")]


def test_the_state_of_another_consortium_is_refused() -> None:
    with pytest.raises(Unverified):
        audit(last=Memory(bytes(32), {}))


STATE = (
    b'{"format": "plimsoll/audit-state/v1", "consortium": "' + b"00" * 32 + b'",'
    b' "logs": {"a/b": {"size": %s, "root": "' + b"5f" * 32 + b'"}}}'
)


def test_a_state_is_read() -> None:
    assert parse(STATE % b"7") == Memory(bytes(32), {"a/b": LogState(Head("a/b", 7, b"\x5f" * 32))})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"format": "other"}',
        b'{"format": "plimsoll/audit-state/v1", "logs": 3}',
        b"[" * 9999,
        STATE % b"1e999",
        STATE % b"NaN",
        STATE % b"-1",
        STATE % b'"7"',
        STATE % b"7.0",
        STATE % b"true",
        STATE % (b"9" * 5000),
        STATE.replace(b"00" * 32, b"00" * 31) % b"7",
        STATE.replace(b'"size"', b'"root": "", "size"') % b"7",
        STATE.replace(b'"logs"', b'"more": 1, "logs"') % b"7",
    ],
)
def test_what_is_no_state_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(raw)


# -- transcripts


@pytest.mark.parametrize("form", [FULL, REDACTED])
@pytest.mark.parametrize("through", MEMBERS)
def test_a_transcript_verifies_against_the_logs_without_any_secret(form: str, through: str) -> None:
    report = audit(Served(through), transcripts=[Saved.of("t.json", transcript(form))])
    assert report.findings == []
    ((facts),) = report.transcripts
    assert (facts["file"], facts["form"], facts["verdict"], facts["failed"]) == ("t.json", form, "ok", "")
    assert facts["opened"]["outstanding"] == 3 * 13
    assert ("T6" in facts["passed"]) == (form == FULL)


def test_a_transcript_whose_result_was_changed_is_found_with_its_step() -> None:
    raw = transcript(FULL).replace(b'"outstanding": 39', b'"outstanding": 40')
    assert raw != transcript(FULL)
    report = audit(transcripts=[Saved.of("t.json", raw)])
    ((facts),) = report.transcripts
    assert (facts["verdict"], facts["failed"]) == ("bad", "T10")
    ((member, _, reason),) = found_by(report)
    assert (member, reason) == ("lender-2", "T10")


def test_a_transcript_over_a_log_that_nobody_else_has_is_found() -> None:
    """The records are of a log that lender-1 did not sign for others."""
    facts = json.loads(transcript(FULL))
    facts["heads"][0]["root"] = "00" * 32
    report = audit(transcripts=[Saved.of("t.json", json.dumps(facts).encode())])
    assert report.transcripts[0]["failed"] in ("T3", "T4")


def test_what_is_no_transcript_is_found() -> None:
    report = audit(transcripts=[Saved.of("t.json", b"{}")])
    assert report.transcripts[0]["verdict"] == "bad"
    assert report.verdict == "bad"


def test_several_transcripts_are_judged_each_by_itself() -> None:
    saved = [Saved.of("a", transcript(FULL)), Saved.of("b", b""), Saved.of("c", transcript(REDACTED))]
    report = audit(transcripts=saved)
    assert [facts["verdict"] for facts in report.transcripts] == ["ok", "bad", "ok"]
