"""What a member wrote behind the place where its former log has ended, carried over to the log it writes now.

A manifest ends a log at a size that was fixed when it was proposed (design section 7); what its member appended until
the manifest was in force would be lost. Positions and inquiries bind member and number, not the log, so that they hold
in the next one as they are; they come before anything else in it. What a crash interrupts is done again: what the
record has already is left out.

Where the log has ended because its key was in other hands, what stands behind the end may be theirs: a position is
carried over only if its sealed copy opens, which the log key alone cannot bring about.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from ledger.chain.chain import Chain
from ledger.chain.entries import Kind, file_entry
from ledger.consortium.joined import record_of
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError
from node.chain.named_logs import NamedLogs
from node.homes.keyring import Keyring
from node.lending import rebuild

log = structlog.get_logger()

#: Entries read, and appended, at a time.
BATCH = 1000
#: Challenges count in the log that is written alone, and whoever still doubts or answers says so again there.
_CARRIED = frozenset({Kind.POSITION, Kind.INQUIRY})


def left_behind(chain: Chain, manifest: Manifest, member: str, keyring: Keyring) -> Iterator[list[bytes]]:
    """The entries to be appended, in order and in batches. keyring: the member's. Raises what reading a log raises."""
    former = manifest.former_logs(member)
    if not former:
        return
    record = record_of(manifest, member, NamedLogs(chain, manifest.consortium)).log
    for ended in former:
        batch: list[bytes] = []
        for entry in chain.log_by_origin(ended.origin(manifest.consortium.hex())).entries(ended.size):
            code, label = file_entry(entry)
            if code not in _CARRIED or label is None or record.find(label) is not None:
                continue
            if code != Kind.POSITION or _is_own(entry, keyring, manifest.consortium):
                batch.append(entry)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _is_own(entry: bytes, keyring: Keyring, consortium: bytes) -> bool:
    try:
        rebuild.record_of(entry, keyring, consortium)
    except PlimsollError as error:
        log.error("not carried over: a position that this member did not write", why=str(error))
        return False
    return True
