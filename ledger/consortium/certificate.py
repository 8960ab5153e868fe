"""Certificates and their P-256 keys as files hold them: read without trusting them, written for TLS libraries."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from ledger.consortium.caller import Caller, parse_caller
from ledger.errors import InvalidInput

PEM = b"-----BEGIN "
"""How every PEM file starts."""


def load_certificate(pem: bytes, path: str) -> x509.Certificate:
    """One certificate in PEM; nothing in it is checked. Raises InvalidInput."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidInput("BAD_CERTIFICATE", "not a certificate", path) from error


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def named_caller(certificate: x509.Certificate, path: str) -> Caller:
    """Whom the certificate claims to be of: its only SAN URI. Whether that holds is for its CA. Raises InvalidInput."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise InvalidInput(
            "BAD_CERTIFICATE", "the certificate has no legible subject alternative name", path
        ) from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise InvalidInput("BAD_CERTIFICATE", "the certificate must name one caller", path)
    return parse_caller(uris[0], path)


def load_key(raw: bytes, path: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 secret key: PEM without a password, or PKCS #8 DER. Raises InvalidInput, quoting nothing."""
    load = load_pem_private_key if raw.startswith(PEM) else load_der_private_key
    try:
        key = load(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInput("BAD_KEY", "not a secret key in the clear", path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("BAD_KEY", "not a P-256 key", path)
    return key


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 PEM in the clear: for TLS libraries, and files of mode 0600 that were asked for."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 DER in the clear: to be sealed."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
