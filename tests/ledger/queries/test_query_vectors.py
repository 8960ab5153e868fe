"""query.json: what its generator makes, and what verifies in logs that are read back from it."""

from __future__ import annotations

import hashlib
import json
import zlib

import pytest

from ledger.queries.transcript_check import verify
from tests.ledger.sample_consortium import CONSENT
from tests.vectors import generate_query

VECTORS = json.loads(generate_query.FILE.read_text("utf-8"))


def packs_alike() -> bool:
    packed = hashlib.sha256(zlib.compress(bytes(range(256)) * 4, 9)).hexdigest()
    return packed == "eac2ef4ec31e737b569772992cc613753d19e2962cf10531ebc3a9cf736f8515"


def test_the_committed_vectors_are_those_the_generator_makes():
    if not packs_alike():
        pytest.skip("this zlib packs sealed copies otherwise, which is as good but not the same bytes")
    assert json.loads(json.dumps(generate_query.vectors())) == VECTORS


@pytest.mark.parametrize("form", ["full", "redacted"])
@pytest.mark.parametrize("query", VECTORS["queries"], ids=["released", "withheld"])
def test_its_transcripts_verify_in_logs_read_back(query, form):
    consortium = generate_query.found()
    for name, entries in VECTORS["logs"].items():
        for entry in entries:
            consortium.logs[name].append(bytes.fromhex(entry))
    report = verify(query[form].encode(), consortium.logs, consortium.history, consortium.keys)
    assert (report.failed, report.message) == ("", "")
    assert VECTORS["consent"]["digest"] == CONSENT.hex()
