"""ristretto255 (RFC 9496) over libsodium's constant-time code.

A `Point` is the 32-byte canonical encoding of a group element, a `Scalar` the 32-byte little-endian canonical form of a
number below L. Outside bytes become either one only through `decode_point` and `decode_scalar`; everything else here
trusts its arguments and only guards memory (libsodium reads 32 bytes whatever it is handed).

libsodium is called directly, as rbcl's wrappers cost up to 3 us a call. Point operations let other threads run; scalar
operations take 0.4 us and keep the interpreter's lock, as handing it over would cost more than the work.
"""

from __future__ import annotations

import ctypes
import hmac
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rbcl import _sodium

from ledger.crypto.hashing import Part, wide_digest
from ledger.errors import InvalidInput

Point = bytes
Scalar = bytes

L = 2**252 + 27742317777372353535851937790883648493
ORDER = L.to_bytes(32, "little")
SIZE = 32
IDENTITY: Point = bytes(SIZE)
BASE: Point = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
ZERO: Scalar = bytes(SIZE)
ONE: Scalar = (1).to_bytes(SIZE, "little")

# rbcl writes its libsodium to a new temporary file in every process that imports it and leaves 2.8 MB behind each time.
# Once loaded, the mapping keeps the library alive and the name is not needed. (Windows refuses to remove a loaded
# library.) The name is this process's own, so concurrent imports do not meet.
with suppress(FileNotFoundError, PermissionError):
    Path(_sodium._name).unlink()

_keeping_lock = ctypes.PyDLL(_sodium._name, handle=_sodium._handle)
_Buffer = ctypes.c_char * SIZE
_Call = Callable[..., int]


def _bind(library: ctypes.CDLL, name: str, arguments: int) -> _Call:
    function = getattr(library, name)
    function.argtypes = (ctypes.c_char_p,) * arguments
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


_add = _bind(_sodium, "crypto_core_ristretto255_add", 3)
_sub = _bind(_sodium, "crypto_core_ristretto255_sub", 3)
_mul = _bind(_sodium, "crypto_scalarmult_ristretto255", 3)
_mul_base = _bind(_sodium, "crypto_scalarmult_ristretto255_base", 2)
_from_hash = _bind(_sodium, "crypto_core_ristretto255_from_hash", 2)
_is_valid_point = _bind(_sodium, "crypto_core_ristretto255_is_valid_point", 1)
# These six return nothing; their results are not read.
_scalar_add = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_add", 3)
_scalar_sub = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_sub", 3)
_scalar_mul = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_mul", 3)
_scalar_negate = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_negate", 2)
_scalar_reduce = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_reduce", 2)
_scalar_invert = _bind(_keeping_lock, "crypto_core_ristretto255_scalar_invert", 2)


def _bad_size(what: str, path: str = "") -> InvalidInput:
    return InvalidInput("BAD_LENGTH", f"{what} must be {SIZE} bytes", path)


def decode_point(raw: bytes, path: str = "", *, allow_identity: bool = False) -> Point:
    """A canonical encoding (RFC 9496, section 4.3.1). Raises InvalidInput, also for the identity unless allowed."""
    if len(raw) != SIZE:
        raise _bad_size("a group element", path)
    point = bytes(raw)
    # Step 1 of the RFC's decoding: libsodium 1.0.18 ignores the top bit, which would give an element two encodings.
    if point[-1] & 0x80 or not _is_valid_point(point):
        raise InvalidInput("BAD_POINT", "not a canonical ristretto255 encoding", path)
    if point == IDENTITY and not allow_identity:
        raise InvalidInput("IDENTITY_POINT", "the identity element is not acceptable here", path)
    return point


def decode_scalar(raw: bytes, path: str = "", *, nonzero: bool = False) -> Scalar:
    """32 bytes little endian, below L. Raises InvalidInput, also for zero where `nonzero`. Takes constant time."""
    if len(raw) != SIZE:
        raise _bad_size("a scalar", path)
    scalar = bytes(raw)
    if not hmac.compare_digest(scalar_reduce(scalar + ZERO), scalar):
        raise InvalidInput("BAD_SCALAR", "not a canonical scalar: it must be below the group order", path)
    if nonzero and hmac.compare_digest(scalar, ZERO):
        raise InvalidInput("ZERO_SCALAR", "zero is not acceptable here", path)
    return scalar


def add(p: Point, q: Point) -> Point:
    """p + q."""
    if len(p) != SIZE or len(q) != SIZE:
        raise _bad_size("a group element")
    out = _Buffer()
    if _add(out, p, q):
        raise InvalidInput("BAD_POINT", "not a canonical ristretto255 encoding")
    return out.raw


