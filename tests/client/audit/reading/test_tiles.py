"""Audits of a folder of tiles, without any node or certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client.audit.keeping.memory import parse
from client.audit.reading.logs import LogId
from client.audit.reading.one_log import OneLog
from client.audit.reading.tally import Ground, Tally
from client.audit.reading.tiles import Tiles
from client.audit.transcripts import Saved, verify_over
from ledger.errors import NotFound
from ledger.queries.transcript import FULL, REDACTED
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer, parse_note
from ledger.tlog.tiles import BUNDLE, tiles_of
from ledger.tlog.tlog_policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from tests.client.audit.tile_folder import audit_tiles, checkpoint, write_folder, write_log
from tests.client.audit.world import MEMBERS, audit, consortium, found_by, manifest, transcript
from tests.ledger.sample_logs import SIGNER

LONG = 70_000
NAME = SIGNER.key.name.rpartition("/")[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "tiles")


def flip(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log of three levels. Whoever spoils a file of it puts it back (`spoilt`)."""
    folder = tmp_path_factory.mktemp("tall")
    long_log(folder, LONG)
    return folder


@contextmanager
def spoilt(folder: Path, level: int, number: int) -> Iterator[Path]:
    """A file of it, for a while."""
    tile = next(tile for tile in tiles_of(LONG) if (tile.level, tile.number) == (level, number))
    path = folder / NAME / tile.path
    raw = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(raw)


def one_log(folder: Path, size: int) -> OneLog:
    """A long log of no consortium, read by itself."""
    history = consortium().history
    ground = Ground(history, frozenset(), {SIGNER.key.name: SIGNER.key}, lambda n: 0)
    log = LogId("lender-1", SIGNER.key, 1)
    read = OneLog(Tiles(folder), log, lambda _: Tally(log, ground))
    read.read(size, lambda *_: None)
    return read


def long_log(folder: Path, size: int) -> list[bytes]:
    entries = [number.to_bytes(4, "big") for number in range(size)]
    write_log(folder / NAME, entries, SIGNER)
    return entries


# -- all is well


def test_a_folder_says_what_a_node_says(folder: Path) -> None:
    report, _ = audit_tiles(folder, proofs=True, draw=lambda size: size // 2)
    through_a_node = audit(proofs=True)
    assert report.verdict == "ok"
    assert (report.through, report.asked) == ("tiles", ["tiles"])
    assert [log.head for log in report.logs] == [log.head for log in through_a_node.logs]
    assert [log.proofs for log in report.logs] == [log.proofs for log in through_a_node.logs]
    assert [log.receipts for log in report.logs] == [log.receipts for log in through_a_node.logs]
    assert [log.inquiries for log in report.logs] == [log.inquiries for log in through_a_node.logs]
    assert report.public_keys == through_a_node.public_keys


@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_transcripts_verify_over_a_folder(folder: Path, form: str) -> None:
    facts, finding = verify_over(Tiles(folder), Saved.of("t", transcript(form)))
    assert (finding, facts["verdict"], facts["opened"]["outstanding"]) == (None, "ok", 39)
    report, _ = audit_tiles(folder, transcripts=[Saved.of("t", transcript(form))])
    assert [each["verdict"] for each in report.transcripts] == ["ok"]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 1024, 1025])
def test_logs_of_all_widths_are_read(tmp_path: Path, size: int) -> None:
    long_log(tmp_path, size)
    read = one_log(tmp_path, size)
    assert (read.findings, read.size) == ([], size)


def test_a_log_of_three_levels_is_read(tall: Path) -> None:
    read = one_log(tall, LONG)
    assert (read.findings, read.size) == ([], LONG)


def test_a_folder_that_has_grown_is_read_on(tmp_path: Path) -> None:
    logs = {name: log.fork(log.size - 1) for name, log in consortium().logs.items()}
    logs["lender-2"] = consortium().logs["lender-2"].fork(consortium().logs["lender-2"].size - 1)
    report, auditor = audit_tiles(write_folder(tmp_path / "before", logs))
    memory = parse(auditor.remember(report).encode())
    grown, _ = audit_tiles(write_folder(tmp_path / "after"), last=memory)
    assert grown.findings == []
    assert [log.since for log in grown.logs] == [log.head.size for log in report.logs]
    assert [sum(log.entries.values()) for log in grown.logs] == [log.head.size for log in grown.logs]


