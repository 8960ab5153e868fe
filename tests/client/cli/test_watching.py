"""plimsoll watch: what is sent, shown and followed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from plimsoll.v1 import lender_pb2

from client.watching import event_facts, follow_events, watch_facts
from ledger.errors import NotFound, Unavailable
from ledger.monitoring import CODES
from ledger.monitoring.webhook import headers
from tests.client.cli.conftest import Plimsoll
from tests.client.fakes import FakeNode

DIGEST = "0123456789abcdef" * 4
ADD = ("watch", "add", "test:1", "--consent-digest", DIGEST)
WATCH = lender_pb2.Watch(id="ab" * 8, borrower="test:1", reference="case 1", every_days=7, added=1_750_000_000)
EVENT = lender_pb2.WatchEvent(
    number=1,
    id="1-00ff",
    time=1_750_000_000,
    borrower="test:1",
    code="NEW_LENDER",
    now=3,
    texts=[
        lender_pb2.ReasonText(language="en", text="more [bold]lenders"),
        lender_pb2.ReasonText(language="zh", text="多"),
    ],
)


def test_who_is_watched_goes_to_the_lenders_own_node(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["WatchBorrower"] = lender_pb2.WatchBorrowerResponse(watch=WATCH)
    options = ("--every", 3, "--reference", "case 1", "--until", "1970-02-01", "--income", 0)
    run = at_home(*ADD, *options, "--json")
    assert run.code == 0, run.err
    [(_, caller, request)] = node.asked
    assert caller.role == "lender"
    assert (request.every_days, request.until, request.reference) == (3, 31, "case 1")
    assert request.HasField("income")
    assert request.consent_digest.hex() == DIGEST
    assert run.json["id"] == WATCH.id
    assert run.json["until"] is None


def test_what_is_not_said_is_not_sent(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["WatchBorrower"] = lender_pb2.WatchBorrowerResponse(watch=WATCH)
    assert "case 1" in at_home(*ADD).out
    [(_, _, request)] = node.asked
    assert (request.every_days, request.HasField("until"), request.HasField("income")) == (0, False, False)


@pytest.mark.parametrize("day", ["tomorrow", "2025-6-1", "20250601", "1969-12-31", "2025-02-30", ""])
def test_a_day_that_is_none_is_refused_before_anything_is_asked(at_home: Plimsoll, node: FakeNode, day: str) -> None:
    run = at_home(*ADD, "--until", day)
    assert run.code == 3
    assert "BAD_DATE" in run.err
    assert node.asked == []


def test_the_whole_list_is_shown_part_by_part(at_home: Plimsoll, node: FakeNode) -> None:
    parts = {"": ("a", "next"), "next": ("b", "")}

    def part(request: lender_pb2.WatchedRequest) -> lender_pb2.WatchedResponse:
        name, following = parts[request.after]
        return lender_pb2.WatchedResponse(watches=[lender_pb2.Watch(id=name)], next=following)

    node.answers["Watched"] = part
    assert [each["id"] for each in at_home("watch", "list", "--all", "--json").json["watches"]] == ["a", "b"]
    assert [request.ended for _, _, request in node.asked] == [True, True]


def test_events_are_shown_as_text_and_acknowledged(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Events"] = lender_pb2.EventsResponse(events=[EVENT], last=1)
    node.answers["AcknowledgeEvent"] = lambda request: (
        lender_pb2.AcknowledgeEventResponse(event=EVENT) if request.id == "1" else NotFound("NO_SUCH_EVENT", "none")
    )
    assert "NEW_LENDER: more [bold]lenders" in at_home("watch", "events").out
    told = at_home("watch", "events", "--json").json["events"][0]
    assert (told["text"]["zh"], told["now"], told["before"]) == ("多", 3, None)
    assert at_home("watch", "acknowledge", "1").code == 0


def test_a_question_and_a_removal_show_what_became_of_the_watch(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["CheckWatched"] = lender_pb2.CheckWatchedResponse(watch=WATCH)
    assert "nothing has changed" in at_home("watch", "check", "test:1").out
    node.answers["CheckWatched"] = lender_pb2.CheckWatchedResponse(watch=WATCH, events=[EVENT])
    assert [each["id"] for each in at_home("watch", "check", "test:1", "--json").json["events"]] == [EVENT.id]
    ended = lender_pb2.Watch(id="ab" * 8, borrower="test:1", ended="REMOVED")
    node.answers["UnwatchBorrower"] = lender_pb2.UnwatchBorrowerResponse(watch=ended)
    assert "REMOVED" in at_home("watch", "remove", "test:1").out


class Source:
    """A node that has one event more each time, and is away now and then."""

    def __init__(self, away: set[int]) -> None:
        self.looked = 0
        self.away = away

    def events(self, after: int = 0, *, acknowledged: bool = False) -> Iterator[lender_pb2.WatchEvent]:
        self.looked += 1
        if self.looked in self.away:
            raise Unavailable("UNREACHABLE", "away")
        yield from (lender_pb2.WatchEvent(number=number) for number in range(after + 1, self.looked + 1))


def test_whoever_follows_sees_every_event_once_also_over_a_restart() -> None:
    source = Source({3, 4})
    found = follow_events(source, False, lambda: None)
    assert [next(found).number for _ in range(7)] == list(range(1, 8))
    with pytest.raises(Unavailable):
        next(follow_events(Source({1}), False, lambda: None))


PAGES = Path(__file__).resolve().parents[3] / "docs"


def test_every_key_and_every_code_is_documented() -> None:
    told = set(re.findall(r"`([a-z_]+)`", (PAGES / "cli.md").read_text().split("\n## watch add\n")[1]))
    assert {*watch_facts(WATCH), *event_facts(EVENT)} <= told
    page = (PAGES / "watching.md").read_text()
    assert tuple(re.findall(r"^\| ([A-Z_]+) \|", page, re.MULTILINE)) == CODES


def test_the_documented_check_of_a_webhook_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_750_000_100.0)
    page = (PAGES / "watching.md").read_text()
    names: dict[str, object] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    is_genuine = SimpleNamespace(check=names["is_genuine"]).check
    body = json.dumps({"id": "1"}).encode()
    sent = headers(b"s" * 16, "1", 1_750_000_000, body)
    assert is_genuine(b"s" * 16, sent, body)
    assert not is_genuine(b"t" * 16, sent, body)
    assert not is_genuine(b"s" * 16, sent, body + b" ")
    assert not is_genuine(b"s" * 16, headers(b"s" * 16, "1", 1_740_000_000, body), body)
    assert not is_genuine(b"s" * 16, {}, body)
