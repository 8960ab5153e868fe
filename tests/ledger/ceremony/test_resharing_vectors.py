"""The known answers: key epochs one after the other as the protocol's page has them, made without the ledger's code."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.ceremony import Beginning, CeremonyEntry, Checks, Epochs, read_entry, replay_epochs
from ledger.ceremony.context import readies_digest
from ledger.ceremony.received import Received
from ledger.keys import SecretShares
from tests.vectors import generate_resharing as generator

FILE = Path(generator.__file__).parent / "resharing.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
each_case = pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])


def beginnings_of(case: dict[str, Any]) -> list[Beginning]:
    consortium = bytes.fromhex(case["consortium"])
    return [
        Beginning(
            consortium,
            bytes.fromhex(epoch["manifest"]),
            epoch["epoch"],
            epoch["dealt_from"],
            tuple(epoch["custodians"]),
            epoch["threshold"],
        )
        for epoch in case["epochs"]
    ]


def entries_of(case: dict[str, Any]) -> list[CeremonyEntry]:
    entries = [
        read_entry(name, index, base64.b64decode(raw))
        for name, log in case["logs"].items()
        for index, raw in enumerate(log)
    ]
    assert None not in entries
    return [entry for entry in entries if entry]


def replayed(case: dict[str, Any]) -> Epochs:
    return replay_epochs(beginnings_of(case), entries_of(case))


def test_the_committed_vectors_are_those_the_generator_makes() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(generator.resharing()))


def test_the_generator_uses_no_code_of_the_ledger() -> None:
    source = Path(generator.__file__).read_text(encoding="utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source


@each_case
def test_a_replay_comes_to_the_same_outcomes(case: dict[str, Any]) -> None:
    epochs = replayed(case)
    assert list(epochs.keys) == [epoch["epoch"] for epoch in case["epochs"] if epoch["final"]]
    for epoch in case["epochs"]:
        ceremony = epochs.ceremonies[epoch["epoch"]]
        outcome, attempt = ceremony.outcome, ceremony.current
        assert (outcome is not None) == epoch["final"]
        if outcome is None:
            assert ceremony.phase == "waiting-for-ready"
            continue
        assert (attempt.number, attempt.ceremony.hex()) == (epoch["attempt"], epoch["ceremony"])
        leaves = [attempt.readies[j][0] for j in ceremony.context.indices]
        assert readies_digest(attempt.ceremony, leaves).hex() == epoch["readies_digest"]
        assert outcome.close.hex() == epoch["close"]
        assert list(outcome.qualified) == epoch["qualified"]
        assert list(outcome.dropped) == epoch["dropped"]
        assert outcome.digest.hex() == epoch["transcript"]
        assert [point.hex() for point in outcome.keys] == epoch["public_keys"]
        assert [[point.hex() for point in each] for each in outcome.keys.custodians] == epoch["public_shares"]


@each_case
def test_a_replay_finds_the_same_entries_void(case: dict[str, Any]) -> None:
    index = {(entry.author, entry.leaf): entry.index for entry in entries_of(case)}
    found = {
        (void.name, index[void.name, void.leaf])
        for ceremony in replayed(case).ceremonies.values()
        for attempt in (*ceremony.failed, ceremony.current)
        for void in attempt.void
    }
    assert found == {(void["custodian"], void["index"]) for void in case["void"]}


@each_case
def test_every_receiver_opens_its_shares(case: dict[str, Any]) -> None:
    epochs = replayed(case)
    for epoch in case["epochs"]:
        ceremony = epochs.ceremonies[epoch["epoch"]]
        if ceremony.outcome is None:
            continue
        for j, private in enumerate(epoch["hpke_private_keys"], 1):
            shares = Received(j).sum_up(ceremony.current, ceremony.outcome, bytes.fromhex(private))
            expected = [bytes.fromhex(scalar) for scalar in epoch["secret_shares"][j - 1]]
            assert shares == SecretShares.of(epoch["epoch"], j, expected)
            shares.check_fit(ceremony.outcome.keys)


@each_case
def test_one_flipped_bit_anywhere_never_gives_other_keys(case: dict[str, Any]) -> None:
    right, checks, known = replayed(case).keys, Checks(), entries_of(case)
    for name, log in case["logs"].items():
        for index, encoded in enumerate(log):
            raw = bytearray(base64.b64decode(encoded))
            raw[len(raw) * 2 // 3] ^= 4
            entries = [entry for entry in known if (entry.author, entry.index) != (name, index)]
            entry = read_entry(name, index, bytes(raw))
            keys = replay_epochs(beginnings_of(case), [*entries, *([entry] if entry else [])], checks).keys
            for epoch, found in keys.items():
                assert list(found) == list(right[epoch])


def test_there_is_a_case_of_everything() -> None:
    finals = [epoch for case in CASES for epoch in case["epochs"] if epoch["final"]]
    assert any(epoch["dropped"] for epoch in finals)
    assert any(epoch["attempt"] > 1 for epoch in finals)
    assert any(epoch["dealt_from"] not in (0, epoch["epoch"] - 1) for epoch in finals)
    assert any(void["why"].startswith("its constant terms") for case in CASES for void in case["void"])
