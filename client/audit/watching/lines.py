"""A round of watching in one line for people."""

from __future__ import annotations

from datetime import UTC, datetime

from client import render
from client.audit.keeping.docket import Known
from client.audit.watching.watch import Round
from client.text import one_line

FEW = 3
"""Findings that are named in a line."""


def round_line(done: Round) -> str:
    """When, the verdict, and what it rests on."""
    when = datetime.fromtimestamp(done.began, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    parts = [_broken(done) if done.facts is None else _read(done), _found(done)]
    return one_line(f"{when} {done.outcome}: {'; '.join(part for part in parts if part)}")


def _read(done: Round) -> str:
    assert done.facts is not None
    logs, silent = done.facts["logs"], done.facts["silent"]
    size, new = sum(log["size"] for log in logs), sum(log["size"] - log["since"] for log in logs)
    parts = [f"{size:,} entries of {len(logs)} logs, {new:,} of them new, in {done.seconds:.1f} s"]
    if silent:
        parts.append(f"no answer from {', '.join(silent)}")
    if left := done.facts["unchecked"]:
        parts.append(f"{len(left)} not checked, first: {left[0]['message']}")
    if remarks := done.facts["remarks"]:
        parts.append(f"{len(remarks)} remarks, first: {remarks[0]['message']}")
    return "; ".join(parts)


def _broken(done: Round) -> str:
    assert done.error is not None
    again = f"again in {render.duration(round(done.pause))}" if done.pause >= 1 else "again at once"
    times = f", {done.failures} times in a row" if done.failures > 1 else ""
    return f"{done.error.message} [{done.error.reason}]{times}; {again}"


def _found(done: Round) -> str:
    if not done.open:
        return ""
    named = "; ".join(map(_known, done.open[:FEW]))
    more = f"; and {len(done.open) - FEW:,} more" if len(done.open) > FEW else ""
    return f"{len(done.open):,} not acknowledged: {named}{more}"


def _known(known: Known) -> str:
    finding = known.finding
    where = finding.member if finding.index is None else f"{finding.member}, entry {finding.index}"
    return f"{where}: {finding.message} [{finding.reason}, {known.id}]"
