"""expand_message_xmd: agreement with an implementation that reproduces RFC 9380's vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.expand import expand_message
from ledger.errors import InvalidInput
from tests.ledger import rfc9497

# RFC 9380, appendix K.3 (SHA-512, 32 bytes)
TAG = b"QUUX-V01-CS02-with-expander-SHA512-256"
KNOWN = {
    b"": "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba",
    b"abc": "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc",
}


@pytest.mark.parametrize("message", KNOWN)
def test_what_this_is_compared_with_reproduces_the_rfcs_vectors(message: bytes) -> None:
    assert rfc9497.expand(message, TAG, 32).hex() == KNOWN[message]


@given(st.binary(max_size=300), st.binary(max_size=255))
def test_64_bytes_are_those_of_the_rfc(message: bytes, tag: bytes) -> None:
    assert expand_message(message, tag) == rfc9497.expand(message, tag)


def test_a_tag_longer_than_its_length_byte_is_refused() -> None:
    with pytest.raises(InvalidInput):
        expand_message(b"", bytes(256))
