"""Logs as long as one likes, in no time: positions whose ciphertexts are random bytes.

A replica stores without checking points (design section 6), so nothing in storing, replicating and auditing tells them
from real ones. They have the size and the form of real ones, and every label is another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from ledger.chain.chain import Chain, LogName
from ledger.chain.own_log import OwnLog
from ledger.chain.store import Store
from ledger.crypto.elgamal import Ciphertext
from ledger.positions.position_entry import PositionEntry
from ledger.tlog.note import Signer

AT_ONCE = 1000
_AS_OF = 20_000
_FIELDS = 7
_SEALED = 540


def entries(count: int) -> list[bytes]:
    """So many entries of 981 bytes."""
    now = int(time.time())
    return [_entry(os.urandom(16), now) for _ in range(count)]


def _entry(label: bytes, now: int) -> bytes:
    noise = os.urandom(32 * (_FIELDS + 4) + _SEALED)
    points = tuple(noise[at : at + 32] for at in range(0, 32 * _FIELDS, 32))
    rest = noise[32 * _FIELDS :]
    ciphertext = Ciphertext(rest[:32], points, rest[32:96])
    return PositionEntry(now, label, 1, _AS_OF, ciphertext, rest[96:128], rest[128:]).encode()


def own_log(store: Store, name: str = "bench") -> OwnLog:
    """A log in a store, with a key made for it."""
    signer = Signer.from_seed(f"plimsoll/{'0' * 64}/{name}", os.urandom(32))
    return Chain(store, [LogName(name, signer.key.name, signer.key)]).own(signer)


def fill(log: OwnLog, count: int) -> Iterator[int]:
    """Appends so many entries; yields how many are done."""
    for done in range(0, count, AT_ONCE):
        log.append(entries(min(AT_ONCE, count - done)))
        yield min(done + AT_ONCE, count)
