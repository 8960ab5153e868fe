"""A custodian's side of evaluations and queries (protocol, 6, 9 and 11): a state machine without I/O.

The contract with the node around it:

- Before each call it applies the request's `tail` to its replica of the caller's log, makes everything durable, and
  passes on what is new, so that a second inquiry on a fork of that log meets a custodian that knows the first.
- Where `LacksEntries` is raised it fetches that log up to that size and calls again; if it cannot, the error is the
  answer.
- It calls `answer` from one thread at a time, and `evaluate` likewise; the two may overlap. The caller's name is from
  the certificate, whose role is `node`.

What is kept is bounded and derived from the logs or from answers given: verdicts on records, standings of queriers,
quotas, and the last answers, so that a repeat gets the same one. No query key outlives its call.

Of several key epochs each has a `Custodian` of its own, over the same logs and with the same examiner; `epoch_of` tells
which a request is for. Logs are known by name (`joined`): "lender-4", and "lender-4.2" for the second log that
lender-4 writes; those that have ended stay there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.borrower.evaluation import Evaluator
from ledger.borrower.labels import Labels, Numbered
from ledger.cache import Cache
from ledger.chain.logview import LogView, log_of
from ledger.chain.replica_gap import LacksEntries
from ledger.challenges.settling import PastHeads
from ledger.consortium.history import History
from ledger.consortium.joined import check_ended, counted_of, current_log, log_name, name_in, offset_of, record_of
from ledger.consortium.manifest import Manifest
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unverified
from ledger.keys import PublicKeys, SecretShares
from ledger.queries import decryption
from ledger.queries.findings import Examiner, Findings
from ledger.queries.freezing import Freezing, HeldBefore, NothingFrozen, check_frozen, check_not_frozen
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.question import Question, read_question
from ledger.queries.quota import DailyQuota
from ledger.queries.selection import Readable
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head

ANSWERS_REMEMBERED = 8192
RECORDS_AT_ONCE = 10_000  # of members' records, selected for earlier inquiries in one call; others wait meanwhile
ROOTS_REMEMBERED = 4096
MAX_BEYOND = 256  # inquiries about one borrower behind the end of a log: whoever has more is not answered


class Custodian:
    """Custodian `shares.index` of a consortium. rng(n): n random bytes."""

    def __init__(
        self,
        history: History,
        keys: PublicKeys,
        shares: SecretShares,
        logs: Mapping[str, LogView],
        rng: Callable[[int], bytes],
        examiner: Examiner | None = None,
    ) -> None:
        """logs: by name. examiner: the node's own, where it has one for its queries. Raises Unverified for shares
        that are not those behind this custodian's public ones."""
        shares.check_fit(keys)
        self._history = history
        self._shares = shares
        self._public = keys.custodian(shares.index).fields
        self._logs = logs
        self._rng = rng
        self._examiner = examiner or Examiner(history, keys)
        self._evaluator = Evaluator(history.consortium, keys, shares, rng)
        self._quotas: dict[tuple[str, bytes], DailyQuota] = {}
        self._answers: Cache[tuple[str, bytes], tuple[int, bytes]] = Cache(ANSWERS_REMEMBERED)
        self._past_heads = PastHeads()
        self._roots: Cache[tuple[str, int], bytes] = Cache(ROOTS_REMEMBERED)

    def follow(self, history: History, logs: Mapping[str, LogView]) -> None:
        """A successor of the manifest is in force; logs: as they are now. Not during another call."""
        self._history = history
        self._logs = logs
        self._quotas.clear()
        self._evaluator.forget()
        self._examiner.follow(history)

    def evaluate(self, caller: str, request: peer_pb2.EvaluateRequest, now: int) -> peer_pb2.EvaluateResponse:
        """Checks E1 to E4, then the batch evaluated and proved. now: Unix seconds. See `Evaluator.evaluate`."""
        manifest = self._history.current
        if caller not in manifest:
            raise Refused("NOT_A_MEMBER", "the caller is no member")
        log, counted = current_log(manifest, caller, self._logs), counted_of(manifest, caller, self._logs)
        self._check_own_past(manifest, caller)
        policy, offset = manifest.policy, offset_of(manifest, caller)
        return self._evaluator.evaluate(caller, log, request, now, policy, counted, offset)

    def answer(
        self,
        caller: str,
        request: peer_pb2.DecryptRequest,
        now: int,
        held_before: HeldBefore,
        freezing: Freezing | None = None,
        also: Collection[bytes] = (),
        findings: Findings | None = None,
    ) -> peer_pb2.DecryptResponse:
        """Checks Q1 to Q14, then this custodian's part of the sums. now: Unix seconds.

        freezing: what is known of frozen logs. also: ids of manifests accepted beside the one in force, while the
        change spreads. findings: of this very request, where this member asks itself and has examined it over the same
        logs (`Query.examine`); worked out otherwise. Raises LacksEntries (see above); otherwise InvalidInput, Refused,
        Unverified, Unavailable or Exhausted with the code of the check that failed.
        """
        freezing = freezing or NothingFrozen()
        question = read_question(self._history, self._shares.epoch, caller, request, also)
        check_not_frozen(question.manifest, caller, freezing)
        self._check_logged(question)
        repeated = self._repeated(question)
        if repeated is not None:
            return repeated
        check_frozen(question, freezing, self._history)
        self._check_timely(question, now, held_before)
        self._check_trees(question)
        self._check_settled(question)
        self._check_daily_quota(question, now)
        findings = findings or self._examine(question)
        self._check_newest(question, findings)
        self._check_nothing_beyond(question)
        response = self._decrypt(question, findings)
        self._answers.put((caller, question.asked.leaf), (findings.number, response.SerializeToString()))
        return response

    def _repeated(self, question: Question) -> peer_pb2.DecryptResponse | None:
        """The answer given before, to whoever still has the key it was given for."""
        asked = question.asked
        known = self._answers.get((asked.querier, asked.leaf))
        if known is None:
            return None
        number, answer = known
        if question.keys.inquiries(asked.querier)(number) != asked.inquiry.label:
            raise Refused("BAD_LABEL", "the query key is not the one this inquiry was made under", "query_key")
        return peer_pb2.DecryptResponse.FromString(answer)

    def _check_logged(self, question: Question) -> None:
        """Q2 and Q3: the log the caller writes, as held here, has this entry at this place."""
        asked, manifest = question.asked, question.manifest
        log = current_log(manifest, asked.querier, self._logs)
        try:
            head = question.receipt.verify(question.entry, manifest.log_key(asked.querier)).head
        except PlimsollError as error:
            raise Unverified("BAD_RECEIPT", error.message, "receipt") from error
        if self._root(name_in(manifest, asked.querier), head.size) != head.root:
            raise Unverified("FORK", "the receipt's head is not of the log that this custodian holds", "receipt")
        if log.leaf_hash(asked.index) != asked.leaf:
            raise Unverified("NOT_IN_LOG", "the log has another entry at this index", "receipt")

    def _check_timely(self, question: Question, now: int, held_before: HeldBefore) -> None:
        """Q6, Q7 and Q12, as far as only a first answer is concerned."""
        inquiry = question.asked.inquiry
        if abs(now - inquiry.time) > question.manifest.policy.inquiry_seconds:
            raise Refused("STALE", "the inquiry's time is too far from this custodian's clock", "entry")
        for place, (name, head) in enumerate(self._heads(question)):
            if place not in inquiry.conflicting and head.size < held_before(name):
                raise Refused("OMITTED", f"the inquiry leaves out entries of {name} that are known for long", "heads")

    def _check_trees(self, question: Question) -> None:
        """Q6 and Q13: these trees, and those of logs that have ended, are of the logs held here, and the asker's own
        ends before the inquiry."""
        manifest, asked = question.manifest, question.asked
        own = name_in(manifest, asked.querier)
        for place, (name, head) in enumerate(self._heads(question)):
            if name == own and head.size > asked.index:
                raise Refused("BAD_HEADS", "the asker's own head must not reach beyond the inquiry", "heads")
            if self._root(name, head.size, is_settled=place not in asked.inquiry.frozen) != head.root:
                raise Unverified("OTHER_ROOT", f"the log of {name} has another root at this size", "heads")
        for member in manifest.members:
            self._check_own_past(manifest, member.name)

    def _check_settled(self, question: Question) -> None:
        """Q14: up to where Challenges count."""
        for head in self._past_heads.verify(question.manifest, question.asked.inquiry, question.settled, self._history):
            name = log_name(head.origin)
            if self._root(name, head.size, is_settled=False) != head.root:
                raise Unverified("NOT_SETTLED", f"the log of {name} has another root at this size", "settled")

    def _check_own_past(self, manifest: Manifest, member: str) -> None:
        for log in manifest.former_logs(member):
            check_ended(log, self._logs)

    def _heads(self, question: Question) -> list[tuple[str, Head]]:
        names = (name_in(question.manifest, member.name) for member in question.manifest.members)
        return list(zip(names, question.heads, strict=True))

    def _root(self, name: str, size: int, *, is_settled: bool = True) -> bytes:
        """Of a log as held here. What is verified never changes, so it is remembered; but of a frozen log another
        branch may have been held."""
        log = log_of(self._logs, name)
        if log.size < size:
            raise LacksEntries.of(name, size)
        root = self._roots.get((name, size)) if is_settled else None
        if root is None:
            root = log.root_at(size) if size else merkle.EMPTY_ROOT
            if is_settled:
                self._roots.put((name, size), root)
        return root

    def _check_daily_quota(self, question: Question, now: int) -> None:
        """Q9, the first half; that about one borrower is part of its standing."""
        querier, manifest = question.asked.querier, question.manifest
        limit, key = manifest.policy.inquiries_per_day, (querier, manifest.id)
        quota = self._quotas.get(key)
        if quota is None:
            counted = counted_of(manifest, querier, self._logs)
            quota = self._quotas[key] = DailyQuota(counted, "inquiry", limit, _weigh)
        if quota.is_exceeded(offset_of(manifest, querier) + question.asked.index, now):
            raise Exhausted("QUOTA", f"more than {limit} inquiries within a day")

    def _examine(self, question: Question) -> Findings:
        at_once = max(1, RECORDS_AT_ONCE // len(question.manifest.members))
        return self._examiner.examine(question.asked, question.keys, self._logs, at_once)

    def _check_newest(self, question: Question, findings: Findings) -> None:
        """Q8, the last part."""
        asked = question.asked
        successor = question.keys.inquiries(asked.querier)(findings.number + 1)
        if record_of(question.manifest, asked.querier, self._logs).log.find(successor) is not None:
            raise Refused("SUPERSEDED", "the member has logged another inquiry about this borrower since", "entry")

    def _check_nothing_beyond(self, question: Question) -> None:
        """Q13: an inquiry that was answered while its log was still written, and lies beyond where that log ended, is
        no part of the record unless it was carried over; whoever holds it does not answer as if it had never been."""
        manifest, asked = question.manifest, question.asked
        labels = question.keys.inquiries(asked.querier)
        offset, horizon = 0, asked.inquiry.time - DAY * manifest.policy.differencing_days
        record = record_of(manifest, asked.querier, self._logs).log
        numbered = Numbered(record, labels)
        for ended in manifest.former_logs(asked.querier):
            offset += ended.size
            newest = numbered.newest(offset)
            log = self._logs.get(ended.name)
            first = 0 if newest is None else newest + 1
            if log is not None and _lies_beyond(log, ended.size, labels, first, horizon, record):
                raise Refused("ENDED", "an inquiry about this borrower lies beyond where its log ended", "entry")

    def _decrypt(self, question: Question, findings: Findings) -> peer_pb2.DecryptResponse:
        response = peer_pb2.DecryptResponse(
            custodian=self._shares.index, epoch=self._shares.epoch, withheld=findings.withheld
        )
        for exclusion in findings.selection.exclusions:
            response.excluded.add(member=exclusion.member, reason=exclusion.reason, index=exclusion.index)
        if findings.nonce_sum is None:
            return response
        session = findings.session(self._history.consortium, self._shares.epoch, question.asked.leaf)
        shares, fields, randomness = self._shares, findings.released, self._rng(32)
        partial = decryption.decrypt(session, shares.index, shares.fields, fields, randomness, self._public)
        response.nonce_sum = findings.nonce_sum
        response.points.extend(partial.points)
        response.proof = partial.proof
        return response


def _lies_beyond(log: LogView, size: int, labels: Labels, first: int, horizon: int, record: Readable) -> bool:
    """Whether an inquiry of the number `first` or a later one, later than `horizon`, stands behind the first `size`
    entries and has not been carried over to the record.

    What was answered had all numbers before its own in its log.
    """
    for number in range(first, first + MAX_BEYOND):
        index = log.find(labels(number))
        if index is None or index < size:
            return False
        entry, carried = log.entry(index), record.find(labels(number))
        if (carried is None or record.entry(carried) != entry) and _time_of_inquiry(entry) > horizon:
            return True
    return True


def _time_of_inquiry(entry: bytes) -> int:
    """What is no inquiry was never answered."""
    try:
        return Inquiry.parse(entry).time
    except InvalidInput:
        return -1


def _weigh(entry: bytes) -> tuple[int, int]:
    return entry_pb2.Entry.FromString(entry).time, 1
