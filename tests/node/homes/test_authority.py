"""What a member's CA issues."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.consortium.authority import read_authority
from ledger.consortium.caller import ROLES, Caller
from node.homes.authority import CLOCK_SKEW, LEAF_DAYS, issue_authority, issue_leaf
from node.homes.keyring import generate_key
from tests.lenders import NOW, lender

ONE = lender(1)
KEY = generate_key()


def leaf(role, **arguments):
    caller = Caller(bytes(32), "lender-1", role, "n" * 32)
    return issue_leaf(ONE.authority, ONE.keyring.authority_key, caller, KEY.public_key(), NOW, **arguments)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def test_a_new_ca_fits_the_profile_that_manifests_ask_for():
    key = generate_key()
    ca = issue_authority("n" * 32, key, NOW)
    assert read_authority(ca.public_bytes(Encoding.DER), "n" * 32, "") == ca
    assert ca.not_valid_after_utc - NOW > timedelta(days=3650)


@pytest.mark.parametrize("role", ROLES)
def test_a_leaf_names_its_caller_under_its_own_ca_and_cannot_issue(role):
    certificate = leaf(role)
    certificate.verify_directly_issued_by(ONE.authority)
    names = extension(certificate, x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == [f"plimsoll://{'00' * 32}/lender-1/{role}/{'n' * 32}"]
    constraints = extension(certificate, x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert not extension(certificate, x509.KeyUsage).value.key_cert_sign
    assert certificate.public_key() == KEY.public_key()


@pytest.mark.parametrize("role", ["lender", "operator", "auditor"])
def test_only_a_nodes_certificate_can_serve(role):
    certificate = leaf(role, hosts=("a.example",))
    assert list(extension(certificate, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == []


def test_a_node_serves_under_its_fixed_name_and_wherever_it_is_reached():
    certificate = leaf("node", hosts=("a.example", "10.0.0.1", "::1", "localhost", "a.example"))
    usages = set(extension(certificate, x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["lender-1.plimsoll.internal", "localhost", "a.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.1"), ip_address("::1")]


def test_a_leaf_is_valid_at_once_on_a_clock_that_is_behind_and_for_a_year():
    certificate = leaf("node")
    assert certificate.not_valid_before_utc == NOW - CLOCK_SKEW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=LEAF_DAYS)


def test_serial_numbers_do_not_repeat():
    assert leaf("node").serial_number != leaf("node").serial_number
