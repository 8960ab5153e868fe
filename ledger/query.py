"""The asker's side of a query (protocol, 8 to 13): a state machine without I/O.

The order of things, and what the node around it does in between:

1. `begin` fixes the heads and makes the Inquiry entry; `entry` is appended to the asker's own log and made durable.
2. `logged` takes the entry's index and receipt and gives the request, the same for every custodian.
3. t custodians are asked; meanwhile `examine` may work out what their answers must be. Each answer goes to `accept`,
   which says whether it is right; for each that is wrong or late another custodian is asked, until `is_complete`.
4. `finish` reads the sums; `transcript` proves them.

Queries about one borrower must come one after the other: a custodian answers a member's newest inquiry only.
Nothing here is written down, and no repr shows a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from plimsoll.v1 import peer_pb2

from ledger import decryption, merkle
from ledger.answer import Answer
from ledger.bands import Bands
from ledger.checkpoint import Head
from ledger.decryption import PartialDecryption
from ledger.dlog import Table
from ledger.errors import Exhausted, PlimsollError, Unready, Unverified
from ledger.findings import Asked, Examiner, Findings
from ledger.inquiry import DAY, Inquiry, heads_digest
from ledger.inquiry_history import InquiryCount, count_inquiries
from ledger.keys import PublicKeys
from ledger.labels import Numbered, QueryKeys
from ledger.logview import LogView, log_of
from ledger.manifest import Manifest
from ledger.opening import CarryOn, open_sums
from ledger.plausibility import Sums, contradictions
from ledger.selection import Tree

BAD_PARTIAL = "BAD_PARTIAL"
DISAGREES = "DISAGREES"


@dataclass(frozen=True, slots=True)
class Asking:
    """What all queries of one member have in common. logs: by member, as this member holds them."""

    manifest: Manifest
    keys: PublicKeys
    examiner: Examiner
    logs: Mapping[str, LogView]
    querier: str


class Query:
    """One query. `begin` makes it."""

    def __init__(self, asking: Asking, keys: QueryKeys, heads: tuple[Head, ...], inquiry: Inquiry) -> None:
        self._asking = asking
        self._keys = keys
        self._heads = heads
        self._inquiry = inquiry
        self.entry = inquiry.encode()
        self._asked: Asked | None = None
        self._receipt = b""
        self._findings: Findings | None = None
        self._inquiries: tuple[InquiryCount, ...] = ()
        self._partials: dict[int, PartialDecryption | None] = {}
        self._failed: dict[int, str] = {}

    @classmethod
    def begin(cls, asking: Asking, keys: QueryKeys, purpose: int, consent_digest: bytes, now: int) -> Query:
        """A query at the heads held now. now: Unix seconds; consent_digest: 32 bytes.

        Raises what would only waste an entry: Unready (HEADS_WENT_BACK) while these logs are shorter than at the last
        inquiry about this borrower, Exhausted (QUOTA) where its quota is used up.
        """
        heads = tuple(_head(asking, member.name) for member in asking.manifest.members)
        numbered = Numbered(log_of(asking.logs, asking.querier), keys.inquiries(asking.querier))
        own_size = next(head.size for head in heads if head.origin == asking.manifest.origin(asking.querier))
        newest = numbered.newest(own_size)
        number = 0 if newest is None else newest + 1
        _check_worth(asking, numbered, number, heads, now)
        inquiry = Inquiry(
            time=now,
            label=numbered.label(number),
            purpose=purpose,
            consent_digest=consent_digest,
            as_of=0,
            epoch=asking.keys.epoch,
            manifest=asking.manifest.id,
            sizes=tuple(head.size for head in heads),
            heads_digest=heads_digest(heads),
        )
        return cls(asking, keys, heads, inquiry)

    def logged(self, index: int, receipt: bytes, tail: peer_pb2.Block | None = None) -> peer_pb2.DecryptRequest:
        """The request for every custodian. index, receipt: of the entry in the asker's log, where it is durable."""
        self._asked = Asked(self._asking.querier, index, merkle.leaf_hash(self.entry), self._inquiry)
        self._receipt = receipt
        request = peer_pb2.DecryptRequest(entry=self.entry, receipt=receipt, query_key=self._keys.query_key, tail=tail)
        for head in self._heads:
            request.heads.add(origin=head.origin, size=head.size, root=head.root)
        return request

    def examine(self) -> Findings:
        """What this member's own replica says: what custodians must have found too. Worked out once.

        Raises as `Examiner.examine` does; Unready before `logged`.
        """
        if self._findings is None:
            findings = self._asking.examiner.examine(self._known(), self._keys, self._asking.logs)
            self._inquiries = count_inquiries(self._keys, self._trees(), self._inquiry.time)
            self._findings = findings
        return self._findings

    @property
    def failed(self) -> Mapping[int, str]:
        """Custodians, by index, whose answer was wrong: BAD_PARTIAL or DISAGREES."""
        return MappingProxyType(self._failed)

    @property
    def is_complete(self) -> bool:
        """Whether enough good answers are there."""
        return len(self._partials) >= self._asking.manifest.threshold

    def accept(self, index: int, response: peer_pb2.DecryptResponse) -> bool:
        """Takes the answer of the custodian with this index if it is right; otherwise notes it in `failed`.

        About 1 ms, without the interpreter's lock for the most part. Raises as `examine` does.
        """
        findings = self.examine()
        if not _agrees(response, findings):
            self._failed[index] = DISAGREES
            return False
        try:
            self._partials[index] = self._partial(index, response, findings)
        except PlimsollError:
            self._failed[index] = BAD_PARTIAL
            return False
        return True

    def _partial(self, index: int, response: peer_pb2.DecryptResponse, findings: Findings) -> PartialDecryption | None:
        if response.custodian != index or response.epoch != self._asking.keys.epoch:
            raise Unverified("WRONG_CUSTODIAN", "the answer is another custodian's, or of another key epoch")
        if findings.nonce_sum is None:
            if response.points or response.proof:
                raise Unverified("NOTHING_TO_DECRYPT", "there is nothing that could have been decrypted")
            return None
        partial = PartialDecryption(index, findings.released, tuple(response.points), response.proof)
        session = findings.session(self._asking.manifest.consortium, self._asking.keys.epoch, self._known().leaf)
        decryption.verify(session, partial, self._asking.keys.custodian(index).fields)
        return partial

    def finish(self, table: Table, carry_on: CarryOn | None = None) -> Answer:
        """Reads the sums out of t good answers. carry_on: see `open_sums`.

        Raises Unready while answers are missing, Exhausted (SEARCH_STOPPED) where carry_on ended a search.
        """
        if not self.is_complete:
            had, needed = len(self._partials), self._asking.manifest.threshold
            raise Unready("TOO_FEW_CUSTODIANS", f"{had} of {needed} custodians have answered well")
        findings, manifest = self.examine(), self._asking.manifest
        usable = [partial for _, partial in sorted(self._partials.items()) if partial is not None]
        partials = tuple(usable[: manifest.threshold])
        policy = manifest.policy
        bands = Bands.from_major(policy.bands, policy.overdue_bands, manifest.minor_per_major)
        sums: Sums | None = None
        implausible: tuple[str, ...] = ()
        if partials:
            points = decryption.remove_mask(findings.body_sums, decryption.combine(partials, findings.released))
            contributors = len(findings.selection.contributions)
            sums = open_sums(points, contributors, table, policy.amount_bits, bands, carry_on)
            implausible = contradictions(sums, contributors, bands)
        return Answer(
            manifest=manifest,
            bands=bands,
            epoch=self._asking.keys.epoch,
            asked=self._known(),
            entry=self.entry,
            receipt=self._receipt,
            query_key=self._keys.query_key,
            heads=self._heads,
            findings=findings,
            partials=partials,
            sums=sums,
            implausible=implausible,
            inquiries=self._inquiries,
        )

    def _trees(self) -> list[Tree]:
        """The trees of the inquiry, the asker's own up to the inquiry itself."""
        own, logs = self._known(), self._asking.logs
        names = [member.name for member in self._asking.manifest.members]
        sizes = {name: head.size for name, head in zip(names, self._heads, strict=True)} | {own.querier: own.index + 1}
        return [Tree(name, logs[name], sizes[name]) for name in names]

    def _known(self) -> Asked:
        if self._asked is None:
            raise Unready("NOT_LOGGED", "the inquiry must be in the log first")
        return self._asked


