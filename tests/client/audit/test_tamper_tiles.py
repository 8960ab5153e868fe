"""The tamper matrix over a folder of tiles: what is changed in any file is named by its log and first entry."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from client.audit.reading.tiles import Tiles
from client.audit.report import Report
from client.export.consortium import export
from ledger.errors import InvalidInput, Unverified
from tests.client.audit.tampered import SIZES, Disk, Node, audit, good, older

RNG = Random(17)
TILE = 256


def exported(disk: Disk, folder: Path) -> Path:
    with asyncio.Runner() as runner:
        export(Node(disk, running=False, runner=runner), folder, lambda *_: None)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All logs, of which lender-2's has a full tile."""
    return exported(good(), tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def _small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(older("lender-2", 2), tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(_small: Path, tmp_path: Path) -> Path:
    """lender-2's log has two entries only, so that an audit is quick."""
    return Path(shutil.copytree(_small, tmp_path / "tiles"))


@pytest.fixture
def folder(large: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(large, tmp_path / "tiles"))


def found(folder: Path) -> list[tuple[str, int | None]]:
    return [(one.member, one.index) for one in audit(Tiles(folder)).findings]


def each_flip(folder: Path, path: str, places: Iterable[int]) -> Iterator[tuple[int, Report]]:
    """The audit after one bit of one of these bytes was flipped, of each."""
    file = folder / path
    raw = file.read_bytes()
    for place in places:
        changed = bytearray(raw)
        changed[place] ^= 1 << RNG.randrange(8)
        file.write_bytes(changed)
        yield place, audit(Tiles(folder))


def entry_at(bundle: bytes, place: int) -> int:
    """Of which entry of a bundle a byte is, its length included."""
    at = number = 0
    while (at := at + 2 + int.from_bytes(bundle[at : at + 2], "big")) <= place:
        number += 1
    return number


def test_an_honest_folder_passes(large: Path, small: Path) -> None:
    assert found(large) == found(small) == []


def test_a_byte_of_a_bundle_is_of_an_entry_that_is_named(small: Path) -> None:
    path = f"lender-1/tile/entries/000.p/{SIZES['lender-1']}"
    raw = (small / path).read_bytes()
    for place, report in each_flip(small, path, [*range(60), *range(60, len(raw), 4)]):
        (finding,) = report.findings
        assert (finding.member, finding.index) == ("lender-1", entry_at(raw, place)), place


def test_a_byte_of_a_tile_is_a_hash_of_an_entry_that_is_named(small: Path) -> None:
    path = f"lender-1/tile/0/000.p/{SIZES['lender-1']}"
    for place, report in each_flip(small, path, range(0, 32 * SIZES["lender-1"], 3)):
        assert [(one.member, one.index) for one in report.findings] == [("lender-1", place // 32)], place


@pytest.mark.parametrize(
    ("path", "first"), [("tile/0/000", 0), ("tile/0/001.p/44", TILE), ("tile/entries/000", 0), ("tile/1/000.p/1", 0)]
)
def test_in_a_long_log_the_entry_is_named_too(folder: Path, path: str, first: int) -> None:
    raw = (folder / "lender-2" / path).read_bytes()
    for place, report in each_flip(folder, f"lender-2/{path}", range(5, len(raw), max(1, len(raw) // 12))):
        within = entry_at(raw, place) if "entries" in path else 0 if "/1/" in path else place // 32
        assert [(one.member, one.index) for one in report.findings] == [("lender-2", first + within)], place


def test_a_byte_of_a_checkpoint_counts_or_is_a_strangers_line(small: Path) -> None:
    raw = (small / "lender-1" / "checkpoint").read_bytes()
    ours = raw.index(b"\n", raw.index(b"\n\n") + 2)  # the end of the author's own signature
    honest = audit(Tiles(small)).logs[0].head
    for place, report in each_flip(small, "lender-1/checkpoint", range(0, len(raw), 11)):
        if place <= ours:
            assert report.findings, place
            assert ("lender-1" in {one.member for one in report.findings}) or place <= raw.index(b"\n"), place
        else:  # a line by a key that is no member's says nothing; one of a member's that fails spoils the note
            assert report.findings or report.logs[0].head == honest, place


def test_a_byte_of_a_witnessed_head_counts_or_is_a_strangers_line(small: Path) -> None:
    raw = (small / "lender-1" / "witnessed").read_bytes()
    ours = raw.index(b"\n", raw.index(b"\n\n") + 2)
    for place, report in each_flip(small, "lender-1/witnessed", range(0, len(raw), 13)):
        told = [one.message for one in report.findings]
        assert bool(told) or place > ours, place
        if raw.index(b"\n") < place <= ours:
            assert any("lender-1" in message for message in told), place


def test_a_byte_of_the_manifests_counts(small: Path) -> None:
    file = small / "lineage"
    raw = file.read_bytes()
    for place in range(0, len(raw), 97):
        changed = bytearray(raw)
        changed[place] ^= 1 << RNG.randrange(8)
        file.write_bytes(changed)
        with pytest.raises((Unverified, InvalidInput)):
            audit(Tiles(small))


@pytest.mark.parametrize(
    ("path", "index"),
    [("tile/entries/000", 0), ("tile/entries/001.p/44", 0), ("tile/0/000", 0), ("tile/0/001.p/44", TILE)],
)
@pytest.mark.parametrize("how", ["gone", "empty", "cut"])
def test_a_file_that_is_gone_or_cut_is_found(folder: Path, path: str, index: int, how: str) -> None:
    file = folder / "lender-2" / path
    raw = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(raw[: len(raw) // 2] if how == "cut" else b"")
    findings = found(folder)
    assert findings
    assert {member for member, _ in findings} == {"lender-2"}
    assert all(place is not None and place >= index for _, place in findings)


def test_two_bundles_swapped_are_found_at_the_first_entry(folder: Path) -> None:
    one, other = (folder / "lender-1", folder / "lender-3")
    (one / "tile").rename(folder / "aside")
    (other / "tile").rename(one / "tile")
    (folder / "aside").rename(other / "tile")
    assert {member for member, _ in found(folder)} == {"lender-1", "lender-3"}
    assert {index for _, index in found(folder)} == {0}


def test_another_members_log_in_place_of_this_one_is_found(folder: Path) -> None:
    shutil.rmtree(folder / "lender-1")
    shutil.copytree(folder / "lender-3", folder / "lender-1")
    assert "lender-1" in {member for member, _ in found(folder)}


def test_a_log_that_is_left_out_is_not_passed_over(folder: Path) -> None:
    shutil.rmtree(folder / "lender-3")
    report = audit(Tiles(folder))
    assert report.verdict != "ok"
    assert "lender-3" in {one.member for one in [*report.findings, *report.unchecked]}
