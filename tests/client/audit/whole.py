"""The consortium that has changed (`changed`) with everything else an audit may meet, exported as a folder of tiles.

Witnessed heads, some of them smaller than the log; a log with full tiles; a record that is challenged and not answered,
and one that is answered; evidence that proves nothing; an entry that nobody can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from plimsoll.v1 import audit_pb2

from client.export.consortium import export
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.consortium.lineage import Lineage
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.tlog.receipt import Receipt
from tests.client.audit.changed import Node, changed
from tests.client.audit.world import hold
from tests.ledger.sample_challenges import a_day_later, answer, challenge, lie, watched
from tests.ledger.sample_consortium import MemoryLog, loan
from tests.ledger.witnesses import cosigned, entry

BORROWER = "test:challenged"
LONG, LONG_SIZE = "lender-5", 300
#: How many of the last entries of a log are not witnessed yet.
BEHIND = {"lender-2": 2, "lender-5": 20}


@dataclass
class Whole:
    """transcripts: by name. opened: index of lender-2's position of which `loans` are the loans."""

    logs: dict[str, MemoryLog]
    lineage: Lineage
    transcripts: dict[str, bytes] = field(default_factory=dict)

    def receipt(self, name: str, index: int) -> bytes:
        """An entry's, under the newest head, cosigned."""
        log = self.logs[name]
        return Receipt(index, Receipt.parse(log.receipt(index)).path, witnessed(self, name, log.size)).encode()


@cache
def whole() -> Whole:
    """Not to be changed."""
    story = changed()
    logs = {name: log.fork(log.size) for name, log in story.consortium.logs.items()}
    consortium = replace(story.consortium, logs=logs)
    hold(consortium, consortium.ceremony)
    witnesses = watched(consortium)
    for member in ("lender-2", "lender-5"):
        consortium.report(member, BORROWER, loan(20, loan_id="A-1"), loan(7, loan_id="B-2"))
    liar = lie(consortium, "lender-3", BORROWER)
    challenge(consortium, "lender-1", "lender-3", liar)
    honest = consortium.log("lender-2").size - 1
    challenge(consortium, "lender-1", "lender-2", honest)
    answer(consortium, "lender-2", honest)
    challenge(consortium, "lender-5", "lender-2", 0)
    witnesses.witness("lender-1", by=(2, 3, 5))
    a_day_later(consortium)
    said = consortium.ask("lender-1", BORROWER)
    assert [left.reason for left in said.findings.selection.exclusions] == ["CHALLENGED"]
    found = {form: Transcript.of(said, form).encode() for form in (FULL, REDACTED)}
    logs[LONG].append(b"\xff")
    for number in range(logs[LONG].size, LONG_SIZE):
        logs[LONG].append(entry(number))
    earlier = {f"{name} {form}": raw for (name, form), raw in story.transcripts.items()}
    return Whole(logs, story.lineage, {**earlier, **{f"challenged {form}": raw for form, raw in found.items()}})


def before_the_expulsion() -> Whole:
    """The same consortium while the log of the member that has forked is still written."""
    logs, lineage = changed().kept["expulsion"]
    return Whole(dict(logs), lineage)


def witnessed(of: Whole, name: str, size: int) -> bytes:
    """The head of this size with the cosignatures of all other members."""
    log, history = of.logs[name], of.lineage.history
    manifest, author = seat(history, log._signer.key.name)
    others = [each.name for each in manifest.members if each.name != author]
    times = {int(other.rpartition("-")[2]): 1_760_000_600 + place for place, other in enumerate(others)}
    return cosigned(log.head(size), manifest, times)


def seat(history: History, origin: str):
    """The newest manifest under which a log is written, and by whom."""
    return next(
        (manifest, member.name)
        for manifest in reversed(history.manifests)
        for member in manifest.members
        if manifest.origin(member.name) == origin
    )


class _Session(Node):
    """What an exporter asks."""

    notes: Mapping[str, bytes] = {}

    def latest_heads(self) -> audit_pb2.LatestHeadsResponse:
        return audit_pb2.LatestHeadsResponse(heads=self.heads(), witnessed=list(self.notes.values()))


def export_whole(of: Whole, where: Path, behind: Mapping[str, int] | None = None) -> Path:
    """By the program's exporter. behind: in place of BEHIND; logs without any witnessed head where it says so by -1."""
    session = _Session("lender-1", logs=dict(of.logs), lineage=of.lineage, per_block=100)
    sizes = {name: log.size - (BEHIND if behind is None else behind).get(name, 0) for name, log in of.logs.items()}
    session.notes = {name: witnessed(of, name, size) for name, size in sizes.items() if 0 < size <= of.logs[name].size}
    result = export(session, where, lambda *_: None)  # type: ignore[arg-type]
    assert {log_name(each.log.origin) for each in result.logs if each.error is None} >= set(of.logs) - {"lender-4"}
    return where
