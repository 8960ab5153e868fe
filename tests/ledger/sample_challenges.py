"""Challenges in the consortium in memory: heads that members have witnessed, challenges, answers, and liars."""

from __future__ import annotations

from ledger.chain.entries import parse_entry
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.challenges.challenged import bands_of
from ledger.challenges.proving import prove_record
from ledger.queries.inquiry import DAY
from tests.ledger.dishonest import encrypt_any, with_ciphertext
from tests.ledger.sample_consortium import Consortium, MemoryLog, loan
from tests.ledger.witnesses import cosigned

HONEST = (10, 1_000, 500, 1 | 1 << 6, 0, 1, 0)
NEGATIVE = (-100_000, *HONEST[1:])


class Witnesses:
    """What was witnessed of each log, and when."""

    def __init__(self, consortium: Consortium) -> None:
        self._consortium = consortium
        self._kept: dict[str, list[tuple[int, int, bytes]]] = {}

    def witness(self, *names: str, behind: int = 0, by: tuple[int, ...] = ()) -> None:
        """All others cosign the newest heads of these logs (by default of all) now. behind: entries left out. by: the
        numbers of those that cosign."""
        consortium = self._consortium
        for name, log in consortium.logs.items():
            size = log.size - behind
            if size > 0 and (not names or name in names):
                members = by or tuple(range(1, len(consortium.manifest.members) + 1))
                note = cosigned(log.head(size), consortium.manifest, dict.fromkeys(members, consortium.now))
                self._kept.setdefault(log.head(size).head.origin, []).append((consortium.now, size, note))

    def witnessed_by(self, origin: str, time: int) -> tuple[int, bytes] | None:
        """See Settling."""
        kept = [(size, note) for at, size, note in self._kept.get(origin, []) if at <= time]
        return max(kept, default=None)


def watched(consortium: Consortium) -> Witnesses:
    """The consortium's members keep witnessed heads from now on."""
    witnesses = Witnesses(consortium)
    consortium.settling = witnesses
    return witnesses


def lie(consortium: Consortium, member: str, borrower: str, amounts: tuple[int, ...] = NEGATIVE) -> int:
    """A record whose plaintexts are these; its index. Its sealed copy is that of an honest one."""
    entry = consortium.position_entry(member, borrower, loan(10))
    label = parse_entry(entry).position.label
    return consortium.log(member).append(with_ciphertext(entry, encrypt_any(consortium, member, label, amounts)))


def challenge(consortium: Consortium, by: str, member: str, index: int, /, **changes: object) -> int:
    """`by` challenges that entry; the Challenge's index."""
    log = consortium.log(member)
    leaf = log.leaf_hash(index) if index < log.size else bytes(32)
    facts = {"time": consortium.now, "origin": consortium.manifest.origin(member), "index": index, "leaf": leaf}
    return consortium.log(by).append(Challenge(**{**facts, **changes}).encode())  # type: ignore[arg-type]


def proof(consortium: Consortium, member: str, index: int) -> bytes:
    """What its author can show of a record."""
    manifest, entry = consortium.manifest, consortium.log(member).entry(index)
    keys, bands = consortium.keys.fields, bands_of(manifest)
    return prove_record(manifest.consortium, keys, member, entry, bands, bytes(32), consortium.rng)


def answer(consortium: Consortium, member: str, index: int, shown: bytes | None = None, log: MemoryLog | None = None):
    """The author answers publicly; the answer's index."""
    shown = proof(consortium, member, index) if shown is None else shown
    leaf = consortium.log(member).leaf_hash(index)
    return (log or consortium.log(member)).append(ChallengeAnswer(consortium.now, leaf, shown).encode())


def a_day_later(consortium: Consortium) -> None:
    """To the second."""
    consortium.now += DAY
