"""A custodian whose confirmation decides shows it to one half of the others only, gives up before the other, and forks.

lender-6 takes part in the founding ceremony as a test drives it, with its real keys. Of four custodians all must
confirm. While one half's processes are stopped, the other half is shown one history of its log, and then the other way
round. Nobody may use keys that others never see. The members end that log, and the ceremony goes on in its next one.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest
from plimsoll.v1 import peer_pb2

from ledger.ceremony import Append, CeremonyContext, CeremonyEntry, Participant, read_entry, replay
from ledger.ceremony.entry import ConfirmationEntry
from ledger.ceremony.qualification import GIVEN_UP
from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.ended import EndedLog
from ledger.consortium.manifest import Manifest
from ledger.keys import PublicKeys
from ledger.tlog.note import Signer, parse_note
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row
from tests.e2e.impostor import KINDS, Impostor
from tests.ledger.electorate import rotated
from tests.lenders import lender

FORKER, SPARE = "lender-6", 50
CUSTODIANS = ("lender-1", "lender-2", "lender-3", FORKER)
LEFT, RIGHT = ("lender-1", "lender-4"), ("lender-2", "lender-3", "lender-5")
HONEST = ("lender-1", "lender-2", "lender-3", "lender-4", "lender-5")
MOMENT = 3.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Custodian(Impostor):
    """Takes part in the ceremony, with no disk."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster, FORKER, HONEST)
        self.context = CeremonyContext.of(self.manifest)
        self.participant = Participant(self.context, FORKER, os.urandom)

    def _public_keys(self) -> PublicKeys:
        """There are none yet."""
        return None  # type: ignore[return-value]

    def entries(self) -> list[CeremonyEntry]:
        found = [
            read_entry(log.member, index, raw)
            for log in self.chain.logs()
            for kind in KINDS
            for index, raw in log.entries_by_kind(kind)
        ]
        return [entry for entry in found if entry is not None]

    def take_part(self) -> bytes:
        """Until all others have confirmed: its own Confirmation, which nobody knows of yet."""
        deadline, confirmation = time.monotonic() + 90, b""
        while time.monotonic() < deadline:
            self.catch_up(own=False)
            known = self.entries()
            if confirmation and len(replay(self.context, known).current.confirmed) == len(CUSTODIANS) - 1:
                return confirmation
            for action in [] if confirmation else self.participant.step(known, time.time()):
                if isinstance(action, Append) and is_confirmation(action.entry):
                    confirmation = action.entry
                elif isinstance(action, Append):
                    self.publish(action.entry)
                    self.have_witnessed()
            time.sleep(0.3)
        raise AssertionError("the ceremony does not get there")

    def have_witnessed(self) -> bytes:
        """Collects all cosignatures of its head, and shows them to everybody."""
        note = self.spoken()
        for server in HONEST:
            note = note.with_signatures(parse_note(self.beat_until_cosigned(server)).signatures)
        for server in HONEST:
            self.beat(server, note.encode())
        return note.encode()

    def forked(self, size: int) -> Custodian:
        other = super().forked(size)
        other.__class__ = Custodian
        return other  # type: ignore[return-value]

    def gone_on(self, after: Manifest) -> Custodian:
        """The same member with its next log."""
        other = object.__new__(Custodian)
        other.__dict__.update(self.__dict__)
        other.manifest = after
        names = [LogName(each.name, after.origin(each.name), after.log_key(each.name)) for each in after.members]
        other.chain = Chain(MemoryStore(), names)
        return other

    @property
    def signer(self) -> Signer:
        seed = self.cluster.keyring(FORKER).log_seed if self.manifest.sequence == 0 else lender(SPARE).keyring.log_seed
        return Signer.from_seed(self.origin, seed)


def stands(cluster: Cluster) -> set[tuple[str, int, tuple[str, ...]]]:
    keys = [cluster.status(member).keys for member in HONEST]
    return {(each.phase, each.epoch, tuple(each.public_keys)) for each in keys}


def is_frozen(cluster: Cluster, at: str) -> bool:
    return any(log.member == FORKER and log.frozen for log in cluster.status(at).logs)


