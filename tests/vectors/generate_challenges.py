"""Writes challenges.json: queries over challenged records (protocol sections 8 to 13 and 19).

    python -m tests.vectors.generate_challenges

The founding manifest, keys and lenders are those of query.json, so the same run gives the same bytes. Lender 1 asks
every time; four of six custodians are needed.

1. Lenders 2, 3 and 4 contribute, and lender 5 with a negative amount: released, and implausible.
2. A day after these challenges were witnessed: lender 1 challenges lender 5, which shows a proof of another record;
   lender 5 challenges lender 2, which answers well, and lender 3, which does not; lender 6 challenges lender 4, and 256
   times nothing. Lenders 3 and 5 are left out; released.
3. Lender 3 has answered: it is added up again, and would be told by the difference.
4. Lender 1 has asked as if nothing were settled: lender 5 is added up, and released with it was 1 already.

`logs` are what everybody holds at the end, `sizes` how much of each there was at a query.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.challenges.challenge import Challenge
from ledger.challenges.challenged import MAX_COUNTED
from ledger.challenges.settling import NothingSettled
from ledger.queries.transcript import FULL, REDACTED, Transcript
from tests.ledger.sample_challenges import a_day_later, answer, challenge, lie, proof, watched
from tests.ledger.sample_consortium import loan, small_table
from tests.vectors.generate_query import BORROWER, Oracle, found, keys_json

FILE = Path(__file__).parent / "challenges.json"
ASKER = "lender-1"
CUSTODIANS = (1, 3, 4, 6)


@dataclass
class Tale:
    """Everything that happens, and what is written down of it."""

    consortium: Oracle
    queries: list[dict[str, Any]] = field(default_factory=list)

    def ask(self) -> None:
        consortium = self.consortium
        consortium.now += 60
        query, request = consortium.begin(ASKER, BORROWER)
        responses = {index: consortium.answer(index, ASKER, request) for index in CUSTODIANS}
        for index, response in responses.items():
            assert query.accept(index, response)
        said = query.finish(small_table())
        self.queries.append(
            {
                "sizes": {name: log.size for name, log in consortium.logs.items()},
                "number": said.findings.number,
                "index": said.asked.index,
                "settled": list(said.asked.inquiry.settled),
                "request": request.SerializeToString(deterministic=True).hex(),
                "responses": {str(j): one.SerializeToString(deterministic=True).hex() for j, one in responses.items()},
                "records": [[one.member, one.number, one.index] for one in said.findings.selection.contributions],
                "excluded": [[one.member, one.reason, one.index] for one in said.findings.selection.exclusions],
                "withheld": said.findings.withheld,
                "implausible": list(said.implausible),
                "full": Transcript.of(said, FULL).encode().decode(),
                "redacted": Transcript.of(said, REDACTED).encode().decode(),
            }
        )


def happen() -> Tale:
    """The consortium at the end, and the queries."""
    consortium = found()
    witnesses, tale = watched(consortium), Tale(consortium)
    for number in (2, 3, 4):
        consortium.report(f"lender-{number}", BORROWER, loan(1_000 * number))
    false = lie(consortium, "lender-5", BORROWER)
    other = consortium.report("lender-5", "test:000010", loan(7))
    tale.ask()
    challenge(consortium, ASKER, "lender-5", false)
    answer(consortium, "lender-5", false, proof(consortium, "lender-5", other))
    challenge(consortium, "lender-5", "lender-2", 0, time=1)
    challenge(consortium, "lender-5", "lender-3", 0)
    answer(consortium, "lender-2", 0)
    challenge(consortium, "lender-6", "lender-4", 0)
    for number in range(MAX_COUNTED):
        consortium.log("lender-6").append(Challenge(0, "n", number, bytes(32)).encode())
    witnesses.witness()
    a_day_later(consortium)
    tale.ask()
    answer(consortium, "lender-3", 0)
    tale.ask()
    consortium.settling = NothingSettled()
    tale.ask()
    return tale


def vectors() -> dict[str, Any]:
    tale = happen()
    consortium = tale.consortium
    return {
        "manifest": consortium.manifest.text,
        "epoch": 1,
        "keys": keys_json(consortium.ceremony),
        "asker": ASKER,
        "query_key": consortium.borrower(BORROWER).query.query_key.hex(),
        "logs": {name: [entry.hex() for entry in log.entries] for name, log in consortium.logs.items()},
        "queries": tale.queries,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
