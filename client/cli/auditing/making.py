"""One audit after another, as the options say."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from client.cli.auditing.sources import opened
from client.cli.output import progress, write_over

if TYPE_CHECKING:
    from client.audit.keeping.memory import Memory
    from client.audit.report import Report
    from client.audit.transcripts import Saved
    from client.credentials import Endpoint
    from ledger.tlog.tlog_policy import Policy


@dataclass(frozen=True, slots=True)
class Making:
    """Makes an audit when it is called: a `client.audit.watching.watch.Audit`."""

    source: Endpoint | Path
    peers: bool
    proofs: bool
    transcripts: tuple[Saved, ...]
    policy: Policy | None = None
    from_scratch: bool = False

    def __call__(self, last: Memory | None) -> tuple[Report, Memory]:
        """A new connection each time: what was wrong with the old one is of no use. Raises PlimsollError."""
        from client.audit.auditor import Auditor, Scope

        scope = Scope(
            secrets.randbelow,
            self.peers,
            self.proofs,
            last,
            self.transcripts,
            from_scratch=self.from_scratch,
            policy=self.policy,
            now=int(time.time()),
        )
        with opened(self.source) as source, progress() as bar:
            task = bar.add_task("asking", total=None)
            auditor = Auditor(
                source, scope, lambda what, done, of: bar.update(task, description=what, completed=done, total=of)
            )
            report = auditor.run()
            return report, auditor.remember(report)

    def consortium(self) -> tuple[bytes, str]:
        """Which one is audited, and through whom. Raises PlimsollError for a folder that does not tell."""
        from client.audit.judging import lineages
        from client.audit.reading.tiles import TILES, Tiles

        if isinstance(self.source, Path):
            return lineages.read(Tiles(self.source)).history.consortium, TILES
        return self.source.caller.consortium, self.source.server_name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the report goes besides stdout."""

    html: Path | None
    json: Path | None

    def write(self, facts: dict[str, object], made: int) -> None:
        """Both, each whole or not at all. made: Unix seconds."""
        if self.html is not None:
            from client.audit.page import document

            write_over(self.html, document(facts, made).encode())
        if self.json is not None:
            import json

            write_over(self.json, json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n")
