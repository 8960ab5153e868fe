"""What the logs say about one inquiry: its number, the records it adds up, and whether their amounts may be told.

The asker, every custodian and every verifier of a full transcript work this out for themselves, by this one code, from
the logs at the inquiry's sizes (protocol, 8 to 10). Nothing here depends on a clock or on what was answered before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger import elgamal, group, merkle
from ledger.cache import Cache
from ledger.decryption import Session
from ledger.digits import MAX_CONTRIBUTORS
from ledger.errors import Exhausted, PlimsollError, Refused, Unavailable, Unverified
from ledger.fields import FIELDS, PACKED, Field
from ledger.group import Point
from ledger.inquiry import Inquiry
from ledger.keys import PublicKeys
from ledger.labels import Numbered, QueryKeys
from ledger.logview import log_of
from ledger.manifest import Manifest
from ledger.release import QUOTA, Standing
from ledger.selection import Readable, RecordVerifier, Selection, Tree, select
from ledger.span import Row

RECORDS_REMEMBERED = 65_536
STANDINGS_REMEMBERED = 16_384
MAX_INQUIRIES = 1 << 16  # of one member about one borrower: bounds what a log full of them costs its readers


@dataclass(frozen=True, slots=True)
class Asked:
    """An Inquiry entry in its asker's log: its place there and its leaf hash."""

    querier: str
    index: int
    leaf: bytes
    inquiry: Inquiry

    @classmethod
    def read(cls, querier: str, index: int, entry: bytes) -> Asked:
        """Raises InvalidInput for what is no well-formed Inquiry."""
        return cls(querier, index, merkle.leaf_hash(entry), Inquiry.parse(entry))


@dataclass(frozen=True, slots=True)
class Findings:
    """number: of the inquiry for this querier and borrower. withheld: "" or why the amounts are (protocol, 10).

    nonce_sum: SR, None where nobody contributes. body_sums: SC_f by field number, () likewise.
    """

    number: int
    selection: Selection
    withheld: str
    nonce_sum: Point | None
    body_sums: tuple[Point, ...]

    @property
    def released(self) -> tuple[Field, ...]:
        """The fields that are decrypted, ascending."""
        if self.nonce_sum is None:
            return ()
        return PACKED if self.withheld else FIELDS

    def session(self, consortium: bytes, epoch: int, inquiry: bytes) -> Session:
        """What partial decryptions of these sums are bound to. inquiry: the leaf hash. Some lender must contribute."""
        assert self.nonce_sum is not None
        contributors = len(self.selection.contributions)
        return Session(consortium, epoch, inquiry, self.nonce_sum, contributors, dict(enumerate(self.body_sums)))


class Examiner:
    """Examines inquiries. Remembers verdicts on records and standings of queriers, within bounds; no key, no label.

    Several threads may use one.
    """

    def __init__(self, manifest: Manifest, keys: PublicKeys) -> None:
        self.manifest = manifest
        self.verifier = RecordVerifier(manifest.consortium, keys, Cache(RECORDS_REMEMBERED))
        self.standings: Cache[tuple[str, int, bytes], Standing] = Cache(STANDINGS_REMEMBERED)

    def examine(
        self, asked: Asked, keys: QueryKeys, logs: Mapping[str, Readable], at_once: int | None = None
    ) -> Findings:
        """What the logs, each at least of the inquiry's size, say about it.

        at_once: how many earlier inquiries to replay in one call, all if None. What was replayed is remembered, so the
        next call goes on from there. Raises Refused: BAD_LABEL, GAP, HEADS_WENT_BACK; Exhausted: QUOTA,
        TOO_MANY_INQUIRIES, TOO_MANY_CONTRIBUTORS; Unverified: IDENTITY_SUM (protocol, 9); Unavailable: REPLAYING.
        """
        return _Examination(self, asked, keys, logs, at_once).findings()


