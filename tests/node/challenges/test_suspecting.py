"""Whose records are doubted: those of which sums were told that cannot be, or that nobody could find."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import Exhausted
from ledger.queries.query import Query
from node.lending import asking
from tests.node.challenges.parties import Party, parties
from tests.node.witnesses import MANIFEST, FixedClock

RECORDS = ("one", "another")


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Asked:
    """A query that was answered, and ends as a test says."""

    entry = b""

    def __init__(self, ends: Any) -> None:
        self._ends = ends

    def finish(self, table: Any, carry_on: Any) -> Any:
        if isinstance(self._ends, Exception):
            raise self._ends
        return self._ends

    def examine(self) -> Any:
        return SimpleNamespace(selection=SimpleNamespace(contributions=RECORDS))


async def doubted(ends: Any, threads: Executor, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the part that doubts is told of when a question ends so."""
    told: list[Any] = []

    async def key(borrower: str) -> bytes:
        return bytes(64)

    async def append(entries: Any) -> int:
        return 0

    async def ask(*_: Any) -> dict[str, Any]:
        return {}

    anything: Any = SimpleNamespace(id=MANIFEST.id, member="lender-1", key=key, append=append)
    monkeypatch.setattr(Query, "begin", lambda *_: Asked(ends))
    asker = asking.Asking(
        *(anything,) * 9, threads, None, FixedClock(), None, lambda records, why: told.append((records, list(why)))
    )
    monkeypatch.setattr(asker, "_setting", lambda: None)
    monkeypatch.setattr(asker, "_ask", ask)
    monkeypatch.setattr(asker, "_ages", lambda answer: [])
    monkeypatch.setattr(asker, "_failed", lambda *_: [])
    message = SimpleNamespace(to_message=lambda transcript: lender_pb2.ExposureResponse())
    monkeypatch.setattr(asking, "expose", lambda *_: message)
    request = lender_pb2.ExposureRequest(
        borrower="test:1", purpose=entry_pb2.PURPOSE_PRE_LOAN, consent_digest=bytes(32)
    )
    if isinstance(ends, Exception):
        with pytest.raises(Exhausted):
            await asker.exposure(request)
    else:
        await asker.exposure(request)
    return told


async def test_the_authors_of_sums_that_cannot_be_are_doubted(
    threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(implausible=("BANDS", "CLASSES"))
    assert await doubted(answer, threads, monkeypatch) == [(RECORDS, ["BANDS", "CLASSES"])]


async def test_those_of_plausible_sums_are_not(threads: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await doubted(SimpleNamespace(implausible=()), threads, monkeypatch) == []


async def test_a_sum_that_is_not_found_in_time_is_as_suspicious(
    threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Exhausted("SEARCH_STOPPED", "the search for a sum took too long")
    assert await doubted(stopped, threads, monkeypatch) == [(RECORDS, ["SEARCH_STOPPED"])]


async def test_a_suspicion_asks_every_author_but_oneself(threads: Executor) -> None:
    asker, *authors = parties(threads)
    records = [one.contribution(one.publish()) for one in (asker, *authors)]
    asker.holds(*authors)
    asker.doubting.suspect(records, ["BANDS"])
    assert _pending(asker) == {author.member for author in authors}


def _pending(party: Party) -> set[str]:
    return {each.member for each in party.doubting.counts.pending.values()}
