"""A log's tiles and bundles (ledger.tlog.tiles), straight out of what is held of it, tiles verified on the way."""

from __future__ import annotations

from ledger.chain.log import Log
from ledger.chain.tree import TILE_WIDTH
from ledger.errors import NotFound
from ledger.tlog.tiles import BUNDLE, Tile, encode_bundle

_DEPTH = 8


def read_tile(log: Log, tile: Tile) -> bytes:
    """Its bytes, as far as the head held reaches; partial tiles of earlier sizes, too.

    Raises NotFound, and Unverified where the store has rotted.
    """
    covered = log.covered
    level = max(tile.level, 0)
    places = range(tile.number * TILE_WIDTH, tile.number * TILE_WIDTH + tile.width)
    if places.stop > covered >> _DEPTH * level:
        raise NotFound("NO_TILE", f"{covered} entries are held of this log, too few for this tile")
    if tile.level == BUNDLE:
        return encode_bundle(log.entries_at(places))
    tree = log.state.tree
    return b"".join(tree.node(_DEPTH * level, place) for place in places)
