"""The stores of a home whose node does not run, for commands that work on them directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from ledger.chain.chain import Chain, Log
from ledger.consortium.manifest import Manifest
from ledger.homes import home as layout
from ledger.tlog.note import VerifierKey
from node.homes.home import Home
from node.upkeep.leveldb import LevelStore

LogId = tuple[str, str, VerifierKey]
"""Of a log: its member, its origin, its key."""


Stretch = tuple[Log, int | None]
"""A log, and how many of its entries count; None for all, of a log that is still written."""


def log_names(manifest: Manifest) -> list[LogId]:
    """The logs of a consortium: those that have ended, then those that are written."""
    keys = [(log.member, manifest.ended_key(log)) for log in manifest.ended]
    keys += [(each.name, manifest.log_key(each.name)) for each in manifest.members]
    return [(member, key.name, key) for member, key in keys]


def own_stretches(chain: Chain, manifest: Manifest, member: str) -> list[Stretch]:
    """The logs of a member as far as they can be read, in the order they were written."""
    limits = {manifest.ended_key(log).name: log.size for log in manifest.ended}
    return [(log, limits.get(log.origin)) for log in chain.logs() if log.member == member]


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
