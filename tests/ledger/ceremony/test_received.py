"""What one custodian can open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.ceremony.received import Received
from tests.ledger.ceremony.script import Script, private_key


def spoilt() -> Script:
    """Dealer 2 sends custodians 3 and 4 nothing that opens."""
    script = Script(5, 3).all_ready()
    for dealer in (1, 3, 4, 5):
        script.deal(dealer)
    script.deal(2, lambda entry: replace(entry, sealed_shares=tuple(bytes(304) for _ in entry.sealed_shares)))
    script.close(1)
    return script


def test_it_opens_what_was_sealed_to_it() -> None:
    attempt = spoilt().judge()
    script = spoilt()
    for dealer in (1, 3, 4, 5):
        assert Received(3).bundle(attempt, dealer, private_key(3)) == script.bundle(dealer, 3)
    assert Received(3).bundle(attempt, 2, private_key(3)) is None
    assert Received(3).bundle(attempt, 1, b"") is None
    assert Received(3).bundle(attempt, 1, private_key(4)) is None


@pytest.mark.parametrize("order", [(3, 4), (4, 3)])
def test_of_what_was_revealed_it_takes_its_own(order: tuple[int, int]) -> None:
    script = spoilt()
    for author in order:
        script.reveal(2, script.complain(author, 2), author)
    for logs in (script.logs, dict(reversed(script.logs.items()))):
        script.logs = logs
        attempt = script.judge()
        for j in (3, 4):
            assert Received(j).bundle(attempt, 2, private_key(j)) == script.bundle(2, j)
        assert Received(5).bundle(attempt, 2, private_key(5)) is None


def test_a_wrong_answer_is_not_taken() -> None:
    script = spoilt()
    script.reveal(2, script.complain(3, 2), 4)
    assert Received(3).bundle(script.judge(), 2, private_key(3)) is None


def test_what_is_forgotten_cannot_be_had_without_the_key() -> None:
    attempt, received = spoilt().judge(), Received(3)
    assert received.bundle(attempt, 1, private_key(3))
    assert received.bundle(attempt, 1, b"")
    received.forget()
    assert received.bundle(attempt, 1, b"") is None
