"""A consortium in memory with real cryptography: logs, keys dealt by one hand, custodians, lenders that report and ask.

Everything is seeded, so that the same calls give the same bytes. The clock is `now`, in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from plimsoll.v1 import entry_pb2, peer_pb2

from ledger import keys
from ledger.borrower.labels import BorrowerKeys, Numbered
from ledger.chain.entries import file_entry
from ledger.chain.logview import LogView
from ledger.challenges.settling import NothingSettled, Settling
from ledger.consortium.history import History
from ledger.consortium.joined import name_in, record_of
from ledger.consortium.manifest import Manifest, parse_manifest
from ledger.consortium.policy import Policy
from ledger.crypto import dlog, group, shamir
from ledger.positions.bands import Bands
from ledger.positions.classification import Classification
from ledger.positions.loan import Loan
from ledger.positions.position import fold
from ledger.positions.publication import Publication, PublicationTask, publish
from ledger.queries.answer import Answer
from ledger.queries.custodian import Custodian
from ledger.queries.findings import Examiner
from ledger.queries.freezing import Freezing, NothingFrozen
from ledger.queries.inquiry import DAY, consent_digest
from ledger.queries.query import Asking, Query
from ledger.queries.release import Standing
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead, sign_head
from ledger.tlog.note import Signer
from ledger.tlog.receipt import Receipt
from tests.lenders import lender, manifest_text, seeded

START = 1_760_000_000
TODAY = START // DAY
CONSENT = consent_digest(bytes(32), b"I agree")
# Small amounts, so that small tables find them at once.
POLICY = Policy(amount_bits=24, bands=(10, 50, 100, 200, 500), overdue_bands=(1, 5, 10, 20), queries_per_borrower=100)
Rng = Callable[[int], bytes]


@cache
def small_table() -> dlog.Table:
    """Discrete logarithms below 2^12."""
    return dlog.Table(bytes(dlog.build(12)))


class MemoryLog:
    """A member's log, and everybody's replica of it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.entries: list[bytes] = []
        self._levels: list[list[bytes]] = [[]]
        self._labels: dict[bytes, int] = {}

    @property
    def size(self) -> int:
        return len(self.entries)

    def append(self, entry: bytes) -> int:
        index = len(self.entries)
        self.entries.append(entry)
        label = file_entry(entry).label
        if label is not None:
            self._labels.setdefault(label, index)
        self._levels[0].append(merkle.leaf_hash(entry))
        level = 0
        while len(self._levels[level]) % 2 == 0:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(merkle.node_hash(*self._levels[level][-2:]))
            level += 1
        return index

    def entry(self, index: int) -> bytes:
        return self.entries[index]

    def leaf_hash(self, index: int) -> bytes:
        return self._levels[0][index]

    def root_at(self, size: int) -> bytes:
        return merkle.root_at(size, self._node)

    def find(self, label: bytes) -> int | None:
        return self._labels.get(label)

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None):
        for index, entry in list(enumerate(self.entries))[start:stop]:
            if entry_pb2.Entry.FromString(entry).WhichOneof("kind") == kind:
                yield index, entry

    def receipt(self, index: int, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        note = self.head(size).note.encode()
        return Receipt(index, merkle.inclusion_path(index, size, self._node), note).encode()

    def head(self, size: int) -> SignedHead:
        """As its author signs it."""
        return sign_head(Head(self._signer.key.name, size, self.root_at(size)), self._signer)

    def fork(self, size: int) -> MemoryLog:
        """Another log under the same key that shares the first `size` entries."""
        other = MemoryLog(self._signer)
        for entry in self.entries[:size]:
            other.append(entry)
        return other

    def _node(self, level: int, index: int) -> bytes:
        return self._levels[level][index]


class Behind:
    """A replica that holds only the first `size` entries of a log."""

    def __init__(self, log: MemoryLog, size: int) -> None:
        self._log = log
        self.size = size

    def entry(self, index: int) -> bytes:
        assert index < self.size
        return self._log.entry(index)

    def leaf_hash(self, index: int) -> bytes:
        assert index < self.size
        return self._log.leaf_hash(index)

    def root_at(self, size: int) -> bytes:
        assert size <= self.size
        return self._log.root_at(size)

    def find(self, label: bytes) -> int | None:
        index = self._log.find(label)
        return index if index is not None and index < self.size else None

    def entries_by_kind(self, kind: str, start: int = 0, stop: int | None = None):
        stop = self.size if stop is None else min(stop, self.size)
        return self._log.entries_by_kind(kind, start, stop)


@dataclass(frozen=True)
class Ceremony:
    """What a key ceremony would leave."""

    public: keys.PublicKeys
    shares: tuple[keys.SecretShares, ...]
    secrets: tuple[bytes, ...]


def deal(custodians: int, threshold: int, rng: Rng, epoch: int = 1, secrets: Sequence[bytes] = ()) -> Ceremony:
    """Keys out of polynomials that one hand knows whole. secrets: those of the epoch before, which stay."""
    polynomials = [[group.random_scalar(rng) for _ in range(threshold)] for _ in range(keys.COORDINATES)]
    for polynomial, secret in zip(polynomials, secrets, strict=False):
        polynomial[0] = secret
    shares = tuple(
        keys.SecretShares.of(epoch, j, [shamir.evaluate(polynomial, j) for polynomial in polynomials])
        for j in range(1, custodians + 1)
    )
    public = keys.public_keys(
        epoch,
        [group.mul_base(polynomial[0]) for polynomial in polynomials],
        [[group.mul_base(share) for share in own] for own in shares],
    )
    return Ceremony(public, shares, tuple(polynomial[0] for polynomial in polynomials))


def loan(outstanding: int, **changes: object) -> Loan:
    """One loan of so many minor units."""
    facts: dict[str, object] = {
        "loan_id": "L1",
        "product": "card",
        "credit_limit": 2 * outstanding,
        "outstanding": outstanding,
        "monthly_due": outstanding // 10,
        "overdue": 0,
        "days_past_due": 0,
        "classification": Classification.PASS,
        "open": True,
        "as_of": TODAY,
    }
    return Loan(**{**facts, **changes})  # type: ignore[arg-type]


@dataclass
class Consortium:
    """lender-1 .. lender-n, all of them custodians, more than half needed."""

    history: History
    ceremony: Ceremony
    logs: dict[str, MemoryLog]
    custodians: dict[int, Custodian]
    examiners: dict[str, Examiner]
    rng: Rng
    now: int = START
    freezing: Freezing = field(default_factory=NothingFrozen)
    settling: Settling = field(default_factory=NothingSettled)
    bands: Bands = field(init=False)

    def __post_init__(self) -> None:
        policy = self.manifest.policy
        self.bands = Bands.from_major(policy.bands, policy.overdue_bands, self.manifest.minor_per_major)

    @property
    def manifest(self) -> Manifest:
        return self.history.current

    @property
    def keys(self) -> keys.PublicKeys:
        return self.ceremony.public

    def log(self, member: str) -> MemoryLog:
        """The one it writes now."""
        return self.logs[name_in(self.manifest, member)]

    def pseudonym_key(self, borrower: str) -> bytes:
        """As if the custodians had evaluated it."""
        key: bytes = seeded(f"pseudonym of {borrower}")(64)
        return key

    def borrower(self, borrower: str) -> BorrowerKeys:
        return BorrowerKeys.from_pseudonym_key(self.pseudonym_key(borrower))

    def next_position(self, member: str, borrower: str) -> int:
        record = record_of(self.manifest, member, self.logs)
        numbered = Numbered(record.log, self.borrower(borrower).query.positions(member))
        newest = numbered.newest(record.offset + self.log(member).size)
        return 0 if newest is None else newest + 1

    def position_entry(self, member: str, borrower: str, *loans: Loan, number: int | None = None, **task) -> bytes:
        """The entry of a position over these loans. task: what else its PublicationTask is to say."""
        number = self.next_position(member, borrower) if number is None else number
        label = self.borrower(borrower).query.positions(member)(number)
        position = fold(loans, self.bands)
        item = Publication(label, borrower, number, self.pseudonym_key(borrower), tuple(loans), position)
        facts = {
            "consortium": self.manifest.consortium,
            "member": member,
            "epoch": 1,
            "public_keys": self.keys.fields,
            "time": self.now,
            "backup_key": bytes(32),
            "hedge_secret": bytes(32),
            "seed": self.rng(32),
            "items": (item,),
        }
        entry: bytes = publish(PublicationTask(**{**facts, **task}))[0]
        return entry

    def report(self, member: str, borrower: str, *loans: Loan, **task) -> int:
        """Publishes a position; its index."""
        return self.log(member).append(self.position_entry(member, borrower, *loans, **task))

    def asking(self, querier: str, logs: Mapping[str, LogView] | None = None) -> Asking:
        examiner = self.examiners[querier]
        return Asking(self.history, self.keys, examiner, logs or self.logs, querier, self.freezing, self.settling)

    def begin(
        self, querier: str, borrower: str, purpose: int = entry_pb2.PURPOSE_PRE_LOAN, **asking
    ) -> tuple[Query, peer_pb2.DecryptRequest]:
        """An inquiry, logged."""
        keys = self.borrower(borrower).query
        query = Query.begin(self.asking(querier, **asking), keys, purpose, CONSENT, self.now)
        index = self.log(querier).append(query.entry)
        return query, query.logged(index, self.log(querier).receipt(index))

    def answer(self, index: int, querier: str, request: peer_pb2.DecryptRequest) -> peer_pb2.DecryptResponse:
        """What custodian `index` says; it held nothing of anything 30 s ago."""
        return self.custodians[index].answer(querier, request, self.now, lambda name: 0, self.freezing)

    def ask(self, querier: str, borrower: str, custodians: Sequence[int] = (), **begin) -> Answer:
        """The whole way, by these custodians (by default the first t)."""
        query, request = self.begin(querier, borrower, **begin)
        threshold = self.history.keeping(self.keys.epoch).threshold
        for index in custodians or range(1, threshold + 1):
            assert query.accept(index, self.answer(index, querier, request)), query.failed
        return query.finish(small_table())

    def custodian(self, index: int, logs: Mapping[str, LogView] | None = None) -> Custodian:
        """A custodian just started, over these logs."""
        shares = self.ceremony.shares[index - 1]
        return Custodian(self.history, self.keys, shares, logs or self.logs, self.rng)


def found(
    members: int = 5, policy: Policy = POLICY, seed: str = "consortium", custodians: Sequence[str] = ()
) -> Consortium:
    """A new consortium whose logs are empty. custodians: all where empty."""
    rng = seeded(seed)
    manifest = parse_manifest(manifest_text(members, policy=policy, custodians=custodians))
    names = [member.name for member in manifest.members]
    signers = {
        name: Signer.from_seed(manifest.origin(name), lender(number).keyring.log_seed)
        for number, name in enumerate(names, 1)
    }
    logs = {name: MemoryLog(signers[name]) for name in names}
    ceremony = deal(len(manifest.custodians), manifest.threshold, rng)
    history = History([manifest])
    keepers = {share.index: Custodian(history, ceremony.public, share, logs, rng) for share in ceremony.shares}
    examiners = {name: Examiner(history, ceremony.public) for name in names}
    return Consortium(history, ceremony, logs, keepers, examiners, rng)


def standing_of(consortium: Consortium, querier: str, answer: Answer) -> Standing | None:
    """What the querier's examiner remembers after this answer."""
    ground = (consortium.manifest.id, ())
    return consortium.examiners[querier].standings.get((ground, querier, answer.asked.index, answer.asked.leaf))
