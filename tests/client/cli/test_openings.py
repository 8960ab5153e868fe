"""disclose and audit verify-opening: what is sent, saved, warned of, and verified offline."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import lender_pb2

from client.openings import day_of
from ledger.borrower.labels import BorrowerKeys
from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.challenges.challenged import bands_of
from ledger.consortium.lineage import founded
from ledger.crypto import group
from ledger.disclosure import Opening, disclose
from ledger.errors import InvalidInput, NotFound
from ledger.positions.classification import Classification
from ledger.positions.position import fold
from ledger.positions.publication import Publication, PublicationTask, publish
from ledger.tlog.note import Signer
from node.homes.home import open_home
from tests.client.cli.conftest import Plimsoll
from tests.client.conftest import PASSPHRASE
from tests.client.fakes import FakeNode
from tests.ledger.group_strategies import seeded
from tests.ledger.loans import a_loan

BORROWER = "test:somebody"
PSEUDONYM_KEY = bytes(range(64))
LOANS = (
    a_loan("A-1", outstanding=4_000_000, overdue=250_000, days_past_due=45, classification=Classification.SUBSTANDARD),
    a_loan("A-2", product="house [bold]"),
)
RNG = seeded(7)
KEYS = tuple(group.mul_base(group.random_scalar(RNG)) for _ in range(7))


@dataclass(frozen=True)
class Made:
    """An opening of entry 0 of lender-1's log, with and without the label key."""

    plain: Opening
    labelled: Opening
    consortium: str
    origin: str
    lineage: bytes


@pytest.fixture(scope="module")
def made(homes: dict[str, Path]) -> Made:
    opened = open_home(homes["lender-1"])
    manifest, keyring = opened.manifest(), opened.keyring(PASSPHRASE)
    label = BorrowerKeys.from_pseudonym_key(PSEUDONYM_KEY).query.positions("lender-1")(0)
    item = Publication(label, BORROWER, 0, PSEUDONYM_KEY, LOANS, fold(LOANS, bands_of(manifest)))
    place = (manifest.consortium, "lender-1", 1, KEYS, 1_760_000_000)
    task = PublicationTask(*place, keyring.backup_key, keyring.hedge_secret, RNG(32), (item,))
    origin = manifest.origin("lender-1")
    chain = Chain(MemoryStore(), [LogName("lender-1", origin, manifest.log_key("lender-1"))])
    chain.own(Signer.from_seed(origin, keyring.log_seed)).append(publish(task))
    log = chain.log_by_origin(origin)
    known = (manifest.consortium, "lender-1", BORROWER, log.entry(0), log.receipt(0).encode(), KEYS)
    plain, labelled = (disclose(*known, keyring.backup_key, show_label=shown) for shown in (False, True))
    lineage = founded((opened.folder / "manifest.note").read_bytes()).encode()
    return Made(plain, labelled, manifest.consortium.hex(), origin, lineage)


@pytest.fixture
def saved(made: Made, tmp_path: Path) -> Path:
    path = tmp_path / "opening.json"
    path.write_bytes(made.plain.encode())
    return path


def answering(node: FakeNode, made: Made, opening: Opening | None = None, index: int = 0) -> None:
    raw = (opening or made.plain).encode()
    node.answers["Disclose"] = lender_pb2.DiscloseResponse(opening=raw, origin=made.origin, index=index)


def test_an_opening_is_saved_for_its_owner_alone(at_home: Plimsoll, node: FakeNode, made: Made, tmp_path: Path) -> None:
    answering(node, made)
    path = tmp_path / "opening.json"
    run = at_home("disclose", BORROWER, "--output", path, "--json")
    assert run.code == 0, run.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Opening.parse(path.read_bytes()) == made.plain
    assert (run.json["index"], run.json["loans"], run.json["label_number"]) == (0, 2, None)
    assert "somebody" not in run.out
    method, caller, request = node.asked[0]
    assert (method, caller.role, request) == ("Disclose", "lender", lender_pb2.DiscloseRequest(borrower=BORROWER))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--index", "12"], {"index": 12}),
        (["--index", "0", "--log", "plimsoll/00/lender-1"], {"index": 0, "origin": "plimsoll/00/lender-1"}),
        (["--as-of", "2025-03-31"], {"as_of": 20178}),
        (["--label-key"], {"label_key": True}),
    ],
)
def test_which_position_is_said_to_the_node(
    at_home: Plimsoll, node: FakeNode, made: Made, tmp_path: Path, options: list[str], expected: dict[str, Any]
) -> None:
    answering(node, made)
    assert at_home("disclose", BORROWER, "--output", tmp_path / "x", *options).code == 0
    assert node.asked[0][2] == lender_pb2.DiscloseRequest(borrower=BORROWER, **expected)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--index", "1", "--as-of", "2025-01-01"], 2),
        (["--log", "plimsoll/00/lender-1"], 2),
        (["--index", "-1"], 3),
        (["--index", "01"], 3),
        (["--as-of", "1 May"], 3),
        (["--as-of", "20250101"], 3),
        (["--as-of", "1969-12-31"], 3),
    ],
)
def test_what_names_no_position_asks_nobody(
    at_home: Plimsoll, node: FakeNode, tmp_path: Path, options: list[str], code: int
) -> None:
    assert at_home("disclose", BORROWER, "--output", tmp_path / "x", *options).code == code
    assert not node.asked
    assert not list(tmp_path.iterdir())


