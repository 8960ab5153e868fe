"""What is exported passes a verifier built on Go's own log packages (verify_tiles.go), and nothing else does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from client.audit.reading.logs import logs_of
from client.export.consortium import export
from client.export.folder import LogFolder
from client.export.one_log import LogExport
from ledger.tlog.tiles import tiles_of
from tests.client.export.direct import MANIFEST, TIMES, Direct
from tests.go.verifier import Verify, built
from tests.ledger.witnesses import name

LOG = "lender-1"
KEY = str(MANIFEST.log_key(LOG))
COSIGNERS = [str(MANIFEST.cosigner_key(name(number))) for number in TIMES]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    """The program, once for all tests here."""
    return built(tmp_path_factory.mktemp("go"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine forgets when it loses power is not asked here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "sync", lambda: None)


def exported(node: Direct, where: Path) -> Path:
    """lender-1's log, in its folder."""
    shown = node.latest_heads()
    log = logs_of(node.lineage.history)[0]
    LogExport(LogFolder(where / LOG), log, shown.heads, shown.witnessed).run(
        node,  # type: ignore[arg-type]
        node.lineage.history,
        lambda *_: None,
    )
    return where / LOG


@pytest.mark.slow
def test_a_log_passes_at_every_size_from_0_to_600(tmp_path: Path, verify: Verify, quick: None) -> None:
    node = Direct()
    node.witness(0)
    jobs = []
    for size in range(601):
        node.grow(size)
        folder = exported(node, tmp_path)
        # Files are replaced and never changed, so links keep what there was.
        copy = shutil.copytree(folder, tmp_path / "sizes" / str(size), copy_function=os.link)
        jobs.append(("tiles", copy, "checkpoint", KEY))
    expected = [f"ok {size} {node.head(size).head.root.hex()} 1" for size in range(601)]
    assert verify(jobs) == expected


