"""Which position is opened, also where its author has written two logs, and what the node notes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from plimsoll.v1 import lender_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.challenges.challenged import bands_of
from ledger.consortium.history import History
from ledger.crypto import group
from ledger.disclosure import Shown, verify
from ledger.errors import InvalidInput, NotFound, Unready
from ledger.positions.position import fold
from ledger.positions.publication import Publication, PublicationTask, publish
from ledger.tlog.note import Signer
from ledger.witnessing.witnessed import Witnessed
from node.consortium import Consortium
from node.lending.book import Book
from node.lending.disclosing import Disclosing
from node.lending.shelf import Shelf
from tests.ledger.electorate import ended, rotated
from tests.ledger.group_strategies import seeded
from tests.ledger.loans import a_loan
from tests.lenders import lender, manifest

AUTHOR, BORROWER, OTHER = "lender-1", "test:somebody", "test:other"
RNG = seeded(5)
KEYS = tuple(group.mul_base(group.random_scalar(RNG)) for _ in range(7))
PSEUDONYMS = {BORROWER: bytes(64), OTHER: bytes(63) + b"\1"}
SPARE = 50
ENDED_AT = 3


class World:
    """lender-1 has lost its key: of its first log the first three entries count, then it has written another one.

    Positions of BORROWER: 0 and 1 (as of day 100 and 200) in the first log at 0 and 2, behind its end one that does not
    count (250), 2 in the new log at 1 (300).
    """

    def __init__(self) -> None:
        self.founding = manifest(3)
        over = ended(self.founding, AUTHOR, ENDED_AT)
        after = rotated(self.founding, AUTHOR, SPARE, ended=[over])
        self.history = History([self.founding, after])
        self.first, self.second = self.founding.origin(AUTHOR), after.origin(AUTHOR)
        self.keyring = lender(1).keyring
        names = [LogName(AUTHOR, self.first, self.founding.log_key(AUTHOR))]
        names += [LogName(one.name, after.origin(one.name), after.log_key(one.name)) for one in after.members]
        self.chain = Chain(MemoryStore(), names)
        old = self.chain.own(Signer.from_seed(self.first, self.keyring.log_seed))
        new = self.chain.own(Signer.from_seed(self.second, lender(SPARE).keyring.log_seed))
        old.append([self.entry(BORROWER, 0, 100), self.entry(OTHER, 0, 100), self.entry(BORROWER, 1, 200)])
        old.append([self.entry(BORROWER, 2, 250)])
        new.append([self.entry(OTHER, 1, 290), self.entry(BORROWER, 2, 300)])
        self.keys: Any = SimpleNamespace(fields=KEYS)

    def entry(self, borrower: str, number: int, day: int) -> bytes:
        key = PSEUDONYMS[borrower]
        label = BorrowerKeys.from_pseudonym_key(key).query.positions(AUTHOR)(number)
        loans = (a_loan(as_of=day, outstanding=1_000 * day),)
        item = Publication(label, borrower, number, key, loans, fold(loans, bands_of(self.founding)))
        place = (self.founding.consortium, AUTHOR, 1, KEYS, 1_700_000_000)
        task = PublicationTask(*place, self.keyring.backup_key, self.keyring.hedge_secret, RNG(32), (item,))
        return publish(task)[0]

    def disclose(self, executor: ThreadPoolExecutor, **request: Any) -> lender_pb2.DiscloseResponse:
        consortium = Consortium(AUTHOR, self.history)
        shelf = Shelf(consortium, self.keyring, lambda: self.chain.log(AUTHOR), Book(MemoryStore(), bytes(32), RNG))
        shelf.introduce(PSEUDONYMS.items())
        custody: Any = self
        witnessed = Witnessed(MemoryStore(), self.history)
        disclosing = Disclosing(consortium, self.keyring, self.chain, shelf, custody, witnessed, executor)
        asked = lender_pb2.DiscloseRequest(**{"borrower": BORROWER, **request})
        return asyncio.run(disclosing.disclose(asked, "clerk"))


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def shown(world: World, executor: ThreadPoolExecutor, **request: Any) -> Shown:
    """The opening, verified by somebody who knows the manifests and the keys."""
    response = world.disclose(executor, **request)
    verified = verify(response.opening, world.history, KEYS)
    assert (response.origin, response.index) == (verified.origin, verified.index)
    return verified


@pytest.mark.parametrize(
    ("request_", "log", "index", "day"),
    [
        ({}, "second", 1, 300),
        ({"as_of": 4_000}, "second", 1, 300),
        ({"as_of": 300}, "second", 1, 300),
        ({"as_of": 299}, "first", 2, 200),
        ({"as_of": 260}, "first", 2, 200),
        ({"as_of": 199}, "first", 0, 100),
        ({"as_of": 100}, "first", 0, 100),
        ({"index": 1}, "second", 1, 300),
        ({"index": 2, "origin": "first"}, "first", 2, 200),
    ],
)
def test_the_position_asked_for_is_opened_whichever_log_it_is_in(
    world: World, executor: ThreadPoolExecutor, request_: dict[str, Any], log: str, index: int, day: int
) -> None:
    if "origin" in request_:
        request_ = request_ | {"origin": world.first}
    opened = shown(world, executor, **request_)
    assert (opened.origin, opened.index) == (getattr(world, log), index)
    assert opened.position.as_of == day
    assert opened.opening.amounts[0] == 1_000 * day
    assert opened.counts


def test_what_stands_behind_a_logs_end_is_opened_and_said_not_to_count(
    world: World, executor: ThreadPoolExecutor
) -> None:
    opened = shown(world, executor, index=ENDED_AT, origin=world.first)
    assert (opened.position.as_of, opened.counts) == (250, False)


@pytest.mark.parametrize(
    ("request_", "kind", "reason"),
    [
        ({"as_of": 99}, NotFound, "NO_POSITION"),
        ({"borrower": "test:nobody"}, NotFound, "UNKNOWN_BORROWER"),
        ({"index": 0}, NotFound, "OTHER_BORROWER"),
        ({"index": 2}, NotFound, "NO_ENTRY"),
        ({"index": 1, "as_of": 300}, InvalidInput, "CONFLICT"),
        ({"index": 0, "origin": "elsewhere"}, NotFound, "NO_LOG"),
        ({"borrower": "somebody"}, InvalidInput, "BAD_IDENTITY"),
    ],
)
def test_what_is_not_there_is_refused(
    world: World, executor: ThreadPoolExecutor, request_: dict[str, Any], kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind) as refused:
        world.disclose(executor, **request_)
    assert refused.value.reason == reason  # type: ignore[attr-defined]


def test_a_borrower_known_and_never_published_has_no_position(executor: ThreadPoolExecutor) -> None:
    empty = World()
    known = PSEUDONYMS | {"test:asked-about": bytes(62) + b"\2\2"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PSEUDONYMS, "test:asked-about", known["test:asked-about"])
        with pytest.raises(NotFound) as refused:
            empty.disclose(executor, borrower="test:asked-about")
    assert refused.value.reason == "NO_POSITION"


def test_nothing_is_opened_before_there_are_keys(executor: ThreadPoolExecutor) -> None:
    early = World()
    early.keys = None
    with pytest.raises(Unready):
        early.disclose(executor)


def test_the_log_says_what_was_opened_to_whom_and_not_whose(world: World, executor: ThreadPoolExecutor) -> None:
    with structlog.testing.capture_logs() as lines:
        world.disclose(executor, label_key=True)
    assert lines == [
        {
            "event": "a position was disclosed",
            "log_level": "info",
            "origin": world.second,
            "index": 1,
            "label_key": True,
            "to": "clerk",
        }
    ]
