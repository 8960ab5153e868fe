"""Transcripts: those of query.json, and the same with something changed."""

from __future__ import annotations

import copy
import json

import pytest

from tests.second import reading, transcript
from tests.second.ceremony import Keys
from tests.second.group import G, L, point
from tests.second.query_world import (
    ASKER,
    KEYS,
    PUBLIC,
    RAW,
    SHARES,
    VECTORS,
    WORLD,
    world_of,
)
from tests.second.refusal import Refused
from tests.second.vectors import flipped

by_query = pytest.mark.parametrize("query", VECTORS["queries"], ids=lambda query: query["withheld"] or "released")


@by_query
@pytest.mark.parametrize("form", ["full", "redacted"])
def test_transcripts_verify(query, form):
    verified = transcript.verify(query[form].encode(), WORLD, KEYS)
    assert verified.form == form
    assert not verified.not_opened
    assert {k: v for k, v in verified.sums.items() if k in reading.AMOUNTS} == (query["exposure"]["amounts"] or {})
    pretty = json.dumps(json.loads(query[form]), sort_keys=True, indent=3)
    assert transcript.verify(pretty.encode(), WORLD, KEYS) == verified


def places(value, path=()):
    """Paths of all that is no container."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, inner in items for found in places(inner, (*path, key))]
    return [path]


def changes(value):
    """One that keeps the form, and two that do not."""
    if isinstance(value, int):
        return [value + 1, str(value), True]
    return [("0" if value[:1] != "0" else "1") + value[1:], value[:-1], 7]


def replaced(document, path, value):
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(changed).encode()


def is_left_open(path, value):
    """A sum may be left open in either form."""
    return path[0] == "result" and value is None


@pytest.mark.parametrize("form", ["full", "redacted"])
def test_nothing_in_a_transcript_can_be_changed(form):
    document = json.loads(VECTORS["queries"][0][form])
    tried = 0
    for path in places(document):
        value = document
        for key in path:
            value = value[key]
        for other in changes(value):
            if is_left_open(path, other) or other == value:
                continue
            with pytest.raises(Refused, match=r"^T\d+"):
                transcript.verify(replaced(document, path, other), WORLD, KEYS)
            tried += 1
    assert tried > 150


def test_a_sum_may_be_left_open_and_is_named():
    document = json.loads(VECTORS["queries"][0]["redacted"])
    for field, value in document["result"].items():
        verified = transcript.verify(replaced(document, ("result", field), None), WORLD, KEYS)
        assert verified.not_opened == (field,)
        assert field not in verified.sums
        for other in (-1, value + L):
            with pytest.raises(Refused, match="T1"):
                transcript.verify(replaced(document, ("result", field), other), WORLD, KEYS)


def test_also_in_a_redacted_transcript_the_custodians_attest_the_sums():
    """Their proofs bind SC_f and N: who has the D_f cannot make up sums that open to something else."""
    document = json.loads(VECTORS["queries"][0]["redacted"])
    body = point(bytes.fromhex(document["body_sums"][0])) + 1_000 * G
    forged = {
        "body_sums": [body.encoded.hex(), *document["body_sums"][1:]],
        "result": document["result"] | {"outstanding": document["result"]["outstanding"] + 1_000},
    }
    wrong(document, "T9", **forged)
    wrong(document, "T9", contributors=document["contributors"] + 1)
    wrong(json.loads(VECTORS["queries"][0]["full"]), "T7", **forged)


def test_byte_strings_have_one_spelling():
    document = json.loads(VECTORS["queries"][0]["full"])
    for key in ("consortium", "nonce_sum", "query_key"):
        for other in (document[key].upper(), " " + document[key], "0x" + document[key][2:]):
            wrong(document, "T1", **{key: other})
    respelt = document["inquiry"] | {"entry": document["inquiry"]["entry"].rstrip("=") + "\n"}
    wrong(document, "T1", inquiry=respelt)


def wrong(document, step, **changed):
    with pytest.raises(Refused) as refused:
        transcript.verify(json.dumps({**document, **changed}).encode(), WORLD, KEYS)
    assert refused.value.code == step


def test_a_transcript_fails_at_the_step_that_is_wrong():
    full, other = (json.loads(query["full"]) for query in VECTORS["queries"])
    wrong(full, "T1", consortium="00" * 32)
    wrong(full, "T1", epoch=2)
    wrong(full, "T1", querier="lender-9")
    wrong(full, "T1", withheld="TIRED")
    wrong(full, "T1", more=1)
    wrong(full, "T1", form="redacted")
    wrong(full, "T2", inquiry=other["inquiry"] | {"index": 2})
    wrong(full, "T3", heads=other["heads"])
    wrong(full, "T3", inquiry=other["inquiry"])
    wrong(full, "T5", query_key="00" * 32)
    wrong(full, "T6", records=full["records"][:-1])
    wrong(full, "T6", records=full["records"][::-1])
    wrong(full, "T6", excluded=[])
    wrong(full, "T7", contributors=3)
    wrong(full, "T7", body_sums=full["body_sums"][::-1])
    wrong(full, "T8", withheld="FEW_CONTRIBUTORS", body_sums=full["body_sums"][3:])
    wrong(full, "T9", partials=full["partials"][:3])
    wrong(full, "T9", partials=full["partials"][:3] + full["partials"][2:3])
    wrong(full, "T9", partials=full["partials"][::-1])
    wrong(full, "T10", result={})
    wrong(full, "T10", result=full["result"] | {"outstanding": full["result"]["outstanding"] + 1})


@pytest.mark.parametrize(
    "raw", ["", "[]", "{}", "null", "1", "{", '{"a":1,"a":1}', "\ufeff{}", '{"a":NaN}', "[" * 99_999]
)
def test_what_is_no_transcript_is_refused(raw):
    with pytest.raises(Refused, match="T1"):
        transcript.verify(raw.encode(), WORLD, KEYS)


def test_numbers_have_one_spelling_and_keys_stand_once():
    text = VECTORS["queries"][0]["full"]
    for old, new in (
        ('"epoch": 1', '"epoch": 1.0'),
        ('"epoch": 1', '"epoch": 1e0'),
        ('"epoch": 1', '"epoch": true'),
        ('"epoch": 1', '"epoch": 1, "epoch": 1'),
        ('"index": 2', '"index": 2, "index": 2'),
        ('"number": 0', '"number": -0'),
    ):
        assert old in text
        with pytest.raises(Refused, match="T1"):
            transcript.verify(text.replace(old, new, 1).encode(), WORLD, KEYS)


def test_logs_of_another_history_are_noticed():
    document = VECTORS["queries"][1]["full"].encode()
    for name, raws in RAW.items():
        for index in range(len(raws)):
            other = [*raws[:index], flipped(raws[index], 3), *raws[index + 1 :]]
            with pytest.raises(Refused, match="T4"):
                transcript.verify(document, world_of({**RAW, name: other}), KEYS)
    with pytest.raises(Refused, match="T4"):
        transcript.verify(document, world_of({**RAW, ASKER: RAW[ASKER][:-1]}), KEYS)


def test_keys_of_another_ceremony_open_nothing():
    other = Keys(KEYS.epoch, PUBLIC, {j: SHARES[j % len(SHARES) + 1] for j in SHARES})
    with pytest.raises(Refused, match="T9"):
        transcript.verify(VECTORS["queries"][0]["full"].encode(), WORLD, other)
