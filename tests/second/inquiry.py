"""One member's inquiries about one borrower (protocol sections 9 and 10): Q8, Q9 and the replay of the release rule."""

from __future__ import annotations

from collections.abc import Mapping

from tests.second import labels, release
from tests.second.entry import Entry
from tests.second.framing import digest
from tests.second.log import Log
from tests.second.refusal import Refused, require
from tests.second.selection import MOST_CONTRIBUTORS, World, select

MOST_INQUIRIES = 65_536


def _places(log: Log, member: str, query_key: bytes) -> Mapping[int, int | None]:
    key = labels.inquiry_key(query_key)

    class Places(dict[int, int | None]):
        def __missing__(self, number: int) -> int | None:
            self[number] = log.places.get(labels.label(key, labels.INQUIRY, member, number))
            return self[number]

    return Places()


def history(log: Log, member: str, query_key: bytes, index: int) -> list[Entry]:
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


def superseded(log: Log, member: str, query_key: bytes, number: int) -> bool:
    return _places(log, member, query_key)[number + 1] is not None


def check_daily_quota(log: Log, index: int, most: int) -> None:
    """Q9's first half."""
    since = log.at(index).time - release.DAY
    asked = [e for e in log.entries[: index + 1] if e and e.kind == "inquiry" and e.time > since]
    require(len(asked) <= most, "QUOTA")


def withheld(world: World, querier: str, query_key: bytes, index: int) -> str:
    """What the release rule says about the inquiry at `index`: "" or why; Refused where nobody answers it."""
    entries = history(world.logs[querier], querier, query_key, index)
    policy = world.consortium.policy
    rule = release.Rule(policy["min_contributors"], policy["differencing_days"], policy["queries_per_borrower"])
    # Whether one is beyond the quota does not depend on rows, and one that is has none.
    bare = [release.Asked(e.time, frozenset() if _counts(world, e) else None) for e in entries]
    asked = []
    for number, (entry, this) in enumerate(zip(entries, bare, strict=True)):
        if this.row is None or rule.beyond_quota(bare, number):
            asked.append(this)
            continue
        grew = all(a <= b for a, b in zip(entry.body.sizes, entries[-1].body.sizes, strict=True))
        require(grew, "HEADS_WENT_BACK", str(entry.index))
        asked.append(release.Asked(entry.time, _row(world, querier, query_key, entry)))
    outcome = rule.outcomes(asked)[-1]
    if outcome in (release.VOID, release.QUOTA):
        raise Refused(outcome)
    return outcome


def _counts(world: World, entry: Entry) -> bool:
    return (
        entry.kind == "inquiry"
        and entry.body.manifest == world.consortium.id
        and len(entry.body.sizes) == len(world.consortium.members)
    )


def _row(world: World, querier: str, query_key: bytes, entry: Entry) -> frozenset[str]:
    body = entry.body
    records = select(world, query_key, body.sizes, entry.time, body.epoch).records
    if len(records) > MOST_CONTRIBUTORS:
        return frozenset()
    return frozenset(record.member for record in records) - {querier}


def evaluation_digest(consortium: bytes, epoch: int, elements: list[bytes]) -> bytes:
    """Section 6: what an Evaluation entry says of its batch."""
    return digest("plimsoll/v1/evaluation-batch", consortium, epoch, elements)
