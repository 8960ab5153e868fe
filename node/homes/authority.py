"""A member's own certificate authority: its certificate and the leaves it issues (design section 7; RFC 5280)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.consortium.authority import authority_subject
from ledger.consortium.caller import Caller, server_name

AUTHORITY_DAYS = 3653
LEAF_DAYS = 365
CLOCK_SKEW = timedelta(minutes=10)  # a certificate is used at once, by machines whose clocks are not ours


def issue_authority(member: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """The self-signed certificate of a new CA, in the profile of `ledger.consortium.authority`."""
    public = key.public_key()
    subject = authority_subject(member)
    return (
        _builder(subject, subject, public, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, SHA256())
    )


def issue_leaf(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    caller: Caller,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    *,
    hosts: Sequence[str] = (),
    days: int = LEAF_DAYS,
) -> x509.Certificate:
    """A certificate for one caller. A node's also serves, under its fixed name, "localhost" and `hosts`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{caller.member}/{caller.role}/{caller.name}"[:64])])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(caller.uri)]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if caller.role == "node":
        names += [_host(host) for host in dict.fromkeys((server_name(caller.member), "localhost", *hosts))]
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    issuer_key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject, authority.subject, public_key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
        .sign(authority_key, SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    moment = now.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - CLOCK_SKEW)
        .not_valid_after(moment + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
