"""A member that asks what it may not: each check of docs/protocol.md, E1 to E4 and Q1 to Q10, at real custodians.

The asker is the impostor, with its real certificate and log key; every entry it makes is properly logged unless the
test says otherwise.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from plimsoll.v1 import peer_pb2

from ledger.borrower.labels import QueryKeys
from ledger.chain.block import blocks_from
from ledger.crypto import dleq, group
from ledger.crypto.group import BASE
from ledger.queries.inquiry import Inquiry
from ledger.tlog.checkpoint import Head
from tests.e2e.conftest import Hostile
from tests.e2e.feeds import row
from tests.e2e.impostor import BAD_POINTS, Impostor, flip
from tests.e2e.wire import Failure, refusal_of

SERVER, SECOND = "lender-1", "lender-4"
NEW = itertools.count(200_000)
QUICK = 8.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def points(count: int) -> list[bytes]:
    return [group.mul_base(group.random_scalar(os.urandom)) for _ in range(count)]


@pytest.fixture
def impostor(hostile: Hostile) -> Iterator[Impostor]:
    """In step with everybody else, before and after."""
    hostile.impostor.catch_up()
    hostile.impostor.deliver()
    yield hostile.impostor
    hostile.impostor.deliver()


@pytest.fixture
def keys(hostile: Hostile, impostor: Impostor) -> QueryKeys:
    """Of a borrower with two honest claims, which everybody holds."""
    return known(hostile, impostor)


def known(hostile: Hostile, impostor: Impostor) -> QueryKeys:
    borrower = f"test:{next(NEW)}"
    for member in ("lender-2", "lender-4"):
        assert hostile.cluster.report(member, [row(borrower, 2_000_000)]).published == 1
    hostile.cluster.wait_same_heads()
    impostor.catch_up()
    return impostor.borrower(borrower).query


# -- Evaluate


def evaluate(impostor: Impostor, index: int, elements: Sequence[bytes], tail: Any = None) -> Failure:
    request = peer_pb2.EvaluateRequest(tail=tail or impostor.block(index), index=index, elements=elements)
    started = time.monotonic()
    failure = refusal_of(impostor.stubs[SERVER].Evaluate, request)
    assert time.monotonic() - started < QUICK
    return failure


@pytest.mark.parametrize("bad", BAD_POINTS)
def test_elements_that_are_no_points_are_refused(impostor: Impostor, bad: bytes) -> None:
    elements = [*points(2), bad]
    index = impostor.append(impostor.evaluation(elements))
    failure = evaluate(impostor, index, elements)
    assert (failure.code.name, failure.path) == ("INVALID_ARGUMENT", "elements[2]")


def test_other_elements_than_were_logged_are_refused(impostor: Impostor) -> None:
    elements = points(3)
    index = impostor.append(impostor.evaluation(elements))
    for other in (elements[:2], [*elements, elements[0]], elements[::-1], points(3)):
        assert evaluate(impostor, index, other).brief == ("DATA_LOSS", "BAD_BATCH_DIGEST", "elements")
    response = impostor.evaluate(SERVER, index, elements)
    assert impostor.evaluate(SERVER, index, elements).elements == response.elements
    public = impostor.public.custodian(1).oprf
    dleq.verify_proof(BASE, public, elements, tuple(response.elements), response.proof)


@pytest.mark.parametrize("count", [0, 4097])
def test_a_batch_of_no_or_too_many_elements_is_refused(impostor: Impostor, count: int) -> None:
    elements = points(1) * count
    index = impostor.force(impostor.evaluation(elements))
    assert evaluate(impostor, index, elements).code.name == "INVALID_ARGUMENT"


def test_an_evaluation_must_say_how_many_it_asks_for(impostor: Impostor) -> None:
    elements = points(3)
    index = impostor.append(impostor.evaluation(elements, count=1))
    assert evaluate(impostor, index, elements).brief == ("DATA_LOSS", "BAD_BATCH_DIGEST", "elements")


def test_an_evaluation_of_another_epoch_or_time_is_refused(impostor: Impostor) -> None:
    elements, now = points(1), int(time.time())
    for changes, reason in (
        ({"epoch": 2}, "OTHER_EPOCH"),
        ({"time": now - 130}, "STALE"),
        ({"time": now + 130}, "STALE"),
    ):
        index = impostor.append(impostor.evaluation(elements, **changes))
        assert evaluate(impostor, index, elements).brief == ("PERMISSION_DENIED", reason, "index")


def test_an_entry_that_is_no_evaluation_buys_none(impostor: Impostor, keys: QueryKeys) -> None:
    index = impostor.append(impostor.inquiry(keys).encode())
    failure = evaluate(impostor, index, points(1))
    assert failure.brief == ("INVALID_ARGUMENT", "BAD_ENTRY", "index")


def test_an_evaluation_that_was_never_logged_is_not_found_and_said_so_soon(impostor: Impostor) -> None:
    elements = points(1)
    index = impostor.append(impostor.evaluation(elements))
    failure = evaluate(impostor, impostor.log.size + 5, elements, impostor.block(index))
    assert failure.code.name == "UNAVAILABLE"
    assert failure.reason in ("LACKING", "LACKS_ENTRIES")


def test_evaluations_another_member_logged_are_not_ones_own(impostor: Impostor) -> None:
    """The index is into the caller's log: lender-2's Evaluation at that place is none of the impostor's."""
    log = impostor.chain.log("lender-2")
    index = next(iter(log.by_kind("evaluation", reverse=True)))
    tail = next(iter(blocks_from(log, index)))
    failure = evaluate(impostor, index, points(1), tail)
    assert failure.reason in ("BAD_ENTRY", "BAD_BATCH_DIGEST", "STALE", "LACKS_ENTRIES")


