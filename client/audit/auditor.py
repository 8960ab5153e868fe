"""An audit from beginning to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from client.audit import receipts, transcripts, witnesses
from client.audit.memory import Memory
from client.audit.one_log import OneLog, Progress
from client.audit.proofs import Pool
from client.audit.report import Finding, Report
from client.audit.transcripts import Saved
from client.audit.witnesses import Claim
from client.credentials import Endpoint
from client.sdk import Session
from ledger.caller import server_name
from ledger.ceremony import CeremonyContext, replay
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.founding import open_manifest
from ledger.keys import PublicKeys
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
        """The audit. Raises PlimsollError where the node does not answer, or its manifest is not this consortium's."""
        manifest = self._manifest()
        through = _member_of(self._session, manifest)
        report = Report(through, manifest.consortium, manifest.name)
        with self._sources(manifest, through) as sources:
            claims = _claims(sources, manifest, report)
            logs = [self._prepared(member.name, manifest, through, claims) for member in manifest.members]
            for log in logs:
                of_log = [claim for claim in claims if claim.author == log.member]
                log.read(
                    max((claim.head.size for claim in of_log if claim.witness == through), default=0), self._progress
                )
                log.compare(of_log, sources, through)
                if self._scope.last is not None and (head := self._scope.last.heads.get(log.key.name)) is not None:
                    log.compare_with_last(head)
                log.check_receipts()
        keys = _replay(manifest, logs, report)
        if self._scope.proofs and keys is not None:
            report.findings += self._check_proofs(manifest, keys, logs)
        self._check_transcripts(manifest, keys, logs, report)
        report.logs = [log.report for log in logs]
        report.findings += [finding for log in logs for finding in log.findings]
        return report

    def remember(self, report: Report) -> Memory:
        """What the next audit should know: this one's heads; the last one's of logs in which something was found."""
        bad = {finding.member for finding in report.findings}
        heads = {} if self._scope.last is None else dict(self._scope.last.heads)
        heads |= {log.head.origin: log.head for log in report.logs if log.member not in bad}
        return Memory(report.consortium, heads)

    def _manifest(self) -> Manifest:
        try:
            manifest = open_manifest(self._session.manifest())
        except Unready as error:  # for whoever founds a consortium; a node in service has a signed one
            raise Unverified(error.reason, f"the node's manifest is {error.message}", error.path) from error
        if manifest.consortium != self._session.endpoint.caller.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the node's manifest is not of the consortium in our certificate")
        if self._scope.last is not None and self._scope.last.consortium != manifest.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the state is of an audit of another consortium", "state")
        return manifest

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

    def _prepared(self, member: str, manifest: Manifest, through: str, claims: Sequence[Claim]) -> OneLog:
        """What must be known before a log is read once: at which sizes its root will be needed, and which leaves."""
        key, saved = manifest.log_key(member), self._scope.transcripts
        of_log = [claim for claim in claims if claim.author == member]
        held = max((claim.head.size for claim in of_log if claim.witness == through), default=0)
        sizes = {claim.head.size for claim in of_log} | transcripts.sizes(saved, member)
        if self._scope.last is not None and key.name in self._scope.last.heads:
            sizes.add(self._scope.last.heads[key.name].size)
        return OneLog(
            self._session,
            member,
            key,
            sizes=sizes,
            leaves=transcripts.leaves(saved, member),
            sampled=receipts.sample(held, self._scope.draw),
            keep_labels=bool(saved),
        )

    def _check_proofs(self, manifest: Manifest, keys: PublicKeys, logs: Sequence[OneLog]) -> list[Finding]:
        findings: list[Finding] = []
        with Pool(manifest.consortium, keys) as pool:
            for log in logs:
                findings += log.check_proofs(pool, self._progress)
            findings += pool.rest()
        return findings

    def _check_transcripts(
        self, manifest: Manifest, keys: PublicKeys | None, logs: Sequence[OneLog], report: Report
    ) -> None:
        by_member = {log.member: log for log in logs}
        for saved in self._scope.transcripts:
            facts, finding = transcripts.verify(saved, by_member, manifest, keys)
            report.transcripts.append(facts)
            report.findings += [] if finding is None else [finding]


def _member_of(session: Session, manifest: Manifest) -> str:
    """Whose node it is: its certificate must have that member's name. Raises Unverified for a stranger's."""
    for member in manifest.members:
        if server_name(member.name) == session.endpoint.server_name:
            return member.name
    raise Unverified("UNKNOWN_MEMBER", "the node is of no member of this consortium")


def _claims(sources: Mapping[str, Session], manifest: Manifest, report: Report) -> list[Claim]:
    """The heads that all members hold; who does not answer is noted, but the one we read through must."""

    def ask(witness: str) -> tuple[list[Claim], list[Finding]] | PlimsollError:
        try:
            return witnesses.collect(witness, sources[witness], manifest)
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


def _replay(manifest: Manifest, logs: Sequence[OneLog], report: Report) -> PublicKeys | None:
    """The public keys that the ceremony on these logs left, None before it is final."""
    ceremony = replay(CeremonyContext.of(manifest), [entry for log in logs for entry in log.tally.ceremony])
    report.phase = ceremony.phase
    report.public_keys = list(ceremony.keys) if ceremony.keys is not None else []
    return ceremony.keys
