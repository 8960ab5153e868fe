"""RFC 9497: the verifiable oblivious pseudorandom function, mode VOPRF (0x01), suite ristretto255-SHA512.

The client blinds an input, whoever holds the key k evaluates, the client unblinds and hashes. Here k is shared: each
custodian evaluates with its share and proves it (crypto.dleq); `combine_evaluations` gives what k itself would have.
Group elements and scalars are 32-byte encodings; batches hold 1 to MAX_BATCH elements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.crypto import group, shamir
from ledger.crypto.expand import expand_message
from ledger.crypto.group import Point, Scalar
from ledger.errors import InvalidInput

CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"  # CreateContextString, section 3.1
MAX_BATCH = 4096
MAX_INPUT = 2**16 - 1
OUTPUT_SIZE = 64


def hash_to_group(message: bytes) -> Point:
    """HashToGroup of section 4.1. May be the identity, which `blind` refuses."""
    return group.point_from_uniform(expand_message(message, b"HashToGroup-" + CONTEXT))


def hash_to_scalar(message: bytes, prefix: bytes = b"HashToScalar-") -> Scalar:
    """HashToScalar of section 4.1: 64 bytes read little endian, mod L."""
    return group.scalar_reduce(expand_message(message, prefix + CONTEXT))


def prefixed(raw: bytes) -> bytes:
    """The bytes behind their length as two bytes big endian, as every transcript of the RFC has them."""
    return len(raw).to_bytes(2, "big") + raw


def derive_key_pair(seed: bytes, info: bytes) -> tuple[Scalar, Point]:
    """DeriveKeyPair of section 3.2.1 out of a 32-byte seed: (private, public). Raises InvalidInput."""
    if len(seed) != 32:
        raise InvalidInput("BAD_LENGTH", "a seed must be 32 bytes", "seed")
    if len(info) > MAX_INPUT:
        raise InvalidInput("BAD_LENGTH", f"info has at most {MAX_INPUT} bytes", "info")
    for counter in range(256):
        private = hash_to_scalar(seed + prefixed(info) + bytes([counter]), b"DeriveKeyPair")
        if private != group.ZERO:
            return private, group.mul_base(private)
    raise InvalidInput("BAD_SEED", "no key can be derived from this seed", "seed")


def blind(message: bytes, blinding: Scalar) -> Point:
    """Blind of section 3.3.2: what the evaluator gets to see of `message`. `blinding` is fresh, secret and not zero."""
    _check_input(message)
    group.decode_scalar(blinding, "blinding", nonzero=True)
    element = hash_to_group(message)
    if element == group.IDENTITY:
        raise InvalidInput("IDENTITY_POINT", "this input hashes to the identity element", "message")
    return group.mul(blinding, element)


def decode_batch(raw: Sequence[bytes], path: str = "") -> tuple[Point, ...]:
    """1 to MAX_BATCH elements, canonical and none the identity. Raises InvalidInput."""
    check_batch(raw, path)
    return tuple(group.decode_point(item, f"{path}[{i}]") for i, item in enumerate(raw))


def check_batch(elements: Sequence[bytes], path: str = "") -> None:
    """Raises InvalidInput unless there are 1 to MAX_BATCH elements."""
    if not 1 <= len(elements) <= MAX_BATCH:
        raise InvalidInput("BAD_BATCH", f"a batch has 1 to {MAX_BATCH} elements", path)


def evaluate(key: Scalar, elements: Sequence[Point]) -> tuple[Point, ...]:
    """BlindEvaluate of section 3.3.2 without its proof: key * element for each of a decoded batch."""
    check_batch(elements)
    return tuple(group.mul(key, element) for element in elements)


def combine_evaluations(indices: Sequence[int], evaluations: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """k A for every element A, out of verified evaluations k_j A by at least t custodians.

    evaluations[i] is the whole batch of the custodian at indices[i]. Raises InvalidInput for batches of unlike length,
    or repeated or missing indices.
    """
    if len(indices) != len(evaluations) or len({len(batch) for batch in evaluations}) > 1:
        raise InvalidInput("BAD_BATCH", "every custodian must have evaluated the same batch", "evaluations")
    weights = shamir.lagrange_at_zero(indices)
    return tuple(group.lincomb(weights, column) for column in zip(*evaluations, strict=True))


def finalize(message: bytes, blinding: Scalar, evaluated: Point) -> bytes:
    """Finalize of section 3.3.2: the function's 64-byte output. The evaluation's proof must have been verified."""
    _check_input(message)
    unblinded = group.mul(group.scalar_invert(blinding), evaluated)
    return hashlib.sha512(prefixed(message) + prefixed(unblinded) + b"Finalize").digest()


def _check_input(message: bytes) -> None:
    if len(message) > MAX_INPUT:
        raise InvalidInput("BAD_LENGTH", f"an input has at most {MAX_INPUT} bytes", "message")
