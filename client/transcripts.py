"""What the verification of a transcript shows, and what it cannot, in plain words (docs/protocol.md, section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from client.render import pairs, row, table
from ledger.queries.transcript import FULL

STEPS: Mapping[str, str] = MappingProxyType(
    {
        "T1": "the document is a transcript of this consortium",
        "T2": "the inquiry stands in the querier's log and keeps to the manifest",
        "T3": "the heads are those that the inquiry fixed",
        "T4": "every head is of its log, and so is the inquiry",
        "T5": "labels and numbers of the borrower's inquiries are right",
        "T6": "these are all records of the borrower at these heads, and the left-out ones are left out rightly",
        "T7": "the encrypted sums are those of the records",
        "T8": "the release rule and the quota, replayed, allow exactly what was told",
        "T9": "enough custodians decrypted, each provably for this inquiry",
        "T10": "the figures are what the sums decrypt to",
    }
)
ONLY_FULL = frozenset({"T5", "T6", "T7", "T8"})
#: What a transcript of either form cannot show, by the name it is given in a report.
UNSHOWN: Mapping[str, str] = MappingProxyType(
    {
        "contributors": "which records were summed, and that none is missing, cannot be seen in the redacted form",
        "withheld": "why amounts were withheld or released cannot be seen in the redacted form",
        "frozen": "that the logs named as frozen were frozen, and counted at their last witnessed head",
        "settled": "that the heads by which challenges were counted had been witnessed a day before",
    }
)


def transcript_view(facts: Mapping[str, Any]) -> RenderableType:
    """For people: facts are those of `client.audit.transcripts`."""
    is_good = facts["verdict"] == "ok"
    title = "Everything it can show holds." if is_good else f"It does not hold: {facts['message']}"
    made = table("Steps", "step", "what", "result")
    for step, what in STEPS.items():
        result = _result(step, facts)
        row(made, step, what, result, style="red" if result == "fails" else "" if result == "holds" else "dim")
    parts: list[RenderableType] = [
        Text(title, "bold green" if is_good else "bold red"),
        pairs([("form", facts["form"] or "none"), ("manifest", facts["manifest"])]),
        made,
    ]
    if facts["opened"]:
        parts.append(pairs((name, f"{figure:,}") for name, figure in facts["opened"].items()))
    parts += [Text(f"not shown: {UNSHOWN.get(each, each)}", "yellow") for each in facts["assumed"]]
    return Group(*parts)


def _result(step: str, facts: Mapping[str, Any]) -> str:
    if step in facts["passed"]:
        return "holds"
    if step == facts["failed"]:
        return "fails"
    return "not in this form" if step in ONLY_FULL and facts["form"] not in ("", FULL) else "not reached"
