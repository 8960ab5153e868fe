"""Answers as tables for people. Everything that came over the wire is shown as text, never as markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from plimsoll.v1 import lender_pb2, operator_pb2
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from client.text import one_line
from ledger.queries.inquiry import PURPOSES

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_WITHHELD = {
    "FEW_CONTRIBUTORS": "too few other lenders contribute: a sum would be one lender's own figure",
    "DIFFERENCING": "together with earlier answers the sums would give away one lender's figures",
    "IMPLAUSIBLE": "the sums contradict bands and tallies: some record is wrong",
}


def amount(minor: int, minor_per_major: int = 100) -> str:
    """Minor units as major ones, with thousands separators: 1234567 of 100 a unit is "12,345.67"."""
    digits = len(str(minor_per_major)) - 1
    major, rest = divmod(minor, minor_per_major)
    return f"{major:,}.{rest:0{digits}}" if digits else f"{major:,}"


def duration(seconds: int) -> str:
    """Seconds in the largest unit that fits: 7200 is "2 h"; "never" below zero."""
    if seconds < 0:
        return "never"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit}"


def mebibytes(count: int) -> str:
    """Bytes as MiB."""
    return f"{count / (1 << 20):,.1f} MiB"


def exposure(
    response: lender_pb2.ExposureResponse, currency: str, minor_per_major: int, notes: Iterable[tuple[str, str]] = ()
) -> RenderableType:
    """One borrower's exposure, and notes under it."""
    facts: list[tuple[str, str]] = [("borrower", response.borrower)]
    if response.HasField("amounts"):
        for name in ("outstanding", "monthly_due", "credit_limit"):
            figure = amount(getattr(response.amounts, name), minor_per_major)
            facts.append((name.replace("_", " "), f"{figure} {currency}"))
    elif not response.lenders:
        facts.append(("amounts", "none: no lender has an open loan"))
    else:
        facts.append(("amounts", f"withheld, {response.withheld}: {_WITHHELD.get(response.withheld, 'see the docs')}"))
    own = "this one included" if response.includes_own else "this one not among them"
    facts += [
        ("lenders", f"{response.lenders} ({own})" if response.lenders else "none"),
        ("open accounts", str(response.accounts)),
        ("classes", _counts((each.name, each.lenders) for each in response.classes)),
        ("outstanding bands", _counts((_band(each.upper), each.lenders) for each in response.bands)),
        ("overdue bands", _counts((_band(each.upper), each.lenders) for each in response.overdue_bands)),
        ("stalest log", f"{duration(response.freshness_seconds)} old"),
    ]
    if response.implausible:
        facts.append(("implausible", ", ".join(response.implausible)))
    parts: list[RenderableType] = [pairs([*facts, *notes])]
    if response.inquiries:
        parts.append(_inquiries(response))
    parts.append(_logs_used(response.logs))
    parts += [
        _warning(f"frozen: {each.member} has signed two histories; its log counts as far as it was witnessed")
        for each in response.logs
        if each.frozen
    ]
    parts += [_warning(f"left out: {each.member} ({each.reason})") for each in response.excluded]
    parts += [_warning(f"custodian failed: {each.member} ({each.reason})") for each in response.custodians_failed]
    return Group(*parts)


def status(response: operator_pb2.StatusResponse) -> RenderableType:
    """How a node is: itself, its keys, its logs, its peers."""
    keys = response.keys
    holds = "holds its shares" if keys.holds_shares else "holds no shares"
    role = f"custodian {keys.custodian}, {holds}" if keys.custodian else "not a custodian"
    ceremony = keys.phase + (f", waiting for {', '.join(keys.waiting_for)}" if keys.waiting_for else "")
    facts = [
        ("member", response.member),
        ("consortium", f"{response.name} ({response.consortium})"),
        ("state", f"{response.state}, up {duration(response.uptime_seconds)}, version {response.version}"),
        ("keys", f"{ceremony}; epoch {keys.epoch}; any {keys.threshold} of {keys.custodians} decrypt; {role}"),
        ("borrowers", f"{response.borrowers:,}"),
        ("disk", f"{mebibytes(response.disk_used_bytes)} used, {_free(response)}"),
        ("memory", mebibytes(response.memory_bytes)),
    ]
    told = response.challenges
    if told.asked or told.answered:
        doubts = f"{told.proved:,} records proved, {told.pending:,} pending, {told.challenged:,} challenged"
        facts.append(("challenges", f"{doubts}; {told.answered:,} of our own answered"))
    alerts = [_warning(alert) for alert in response.alerts]
    return Group(*alerts, pairs(facts), _logs(response.logs), _peers(response.peers))


