"""A whole query from request to sums: query.json, and the same with something changed."""

from __future__ import annotations

import copy

import pytest
from plimsoll.v1 import peer_pb2

from tests.second import answers, labels, merkle, question, reading, selection, voprf
from tests.second.group import G, lagrange_at_zero, scalar
from tests.second.query_world import (
    ASKER,
    CONSORTIUM,
    KEYS,
    PUBLIC,
    QUERY_KEY,
    RAW,
    SHARES,
    VECTORS,
    WORLD,
    as_of,
    world_of,
)
from tests.second.refusal import Refused
from tests.second.vectors import flipped, unhex

by_query = pytest.mark.parametrize("query", VECTORS["queries"], ids=lambda query: query["withheld"] or "released")


def test_the_consortium():
    assert CONSORTIUM.id == unhex(VECTORS["consortium"])
    assert CONSORTIUM.names == tuple(VECTORS["members"])
    assert CONSORTIUM.threshold == VECTORS["threshold"]


def test_keys_of_the_custodians_fit_the_public_ones():
    indices = range(2, 2 + CONSORTIUM.threshold)
    secret = {j: [scalar(s) for s in unhex(VECTORS["keys"]["custodians"][j - 1]["secret"])] for j in indices}
    for number, raw in enumerate(unhex(VECTORS["keys"]["secret"])):
        assert scalar(raw) * G == PUBLIC[number]
        shared = sum(lagrange_at_zero(j, indices) * secret[j][number] for j in indices)
        assert shared * G == PUBLIC[number]
        assert all(secret[j][number] * G == SHARES[j][number] for j in indices)


def test_the_borrowers_keys():
    identity, blind = VECTORS["borrower"].encode(), 987654321
    evaluated = scalar(unhex(VECTORS["keys"]["secret"])[0]) * voprf.blinded(identity, blind)
    pseudonym_key = voprf.finalize(identity, blind, evaluated)
    assert pseudonym_key == unhex(VECTORS["pseudonym_key"])
    assert labels.query_key(pseudonym_key) == QUERY_KEY
    consent = VECTORS["consent"]
    assert selection.consent_digest(unhex(consent["salt"]), unhex(consent["document"])) == unhex(consent["digest"])


def selected(found):
    return [[r.member, r.number, r.entry.index] for r in found.records], [list(e) for e in found.excluded]


@by_query
def test_every_custodian_and_the_asker_come_to_the_same(query):
    asked = question.examine(unhex(query["request"]), ASKER, as_of(query), KEYS.epoch)
    assert asked.withheld == query["withheld"]
    assert selected(asked.selection) == (query["records"], query["excluded"])
    responses = {int(j): unhex(raw) for j, raw in query["responses"].items()}
    points = {j: answers.checked(raw, j, asked, CONSORTIUM, KEYS) for j, raw in responses.items()}
    sums = answers.combined(asked, points, CONSORTIUM)
    exposure = query["exposure"]
    assert len(asked.selection.records) == exposure["lenders"]
    assert {k: v for k, v in sums.items() if k in reading.AMOUNTS} == (exposure["amounts"] or {})
    low, high, band, overdue = (sums[name] or 0 for name in ("tally_low", "tally_high", "band", "overdue_band"))
    assert low >> 6 == exposure["accounts"]
    assert reading.classes(low, high) == list(exposure["classes"].values())
    assert reading.digits_of(band, 6) == list(exposure["bands"].values())
    assert reading.digits_of(overdue, 5) == list(exposure["overdue_bands"].values())
    assert reading.failed_checks(sums, exposure["lenders"], CONSORTIUM) == exposure["implausible"]


def refuses_request(code, change, world=None, query=VECTORS["queries"][0]):
    request = peer_pb2.DecryptRequest.FromString(unhex(query["request"]))
    change(request)
    with pytest.raises(Refused) as refused:
        question.examine(request.SerializeToString(), ASKER, world or as_of(query), KEYS.epoch)
    assert refused.value.code == code


def test_a_changed_request_is_refused():
    def set_root(request):
        request.heads[3].root = bytes(32)

    def shrink(request):
        request.heads[3].size -= 1

    def exchange(request):
        first = copy.deepcopy(request.heads[0])
        request.heads[0].CopyFrom(request.heads[1])
        request.heads[1].CopyFrom(first)

    refuses_request("UNVERIFIED", lambda r: setattr(r, "entry", flipped(r.entry, 4)))
    refuses_request("BAD_PROOF", lambda r: setattr(r, "receipt", r.receipt.replace(b"index 2", b"index 1")))
    refuses_request("MALFORMED", lambda r: setattr(r, "receipt", b""))
    refuses_request("BAD_REQUEST", lambda r: setattr(r, "query_key", bytes(31)))
    refuses_request("BAD_LABEL", lambda r: setattr(r, "query_key", bytes(32)))
    refuses_request("BAD_HEADS", set_root)
    refuses_request("BAD_HEADS", shrink)
    refuses_request("BAD_HEADS", exchange)
    refuses_request("BAD_HEADS", lambda r: r.heads.pop())


