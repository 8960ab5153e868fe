"""A custodian's checks Q1 to Q10, each by a request that is right but for one thing.

The asker is the adversary here. It knows the protocol, holds its own log key, may log whatever it likes and ask any
custodian in any order; it wants an answer that the rules do not give it. test_attacks puts such steps together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.borrower.labels import QueryKeys
from ledger.chain.replica_gap import LacksEntries
from ledger.errors import Exhausted, InvalidInput, PlimsollError, Refused, Unready, Unverified
from ledger.positions.fields import FIELDS, PACKED
from ledger.queries import decryption
from ledger.queries.custodian import Custodian
from ledger.queries.decryption import PartialDecryption
from ledger.queries.findings import Asked, Examiner
from ledger.queries.inquiry import DAY, Inquiry, heads_digest
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.receipt import Receipt
from tests.ledger.mutations import edited
from tests.ledger.sample_consortium import CONSENT, POLICY, Behind, Consortium, MemoryLog, found, loan

ASKER = "lender-1"
BORROWER = "test:1"


@pytest.fixture
def consortium() -> Consortium:
    return reported(found(5))


def reported(consortium: Consortium) -> Consortium:
    """Five lenders have one loan each to the borrower."""
    for number, member in enumerate(consortium.logs, 1):
        consortium.report(member, BORROWER, loan(1000 * number))
    return consortium


def heads_of(consortium: Consortium) -> list[Head]:
    return [
        Head(consortium.manifest.origin(name), log.size, log.root_at(log.size)) for name, log in consortium.logs.items()
    ]


def inquiry(consortium: Consortium, heads: list[Head] | None = None, number: int = 0, **changes: Any) -> Inquiry:
    """What the asker logs, right but for the changes."""
    heads = heads_of(consortium) if heads is None else heads
    facts: dict[str, Any] = {
        "time": consortium.now,
        "label": consortium.borrower(BORROWER).query.inquiries(ASKER)(number),
        "purpose": entry_pb2.PURPOSE_PRE_LOAN,
        "consent_digest": CONSENT,
        "as_of": 0,
        "epoch": 1,
        "manifest": consortium.manifest.id,
        "sizes": tuple(head.size for head in heads),
        "heads_digest": heads_digest(heads),
    }
    return Inquiry(**{**facts, **changes})


def request_for(consortium: Consortium, asked: Inquiry, heads: list[Head], **changes: Any) -> peer_pb2.DecryptRequest:
    """Logs the inquiry and asks with these heads."""
    log = consortium.logs[ASKER]
    entry = asked.encode()
    index = log.append(entry)
    facts: dict[str, Any] = {
        "entry": entry,
        "receipt": log.receipt(index),
        "query_key": consortium.borrower(BORROWER).query.query_key,
        "heads": [peer_pb2.HeadRef(origin=head.origin, size=head.size, root=head.root) for head in heads],
    }
    return peer_pb2.DecryptRequest(**{**facts, **changes})


def good(consortium: Consortium, number: int = 0) -> peer_pb2.DecryptRequest:
    heads = heads_of(consortium)
    return request_for(consortium, inquiry(consortium, heads, number), heads)


def refusal(consortium: Consortium, request: peer_pb2.DecryptRequest, **how: Any) -> tuple[type, str]:
    """What custodian 1 refuses with."""
    custodian: Custodian = how.pop("custodian", consortium.custodians[1])
    held = how.pop("held", lambda member: 0)
    with pytest.raises(PlimsollError) as caught:
        custodian.answer(how.pop("caller", ASKER), request, how.pop("now", consortium.now), held)
    assert not how
    assert consortium.borrower(BORROWER).query.query_key.hex() not in str(caught.value)
    return type(caught.value), caught.value.reason


def changed(request: peer_pb2.DecryptRequest, **fields: Any) -> Any:
    other: Any = peer_pb2.DecryptRequest()
    other.CopyFrom(request)
    for name, value in fields.items():
        other.ClearField(name)
        if name == "heads":
            other.heads.extend(value)
        else:
            setattr(other, name, value)
    return other


# -- what is answered


def test_the_answer_is_this_custodians_part_of_the_sum(consortium):
    request = good(consortium)
    answer = consortium.answer(2, ASKER, request)
    assert (answer.custodian, answer.epoch, answer.withheld, len(answer.excluded)) == (2, 1, "", 0)
    asked = Asked.read(ASKER, Receipt.parse(request.receipt).index, request.entry)
    findings = consortium.examiners[ASKER].examine(asked, QueryKeys(request.query_key), consortium.logs)
    assert answer.nonce_sum == findings.nonce_sum
    session = findings.session(consortium.manifest.consortium, 1, merkle.leaf_hash(request.entry))
    partial = PartialDecryption(2, FIELDS, tuple(answer.points), answer.proof)
    decryption.verify(session, partial, consortium.keys.custodian(2).fields)


def test_every_custodian_sums_the_same(consortium):
    request = good(consortium)
    assert len({consortium.answer(index, ASKER, request).nonce_sum for index in range(1, 6)}) == 1


def test_where_amounts_are_withheld_their_points_are_not_computed(consortium):
    for member in list(consortium.logs)[2:]:
        consortium.report(member, BORROWER, loan(0, open=False))
    answer = consortium.answer(1, ASKER, good(consortium))
    assert answer.withheld == "FEW_CONTRIBUTORS"
    assert len(answer.points) == len(PACKED)


def test_where_nobody_contributes_nothing_is_decrypted():
    consortium = found(5)
    answer = consortium.answer(1, ASKER, good(consortium))
    assert (answer.withheld, answer.nonce_sum, list(answer.points), answer.proof) == ("FEW_CONTRIBUTORS", b"", [], b"")


def test_a_repeat_gets_the_same_answer_even_late_and_superseded(consortium):
    request = good(consortium)
    first = consortium.answer(1, ASKER, request)
    good(consortium, 1)
    consortium.now += 10**6
    assert consortium.custodians[1].answer(ASKER, request, consortium.now, lambda member: 10**9) == first


def test_a_repeat_takes_the_key_the_inquiry_was_made_under(consortium):
    request = good(consortium)
    consortium.answer(1, ASKER, request)
    assert refusal(consortium, changed(request, query_key=bytes(32))) == (Refused, "BAD_LABEL")


def test_what_is_changed_in_a_returned_answer_does_not_change_the_next(consortium):
    request = good(consortium)
    first = consortium.answer(1, ASKER, request)
    kept = first.SerializeToString()
    first.proof = b""
    consortium.answer(1, ASKER, request).proof = b""
    assert consortium.answer(1, ASKER, request).SerializeToString() == kept


def test_a_custodian_with_anothers_shares_does_not_start(consortium):
    shares = replace(consortium.ceremony.shares[0], index=2)
    with pytest.raises(Unverified):
        Custodian(consortium.history, consortium.keys, shares, consortium.logs, consortium.rng)


# -- Q1: the request


def test_only_members_are_answered(consortium):
    assert refusal(consortium, good(consortium), caller="stranger") == (Refused, "NOT_A_MEMBER")


@pytest.mark.parametrize(
    "fields",
    [
        {"query_key": b""},
        {"query_key": bytes(31)},
        {"query_key": bytes(33)},
        {"receipt": b""},
        {"receipt": b"c2sp.org/tlog-proof@v1\nindex 0\n\nnothing"},
        {"heads": [peer_pb2.HeadRef(origin="x", size=1, root=bytes(31))]},
        {"heads": [peer_pb2.HeadRef(origin="x", size=2**63, root=bytes(32))]},
        {"heads": [peer_pb2.HeadRef(origin="", size=1, root=bytes(32))]},
        {"heads": [peer_pb2.HeadRef(origin="x", size=0, root=bytes(32))]},
    ],
)
def test_a_malformed_request_is_refused(consortium, fields):
    assert refusal(consortium, changed(good(consortium), **fields)) == (InvalidInput, "BAD_REQUEST")


def test_what_is_no_inquiry_is_refused(consortium):
    request = good(consortium)
    whole = entry_pb2.Entry.FromString(request.entry)
    short = entry_pb2.Entry.FromString(request.entry)
    short.inquiry.label = bytes(15)
    purposeless = entry_pb2.Entry.FromString(request.entry)
    purposeless.inquiry.purpose = entry_pb2.PURPOSE_UNSPECIFIED
    position = consortium.position_entry(ASKER, BORROWER, loan(1))
    for entry in (b"", b"\xff", position, short.SerializeToString(), purposeless.SerializeToString()):
        assert refusal(consortium, changed(request, entry=entry)) == (InvalidInput, "BAD_ENTRY")
    assert whole.inquiry.purpose


@settings(max_examples=30)
@given(st.data())
def test_no_edited_request_gets_an_answer_or_anything_but_a_refusal(data):
    consortium = reported(found(5))
    request = good(consortium)
    raw = request.SerializeToString()
    mutant = data.draw(edited([raw]))
    try:
        other = peer_pb2.DecryptRequest.FromString(mutant)
    except Exception:  # noqa: BLE001 -- what gRPC refuses never arrives
        return
    try:
        answer = consortium.answer(1, ASKER, other)
    except PlimsollError:
        return
    # What passes is the same question, told with other bytes (unknown fields, another signature line).
    assert (answer.nonce_sum, answer.withheld) == (consortium.answer(2, ASKER, request).nonce_sum, "")
    assert other.entry == request.entry


# -- Q2 and Q3: the inquiry is in the asker's one log


def test_a_receipt_of_another_entry_is_refused(consortium):
    request = good(consortium)
    other = consortium.logs[ASKER].receipt(0)
    assert refusal(consortium, changed(request, receipt=other)) == (Unverified, "BAD_RECEIPT")


def test_a_receipt_under_another_members_key_is_refused(consortium):
    request = good(consortium)
    log = consortium.logs["lender-2"]
    receipt = log.receipt(log.append(request.entry))
    assert refusal(consortium, changed(request, receipt=receipt)) == (Unverified, "BAD_RECEIPT")


def test_an_inquiry_is_answered_to_its_author_only(consortium):
    request = good(consortium)
    assert refusal(consortium, request, caller="lender-2") == (Unverified, "BAD_RECEIPT")


def test_a_flipped_bit_of_the_receipt_is_refused(consortium):
    request = good(consortium)
    for at in range(0, len(request.receipt), 7):
        receipt = bytearray(request.receipt)
        receipt[at] ^= 1
        kind, reason = refusal(consortium, changed(request, receipt=bytes(receipt)))
        assert (kind, reason) in {(InvalidInput, "BAD_REQUEST"), (Unverified, "BAD_RECEIPT")}, at


def test_a_twin_on_a_fork_of_the_askers_log_is_refused(consortium):
    heads = heads_of(consortium)
    fork = consortium.logs[ASKER].fork(consortium.logs[ASKER].size)
    request = request_for(consortium, inquiry(consortium, heads), heads)
    assert consortium.answer(1, ASKER, request)
    entry = inquiry(consortium, heads, time=consortium.now + 1).encode()
    twin = changed(request, entry=entry, receipt=fork.receipt(fork.append(entry)))
    assert refusal(consortium, twin) == (Unverified, "FORK")
    # Nor does a longer fork help.
    fork.append(entry)
    fork.append(entry)
    consortium.logs[ASKER].append(entry)
    consortium.logs[ASKER].append(entry)
    longer = changed(twin, receipt=fork.receipt(1))
    assert refusal(consortium, longer) == (Unverified, "FORK")


def test_a_custodian_that_is_behind_says_what_it_lacks(consortium):
    request = good(consortium)
    for member, log in consortium.logs.items():
        logs: dict[str, Any] = {**consortium.logs, member: Behind(log, 0)}
        custodian = consortium.custodian(1, logs)
        with pytest.raises(LacksEntries) as caught:
            custodian.answer(ASKER, request, consortium.now, lambda member: 0)
        assert (caught.value.member, caught.value.size) == (member, log.size)


def test_a_replica_with_another_entry_there_does_not_answer(consortium):
    class Rotten(MemoryLog):
        def leaf_hash(self, index: int) -> bytes:
            return bytes(32)

    rotten = Rotten(None)  # type: ignore[arg-type]  # signs nothing
    request = good(consortium)
    for entry in consortium.logs[ASKER].entries:
        rotten.append(entry)
    custodian = consortium.custodian(1, {**consortium.logs, ASKER: rotten})
    assert refusal(consortium, request, custodian=custodian) == (Unverified, "NOT_IN_LOG")


def test_a_log_that_cannot_be_read_here_is_no_answer_either(consortium):
    request = good(consortium)
    for member in consortium.logs:
        logs = {name: log for name, log in consortium.logs.items() if name != member}
        kind, reason = refusal(consortium, request, custodian=consortium.custodian(1, logs))
        assert (kind, reason) == (Unready, "NO_LOG")


# -- Q4 and Q5: what is in force, and the heads


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"manifest": bytes(32)}, "OTHER_MANIFEST"),
        ({"epoch": 0}, "OTHER_EPOCH"),
        ({"epoch": 2}, "OTHER_EPOCH"),
        ({"as_of": 20_000}, "AS_OF"),
    ],
)
def test_what_is_not_in_force_is_refused(consortium, changes, code):
    heads = heads_of(consortium)
    request = request_for(consortium, inquiry(consortium, heads, **changes), heads)
    assert refusal(consortium, request) == (Refused, code)


def test_heads_must_be_those_the_inquiry_fixes(consortium):
    heads = heads_of(consortium)
    request = good(consortium)
    refs = list(request.heads)
    smaller = peer_pb2.HeadRef(origin=heads[1].origin, size=0, root=EMPTY_ROOT)
    bent = peer_pb2.HeadRef(origin=heads[1].origin, size=heads[1].size, root=bytes(32))
    for wrong in (
        [],
        refs[:-1],
        [*refs, refs[-1]],
        refs[::-1],
        [refs[0], smaller, *refs[2:]],
        [refs[0], bent, *refs[2:]],
        [refs[0], refs[0], *refs[2:]],
    ):
        assert refusal(consortium, changed(request, heads=wrong)) == (Refused, "BAD_HEADS")


def test_heads_must_be_the_members_in_their_order_even_if_the_inquiry_says_otherwise(consortium):
    whole = heads_of(consortium)
    for heads in (whole[::-1], whole[:-1], [*whole, whole[0]]):
        request = request_for(consortium, inquiry(consortium, heads), heads)
        assert refusal(consortium, request) == (Refused, "BAD_HEADS")


# -- Q6: the trees


def test_the_askers_own_head_must_not_reach_beyond_the_inquiry(consortium):
    heads = heads_of(consortium)
    larger = [Head(heads[0].origin, consortium.logs[ASKER].size + 1, bytes(32)), *heads[1:]]
    request = request_for(consortium, inquiry(consortium, larger), larger)
    assert refusal(consortium, request) == (Refused, "BAD_HEADS")


def test_heads_may_not_leave_out_what_was_known_for_long(consortium):
    old = heads_of(consortium)
    consortium.report("lender-3", BORROWER, loan(9999))
    request = request_for(consortium, inquiry(consortium, old), old)
    assert refusal(
        consortium, request, held=lambda member: consortium.logs[member].size - 1 + (member == "lender-3")
    ) == (
        Refused,
        "OMITTED",
    )


def test_heads_may_lag_by_what_has_just_arrived(consortium):
    old = heads_of(consortium)
    consortium.report("lender-3", BORROWER, loan(9999))
    request = request_for(consortium, inquiry(consortium, old), old)
    held = {member: head.size for member, head in zip(consortium.logs, old, strict=True)}
    assert consortium.custodians[1].answer(ASKER, request, consortium.now, held.__getitem__)


def test_a_tree_that_the_replica_does_not_have_is_refused(consortium):
    heads = heads_of(consortium)
    for place in range(5):
        wrong = [*heads]
        wrong[place] = Head(heads[place].origin, heads[place].size, bytes(32))
        asked = inquiry(consortium, wrong, number=0)
        consortium.logs[ASKER] = consortium.logs[ASKER].fork(1)
        request = request_for(consortium, asked, wrong)
        custodian = consortium.custodian(1)
        assert refusal(consortium, request, custodian=custodian) == (Unverified, "OTHER_ROOT")


def test_trees_of_the_future_are_lacking(consortium):
    heads = heads_of(consortium)
    wrong = [*heads[:4], Head(heads[4].origin, 2**63 - 1, bytes(32))]
    request = request_for(consortium, inquiry(consortium, wrong), wrong)
    assert refusal(consortium, request) == (LacksEntries, "LACKS_ENTRIES")


# -- Q7: time


@pytest.mark.parametrize("late", [-121, 121, 10**6, -(10**6)])
def test_an_inquiry_made_at_another_time_is_stale(consortium, late):
    assert refusal(consortium, good(consortium), now=consortium.now + late) == (Refused, "STALE")


@pytest.mark.parametrize("late", [-120, 120])
def test_clocks_may_differ_a_little(consortium, late):
    assert consortium.custodians[1].answer(ASKER, good(consortium), consortium.now + late, lambda member: 0)


def test_times_beyond_any_clock_are_stale(consortium):
    heads = heads_of(consortium)
    request = request_for(consortium, inquiry(consortium, heads, time=2**64 - 1), heads)
    assert refusal(consortium, request) == (Refused, "STALE")


# -- Q8: the running number


def test_another_borrowers_key_is_refused(consortium):
    other = consortium.borrower("test:2").query.query_key
    assert refusal(consortium, changed(good(consortium), query_key=other)) == (Refused, "BAD_LABEL")


def test_another_members_label_is_refused(consortium):
    heads = heads_of(consortium)
    label = consortium.borrower(BORROWER).query.inquiries("lender-2")(0)
    request = request_for(consortium, inquiry(consortium, heads, label=label), heads)
    assert refusal(consortium, request) == (Refused, "BAD_LABEL")


def test_a_number_already_used_is_refused(consortium):
    assert consortium.answer(1, ASKER, good(consortium))
    consortium.now += 1
    assert refusal(consortium, good(consortium, number=0)) == (Refused, "BAD_LABEL")


def test_a_skipped_number_is_refused(consortium):
    consortium.answer(1, ASKER, good(consortium))
    assert refusal(consortium, good(consortium, number=2)) == (Refused, "BAD_LABEL")
    assert refusal(consortium, good(consortium, number=4)) == (Refused, "BAD_LABEL")


@pytest.mark.parametrize(("logged", "asked"), [((0, 1, 2, 4), 5), ((1, 0), 2), ((0, 2, 1, 3), 4), ((0, 1, 2, 4, 5), 6)])
def test_a_gap_among_earlier_numbers_is_refused_wherever_it_is(consortium, logged, asked):
    for number in logged:
        good(consortium, number)
    assert refusal(consortium, good(consortium, asked)) == (Refused, "GAP")


def test_an_older_inquiry_is_no_longer_answered(consortium):
    request = good(consortium)
    good(consortium, 1)
    assert refusal(consortium, request) == (Refused, "SUPERSEDED")


def test_a_position_under_an_inquirys_label_does_not_stop_the_count(consortium):
    label = consortium.borrower(BORROWER).query.inquiries(ASKER)(0)
    entry = entry_pb2.Entry.FromString(consortium.position_entry(ASKER, "test:2", loan(1)))
    entry.position.label = label
    consortium.logs[ASKER].append(entry.SerializeToString())
    assert consortium.answer(1, ASKER, good(consortium, 1)).withheld == ""


# -- Q9: quotas


def test_a_borrower_is_asked_about_so_often_a_day_at_most():
    consortium = reported(found(5, replace(POLICY, queries_per_borrower=2)))
    requests = [good(consortium, 0)]
    consortium.answer(1, ASKER, requests[0])
    consortium.answer(1, ASKER, good(consortium, 1))
    third = good(consortium, 2)
    assert {refusal(consortium, third, custodian=consortium.custodians[n]) for n in range(1, 6)} == {
        (Exhausted, "BORROWER_QUOTA")
    }
    consortium.now += DAY
    assert consortium.answer(1, ASKER, good(consortium, 3))


def test_a_member_asks_so_often_a_day_at_most():
    consortium = reported(found(5, replace(POLICY, inquiries_per_day=2)))
    for borrower in ("test:1", "test:2"):
        consortium.ask(ASKER, borrower)
    _, request = consortium.begin(ASKER, "test:3")
    for index in range(1, 6):
        assert refusal(consortium, request, custodian=consortium.custodian(index)) == (Exhausted, "QUOTA")
    consortium.ask("lender-2", "test:3")


def test_inquiries_that_were_never_asked_count_too():
    consortium = reported(found(5, replace(POLICY, queries_per_borrower=3)))
    for number in range(3):
        good(consortium, number)
    assert refusal(consortium, good(consortium, 3)) == (Exhausted, "BORROWER_QUOTA")


# -- what a custodian does not depend on


def test_a_custodian_just_started_says_what_the_others_say(consortium):
    for number in range(4):
        request = good(consortium, number)
        expected = consortium.answer(1, ASKER, request)
        fresh = consortium.custodian(1).answer(ASKER, request, consortium.now, lambda member: 0)
        assert (fresh.nonce_sum, fresh.withheld, fresh.points) == (
            expected.nonce_sum,
            expected.withheld,
            expected.points,
        )
        consortium.report("lender-2", BORROWER, loan(10 + number))


def test_it_shares_what_the_nodes_own_queries_have_worked_out(consortium):
    examiner = Examiner(consortium.history, consortium.keys)
    shares = consortium.ceremony.shares[0]
    custodian = Custodian(consortium.history, consortium.keys, shares, consortium.logs, consortium.rng, examiner)
    request = good(consortium)
    answer = custodian.answer(ASKER, request, consortium.now, lambda member: 0)
    assert answer.nonce_sum == consortium.answer(2, ASKER, request).nonce_sum


def test_no_repr_shows_a_key(consortium):
    custodian = consortium.custodians[1]
    consortium.answer(1, ASKER, good(consortium))
    shown = repr(custodian) + repr(consortium.ceremony.shares[0]) + repr(vars(custodian))
    for secret in (*consortium.ceremony.shares[0], consortium.borrower(BORROWER).query.query_key):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
