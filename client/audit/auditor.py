"""An audit from beginning to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from client.audit import ceremonies, forks, lineages, receipts, transcripts, voting, witnesses
from client.audit.logs import LogId, logs_of
from client.audit.memory import Memory
from client.audit.one_log import OneLog, Progress
from client.audit.proofs import Pool
from client.audit.report import Finding, Report
from client.audit.tally import Tally
from client.audit.transcripts import Saved
from client.audit.voting import Voting
from client.audit.witnesses import Claim
from client.credentials import Endpoint
from client.sdk import Session
from ledger.caller import server_name
from ledger.ceremony import Epochs
from ledger.errors import PlimsollError, Unverified
from ledger.history import History
from ledger.keys import PublicKeys
from ledger.lineage import Lineage
from ledger.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at.

    draw(n): a random integer 0 .. n - 1, for choosing receipts. peers: whether to ask the other members for the heads
    they hold. proofs: whether to check the proof of every position. last: what the last audit saw.
    """

    draw: Callable[[int], int]
    peers: bool = True
    proofs: bool = False
    last: Memory | None = None
    transcripts: Sequence[Saved] = ()


class Auditor:
    """Reads everything through `session`, trusting nothing it says."""

    def __init__(
        self,
        session: Session,
        scope: Scope,
        progress: Progress,
        connect: Callable[[Endpoint], Session] = Session,
    ) -> None:
        """connect: opens sessions with the other members."""
        self._connect = connect
        self._session = session
        self._scope = scope
        self._progress = progress

    def run(self) -> Report:
        """The audit. Raises PlimsollError where the node does not answer, or what it shows is no consortium of ours."""
        lineage = self._lineage()
        manifest = lineage.current
        through = _member_of(self._session, manifest)
        report = Report(through, manifest.consortium, manifest.name)
        with self._sources(manifest, through) as sources:
            claims = _claims(sources, lineage, report)
            logs = [self._prepared(log, lineage, through, claims) for log in logs_of(lineage.history)]
            self._read(logs, claims, through)
            self._compare(logs, claims, sources, through, lineage.history)
        self._judge(lineage, logs, report)
        epochs = ceremonies.replay(lineage.history, logs)
        _tell_keys(epochs, report)
        if self._scope.proofs and epochs.in_force is not None and epochs.in_force.keys is not None:
            report.findings += self._check_proofs(manifest, epochs.in_force.keys, logs)
        self._check_transcripts(lineage.history, epochs, logs, report)
        report.logs = [log.report for log in logs]
        report.findings += [finding for log in logs for finding in log.findings]
        return report

    def remember(self, report: Report) -> Memory:
        """What the next audit should know: this one's heads; the last one's of logs in which something was found."""
        last = self._scope.last
        bad = {finding.member for finding in report.findings}
        heads = {} if last is None else dict(last.heads)
        heads |= {log.head.origin: log.head for log in report.logs if log.member not in bad}
        shown = tuple(bytes.fromhex(manifest["id"]) for manifest in report.manifests)
        follows = last is None or shown[: len(last.manifests)] == last.manifests
        return Memory(report.consortium, heads, shown if last is None or follows else last.manifests)

    def _lineage(self) -> Lineage:
        lineage = lineages.read(self._session)
        consortium = lineage.history.consortium
        if consortium != self._session.endpoint.caller.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the node's manifest is not of the consortium in our certificate")
        if self._scope.last is not None and self._scope.last.consortium != consortium:
            raise Unverified("OTHER_CONSORTIUM", "the state is of an audit of another consortium", "state")
        return lineage

    @contextmanager
    def _sources(self, manifest: Manifest, through: str) -> Iterator[dict[str, Session]]:
        """By member: a session with its node, under the CA that the manifest names."""
        others = [member for member in manifest.members if member.name != through] if self._scope.peers else []
        sessions = {through: self._session}
        for member in others:
            endpoint = replace(
                self._session.endpoint,
                address=str(member.address),
                server_name=server_name(member.name),
                authority=member.authority_pem,
            )
            sessions[member.name] = self._connect(endpoint)
        try:
            yield sessions
        finally:
            for member in others:
                sessions[member.name].close()

    def _prepared(self, log: LogId, lineage: Lineage, through: str, claims: Sequence[Claim]) -> OneLog:
        """What must be known before a log is read once: at which sizes its root will be needed, and which leaves."""
        history, saved = lineage.history, self._scope.transcripts
        of_log = [claim for claim in claims if claim.head.origin == log.origin]
        sizes = {claim.head.size for claim in of_log} | transcripts.sizes(saved, history, log.name)
        if self._scope.last is not None and log.origin in self._scope.last.heads:
            sizes.add(self._scope.last.heads[log.origin].size)
        tally = Tally(
            log.member,
            keep_labels=bool(saved),
            origin=log.origin,
            manifests={manifest.id for manifest in history.manifests},
            keys={one.origin: one.key for one in logs_of(history)},
        )
        return OneLog(
            self._session,
            log,
            tally,
            sizes=sizes | voting.sizes(lineage, log.origin),
            leaves=transcripts.leaves(saved, history, log.name) | voting.leaves(lineage, log.origin),
            sampled=receipts.sample(_held(of_log, through), self._scope.draw),
        )

    def _read(self, logs: Sequence[OneLog], claims: Sequence[Claim], through: str) -> None:
        for log in logs:
            log.read(_held([claim for claim in claims if claim.head.origin == log.key.name], through), self._progress)
        forks.mark(logs)

    def _compare(
        self,
        logs: Sequence[OneLog],
        claims: Sequence[Claim],
        sources: Mapping[str, Session],
        through: str,
        history: History,
    ) -> None:
        """Each log with where it ended, with what others hold, with what the last audit saw, and with receipts."""
        for log in logs:
            log.check_end()
            log.compare([claim for claim in claims if claim.head.origin == log.key.name], sources, through, history)
            if self._scope.last is not None and (head := self._scope.last.heads.get(log.key.name)) is not None:
                log.compare_with_last(head)
            log.check_receipts()

    def _judge(self, lineage: Lineage, logs: Sequence[OneLog], report: Report) -> None:
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
            shown = {manifest.id for manifest in self._lineage().history.manifests}
            report.findings += [
                Finding(report.through, None, "KEPT_BACK", f"the logs approve manifest {each.hex()}, the node has not")
                for each in kept_back
                if each not in shown
            ]

    def _check_proofs(self, manifest: Manifest, keys: PublicKeys, logs: Sequence[OneLog]) -> list[Finding]:
        findings: list[Finding] = []
        with Pool(manifest.consortium, keys, manifest.epoch) as pool:
            for log in logs:
                findings += log.check_proofs(pool, self._progress)
            findings += pool.rest()
        return findings

    def _check_transcripts(self, history: History, epochs: Epochs, logs: Sequence[OneLog], report: Report) -> None:
        by_name = {log.id.name: log for log in logs}
        needed = transcripts.sizes_of_earlier(self._scope.transcripts, history, by_name)
        for log in logs:
            log.find_roots({size for name, size in needed if name == log.id.name}, self._progress)
        for saved in self._scope.transcripts:
            facts, finding = transcripts.verify(saved, by_name, history, tuple(epochs.keys.values()))
            report.transcripts.append(facts)
            report.findings += [] if finding is None else [finding]


