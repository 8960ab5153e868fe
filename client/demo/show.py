"""The demo from beginning to end: from nothing to the answer that no lender could give alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plimsoll.v1 import lender_pb2, operator_pb2

from client.credentials import endpoint_from_home
from client.demo import feeds, founding
from client.demo.feeds import Alone
from client.demo.founding import Lender
from client.demo.ports import free_ports
from client.demo.processes import Nodes
from client.demo.steps import Advance, Steps
from client.feeding import Feeding
from client.portfolio import Portfolio, write_portfolio
from client.sdk import Session
from ledger.consortium.caller import Role
from ledger.errors import Unavailable, Unready
from ledger.queries.inquiry import purpose_number

PURPOSE = "pre-loan"
#: Seconds until the last node answers; the first start on a machine builds a table of half a minute.
START_SECONDS = 180.0
CEREMONY_SECONDS = 120.0
GOSSIP_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show. folder: absolute. given: the feeds of lender-1 .., None to have them made up."""

    folder: Path
    lenders: int
    borrowers: int
    given: Sequence[Path] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The feeds, and the borrower to ask about. monthly_income: minor units, None where nobody told it."""

    feeds: Sequence[Path]
    borrower: str
    currency: str
    monthly_income: int | None
    minor_per_major: int = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. summaries: of the feeds, by member. consent_digest: of the question, 32 bytes."""

    lenders: Sequence[Lender]
    case: Case
    summaries: Mapping[str, lender_pb2.ReportSummary]
    alone: Sequence[Alone]
    together: lender_pb2.ExposureResponse
    consent_digest: bytes

    @property
    def query(self) -> list[str]:
        """The command that asks again."""
        return [
            *("plimsoll", "--home", str(self.lenders[0].home), "exposure", self.case.borrower),
            *("--purpose", PURPOSE, "--consent-digest", self.consent_digest.hex()),
        ]


def run(plan: Plan, nodes: Nodes, steps: Steps) -> Outcome:
    """All steps. The nodes go on running. Raises PlimsollError, OSError."""
    members = founding.lenders(plan.folder, free_ports(plan.lenders))
    with steps.step("feeds", f"Loan feeds of {plan.lenders} lenders"):
        case = _case(plan)
    with steps.step("keys", "Every lender makes its keys and its card") as advance:
        _count(founding.make_homes(members), len(members), advance)
    with steps.step("founding", "They agree on a manifest, sign and adopt it") as advance:
        _found(members, plan.folder / "manifest.note", case.currency, advance)
    with ExitStack() as sessions:
        with steps.step("start", "Every lender starts its node") as advance:
            for lender in members:
                nodes.start(lender.member, lender.home)
            operators = sessions.enter_context(_sessions(members, "operator"))
            everybody = sessions.enter_context(_sessions(members, "lender"))
            _wait(nodes, operators, lambda _: True, START_SECONDS, advance, "answers")
        with steps.step("ceremony", "The nodes make keys that no one of them holds") as advance:
            _wait(nodes, operators, _has_keys, CEREMONY_SECONDS, advance, "has keys")
        with steps.step("reports", "Every lender reports its loans, encrypted") as advance:
            summaries = _report(nodes, everybody, case.feeds, advance)
        with steps.step("gossip", "The nodes replicate and verify each other's logs") as advance:
            _replicate(nodes, operators, advance)
        with steps.step("query", f"lender-1 asks how loaded {case.borrower} is"):
            consent_digest = os.urandom(32)
            asker = everybody[members[0].member]
            together = asker.exposure(case.borrower, purpose_number(PURPOSE), consent_digest)
    own = feeds.alone(case.borrower, case.feeds)
    return Outcome(members, case, summaries, own, together, consent_digest)


def _case(plan: Plan) -> Case:
    if plan.given is not None:
        return Case(plan.given, feeds.most_shared(plan.given), feeds.currency_of(plan.given[0]), None)
    portfolio = Portfolio(plan.lenders, plan.borrowers, datetime.now(UTC).date())
    borrower = write_portfolio(portfolio, plan.folder)
    files = [feeds.feed_file(plan.folder, k) for k in range(1, plan.lenders + 1)]
    income = borrower.monthly_income
    return Case(files, borrower.borrower, portfolio.currency, income, portfolio.minor_per_major)


