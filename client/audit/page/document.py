"""The page, section by section: the verdict first, then what is wrong, then what was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from client import render
from client.audit.page import chart, scope
from client.audit.page.markup import Markup, code, element, joined, listing, names, section, table
from client.audit.page.reasons import reason
from client.audit.page.remarks import remark
from client.audit.page.style import STYLE
from ledger.consortium.joined import log_name

MOST = 500
"""Findings that are shown; one bad member can have millions."""
# No script runs and nothing is loaded, whatever should get past the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def document(facts: Mapping[str, Any], made: int) -> str:
    """The HTML. facts: what `Report.facts` says, and more by the docket (keeping.docket). made: Unix seconds."""
    title = f"Audit of {facts['name']}"
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width,initial-scale=1">'),
        element("title", f"{title}: {facts['verdict']}"),
        element("style", Markup(STYLE)),
    )
    body = element(
        "body", element("header", *_header(facts, title, made)), element("main", *_main(facts, made)), _foot()
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(facts: Mapping[str, Any], title: str, made: int) -> list[Markup]:
    when = datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [
        element("h1", title),
        element("p", Markup("consortium "), code(facts["consortium"]), class_="soft"),
        element("p", f"made {when}, read through {facts['through']}", class_="soft"),
        _verdict(facts),
    ]


def _verdict(facts: Mapping[str, Any]) -> Markup:
    findings, earlier = len(facts["findings"]), len(facts.get("earlier", ()))
    if facts["verdict"] == "incomplete":
        return _banner("unsure", "Nothing wrong was found, but not everything could be checked.", "See what was not.")
    if facts["verdict"] == "ok":
        known = len(facts.get("acknowledged", ()))
        more = f" ({known} findings that somebody has acknowledged are left out.)" if known else ""
        return _banner("good", "Everything checked holds.", f"Nothing was found that is wrong.{more}")
    told = "One thing is wrong." if findings + earlier == 1 else f"{findings + earlier} things are wrong."
    members = sorted({each["member"] for each in [*facts["findings"], *facts.get("earlier", ())] if each["member"]})
    past = f" {earlier} of it was found earlier, and nobody has acknowledged it." if earlier else ""
    return _banner("bad", told, f"About {', '.join(members) or 'no member'}.{past}")


def _banner(kind: str, short: str, long: str) -> Markup:
    return element("div", element("strong", short), element("p", long), class_=f"verdict {kind}", role="status")


def _main(facts: Mapping[str, Any], made: int) -> Iterable[Markup]:
    yield element(
        "div",
        element("div", element("h3", "What was checked"), listing(scope.checked(facts)), class_="panel"),
        element("div", element("h3", "What was not"), listing(scope.unchecked(facts)), class_="panel"),
        class_="columns",
    )
    for key, heading, kind in (
        ("findings", "What is wrong", ""),
        ("earlier", "Found earlier, not acknowledged", ""),
        ("acknowledged", "Acknowledged", "known"),
    ):
        if facts.get(key):
            yield _findings(heading, facts[key], kind)
    if facts["remarks"]:
        more = len(facts["remarks"]) - scope.MOST
        rest = [f"and {more:,} more"] if more > 0 else []
        told = listing([*map(_remark, facts["remarks"][: scope.MOST]), *rest])
        yield section("Worth knowing", element("p", "None of this proves anything wrong.", class_="soft"), told)
    yield section("Logs", _logs(facts["logs"], made), *map(_frozen, facts["frozen"]))
    yield _over_time(facts["logs"], made)
    yield section("Manifests", _manifests(facts["manifests"]))
    yield section("Key epochs", _epochs(facts["epochs"]))
    if facts.get("challenges"):
        yield section("Challenges", _challenges(facts["challenges"]))
    if facts["transcripts"]:
        yield section("Transcripts", _transcripts(facts["transcripts"]))


def _findings(heading: str, findings: Sequence[Mapping[str, Any]], kind: str) -> Markup:
    shown = [_finding(each, kind) for each in findings[:MOST]]
    more = len(findings) - len(shown)
    rest = [element("p", f"and {more:,} more, which the report for programs (--report-json) lists")] if more else []
    return section(heading, *shown, *rest)


def _finding(finding: Mapping[str, Any], kind: str) -> Markup:
    told = reason(finding["reason"])
    where = "" if finding["index"] is None else f", entry {finding['index']:,}"
    rows: list[tuple[str, object]] = [
        ("what", told.meaning),
        ("message", finding["message"]),
        ("what to do", told.advice),
        ("reason", code(finding["reason"])),
    ]
    if finding.get("id"):
        rows.append(("number", code(finding["id"])))
    if finding.get("first"):
        rows.append(("first seen", datetime.fromtimestamp(finding["first"], UTC).strftime("%Y-%m-%d %H:%M UTC")))
    terms = [part for name, value in rows for part in (element("dt", name), element("dd", value))]
    heading = element("h3", f"{finding['member'] or 'no member'}{where}")
    return element("article", heading, element("dl", *terms), class_=f"finding {kind}".strip())


def _remark(each: Mapping[str, Any]) -> Markup:
    return joined([scope.remark(each), _soft(remark(each["reason"]))])


def _logs(logs: Sequence[Mapping[str, Any]], made: int) -> Markup:
    columns = ("log", ">entries", "kinds", ">witnessed", ">heartbeat", ">proofs", ">receipts", "root")
    return table(columns, (_log(each, made) for each in logs))


def _log(log: Mapping[str, Any], made: int) -> tuple[object, ...]:
    state = [] if log["ended"] is None else [f"ended at {log['ended']:,}"]
    state += ["two histories"] if log["frozen"] else []
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in log["entries"].items()) or "none"
    witnessed = log["witnessed"]
    return (
        joined([log_name(log["origin"]), *(element("div", each, class_="soft") for each in state)]),
        f"{log['size']:,}",
        kinds,
        "-" if witnessed is None else joined([f"{witnessed['size']:,}", _soft(_ago(witnessed["time"], made))]),
        _ago(log["heartbeat"], made),
        _number(log["proofs"]),
        f"{log['receipts']:,}",
        code(log["root"][:12]),
    )


def _soft(told: str) -> Markup:
    return element("div", told, class_="soft")


def _ago(time: int | None, made: int) -> str:
    return "-" if time is None else f"{render.duration(max(0, made - time))} ago"


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _frozen(log: Mapping[str, Any]) -> Markup:
    told = ", ".join(f"entry {each['index']:,} of {each['member']}" for each in log["evidence"])
    settled = "the members have ended it" if log["settled"] else "it is still written"
    sizes = " and ".join(f"{size:,}" for size in log["sizes"])
    what = (
        f"{log_name(log['origin'])} has two histories, in heads of sizes {sizes} ({settled}). The evidence is {told}."
    )
    return element("p", what, class_="warn")


def _over_time(logs: Sequence[Mapping[str, Any]], made: int) -> Markup:
    plan = chart.plan([(log_name(log["origin"]), log["timeline"]) for log in logs if log["timeline"]], made)
    if not any(row.counts for row in plan.rows):
        drawn = element("p", "There is no entry to show.", class_="soft")
    else:
        drawn = chart.draw(plan)
    told = "Times are what each log's author wrote, in UTC; each row has its own scale."
    remarks = [element("p", each, class_="warn") for each in chart.remarks(plan)]
    return section("Entries over time", element("p", told, class_="soft"), drawn, *remarks)


def _manifests(manifests: Sequence[Mapping[str, Any]]) -> Markup:
    rows = (
        (
            each["sequence"],
            code(each["id"][:16]),
            each["epoch"],
            names(each["members"]),
            each["proposed"] or "-",
            names([one["member"] for one in each["approved"]]) if each["sequence"] else "all, by signing it",
        )
        for each in manifests
    )
    return table((">number", "id", ">key epoch", "members", "proposed by", "approved by"), rows)


def _epochs(epochs: Sequence[Mapping[str, Any]]) -> Markup:
    rows = (
        (
            each["epoch"],
            each["phase"],
            f"any {each['threshold']} of {len(each['custodians'])}",
            names(each["custodians"]),
            each["failed"],
        )
        for each in epochs
    )
    return table((">epoch", "ceremony", "threshold", "custodians", ">failed attempts"), rows)


def _challenges(challenges: Sequence[Mapping[str, Any]]) -> Markup:
    rows = ((each["by"], each["index"], each["member"], each["position"], each["state"]) for each in challenges[:MOST])
    return table(("by", ">entry", "member", ">position", "state"), rows)


def _transcripts(transcripts: Sequence[Mapping[str, Any]]) -> Markup:
    rows = (
        (
            each["file"],
            each["form"] or "-",
            f"bad at {each['failed']}" if each["failed"] else "ok",
            " ".join(each["passed"]),
            each["message"],
        )
        for each in transcripts
    )
    return table(("file", "form", "verdict", "steps that hold", "message"), rows)


def _foot() -> Markup:
    told = "Made by plimsoll audit run. How to read it, and what every reason means: docs/auditing.md."
    return element("footer", told)
