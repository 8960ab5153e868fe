"""ristretto255 straight from RFC 9496, in plain integers: slow, not constant-time, and independent of libsodium.

What the ledger computes is compared with this. Points are extended Edwards coordinates (x, y, z, t).
"""

from __future__ import annotations

Coordinates = tuple[int, int, int, int]

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY: Coordinates = (0, 1, 1, 0)


def _absolute(x: int) -> int:
    x %= P
    return P - x if x & 1 else x


def _sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1 of section 4.2."""
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    u %= P
    flipped, flipped_i = check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return check == u or flipped, _absolute(r)


INVSQRT_A_MINUS_D = _sqrt_ratio(1, -1 - D)[1]
# Section 4.1 fixes which root: this is its figure.
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235


def decode(raw: bytes) -> Coordinates | None:
    """Section 4.3.1; None where decoding fails."""
    s = int.from_bytes(raw, "little")
    if len(raw) != 32 or s >= P or s & 1:
        return None
    u1, u2 = 1 - s * s, 1 + s * s
    v = (-D * u1 * u1 - u2 * u2) % P
    was_square, root = _sqrt_ratio(1, v * u2 * u2 % P)
    den_x = root * u2
    den_y = root * den_x * v
    x = _absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or t & 1 or y == 0:
        return None
    return x, y, 1, t


def encode(point: Coordinates) -> bytes:
    """Section 4.3.2."""
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    _, root = _sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = root * u1 % P, root * u2 % P
    z_inv = den1 * den2 * t0 % P
    rotate = t0 * z_inv % P & 1
    x, y, den_inv = (y0 * SQRT_M1, x0 * SQRT_M1, den1 * INVSQRT_A_MINUS_D) if rotate else (x0, y0, den2)
    if x * z_inv % P & 1:
        y = -y
    return _absolute(den_inv * (z0 - y)).to_bytes(32, "little")


def _map(t: int) -> Coordinates:
    """MAP of section 4.3.4."""
    r = SQRT_M1 * t * t % P
    u = (r + 1) * (1 - D * D) % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = _sqrt_ratio(u, v)
    if not was_square:
        s = -_absolute(s * t) % P
    c = -1 if was_square else r
    n = c * (r - 1) * (D - 1) ** 2 - v
    w0, w1, w2, w3 = 2 * s * v, n * SQRT_AD_MINUS_ONE, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(raw: bytes) -> Coordinates:
    """The one-way map of section 4.3.4, from 64 bytes."""
    halves = (int.from_bytes(raw[i : i + 32], "little") % 2**255 for i in (0, 32))
    first, second = (_map(half) for half in halves)
    return add(first, second)


def add(p: Coordinates, q: Coordinates) -> Coordinates:
    """The complete addition on the twisted Edwards curve with a = -1."""
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(scalar: int, point: Coordinates) -> Coordinates:
    """scalar * point by doubling and adding; the scalar is taken mod L."""
    total = IDENTITY
    for bit in bin(scalar % L)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def negate(point: Coordinates) -> Coordinates:
    """-point."""
    x, y, z, t = point
    return -x % P, y, z, -t % P


def _base() -> Coordinates:
    base = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
    assert base is not None
    return base


BASE = _base()
