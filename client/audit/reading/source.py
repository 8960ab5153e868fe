"""Where an audit reads from: any one member's node, or a folder of tiles. Nothing that a source says is believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from plimsoll.v1 import audit_pb2, peer_pb2


class Source(Protocol):
    """`sdk.Session` is one, `tiles.Tiles` another. Everything raises PlimsollError: Unavailable
    where it may succeed later, NotFound for a log that is not there."""

    def manifests(self) -> audit_pb2.ManifestResponse:
        """All manifests, with what shows them to be approved."""

    def heads(self) -> list[bytes]:
        """The signed head of each log that is held: everything below it can be read."""

    def witnessed(self) -> list[bytes]:
        """Signed heads with the cosignatures on them."""

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        """One log's entries from `start` on, in verifiable blocks."""

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """RFC 6962 consistency proof."""

    def receipt(self, origin: str, index: int) -> audit_pb2.ReceiptResponse:
        """One entry with its receipt, a C2SP tlog-proof, under a head that is no smaller than those of `heads`."""