def test_people_are_warned(at_home: Plimsoll, node: FakeNode, made: Made, tmp_path: Path) -> None:
    answering(node, made)
    out = " ".join(at_home("disclose", BORROWER, "--output", tmp_path / "x").out.split())
    assert "a secret: it holds the loan records" in out
    assert "follow this borrower" not in out
    answering(node, made, made.labelled)
    out = at_home("disclose", BORROWER, "--output", tmp_path / "x", "--label-key").out
    assert "follow this borrower" in " ".join(out.split())


def test_an_opening_that_does_not_hold_is_not_saved(
    at_home: Plimsoll, node: FakeNode, made: Made, tmp_path: Path
) -> None:
    document = json.loads(made.plain.encode())
    document["salt"] = "00" * 32
    node.answers["Disclose"] = lender_pb2.DiscloseResponse(opening=json.dumps(document).encode(), origin=made.origin)
    run = at_home("disclose", BORROWER, "--output", tmp_path / "x")
    assert (run.code, "OTHER_RECORDS" in run.err) == (9, True)
    answering(node, made, index=1)
    assert at_home("disclose", BORROWER, "--output", tmp_path / "x").code == 9
    node.answers["Disclose"] = NotFound("NO_POSITION", "none", "borrower")
    assert at_home("disclose", BORROWER, "--output", tmp_path / "x").code == 5
    assert not list(tmp_path.iterdir())


def test_an_opening_is_verified_offline(plimsoll: Plimsoll, made: Made, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "lineage").write_bytes(made.lineage)
    run = plimsoll("audit", "verify-opening", saved, "--lineage", tmp_path / "lineage", "--json")
    assert run.code == 0, run.err
    told = run.json
    assert (told["verdict"], told["member"], told["index"], told["as_of"]) == ("ok", "lender-1", 0, "2024-10-04")
    assert told["amounts"] == {"outstanding": 5_234_567, "monthly_due": 123_456, "credit_limit": 10_000_000}
    assert (told["class"], len(told["loans"]), told["keys_compared"]) == ("substandard", 2, False)
    assert any("public keys" in each for each in told["does_not_show"])
    assert any("who the borrower is" in each for each in told["does_not_show"])


def test_the_founding_manifest_alone_will_do(plimsoll: Plimsoll, homes: dict[str, Path], saved: Path) -> None:
    manifest = homes["lender-2"] / "manifest.note"
    run = plimsoll("audit", "verify-opening", saved, "--lineage", manifest)
    assert run.code == 0, run.err
    for said in ("52,345.67 CNY", "it does not show", "substandard", "house [bold]"):
        assert said in run.out


def test_a_node_tells_the_manifests_where_there_is_no_file(at_home: Plimsoll, node: FakeNode, saved: Path) -> None:
    assert at_home("audit", "verify-opening", saved).code == 0
    assert [(method, caller.role) for method, caller, _ in node.asked] == [("Manifest", "auditor")]


def test_the_label_key_is_verified_and_not_printed(
    plimsoll: Plimsoll, made: Made, homes: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "labelled"
    path.write_bytes(made.labelled.encode())
    run = plimsoll("audit", "verify-opening", path, "--lineage", homes["lender-1"] / "manifest.note", "--json")
    assert run.json["label_number"] == 0
    assert made.labelled.label is not None
    assert made.labelled.label.key.hex() not in run.out


def test_the_keys_of_an_audit_are_compared(
    plimsoll: Plimsoll, made: Made, homes: dict[str, Path], saved: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    verify = ("audit", "verify-opening", saved, "--lineage", homes["lender-1"] / "manifest.note", "--keys", report)
    eight = [group.BASE.hex(), *(key.hex() for key in KEYS)]
    report.write_text(json.dumps({"consortium": made.consortium, "keys": {"phase": "final", "public_keys": eight}}))
    run = plimsoll(*verify, "--json")
    assert run.json["keys_compared"]
    assert not any("public keys" in each for each in run.json["does_not_show"])
    report.write_text(json.dumps({"consortium": made.consortium, "keys": {"public_keys": eight[::-1]}}))
    assert (plimsoll(*verify).code, "OTHER_KEYS" in plimsoll(*verify).err) == (9, True)
    for bad in ("{}", "[]", "x", json.dumps({"consortium": "00" * 32, "keys": {"public_keys": eight}})):
        report.write_text(bad)
        assert "BAD_REPORT" in plimsoll(*verify).err


@pytest.mark.parametrize(
    ("key", "value", "code", "said"),
    [
        ("salt", "00" * 32, 9, "D6: the digest of these loans and this salt is not what the entry has"),
        ("nonce", "01" + "00" * 31, 9, "D8: "),
        ("consortium", "00" * 32, 9, "D2: "),
        ("receipt", "x", 9, "D3: "),
        ("loans", [], 9, "D6: "),
        ("amounts", {}, 3, "amounts.outstanding"),
        ("more", 1, 3, "more"),
    ],
)
def test_what_does_not_hold_is_named(
    plimsoll: Plimsoll, homes: dict[str, Path], saved: Path, key: str, value: Any, code: int, said: str
) -> None:
    saved.write_text(json.dumps(json.loads(saved.read_text()) | {key: value}))
    run = plimsoll("audit", "verify-opening", saved, "--lineage", homes["lender-1"] / "manifest.note")
    assert run.code == code
    assert said in run.err


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"# Plimsoll manifest v1\n"])
def test_what_is_no_lineage_is_refused(plimsoll: Plimsoll, saved: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lineage").write_bytes(content)
    assert plimsoll("audit", "verify-opening", saved, "--lineage", tmp_path / "lineage").code in (3, 7, 9)


def test_days_are_iso_dates() -> None:
    assert day_of("1970-01-02") == 1
    for text in ("", "2025-02-30", "2025-W01-1", "1969-01-01"):
        with pytest.raises(InvalidInput):
            day_of(text)
