"""The vectors of witnesses and evidence are what their generator makes, and what the ledger says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from ledger.consortium.manifest import Manifest
from ledger.consortium.policy import Policy
from ledger.errors import PlimsollError
from ledger.tlog.note import VerifierKey
from ledger.witnessing.cosigned import verify_witnessed, witnessed_at
from ledger.witnessing.evidence import read_evidence
from ledger.witnessing.shown import Shown, opened_shown
from ledger.witnessing.turns import quarter_seconds, speaker, turn_at
from tests.vectors import generate_witness

RAW = (generate_witness.FOLDER / "witness.json").read_text("utf-8")
VECTORS = json.loads(RAW)
LOG = VerifierKey.parse(VECTORS["log_key"])
AUTHOR = generate_witness.MEMBERS[0]


@dataclass(frozen=True)
class _Member:
    name: str


class _Keys:
    """As much of a manifest as says whose keys are whose."""

    members = tuple(map(_Member, generate_witness.MEMBERS))

    def log_key(self, name: str) -> VerifierKey:
        assert name == AUTHOR
        return LOG

    def cosigner_key(self, name: str) -> VerifierKey:
        return VerifierKey.parse(VECTORS["cosigner_keys"][generate_witness.MEMBERS.index(name)])


MANIFEST = cast(Manifest, _Keys())


class _Members:
    """As much of a manifest as says who takes turns."""

    def __init__(self, policy: Policy, names: Sequence[str]) -> None:
        self.policy = policy
        self.members = tuple(map(_Member, names))

    def member(self, name: str) -> _Member:
        return next(member for member in self.members if member.name == name)


def test_the_file_is_what_its_generator_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_witness, "FOLDER", tmp_path)
    generate_witness.main()
    assert (tmp_path / "witness.json").read_text("utf-8") == RAW


@pytest.mark.parametrize("case", VECTORS["witnessed"]["valid"], ids=lambda case: str(case["time"]))
def test_witnessed_heads(case: dict[str, Any]):
    signed = verify_witnessed(case["note"].encode(), MANIFEST, AUTHOR)
    assert (signed.head.size, witnessed_at(signed, MANIFEST, AUTHOR)) == (case["size"], case["time"])


@pytest.mark.parametrize("case", VECTORS["witnessed"]["refused"], ids=lambda case: case["why"])
def test_heads_that_are_not_witnessed(case: dict[str, Any]):
    with pytest.raises(PlimsollError):
        verify_witnessed(case["note"].encode(), MANIFEST, AUTHOR)


@pytest.mark.parametrize("case", VECTORS["shown"]["valid"], ids=range(len(VECTORS["shown"]["valid"])))
def test_what_members_show(case: list[Any]):
    shown = Shown(MANIFEST)
    for said, expected in case:
        member = generate_witness.MEMBERS[said["by"]]
        together = shown.add(AUTHOR, member, opened_shown(said["note"].encode(), MANIFEST, AUTHOR, member))
        time = witnessed_at(together, MANIFEST, AUTHOR)
        assert (None if time is None else {"size": together.head.size, "time": time}) == expected
        assert shown.is_witnessed(AUTHOR, together) == (expected is not None)


@pytest.mark.parametrize("case", VECTORS["shown"]["refused"], ids=lambda case: case["why"])
def test_what_members_cannot_show(case: dict[str, Any]):
    with pytest.raises(PlimsollError):
        opened_shown(case["note"].encode(), MANIFEST, AUTHOR, generate_witness.MEMBERS[case["by"]])


@pytest.mark.parametrize("case", VECTORS["turns"], ids=range(len(VECTORS["turns"])))
def test_turns(case: dict[str, int]):
    policy = Policy(heartbeat_seconds=case["heartbeat"], gossip_seconds=case["gossip"])
    names = [f"lender-{number}" for number in range(case["members"])]
    manifest = cast(Manifest, _Members(policy, names))
    turn = turn_at(case["time"], manifest)
    assert quarter_seconds(policy, len(names)) == case["quarter_seconds"]
    assert (turn.number, turn.quarter) == (case["number"], case["quarter"])
    assert speaker(manifest, names[case["author"]], turn.number) == names[case["speaker"]]


@pytest.mark.parametrize("entry", VECTORS["evidence"]["valid"], ids=lambda entry: entry[-8:])
def test_evidence(entry: str):
    assert read_evidence(bytes.fromhex(entry), LOG).origin == LOG.name


@pytest.mark.parametrize("case", VECTORS["evidence"]["refused"], ids=lambda case: case["why"])
def test_what_is_no_evidence(case: dict[str, Any]):
    with pytest.raises(PlimsollError):
        read_evidence(bytes.fromhex(case["entry"]), LOG)
