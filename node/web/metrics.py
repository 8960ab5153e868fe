"""How the node is, for Prometheus (docs/operations.md, Monitoring). No label says anything of a borrower."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509
from plimsoll.v1 import operator_pb2
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from node.chain.freshness import Freshness
from node.clock import Clock
from node.consortium import Consortium
from node.lending.quotas import Used
from node.upkeep.leveldb import LevelStore
from node.wire.connections import Connections
from node.wire.tally import Tally

STATES = ("serving", "waiting-for-keys", "rebuilding-book", "read-only", "read-only (disk full)")
PHASES = ("waiting-for-ready", "dealing", "closing", "confirming", "final")


@dataclass(frozen=True)
class Facts:
    """Where the figures come from. state: of the node. outside: seconds since each outside witness's last line."""

    consortium: Consortium
    connections: Connections
    freshness: Freshness
    state: Callable[[], operator_pb2.StatusResponse]
    stores: Mapping[str, LevelStore]
    tally: Tally
    used: Used
    outside: Callable[[], Mapping[str, float]]
    clock: Clock


class Metrics(Collector):
    """Asks when it is asked. To be used from the event loop's thread, where what it reads changes."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """prometheus_client's hook: nothing is asked for when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's hook."""
        status = self._facts.state()
        yield from _node(status)
        yield from _logs(status)
        yield from self._freshness()
        yield from _peers(status)
        yield from _keys(status.keys)
        yield from self._calls()
        yield from self._quotas()
        yield from _disk(status, self._facts.stores)
        yield from self._certificates()
        yield _gauge(
            "outside_witness_age_seconds", "Since its last cosignature, or the start", "witness", self._facts.outside()
        )

    def _freshness(self) -> Iterator[Metric]:
        freshness, manifest = self._facts.freshness, self._facts.consortium.manifest
        ages = {each.name: freshness.of(each.name, 0) for each in manifest.members}
        yield _gauge(
            "log_stale",
            "Whether its author, or its author's feed, is silent",
            "member",
            {name: age.stale for name, age in ages.items()},
        )
        yield _gauge(
            "log_position_age_seconds",
            "Since its last position, by that entry's time",
            "member",
            {name: age.feed_age for name, age in ages.items() if age.feed_age >= 0},
        )

    def _calls(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "plimsoll_calls", "Calls that have ended, by how", labels=["service", "call", "reason"]
        )
        for (method, reason), count in sorted(self._facts.tally.counts.items()):
            service, _, call = method.rpartition("/")
            calls.add_metric([service.rpartition(".")[2], call, reason], count)
        yield calls

    def _quotas(self) -> Iterator[Metric]:
        policy, now = self._facts.consortium.manifest.policy, int(self._facts.clock.unix())
        used = {f"{kind}": self._facts.used.today(kind, now) for kind in ("inquiry", "evaluation")}
        limits = {"inquiry": policy.inquiries_per_day, "evaluation": policy.evaluations_per_day}
        yield _gauge("quota_used", "Of this member's own, in the last day", "kind", used)
        yield _gauge("quota_limit", "What a member may in a day", "kind", limits)

    def _certificates(self) -> Iterator[Metric]:
        manifest, member = self._facts.consortium.manifest, self._facts.consortium.member
        own = x509.load_pem_x509_certificate(self._facts.connections.presented.certificate)
        ends = {"node": own, "ca": manifest.member(member).authority}
        times = {name: each.not_valid_after_utc.timestamp() for name, each in ends.items()}
        yield _gauge("certificate_expiry_timestamp_seconds", "When it lapses, Unix seconds", "certificate", times)


def _node(status: operator_pb2.StatusResponse) -> Iterator[Metric]:
    facts = {
        "version": status.version,
        "member": status.member,
        "consortium": status.consortium,
        "manifest": status.manifest,
    }
    yield InfoMetricFamily("plimsoll_node", "Which node this is", facts)
    yield _gauge("state", "1 for the state it is in", "state", {state: state == status.state for state in STATES})
    yield _figure("uptime_seconds", "Since its start", status.uptime_seconds)
    yield _figure("memory_bytes", "Resident", status.memory_bytes)
    yield _figure("alerts", "What a person should look at: plimsoll status has the words", len(status.alerts))
    yield _figure("manifest_sequence", "How many manifests came before the one in force", status.sequence)


def _logs(status: operator_pb2.StatusResponse) -> Iterator[Metric]:
    logs = status.logs
    yield _gauge("log_entries", "Held of this member's log", "member", {one.member: one.size for one in logs})
    yield _gauge("log_known_entries", "Told of by anybody", "member", {one.member: one.known_size for one in logs})
    yield _gauge(
        "log_lag_entries",
        "Told of, and not held yet",
        "member",
        {one.member: one.known_size - one.size for one in logs},
    )
    yield _gauge(
        "log_witnessed_entries",
        "Under its largest witnessed head",
        "member",
        {one.member: one.witnessed_size for one in logs},
    )
    ages = {one.member: one.head_age_seconds for one in logs if one.head_age_seconds >= 0}
    yield _gauge("log_heartbeat_age_seconds", "Since its author's last heartbeat", "member", ages)
    yield _gauge(
        "log_frozen", "Whether its author has signed two histories", "member", {one.member: one.frozen for one in logs}
    )
    yield _gauge(
        "log_problem", "Whether nothing more is taken of it", "member", {one.member: bool(one.problem) for one in logs}
    )


def _peers(status: operator_pb2.StatusResponse) -> Iterator[Metric]:
    peers = status.peers
    yield _gauge(
        "peer_reachable", "Whether the last contact succeeded", "member", {one.member: one.reachable for one in peers}
    )
    contacts = {one.member: one.last_contact_seconds for one in peers if one.last_contact_seconds >= 0}
    yield _gauge("peer_contact_age_seconds", "Since the last contact that succeeded", "member", contacts)


def _keys(keys: operator_pb2.KeyStatus) -> Iterator[Metric]:
    yield _gauge(
        "ceremony_phase", "1 for the phase it is in", "phase", {phase: phase == keys.phase for phase in PHASES}
    )
    yield _figure("ceremony_waiting_for", "How many custodians it waits for", len(keys.waiting_for))
    yield _figure("key_epoch", "Of the keys in use, 0 before there are any", keys.epoch)
    yield _figure("holds_shares", "Whether this node can answer as custodian", keys.holds_shares)


def _disk(status: operator_pb2.StatusResponse, stores: Mapping[str, LevelStore]) -> Iterator[Metric]:
    yield _figure("disk_used_bytes", "By the stores", status.disk_used_bytes)
    yield _figure("disk_free_bytes", "On their disk", status.disk_free_bytes)
    yield _figure("disk_reserve_bytes", "Nothing is written below this", status.disk_reserve_bytes)
    syncs = SummaryMetricFamily(
        "plimsoll_sync_seconds", "Writes that were made durable, and their time", labels=["store"]
    )
    for name, store in stores.items():
        syncs.add_metric([name], store.syncs, store.sync_seconds)
    yield syncs
    waiting = {name: store.waiting for name, store in stores.items()}
    yield _gauge("sync_waiting_seconds", "Since the oldest write began that is not done", "store", waiting)


def _gauge(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"plimsoll_{name}", what, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _figure(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"plimsoll_{name}", what, value=float(value))
