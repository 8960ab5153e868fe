"""A folder of tiles as a source of an audit: DIR/lineage, DIR/<log>/checkpoint, DIR/<log>/tile/.. (C2SP tlog-tiles),
and DIR/<log>/witnessed, a head with its cosignatures.

<log> is the last part of the log's origin: `lender-1`, and `lender-1.2` for a member's second log. `lineage` is a
serialized plimsoll.v1.Lineage, as `plimsoll lineage --output` writes it. It needs no certificate and no node.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError
from plimsoll.v1 import audit_pb2, peer_pb2

from ledger.chain.tree import TILE_WIDTH, split_hashes
from ledger.consortium.joined import log_name
from ledger.consortium.lineage import MAX_LINEAGE_BYTES
from ledger.errors import InvalidInput, NotFound, PlimsollError, Unavailable, Unverified
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, parse_head_text
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.note import parse_note
from ledger.tlog.receipt import Receipt
from ledger.tlog.tiles import BUNDLE, Tile, levels, split_bundle

CHECKPOINT, WITNESSED, LINEAGE = "checkpoint", "witnessed", "lineage"
#: In place of a member's name, where a folder is read.
TILES = "tiles"
PER_BLOCK = 4 * TILE_WIDTH
_MAX_NOTE = 1 << 20
_MAX_BUNDLE = TILE_WIDTH * (2 + 65_535)
_DEPTH = 8  # 2^8 hashes a tile
_CACHED = 64  # tiles of hashes: 512 KiB


class Tiles:
    """See Source. The checkpoints are those that were there when `heads` was first asked for, or are when a log is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checkpoints: dict[str, bytes] = {}
        self._hashes: OrderedDict[tuple[str, Tile], bytes] = OrderedDict()

    def manifests(self) -> audit_pb2.ManifestResponse:
        """Raises NotFound, InvalidInput."""
        raw = self._read(self._folder / LINEAGE, MAX_LINEAGE_BYTES)
        try:
            lineage = audit_pb2.Lineage.FromString(raw)
        except DecodeError as error:
            raise InvalidInput("BAD_LINEAGE", "not the protobuf message of a lineage", LINEAGE) from error
        return audit_pb2.ManifestResponse(manifest=lineage.founding, successions=lineage.successions)

    def heads(self) -> list[bytes]:
        """The checkpoints."""
        if not self._folder.is_dir():
            raise NotFound("NO_SUCH_FOLDER", "there is no such folder of tiles", str(self._folder))
        names = sorted(path.parent.name for path in self._folder.glob(f"*/{CHECKPOINT}"))
        found = []
        for name in names:
            try:
                found.append(self._checkpoint(name))
            except InvalidInput:  # told where that log is read
                continue
        return found

    def witnessed(self) -> list[bytes]:
        """Those that lie beside the checkpoints; these may be cosigned, too."""
        found = []
        for path in sorted(self._folder.glob(f"*/{WITNESSED}")):
            try:
                found.append(self._read(path, _MAX_NOTE))
            except InvalidInput:
                found.append(f"{path.parent.name}\n".encode())  # no head at all, and so told, by its name
        return found

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        """Blocks of up to 1,024 entries; the last one ends where the checkpoint does. They come without consistency
        proofs: whoever reads them compares every tile (`check`), and the root at the end."""
        raw, size = self._checkpoint(log_name(origin)), self._head(origin).size
        while start < size:
            stop = min((start // PER_BLOCK + 1) * PER_BLOCK, size)
            yield peer_pb2.Block(origin=origin, start=start, entries=self._entries(origin, start, stop, size), head=raw)
            start = stop

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """Out of the tiles of hashes."""
        size = self._head(origin).size
        if new_size > size:
            raise NotFound("BEYOND_HEAD", f"the checkpoint is of size {size}", "new_size")
        return list(merkle.consistency_path(old_size, new_size, lambda level, at: self._node(origin, size, level, at)))

    def receipt(self, origin: str, index: int) -> audit_pb2.ReceiptResponse:
        """Under the checkpoint."""
        size = self._head(origin).size
        path = merkle.inclusion_path(index, size, lambda level, at: self._node(origin, size, level, at))
        (entry,) = self._entries(origin, index, index + 1, size)
        receipt = Receipt(index, path, self._checkpoint(log_name(origin))).encode()
        return audit_pb2.ReceiptResponse(entry=entry, receipt=receipt)

    def check(self, origin: str, start: int = 0) -> TileCheck:
        """What compares a log's tiles of hashes with its entries from `start` on."""
        return TileCheck(self, origin, self._head(origin).size, start)

    def hashes(self, origin: str, tile: Tile) -> bytes:
        """A tile of hashes, of the right size. Raises NotFound, InvalidInput."""
        key = origin, tile
        if key not in self._hashes:
            raw = self._read(self._folder / log_name(origin) / tile.path, tile.width * HASH_SIZE)
            if len(raw) != tile.size:
                raise InvalidInput("BAD_TILE", f"a tile of {len(raw)} bytes, not {tile.size}", tile.path)
            self._hashes[key] = raw
            if len(self._hashes) > _CACHED:
                self._hashes.popitem(last=False)
        self._hashes.move_to_end(key)
        return self._hashes[key]

    # -- private

    def _checkpoint(self, name: str) -> bytes:
        if name not in self._checkpoints:
            self._checkpoints[name] = self._read(self._folder / name / CHECKPOINT, _MAX_NOTE)
        return self._checkpoints[name]

    def _head(self, origin: str) -> Head:
        """Not verified, but for its origin: one of size 0 comes with no entries that would show it."""
        head = parse_head_text(parse_note(self._checkpoint(log_name(origin))).text)
        if head.origin != origin:
            raise BadTile("WRONG_ORIGIN", f"the checkpoint of {log_name(origin)} is of another log", 0)
        return head

    def _entries(self, origin: str, start: int, stop: int, size: int) -> list[bytes]:
        entries: list[bytes] = []
        for number in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
            first = number * TILE_WIDTH
            tile = Tile(BUNDLE, number, min(TILE_WIDTH, size - first))
            bundle = self._bundle(origin, tile, first)
            entries += bundle[max(0, start - first) : stop - first]
        return entries

    def _bundle(self, origin: str, tile: Tile, first: int) -> tuple[bytes, ...]:
        try:
            raw = self._read(self._folder / log_name(origin) / tile.path, _MAX_BUNDLE)
        except (NotFound, InvalidInput) as error:
            raise BadTile(error.reason, f"{error.message}: {tile.path}", first) from error
        try:
            return split_bundle(raw, tile.width)
        except InvalidInput as error:
            place = self._first_bad(origin, tile, raw, int(error.path.strip("[]")))
            raise BadTile(error.reason, f"{error.message}: {tile.path}", first + place) from error

    def _first_bad(self, origin: str, bundle: Tile, raw: bytes, readable: int) -> int:
        """Of the first entries of a bundle, which can be read, the first that is not what the tile of hashes has; where
        all are, the one behind them. A length that was changed may leave its own entry readable."""
        try:
            hashes = split_hashes(self.hashes(origin, Tile(0, bundle.number, bundle.width)))
        except PlimsollError:
            return readable
        at = 0
        for place in range(readable):
            start = at + 2
            at = start + int.from_bytes(raw[at:start], "big")
            if merkle.leaf_hash(raw[start:at]) != hashes[place]:
                return place
        return readable

    def _node(self, origin: str, size: int, level: int, index: int) -> bytes:
        """The root of a complete subtree: 2^level entries from index * 2^level on."""
        above, below = divmod(level, _DEPTH)
        first = index << below
        number, offset = divmod(first, TILE_WIDTH)
        whole = size >> _DEPTH * above
        raw = self.hashes(origin, Tile(above, number, min(TILE_WIDTH, whole - number * TILE_WIDTH)))
        hashes = [raw[at * HASH_SIZE :][:HASH_SIZE] for at in range(offset, offset + (1 << below))]
        return merkle.root_of(hashes)

    def _read(self, path: Path, limit: int) -> bytes:
        try:
            with path.open("rb") as file:
                raw = file.read(limit + 1)
        except FileNotFoundError as error:
            raise NotFound("NO_SUCH_FILE", "not in the folder of tiles", str(path)) from error
        except OSError as error:
            raise Unavailable("UNREADABLE", f"cannot be read: {error.strerror}", str(path)) from error
        if len(raw) > limit:
            raise InvalidInput("TOO_LARGE", f"larger than {limit} bytes", str(path))
        return raw


class BadTile(Unverified):
    """A tile is not what it must be. index: of the first entry that it is about."""

    def __init__(self, reason: str, message: str, index: int) -> None:
        super().__init__(reason, message)
        self.index = index


class TileCheck:
    """Compares all tiles of hashes of a log with those that follow from its entries, in order."""

    def __init__(self, tiles: Tiles, origin: str, size: int, start: int) -> None:
        """start: the hashes before it in the tiles at its right edge are taken as they are; they have been joined to
        what was verified before by a consistency proof."""
        self._tiles = tiles
        self._origin = origin
        self._size = size
        self._rows: list[list[bytes]] = []
        for level in range(levels(size)):
            at = start >> _DEPTH * level
            known = at % TILE_WIDTH
            raw = self._stored(level, at - known) if known else b""
            self._rows.append([raw[place * HASH_SIZE :][:HASH_SIZE] for place in range(known)])
        self._done = [start >> _DEPTH * level for level in range(levels(size))]

    def take(self, leaves: Sequence[bytes]) -> None:
        """The next leaf hashes. Raises BadTile at the first that a tile says otherwise."""
        at = 0
        while at < len(leaves):
            row = self._rows[0]
            part = leaves[at : at + TILE_WIDTH - len(row)]
            row += part
            at += len(part)
            self._done[0] += len(part)
            if len(row) == TILE_WIDTH or self._done[0] == self._size:
                self._close(0)

    def _close(self, level: int) -> None:
        """A tile is complete, or is the last of its level."""
        row, shift = self._rows[level], _DEPTH * level
        start = self._done[level] - len(row)
        stored = self._stored(level, start)
        if stored != b"".join(row):
            place = next(n for n, each in enumerate(row) if stored[n * HASH_SIZE :][:HASH_SIZE] != each)
            raise BadTile("BAD_TILE", f"a hash of level {level} is not that of its entries", start + place << shift)
        if len(row) == TILE_WIDTH:
            self._rows[level] = []
            above = level + 1
            self._rows[above].append(merkle.root_of(row))
            self._done[above] += 1
            if len(self._rows[above]) == TILE_WIDTH or self._done[above] == self._size >> _DEPTH * above:
                self._close(above)

    def _stored(self, level: int, start: int) -> bytes:
        whole = self._size >> _DEPTH * level
        tile = Tile(level, start // TILE_WIDTH, min(TILE_WIDTH, whole - start))
        try:
            return self._tiles.hashes(self._origin, tile)
        except (NotFound, InvalidInput) as error:
            raise BadTile(error.reason, f"{error.message}: {tile.path}", start << _DEPTH * level) from error
