"""Members that have signed two histories, by the evidence in the logs (docs/protocol.md, section 18).

A fork is a finding until the members have dealt with it: a manifest that ends the log fixes how much of it counts. It
is told for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from client.audit.judging.accusations import Accusation
from client.audit.judging.witnesses import conflict, is_witnessed
from client.audit.reading.one_log import OneLog
from client.audit.report import Finding
from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.errors import Unverified


def mark(logs: Sequence[OneLog]) -> None:
    """Tells every log which evidence against it some log has."""
    for log in logs:
        found = (other.tally.accusations.valid.get(log.key.name) for other in logs)
        log.accused = tuple(accusation for accusation in found if accusation is not None)


def frozen(logs: Iterable[OneLog]) -> list[dict[str, Any]]:
    """What is told of the logs that are frozen. sizes: of the two heads."""
    return [
        {
            "member": log.member,
            "origin": log.key.name,
            "sizes": _sizes(log.accused[0]),
            "evidence": [{"member": each.teller, "index": each.index} for each in log.accused],
            "settled": log.is_settled,
        }
        for log in logs
        if log.accused
    ]


def findings(logs: Iterable[OneLog], history: History) -> Iterator[Finding]:
    """Whoever has forked and is still there, whoever helped, and whoever accuses without a proof."""
    for log in logs:
        for index, error in log.tally.accusations.void:
            yield Finding(log.member, index, error.reason, f"this evidence proves nothing: {error.message}")
        if log.accused and not log.is_settled:
            yield Finding.because(log.member, None, Unverified("FORK", _told(log.accused[0])))
        for accusation in log.accused:
            message = accusation.evidence.message
            if is_witnessed(message.known, history) and is_witnessed(message.conflicting, history):
                yield Finding.because(log.member, None, conflict(message.known, message.conflicting, history))
                break


def _told(accusation: Accusation) -> str:
    sizes = " and ".join(map(str, _sizes(accusation)))
    where = f"the evidence is entry {accusation.index} of {accusation.teller}"
    return f"{log_name(accusation.evidence.origin)} has two histories, in heads of sizes {sizes}: {where}"


def _sizes(accusation: Accusation) -> list[int]:
    return [accusation.evidence.known.head.size, accusation.evidence.conflicting.head.size]
