"""What one member can do to a node as fast as it is able to, and what honest members notice of it (docs/limits.md).

The attacker is lender-4, whose node is stopped. It attacks lender-1 for some seconds at a time; meanwhile lender-2 asks
about borrowers, which takes lender-1's answer each time.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from plimsoll.v1 import audit_pb2, lender_pb2, operator_pb2, peer_pb2

from ledger.chain.block import blocks_from
from ledger.consortium.caller import Role, server_name
from ledger.crypto import group
from ledger.errors import PlimsollError
from tests.cluster import Cluster
from tests.e2e.attacks import Plan
from tests.e2e.conftest import Found
from tests.e2e.feeds import row
from tests.e2e.impostor import Impostor
from tests.e2e.wire import METHODS, failure_of, refusal_of

VICTIM, ASKER, OTHER, ATTACKER = "lender-1", "lender-2", "lender-3", "lender-4"
SECONDS = 2.5
#: docs/limits.md: by how much one party can make a node's memory grow, bytes.
MEMORY = 150 << 20
#: The same where it has the node read 20 MB of its log again and again: LevelDB's and gRPC's own buffers come on top.
MEMORY_READING = 600 << 20
#: A query may take this much longer, at the median, than before, and so many seconds in any case.
FACTOR, ENOUGH = 20.0, 2.0
BORROWERS = 300
EVALUATIONS, INQUIRIES = 10_000, 9_000
HOURS = 3600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass
class Setting:
    """folder: the attacker's files. median: seconds of a query before all attacks. memory: of lender-1 then, bytes.

    old_head: of the attacker's log at the start.
    """

    cluster: Cluster
    impostor: Impostor
    folder: Path
    median: float = 0.0
    memory: int = 0
    old_head: bytes = b""
    number: Iterator[int] = field(default_factory=itertools.count)

    def plan(self, attack: str, request: str = "") -> Plan:
        authority, key, certificate = (str(self.folder / f"{name}.pem") for name in ("authority", "key", "certificate"))
        address, name = self.cluster.address(VICTIM), server_name(VICTIM)
        return Plan(attack, address, name, authority, key, certificate, self.impostor.origin, request, SECONDS)

    def request(self, method: str, message: Any) -> str:
        """For `Plan.request`."""
        path = self.folder / f"{method}-{next(self.number)}"
        path.write_bytes(message.SerializeToString())
        return f"{method}={path}"

    def memory_now(self) -> int:
        """Resident, of lender-1, bytes, without files' pages: the stores map theirs, and the system takes them back."""
        _, resident, shared, *_ = Path(f"/proc/{self.cluster.process(VICTIM).pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")

    def attack(self, *plans: Plan, memory: int = MEMORY) -> list[dict[str, int]]:
        """Runs attacks side by side while lender-2 asks; how their calls ended. memory: bytes that it may cost."""
        with Asking(self) as asking:
            commands = [[sys.executable, "-m", "tests.e2e.attacks", plan.encode()] for plan in plans]
            running = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
            most = 0
            while any(each.poll() is None for each in running):
                most = max(most, self.memory_now())
                time.sleep(0.05)
            ends = [json.loads(each.communicate()[0]) for each in running]
        said = (
            f"{[plan.attack for plan in plans]}: {ends}; {len(asking.seconds)} queries, median {asking.median:.3f} s, "
            f"was {self.median:.3f}; memory {most >> 20} MiB, was {self.memory >> 20}; failed: {asking.failures[:3]}"
        )
        print(said)  # shown where something fails
        assert most - self.memory <= memory, said
        assert asking.median <= max(FACTOR * self.median, ENOUGH), said
        assert len(asking.failures) <= 1 + len(asking.seconds) // 10, said
        return ends


class Asking:
    """lender-2 asks about one borrower after the other as long as the block runs."""

    def __init__(self, setting: Setting) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._setting = setting
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def median(self) -> float:
        """Seconds; without an answer, for ever."""
        return statistics.median(self.seconds or [float("inf")])

    def _run(self) -> None:
        while not self._over.is_set():
            started = time.monotonic()
            try:
                answer = self._setting.cluster.ask(ASKER, f"test:{next(self._setting.number) % BORROWERS}")
                assert answer.amounts.outstanding == 4_000_000
                self.seconds.append(time.monotonic() - started)
            except PlimsollError as error:
                self.failures.append(str(error))


