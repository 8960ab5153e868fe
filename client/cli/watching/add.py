"""plimsoll watch add: a borrower on the list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer
from client.cli.question import BORROWER, CONSENT, CONSENT_DIGEST, consent_maker, identity

EVERY = typer.Option(metavar="DAYS", min=1, max=366, help="How often to ask.", show_default=False)
UNTIL = typer.Option(metavar="DATE", help="The last day of the borrower's consent, YYYY-MM-DD.", show_default=False)
REFERENCE = typer.Option(metavar="TEXT", help="Your own number of the case; notifications carry it.")
INCOME = typer.Option(metavar="N", min=0, help="The borrower's income, minor units a month.", show_default=False)


def add(
    context: typer.Context,
    borrower: Annotated[str, BORROWER],
    consent: Annotated[Path | None, CONSENT] = None,
    consent_digest: Annotated[str | None, CONSENT_DIGEST] = None,
    every: Annotated[int | None, EVERY] = None,
    reference: Annotated[str, REFERENCE] = "",
    until: Annotated[str | None, UNTIL] = None,
    income: Annotated[int | None, INCOME] = None,
) -> None:
    """Watch a borrower who has an open loan here: the node asks now and then, and says what has changed.

    Every question is one inquiry after a loan in this lender's log.
    """
    from plimsoll.v1 import lender_pb2

    from client.watching import parse_day, watch_facts, watches_view

    settings = settings_of(context)
    given = consent_maker(consent, consent_digest)()
    request = lender_pb2.WatchBorrowerRequest(
        borrower=identity(borrower),
        consent_digest=given.digest,
        every_days=every or 0,
        reference=reference,
        until=None if until is None else parse_day(until),
        income=income,
    )
    with connect(settings, "lender") as session:
        watch = session.watch_borrower(request)
    notes = given.facts() if given.salt is not None else {}
    answer({**watch_facts(watch), **given.facts()}, lambda: watches_view([watch], notes), as_json=settings.json)
