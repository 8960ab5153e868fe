"""The key ceremony and resharing, replayed from the members' logs (protocol section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from tests.second import hpke
from tests.second.entry import Entry, read
from tests.second.framing import digest, frame, to_scalar
from tests.second.group import IDENTITY, G, Point, combine, element, lagrange_at_zero, point, proof_scalars, scalar
from tests.second.log import Log
from tests.second.refusal import Refused, require

COORDINATES = 8
NONE = bytes(32)
VALID, VOID, WAITS = "valid", "void", "waits"


def ceremony_id(consortium: bytes, manifest: bytes, epoch: int, attempt: int) -> bytes:
    return digest("plimsoll/v1/ceremony", consortium, manifest, epoch, attempt)


def complaint_id(ceremony: bytes, author: int, leaf: bytes) -> bytes:
    return digest("plimsoll/v1/complaint", ceremony, author, leaf)


@dataclass(frozen=True)
class Keys:
    epoch: int
    # K, then X_0 .. X_6.
    public: tuple[Point, ...]
    # By custodian's index: K_j, then X_{f,j}.
    shares: Mapping[int, tuple[Point, ...]]

    def encoded_shares(self) -> list[list[bytes]]:
        return [[share.encoded for share in self.shares[j]] for j in sorted(self.shares)]


@dataclass(frozen=True)
class Setting:
    """What a ceremony is for; custodians, who receive, in the manifest's order."""

    consortium: bytes
    manifest: bytes
    custodians: tuple[str, ...]
    threshold: int
    epoch: int = 1
    # Of a resharing: the setting of the epoch F, and its keys.
    source: Setting | None = None
    before: Keys | None = None

    @property
    def dealers(self) -> tuple[str, ...]:
        return self.source.custodians if self.source else self.custodians

    @property
    def dealings(self) -> int:
        """t: how many dealings it takes."""
        return self.source.threshold if self.source else self.threshold

    def weights(self, dealers: Sequence[int]) -> list[int]:
        """What each dealing is multiplied by in the sum."""
        return [lagrange_at_zero(i, dealers) if self.source else 1 for i in dealers]


@dataclass(frozen=True)
class Commitments:
    """A valid dealing's points: per coordinate t commitments."""

    points: tuple[tuple[Point, ...], ...]

    def at(self, index: int) -> list[Point]:
        """Per coordinate the sum over k of index^k commitments[k], by Horner's rule."""
        values = []
        for coefficients in self.points:
            value = IDENTITY
            for coefficient in reversed(coefficients):
                value = index * value + coefficient
            values.append(value)
        return values


def check_possession(ceremony: bytes, dealer: int, coordinate: int, constant: Point, proof: bytes) -> None:
    c, s = proof_scalars(proof)
    t = combine([(s, G), (c, constant)])
    challenge = to_scalar("plimsoll/v1/possession", ceremony, dealer, coordinate, constant.encoded, t.encoded)
    require(challenge == c, "BAD_PROOF")


def share_info(ceremony: bytes, dealer: int, receiver: int, commitments: Sequence[bytes]) -> bytes:
    """`commitments` is the flat list of 8 t, coordinate by coordinate."""
    flat = digest("plimsoll/v1/commitments", ceremony, dealer, list(commitments))
    return frame("plimsoll/v1/share", ceremony, dealer, receiver, flat)


def opened_share(private: bytes, sealed: bytes, info: bytes) -> list[int]:
    raw = hpke.open_sealed(private, sealed, info)
    require(len(raw) == 32 * COORDINATES, "BAD_SHARE")
    return [scalar(raw[at : at + 32]) for at in range(0, len(raw), 32)]


def share_fits(share: Sequence[int], commitments: Commitments, receiver: int) -> bool:
    return [value * G for value in share] == commitments.at(receiver)


@lru_cache(maxsize=256)
def commitments_of(raw: bytes, dealer: int, threshold: int) -> Commitments:
    """The points of a dealing's entry with their proofs checked, or Refused; what is outside of it is not looked at."""
    entry = read(raw)
    assert entry is not None
    rows = []
    for number, coordinate in enumerate(entry.body.coordinates):
        require(len(coordinate.commitments) == threshold, "BAD_DEALING", "commitments")
        points = (element(coordinate.commitments[0]), *map(point, coordinate.commitments[1:]))
        check_possession(entry.body.ceremony, dealer, number, points[0], coordinate.possession)
        rows.append(points)
    return Commitments(tuple(rows))


