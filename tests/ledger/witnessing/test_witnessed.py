"""A head is witnessed when more than half of all members have cosigned it, its author not counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.chain import Replica
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.errors import NotFound, PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.note import Signer
from ledger.witnessing.cosigned import (
    double_cosigners,
    open_cosigned,
    quorum,
    spoken_at,
    verify_witnessed,
    verify_witnessed_in,
    witnessed_at,
    witnesses,
)
from ledger.witnessing.witnessed import HOUR, Collected, Conflict, Witnessed
from tests.ledger.witnesses import AUTHOR, chain_of, cosigned, cosigner, head_of, history, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
ORIGIN = MANIFEST.origin(AUTHOR)
T = 1_700_000_000


def head(size: int, branch: int = 0, common: int = 0) -> SignedHead:
    return head_of(history(size, branch, common), MANIFEST)


def note(size: int, time: int = T, branch: int = 0, by: tuple[int, ...] = (2, 3, 4)) -> bytes:
    return cosigned(head(size, branch), MANIFEST, dict.fromkeys(by, time))


def kept(store: MemoryStore | None = None) -> Witnessed:
    return Witnessed(store or MemoryStore(), History([MANIFEST]))


@pytest.mark.parametrize(("members", "needed"), [(3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_more_than_half_of_all_members_and_never_the_author(members, needed):
    of = manifest(members)
    assert quorum(of) == needed
    signed = head_of(history(4), of)
    others = list(range(2, members + 1))
    for count in range(len(others) + 1):
        raw = cosigned(signed, of, dict.fromkeys([1, *others[:count]], T))
        if count < needed:
            with pytest.raises(Unverified) as refused:
                verify_witnessed(raw, of, AUTHOR)
            assert refused.value.reason == "NOT_WITNESSED"
        else:
            assert len(witnesses(verify_witnessed(raw, of, AUTHOR), of, AUTHOR)) == count


def test_strangers_are_not_counted_and_their_lines_are_not_kept():
    stranger = Signer.from_seed("example.com/stranger", bytes(32))
    signed = head(4)
    raw = cosigned(signed, MANIFEST, {1: T, 2: T, 3: T, 4: T})
    crowded = open_cosigned(raw, MANIFEST, AUTHOR).note.with_signatures([stranger.sign(signed.note.text)]).encode()
    opened = verify_witnessed(crowded, MANIFEST, AUTHOR)
    assert b"stranger" not in opened.note.encode()
    assert set(witnesses(opened, MANIFEST, AUTHOR)) == {"lender-2", "lender-3", "lender-4"}
    assert spoken_at(opened, MANIFEST, AUTHOR) == T


def test_a_note_with_one_members_line_changed_is_refused_whole():
    raw = note(4, by=(2, 3, 4, 5))
    lines = raw.decode().split("\n")
    for place in range(5, len(lines) - 1):
        changed = list(lines)
        payload = changed[place]
        changed[place] = payload[:-10] + ("A" if payload[-10] != "A" else "B") + payload[-9:]
        with pytest.raises(PlimsollError):
            verify_witnessed("\n".join(changed).encode(), MANIFEST, AUTHOR)


def test_a_head_counts_from_the_time_at_which_enough_had_cosigned():
    raw = cosigned(head(4), MANIFEST, {1: T, 5: T + 1, 3: T + 9, 2: T + 4})
    assert witnessed_at(open_cosigned(raw, MANIFEST, AUTHOR), MANIFEST, AUTHOR) == T + 9
    raw = cosigned(head(4), MANIFEST, {5: T + 1, 3: T + 9, 2: T + 4, 4: T + 20})
    assert witnessed_at(open_cosigned(raw, MANIFEST, AUTHOR), MANIFEST, AUTHOR) == T + 9


def test_a_log_that_no_manifest_lists_has_no_witnessed_head():
    other = manifest(5, "Another")
    raw = cosigned(head_of(history(4), other), other, dict.fromkeys((2, 3, 4), T))
    with pytest.raises(NotFound):
        verify_witnessed_in(raw, History([MANIFEST]))


def test_the_largest_is_remembered_by_whoever_opens_the_store():
    store = MemoryStore()
    one = kept(store)
    assert one.newest(ORIGIN) is None
    assert one.size(ORIGIN) == 0
    one.add(note(4))
    one.add(note(9, T + 5))
    one.add(note(6, T + 1))
    for each in (one, kept(store)):
        assert each.size(ORIGIN) == 9
        assert each.notes() == [note(9, T + 5)]
    assert len(list(one.all(ORIGIN))) == 1


def test_one_head_an_hour_is_kept_for_ever():
    store = MemoryStore()
    one = kept(store)
    for hour in range(30):
        for beat in range(3):
            one.add(note(10 * hour + beat + 1, T + hour * HOUR + beat))
    assert [each.size for each in kept(store).all(ORIGIN)] == [10 * hour + 3 for hour in range(30)]


def test_an_idle_log_is_written_once():
    store = MemoryStore()
    one = kept(store)
    one.add(note(4))
    before = store.writes
    for hour in range(5):
        one.add(note(4, T + hour * HOUR))
    assert store.writes == before
    found = one.newest(ORIGIN)
    assert found is not None
    assert found.time == T


def test_cosignatures_of_one_head_add_up():
    store = MemoryStore()
    one = kept(store)
    one.add(note(4, by=(2, 3, 4)))
    one.add(note(4, by=(3, 4, 5)))
    found = kept(store).newest(ORIGIN)
    assert found is not None
    assert set(witnesses(found.signed, MANIFEST, AUTHOR)) == {"lender-2", "lender-3", "lender-4", "lender-5"}


@given(
    heads=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 6)), min_size=1, max_size=14),
    asked=st.integers(0, 7),
)
@settings(max_examples=60, deadline=None)
def test_the_largest_head_by_a_time_on_the_hour_is_found_in_whatever_order_they_came(heads, asked):
    """Sizes that go back by the witnesses' clocks are among them."""
    one = kept()
    start = T - T % HOUR
    for size, hour in heads:
        one.add(note(size, start + hour * HOUR))
    first: dict[int, int] = {}  # when each head counts from, as one keeps it: known for the newest of each hour
    for size, hour in heads:
        first[size] = min(hour, first.get(size, hour))
    found = one.by(ORIGIN, start + asked * HOUR)
    best = max((size for size, hour in heads if hour <= asked), default=0)
    sizes = [each.size for each in one.all(ORIGIN)]
    assert sizes == sorted(set(sizes))
    assert (0 if found is None else found.size) <= best
    if all(size >= max((s for s, h in heads if h < hour), default=0) for size, hour in heads):
        assert (0 if found is None else found.size) == best


