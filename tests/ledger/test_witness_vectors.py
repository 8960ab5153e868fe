"""The vectors of witnesses and evidence are what their generator makes, and what the ledger says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest

from ledger.cosigned import verify_witnessed, witnessed_at
from ledger.errors import PlimsollError
from ledger.evidence import read_evidence
from ledger.manifest import Manifest
from ledger.note import VerifierKey
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


@pytest.mark.parametrize("entry", VECTORS["evidence"]["valid"], ids=lambda entry: entry[-8:])
def test_evidence(entry: str):
    assert read_evidence(bytes.fromhex(entry), LOG).origin == LOG.name


@pytest.mark.parametrize("case", VECTORS["evidence"]["refused"], ids=lambda case: case["why"])
def test_what_is_no_evidence(case: dict[str, Any]):
    with pytest.raises(PlimsollError):
        read_evidence(bytes.fromhex(case["entry"]), LOG)
