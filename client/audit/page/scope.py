"""What an audit has checked, and what it could not, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.audit.page.markup import Content, Markup, joined, names

MOST = 100
"""Remarks that are shown."""


def checked(facts: Mapping[str, Any]) -> list[Content]:
    """What was looked at, with the numbers. facts: as `Report.facts` gives them."""
    logs = facts["logs"]
    entries, receipts = (sum(log[key] for log in logs) for key in ("size", "receipts"))
    proofs = sum(log["proofs"] or 0 for log in logs)
    phase = facts["keys"]["phase"] or "not begun"
    said: list[Content] = [
        (
            f"{number(entries, 'entry', 'entries')} of {number(len(logs), 'log')}, read through {facts['through']}: "
            "every hash, every signed head"
        ),
        (
            f"{number(len(facts['manifests']), 'manifest')}: all signatures under the first, and enough approvals of "
            "every later one"
        ),
        joined([Markup("the heads that these members hold: "), names(facts["heads_from"])]),
        f"{number(receipts, 'receipt')}, chosen at random",
        f"{number(len(facts['epochs']), 'key ceremony', 'key ceremonies')}, replayed; the newest: {phase}",
        "the evidence of forks that any log has, and that no member approved two successors of one manifest",
    ]
    if any(log["proofs"] is not None for log in logs):
        said.append(f"the proofs of {number(proofs, 'position')}")
    if facts["transcripts"]:
        said.append(number(len(facts["transcripts"]), "transcript of an answer", "transcripts of answers"))
    if inquiries := sum(log["inquiries"].get("checked", 0) for log in logs):
        said.append(f"{number(inquiries, 'inquiry', 'inquiries')}: quotas, and the heads that they name")
    if since := sum(log["since"] for log in logs):
        said.append(f"that {number(since, 'entry', 'entries')} which the last audit had read are still what they were")
    return said


def unchecked(facts: Mapping[str, Any]) -> list[str]:
    """What was left out or could not be done."""
    said = [remark(each) for each in facts["unchecked"][:MOST]]
    said += [
        f"{member} did not answer: what it holds was not compared ({why})" for member, why in facts["silent"].items()
    ]
    if not facts["silent"] and facts["heads_from"] == [facts["through"]] and len(facts["logs"]) > 1:
        said.append("The other members were not asked for their heads (--no-peers): two faces of one log are not seen.")
    if all(log["proofs"] is None for log in facts["logs"]):
        said.append("The proofs in positions were not checked (--no-proofs).")
    if not any(log["since"] for log in facts["logs"]):
        said.append("There is no earlier audit to compare with (--state): what was rolled back before now is not seen.")
    for each in facts["transcripts"]:
        said += [f"Transcript {each['file']}: {assumed}" for assumed in each["assumed"]]
    said.append("What no audit shows: whether a lender's figures are true, amounts, and who a borrower is.")
    return said


def number(count: int, one: str, many: str = "") -> str:
    """ "1 log", "2 logs"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def remark(each: Mapping[str, Any]) -> str:
    """Something that is no finding, with whom it is about."""
    where = "" if each["index"] is None else f", entry {each['index']:,}"
    who = f"{each['member']}{where}: " if each["member"] else ""
    return f"{who}{each['message']} [{each['reason']}]"
