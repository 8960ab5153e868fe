"""Certificates and keys in files."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ledger.consortium.caller import Caller
from ledger.consortium.certificate import certificate_pem, key_der, key_pem, load_certificate, load_key, named_caller
from ledger.errors import InvalidInput
from node.homes.authority import issue_leaf
from tests.lenders import NOW, lender

KEY = ec.generate_private_key(ec.SECP256R1())
CALLER = Caller(bytes(32), "lender-1", "auditor", "alice")
LEAF = issue_leaf(lender(1).authority, lender(1).keyring.authority_key, CALLER, KEY.public_key(), NOW)


def test_a_certificate_comes_back_from_pem():
    assert load_certificate(certificate_pem(LEAF), "") == LEAF


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\n", certificate_pem(LEAF)[:-40], key_pem(KEY)])
def test_what_is_no_certificate_is_refused(pem):
    with pytest.raises(InvalidInput) as caught:
        load_certificate(pem, "cert")
    assert (caught.value.reason, caught.value.path) == ("BAD_CERTIFICATE", "cert")


def test_a_leaf_names_its_caller_and_a_ca_names_none():
    assert named_caller(LEAF, "") == CALLER
    with pytest.raises(InvalidInput):
        named_caller(lender(1).authority, "certificate")


@pytest.mark.parametrize("write", [key_pem, key_der])
def test_a_key_comes_back(write):
    assert key_der(load_key(write(KEY), "")) == key_der(KEY)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\n",
        key_der(KEY)[:-1],
        key_der(ec.generate_private_key(ec.SECP384R1())),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        certificate_pem(LEAF),
        key_der(KEY).replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0202")),
    ],
    ids=["empty", "cut PEM", "cut DER", "P-384", "encrypted", "certificate", "unknown algorithm"],
)
def test_what_is_no_p256_key_in_the_clear_is_refused_without_a_word_of_it(raw):
    with pytest.raises(InvalidInput) as caught:
        load_key(raw, "key")
    assert (caught.value.reason, caught.value.path) == ("BAD_KEY", "key")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_sec1_pem_of_other_tools_is_read():
    raw = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert key_der(load_key(raw, "")) == key_der(KEY)
