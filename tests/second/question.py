"""What a request to decrypt must be, as far as logs and the request itself decide it (protocol sections 4 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import peer_pb2

from tests.second import head, inquiry, merkle, note, selection
from tests.second.challenged import challengers
from tests.second.entry import Entry, read
from tests.second.log import Log
from tests.second.manifest import Consortium
from tests.second.position import Ciphertext
from tests.second.record import World, log_name
from tests.second.refusal import Refused, require
from tests.second.selection import Selection

MOST_ENTRIES = 4096
HeadUsed = tuple[str, int, bytes]


def read_inquiry(consortium: Consortium, epoch: int, raw: bytes, index: int) -> Entry:
    """Q1 and Q4. Purposes other than the five are not sound to begin with."""
    entry = read(raw, index)
    if entry is None or entry.kind != "inquiry":
        raise Refused("BAD_ENTRY")
    require(entry.body.manifest == consortium.id, "OTHER_MANIFEST")
    require(entry.body.epoch == epoch <= consortium.epoch, "OTHER_EPOCH")
    require(entry.body.as_of == 0, "AS_OF")
    return entry


def check_heads(consortium: Consortium, querier: str, asked: Entry, heads: Sequence[HeadUsed]) -> None:
    """Q5, and Q6 of the querier's own head. `heads`: (origin, size, root)."""
    require([used[0] for used in heads] == [consortium.origin(name) for name in consortium.names], "BAD_HEADS")
    require([used[1] for used in heads] == list(asked.body.sizes), "BAD_HEADS", "sizes")
    require(selection.heads_digest(heads) == asked.body.heads_digest, "BAD_HEADS", "digest")
    require(asked.body.sizes[consortium.names.index(querier)] <= asked.index, "BAD_HEADS", "own head")
    require(not any(asked.body.sizes[place] for place in asked.body.conflicting), "BAD_HEADS", "conflicting")


def check_roots(world: World, querier: str, asked: Entry, heads: Sequence[HeadUsed]) -> None:
    """The rest of Q6, and that the querier's log holds the inquiry."""
    for name, (_, size, root) in zip(world.consortium.names, heads, strict=True):
        require(world.log(name).root(size) == root, "OTHER_ROOT", name)
        for ended in world.former(name):
            world.ended_log(ended)
    log = world.log(querier)
    require(asked.index < len(log) and log.raw[asked.index] == asked.raw, "NOT_IN_LOG")


def check_frozen(world: World, asked: Entry, heads: Sequence[HeadUsed], notes: Sequence[bytes]) -> None:
    """Q12."""
    require(len(notes) == len(asked.body.frozen), "BAD_REQUEST", "witnessed")
    for place, raw in zip(asked.body.frozen, notes, strict=True):
        origin, size, root = heads[place]
        if place in asked.body.conflicting or (not raw and size == 0 and root == merkle.EMPTY_ROOT):
            continue
        known = world.manifests or world.chain
        require(any(_is_witnessed(one, origin, size, root, raw) for one in known), "NOT_WITNESSED")


def check_settled(world: World, asked: Entry, notes: Sequence[bytes]) -> None:
    """Q14."""
    places = [place for place, size in enumerate(asked.body.settled) if size]
    require(len(notes) == len(places), "BAD_REQUEST", "settled")
    for place, raw in zip(places, notes, strict=True):
        name, size = world.consortium.names[place], asked.body.settled[place]
        origin, root = world.consortium.origin(name), world.log(name).root(size)
        known, until = world.manifests or world.chain, asked.time - selection.DAY
        require(any(_is_witnessed(one, origin, size, root, raw, until) for one in known), "NOT_SETTLED")


