"""Queries over challenged records: challenges.json (sections 8 to 13 and 19)."""

from __future__ import annotations

import json

import pytest
from plimsoll.v1 import entry_pb2, peer_pb2

from tests.second import answers, challenged, entry, labels, manifest, question, selection, transcript
from tests.second.ceremony import Keys
from tests.second.group import point
from tests.second.log import Log
from tests.second.record import World
from tests.second.refusal import Refused
from tests.second.vectors import load, unhex

VECTORS = load("challenges")
CONSORTIUM = manifest.read(VECTORS["manifest"])
RAW = {name: unhex(raws) for name, raws in VECTORS["logs"].items()}
PUBLIC = tuple(map(point, unhex(VECTORS["keys"]["public"])))
SHARES = {j: tuple(map(point, unhex(c["public"]))) for j, c in enumerate(VECTORS["keys"]["custodians"], 1)}
KEYS = Keys(VECTORS["epoch"], PUBLIC, SHARES)
ASKER = VECTORS["asker"]
QUERIES = VECTORS["queries"]
by_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["number"])


def world_of(raws):
    return World(CONSORTIUM, {name: Log(CONSORTIUM.origin(name), raw) for name, raw in raws.items()}, PUBLIC[1:])


WORLD = world_of(RAW)


def as_of(query):
    """The logs when that inquiry was the asker's newest entry."""
    return world_of({name: raw[: query["sizes"][name]] for name, raw in RAW.items()})


@by_query
def test_every_custodian_and_the_asker_come_to_the_same(query):
    asked = question.examine(unhex(query["request"]), ASKER, as_of(query), 1)
    assert asked.withheld == query["withheld"]
    assert [[r.member, r.number, r.entry.index] for r in asked.selection.records] == query["records"]
    assert [list(each) for each in asked.selection.excluded] == query["excluded"]
    responses = {int(j): unhex(raw) for j, raw in query["responses"].items()}
    points = {j: answers.checked(raw, j, asked, CONSORTIUM, KEYS) for j, raw in responses.items()}
    assert answers.combined(asked, points, CONSORTIUM) == json.loads(query["full"])["result"]


@by_query
@pytest.mark.parametrize("form", ["full", "redacted"])
def test_transcripts_verify_long_after(query, form):
    assert transcript.verify(query[form].encode(), WORLD, KEYS).form == form


def test_whoever_was_left_out_cannot_be_left_in():
    document = json.loads(QUERIES[1]["full"])
    document["excluded"] = [each for each in document["excluded"] if each["member"] != "lender-3"]
    with pytest.raises(Refused) as refused:
        transcript.verify(json.dumps(document).encode(), WORLD, KEYS)
    assert refused.value.code == "T6"


def refusal(change):
    request = peer_pb2.DecryptRequest.FromString(unhex(QUERIES[1]["request"]))
    change(request)
    with pytest.raises(Refused) as refused:
        question.examine(request.SerializeToString(), ASKER, as_of(QUERIES[1]), 1)
    return refused.value.code


def test_what_is_settled_must_have_been_witnessed():
    assert refusal(lambda request: request.settled.pop()) == "BAD_REQUEST"
    assert refusal(lambda request: request.settled.__setitem__(0, request.settled[1])) == "NOT_SETTLED"
    assert refusal(lambda request: request.settled.__setitem__(0, request.settled[0][:-200])) == "NOT_SETTLED"


def selected(change=lambda message: None, log="lender-5", place=None, size=None, settled=None):
    """Who is left out at the second query, with one entry of one log changed."""
    raws = {name: list(raw[: QUERIES[1]["sizes"][name]]) for name, raw in RAW.items()}
    if place is not None:
        message = entry_pb2.Entry.FromString(raws[log][place])
        change(message)
        raws[log][place] = message.SerializeToString()
    world = world_of(raws)
    asked = entry.read(peer_pb2.DecryptRequest.FromString(unhex(QUERIES[1]["request"])).entry)
    assert asked is not None
    sizes = list(asked.body.sizes)
    by = challenged.challengers(world, sizes, asked.body.settled if settled is None else settled)
    key = unhex(VECTORS["query_key"])
    return [each[0] for each in selection.select(world, key, sizes, asked.time, 1, (), by).excluded]


PLACES = [index for index, raw in enumerate(RAW["lender-5"]) if entry_pb2.Entry.FromString(raw).HasField("challenge")]


@pytest.mark.parametrize(
    "change",
    [
        lambda message: setattr(message.challenge, "index", 1),
        lambda message: setattr(message.challenge, "leaf_hash", bytes(32)),
        lambda message: setattr(message.challenge, "origin", CONSORTIUM.origin("lender-4")),
    ],
)
def test_a_challenge_that_names_no_record_rightly_is_void(change):
    assert selected() == ["lender-3", "lender-5"]
    assert selected(change, place=PLACES[1]) == ["lender-5"]


def test_what_is_not_settled_does_not_count():
    assert selected(settled=[2, 0, 0, 0, PLACES[1], 257]) == ["lender-5"]
    assert selected(settled=[]) == []


def test_of_a_flood_the_newest_256_count():
    first = RAW["lender-6"]
    assert sum(1 for raw in first if entry_pb2.Entry.FromString(raw).HasField("challenge")) == 257

    def another(message):
        message.position.CopyFrom(entry_pb2.Entry.FromString(RAW["lender-2"][0]).position)
        message.position.label = bytes(16)

    assert selected(another, "lender-6", 5) == ["lender-3", "lender-4", "lender-5"]


def test_labels_of_challenges_and_answers_are_of_what_they_name():
    leaf = WORLD.log("lender-2").leaves[0]
    challenge = entry.read(RAW["lender-5"][PLACES[0]])
    assert challenge is not None
    assert challenge.label == labels.challenge(CONSORTIUM.origin("lender-2"), 0, leaf)
    assert labels.answer(leaf) in WORLD.log("lender-2").places
