"""`plimsoll fsck`: everything a home's stores hold, checked against itself and each other, and repaired as far as it
follows from what is believed.

Believed are entries that lead to a signed head of their author. What follows from them (tiles, indexes, counters; of
the book whatever was published) is made again. A replica whose own entries have rotted is begun anew: the other members
have it. Of this lender's own log nothing is ever thrown away; where it has rotted the operator is told what to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from ledger.chain.chain import Chain
from ledger.chain.store import Store
from ledger.consortium.manifest import Manifest
from ledger.errors import Unverified
from ledger.homes import home as layout
from ledger.witnessing.witnessed import Witnessed
from node.custody.vault import Vault
from node.homes.home import Home
from node.homes.keyring import Keyring
from node.lending.book import Book
from node.upkeep.fsck_book import check_book
from node.upkeep.fsck_report import DAMAGED, FORGOTTEN, OK, REPAIRED, Finding, Report, Show
from node.upkeep.stores import log_names, opened, own_stretches

_REPAIR = "plimsoll fsck --repair"
_REBUILD = "`plimsoll rebuild --chain`, then `plimsoll run`: the other members have this log"


def check_home(
    home: Home, manifest: Manifest, keyring: Keyring, *, repair: bool, rng: Callable[[int], bytes], show: Show
) -> Report:
    """Checks a home whose node does not run. Raises Unready (STORE_IN_USE) where it does."""
    report = Report()
    try:
        with opened(home, layout.CHAIN) as chain_store, opened(home, layout.BOOK) as book_store:
            chain = Chain(chain_store, log_names(manifest), new_lock=threading.RLock)
            for _, origin, _ in log_names(manifest):
                report.findings.append(
                    _check_log(chain, origin, chain.log_by_origin(origin).member == keyring.member, repair, show)
                )
            report.findings += _check_witnessed(
                chain_store, home, [origin for _, origin, _ in log_names(manifest)], repair
            )
            book = Book(book_store, keyring.book_key, rng)
            readable = manifest.origin(keyring.member) not in chain.damaged
            own = own_stretches(chain, manifest, keyring.member) if readable else []
            report.findings.append(check_book(book, own, keyring, manifest, repair, show))
            report.findings += _check_custody(home, manifest, keyring, rng)
    except Unverified as error:  # LevelDB's own files
        report.findings.append(
            Finding(
                "store", DAMAGED, reason=error.reason, message=error.message, path=error.path, todo=_store_todo(error)
            )
        )
    return report


def _check_log(chain: Chain, origin: str, own: bool, repair: bool, show: Show) -> Finding:
    name = origin.rpartition("/")[2]  # the member, and the number of its log from the second on

    def look() -> int:
        size = 0 if origin in chain.damaged else chain.log_by_origin(origin).size
        return chain.verify(origin, lambda done: show(name, done, size))

    try:
        return Finding(name, OK, look())
    except Unverified as error:
        first = error
    if repair:
        try:
            chain.repair(origin)
            return Finding(name, REPAIRED, look(), first.reason, first.message, first.path)
        except Unverified as error:
            first = error
        if not own:
            chain.forget(origin)
            todo = "it is fetched again from the other members as soon as the node runs"
            return Finding(name, FORGOTTEN, 0, first.reason, first.message, first.path, todo)
    size = 0 if origin in chain.damaged else chain.log_by_origin(origin).size
    todo = _REBUILD if repair else _REPAIR
    return Finding(name, DAMAGED, size, first.reason, first.message, first.path, todo)


def _check_witnessed(store: Store, home: Home, origins: Iterable[str], repair: bool) -> list[Finding]:
    """The heads that are kept because enough members have cosigned them; nothing where all of them are."""
    witnessed = Witnessed(store, home.history())
    found = [(origin, key, error) for origin in origins for key, error in witnessed.rotten(origin)]
    if not found:
        return []
    origin, _, first = found[0]
    if repair:
        witnessed.discard([key for _, key, _ in found])
    todo = "" if repair else f"{_REPAIR}: they are thrown away; the newest come again from the other members"
    verdict = REPAIRED if repair else DAMAGED
    name = origin.rpartition("/")[2]
    return [Finding("witnessed heads", verdict, len(found), first.reason, first.message, name, todo)]


def _check_custody(home: Home, manifest: Manifest, keyring: Keyring, rng: Callable[[int], bytes]) -> list[Finding]:
    """Whether a custodian's shares can be opened; nothing where there are none."""
    try:
        state = Vault(home.folder, keyring, manifest.consortium, rng).load()
    except Unverified as error:
        todo = "move it away: the shares are lost until the custodians reshare"
        return [Finding("custody", DAMAGED, 0, error.reason, error.message, layout.CUSTODY, todo)]
    return [] if state is None else [Finding("custody", OK, 1)]


def _store_todo(error: Unverified) -> str:
    if error.reason != "STORE_CORRUPT":
        return _REBUILD
    which = "--chain" if f"/{layout.CHAIN} " in error.message else "--book"
    return f"`plimsoll rebuild {which}`, then `plimsoll run`"