def sub(p: Point, q: Point) -> Point:
    """p - q."""
    if len(p) != SIZE or len(q) != SIZE:
        raise _bad_size("a group element")
    out = _Buffer()
    if _sub(out, p, q):
        raise InvalidInput("BAD_POINT", "not a canonical ristretto255 encoding")
    return out.raw


def mul(scalar: Scalar, point: Point) -> Point:
    """scalar * point; zero or the identity give the identity."""
    if len(scalar) != SIZE or len(point) != SIZE:
        raise _bad_size("a scalar or group element")
    out = _Buffer()
    if _mul(out, scalar, point):
        # libsodium says -1 alike for a malformed point and for a result that is the identity.
        if not _is_valid_point(point):
            raise InvalidInput("BAD_POINT", "not a canonical ristretto255 encoding")
        return IDENTITY
    return out.raw


def mul_base(scalar: Scalar) -> Point:
    """scalar * G; zero gives the identity."""
    if len(scalar) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    return IDENTITY if _mul_base(out, scalar) else out.raw


def sum_points(points: Iterable[Point]) -> Point:
    """The sum; the identity for none."""
    rest = iter(points)
    total = next(rest, IDENTITY)
    for point in rest:
        total = add(total, point)
    return total


def lincomb(scalars: Sequence[Scalar], points: Sequence[Point]) -> Point:
    """The sum of scalars[i] * points[i]; both must be of one length."""
    return sum_points(mul(scalar, point) for scalar, point in zip(scalars, points, strict=True))


def point_from_uniform(uniform: bytes) -> Point:
    """The one-way map of RFC 9496, section 4.3.4, from 64 uniform bytes."""
    if len(uniform) != 2 * SIZE:
        raise InvalidInput("BAD_LENGTH", "the one-way map takes 64 bytes")
    out = _Buffer()
    _from_hash(out, uniform)
    return out.raw


def scalar_add(a: Scalar, b: Scalar) -> Scalar:
    """a + b mod L."""
    if len(a) != SIZE or len(b) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    _scalar_add(out, a, b)
    return out.raw


def scalar_sub(a: Scalar, b: Scalar) -> Scalar:
    """a - b mod L."""
    if len(a) != SIZE or len(b) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    _scalar_sub(out, a, b)
    return out.raw


def scalar_mul(a: Scalar, b: Scalar) -> Scalar:
    """a * b mod L."""
    if len(a) != SIZE or len(b) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    _scalar_mul(out, a, b)
    return out.raw


def scalar_neg(a: Scalar) -> Scalar:
    """-a mod L."""
    if len(a) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    _scalar_negate(out, a)
    return out.raw


def scalar_invert(a: Scalar) -> Scalar:
    """1 / a mod L. Raises InvalidInput for zero."""
    if len(a) != SIZE:
        raise _bad_size("a scalar")
    out = _Buffer()
    if _scalar_invert(out, a):
        raise InvalidInput("ZERO_SCALAR", "zero has no inverse")
    return out.raw


def scalar_reduce(wide: bytes) -> Scalar:
    """64 bytes, little endian, mod L."""
    if len(wide) != 2 * SIZE:
        raise InvalidInput("BAD_LENGTH", "a wide scalar must be 64 bytes")
    out = _Buffer()
    _scalar_reduce(out, wide)
    return out.raw


def scalar_from_int(value: int) -> Scalar:
    """Any int mod L; for public values, as Python's ints do not take constant time."""
    return (value % L).to_bytes(SIZE, "little")


def int_from_scalar(scalar: Scalar) -> int:
    """The int in 0 .. L - 1; for public values."""
    return int.from_bytes(scalar, "little")


def random_scalar(rng: Callable[[int], bytes]) -> Scalar:
    """A uniform nonzero scalar out of 64 bytes of `rng`."""
    while (scalar := scalar_reduce(rng(2 * SIZE))) == ZERO:
        pass
    return scalar


def hash_to_scalar(domain: str, *parts: Part) -> Scalar:
    """SHA-512 over the frame of domain and parts, mod L (design, section 6)."""
    return scalar_reduce(wide_digest(domain, *parts))


def hedged_scalar(domain: str, secret: bytes, randomness: bytes, *context: Part) -> Scalar:
    """A nonce that neither a cloned machine repeats nor a bad random source reveals (design, section 6).

    `randomness` is 32 fresh bytes; `context` is everything the nonce is for, so that equal randomness with another
    context gives another nonce. Raises InvalidInput for randomness of another length.
    """
    if len(randomness) != SIZE:
        raise _bad_size("the randomness of a nonce")
    return hash_to_scalar(domain, secret, randomness, *context)
