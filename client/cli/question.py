"""What every question about a borrower is asked with: who, why, and with what consent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from client.cli.failure import UsageError

if TYPE_CHECKING:
    from client.consent import Consent


class Purpose(StrEnum):
    """Why a member may ask."""

    PRE_LOAN = "pre-loan"
    POST_LOAN = "post-loan"
    GUARANTOR = "guarantor"
    DISPUTE = "dispute"
    SELF = "self"


BORROWER = typer.Argument(
    metavar="BORROWER", help="Identity as <scheme>:<value>; - reads it from stdin.", show_default=False
)
PURPOSE = typer.Option(help="Why; it stands in the log for all to see.")
CONSENT = typer.Option(metavar="FILE", help="The borrower's consent; the log gets a salted digest.", show_default=False)
CONSENT_DIGEST = typer.Option(
    metavar="HEX", help="Digest of a consent held elsewhere, 64 hex digits.", show_default=False
)


def consent_maker(document: Path | None, digest: str | None) -> Callable[[], Consent]:
    from client.consent import from_digest, from_document

    if (document is None) == (digest is None):
        raise UsageError("either --consent FILE or --consent-digest HEX is needed")
    if digest is not None:
        given = from_digest(digest)
        return lambda: given
    content = Path(str(document)).read_bytes()
    return lambda: from_document(content, os.urandom)


def identity(argument: str) -> str:
    """An identity number on the command line can be read by every user of the machine; on stdin it cannot."""
    return sys.stdin.readline().strip() if argument == "-" else argument