class _Examination:
    """One inquiry, examined."""

    def __init__(
        self,
        examiner: Examiner,
        asked: Asked,
        keys: QueryKeys,
        logs: Mapping[str, Readable],
        at_once: int | None,
    ) -> None:
        self._examiner = examiner
        self._at_once = at_once
        self._manifest = examiner.manifest
        self._asked = asked
        self._keys = keys
        self._logs = logs
        self._numbered = Numbered(log_of(logs, asked.querier), keys.inquiries(asked.querier))

    def findings(self) -> Findings:
        number = self._number()
        before = self._standing_before(number)
        selection = self._select(self._asked)
        standing = self._advanced(before, self._asked, selection)
        if standing.withheld == QUOTA:
            per_day = self._manifest.policy.queries_per_borrower
            raise Exhausted("QUOTA", f"more than {per_day} inquiries about this borrower within a day")
        if len(selection.contributions) > MAX_CONTRIBUTORS:
            raise Exhausted("TOO_MANY_CONTRIBUTORS", f"at most {MAX_CONTRIBUTORS} lenders can be added up")
        return Findings(number, selection, standing.withheld, *_sums(selection))

    def _number(self) -> int:
        """Which of the querier's inquiries about this borrower it is."""
        number = self._numbered.newest(self._asked.index + 1)
        if number is None or self._numbered.index(number) != self._asked.index:
            raise Refused("BAD_LABEL", "the inquiry does not stand under its member's next label for this borrower")
        if number >= MAX_INQUIRIES:
            raise Exhausted("TOO_MANY_INQUIRIES", "the member has asked about this borrower too often for ever")
        return number

    def _standing_before(self, number: int) -> Standing:
        """The standing after the inquiry before this one, replayed from the last that is remembered."""
        standing = Standing()
        pending: list[tuple[int, bytes]] = []
        above = self._asked.index
        for earlier in range(number - 1, -1, -1):
            index = self._numbered.index_below(earlier, above)
            if index is None:
                raise Refused("GAP", f"inquiry {earlier} about this borrower does not stand before its successor")
            entry = log_of(self._logs, self._asked.querier).entry(index)
            remembered = self._examiner.standings.get((self._asked.querier, index, merkle.leaf_hash(entry)))
            if remembered is not None:
                standing = remembered
                break
            pending.append((index, entry))
            above = index
        for place, (index, entry) in enumerate(reversed(pending)):
            if place == self._at_once:
                raise Unavailable("REPLAYING", "earlier inquiries about this borrower are being replayed: ask again")
            standing = self._after(standing, index, entry)
        self._check_covered(standing.sizes)
        return standing

    def _after(self, standing: Standing, index: int, entry: bytes) -> Standing:
        """One of the querier's earlier entries later."""
        try:
            earlier = Asked.read(self._asked.querier, index, entry)
        except PlimsollError:
            return self._voided(standing, index, entry)
        if earlier.inquiry.manifest != self._manifest.id or len(earlier.inquiry.sizes) != len(self._manifest.members):
            return self._voided(standing, index, entry)
        return self._advanced(standing, earlier, None)

    def _voided(self, standing: Standing, index: int, entry: bytes) -> Standing:
        after = standing.voided()
        self._examiner.standings.put((self._asked.querier, index, merkle.leaf_hash(entry)), after)
        return after

    def _advanced(self, standing: Standing, asked: Asked, selection: Selection | None) -> Standing:
        """After `asked`, whose selection is worked out where it is not given and matters."""

        def row() -> Row:
            self._check_covered(asked.inquiry.sizes)
            return self._row(self._select(asked) if selection is None else selection)

        after = standing.advanced(asked.inquiry.time, asked.inquiry.sizes, row, self._manifest.policy)
        self._examiner.standings.put((asked.querier, asked.index, asked.leaf), after)
        return after

    def _check_covered(self, sizes: tuple[int, ...]) -> None:
        """An earlier row must be computable, and the same for ever, so this inquiry's trees must hold its trees."""
        if any(earlier > now for earlier, now in zip(sizes, self._asked.inquiry.sizes, strict=False)):
            raise Refused("HEADS_WENT_BACK", "an earlier inquiry about this borrower was about more of some log")

    def _select(self, asked: Asked) -> Selection:
        inquiry = asked.inquiry
        members = zip(self._manifest.members, inquiry.sizes, strict=True)
        trees = [Tree(member.name, log_of(self._logs, member.name), size) for member, size in members]
        return select(self._keys, trees, inquiry.time, inquiry.epoch, self._examiner.verifier)

    def _row(self, selection: Selection) -> Row:
        """The contributors without the querier; nobody where there are too many, as nobody answers that."""
        if len(selection.contributions) > MAX_CONTRIBUTORS:
            return 0
        contributors = {contribution.member for contribution in selection.contributions} - {self._asked.querier}
        return sum(1 << place for place, member in enumerate(self._manifest.members) if member.name in contributors)


def _sums(selection: Selection) -> tuple[Point | None, tuple[Point, ...]]:
    if not selection.contributions:
        return None, ()
    nonce_sum, body_sums = elgamal.sum_ciphertexts(one.ciphertext for one in selection.contributions)
    if nonce_sum == group.IDENTITY:
        # Only authors that share their nonces can bring this about; it would make the sums readable to everybody.
        raise Unverified("IDENTITY_SUM", "the contributing records cancel each other's nonces out")
    return nonce_sum, body_sums
