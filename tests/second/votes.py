"""What the logs say of manifests (protocol section 24, A6)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from plimsoll.v1 import audit_pb2

from tests.second import head, manifest, succession
from tests.second.manifest import Consortium
from tests.second.refusal import Refused
from tests.second.shelf import Shelf

MOST_TEXT = 1 << 20


def check(shelf: Shelf) -> None:
    message = audit_pb2.Lineage.FromString(shelf.lineage)
    for before, step in zip(shelf.manifests, message.successions, strict=False):
        for approval in step.approvals:
            _shown(shelf, before, approval)
    _double(shelf)
    for number in range(1, len(shelf.manifests) + 1):
        for identity in _kept_back(shelf, shelf.manifests[:number]):
            shelf.find("", None, Refused("KEPT_BACK", identity.hex()))


def _shown(shelf: Shelf, before: Consortium, approval: Any) -> None:
    """An approval in the lineage is that of its author's log."""
    held = shelf.logs[before.origin(approval.member)]
    if held.log is None or (held.frozen and held.ended):
        return
    index, under = head.open_receipt(approval.receipt, approval.entry, held.key)
    if index < len(held.log) and held.log.raw[index] != approval.entry:
        shelf.find(held.member, index, Refused("OTHER_ENTRY"))
    elif under.size <= len(held.log) and held.log.root(under.size) != under.root:
        shelf.find(held.member, index, Refused("FORK", "an approval in another log"))


def _double(shelf: Shelf) -> None:
    for held in shelf.logs.values():
        first: dict[bytes, bytes] = {}
        told: set[bytes] = set()
        for entry in held.entries("approval"):
            previous, to = entry.body.previous, entry.body.manifest
            if first.setdefault(previous, to) != to and previous not in told:
                told.add(previous)
                shelf.find(held.member, entry.index, Refused("DOUBLE_VOTE"))


def _kept_back(shelf: Shelf, history: Sequence[Consortium]) -> Iterator[bytes]:
    """Successors of the last that the logs show to be approved, and the lineage does not show."""
    before, votes = history[-1], {}
    for name in before.names:
        held = shelf.logs[before.origin(name)]
        mine = [each for each in held.entries("approval") if each.body.previous == before.id]
        if mine and not held.frozen:
            votes[name] = mine[0].body.manifest
    for text in _proposals(shelf, before):
        identity = hashlib.sha256(text).digest()
        if identity in {one.id for one in shelf.manifests}:
            continue
        try:
            after = manifest.read(text.decode("utf-8"))
            succession.check(history, after)
        except (Refused, UnicodeDecodeError):
            continue
        by = [name for name, to in votes.items() if to == identity and name in after.names]
        if len(by) >= succession.needed(before, after):
            yield identity


def _proposals(shelf: Shelf, before: Consortium) -> set[bytes]:
    texts = set()
    for name in before.names:
        for entry in shelf.logs[before.origin(name)].entries("proposal"):
            stream = zlib.decompressobj()
            try:
                text = stream.decompress(entry.body.manifest, MOST_TEXT)
            except zlib.error:
                continue
            if entry.body.previous == before.id and stream.eof and not stream.unused_data:
                texts.add(text)
    return texts
