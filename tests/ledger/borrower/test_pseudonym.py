"""From identities to pseudonym keys, and what each side could try: the custodians' checks E1 to E4, the asker's proofs.

Who might try what, and what must stop it:
- an asker: have a batch evaluated that it has not logged, or logged smaller; log once and swap elements; probe with the
  identity element or points of no group; ask more than its quota by other custodians, other hours, back-dated entries
- a custodian: evaluate under another key, for another batch, in another's name, or not all of it; replay an old answer
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation, batch_digest
from ledger.borrower.pseudonym import BAD_EVALUATION, Batch
from ledger.chain.replica_gap import LacksEntries
from ledger.crypto import group, oprf
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unready, Unverified
from ledger.queries.inquiry import DAY
from tests.ledger.sample_consortium import POLICY, Behind, Consortium, found, loan
from tests.lenders import seeded

IDENTITIES = ["test:000001", "test:000002", "passport:CN:E12345678"]
ASKER = "lender-2"


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return found(5)


def batch(consortium: Consortium, identities=IDENTITIES, seed="batch") -> Batch:
    manifest = consortium.manifest
    return Batch(identities, manifest.consortium, consortium.keys, manifest.threshold, seeded(seed))


def logged(consortium: Consortium, asked: Batch, **changes) -> peer_pb2.EvaluateRequest:
    index = consortium.logs[ASKER].append(asked.entry(consortium.now))
    return peer_pb2.EvaluateRequest(**{"index": index, "elements": asked.elements, **changes})


def evaluate(consortium: Consortium, index: int, request: peer_pb2.EvaluateRequest, now: int | None = None):
    return consortium.custodians[index].evaluate(ASKER, request, now or consortium.now)


def reason(kind: type[PlimsollError], call, *arguments) -> str:
    with pytest.raises(kind) as caught:
        call(*arguments)
    return caught.value.reason


# -- the whole way


@settings(max_examples=5)
@given(st.permutations(range(1, 6)))
def test_any_t_custodians_give_what_the_undivided_key_gives(order):
    consortium = found(5)
    asked = batch(consortium)
    request = logged(consortium, asked)
    for index in order[:3]:
        assert not asked.is_complete
        assert asked.accept(index, evaluate(consortium, index, request))
    key = consortium.ceremony.secrets[0]
    for identity, pseudonym_key in zip(IDENTITIES, asked.finish(), strict=True):
        message = identity.encode()
        assert pseudonym_key == oprf.finalize(message, group.ONE, group.mul(key, oprf.hash_to_group(message)))


def test_two_batches_of_one_identity_have_nothing_in_common(consortium):
    first, second = batch(consortium, seed="a"), batch(consortium, seed="b")
    assert set(first.elements).isdisjoint(second.elements)


def test_a_random_source_that_repeats_still_blinds_identities_apart(consortium):
    asked = Batch(IDENTITIES, bytes(32), consortium.keys, 3, lambda size: bytes(size))
    assert len(set(asked._blinds)) == len(IDENTITIES)


def test_a_wrong_custodian_is_named_and_the_keys_are_right_without_it(consortium):
    asked = batch(consortium)
    request = logged(consortium, asked)
    lie = evaluate(consortium, 1, request)
    lie.elements[1] = group.add(lie.elements[1], group.BASE)
    assert not asked.accept(1, lie)
    for index in (2, 3, 4):
        assert asked.accept(index, evaluate(consortium, index, request))
    assert asked.failed == {1: BAD_EVALUATION}
    honest = batch(consortium)
    for index in (2, 3, 5):
        honest.accept(index, evaluate(consortium, index, request))
    assert asked.finish() == honest.finish()


def test_too_few_answers_give_no_keys(consortium):
    asked = batch(consortium)
    request = logged(consortium, asked)
    for index in (1, 2, 2):
        asked.accept(index, evaluate(consortium, index, request))
    assert reason(Unready, asked.finish) == "TOO_FEW_CUSTODIANS"


@pytest.mark.parametrize("count", [0, 4097])
def test_a_batch_has_1_to_4096_identities(consortium, count):
    assert reason(InvalidInput, batch, consortium, ["test:1"] * count) == "BAD_BATCH"


def test_no_repr_shows_an_identity(consortium):
    assert "test:" not in repr(batch(consortium))


# -- what a custodian may try


def answers_of_liars(consortium, request):
    good = evaluate(consortium, 1, request)

    def changed(**fields: Any):
        answer: Any = peer_pb2.EvaluateResponse()
        answer.CopyFrom(good)
        for name, value in fields.items():
            answer.ClearField(name)
            if isinstance(value, list):
                answer.elements.extend(value)
            else:
                setattr(answer, name, value)
        return answer

    elements = list(good.elements)
    other = evaluate(consortium, 2, request)
    yield "another's answer", other
    yield "another's answer in its own name", changed(elements=list(other.elements), proof=other.proof)
    yield "another's elements with its own proof", changed(elements=list(other.elements))
    yield "in another order", changed(elements=elements[::-1])
    yield "one missing", changed(elements=elements[:-1])
    yield "one too many", changed(elements=[*elements, elements[0]])
    yield "none", changed(elements=[])
    yield "a short point", changed(elements=[elements[0][:31], *elements[1:]])
    yield "no point of the group", changed(elements=[b"\xff" * 32, *elements[1:]])
    yield "the identity", changed(elements=[bytes(32), *elements[1:]])
    yield "another epoch", changed(epoch=2)
    yield "no proof", changed(proof=b"")
    yield "a proof with a scalar above the order", changed(proof=good.proof[:32] + b"\xff" * 32)
    for bit in range(0, 512, 37):
        flipped = bytearray(good.proof)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"proof bit {bit}", changed(proof=bytes(flipped))


def test_every_lie_of_a_custodian_is_noticed(consortium):
    request = logged(consortium, batch(consortium))
    for lie, answer in answers_of_liars(consortium, request):
        asked = batch(consortium)
        assert not asked.accept(1, answer), lie
        assert asked.failed == {1: BAD_EVALUATION}, lie


def test_an_answer_to_another_batch_is_noticed(consortium):
    old = batch(consortium, seed="old")
    answer = evaluate(consortium, 1, logged(consortium, old))
    assert not batch(consortium, seed="new").accept(1, answer)


# -- what an asker may try


def test_only_members_are_served(consortium):
    request = logged(consortium, batch(consortium))
    custodian = consortium.custodians[1]
    assert reason(Refused, custodian.evaluate, "stranger", request, consortium.now) == "NOT_A_MEMBER"


def test_a_batch_that_is_not_logged_is_refused(consortium):
    size = consortium.logs[ASKER].size
    request = peer_pb2.EvaluateRequest(index=size, elements=batch(consortium).elements)
    with pytest.raises(LacksEntries) as caught:
        evaluate(consortium, 1, request)
    assert (caught.value.member, caught.value.size, caught.value.reason) == (ASKER, size + 1, "LACKS_ENTRIES")
    assert caught.value.under("x").path == "x.heads"


def test_a_replica_that_is_behind_says_how_far_it_must_come(consortium):
    request = logged(consortium, batch(consortium))
    behind = {name: Behind(log, min(log.size, request.index)) for name, log in consortium.logs.items()}
    custodian = consortium.custodian(1, behind)
    assert reason(LacksEntries, custodian.evaluate, ASKER, request, consortium.now) == "LACKS_ENTRIES"


def test_another_kind_of_entry_is_refused(consortium):
    asked = batch(consortium)
    index = consortium.report(ASKER, "test:1", loan(10))
    request = peer_pb2.EvaluateRequest(index=index, elements=asked.elements)
    assert reason(InvalidInput, evaluate, consortium, 1, request) == "BAD_ENTRY"


def test_other_elements_than_those_logged_are_refused(consortium):
    asked, swapped = batch(consortium), batch(consortium, seed="swapped")
    request = logged(consortium, asked)
    more = logged(consortium, asked, elements=[*asked.elements, *swapped.elements])
    for elements in (swapped.elements, asked.elements[::-1], asked.elements[:-1], more.elements):
        wrong = peer_pb2.EvaluateRequest(index=request.index, elements=elements)
        assert reason(Unverified, evaluate, consortium, 1, wrong) == "BAD_BATCH_DIGEST"


def test_a_count_that_understates_the_batch_is_refused(consortium):
    elements = batch(consortium).elements
    digest = batch_digest(consortium.manifest.consortium, 1, elements)
    index = consortium.logs[ASKER].append(Evaluation(consortium.now, 1, 1, digest).encode())
    request = peer_pb2.EvaluateRequest(index=index, elements=elements)
    assert reason(Unverified, evaluate, consortium, 1, request) == "BAD_BATCH_DIGEST"


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (bytes(32), "IDENTITY_POINT"),
        (b"", "BAD_LENGTH"),
        (bytes(31), "BAD_LENGTH"),
        (bytes(33), "BAD_LENGTH"),
        (b"\xff" * 32, "BAD_POINT"),
        (bytes(31) + b"\x80", "BAD_POINT"),
    ],
)
def test_what_is_no_blinded_element_is_refused_by_name(consortium, element, code):
    elements = [batch(consortium).elements[0], element]
    digest = batch_digest(consortium.manifest.consortium, 1, elements)
    index = consortium.logs[ASKER].append(Evaluation(consortium.now, 2, 1, digest).encode())
    request = peer_pb2.EvaluateRequest(index=index, elements=elements)
    with pytest.raises(InvalidInput) as caught:
        evaluate(consortium, 1, request)
    assert (caught.value.reason, caught.value.path) == (code, "elements[1]")


def test_another_epoch_is_refused(consortium):
    elements = batch(consortium).elements
    digest = batch_digest(consortium.manifest.consortium, 2, elements)
    index = consortium.logs[ASKER].append(Evaluation(consortium.now, len(elements), 2, digest).encode())
    request = peer_pb2.EvaluateRequest(index=index, elements=elements)
    assert reason(Refused, evaluate, consortium, 1, request) == "OTHER_EPOCH"


@pytest.mark.parametrize(("late", "good"), [(-121, False), (-120, True), (120, True), (121, False)])
def test_the_clock_decides_on_a_first_answer_only(consortium, late, good):
    request = logged(consortium, batch(consortium, seed=str(late)))
    if good:
        evaluate(consortium, 1, request, consortium.now + late)
        repeated = evaluate(consortium, 1, request, consortium.now + 10**6)
        assert repeated.elements == evaluate(consortium, 1, request).elements
    else:
        assert reason(Refused, evaluate, consortium, 1, request, consortium.now + late) == "STALE"


def test_the_quota_is_counted_alike_by_every_custodian():
    consortium = found(5, replace(POLICY, evaluations_per_day=7))
    requests = [logged(consortium, batch(consortium, seed=str(n))) for n in range(3)]  # three elements each
    for index in (1, 2):
        for request in requests[:2]:
            evaluate(consortium, index, request)
    # Custodian 5 has answered nothing yet, and custodian 3 has just been started: both refuse all the same.
    fresh = consortium.custodian(3)
    assert reason(Exhausted, evaluate, consortium, 5, requests[2]) == "QUOTA"
    assert reason(Exhausted, fresh.evaluate, ASKER, requests[2], consortium.now) == "QUOTA"
    assert evaluate(consortium, 5, requests[0])


def test_back_dated_entries_neither_count_less_nor_hide_others():
    consortium = found(5, replace(POLICY, evaluations_per_day=7))
    logged(consortium, batch(consortium, seed="1"))
    logged(consortium, batch(consortium, seed="2"))
    consortium.now -= 30 * DAY
    logged(consortium, batch(consortium, seed="decoy"))
    consortium.now += 30 * DAY
    third = logged(consortium, batch(consortium, seed="3"))
    assert reason(Exhausted, evaluate, consortium, 1, third) == "QUOTA"
    consortium.now += DAY
    assert evaluate(consortium, 1, logged(consortium, batch(consortium, seed="4")))
