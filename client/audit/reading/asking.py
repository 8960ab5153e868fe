"""A log's inquiries and evaluations, as far as anybody can judge them without keys (docs/protocol.md, 8 and 9).

That an entry is above a quota, or names a manifest nobody knows, is no proof that it was answered: custodians refuse
it. It is told as a remark. An inquiry over heads that no log has had is a finding: no honest node makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from client.audit.judging.notices import Notices
from client.audit.reading.digest import Question
from client.audit.report import Finding
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.consortium.manifest import Manifest
from ledger.queries.inquiry import DAY, heads_digest
from ledger.queries.quota import Weights
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head

#: Of one log's new inquiries so many are held against the heads they name; of more, so many at random.
MAX_HELD = 4096
#: Sizes in all logs' held inquiries together, which is members times members times inquiries.
MAX_SIZES = 1_000_000
#: Seconds by which a witnessed head must be younger than an inquiry that names more than it has.
SPREAD = 600
QUOTA, OTHER_MANIFEST, VOID = "QUOTA", "OTHER_MANIFEST", "BAD_HEADS"
OTHER_HEADS, NO_SUCH_SIZE = "OTHER_HEADS", "NO_SUCH_SIZE"


class DayQuota:
    """How much a log has of something in any day: two days of times and weights are kept."""

    def __init__(self, past: Iterable[tuple[int, int]] = ()) -> None:
        """past: times and weights, as `items` tells them."""
        self._weights = Weights()
        self._newest = 0
        for time, weight in past:
            self._weights.add(time, weight)
            self._newest = max(self._newest, time)

    def add(self, time: int, weight: int, limit: int, now: int) -> bool:
        """Takes one more; whether it is above the limit. now: times beyond it push nothing out."""
        self._weights.add(time, weight)
        if time <= now:
            self._newest = max(self._newest, time)
        over = self._weights.after(time - DAY) > limit
        self._weights.trim(self._newest - 2 * DAY, limit)
        return over

    def items(self) -> list[tuple[int, int]]:
        """What a later one goes on from."""
        return list(self._weights.items())


class Tree(Protocol):
    """A log as far as it has been read."""

    @property
    def size(self) -> int:
        """How many entries."""

    @property
    def is_doubtful(self) -> bool:
        """Whether an inquiry may speak of another log than was read."""

    def known_root(self, size: int) -> bytes | None:
        """The root at a size, where it is known."""


@dataclass(slots=True)
class Held:
    """How many inquiries could be held against the heads they name, and how many could not."""

    checked: int = 0
    unchecked: int = 0


@dataclass(frozen=True, slots=True)
class Newest:
    """The largest head of a log that anybody showed, and when the largest witnessed one was (-1: none)."""

    size: int
    witnessed_at: int


class Asking:
    """Of one log. end: where it has ended; what is beyond does not count."""

    def __init__(
        self,
        history: History,
        draw: Callable[[int], int],
        notices: Notices,
        now: int,
        end: int | None = None,
        past: tuple[Iterable[tuple[int, int]], Iterable[tuple[int, int]]] = ((), ()),
    ) -> None:
        """now: Unix seconds. past: of inquiries and of evaluations, as `DayQuota.items` told them."""
        self._history = history
        self._draw = draw
        self._notices = notices
        self._now = now
        self._end = end
        self.inquiries, self.evaluations = DayQuota(past[0]), DayQuota(past[1])
        self._evaluations_limit = max(each.policy.evaluations_per_day for each in history.manifests)
        self.held: list[Question] = []
        self.seen = 0
        self._most = min(MAX_HELD, MAX_SIZES // len(history.current.members) ** 2)

    def ask(self, questions: Iterable[Question]) -> None:
        """The next inquiries."""
        for question in questions:
            manifest = self._history.get(question.manifest)
            policy = (manifest or self._history.current).policy
            over = self.inquiries.add(question.time, 1, policy.inquiries_per_day, self._now)
            if self._end is not None and question.index >= self._end:
                continue
            if over:
                self._notices.note(QUOTA, question.index, "more inquiries within a day than the manifest allows")
            if manifest is None:
                self._notices.note(OTHER_MANIFEST, question.index, "an inquiry under a manifest that is not known here")
            elif len(question.sizes) != len(manifest.members):
                self._notices.note(VOID, question.index, "an inquiry that has not one size for each member")
            else:
                self._hold(question)

    def evaluate(self, evaluations: Iterable[tuple[int, int, int]]) -> None:
        """The next evaluations: index, time and count."""
        for index, time, count in evaluations:
            over = self.evaluations.add(time, count, self._evaluations_limit, self._now)
            if over and (self._end is None or index < self._end):
                self._notices.note(QUOTA, index, "more evaluations within a day than the manifest allows")

    def _hold(self, question: Question) -> None:
        self.seen += 1
        if len(self.held) < self._most:
            self.held.append(question)
        elif (place := self._draw(self.seen)) < self._most:  # Vitter's algorithm R: each is as likely
            self.held[place] = question


def wanted_roots(questions: Iterable[Question], history: History) -> dict[str, set[int]]:
    """By log name: at which sizes its root is needed."""
    wanted: dict[str, set[int]] = {}
    for question in questions:
        for name, _, size in _used(question, history):
            if size:
                wanted.setdefault(name, set()).add(size)
    return wanted


def judge(
    member: str, asking: Asking, history: History, logs: Mapping[str, Tree], newest: Mapping[str, Newest]
) -> tuple[Held, list[Finding]]:
    """Holds inquiries against the heads they name. logs, newest: by name.

    What cannot be worked out (a log that is frozen, or that the node does not have so far) is counted.
    """
    held, findings = Held(unchecked=asking.seen - len(asking.held)), []
    for question in asking.held:
        used = list(_used(question, history))
        missing = next((each for each in used if _is_nowhere(each, question, logs, newest)), None)
        if missing is not None:
            message = f"an inquiry about {missing[2]} entries of {missing[0]}, which nobody has"
            findings.append(Finding(member, question.index, NO_SUCH_SIZE, message))
            continue
        heads = [_head(each, logs) for each in used]
        if any(head is None for head in heads):
            held.unchecked += 1
            continue
        held.checked += 1
        if heads_digest([head for head in heads if head is not None]) != question.heads_digest:
            message = "an inquiry about other heads than the logs have: it is wrong, or an author has shown two logs"
            findings.append(Finding(member, question.index, OTHER_HEADS, message))
    return held, findings


def _used(question: Question, history: History) -> Iterable[tuple[str, str, int]]:
    """Of each member's log: name, origin, and how much of it was used."""
    manifest: Manifest | None = history.get(question.manifest)
    assert manifest is not None, "held"
    for member, size in zip(manifest.members, question.sizes, strict=True):
        origin = manifest.origin(member.name)
        yield log_name(origin), origin, size


def _is_nowhere(
    used: tuple[str, str, int], question: Question, logs: Mapping[str, Tree], newest: Mapping[str, Newest]
) -> bool:
    name, _, size = used
    if name not in logs or logs[name].is_doubtful or name not in newest:
        return False
    return size > newest[name].size and newest[name].witnessed_at > question.time + SPREAD


def _head(used: tuple[str, str, int], logs: Mapping[str, Tree]) -> Head | None:
    name, origin, size = used
    log = logs.get(name)
    if size == 0:
        return Head(origin, 0, merkle.EMPTY_ROOT)
    if log is None or log.is_doubtful or size > log.size:
        return None
    root = log.known_root(size)
    return None if root is None else Head(origin, size, root)