def _found(members: Sequence[Lender], manifest: Path, currency: str, advance: Advance) -> None:
    founding.found(members, manifest, currency)
    for done in founding.sign(members, manifest):
        advance(done, 2 * len(members))
    for done in founding.adopt(members, manifest):
        advance(len(members) + done, 2 * len(members))


def _count(done: Iterator[int], total: int, advance: Advance) -> None:
    for each in done:
        advance(each, total)


@contextmanager
def _sessions(members: Sequence[Lender], role: Role) -> Iterator[dict[str, Session]]:
    """By member: a session with its node. The keys are opened side by side, as that is made to take time."""

    def endpoint(lender: Lender) -> Session:
        file = str(lender.passphrase_file)
        return Session(endpoint_from_home(lender.home, role, passphrase_file=file))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        opened = dict(zip((lender.member for lender in members), threads.map(endpoint, members), strict=True))
    try:
        yield opened
    finally:
        for session in opened.values():
            session.close()


def _wait(
    nodes: Nodes,
    sessions: Mapping[str, Session],
    ready: Callable[[operator_pb2.StatusResponse], bool],
    seconds: float,
    advance: Advance,
    what: str,
) -> None:
    """Until every node says it is ready. Raises Unavailable where one ends, Unready where it takes too long."""
    deadline = time.monotonic() + seconds
    waiting = dict(sessions)
    while waiting:
        for member, session in list(waiting.items()):
            nodes.check()
            status = _status(session)
            if status is not None and ready(status):
                del waiting[member]
        advance(len(sessions) - len(waiting), len(sessions))
        _pause(deadline, f"not every node {what} after {seconds:.0f} s: {', '.join(waiting)}", over=not waiting)


def _status(session: Session) -> operator_pb2.StatusResponse | None:
    try:
        return session.status(timeout=2.0)
    except Unavailable:
        return None


def _has_keys(status: operator_pb2.StatusResponse) -> bool:
    return status.keys.phase == "final" and (status.keys.holds_shares or not status.keys.custodian)


def _pause(deadline: float, message: str, *, over: bool) -> None:
    if over:
        return
    if time.monotonic() > deadline:
        raise Unready("TOO_SLOW", message)
    time.sleep(_POLL_SECONDS)


def _report(
    nodes: Nodes, sessions: Mapping[str, Session], files: Sequence[Path], advance: Advance
) -> dict[str, lender_pb2.ReportSummary]:
    """All feeds at once; the summaries by member."""
    progress: dict[str, tuple[int, int]] = {}

    def send(member: str, session: Session, file: Path) -> lender_pb2.ReportSummary:
        with file.open("rb") as stream:
            feeding = Feeding(stream, strict=False)
            for response in feeding.send(session):
                if response.phase == "encrypting":
                    progress[member] = response.done, response.total
            return feeding.summary

    with ThreadPoolExecutor(len(sessions)) as threads:
        running = {
            member: threads.submit(send, member, session, file)
            for (member, session), file in zip(sessions.items(), files, strict=True)
        }
        try:
            while _is_unfinished(running.values()):
                nodes.check()
                done, total = map(sum, zip(*progress.values(), strict=True)) if progress else (0, 0)
                advance(done, total)
            return {member: future.result() for member, future in running.items()}
        except BaseException:
            for session in sessions.values():
                session.close()  # the threads' calls end with it
            raise


def _is_unfinished(futures: Iterable[Future[lender_pb2.ReportSummary]]) -> bool:
    done, unfinished = wait(list(futures), _POLL_SECONDS, FIRST_EXCEPTION)
    return bool(unfinished) and not any(future.exception() for future in done)


def _replicate(nodes: Nodes, sessions: Mapping[str, Session], advance: Advance) -> None:
    """Until all replicas of every log have the root of its author's own."""
    deadline = time.monotonic() + GOSSIP_SECONDS
    while True:
        nodes.check()
        told = {member: status for member, session in sessions.items() if (status := _status(session)) is not None}
        own = {member: log.root for member, status in told.items() for log in status.logs if log.member == member}
        equal = sum(log.root == own.get(log.member) for status in told.values() for log in status.logs)
        total = len(sessions) ** 2
        advance(equal, total)
        if equal == total:
            return
        _pause(deadline, f"the replicas are not the same after {GOSSIP_SECONDS:.0f} s", over=False)