def test_two_witnessed_heads_of_one_size_conflict_and_name_who_cosigned_both():
    one = kept()
    one.add(note(4, by=(2, 3, 4)))
    with pytest.raises(Conflict) as found:
        one.add(note(4, branch=1, by=(3, 4, 5)))
    assert one.size(ORIGIN) == 4
    assert double_cosigners(found.value.known, found.value.other, MANIFEST) == ("lender-3", "lender-4")


@pytest.mark.parametrize(("branch", "other"), [(0, 1), (1, 0)])
def test_witnessed_heads_of_different_sizes_that_conflict_are_found_once_the_larger_tree_is_held(branch, other):
    one = kept()
    one.add(note(4, branch=other))
    one.add(note(9, T + HOUR, branch=branch))
    chain = chain_of(MANIFEST)
    log = chain.log(AUTHOR)
    assert one.conflict(log) is None
    chain.own(signer(1)).append(history(10, branch))
    found = one.conflict(log)
    assert found is not None
    assert (found.known, found.other) == (head(9, branch), head(4, other))


def test_a_witnessed_head_from_before_the_branches_parted_conflicts_with_neither():
    common = 5
    one = kept()
    one.add(note(4))
    witnessed = cosigned(head_of(history(9, 1, common), MANIFEST), MANIFEST, dict.fromkeys((2, 3, 4), T + HOUR))
    one.add(witnessed)
    chain = chain_of(MANIFEST)
    chain.own(signer(1)).append(history(12, 2, common))
    assert one.conflict(chain.log(AUTHOR)) is None


