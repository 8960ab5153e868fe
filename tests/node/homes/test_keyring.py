"""The keyring: a lender's own secrets."""

from __future__ import annotations

import os
from dataclasses import fields

import pytest

from ledger.consortium.certificate import key_der
from ledger.errors import InvalidInput
from node.homes.keyring import Keyring, generate_keyring, parse_keyring
from tests.lenders import seeded

RING = generate_keyring("lender-1", seeded("keyring"))
SECRETS = [field.name for field in fields(Keyring) if field.name != "member"]


def test_a_keyring_comes_back_whole():
    assert parse_keyring(RING.encode()) == RING


def test_every_secret_is_a_different_one():
    other = generate_keyring("lender-1", os.urandom)
    secrets = [getattr(ring, name) for ring in (RING, other) for name in SECRETS]
    assert len(set(secrets)) == len(secrets)
    assert key_der(RING.authority_key) == RING.ca_key


def test_a_keyring_does_not_show_its_secrets():
    shown = repr(RING)
    assert shown == "Keyring(member='lender-1')"


@pytest.mark.parametrize("name", [*SECRETS, "member"])
def test_a_keyring_that_lacks_a_secret_is_refused(name):
    lines = [line for line in RING.encode().splitlines(keepends=True) if not line.startswith(name.encode())]
    with pytest.raises(InvalidInput) as caught:
        parse_keyring(b"".join(lines))
    assert caught.value.path == name


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_of_another_length_or_shape_is_refused_and_not_quoted(name):
    for value in (b'"AAAA"', b'"c2VjcmV0!"', b"7"):
        lines = RING.encode().splitlines(keepends=True)
        changed = [name.encode() + b" = " + value + b"\n" if line.startswith(name.encode()) else line for line in lines]
        with pytest.raises(InvalidInput) as caught:
            parse_keyring(b"".join(changed))
        assert caught.value.path == name
        assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", RING.encode()[1:], RING.encode() + b"more = 1\n", RING.encode() + b"secret words\n"]
)
def test_what_is_no_keyring_is_refused_and_not_quoted(raw):
    with pytest.raises(InvalidInput) as caught:
        parse_keyring(raw)
    assert "secret words" not in str(caught.value)
