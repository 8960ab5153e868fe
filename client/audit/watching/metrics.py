"""What a watch found, for Prometheus (docs/operations.md lists the names).

Everything is of one round: a scrape sees either this one or the one before, never half of each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from client.audit.watching.watch import Round
from ledger.consortium.joined import log_name

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_OUTCOMES = ("ok", "incomplete", "bad", "away")


class Metrics(Collector):
    """A collector to be registered. `take` every round."""

    def __init__(self) -> None:
        self._rounds: Counter[str] = Counter()
        self._families: list[Metric] = []
        self._of_report: list[Metric] = []
        self._completed = self._success = 0
        self._ok: bool | None = None

    def take(self, done: Round) -> None:
        """What the next scrape shows."""
        self._rounds[done.outcome] += 1
        if done.facts is not None:
            self._completed = done.began
            self._success = done.began if done.outcome == "ok" else self._success
            self._of_report = [*_of_logs(done), *_of_members(done)]
        if done.outcome != "away" or done.open:
            self._ok = done.outcome != "bad" and not done.open
        self._families = [*self._of_rounds(done), *_of_findings(done), *self._of_report]

    def collect(self) -> Iterator[Metric]:
        """For the registry. Nothing before the first round: what is not known is not 0."""
        yield from list(self._families)

    def _of_rounds(self, done: Round) -> Iterator[Metric]:
        total = CounterMetricFamily("plimsoll_audit_rounds", "Rounds by outcome", labels=["outcome"])
        for outcome in _OUTCOMES:
            total.add_metric([outcome], self._rounds[outcome])
        yield total
        yield _gauge("failed_rounds", "Rounds in a row, up to the last, that could not be made", done.failures)
        yield _gauge("duration_seconds", "How long the last round took", done.seconds)
        if self._ok is not None:
            yield _gauge("ok", "1: nothing is wrong that nobody has acknowledged; 0: something is", self._ok)
        if self._completed:
            what = "When the last round began that came to its end, Unix time"
            yield _gauge("last_completed_timestamp_seconds", what, self._completed)
        if self._success:
            what = "When the last round began that found everything right, Unix time"
            yield _gauge("last_success_timestamp_seconds", what, self._success)


def _of_findings(done: Round) -> Iterator[Metric]:
    counts = Counter((known.finding.member, _shown(known.finding.reason)) for known in done.open)
    family = GaugeMetricFamily(
        "plimsoll_audit_findings", "Findings that nobody has acknowledged", labels=["member", "reason"]
    )
    for (member, reason), count in sorted(counts.items()):
        family.add_metric([member, reason], count)
    yield family


def _of_logs(done: Round) -> Iterator[Metric]:
    logs = [] if done.facts is None else done.facts["logs"]
    now = done.began
    yield _by_log("verified_entries", "Entries verified so far", ((log["origin"], log["size"]) for log in logs))
    yield _by_log(
        "head_age_seconds",
        "Seconds since the log's author last spoke",
        ((log["origin"], max(0, now - log["heartbeat"])) for log in logs if log["heartbeat"] is not None),
    )
    yield _by_log(
        "unwitnessed_entries",
        "Entries beyond the largest head that enough members have cosigned",
        ((log["origin"], _unwitnessed(log)) for log in logs if log["ended"] is None),
    )


def _of_members(done: Round) -> Iterator[Metric]:
    silent = {} if done.facts is None else done.facts["silent"]
    unchecked = [] if done.facts is None else done.facts["unchecked"]
    yield _gauge("silent_members", "Members that did not answer in the last round", len(silent))
    yield _gauge("unchecked", "Things that could not be checked in the last round", len(unchecked))


def _unwitnessed(log: dict[str, object]) -> int:
    size, witnessed = log["size"], log["witnessed"]
    assert isinstance(size, int)
    return max(0, size - (witnessed["size"] if isinstance(witnessed, dict) else 0))


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"plimsoll_audit_{name}", what, value=value)


def _by_log(name: str, what: str, values: Iterable[tuple[str, int]]) -> Metric:
    family = GaugeMetricFamily(f"plimsoll_audit_{name}", what, labels=["log"])
    for origin, value in values:
        family.add_metric([log_name(origin)], value)
    return family


def _shown(reason: str) -> str:
    """As a label: what no protocol has said is no name of a series."""
    return reason if _REASON.fullmatch(reason) else "OTHER"