@pytest.fixture(scope="module")
def setting(found_module: Found, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    policy = {
        "min_contributors": 2,
        "queries_per_borrower": 1000,
        "evaluations_per_day": EVALUATIONS,
        "inquiries_per_day": INQUIRIES,
    }
    custodians = [f"--custodian={member}" for member in (VICTIM, ASKER, OTHER)]
    cluster = found_module(4, policy=policy, options=[*custodians, "--threshold=3"])
    cluster.start()
    cluster.wait_ready()
    for member in (VICTIM, OTHER):
        rows = [row(f"test:{number}", 2_000_000, line=number + 2) for number in range(BORROWERS)]
        assert cluster.report(member, rows).published == BORROWERS
    cluster.wait_same_heads()
    cluster.stop(ATTACKER)
    folder = tmp_path_factory.mktemp("attacker")
    for name, pem in zip(("key.pem", "certificate.pem"), cluster.node_identity(ATTACKER), strict=True):
        (folder / name).write_bytes(pem)
    (folder / "authority.pem").write_bytes(cluster.home(VICTIM).member().authority_pem)
    setting = Setting(cluster, Impostor(cluster, ATTACKER, (VICTIM, ASKER, OTHER)), folder)
    with Asking(setting) as asking:
        time.sleep(2.0)
    setting.median, setting.memory = asking.median, setting.memory_now()
    setting.impostor.borrower("test:1")
    assert setting.impostor.log.head is not None
    setting.old_head = setting.impostor.log.head.note.encode()
    return setting


# -- attacks


@pytest.mark.parametrize(
    "attacks",
    [
        ("unsent",),  # first: what is said later is read later, as the party is in debt by then
        ("heads", "unknown"),
        ("health", "reflection"),
        ("garbage",),
        ("too_large", "lacking"),
        ("reset", "pings"),
        ("unanswered",),
        ("connections",),
    ],
    ids="-".join,
)
def test_honest_queries_go_on_and_memory_stays_bounded_under(setting: Setting, attacks: tuple[str, ...]) -> None:
    ends = setting.attack(*(setting.plan(attack) for attack in attacks))
    assert all(ends), ends
    assert not any("UNKNOWN" in end for end in ends), ends


def test_blocks_that_nobody_reads_are_not_made(setting: Setting) -> None:
    """A log of 20 MB, to fill everybody's disk with, which the attacker then asks for 256 times."""
    for _ in range(10):
        setting.impostor.force_here(*(os.urandom(65_000) for _ in range(31)))
    setting.impostor.deliver(VICTIM)
    assert sum(setting.attack(setting.plan("unread"), memory=MEMORY_READING)[0].values()) > 0


def test_replays_of_blocks_and_of_old_heads_take_nothing_back(setting: Setting) -> None:
    impostor = setting.impostor
    impostor.catch_up()
    last = next(iter(blocks_from(impostor.log, impostor.log.size - 31)))
    old = peer_pb2.Block(origin=impostor.origin, start=0, head=setting.old_head)
    held = setting.cluster.sizes(VICTIM)
    setting.attack(
        setting.plan("replay", setting.request("Push", peer_pb2.PushRequest(block=last))),
        setting.plan("replay", setting.request("Push", peer_pb2.PushRequest(block=old))),
    )
    now = setting.cluster.sizes(VICTIM)
    assert all(now[member][0] >= size for member, (size, _) in held.items())
    assert now[ATTACKER] == held[ATTACKER]
    assert not [log.problem for log in setting.cluster.status(VICTIM).logs if log.problem]


def test_an_evaluation_that_is_asked_for_again_and_again_delays_nobody_else_for_long(setting: Setting) -> None:
    impostor = setting.impostor
    elements = points(4096)
    index = impostor.publish(impostor.evaluation(elements))
    impostor.evaluate(VICTIM, index, elements)
    request = peer_pb2.EvaluateRequest(index=index, elements=elements)
    setting.attack(setting.plan("replay", setting.request("Evaluate", request)))


def test_a_node_that_was_attacked_recovers(setting: Setting) -> None:
    started = time.monotonic()
    assert setting.impostor.stubs[VICTIM].Heads(peer_pb2.HeadsRequest(), timeout=15).heads
    assert time.monotonic() - started < 10
    with Asking(setting) as asking:
        time.sleep(1.0)
    assert not asking.failures
    assert setting.memory_now() - setting.memory <= MEMORY


# -- garbage on every call


def points(count: int) -> list[bytes]:
    return [group.mul_base(group.random_scalar(os.urandom)) for _ in range(count)]


GARBAGE = (
    b"\xff" * 11,
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x0b" * 20_000,
    random.Random(1).randbytes(200_000),
    b"\x0a\x03\xff\xfe\xfd",
    b"\x08\x01\x10\x01\x1a\x00",
)
STANDARD = {
    "Health.Check": ("/grpc.health.v1.Health/Check", False, False),
    "ServerReflection.ServerReflectionInfo": (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        True,
        True,
    ),
}
ROLE: dict[str, Role] = {"PeerService": "node", "LenderService": "lender", "OperatorService": "operator"}
MESSAGES = {
    f"{service.name}.{method.name}": method.input_type
    for module in (peer_pb2, lender_pb2, audit_pb2, operator_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def filled(message: Any, chance: random.Random, depth: int = 0) -> Any:
    """A message of the right type with anything at all in its fields."""
    descriptor: Descriptor = message.DESCRIPTOR
    for each in descriptor.fields:
        if chance.random() < 0.2:
            continue
        if each.type == FieldDescriptor.TYPE_MESSAGE:
            if depth < 3:
                into = getattr(message, each.name)
                filled(into.add() if each.is_repeated else into, chance, depth + 1)
            continue
        value = _value(each, chance)
        if each.is_repeated:
            getattr(message, each.name).extend([value] * chance.randrange(1, 4))
        else:
            setattr(message, each.name, value)
    return message


def _value(each: FieldDescriptor, chance: random.Random) -> Any:
    if each.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 31, 32, 33, 64, 70_000)))
    if each.type == FieldDescriptor.TYPE_STRING:
        return chance.choice(("", "test:1", "lender-1", "x" * 5000, "\u0000\u202e\n", "plimsoll/00/lender-1"))
    if each.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if each.type == FieldDescriptor.TYPE_ENUM:
        return chance.choice((-1, 0, 1, 99))
    small = (0, 1, 2**31 - 1)
    wide = {FieldDescriptor.TYPE_UINT64: (2**63, 2**64 - 1), FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1)}
    return chance.choice((*small, *wide.get(each.type, ())))