def test_a_tail_that_was_tampered_with_is_refused(impostor: Impostor) -> None:
    elements = points(1)
    index = impostor.append(impostor.evaluation(elements))
    tail = impostor.block(index)
    tail.entries[0] = flip(tail.entries[0])
    assert evaluate(impostor, index, elements, tail).brief[:2] == ("DATA_LOSS", "ROOT_MISMATCH")
    assert impostor.evaluate(SERVER, index, elements).custodian == 1


# -- Decrypt: the request itself


def decrypt(impostor: Impostor, request: peer_pb2.DecryptRequest, server: str = SERVER) -> Failure:
    started = time.monotonic()
    failure = refusal_of(impostor.stubs[server].Decrypt, request)
    assert time.monotonic() - started < QUICK
    return failure


def changed(request: peer_pb2.DecryptRequest, **changes: Any) -> peer_pb2.DecryptRequest:
    other = peer_pb2.DecryptRequest()
    other.CopyFrom(request)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def test_requests_with_a_broken_field_are_refused_and_the_whole_one_answered(
    impostor: Impostor, keys: QueryKeys
) -> None:
    request = impostor.request(keys, impostor.inquiry(keys))
    other = impostor.evaluation(points(1))
    cases: dict[tuple[str, str, str], list[peer_pb2.DecryptRequest]] = {
        ("INVALID_ARGUMENT", "BAD_ENTRY", "entry"): [
            changed(request, entry=b""),
            changed(request, entry=b"\xff"),
            changed(request, entry=other),
        ],
        ("INVALID_ARGUMENT", "BAD_REQUEST", "query_key"): [
            changed(request, query_key=b""),
            changed(request, query_key=keys.query_key[:31]),
            changed(request, query_key=keys.query_key + b"x"),
        ],
        ("PERMISSION_DENIED", "BAD_LABEL", ""): [changed(request, query_key=flip(keys.query_key))],
        ("INVALID_ARGUMENT", "BAD_REQUEST", ""): [
            changed(request, receipt=b""),
            changed(request, receipt=b"c2sp.org/tlog-proof@v1\nindex -1\n\n"),
            changed(request, receipt=request.receipt.replace(b"index ", b"index 0")),
        ],
    }
    for expected, requests in cases.items():
        for bad in requests:
            failure = decrypt(impostor, bad)
            assert (failure.code.name, failure.reason) == expected[:2], failure
            if expected[2]:
                assert failure.path == expected[2]
    assert impostor.ask(SERVER, request).custodian == 1


