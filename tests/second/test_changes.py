"""Queries over changes of the manifest, frozen logs and logs that have ended: changes.json (sections 8 to 13)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from plimsoll.v1 import entry_pb2, peer_pb2

from tests.second import answers, manifest, question, transcript
from tests.second.ceremony import Keys
from tests.second.group import point
from tests.second.log import Log
from tests.second.record import World
from tests.second.refusal import Refused
from tests.second.vectors import load, unhex

VECTORS = load("changes")
MANIFESTS = tuple(map(manifest.read, VECTORS["manifests"]))
ASKER = VECTORS["asker"]
RAW = {name: unhex(raws) for name, raws in VECTORS["logs"].items()}
QUERIES = VECTORS["queries"]
by_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query['number']} {query['withheld']}")


def keys_of(epoch):
    (keys,) = (one for one in VECTORS["keys"] if one["epoch"] == epoch)
    shares = {j: tuple(map(point, unhex(c["public"]))) for j, c in enumerate(keys["custodians"], 1)}
    return Keys(epoch, tuple(map(point, unhex(keys["public"]))), shares)


def world_of(raws, last):
    known = MANIFESTS[: last + 1]
    logs = {name: Log(f"plimsoll/{MANIFESTS[0].id.hex()}/{name}", raw) for name, raw in raws.items()}
    return World(known[-1], logs, keys_of(1).public[1:], known)


WORLD = world_of(RAW, len(MANIFESTS) - 1)


def as_of(query):
    """Logs and manifests when that inquiry was the asker's newest entry."""
    sizes = query["sizes"]
    return world_of({name: raw[: sizes[name]] for name, raw in RAW.items() if name in sizes}, query["manifest"])


def began(epoch):
    return next(one for one in MANIFESTS if one.epoch == epoch)


def test_the_keys_stay_and_their_shares_do_not():
    assert keys_of(1).public == keys_of(2).public
    assert keys_of(1).shares[1] != keys_of(2).shares[1]
    assert (began(1).threshold, began(2).threshold) == (4, 3)
    assert [one.sequence for one in MANIFESTS] == [0, 1, 2]


@by_query
def test_every_custodian_and_the_asker_come_to_the_same(query):
    keys = keys_of(query["epoch"])
    asked = question.examine(unhex(query["request"]), ASKER, as_of(query), query["epoch"])
    assert asked.withheld == query["withheld"]
    assert [[r.member, r.number, r.entry.index] for r in asked.selection.records] == query["records"]
    assert [list(each) for each in asked.selection.excluded] == query["excluded"]
    keeping = began(query["epoch"])
    responses = {int(j): unhex(raw) for j, raw in query["responses"].items()}
    assert len(responses) >= keeping.threshold
    points = {j: answers.checked(raw, j, asked, keeping, keys) for j, raw in responses.items()}
    sums = answers.combined(asked, points, keeping)
    assert sums == json.loads(query["full"])["result"]


@by_query
@pytest.mark.parametrize("form", ["full", "redacted"])
def test_transcripts_verify_long_after(query, form):
    verified = transcript.verify(query[form].encode(), WORLD, keys_of(query["epoch"]))
    assert (verified.form, verified.not_opened) == (form, ())


@by_query
def test_no_other_reason_verifies(query):
    for other in ("", "FEW_CONTRIBUTORS", "DIFFERENCING", "FROZEN", "CONFLICTING_WITNESSES", "TIRED"):
        if bool(other) != bool(query["withheld"]) or other == query["withheld"]:
            continue
        document = json.dumps(json.loads(query["full"]) | {"withheld": other})
        with pytest.raises(Refused) as refused:
            transcript.verify(document.encode(), WORLD, keys_of(query["epoch"]))
        assert refused.value.code == ("T1" if other == "TIRED" else "T8")


def refusal(query, change=lambda request: None, world=None, epoch=None):
    request = peer_pb2.DecryptRequest.FromString(unhex(query["request"]))
    change(request)
    with pytest.raises(Refused) as refused:
        question.examine(request.SerializeToString(), ASKER, world or as_of(query), epoch or query["epoch"])
    return refused.value.code


def test_a_frozen_log_counts_as_it_was_witnessed_or_not_at_all():
    query = QUERIES[3]

    def other_note(request):
        request.witnessed[0] = request.witnessed[0][:-200]

    assert refusal(query, lambda request: request.witnessed.pop()) == "BAD_REQUEST"
    assert refusal(query, other_note) == "NOT_WITNESSED"
    assert refusal(query, lambda request: request.witnessed.__setitem__(0, b"")) == "NOT_WITNESSED"


def test_a_manifest_or_epoch_that_is_not_known_is_refused():
    assert refusal(QUERIES[3], world=replace(as_of(QUERIES[3]), consortium=MANIFESTS[0], manifests=MANIFESTS[:1])) == (
        "OTHER_MANIFEST"
    )
    assert refusal(QUERIES[1], epoch=2) == "OTHER_EPOCH"


def test_what_counts_of_an_ended_log_must_be_there():
    query = QUERIES[1]
    world = as_of(query)
    short = {name: log.raw for name, log in world.logs.items()} | {"lender-4": []}
    assert refusal(query, world=world_of(short, query["manifest"])) == "OTHER_ROOT"


def test_an_inquiry_behind_the_end_of_its_log_is_seen():
    query = QUERIES[2]
    world = as_of(query)
    raws = {name: log.raw for name, log in world.logs.items()}
    # The asker's third inquiry of all, once more behind the end of its former log, and in the window.
    carried = raws["lender-1.2"][0]
    other = entry_pb2.Entry.FromString(carried)
    other.time += 1
    behind = {**raws, "lender-1": [*raws["lender-1"], other.SerializeToString()]}
    assert refusal(query, world=world_of(behind, query["manifest"])) == "ENDED"
    # What was carried over to the next log is no loss.
    same = world_of({**raws, "lender-1": [*raws["lender-1"], carried]}, query["manifest"])
    assert question.examine(unhex(query["request"]), ASKER, same, query["epoch"]).withheld == query["withheld"]