def _head(asking: Asking, member: str) -> Head:
    """The head to be used of this member's log. The log may grow meanwhile, so the size is read once."""
    log = log_of(asking.logs, member)
    size = log.size
    return Head(asking.manifest.origin(member), size, log.root_at(size))


def _check_worth(asking: Asking, numbered: Numbered, number: int, heads: tuple[Head, ...], now: int) -> None:
    """Raises what custodians would, from what this member's own log says about its earlier inquiries."""
    per_day = asking.manifest.policy.queries_per_borrower
    earlier = [_inquiry(asking, numbered, n) for n in range(max(0, number - per_day), number)]
    if len(earlier) == per_day and all(inquiry.time > now - DAY for inquiry in earlier):
        raise Exhausted("QUOTA", f"{per_day} inquiries about this borrower were made within a day")
    if earlier and any(before > head.size for before, head in zip(earlier[-1].sizes, heads, strict=False)):
        raise Unready("HEADS_WENT_BACK", "some log is shorter here than at the last inquiry: wait for its entries")


def _inquiry(asking: Asking, numbered: Numbered, number: int) -> Inquiry:
    index = numbered.index(number)
    if index is None:
        raise Unverified("GAP", "this member's own log lacks one of its inquiries about this borrower")
    return Inquiry.parse(asking.logs[asking.querier].entry(index))


def _agrees(response: peer_pb2.DecryptResponse, findings: Findings) -> bool:
    """Whether the custodian selected, added up and judged as this member did."""
    excluded = [(left.member, left.reason, left.index) for left in response.excluded]
    expected = [(left.member, left.reason, left.index) for left in findings.selection.exclusions]
    nonce_sum = findings.nonce_sum or b""
    return response.withheld == findings.withheld and response.nonce_sum == nonce_sum and excluded == expected