@pytest.mark.slow
def test_a_log_of_70_000_entries_passes_with_its_cosignatures(tmp_path: Path, verify: Verify, quick: None) -> None:
    node = Direct()
    node.grow(65_000)
    exported(node, tmp_path)
    node.grow(70_000)
    node.witness(70_000)
    folder = exported(node, tmp_path)
    root = node.head(70_000).head.root.hex()
    assert (
        verify([("tiles", folder, each, KEY, *COSIGNERS) for each in ("checkpoint", "witnessed")])
        == [f"ok 70000 {root} 5"] * 2
    )
    assert (folder / "tile/2/000.p/1").stat().st_size == 32


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole export: lender-1's log of 600 entries, all witnessed, and lender-2's of 3."""
    node = Direct()
    node.grow(600)
    node.witness(600)
    node.grow(3, author=2)
    where = tmp_path_factory.mktemp("good")
    assert not export(node, where, lambda *_: None).failed  # type: ignore[arg-type]
    return where


def test_a_whole_export_passes(good: Path, verify: Verify) -> None:
    jobs = [("tiles", good / name(number), "checkpoint", str(MANIFEST.log_key(name(number)))) for number in (1, 2)]
    assert [answer.split()[:2] for answer in verify(jobs)] == [["ok", "600"], ["ok", "3"]]


PATHS = [tile.path for tile in tiles_of(600)]


def changes(good: Path) -> dict[str, Callable[[Path], object]]:
    """By what is wrong: what to do to a good folder."""

    def flip(path: str, place: int) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            raw = bytearray((folder / path).read_bytes())
            raw[place] ^= 1
            (folder / path).write_bytes(raw)

        return change

    def put(path: str, raw: bytes) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            (folder / path).parent.mkdir(exist_ok=True, parents=True)
            (folder / path).write_bytes(raw)

        return change

    found: dict[str, Callable[[Path], object]] = {}
    for path in PATHS:
        found |= {
            f"{path}, byte {place}": flip(path, place) for place in (0, 1, 40, -1) if place < 40 or "1/" not in path
        }
        found[f"{path} gone"] = lambda folder, path=path: (folder / path).unlink()  # type: ignore[misc]
        found[f"{path} empty"] = put(path, b"")
        found[f"{path} cut"] = lambda folder, path=path: put(path, (folder / path).read_bytes()[:-1])(folder)  # type: ignore[misc]
        found[f"{path} longer"] = lambda folder, path=path: put(path, (folder / path).read_bytes() + b"\0")(folder)  # type: ignore[misc]
    found |= {
        "an empty tile": put("tile/2/000", b""),
        "a partial tile beside the full one": put("tile/0/000.p/3", (good / LOG / "tile/0/000").read_bytes()[:96]),
        "a partial tile of an earlier size": put("tile/0/002.p/1", (good / LOG / "tile/0/002.p/88").read_bytes()[:32]),
        "another log's checkpoint": put("checkpoint", (good / "lender-2/checkpoint").read_bytes()),
        "no checkpoint": lambda folder: (folder / "checkpoint").unlink(),
        "a checkpoint of another size": put(
            "checkpoint", (good / LOG / "checkpoint").read_bytes().replace(b"\n600\n", b"\n599\n")
        ),
        "two tiles changed about": lambda folder: put("tile/0/000", (folder / "tile/0/001").read_bytes())(folder),
    }
    return found


def test_nothing_that_was_tampered_with_passes(good: Path, tmp_path: Path, verify: Verify) -> None:
    jobs = []
    for number, change in enumerate(changes(good).values()):
        folder = shutil.copytree(good / LOG, tmp_path / str(number))
        change(Path(folder))
        jobs.append(("tiles", folder, "checkpoint", KEY, *COSIGNERS))
    refused = {what: answer.startswith("bad ") for what, answer in zip(changes(good), verify(jobs), strict=True)}
    assert len(refused) > 50
    assert [what for what, is_refused in refused.items() if not is_refused] == []


def test_another_key_does_not_do(good: Path, verify: Verify) -> None:
    other = str(MANIFEST.log_key("lender-2"))
    jobs = [("tiles", good / LOG, "checkpoint", key) for key in (other, COSIGNERS[0], KEY[:-2] + "==", "")]
    assert [answer.split()[0] for answer in verify(jobs)] == ["bad"] * 4


# Receipts


def test_receipts_pass_and_what_was_tampered_with_does_not(tmp_path: Path, verify: Verify) -> None:
    node = Direct()
    node.grow(300)
    node.witness(270)
    jobs, expected = [], []
    for index in (0, 1, 255, 256, 269, 270, 299):
        for witnessed in (False, True):
            answer = node.receipt(MANIFEST.origin(LOG), index, witnessed=witnessed)
            proof, entry = tmp_path / f"{index}-{witnessed}", tmp_path / f"{index}.entry"
            proof.write_bytes(answer.receipt)
            entry.write_bytes(answer.entry)
            jobs.append(("receipt", proof, entry, KEY, *COSIGNERS))
            size, signers = (270, 5) if witnessed and index < 270 else (300, 1)
            expected.append(f"ok {size} {node.head(size).head.root.hex()} {signers}")
    assert verify(jobs) == expected
    bad = []
    whole = (tmp_path / "256-True").read_bytes()
    for number, raw in enumerate(
        [
            whole.replace(b"index 256", b"index 255"), whole.replace(b"index 256", b"index 270"),
            whole.replace(b"\n270\n", b"\n271\n"), b"\n".join(whole.split(b"\n")[:2] + whole.split(b"\n")[3:]),
            whole[:60] + b"A" + whole[61:], whole[:-20] + b"AAAA" + whole[-16:], b"", whole[:100],
        ]
    ):  # fmt: skip
        (tmp_path / f"bad-{number}").write_bytes(raw)
        bad.append(("receipt", tmp_path / f"bad-{number}", tmp_path / "256.entry", KEY, *COSIGNERS))
    bad.append(("receipt", tmp_path / "256-True", tmp_path / "255.entry", KEY))
    bad.append(("receipt", tmp_path / "256-True", tmp_path / "256.entry", str(MANIFEST.log_key("lender-2"))))
    assert [answer for answer in verify(bad) if not answer.startswith("bad ")] == []
