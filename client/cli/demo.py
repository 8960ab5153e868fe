"""plimsoll demo: a consortium on this machine, from its founding to an answer."""

from __future__ import annotations

import shlex
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer

if TYPE_CHECKING:
    from client.demo.processes import Nodes
    from client.demo.show import Outcome, Plan

DEFAULT_LENDERS = 5


def demo(
    context: typer.Context,
    lenders: Annotated[
        int | None,
        typer.Option(min=3, max=20, help="How many lenders.  [default: 5, or as many as there are feeds]"),
    ] = None,
    borrowers: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many borrowers to make up.")] = 100,
    feeds: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the feeds DIR/lender-1.csv .. instead.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Keep homes and feeds here; otherwise they lie in a temporary folder.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the nodes running until Ctrl-C.")] = False,
) -> None:
    """Show a whole consortium on this machine.

    Every lender is a process with its own keys, store and mutual TLS. They make shared keys, report their loans, and
    one of them asks about a borrower whom each of them alone takes for solvent.
    """
    from client.demo.processes import running_nodes
    from client.demo.show import run
    from client.demo.steps import Steps

    settings = settings_of(context)
    with _ends_on_signals(), _place(folder) as place, running_nodes() as nodes:
        steps = Steps(quiet=settings.json)
        started = time.monotonic()
        outcome = run(_plan(place, lenders, borrowers, feeds), nodes, steps)
        steps.seconds["total"] = round(time.monotonic() - started, 3)
        facts = {**_facts(outcome), "dir": str(place), "seconds": steps.seconds}
        answer(facts, lambda: _view(outcome, steps.seconds["total"]), as_json=settings.json)
        if keep:
            if not settings.json:
                # On a line of its own, however long: it is to be copied.
                typer.echo(f"The nodes run until Ctrl-C. Ask from another terminal:\n\n{facts['query']}\n")
            _stay(nodes)


def _plan(place: Path, lenders: int | None, borrowers: int, given: Path | None) -> Plan:
    from client.demo.feeds import find_feeds
    from client.demo.show import Plan

    if given is None:
        return Plan(place, lenders or DEFAULT_LENDERS, borrowers)
    files = find_feeds(given, lenders)
    return Plan(place, len(files), borrowers, files)


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """The folder of homes and feeds, absolute; one that was not asked for goes away at the end."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="plimsoll-demo-") as name:
            yield Path(name)
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--dir {folder} is no folder")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder.resolve()


@contextmanager
def _ends_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does: cleanly."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _stay(nodes: Nodes) -> None:
    """Until somebody ends it, which is no failure; Unavailable where a node ends by itself."""
    try:
        while True:
            nodes.check()
            time.sleep(0.5)
    except (KeyboardInterrupt, SystemExit):
        return


def _facts(outcome: Outcome) -> dict[str, Any]:
    from dataclasses import asdict

    from client.plain import exposure

    case = outcome.case
    members = [
        {
            "member": lender.member,
            "address": lender.address,
            "home": str(lender.home),
            "rows": outcome.summaries[lender.member].accepted,
            "rejected": outcome.summaries[lender.member].rejected,
            "positions": outcome.summaries[lender.member].published,
        }
        for lender in outcome.lenders
    ]
    alone = [{**asdict(one), **_percentages(outcome, one.outstanding, one.monthly_due)} for one in outcome.alone]
    amounts = outcome.together.amounts if outcome.together.HasField("amounts") else None
    share = _percentages(outcome, amounts.outstanding, amounts.monthly_due) if amounts is not None else {}
    return {
        "members": members,
        "borrower": case.borrower,
        "currency": case.currency,
        "minor_per_major": case.minor_per_major,
        "monthly_income": case.monthly_income,
        "alone": alone,
        "together": {**exposure(outcome.together), **share},
        "query": shlex.join(outcome.query),
    }


def _percentages(outcome: Outcome, outstanding: int, monthly_due: int) -> dict[str, int | None]:
    """Of the borrower's monthly income, where that is known."""
    income = outcome.case.monthly_income
    return {
        "debt_percent": None if income is None else round(100 * outstanding / income),
        "service_percent": None if income is None else round(100 * monthly_due / income),
    }


def _view(outcome: Outcome, seconds: float) -> Any:
    from client.demo.view import view

    return view(outcome, seconds)