def is_confirmation(raw: bytes) -> bool:
    entry = read_entry(FORKER, 0, raw)
    return entry is not None and isinstance(entry.body, ConfirmationEntry)


def denied(confirmation: bytes) -> bytes:
    entry = read_entry(FORKER, 0, confirmation)
    assert entry is not None
    assert isinstance(entry.body, ConfirmationEntry)
    return replace(entry.body, transcript=GIVEN_UP).encode(int(time.time()))


def shown_to(cluster: Cluster, history: Custodian, half: tuple[str, ...], rest: tuple[str, ...], entry: bytes) -> None:
    """One half gets to see this history, and cosigns it, while the others' processes stand still."""
    for member in rest:
        cluster.freeze(member)
    for member in half:
        cluster.thaw(member)
    history.append(entry)
    history.deliver(*half)
    for member in half:
        history.beat_until_cosigned(member)
    time.sleep(MOMENT)
    assert {cluster.status(member).keys.epoch for member in half} == {0}, "three of four have confirmed for good"


def test_a_confirmation_that_was_shown_to_half_of_the_members_makes_no_keys_and_the_ceremony_goes_on(
    found: Found,
) -> None:
    policy = {"heartbeat_seconds": 1, "gossip_seconds": 1}
    cluster = found(6, policy=policy, options=[f"--custodian={name}" for name in CUSTODIANS])
    cluster.start(FORKER)  # makes its certificates, and says nothing while nobody else is there
    cluster.wait_until(lambda: bool(cluster.status(FORKER).member), "it has begun")
    cluster.stop(FORKER)
    cluster.start(*HONEST)
    for member in HONEST:
        cluster.wait_until(lambda at=member: bool(cluster.status(at).keys.phase), "it follows the ceremony")  # type: ignore[misc]
    one = Custodian(cluster)
    confirmation = one.take_part()
    common, root = one.log.size, one.log.root_at(one.log.size)
    other = one.forked(common)

    shown_to(cluster, one, LEFT, RIGHT, confirmation)
    shown_to(cluster, other, RIGHT, LEFT, denied(confirmation))
    for member in LEFT:
        cluster.thaw(member)
    cluster.wait_until(lambda: all(is_frozen(cluster, at) for at in HONEST), "every honest node has frozen it", 20)
    time.sleep(MOMENT)
    assert stands(cluster) == {("confirming", 0, ())}

    ended = EndedLog(FORKER, 1, one.manifest.log_key(FORKER).public_key, common, root)
    after = rotated(cluster.manifest, FORKER, SPARE, ended=[ended])
    operators = {member: cluster.session(member, "operator") for member in HONEST}
    operators[HONEST[0]].propose(after.text.encode())
    for member, operator in operators.items():
        cluster.wait_until(lambda at=operator: bool(at.proposals()), f"{member} knows of the proposal", 10)  # type: ignore[misc]
        operator.approve(after.id)
    cluster.wait_until(lambda: {cluster.status(at).sequence for at in HONEST} == {1}, "the log has ended", 15)

    again = one.gone_on(after)
    again.append(confirmation)
    again.deliver()
    again.have_witnessed()
    cluster.wait_until(lambda: {phase for phase, _, _ in stands(cluster)} == {"final"}, "the keys are final", 15)
    ((_, epoch, keys),) = stands(cluster)
    assert (epoch, len(keys)) == (1, 8)
    for number, member in enumerate(HONEST[:3]):
        assert cluster.report(member, [row("test:660001", 1_000_000 + number)]).published == 1
    cluster.wait_until(lambda: cluster.ask("lender-4", "test:660001").lenders == 3, "a question is answered", 20)
    push = peer_pb2.PushRequest(block=other.block(common))
    assert all(is_of_no_use(one, server, push) for server in HONEST)


def is_of_no_use(history: Custodian, server: str, push: peer_pb2.PushRequest) -> bool:
    """More of a history that has ended changes nothing any more."""
    try:
        history.stubs[server].Push(push, timeout=10)
    except Exception as error:  # noqa: BLE001 -- gRPC's own kind
        return "histories" in str(error)
    return False