@pytest.mark.parametrize("name", [*METHODS, *STANDARD])
def test_garbage_is_refused_as_what_it_is(setting: Setting, name: str) -> None:
    """By every call; `Cluster.check_logs` sees to it that no log tells of a failure."""
    path, takes_stream, gives_stream = {**METHODS, **STANDARD}[name]
    role = ROLE.get(name.partition(".")[0], "auditor")
    endpoint = setting.cluster.endpoint(VICTIM, role)
    channel = setting.cluster.channel(VICTIM, endpoint.key, endpoint.certificate)
    makers: dict[tuple[bool, bool], Any] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    call = makers[takes_stream, gives_stream](path, lambda raw: raw, lambda raw: raw)
    chance = random.Random(name)
    sent = list(GARBAGE)
    if name in MESSAGES:
        kind = GetMessageClass(MESSAGES[name])
        sent += [filled(kind(), chance).SerializeToString() for _ in range(12)]
    for raw in sent:
        failure = failure_of(call, iter([raw]) if takes_stream else raw)
        if failure is not None:
            assert failure.code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL), (raw[:50], failure)
    channel.close()


# -- clocks and quotas


@pytest.mark.parametrize("hours", [-7, 7])
def test_a_member_whose_clock_is_hours_off_is_told_so_and_stops_nobody(setting: Setting, hours: int) -> None:
    impostor, elements = setting.impostor, points(1)
    borrower = impostor.borrower("test:7").query
    wrong = int(time.time()) + hours * HOURS
    index = impostor.publish(impostor.evaluation(elements, time=wrong))
    request = peer_pb2.EvaluateRequest(index=index, elements=elements)
    impostor.catch_up()
    heads = impostor.heads()
    asked = impostor.force(impostor.inquiry(borrower, heads=heads, time=wrong).encode())
    for call, about, path in (
        (impostor.stubs[VICTIM].Evaluate, request, "index"),
        (impostor.stubs[VICTIM].Decrypt, impostor.request_for(borrower, asked, heads), "entry"),
    ):
        failure = refusal_of(call, about)
        assert failure.brief == ("PERMISSION_DENIED", "STALE", path)
        assert "clock" in failure.message
    with Asking(setting) as asking:
        time.sleep(0.5)
    assert asking.seconds
    assert not asking.failures


def test_quotas_are_used_up_also_after_a_kill(setting: Setting) -> None:
    impostor, cluster = setting.impostor, setting.cluster
    borrower = impostor.borrower("test:8").query
    left = EVALUATIONS
    while left > 0:  # on record is enough, asked or not
        elements = points(1) * min(4096, left)
        impostor.append(impostor.evaluation(elements))
        left -= len(elements)
    heads = impostor.heads()
    inquiry = impostor.inquiry(borrower, heads=heads)
    for _ in range(3):
        entries = [replace(inquiry, label=os.urandom(16)).encode() for _ in range(INQUIRIES // 3)]
        impostor.force_here(*entries)

    def check() -> None:
        elements = points(1)
        index = impostor.publish(impostor.evaluation(elements))
        failure = refusal_of(impostor.stubs[VICTIM].Evaluate, peer_pb2.EvaluateRequest(index=index, elements=elements))
        assert failure.brief == ("RESOURCE_EXHAUSTED", "QUOTA", "")
        impostor.catch_up()
        now = impostor.heads()
        asked = impostor.force(impostor.inquiry(borrower, heads=now).encode())
        failure = refusal_of(impostor.stubs[VICTIM].Decrypt, impostor.request_for(borrower, asked, now))
        assert failure.brief == ("RESOURCE_EXHAUSTED", "QUOTA", "")

    check()
    cluster.kill(VICTIM)
    cluster.restart(VICTIM)
    check()
    assert cluster.ask(ASKER, "test:9").amounts.outstanding == 4_000_000
