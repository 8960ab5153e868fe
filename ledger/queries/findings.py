"""What the logs say about one inquiry: its number, the records it adds up, and whether their amounts may be told.

The asker, every custodian and every verifier of a full transcript work this out for themselves, by this one code, from
the logs at the inquiry's sizes (protocol, 8 to 10). Nothing here depends on a clock or on what was answered before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.borrower.labels import Numbered, QueryKeys
from ledger.cache import Cache
from ledger.chain.logview import LogView, log_of
from ledger.challenges.challenged import Prover
from ledger.consortium.history import History
from ledger.consortium.joined import name_in, record_of
from ledger.consortium.manifest import Manifest
from ledger.crypto import elgamal, group
from ledger.crypto.group import Point
from ledger.errors import Exhausted, PlimsollError, Refused, Unavailable, Unverified
from ledger.keys import PublicKeys
from ledger.positions.digits import MAX_CONTRIBUTORS
from ledger.positions.fields import FIELDS, PACKED, Field
from ledger.queries.decryption import Session
from ledger.queries.inquiry import Inquiry
from ledger.queries.release import FROZEN, HEADS_WENT_BACK, OTHER_MANIFEST, QUOTA, Look, Standing, Step
from ledger.queries.rows import Earlier, Now, Rows
from ledger.queries.selection import RecordVerifier, Selection
from ledger.tlog import merkle

RECORDS_REMEMBERED = 65_536
PROOFS_REMEMBERED = 4096  # that challenged records are well-formed
STANDINGS_REMEMBERED = 16_384
MAX_INQUIRIES = 1 << 16  # of one member about one borrower: bounds what a log full of them costs its readers

Ground = tuple[bytes, tuple[tuple[str, int, bytes], ...]]
"""Manifest id; name, size and root of each frozen log."""
Remembered = tuple[Ground, str, int, bytes]
"""Ground; querier, place in its record and leaf hash of an inquiry."""

_BEHIND = {
    HEADS_WENT_BACK: "an earlier inquiry about this borrower was about more of some log",
    FROZEN: "an earlier inquiry about this borrower names a log as frozen that this one does not",
    OTHER_MANIFEST: "an earlier inquiry about this borrower names a manifest not known, or later than this one's",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """An Inquiry entry in the log its asker writes: its index there and its leaf hash."""

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

    def __init__(self, history: History, keys: PublicKeys) -> None:
        """keys: of any epoch, as the public keys stay."""
        self.history = history
        self.verifier = RecordVerifier(history.consortium, keys, Cache(RECORDS_REMEMBERED))
        self.prover = Prover(history.consortium, keys.fields, Cache(PROOFS_REMEMBERED))
        self.standings: Cache[Remembered, Standing] = Cache(STANDINGS_REMEMBERED)

    def follow(self, history: History) -> None:
        """A successor of the manifest is in force. What was worked out under earlier ones stays known."""
        self.history = history

    def examine(
        self, asked: Asked, keys: QueryKeys, logs: Mapping[str, LogView], at_once: int | None = None
    ) -> Findings:
        """What the logs, each at least of the inquiry's size, say about it.

        logs: by name (`joined`), those that have ended included. at_once: how many earlier inquiries to replay
        in one call, all if None. What was replayed is remembered, so the next call goes on from there. Raises Refused:
        BAD_LABEL, GAP, HEADS_WENT_BACK, FROZEN, OTHER_MANIFEST; Exhausted: BORROWER_QUOTA, TOO_MANY_INQUIRIES,
        TOO_MANY_CONTRIBUTORS; Unverified: IDENTITY_SUM, OTHER_ROOT (protocol, 9); Unavailable: REPLAYING;
        LacksEntries for a log that has ended.
        """
        return _Examination(self, asked, keys, logs, at_once).findings()


class _Examination:
    """One inquiry, examined."""

    def __init__(
        self,
        examiner: Examiner,
        asked: Asked,
        keys: QueryKeys,
        logs: Mapping[str, LogView],
        at_once: int | None,
    ) -> None:
        self._examiner = examiner
        self._at_once = at_once
        self._manifest = manifest_of(examiner.history, asked.inquiry)
        self._asked = asked
        self._logs = logs
        self._step = Step.of(self._manifest, asked.querier, asked.inquiry)
        self._record = record_of(self._manifest, asked.querier, logs)
        self._place = self._record.offset + asked.index
        self._numbered = Numbered(self._record.log, keys.inquiries(asked.querier))
        now = Now(self._manifest, asked.querier, self._step)
        self._rows = Rows(examiner.history, examiner.verifier, examiner.prover, now, keys, logs)
        self._ground = self._on_what()

    def findings(self) -> Findings:
        number = self._number()
        before = self._standing_before(number)
        self._check_not_behind(before)
        selection = self._rows.select(self._manifest, self._asked.inquiry, self._place)
        look = Look(self._rows.row(selection))
        standing = self._advanced(before, self._place, self._asked.leaf, self._step, lambda: look)
        if standing.withheld == QUOTA:
            per_day = self._manifest.policy.queries_per_borrower
            raise Exhausted("BORROWER_QUOTA", f"more than {per_day} inquiries about this borrower within a day")
        if len(selection.contributions) > MAX_CONTRIBUTORS:
            raise Exhausted("TOO_MANY_CONTRIBUTORS", f"at most {MAX_CONTRIBUTORS} lenders can be added up")
        return Findings(number, selection, standing.withheld, *_sums(selection))

    def _on_what(self) -> Ground:
        """All that what is remembered depends on, beside the querier's own entries. A log that is neither frozen nor
        ended only ever grows; of one that is, a replica may have held another branch before."""
        roots = []
        for place in self._asked.inquiry.frozen:
            name = name_in(self._manifest, self._manifest.members[place].name)
            size = self._asked.inquiry.sizes[place]
            roots.append((name, size, log_of(self._logs, name).root_at(size) if size else merkle.EMPTY_ROOT))
        for log in self._manifest.former_logs(self._asked.querier):
            self._rows.check_ended(log.name)
        return self._manifest.id, tuple(roots)

    def _number(self) -> int:
        """Which of the querier's inquiries about this borrower it is."""
        number = self._numbered.newest(self._place + 1)
        if number is None or self._numbered.index(number) != self._place:
            raise Refused("BAD_LABEL", "the inquiry does not stand under its member's next label for this borrower")
        if number >= MAX_INQUIRIES:
            raise Exhausted("TOO_MANY_INQUIRIES", "the member has asked about this borrower too often for ever")
        return number

    def _standing_before(self, number: int) -> Standing:
        """The standing after the inquiry before this one, replayed from the last that is remembered."""
        standing = Standing()
        pending: list[tuple[int, bytes]] = []
        above = self._place
        for earlier in range(number - 1, -1, -1):
            place = self._numbered.index_below(earlier, above)
            if place is None:
                raise Refused("GAP", f"inquiry {earlier} about this borrower does not stand before its successor")
            entry = self._record.log.entry(place)
            remembered = self._examiner.standings.get(self._key(place, merkle.leaf_hash(entry)))
            if remembered is not None:
                standing = remembered
                break
            pending.append((place, entry))
            above = place
        for done, (place, entry) in enumerate(reversed(pending)):
            if done == self._at_once:
                raise Unavailable("REPLAYING", "earlier inquiries about this borrower are being replayed: ask again")
            standing = self._after(standing, place, entry)
        return standing

    def _check_not_behind(self, standing: Standing) -> None:
        """Nobody answers an inquiry that an earlier one was ahead of."""
        code = standing.gone_back(self._step)
        if code:
            raise Refused(code, _BEHIND[code], "entry")

    def _after(self, standing: Standing, place: int, entry: bytes) -> Standing:
        """One of the querier's earlier entries later."""
        leaf = merkle.leaf_hash(entry)
        try:
            earlier = Inquiry.parse(entry)
        except PlimsollError:
            return self._remember(place, leaf, standing.voided())
        manifest = self._examiner.history.get(earlier.manifest)
        if manifest is None or manifest.sequence > self._manifest.sequence:
            raise Refused(OTHER_MANIFEST, _BEHIND[OTHER_MANIFEST], "entry")
        if len(earlier.sizes) != len(manifest.members):
            return self._remember(place, leaf, standing.voided())
        step = Step.of(manifest, self._asked.querier, earlier)
        return self._advanced(standing, place, leaf, step, lambda: self._look(Earlier(manifest, earlier, step, place)))

    def _look(self, earlier: Earlier) -> Look:
        """Refuses as soon as one is found that was ahead: its row may be nothing that can be worked out yet."""
        if self._step.is_behind(earlier.step):
            raise Refused(HEADS_WENT_BACK, _BEHIND[HEADS_WENT_BACK], "entry")
        return self._rows.look(earlier)

    def _advanced(self, standing: Standing, place: int, leaf: bytes, step: Step, look: Callable[[], Look]) -> Standing:
        most = max(manifest.policy.queries_per_borrower for manifest in self._examiner.history.manifests)
        return self._remember(place, leaf, standing.advanced(step, look, most))

    def _remember(self, place: int, leaf: bytes, standing: Standing) -> Standing:
        self._examiner.standings.put(self._key(place, leaf), standing)
        return standing

    def _key(self, place: int, leaf: bytes) -> Remembered:
        return self._ground, self._asked.querier, place, leaf


def manifest_of(history: History, inquiry: Inquiry) -> Manifest:
    """The manifest that an inquiry names. Raises Refused (OTHER_MANIFEST, BAD_HEADS) for one that nobody answers."""
    manifest = history.get(inquiry.manifest)
    if manifest is None:
        raise Refused(OTHER_MANIFEST, "the inquiry names a manifest that is not known", "entry")
    if len(inquiry.sizes) != len(manifest.members):
        raise Refused("BAD_HEADS", "the inquiry has not one size for each member", "entry")
    return manifest


def _sums(selection: Selection) -> tuple[Point | None, tuple[Point, ...]]:
    if not selection.contributions:
        return None, ()
    nonce_sum, body_sums = elgamal.sum_ciphertexts(one.ciphertext for one in selection.contributions)
    if nonce_sum == group.IDENTITY:
        # Only authors that share their nonces can bring this about; it would make the sums readable to everybody.
        raise Unverified("IDENTITY_SUM", "the contributing records cancel each other's nonces out")
    return nonce_sum, body_sums
