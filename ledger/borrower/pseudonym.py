"""From identities to pseudonym keys: the asking side of the threshold VOPRF (protocol, 6).

The order of things: `begin` blinds a batch; its `entry` is appended to the asker's own log and made durable; then t
custodians are asked, each answer handed to `accept`, until `is_complete`; `finish` gives the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation, batch_digest
from ledger.crypto import dleq, group, oprf
from ledger.crypto.group import BASE, Point, Scalar
from ledger.errors import InvalidInput, PlimsollError, Unready, Unverified
from ledger.keys import PublicKeys

BAD_EVALUATION = "BAD_EVALUATION"
_BLIND_DOMAIN = "plimsoll/v1/evaluation-blind"


class Batch:
    """1 to 4,096 identities on their way to their pseudonym keys. Holds secrets, and shows none in its repr."""

    def __init__(
        self,
        identities: Sequence[str],
        consortium: bytes,
        keys: PublicKeys,
        threshold: int,
        rng: Callable[[int], bytes],
    ) -> None:
        """identities: canonical. rng(n): n random bytes. Raises InvalidInput."""
        oprf.check_batch([b""] * len(identities), "identities")
        self._messages = [identity.encode() for identity in identities]
        self._consortium = consortium
        self._keys = keys
        self._threshold = threshold
        # One hash of fresh randomness and the identity each: should the randomness ever repeat, two identities still
        # do not share a blind.
        self._blinds: list[Scalar] = [group.hedged_scalar(_BLIND_DOMAIN, rng(32), rng(32), m) for m in self._messages]
        self.elements: tuple[Point, ...] = tuple(map(oprf.blind, self._messages, self._blinds))
        self._evaluated: dict[int, tuple[Point, ...]] = {}
        self._failed: dict[int, str] = {}

    def entry(self, time: int) -> bytes:
        """The Evaluation entry to be logged before anybody is asked. time: Unix seconds."""
        digest = batch_digest(self._consortium, self._keys.epoch, self.elements)
        return Evaluation(time, len(self.elements), self._keys.epoch, digest).encode()

    @property
    def failed(self) -> Mapping[int, str]:
        """Custodians, by index, whose answer was wrong, with a stable code."""
        return MappingProxyType(self._failed)

    @property
    def is_complete(self) -> bool:
        """Whether enough good answers are there."""
        return len(self._evaluated) >= self._threshold

    def accept(self, index: int, response: peer_pb2.EvaluateResponse) -> bool:
        """Takes the answer of the custodian with this index if it is right; otherwise notes it in `failed`."""
        try:
            evaluated = self._check(index, response)
        except PlimsollError:
            self._failed[index] = BAD_EVALUATION
            return False
        self._evaluated[index] = evaluated
        return True

    def _check(self, index: int, response: peer_pb2.EvaluateResponse) -> tuple[Point, ...]:
        if response.custodian != index or response.epoch != self._keys.epoch:
            raise Unverified("WRONG_CUSTODIAN", "the answer is another custodian's, or of another key epoch")
        evaluated = oprf.decode_batch(response.elements, "elements")
        if len(evaluated) != len(self.elements):
            raise InvalidInput("BAD_BATCH", "there must be one evaluated element for each blinded one", "elements")
        dleq.verify_proof(BASE, self._keys.custodian(index).oprf, self.elements, evaluated, response.proof, "proof")
        return evaluated

    def finish(self) -> list[bytes]:
        """K_b of each identity, 64 bytes each, in order. Raises Unready while answers are missing."""
        if not self.is_complete:
            raise Unready("TOO_FEW_CUSTODIANS", f"{len(self._evaluated)} of {self._threshold} custodians have answered")
        indices = sorted(self._evaluated)[: self._threshold]
        combined = oprf.combine_evaluations(indices, [self._evaluated[index] for index in indices])
        return list(map(oprf.finalize, self._messages, self._blinds, combined))
