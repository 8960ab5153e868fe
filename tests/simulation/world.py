"""A whole consortium in one process, in virtual time: a plan is carried out, everything is healed, all must be well."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

import structlog
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.chain.chain import Chain
from ledger.consortium.manifest import Manifest, parse_manifest
from ledger.crypto import dlog
from ledger.errors import PlimsollError
from ledger.positions.bands import Bands
from node.upkeep.stores import log_names
from tests.ledger.sample_consortium import CONSENT, POLICY
from tests.lenders import lender, manifest_text
from tests.simulation import machine as machines
from tests.simulation import plan as plans
from tests.simulation import villains
from tests.simulation.disk import Image
from tests.simulation.invariants import Violation, Watch
from tests.simulation.loop import VirtualLoop, run
from tests.simulation.machine import Kinds, Machine, Parts
from tests.simulation.network import Network, Weather
from tests.simulation.plan import Loan, Plan
from tests.simulation.process import Process
from tests.simulation.remembered import remembered
from tests.simulation.trace import Trace
from tests.simulation.truth import Truth

T = TypeVar("T")
Images = Mapping[str, Image | bytes | None]

#: Virtual seconds that healed nodes may take to agree, and that a call may take then.
CONVERGE, CALL = 150.0, 90.0
#: Times a query may be repeated once all is well, and seconds in between.
TRIES, BETWEEN = 4, 6.0
WORLD_POLICY = replace(POLICY, heads_seconds=5, inquiry_seconds=10, gossip_seconds=2, heartbeat_seconds=5)


@contextmanager
def quiet(trace: Trace) -> Iterator[None]:
    """What nodes log goes into the trace."""
    before = structlog.get_config()
    structlog.configure(processors=[trace.hear], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


@cache
def table() -> dlog.Table:
    """Discrete logarithms below 2^12."""
    return dlog.Table(bytes(dlog.build(12)))


@cache
def manifest(members: int) -> Manifest:
    """With short tolerances, so that little virtual time shows much."""
    return parse_manifest(manifest_text(members, policy=WORLD_POLICY))


@dataclass(frozen=True)
class Outcome:
    """How a world went."""

    plan: Plan
    violations: tuple[str, ...]
    digest: str
    tail: tuple[str, ...]
    counts: Mapping[str, int]
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.violations


class World:
    """One run of a plan. kinds: what honest nodes are made of."""

    def __init__(self, plan: Plan, kinds: Kinds | None = None, images: Mapping[str, Images] | None = None) -> None:
        self.plan = plan
        self.rng = random.Random(f"world {plan.seed}")
        self.counts: Counter[str] = Counter()
        self.manifest = manifest(plan.members)
        self.loop = VirtualLoop(self._pace)
        self.trace = Trace(self.loop.time)
        keyrings = {f"lender-{n}": lender(n).keyring for n in range(1, plan.members + 1)}
        policy = self.manifest.policy
        bands = Bands.from_major(policy.bands, policy.overdue_bands, self.manifest.minor_per_major)
        truth = Truth(self.manifest.consortium, keyrings, bands)
        self.watch = Watch(self.manifest, truth, frozenset({plan.culprit} if plan.culprit else ()))
        self.watch.on_violation = self._stop
        self.network = Network(random.Random(f"network {plan.seed}"), self.trace, self.watch.raised)
        self.network.listeners.append(self._answered)
        setting = machines.Setting(self.loop, self.network, self.manifest, table())
        self.machines: dict[str, Machine] = {}
        for member, keyring in keyrings.items():
            rng = random.Random(f"{member} {plan.seed}")
            self.machines[member] = self.prepared(Machine(setting, member, keyring, rng, (images or {}).get(member)))
            if kinds is not None and member != plan.culprit:
                self.machines[member].kinds = kinds
        self.loans: dict[str, tuple[Loan, ...]] = dict.fromkeys(self.machines, ())
        self._backups: dict[str, Images] = {}
        self._feeding: dict[str, asyncio.Lock] = {member: asyncio.Lock() for member in self.machines}
        self._feeds: Counter[str] = Counter()
        #: A second machine under a member's keys, and what else a villain does.
        self.twins: dict[str, Machine] = {}
        self.mischief: list[Coroutine[Any, Any, None]] = []
        self._main: asyncio.Task[None] | None = None
        self._healed = False
        self._over = False
        if plan.villain:
            self.images = (images or {}).get(plan.culprit)
            villains.KINDS[plan.villain](self, self.machines[plan.culprit])

    def prepared(self, machine: Machine) -> Machine:
        machine.on_start = self._started
        machine.on_down = self._went_down
        machine.on_background = lambda machine, error: self.watch.raised(f"{machine.member}'s background", error)
        return machine

    @property
    def honest(self) -> list[Machine]:
        return [machine for member, machine in self.machines.items() if member != self.plan.culprit]

    # -- running

    def run(self) -> Outcome:
        """The plan to its end, or to the first violation."""
        self.loop.set_exception_handler(self._unhandled)
        with quiet(self.trace), suppress(asyncio.CancelledError):
            run(self.loop, self._whole())
        counts = self.counts | Counter(messages=self.network.messages, checks=self.watch.checks)
        return Outcome(
            self.plan,
            tuple(self.watch.violations),
            self.trace.digest,
            tuple(self.trace.tail()),
            dict(counts),
            self.loop.now,
        )

    async def _whole(self) -> None:
        self._main = asyncio.current_task()
        try:
            await self._play()
        except Violation as error:
            self.watch.broken(str(error))
        finally:
            self._main, self._over = None, True
            for machine in (*self.machines.values(), *self.twins.values()):
                if machine.node is not None:
                    machine.crash()

    def _stop(self) -> None:
        self.trace.say("world", "VIOLATION", self.watch.violations[0])
        if self._main is not None:
            self.loop.call_soon(self._main.cancel)

    def _unhandled(self, loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, PlimsollError):
            self.watch.raised(context.get("message", "a task"), error)

    async def _play(self) -> None:
        for member in self.machines:
            self._start(self.machines[member])
        for twin in self.twins.values():
            twin.start()
        ticking = asyncio.create_task(self._tick())
        mischief = [asyncio.create_task(work) for work in self.mischief]
        under_way = [asyncio.create_task(self._at(event)) for event in self.plan.events]
        await asyncio.sleep(self.plan.seconds)
        for each in mischief:
            each.cancel()
        self._heal()
        await self._all_well(under_way)
        ticking.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for machine in self.honest:
                if machine.node is not None:
                    self.watch.check_keys(machine, machine.node)
                    self.watch.accused(machine, machine.node)
            if self.plan.villain == "hoarder" and not self._healed:
                self.watch.check_witnessed(self.honest, self.plan.culprit, self.loop.now)

    async def _at(self, event: plans.Event) -> None:
        await asyncio.sleep(event.at)
        self.counts[type(event).__name__] += 1
        action: Callable[[Any], Coroutine[Any, Any, None]] = getattr(self, f"_{type(event).__name__.lower()}")
        await action(event)

    # -- what happens

    def _pace(self, process: Process | None) -> float:
        mean = 0.0003 if process is None else self.machines[process.member].pace
        return mean * self.rng.expovariate(1.0)

    def _start(self, machine: Machine) -> None:
        if machine.up:
            return
        if machine.start():
            self.trace.say(machine.member, "starts", machine.starts)
        else:
            self.trace.say(machine.member, "cannot start")
            self.loop.call_later(1.0, self._start, machine)

    def _started(self, machine: Machine, parts: Parts) -> None:
        if machine.member == self.plan.culprit:
            return
        self.watch.started(machine, parts)
        append = parts.assembly.committer.append

        async def watched(entries: Any) -> int:
            index = await append(entries)
            self.watch.acknowledged(machine, index, entries)
            self.trace.say(machine.member, "has appended", index, len(entries))
            return index

        parts.assembly.committer.append = watched  # type: ignore[method-assign]

    def _went_down(self, machine: Machine) -> None:
        self.counts["crashes"] += 1
        self.trace.say(machine.member, "crashes")
        if not self._healed or self._over:  # somebody else starts it, or the world ends
            return
        self.loop.call_later(1.0, self._start, machine)

    def _answered(self, caller: str, callee: str, method: str, request: bytes, answer: bytes) -> None:
        if callee != self.plan.culprit:
            self.watch.answered(self.machines[callee], caller, method, request, answer)

    async def _crash(self, event: plans.Crash) -> None:
        await self._down(self.machines[event.member], event.down)

    async def _down(self, machine: Machine, seconds: float) -> None:
        machine.crash()
        await asyncio.sleep(seconds)
        self._start(machine)

    async def _cut(self, event: plans.Cut) -> None:
        machine = self.machines[event.member]
        machine.faults.cut_after = event.writes
        starts = machine.starts
        while machine.up and machine.starts == starts and not self._healed:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        await asyncio.sleep(event.down)
        self._start(machine)

    async def _partition(self, event: plans.Partition) -> None:
        others = self.machines.keys() - set(event.members)
        cut = {(inside, outside) for inside in event.members for outside in others}
        if not event.one_way:
            cut |= {(outside, inside) for inside, outside in cut}
        self.network.weather.cut |= cut
        self.trace.say("world", "partition", *event.members)
        await asyncio.sleep(event.seconds)
        self.network.weather.cut -= cut
        self.trace.say("world", "partition ends", *event.members)

    async def _storm(self, event: plans.Storm) -> None:
        weather = self.network.weather
        weather.loss, weather.twice, weather.delay = event.loss, event.twice, event.delay
        self.trace.say("world", "storm", event.loss, event.twice, event.delay)
        await asyncio.sleep(event.seconds)
        weather.loss, weather.twice, weather.delay = 0.0, 0.0, Weather.delay

    async def _slowdisk(self, event: plans.SlowDisk) -> None:
        machine = self.machines[event.member]
        machine.pace, usual = event.pace, machine.pace
        await asyncio.sleep(event.seconds)
        machine.pace = usual

    async def _baddisk(self, event: plans.BadDisk) -> None:
        faults = self.machines[event.member].faults
        faults.error_rate = event.rate
        await asyncio.sleep(event.seconds)
        faults.error_rate = 0.0

    async def _skew(self, event: plans.Skew) -> None:
        self.machines[event.member].clock.skew = event.skew
        self.trace.say(event.member, "clock is off by", event.skew)

    async def _backup(self, event: plans.Backup) -> None:
        self._backups[event.member] = self.machines[event.member].images()

    async def _rewind(self, event: plans.Rewind) -> None:
        """Only where the others hold enough of its log for the guard to find out (design section 4)."""
        machine = self.machines[event.member]
        if not self._known_elsewhere(machine):
            return
        machine.crash()
        image = {} if event.empty else dict(self._backups.get(event.member, {}))
        machine.restore(image)
        self.watch.forget(machine)
        self.trace.say(event.member, "is back with its disk of before")
        self.counts["rewinds"] += 1
        await asyncio.sleep(event.down)
        self._start(machine)

    def _known_elsewhere(self, machine: Machine) -> bool:
        """Whether any majority of the others that speaks has one among it that holds all of this log."""
        if machine.node is None:
            return False
        own, others = machine.node.own, [each for each in self.machines.values() if each is not machine]
        holding = sum(
            each.node is not None and each.node.chain.log(machine.member).covered >= own.size
            for each in others
            if each.member != self.plan.culprit
        )
        return holding + len(others) // 2 + 1 > len(others)

    async def _report(self, event: plans.Report) -> None:
        self.loans[event.member] = event.loans
        await self.report(self.machines[event.member])
        if event.member in self.twins:
            await self.report(self.twins[event.member])

    async def _ask(self, event: plans.Ask) -> None:
        await self.ask(self.machines[event.member], event.borrower)

    # -- a lender's own system

    async def call(self, machine: Machine, work: Callable[[Parts], Coroutine[Any, Any, T]]) -> T | PlimsollError | None:
        """A call on a node: its answer, its refusal, or None where it is down or goes down."""
        if machine.node is None:
            return None
        task = machine.node.process.start(work(machine.node))
        await asyncio.wait([task])
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            answer: T = task.result()
            return answer
        if not isinstance(error, PlimsollError):
            self.watch.raised(f"a call on {machine.member}", error)
            return None
        return error

    async def report(self, machine: Machine) -> lender_pb2.ReportSummary | None:
        """Sends the lender's whole feed; the summary where it was taken."""
        async with self._feeding[machine.member]:
            loans = self.loans[machine.member]
            outcome = await self.call(machine, lambda parts: _summary(parts, _feed(loans, self._day(machine.member))))
            if isinstance(outcome, lender_pb2.ReportSummary):
                self.counts["reports taken"] += 1
                self.trace.say(machine.member, "feed taken", outcome.published, outcome.log_size)
                if machine.member != self.plan.culprit:
                    self._check_taken(machine, outcome, loans)
                return outcome
            self._note(machine, "feed", outcome)
            return None

    def _day(self, member: str) -> int:
        """Of this feed: each is of a later day than the one before."""
        self._feeds[member] += 1
        return machines.START // 86_400 - 300 + self._feeds[member]

    def _check_taken(self, machine: Machine, summary: lender_pb2.ReportSummary, loans: Iterable[Loan]) -> None:
        """What a feed says that was taken is published."""
        if summary.rejected:
            self.watch.broken(f"{machine.member} rejected {summary.rejections}")
        node = machine.node
        if node is None:
            return
        self.watch.committed(machine, node.own)
        told = {one.borrower: one for one in self.watch.told[machine.member] if one is not None}
        for borrower in {loan.borrower for loan in loans}:
            running = [loan for loan in loans if loan.borrower == borrower and loan.open]
            expected = tuple(sum(getattr(loan, name) for loan in running) for name in _SUMMED) if running else ()
            said = told.get(borrower)
            if (() if said is None else said.amounts[:3]) != expected:
                self.watch.broken(f"{machine.member} took a feed whose {borrower} is {expected}, and published {said}")

    async def ask(self, machine: Machine, borrower: str) -> bool:
        """Asks; whether there was an answer, which then is checked."""
        request = lender_pb2.ExposureRequest(
            borrower=borrower, purpose=entry_pb2.PURPOSE_PRE_LOAN, consent_digest=CONSENT
        )
        outcome = await self.call(machine, lambda parts: parts.assembly.asking.exposure(request))
        if isinstance(outcome, lender_pb2.ExposureResponse):
            self.counts["answers"] += 1
            self.counts["answers with amounts"] += outcome.HasField("amounts")
            self.trace.say(machine.member, "was told of", borrower, outcome.lenders, outcome.withheld)
            if machine.member != self.plan.culprit:
                self.watch.asked(machine, borrower, outcome)
            return True
        self._note(machine, f"question about {borrower}", outcome)
        return False

    def _note(self, machine: Machine, what: str, outcome: object) -> None:
        reason = outcome.reason if isinstance(outcome, PlimsollError) else "CRASHED"
        self.counts[f"refused {reason}"] += 1
        self.trace.say(machine.member, what, "failed:", reason, str(outcome))

    # -- the end

    def _heal(self) -> None:
        self._healed = True
        self.trace.say("world", "all is healed")
        self.network.weather.__init__()  # type: ignore[misc]
        for machine in self.machines.values():
            machine.faults.error_rate, machine.faults.cut_after = 0.0, None
            machine.clock.skew, machine.pace = 0.0, 0.0003
            self._start(machine)

    async def _all_well(self, under_way: list[asyncio.Task[None]]) -> None:
        _, late = await asyncio.wait(under_way, timeout=CALL) if under_way else ((), ())
        if late:
            raise Violation(f"{len(late)} calls do not return")
        for task in under_way:
            task.result()
        await self._converge()
        for machine in self.honest:
            await self._final_feed(machine)
        await self._converge()
        if self._accused():  # who holds another history than the witnessed one is told to restart
            for machine in self.honest:
                machine.crash()
            await asyncio.sleep(2.0)
            await self._converge()
        for machine in self.honest:
            await self._final_question(machine)
        await self._converge()
        self._check_disks()

    async def _converge(self) -> None:
        """Until all honest nodes hold the same of every log that has one history."""
        end = self.loop.now + CONVERGE
        while (apart := self._apart()) and self.loop.now < end:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        if apart:
            raise Violation(f"healed nodes do not agree: {apart}")
        for member in self.watch.forked - self._accused():
            raise Violation(f"{member} has signed two histories, and nobody has noticed")
        if self.plan.villain == "hoarder":
            self.watch.check_witnessed(self.honest, self.plan.culprit, self.plan.seconds)
        self.counts["seconds to agree"] += round(self.loop.now - (end - CONVERGE))

    def _accused(self) -> set[str]:
        """Members that some honest node knows to have forked their log."""
        problems = [machine.node.gossip.problems for machine in self.honest if machine.node is not None]
        return {origin.rsplit("/", 1)[1] for each in problems for origin in each}

    def _apart(self) -> str:
        accused = self._accused()
        for member in accused:
            origin = self.manifest.origin(member)
            unaware = [m.member for m in self.honest if m.node is None or origin not in m.node.gossip.problems]
            if unaware:
                return f"{unaware} do not know of {member}'s fork"
        for member in sorted(self.machines.keys() - self.watch.forked - accused):
            sizes = {
                machine.member: -1 if machine.node is None else machine.node.chain.log(member).covered
                for machine in self.honest
            }
            if len(set(sizes.values())) > 1 or -1 in sizes.values():
                return f"{member}'s log is {sizes}"
        for machine in self.honest:
            if machine.node is None or machine.node.custody.keys is None or not machine.node.custody.holds_shares:
                return f"{machine.member} has no keys"
        return ""

    async def _final_feed(self, machine: Machine) -> None:
        """All is taken; and taken again it says nothing new."""
        for again in (False, True):
            summary = None
            for _ in range(TRIES):
                summary = await asyncio.wait_for(self.report(machine), CALL)
                if summary is not None:
                    break
                await asyncio.sleep(BETWEEN)
            if summary is None:
                raise Violation(f"{machine.member} takes no feed though all is well")
            if again and summary.published:
                raise Violation(f"{machine.member} published the same twice")

    async def _final_question(self, machine: Machine) -> None:
        borrower = self.rng.choice(
            sorted({loan.borrower for loans in self.loans.values() for loan in loans} or {"test:b1"})
        )
        for _ in range(TRIES):
            if await asyncio.wait_for(self.ask(machine, borrower), CALL):
                return
            await asyncio.sleep(BETWEEN)
        raise Violation(f"{machine.member} gets no answer though all is well")

    def _check_disks(self) -> None:
        self._over = True
        for machine in self.honest:
            machine.crash()
            chain = Chain(machine.chain_disk.raw, log_names(self.manifest))
            for log in chain.logs():
                try:
                    chain.verify(log.origin)
                except PlimsollError as error:
                    self.watch.broken(f"{machine.member}'s disk: {log.member}: {error}")


