"""Writes changes.json: queries over changes of the manifest, frozen logs and logs that have ended (sections 8 to 13).

    python -m tests.vectors.generate_changes

It goes on where query.json begins: the same founding manifest, keys and lenders, so the same run gives the same bytes.
All six lenders are custodians at first, of whom four are needed. Lender 1 asks every time.

1. Lenders 2, 3 and 4 contribute: released.
2. Lender 4 goes over to its next log; its former one ends before its last position: that was counted, so FROZEN.
3. After the window lender 1 has gone over to its next log, too, and lender 6 is gone; lenders 2 to 5 are the custodians
   of key epoch 2, of whom three are needed. Lender 4 has a position in its next log: released.
4. Lender 3 has forked; its log counts as witnessed, ahead of its last position, about which nobody has asked, but with
   which lender 5 closed its own: DIFFERENCING.
5. Conflicting heads of lender 3's log have been witnessed.

`logs` are what everybody holds at the end, `sizes` how much of each there was at a query, by the log's name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.queries.inquiry import DAY
from ledger.queries.transcript import FULL, REDACTED, Transcript
from tests.ledger.changing import freeze, reshare, succeed
from tests.ledger.sample_consortium import Ceremony, loan, small_table
from tests.vectors.generate_query import BORROWER, Oracle, found, keys_json

FILE = Path(__file__).parent / "changes.json"
ASKER = "lender-1"


@dataclass
class Tale:
    """Everything that happens, and what is written down of it."""

    consortium: Oracle

    def ask(self, custodians: tuple[int, ...]) -> dict[str, Any]:
        consortium = self.consortium
        consortium.now += 60
        query, request = consortium.begin(ASKER, BORROWER)
        responses = {index: consortium.answer(index, ASKER, request) for index in custodians}
        for index, response in responses.items():
            assert query.accept(index, response)
        answer = query.finish(small_table())
        return {
            "manifest": consortium.history.manifests.index(consortium.manifest),
            "epoch": answer.epoch,
            "sizes": {name: log.size for name, log in consortium.logs.items()},
            "number": answer.findings.number,
            "index": answer.asked.index,
            "request": request.SerializeToString(deterministic=True).hex(),
            "responses": {str(j): one.SerializeToString(deterministic=True).hex() for j, one in responses.items()},
            "records": [[one.member, one.number, one.index] for one in answer.findings.selection.contributions],
            "excluded": [[one.member, one.reason, one.index] for one in answer.findings.selection.exclusions],
            "withheld": answer.findings.withheld,
            "full": Transcript.of(answer, FULL).encode().decode(),
            "redacted": Transcript.of(answer, REDACTED).encode().decode(),
        }


def happen() -> tuple[Oracle, list[Ceremony], list[dict[str, Any]]]:
    """The consortium at the end, the keys of each epoch, and the queries."""
    consortium = found()
    tale = Tale(consortium)
    for number in (2, 3, 4):
        consortium.report(f"lender-{number}", BORROWER, loan(1_000 * number))
    size = consortium.log("lender-4").size
    consortium.report("lender-4", BORROWER, loan(40))
    queries = [tale.ask((1, 2, 3, 4))]
    succeed(consortium, rotate={"lender-4": size})
    queries.append(tale.ask((2, 3, 5, 6)))
    consortium.now += 91 * DAY
    keepers = ("lender-2", "lender-3", "lender-4", "lender-5")
    succeed(consortium, rotate={ASKER: consortium.log(ASKER).size}, leave=["lender-6"], custodians=keepers)
    ceremonies = [reshare(consortium), consortium.ceremony]
    consortium.report("lender-4", BORROWER, loan(44))
    consortium.report("lender-5", BORROWER, loan(5_000))
    queries.append(tale.ask((1, 2, 4)))
    witnessed = consortium.log("lender-3").size
    consortium.report("lender-3", BORROWER, loan(3_333))
    consortium.report("lender-5", BORROWER, loan(1, open=False))
    freeze(consortium, "lender-3", witnessed)
    queries.append(tale.ask((1, 3, 4)))
    consortium.freezing.conflicts.add(consortium.manifest.origin("lender-3"))  # type: ignore[attr-defined]
    queries.append(tale.ask((2, 3, 4)))
    return consortium, ceremonies, queries


def vectors() -> dict[str, Any]:
    consortium, ceremonies, queries = happen()
    return {
        "manifests": [manifest.text for manifest in consortium.history.manifests],
        "keys": [{"epoch": one.public.epoch, **keys_json(one)} for one in ceremonies],
        "asker": ASKER,
        "query_key": consortium.borrower(BORROWER).query.query_key.hex(),
        "logs": {name: [entry.hex() for entry in log.entries] for name, log in consortium.logs.items()},
        "queries": queries,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
