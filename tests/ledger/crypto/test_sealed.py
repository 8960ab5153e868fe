"""Promises of sealed boxes."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto.hashing import frame
from ledger.crypto.sealed import OVERHEAD, open_sealed, seal
from ledger.errors import InvalidInput, Unverified

KEY = bytes(range(32))
PURPOSE = "plimsoll/v1/test"
CONTEXT = (b"consortium", "lender-1", 7)


def zeros(count: int) -> bytes:
    return bytes(count)


@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, randomness: bytes) -> None:
    box = seal(KEY, PURPOSE, CONTEXT, plaintext, lambda count: randomness[:count])
    assert len(box) == len(plaintext) + OVERHEAD
    assert open_sealed(KEY, PURPOSE, CONTEXT, box) == plaintext


def test_a_box_is_what_the_protocol_says() -> None:
    """Opened by the steps of docs/protocol.md, section 7, written out."""
    box = seal(KEY, PURPOSE, CONTEXT, b"secret", zeros)
    place = frame(PURPOSE, *CONTEXT)
    box_key = HKDFExpand(hashes.SHA256(), 32, place).derive(KEY)
    assert ChaCha20Poly1305(box_key).decrypt(box[:12], box[12:], place) == b"secret"


def test_every_flipped_byte_is_noticed() -> None:
    box = seal(KEY, PURPOSE, CONTEXT, b"secret", zeros)
    for place in range(len(box)):
        altered = bytearray(box)
        altered[place] ^= 1
        with pytest.raises(Unverified):
            open_sealed(KEY, PURPOSE, CONTEXT, bytes(altered))


@pytest.mark.parametrize(
    ("key", "purpose", "context"),
    [
        (bytes(32), PURPOSE, CONTEXT),
        (KEY, PURPOSE + "2", CONTEXT),
        (KEY, PURPOSE, (b"consortium", "lender-1", 8)),
        (KEY, PURPOSE, (b"consortium", "lender-2", 7)),
        (KEY, PURPOSE, (b"consortiu", "mlender-1", 7)),
        (KEY, PURPOSE, (b"consortium", "lender-1")),
    ],
)
def test_a_box_opens_in_no_other_place(key: bytes, purpose: str, context: tuple[bytes | str | int, ...]) -> None:
    box = seal(KEY, PURPOSE, CONTEXT, b"secret", zeros)
    with pytest.raises(Unverified) as caught:
        open_sealed(key, purpose, context, box)
    assert caught.value.reason == "BAD_SEAL"


def test_randomness_that_repeats_does_not_repeat_a_nonce() -> None:
    boxes = {seal(KEY, PURPOSE, CONTEXT, bytes([n]), zeros)[:12] for n in range(50)}
    assert len(boxes) == 50


def test_fresh_randomness_gives_a_fresh_box() -> None:
    one = seal(KEY, PURPOSE, CONTEXT, b"secret", zeros)
    other = seal(KEY, PURPOSE, CONTEXT, b"secret", lambda count: b"\1" * count)
    assert not hmac.compare_digest(one, other)


def test_too_short_a_box_is_refused() -> None:
    with pytest.raises(InvalidInput):
        open_sealed(KEY, PURPOSE, CONTEXT, bytes(OVERHEAD - 1))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput):
        seal(KEY[:31], PURPOSE, CONTEXT, b"", zeros)
    with pytest.raises(InvalidInput):
        open_sealed(KEY[:31], PURPOSE, CONTEXT, bytes(OVERHEAD))
