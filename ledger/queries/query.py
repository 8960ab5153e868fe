"""The asker's side of a query (protocol, 8 to 13): a state machine without I/O.

The order of things, and what the node around it does in between:

1. `begin` fixes the heads and makes the Inquiry entry; `entry` is appended to the asker's own log and made durable.
2. `logged` takes the entry's index and receipt and gives the request, the same for every custodian.
3. t custodians are asked; meanwhile `examine` may work out what their answers must be. Each answer goes to `accept`,
   which says whether it is right; for each that is wrong or late another custodian is asked, until `is_complete`.
4. `finish` reads the sums; `transcript` proves them.

Logs that are frozen are used as far as they were witnessed, and named in the inquiry.
Queries about one borrower must come one after the other: a custodian answers a member's newest inquiry only.
Nothing here is written down, and no repr shows a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from plimsoll.v1 import peer_pb2

from ledger.borrower.labels import Numbered, QueryKeys
from ledger.chain.logview import LogView
from ledger.challenges.challenged import bands_of
from ledger.challenges.settling import NothingSettled, Settling, settled_now
from ledger.consortium.history import History
from ledger.consortium.joined import Record, current_log, record_of
from ledger.consortium.manifest import Manifest
from ledger.crypto.dlog import Table
from ledger.errors import Exhausted, PlimsollError, Unready, Unverified
from ledger.keys import PublicKeys
from ledger.queries import decryption
from ledger.queries.answer import Answer
from ledger.queries.decryption import PartialDecryption
from ledger.queries.findings import Asked, Examiner, Findings
from ledger.queries.freezing import Freezing, NothingFrozen, check_not_frozen, head_of_frozen, known
from ledger.queries.inquiry import DAY, Inquiry, heads_digest
from ledger.queries.inquiry_history import InquiryCount, count_inquiries
from ledger.queries.opening import CarryOn, open_sums
from ledger.queries.plausibility import Sums, contradictions
from ledger.queries.release import Step
from ledger.queries.selection import Tree
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import EMPTY_ROOT

BAD_PARTIAL = "BAD_PARTIAL"
DISAGREES = "DISAGREES"


@dataclass(frozen=True, slots=True)
class Asking:
    """What all queries of one member have in common while one manifest and one key epoch are in force.

    keys: of the epoch to be used. logs: by name (`ledger.consortium.joined`), as this member holds them.
    """

    history: History
    keys: PublicKeys
    examiner: Examiner
    logs: Mapping[str, LogView]
    querier: str
    freezing: Freezing = field(default_factory=NothingFrozen)
    settling: Settling = field(default_factory=NothingSettled)

    @property
    def manifest(self) -> Manifest:
        """The one in force."""
        return self.history.current

    @property
    def keeping(self) -> Manifest:
        """The one whose custodians hold the shares, and whose threshold is theirs."""
        return self.history.keeping(self.keys.epoch)

    def record(self, member: str) -> Record:
        """A member's logs, one after the other."""
        return record_of(self.manifest, member, self.logs)


