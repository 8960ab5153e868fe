"""Files are there whole or not at all, and keys are never overwritten."""

from __future__ import annotations

import os
import stat

import pytest

from ledger.errors import InvalidInput, NotFound, Refused, Unready
from node.homes import files


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("write", [files.write_new, files.write_over])
@pytest.mark.parametrize("mode", [files.PUBLIC, files.PRIVATE])
def test_a_file_has_exactly_the_mode_asked_for(tmp_path, no_umask, write, mode):
    write(tmp_path / "a", b"content", mode)
    assert (tmp_path / "a").read_bytes() == b"content"
    assert mode_of(tmp_path / "a") == mode
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_file_replaces_nothing(tmp_path):
    files.write_new(tmp_path / "a", b"first", files.PRIVATE)
    with pytest.raises(Refused) as caught:
        files.write_new(tmp_path / "a", b"second", files.PRIVATE)
    assert caught.value.reason == "FILE_EXISTS"
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_writing_over_replaces_content_and_mode(tmp_path):
    files.write_new(tmp_path / "a", b"first", files.PUBLIC)
    files.write_over(tmp_path / "a", b"second", files.PRIVATE)
    assert (tmp_path / "a").read_bytes() == b"second"
    assert mode_of(tmp_path / "a") == files.PRIVATE


@pytest.mark.parametrize("write", [files.write_new, files.write_over])
def test_when_the_disk_fails_the_old_file_stays_and_nothing_is_left_behind(tmp_path, monkeypatch, write):
    if write is files.write_over:
        (tmp_path / "a").write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_):
        raise OSError(28, "no space is left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unready, match="no space is left"):
        write(tmp_path / "a", b"new", files.PRIVATE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_is_durable_before_it_is_in_place(tmp_path, monkeypatch):
    there_at_sync = []
    monkeypatch.setattr(os, "fsync", lambda _: there_at_sync.append((tmp_path / "a").exists()))
    files.write_new(tmp_path / "a", b"content", files.PRIVATE)
    assert there_at_sync == [False, True]  # the content, then its name


def test_reading_says_what_is_wrong(tmp_path):
    with pytest.raises(NotFound, match="absent"):
        files.read(tmp_path / "absent")
    with pytest.raises(Unready, match="directory"):
        files.read(tmp_path)
    (tmp_path / "large").write_bytes(bytes(11))
    assert len(files.read(tmp_path / "large", 11)) == 11
    with pytest.raises(InvalidInput):
        files.read(tmp_path / "large", 10)


def test_writing_into_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotFound):
        files.write_new(tmp_path / "absent" / "a", b"", files.PRIVATE)


def test_a_folder_is_made_private_and_left_alone_where_it_is(tmp_path, no_umask):
    files.make_folder(tmp_path / "new")
    assert mode_of(tmp_path / "new") == 0o700
    (tmp_path / "old").mkdir(0o755)
    files.make_folder(tmp_path / "old")
    assert mode_of(tmp_path / "old") == 0o755