def _free(response: operator_pb2.StatusResponse) -> str:
    reserve = mebibytes(response.disk_reserve_bytes)
    return f"{mebibytes(response.disk_free_bytes)} free, of which {reserve} are kept in reserve"


def backup(response: operator_pb2.BackupSummary) -> RenderableType:
    """What a backup holds."""
    facts = [
        ("backup", response.folder),
        ("entries", f"{response.entries:,}"),
        ("borrowers", f"{response.borrowers:,}"),
        ("files", f"{response.files:,}, {mebibytes(response.bytes)}"),
    ]
    return pairs(facts)


def summary(response: lender_pb2.ReportSummary) -> RenderableType:
    """What became of a feed."""
    facts = [
        ("rows read", f"{response.read:,}"),
        ("accepted", f"{response.accepted:,}"),
        ("rejected", f"{response.rejected:,}"),
        ("positions published", f"{response.published:,} (closed: {response.closed:,})"),
        ("borrowers unchanged", f"{response.unchanged:,}"),
        ("log size", f"{response.log_size:,}"),
    ]
    parts: list[RenderableType] = [pairs(facts)]
    if response.HasField("held"):
        parts = [
            _warning("the whole feed is kept back until another person releases it: plimsoll held release"),
            held_feed(response.held),
        ]
    if response.rejections:
        made = table("Rejected rows", ">line", "field", "reason", "message")
        for each in response.rejections:
            row(made, str(each.line), each.path, each.reason, each.message)
        parts.append(made)
    if (more := response.rejected - len(response.rejections)) > 0:
        parts.append(Text(f"and {more:,} more"))
    return Group(*parts)


_BREACHES = {
    "ZEROED_LIMITS": "borrowers with an open loan whose limit falls to 0",
    "CLOSED_LOANS": "borrowers with a loan that is closed",
    "WORSE_CLASSES": "borrowers in a worse class",
    "BETTER_CLASSES": "borrowers in a better class",
    "TOTAL_ROSE": "percent more outstanding",
    "TOTAL_FELL": "percent less outstanding",
    "FEW_ROWS": "rows, and there must be more",
}


def held_feed(feed: lender_pb2.HeldFeed) -> RenderableType:
    """Why a feed is kept back, and what it would change."""
    facts = [("feed", feed.id), ("from", f"{feed.sender}, {_moment(feed.time)}")]
    for each in feed.breaches:
        what = _BREACHES.get(each.code, "")
        facts.append(("because", f"{each.code}: {each.figure:,} {what} (allowed: {each.limit:,})"))
    facts += [
        ("rows", f"{feed.rows:,}, of {feed.borrowers:,} borrowers, {feed.changed:,} of them changed"),
        ("loans", f"{feed.opened:,} new, {feed.closed:,} closed"),
        (
            "borrowers",
            f"{feed.zeroed:,} with a limit of 0, {feed.worse:,} in a worse class, {feed.better:,} in a better",
        ),
        ("outstanding", f"{feed.before:,} before, {feed.after:,} after (minor units)"),
    ]
    return pairs(facts)


