"""Which records are challenged and not answered (protocol section 19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.second import labels, wellformed
from tests.second.entry import Entry
from tests.second.log import Log
from tests.second.manifest import Consortium
from tests.second.record import World
from tests.second.refusal import Refused
from tests.second.wellformed import Statement

MOST_COUNTED = 256


@dataclass(frozen=True)
class Challenger:
    member: str
    log: Log
    size: int
    settled: int


def challengers(
    world: World, sizes: Sequence[int], settled: Sequence[int], querier: str = "", own: int = 0
) -> list[Challenger]:
    """`own`: how much of the querier's own log may matter, where one is named."""
    found = []
    for name, size, until in zip(world.consortium.names, sizes, settled, strict=False):
        most = max(0, min(size, own)) if name == querier else size
        found.append(Challenger(name, world.log(name), most, min(most, until)))
    return found


def own_before(world: World, querier: str, named: Consortium, place: int) -> int:
    """Of the log that the querier writes under the manifest named by an inquiry at this place of its record: how many
    entries stand before it there."""
    origin, count = named.origin(querier), 0
    for before in range(place):
        count += origin_and_index(world, querier, before)[0] == origin
    return count


def origin_and_index(world: World, member: str, place: int) -> tuple[str, int]:
    for ended in world.former(member):
        if place < ended.size:
            suffix = "" if ended.number == 1 else f".{ended.number}"
            return f"plimsoll/{world.consortium.founding.hex()}/{member}{suffix}", place
        place -= ended.size
    return world.consortium.origin(member), place


def left_out(world: World, by: Sequence[Challenger], member: str, entry: Entry, end: int) -> bool:
    """`entry`: the record selected, at its place; `end`: that of the tree used."""
    origin, index = origin_and_index(world, member, entry.index)
    if not any(_challenges(one, origin, index, entry.leaf) for one in by if one.member != member):
        return False
    return not _answered(world, member, entry, end)


def _challenges(by: Challenger, origin: str, index: int, leaf: bytes) -> bool:
    place = by.log.places.get(labels.challenge(origin, index, leaf))
    if place is None or place >= by.settled:
        return False
    found = by.log.at(place)
    if found.kind != "challenge" or (found.body.origin, found.body.index, found.body.leaf_hash) != (
        origin,
        index,
        leaf,
    ):
        return False
    behind = [each for each in by.log.entries[place + 1 : by.size] if each and each.kind == "challenge"]
    return len(behind) < MOST_COUNTED


def _answered(world: World, member: str, entry: Entry, end: int) -> bool:
    record = world.record(member)
    place = record.places.get(labels.answer(entry.leaf))
    if place is None or place >= end:
        return False
    found = record.at(place)
    if found.kind != "challenge_answer" or found.body.leaf_hash != entry.leaf:
        return False
    body, consortium = entry.body, world.consortium
    statement = Statement(
        consortium.founding,
        body.epoch,
        member,
        body.label,
        entry.leaf,
        body.nonce_point,
        tuple(key.encoded for key in world.public_keys),
        tuple(body.bodies),
        tuple(edge * consortium.minor_per_major for edge in consortium.policy["bands"]),
    )
    try:
        wellformed.verify(statement, found.body.proof)
    except Refused:
        return False
    return True
