"""plimsoll exposure: how loaded a borrower, or each of many, is across all lenders."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import Settings, settings_of
from client.cli.output import answer, private_file
from client.cli.question import BORROWER, CONSENT, CONSENT_DIGEST, PURPOSE, Purpose, consent_maker, identity

if TYPE_CHECKING:
    from client.consent import Consent


def exposure(
    context: typer.Context,
    borrower: Annotated[str | None, BORROWER] = None,
    purpose: Annotated[Purpose, PURPOSE] = ...,  # type: ignore[assignment]
    consent: Annotated[Path | None, CONSENT] = None,
    consent_digest: Annotated[str | None, CONSENT_DIGEST] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save the proof here, mode 0600. It is a secret: who holds it can follow this borrower.",
            show_default=False,
        ),
    ] = None,
    redacted: Annotated[
        bool, typer.Option("--redacted", help="With --transcript: the arithmetic only, which is no secret.")
    ] = False,
    batch: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Ask about many: one borrower a line, - for stdin. Answers are lines of JSON.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Ask how heavily a borrower is loaded across all lenders.

    Each question is one inquiry in this lender's log and counts against its quota.
    """
    settings = settings_of(context)
    if (borrower is None) == (batch is None):
        raise UsageError("name one borrower, or --batch FILE")
    if (redacted and transcript is None) or (transcript is not None and batch is not None):
        raise UsageError("--transcript saves one borrower's proof, and --redacted says in which form")
    make_consent = consent_maker(consent, consent_digest)
    if batch is not None:
        from client.cli.batch import ask_many

        raise typer.Exit(ask_many(settings, batch, purpose, make_consent))
    _ask_one(settings, identity(str(borrower)), purpose, make_consent(), transcript, redacted)


def _ask_one(
    settings: Settings, borrower: str, purpose: str, consent: Consent, transcript: Path | None, redacted: bool
) -> None:
    from plimsoll.v1 import lender_pb2

    from client import plain, render
    from ledger.consortium.manifest import parse_manifest
    from ledger.errors import PlimsollError
    from ledger.queries.inquiry import purpose_number
    from ledger.tlog.note import parse_note

    form = lender_pb2.TRANSCRIPT_FORM_UNSPECIFIED
    if transcript is not None:
        form = lender_pb2.TRANSCRIPT_FORM_REDACTED if redacted else lender_pb2.TRANSCRIPT_FORM_FULL
    saving = private_file(transcript) if transcript is not None else nullcontext(lambda _: None)
    with saving as save, connect(settings, "lender") as session:
        response = session.exposure(borrower, purpose_number(purpose), consent.digest, form)
        if response.transcript:
            save(response.transcript)
        manifest = None if settings.json else parse_manifest(parse_note(session.manifest()).text)
    facts = {**plain.exposure(response), **consent.facts()}
    if transcript is not None and response.transcript:
        facts["transcript_file"] = str(transcript)

    def view() -> Any:
        assert manifest is not None
        notes = _notes(consent, transcript, redacted)
        return render.exposure(response, manifest.currency, manifest.minor_per_major, notes)

    answer(facts, view, as_json=settings.json)
    if transcript is not None and not response.transcript:
        raise PlimsollError("NO_TRANSCRIPT", "the node gave no transcript with its answer")


def _notes(consent: Consent, transcript: Path | None, redacted: bool) -> list[tuple[str, str]]:
    notes = []
    if consent.salt is not None:
        notes.append(("consent salt", f"{consent.salt.hex()} (keep it with the document: it proves the consent)"))
    if transcript is not None:
        warning = "redacted" if redacted else "a secret: who holds it can follow this borrower"
        notes.append(("transcript", f"{transcript} ({warning})"))
    return notes
