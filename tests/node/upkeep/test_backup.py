"""Backups and what is made of them, without a node: whole or not at all, private, of one moment, checked."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from plimsoll.v1 import sealed_pb2

from ledger.chain.chain import Chain
from ledger.errors import PlimsollError
from ledger.homes import home as layout
from ledger.tlog.note import Signer
from node.homes.home import Home, open_home
from node.lending.book import Book
from node.upkeep import backup, copying
from node.upkeep.backup import Index, Progress
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import log_names, offline
from tests.ledger import sample_entries as sample
from tests.lenders import PASSPHRASE, adopt_all, found_homes, make_homes, seeded

RNG = Random(3)
ENTRIES = [sample.position(RNG) for _ in range(700)]
BORROWERS = 40


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a log, a book, and a custodian's shares."""
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    manifest = adopt_all(homes, found_homes(homes))
    home = homes[0]
    keyring = home.keyring(PASSPHRASE)
    (home.folder / layout.CUSTODY).write_bytes(b"shares")
    with offline(home) as (chain_store, book_store):
        signer = Signer.from_seed(manifest.origin(keyring.member), keyring.log_seed)
        Chain(chain_store, log_names(manifest)).own(signer).append(ENTRIES[:600])
        Book(book_store, keyring.book_key, seeded("book")).put_many(map(record, range(BORROWERS)))
    return home


def record(number: int) -> sealed_pb2.BookRecord:
    return sealed_pb2.BookRecord(borrower=f"test:{number}", pseudonym_key=bytes(64), published=1)


def last(steps: Any) -> Index:
    *_, index = steps
    assert isinstance(index, Index)
    return index


def back_up(home: Home, target: Path) -> Index:
    with offline(home) as (chain, book):
        return last(backup.back_up(home, target, chain, book, log_names(home.manifest()), datetime.now(UTC)))