_SUMMED = ("outstanding", "monthly_due", "credit_limit")


async def _summary(parts: Parts, rows: list[lender_pb2.FeedRow]) -> lender_pb2.ReportSummary:
    async def requests() -> AsyncIterator[lender_pb2.ReportRequest]:
        yield lender_pb2.ReportRequest(strict=False, rows=rows)

    summary = lender_pb2.ReportSummary()
    async for response in parts.assembly.reporting.report(requests()):
        if response.HasField("summary"):
            summary = response.summary
    return summary


def _feed(loans: Iterable[Loan], day: int) -> list[lender_pb2.FeedRow]:
    from datetime import date, timedelta

    as_of = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    return [
        lender_pb2.FeedRow(
            line=line,
            borrower=loan.borrower,
            loan_id=loan.loan_id,
            product="card",
            currency="CNY",
            credit_limit=loan.credit_limit,
            outstanding=loan.outstanding,
            monthly_due=loan.monthly_due,
            overdue=loan.overdue,
            days_past_due=30 if loan.overdue else 0,
            classification=loan.classification,
            status="open" if loan.open else "closed",
            as_of=as_of,
        )
        for line, loan in enumerate(loans, 2)
    ]


@cache
def after_ceremony(members: int) -> Mapping[str, Images]:
    """What lies on the disks of so many members once the keys are final: where most worlds begin."""
    world = World(Plan(seed=0, members=members, seconds=0.0, ceremony=True))

    async def until_final() -> None:
        for machine in world.machines.values():
            machine.start()
        while (apart := world._apart()) and world.loop.now < 300.0:  # noqa: ASYNC110
            await asyncio.sleep(1.0)
        if apart:
            raise Violation(f"no keys: {apart}")
        for machine in world.machines.values():
            machine.crash()

    with quiet(world.trace):
        run(world.loop, until_final())
    return {member: machine.images() for member, machine in world.machines.items()}


def play(plan: Plan, kinds: Kinds | None = None) -> Outcome:
    """One plan."""
    with remembered():
        images = None if plan.ceremony else after_ceremony(plan.members)
        return World(plan, kinds, images).run()
