"""query.json: the ledger makes it, a second reading of the protocol agrees with it, and a changed one does not pass."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import pytest
from plimsoll.v1 import peer_pb2

from ledger.transcript_check import verify
from tests.ledger.consortium import CONSENT
from tests.vectors import generate_query, second_reading

VECTORS = json.loads(generate_query.FILE.read_text("utf-8"))


def test_the_committed_vectors_are_those_the_generator_makes():
    packed = hashlib.sha256(zlib.compress(bytes(range(256)) * 4, 9)).hexdigest()
    if packed != "eac2ef4ec31e737b569772992cc613753d19e2962cf10531ebc3a9cf736f8515":
        pytest.skip("this zlib packs sealed copies otherwise, which is as good but not the same bytes")
    assert json.loads(json.dumps(generate_query.vectors())) == VECTORS


def test_the_second_reading_uses_no_code_of_the_ledger():
    source = Path(second_reading.__file__).read_text("utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source


@pytest.mark.parametrize("query", VECTORS["queries"], ids=["released", "withheld"])
def test_a_second_reading_of_the_protocol_comes_to_the_same(query):
    second_reading.check_query(second_reading.Reading(VECTORS), query)


@pytest.mark.parametrize("form", ["full", "redacted"])
@pytest.mark.parametrize("query", VECTORS["queries"], ids=["released", "withheld"])
def test_its_transcripts_verify_in_logs_read_back(query, form):
    consortium = generate_query.found()
    for name, entries in VECTORS["logs"].items():
        for entry in entries:
            consortium.logs[name].append(bytes.fromhex(entry))
    report = verify(query[form].encode(), consortium.logs, consortium.manifest, consortium.keys)
    assert (report.failed, report.message) == ("", "")
    assert VECTORS["consent"]["digest"] == CONSENT.hex()


def test_the_second_reading_notices_what_is_wrong():
    """It would be worth nothing if it agreed with everything."""
    query = VECTORS["queries"][0]
    lie = peer_pb2.DecryptResponse.FromString(bytes.fromhex(query["responses"]["4"]))
    lie.proof = lie.proof[:40] + bytes([lie.proof[40] ^ 1]) + lie.proof[41:]
    forged = {**query["responses"], "4": lie.SerializeToString().hex()}
    lies: list[dict[str, object]] = [
        {"responses": forged},
        {"records": query["records"][1:]},
        {"excluded": []},
        {"withheld": "DIFFERENCING"},
        {"number": 1},
        {"exposure": {**query["exposure"], "accounts": 6}},
        {"full": query["full"].replace('"outstanding": 25584', '"outstanding": 25585')},
    ]
    for changes in lies:
        with pytest.raises((AssertionError, KeyError)):
            second_reading.check_query(second_reading.Reading(VECTORS), {**query, **changes})
