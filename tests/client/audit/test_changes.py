"""Audits of a consortium that has changed: what is right passes, and whatever is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from plimsoll.v1 import audit_pb2, entry_pb2

from client.audit.judging.ballots import MAX_UNKNOWN, Ballots
from client.audit.keeping.memory import parse
from client.audit.transcripts import Saved
from ledger.chain.entries import Kind
from ledger.consortium.ballot import Vote, approval_entry
from ledger.consortium.history import History
from ledger.consortium.lineage import ApprovalProof, Lineage, verify_lineage
from ledger.consortium.succession import read_successor
from ledger.errors import Unverified
from ledger.queries.transcript import FULL, REDACTED
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.cosignature import Cosigner
from tests.client.audit.changed import (
    BORROWER,
    FORKER,
    TIME,
    Node,
    audit,
    audit_twice,
    before,
    changed,
    everywhere,
    evidence,
    grown,
    other_branch,
)
from tests.client.audit.world import altered, found_by
from tests.ledger.changing import number_of
from tests.ledger.sample_consortium import MemoryLog, loan
from tests.lenders import lender

MEMBERS = ("lender-1", "lender-2", "lender-3", "lender-5")
LOGS = ("lender-1", "lender-2", "lender-3.2", "lender-5", "lender-3", "lender-4")
OLD = "lender-3"


def size(name: str) -> int:
    return changed().consortium.logs[name].size


def end_of(name: str) -> int:
    return next(log.size for log in changed().lineage.current.ended if log.name == name)


def saved(*names: str) -> list[Saved]:
    return [Saved.of(f"{name}-{form}", raw) for (name, form), raw in changed().transcripts.items() if name in names]


# -- all is well


@pytest.mark.parametrize("through", MEMBERS)
def test_all_logs_that_are_or_were_written_are_read_and_found_good(through: str) -> None:
    report = audit(Node(through))
    assert (report.verdict, report.findings) == ("ok", [])
    assert [log.head.origin.rpartition("/")[2] for log in report.logs] == list(LOGS)
    assert [log.head.size for log in report.logs] == [size(name) for name in LOGS]
    assert [log.ended for log in report.logs] == [None] * 4 + [end_of(OLD), end_of(FORKER)]
    assert end_of(OLD) < size(OLD)


def test_the_manifests_are_told_with_who_proposed_and_approved_them() -> None:
    told = audit().manifests
    assert [each["sequence"] for each in told] == [0, 1, 2, 3, 4, 5]
    assert [each["epoch"] for each in told] == [1, 1, 1, 1, 2, 2]
    assert [each["proposed"] for each in told] == [None, "lender-2", "lender-1", "lender-3", "lender-1", "lender-5"]
    for step, each in zip(changed().lineage.approvals, told[1:], strict=True):
        assert [one["member"] for one in each["approved"]] == [proof.member for proof in step]
        for one, proof in zip(each["approved"], step, strict=True):
            logs = [log for name, log in changed().consortium.logs.items() if name.startswith(one["member"])]
            assert any(log.size > one["index"] and log.entry(one["index"]) == proof.entry for log in logs)


def test_the_ceremonies_are_replayed_epoch_after_epoch() -> None:
    report = audit()
    assert [(each["epoch"], each["dealt_from"], each["phase"]) for each in report.epochs] == [
        (1, 0, "final"),
        (2, 1, "final"),
    ]
    assert report.public_keys == list(changed().consortium.keys)
    assert report.facts()["epochs"] == report.epochs


def test_keys_stay_those_in_force_while_shares_are_dealt_anew() -> None:
    report = audit(*(before("dealing", member) for member in ("lender-1", "lender-2", "lender-3", FORKER, "lender-5")))
    assert report.verdict == "ok"
    assert [each["phase"] for each in report.epochs] == ["final", "waiting-for-ready"]
    assert report.phase == "waiting-for-ready"
    assert report.public_keys == list(changed().consortium.keys)


def test_positions_of_every_epoch_are_checked() -> None:
    report = audit(proofs=True)
    assert report.verdict == "ok"
    assert sum(log.proofs or 0 for log in report.logs) == 8


@pytest.mark.parametrize("name", ["founding", "joined", "refreshed", "frozen", "expelled"])
def test_transcripts_are_checked_under_the_manifest_and_the_epoch_that_they_name(name: str) -> None:
    report = audit(transcripts=saved(name))
    assert report.findings == []
    assert [(facts["form"], facts["verdict"]) for facts in report.transcripts] == [(FULL, "ok"), (REDACTED, "ok")]
    number = ("founding", "", "joined", "", "refreshed", "expelled").index(name if name != "frozen" else "refreshed")
    assert report.transcripts[0]["manifest"] == changed().lineage.history.manifests[number].id.hex()
    assert report.transcripts[0]["epoch"] == (1 if number < 4 else 2)
    assert ("frozen" in report.transcripts[0]["assumed"]) == (name == "frozen")


def test_a_node_that_has_a_log_only_as_far_as_it_counts_is_good() -> None:
    """As one that has joined since."""
    logs = {name: changed().consortium.logs[name].fork(end_of(name)) for name in (OLD, FORKER)}
    assert audit(*everywhere(logs)).findings == []


def test_members_that_know_a_manifest_less_or_more_are_not_accused() -> None:
    assert audit(Node("lender-1"), before("expulsion", "lender-2"), before("dealing", "lender-5")).verdict == "ok"
    report = audit(before("dealing", "lender-1"), before("dealing", FORKER))
    assert report.findings == []


# -- forks


def test_a_member_that_has_forked_is_named_with_the_evidence_until_it_is_dealt_with() -> None:
    report, auditor = audit_twice(before("expulsion", "lender-1"), before("expulsion", FORKER))
    assert found_by(report) == [(FORKER, None, "FORK")]
    ((facts),) = report.frozen
    told = {each["member"]: each["index"] for each in facts["evidence"]}
    assert sorted(told) == ["lender-1", "lender-2"]
    for member, index in told.items():
        assert entry_pb2.Entry.FromString(changed().consortium.logs[member].entry(index)).HasField("evidence")
    assert (facts["member"], facts["sizes"], facts["settled"]) == (FORKER, [3, 3], False)
    assert f"entry {told['lender-1']} of lender-1" in report.findings[0].message
    assert [log.frozen for log in report.logs] == [log.member == FORKER for log in report.logs]
    assert changed().consortium.history.manifests[0].origin(FORKER) not in auditor.remember(report).heads


def test_a_fork_that_the_members_have_dealt_with_is_told_and_no_finding() -> None:
    report = audit()
    assert [(each["member"], each["settled"]) for each in report.frozen] == [(FORKER, True)]
    assert report.findings == []


def test_it_does_not_matter_which_branch_of_it_a_node_has_beyond_its_end() -> None:
    log = changed().consortium.logs[FORKER]
    assert audit(Node("lender-1", logs={**changed().consortium.logs, FORKER: other_branch(log)})).findings == []


def test_another_branch_of_it_below_its_end_is_found() -> None:
    log = changed().consortium.logs[FORKER]
    branch = other_branch(log, 0)
    assert (FORKER, None, "OTHER_ROOT") in found_by(audit(*everywhere({FORKER: branch})))


def test_evidence_in_any_log_convicts() -> None:
    log = changed().consortium.logs["lender-5"]
    nodes = everywhere(grown("lender-3.2", evidence(log, other_branch(log))))
    assert found_by(audit(*nodes)) == [("lender-5", None, "FORK")]


def flipped_evidence() -> dict[str, bytes]:
    """Evidence that is none."""
    log = changed().consortium.logs["lender-5"]
    good = entry_pb2.Entry.FromString(evidence(log, other_branch(log)))
    found = {}

    def case(name: str, change: Callable[[entry_pb2.Evidence], None]) -> None:
        entry = entry_pb2.Entry.FromString(good.SerializeToString())
        change(entry.evidence)
        found[name] = entry.SerializeToString()

    def swap(message: entry_pb2.Evidence) -> None:
        message.known, message.conflicting = message.conflicting, message.known

    case("heads swapped", swap)
    case("one head twice", lambda message: setattr(message, "conflicting", message.known))
    case("no signature", lambda message: setattr(message, "known", message.known[:-8] + b"AAAAAA=\n"))
    case("a proof too many", lambda message: message.consistency.append(bytes(32)))
    case("of another log", lambda message: setattr(message, "origin", good.evidence.origin[:-1] + "1"))
    case("of no log", lambda message: setattr(message, "origin", "plimsoll/nobody"))
    return found


@pytest.mark.parametrize("case", list(flipped_evidence()))
def test_evidence_that_proves_nothing_is_found_at_its_entry_and_convicts_nobody(case: str) -> None:
    index = size("lender-2")
    report = audit(*everywhere(grown("lender-2", flipped_evidence()[case])))
    if case == "a proof too many":  # such an entry is not even sound
        assert report.findings == []
    else:
        ((member, at, _),) = found_by(report)
        assert (member, at) == ("lender-2", index)
    assert [each["member"] for each in report.frozen] == [FORKER]


def witnessed(log: MemoryLog, *names: str) -> bytes:
    manifest = changed().lineage.current
    note = sign_head(Head(log._signer.key.name, log.size, log.root_at(log.size)), log._signer).note
    for name in names:
        cosigner = Cosigner.from_seed(manifest.cosigner_key(name).name, lender(number_of(name)).keyring.cosign_seed)
        note = note.with_signatures([cosigner.cosign(note.text, TIME)])
    return note.encode()


class Showing(Node):
    """Shows one log by this note."""

    shown = b""

    def _head(self, log: MemoryLog, size: int) -> bytes:
        return self.shown if log._signer.key.name.endswith("lender-5") else super()._head(log, size)


@pytest.mark.parametrize("other", [("lender-1", "lender-2", "lender-3"), ("lender-1", "lender-2")])
def test_two_witnessed_heads_that_conflict_are_found_with_who_cosigned_both(other: tuple[str, ...]) -> None:
    log = changed().consortium.logs["lender-5"]
    one, two = Showing("lender-2"), Showing("lender-3")
    one.shown = witnessed(log, "lender-1", "lender-2", "lender-3")
    two.shown = witnessed(other_branch(log), *other)
    report = audit(Node("lender-1"), one, two)
    both = [finding for finding in report.findings if finding.reason == "CONFLICTING_WITNESSES"]
    assert [finding.member for finding in both] == ["lender-5"] * (len(other) == 3)
    assert all(finding.message.endswith("cosigned by both: lender-1, lender-2, lender-3") for finding in both)
    assert ("lender-5", None, "FORK") in found_by(report)


# -- logs


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("place", [0, -1])
def test_a_byte_changed_in_any_log_is_found_at_its_entry(name: str, place: int) -> None:
    index = place % size(name)

    def rotten(log: str, at: int, entry: bytes) -> bytes:
        return entry[:-1] + bytes([entry[-1] ^ 1]) if (log, at) == (name, index) else entry

    found = found_by(audit(Node("lender-1", entries_of=rotten)))
    assert (name.partition(".")[0], index, "ROOT_MISMATCH") in found


@pytest.mark.parametrize("name", [OLD, FORKER])
def test_a_log_shorter_than_it_ended_is_found_though_all_agree(name: str) -> None:
    short = changed().consortium.logs[name].fork(end_of(name) - 1)
    assert (name, end_of(name) - 1, "TRUNCATED") in found_by(audit(*everywhere({name: short})))


def test_a_former_log_that_is_not_the_one_that_ended_is_found_though_all_agree() -> None:
    branch = other_branch(changed().consortium.logs[OLD], 1)
    found = found_by(audit(*everywhere({OLD: branch})))
    assert (OLD, None, "OTHER_ROOT") in found
    assert {member for member, _, _ in found} == {OLD}


def test_a_former_log_that_some_hold_otherwise_is_found() -> None:
    log = changed().consortium.logs[OLD]
    other = Node("lender-5", logs={**changed().consortium.logs, OLD: other_branch(log)})
    assert found_by(audit(Node("lender-1"), other)) == [(OLD, None, "FORK")]


def test_a_position_of_an_epoch_that_nobody_has_begun_is_found() -> None:
    entry = changed().consortium.position_entry("lender-2", "test:other", loan(5), epoch=3)
    report = audit(*everywhere(grown("lender-2", entry)), proofs=True)
    assert found_by(report) == [("lender-2", size("lender-2"), "WRONG_EPOCH")]


# -- manifests


def test_a_member_that_approved_two_successors_is_found_at_the_second() -> None:
    founding = changed().lineage.history.consortium
    second = approval_entry(Vote(founding, bytes(32)), TIME)
    report = audit(*everywhere(grown("lender-2", second)))
    assert found_by(report) == [("lender-2", size("lender-2"), "DOUBLE_VOTE")]


def test_two_approvals_of_a_predecessor_that_the_node_does_not_show_are_found_too() -> None:
    votes = [approval_entry(Vote(b"\x07" * 32, bytes([number]) * 32), TIME) for number in (1, 1, 2)]
    assert found_by(audit(*everywhere(grown("lender-2", *votes)))) == [
        ("lender-2", size("lender-2") + 2, "DOUBLE_VOTE")
    ]


def test_approving_again_or_something_that_failed_is_no_finding() -> None:
    current = changed().lineage.current
    votes = [approval_entry(Vote(current.id, bytes(32)), TIME + number) for number in range(2)]
    assert audit(*everywhere(grown("lender-2", *votes))).findings == []


def test_a_successor_that_is_kept_back_is_found() -> None:
    _, lineage = changed().kept["expulsion"]
    nodes = [Node(name, lineage=lineage) for name in ("lender-1", FORKER)]
    assert ("lender-1", None, "KEPT_BACK") in found_by(audit(*nodes))


def test_a_change_that_comes_into_force_during_the_audit_is_no_finding() -> None:
    class Late(Node):
        asked_for = 0

        def manifests(self) -> audit_pb2.ManifestResponse:
            self.asked_for += 1
            self.lineage = changed().kept["expulsion"][1] if self.asked_for <= 2 else changed().lineage
            return super().manifests()

    report = audit(Late("lender-1"), before("expulsion", FORKER))
    assert found_by(report) == [(FORKER, None, "FORK")]


def test_an_approval_that_stands_in_no_log_is_found() -> None:
    """lender-2 approved in a log that it showed to the node alone."""
    story = changed()
    proof = story.lineage.approvals[0][1]
    index = next(i for i, entry in enumerate(story.consortium.logs["lender-2"].entries) if entry == proof.entry)
    vote = approval_entry(Vote(story.lineage.history.manifests[0].id, story.lineage.history.manifests[1].id), TIME + 1)
    branch = altered(story.consortium.logs["lender-2"], index, vote).fork(index + 1)
    response = Node("lender-1").manifests()
    response.successions[0].approvals[1].CopyFrom(
        audit_pb2.ApprovalProof(member="lender-2", entry=vote, receipt=branch.receipt(index))
    )
    lineage = verify_lineage(response.manifest, response.successions)
    report = audit(Node("lender-1", lineage=lineage))
    assert found_by(report) == [("lender-2", index, "OTHER_ENTRY")]


def tampered(change: Callable[[audit_pb2.ManifestResponse], None]) -> Node:
    class Tampered(Node):
        def manifests(self) -> audit_pb2.ManifestResponse:
            response = super().manifests()
            change(response)
            return response

    return Tampered("lender-1")


def _pop(response: audit_pb2.ManifestResponse) -> None:
    del response.successions[1].approvals[0]


def _drop(response: audit_pb2.ManifestResponse) -> None:
    del response.successions[2]


def _text(response: audit_pb2.ManifestResponse) -> None:
    step = response.successions[0]
    step.manifest = step.manifest.replace(b"grace_days = 11", b"grace_days = 12")


def _receipt(response: audit_pb2.ManifestResponse) -> None:
    one, other = response.successions[0].approvals[:2]
    one.receipt = other.receipt


@pytest.mark.parametrize("change", [_pop, _drop, _text, _receipt])
def test_manifests_that_do_not_follow_end_the_audit(change: Callable[[audit_pb2.ManifestResponse], None]) -> None:
    with pytest.raises(Unverified):
        audit(tampered(change))


@pytest.mark.parametrize("change", [_pop, _drop, _text, _receipt])
def test_who_else_shows_such_manifests_is_named(change: Callable[[audit_pb2.ManifestResponse], None]) -> None:
    liar = tampered(change)
    liar.member = "lender-5"
    report = audit(Node("lender-2"), liar)
    assert [(member, index) for member, index, _ in found_by(report)] == [("lender-5", None)]


def other_lineage() -> Lineage:
    """Another successor of the founding manifest, approved in other logs."""
    story = changed()
    first = story.lineage.history.manifests[0]
    founding = verify_lineage(story.lineage.founding, [])
    other = story.lineage.history.manifests[1].text.replace("grace_days = 11", "grace_days = 12")
    after = read_successor(History([first]), other)
    proofs = []
    for name in ("lender-1", "lender-2", "lender-3"):
        log = MemoryLog(story.consortium.logs[name]._signer)
        entry = approval_entry(Vote(first.id, after.id), TIME)
        proofs.append(ApprovalProof(name, entry, log.receipt(log.append(entry))))
    return founding.followed_by(after, proofs)


def test_who_shows_other_manifests_that_are_approved_too_is_named() -> None:
    liar = Node("lender-5", lineage=other_lineage())
    report = audit(Node("lender-1"), liar)
    assert ("lender-5", None, "OTHER_LINEAGE") in found_by(report)
    # Read through such a node, the logs that it shows do not have these approvals.
    report = audit(Node("lender-1", lineage=other_lineage()), Node(FORKER, lineage=other_lineage()))
    assert {reason for _, _, reason in found_by(report)} >= {"OTHER_LINEAGE", "OTHER_ENTRY", "KEPT_BACK"}


def test_approvals_of_what_nobody_knows_do_not_fill_the_memory() -> None:
    ballots = Ballots("lender-1", "origin", {b"\x01" * 32})
    for number in range(MAX_UNKNOWN + 500):
        vote = Vote(number.to_bytes(32, "big"), bytes(32))
        ballots.take(number, Kind.APPROVAL, approval_entry(vote, TIME))
    assert len(ballots._votes) <= MAX_UNKNOWN + 1
    assert list(ballots.entries_by_kind("approval")) == []
    for number in range(2):
        ballots.take(9_000 + number, Kind.APPROVAL, approval_entry(Vote(b"\x01" * 32, bytes([number] * 32)), TIME))
    assert [(double.first, double.second) for double in ballots.double_votes] == [(9_000, 9_001)]


# -- what the last audit saw


def test_the_manifests_are_remembered_and_may_not_change_or_vanish() -> None:
    report, auditor = audit_twice(Node("lender-1"))
    memory = parse(auditor.remember(report).encode())
    assert memory.manifests == tuple(manifest.id for manifest in changed().lineage.history.manifests)
    assert audit(last=memory).findings == []
    nodes = [before("dealing", name) for name in ("lender-1", FORKER)]
    shrunk, auditor = audit_twice(*nodes, last=memory)
    assert ("lender-1", None, "SHORTER_LINEAGE") in found_by(shrunk)
    assert auditor.remember(shrunk).manifests == memory.manifests
    other, auditor = audit_twice(Node("lender-1", lineage=other_lineage()), before("dealing", FORKER), last=memory)
    assert ("lender-1", None, "OTHER_LINEAGE") in found_by(other)
    assert auditor.remember(other).manifests == memory.manifests


def test_a_state_of_before_the_changes_is_gone_on_from() -> None:
    report, auditor = audit_twice(*(before("dealing", name) for name in ("lender-1", FORKER)))
    memory = parse(auditor.remember(report).encode())
    assert audit(last=memory).findings == []
    assert audit(last=replace(memory, manifests=())).findings == []


def test_what_was_seen_of_a_log_beyond_its_end_nobody_has_to_keep() -> None:
    report, auditor = audit_twice(Node("lender-1"))
    memory = auditor.remember(report)
    cut = {OLD: changed().consortium.logs[OLD].fork(end_of(OLD))}
    assert audit(*everywhere(cut), last=memory).findings == []
    cut = {OLD: changed().consortium.logs[OLD].fork(end_of(OLD) - 1)}
    assert (OLD, None, "SHRUNK") in found_by(audit(*everywhere(cut), last=memory))


# -- transcripts


def changed_transcript(name: str, **facts: object) -> Saved:
    return Saved.of("t", json.dumps({**json.loads(changed().transcripts[name, FULL]), **facts}).encode())


@pytest.mark.parametrize("name", ["founding", "joined", "refreshed", "expelled"])
def test_a_transcript_under_another_manifest_or_epoch_is_refused(name: str) -> None:
    true = json.loads(changed().transcripts[name, FULL])
    ids = {manifest.id.hex() for manifest in changed().lineage.history.manifests} - {true["manifest"]}
    others = [changed_transcript(name, manifest=one) for one in ids]
    report = audit(transcripts=[changed_transcript(name, epoch=3 - true["epoch"]), *others])
    epoch, *manifests = (facts["failed"] for facts in report.transcripts)
    assert epoch == "T2"
    assert set(manifests) <= {"T1", "T2"}


def test_a_transcript_of_an_epoch_that_is_not_final_is_refused() -> None:
    report = audit(*(before("dealing", name) for name in ("lender-1", FORKER)), transcripts=saved("refreshed"))
    assert [facts["failed"] for facts in report.transcripts] == ["T1", "T1"]


def test_a_transcript_that_left_out_what_a_former_log_holds_is_refused() -> None:
    true = json.loads(changed().transcripts["expelled", FULL])
    records = [record for record in true["records"] if record["member"] != "lender-3"]
    assert len(records) == len(true["records"]) - 1
    report = audit(transcripts=[changed_transcript("expelled", records=records)])
    assert report.transcripts[0]["failed"] == "T6"
    assert BORROWER.encode() not in changed().transcripts["expelled", FULL]
