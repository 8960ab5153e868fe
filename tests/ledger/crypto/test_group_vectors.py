"""The known answers of the group cryptography are what their generator writes, and it does not lean on the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger import rfc9496
from tests.vectors import generate_group_crypto as generator

FOLDER = Path(generator.__file__).parent
RISTRETTO = json.loads((FOLDER / "ristretto255_rfc9496.json").read_text())


@pytest.mark.parametrize("make", [generator.voprf_shared, generator.encryption, generator.decryption])
def test_the_committed_vectors_are_those_the_generator_makes(make: Callable[[], dict[str, Any]]) -> None:
    committed = json.loads((FOLDER / f"{make.__name__}.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(make()))


@pytest.mark.parametrize("path", [Path(generator.__file__), Path(rfc9496.__file__)], ids=lambda path: path.name)
def test_the_generator_uses_no_code_of_the_ledger(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source


def test_the_plain_integers_reproduce_the_rfc() -> None:
    for factor, encoding in enumerate(RISTRETTO["multiples_of_base"]):
        assert rfc9496.encode(rfc9496.mul(factor, rfc9496.BASE)).hex() == encoding
        assert rfc9496.decode(bytes.fromhex(encoding)) is not None
    for encodings in RISTRETTO["bad_encodings"].values():
        assert all(rfc9496.decode(bytes.fromhex(encoding)) is None for encoding in encodings)
