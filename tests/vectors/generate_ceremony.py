"""Writes ceremony.json: whole key ceremonies with all that is secret in them, for this and any second implementation.

    python -m tests.vectors.generate_ceremony

Made from docs/protocol.md (section 5) and RFC 9180 with plain integers, without the ledger's code. The same run gives
the same bytes: secrets are those of generate_group_crypto, and HPKE's ephemeral keys are made of them too. Nobody may
use them. Byte strings are hex but where it says base64. Of each case:

consortium, manifest, epoch, custodians, threshold: what the ceremony is for; custodian j is the j-th.
logs: every entry of each custodian's log, base64. void: those that never count, and why.
attempt, ceremony: the attempt that becomes final, and its id. readies_digest, close, qualified, dropped, transcript:
its outcome; close is a leaf hash, the two lists are indices. hpke_private_keys: behind each custodian's Ready in it.
public_keys: coordinates 0 to 7. public_shares, secret_shares: the same per custodian.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from plimsoll.v1 import entry_pb2

from tests.ledger.ceremony import rfc9180
from tests.ledger.rfc9496 import L
from tests.vectors.generate_group_crypto import Part, frame, scalar, secret, times, to_scalar, wide

FOLDER = Path(__file__).parent
CONSORTIUM = sha256(b"plimsoll test vectors: consortium").digest()
MANIFEST = sha256(b"plimsoll test vectors: manifest").digest()
EPOCH = 1
COORDINATES = range(8)
START = 1_700_000_000
GIVEN_UP = bytes(32)


def digest(*parts: Part) -> bytes:
    return sha256(frame(*parts)).digest()


def listed(items: Sequence[Part]) -> list[Part]:
    return [len(items), *items]


def listed_twice(rows: Sequence[Sequence[Part]]) -> list[Part]:
    return [len(rows), *(part for row in rows for part in listed(row))]


def value(polynomial: Sequence[int], at: int) -> int:
    return sum(coefficient * at**k for k, coefficient in enumerate(polynomial))


class Logs:
    """What the custodians 1 .. n of one case append, in the order in which it happened."""

    def __init__(self, name: str, size: int, threshold: int) -> None:
        self.name, self.size, self.threshold = name, size, threshold
        self.everybody = range(1, size + 1)
        self.custodians = [f"custodian-{i}" for i in self.everybody]
        self.entries: dict[int, list[bytes]] = {i: [] for i in self.everybody}
        self.void: list[dict[str, Any]] = []
        self.time = START

    def append(self, author: int, why_void: str = "", **kind: Any) -> bytes:
        """Gives the leaf hash."""
        self.time += 1
        raw = entry_pb2.Entry(time=self.time, **kind).SerializeToString(deterministic=True)
        if why_void:
            index = len(self.entries[author])
            self.void.append({"custodian": self.custodians[author - 1], "index": index, "why": why_void})
        self.entries[author].append(raw)
        return sha256(b"\x00" + raw).digest()

    def encoded(self) -> dict[str, list[str]]:
        """Every entry, base64, by whose log it is in."""
        logs = {name: self.entries[i] for i, name in enumerate(self.custodians, 1)}
        return {name: [base64.b64encode(raw).decode() for raw in raws] for name, raws in logs.items()}


class Attempt:
    """One attempt in these logs. Every method appends one entry, of the dealer or receiver with the index given."""

    def __init__(self, logs: Logs, number: int, manifest: bytes = MANIFEST, epoch: int = EPOCH) -> None:
        self.logs, self.number, self.epoch, self.manifest = logs, number, epoch, manifest
        self.id = digest("plimsoll/v1/ceremony", CONSORTIUM, manifest, epoch, number)
        # At the founding custodian i is the i-th member, and both dealer i and receiver i.
        self.dealers = self.receivers = list(logs.everybody)
        self.threshold = logs.threshold
        self.begin()

    def begin(self) -> None:
        self.name = f"{self.logs.name} {self.number}"
        self.private = {j: wide(f"{self.name} ready {j}")[:32] for j in self.indices}
        self.readies: dict[int, bytes] = {}
        self.polynomials: dict[int, list[list[int]]] = {}
        self.commitments: dict[int, list[list[bytes]]] = {}
        self.dealings: dict[int, bytes] = {}
        self.known: dict[tuple[int, ...], tuple[list[bytes], list[list[bytes]]]] = {}

    @property
    def indices(self) -> range:
        """Of the receivers."""
        return range(1, len(self.receivers) + 1)

    def append_as_dealer(self, i: int, why_void: str = "", **kind: Any) -> bytes:
        return self.logs.append(self.dealers[i - 1], why_void, **kind)

    def append(self, j: int, why_void: str = "", **kind: Any) -> bytes:
        return self.logs.append(self.receivers[j - 1], why_void, **kind)

    def ready(self, j: int) -> None:
        message = entry_pb2.Ready(ceremony=self.id, hpke_key=rfc9180.public(self.private[j]))
        self.readies[j] = self.append(j, ready=message)

    def constant(self, i: int, c: int) -> int:
        """The constant term of a dealer's polynomial."""
        return secret(f"{self.name} dealer {i} coefficient {c} 0")

    def bundle(self, i: int, j: int) -> bytes:
        return b"".join(scalar(value(polynomial, j)) for polynomial in self.polynomials[i])

    def deal(self, i: int, bad: Collection[int] = (), junk: Collection[int] = (), why_void: str = "") -> None:
        """bad: who is sealed a share off the polynomials. junk: who is sent what does not open."""
        name = f"{self.name} dealer {i}"
        polynomials = [
            [self.constant(i, c), *(secret(f"{name} coefficient {c} {k}") for k in range(1, self.threshold))]
            for c in COORDINATES
        ]
        commitments = [[times(coefficient) for coefficient in polynomial] for polynomial in polynomials]
        bound = digest("plimsoll/v1/commitments", self.id, i, *listed([p for row in commitments for p in row]))
        self.polynomials[i], self.commitments[i] = polynomials, commitments
        sealed = []
        for j in self.indices:
            plain = self.bundle(i, j) if j not in bad else scalar(1) * len(COORDINATES)
            info = frame("plimsoll/v1/share", self.id, i, j, bound)
            ephemeral = wide(f"{name} to {j}")[:32]
            one = rfc9180.seal(rfc9180.public(self.private[j]), info, plain, ephemeral)
            sealed.append(one if j not in junk else bytes(len(one)))
        proofs = [self.possession(i, c, polynomials[c][0]) for c in COORDINATES]
        if "possession" in why_void:
            proofs = proofs[::-1]
        coordinates = [
            entry_pb2.Coordinate(commitments=row, possession=proof)
            for row, proof in zip(commitments, proofs, strict=True)
        ]
        message = entry_pb2.Dealing(
            ceremony=self.id, readies_digest=self.readies_digest(), coordinates=coordinates, sealed_shares=sealed
        )
        self.dealings[i] = self.append_as_dealer(i, why_void, dealing=message)

    def readies_digest(self) -> bytes:
        return digest("plimsoll/v1/readies", self.id, *listed([self.readies[j] for j in self.indices]))

    def possession(self, i: int, c: int, a0: int) -> bytes:
        u = secret(f"{self.name} dealer {i} possession {c}")
        challenge = to_scalar("plimsoll/v1/possession", self.id, i, c, times(a0), times(u))
        return scalar(challenge) + scalar(u - challenge * a0)

    def close(self, i: int, dealers: Sequence[int]) -> bytes:
        message = entry_pb2.Close(ceremony=self.id, dealings=[self.dealings[d] for d in dealers])
        return self.append(i, close=message)

    def complain(self, i: int, dealer: int, close: bytes) -> bytes:
        """Gives the complaint's id."""
        message = entry_pb2.Complaint(ceremony=self.id, close=close, dealing=self.dealings[dealer])
        return digest("plimsoll/v1/complaint", self.id, i, self.append(i, complaint=message))

    def reveal(self, dealer: int, complaint: bytes, to: int) -> bytes:
        shares = [scalar(value(polynomial, to)) for polynomial in self.polynomials[dealer]]
        message = entry_pb2.Reveal(ceremony=self.id, complaint=complaint, shares=shares)
        return self.append_as_dealer(dealer, reveal=message)

    def confirm(
        self,
        *authors: int,
        close: bytes,
        transcript: bytes,
        complaints: Sequence[bytes] = (),
        reveals: Sequence[bytes] = (),
        why_void: str = "",
    ) -> None:
        for i in authors:
            message = entry_pb2.Confirmation(
                ceremony=self.id,
                close=close,
                complaints=sorted(complaints),
                reveals=sorted(reveals),
                transcript=transcript,
            )
            self.append(i, why_void, confirmation=message)

    def public(self, qualified: Sequence[int]) -> tuple[list[bytes], list[list[bytes]]]:
        """The keys, and each custodian's public shares."""
        chosen = tuple(qualified)
        if chosen not in self.known:
            keys, *shares = ([times(self.share(chosen, c, j)) for c in COORDINATES] for j in (0, *self.indices))
            self.known[chosen] = keys, shares
        return self.known[chosen]

    def weight(self, dealer: int, qualified: Sequence[int]) -> int:
        return 1

    def share(self, qualified: Sequence[int], c: int, j: int) -> int:
        return sum(self.weight(d, qualified) * value(self.polynomials[d][c], j) for d in qualified) % L

    def transcript(self, close: bytes, qualified: Sequence[int], dropped: Sequence[int]) -> bytes:
        keys, shares = self.public(qualified)
        parts = [self.id, close, *listed([self.dealings[d] for d in qualified]), *listed(dropped), *listed(keys)]
        return digest(*self.domain_and_rest([*parts, *listed_twice(shares)]))

    def domain_and_rest(self, parts: list[Part]) -> list[Part]:
        return ["plimsoll/v1/ceremony-transcript", *parts]

    def case(self, what: str, close: bytes, qualified: Sequence[int], dropped: Sequence[int] = ()) -> dict[str, Any]:
        logs = self.logs
        return {
            "case": what,
            "consortium": CONSORTIUM.hex(),
            "manifest": self.manifest.hex(),
            "epoch": self.epoch,
            "custodians": logs.custodians,
            "threshold": logs.threshold,
            "logs": logs.encoded(),
            "void": logs.void,
            **self.result(close, qualified, dropped),
        }

    def result(self, close: bytes, qualified: Sequence[int], dropped: Sequence[int]) -> dict[str, Any]:
        keys, shares = self.public(qualified)
        return {
            "attempt": self.number,
            "ceremony": self.id.hex(),
            "readies_digest": self.readies_digest().hex(),
            "hpke_private_keys": [self.private[j].hex() for j in self.indices],
            "close": close.hex(),
            "qualified": list(qualified),
            "dropped": list(dropped),
            "transcript": self.transcript(close, qualified, dropped).hex(),
            "public_keys": [key.hex() for key in keys],
            "public_shares": [[point.hex() for point in share] for share in shares],
            "secret_shares": [[scalar(self.share(qualified, c, j)).hex() for c in COORDINATES] for j in self.indices],
        }


