"""The consortium's logs as a folder of tiles, written by hand; and ways to spoil it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from plimsoll.v1 import audit_pb2

from client.audit.auditor import Auditor, Scope
from client.audit.reading.tiles import Tiles
from client.audit.report import Report
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.note import Signer
from ledger.tlog.tiles import BUNDLE, encode_bundle, tiles_of
from tests.client.audit.world import consortium, signed_note
from tests.ledger.sample_consortium import MemoryLog


def checkpoint(entries: list[bytes], signer: Signer) -> bytes:
    """The head over these entries."""
    root = merkle.root_of([merkle.leaf_hash(entry) for entry in entries])
    return sign_head(Head(signer.key.name, len(entries), root), signer).note.encode()


def write_log(folder: Path, entries: list[bytes], signer: Signer) -> None:
    """One log, tile by tile, straight from the definition of a tile's hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    for tile in tiles_of(len(entries)):
        if tile.level == BUNDLE:
            raw = encode_bundle(entries[tile.number * 256 :][: tile.width])
        else:
            each = 256**tile.level
            first = tile.number * 256
            raw = b"".join(
                merkle.root_of(leaves[at * each : (at + 1) * each]) for at in range(first, first + tile.width)
            )
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    (folder / "checkpoint").write_bytes(checkpoint(entries, signer))


def write_folder(folder: Path, logs: Mapping[str, MemoryLog] | None = None) -> Path:
    """All logs, and the manifests."""
    folder.mkdir(exist_ok=True)
    (folder / "lineage").write_bytes(audit_pb2.Lineage(founding=signed_note()).SerializeToString())
    for name, log in (consortium().logs if logs is None else logs).items():
        write_log(folder / name, log.entries, log._signer)
    return folder


def audit_tiles(folder: Path, **scope: object) -> tuple[Report, Auditor]:
    """Out of the folder alone."""
    facts: dict[str, object] = {"draw": secrets.randbelow, **scope}
    auditor = Auditor(Tiles(folder), Scope(**facts), lambda *_: None)  # type: ignore[arg-type]
    return auditor.run(), auditor
