"""A custodian's part of a threshold decryption, with one proof for all released fields (design, section 6, Query).

D_f = x_f SR for every released field f, and one proof that the same x_f stand in X_f = x_f G: the statements are folded
with weights that hash the whole context, which names the inquiry, so that no answer serves another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.crypto import group, schnorr, shamir
from ledger.crypto.group import Point, Scalar
from ledger.crypto.hashing import Part, wide_digest
from ledger.errors import InvalidInput
from ledger.positions.fields import Field

DOMAIN = "plimsoll/v1/decryption"
WEIGHT_DOMAIN = "plimsoll/v1/decryption-weight"
CHALLENGE_DOMAIN = "plimsoll/v1/decryption-challenge"
NONCE_DOMAIN = "plimsoll/v1/decryption-nonce"


@dataclass(frozen=True, slots=True)
class PartialDecryption:
    """As received from custodian `custodian_index` (1..n): only `verify` makes it fit to be combined.

    fields: ascending, distinct. points: D_f, 32 bytes each, in their order. proof: 64 bytes.
    """

    custodian_index: int
    fields: tuple[int, ...]
    points: tuple[bytes, ...]
    proof: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """What a partial decryption is bound to.

    consortium: its id. epoch: of the keys. inquiry: leaf hash of the Inquiry entry. nonce_sum: SR, not the identity.
    contributors: how many records were summed. body_sums: SC_f by field number, of the released fields at least: with
    them t custodians attest the sums, also to who may not see the records.
    """

    consortium: bytes
    epoch: int
    inquiry: bytes
    nonce_sum: Point
    contributors: int
    body_sums: Mapping[int, Point] = field(hash=False)


def decrypt(
    session: Session,
    index: int,
    shares: Sequence[Scalar],
    fields: Sequence[int],
    randomness: bytes,
    public_shares: Sequence[Point] | None = None,
) -> PartialDecryption:
    """D_f for every field in `fields`, proved.

    shares: this custodian's x_f by field number. randomness: 32 fresh bytes. public_shares: the X_f, from whoever has
    checked that they fit the shares; worked out otherwise, which takes 0.1 ms. Raises InvalidInput.
    """
    ordered = _check_fields(fields)
    nonce_sum = group.decode_point(session.nonce_sum, "nonce_sum")
    points = tuple(group.mul(shares[f], nonce_sum) for f in ordered)
    publics = [group.mul_base(shares[f]) if public_shares is None else public_shares[f] for f in ordered]
    context = _context(session, index, ordered, publics, points)
    folded = group.ZERO
    for weight, f in zip(_weights(context, ordered), ordered, strict=True):
        folded = group.scalar_add(folded, group.scalar_mul(weight, shares[f]))
    # The context holds the sum, the inquiry and every point, so a repeated randomness repeats no nonce elsewhere.
    nonce = group.hedged_scalar(NONCE_DOMAIN, folded, randomness, context)
    challenge = _challenge(context, group.mul_base(nonce), group.mul(nonce, nonce_sum))
    return PartialDecryption(index, ordered, points, schnorr.respond(challenge, folded, nonce))


def verify(session: Session, partial: PartialDecryption, public_shares: Sequence[Point]) -> None:
    """Raises InvalidInput or Unverified unless every D_f is x_f SR.

    public_shares: this custodian's X_f by field number.
    """
    shamir.check_index(partial.custodian_index, "custodian_index")
    fields = _check_fields(partial.fields)
    if fields != tuple(partial.fields):
        raise InvalidInput("BAD_ORDER", "fields must ascend", "fields")
    if len(partial.points) != len(fields):
        raise InvalidInput("BAD_LENGTH", "there must be one point per field", "points")
    nonce_sum = group.decode_point(session.nonce_sum, "nonce_sum")
    points = [group.decode_point(raw, f"points[{i}]") for i, raw in enumerate(partial.points)]
    publics = [public_shares[f] for f in fields]
    challenge, response = schnorr.split(partial.proof, "proof")
    context = _context(session, partial.custodian_index, fields, publics, points)
    # u G = s G + c X* with X* = sum of w_f X_f, and likewise on SR: c goes into the weights, which saves two products.
    weights = [group.scalar_mul(challenge, weight) for weight in _weights(context, fields)]
    on_base = group.add(group.mul_base(response), group.lincomb(weights, publics))
    on_sum = group.add(group.mul(response, nonce_sum), group.lincomb(weights, points))
    schnorr.check(challenge, _challenge(context, on_base, on_sum), "proof")


def combine(partials: Sequence[PartialDecryption], fields: Sequence[int]) -> dict[int, Point]:
    """x_f SR for every field, out of the verified answers of at least t custodians: to be taken off SC_f.

    Fewer than t answers cannot be told from enough of them here: the caller counts. Raises InvalidInput for
    a repeated custodian or an answer that lacks a field.
    """
    weights = shamir.lagrange_at_zero([partial.custodian_index for partial in partials])
    return {f: group.lincomb(weights, [_point(partial, f) for partial in partials]) for f in fields}


def remove_mask(bodies: Sequence[Point], masks: Mapping[int, Point]) -> dict[int, Point]:
    """M_f = SC_f - x_f SR = m_f G for every field in `masks`; `bodies` are the SC_f by field number."""
    return {f: group.sub(bodies[f], mask) for f, mask in masks.items()}


def _point(partial: PartialDecryption, f: int) -> Point:
    if f not in partial.fields:
        where = f"custodian {partial.custodian_index}"
        raise InvalidInput("MISSING_FIELD", f"{where} did not answer for field {Field(f).label}", "fields")
    return partial.points[partial.fields.index(f)]


def _check_fields(fields: Sequence[int]) -> tuple[int, ...]:
    known = {int(f) for f in Field}
    if not fields or len(set(fields)) != len(fields) or not known.issuperset(fields):
        raise InvalidInput("BAD_FIELDS", "fields must be known and distinct, and there must be one", "fields")
    return tuple(sorted(int(f) for f in fields))


def _context(
    session: Session, index: int, fields: Sequence[int], publics: Sequence[Point], points: Sequence[Point]
) -> bytes:
    per_field: list[Part] = []
    for f, public, point in zip(fields, publics, points, strict=True):
        per_field.extend((f, public, session.body_sums[f], point))
    fixed = (session.consortium, session.epoch, index, session.inquiry, session.nonce_sum, session.contributors)
    return wide_digest(DOMAIN, *fixed, len(fields), *per_field)


def _weights(context: bytes, fields: Sequence[int]) -> list[Scalar]:
    return [group.hash_to_scalar(WEIGHT_DOMAIN, context, f) for f in fields]


def _challenge(context: bytes, on_base: Point, on_sum: Point) -> Scalar:
    return group.hash_to_scalar(CHALLENGE_DOMAIN, context, on_base, on_sum)
