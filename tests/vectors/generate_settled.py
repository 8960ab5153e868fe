"""Writes settled.json: which entries of custodians' logs count in key ceremonies, for any second implementation.

    python -m tests.vectors.generate_settled

Made like resharing.json. Of each case:

consortium, epochs: as in resharing.json; epochs without their keys. logs: of each member's logs, a member's first one
first: member, number (from 1), entries (base64), witnessed: the size of the largest witnessed head, and ended: null for
a log that is written, else size, as in the manifest, and last_epoch, which is that of the manifest before the one that
ended it. final: by epoch, the eight public keys of those that are final.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from plimsoll.v1 import entry_pb2

from tests.ledger.ceremony import rfc9180
from tests.vectors.generate_ceremony import CONSORTIUM, FOLDER, GIVEN_UP, Attempt
from tests.vectors.generate_group_crypto import wide
from tests.vectors.generate_resharing import Resharing, epoch_of, founded

ME = 2  # whose logs are out of the ordinary


def log(
    member: int, entries: list[bytes], witnessed: int | None = None, number: int = 1, **ended: int
) -> dict[str, Any]:
    """witnessed: all of it where None."""
    return {
        "member": f"custodian-{member}",
        "number": number,
        "entries": [base64.b64encode(raw).decode() for raw in entries],
        "witnessed": len(entries) if witnessed is None else witnessed,
        "ended": ended or None,
    }


def case_of(
    what: str, attempt: Attempt, epochs: list[dict[str, Any]], final: list[int], *mine: dict[str, Any]
) -> dict[str, Any]:
    """mine: in place of the log of member ME as it is."""
    others = [log(i, raws) for i, raws in attempt.logs.entries.items() if i != ME]
    keys = ("epoch", "dealt_from", "manifest", "custodians", "threshold")
    return {
        "case": what,
        "consortium": CONSORTIUM.hex(),
        "epochs": [{key: epoch[key] for key in keys} for epoch in epochs],
        "logs": [*others, *mine],
        "final": {str(epoch["epoch"]): epoch["public_keys"] for epoch in epochs if epoch["epoch"] in final},
    }


def giving_up(attempt: Attempt) -> bytes:
    confirmation = entry_pb2.Confirmation(ceremony=attempt.id, close=bytes(32), transcript=GIVEN_UP)
    return entry_pb2.Entry(time=1, confirmation=confirmation).SerializeToString(deterministic=True)


def other_ready(attempt: Attempt) -> bytes:
    ready = entry_pb2.Ready(ceremony=attempt.id, hpke_key=rfc9180.public(wide("another key")[:32]))
    return entry_pb2.Entry(time=1, ready=ready).SerializeToString(deterministic=True)


def at_the_founding() -> list[dict[str, Any]]:
    """All three must confirm; of five, four."""
    three, epoch = founded("three", 3, 3, 2)
    mine = three.logs.entries[ME]
    assert len(mine) == 3, "Ready, Dealing, Confirmation"
    five, wide_epoch = founded("five", 5, 5, 3)

    def case(what: str, final: bool, *logs: dict[str, Any]) -> dict[str, Any]:
        return case_of(what, three, [epoch], [1] if final else [], *logs)

    return [
        case("everything is witnessed", True, log(ME, mine)),
        case("one confirmation is not witnessed", False, log(ME, mine, 2)),
        case("nothing of one log is witnessed, though it is held", False, log(ME, mine, 0)),
        case_of("four of five confirmations are enough", five, [wide_epoch], [1], log(ME, five.logs.entries[ME], 2)),
        case_of(
            "a dealing that is not witnessed makes confirmations wait", five, [wide_epoch], [],
            log(ME, five.logs.entries[ME], 1),
        ),
        case("a log that has ended goes on in the next one", True, log(ME, mine[:1], size=1, last_epoch=1),
             log(ME, mine[1:], number=2)),
        case("what the manifest counts needs no witnesses", True, log(ME, mine, 0, size=3, last_epoch=1)),
        case("what is said behind the end goes before what is said in the next log, where it is witnessed", True,
             log(ME, mine, 3, size=1, last_epoch=1), log(ME, [giving_up(three)], number=2)),
        case("what is said behind the end is nothing, where it is not witnessed", False,
             log(ME, mine, 2, size=1, last_epoch=1), log(ME, [giving_up(three)], number=2)),
        case("what is not witnessed does not stand in the way of the next log", True,
             log(ME, [mine[0], giving_up(three)], 1, size=1, last_epoch=1), log(ME, mine[1:], number=2)),
    ]  # fmt: skip


def in_a_resharing() -> list[dict[str, Any]]:
    """Shares are dealt anew to the same three."""
    first, founding = founded("refreshed", 3, 3, 2)
    before = len(first.logs.entries[ME])
    second = Resharing(first, first.indices, (1, 2, 3), 2, epoch=2).all_ready()
    for i in first.indices:
        second.deal(i)
    close = second.close(1, (1, 2, 3))
    second.confirm(1, 2, 3, close=close, transcript=second.transcript(close, (1, 2, 3), ()))
    mine, behind = first.logs.entries[ME], other_ready(second)
    epochs = [founding, epoch_of(second, close, (1, 2, 3), ())]
    next_log = log(ME, mine[before:], number=2)

    def case(what: str, final: list[int], **ended: int) -> dict[str, Any]:
        return case_of(what, second, epochs, final, log(ME, [*mine[:before], behind], size=before, **ended), next_log)

    return [
        case("what stands behind the end counts in no ceremony that is begun later", [1, 2], last_epoch=1),
        case("the same, where the log ended when the ceremony had begun", [1], last_epoch=2),
    ]


def settled() -> dict[str, Any]:
    """The whole file."""
    return {"source": "python -m tests.vectors.generate_settled", "cases": [*at_the_founding(), *in_a_resharing()]}


if __name__ == "__main__":
    text = json.dumps(settled(), indent=1) + "\n"
    (FOLDER / "settled.json").write_text(text, encoding="utf-8")
