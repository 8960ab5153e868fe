"""An audit's report as tables for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from client import render
from client.audit.report import LogReport, Report
from client.text import one_line


def view(report: Report) -> RenderableType:
    """The verdict first."""
    heads = ", ".join(report.asked) + (f"; silent: {', '.join(report.silent)}" if report.silent else "")
    facts = [
        ("consortium", f"{report.name} ({report.consortium.hex()})"),
        ("read through", report.through),
        ("heads from", heads),
        ("keys", report.phase),
    ]
    parts: list[RenderableType] = [_verdict(len(report.findings)), render.pairs(facts), _logs(report.logs)]
    if report.transcripts:
        table = render.table("Transcripts", "file", "form", "verdict", "steps that hold")
        for each in report.transcripts:
            verdict = f"bad at {each['failed']}" if each["failed"] else "ok"
            render.row(table, each["file"], each["form"] or "-", verdict, " ".join(each["passed"]))
        parts.append(table)
    parts += [_finding(one.member, one.index, one.reason, one.message) for one in report.findings]
    return Group(*parts)


def _verdict(findings: int) -> Text:
    if not findings:
        return Text("Everything checked holds.", "green")
    return Text("One thing is wrong." if findings == 1 else f"{findings} things are wrong.", "red")


def _logs(logs: list[LogReport]) -> RenderableType:
    table = render.table("Logs", "member", ">entries", ">positions", ">inquiries", ">proofs", ">receipts", "root")
    for log in logs:
        counts = (log.head.size, log.entries.get("position", 0), log.entries.get("inquiry", 0), log.proofs)
        cells = ["-" if count is None else f"{count:,}" for count in counts]
        render.row(table, log.member, *cells, str(log.receipts), log.head.root.hex()[:8])
    return table


def _finding(member: str, index: int | None, reason: str, message: str) -> Text:
    where = member if index is None else f"{member}, entry {index}"
    return Text(one_line(f"{where}: {message} [{reason}]"), "red")
