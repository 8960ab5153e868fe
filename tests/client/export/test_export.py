"""Exports: all of it, step by step, killed anywhere, and never what does not hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2

from client.audit.judging import lineages
from client.audit.reading.logs import LogId
from client.export import folder as folder_module
from client.export.consortium import Result, export
from client.export.folder import LogFolder
from client.export.one_log import Exported, LogExport
from ledger.consortium.ended import EndedLog
from ledger.consortium.lineage import Lineage, open_lineage, verify_lineage
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.tlog.checkpoint import Head, open_head
from ledger.tlog.tiled_log import TiledLog
from ledger.tlog.tiles import tiles_of
from ledger.witnessing.cosigned import verify_witnessed
from tests.client.export.direct import MANIFEST, TIMES, Direct
from tests.ledger.consortium.test_lineage import FOUNDED, THREE
from tests.ledger.electorate import founding_lineage
from tests.ledger.tile_sources import tiles_over
from tests.ledger.witnesses import history, name

LOG = "lender-1"
KEY = MANIFEST.log_key(LOG)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same manifests are verified once, and what a machine forgets without power is not asked here."""
    monkeypatch.setattr(lineages, "verify_lineage", lambda founding, steps: _lineage(founding, tuple(steps_of(steps))))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def steps_of(steps: Iterable[audit_pb2.Succession]) -> Iterator[bytes]:
    return (step.SerializeToString() for step in steps)


@cache
def _lineage(founding: bytes, steps: tuple[bytes, ...]) -> Lineage:
    return verify_lineage(founding, [audit_pb2.Succession.FromString(step) for step in steps])


def run(node: Direct, where: Path, **how: bool) -> Result:
    return export(node, where, lambda *_: None, **how)  # type: ignore[arg-type]


def failed(node: Direct, where: Path, **how: bool) -> tuple[str, str]:
    """Reason and path of what is wrong with lender-1's log, the only one that is."""
    (bad,) = run(node, where, **how).failed
    assert bad.log.name == LOG
    assert bad.error is not None
    return bad.error.reason, bad.error.path


def files(where: Path) -> dict[str, bytes]:
    return {path.relative_to(where).as_posix(): path.read_bytes() for path in where.rglob("*") if path.is_file()}


def opened(where: Path) -> tuple[Head, list[bytes]]:
    """The log as its folder has it, verified as anybody can."""
    folder = LogFolder(where / LOG)
    head = open_head((where / LOG / "checkpoint").read_bytes(), KEY).head
    return head, [entry for stretch in TiledLog(folder, head).entries() for entry in stretch.entries]


def grown(size: int, **how: int) -> Direct:
    node = Direct(**how)
    node.grow(size)
    return node


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 600, 2500])
def test_a_log_is_exported_as_its_tiles_and_its_head(tmp_path: Path, size: int) -> None:
    run(grown(size), tmp_path)
    found = {path.removeprefix("lender-1/"): raw for path, raw in files(tmp_path / ".").items() if "tile/" in path}
    assert found == tiles_over(history(size))
    assert opened(tmp_path) == (grown(size).head(size).head, history(size))


def test_all_logs_and_the_manifests_lie_in_the_folder_and_nothing_else(tmp_path: Path) -> None:
    node = grown(3)
    node.grow(2, author=4)
    result = run(node, tmp_path)
    assert {path for path in files(tmp_path) if "tile" not in path} == {
        "lineage", ".lock", "lender-1/checkpoint", "lender-4/checkpoint",
    }  # fmt: skip
    assert open_lineage((tmp_path / "lineage").read_bytes()) == node.lineage
    assert [(each["log"], each["before"], each["size"]) for each in result.facts()["logs"]] == [
        ("lender-1", None, 3), ("lender-2", None, None), ("lender-3", None, None), ("lender-4", None, 2),
        ("lender-5", None, None),
    ]  # fmt: skip
    assert result.facts()["verdict"] == "ok"


def test_a_log_that_grows_is_continued_and_comes_out_as_if_exported_at_once(tmp_path: Path) -> None:
    node = Direct()
    for size in (1, 2, 255, 256, 257, 300, 511, 512, 513, 1030):
        node.grow(size)
        result = run(node, tmp_path / "steps")
        assert not result.failed
        run(grown(size), tmp_path / str(size))
        assert files(tmp_path / "steps") == files(tmp_path / str(size))
    assert [start for _, start in node.reads] == [0, 1, 2, 255, 256, 257, 300, 511, 512, 513]


