"""Writes resharing.json: key epochs one after the other, with all that is secret, for any second implementation.

    python -m tests.vectors.generate_resharing

Made like ceremony.json, with plain integers. Nobody may use these secrets. Of each case:

consortium: its id. members: everybody whose log is in it, and none beside. logs, void: as in ceremony.json.
epochs: of each key epoch that a manifest begins, in order: epoch, dealt_from (0 at the founding), manifest, custodians
and threshold; of those that are final also the keys of ceremony.json from attempt to secret_shares, where qualified
are indices of dealers, dropped and all else of receivers. final: whether it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from tests.ledger.rfc9496 import L
from tests.vectors.generate_ceremony import (
    CONSORTIUM,
    FOLDER,
    GIVEN_UP,
    MANIFEST,
    Attempt,
    Logs,
    listed_twice,
)
from tests.vectors.generate_group_crypto import Part


class Resharing(Attempt):
    """Attempt `number` of an epoch whose receivers are these members; dealt from `source`, of these dealers."""

    def __init__(
        self,
        source: Attempt,
        qualified: Sequence[int],
        receivers: Sequence[int],
        threshold: int,
        epoch: int,
        number: int = 1,
    ) -> None:
        self.source, self.source_qualified = source, qualified
        manifest = sha256(f"plimsoll test vectors: manifest of epoch {epoch}".encode()).digest()
        super().__init__(source.logs, number, manifest, epoch)
        self.dealers, self.receivers, self.threshold = source.receivers, list(receivers), threshold
        self.begin()
        self.others: dict[int, int] = {}

    def begin(self) -> None:
        super().begin()
        self.name = f"{self.logs.name} epoch {self.epoch} attempt {self.number}"

    def constant(self, i: int, c: int) -> int:
        """Dealer i's share; or another's, of whom it is to deal."""
        return self.source.share(self.source_qualified, c, self.others.get(i, i))

    def weight(self, dealer: int, qualified: Sequence[int]) -> int:
        weight = 1
        for other in qualified:
            if other != dealer:
                weight = weight * other * pow(other - dealer, -1, L) % L
        return weight

    def domain_and_rest(self, parts: list[Part]) -> list[Part]:
        _, before = self.source.public(self.source_qualified)
        return ["plimsoll/v1/resharing-transcript", *parts, self.source.epoch, *listed_twice(before)]

    def all_ready(self) -> Resharing:
        for j in self.indices:
            self.ready(j)
        return self


def epoch_of(attempt: Attempt, *result: Sequence[int] | bytes) -> dict[str, Any]:
    """result: close, qualified and dropped, where it is final."""
    names = attempt.logs.custodians
    return {
        "epoch": attempt.epoch,
        "dealt_from": attempt.source.epoch if isinstance(attempt, Resharing) else 0,
        "manifest": attempt.manifest.hex(),
        "custodians": [names[member - 1] for member in attempt.receivers],
        "threshold": attempt.threshold,
        "final": bool(result),
        **(attempt.result(*result) if result else {}),  # type: ignore[arg-type]
    }


def case_of(what: str, logs: Logs, *epochs: dict[str, Any]) -> dict[str, Any]:
    return {
        "case": what,
        "consortium": CONSORTIUM.hex(),
        "members": logs.custodians,
        "logs": logs.encoded(),
        "void": logs.void,
        "epochs": list(epochs),
    }


def founded(name: str, members: int, custodians: int, threshold: int) -> tuple[Attempt, dict[str, Any]]:
    """All deal, and all confirm."""
    logs = Logs(name, members, threshold)
    first = Attempt(logs, 1, MANIFEST)
    first.dealers = first.receivers = list(range(1, custodians + 1))
    first.begin()
    for j in first.indices:
        first.ready(j)
    for i in first.indices:
        first.deal(i)
    close = first.close(1, first.indices)
    first.confirm(*first.indices, close=close, transcript=first.transcript(close, first.indices, ()))
    return first, epoch_of(first, close, list(first.indices), ())


def replaced() -> dict[str, Any]:
    first, founding = founded("replaced", 4, 3, 2)
    second = Resharing(first, first.indices, (4, 2, 1), 2, epoch=2).all_ready()
    for i in (2, 3, 1):
        second.deal(i)
    close = second.close(1, (1, 2, 3))
    second.confirm(3, 1, 2, close=close, transcript=second.transcript(close, (1, 2, 3), ()))
    third = Resharing(second, (1, 2, 3), (1, 2, 3, 4), 3, epoch=3).all_ready()
    third.others = {2: 1}
    third.deal(1, bad=[2])
    third.deal(2, why_void="its constant terms are the share of dealer 1")
    third.deal(3, junk=[4])
    last = third.close(4, (1, 3))
    complaints = [third.complain(2, 1, last), third.complain(4, 3, last)]
    reveals = [third.reveal(1, complaints[0], 2), third.reveal(3, complaints[1], 4)]
    right = third.transcript(last, (1, 3), ())
    third.confirm(1, 2, 3, 4, close=last, complaints=complaints, reveals=reveals, transcript=right)
    return case_of(
        "member 4 takes the place of 3, with other indices; then all four hold shares, three of which are needed",
        first.logs,
        founding,
        epoch_of(second, close, (1, 2, 3), ()),
        epoch_of(third, last, (1, 3), ()),
    )


def lost() -> dict[str, Any]:
    first, founding = founded("lost", 5, 5, 3)
    spoilt = Resharing(first, first.indices, (1, 2, 3, 4, 5), 3, epoch=2).all_ready()
    for i in (1, 2, 4, 5):
        spoilt.deal(i)
    for j in (2, 4):
        spoilt.confirm(j, close=bytes(32), transcript=GIVEN_UP, why_void="its author confirms no transcript")
    second = Resharing(first, first.indices, (1, 2, 3, 4, 5), 3, epoch=2, number=2).all_ready()
    for i in (5, 4, 2, 1):
        second.deal(i)
    close = second.close(2, (1, 2, 4, 5))
    complaints = [second.complain(5, dealer, close) for dealer in (1, 2, 4)]
    right = second.transcript(close, (1, 2, 4, 5), (5,))
    second.confirm(5, close=close, transcript=right, why_void="its author complained of t dealings")
    second.confirm(1, 2, 3, 4, close=close, complaints=complaints, transcript=right)
    return case_of(
        "custodian 3 has lost its share; the first attempt fails; custodian 5 complains of t dealers and is dropped",
        first.logs,
        founding,
        epoch_of(second, close, (1, 2, 4, 5), (5,)),
    )


def left_behind() -> dict[str, Any]:
    first, founding = founded("left behind", 4, 3, 2)
    second = Resharing(first, first.indices, (1, 2, 3, 4), 3, epoch=2)
    for j in (1, 2, 3):
        second.ready(j)
    third = Resharing(first, first.indices, (2, 3), 2, epoch=3).all_ready()
    for i in (1, 3):
        third.deal(i)
    close = third.close(1, (1, 3))
    third.confirm(1, 2, close=close, transcript=third.transcript(close, (1, 3), ()))
    return case_of(
        "member 4 never gets ready for epoch 2; epoch 3 is dealt from 1, by two of its three custodians",
        first.logs,
        founding,
        epoch_of(second),
        epoch_of(third, close, (1, 3), ()),
    )


def resharing() -> dict[str, Any]:
    """The whole file."""
    return {
        "source": "python -m tests.vectors.generate_resharing",
        "cases": [replaced(), lost(), left_behind()],
    }


if __name__ == "__main__":
    text = json.dumps(resharing(), indent=1) + "\n"
    (FOLDER / "resharing.json").write_text(text, encoding="utf-8")
