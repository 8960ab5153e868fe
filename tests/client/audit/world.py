"""A consortium with real keys, made by a real ceremony, and sessions that serve its logs, true or tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from plimsoll.v1 import audit_pb2, peer_pb2

from client.audit.auditor import Auditor, Scope
from client.audit.report import Report
from client.credentials import Endpoint
from ledger import keys
from ledger.ceremony import Append, CeremonyContext, Installed, Participant, Timing, read_entry
from ledger.consortium.caller import Caller, server_name
from ledger.consortium.founding import SignedManifest
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, NotFound, Unavailable
from ledger.queries.custodian import Custodian
from ledger.queries.findings import Examiner
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, sign_head
from tests.ledger.sample_consortium import POLICY, Ceremony, Consortium, MemoryLog, found, loan
from tests.lenders import lender, seeded

MEMBERS = ("lender-1", "lender-2", "lender-3")
BORROWERS = tuple(f"test:{number}" for number in range(1, 13))


def run_ceremony(
    consortium: Consortium,
    context: CeremonyContext | None = None,
    held: Mapping[str, keys.SecretShares] | None = None,
) -> Ceremony:
    """What the custodians agree on over these logs. held: by dealer, where shares are dealt anew."""
    context = context or CeremonyContext.of(consortium.manifest)
    timing = Timing(close_wait=20, settle=5, reveal_wait=30, turn=2)
    seed = f"ceremony {context.epoch} of"
    participants = {name: Participant(context, name, seeded(f"{seed} {name}"), timing) for name in context.members}
    installed: dict[str, Installed] = {}
    for now in range(0, 1000, 2):
        for name, participant in participants.items():
            entries = [
                read
                for author, log in consortium.logs.items()
                for index, entry in enumerate(log.entries)
                if (read := read_entry(author.partition(".")[0], index, entry)) is not None
            ]
            for action in participant.step(entries, consortium.now + now, (held or {}).get(name)):
                if isinstance(action, Append):
                    consortium.log(name).append(action.entry)
                elif isinstance(action, Installed):
                    installed[name] = action
        if len(installed) == len(context.custodians):
            shares: tuple[keys.SecretShares, ...] = tuple(installed[name].shares for name in context.custodians)
            return Ceremony(installed[context.custodians[0]].keys, shares, ())
    raise AssertionError("the ceremony did not end")


def hold(consortium: Consortium, ceremony: Ceremony) -> None:
    """The custodians hold what a ceremony gave them."""
    consortium.ceremony = ceremony
    for share in ceremony.shares:
        custodian = Custodian(consortium.history, ceremony.public, share, consortium.logs, consortium.rng)
        consortium.custodians[share.index] = custodian
    examiners = {each.name: Examiner(consortium.history, ceremony.public) for each in consortium.manifest.members}
    consortium.examiners.update(examiners)


@cache
def _made() -> tuple[Consortium, dict[str, bytes]]:
    """The consortium after a ceremony, some positions and a query; and that query's transcripts by form."""
    bare = found(len(MEMBERS), POLICY, seed="audit")
    ceremony = run_ceremony(bare)
    whole = Consortium(bare.history, ceremony, bare.logs, {}, {}, bare.rng)
    hold(whole, ceremony)
    for place, borrower in enumerate(BORROWERS):
        for member in MEMBERS:
            whole.report(member, borrower, loan(10 + place))
    answer = whole.ask("lender-2", BORROWERS[3])
    transcripts = {form: Transcript.of(answer, form).encode() for form in (FULL, REDACTED)}
    whole.report("lender-2", BORROWERS[3], loan(77))
    return whole, transcripts


def consortium() -> Consortium:
    """Not to be changed."""
    return _made()[0]


def transcript(form: str) -> bytes:
    """Of lender-2's query."""
    return _made()[1][form]


def manifest() -> Manifest:
    return consortium().manifest


