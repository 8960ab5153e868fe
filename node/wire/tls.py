"""Mutual TLS between the members and towards their own programs (design section 7).

A server trusts all members' CAs at once, so that any member's certificate completes a handshake. That says only that
*some* member vouches; `peer_identity` then holds the certificate against the CA of the member that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.consortium.caller import Caller, server_name
from ledger.consortium.certificate import load_certificate, named_caller
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, Refused

__all__ = [
    "Caller",
    "Callers",
    "Presented",
    "channel_credentials",
    "channel_options",
    "peer_identity",
    "server_credentials",
]

MAX_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Presented:
    """What a node shows of itself in a handshake: PEM."""

    key: bytes = field(repr=False)
    certificate: bytes


def server_credentials(now: Callable[[], tuple[Manifest, Presented]]) -> grpc.ServerCredentials:
    """For a member's node: every caller must present a certificate of some member's CA.

    now: the manifest in force and what the node presents; asked before every handshake, in any thread.
    """
    last: list[tuple[bytes, Presented]] = []

    def configuration() -> Any:  # the stub of gRPC leaves out that it may be None
        manifest, presented = now()
        if last == [(manifest.id, presented)]:
            return None  # gRPC would build all of it anew, and trips over that when many handshakes are under way
        last[:] = [(manifest.id, presented)]
        roots = b"".join(member.authority_pem for member in manifest.members)
        return grpc.ssl_server_certificate_configuration([(presented.key, presented.certificate)], roots)

    return grpc.dynamic_ssl_server_credentials(configuration(), configuration, require_client_authentication=True)


def channel_credentials(
    manifest: Manifest, member: str, key_pem: bytes, certificate_pem: bytes
) -> grpc.ChannelCredentials:
    """Towards one member's node and nobody else: its CA alone is trusted. Raises NotFound."""
    return grpc.ssl_channel_credentials(manifest.member(member).authority_pem, key_pem, certificate_pem)


def channel_options(member: str) -> tuple[tuple[str, str], ...]:
    """Options of a channel to a member's node: which name its certificate must have, wherever it is reached."""
    return (("grpc.ssl_target_name_override", server_name(member)),)


def peer_identity(pem: bytes, manifest: Manifest, now: datetime) -> Caller:
    """Who presented this certificate, once it holds against the CA of the member it names.

    Raises Refused: no such member, another member's CA, another consortium, out of date, or not made for a client.
    """
    return _identify(_load(pem), manifest, now)


class Callers:
    """Identifies callers, remembering certificates that held; each is still checked against the clock every time.

    revoked: SHA-256 of certificates (DER) that are refused.
    """

    def __init__(
        self,
        manifest: Manifest,
        revoked: frozenset[bytes] = frozenset(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._manifest = manifest
        self._revoked = revoked
        self._clock = clock
        self._known: dict[bytes, tuple[x509.Certificate, Caller]] = {}

    def follow(self, manifest: Manifest) -> None:
        """This manifest is in force: nothing that held before is taken for granted."""
        self._manifest = manifest
        self._known.clear()

    def identify(self, pem: bytes) -> Caller:
        """As `peer_identity`, now. Raises Refused."""
        now = self._clock()
        known = self._known.get(pem)
        if known is not None:
            _check_validity(known[0], now)
            return known[1]
        certificate = _load(pem)
        if certificate.fingerprint(SHA256()) in self._revoked:
            raise _refused("REVOKED_CERTIFICATE", "this certificate has been revoked")
        caller = _identify(certificate, self._manifest, now)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()  # a member that presents ever new certificates costs time, not memory
        self._known[pem] = certificate, caller
        return caller


def _identify(certificate: x509.Certificate, manifest: Manifest, now: datetime) -> Caller:
    try:
        caller = named_caller(certificate, "certificate")
        _check_purpose(certificate)
    except InvalidInput as error:
        raise _refused(error.reason, error.message) from error
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise _refused("BAD_CERTIFICATE", "the certificate's extensions are not those of a caller") from error
    if caller.consortium != manifest.consortium:
        raise _refused("WRONG_CONSORTIUM", "the certificate is of another consortium")
    if caller.member not in manifest:
        raise _refused("UNKNOWN_MEMBER", "the certificate names no member")
    try:
        certificate.verify_directly_issued_by(manifest.member(caller.member).authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise _refused("WRONG_AUTHORITY", "the certificate is not by the CA of the member that it names") from error
    _check_validity(certificate, now)
    return caller


def _load(pem: bytes) -> x509.Certificate:
    try:
        return load_certificate(pem, "certificate")
    except InvalidInput as error:
        raise _refused(error.reason, error.message) from error


def _check_purpose(certificate: x509.Certificate) -> None:
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if constraints.ca or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise _refused("BAD_CERTIFICATE", "the certificate is not made for a client")


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _refused("EXPIRED_CERTIFICATE", "the certificate is not valid at this time")


def _refused(reason: str, message: str) -> Refused:
    return Refused(reason, message, "certificate")
