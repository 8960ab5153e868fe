"""The known answers: which entries count, in whichever of its author's logs they stand, witnessed or not."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.ceremony import CeremonyEntry, read_entry, replay_epochs
from ledger.ceremony.counting import NOWHERE, End, counts_until, place_of
from ledger.consortium.ended import EndedLog
from tests.ledger.ceremony.test_resharing_vectors import beginnings_of
from tests.vectors import generate_settled as generator

FILE = Path(generator.__file__).parent / "settled.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
each_case = pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])


def entries_of(log: dict[str, Any]) -> list[CeremonyEntry]:
    member, number, settled = log["member"], log["number"], log["witnessed"]
    end = None
    if log["ended"]:
        size = log["ended"]["size"]
        end = End(EndedLog(member, number, bytes(32), size, bytes(32)), log["ended"]["last_epoch"])
        settled = max(settled, size)
    found = [read_entry(member, index, base64.b64decode(raw)) for index, raw in enumerate(log["entries"])]
    return [
        replace(entry, index=place_of(number, entry.index), until=counts_until(entry.index, settled, end))
        for entry in found
        if entry
    ]


def test_the_committed_vectors_are_those_the_generator_makes() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(generator.settled()))


def test_the_generator_uses_no_code_of_the_ledger() -> None:
    source = Path(generator.__file__).read_text(encoding="utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source


@each_case
def test_the_same_keys_are_final_in_whatever_order_logs_arrive(case: dict[str, Any]) -> None:
    entries = [entry for log in case["logs"] for entry in entries_of(log)]
    for seed in range(2):
        random.Random(seed).shuffle(entries)
        keys = replay_epochs(beginnings_of(case), entries).keys
        assert {str(epoch): [point.hex() for point in found] for epoch, found in keys.items()} == case["final"]


@each_case
def test_what_counts_in_no_epoch_might_as_well_not_be_there(case: dict[str, Any]) -> None:
    entries = [entry for log in case["logs"] for entry in entries_of(log)]
    counting = [entry for entry in entries if entry.until != NOWHERE]
    epochs = replay_epochs(beginnings_of(case), entries)
    assert epochs.ceremonies == replay_epochs(beginnings_of(case), counting).ceremonies
