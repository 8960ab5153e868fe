"""Writes query.json: two whole queries, from the members' logs to transcripts (protocol sections 6 to 13).

    python -m tests.vectors.generate_query

Made by the ledger's own code out of fixed seeds; the second implementation in tests/second, which has none of it, comes
to the same. The manifest is taken over from the file if there is one, as CA certificates cannot be made twice alike;
all else is written anew, and the same run gives the same bytes. Every key here is known to all: nobody may use it.

Lender 6 publishes a record whose proof fails, lender 2 one of the future, lender 5 closes its position. The asker,
lender 1, asks twice: its first answer is released; then lender 4's loan is closed, so that the second would give lender
4's figures away.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from plimsoll.v1 import peer_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.consortium.history import History
from ledger.consortium.manifest import parse_manifest
from ledger.crypto import group, oprf
from ledger.positions.classification import Classification
from ledger.positions.position_entry import PositionEntry
from ledger.queries.answer import Answer
from ledger.queries.custodian import Custodian
from ledger.queries.exposure import LogAge, expose
from ledger.queries.findings import Examiner
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.tlog.note import Signer
from tests.ledger.dishonest import with_ciphertext
from tests.ledger.sample_consortium import (
    CONSENT,
    POLICY,
    START,
    TODAY,
    Ceremony,
    Consortium,
    MemoryLog,
    deal,
    loan,
    small_table,
)
from tests.lenders import lender, manifest_text, seeded

FILE = Path(__file__).parent / "query.json"
MEMBERS = 6
BORROWER = "test:000009"
ASKER = "lender-1"


class Oracle(Consortium):
    """Pseudonym keys come from the OPRF key, which here is in one hand."""

    def pseudonym_key(self, borrower: str) -> bytes:
        message = borrower.encode()
        evaluated = group.mul(self.ceremony.secrets[0], oprf.hash_to_group(message))
        return oprf.finalize(message, group.ONE, evaluated)


def found() -> Oracle:
    kept = json.loads(FILE.read_text("utf-8"))["manifest"] if FILE.exists() else manifest_text(MEMBERS, policy=POLICY)
    manifest = parse_manifest(kept)
    rng = seeded("query vectors")
    names = [member.name for member in manifest.members]
    seeds = {name: lender(number).keyring.log_seed for number, name in enumerate(names, 1)}
    logs = {name: MemoryLog(Signer.from_seed(manifest.origin(name), seeds[name])) for name in names}
    ceremony = deal(MEMBERS, manifest.threshold, rng)
    history = History([manifest])
    custodians = {share.index: Custodian(history, ceremony.public, share, logs, rng) for share in ceremony.shares}
    examiners = {name: Examiner(history, ceremony.public) for name in names}
    return Oracle(history, ceremony, logs, custodians, examiners, rng)


def lend(consortium: Consortium) -> None:
    """What everybody has published before the first inquiry."""
    consortium.report("lender-1", BORROWER, loan(1_234))
    consortium.report("lender-1", "test:000010", loan(77))
    consortium.report("lender-2", BORROWER, loan(20_000, classification=Classification.DOUBTFUL, overdue=1_500))
    consortium.report("lender-2", BORROWER, loan(21_000, as_of=TODAY + 3))
    consortium.report("lender-3", "test:000010", loan(5))
    consortium.report("lender-3", BORROWER, loan(100), loan(200, loan_id="L2"))
    consortium.report("lender-3", BORROWER, loan(100), loan(250, loan_id="L2"))
    consortium.report("lender-4", BORROWER, loan(4_000))
    consortium.report("lender-5", BORROWER, loan(9))
    consortium.report("lender-5", BORROWER, loan(9, open=False))
    consortium.report("lender-6", BORROWER, loan(60_000))
    entry = consortium.position_entry("lender-6", BORROWER, loan(70_000))
    ciphertext = PositionEntry.parse(entry).ciphertext
    assert ciphertext is not None
    spoiled = replace(ciphertext, bodies=(*ciphertext.bodies[:6], group.add(ciphertext.bodies[6], group.BASE)))
    consortium.logs["lender-6"].append(with_ciphertext(entry, spoiled))


def ask(consortium: Consortium) -> tuple[Answer, dict[str, Any]]:
    """One query, answered by custodians 2, 4, 5 and 6."""
    query, request = consortium.begin(ASKER, BORROWER)
    responses: dict[int, peer_pb2.DecryptResponse] = {}
    for index in (2, 4, 5, 6):
        responses[index] = consortium.answer(index, ASKER, request)
        assert query.accept(index, responses[index])
    answer = query.finish(small_table())
    return answer, {
        "number": answer.findings.number,
        "index": answer.asked.index,
        "request": request.SerializeToString(deterministic=True).hex(),
        "responses": {str(index): one.SerializeToString(deterministic=True).hex() for index, one in responses.items()},
        "records": [[one.member, one.number, one.index] for one in answer.findings.selection.contributions],
        "excluded": [[one.member, one.reason, one.index] for one in answer.findings.selection.exclusions],
        "withheld": answer.findings.withheld,
        "full": Transcript.of(answer, FULL).encode().decode(),
        "redacted": Transcript.of(answer, REDACTED).encode().decode(),
        "exposure": exposure(consortium, answer),
    }


def exposure(consortium: Consortium, answer: Answer) -> dict[str, Any]:
    """What the asker is told, less the ages of logs."""
    told = expose(answer, BORROWER, [LogAge(name, log.size, 0, 0) for name, log in consortium.logs.items()])
    amounts = told.amounts
    return {
        "amounts": amounts
        and {
            "credit_limit": amounts.credit_limit,
            "outstanding": amounts.outstanding,
            "monthly_due": amounts.monthly_due,
        },
        "withheld": told.withheld,
        "accounts": told.accounts,
        "lenders": told.lenders,
        "includes_own": told.includes_own,
        "classes": dict(told.classes),
        "bands": dict(told.bands),
        "overdue_bands": dict(told.overdue_bands),
        "inquiries": [[one.member, one.purpose, one.days_30, one.days_90] for one in told.inquiries],
        "implausible": list(told.implausible),
    }


def keys_json(ceremony: Ceremony) -> dict[str, Any]:
    return {
        "secret": [secret.hex() for secret in ceremony.secrets],
        "public": [point.hex() for point in ceremony.public],
        "custodians": [
            {"secret": [scalar.hex() for scalar in shares], "public": [point.hex() for point in public]}
            for shares, public in zip(ceremony.shares, ceremony.public.custodians, strict=True)
        ],
    }


def vectors() -> dict[str, Any]:
    consortium = found()
    lend(consortium)
    first = ask(consortium)[1]
    consortium.now += 3600
    consortium.report("lender-4", BORROWER, loan(4_000, open=False))
    second = ask(consortium)[1]
    keys = BorrowerKeys.from_pseudonym_key(consortium.pseudonym_key(BORROWER))
    return {
        "manifest": consortium.manifest.text,
        "consortium": consortium.manifest.consortium.hex(),
        "members": [member.name for member in consortium.manifest.members],
        "threshold": consortium.manifest.threshold,
        "epoch": 1,
        "time": START,
        "keys": keys_json(consortium.ceremony),
        "borrower": BORROWER,
        "pseudonym_key": consortium.pseudonym_key(BORROWER).hex(),
        "query_key": keys.query.query_key.hex(),
        "consent": {"salt": bytes(32).hex(), "document": b"I agree".hex(), "digest": CONSENT.hex()},
        "asker": ASKER,
        "logs": {name: [entry.hex() for entry in log.entries] for name, log in consortium.logs.items()},
        "queries": [first, second],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
