"""Which record counts: whatever an author does wrong leaves out that author's record, by name, and no other.

The search is compared with the protocol's pseudocode, written out naively, over logs that authors make as they like;
proofs are real in the second half.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.borrower.labels import BorrowerKeys
from ledger.cache import Cache
from ledger.crypto import elgamal, group
from ledger.crypto.elgamal import Ciphertext
from ledger.errors import Unverified
from ledger.keys import PublicKeys
from ledger.positions.position_entry import PositionEntry
from ledger.queries.inquiry import DAY, Inquiry
from ledger.queries.selection import Exclusion, RecordVerifier, Selection, Tree, select
from tests.ledger.sample_consortium import START, TODAY, Consortium, MemoryLog, found, loan

KEYS = BorrowerKeys.from_pseudonym_key(bytes(64)).query
LABELS = KEYS.positions("a")
GOOD, BAD = b"\x01" * 64, b"\x02" * 64


class Believer(RecordVerifier):
    """Takes BAD for a proof that fails and everything else for one that holds."""

    def __init__(self) -> None:
        pass

    def is_proved(self, member: str, entry: bytes, record: PositionEntry, ciphertext: Ciphertext) -> bool:
        return ciphertext.proof != BAD


def position(number: int, as_of: int = TODAY, *, closed: bool = False, epoch: int = 1, proof: bytes = GOOD) -> bytes:
    ciphertext = None if closed else Ciphertext(bytes(32), (bytes(32),) * 7, proof)
    return PositionEntry(START, LABELS(number), epoch, as_of, ciphertext, bytes(32), bytes(540)).encode()


def inquiry(number: int) -> bytes:
    """An inquiry that stands under a position's label."""
    return Inquiry(START, LABELS(number), 1, bytes(32), 0, 1, bytes(32), (0,), bytes(32)).encode()


def log_of(*entries: bytes) -> MemoryLog:
    log = MemoryLog(None)  # type: ignore[arg-type]  # nothing of it is signed here
    for entry in entries:
        log.append(entry)
    return log


def chosen(*entries: bytes, size: int | None = None, time: int = START, epoch: int = 1) -> Selection:
    log = log_of(*entries)
    return select(KEYS, [Tree("a", log, log.size if size is None else size)], time, epoch, Believer())


def outcome(selection: Selection) -> tuple[int | None, list[tuple[str, int]]]:
    """(index of what counts, [(reason, index) of what does not])."""
    counted = [contribution.index for contribution in selection.contributions]
    return counted[0] if counted else None, [(left.reason, left.index) for left in selection.exclusions]


# -- one author


def test_no_record():
    assert outcome(chosen()) == (None, [])


def test_the_newest_record_counts():
    selection = chosen(position(0), position(1), position(2))
    assert outcome(selection) == (2, [])
    assert (selection.contributions[0].member, selection.contributions[0].number) == ("a", 2)


def test_what_stands_beyond_the_size_does_not_exist_yet():
    assert outcome(chosen(position(0), position(1), size=1)) == (0, [])
    assert outcome(chosen(position(0), size=0)) == (None, [])


def test_a_closed_position_is_no_record():
    assert outcome(chosen(position(0), position(1, closed=True))) == (None, [])
    assert outcome(chosen(position(0, closed=True), position(1))) == (1, [])


def test_a_duplicate_is_ignored_and_the_first_counts():
    assert outcome(chosen(position(0), position(0, epoch=1, proof=BAD))) == (0, [])
    assert outcome(chosen(position(0), position(1), position(0))) == (1, [])


def test_a_missing_predecessor_leaves_the_author_out():
    assert outcome(chosen(position(0), position(1), position(2), position(4))) == (None, [("GAP", 3)])


def test_what_stands_behind_a_gap_may_not_be_found_at_all():
    assert outcome(chosen(position(0), position(2), position(3))) == (0, [])


def test_a_predecessor_that_comes_later_leaves_the_author_out():
    assert outcome(chosen(position(1), position(0))) == (None, [("GAP", 0)])


def test_days_that_go_back_are_passed_over_and_named():
    assert outcome(chosen(position(0, TODAY), position(1, TODAY - 1))) == (0, [("AS_OF_WENT_BACK", 1)])


def test_days_of_the_future_are_passed_over_and_named():
    assert outcome(chosen(position(0), position(1, TODAY + 2))) == (0, [("FUTURE_AS_OF", 1)])
    assert outcome(chosen(position(0), position(1, TODAY + 1))) == (1, [])
    assert outcome(chosen(position(0, TODAY + 2))) == (None, [("FUTURE_AS_OF", 0)])


def test_what_is_the_future_depends_on_the_inquirys_day():
    assert outcome(chosen(position(0), position(1, TODAY + 2), time=START + DAY)) == (1, [])