def _is_witnessed(
    consortium: Consortium, origin: str, size: int, root: bytes, raw: bytes, until: int | None = None
) -> bool:
    """By this manifest's keys; by a time, where one is given."""
    for member in consortium.members:
        if consortium.origin(member.name) != origin:
            continue
        others = [one for one in consortium.members if one != member]
        keys = [note.Key(f"{consortium.origin(one.name)}/cosigner", note.COSIGNATURE, one.cosign_key) for one in others]
        try:
            signed = head.open_head(raw, consortium.log_key(member.name), keys)
        except Refused:
            return False
        times = [time for time in signed.cosigned.values() if until is None or time <= until]
        enough = 2 * len(times) > len(consortium.members)
        return enough and (signed.origin, signed.size, signed.root) == (origin, size, root)
    return False


def joined(log: Log, block: Any, consortium: Consortium, member: str) -> Log:
    """A replica with a block of entries, or Refused (section 4, checks 1 to 3)."""
    require(block.origin == log.origin == consortium.origin(member), "BAD_BLOCK", "origin")
    end = block.start + len(block.entries)
    require(len(block.entries) <= MOST_ENTRIES and end >= 1, "BAD_BLOCK", "entries")
    require(block.start <= len(log), "LACKS_ENTRIES")
    signed = head.open_head(block.head, consortium.log_key(member))
    longer = Log(log.origin, [*log.raw[: block.start], *block.entries, *log.raw[end:]])
    require(longer.leaves[: len(log)] == log.leaves, "FORK")
    require(end <= signed.size, "BAD_BLOCK", "head")
    merkle.check_consistency(end, signed.size, longer.root(end), signed.root, list(block.consistency))
    return longer


@dataclass(frozen=True)
class Question:
    asked: Entry
    query_key: bytes
    heads: list[HeadUsed]
    selection: Selection
    sums: Ciphertext | None
    withheld: str


def examine(raw: bytes, querier: str, world: World, epoch: int) -> Question:
    """Q1 to Q10 without clocks: the answer that every custodian and the querier must come to."""
    request = peer_pb2.DecryptRequest()
    try:
        request.ParseFromString(raw)
    except DecodeError as error:
        raise Refused("BAD_REQUEST") from error
    require(len(request.query_key) == 32, "BAD_REQUEST", "query key")
    named = read(request.entry)
    world = world.under(named.body.manifest) if named and named.kind == "inquiry" else world
    consortium = world.consortium
    index, signed = head.open_receipt(request.receipt, request.entry, consortium.log_key(querier))
    log = world.log(querier)
    if request.HasField("tail"):
        log = joined(log, request.tail, consortium, querier)
    require(signed.size <= len(log) and log.root(signed.size) == signed.root, "NOT_IN_LOG")
    asked = read_inquiry(consortium, epoch, request.entry, index)
    heads = [(used.origin, used.size, used.root) for used in request.heads]
    check_heads(consortium, querier, asked, heads)
    held = replace(world, logs={**world.logs, log_name(log.origin): log})
    check_roots(held, querier, asked, heads)
    check_frozen(held, asked, heads, list(request.witnessed))
    check_settled(held, asked, list(request.settled))
    return concluded(held, querier, asked, request.query_key, heads)


def concluded(world: World, querier: str, asked: Entry, query_key: bytes, heads: list[HeadUsed]) -> Question:
    """Q8 to Q10, and the rest of Q13."""
    record = world.record(querier)
    place = record.offset + asked.index
    number = len(inquiry.history(record, querier, query_key, place)) - 1
    require(not inquiry.superseded(record, querier, query_key, number), "SUPERSEDED")
    require(not inquiry.beyond(world, querier, query_key, asked.time), "ENDED")
    inquiry.check_daily_quota(record, place, world.consortium.policy["inquiries_per_day"])
    withheld = inquiry.withheld(world, querier, query_key, place)
    body = asked.body
    by = challengers(world, body.sizes, body.settled)
    selected = selection.select(world, query_key, body.sizes, asked.time, body.epoch, body.conflicting, by)
    return Question(asked, query_key, heads, selected, selected.sums(), withheld)