@dataclass
class Served:
    """One member's node as an auditor's session sees it. Every part can be replaced by a lie."""

    member: str
    logs: dict[str, MemoryLog] = field(default_factory=lambda: dict(consortium().logs))
    note: bytes = b""
    per_block: int = 7
    is_down: bool = False
    heads_of: dict[str, MemoryLog] = field(default_factory=dict)
    entries_of: Callable[[str, int, bytes], bytes] = lambda member, index, entry: entry
    cut: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.note = self.note or signed_note()

    @property
    def endpoint(self) -> Endpoint:
        caller = Caller(manifest().consortium, "lender-1", "auditor", "home")
        return Endpoint(f"{self.member}:1", server_name(self.member), caller, b"", b"", b"")

    def close(self) -> None:
        self.asked.append("close")

    def manifests(self) -> audit_pb2.ManifestResponse:
        return audit_pb2.ManifestResponse(manifest=self.note)

    def heads(self) -> list[bytes]:
        if self.is_down:
            raise Unavailable("UNREACHABLE", "not there")
        return [
            self._head(log, log.size)
            for member in self.logs
            if (log := self.heads_of.get(member, self.logs[member])).size
        ]

    def witnessed(self) -> list[bytes]:
        return []

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        member, log = self._log(origin)
        end = self.cut.get(member, log.size)
        for begin in range(start, end, self.per_block):
            stop = min(begin + self.per_block, end)
            entries = [self.entries_of(member, index, log.entry(index)) for index in range(begin, stop)]
            path = merkle.consistency_path(stop, log.size, log._node)
            head = self._head(log, log.size)
            yield peer_pb2.Block(origin=origin, start=begin, entries=entries, head=head, consistency=path)

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        _, log = self._log(origin)
        return list(merkle.consistency_path(old_size, new_size, log._node))

    def receipt(self, origin: str, index: int) -> audit_pb2.ReceiptResponse:
        member, log = self._log(origin)
        if index >= log.size:
            raise InvalidInput("BAD_INDEX", "no such entry", "index")
        entry = self.entries_of(member, index, log.entry(index))
        return audit_pb2.ReceiptResponse(entry=entry, receipt=log.receipt(index))

    def _log(self, origin: str) -> tuple[str, MemoryLog]:
        member = origin.rsplit("/", 1)[1]
        if member not in self.logs:
            raise NotFound("NO_LOG", "no such log")
        return member, self.logs[member]

    def _head(self, log: MemoryLog, size: int) -> bytes:
        return sign_head(Head(log._signer.key.name, size, log.root_at(size)), log._signer).note.encode()


@cache
def signed_note() -> bytes:
    """The manifest, signed by everybody."""
    signed = SignedManifest(manifest(), ())
    for number, member in enumerate(MEMBERS, 1):
        signed = signed.signed_by(member, lender(number).keyring.log_seed)
    return signed.encode()


def altered(log: MemoryLog, index: int, entry: bytes) -> MemoryLog:
    """The author's other log: with another entry there."""
    other = MemoryLog(log._signer)
    for place, one in enumerate(log.entries):
        other.append(entry if place == index else one)
    return other


def audit(through: Served | None = None, *others: Served, **scope: object) -> Report:
    """Through lender-1's node unless told otherwise; the members not given are honest."""
    report, _ = audit_twice(through or Served("lender-1"), *others, **scope)
    return report


def audit_twice(through: Served, *others: Served, **scope: object) -> tuple[Report, Auditor]:
    """The report, and the auditor for what it remembers."""
    nodes = {member: Served(member) for member in MEMBERS} | {other.member: other for other in others}
    return audit_over(nodes, through, **scope)


def audit_over(nodes: Mapping[str, Served], through: Served, **scope: object) -> tuple[Report, Auditor]:
    """The same, of these nodes by member."""
    facts: dict[str, object] = {"draw": lambda size: size // 2, **scope}

    def connect(endpoint: Endpoint) -> Served:
        return next(node for name, node in nodes.items() if server_name(name) == endpoint.server_name)

    auditor = Auditor(through, Scope(**facts), lambda *_: None, connect)  # type: ignore[arg-type]
    return auditor.run(), auditor


def found_by(report: Report) -> list[tuple[str, int | None, str]]:
    """Member, index and reason of each finding."""
    return [(finding.member, finding.index, finding.reason) for finding in report.findings]
