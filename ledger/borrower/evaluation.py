"""The Evaluation entry and what a custodian does for it (protocol, 6): k_j A for a batch of blinded identities.

It is logged before anybody is asked, so that a member that tries out a list of identities does so on record and within
a quota that all custodians count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.cache import Cache
from ledger.chain.entries import parse_entry
from ledger.chain.logview import LogView
from ledger.chain.replica_gap import LacksEntries
from ledger.consortium.policy import Policy
from ledger.crypto import dleq, oprf
from ledger.crypto.group import BASE, Point
from ledger.crypto.hashing import digest
from ledger.errors import Exhausted, InvalidInput, Refused, Unverified
from ledger.keys import PublicKeys, SecretShares
from ledger.queries.quota import Counted, DailyQuota
from ledger.tlog import merkle

_ANSWERED = 4096


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A sound Evaluation entry: its author is about to ask for `count` evaluations in key epoch `epoch`."""

    time: int
    count: int
    epoch: int
    batch_digest: bytes

    def encode(self) -> bytes:
        """The entry's bytes."""
        message = entry_pb2.Evaluation(count=self.count, epoch=self.epoch, batch_digest=self.batch_digest)
        return entry_pb2.Entry(time=self.time, evaluation=message).SerializeToString(deterministic=True)

    @classmethod
    def parse(cls, entry: bytes) -> Evaluation:
        """Reads a sound entry. Raises InvalidInput (BAD_ENTRY) for any other and for another kind."""
        try:
            message = parse_entry(entry)
        except InvalidInput as error:
            raise InvalidInput("BAD_ENTRY", f"not an entry: {error.message}", "index") from error
        if message.WhichOneof("kind") != "evaluation":
            raise InvalidInput("BAD_ENTRY", "not an Evaluation", "index")
        evaluation = message.evaluation
        return cls(message.time, evaluation.count, evaluation.epoch, evaluation.batch_digest)


def batch_digest(consortium: bytes, epoch: int, elements: Sequence[bytes]) -> bytes:
    """32 bytes for the blinded elements in order."""
    return digest("plimsoll/v1/evaluation-batch", consortium, epoch, len(elements), *elements)


class Evaluator:
    """Custodian `shares.index`. Not for several threads at once.

    rng(n): n random bytes. Keeps which entries it has answered and how much each member has asked for, within bounds.
    """

    def __init__(self, consortium: bytes, keys: PublicKeys, shares: SecretShares, rng: Callable[[int], bytes]) -> None:
        self._consortium = consortium
        self._public = keys.custodian(shares.index).oprf
        self._shares = shares
        self._rng = rng
        self._quotas: dict[str, DailyQuota] = {}
        self._answered: Cache[tuple[str, int, bytes], bool] = Cache(_ANSWERED)

    def forget(self) -> None:
        """Quotas are counted anew, as policy or logs have changed."""
        self._quotas.clear()

    def evaluate(
        self,
        caller: str,
        log: LogView,
        request: peer_pb2.EvaluateRequest,
        now: int,
        policy: Policy,
        counted: Counted | None = None,
        offset: int = 0,
    ) -> peer_pb2.EvaluateResponse:
        """The batch evaluated and proved. About 0.13 ms an element, most of it without the interpreter's lock.

        caller: the member of the caller's certificate, log: the one it writes, to which request.tail has been applied
        and in which everything is durable. now: Unix seconds. policy: that in force. counted, offset: the caller's
        whole record and where in it that log begins, if it has written others (`joined`). Raises LacksEntries
        where the log ends before the index, InvalidInput, Refused, Unverified or Exhausted with the code of the check
        that failed.
        """
        elements = self._accept(caller, log, request, now, _Quota(policy, counted or log, offset))
        key = self._shares.oprf
        evaluated = oprf.evaluate(key, elements)
        nonce = dleq.hedged_nonce(key, self._rng(32), elements)
        proof = dleq.generate_proof(key, BASE, self._public, elements, evaluated, nonce)
        return peer_pb2.EvaluateResponse(
            custodian=self._shares.index, epoch=self._shares.epoch, elements=evaluated, proof=proof
        )

    def _accept(
        self, caller: str, log: LogView, request: peer_pb2.EvaluateRequest, now: int, quota: _Quota
    ) -> tuple[Point, ...]:
        """Checks E1 to E4; the elements."""
        if request.index >= log.size:
            raise LacksEntries.of(caller, request.index + 1)
        entry = log.entry(request.index)
        evaluation = Evaluation.parse(entry)
        if evaluation.epoch != self._shares.epoch:
            raise Refused("OTHER_EPOCH", f"the key epoch in force is {self._shares.epoch}", "index")
        elements = oprf.decode_batch(request.elements, "elements")
        logged = batch_digest(self._consortium, evaluation.epoch, elements)
        if evaluation.count != len(elements) or logged != evaluation.batch_digest:
            raise Unverified("BAD_BATCH_DIGEST", "these are not the elements that were logged", "elements")
        key = (caller, quota.offset + request.index, merkle.leaf_hash(entry))
        if self._answered.get(key) is None:
            self._check_first(caller, quota, request.index, evaluation, now)
            self._answered.put(key, True)
        return elements

    def _check_first(self, caller: str, within: _Quota, index: int, evaluation: Evaluation, now: int) -> None:
        """E3 and E4: what is not asked again of a batch that was answered before."""
        policy = within.policy
        if abs(now - evaluation.time) > policy.inquiry_seconds:
            raise Refused("STALE", "the entry's time is too far from this custodian's clock", "index")
        quota = self._quotas.get(caller)
        if quota is None:
            quota = DailyQuota(within.counted, "evaluation", policy.evaluations_per_day, _weigh)
            self._quotas[caller] = quota
        if quota.is_exceeded(within.offset + index, now):
            raise Exhausted("QUOTA", f"more than {policy.evaluations_per_day} evaluations within a day")


@dataclass(frozen=True, slots=True)
class _Quota:
    """What a caller's evaluations are counted by and in."""

    policy: Policy
    counted: Counted
    offset: int


def _weigh(entry: bytes) -> tuple[int, int]:
    message = entry_pb2.Entry.FromString(entry)
    return message.time, message.evaluation.count
