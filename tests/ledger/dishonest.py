"""Records that an author makes by other means than ours: what encrypt refuses to make, and what others made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ledger.crypto import elgamal, group, schnorr
from ledger.crypto.elgamal import Ciphertext
from ledger.crypto.hashing import Part
from ledger.positions.position_entry import PositionEntry
from tests.ledger.sample_consortium import Consortium


def encrypt_any(consortium: Consortium, member: str, label: bytes, amounts: Sequence[int]) -> Ciphertext:
    """A ciphertext with a valid proof over any integers, negative ones too."""
    r = group.random_scalar(consortium.rng)
    u = group.random_scalar(consortium.rng)
    keys = consortium.keys.fields
    nonce_point = group.mul_base(r)
    bodies = tuple(
        group.add(group.mul(r, key), group.mul_base(group.scalar_from_int(amount)))
        for key, amount in zip(keys, amounts, strict=True)
    )
    place: list[Part] = [consortium.manifest.consortium, 1, member, label, nonce_point]
    lists: list[Part] = [len(keys), *keys, len(bodies), *bodies]
    challenge = group.hash_to_scalar(elgamal.DOMAIN, *place, *lists, group.mul_base(u))
    return Ciphertext(nonce_point, bodies, schnorr.respond(challenge, r, u))


def with_ciphertext(entry: bytes, ciphertext: Ciphertext) -> bytes:
    """The entry with another ciphertext in it."""
    return replace(PositionEntry.parse(entry), ciphertext=ciphertext).encode()


def scaled(ciphertext: Ciphertext, factor: int, proof: bytes | None = None) -> Ciphertext:
    """factor times what somebody else encrypted, to be read off a sum as a factor-th of the difference."""
    by = group.scalar_from_int(factor)
    bodies = tuple(group.mul(by, body) for body in ciphertext.bodies)
    return Ciphertext(group.mul(by, ciphertext.nonce_point), bodies, ciphertext.proof if proof is None else proof)
