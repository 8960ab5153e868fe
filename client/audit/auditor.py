"""An audit from beginning to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from client.audit import transcripts
from client.audit.judging import ceremonies, forks, judging, lineages, standing, voting
from client.audit.judging.voting import Voting
from client.audit.judging.witnesses import Claim
from client.audit.keeping.memory import LogState, Memory
from client.audit.reading import receipts
from client.audit.reading.claims import gather, held_by, newest_of
from client.audit.reading.kept import ceremonies_of
from client.audit.reading.logs import LogId, logs_of
from client.audit.reading.one_log import OneLog, Progress
from client.audit.reading.proofs import Prover
from client.audit.reading.source import Source
from client.audit.reading.tally import Ground, Tally
from client.audit.reading.tiles import TILES, Tiles
from client.audit.reading.workers import Workers
from client.audit.report import Finding, Report
from client.audit.scope import Scope
from client.credentials import Endpoint
from client.sdk import Session
from ledger.ceremony import Epochs
from ledger.consortium.caller import server_name
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage
from ledger.consortium.manifest import Manifest
from ledger.errors import Exhausted, PlimsollError, Unavailable, Unverified

__all__ = ["Auditor", "Scope"]


class Auditor:
    """Reads everything through `source`, trusting nothing it says."""

    def __init__(
        self,
        source: Session | Tiles,
        scope: Scope,
        progress: Progress,
        connect: Callable[[Endpoint], Session] = Session,
    ) -> None:
        """connect: opens sessions with the other members."""
        self._connect = connect
        self._source = source
        self._scope = scope
        self._progress = progress
        self._states: dict[str, LogState] = {}

    def run(self) -> Report:
        """The audit. Raises PlimsollError where the source does not answer, or shows no consortium of ours."""
        lineage = self._lineage()
        manifest = lineage.current
        through = TILES if isinstance(self._source, Tiles) else _member_of(self._source, manifest)
        report = Report(through, manifest.consortium, manifest.name, now=self._scope.now)
        with self._sources(manifest, through) as sources, Workers(self._scope.workers) as workers:
            claims = gather(sources, lineage, report)
            logs = [self._prepared(log, lineage, through, claims) for log in logs_of(lineage.history)]
            for log in logs:
                log.read(held_by(through, log.key.name, claims), self._progress, workers)
            forks.mark(logs)
            for log in logs:
                log.check_end()
                log.compare(_about(log.id, claims), sources, through, lineage.history)
                log.compare_with_last()
                log.check_receipts()
            self._judge(lineage, logs, claims, workers, report)
        report.findings += [finding for log in logs for finding in log.findings]
        report.unchecked += [finding for log in logs for finding in log.unchecked]
        bad = {finding.member for finding in report.findings}
        self._states = {log.key.name: log.state() for log in logs if log.is_good and log.member not in bad}
        return report

    def remember(self, report: Report) -> Memory:
        """What the next audit should know: this one's heads; the last one's of logs in which something was found, and
        of those that could not be read to their end."""
        last = self._scope.last
        logs = ({} if last is None else dict(last.logs)) | self._states
        shown = tuple(bytes.fromhex(manifest["id"]) for manifest in report.manifests)
        follows = last is None or shown[: len(last.manifests)] == last.manifests
        return Memory(report.consortium, logs, shown if last is None or follows else last.manifests)

    def _lineage(self) -> Lineage:
        lineage = lineages.read(self._source)
        consortium = lineage.history.consortium
        if not isinstance(self._source, Tiles) and consortium != self._source.endpoint.caller.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the node's manifest is not of the consortium in our certificate")
        if self._scope.last is not None and self._scope.last.consortium != consortium:
            raise Unverified("OTHER_CONSORTIUM", "the state is of an audit of another consortium", "state")
        return lineage

    @contextmanager
    def _sources(self, manifest: Manifest, through: str) -> Iterator[dict[str, Source]]:
        """By member: a session with its node, under the CA that the manifest names."""
        sources: dict[str, Source] = {through: self._source}
        opened: list[Session] = []
        if self._scope.peers and not isinstance(self._source, Tiles):
            for member in manifest.members:
                if member.name != through:
                    endpoint = replace(
                        self._source.endpoint,
                        address=str(member.address),
                        server_name=server_name(member.name),
                        authority=member.authority_pem,
                    )
                    opened.append(self._connect(endpoint))
                    sources[member.name] = opened[-1]
        try:
            yield sources
        finally:
            for session in opened:
                session.close()

    def _prepared(self, log: LogId, lineage: Lineage, through: str, claims: Sequence[Claim]) -> OneLog:
        """What must be known before a log is read: at which sizes its root will be needed, and which leaves."""
        of_log = _about(log, claims)
        ground = Ground(
            lineage.history,
            ceremonies_of(lineage.history),
            {one.origin: one.key for one in logs_of(lineage.history)},
            self._scope.draw,
            self._scope.now,
        )
        limits = [(claim.head.size, time) for claim in of_log if (time := _seen_at(claim)) is not None]

        def tally(begun: LogState | None) -> Tally:
            return Tally(log, ground, None if begun is None else begun.progressed, limits)

        return OneLog(
            self._source,
            log,
            tally,
            last=self._last(log, lineage.history),
            newest=newest_of(through, log.origin, claims),
            sizes={claim.head.size for claim in of_log} | voting.sizes(lineage, log.origin),
            leaves=voting.leaves(lineage, log.origin),
            sampled=receipts.sample(held_by(through, log.origin, claims), self._scope.draw),
        )

    def _last(self, log: LogId, history: History) -> LogState | None:
        """What the last audit saw of a log; no more than its head where it has to be read from its first entry."""
        last = self._scope.last
        if last is None or (state := last.logs.get(log.origin)) is None:
            return None
        grown = tuple(manifest.id for manifest in history.manifests) != last.manifests
        foreign = state.progressed is not None and state.progressed.is_foreign
        return LogState(state.head) if self._scope.from_scratch or (grown and foreign) else state

    def _judge(
        self, lineage: Lineage, logs: Sequence[OneLog], claims: Sequence[Claim], workers: Workers, report: Report
    ) -> None:
        """What the logs say together."""
        history = lineage.history
        self._judge_manifests(lineage, logs, report)
        standings = {
            log.key.name: standing.standing(log.id, _about(log.id, claims), self._scope.policy) for log in logs
        }
        epochs = ceremonies.replay(history, logs, judging.settled_by(claims))
        _tell_keys(epochs, report)
        prover = self._prover(lineage.current, epochs, workers, report)
        wanted = judging.roots_wanted(logs, history)
        for log in logs:
            log.read_again(wanted.get(log.id.name, ()), prover, self._progress)
        report.findings += [] if prover is None else prover.findings()
        held = judging.inquiries(logs, history, claims, standings, self._source, report)
        report.challenges = judging.challenges(logs, history, epochs, self._source, report)
        self._check_transcripts(history, epochs, logs, report)
        if self._scope.policy is not None:
            known = logs_of(history)
            report.findings += standing.check_policy(self._scope.policy, known, claims)
        judging.remark(logs, standings, lineage.current, self._scope.now, report)
        report.logs = [judging.told(log, standings[log.key.name], held[log.id.name]) for log in logs]

    def _judge_manifests(self, lineage: Lineage, logs: Sequence[OneLog], report: Report) -> None:
        """What the logs say of the manifests, and of members that have forked."""
        votes = Voting(lineage, logs)
        report.manifests, report.frozen = votes.told(), forks.frozen(logs)
        report.findings += [*votes.findings(), *forks.findings(logs, lineage.history)]
        if self._scope.last is not None:
            try:
                lineages.compare_with_last(lineage, self._scope.last)
            except Unverified as error:
                report.findings.append(Finding.because(report.through, None, error))
        kept_back = votes.approved()
        if kept_back:
            # It may have come into force since the audit began.
            try:
                shown = {manifest.id for manifest in self._lineage().history.manifests}
            except (Unavailable, Exhausted) as error:
                report.unchecked.append(Finding.because(report.through, None, error))
                return
            report.findings += [
                Finding(report.through, None, "KEPT_BACK", f"the logs approve manifest {each.hex()}, not shown")
                for each in kept_back
                if each not in shown
            ]

    def _prover(self, manifest: Manifest, epochs: Epochs, workers: Workers, report: Report) -> Prover | None:
        if not self._scope.proofs:
            return None
        keys = None if epochs.in_force is None else epochs.in_force.keys
        if keys is None:
            message = "the key ceremony is not final: there are no keys to check proofs with"
            report.remarks.append(Finding(report.through, None, "NO_KEYS", message))
            return None
        return Prover(workers, manifest.consortium, keys, manifest.epoch)

    def _check_transcripts(self, history: History, epochs: Epochs, logs: Sequence[OneLog], report: Report) -> None:
        saved = self._scope.transcripts
        if not saved:
            return
        anchors = {log.key.name: log.follower.head for log in logs if log.is_good}
        shelf = transcripts.Shelf(self._source, history, saved, anchors=anchors)
        try:
            shelf.read(self._progress)
            for each in saved:
                facts, finding = shelf.verify(each, tuple(epochs.keys.values()), self._progress)
                report.transcripts.append(facts)
                report.findings += [] if finding is None else [finding]
        except PlimsollError as error:
            later = isinstance(error, Unavailable | Exhausted)
            (report.unchecked if later else report.findings).append(Finding.because(report.through, None, error))


def _member_of(session: Session, manifest: Manifest) -> str:
    """Whose node it is: its certificate must have that member's name. Raises Unverified for a stranger's."""
    for member in manifest.members:
        if server_name(member.name) == session.endpoint.server_name:
            return member.name
    raise Unverified("UNKNOWN_MEMBER", "the node is of no member of this consortium")


def _about(log: LogId, claims: Sequence[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.head.origin == log.origin]


def _seen_at(claim: Claim) -> int | None:
    """By when a head, and so every entry below it, was there: by the others' clocks if enough have cosigned it."""
    return claim.spoken_at if claim.witnessed_at is None else claim.witnessed_at


def _tell_keys(epochs: Epochs, report: Report) -> None:
    report.epochs = ceremonies.epochs_told(epochs)
    report.phase = report.epochs[-1]["phase"]
    if epochs.in_force is not None and epochs.in_force.keys is not None:
        report.public_keys = list(epochs.in_force.keys)
