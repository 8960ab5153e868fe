"""Shares sealed by HPKE, against an implementation written from the RFC, and that one against the RFC's vector."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ceremony import share_sealing
from ledger.errors import InvalidInput, Unverified
from tests.ledger.ceremony import rfc9180

keys = st.binary(min_size=32, max_size=32)

# All points of small order on Curve25519 and its twist, as X25519 reads them (RFC 7748, section 5: the top bit is
# masked, values from p on are reduced).
P = 2**255 - 19
SMALL_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
]


def test_reference_gives_the_ciphertext_of_rfc_9180_appendix_a_2_1() -> None:
    ephemeral = bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600")
    private = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    enc = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
    ciphertext = bytes.fromhex(
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )
    plaintext = b"Beauty is truth, truth beauty"
    sealed = rfc9180.seal(rfc9180.public(private), info, plaintext, ephemeral, aad=b"Count-0")
    assert sealed == enc + ciphertext
    assert rfc9180.unseal(private, info, sealed, aad=b"Count-0") == plaintext


@settings(max_examples=20)
@given(keys, keys, st.binary(max_size=99), st.binary(max_size=300))
def test_opens_what_the_reference_sealed(private: bytes, ephemeral: bytes, info: bytes, plaintext: bytes) -> None:
    sealed = rfc9180.seal(share_sealing.public_key(private), info, plaintext, ephemeral)
    assert share_sealing.unseal(private, info, sealed) == plaintext


@settings(max_examples=20)
@given(keys, st.binary(max_size=99), st.binary(max_size=300))
def test_the_reference_opens_what_was_sealed(private: bytes, info: bytes, plaintext: bytes) -> None:
    sealed = share_sealing.seal(share_sealing.public_key(private), info, plaintext)
    assert len(sealed) == len(plaintext) + share_sealing.OVERHEAD
    assert rfc9180.unseal(private, info, sealed) == plaintext


@pytest.mark.parametrize("at", [0, 31, 32, 40, -1])
def test_one_changed_bit_does_not_open(at: int) -> None:
    private = bytes(range(32))
    sealed = bytearray(share_sealing.seal(share_sealing.public_key(private), b"info", b"a share"))
    sealed[at] ^= 1
    with pytest.raises(Unverified):
        share_sealing.unseal(private, b"info", bytes(sealed))


@given(st.binary(max_size=99))
def test_whatever_is_no_ciphertext_is_refused_as_such(sealed: bytes) -> None:
    with pytest.raises(Unverified):
        share_sealing.unseal(bytes(range(32)), b"info", sealed)


def test_another_key_or_info_does_not_open() -> None:
    private = bytes(range(32))
    sealed = share_sealing.seal(share_sealing.public_key(private), b"info", b"a share")
    with pytest.raises(Unverified):
        share_sealing.unseal(private, b"other", sealed)
    with pytest.raises(Unverified):
        share_sealing.unseal(bytes(32), b"info", sealed)


@pytest.mark.parametrize("top_bit", [0, 1 << 255])
@pytest.mark.parametrize("u", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(u: int, top_bit: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        share_sealing.check_public_key((u | top_bit).to_bytes(32, "little"))
    assert refusal.value.reason == "SMALL_ORDER"


@given(keys)
def test_every_generated_key_can_be_sealed_to(raw: bytes) -> None:
    private = share_sealing.generate_key(lambda size: raw[:size])
    share_sealing.check_public_key(share_sealing.public_key(private))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(InvalidInput):
        share_sealing.check_public_key(bytes(size))
    with pytest.raises(InvalidInput):
        share_sealing.public_key(bytes(size))
    with pytest.raises(InvalidInput):
        share_sealing.unseal(bytes(size), b"", bytes(64))
