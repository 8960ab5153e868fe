"""TLS for Python's own servers, as `node.wire.tls` makes it for gRPC: the members' CAs and this node's certificate, as
they are at each handshake."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

from ledger.consortium.manifest import Manifest
from node.wire.tls import Presented


class Contexts:
    """The context of the next handshake. To be used from one thread."""

    def __init__(self, now: Callable[[], tuple[Manifest, Presented]], *, strangers: bool) -> None:
        """now: the manifest in force and what the node presents. strangers: callers without a certificate are let in;
        what they may ask for is for others to say."""
        self._now = now
        self._strangers = strangers
        self._made: tuple[bytes, Presented, ssl.SSLContext] | None = None

    def current(self) -> ssl.SSLContext:
        """Made anew where the manifest or the certificate has changed."""
        manifest, presented = self._now()
        if self._made is None or self._made[:2] != (manifest.id, presented):
            self._made = manifest.id, presented, self._make(manifest, presented)
        return self._made[2]

    def _make(self, manifest: Manifest, presented: Presented) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL if self._strangers else ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=b"".join(one.authority_pem for one in manifest.members).decode())
        context.set_alpn_protocols(["http/1.1"])
        _present(context, presented)
        return context


def _present(context: ssl.SSLContext, presented: Presented) -> None:
    """Python takes keys from files only: from one that is in memory, has no name and is gone at once."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(presented.key + presented.certificate)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
