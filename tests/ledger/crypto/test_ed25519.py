"""Ed25519: RFC 8032's example, and the public keys on which verifiers differ."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import ed25519
from ledger.crypto.ed25519 import check_ed25519_public_key, signature_is_valid
from ledger.errors import InvalidInput, PlimsollError

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493

# RFC 8032 section 7.1: TEST 1 and TEST 2 (seed, public key, message, signature)
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
]

ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    ORDER_8,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NOT_CANONICAL = [
    "0100000000000000000000000000000000000000000000000000000000000080",  # x = 0 with its sign set
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    *[(y | sign << 255).to_bytes(32, "little").hex() for y in range(P, 2**255) for sign in (0, 1)],
]


def off_the_subgroup(public: bytes, torsion: bytes) -> bytes:
    """The encoding of public + torsion."""
    x, y = affine_sum(affine(public), affine(torsion))
    return (y | (x & 1) << 255).to_bytes(32, "little")


def affine_sum(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The addition law of the curve itself (RFC 8032 section 5.1.4, before any choice of coordinates)."""
    (x1, y1), (x2, y2) = left, right
    k = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def affine_times(scalar: int, point: tuple[int, int]) -> tuple[int, int]:
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = affine_sum(result, point)
        point, scalar = affine_sum(point, point), scalar >> 1
    return result


def affine(raw: bytes) -> tuple[int, int]:
    encoded = int.from_bytes(raw, "little")
    y = encoded % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return (x if x & 1 == encoded >> 255 else P - x), y


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_rfc_8032_examples(seed: str, public: str, message: str, signature: str):
    key = ed25519.private_key(bytes.fromhex(seed))
    assert ed25519.public_bytes(key).hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert signature_is_valid(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


def test_a_changed_signature_message_or_key_fails():
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
    other = bytes.fromhex(RFC_8032[0][1])
    for position in range(len(signature)):
        changed = signature[:position] + bytes([signature[position] ^ 1]) + signature[position + 1 :]
        assert not signature_is_valid(public, changed, message)
    assert not signature_is_valid(public, signature, message + b"\0")
    assert not signature_is_valid(other, signature, message)


def test_a_signature_has_one_spelling():
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
    larger = int.from_bytes(signature[32:], "little") + L
    assert not signature_is_valid(public, signature[:32] + larger.to_bytes(32, "little"), message)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_and_seeds_of_other_lengths_are_refused(length: int):
    with pytest.raises(InvalidInput):
        check_ed25519_public_key(bytes(length), "key")
    with pytest.raises(InvalidInput):
        ed25519.private_key(bytes(length))
    assert not signature_is_valid(bytes(length), bytes(64), b"")
    assert not signature_is_valid(bytes.fromhex(RFC_8032[0][1]), bytes(length), b"")


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=30)
def test_every_generated_key_is_accepted(seed: bytes):
    check_ed25519_public_key(ed25519.public_bytes(ed25519.private_key(seed)), "key")


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(encoded: str):
    with pytest.raises(InvalidInput, match="small order"):
        check_ed25519_public_key(bytes.fromhex(encoded), "members[2].log_key")


@pytest.mark.parametrize("encoded", NOT_CANONICAL)
def test_a_key_in_non_canonical_form_is_refused(encoded: str):
    with pytest.raises(InvalidInput, match="not canonical"):
        check_ed25519_public_key(bytes.fromhex(encoded), "key")


@pytest.mark.parametrize("torsion", SMALL_ORDER[1:])
def test_a_key_outside_the_prime_order_subgroup_is_refused(torsion: str):
    mixed = off_the_subgroup(bytes.fromhex(RFC_8032[0][1]), bytes.fromhex(torsion))
    with pytest.raises(InvalidInput, match="prime-order subgroup"):
        check_ed25519_public_key(mixed, "key")


def test_a_key_off_the_curve_is_refused():
    with pytest.raises(InvalidInput, match="no point"):
        check_ed25519_public_key(bytes([2]) + bytes(31), "key")


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_any_32_bytes_are_accepted_or_refused_by_name(raw: bytes):
    refusal = None
    try:
        check_ed25519_public_key(raw, "members[2].log_key")
    except PlimsollError as error:
        refusal = error
    if refusal is None:
        assert affine_times(L, affine(raw)) == (0, 1)
    else:
        assert (refusal.reason, refusal.path) == ("BAD_PUBLIC_KEY", "members[2].log_key")