@lru_cache(maxsize=1024)
def summed(dealings: tuple[Commitments, ...], weights: tuple[int, ...], index: int) -> tuple[Point, ...]:
    """Per coordinate the weighted sum of the values at `index` that the dealings commit to; at 0 the keys."""
    columns = zip(*(dealing.at(index) for dealing in dealings), strict=True)
    return tuple(combine(zip(weights, column, strict=True)) for column in columns)


@dataclass
class _Author:
    """What counts of one custodian: of each kind its first, in the order of its log."""

    # How many it may complain of, and whom it may answer.
    dealers: int
    receivers: int
    ready: Entry | None = None
    dealing: Entry | None = None
    close: Entry | None = None
    confirmation: Entry | None = None
    # By the leaf of the dealing complained of; by complaint id.
    complaints: dict[bytes, Entry] = field(default_factory=dict)
    reveals: dict[bytes, Entry] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        if entry.kind == "complaint":
            if len(self.complaints) < self.dealers:
                self.complaints.setdefault(entry.body.dealing, entry)
        elif entry.kind == "reveal":
            if len(self.reveals) < self.receivers:
                self.reveals.setdefault(entry.body.complaint, entry)
        elif getattr(self, entry.kind) is None and not (
            entry.kind == "ready" and hpke.small_order(entry.body.hpke_key)
        ):
            setattr(self, entry.kind, entry)

    def complained_ahead(self) -> int:
        """Of how many dealings, before its confirmation, if any."""
        end = self.confirmation.index if self.confirmation else None
        return sum(end is None or c.index < end for c in self.complaints.values())


CEREMONY_KINDS = {"ready", "dealing", "close", "complaint", "reveal", "confirmation"}


@dataclass(frozen=True)
class Complaint:
    author: int
    entry: Entry
    # "valid": its Close is, and counts the dealing.
    status: str