def test_another_kind_under_the_label_leaves_the_author_out():
    assert outcome(chosen(position(0), inquiry(1))) == (None, [("WRONG_KIND", 1)])
    assert outcome(chosen(inquiry(0), position(1))) == (None, [("WRONG_KIND", 0)])


@pytest.mark.parametrize("epoch", [0, 2, 2**32 - 1])
def test_an_epoch_not_in_force_leaves_the_author_out(epoch):
    assert outcome(chosen(position(0), position(1, epoch=epoch))) == (None, [("WRONG_EPOCH", 1)])
    assert outcome(chosen(position(0, epoch=1), epoch=2)) == (0, [])


def test_a_proof_that_fails_leaves_the_author_out_and_no_older_record_steps_in():
    assert outcome(chosen(position(0), position(1, proof=BAD))) == (None, [("BAD_PROOF", 1)])


def test_at_most_sixteen_entries_are_passed_over():
    def future(count):
        return [position(0), *(position(number, TODAY + 2) for number in range(1, count + 1))]

    passed_over = [("FUTURE_AS_OF", 16 - n) for n in range(16)]
    assert outcome(chosen(*future(16))) == (None, [*passed_over, ("TOO_MANY_IGNORED", 0)])
    assert outcome(chosen(*future(15))) == (0, [("FUTURE_AS_OF", 15 - n) for n in range(15)])
    assert len(chosen(*future(300)).exclusions) == 17


def test_another_borrowers_entries_are_not_seen():
    other = BorrowerKeys.from_pseudonym_key(b"\x01" * 64).query
    log = log_of(position(0))
    assert select(other, [Tree("a", log, 1)], START, 1, Believer()) == Selection((), ())


def test_a_label_found_in_another_members_log_means_nothing():
    log = log_of(position(0))  # a's entry, appended by b
    assert select(KEYS, [Tree("b", log, 1)], START, 1, Believer()) == Selection((), ())


def test_the_members_order_is_kept():
    logs = {name: log_of() for name in "abc"}
    for name, log in logs.items():
        ciphertext = Ciphertext(bytes(32), (bytes(32),) * 7, BAD if name == "b" else GOOD)
        label = KEYS.positions(name)(0)
        log.append(PositionEntry(START, label, 1, TODAY, ciphertext, bytes(32), bytes(540)).encode())
    selection = select(KEYS, [Tree(name, logs[name], 1) for name in "cba"], START, 1, Believer())
    assert [one.member for one in selection.contributions] == ["c", "a"]
    assert selection.exclusions == (Exclusion("b", "BAD_PROOF", 0),)


def test_an_index_that_leads_to_another_label_is_reported_as_rotten():
    log = log_of(position(0), position(1))
    log._labels = {LABELS(0): 1}
    with pytest.raises(Unverified) as caught:
        select(KEYS, [Tree("a", log, 2)], START, 1, Believer())
    assert caught.value.reason == "INDEX_ROTTEN"


# -- whatever an author writes

NUMBERS = st.integers(0, 9)
ANYTHING = st.one_of(
    st.builds(
        lambda number, as_of, closed, epoch, proof: ("position", number, as_of, closed, epoch, proof),
        NUMBERS,
        st.integers(TODAY - 2, TODAY + 3),
        st.booleans(),
        st.integers(0, 2),
        st.sampled_from([GOOD, GOOD, BAD]),
    ),
    st.builds(lambda number: ("inquiry", number), NUMBERS),
)
ORDERLY = st.integers(0, 9).flatmap(
    lambda count: st.lists(st.integers(TODAY - 1, TODAY + 2), min_size=count, max_size=count).map(
        lambda days: [("position", number, day, False, 1, GOOD) for number, day in enumerate(days)]
    )
)


