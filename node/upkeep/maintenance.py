"""What the commands fsck, backup, restore and rebuild do, with the stores of a home whose node does not run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ledger.chain.chain import Chain
from ledger.errors import Unverified
from ledger.homes import home as layout
from node.answer import Answer, Bar, progress_bar
from node.homes import files
from node.homes.home import Home, open_home
from node.lending import rebuild
from node.lending.book import Book
from node.upkeep import backup
from node.upkeep.fsck import check_home
from node.upkeep.stores import log_names, offline, opened, own_stretches

Passphrase = Callable[[argparse.Namespace, Home], str]
Folder = Callable[[argparse.Namespace], Path]


class Maintenance:
    """The commands. folder, passphrase: of the home that the options name."""

    def __init__(self, folder: Folder, passphrase: Passphrase) -> None:
        self._folder = folder
        self._passphrase = passphrase

    def fsck(self, options: argparse.Namespace) -> Answer:
        """Checks and repairs; exit code 9 where something stays damaged."""
        home = open_home(self._folder(options))
        manifest, keyring = home.manifest(), home.keyring(self._passphrase(options, home))
        with progress_bar() as bar:
            report = check_home(home, manifest, keyring, repair=options.repair, rng=os.urandom, show=bar.show)
        return Answer(report.facts(), report.lines(), 0 if report.clean else Unverified.exit_code)

    def backup(self, options: argparse.Namespace) -> Answer:
        """Copies the home of a node that does not run."""
        home = open_home(self._folder(options))
        target = options.target.absolute()
        with offline(home) as (chain, book), progress_bar() as bar:
            names = log_names(home.manifest())
            index = _watched(backup.back_up(home, target, chain, book, names, datetime.now(UTC)), bar)
        return _told(index, f"{target}: {index.entries} entries, {index.borrowers} borrowers, {index.bytes} bytes")

    def restore(self, options: argparse.Namespace) -> Answer:
        """Makes a home out of a backup, or compares every byte of one."""
        with progress_bar() as bar:
            if options.check:
                index = _watched(backup.check(options.source), bar)
                return _told(index, f"{options.source} is whole: {index.member}, {index.created}")
            folder = self._folder(options)
            index = _watched(backup.restore(options.source, folder), bar)
        text = (
            f"{folder} is the home of {index.member} as of {index.created}. Before it signs it asks the other members."
        )
        return _told(index, text)

    def rebuild(self, options: argparse.Namespace) -> Answer:
        """Makes the book again, or sets the logs aside to be fetched again."""
        home = open_home(self._folder(options))
        if options.chain:
            aside = _set_aside(home, layout.CHAIN)
            text = (
                f"the logs lie in {aside} now. Start the node: it fetches all of them, its own first, before it signs"
            )
            return Answer({"chain": str(aside)}, [text])
        return self._rebuild_book(options, home)

    def _rebuild_book(self, options: argparse.Namespace, home: Home) -> Answer:
        manifest, keyring = home.manifest(), home.keyring(self._passphrase(options, home))
        aside = _set_aside(home, layout.BOOK) if options.book else None
        unreadable: list[rebuild.Unreadable] = []
        with offline(home) as (chain_store, book_store), progress_bar() as bar:
            logs = own_stretches(Chain(chain_store, log_names(manifest)), manifest, keyring.member)
            book = Book(book_store, keyring.book_key, os.urandom)
            for own, limit in logs:
                for done in rebuild.catch_up(own, book, keyring, manifest.consortium, unreadable, 0, limit):
                    bar.show("rebuilding", done, own.size)
            entries = sum(own.size for own, _ in logs)
            facts: dict[str, object] = {
                "entries": entries,
                "borrowers": book.borrowers,
                "unreadable": [each.at for each in unreadable],
                "book": None if aside is None else str(aside),
            }
        lines = [f"{facts['borrowers']} borrowers in the book, out of {facts['entries']} entries"]
        lines += [f"entries[{each.at}]: {each.error.message}" for each in unreadable]
        if not entries:
            lines = ["this lender's log is empty here: start the node, which fetches it, and then makes the book again"]
        return Answer(facts, lines, Unverified.exit_code if unreadable else 0)


def _watched(steps: Iterator[backup.Progress | backup.Index], bar: Bar) -> backup.Index:
    last: backup.Index | None = None
    for step in steps:
        if isinstance(step, backup.Index):
            last = step
        else:
            bar.show(step.phase, step.done, step.total)
    assert last is not None, "the last thing yielded is the index"
    return last


def _told(index: backup.Index, text: str) -> Answer:
    facts: dict[str, object] = {
        "member": index.member,
        "created": index.created,
        "borrowers": index.borrowers,
        "entries": index.entries,
        "files": len(index.files),
        "bytes": index.bytes,
        "logs": {log.origin: log.size for log in index.logs},
    }
    return Answer(facts, [text])


def _set_aside(home: Home, name: str) -> Path:
    """Renames a store, whatever its state, and leaves an empty folder in its place. Nothing is deleted."""
    path = home.folder / name
    try:
        with opened(home, name):
            pass
    except Unverified:  # damaged: that is why; one that is in use is refused
        pass
    number = 1
    while (aside := path.with_name(f"{name}.aside-{number}")).exists():
        number += 1
    with files.explained(path):
        path.rename(aside)
        files.make_folder(path)
        files.sync_folder(home.folder)
    return aside