# -- something is wrong


@pytest.mark.parametrize("index", [0, 300, 65_535, 65_536, LONG - 1])
def test_a_byte_changed_in_an_entry_is_found_at_its_entry(tall: Path, index: int) -> None:
    number, place = divmod(index, 256)
    with spoilt(tall, BUNDLE, number) as path:
        flip(path, place * (2 + 4) + 2)
        assert [(each.index, each.reason) for each in one_log(tall, LONG).findings] == [(index, "BAD_TILE")]


@pytest.mark.parametrize(
    ("level", "number", "place"), [(0, 0, 0), (0, 3, 255), (0, 273, 111), (1, 0, 7), (1, 1, 0), (2, 0, 0)]
)
def test_a_byte_changed_in_any_hash_is_found_at_the_first_entry_below_it(
    tall: Path, level: int, number: int, place: int
) -> None:
    first = (number * 256 + place) * 256**level
    with spoilt(tall, level, number) as path:
        flip(path, place * 32)
        assert [(each.index, each.reason) for each in one_log(tall, LONG).findings] == [(first, "BAD_TILE")]


@pytest.mark.parametrize("level", [BUNDLE, 0, 1])
@pytest.mark.parametrize("harm", ["gone", "cut", "longer"])
def test_a_tile_that_is_gone_or_of_another_size_is_found_at_its_first_entry(tall: Path, level: int, harm: str) -> None:
    first = 256 if level != 1 else 65_536
    with spoilt(tall, level, 1) as path:
        raw = path.read_bytes()
        path.unlink()
        if harm != "gone":
            path.write_bytes(raw[:-1] if harm == "cut" else raw + b"\0")
        (found,) = one_log(tall, LONG).findings
    place = 0 if level != BUNDLE or harm == "gone" else 255 if harm == "cut" else 256
    assert found.index == first + place


def test_entries_that_are_all_others_under_good_tiles_do_not_fit_the_checkpoint(tmp_path: Path) -> None:
    long_log(tmp_path, 1000)
    head = (tmp_path / NAME / "checkpoint").read_bytes()
    write_log(tmp_path / NAME, [b"other"] * 1000, SIGNER)
    (tmp_path / NAME / "checkpoint").write_bytes(head)
    (found,) = one_log(tmp_path, 1000).findings
    assert found.reason == "ROOT_MISMATCH"


def test_another_members_log_in_place_of_one_is_found(folder: Path) -> None:
    log = consortium().logs["lender-3"]
    write_log(folder / "lender-2", log.entries, log._signer)
    report, _ = audit_tiles(folder)
    assert ("lender-2", 0, "WRONG_ORIGIN") in found_by(report)


def test_a_log_that_is_not_there_is_found(folder: Path) -> None:
    for path in sorted((folder / "lender-2").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    report, _ = audit_tiles(folder)
    assert ("lender-2", 0, "NO_SUCH_FILE") in found_by(report)


def test_a_checkpoint_whose_signature_was_changed_is_found(folder: Path) -> None:
    flip(folder / "lender-2" / "checkpoint", -4)
    report, _ = audit_tiles(folder)
    assert ("lender-2", 0) in {found[:2] for found in found_by(report)}


def test_what_is_no_folder_of_tiles_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="folder of tiles"):
        audit_tiles(tmp_path / "none")


def test_a_state_of_a_longer_log_shows_that_the_folder_went_back(folder: Path, tmp_path: Path) -> None:
    report, auditor = audit_tiles(folder)
    memory = auditor.remember(report)
    logs = {name: log.fork(log.size - 1) for name, log in consortium().logs.items()}
    report, _ = audit_tiles(write_folder(tmp_path / "before", logs), last=memory)
    assert [(found[0], found[2]) for found in found_by(report)] == [(member, "SHRUNK") for member in MEMBERS]


# -- an auditor's own policy