def by_the_protocol(entries, size, latest, epoch):  # noqa: C901 -- one text, to be read beside the protocol's
    """Section 8's pseudocode, over (kind, number, ..) in the order of the log."""
    place: dict[int, int] = {}
    for index, entry in enumerate(entries):
        place.setdefault(entry[1], index)

    def has(n):
        return n in place and place[n] < size

    if not has(0):
        return None, []
    low, high = 0, 1
    while has(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has(middle) else (low, middle)
    n, left = low, list[tuple[str, int]]()
    while True:
        e = entries[place[n]]
        if len(left) == 16:
            return None, [*left, ("TOO_MANY_IGNORED", place[n])]
        if e[0] != "position":
            return None, [*left, ("WRONG_KIND", place[n])]
        p = None
        if n > 0:
            if n - 1 not in place or place[n - 1] >= place[n]:
                return None, [*left, ("GAP", place[n])]
            p = entries[place[n - 1]]
            if p[0] != "position":
                return None, [*left, ("WRONG_KIND", place[n - 1])]
        if e[2] > latest:
            left.append(("FUTURE_AS_OF", place[n]))
        elif p is not None and e[2] < p[2]:
            left.append(("AS_OF_WENT_BACK", place[n]))
        else:
            break
        n -= 1
        if n < 0:
            return None, left
    _, _, _, closed, its_epoch, proof = e
    if closed:
        return None, left
    if not 1 <= its_epoch <= epoch:
        return None, [*left, ("WRONG_EPOCH", place[n])]
    if proof == BAD:
        return None, [*left, ("BAD_PROOF", place[n])]
    return place[n], left


@given(st.lists(ANYTHING, max_size=14) | ORDERLY, st.integers(0, 14), st.integers(1, 2))
def test_whatever_an_author_writes_the_protocols_words_decide(written, size, epoch):
    def encode(entry):
        if entry[0] == "inquiry":
            return inquiry(entry[1])
        _, number, as_of, closed, its_epoch, proof = entry
        return position(number, as_of, closed=closed, epoch=its_epoch, proof=proof)

    log = log_of(*map(encode, written))
    size = min(size, log.size)
    selection = select(KEYS, [Tree("a", log, size)], START, epoch, Believer())
    assert outcome(selection) == by_the_protocol(written, size, START // DAY + 1, epoch)


# -- proofs


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return found(3)


def verifier(consortium: Consortium, keys: PublicKeys | None = None) -> RecordVerifier:
    return RecordVerifier(consortium.manifest.consortium, keys or consortium.keys, Cache(100))


def is_proved(consortium: Consortium, entry: bytes, member: str = "lender-1", **verifying) -> bool:
    record = PositionEntry.parse(entry)
    assert record.ciphertext is not None
    return verifier(consortium, **verifying).is_proved(member, entry, record, record.ciphertext)


def test_an_honest_record_is_proved(consortium):
    assert is_proved(consortium, consortium.position_entry("lender-1", "test:1", loan(100)))


def test_the_same_bytes_prove_nothing_in_another_log(consortium):
    entry = consortium.position_entry("lender-1", "test:1", loan(100))
    checker = verifier(consortium)
    record = PositionEntry.parse(entry)
    assert record.ciphertext is not None
    # Also when the verdict on the author's own is remembered.
    assert checker.is_proved("lender-1", entry, record, record.ciphertext)
    assert not checker.is_proved("lender-2", entry, record, record.ciphertext)


def test_verdicts_good_and_bad_are_remembered(consortium, monkeypatch):
    entry = consortium.position_entry("lender-1", "test:1", loan(100))
    record = PositionEntry.parse(entry)
    assert record.ciphertext is not None
    checker = verifier(consortium)
    calls: list[object] = []
    verify = elgamal.verify

    def counting(*arguments):
        calls.append(arguments)
        verify(*arguments)

    monkeypatch.setattr(elgamal, "verify", counting)
    for member in ("lender-1", "lender-2") * 3:
        checker.is_proved(member, entry, record, record.ciphertext)
    assert len(calls) == 2


def bent(entry: bytes, **changes) -> bytes:
    record = PositionEntry.parse(entry)
    assert record.ciphertext is not None
    points = {"nonce_point": record.ciphertext.nonce_point, "bodies": record.ciphertext.bodies}
    ciphertext = Ciphertext(**{**points, "proof": record.ciphertext.proof, **changes})
    return PositionEntry(
        record.time, record.label, record.epoch, record.as_of, ciphertext, record.records_digest, record.sealed
    ).encode()


def test_every_bent_record_is_left_out(consortium):
    entry = consortium.position_entry("lender-1", "test:1", loan(100))
    whole = PositionEntry.parse(entry).ciphertext
    assert whole is not None
    bodies = whole.bodies
    doubled = [group.add(point, point) for point in (whole.nonce_point, *bodies)]
    for why, wrong in {
        "scaled": bent(entry, nonce_point=doubled[0], bodies=tuple(doubled[1:])),
        "shifted amount": bent(entry, bodies=(group.add(bodies[0], group.BASE), *bodies[1:])),
        "identity nonce": bent(entry, nonce_point=bytes(32)),
        "no point": bent(entry, nonce_point=b"\xff" * 32),
        "a body that is no point": bent(entry, bodies=(*bodies[:6], b"\xff" * 32)),
        "a scalar above the order": bent(entry, proof=whole.proof[:32] + b"\xff" * 32),
        "another's proof": bent(entry, proof=bytes(64)),
        "fields in another order": bent(entry, bodies=bodies[::-1]),
    }.items():
        assert not is_proved(consortium, wrong), why


def test_a_record_under_other_keys_is_left_out(consortium):
    entry = consortium.position_entry("lender-1", "test:1", loan(100))
    assert not is_proved(consortium, entry, keys=found(3, seed="other keys").keys)
