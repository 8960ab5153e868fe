"""A member's certificate authority as the manifest pins it (design section 7; RFC 5280).

One profile and nothing else: X.509 v3, self-signed ECDSA P-256 with SHA-256 (every TLS library takes it), exactly the
extensions below, subject `CN=Plimsoll CA <member>`. The subject is fixed because all members' CAs share one trust pool:
TLS libraries look an issuer up by its name, so a CA that took another's name could keep that member out.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from ledger.errors import InvalidInput

MAX_CA_BYTES = 2048

_PREFIX = "Plimsoll CA "
_EXTENSIONS = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_KEY_IDENTIFIER}


def authority_subject(member: str) -> x509.Name:
    """The subject and issuer of a member's CA."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{_PREFIX}{member}")])


def authority_member(ca: x509.Certificate) -> str:
    """The member a CA's subject names; whether it speaks for it is the manifest's to say. Raises InvalidInput."""
    values = [attribute.value for attribute in ca.subject]
    if len(values) != 1 or not isinstance(values[0], str) or not values[0].startswith(_PREFIX):
        raise InvalidInput("BAD_CA", "not the certificate of a member's CA")
    return values[0].removeprefix(_PREFIX)


def read_authority(der: bytes, member: str, path: str) -> x509.Certificate:
    """A CA certificate that fits the profile. Validity in time is for whoever has a clock. Raises InvalidInput."""
    if len(der) > MAX_CA_BYTES:
        raise InvalidInput("BAD_CA", f"a CA certificate is at most {MAX_CA_BYTES} bytes", path)
    try:
        ca = x509.load_der_x509_certificate(der)
        for requirement, holds in _PROFILE:
            if not holds(ca, member):
                raise InvalidInput("BAD_CA", f"the CA certificate must {requirement}", path)
        ca.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise InvalidInput("BAD_CA", "not a self-signed X.509 certificate", path) from error
    except (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise InvalidInput("BAD_CA", "not a well-formed X.509 certificate", path) from error
    # The signature is a bit string; DER lets it say that its last bits, where they are 0, are none of it.
    if ca.public_bytes(Encoding.DER) != der or not der.endswith(b"\0" + ca.signature):
        raise InvalidInput("BAD_CA", "not the canonical encoding of a certificate", path)
    return ca


def _has_subject(ca: x509.Certificate, member: str) -> bool:
    wanted = authority_subject(member).public_bytes()
    return ca.subject.public_bytes() == wanted and ca.issuer.public_bytes() == wanted


def _has_serial(ca: x509.Certificate, _: str) -> bool:
    return ca.serial_number > 0  # RFC 5280 section 4.1.2.2; libraries differ on others


def _is_p256(ca: x509.Certificate, _: str) -> bool:
    key = ca.public_key()
    return (
        isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
        and isinstance(ca.signature_hash_algorithm, SHA256)
    )


def _has_extensions(ca: x509.Certificate, _: str) -> bool:
    return {extension.oid for extension in ca.extensions} == _EXTENSIONS


def _issues_leaves_only(ca: x509.Certificate, _: str) -> bool:
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    return constraints.critical and constraints.value.ca and constraints.value.path_length == 0


def _signs_certificates(ca: x509.Certificate, _: str) -> bool:
    return ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


_PROFILE: tuple[tuple[str, Callable[[x509.Certificate, str], bool]], ...] = (
    ("have this member's name as subject and issuer", _has_subject),
    ("have a positive serial number", _has_serial),
    ("have an ECDSA P-256 key and signature with SHA-256", _is_p256),
    ("have basic constraints, key usage and a subject key identifier, and no other extension", _has_extensions),
    ("be a CA with path length 0, marked critical", _issues_leaves_only),
    ("be allowed to sign certificates", _signs_certificates),
)
