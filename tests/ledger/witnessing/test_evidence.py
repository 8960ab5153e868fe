"""Evidence of a fork convinces who has nothing but the log's key, and nothing else passes for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2

from ledger.chain.block import verify_block
from ledger.chain.chain import Replica
from ledger.errors import PlimsollError, Unverified
from ledger.tlog.note import Signer
from ledger.witnessing.evidence import Evidence, evidence_of, read_evidence, verify_evidence
from ledger.witnessing.fork import Fork
from tests.ledger import sample_logs
from tests.ledger.sample_logs import ORIGIN, SIGNER, block, head_over, opened
from tests.ledger.witnesses import history

KEY = SIGNER.key


def forked(common: int, here: int, there: int) -> Evidence:
    """As found by a replica that holds `here` entries beyond `common` and is offered a head of another branch."""
    mine, theirs = history(common + here, 1, common), history(common + there, 2, common)
    chain = opened()
    Replica(chain.log_by_origin(ORIGIN)).apply(block(mine, 0, len(mine)))
    offered = block(theirs, 0, len(theirs))
    with pytest.raises(Fork) as found:
        verify_block(offered, KEY, chain.log_by_origin(ORIGIN).state)
    evidence = evidence_of(found.value, KEY)
    assert evidence is not None
    return evidence


@given(common=st.integers(0, 40), here=st.integers(1, 40), there=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_fork_of_any_shape_proves_itself_to_who_has_the_key_alone(common, here, there):
    evidence = forked(common, here, there)
    again = read_evidence(evidence.entry(1_700_000_000), KEY)
    assert again.origin == ORIGIN
    assert {again.known.head.size, again.conflicting.head.size} == {common + here, common + there}
    small, large = again.known.head, again.conflicting.head
    assert (small.size, small.root) < (large.size, large.root)


def test_both_sides_publish_the_same_evidence_of_heads_of_one_size():
    one, other = head_over(history(7, 1)), head_over(history(7, 2))
    there, back = (Fork(a, b, a.head.root, ()) for a, b in ((one, other), (other, one)))
    first, second = evidence_of(there, KEY), evidence_of(back, KEY)
    assert first is not None
    assert second is not None
    assert first.encode() == second.encode()


def test_what_others_put_on_a_note_is_not_published():
    stranger = Signer.from_seed("example.com/stranger", bytes(32))
    one, other = head_over(history(7, 1)), head_over(history(7, 2))
    crowded = type(one)(one.head, one.note.with_signatures([stranger.sign(one.note.text)]))
    evidence = evidence_of(Fork(crowded, other, one.head.root, ()), KEY)
    assert evidence is not None
    assert b"stranger" not in evidence.encode()


def test_a_fork_that_cannot_be_shown_yet_makes_no_evidence():
    assert evidence_of(Fork(head_over(history(3, 1)), head_over(history(9, 2))), KEY) is None


def messages() -> list[entry_pb2.Evidence]:
    return [forked(5, 3, 3).message, forked(5, 2, 9).message, forked(5, 9, 2).message, forked(0, 4, 8).message]


@pytest.mark.parametrize("message", messages())
@pytest.mark.parametrize("field", ["origin", "known", "conflicting", "old_root", "consistency"])
def test_a_bit_changed_anywhere_leaves_no_evidence(message, field):
    for changed in _tampered(message, field):
        with pytest.raises(PlimsollError):
            verify_evidence(changed, KEY)


def _tampered(message: entry_pb2.Evidence, field: str) -> list[entry_pb2.Evidence]:
    made = []

    def change(**values: Any) -> None:
        changed = entry_pb2.Evidence()
        changed.CopyFrom(message)
        for name, value in values.items():
            changed.ClearField(name)  # type: ignore[arg-type]
            if name == "consistency":
                changed.consistency.extend(value)
            else:
                setattr(changed, name, value)
        made.append(changed)

    if field == "origin":
        change(origin=ORIGIN + "x")
        change(origin="")
    elif field == "consistency":
        path = list(message.consistency)
        for place, node in enumerate(path):
            change(consistency=[*path[:place], _flip(node, 0), *path[place + 1 :]])
        change(consistency=[*path, bytes(32)])
        change(consistency=path[:-1] if path else [bytes(32)] * 2)
    else:
        raw = getattr(message, field)
        for place in range(len(raw)):
            change(**{field: _flip(raw, place)})
        change(**{field: b"" if raw else bytes(32)})
        change(**{field: raw + b"\0"})
    return made


def _flip(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def test_two_heads_of_one_history_are_no_evidence():
    entries = history(9)
    chain = opened()
    Replica(chain.log_by_origin(ORIGIN)).apply(block(entries, 0, 9))
    log = chain.log_by_origin(ORIGIN)
    for size in range(9):
        message = entry_pb2.Evidence(
            origin=ORIGIN,
            known=head_over(entries[:size]).note.encode(),
            conflicting=head_over(entries).note.encode(),
            old_root=log.root_at(size),
            consistency=log.consistency(size, 9),
        )
        with pytest.raises(Unverified) as refused:
            verify_evidence(message, KEY)
        assert refused.value.reason == "NO_FORK"
        message.old_root = bytes(32)
        with pytest.raises(PlimsollError):
            verify_evidence(message, KEY)
    same = head_over(entries).note.encode()
    with pytest.raises(Unverified):
        verify_evidence(entry_pb2.Evidence(origin=ORIGIN, known=same, conflicting=same), KEY)


def test_heads_in_the_wrong_order_are_refused():
    for message in messages():
        message.known, message.conflicting = message.conflicting, message.known
        with pytest.raises(Unverified):
            verify_evidence(message, KEY)


def test_heads_under_another_key_convict_nobody():
    forger = Signer.from_seed(ORIGIN, bytes(reversed(range(32))))
    heads = sorted((head_over(history(7, branch), forger) for branch in (1, 2)), key=lambda one: one.head.root)
    message = entry_pb2.Evidence(origin=ORIGIN, known=heads[0].note.encode(), conflicting=heads[1].note.encode())
    assert verify_evidence(message, forger.key).origin == ORIGIN
    with pytest.raises(Unverified):
        verify_evidence(message, KEY)


def test_an_author_may_publish_evidence_about_itself_and_it_counts():
    entry = forked(3, 2, 2).entry(1)
    chain = sample_logs.written([entry])
    assert [read_evidence(raw, KEY).origin for _, raw in chain.log_by_origin(ORIGIN).entries_by_kind("evidence")]