class Attempt:
    """One ceremony as the logs show it."""

    def __init__(self, setting: Setting, logs: Mapping[str, Iterable[Entry | None]], number: int) -> None:
        self.setting = setting
        self.id = ceremony_id(setting.consortium, setting.manifest, setting.epoch, number)
        # Of the receivers; and of the dealers, who at the founding are the same.
        self.n, self.threshold = len(setting.custodians), setting.threshold
        self.t = setting.dealings
        self.q = -(-(self.n + self.threshold) // 2)
        self.authors = self._those(setting.custodians, logs)
        self.dealing_authors = self._those(setting.dealers, logs)
        self._judge()

    def _those(self, names: Sequence[str], logs: Mapping[str, Iterable[Entry | None]]) -> dict[int, _Author]:
        authors = {}
        for index, name in enumerate(names, 1):
            author = authors[index] = _Author(len(self.setting.dealers), self.n)
            for entry in logs.get(name, ()):
                if entry and entry.kind in CEREMONY_KINDS and entry.body.ceremony == self.id:
                    author.take(entry)
        return authors

    def _judge(self) -> None:
        self.dealings = {i: self._dealing(i) for i in self.dealing_authors}
        # Leaf of a valid dealing to its dealer: bytes that another custodian repeats are not valid as its own.
        self.dealers = {
            author.dealing.leaf: i
            for i, author in self.dealing_authors.items()
            if author.dealing and isinstance(self.dealings[i], Commitments)
        }
        self.closes = {
            author.close.leaf: [self.dealers[leaf] for leaf in author.close.body.dealings]
            for author in self.authors.values()
            if author.close and self._close(author.close)
        }
        self.complaints = {
            complaint_id(self.id, j, entry.leaf): Complaint(j, entry, self._complaint(entry))
            for j, author in self.authors.items()
            for entry in author.complaints.values()
        }
        # Leaf to complaint id, of the reveals that answer a valid complaint, and whether they are good.
        self.reveals: dict[bytes, tuple[bytes, bool]] = {}
        for i, author in self.dealing_authors.items():
            for identifier, entry in author.reveals.items():
                if self._answers(i, identifier):
                    self.reveals[entry.leaf] = identifier, self._good(i, identifier, entry)

    def readies_digest(self) -> bytes | None:
        readies = [author.ready.leaf for author in self.authors.values() if author.ready]
        return digest("plimsoll/v1/readies", self.id, readies) if len(readies) == self.n else None

    def _dealing(self, dealer: int) -> Commitments | str:
        """A valid dealing's commitments, or void, or waits."""
        entry, expected = self.dealing_authors[dealer].dealing, self.readies_digest()
        if entry is None or expected is None:
            return WAITS
        try:
            require(len(entry.body.sealed_shares) == self.n, "BAD_DEALING", "shares")
            commitments = commitments_of(entry.raw, dealer, self.threshold)
            if self.setting.before:
                constants = tuple(row[0] for row in commitments.points)
                require(constants == self.setting.before.shares[dealer], "BAD_DEALING", "another share")
        except Refused:
            return VOID
        return commitments if entry.body.readies_digest == expected else VOID

    def _close(self, entry: Entry) -> bool:
        dealers = [self.dealers.get(leaf, 0) for leaf in entry.body.dealings]
        return len(dealers) >= self.t and dealers == sorted(set(dealers)) and 0 not in dealers

    def _complaint(self, entry: Entry) -> str:
        counted = self.closes.get(entry.body.close)
        if counted is None:
            return WAITS
        return VALID if self.dealers.get(entry.body.dealing) in counted else VOID

    def _answers(self, dealer: int, identifier: bytes) -> bool:
        complaint = self.complaints.get(identifier)
        if complaint is None or complaint.status != VALID:
            return False
        return self.dealers[complaint.entry.body.dealing] == dealer

    def _good(self, dealer: int, identifier: bytes, entry: Entry) -> bool:
        commitments = self.dealings[dealer]
        assert isinstance(commitments, Commitments)
        try:
            share = [scalar(raw) for raw in entry.body.shares]
        except Refused:
            return False
        return share_fits(share, commitments, self.complaints[identifier].author)

    def counts(self, complaint: Complaint, close: Sequence[int]) -> bool:
        """Whether it counts under a Close: not if it stands behind its author's Confirmation."""
        confirmation = self.authors[complaint.author].confirmation
        late = confirmation is not None and complaint.entry.index > confirmation.index
        return complaint.status == VALID and not late and self.dealers[complaint.entry.body.dealing] in close

    def qualified(
        self, close: Sequence[int], complaints: Iterable[bytes], reveals: Iterable[bytes]
    ) -> tuple[list[int], list[int]]:
        """Rule 6: the qualified dealers and the dropped custodians, both ascending."""
        listed = [(identifier, self.complaints[identifier]) for identifier in complaints]
        dropped = {j for j, times in Counter(c.author for _, c in listed).items() if times >= self.t}
        answered = {self.reveals[leaf][0] for leaf in reveals if self.reveals[leaf][1]}
        against: Counter[int] = Counter()
        out = set()
        for identifier, complaint in listed:
            if complaint.author not in dropped:
                dealer = self.dealers[complaint.entry.body.dealing]
                against[dealer] += 1
                if identifier not in answered or against[dealer] >= self.threshold:
                    out.add(dealer)
        return [i for i in close if i not in out], sorted(dropped)

    def keys(self, dealers: Sequence[int]) -> Keys:
        chosen = [c for c in (self.dealings[i] for i in dealers) if isinstance(c, Commitments)]
        weights = self.setting.weights(dealers)
        shares = {j: summed(tuple(chosen), tuple(weights), j) for j in (0, *self.authors)}
        return Keys(self.setting.epoch, shares.pop(0), shares)

    def transcript(self, close: bytes, dealers: Sequence[int], dropped: Sequence[int], keys: Keys) -> bytes:
        leaves = {dealer: leaf for leaf, dealer in self.dealers.items()}
        parts = [
            self.id,
            close,
            [leaves[i] for i in dealers],
            list(dropped),
            [key.encoded for key in keys.public],
            keys.encoded_shares(),
        ]
        before = self.setting.before
        if before is None:
            return digest("plimsoll/v1/ceremony-transcript", *parts)
        return digest("plimsoll/v1/resharing-transcript", *parts, before.epoch, before.encoded_shares())

    def confirmation(self, author: int) -> tuple[str, Keys | None]:
        """Rule 7: valid with its keys, void, or waiting. One that names no transcript is none of the three: void."""
        entry = self.authors[author].confirmation
        assert entry is not None
        body = entry.body
        if self.authors[author].complained_ahead() >= self.t or body.transcript == NONE:
            return VOID, None
        close = self.closes.get(body.close)
        if close is None:
            return WAITS, None
        return self._under(body, close)

    def _under(self, body: Any, close: Sequence[int]) -> tuple[str, Keys | None]:
        known = [self.complaints.get(identifier) for identifier in body.complaints]
        complaints = [c for c in known if c is not None and c.status == VALID]
        if len(complaints) < len(known) or not all(leaf in self.reveals for leaf in body.reveals):
            return WAITS, None
        if not all(self.counts(complaint, close) for complaint in complaints):
            return VOID, None
        if not all(self.reveals[leaf][0] in body.complaints for leaf in body.reveals):
            return VOID, None
        dealers, dropped = self.qualified(close, body.complaints, body.reveals)
        if len(dealers) < self.t:
            return VOID, None
        keys = self.keys(dealers)
        if self.setting.before and keys.public != self.setting.before.public:
            return VOID, None
        points = [*keys.public, *(share for shares in keys.shares.values() for share in shares)]
        same = self.transcript(body.close, dealers, dropped, keys) == body.transcript
        return (VALID, keys) if same and IDENTITY not in points else (VOID, None)

    def outcome(self) -> tuple[str, Keys | None]:
        """Rules 8 and 9: "final" with the keys, "failed", or "open"."""
        standing: Counter[bytes] = Counter()
        valid: Counter[bytes] = Counter()
        by_transcript: dict[bytes, Keys | None] = {}
        for j, author in self.authors.items():
            if author.confirmation:
                status, keys = self.confirmation(j)
                name = author.confirmation.body.transcript
                standing[name] += status != VOID
                valid[name] += status == VALID
                by_transcript[name] = keys or by_transcript.get(name)
        for name, count in valid.items():
            if count >= self.q:
                return "final", by_transcript[name]
        spoilt = sum(dealing == VOID for dealing in self.dealings.values())
        undecided = sum(
            author.confirmation is None and len(author.complaints) < self.t for author in self.authors.values()
        )
        most = max(standing.values(), default=0)
        hopeless = spoilt > len(self.dealing_authors) - self.t or most + undecided < self.q
        return ("failed" if hopeless and self.readies_digest() is not None else "open"), None


@dataclass(frozen=True)
class Written:
    """One of a member's logs. witnessed: the size of its largest witnessed head. size, last_epoch: of one that has
    ended, how much of it counts, and the epoch of the manifest before the one that says so."""

    log: Log
    witnessed: int
    size: int | None = None
    last_epoch: int = 0

    def counts(self, index: int, epoch: int) -> bool:
        """Whether the entry is settled, and counts in the ceremonies of this epoch."""
        if self.size is not None and index < self.size:
            return True
        return index < self.witnessed and (self.size is None or epoch <= self.last_epoch)


def strung(logs: Sequence[Written], epoch: int) -> list[Entry]:
    """What counts of a member's logs, the first one first."""
    found: list[Entry] = []
    offset = 0
    for written in logs:
        counting = [entry for entry in written.log.entries if entry and written.counts(entry.index, epoch)]
        found += [replace(entry, index=offset + entry.index) for entry in counting]
        offset += len(written.log)
    return found


def replay(
    setting: Setting, logs: Mapping[str, Log] | Mapping[str, Sequence[Written]], attempts: int = 64
) -> tuple[int, str, Keys | None]:
    """The first attempt that has not failed, its state, and the keys where that is "final". All of a Log counts."""
    entries: dict[str, Iterable[Entry | None]] = {}
    for name, log in logs.items():
        entries[name] = log.entries if isinstance(log, Log) else strung(log, setting.epoch)
    for number in range(1, attempts):
        state, keys = Attempt(setting, entries, number).outcome()
        if state != "failed":
            return number, state, keys
    return attempts, "open", None


@dataclass(frozen=True)
class Beginning:
    """A manifest that begins a key epoch; dealt_from: epoch F, 0 for the founding."""

    epoch: int
    dealt_from: int
    manifest: bytes
    custodians: tuple[str, ...]
    threshold: int


def replay_epochs(
    consortium: bytes, beginnings: Iterable[Beginning], logs: Mapping[str, Log] | Mapping[str, Sequence[Written]]
) -> dict[int, tuple[Setting, int, str, Keys | None]]:
    """By epoch, what `replay` says, with the setting; not of those whose F is not final."""
    found: dict[int, tuple[Setting, int, str, Keys | None]] = {}
    for b in beginnings:
        setting = Setting(consortium, b.manifest, b.custodians, b.threshold, b.epoch)
        if b.dealt_from:
            source, _, _, keys = found.get(b.dealt_from, (None, 0, "", None))
            if source is None or keys is None:
                continue
            setting = replace(setting, source=source, before=keys)
        found[b.epoch] = (setting, *replay(setting, logs))
    return found
