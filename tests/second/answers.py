"""The querying client: what it makes of custodians' answers (protocol sections 11, 12 and 16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError
from plimsoll.v1 import peer_pb2

from tests.second import decryption, reading
from tests.second.ceremony import Keys
from tests.second.group import Point
from tests.second.manifest import Consortium
from tests.second.position import FIELDS
from tests.second.question import Question
from tests.second.refusal import Refused, require


def released(question: Question) -> tuple[int, ...]:
    if question.sums is None:
        return ()
    return decryption.PACKED_FIELDS if question.withheld else decryption.ALL_FIELDS


def checked(raw: bytes, custodian: int, question: Question, consortium: Consortium, keys: Keys) -> list[Point]:
    """The D_f of a DecryptResponse by the custodian that was asked, or Refused."""
    response = peer_pb2.DecryptResponse()
    try:
        response.ParseFromString(raw)
    except DecodeError as error:
        raise Refused("BAD_PARTIAL") from error
    require((response.custodian, response.epoch) == (custodian, keys.epoch), "BAD_PARTIAL", "custodian or epoch")
    require(response.withheld == question.withheld, "BAD_PARTIAL", "withheld")
    excluded = [(e.member, e.reason, e.index) for e in response.excluded]
    require(excluded == question.selection.excluded, "BAD_PARTIAL", "excluded")
    if question.sums is None:
        require(not (response.nonce_sum or response.points or response.proof), "BAD_PARTIAL", "something of nothing")
        return []
    require(response.nonce_sum == question.sums.nonce_point.encoded, "BAD_PARTIAL", "nonce_sum")
    return decryption.check_partial(
        consortium.founding,
        keys.epoch,
        custodian,
        question.asked.leaf,
        response.nonce_sum,
        len(question.selection.records),
        released(question),
        dict(enumerate(keys.shares[custodian][1:])),
        [question.sums.bodies[field].encoded for field in released(question)],
        list(response.points),
        response.proof,
    )


def combined(
    question: Question, answers: Mapping[int, Sequence[Point]], consortium: Consortium
) -> dict[str, int | None]:
    """The released sums; None where the point is no number that section 12 admits."""
    if question.sums is None:
        return {}
    require(len(answers) >= consortium.threshold, "TOO_FEW")
    bits, count = consortium.policy["amount_bits"], len(question.selection.records)
    sums = {}
    for field, mask in zip(released(question), decryption.masks(answers), strict=True):
        target = reading.opened(question.sums.bodies[field], mask)
        sums[FIELDS[field]] = reading.read_sum(FIELDS[field], target, count, bits)
    return sums
