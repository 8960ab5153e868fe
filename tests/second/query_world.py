"""The world of query.json, as a verifier has it."""

from __future__ import annotations

from tests.second import manifest
from tests.second.ceremony import Keys
from tests.second.group import point
from tests.second.log import Log
from tests.second.record import World
from tests.second.vectors import load, unhex

VECTORS = load("query")
CONSORTIUM = manifest.read(VECTORS["manifest"])
RAW = {name: unhex(raws) for name, raws in VECTORS["logs"].items()}
PUBLIC = tuple(map(point, unhex(VECTORS["keys"]["public"])))
SHARES = {j: tuple(map(point, unhex(c["public"]))) for j, c in enumerate(VECTORS["keys"]["custodians"], 1)}
KEYS = Keys(VECTORS["epoch"], PUBLIC, SHARES)
ASKER = VECTORS["asker"]
QUERY_KEY = unhex(VECTORS["query_key"])


def world_of(raws):
    return World(CONSORTIUM, {name: Log(CONSORTIUM.origin(name), raw) for name, raw in raws.items()}, PUBLIC[1:])


WORLD = world_of(RAW)


def as_of(query):
    """The logs when that inquiry was the asker's newest entry."""
    return world_of({**RAW, ASKER: RAW[ASKER][: query["index"] + 1]})
