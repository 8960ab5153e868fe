"""One audit after another, as the options say."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from client.cli.output import progress, write_over

if TYPE_CHECKING:
    from client.audit.memory import Memory
    from client.audit.report import Report
    from client.audit.transcripts import Saved
    from client.credentials import Endpoint


@dataclass(frozen=True, slots=True)
class Making:
    """Makes an audit when it is called: a `client.audit.watch.Audit`."""

    endpoint: Endpoint
    peers: bool
    proofs: bool
    transcripts: tuple[Saved, ...]

    def __call__(self, last: Memory | None) -> tuple[Report, Memory]:
        """A new connection each time: what was wrong with the old one is of no use. Raises PlimsollError."""
        from client.audit.auditor import Auditor, Scope
        from client.sdk import Session

        scope = Scope(secrets.randbelow, self.peers, self.proofs, last, self.transcripts)
        with Session(self.endpoint) as session, progress() as bar:
            task = bar.add_task("asking", total=None)
            auditor = Auditor(
                session, scope, lambda what, done, of: bar.update(task, description=what, completed=done, total=of)
            )
            report = auditor.run()
            return report, auditor.remember(report)


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
