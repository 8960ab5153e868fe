"""The stores of a home whose node does not run, for commands that work on them directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from ledger import home as layout
from ledger.manifest import Manifest
from ledger.note import VerifierKey
from node.home import Home
from node.leveldb import LevelStore

LogId = tuple[str, str, VerifierKey]
"""Of a log: its member, its origin, its key."""


def log_names(manifest: Manifest) -> list[LogId]:
    """The logs of a consortium."""
    return [(each.name, manifest.origin(each.name), manifest.log_key(each.name)) for each in manifest.members]


@contextmanager
def offline(home: Home) -> Iterator[tuple[LevelStore, LevelStore]]:
    """Chain and book. Raises Unready (STORE_IN_USE) while the node runs, Unverified where a store is damaged."""
    with opened(home, layout.CHAIN) as chain, opened(home, layout.BOOK) as book:
        yield chain, book


@contextmanager
def opened(home: Home, name: str) -> Iterator[LevelStore]:
    """One of them."""
    with closing(LevelStore(home.folder / name, reserve_mib=home.config.reserve_mib)) as store:
        yield store
