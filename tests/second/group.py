"""ristretto255 (RFC 9496) in plain integers, for a verifier: slow, open to timing, never for secrets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property

from tests.second.refusal import Refused, require

P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
# Section 4.1 gives these two as numbers, as either root would satisfy their definitions.
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
WINDOW = 5


# Extended Edwards coordinates x, y, z, t.
Coordinates = tuple[int, int, int, int]


def _sum(p: Coordinates, q: Coordinates) -> Coordinates:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * D * p[3] * q[3] % P
    d = 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p: Coordinates) -> Coordinates:
    a, b = p[0] * p[0], p[1] * p[1]
    h = a + b
    e = h - (p[0] + p[1]) ** 2
    g = a - b
    f = 2 * p[2] * p[2] + g
    return e * f % P, g * h % P, f * g % P, e * h % P


class Point:
    """An element: an Edwards point that stands for its class. Equal where the encodings are."""

    def __init__(self, coordinates: Coordinates) -> None:
        self.coordinates = coordinates

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Point):
            return NotImplemented
        (x, y, _, _), (u, v, _, _) = self.coordinates, other.coordinates
        return (x * v - y * u) % P == 0 or (y * v - x * u) % P == 0

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __add__(self, other: Point) -> Point:
        return Point(_sum(self.coordinates, other.coordinates))

    def __neg__(self) -> Point:
        x, y, z, t = self.coordinates
        return Point((-x % P, y, z, -t % P))

    def __sub__(self, other: Point) -> Point:
        return self + -other

    def __rmul__(self, factor: int) -> Point:
        return combine([(factor, self)])

    @cached_property
    def encoded(self) -> bytes:
        """RFC 9496, section 4.3.2."""
        x, y, z, t = self.coordinates
        u1 = (z + y) * (z - y) % P
        u2 = x * y % P
        _, inverse_root = _sqrt_ratio(1, u1 * u2 * u2)
        den1, den2 = inverse_root * u1 % P, inverse_root * u2 % P
        z_inverse, den_inverse = den1 * den2 * t % P, den2
        if _negative(t * z_inverse):
            x, y = y * SQRT_M1 % P, x * SQRT_M1 % P
            den_inverse = den1 * INVSQRT_A_MINUS_D % P
        if _negative(x * z_inverse):
            y = -y % P
        return _absolute(den_inverse * (z - y)).to_bytes(32, "little")

    @cached_property
    def _multiples(self) -> Sequence[Coordinates]:
        table = [ZERO]
        for _ in range((1 << WINDOW) - 1):
            table.append(_sum(table[-1], self.coordinates))
        return table


def _negative(value: int) -> int:
    return value % P & 1


def _absolute(value: int) -> int:
    return -value % P if _negative(value) else value % P


def _sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1, RFC 9496, section 4.2: whether u/v is a square, and the even root of u/v or of i u/v."""
    u, v = u % P, v % P
    root = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * root * root % P
    if check in (-u % P, -u * SQRT_M1 % P):
        root = root * SQRT_M1 % P
    return check in (u, -u % P), _absolute(root)


def point(encoding: bytes) -> Point:
    """RFC 9496, section 4.3.1. Raises Refused where the encoding is not that of an element; the identity is one."""
    require(len(encoding) == 32, "BAD_POINT", "not 32 bytes")
    s = int.from_bytes(encoding, "little")
    require(s < P and s % 2 == 0, "BAD_POINT", "not a canonical non-negative field element")
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse_root = _sqrt_ratio(1, v * u2 * u2)
    den_x = inverse_root * u2 % P
    den_y = inverse_root * den_x * v % P
    x, y = _absolute(2 * s * den_x), u1 * den_y % P
    t = x * y % P
    require(square and not _negative(t) and y != 0, "BAD_POINT", "no element has this encoding")
    return Point((x, y, 1, t))


def element(encoding: bytes) -> Point:
    """A canonical point that is not the identity."""
    decoded = point(encoding)
    require(decoded != IDENTITY, "IDENTITY_POINT")
    return decoded


def scalar(encoding: bytes) -> int:
    require(len(encoding) == 32, "BAD_SCALAR", "not 32 bytes")
    value = int.from_bytes(encoding, "little")
    require(value < L, "BAD_SCALAR", "not below L")
    return value


def scalar_bytes(value: int) -> bytes:
    return (value % L).to_bytes(32, "little")


def proof_scalars(proof: bytes) -> tuple[int, int]:
    """A proof is two scalars, challenge then response."""
    require(len(proof) == 64, "BAD_PROOF", "not 64 bytes")
    try:
        return scalar(proof[:32]), scalar(proof[32:])
    except Refused as refused:
        raise Refused("BAD_PROOF", str(refused)) from refused


def combine(terms: Iterable[tuple[int, Point]]) -> Point:
    """The sum of scalar times point, over windows that all terms share."""
    pairs = [(factor % L, base._multiples) for factor, base in terms]
    result = ZERO
    widest = max((factor.bit_length() for factor, _ in pairs), default=0)
    for window in reversed(range(-(-widest // WINDOW))):
        for _ in range(WINDOW):
            result = _double(result)
        for factor, multiples in pairs:
            digit = factor >> (WINDOW * window) & ((1 << WINDOW) - 1)
            if digit:
                result = _sum(result, multiples[digit])
    return Point(result)


def total(summands: Iterable[Point]) -> Point:
    result = IDENTITY
    for summand in summands:
        result += summand
    return result


def lagrange_at_zero(index: int, indices: Iterable[int]) -> int:
    """Section 5: the product of m / (m - j) over the other indices m."""
    numerator = denominator = 1
    for other in indices:
        if other != index:
            numerator = numerator * other % L
            denominator = denominator * (other - index) % L
    return numerator * pow(denominator, L - 2, L) % L


def from_uniform(uniform: bytes) -> Point:
    """RFC 9496, section 4.3.4: 64 bytes to an element."""
    require(len(uniform) == 64, "BAD_LENGTH")
    return _mapped(uniform[:32]) + _mapped(uniform[32:])


def _mapped(half: bytes) -> Point:
    t = int.from_bytes(half, "little") % (1 << 255) % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * (1 - D * D) % P
    v = (-1 - r * D) * (r + D) % P
    square, s = _sqrt_ratio(u, v)
    c = -1
    if not square:
        s, c = -_absolute(s * t) % P, r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P
    return Point((w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P))


@cache
def edwards_of_prime_order(encoding: bytes) -> bool:
    """Whether 32 bytes are a canonical Ed25519 key (RFC 8032, section 5.1.3) of order L exactly."""
    raw = int.from_bytes(encoding, "little")
    y, sign = raw % (1 << 255), raw >> 255
    square, x = _sqrt_ratio(y * y - 1, D * y * y + 1)
    if len(encoding) != 32 or y >= P or not square or (x == 0 and sign):
        return False
    x = -x % P if x % 2 != sign else x
    residue = ZERO
    for bit in bin(L)[2:]:
        residue = _double(residue)
        if bit == "1":
            residue = _sum(residue, (x, y, 1, x * y % P))
    # Compared as Edwards points: as classes, points of small order would count as the identity.
    return residue[0] % P == 0 and (residue[1] - residue[2]) % P == 0 and (x, y) != (0, 1)


ZERO: Coordinates = (0, 1, 1, 0)
IDENTITY = Point(ZERO)
_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _absolute(_sqrt_ratio(_BASE_Y * _BASE_Y - 1, D * _BASE_Y * _BASE_Y + 1)[1])
G = Point((_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P))
