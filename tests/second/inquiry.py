"""One member's inquiries about one borrower (protocol sections 9 and 10): Q8, Q9 and the replay of the release rule."""

from __future__ import annotations

from collections.abc import Mapping

from tests.second import labels, release
from tests.second.entry import Entry
from tests.second.framing import digest
from tests.second.record import Record, World
from tests.second.refusal import require
from tests.second.replay import Replay

MOST_INQUIRIES = 65_536


def _places(log: Record, member: str, query_key: bytes) -> Mapping[int, int | None]:
    key = labels.inquiry_key(query_key)

    class Places(dict[int, int | None]):
        def __missing__(self, number: int) -> int | None:
            self[number] = log.places.get(labels.label(key, labels.INQUIRY, member, number))
            return self[number]

    return Places()


def history(log: Record, member: str, query_key: bytes, index: int) -> list[Entry]:
    """Q8, but for the successor: the entries of inquiries 0 .. n, the last of which stands at `index`."""
    places = _places(log, member, query_key)
    newest = labels.newest(places.__getitem__, index + 1)
    require(newest is not None and places[newest] == index, "BAD_LABEL")
    assert newest is not None
    require(newest < MOST_INQUIRIES, "TOO_MANY_INQUIRIES")
    found = [places[number] for number in range(newest + 1)]
    indices = [place for place in found if place is not None]
    require(len(indices) == len(found) and sorted(indices) == indices, "GAP")
    return [log.at(place) for place in indices]


def superseded(log: Record, member: str, query_key: bytes, number: int) -> bool:
    return _places(log, member, query_key)[number + 1] is not None


def check_daily_quota(log: Record, index: int, most: int) -> None:
    """Q9's first half."""
    since = log.at(index).time - release.DAY
    asked = [e for e in log.entries[: index + 1] if e and e.kind == "inquiry" and e.time > since]
    require(len(asked) <= most, "QUOTA")


def withheld(world: World, querier: str, query_key: bytes, place: int) -> str:
    """What the release rule says about the inquiry at this place: "" or why; Refused where nobody answers it."""
    entries = history(world.record(querier), querier, query_key, place)
    return Replay(world, querier, query_key, entries).outcome()


def beyond(world: World, querier: str, query_key: bytes, time: int) -> bool:
    """Q13: whether an inquiry lies behind the end of a log, in the window of one of this time."""
    record, until = world.record(querier), 0
    places = _places(record, querier, query_key)
    since = time - release.DAY * world.consortium.policy["differencing_days"]
    for ended in world.former(querier):
        until += ended.size
        newest = labels.newest(places.__getitem__, until)
        number = 0 if newest is None else newest + 1
        log = world.ended_log(ended)
        behind = {e.label: e for e in reversed(log.entries) if e and e.label and e.index >= ended.size}
        key = labels.inquiry_key(query_key)
        while (entry := behind.get(labels.label(key, labels.INQUIRY, querier, number))) is not None:
            carried = places[number]
            is_carried = carried is not None and record.at(carried).raw == entry.raw
            if entry.kind == "inquiry" and entry.time > since and not is_carried:
                return True
            number += 1
    return False


def evaluation_digest(consortium: bytes, epoch: int, elements: list[bytes]) -> bytes:
    """Section 6: what an Evaluation entry says of its batch."""
    return digest("plimsoll/v1/evaluation-batch", consortium, epoch, elements)
