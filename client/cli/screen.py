"""plimsoll screen: a whole portfolio, one row an answer; it goes on wherever it was left."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.assess import POLICY
from client.cli.connect import connect
from client.cli.options import Settings, settings_of
from client.cli.output import answer, private_file, progress
from client.cli.question import CONSENT, CONSENT_DIGEST, PURPOSE, Purpose, consent_maker
from ledger.errors import Exhausted, PlimsollError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from client.screening.journal import Journal
    from client.screening.run import Run, Terms


def screen(
    context: typer.Context,
    portfolio: Annotated[Path, typer.Argument(metavar="PORTFOLIO.csv", help="Its columns are told in docs/cli.md.")],
    output: Annotated[
        Path,
        typer.Option(metavar="OUT.csv", help="The answers, mode 0600; an output of this portfolio is gone on with."),
    ],
    purpose: Annotated[Purpose, PURPOSE] = Purpose.POST_LOAN,
    policy: Annotated[Path | None, POLICY] = None,
    consent: Annotated[Path | None, CONSENT] = None,
    consent_digest: Annotated[str | None, CONSENT_DIGEST] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the answers as Parquet, too.", show_default=False)
    ] = None,
) -> None:
    """Ask about a whole portfolio, and decide on each by the lender's own policy.

    Each question is one inquiry in this lender's log. Stopped at any moment, the same command goes on where it was.
    """
    from client.screening import parquet as columnar
    from client.screening.answers import Answers
    from client.screening.cases import read_cases
    from client.screening.journal import Journal, Screening
    from client.screening.run import Run
    from ledger.decision import parse_decision_policy

    settings = settings_of(context)
    if consent is not None or consent_digest is not None:
        consent_maker(consent, consent_digest)()  # what is wrong with it is said before anything is asked
    if parquet is not None:
        columnar.check()
    content, text = portfolio.read_bytes(), b"" if policy is None else policy.read_bytes()
    if policy is not None:
        _named(policy, lambda: parse_decision_policy(text))
    cases = _named(portfolio, lambda: read_cases(content, needs_consent=consent is None and consent_digest is None))
    screening = Screening(_sha256(content), str(purpose), _sha256(text) if text else "")
    saving = nullcontext(lambda _: None) if parquet is None else private_file(parquet)
    with saving as save, Journal(output, screening, os.urandom) as journal:
        answers = Answers(output, {case.line for case in cases})
        run = Run(answers, cases)
        try:
            if run.left:
                _ask(settings, run, _terms(purpose, text, journal, consent, consent_digest))
        finally:
            answers.close()
            if parquet is not None:
                save(columnar.encode(answers))
    _tell(settings, run, output, parquet)


def _ask(settings: Settings, run: Run, terms: Terms) -> None:
    from client.screening.run import with_what_is_left

    started, before = time.monotonic(), len(run.cases) - run.left
    with connect(settings, "lender") as session, progress(rate=True) as bar:
        task = bar.add_task("screening", total=len(run.cases), completed=before, rate="")

        def advance() -> None:
            rate = run.asked / max(time.monotonic() - started, 1e-3)
            bar.update(task, advance=1, rate=f"{rate:.1f}/s")

        try:
            run.ask(session, terms, advance)
        except PlimsollError as error:
            raise with_what_is_left(error, run) from error


def _terms(purpose: Purpose, policy: bytes, journal: Journal, document: Path | None, digest: str | None) -> Terms:
    from client.consent import Consent, from_digest, from_document
    from client.screening.run import Terms
    from ledger.queries.inquiry import purpose_number

    number = purpose_number(purpose)
    if digest is not None:
        given = from_digest(digest)
        return Terms(number, policy, lambda line: given)
    content = b"" if document is None else document.read_bytes()

    def consent(line: int) -> Consent:
        return from_document(content, lambda size: journal.salt(line))

    return Terms(number, policy, consent)


def _tell(settings: Settings, run: Run, output: Path, parquet: Path | None) -> None:
    """The summary; then, by exit code, what did not work out."""
    facts = {**run.facts(), "output": str(output), "parquet": None if parquet is None else str(parquet)}
    if run.retry:
        facts["retry_at"] = _after(run.retry)
    answer(facts, lambda: _view(facts), as_json=settings.json)
    if run.retry is not None:
        when = f", and there is room again at {_after(run.retry)}" if run.retry else ""
        left = f"{run.left} of {len(run.cases)} are left: the same command goes on"
        raise Exhausted("QUOTA", f"the day's quota is used up{when}; {left}")
    if run.exit_code:
        raise typer.Exit(run.exit_code)


def _view(facts: dict[str, Any]) -> RenderableType:
    from client.render import pairs

    def counts(name: str) -> str:
        return ", ".join(f"{key} {count}" for key, count in sorted(facts[name].items())) or "none"

    return pairs(
        [
            ("answered", f"{facts['answered']} of {facts['cases']}, {facts['left']} left"),
            ("outcomes", counts("outcomes")),
            ("errors", counts("errors")),
            ("this run", f"{facts['asked']} in {facts['seconds']:.1f} s, {facts['per_second']} a second"),
            ("output", facts["output"]),
        ]
    )


def _named(path: Path, read: Any) -> Any:
    """What `read` gives; its refusals name the file."""
    try:
        return read()
    except PlimsollError as error:
        raise error.under(str(path)) from error


def _after(seconds: int) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="seconds")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
