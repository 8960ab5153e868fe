"""Publishing positions: what is in an entry for those who hold keys, and what nobody else can tell from it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.borrower.labels import BorrowerKeys
from ledger.crypto import elgamal, group
from ledger.errors import InvalidInput
from ledger.positions.loan import records_digest
from ledger.positions.position import fold
from ledger.positions.position_entry import PositionEntry
from ledger.positions.publication import Publication, PublicationTask, publish
from ledger.positions.sealed_copy import open_copy
from tests.ledger.sample_consortium import Consortium, found, loan

MEMBER = "lender-1"
BACKUP_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return found(3)


def item(consortium: Consortium, borrower: str, *loans: Any, number: int = 0) -> Publication:
    loans = loans or (loan(1_000),)
    key = consortium.pseudonym_key(borrower)
    label = BorrowerKeys.from_pseudonym_key(key).query.positions(MEMBER)(number)
    return Publication(label, borrower, number, key, loans, fold(loans, consortium.bands))


def task(consortium: Consortium, *items: Publication, **changes: Any) -> PublicationTask:
    facts: dict[str, Any] = {
        "consortium": consortium.manifest.consortium,
        "member": MEMBER,
        "epoch": 1,
        "public_keys": consortium.keys.fields,
        "time": consortium.now,
        "backup_key": BACKUP_KEY,
        "hedge_secret": bytes(32),
        "seed": bytes(32),
        "items": items,
    }
    return PublicationTask(**{**facts, **changes})


def published(*arguments: Any, **changes: Any) -> list[PositionEntry]:
    return [PositionEntry.parse(entry) for entry in publish(task(*arguments, **changes))]


def decrypted(consortium: Consortium, entry: PositionEntry) -> list[bytes]:
    """The points m_f G, with all the keys in one hand."""
    assert entry.ciphertext is not None
    keys = consortium.ceremony.secrets[1:]
    masks = [group.mul(key, entry.ciphertext.nonce_point) for key in keys]
    return [group.sub(body, mask) for body, mask in zip(entry.ciphertext.bodies, masks, strict=True)]


@settings(max_examples=15)
@given(st.lists(st.integers(0, 2**40 // 3), min_size=1, max_size=3))
def test_an_entry_holds_the_position_for_the_custodians_and_the_copy_for_the_author(amounts):
    consortium = found(3)
    loans = tuple(loan(amount, loan_id=f"L{n}", credit_limit=7) for n, amount in enumerate(amounts))
    (entry,) = published(consortium, item(consortium, "test:1", *loans))
    assert (entry.time, entry.epoch, entry.as_of) == (consortium.now, 1, loans[0].as_of)
    assert entry.ciphertext is not None
    consortium_id = consortium.manifest.consortium
    elgamal.verify(entry.ciphertext, consortium.keys.fields, consortium_id, 1, MEMBER, entry.label)
    copy = open_copy(entry.sealed, BACKUP_KEY, consortium_id, MEMBER, entry.label)
    assert decrypted(consortium, entry) == [group.mul_base(group.scalar_from_int(m)) for m in copy.amounts]
    assert copy.amounts == fold(loans, consortium.bands).amounts
    assert group.mul_base(copy.nonce) == entry.ciphertext.nonce_point
    assert (copy.borrower, copy.number, copy.loans) == ("test:1", 0, loans)
    assert records_digest(copy.salt, copy.loans) == entry.records_digest


def test_a_closed_position_holds_no_points(consortium):
    (entry,) = published(consortium, item(consortium, "test:1", loan(5, open=False)))
    assert entry.closed
    copy = open_copy(entry.sealed, BACKUP_KEY, consortium.manifest.consortium, MEMBER, entry.label)
    assert (copy.nonce, copy.amounts) == (b"", ())


def test_entries_come_in_the_order_of_the_items(consortium):
    items = [item(consortium, f"test:{n}") for n in range(5)]
    assert [entry.label for entry in published(consortium, *items)] == [one.label for one in items]


def secrets_of(entry: PositionEntry) -> list[bytes]:
    assert entry.ciphertext is not None
    points = [entry.ciphertext.nonce_point, *entry.ciphertext.bodies, entry.ciphertext.proof]
    return [*points, entry.records_digest, entry.sealed[:12], entry.sealed]


def test_equal_positions_have_nothing_in_common(consortium):
    items = [item(consortium, f"test:{n}") for n in range(6)]
    seen = [part for entry in published(consortium, *items) for part in secrets_of(entry)]
    seen += [part for entry in published(consortium, *items, seed=b"\x01" * 32) for part in secrets_of(entry)]
    assert len(set(seen)) == len(seen)


def test_a_seed_that_repeats_gives_other_nonces_to_another_position(consortium):
    """A cloned machine: the same seed and place, another month."""
    first, second = (
        published(consortium, item(consortium, "test:1", loan(amount), number=number))[0]
        for amount, number in ((1_000, 0), (2_000, 1))
    )
    assert set(secrets_of(first)).isdisjoint(secrets_of(second))


def test_the_nonce_depends_on_the_amounts_too(consortium):
    first, second = (published(consortium, item(consortium, "test:1", loan(amount)))[0] for amount in (1_000, 2_000))
    assert first.label == second.label
    assert set(secrets_of(first)[:9]).isdisjoint(secrets_of(second)[:9])


def test_the_nonce_depends_on_the_key_epoch(consortium):
    """Two proofs with one nonce under different challenges would give the nonce away."""
    entries = [published(consortium, item(consortium, "test:1"), epoch=epoch)[0] for epoch in (1, 2)]
    assert not set(secrets_of(entries[0])) & set(secrets_of(entries[1]))


def test_who_knows_the_seed_but_not_the_members_secret_does_not_know_the_nonce(consortium):
    one = item(consortium, "test:1")
    first, second = (published(consortium, one, hedge_secret=bytes([n]) * 32)[0] for n in (1, 2))
    assert set(secrets_of(first)).isdisjoint(secrets_of(second))


def test_the_same_task_gives_the_same_bytes(consortium):
    one = task(consortium, item(consortium, "test:1"))
    assert publish(one) == publish(one)


def test_a_task_crosses_to_another_process(consortium):
    one = task(consortium, item(consortium, "test:1"), item(consortium, "test:2"))
    assert publish(pickle.loads(pickle.dumps(one))) == publish(one)


@pytest.mark.parametrize("name", ["seed", "hedge_secret"])
def test_short_secrets_are_refused(consortium, name):
    with pytest.raises(InvalidInput):
        publish(task(consortium, item(consortium, "test:1"), **{name: bytes(31)}))


def test_an_item_that_cannot_be_published_is_named(consortium):
    good = item(consortium, "test:1")
    for bad in (replace(good, label=bytes(15)), replace(good, pseudonym_key=b""), replace(good, borrower="nobody")):
        with pytest.raises(InvalidInput) as caught:
            publish(task(consortium, good, bad))
        assert caught.value.path.startswith("items[1]")


def test_no_repr_shows_a_secret(consortium):
    shown = repr(task(consortium, item(consortium, "test:1")))
    assert "test:1" not in shown
    assert repr(BACKUP_KEY)[2:-1] not in shown
