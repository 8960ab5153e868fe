"""changes.json: what its generator makes, and what verifies in logs that are read back from it."""

from __future__ import annotations

import json

import pytest

from ledger.keys import public_keys
from ledger.queries.transcript_check import verify
from tests.ledger.queries.test_query_vectors import packs_alike
from tests.vectors import generate_changes

VECTORS = json.loads(generate_changes.FILE.read_text("utf-8"))


@pytest.fixture(scope="module")
def happened():
    return generate_changes.happen()


def test_the_committed_vectors_are_those_the_generator_makes():
    if not packs_alike():
        pytest.skip("this zlib packs sealed copies otherwise, which is as good but not the same bytes")
    assert json.loads(json.dumps(generate_changes.vectors())) == VECTORS


def unhexed(values):
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("form", ["full", "redacted"])
def test_its_transcripts_verify_in_logs_read_back(happened, form):
    consortium, _, _ = happened
    for name, entries in VECTORS["logs"].items():
        log = consortium.logs[name] = consortium.logs[name].fork(0)
        for entry in unhexed(entries):
            log.append(entry)
    keys = [
        public_keys(one["epoch"], unhexed(one["public"]), [unhexed(each["public"]) for each in one["custodians"]])
        for one in VECTORS["keys"]
    ]
    for query in VECTORS["queries"]:
        report = verify(query[form].encode(), consortium.logs, consortium.history, *keys)
        assert (report.failed, report.message) == ("", "")