def begun(name: str, size: int, threshold: int) -> Attempt:
    attempt = Attempt(Logs(name, size, threshold), 1)
    for i in attempt.logs.everybody:
        attempt.ready(i)
    return attempt


def plain() -> dict[str, Any]:
    attempt = begun("plain", 3, 2)
    for i in (3, 1, 2):
        attempt.deal(i)
    close = attempt.close(1, (1, 2, 3))
    attempt.confirm(2, 1, 3, close=close, transcript=attempt.transcript(close, (1, 2, 3), ()))
    return attempt.case("nothing goes wrong", close, (1, 2, 3))


def disputed() -> dict[str, Any]:
    attempt = begun("disputed", 5, 3)
    attempt.deal(1)
    attempt.deal(2, bad=[4])
    attempt.deal(3, why_void="the proofs of possession are those of other coordinates")
    attempt.deal(4)
    attempt.deal(5, junk=[1])
    close = attempt.close(2, (1, 2, 4, 5))
    answered, unanswered = attempt.complain(4, 2, close), attempt.complain(1, 5, close)
    reveal = attempt.reveal(2, answered, 4)
    right = attempt.transcript(close, (1, 2, 4), ())
    lists: dict[str, Any] = {"close": close, "complaints": [answered, unanswered], "reveals": [reveal]}
    attempt.confirm(1, 2, transcript=right, **lists)
    # Without the answered complaint the same dealings qualify.
    attempt.confirm(3, close=close, complaints=[unanswered], transcript=right)
    attempt.confirm(5, transcript=sha256(b"another").digest(), why_void="another transcript", **lists)
    attempt.confirm(4, transcript=right, **lists)
    return attempt.case(
        "dealer 3 proves nothing; dealer 2 opens the share it sent wrongly to 4; dealer 5 does not answer 1",
        close,
        (1, 2, 4),
    )