def _member_of(session: Session, manifest: Manifest) -> str:
    """Whose node it is: its certificate must have that member's name. Raises Unverified for a stranger's."""
    for member in manifest.members:
        if server_name(member.name) == session.endpoint.server_name:
            return member.name
    raise Unverified("UNKNOWN_MEMBER", "the node is of no member of this consortium")


def _held(claims: Iterable[Claim], through: str) -> int:
    """How much of a log the node says it has."""
    return max((claim.head.size for claim in claims if claim.witness == through), default=0)


def _claims(sources: Mapping[str, Session], lineage: Lineage, report: Report) -> list[Claim]:
    """The heads that all members hold; who does not answer is noted, but the one we read through must."""

    def ask(witness: str) -> tuple[list[Claim], list[Finding]] | PlimsollError:
        try:
            heads = sources[witness].heads()
            # Asked behind the heads: a member may know of manifests, and logs, that the one read through does not.
            known, findings = lineages.compare(witness, sources[witness], lineage)
            claims, more = witnesses.collect(witness, heads, known.history)
            return claims, [*findings, *more]
        except PlimsollError as error:
            return error

    claims: list[Claim] = []
    with ThreadPoolExecutor(len(sources)) as threads:
        answers = dict(zip(sources, threads.map(ask, sources), strict=True))
    for witness, answer in answers.items():
        if isinstance(answer, PlimsollError):
            if witness == report.through:
                raise answer
            report.silent[witness] = answer.message
            continue
        report.asked.append(witness)
        claims += answer[0]
        report.findings += answer[1]
    return claims


def _tell_keys(epochs: Epochs, report: Report) -> None:
    report.epochs = ceremonies.epochs_told(epochs)
    report.phase = report.epochs[-1]["phase"]
    if epochs.in_force is not None and epochs.in_force.keys is not None:
        report.public_keys = list(epochs.in_force.keys)
