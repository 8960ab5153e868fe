"""An audit from beginning to end. Whatever is wrong is a finding, and the audit goes on with what is left to check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from plimsoll.v1 import peer_pb2

from client.audit import memory, proofs, receipts, witnesses
from client.audit.follower import Follower, Taken
from client.audit.memory import Memory
from client.audit.report import Finding, LogReport, Report
from client.audit.tally import Tally
from client.audit.witnesses import Claim
from client.sdk import Session
from ledger.ceremony import CeremonyContext, replay
from ledger.errors import PlimsollError, Unverified
from ledger.founding import open_manifest
from ledger.keys import PublicKeys
from ledger.manifest import Manifest
from ledger.receipt import Receipt

Progress = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, how much there is)"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at. proofs: whether to check the proof of every position. memory: of the last audit.

    draw(n): a random integer 0 .. n - 1, for choosing receipts.
    """

    draw: Callable[[int], int]
    proofs: bool = False
    memory: Memory | None = None


@dataclass(slots=True)
class _Log:
    """One log in the course of the audit."""

    member: str
    follower: Follower
    tally: Tally
    indices: list[int]
    report: LogReport
    whole: bool = False
    found: list[Finding] = field(default_factory=list)


class Auditor:
    """Reads through `session`; `others`: sessions with the other members, by name, to compare heads with."""

    def __init__(self, session: Session, others: Mapping[str, Session], scope: Scope, progress: Progress) -> None:
        self._session = session
        self._others = others
        self._scope = scope
        self._progress = progress

    def run(self) -> Report:
        """The audit. Raises PlimsollError where the node does not answer, or its manifest is not this consortium's."""
        manifest = self._manifest()
        report = Report(self._session.endpoint.address, manifest.consortium, manifest.name)
        sources = {report.through: self._session, **self._others}
        claims = self._claims(sources, manifest, report)
        logs = [self._prepare(member.name, manifest, claims) for member in manifest.members]
        for log in logs:
            self._read(log, manifest)
            self._compare(log, [claim for claim in claims if claim.author == log.member], sources)
            self._check_receipts(log, manifest)
        keys = _replay(manifest, logs, report)
        if self._scope.proofs and keys is not None:
            self._check_proofs(manifest, keys, logs)
        report.logs = [log.report for log in logs]
        report.findings += [finding for log in logs for finding in log.found]
        return report

    def remember(self, report: Report) -> Memory:
        """What the next audit should know: this one's heads, and the last one's where something was found."""
        bad = {finding.member for finding in report.findings}
        heads = dict(self._scope.memory.heads) if self._scope.memory else {}
        heads |= {log.head.origin: log.head for log in report.logs if log.member not in bad}
        return Memory(report.consortium, heads)

    # -- before reading

    def _manifest(self) -> Manifest:
        manifest = open_manifest(self._session.manifest())
        if manifest.consortium != self._session.endpoint.caller.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the node's manifest is not of the consortium in our certificate")
        if self._scope.memory is not None and self._scope.memory.consortium != manifest.consortium:
            raise Unverified("OTHER_CONSORTIUM", "the state is of an audit of another consortium", "state")
        return manifest

    def _claims(self, sources: Mapping[str, Session], manifest: Manifest, report: Report) -> list[Claim]:
        claims: list[Claim] = []
        for witness, session in sources.items():
            try:
                told, findings = witnesses.collect(witness, session, manifest)
            except PlimsollError as error:
                if session is self._session:
                    raise
                report.silent[witness] = error.message
                continue
            report.asked.append(witness)
            report.findings += findings
            claims += told
        return claims

    def _prepare(self, member: str, manifest: Manifest, claims: Sequence[Claim]) -> _Log:
        """What must be known before a log is read once: at which sizes its root will be needed, and which leaves."""
        origin = manifest.origin(member)
        sizes = set(witnesses.sizes(claims).get(member, set()))
        held = [claim.head.size for claim in claims if claim.author == member and self._is_ours(claim)]
        indices = receipts.sample(max(held, default=0), self._scope.draw)
        if self._scope.memory is not None and origin in self._scope.memory.heads:
            sizes.add(self._scope.memory.heads[origin].size)
        follower = Follower(manifest.log_key(member), sizes, indices)
        return _Log(member, follower, Tally(member, keep_labels=False), indices, LogReport(member, follower.head))

    def _is_ours(self, claim: Claim) -> bool:
        """Whether it is by the node we read through."""
        return claim.witness == self._session.endpoint.address

    # -- one log

    def _read(self, log: _Log, manifest: Manifest) -> None:
        total = max(log.indices, default=-1) + 1
        try:
            for taken in self._blocks(log, manifest):
                log.tally.count(taken)
                self._progress(f"reading {log.member}", log.follower.size, total)
            log.whole = True
        except PlimsollError as error:
            index = log.follower.size if not isinstance(error, _At) else error.index
            log.found.append(Finding.because(log.member, index, error))
        log.report.head = log.follower.head
        log.report.entries = log.tally.kinds

    def _blocks(self, log: _Log, manifest: Manifest) -> Iterator[Taken]:
        for block in self._session.read(log.report.head.origin):
            try:
                yield log.follower.take(block)
            except Unverified as error:
                raise _At(error, self._first_bad(block, manifest, log.member)) from error

    def _first_bad(self, block: peer_pb2.Block, manifest: Manifest, member: str) -> int:
        """The first entry of a bad block that its author has not signed so; receipts tell. The block's start where
        they tell nothing."""
        key = manifest.log_key(member)
        for index, entry in enumerate(block.entries, block.start):
            try:
                receipt = Receipt.parse(self._session.receipt(key.name, index).receipt)
                receipt.verify(entry, key)
            except PlimsollError:
                return index
        return block.start

    def _compare(self, log: _Log, claims: Sequence[Claim], sources: Mapping[str, Session]) -> None:
        last = self._scope.memory.heads.get(log.report.head.origin) if self._scope.memory else None
        try:
            if last is not None:
                memory.compare(last, log.follower)
        except Unverified as error:
            log.found.append(Finding.because(log.member, None, error))
        for claim in claims if log.whole else ():
            try:
                if self._is_ours(claim) and log.follower.size < claim.head.size:
                    raise Unverified("TRUNCATED", "the node hands out fewer entries than its head covers")
                witnesses.compare(claim, log.follower, sources[claim.witness].consistency)
            except PlimsollError as error:
                log.found.append(Finding.because(log.member, None, error))

    def _check_receipts(self, log: _Log, manifest: Manifest) -> None:
        key = manifest.log_key(log.member)
        for index in log.indices if log.whole else ():
            try:
                receipts.check(log.follower, index, key, self._session.receipt, self._session.consistency)
                log.report.receipts += 1
            except PlimsollError as error:
                log.found.append(Finding.because(log.member, index, error))

    # -- all logs

    def _check_proofs(self, manifest: Manifest, keys: PublicKeys, logs: Sequence[_Log]) -> None:
        with proofs.Pool(manifest.consortium, keys) as pool:
            for log in logs:
                log.report.proofs = 0
                log.found += self._check_proofs_of(log, manifest, pool)
            by_member = {log.member: log for log in logs}
            for finding in pool.rest():
                by_member[finding.member].found.append(finding)

    def _check_proofs_of(self, log: _Log, manifest: Manifest, pool: proofs.Pool) -> Iterator[Finding]:
        """Reads the log a second time, now that the keys are known; it must be the same one."""
        size, again = log.follower.size, Follower(manifest.log_key(log.member), [log.follower.size])
        try:
            for block in self._session.read(log.report.head.origin) if size else ():
                taken = again.take(block)
                count, findings = pool.submit(log.member, taken)
                log.report.proofs = (log.report.proofs or 0) + count
                yield from findings
                self._progress(f"proofs of {log.member}", again.size, size)
                if again.size >= size:
                    break
        except PlimsollError as error:
            yield Finding.because(log.member, again.size, error)
            return
        if again.root_at(size) != log.follower.root_at(size):
            yield Finding(log.member, None, "FORK", "read twice, and not the same log")


class _At(PlimsollError):
    """A refusal, and the index of the entry it is about."""

    def __init__(self, error: PlimsollError, index: int) -> None:
        super().__init__(error.reason, error.message, error.path)
        self.index = index


def _replay(manifest: Manifest, logs: Sequence[_Log], report: Report) -> PublicKeys | None:
    """The public keys that the ceremony on these logs left, None before it is final."""
    entries = [entry for log in logs for entry in log.tally.ceremony]
    ceremony = replay(CeremonyContext.of(manifest), entries)
    report.phase = ceremony.phase
    report.public_keys = list(ceremony.keys) if ceremony.keys is not None else []
    return ceremony.keys
