"""Days of watching, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from client.audit.keeping import memory
from client.audit.keeping.keeping import Keeping
from client.audit.keeping.memory import LogState, Memory
from client.audit.report import Finding, LogReport, Report
from client.audit.watching.lines import round_line
from client.audit.watching.metrics import Metrics
from client.audit.watching.watch import LONGEST, Clock, Round, Watch
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unavailable, Unverified
from ledger.tlog.checkpoint import Head

CONSORTIUM = bytes(range(32))
FORKED = Finding("lender-2", None, "FORK", "lender-2 has two histories")
AWAY = Unavailable("UNREACHABLE", "the node does not answer")
START = 1_795_000_000


@dataclass
class World:
    """What the audits will come to, one after the other: findings, or an error. The clock moves by waiting and by
    auditing, which takes two seconds."""

    outcomes: list[list[Finding] | PlimsollError]
    state: Path | None = None
    now: float = START
    waited: list[float] = field(default_factory=list)
    lasts: list[Memory | None] = field(default_factory=list)
    change: Callable[[Report], object] = lambda report: None
    keeping: Keeping = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.keeping = Keeping(self.state, Path.write_bytes)
        self.watch = Watch(self.audit, self.keeping, CONSORTIUM, "lender-1", Clock(lambda: self.now, lambda: self.now))

    def audit(self, last: Memory | None) -> tuple[Report, Memory]:
        self.lasts.append(last)
        self.now += 2
        outcome = self.outcomes[min(len(self.lasts), len(self.outcomes)) - 1]
        if isinstance(outcome, PlimsollError):
            raise outcome
        size = 10 * len(self.lasts)
        log = LogReport("lender-2", Head("plimsoll/ab/lender-2", size, bytes(32)), heartbeat=int(self.now) - 5)
        report = Report("lender-1", CONSORTIUM, "Tests", logs=[log], findings=list(outcome))
        self.change(report)
        return report, Memory(CONSORTIUM, {log.head.origin: LogState(log.head)})

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds

    def rounds(self, count: int) -> Iterator[Round]:
        return islice(self.watch.rounds(60, self.wait), count)


def outcomes(world: World, count: int) -> list[str]:
    return [done.outcome for done in world.rounds(count)]


def test_each_round_goes_on_from_what_the_last_saw() -> None:
    world = World([[]])
    assert outcomes(world, 3) == ["ok"] * 3
    assert [last and last.heads["plimsoll/ab/lender-2"].size for last in world.lasts] == [None, 10, 20]
    assert world.waited == [60, 60]


def test_a_watch_that_was_killed_goes_on_where_it_was(tmp_path) -> None:
    first = World([[], [FORKED]], tmp_path / "state")
    assert outcomes(first, 2) == ["ok", "bad"]
    second, kept = World([[]], tmp_path / "state"), memory.parse((tmp_path / "state").read_bytes())
    (done,) = second.rounds(1)
    assert second.lasts == [kept]
    assert (done.outcome, [known.finding for known in done.open]) == ("bad", [FORKED])


def test_one_killed_before_it_kept_what_it_saw_finds_the_same_again(tmp_path) -> None:
    world = World([[FORKED]], tmp_path / "state")
    world.keeping.remember = lambda seen: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        list(world.rounds(1))
    again = World([[FORKED]], tmp_path / "state")
    (done,) = again.rounds(1)
    assert again.lasts == [None]
    assert [known.first for known in done.open] == [START]


def test_nothing_that_ails_others_ends_a_watch() -> None:
    errors = [AWAY, Refused("EXPIRED_CERTIFICATE", "no"), Exhausted("TOO_MANY", "no"), InvalidInput("BAD_X", "no")]
    world = World([*errors, []])
    assert outcomes(world, 5) == ["away"] * 4 + ["ok"]


def test_a_node_that_is_away_is_tried_ever_more_rarely_and_at_once_again_when_it_is_back() -> None:
    world = World([*[AWAY] * 7, [], AWAY])
    rounds = list(world.rounds(9))
    assert [done.pause for done in rounds] == [60, 120, 240, 480, LONGEST, LONGEST, LONGEST, 60, 60]
    assert [done.failures for done in rounds] == [*range(1, 8), 0, 1]


def test_where_rounds_are_far_apart_a_node_that_is_away_is_not_asked_more_often() -> None:
    world = World([AWAY])
    rounds = islice(world.watch.rounds(7200, world.wait), 3)
    assert [done.pause for done in rounds] == [7200] * 3


def test_the_last_verdict_stands_while_a_node_is_away() -> None:
    world = World([AWAY, [], AWAY, [FORKED], AWAY])
    verdicts = []
    for _ in world.rounds(5):
        verdicts.append(world.watch.verdict)  # noqa: PERF401 -- it changes meanwhile
    assert verdicts == ["", "ok", "ok", "bad", "bad"]


def test_manifests_that_cannot_be_are_their_nodes_finding_and_stay() -> None:
    world = World([Unverified("BAD_SIGNATURE", "the node's manifests: no"), []])
    first, second = world.rounds(2)
    assert (first.outcome, second.outcome) == ("bad", "bad")
    assert [(known.finding.member, known.finding.reason) for known in second.open] == [("lender-1", "BAD_SIGNATURE")]
    world.keeping.acknowledge(None, START)
    assert outcomes(world, 1) == ["ok"]


@pytest.mark.parametrize("left", ["silent", "unchecked"])
def test_a_round_that_could_not_see_everything_forgets_nothing_that_was_acknowledged(left) -> None:
    def change(report: Report) -> None:
        if left == "silent":
            report.silent["lender-2"] = "gone"
        else:
            report.unchecked.append(Finding("lender-2", 0, "TIMEOUT", "no answer in time"))

    world = World([[FORKED], [], [FORKED]])
    list(world.rounds(1))
    world.keeping.acknowledge(None, START)
    world.change = change
    list(world.rounds(1))
    world.change = lambda report: None
    assert outcomes(world, 1) == ["ok"]


def test_what_is_acknowledged_meanwhile_is_taken_note_of(tmp_path) -> None:
    world = World([[FORKED]], tmp_path / "state")
    assert outcomes(world, 1) == ["bad"]
    Keeping(tmp_path / "state", Path.write_bytes).acknowledge(None, START)
    assert outcomes(world, 1) == ["ok"]


# -- a line a round


def test_a_round_is_one_line_whatever_a_node_says() -> None:
    world = World([[Finding("lender-2", 3, "FORK", "a\nb\x1b[2J")] * 9, Unavailable("X", "c\nd")])
    lines = list(map(round_line, world.rounds(2)))
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith("2026-11-18 11:06:40Z bad: 10 entries of 1 logs, 10 of them new, in 2.0 s; 1 not")
    assert "away: c d [X]; again in 1 min; 1 not acknowledged: lender-2, entry 3: a b [2J [FORK, " in lines[1]


def test_a_line_names_the_first_of_many_findings_who_was_silent_and_what_was_left() -> None:
    def change(report: Report) -> None:
        report.silent["lender-3"] = "gone"
        report.unchecked.append(Finding("lender-4", 1, "NO_HEADS", "nobody shows these heads"))
        report.remarks.append(Finding("lender-4", 1, "STALE", "it is stale"))

    found = [Finding("lender-2", index, "BAD_PROOF", "no") for index in range(1500)]
    (done,) = World([found], change=change).rounds(1)
    line = round_line(done)
    assert "no answer from lender-3" in line
    assert "1 not checked, first: nobody shows these heads" in line
    assert "1 remarks, first: it is stale" in line
    assert "1,500 not acknowledged: lender-2, entry 0: no [BAD_PROOF" in line
    assert line.endswith("; and 1,497 more")


# -- metrics


def scraped(*rounds: Round) -> dict[str, float]:
    """By name and labels: what Prometheus reads."""
    metrics, registry = Metrics(), CollectorRegistry()
    registry.register(metrics)
    for done in rounds:
        metrics.take(done)
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_before_the_first_round_nothing_is_claimed() -> None:
    assert scraped() == {}


def test_a_round_that_finds_everything_right_is_told() -> None:
    values = scraped(*World([[]]).rounds(2))
    assert values == {
        "plimsoll_audit_ok": 1,
        'plimsoll_audit_rounds_total{outcome="ok"}': 2,
        'plimsoll_audit_rounds_total{outcome="incomplete"}': 0,
        'plimsoll_audit_rounds_total{outcome="bad"}': 0,
        'plimsoll_audit_rounds_total{outcome="away"}': 0,
        "plimsoll_audit_failed_rounds": 0,
        "plimsoll_audit_duration_seconds": 2,
        "plimsoll_audit_last_completed_timestamp_seconds": START + 62,
        "plimsoll_audit_last_success_timestamp_seconds": START + 62,
        'plimsoll_audit_verified_entries{log="lender-2"}': 20,
        'plimsoll_audit_head_age_seconds{log="lender-2"}': 3,
        'plimsoll_audit_unwitnessed_entries{log="lender-2"}': 20,
        "plimsoll_audit_silent_members": 0,
        "plimsoll_audit_unchecked": 0,
    }


def test_findings_are_counted_by_member_and_reason_until_acknowledged() -> None:
    world = World([[FORKED, Finding("lender-3", 1, "BAD_PROOF", ""), Finding("lender-3", 2, "BAD_PROOF", "")], []])
    rounds = list(world.rounds(2))
    for values in (scraped(rounds[0]), scraped(*rounds)):
        assert values["plimsoll_audit_ok"] == 0
        assert values['plimsoll_audit_findings{member="lender-2",reason="FORK"}'] == 1
        assert values['plimsoll_audit_findings{member="lender-3",reason="BAD_PROOF"}'] == 2
    world.keeping.acknowledge(None, START)
    values = scraped(*rounds, *world.rounds(1))
    assert values["plimsoll_audit_ok"] == 1
    assert not [name for name in values if name.startswith("plimsoll_audit_findings{")]


def test_while_a_node_is_away_the_last_report_stands_and_the_failures_are_counted() -> None:
    values = scraped(*World([[], AWAY]).rounds(4))
    assert values["plimsoll_audit_failed_rounds"] == 3
    assert values["plimsoll_audit_last_success_timestamp_seconds"] == START
    assert values['plimsoll_audit_verified_entries{log="lender-2"}'] == 10
    assert values["plimsoll_audit_ok"] == 1
    assert "plimsoll_audit_ok" not in scraped(*World([AWAY]).rounds(2))


def test_a_reason_that_a_node_made_up_names_no_series() -> None:
    values = scraped(*World([[Finding('x"\n', None, "no reason\n", "")]]).rounds(1))
    assert values['plimsoll_audit_findings{member="x\\"\\n",reason="OTHER"}'] == 1