class Query:
    """One query. `begin` makes it."""

    def __init__(
        self,
        asking: Asking,
        keys: QueryKeys,
        heads: tuple[Head, ...],
        inquiry: Inquiry,
        witnessed: tuple[bytes, ...] = (),
        settled: tuple[bytes, ...] = (),
    ) -> None:
        self._asking = asking
        self._witnessed = witnessed
        self._settled = settled
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
        inquiry about this borrower, Exhausted (BORROWER_QUOTA) where its quota is used up, Unverified (FORK) where the
        asker's own log is frozen; Unready (OTHER_BRANCH) where another branch of a frozen log is held than was
        witnessed.
        """
        check_not_frozen(asking.manifest, asking.querier, asking.freezing)
        frozen = dict(known(asking.manifest, asking.freezing))
        used = [_head(asking, member.name, frozen.get(place)) for place, member in enumerate(asking.manifest.members)]
        heads = tuple(head for head, _ in used)
        record = asking.record(asking.querier)
        numbered = Numbered(record.log, keys.inquiries(asking.querier))
        own_size = next(head.size for head in heads if head.origin == asking.manifest.origin(asking.querier))
        newest = numbered.newest(record.offset + own_size)
        number = 0 if newest is None else newest + 1
        settled, notes = settled_now(asking.manifest, heads, asking.logs, asking.settling, now)
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
            frozen=tuple(frozen),
            conflicting=tuple(place for place, conflicts in frozen.items() if conflicts),
            settled=settled,
        )
        _check_worth(asking, numbered, number, inquiry)
        return cls(asking, keys, heads, inquiry, tuple(used[place][1] for place in frozen), notes)

    def logged(self, index: int, receipt: bytes, tail: peer_pb2.Block | None = None) -> peer_pb2.DecryptRequest:
        """The request for every custodian. index, receipt: of the entry in the log the asker writes, where it is
        durable."""
        self._asked = Asked(self._asking.querier, index, merkle.leaf_hash(self.entry), self._inquiry)
        self._receipt = receipt
        request = peer_pb2.DecryptRequest(
            entry=self.entry,
            receipt=receipt,
            query_key=self._keys.query_key,
            tail=tail,
            witnessed=self._witnessed,
            settled=self._settled,
        )
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
        return len(self._partials) >= self._asking.keeping.threshold

    def accept(self, index: int, response: peer_pb2.DecryptResponse, *, is_own: bool = False) -> bool:
        """Takes the answer of the custodian with this index if it is right; otherwise notes it in `failed`.

        is_own: this very process has made it, so that its proof need not be checked. About 1 ms otherwise, without the
        interpreter's lock for the most part. Raises as `examine` does.
        """
        findings = self.examine()
        if not _agrees(response, findings):
            self._failed[index] = DISAGREES
            return False
        try:
            self._partials[index] = self._partial(index, response, findings, is_own)
        except PlimsollError:
            self._failed[index] = BAD_PARTIAL
            return False
        return True

    def _partial(
        self, index: int, response: peer_pb2.DecryptResponse, findings: Findings, is_own: bool
    ) -> PartialDecryption | None:
        if response.custodian != index or response.epoch != self._asking.keys.epoch:
            raise Unverified("WRONG_CUSTODIAN", "the answer is another custodian's, or of another key epoch")
        if findings.nonce_sum is None:
            if response.points or response.proof:
                raise Unverified("NOTHING_TO_DECRYPT", "there is nothing that could have been decrypted")
            return None
        partial = PartialDecryption(index, findings.released, tuple(response.points), response.proof)
        if is_own:
            return partial
        session = findings.session(self._asking.manifest.consortium, self._asking.keys.epoch, self._known().leaf)
        decryption.verify(session, partial, self._asking.keys.custodian(index).fields)
        return partial

    def finish(self, table: Table, carry_on: CarryOn | None = None) -> Answer:
        """Reads the sums out of t good answers. carry_on: see `open_sums`.

        Raises Unready while answers are missing, Exhausted (SEARCH_STOPPED) where carry_on ended a search.
        """
        if not self.is_complete:
            had, needed = len(self._partials), self._asking.keeping.threshold
            raise Unready("TOO_FEW_CUSTODIANS", f"{had} of {needed} custodians have answered well")
        findings, manifest = self.examine(), self._asking.manifest
        usable = [partial for _, partial in sorted(self._partials.items()) if partial is not None]
        partials = tuple(usable[: self._asking.keeping.threshold])
        bands = bands_of(manifest)
        sums: Sums | None = None
        implausible: tuple[str, ...] = ()
        if partials:
            points = decryption.remove_mask(findings.body_sums, decryption.combine(partials, findings.released))
            contributors = len(findings.selection.contributions)
            sums = open_sums(points, contributors, table, manifest.policy.amount_bits, bands, carry_on)
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
        own, members = self._known(), self._asking.manifest.members
        trees = []
        for member, head in zip(members, self._heads, strict=True):
            record = self._asking.record(member.name)
            size = own.index + 1 if member.name == own.querier else head.size
            trees.append(Tree(member.name, record.log, record.offset + size))
        return trees

    def _known(self) -> Asked:
        if self._asked is None:
            raise Unready("NOT_LOGGED", "the inquiry must be in the log first")
        return self._asked


def _head(asking: Asking, member: str, conflicts: bool | None) -> tuple[Head, bytes]:
    """The head to be used of the log this member writes, and what shows it to be witnessed if the log is frozen.

    conflicts: None where it is not frozen. The log may grow meanwhile, so the size is read once.
    """
    origin, log = asking.manifest.origin(member), current_log(asking.manifest, member, asking.logs)
    if conflicts:
        return Head(origin, 0, EMPTY_ROOT), b""
    if conflicts is not None:
        note = asking.freezing.witnessed(origin)
        return head_of_frozen(note, origin, log, asking.history), note
    size = log.size
    return Head(origin, size, log.root_at(size)), b""


def _check_worth(asking: Asking, numbered: Numbered, number: int, inquiry: Inquiry) -> None:
    """Raises what custodians would, from what this member's own log says about its earlier inquiries."""
    per_day, now = asking.manifest.policy.queries_per_borrower, inquiry.time
    earlier = [_inquiry(asking, numbered, n) for n in range(max(0, number - per_day), number)]
    if len(earlier) == per_day and all(one.time > now - DAY for one in earlier):
        retry = min(one.time for one in earlier) + DAY - now
        raise Exhausted(
            "BORROWER_QUOTA", f"{per_day} inquiries about this borrower were made within a day", retry=retry
        )
    if earlier and _goes_back(asking, earlier[-1], Step.of(asking.manifest, asking.querier, inquiry)):
        raise Unready("HEADS_WENT_BACK", "some log is shorter here than at the last inquiry: wait for its entries")


def _goes_back(asking: Asking, earlier: Inquiry, step: Step) -> bool:
    manifest = asking.history.get(earlier.manifest)
    if manifest is None or len(manifest.members) != len(earlier.sizes):
        return False
    before = Step.of(manifest, asking.querier, earlier).sizes
    return any(step.is_live(origin) and size > step.sizes[origin] for origin, size in before.items())


def _inquiry(asking: Asking, numbered: Numbered, number: int) -> Inquiry:
    index = numbered.index(number)
    if index is None:
        raise Unverified("GAP", "this member's own log lacks one of its inquiries about this borrower")
    return Inquiry.parse(asking.record(asking.querier).log.entry(index))


def _agrees(response: peer_pb2.DecryptResponse, findings: Findings) -> bool:
    """Whether the custodian selected, added up and judged as this member did."""
    excluded = [(left.member, left.reason, left.index) for left in response.excluded]
    expected = [(left.member, left.reason, left.index) for left in findings.selection.exclusions]
    nonce_sum = findings.nonce_sum or b""
    return response.withheld == findings.withheld and response.nonce_sum == nonce_sum and excluded == expected
