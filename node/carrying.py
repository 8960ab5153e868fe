"""What a member wrote behind the place where its former log has ended, carried over to the log it writes now.

A manifest ends a log at a size that was fixed when it was proposed (design section 7); what its member appended until
the manifest was in force would be lost. Positions and inquiries bind member and number, not the log, so that they hold
in the next one as they are; they come before anything else in it. What a crash interrupts is done again: what the
record has already is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain import Chain
from ledger.entries import file_entry
from ledger.joined import record_of
from ledger.manifest import Manifest
from node.named_logs import NamedLogs

#: Entries read, and appended, at a time.
BATCH = 1000


def left_behind(chain: Chain, manifest: Manifest, member: str) -> Iterator[list[bytes]]:
    """The entries to be appended, in order and in batches. Raises what reading the logs raises."""
    former = manifest.former_logs(member)
    if not former:
        return
    record = record_of(manifest, member, NamedLogs(chain, manifest.consortium)).log
    for ended in former:
        batch: list[bytes] = []
        for entry in chain.log_by_origin(ended.origin(manifest.consortium.hex())).entries(ended.size):
            label = file_entry(entry).label
            if label is not None and record.find(label) is None:
                batch.append(entry)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
