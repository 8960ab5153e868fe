"""The heads that all members hold, and those they know to be witnessed, asked for at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from client.audit.judging import lineages
from client.audit.judging.witnesses import Claim, Collector
from client.audit.reading.source import Source
from client.audit.report import Finding, Report
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage
from ledger.errors import PlimsollError
from ledger.tlog.checkpoint import Head

_Shown = tuple[list[bytes], list[bytes], History, list[Finding]]


def gather(sources: Mapping[str, Source], lineage: Lineage, report: Report) -> list[Claim]:
    """Who does not answer is noted, but the one we read through must. Raises what that one's calls do."""

    def ask(witness: str) -> _Shown | PlimsollError:
        try:
            heads, witnessed = sources[witness].heads(), sources[witness].witnessed()
            # Asked behind the heads: a member may know of manifests, and logs, that the one read through does not.
            known, findings = lineages.compare(witness, sources[witness], lineage)
            return heads, witnessed, known.history, findings
        except PlimsollError as error:
            return error

    with ThreadPoolExecutor(len(sources)) as threads:
        answers = dict(zip(sources, threads.map(ask, sources), strict=True))
    claims: list[Claim] = []
    collectors: dict[tuple[bytes, ...], Collector] = {}
    for witness, answer in answers.items():
        if isinstance(answer, PlimsollError):
            if witness == report.through:
                raise answer
            report.silent[witness] = answer.message
            continue
        heads, witnessed, history, findings = answer
        report.asked.append(witness)
        report.findings += findings
        ids = tuple(manifest.id for manifest in history.manifests)
        collector = collectors.setdefault(ids, Collector(history))
        for notes, held in ((heads, True), ([raw for raw in witnessed if raw not in heads], False)):
            found, wrong = collector.collect(witness, notes, held)
            claims += found
            report.findings += wrong
    return claims


def newest_of(through: str, origin: str, claims: Iterable[Claim]) -> Head | None:
    """The largest head of a log below which somebody holds everything."""
    held = (claim.head for claim in claims if claim.held and claim.witness == through and claim.head.origin == origin)
    return max(held, key=lambda head: head.size, default=None)


def held_by(through: str, origin: str, claims: Iterable[Claim]) -> int:
    """How much of a log somebody says it has."""
    newest = newest_of(through, origin, claims)
    return 0 if newest is None else newest.size
