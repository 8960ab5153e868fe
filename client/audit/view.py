"""An audit's report as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from client import render
from client.audit.keeping.docket import Known
from client.audit.report import Finding, LogReport, Report
from client.text import one_line
from ledger.consortium.joined import log_name

MOST = 20
"""Remarks that are shown, and things not checked."""


def view(report: Report, earlier: Sequence[Known] = (), acknowledged: Sequence[Known] = ()) -> RenderableType:
    """The verdict first. earlier: findings that this audit does not make and nobody has acknowledged. acknowledged:
    those of its own that somebody has."""
    known = {each.key for each in acknowledged}
    findings = [each for each in report.findings if (each.member, each.index, each.reason) not in known]
    heads = ", ".join(report.asked) + (f"; silent: {', '.join(report.silent)}" if report.silent else "")
    facts = [
        ("consortium", f"{report.name} ({report.consortium.hex()})"),
        ("read through", report.through),
        ("heads from", heads),
        ("keys", report.phase if len(report.epochs) < 2 else f"{report.phase}, epoch {len(report.epochs)}"),
    ]
    parts: list[RenderableType] = [_verdict(len(findings) + len(earlier), len(report.unchecked)), render.pairs(facts)]
    if len(report.manifests) > 1:
        parts.append(_manifests(report.manifests))
    parts.append(_logs(report.logs))
    parts += [_frozen(each) for each in report.frozen]
    if report.transcripts:
        table = render.table("Transcripts", "file", "form", "verdict", "steps that hold")
        for each in report.transcripts:
            verdict = f"bad at {each['failed']}" if each["failed"] else "ok"
            render.row(table, each["file"], each["form"] or "-", verdict, " ".join(each["passed"]))
        parts.append(table)
    parts += [_finding(one) for one in findings]
    parts += [_finding(one.finding, f"found earlier, {one.id}: ") for one in earlier]
    parts += [_finding(one.finding, f"acknowledged, {one.id}: ", "yellow") for one in acknowledged]
    parts += _some([_finding(one, "not checked: ", "yellow") for one in report.unchecked])
    parts += _some([_finding(one, style="") for one in report.remarks])
    return Group(*parts)


def _some(lines: list[Text]) -> list[Text]:
    more = len(lines) - MOST
    return lines[:MOST] + ([Text(f"and {more:,} more: --json lists them")] if more > 0 else [])


def _verdict(findings: int, unchecked: int) -> Text:
    if not findings and unchecked:
        return Text("Nothing wrong was found, but not everything could be checked.", "yellow")
    if not findings:
        return Text("Everything checked holds.", "green")
    return Text("One thing is wrong." if findings == 1 else f"{findings} things are wrong.", "red")


def _manifests(manifests: list[dict[str, Any]]) -> RenderableType:
    table = render.table("Manifests", ">number", "id", ">epoch", ">members", "proposed by", "approved by")
    for each in manifests:
        approved = ", ".join(approval["member"] for approval in each["approved"])
        counts = (str(each["epoch"]), str(len(each["members"])))
        signed = approved if each["sequence"] else "all, by signing it"
        render.row(table, str(each["sequence"]), each["id"][:8], *counts, each["proposed"] or "-", signed)
    return table


def _logs(logs: list[LogReport]) -> RenderableType:
    table = render.table(
        "Logs", "member", ">entries", ">positions", ">inquiries", ">witnessed", ">proofs", ">receipts", "root"
    )
    for log in logs:
        counts = (
            log.head.size,
            log.entries.get("position", 0),
            log.entries.get("inquiry", 0),
            _witnessed(log),
            log.proofs,
        )
        cells = ["-" if count is None else f"{count:,}" for count in counts]
        ended = "" if log.ended is None else f", ended at {log.ended:,}"
        render.row(table, f"{log_name(log.head.origin)}{ended}", *cells, str(log.receipts), log.head.root.hex()[:8])
    return table


def _witnessed(log: LogReport) -> int | None:
    return None if log.witnessed is None else int(log.witnessed["size"])


def _frozen(log: dict[str, Any]) -> Text:
    told = ", ".join(f"entry {each['index']} of {each['member']}" for each in log["evidence"])
    settled = "the members have ended it" if log["settled"] else "still written"
    return Text(one_line(f"{log_name(log['origin'])} has two histories ({settled}): {told}"), "yellow")


def _finding(finding: Finding, before: str = "", style: str = "red") -> Text:
    where = finding.member if finding.index is None else f"{finding.member}, entry {finding.index}"
    return Text(one_line(f"{before}{where}: {finding.message} [{finding.reason}]"), style)