def dropped() -> dict[str, Any]:
    attempt = begun("dropped", 5, 3)
    for i in attempt.logs.everybody:
        attempt.deal(i)
    close = attempt.close(1, (1, 2, 3, 4, 5))
    complaints = [attempt.complain(4, dealer, close) for dealer in (1, 3, 5)]
    right = attempt.transcript(close, (1, 2, 3, 4, 5), (4,))
    attempt.confirm(4, close=close, transcript=right, why_void="its author complained of t dealings")
    attempt.confirm(1, 2, 3, 5, close=close, complaints=complaints, transcript=right)
    return attempt.case("custodian 4 complains of t dealers and is dropped", close, (1, 2, 3, 4, 5), (4,))


def second_attempt() -> dict[str, Any]:
    first = begun("second attempt", 2, 2)
    first.deal(1)
    first.confirm(2, close=bytes(32), transcript=GIVEN_UP, why_void="its author confirms no transcript")
    attempt = Attempt(first.logs, 2)
    for i in (2, 1):
        attempt.ready(i)
    for i in (1, 2):
        attempt.deal(i)
    close = attempt.close(2, (1, 2))
    attempt.confirm(1, 2, close=close, transcript=attempt.transcript(close, (1, 2), ()))
    return attempt.case("custodian 2 gives the first attempt up", close, (1, 2))


def ceremony() -> dict[str, Any]:
    """The whole file."""
    return {
        "source": "python -m tests.vectors.generate_ceremony",
        "cases": [plain(), disputed(), dropped(), second_attempt()],
    }


if __name__ == "__main__":
    text = json.dumps(ceremony(), indent=1) + "\n"
    (FOLDER / "ceremony.json").write_text(text, encoding="utf-8")
