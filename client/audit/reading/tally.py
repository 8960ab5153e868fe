"""What a log holds, counted while it is read; and the few entries that more is worked out from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from client.audit.judging.accusations import Accusations
from client.audit.judging.ballots import Ballots
from client.audit.judging.challenges import Challenges
from client.audit.judging.clock import Clock, Limit
from client.audit.judging.notices import Notices
from client.audit.keeping.memory import Progressed
from client.audit.reading.asking import Asking
from client.audit.reading.digest import BALLOTS, CEREMONY, CHALLENGES, Digest
from client.audit.reading.kept import CeremonyEntries
from client.audit.reading.logs import LogId
from client.audit.reading.timeline import Timeline
from ledger.ceremony import CeremonyEntry
from ledger.chain.entries import UNSOUND, Kind, file_entry, kind_name
from ledger.consortium.history import History
from ledger.tlog.note import VerifierKey

_LATEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Ground:
    """What entries are judged by. ceremonies: the ids of all. keys: of all logs, by origin. draw(n): a random integer
    0 .. n - 1. now: Unix seconds, None if there is no clock."""

    history: History
    ceremonies: frozenset[bytes]
    keys: Mapping[str, VerifierKey] = field(repr=False)
    draw: Callable[[int], int]
    now: int | None = None


class Tally:
    """Of one log."""

    def __init__(
        self, log: LogId, ground: Ground, past: Progressed | None = None, limits: Sequence[Limit] = ()
    ) -> None:
        """past: what an earlier audit counted. limits: by when heads of this log had been seen."""
        history = ground.history
        self.notices = Notices()
        self.codes: Counter[int] = Counter()
        self.ballots = Ballots(log.member, log.origin, {manifest.id for manifest in history.manifests})
        self.accusations = Accusations(log.member, ground.keys)
        self.challenges = Challenges()
        self.timeline = Timeline()
        self.position = -1
        self._ceremonies = CeremonyEntries(log.member, ground.ceremonies)
        if past is not None:
            self._restore(past)
        end = None if log.ended is None else log.ended.size
        now = _LATEST if ground.now is None else ground.now
        before = ((), ()) if past is None else (past.inquiries, past.evaluations)
        self.asking = Asking(history, ground.draw, self.notices, now, end, before)
        self.clock = Clock(self.notices, limits, -1 if past is None else past.latest)

    @property
    def kinds(self) -> dict[str, int]:
        """Number of entries by kind; "unsound" ones keep no form that the protocol knows, and count for nothing."""
        return {kind_name(code): count for code, count in sorted(self.codes.items())}

    @property
    def ceremony(self) -> Sequence[CeremonyEntry]:
        """The entries of key ceremonies."""
        return self._ceremonies.entries

    def count(self, digest: Digest) -> None:
        """The next verified entries."""
        self.codes.update(digest.codes)
        self.timeline.count_times(digest.times)
        self.clock.take(digest.start, digest.times)
        if digest.position >= 0:
            self.position = digest.position
        for index, code, entry in digest.notable:
            self._read(index, code, entry)
        self.asking.ask(digest.questions)
        self.asking.evaluate(digest.evaluations)
        if digest.unsound is not None:
            index, reason = digest.unsound
            count = digest.codes[UNSOUND]
            self.notices.note("UNSOUND", index, f"an entry that counts for nothing: {reason}", count)

    def progressed(self, peaks: tuple[bytes, ...]) -> Progressed:
        """For the next audit. peaks: of the log's tree."""
        kept = [*self._ceremonies.kept(), *self.ballots.kept(), *self.accusations.kept(), *self.challenges.kept()]
        return Progressed(
            peaks,
            dict(self.codes),
            tuple(sorted(kept, key=lambda each: (each.index, each.leaf))),
            tuple(self.asking.inquiries.items()),
            tuple(self.asking.evaluations.items()),
            self.clock.latest,
            self.position,
            self._ceremonies.is_foreign or self.ballots.is_foreign,
            self.timeline.facts(),
        )

    def _restore(self, past: Progressed) -> None:
        self.codes.update(past.codes)
        self.position = past.position
        times = past.timeline
        self.timeline = Timeline.of(times["width"], times["counts"], times["untimed"])
        for kept in past.kept:
            code = file_entry(kept.entry).code
            if code in CEREMONY:
                self._ceremonies.restore(kept)
            else:
                self._read(kept.index, code, kept.entry)
        if past.is_foreign:
            self.ballots.is_foreign = True

    def _read(self, index: int, code: int, entry: bytes) -> None:
        if code in CEREMONY:
            self._ceremonies.take(index, entry)
        elif code in BALLOTS:
            self.ballots.take(index, code, entry)
        elif code in CHALLENGES:
            self.challenges.take(index, code, entry)
        elif code == Kind.EVIDENCE:
            self.accusations.take(index, entry)