def test_a_request_about_other_logs_is_refused():
    query = VECTORS["queries"][0]
    held = {**RAW, ASKER: RAW[ASKER][:3]}
    refuses_request("SUPERSEDED", lambda r: None, WORLD)
    refuses_request("NOT_IN_LOG", lambda r: None, world_of({**held, ASKER: RAW[ASKER][:2]}))
    refuses_request("NOT_IN_LOG", lambda r: None, world_of({**held, "lender-3": RAW["lender-3"][:2]}))
    refuses_request("OTHER_ROOT", lambda r: None, world_of({**held, "lender-3": RAW["lender-3"][::-1]}))
    request = peer_pb2.DecryptRequest.FromString(unhex(query["request"]))
    with pytest.raises(Refused):
        question.examine(request.SerializeToString(), "lender-2", as_of(query), KEYS.epoch)
    with pytest.raises(Refused, match="OTHER_EPOCH"):
        question.examine(request.SerializeToString(), ASKER, as_of(query), 2)


def receipt_head(query):
    receipt = peer_pb2.DecryptRequest.FromString(unhex(query["request"])).receipt
    return receipt.split(b"\n\n", 1)[1]


def test_a_tail_joins_a_replica_that_lacks_the_end():
    query = VECTORS["queries"][1]
    request = peer_pb2.DecryptRequest.FromString(unhex(query["request"]))
    held, origin = world_of({**RAW, ASKER: RAW[ASKER][:2]}), CONSORTIUM.origin(ASKER)
    good = peer_pb2.Block(origin=origin, start=1, entries=RAW[ASKER][1:4], head=receipt_head(query))
    request.tail.CopyFrom(good)
    assert question.examine(request.SerializeToString(), ASKER, held, KEYS.epoch).withheld == query["withheld"]
    # The same in two steps: entries that end before the head, and the proof to it.
    leaves = [merkle.leaf_hash(raw) for raw in RAW[ASKER]]
    short = peer_pb2.Block(origin=origin, start=2, entries=RAW[ASKER][2:3], head=receipt_head(query))
    short.consistency.extend([leaves[2], leaves[3], merkle.root(leaves[:2])])
    assert len(question.joined(held.logs[ASKER], short, CONSORTIUM, ASKER)) == 3
    for start, entries, consistency, other_head in (
        (3, RAW[ASKER][3:], [], None),
        (1, RAW[ASKER][1:3], [], None),
        (0, RAW[ASKER][1:4], [], None),
        (1, RAW[ASKER][1:3] + RAW[ASKER][2:3], [], None),
        (2, RAW[ASKER][2:3], list(short.consistency)[::-1], None),
        (2, [*RAW[ASKER][2:4], b"x"], [], None),
        (0, [], [], None),
        (2, [*RAW[ASKER][2:3], b""], [], None),
        (1, RAW[ASKER][1:4], [], receipt_head(VECTORS["queries"][0])),
    ):
        bad = peer_pb2.Block(
            origin=origin, start=start, entries=entries, head=other_head or good.head, consistency=consistency
        )
        with pytest.raises(Refused):
            question.joined(held.logs[ASKER], bad, CONSORTIUM, ASKER)


def test_a_changed_answer_is_refused():
    query = VECTORS["queries"][0]
    asked = question.examine(unhex(query["request"]), ASKER, as_of(query), KEYS.epoch)

    def refuses(change, custodian=2):
        response = peer_pb2.DecryptResponse.FromString(unhex(query["responses"]["2"]))
        change(response)
        with pytest.raises(Refused):
            answers.checked(response.SerializeToString(), custodian, asked, CONSORTIUM, KEYS)

    def swap(response):
        response.points[0], response.points[1] = response.points[1], response.points[0]

    refuses(lambda r: None, custodian=4)
    refuses(lambda r: setattr(r, "custodian", 4))
    refuses(lambda r: setattr(r, "custodian", 4), custodian=4)
    refuses(lambda r: setattr(r, "epoch", 2))
    refuses(lambda r: setattr(r, "withheld", "DIFFERENCING"))
    refuses(lambda r: setattr(r, "nonce_sum", b""))
    refuses(lambda r: setattr(r, "nonce_sum", r.points[0]))
    refuses(lambda r: setattr(r, "proof", flipped(r.proof, 33)))
    refuses(lambda r: r.points.pop())
    refuses(lambda r: r.points.append(r.points[0]))
    refuses(swap)
    refuses(lambda r: r.excluded.pop())
    refuses(lambda r: setattr(r.excluded[0], "index", 0))
    with pytest.raises(Refused, match="TOO_FEW"):
        answers.combined(asked, {}, CONSORTIUM)
