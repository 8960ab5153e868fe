"""Targets: what one member shows another of a position: proofs that it is well-formed, and openings of it."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

from ledger import wellformed
from ledger.consortium.history import History
from ledger.consortium.manifest import parse_manifest
from ledger.disclosure import Opening, verify
from ledger.errors import InvalidInput, PlimsollError
from ledger.positions.bands import Bands
from ledger.wellformed import Statement
from tests.fuzz.entries import JSON
from tests.fuzz.target import Target
from tests.second import manifest as second_manifest
from tests.second import opening as second
from tests.second.refusal import Refused

_VECTORS = Path(__file__).parents[1] / "vectors"


@cache
def _vectors(name: str) -> Any:
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def _statement() -> Statement:
    values = _vectors("wellformed")["proofs"][0]["statement"]
    consortium, label, leaf, nonce_point = (
        bytes.fromhex(values[key]) for key in ("consortium", "label", "leaf", "nonce_point")
    )
    keys, bodies = (tuple(map(bytes.fromhex, values[key])) for key in ("public_keys", "bodies"))
    bands = Bands(tuple(values["edges"]), (1, 2, 3, 4), 1)
    return Statement(consortium, values["epoch"], keys, values["member"], label, leaf, nonce_point, bodies, bands)


def _proof(raw: bytes) -> None:
    wellformed.verify(_statement(), raw)


def _proofs() -> list[bytes]:
    return [base64.b64decode(_vectors("wellformed")["proofs"][0]["proof"])]


@cache
def _history() -> History:
    return History([parse_manifest(_vectors("openings")["manifest"])])


@cache
def _second_manifests() -> list[second_manifest.Consortium]:
    return [second_manifest.read(_vectors("openings")["manifest"])]


def _opening(raw: bytes) -> None:
    """Both verifiers say the same, by the same code."""
    code = ""
    try:
        opening = Opening.parse(raw)
        assert Opening.parse(opening.encode()) == opening
        verify(raw, _history())
    except PlimsollError as error:
        code = "D1" if isinstance(error, InvalidInput) else error.reason
        raise
    finally:
        assert _said(raw) == code


def _said(raw: bytes) -> str:
    try:
        second.verify(raw, _second_manifests())
    except Refused as refused:
        return refused.code
    return ""


def _openings() -> list[bytes]:
    return [json.dumps(each["opening"], ensure_ascii=False).encode() for each in _vectors("openings")["openings"]]


TARGETS = (
    Target("wellformed-proof", _proof, _proofs, (bytes(32), b"\xff" * 32)),
    Target("opening", _opening, _openings, (*JSON, b'"label"', b'"open": false', b'"loss"', b"\\n", b'"nonce": ""')),
)
