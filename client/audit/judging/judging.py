"""What is made of logs that have been read, one beside the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from client.audit.judging import standing
from client.audit.judging.ceremonies import Told
from client.audit.judging.challenges import EXPIRED, OfLog
from client.audit.judging.challenges import told as told_of_challenges
from client.audit.judging.standing import SILENT, Standing
from client.audit.judging.witnesses import Claim
from client.audit.reading import asking, receipts
from client.audit.reading.asking import Held, Newest
from client.audit.reading.one_log import OneLog
from client.audit.reading.source import Source
from client.audit.report import Finding, LogReport, Report
from ledger.cache import Cache
from ledger.ceremony import Epochs
from ledger.challenges.challenged import MAX_COUNTED, Prover, bands_of
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError
from ledger.queries.selection import CHALLENGED
from ledger.tlog.checkpoint import parse_head_text
from ledger.tlog.note import parse_note


def settled_by(claims: Sequence[Claim]) -> Callable[[Told], int]:
    """How much of a log stands below a witnessed head. Where nobody showed any, all that was read is taken for settled
    (docs/protocol.md, section 5)."""
    sizes: dict[str, int] = {}
    for claim in claims:
        if claim.witnessed:
            sizes[claim.head.origin] = max(sizes.get(claim.head.origin, 0), claim.head.size)
    return lambda log: min(log.size, sizes.get(log.id.origin, 0)) if sizes else log.size


def roots_wanted(logs: Sequence[OneLog], history: History) -> dict[str, set[int]]:
    """By log name: the sizes that new inquiries name."""
    wanted: dict[str, set[int]] = {}
    for log in logs:
        for name, sizes in asking.wanted_roots(log.tally.asking.held, history).items():
            wanted.setdefault(name, set()).update(sizes)
    return wanted


def inquiries(
    logs: Sequence[OneLog],
    history: History,
    claims: Sequence[Claim],
    standings: Mapping[str, Standing],
    source: Source,
    report: Report,
) -> dict[str, Held]:
    """Holds new inquiries against the heads that they name; by log name."""
    trees = {log.id.name: log for log in logs}
    newest = _newest(logs, claims, standings, source) if any(log.tally.asking.held for log in logs) else {}
    found: dict[str, Held] = {}
    for log in logs:
        held, findings = asking.judge(log.member, log.tally.asking, history, trees, newest)
        found[log.id.name] = held
        report.findings += findings
    return found


def _newest(
    logs: Sequence[OneLog], claims: Sequence[Claim], standings: Mapping[str, Standing], source: Source
) -> dict[str, Newest]:
    """Logs have grown while they were read: the source is asked for its heads once more. They are not verified: that
    they are larger than they are would hide a wrong inquiry, which custodians refuse, and the next audit finds."""
    sizes = {log.id.name: log.size for log in logs}
    for claim in claims:
        name = log_name(claim.head.origin)
        sizes[name] = max(sizes.get(name, 0), claim.head.size)
    try:
        for raw in source.heads():
            head = parse_head_text(parse_note(raw).text)
            name = log_name(head.origin)
            sizes[name] = max(sizes.get(name, 0), head.size)
    except PlimsollError:  # then nothing is said of what may be missing
        return {}
    times = {log_name(origin): found.witnessed for origin, found in standings.items()}
    open_ = {log.id.name for log in logs if log.id.ended is None}  # nobody has to keep what is behind an end
    return {
        name: Newest(size, -1 if (seen := times.get(name)) is None or seen.time is None else seen.time)
        for name, size in sizes.items()
        if name in open_
    }


def remark(
    logs: Sequence[OneLog], standings: Mapping[str, Standing], manifest: Manifest, now: int | None, report: Report
) -> None:
    """What is worth knowing and proves nothing wrong."""
    report.remarks += [Finding(name, None, SILENT, message) for name, message in report.silent.items()]
    for log in logs:
        report.remarks += log.tally.notices.remarks(log.member)
        if now is not None and log.id.ended is None:
            found, beat = standings[log.key.name], manifest.policy.heartbeat_seconds
            report.remarks += standing.remarks(log.id, found, log.size, log.tally.position, beat, now)


def challenges(
    logs: Sequence[OneLog], history: History, epochs: Epochs, source: Source, report: Report
) -> list[dict[str, Any]]:
    """What has become of every challenge that counts."""
    by_origin = {log.id.origin: log for log in logs}

    def fetch(origin: str, index: int) -> bytes:
        log = by_origin[origin]
        return receipts.fetch_entry(source, log.key, log.follower, index)

    keys = None if epochs.in_force is None else epochs.in_force.keys
    prover = None if keys is None else Prover(history.consortium, keys.fields, Cache(MAX_COUNTED))
    read = [OfLog(log.member, log.id.origin, log.size, log.tally.challenges) for log in logs]
    found = told_of_challenges(read, fetch, prover, bands_of(history.current), report.now)
    expired = {(each["member"], each["position"]): each["by"] for each in found if each["state"] == EXPIRED}
    report.remarks += [
        Finding(member, index, CHALLENGED, f"challenged by {by}, and not proved well-formed within a day")
        for (member, index), by in expired.items()
    ]
    return found


def told(log: OneLog, found: Standing, held: Held) -> LogReport:
    """The report of one log, with what others say of it."""
    seen = found.witnessed
    return replace(
        log.report,
        witnessed=None if seen is None else {"size": seen.size, "time": seen.time},
        heartbeat=found.heartbeat,
        inquiries={"checked": held.checked, "unchecked": held.unchecked},
    )