def held_feeds(feeds: Sequence[lender_pb2.HeldFeed]) -> RenderableType:
    """All of them."""
    if not feeds:
        return Text("no feed is kept back")
    parts: list[RenderableType] = []
    for feed in feeds:
        parts += [held_feed(feed), Text("")]
    return Group(*parts[:-1])


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def pairs(facts: Iterable[tuple[str, str]]) -> Table:
    """Names and values, one a line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, value in facts:
        row(grid, name, value)
    return grid


def _inquiries(response: lender_pb2.ExposureResponse) -> Table:
    made = table("Inquiries about this borrower", "member", "purpose", ">30 days", ">90 days")
    for each in response.inquiries:
        row(made, each.member, PURPOSES.get(each.purpose, "unknown"), str(each.days_30), str(each.days_90))
    return made


def _logs_used(logs: Iterable[lender_pb2.LogFreshness]) -> Table:
    """Each lender's log: how long ago its author said that it has nothing newer, and when it was last fed."""
    made = table("Logs used", "member", ">entries", ">witnessed", ">heartbeat", ">last position", "state")
    for each in logs:
        state = "frozen" if each.frozen else "stale" if each.stale else "fresh"
        ages = (_ago(each.head_age_seconds), _ago(each.feed_age_seconds))
        style = "" if state == "fresh" else "red"
        row(made, each.member, f"{each.size:,}", f"{each.witnessed_size:,}", *ages, state, style=style)
    return made


def _ago(seconds: int) -> str:
    return "never" if seconds < 0 else f"{duration(seconds)} ago"


def _logs(logs: Iterable[operator_pb2.LogStatus]) -> Table:
    made = table("Logs", "member", ">entries", ">lag", ">witnessed", ">heartbeat", "root", "problem")
    for each in logs:
        lag, size = max(0, each.known_size - each.size), f"{each.size:,}"
        age = duration(each.head_age_seconds)
        problem = each.problem or ("frozen" if each.frozen else "")
        row(made, each.member, size, f"{lag:,}", f"{each.witnessed_size:,}", age, each.root[:16], problem)
    return made


def _peers(peers: Iterable[operator_pb2.PeerStatus]) -> Table:
    made = table("Peers", "member", "address", "state", ">last contact", "error")
    for each in peers:
        state = "reachable" if each.reachable else "unreachable"
        row(made, each.member, each.address, state, _ago(each.last_contact_seconds), each.error)
    return made


def _band(upper: str) -> str:
    return upper if upper == "above" else f"below {int(upper):,}" if upper.isdecimal() else upper


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts if count) or "none"


def _warning(text: str) -> Text:
    return Text(one_line(text), "red")


def table(title: str, *columns: str) -> Table:
    """Columns whose name starts with ">" are flush right."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="")
    for column in columns:
        made.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return made


def row(to: Table, *cells: str, style: str = "") -> None:
    """A row whose cells are text and never markup."""
    to.add_row(*(Text(one_line(cell), style) for cell in cells))


def proposals(facts: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What is proposed: of each its id, who approves it, and what it changes."""
    if not facts:
        return Text("nothing is proposed")
    parts: list[RenderableType] = []
    for each in facts:
        approved = ", ".join(each["approved"]) or "nobody"
        rows = [
            ("proposal", each["id"]),
            ("by", each["proposer"]),
            ("approved", f"{len(each['approved'])} of {each['needed']} needed: {approved}"),
            *(("change", line) for line in each["changes"]),
        ]
        parts += [pairs(rows), Text("")]
    return Group(*parts[:-1])


def approved(facts: Mapping[str, Any]) -> RenderableType:
    """What was approved."""
    return pairs([("approved", facts["id"]), *(("change", line) for line in facts["changes"])])


def lineage(facts: Mapping[str, Any]) -> RenderableType:
    """The manifests, one a row."""
    made = table(f"Consortium {facts['consortium']}", ">manifest", "id", ">key epoch", "members", "approved by")
    for each in facts["manifests"]:
        approved_by = ", ".join(each["approved"]) or "everybody (founding)"
        row(made, str(each["sequence"]), each["id"], str(each["epoch"]), ", ".join(each["members"]), approved_by)
    if facts["output"] is None:
        return made
    return Group(made, Text(one_line(f"written to {facts['output']}")))
