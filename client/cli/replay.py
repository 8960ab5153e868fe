"""plimsoll replay: makes a recorded decision again. No node, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.cli.assess import LANGUAGE, Language
from client.cli.options import settings_of
from client.cli.output import answer


def replay(
    context: typer.Context,
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="A file that `assess --record` wrote.")],
    language: Annotated[Language, LANGUAGE] = Language.ENGLISH,
) -> None:
    """Make a recorded decision again from its own facts and policy, and check that the same comes out."""
    from client.decisions import assessment_view
    from ledger.decision import parse_record
    from ledger.decision.record import result_facts

    raw = record.read_bytes()
    read = parse_record(raw)
    facts = {
        "record": read.id.hex(),
        "time": read.time,
        "reference": read.reference,
        "inquiry": {"origin": read.origin, "index": read.index},
        **result_facts(read.assessment(), read.policy),
    }
    answer(facts, lambda: assessment_view(raw, language), as_json=settings_of(context).json)