def test_receipts_that_prove_something_else_are_refused(impostor: Impostor, keys: QueryKeys) -> None:
    before = impostor.append(impostor.evaluation(points(1)))
    request = impostor.request(keys, impostor.inquiry(keys))
    theirs = impostor.chain.log(SECOND)
    for receipt in (
        impostor.log.receipt(before).encode(),  # of another entry
        theirs.receipt(theirs.size - 1).encode(),  # of another log
        request.receipt.replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n", 1),  # a longer path
    ):
        failure = decrypt(impostor, changed(request, receipt=receipt))
        assert failure.reason in ("BAD_RECEIPT", "BAD_REQUEST"), failure
    assert impostor.ask(SERVER, request).custodian == 1


def test_an_inquiry_that_was_never_logged_is_refused(impostor: Impostor, keys: QueryKeys) -> None:
    heads = impostor.heads()
    logged = impostor.request(keys, impostor.inquiry(keys, heads=heads), heads)
    never = impostor.inquiry(keys, heads=heads, number=1)
    failure = decrypt(impostor, changed(logged, entry=never.encode()))
    assert failure.brief == ("DATA_LOSS", "BAD_RECEIPT", "receipt")


def test_another_members_inquiry_is_answered_to_nobody_else(hostile: Hostile, impostor: Impostor) -> None:
    """Replayed with all that is public, and even with the borrower's own key, which any lender of his may hold."""
    borrower = f"test:{next(NEW)}"
    for member in ("lender-2", "lender-4"):
        hostile.cluster.report(member, [row(borrower, 2_000_000)])
    hostile.cluster.wait_same_heads()
    index = hostile.cluster.ask("lender-1", borrower).inquiry_index
    hostile.cluster.wait_same_heads()
    impostor.catch_up()
    log = impostor.chain.log("lender-1")
    sizes = Inquiry.parse(log.entry(index)).sizes
    heads = [
        Head(each.origin, size, each.root_at(size))
        for each, size in zip((impostor.chain.log(m.name) for m in impostor.manifest.members), sizes, strict=True)
    ]
    keys = impostor.borrower(borrower).query
    request = peer_pb2.DecryptRequest(
        entry=log.entry(index), receipt=log.receipt(index).encode(), query_key=keys.query_key
    )
    for head in heads:
        request.heads.add(origin=head.origin, size=head.size, root=head.root)
    for server in (SERVER, SECOND):
        assert decrypt(impostor, request, server).brief == ("DATA_LOSS", "BAD_RECEIPT", "receipt")


# -- Decrypt: what the inquiry says


def refused_inquiry(impostor: Impostor, keys: QueryKeys, **changes: Any) -> Failure:
    """How the next inquiry about the borrower, with something changed, is refused. It is logged all the same."""
    heads = impostor.heads()
    inquiry = impostor.inquiry(keys, heads=heads, **changes)
    index = impostor.force(inquiry.encode())
    return decrypt(impostor, impostor.request_for(keys, index, heads))


