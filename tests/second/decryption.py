"""Partial decryptions and what they open (protocol section 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.second.framing import to_scalar, wide
from tests.second.group import G, Point, combine, element, lagrange_at_zero, proof_scalars
from tests.second.refusal import require

ALL_FIELDS = tuple(range(7))
# Tallies and bands, which are always released.
PACKED_FIELDS = tuple(range(3, 7))


def context(
    consortium: bytes,
    epoch: int,
    custodian: int,
    inquiry: bytes,
    nonce_sum: bytes,
    contributors: int,
    fields: Sequence[int],
    public_shares: Mapping[int, Point],
    bodies: Sequence[bytes],
    points: Sequence[bytes],
) -> bytes:
    released = zip(fields, bodies, points, strict=True)
    flat = [part for field, body, point in released for part in (field, public_shares[field].encoded, body, point)]
    fixed = (consortium, epoch, custodian, inquiry, nonce_sum, contributors)
    return wide("plimsoll/v1/decryption", *fixed, len(fields), *flat)


def weights(ctx: bytes, fields: Sequence[int]) -> list[int]:
    return [to_scalar("plimsoll/v1/decryption-weight", ctx, field) for field in fields]


def check_partial(
    consortium: bytes,
    epoch: int,
    custodian: int,
    inquiry: bytes,
    nonce_sum: bytes,
    contributors: int,
    fields: Sequence[int],
    public_shares: Mapping[int, Point],
    bodies: Sequence[bytes],
    points: Sequence[bytes],
    proof: bytes,
) -> list[Point]:
    """One custodian's D_f, or Refused. `public_shares` are its X_{f,j} by field, `bodies` the released SC_f."""
    require(len(points) == len(bodies) == len(fields), "BAD_PARTIAL", "number of points")
    base, shares = element(nonce_sum), [element(raw) for raw in points]
    bound = (consortium, epoch, custodian, inquiry, nonce_sum, contributors)
    ctx = context(*bound, fields, public_shares, bodies, points)
    factors = weights(ctx, fields)
    x = combine(zip(factors, (public_shares[field] for field in fields), strict=True))
    d = combine(zip(factors, shares, strict=True))
    c, s = proof_scalars(proof)
    u, v = combine([(s, G), (c, x)]), combine([(s, base), (c, d)])
    challenge = to_scalar("plimsoll/v1/decryption-challenge", ctx, u.encoded, v.encoded)
    require(challenge == c, "BAD_PARTIAL", "proof")
    return shares


def masks(partials: Mapping[int, Sequence[Point]]) -> list[Point]:
    """x_f SR per released field, from the D_f of t or more custodians by index."""
    factors = {j: lagrange_at_zero(j, partials) for j in partials}
    width = {len(points) for points in partials.values()}
    require(len(width) == 1, "BAD_PARTIAL", "fields differ")
    return [combine((factors[j], points[f]) for j, points in partials.items()) for f in range(width.pop())]