@pytest.fixture(scope="module")
def whole(original: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "whole"
    back_up(original, folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_restored_is_the_home_without_a_custodians_shares(original: Home, whole: Path, tmp_path: Path) -> None:
    index = last(backup.restore(whole, tmp_path / "new"))
    assert (index.member, index.entries, index.borrowers) == ("lender-1", 600, BORROWERS)
    home = open_home(tmp_path / "new")
    assert home.keyring(PASSPHRASE) == original.keyring(PASSPHRASE)
    assert home.key("node", PASSPHRASE).private_numbers() == original.key("node", PASSPHRASE).private_numbers()
    for name in (layout.CONFIG, layout.CARD, layout.MANIFEST, layout.AUTHORITY, layout.certificate_file("operator")):
        assert (home.folder / name).read_bytes() == (original.folder / name).read_bytes()
    assert not (home.folder / layout.CUSTODY).exists()
    assert not any(b"shares" in raw for raw in files_of(whole).values())
    with offline(home) as (chain_store, book_store):
        log = Chain(chain_store, log_names(home.manifest())).log("lender-1")
        assert list(log.entries(0)) == ENTRIES[:600]
        book = Book(book_store, home.keyring(PASSPHRASE).book_key, os.urandom)
        assert book.get_many(["test:0", "test:39"]) == [record(0), record(39)]


def test_nobody_else_may_read_a_backup_or_a_restored_home(whole: Path, tmp_path: Path) -> None:
    last(backup.restore(whole, tmp_path / "new"))
    for folder in (whole, tmp_path / "new"):
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in (folder / layout.SECRETS).iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
    assert all(path.stat().st_mode & 0o077 == 0 for path in whole.rglob("*"))


def test_what_is_written_meanwhile_is_not_in_it_and_does_no_harm(original: Home, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(copying, "_STEP", 100)
    home = Home(Path(shutil.copytree(original.folder, tmp_path / "busy")), original.config)
    keyring, manifest = home.keyring(PASSPHRASE), home.manifest()
    with offline(home) as (chain_store, book_store):
        chain = Chain(chain_store, log_names(manifest))
        own = chain.own(Signer.from_seed(manifest.origin("lender-1"), keyring.log_seed))
        book = Book(book_store, keyring.book_key, seeded("busy"))
        steps = backup.back_up(home, tmp_path / "copy", chain_store, book_store, log_names(manifest), datetime.now(UTC))
        written = 0
        for step in steps:
            if isinstance(step, Progress) and step.phase != "files" and written < 100:
                own.append([ENTRIES[600 + written]])
                book.put_many([record(BORROWERS + written)])
                written += 1
        assert written > 3
        assert isinstance(step, Index)
        assert 600 <= step.entries < 600 + written
        assert step.borrowers == BORROWERS
    last(backup.restore(tmp_path / "copy", tmp_path / "new"))
    with closing(LevelStore(tmp_path / "new" / layout.CHAIN)) as store:
        chain = Chain(store, log_names(manifest))
        assert chain.verify(manifest.origin("lender-1")) == step.entries


def test_a_backup_that_is_given_up_leaves_nothing(original: Home, tmp_path: Path) -> None:
    with offline(original) as (chain, book):
        steps = backup.back_up(original, tmp_path / "x", chain, book, log_names(original.manifest()), datetime.now(UTC))
        next(steps)
        assert list(tmp_path.iterdir())
        steps.close()
    assert list(tmp_path.iterdir()) == []


def test_every_file_of_a_backup_is_checked(whole: Path, tmp_path: Path) -> None:
    for name in files_of(whole):
        if name == backup.INDEX:
            continue
        for damage in ("flip", "cut", "lose"):
            folder = Path(shutil.copytree(whole, tmp_path / "damaged"))
            raw = (folder / name).read_bytes()
            if damage == "lose":
                (folder / name).unlink()
            else:
                flipped = raw[:-1] + bytes([raw[-1] ^ 1]) if raw else b"x"
                (folder / name).write_bytes(flipped if damage == "flip" else raw[:-1] or b"\0")
            for attempt in (backup.check(folder), backup.restore(folder, tmp_path / "new")):
                with pytest.raises(PlimsollError) as caught:
                    last(attempt)
                assert (caught.value.reason, caught.value.path) == ("BACKUP_ROTTEN", name)
            assert [path.name for path in tmp_path.iterdir()] == ["damaged"]
            shutil.rmtree(folder)


def edited(whole: Path, folder: Path, **changes: Any) -> Path:
    shutil.copytree(whole, folder)
    index = json.loads((folder / backup.INDEX).read_text())
    (folder / backup.INDEX).write_text(json.dumps({**index, **changes}))
    return folder


def test_a_backups_own_word_is_not_taken_for_its_logs(whole: Path, tmp_path: Path) -> None:
    logs = json.loads((whole / backup.INDEX).read_text())["logs"]
    for number, changes in enumerate(
        ({"logs": logs[:-1]}, {"logs": [{**logs[0], "size": 601}, *logs[1:]]}, {"borrowers": 1})
    ):
        folder = edited(whole, tmp_path / str(number), **changes)
        with pytest.raises(PlimsollError) as caught:
            last(backup.restore(folder, tmp_path / "new"))
        assert (caught.value.reason, caught.value.path) == ("BACKUP_ROTTEN", backup.INDEX)
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside",
        "chain/../../outside",
        layout.CUSTODY,
        "./card",
        "a\0b",
        "\ud800",
        "\x1b[2J",
        "",
        ".",
    ],
)
def test_a_backup_puts_nothing_outside_a_home_and_brings_no_shares(whole: Path, tmp_path: Path, path: str) -> None:
    files = json.loads((whole / backup.INDEX).read_text())["files"]
    folder = edited(whole, tmp_path / "edited", files=[*files, {"path": path, "size": 0, "sha256": ""}])
    with pytest.raises(PlimsollError) as caught:
        last(backup.restore(folder, tmp_path / "new"))
    assert caught.value.reason == "BAD_BACKUP"


@pytest.mark.parametrize("path", ["chain", "card/below", "a" * 5000])
def test_a_path_that_is_no_file_is_what_the_refusal_is_about(whole: Path, tmp_path: Path, path: str) -> None:
    files = json.loads((whole / backup.INDEX).read_text())["files"]
    folder = edited(whole, tmp_path / "edited", files=[*files, {"path": path, "size": 0, "sha256": ""}])
    with pytest.raises(PlimsollError):
        last(backup.restore(folder, tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_what_another_program_calls_its_format_does_not_reach_the_terminal(whole: Path, tmp_path: Path) -> None:
    folder = edited(whole, tmp_path / "edited", format="\x1b[2J")
    with pytest.raises(PlimsollError) as caught:
        last(backup.restore(folder, tmp_path / "new"))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"format": "other"}', b"\xff", b'{"format": "plimsoll/backup/v1"}']
)
def test_only_our_own_errors_come_out_of_an_index(whole: Path, tmp_path: Path, raw: bytes) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "edited"))
    (folder / backup.INDEX).write_bytes(raw)
    with pytest.raises(PlimsollError):
        last(backup.restore(folder, tmp_path / "new"))


def test_nothing_is_overwritten(original: Home, whole: Path, tmp_path: Path) -> None:
    for attempt, reason in (
        (lambda: back_up(original, whole), "FILE_EXISTS"),
        (lambda: last(backup.restore(whole, original.folder)), "HOME_EXISTS"),
        (lambda: last(backup.restore(tmp_path, tmp_path / "new")), "NO_BACKUP"),
    ):
        with pytest.raises(PlimsollError) as caught:
            attempt()
        assert caught.value.reason == reason
    with suppress(FileNotFoundError):
        assert not list((tmp_path / "new").iterdir())
