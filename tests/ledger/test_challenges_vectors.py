"""challenges.json: what its generator makes, and what verifies in logs that are read back from it."""

from __future__ import annotations

import json

import pytest

from ledger.queries.transcript_check import verify
from tests.ledger.queries.test_query_vectors import packs_alike
from tests.vectors import generate_challenges, generate_query

VECTORS = json.loads(generate_challenges.FILE.read_text("utf-8"))


def test_the_committed_vectors_are_those_the_generator_makes():
    if not packs_alike():
        pytest.skip("this zlib packs sealed copies otherwise, which is as good but not the same bytes")
    assert json.loads(json.dumps(generate_challenges.vectors())) == VECTORS


@pytest.mark.parametrize("form", ["full", "redacted"])
def test_its_transcripts_verify_in_logs_read_back(form):
    consortium = generate_query.found()
    for name, entries in VECTORS["logs"].items():
        for entry in entries:
            consortium.logs[name].append(bytes.fromhex(entry))
    for query in VECTORS["queries"]:
        report = verify(query[form].encode(), consortium.logs, consortium.history, consortium.keys)
        assert (report.failed, report.message) == ("", "")
