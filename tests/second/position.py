"""What makes a position's points good (protocol section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tests.second.framing import derive, digest, frame, to_scalar
from tests.second.group import G, Point, combine, element, point, proof_scalars, total
from tests.second.refusal import require

FIELDS = ("outstanding", "monthly_due", "credit_limit", "tally_low", "tally_high", "band", "overdue_band")


@dataclass(frozen=True)
class Ciphertext:
    nonce_point: Point
    bodies: tuple[Point, ...]


@lru_cache(maxsize=4096)
def checked(
    consortium: bytes,
    epoch: int,
    member: str,
    label: bytes,
    public_keys: tuple[Point, ...],
    nonce_point: bytes,
    bodies: tuple[bytes, ...],
    proof: bytes,
) -> Ciphertext:
    """Refuses with BAD_POINT, IDENTITY_POINT or BAD_PROOF."""
    require(len(bodies) == len(FIELDS), "BAD_POINT", "number of bodies")
    ciphertext = Ciphertext(element(nonce_point), tuple(map(point, bodies)))
    c, s = proof_scalars(proof)
    t = combine([(s, G), (c, ciphertext.nonce_point)])
    keys = [key.encoded for key in public_keys]
    challenge = to_scalar(
        "plimsoll/v1/encryption", consortium, epoch, member, label, nonce_point, keys, list(bodies), t.encoded
    )
    require(challenge == c, "BAD_PROOF")
    return ciphertext


def summed(ciphertexts: Sequence[Ciphertext]) -> Ciphertext:
    """SR and the SC_f (section 8) of one or more contributions."""
    bodies = zip(*(c.bodies for c in ciphertexts), strict=True)
    return Ciphertext(total(c.nonce_point for c in ciphertexts), tuple(map(total, bodies)))


def records_digest(salt: bytes, loans: Sequence[tuple]) -> bytes:
    """`loans` as tuples in the order of the page, from loan_id to as_of."""
    ordered = sorted(loans, key=lambda loan: loan[0])
    return digest("plimsoll/v1/loan-records", salt, len(ordered), *[part for loan in ordered for part in loan])


def sealing(backup_key: bytes, consortium: bytes, member: str, label: bytes) -> tuple[bytes, bytes]:
    """Key and aad of a position's sealed copy."""
    domain = "plimsoll/v1/sealed-copy"
    return derive(backup_key, domain, consortium, member, label), frame(domain, consortium, member, label)