WITNESSES = {
    f"w{number}": Cosigner.from_seed(f"witness.example/{number}", bytes([number]) * 32) for number in (1, 2, 3)
}


def policy(*members: str, threshold: int = 2, key: Signer | None = None) -> Policy:
    keys = [manifest().log_key(member) for member in members] + ([] if key is None else [key.key])
    logs = tuple(PolicyLog(each) for each in keys)
    witnesses = tuple(PolicyWitness(name, cosigner.key) for name, cosigner in WITNESSES.items())
    return Policy(logs, witnesses, (PolicyGroup("some", threshold, tuple(WITNESSES)),), "some")


def cosign(folder: Path, member: str, size: int, *names: str, time: int = 1_760_000_000) -> None:
    """An older head of a log, with these witnesses' cosignatures, beside the checkpoint."""
    log = consortium().logs[member].fork(size)
    signed = parse_note(checkpoint(log.entries, log._signer))
    for number, name in enumerate(names):
        signed = signed.with_signatures([WITNESSES[name].cosign(signed.text, time + number)])
    (folder / member / "witnessed").write_bytes(signed.encode())


def test_a_policys_quorum_says_how_far_a_log_is_witnessed(folder: Path) -> None:
    for member in MEMBERS:
        cosign(folder, member, 9, "w1", "w3", time=1_760_000_100)
    report, _ = audit_tiles(folder, policy=policy(*MEMBERS), now=1_760_000_160)
    assert report.findings == []
    for log in report.logs:
        assert log.witnessed == {"size": 9, "time": 1_760_000_101}
        (found,) = (each for each in report.remarks if each.reason == "NOT_YET_WITNESSED" and each.member == log.member)
        assert found.index == 9
        assert f"{log.head.size - 9} entries not yet witnessed" in found.message
        assert "59 s ago" in found.message


def test_a_log_without_the_policys_quorum_is_found(folder: Path) -> None:
    cosign(folder, "lender-1", 9, "w1", "w2")
    cosign(folder, "lender-2", 9, "w1")
    report, _ = audit_tiles(folder, policy=policy(*MEMBERS))
    assert found_by(report) == [("lender-2", None, "NO_QUORUM"), ("lender-3", None, "NO_QUORUM")]


def test_a_policy_that_names_another_key_or_log_is_found(folder: Path) -> None:
    other = Signer.from_seed(manifest().origin("lender-1"), bytes(32))
    report, _ = audit_tiles(folder, policy=policy(key=other))
    assert found_by(report) == [("lender-1", None, "OTHER_KEY")]
    stranger = Signer.from_seed("example.com/log", bytes(32))
    report, _ = audit_tiles(folder, policy=policy(key=stranger))
    assert found_by(report) == [("example.com/log", None, "UNKNOWN_LOG")]


def test_logs_that_a_policy_does_not_name_keep_to_the_manifest(folder: Path) -> None:
    cosign(folder, "lender-1", 9, "w1", "w2")
    report, _ = audit_tiles(folder, policy=policy("lender-1"))
    assert report.findings == []
    assert [log.witnessed is not None for log in report.logs] == [True, False, False]


def test_a_cosignature_that_was_changed_is_no_cosignature(folder: Path) -> None:
    cosign(folder, "lender-1", 9, "w1", "w2")
    flip(folder / "lender-1" / "witnessed", -20)
    report, _ = audit_tiles(folder, policy=policy("lender-1"))
    assert found_by(report) == [("lender-1", None, "BAD_SIGNATURE"), ("lender-1", None, "NO_QUORUM")]


@pytest.mark.parametrize("name", ["checkpoint", "witnessed"])
def test_a_note_that_is_too_large_is_found_and_the_other_logs_are_read(folder: Path, name: str) -> None:
    (folder / "lender-2" / name).write_bytes(b"x" * (1 << 20) + b"x")
    report, _ = audit_tiles(folder)
    assert report.verdict == "bad"
    assert {"lender-2" in (each.member + each.message) for each in report.findings} == {True}
    assert [log.head.size for log in report.logs if log.member != "lender-2"] == [
        consortium().logs[member].size for member in ("lender-1", "lender-3")
    ]
