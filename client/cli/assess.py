"""plimsoll assess: what a borrower's exposure means for a loan, by the lender's own policy."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer, private_file
from client.cli.question import BORROWER, CONSENT, CONSENT_DIGEST, PURPOSE, Purpose, consent_maker, identity


class Language(StrEnum):
    """Of the reasons."""

    ENGLISH = "en"
    CHINESE = "zh"


POLICY = typer.Option(
    metavar="FILE", help="A decision policy (TOML) instead of the home's decision.toml.", show_default=False
)
LANGUAGE = typer.Option(help="Of the reasons for people; JSON has all.")
INCOME = typer.Option(metavar="N", min=0, help="The borrower's income, minor units a month.", show_default=False)


def assess(
    context: typer.Context,
    borrower: Annotated[str, BORROWER],
    purpose: Annotated[Purpose, PURPOSE] = Purpose.PRE_LOAN,
    consent: Annotated[Path | None, CONSENT] = None,
    consent_digest: Annotated[str | None, CONSENT_DIGEST] = None,
    income: Annotated[int | None, INCOME] = None,
    loan: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The principal asked for, minor units.", show_default=False)
    ] = None,
    due: Annotated[
        int | None,
        typer.Option("--due", metavar="N", min=0, help="What it would be each month, minor units.", show_default=False),
    ] = None,
    policy: Annotated[Path | None, POLICY] = None,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Your own number of the case.")] = "",
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Save the decision's record here, mode 0600, for `replay`.", show_default=False
        ),
    ] = None,
    language: Annotated[Language, LANGUAGE] = Language.ENGLISH,
) -> None:
    """Ask how heavily a borrower is loaded, and decide on a loan: approve, review or decline, with the reasons.

    The question is one inquiry in this lender's log. Income, loan and policy stay in this lender's node.
    """
    from plimsoll.v1 import lender_pb2

    from client import plain
    from client.decisions import assessment_view
    from client.sdk import exposure_request
    from ledger.queries.inquiry import purpose_number

    settings = settings_of(context)
    if (loan is None) != (due is None):
        raise UsageError("--loan and --due go together")
    given = consent_maker(consent, consent_digest)()
    request = lender_pb2.AssessRequest(
        question=exposure_request(identity(borrower), purpose_number(purpose), given.digest),
        income=income,
        loan=None if loan is None or due is None else lender_pb2.ProposedLoan(principal=loan, monthly_due=due),
        policy=b"" if policy is None else policy.read_bytes(),
        reference=reference,
    )
    saving = private_file(record) if record is not None else nullcontext(lambda _: None)
    with saving as save, connect(settings, "lender") as session:
        response = session.assess(request)
        save(response.record)
    facts = {**plain.assessment(response), **given.facts()}
    if record is not None:
        facts["record_file"] = str(record)
    answer(facts, lambda: assessment_view(response.record, language), as_json=settings.json)