def test_inquiries_that_name_what_is_not_in_force_are_refused(
    hostile: Hostile, impostor: Impostor, keys: QueryKeys
) -> None:
    for changes, reason in (
        ({"manifest": bytes(32)}, "OTHER_MANIFEST"),
        ({"epoch": 2}, "OTHER_EPOCH"),
        ({"as_of": int(time.time()) // 86_400 - 30}, "AS_OF"),
    ):
        failure = refused_inquiry(impostor, known(hostile, impostor), **changes)
        assert failure.brief == ("PERMISSION_DENIED", reason, "entry")
    for purpose in (0, 6):
        failure = refused_inquiry(impostor, known(hostile, impostor), purpose=purpose)
        assert failure.brief == ("INVALID_ARGUMENT", "BAD_ENTRY", "entry")


@pytest.mark.parametrize("seconds", [-130, 130])
def test_an_inquiry_of_another_time_is_refused(impostor: Impostor, keys: QueryKeys, seconds: int) -> None:
    failure = refused_inquiry(impostor, keys, time=int(time.time()) + seconds)
    assert failure.brief == ("PERMISSION_DENIED", "STALE", "entry")


def test_heads_other_than_the_inquiry_fixes_are_refused(impostor: Impostor, keys: QueryKeys) -> None:
    heads = impostor.heads()
    request = impostor.request(keys, impostor.inquiry(keys, heads=heads), heads)
    swapped = [heads[1], heads[0], *heads[2:]]
    older = [replace(heads[0], size=heads[0].size - 1), *heads[1:]]
    other_root = [replace(heads[0], root=bytes(32)), *heads[1:]]
    for bad in (heads[:-1], [*heads, heads[0]], [], swapped, older, other_root):
        tampered = changed(request)
        del tampered.heads[:]
        for head in bad:
            tampered.heads.add(origin=head.origin, size=head.size, root=head.root)
        assert decrypt(impostor, tampered).brief == ("PERMISSION_DENIED", "BAD_HEADS", "heads")
    assert impostor.ask(SERVER, request).custodian == 1


def with_heads(impostor: Impostor, keys: QueryKeys, heads: Sequence[Head]) -> Failure:
    """How an inquiry is refused that fixes these heads itself."""
    index = impostor.append(impostor.inquiry(keys, heads=heads).encode())
    return decrypt(impostor, impostor.request_for(keys, index, heads))


def replaced(impostor: Impostor, member: str, head: Head) -> list[Head]:
    names = [each.name for each in impostor.manifest.members]
    return [head if name == member else one for name, one in zip(names, impostor.heads(), strict=True)]


def test_an_inquiry_that_leaves_out_what_is_known_for_long_is_refused(
    hostile: Hostile, impostor: Impostor, keys: QueryKeys
) -> None:
    """lender-4's claim is in the last entry; heads of before it would hide it."""
    log = impostor.chain.log("lender-4")
    time.sleep(hostile.cluster.manifest.policy.heads_seconds + 1)
    old = Head(log.origin, log.size - 1, log.root_at(log.size - 1))
    failure = with_heads(impostor, keys, replaced(impostor, "lender-4", old))
    assert failure.brief == ("PERMISSION_DENIED", "OMITTED", "heads")
    assert "lender-4" in failure.message
    empty = Head(log.origin, 0, impostor.chain.log("lender-6").root_at(0))
    failure = with_heads(impostor, keys, replaced(impostor, "lender-4", empty))
    assert failure.brief == ("PERMISSION_DENIED", "OMITTED", "heads")


def test_heads_that_do_not_exist_are_refused_soon(hostile: Hostile, impostor: Impostor) -> None:
    log = impostor.chain.log("lender-4")
    wrong_root = Head(log.origin, log.size, bytes(32))
    failure = with_heads(impostor, known(hostile, impostor), replaced(impostor, "lender-4", wrong_root))
    assert failure.reason in ("OTHER_ROOT", "OMITTED"), failure
    beyond = Head(log.origin, log.size + 1000, bytes(32))
    failure = with_heads(impostor, known(hostile, impostor), replaced(impostor, "lender-4", beyond))
    assert failure.code.name == "UNAVAILABLE"
    assert failure.reason in ("LACKING", "LACKS_ENTRIES")


def test_an_inquiry_must_not_count_itself_among_the_heads(impostor: Impostor, keys: QueryKeys) -> None:
    own = impostor.log
    after = Head(own.origin, own.size + 1, bytes(32))
    failure = with_heads(impostor, keys, replaced(impostor, impostor.member, after))
    assert failure.brief == ("PERMISSION_DENIED", "BAD_HEADS", "heads")


# -- Decrypt: labels, numbers, quotas


def test_a_label_that_is_not_the_next_one_is_refused(hostile: Hostile, impostor: Impostor, keys: QueryKeys) -> None:
    failure = refused_inquiry(impostor, keys, label=os.urandom(16))
    assert failure.brief[:2] == ("PERMISSION_DENIED", "BAD_LABEL")
    other = known(hostile, impostor)
    failure = refused_inquiry(impostor, keys, label=other.inquiries(impostor.member)(0))
    assert failure.brief[:2] == ("PERMISSION_DENIED", "BAD_LABEL")
    failure = refused_inquiry(impostor, keys, number=1)  # number 0 was never asked
    assert failure.brief[:2] == ("PERMISSION_DENIED", "BAD_LABEL")
    failure = refused_inquiry(impostor, keys, label=keys.inquiries("lender-1")(0))  # another member's
    assert failure.brief[:2] == ("PERMISSION_DENIED", "BAD_LABEL")


def test_an_inquiry_under_a_label_used_before_is_refused(impostor: Impostor, keys: QueryKeys) -> None:
    first = impostor.request(keys, impostor.inquiry(keys))
    assert impostor.ask(SERVER, first).custodian == 1
    failure = refused_inquiry(impostor, keys, number=0)
    assert failure.brief[:2] == ("PERMISSION_DENIED", "BAD_LABEL")


def test_an_inquiry_that_was_superseded_is_not_answered_for_the_first_time(impostor: Impostor, keys: QueryKeys) -> None:
    old = impostor.request(keys, impostor.inquiry(keys))
    new = impostor.request(keys, impostor.inquiry(keys))
    assert impostor.ask(SERVER, new).custodian == 1
    assert decrypt(impostor, old).brief == ("PERMISSION_DENIED", "SUPERSEDED", "entry")
    assert impostor.ask(SECOND, new).custodian == 4
    assert decrypt(impostor, old, SECOND).brief == ("PERMISSION_DENIED", "SUPERSEDED", "entry")


def test_a_repeat_gets_the_same_answer_and_other_custodians_say_the_same(
    hostile: Hostile, impostor: Impostor, keys: QueryKeys
) -> None:
    request = impostor.request(keys, impostor.inquiry(keys))
    first = impostor.ask(SERVER, request)
    assert impostor.ask(SERVER, request) == first
    for server in impostor.servers[1:]:
        other = impostor.ask(server, request)
        assert (other.withheld, other.nonce_sum) == (first.withheld, first.nonce_sum)
        assert len(other.points) == len(first.points) == 7
    hostile.cluster.report("lender-2", [row(f"test:{next(NEW)}", 1000)])
    assert impostor.ask(SERVER, request) == first


def test_a_fourth_inquiry_of_a_day_is_refused_by_every_custodian(impostor: Impostor, keys: QueryKeys) -> None:
    for _ in range(3):
        request = impostor.request(keys, impostor.inquiry(keys))
        assert impostor.ask(SERVER, request).custodian == 1
    for server in impostor.servers:  # also by those that have answered none of them
        request = impostor.request(keys, impostor.inquiry(keys))
        failure = decrypt(impostor, request, server)
        assert failure.brief[:2] == ("RESOURCE_EXHAUSTED", "BORROWER_QUOTA")


def test_a_quota_is_not_passed_by_setting_the_clock(impostor: Impostor, keys: QueryKeys) -> None:
    now = int(time.time())
    for seconds in (-110, 110, -110):
        request = impostor.request(keys, impostor.inquiry(keys, time=now + seconds))
        assert impostor.ask(SERVER, request).custodian == 1
    for seconds in (-110, 0, 110):
        request = impostor.request(keys, impostor.inquiry(keys, time=now + seconds))
        assert decrypt(impostor, request).brief[:2] == ("RESOURCE_EXHAUSTED", "BORROWER_QUOTA")


def test_evaluations_are_limited_by_the_day(hostile: Hostile) -> None:
    """9,000 elements here. By lender-6, for whom nothing is evaluated any more afterwards."""
    asker = Impostor(hostile.cluster, "lender-6", (SERVER,))
    elements = points(1) * 4096
    for _ in range(2):
        index = asker.append(asker.evaluation(elements))
        assert len(asker.evaluate(SERVER, index, elements).elements) == 4096
    failure = evaluate(asker, asker.append(asker.evaluation(elements)), elements)
    assert failure.brief[:2] == ("RESOURCE_EXHAUSTED", "QUOTA")