def test_where_nothing_is_new_nothing_is_asked_for_or_touched(tmp_path: Path) -> None:
    node = grown(300)
    node.witness(300)
    run(node, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    node.reads.clear()
    result = run(node, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert node.reads == []
    assert result.logs[0].facts()["before"] == result.logs[0].facts()["size"] == 300


# Witnessed heads


def test_the_checkpoint_bears_cosignatures_where_it_is_witnessed(tmp_path: Path) -> None:
    node = grown(300)
    note = node.witness(300)
    run(node, tmp_path)
    assert (tmp_path / LOG / "checkpoint").read_bytes() == note
    assert (tmp_path / LOG / "witnessed").read_bytes() == note
    assert len(verify_witnessed(note, MANIFEST, LOG).cosignatures) == 4


def test_the_largest_witnessed_head_lies_beside_a_newer_checkpoint(tmp_path: Path) -> None:
    node = grown(300)
    note = node.witness(280)
    result = run(node, tmp_path)
    assert opened(tmp_path)[0].size == 300
    assert (tmp_path / LOG / "witnessed").read_bytes() == note
    assert (tmp_path / LOG / "checkpoint").read_bytes() == node.head(300).note.encode()
    assert result.logs[0].facts()["witnessed"] == 280


def test_cosignatures_that_come_later_are_put_on_the_checkpoint(tmp_path: Path) -> None:
    node = grown(300)
    run(node, tmp_path)
    before = files(tmp_path)
    note = node.witness(300)
    run(node, tmp_path)
    assert files(tmp_path) == {**before, "lender-1/checkpoint": note, "lender-1/witnessed": note}


def test_more_cosignatures_take_the_place_of_fewer_and_not_the_other_way(tmp_path: Path) -> None:
    node = grown(300)
    node.witness(300)
    run(node, tmp_path)
    few = files(tmp_path)
    more = node.witness(300, by={**TIMES, 5: 1004})
    run(node, tmp_path)
    assert (tmp_path / LOG / "checkpoint").read_bytes() == more
    other = grown(300)
    other.witness(300)
    run(other, tmp_path)
    assert (tmp_path / LOG / "checkpoint").read_bytes() == more != few["lender-1/checkpoint"]


def test_a_witnessed_head_that_is_ahead_of_what_the_node_has_waits(tmp_path: Path) -> None:
    node = grown(300)
    note = node.witness(280)
    run(node, tmp_path)
    node.witness(310)
    run(node, tmp_path)
    assert (tmp_path / LOG / "witnessed").read_bytes() == note
    node.grow(320)
    run(node, tmp_path)
    assert open_head((tmp_path / LOG / "witnessed").read_bytes(), KEY).head.size == 310


def test_the_head_of_no_entries_is_exported_where_it_was_witnessed(tmp_path: Path) -> None:
    node = Direct()
    note = node.witness(0)
    run(node, tmp_path)
    assert {path: raw for path, raw in files(tmp_path).items() if path.startswith(LOG)} == {
        "lender-1/checkpoint": note, "lender-1/witnessed": note,
    }  # fmt: skip
    node.grow(5)
    run(node, tmp_path)
    assert opened(tmp_path)[0].size == 5


# Killed at any moment


class Killed(BaseException):
    """Nobody catches it, as nobody catches kill -9."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The step-th change of the disk is not made, or half of it, and nothing is after it. Yields how many were."""
    done = [0]

    def guarded(real, half=None):
        def change(*arguments, **keywords):
            done[0] += 1
            if done[0] == step and half is not None:
                half(*arguments)
            if done[0] >= step:
                raise Killed
            return real(*arguments, **keywords)

        return change

    half_written = Path.write_bytes
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "write_bytes", guarded(half_written, lambda path, raw: half_written(path, raw[: len(raw) // 2]))
        )
        patch.setattr(Path, "replace", guarded(Path.replace))
        patch.setattr(Path, "unlink", guarded(Path.unlink))
        patch.setattr(Path, "mkdir", guarded(Path.mkdir))
        patch.setattr(Path, "rmdir", guarded(Path.rmdir))
        patch.setattr(folder_module, "_sync", guarded(lambda path: None))
        yield done


@pytest.mark.parametrize(("first", "then"), [(0, 257), (511, 513)])
def test_whenever_it_is_killed_the_folder_is_consistent_at_the_old_or_the_new_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, then: int
) -> None:
    node, start, whole = grown(then), tmp_path / "start", tmp_path / "whole"
    node.witness(then)
    run(node, whole)
    run(grown(first), start)
    seen = set()
    for step in range(1, 200):
        where = Path(shutil.copytree(start, tmp_path / str(step)))
        with killed_at(step, monkeypatch) as done, suppress(Killed):
            run(node, where)
        if (where / LOG / "checkpoint").exists():
            head, entries = opened(where)
            assert entries == history(head.size)
            seen.add(head.size)
        else:
            seen.add(0)
        run(node, where)
        assert files(where) == files(whole)
        if done[0] < step:
            break
    assert seen == {first, then}
    assert step > 10


def test_what_a_killed_run_for_a_larger_log_has_left_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(grown(100), tmp_path / "clean")
    run(grown(100), tmp_path / "run")
    with killed_at(20, monkeypatch), pytest.raises(Killed):
        run(grown(5000), tmp_path / "run")
    assert files(tmp_path / "run") != files(tmp_path / "clean")
    run(grown(100), tmp_path / "run")
    assert files(tmp_path / "run") == files(tmp_path / "clean")


def test_many_files_are_put_on_disk_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = folder_module.write_durably
    monkeypatch.setattr(folder_module, "_SYNC_ALL", 4)
    monkeypatch.setattr(os, "sync", lambda: order.append("sync"))

    def write(path: Path, content: bytes) -> None:
        order.append(path.name)
        real(path, content)

    monkeypatch.setattr(folder_module, "write_durably", write)
    run(grown(1000), tmp_path)
    assert order == ["sync", "checkpoint"]


# What does not hold


def test_a_node_that_has_less_than_the_folder_takes_nothing_away(tmp_path: Path) -> None:
    run(grown(300), tmp_path)
    before = files(tmp_path)
    result = run(grown(280), tmp_path)
    assert files(tmp_path) == before
    assert (result.logs[0].facts()["size"], result.logs[0].facts()["ahead"]) == (300, 20)


@pytest.mark.parametrize("size", [200, 300, 400])
def test_another_history_than_the_one_in_the_folder_is_refused(tmp_path: Path, size: int) -> None:
    run(grown(300), tmp_path)
    before = files(tmp_path)
    reason, _ = failed(grown(size, branch=1, common=150), tmp_path)
    assert reason == ("ROOT_MISMATCH" if size > 300 else "FORK")
    assert files(tmp_path) == before


def test_a_witnessed_head_of_another_history_is_refused(tmp_path: Path) -> None:
    node = grown(300)
    node.witnesses.add(Direct(branch=1).witness(280))
    assert failed(node, tmp_path)[0] == "FORK"
    assert "lender-1/checkpoint" not in files(tmp_path)


def test_a_changed_entry_is_never_written(tmp_path: Path) -> None:
    node = grown(1500)

    def change(block) -> None:
        if block.start:
            block.entries[7] = b"other"

    node.change_block = change
    node.grow(4, author=2)
    assert failed(node, tmp_path)[0] == "ROOT_MISMATCH"
    assert {path for path in files(tmp_path) if path.startswith(LOG)} == set()
    assert "lender-2/checkpoint" in files(tmp_path)


def test_a_node_that_hands_out_less_than_its_head_covers_is_not_believed(tmp_path: Path) -> None:
    node = grown(1500)
    real = node.read
    node.read = lambda origin, start=0: iter(list(real(origin, start))[:-1])  # type: ignore[method-assign]
    assert failed(node, tmp_path)[0] == "TRUNCATED"
    assert "lender-1/checkpoint" not in files(tmp_path)


def test_a_head_that_its_author_has_not_signed_is_refused(tmp_path: Path) -> None:
    node = grown(3)
    node.change_heads = lambda response: response.heads.__setitem__(0, response.heads[0].replace(b"\n3\n", b"\n4\n"))
    assert failed(node, tmp_path)[0] == "BAD_SIGNATURE"


def test_a_witnessed_head_with_too_few_cosignatures_is_refused(tmp_path: Path) -> None:
    node = grown(3)
    note = Direct().head(3).note.encode()
    node.change_heads = lambda response: response.witnessed.append(note)
    assert failed(node, tmp_path)[0] == "NOT_WITNESSED"


@pytest.mark.parametrize("path", sorted(tile.path for tile in tiles_of(600)))
def test_what_has_rotted_in_the_folder_is_found_and_named(tmp_path: Path, path: str) -> None:
    node = grown(600)
    run(node, tmp_path)
    file = tmp_path / LOG / path
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    before = files(tmp_path)
    node.grow(700)
    assert failed(node, tmp_path, check=True) == ("BAD_TILE", path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("path", ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"])
def test_what_will_be_continued_is_verified_in_any_case(tmp_path: Path, path: str) -> None:
    node = grown(600)
    run(node, tmp_path)
    (tmp_path / LOG / path).unlink()
    node.grow(700)
    assert failed(node, tmp_path) == ("BAD_TILE", path)


@pytest.mark.parametrize("note", ["checkpoint", "witnessed"])
@pytest.mark.parametrize("other", [b"", b"x" * 2_000_000, Direct().head(4, author=2).note.encode()])
def test_a_note_in_the_folder_that_is_none_of_this_logs_is_refused(tmp_path: Path, note: str, other: bytes) -> None:
    node = grown(6)
    node.witness(5)
    run(node, tmp_path)
    (tmp_path / LOG / note).write_bytes(other)
    before = files(tmp_path)
    reason, _ = failed(node, tmp_path)
    assert reason in ("BAD_NOTE", "TOO_LARGE", "WRONG_ORIGIN")
    assert files(tmp_path) == before


def test_another_consortiums_folder_is_refused(tmp_path: Path) -> None:
    node = grown(6)
    run(node, tmp_path)
    node.endpoint.caller.consortium = bytes(32)
    with pytest.raises(Unverified) as caught:
        run(node, tmp_path)
    assert caught.value.reason == "OTHER_CONSORTIUM"


def test_a_lineage_that_is_none_is_refused(tmp_path: Path) -> None:
    node = grown(6)
    run(node, tmp_path)
    (tmp_path / "lineage").write_bytes(b"none")
    before = files(tmp_path)
    with pytest.raises(PlimsollError):
        run(node, tmp_path)
    assert files(tmp_path) == before


def test_two_exports_into_one_folder_do_not_run_at_once(tmp_path: Path) -> None:
    node = grown(6)
    real = node.manifests

    def meanwhile():
        with pytest.raises(Unready) as caught:
            run(grown(6), tmp_path)
        assert caught.value.reason == "EXPORT_RUNNING"
        return real()

    node.manifests = meanwhile  # type: ignore[method-assign]
    assert not run(node, tmp_path).failed


def test_files_that_are_no_tiles_stay(tmp_path: Path) -> None:
    node = grown(6)
    run(node, tmp_path)
    for path in (tmp_path / LOG / "tile" / "README", tmp_path / LOG / "notes.txt", tmp_path / name(9)):
        path.write_text("mine")
    node.grow(7)
    run(node, tmp_path)
    assert {"lender-1/tile/README", "lender-1/notes.txt", "lender-9"} <= set(files(tmp_path))


# Consortiums that change


def run_ended(node: Direct, where: Path, size: int, root: bytes) -> Exported:
    """lender-1's log, which has ended with so many entries."""
    log = LogId(LOG, KEY, 1, EndedLog(LOG, 1, KEY.public_key, size, root))
    shown = node.latest_heads()
    work = LogExport(LogFolder(where / LOG), log, shown.heads, shown.witnessed)
    return work.run(node, node.lineage.history, lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 250, 300])
def test_a_log_that_has_ended_is_exported_as_far_as_the_node_has_it(tmp_path: Path, size: int) -> None:
    node = grown(300)
    assert run_ended(node, tmp_path, size, node.head(size).head.root).size == 300
    assert run_ended(node, tmp_path, size, node.head(size).head.root).before == 300


@pytest.mark.parametrize(("size", "reason"), [(250, "FORK"), (300, "FORK"), (301, "TRUNCATED")])
def test_a_log_that_is_not_the_one_that_has_ended_is_refused(tmp_path: Path, size: int, reason: str) -> None:
    with pytest.raises(Unverified) as caught:
        run_ended(grown(300), tmp_path, size, bytes(32))
    assert caught.value.reason == reason
    assert "lender-1/checkpoint" not in files(tmp_path)


def showing(lineage: Lineage) -> Direct:
    node = Direct()
    node.lineage = lineage
    node.endpoint.caller.consortium = lineage.history.consortium
    return node


def test_the_manifests_in_a_folder_are_followed_and_never_taken_back(tmp_path: Path) -> None:
    run(showing(FOUNDED), tmp_path)
    assert open_lineage((tmp_path / "lineage").read_bytes()) == FOUNDED
    run(showing(THREE), tmp_path)
    assert open_lineage((tmp_path / "lineage").read_bytes()) == THREE
    result = run(showing(FOUNDED), tmp_path)  # a node that has not heard of it
    assert open_lineage((tmp_path / "lineage").read_bytes()) == result.lineage == THREE


def test_other_manifests_than_those_in_the_folder_are_refused(tmp_path: Path) -> None:
    run(showing(FOUNDED), tmp_path)
    with pytest.raises(Unverified) as caught:
        run(showing(founding_lineage(4)), tmp_path)
    assert caught.value.reason == "OTHER_LINEAGE"
