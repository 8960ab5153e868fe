"""CA certificates: one profile, and every departure from it refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ledger.consortium.authority import MAX_CA_BYTES, authority_member, authority_subject, read_authority
from ledger.errors import InvalidInput
from tests.lenders import NOW, lender

KEY = lender(1).keyring.authority_key
GOOD = lender(1).member.tls_ca
SHA_256 = SHA256()
LEAVES_ONLY = x509.BasicConstraints(ca=True, path_length=0)


def usage(sign):
    flags = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=sign, crl_sign=sign, **flags)


def ca(
    *,
    subject=None,
    issuer=None,
    key=KEY,
    signer=None,
    algorithm=SHA_256,
    constraints=LEAVES_ONLY,
    critical=True,
    sign=True,
    more=(),
):
    subject = subject or authority_subject("lender-1")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(constraints, critical=critical)
        .add_extension(usage(sign), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer or key, algorithm).public_bytes(Encoding.DER)


def refuse(der):
    with pytest.raises(InvalidInput) as caught:
        read_authority(der, "lender-1", "tls_ca")
    assert (caught.value.reason, caught.value.path) == ("BAD_CA", "tls_ca")
    return caught.value.message


def test_a_ca_that_fits_the_profile_is_read():
    assert read_authority(GOOD, "lender-1", "").public_bytes(Encoding.DER) == GOOD
    assert authority_member(read_authority(ca(), "lender-1", "")) == "lender-1"


def test_another_members_name_is_refused_however_it_is_spelt():
    with pytest.raises(InvalidInput):
        read_authority(GOOD, "lender-2", "tls_ca")
    assert "name" in refuse(ca(subject=authority_subject("lender-2")))
    assert "name" in refuse(ca(subject=authority_subject("LENDER-1")))
    names = [x509.NameAttribute(NameOID.COMMON_NAME, f"Plimsoll CA {name}") for name in ("lender-1", "lender-2")]
    assert "name" in refuse(ca(subject=x509.Name(names)))
    assert "name" in refuse(ca(issuer=authority_subject("lender-2")))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP384R1()), SHA256()),
        (KEY, SHA384()),
        (rsa.generate_private_key(65537, 2048), SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
    ids=["P-384", "SHA-384", "RSA", "Ed25519"],
)
def test_other_kinds_of_keys_and_signatures_are_refused(key, algorithm):
    assert "P-256" in refuse(ca(key=key, algorithm=algorithm))


@pytest.mark.parametrize(
    "constraints",
    [
        x509.BasicConstraints(ca=False, path_length=None),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.BasicConstraints(ca=True, path_length=1),
    ],
)
def test_a_certificate_that_is_no_ca_or_may_issue_cas_is_refused(constraints):
    assert "path length 0" in refuse(ca(constraints=constraints))


def test_a_ca_mark_that_old_software_may_ignore_is_refused():
    assert "critical" in refuse(ca(critical=False))


def test_a_ca_that_may_not_sign_is_refused():
    assert "sign" in refuse(ca(sign=False))


def test_a_ca_with_another_extension_is_refused():
    assert "extension" in refuse(ca(more=[x509.SubjectAlternativeName([x509.DNSName("a.example")])]))


def test_a_ca_signed_by_another_key_is_refused():
    refuse(ca(signer=lender(2).keyring.authority_key))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_every_flipped_byte_of_a_ca_is_refused():
    for position in range(len(GOOD)):
        for mask in (0x01, 0x80):
            refuse(GOOD[:position] + bytes([GOOD[position] ^ mask]) + GOOD[position + 1 :])


@pytest.mark.parametrize("der", [b"", GOOD[:-1], GOOD + b"\0", bytes(MAX_CA_BYTES + 1), b"\x30\x80\0\0"])
def test_what_is_no_certificate_is_refused(der):
    refuse(der)
