"""The known answers: whole ceremonies as the protocol's page has them, made without the ledger's code."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.ceremony import Ceremony, CeremonyContext, CeremonyEntry, read_entry, replay
from ledger.ceremony.context import readies_digest
from ledger.ceremony.dealing import split_bundle
from ledger.ceremony.received import Received
from ledger.keys import SecretShares
from tests.vectors import generate_ceremony as generator

FILE = Path(generator.__file__).parent / "ceremony.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
each_case = pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])


def context_of(case: dict[str, Any]) -> CeremonyContext:
    consortium, manifest = bytes.fromhex(case["consortium"]), bytes.fromhex(case["manifest"])
    return CeremonyContext(consortium, manifest, case["epoch"], tuple(case["custodians"]), case["threshold"])


def entries_of(case: dict[str, Any]) -> list[CeremonyEntry]:
    entries = [
        read_entry(name, index, base64.b64decode(raw))
        for name, log in case["logs"].items()
        for index, raw in enumerate(log)
    ]
    assert None not in entries
    return [entry for entry in entries if entry]


def replayed(case: dict[str, Any]) -> Ceremony:
    return replay(context_of(case), entries_of(case))


def test_the_committed_vectors_are_those_the_generator_makes() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(generator.ceremony()))


def test_the_generator_uses_no_code_of_the_ledger() -> None:
    source = Path(generator.__file__).read_text(encoding="utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source


@each_case
def test_a_replay_comes_to_the_same_outcome(case: dict[str, Any]) -> None:
    ceremony = replayed(case)
    assert ceremony.phase == "final"
    outcome, attempt = ceremony.outcome, ceremony.current
    assert outcome is not None
    assert (attempt.number, attempt.ceremony.hex()) == (case["attempt"], case["ceremony"])
    leaves = [attempt.readies[i][0] for i in ceremony.context.indices]
    assert readies_digest(attempt.ceremony, leaves).hex() == case["readies_digest"]
    assert outcome.close.hex() == case["close"]
    assert list(outcome.qualified) == case["qualified"]
    assert list(outcome.dropped) == case["dropped"]
    assert outcome.digest.hex() == case["transcript"]


@each_case
def test_a_replay_gives_the_same_public_keys(case: dict[str, Any]) -> None:
    keys = replayed(case).keys
    assert keys is not None
    assert keys.epoch == case["epoch"]
    assert [point.hex() for point in keys] == case["public_keys"]
    assert [[point.hex() for point in custodian] for custodian in keys.custodians] == case["public_shares"]


@each_case
def test_a_replay_finds_the_same_entries_void(case: dict[str, Any]) -> None:
    ceremony = replayed(case)
    names = ceremony.context.custodians
    index = {(entry.author, entry.leaf): entry.index for entry in entries_of(case)}
    found = {
        (names[void.author - 1], index[names[void.author - 1], void.leaf])
        for attempt in (*ceremony.failed, ceremony.current)
        for void in attempt.void
    }
    assert found == {(void["custodian"], void["index"]) for void in case["void"]}


@each_case
def test_every_custodian_opens_its_shares(case: dict[str, Any]) -> None:
    ceremony = replayed(case)
    outcome, attempt = ceremony.outcome, ceremony.current
    assert outcome is not None
    for j, (private, expected) in enumerate(zip(case["hpke_private_keys"], case["secret_shares"], strict=True), 1):
        shares = Received(j).sum_up(attempt, outcome, bytes.fromhex(private))
        assert [scalar.hex() for scalar in shares] == expected
        shares.check_fit(outcome.keys)
        assert shares == SecretShares.of(1, j, [bytes.fromhex(scalar) for scalar in expected])


@each_case
def test_one_flipped_bit_anywhere_never_gives_other_keys(case: dict[str, Any]) -> None:
    """The keys stay, or there are none yet: an entry changed on the way is none of its author's, or counts as it is."""
    right = replayed(case).keys
    for name, log in case["logs"].items():
        for index, encoded in enumerate(log):
            raw = bytearray(base64.b64decode(encoded))
            raw[len(raw) * 2 // 3] ^= 4
            changed = [entry for entry in entries_of(case) if (entry.author, entry.index) != (name, index)]
            entry = read_entry(name, index, bytes(raw))
            keys = replay(context_of(case), [*changed, *([entry] if entry else [])]).keys
            assert keys in (right, None)


def test_a_share_sealed_wrongly_is_only_there_because_it_was_revealed() -> None:
    case = CASES[1]
    ceremony = replayed(case)
    private = bytes.fromhex(case["hpke_private_keys"][3])
    bundle = Received(4).bundle(ceremony.current, 2, private)
    assert bundle is not None
    assert len(split_bundle(bundle)) == 8
    without = [entry for entry in entries_of(case) if type(entry.body).__name__ != "RevealEntry"]
    unrepaired = replay(ceremony.context, without).current
    assert Received(4).bundle(unrepaired, 2, private) is None


def test_there_is_a_case_of_everything() -> None:
    kinds = {type(entry.body).__name__ for case in CASES for entry in entries_of(case)}
    assert kinds == {"ReadyEntry", "DealingEntry", "CloseEntry", "ComplaintEntry", "RevealEntry", "ConfirmationEntry"}
    assert any(case["dropped"] for case in CASES)
    assert any(case["attempt"] > 1 for case in CASES)