def test_heads_of_one_history_do_not_conflict():
    one = kept()
    for size in (2, 5, 9):
        one.add(note(size, T + size * HOUR))
    chain = chain_of(MANIFEST)
    chain.own(signer(1)).append(history(7))
    assert one.conflict(chain.log(AUTHOR)) is None


def test_a_head_becomes_witnessed_as_answers_come_in():
    signed = head(4)
    collected = Collected(cosigned(signed, MANIFEST, {1: T}), MANIFEST, AUTHOR)
    assert collected.time is None
    for number in (2, 3):
        collected.add(collected.opened(cosigned(signed, MANIFEST, {number: T + number})))
        collected.add(collected.opened(cosigned(signed, MANIFEST, {number: T + number})))
        assert collected.time is None
    with pytest.raises(PlimsollError):
        collected.add(collected.opened(cosigned(head(4, 1), MANIFEST, {4: T})))
    forged = cosigner(4, MANIFEST).cosign(head(5).note.text, T)
    with pytest.raises(PlimsollError):
        collected.add(collected.opened(signed.note.with_signatures([forged]).encode()))
    assert collected.time is None
    collected.add(collected.opened(cosigned(signed, MANIFEST, {5: T + 5})))
    assert collected.time == T + 5
    verify_witnessed(collected.signed.note.encode(), MANIFEST, AUTHOR)


def test_a_stored_note_that_has_rotted_is_named():
    store = MemoryStore()
    kept(store).add(note(4))
    (key,) = (key for key in store.snapshot() if key.startswith(b"h"))
    store.write([(key, note(4, by=(2, 3)))])
    with pytest.raises(Unverified):
        kept(store).newest(ORIGIN)


def test_what_has_rotted_of_the_newest_is_thrown_away_and_comes_again():
    store = MemoryStore()
    kept(store).add(note(4))
    kept(store).add(note(6, T + 2 * HOUR))
    newest = max(key for key in store.snapshot() if key.startswith(b"h"))
    store.write([(newest, note(6, T + 2 * HOUR, by=(2, 3)))])
    after = kept(store)
    assert [key for key, _ in after.rotten(ORIGIN)] == [newest]
    assert isinstance(after.heal(ORIGIN), Unverified)
    assert after.size(ORIGIN) == 4
    assert (after.heal(ORIGIN), list(after.rotten(ORIGIN))) == (None, [])
    after.add(note(6, T + 2 * HOUR))
    assert kept(store).size(ORIGIN) == 6


def test_every_bit_of_a_stored_note_that_counts_is_seen_to_have_rotted():
    store = MemoryStore()
    kept(store).add(note(4))
    (key,) = (key for key in store.snapshot() if key.startswith(b"h"))
    right = store.snapshot()[key]
    for place in range(0, len(right), 7):
        changed = bytearray(right)
        changed[place] ^= 1
        store.write([(key, bytes(changed))])
        assert [found for found, _ in kept(store).rotten(ORIGIN)] == [key], place
        assert kept(store).heal(ORIGIN) is not None or kept(store).newest(ORIGIN) is None, place
        store.write([(key, right)])


def test_a_note_that_lies_under_another_hour_or_log_is_seen():
    store = MemoryStore()
    kept(store).add(note(4))
    (key,) = (key for key in store.snapshot() if key.startswith(b"h"))
    store.write([(key, None), (key[:-1] + bytes([key[-1] ^ 1]), store.get(key))])
    assert len(list(kept(store).rotten(ORIGIN))) == 1


def test_a_replica_may_be_behind_its_newest_witnessed_head():
    one = kept()
    one.add(note(9))
    chain = chain_of(MANIFEST)
    assert one.conflict(chain.log(AUTHOR)) is None
    assert Replica(chain.log(AUTHOR)).size == 0
