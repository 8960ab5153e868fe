"""The watch list and its events, for people and for programs (docs/watching.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from plimsoll.v1 import lender_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from client.plain import plain
from client.render import pairs, row, table
from client.text import one_line
from ledger.errors import InvalidInput, Unavailable

_EPOCH = date(1970, 1, 1)
LANGUAGE = "en"


class Source(Protocol):
    """The part of a session that is needed to follow events."""

    def events(self, after: int = 0, *, acknowledged: bool = False) -> Iterator[lender_pb2.WatchEvent]:
        """Those with higher numbers."""


def parse_day(text: str) -> int:
    """YYYY-MM-DD in days since 1970-01-01. Raises InvalidInput."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = _EPOCH - timedelta(days=1)
    if day < _EPOCH or day.isoformat() != text:
        raise InvalidInput("BAD_DATE", "must be a date, YYYY-MM-DD", "until")
    return (day - _EPOCH).days


def watch_facts(watch: lender_pb2.Watch) -> dict[str, Any]:
    """For programs; `until` is a date."""
    facts = plain(watch)
    facts["until"] = _day(watch.until) if watch.HasField("until") else None
    return facts


def watches_view(watches: Sequence[lender_pb2.Watch], notes: Mapping[str, object] | None = None) -> RenderableType:
    """The list, and notes under it."""
    if not watches:
        return Text("nobody is watched")
    made = table("Watched", "borrower", "reference", ">every", "until", "last answer", "next", "")
    for watch in watches:
        row(
            made,
            watch.borrower,
            watch.reference,
            f"{watch.every_days} d",
            _day(watch.until) if watch.HasField("until") else "",
            _moment(watch.answered),
            _moment(watch.next),
            watch.ended or watch.problem,
        )
    under = [pairs((name.replace("_", " "), str(value)) for name, value in notes.items())] if notes else []
    return Group(made, *under)


def event_facts(event: lender_pb2.WatchEvent) -> dict[str, Any]:
    """For programs; words are by language."""
    facts = plain(event)
    facts["text"] = {each["language"]: each["text"] for each in facts.pop("texts")}
    return facts


def events_view(events: Sequence[lender_pb2.WatchEvent]) -> RenderableType:
    """One under the other."""
    if not events:
        return Text("nothing has changed that nobody has acknowledged")
    return Group(*(Text(event_line(event)) for event in events))


def checked_view(watch: lender_pb2.Watch, events: Sequence[lender_pb2.WatchEvent]) -> RenderableType:
    """What one question has brought."""
    told = Text(f"nothing has changed; the next question is due {_moment(watch.next)}")
    return events_view(events) if events else told


def event_line(event: lender_pb2.WatchEvent) -> str:
    """One event on one line."""
    words = next((each.text for each in event.texts if each.language == LANGUAGE), event.code)
    members = f" ({', '.join(event.members)})" if event.members else ""
    case = f" {event.reference}" if event.reference else ""
    done = f" acknowledged by {event.acknowledged_by}" if event.acknowledged else ""
    lost = " [the webhook never took it]" if event.delivery == "given-up" else ""
    head = f"{event.id} {_moment(event.time)} {event.borrower}{case}"
    return one_line(f"{head} {event.code}: {words}{members}{lost}{done}")


def follow_events(source: Source, acknowledged: bool, wait: Callable[[], object]) -> Iterator[lender_pb2.WatchEvent]:
    """Each once, as they come, for ever; also over times when the node is away, but not at first.

    wait: returns when to look again.
    """
    last, seen = 0, False
    while True:
        try:
            for event in source.events(last, acknowledged=acknowledged):
                last = event.number
                yield event
            seen = True
        except Unavailable:
            if not seen:
                raise
        wait()


def _day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC") if time else "never"
