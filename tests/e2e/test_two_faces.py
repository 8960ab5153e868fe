"""A member that shows two histories of its log to two halves of the network, and tries to have both believed.

lender-6 does so with its real keys, while each half is cut off from the other (one half's processes are stopped), and
with lender-5 in league, a custodian, whose cosigning key signs whatever it likes. In each history stand a proposal of
another successor of the manifest and an approval of it; each half's own operators approve what they are shown; lender-5
approves both, and confirms other keys. Then the halves meet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2, peer_pb2

from client.sdk import Session
from ledger.ceremony import CeremonyContext
from ledger.consortium.ballot import Vote, approval_entry, proposal_entry
from ledger.consortium.manifest import Manifest
from ledger.errors import Unverified
from ledger.tlog.note import VerifierKey, parse_note
from ledger.witnessing.cosigned import verify_witnessed
from ledger.witnessing.evidence import read_evidence
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor
from tests.e2e.test_operations import Machine, sections
from tests.e2e.wire import refusal_of
from tests.ledger.electorate import renamed

LIAR, HELPER, BORROWER = "lender-6", "lender-5", "test:880001"
LEFT, RIGHT = ("lender-1", "lender-2"), ("lender-3", "lender-4")
HONEST = (*LEFT, *RIGHT)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Faces:
    """What lender-6 had witnessed before it lied, its two histories, and all the cosignatures it got for each."""

    cluster: Cluster
    one: Impostor
    other: Impostor
    helper: Impostor
    before: bytes
    notes: dict[str, bytes]
    seconds: float

    @property
    def common(self) -> int:
        """How many entries both histories share."""
        return verify_witnessed(self.before, self.cluster.manifest, LIAR).head.size


@pytest.fixture(scope="module")
def faces(found_module: Found) -> Faces:
    custodians = [f"--custodian=lender-{number}" for number in range(1, 6)]
    policy = {"heartbeat_seconds": 1, "gossip_seconds": 1, "heads_seconds": 5, "min_contributors": 2}
    cluster: Cluster = found_module(6, policy=policy, options=custodians)
    cluster.start()
    cluster.wait_ready()
    for number, member in enumerate(HONEST):
        cluster.report(member, [row(BORROWER, 1_000_000 + number)])
    cluster.wait_same_heads()
    cluster.stop(LIAR, HELPER)
    one = Impostor(cluster, LIAR, HONEST)
    one.publish(one.evaluation([bytes(31) + b"\1"]))
    before = collected(one, HONEST, one.beat_until_cosigned)
    for server in HONEST:  # all know what was witnessed before the lie
        one.beat(server, before)
    other = one.forked(one.log.size)
    helper = Impostor(cluster, HELPER, HONEST)
    successors = {name: renamed(cluster.manifest, name) for name in ("one", "other")}
    notes = {}
    for name, history, half, rest in (("one", one, LEFT, RIGHT), ("other", other, RIGHT, LEFT)):
        for member in rest:
            cluster.freeze(member)
        for member in half:
            cluster.thaw(member)
        if history is other:  # so that the two are of different sizes
            history.append(history.evaluation([bytes(31) + b"\2"]))
        propose(cluster, history, helper, successors[name], half)
        notes[name] = with_helper(history, collected(history, half, history.beat_until_cosigned))
    for member in LEFT:
        cluster.thaw(member)
    met = time.monotonic()
    cluster.wait_until(lambda: all(is_frozen(cluster, at) for at in HONEST), "every honest node has frozen it", 20)
    return Faces(cluster, one, other, helper, before, notes, time.monotonic() - met)


def propose(cluster: Cluster, liar: Impostor, helper: Impostor, after: Manifest, half: tuple[str, ...]) -> None:
    """Has everybody in this half approve a successor, and the helper confirm keys that nobody else has."""
    now = int(time.time())
    vote = approval_entry(Vote(cluster.manifest.id, after.id), now)
    liar.append(proposal_entry(after, now), vote)
    liar.deliver(*half)
    ceremony = CeremonyContext.of(cluster.manifest).ceremony_id(1)
    keys = entry_pb2.Confirmation(ceremony=ceremony, close=bytes(32), transcript=after.id)
    helper.append(vote, entry_pb2.Entry(time=now, confirmation=keys).SerializeToString())
    helper.deliver(*half)
    for member in half:
        operator = cluster.session(member, "operator")

        def is_proposed(operator: Session = operator) -> bool:
            return after.id in [each.manifest for each in operator.proposals()]

        cluster.wait_until(is_proposed, "it is proposed", 10)
        operator.approve(after.id)


def collected(history: Impostor, servers: tuple[str, ...], ask: Callable[[str], bytes]) -> bytes:
    """Its head with the cosignatures of all these nodes."""
    note = history.spoken()
    for server in servers:
        note = note.with_signatures(parse_note(ask(server)).signatures)
    return note.encode()


def with_helper(history: Impostor, note: bytes) -> bytes:
    """And with that of the member in league."""
    parsed = parse_note(note)
    line = history.cosigner_of(HELPER).cosign(parsed.text, int(time.time()))
    return parsed.with_signatures([line]).encode()


def is_frozen(cluster: Cluster, at: str) -> bool:
    return any(log.member == LIAR and log.frozen for log in cluster.status(at).logs)


def test_both_halves_cosigned_what_they_were_shown(faces: Faces) -> None:
    """They could not know better: the attack is a real one."""
    for note in faces.notes.values():
        assert len(parse_note(note).signatures) == 5  # the log's own, the author's, two and the helper's


def test_neither_history_is_witnessed_although_a_second_member_cosigned_both(faces: Faces) -> None:
    verify_witnessed(faces.before, faces.cluster.manifest, LIAR)
    for note in faces.notes.values():
        with pytest.raises(Unverified) as refused:
            verify_witnessed(note, faces.cluster.manifest, LIAR)
        assert refused.value.reason == "NOT_WITNESSED"


def test_neither_successor_comes_into_force_and_no_keys_change(faces: Faces) -> None:
    """Four of the six approvals that it takes five of, at most; what the liar approved beyond the last witnessed head
    does not count, nor does a second approval by one member."""
    keys = {tuple(faces.cluster.status(member).keys.public_keys) for member in HONEST}
    assert len(keys) == 1
    for member in HONEST:
        status = faces.cluster.status(member)
        assert (status.sequence, status.manifest) == (0, faces.cluster.manifest.id.hex())
        assert status.keys.epoch == 1
        for proposed in faces.cluster.session(member, "operator").proposals():
            assert len(proposed.approved) < proposed.needed
            assert LIAR not in proposed.approved


def test_every_honest_node_finds_out_within_seconds_of_the_halves_meeting(faces: Faces) -> None:
    assert faces.seconds < 10


def test_every_honest_node_tells_its_operator(faces: Faces) -> None:
    for member in HONEST:
        status = faces.cluster.status(member)
        assert any(LIAR in alert and "two histories" in alert for alert in status.alerts)
        (log,) = (log for log in status.logs if log.member == LIAR)
        assert log.witnessed_size == faces.common
        assert '"event": "frozen"' in faces.cluster.log_text(member)


def test_the_evidence_in_a_log_convinces_who_has_nothing_but_the_liars_key(faces: Faces) -> None:
    key = VerifierKey.parse(str(faces.cluster.manifest.log_key(LIAR)))
    published: list[bytes] = []

    def is_published() -> bool:
        faces.one.catch_up(own=False)
        logs = (faces.one.chain.log(member) for member in HONEST)
        published[:] = [raw for log in logs for _, raw in log.entries_by_kind("evidence")]
        return bool(published)

    faces.cluster.wait_until(is_published, "the evidence stands in a log", 15)
    for raw in published:
        evidence = read_evidence(raw, key)
        heads = {(signed.head.size, signed.head.root) for signed in (evidence.known, evidence.conflicting)}
        assert len(heads) == 2
        assert all(size > faces.common for size, _ in heads)
        with pytest.raises(Unverified):
            read_evidence(raw, faces.cluster.manifest.log_key(HELPER))


def test_nobody_cosigns_or_takes_more_of_either_history(faces: Faces) -> None:
    for history in (faces.one, faces.other):
        history.append(history.evaluation([bytes(31) + b"\3"]))
        for server in HONEST:
            beat = peer_pb2.WitnessRequest(head=history.spoken().encode())
            assert refusal_of(history.stubs[server].Witness, beat).reason == "FORK"
            push = peer_pb2.PushRequest(block=history.block(faces.common))
            assert refusal_of(history.stubs[server].Push, push).reason == "FORK"


def test_a_head_with_too_few_cosignatures_is_not_taken_for_witnessed(faces: Faces) -> None:
    """Shown by another member: the liar itself is not listened to any more."""
    helper = faces.helper
    for note in faces.notes.values():
        for server in HONEST:
            request = peer_pb2.WitnessRequest(head=helper.spoken().encode(), witnessed=note)
            assert refusal_of(helper.stubs[server].Witness, request).reason == "NOT_WITNESSED"


def test_a_restart_forgets_nothing_of_it(faces: Faces) -> None:
    faces.cluster.kill(LEFT[0])
    faces.cluster.restart(LEFT[0])
    assert is_frozen(faces.cluster, LEFT[0])
    push = peer_pb2.PushRequest(block=faces.other.block(faces.common))
    faces.cluster.wait_until(lambda: bool(faces.cluster.status(LEFT[0]).alerts), "the alert is back", 10)
    assert refusal_of(faces.one.stubs[LEFT[0]].Push, push).reason == "FORK"


def test_the_page_for_operators_says_what_to_type(faces: Faces) -> None:
    machine = Machine(faces.cluster)
    (look,), (stop, start) = sections()["A log that is frozen"]
    assert "signed two histories: frozen" in " ".join(machine.type(look).split())
    machine.type(stop)
    machine.type(start)
    assert is_frozen(faces.cluster, LEFT[0])


def test_the_others_go_on_publishing_and_asking(faces: Faces) -> None:
    cluster = faces.cluster
    for number, member in enumerate(HONEST):
        assert cluster.report(member, [row("test:880002", 2_000_000 + number)]).published == 1

    def arrived() -> bool:
        held = [cluster.sizes(member) for member in HONEST]
        return all(one[name] == held[0][name] for one in held for name in HONEST)

    cluster.wait_until(arrived, "the others' entries are everywhere", 15)
    answer: lender_pb2.ExposureResponse = cluster.ask(LEFT[0], "test:880002")
    assert answer.lenders == len(HONEST)
    (log,) = (log for log in answer.logs if log.member == LIAR)
    assert log.frozen
    assert log.size == faces.common
