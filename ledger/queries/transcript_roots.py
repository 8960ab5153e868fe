"""Which roots the verification of a transcript asks logs for (protocol, 13).

Whoever reads logs once, and keeps no more than it was told to, must know beforehand. What a transcript itself names is
known at once; what its querier's earlier inquiries name, only once their entries can be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.borrower.labels import Numbered, QueryKeys
from ledger.consortium.history import History
from ledger.consortium.joined import log_name, record_of
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput
from ledger.queries.inquiry import Inquiry
from ledger.queries.release import Step
from ledger.queries.selection import Readable
from ledger.queries.transcript import Transcript

Root = tuple[str, int]
"""A log's name (`ledger.consortium.joined`), and the size at which its root is asked for."""


def roots_named(transcript: Transcript, history: History) -> set[Root]:
    """Those of the heads used, and of the logs that had ended. None where the manifest is not known."""
    manifest = history.get(transcript.manifest)
    if manifest is None:
        return set()
    used = {(log_name(manifest.origin(h.member)), h.size) for h in transcript.heads if h.member in manifest}
    return used | {(log.name, log.size) for log in manifest.ended}


def roots_of_earlier(transcript: Transcript, history: History, logs: Mapping[str, Readable]) -> set[Root]:
    """Of a full transcript, those of the querier's earlier inquiries that speak of logs frozen or ended since.

    logs: by name; their entries must be found by label. Raises as `record_of` and InvalidInput where the transcript's
    inquiry is none.
    """
    manifest = history.get(transcript.manifest)
    if manifest is None or transcript.secret is None or transcript.querier not in manifest:
        return set()
    asked = Inquiry.parse(transcript.entry)
    if len(asked.sizes) != len(manifest.members):
        return set()
    now = Step.of(manifest, transcript.querier, asked)
    found: set[Root] = set()
    for under, earlier in _earlier(transcript, history, manifest, logs):
        step = Step.of(under, transcript.querier, earlier)
        if now.holds(step) and not all(map(now.is_live, step.sizes)):
            origins = (under.origin(member.name) for member in under.members)
            found |= {(log_name(origin), size) for origin, size in zip(origins, earlier.sizes, strict=True)}
    return found


def _earlier(
    transcript: Transcript, history: History, manifest: Manifest, logs: Mapping[str, Readable]
) -> Iterator[tuple[Manifest, Inquiry]]:
    """The querier's inquiries about this borrower before this one, each with the manifest it names."""
    assert transcript.secret is not None
    record = record_of(manifest, transcript.querier, logs)
    numbered = Numbered(record.log, QueryKeys(transcript.secret.query_key).inquiries(transcript.querier))
    for number in range(numbered.newest(record.offset + transcript.index) or 0, -1, -1):
        place = numbered.index_below(number, record.offset + transcript.index)
        try:
            earlier = None if place is None else Inquiry.parse(record.log.entry(place))
        except InvalidInput:
            continue
        under = None if earlier is None else history.get(earlier.manifest)
        if earlier is not None and under is not None and len(earlier.sizes) == len(under.members):
            yield under, earlier
