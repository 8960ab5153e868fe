"""plimsoll exposure: how loaded a borrower, or each of many, is across all lenders."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import Settings, settings_of
from client.cli.output import answer, private_file

if TYPE_CHECKING:
    from client.consent import Consent


class Purpose(StrEnum):
    """Why a member may ask."""

    PRE_LOAN = "pre-loan"
    POST_LOAN = "post-loan"
    GUARANTOR = "guarantor"
    DISPUTE = "dispute"
    SELF = "self"


def exposure(
    context: typer.Context,
    borrower: Annotated[
        str | None,
        typer.Argument(
            metavar="BORROWER", help="Identity as <scheme>:<value>; - reads it from stdin.", show_default=False
        ),
    ] = None,
    purpose: Annotated[Purpose, typer.Option(help="Why; it stands in the log for all to see.")] = ...,  # type: ignore[assignment]
    consent: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The borrower's consent; the log gets a salted digest.", show_default=False),
    ] = None,
    consent_digest: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Digest of a consent held elsewhere, 64 hex digits.", show_default=False),
    ] = None,
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
    make_consent = _consent(consent, consent_digest)
    if batch is not None:
        from client.cli.batch import ask_many

        raise typer.Exit(ask_many(settings, batch, purpose, make_consent))
    _ask_one(settings, _identity(str(borrower)), purpose, make_consent(), transcript, redacted)


def _consent(document: Path | None, digest: str | None) -> Callable[[], Consent]:
    from client.consent import from_digest, from_document

    if (document is None) == (digest is None):
        raise UsageError("either --consent FILE or --consent-digest HEX is needed")
    if digest is not None:
        given = from_digest(digest)
        return lambda: given
    content = Path(str(document)).read_bytes()
    return lambda: from_document(content, os.urandom)


def _identity(argument: str) -> str:
    """An identity number on the command line can be read by every user of the machine; on stdin it cannot."""
    return sys.stdin.readline().strip() if argument == "-" else argument


def _ask_one(
    settings: Settings, borrower: str, purpose: str, consent: Consent, transcript: Path | None, redacted: bool
) -> None:
    from plimsoll.v1 import lender_pb2

    from client import plain, render
    from ledger.errors import PlimsollError
    from ledger.inquiry import purpose_number
    from ledger.manifest import parse_manifest
    from ledger.note import parse_note

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
