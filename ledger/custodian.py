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
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plimsoll.v1 import entry_pb2, peer_pb2

from ledger import decryption, merkle
from ledger.cache import Cache
from ledger.checkpoint import Head
from ledger.errors import Exhausted, PlimsollError, Refused, Unverified
from ledger.evaluation import Evaluator
from ledger.findings import Examiner, Findings
from ledger.keys import PublicKeys, SecretShares
from ledger.logview import LogView, log_of
from ledger.manifest import Manifest
from ledger.question import Question, read_question
from ledger.quota import DailyQuota
from ledger.replica_gap import LacksEntries

ANSWERS_REMEMBERED = 8192
RECORDS_AT_ONCE = 10_000  # of members' records, selected for earlier inquiries in one call; others wait meanwhile
ROOTS_REMEMBERED = 4096

HeldBefore = Callable[[str], int]
"""How many entries of a member's log were held here policy.heads_seconds ago."""


class Custodian:
    """Custodian `shares.index` of a consortium. rng(n): n random bytes."""

    def __init__(
        self,
        manifest: Manifest,
        keys: PublicKeys,
        shares: SecretShares,
        logs: Mapping[str, LogView],
        rng: Callable[[int], bytes],
        examiner: Examiner | None = None,
    ) -> None:
        """logs: by member. examiner: the node's own, where it has one for its queries. Raises Unverified for shares
        that are not those behind this custodian's public ones."""
        shares.check_fit(keys)
        self._manifest = manifest
        self._shares = shares
        self._public = keys.custodian(shares.index).fields
        self._logs = logs
        self._rng = rng
        self._examiner = examiner or Examiner(manifest, keys)
        self._evaluator = Evaluator(manifest, keys, shares, rng)
        self._quotas: dict[str, DailyQuota] = {}
        self._answers: Cache[tuple[str, bytes], tuple[int, bytes]] = Cache(ANSWERS_REMEMBERED)
        self._roots: Cache[tuple[str, int], bytes] = Cache(ROOTS_REMEMBERED)

    def evaluate(self, caller: str, request: peer_pb2.EvaluateRequest, now: int) -> peer_pb2.EvaluateResponse:
        """Checks E1 to E4, then the batch evaluated and proved. now: Unix seconds. See `Evaluator.evaluate`."""
        if caller not in self._manifest:
            raise Refused("NOT_A_MEMBER", "the caller is no member")
        return self._evaluator.evaluate(caller, log_of(self._logs, caller), request, now)

    def answer(
        self, caller: str, request: peer_pb2.DecryptRequest, now: int, held_before: HeldBefore
    ) -> peer_pb2.DecryptResponse:
        """Checks Q1 to Q10, then this custodian's part of the sums. now: Unix seconds.

        Raises LacksEntries (see above); otherwise InvalidInput, Refused, Unverified or Exhausted with the code of the
        check that failed.
        """
        question = read_question(self._manifest, self._shares.epoch, caller, request)
        self._check_logged(question)
        repeated = self._repeated(question)
        if repeated is not None:
            return repeated
        self._check_timely(question, now, held_before)
        self._check_trees(question)
        self._check_daily_quota(question, now)
        at_once = max(1, RECORDS_AT_ONCE // len(self._manifest.members))
        findings = self._examiner.examine(question.asked, question.keys, self._logs, at_once)
        self._check_newest(question, findings)
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
        """Q2 and Q3: the caller's one log, as held here, has this entry at this place."""
        asked, log = question.asked, log_of(self._logs, question.asked.querier)
        try:
            head = question.receipt.verify(question.entry, self._manifest.log_key(asked.querier)).head
        except PlimsollError as error:
            raise Unverified("BAD_RECEIPT", error.message, "receipt") from error
        if self._root(asked.querier, head.size) != head.root:
            raise Unverified("FORK", "the receipt's head is not of the log that this custodian holds", "receipt")
        if log.leaf_hash(asked.index) != asked.leaf:
            raise Unverified("NOT_IN_LOG", "another entry stands at the receipt's index", "receipt")

    def _check_timely(self, question: Question, now: int, held_before: HeldBefore) -> None:
        """Q6 and Q7, as far as only a first answer is concerned."""
        if abs(now - question.asked.inquiry.time) > self._manifest.policy.inquiry_seconds:
            raise Refused("STALE", "the inquiry's time is too far from this custodian's clock", "entry")
        for member, head in self._heads(question):
            if head.size < held_before(member):
                raise Refused("OMITTED", f"the inquiry leaves out entries of {member} that are known for long", "heads")

    def _check_trees(self, question: Question) -> None:
        """Q6: these trees are those of the logs held here, and the asker's own ends before the inquiry."""
        for member, head in self._heads(question):
            if member == question.asked.querier and head.size > question.asked.index:
                raise Refused("BAD_HEADS", "the asker's own head must not reach beyond the inquiry", "heads")
            if self._root(member, head.size) != head.root:
                raise Unverified("OTHER_ROOT", f"the log of {member} has another root at this size", "heads")

    def _heads(self, question: Question) -> list[tuple[str, Head]]:
        names = (member.name for member in self._manifest.members)
        return list(zip(names, question.heads, strict=True))

    def _root(self, member: str, size: int) -> bytes:
        """Of the log as held here; what is verified never changes, so it is remembered."""
        log = log_of(self._logs, member)
        if log.size < size:
            raise LacksEntries.of(member, size)
        root = self._roots.get((member, size))
        if root is None:
            root = log.root_at(size) if size else merkle.EMPTY_ROOT
            self._roots.put((member, size), root)
        return root

    def _check_daily_quota(self, question: Question, now: int) -> None:
        """Q9, the first half; that about one borrower is part of its standing."""
        querier, limit = question.asked.querier, self._manifest.policy.inquiries_per_day
        quota = self._quotas.get(querier)
        if quota is None:
            quota = self._quotas[querier] = DailyQuota(self._logs[querier], "inquiry", limit, _weigh)
        if quota.is_exceeded(question.asked.index, now):
            raise Exhausted("QUOTA", f"more than {limit} inquiries within a day")

    def _check_newest(self, question: Question, findings: Findings) -> None:
        """Q8, the last part."""
        asked = question.asked
        successor = question.keys.inquiries(asked.querier)(findings.number + 1)
        if self._logs[asked.querier].find(successor) is not None:
            raise Refused("SUPERSEDED", "the member has logged another inquiry about this borrower since", "entry")

    def _decrypt(self, question: Question, findings: Findings) -> peer_pb2.DecryptResponse:
        response = peer_pb2.DecryptResponse(
            custodian=self._shares.index, epoch=self._shares.epoch, withheld=findings.withheld
        )
        for exclusion in findings.selection.exclusions:
            response.excluded.add(member=exclusion.member, reason=exclusion.reason, index=exclusion.index)
        if findings.nonce_sum is None:
            return response
        session = findings.session(self._manifest.consortium, self._shares.epoch, question.asked.leaf)
        shares, fields, randomness = self._shares, findings.released, self._rng(32)
        partial = decryption.decrypt(session, shares.index, shares.fields, fields, randomness, self._public)
        response.nonce_sum = findings.nonce_sum
        response.points.extend(partial.points)
        response.proof = partial.proof
        return response


def _weigh(entry: bytes) -> tuple[int, int]:
    return entry_pb2.Entry.FromString(entry).time, 1
