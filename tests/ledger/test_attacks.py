"""What each party could do to break the promises of design section 2, done, over the whole machine.

A querier wants one lender's amount. It may
  A1  ask before and after a lender joins or leaves, or {1,2}, {2,3}, {1,3}, or any longer series, and subtract
  A2  choose its heads: old ones without a lender, trees that do not exist yet, so that a row appears only later
  A3  show the same inquiry to other custodians, or two inquiries on two branches of its log to two quorums
  A4  hide earlier inquiries: skip numbers, repeat labels, put other entries in between, back-date
  A5  be an author too: copy another's record, scaled, or cancel another's nonce
  A6  ask for a sum of itself and one other
An author wants to spoil, to hide or to mislead. It may
  B1  publish a record whose proof fails, whose points are none, or that is another's
  B2  publish negative or enormous amounts, two bands at once, no class
  B3  publish under others' labels, leave gaps, repeat labels, go back in time or into the future
  B4  with another author, make nonces that cancel out
A custodian wants a wrong result or a secret. It may
  C1  answer wrongly, for another inquiry, in another's name (test_query)
  C2  together with fewer than t - 1 others, decrypt: what it holds is shares below the threshold
A peer with a replica, without keys
  D1  looks for repeated labels, nonces, ciphertexts or an order that links two months
An auditor, or whoever shows an auditor a transcript: test_transcript.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2, peer_pb2

from ledger.crypto import dlog, elgamal, group
from ledger.errors import PlimsollError
from ledger.positions.digits import one_hot, tallies
from ledger.positions.fields import Field
from ledger.positions.position_entry import PositionEntry
from ledger.queries import decryption
from ledger.queries.answer import Answer
from ledger.queries.decryption import PartialDecryption
from ledger.queries.exposure import Exposure, expose
from ledger.queries.findings import Asked, Examiner
from ledger.queries.inquiry import DAY, Inquiry, heads_digest
from ledger.queries.plausibility import IMPLAUSIBLE
from ledger.queries.span import isolates
from ledger.tlog.checkpoint import Head
from tests.ledger.dishonest import encrypt_any, scaled, with_ciphertext
from tests.ledger.sample_consortium import CONSENT, POLICY, Consortium, found, loan, small_table

BORROWER = "test:1"
ASKER = "lender-1"


@pytest.fixture
def consortium() -> Consortium:
    return found(5)


def lend(consortium: Consortium, *numbers: int) -> None:
    """Exactly these lenders have a loan to the borrower from now on."""
    for number, member in enumerate(consortium.logs, 1):
        open_ = number in numbers
        if open_ or consortium.next_position(member, BORROWER):
            consortium.report(member, BORROWER, loan(1_000 * number, open=open_))


def verdict(consortium: Consortium, querier: str = ASKER) -> str:
    """What all custodians say about the amounts, each for itself."""
    query, request = consortium.begin(querier, BORROWER)
    said = {consortium.answer(index, querier, request).withheld for index in range(1, 6)}
    assert said == {query.examine().withheld}
    return said.pop()


def exposed(answer: Answer) -> Exposure:
    return expose(answer, BORROWER, [])


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(PlimsollError) as caught:
        call(*arguments)
    return caught.value.reason


# -- A1: differences


def test_before_and_after_a_lender_joins(consortium):
    lend(consortium, 2, 3)
    assert verdict(consortium) == ""
    lend(consortium, 2, 3, 4)
    assert verdict(consortium) == "DIFFERENCING"
    # Whoever did not ask before gets the sum; and so does the asker once its first answer is old.
    assert verdict(consortium, "lender-5") == ""
    consortium.now += 90 * DAY
    assert verdict(consortium) == ""


def test_before_and_after_a_lender_leaves(consortium):
    lend(consortium, 2, 3, 4)
    assert verdict(consortium) == ""
    lend(consortium, 2, 3)
    assert verdict(consortium) == "DIFFERENCING"


def test_three_pairs(consortium):
    lend(consortium, 2, 3)
    assert verdict(consortium) == ""
    lend(consortium, 3, 4)
    assert verdict(consortium) == ""
    lend(consortium, 2, 4)
    assert verdict(consortium) == "DIFFERENCING"
    lend(consortium, 2, 4, 5)
    assert verdict(consortium) == ""


def test_the_askers_own_record_is_no_cover(consortium):
    lend(consortium, 1, 2)
    assert verdict(consortium) == "FEW_CONTRIBUTORS"
    lend(consortium, 1, 2, 3)
    assert verdict(consortium) == ""
    lend(consortium, 2, 3)
    assert verdict(consortium) == ""  # the same others: what changed is its own


def test_with_three_contributors_required_a_colluding_lender_strikes_out_nothing():
    consortium = found(6, replace(POLICY, min_contributors=3))
    lend(consortium, 2, 3, 4)
    assert verdict(consortium) == ""
    lend(consortium, 2, 3, 4, 5, 6)
    # 5 and 6 together are the difference: 6, if it colludes, would read 5.
    assert verdict(consortium) == "DIFFERENCING"


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.sets(st.integers(2, 5)), st.integers(0, 40)), min_size=2, max_size=7),
    st.sampled_from([2, 3]),
)
def test_no_series_of_questions_ever_isolates_a_lender(steps, least):
    """A patient querier over months: what it was told within 90 days never speaks of fewer than it may."""
    consortium = found(5, replace(POLICY, min_contributors=least))
    told: list[tuple[int, int]] = []
    for lenders, days in steps:
        consortium.now += days * DAY
        lend(consortium, *lenders)
        _, request = consortium.begin(ASKER, BORROWER)
        answer = consortium.answer(1, ASKER, request)
        # Another custodian that has never been asked before comes to the same from the logs alone.
        assert consortium.custodian(5).answer(ASKER, request, consortium.now, lambda m: 0).withheld == answer.withheld
        row = sum(1 << number for number in lenders)
        window = [earlier for earlier, time in told if time > consortium.now - 90 * DAY]
        if not answer.withheld:
            assert len(lenders) >= least
            assert not isolates([*window, row], least - 1)
            told.append((row, consortium.now))
        elif len(lenders) >= least:
            assert isolates([*window, row], least - 1)  # nothing is withheld without need


# -- A2: heads


def heads_of(consortium: Consortium) -> list[Head]:
    origin = consortium.manifest.origin
    return [Head(origin(name), log.size, log.root_at(log.size)) for name, log in consortium.logs.items()]


def log_inquiry(consortium: Consortium, number: int, heads: list[Head], **changes: Any) -> peer_pb2.DecryptRequest:
    """An inquiry of the asker at heads of its own choice."""
    keys = consortium.borrower(BORROWER).query
    facts: dict[str, Any] = {
        "time": consortium.now,
        "label": keys.inquiries(ASKER)(number),
        "purpose": entry_pb2.PURPOSE_PRE_LOAN,
        "consent_digest": CONSENT,
        "as_of": 0,
        "epoch": 1,
        "manifest": consortium.manifest.id,
        "sizes": tuple(head.size for head in heads),
        "heads_digest": heads_digest(heads),
    }
    entry = Inquiry(**{**facts, **changes}).encode()
    log = consortium.logs[ASKER]
    index = log.append(entry)
    refs = [peer_pb2.HeadRef(origin=head.origin, size=head.size, root=head.root) for head in heads]
    return peer_pb2.DecryptRequest(entry=entry, receipt=log.receipt(index), query_key=keys.query_key, heads=refs)


def test_old_heads_without_a_lender_are_refused(consortium):
    lend(consortium, 2, 3)
    old = heads_of(consortium)
    lend(consortium, 4)
    held = {name: log.size for name, log in consortium.logs.items()}
    request = log_inquiry(consortium, 0, [old[0], *old[1:]])
    for custodian in consortium.custodians.values():
        assert refused(custodian.answer, ASKER, request, consortium.now, held.__getitem__) == "OMITTED"


def test_just_old_enough_heads_give_no_second_row(consortium):
    # Within the 30 s of grace both heads are acceptable: but then the rule sees both rows.
    lend(consortium, 2, 3)
    old = heads_of(consortium)
    lend(consortium, 2, 3, 4)
    assert consortium.answer(1, ASKER, log_inquiry(consortium, 0, heads_of(consortium))).withheld == ""
    # Going back to the older heads would be the attack the other way round.
    assert refused(consortium.answer, 1, ASKER, log_inquiry(consortium, 1, old)) == "HEADS_WENT_BACK"


def test_an_inquiry_about_trees_that_do_not_exist_yet_blocks_what_follows_and_changes_nothing_before(consortium):
    """The attack: a row that appears only later makes an answer given in between look as if it had been withheld.

    Decoy 0 names a tree of lender-4 that is still to come, in which {2,3,4} contribute; inquiry 1 would get {2,3}. Once
    that tree is there, a replay releases the decoy and withholds inquiry 1, whose row then no longer counts: {2,3,4}
    is told as well, and with {2,3} gives lender 4 away. So inquiry 1 is never answered.
    """
    lend(consortium, 2, 3)
    now = heads_of(consortium)
    future = [*now[:3], Head(now[3].origin, now[3].size + 1, bytes(32)), now[4]]
    log_inquiry(consortium, 0, future)
    between = log_inquiry(consortium, 1, heads_of(consortium))
    assert refused(consortium.answer, 1, ASKER, between) == "HEADS_WENT_BACK"
    lend(consortium, 2, 3, 4)
    assert refused(consortium.answer, 2, ASKER, between) == "HEADS_WENT_BACK"
    assert consortium.answer(1, ASKER, log_inquiry(consortium, 2, heads_of(consortium))).withheld == ""
    lend(consortium, 2, 3)
    assert consortium.answer(1, ASKER, log_inquiry(consortium, 3, heads_of(consortium))).withheld == "DIFFERENCING"


def test_what_the_rule_said_once_it_says_for_ever(consortium):
    """Replays long after, over logs that have grown, with nothing remembered."""
    said = []
    requests = []
    for number, lenders in enumerate([(2, 3), (2, 3, 4), (3, 4, 5), (2, 5), (2, 4)]):
        lend(consortium, *lenders)
        requests.append(log_inquiry(consortium, number, heads_of(consortium)))
        said.append(consortium.answer(1, ASKER, requests[-1]).withheld)
        consortium.now += 3600
    lend(consortium, 2, 3, 4, 5)
    keys = consortium.borrower(BORROWER).query
    for request, expected in zip(requests, said, strict=True):
        asked = Asked.read(ASKER, consortium.logs[ASKER].entries.index(request.entry), request.entry)
        examiner = Examiner(consortium.history, consortium.keys)
        assert examiner.examine(asked, keys, consortium.logs).withheld == expected
    assert set(said) == {"", "DIFFERENCING"}


# -- A3: other custodians, other branches


def test_the_same_inquiry_shown_to_everybody_opens_one_sum_only(consortium):
    lend(consortium, 1, 2, 3)
    query, request = consortium.begin(ASKER, BORROWER)
    sums = set()
    for quorum in combinations(range(1, 6), 3):
        for index in quorum:
            assert query.accept(index, consortium.answer(index, ASKER, request))
        found_sums = query.finish(small_table()).sums
        assert found_sums
        sums.add(found_sums.amounts[Field.OUTSTANDING])
    assert sums == {6_000}


def test_two_branches_of_the_askers_log_never_get_two_answers(consortium):
    """Quorums of t out of n share a custodian, and it has the first branch when it is asked about the second."""
    lend(consortium, 2, 3)
    log = consortium.logs[ASKER]
    fork = log.fork(log.size)
    request = log_inquiry(consortium, 0, heads_of(consortium))
    for index in (1, 2, 3):
        assert consortium.answer(index, ASKER, request)
    lend(consortium, 2, 3, 4)
    consortium.logs[ASKER] = fork
    twin = log_inquiry(consortium, 0, heads_of(consortium))
    consortium.logs[ASKER] = log
    # Custodian 3 holds the first branch; 4 and 5 were shown the second alone.
    assert refused(consortium.answer, 3, ASKER, twin) == "FORK"
    shown = {**consortium.logs, ASKER: fork}
    answers = [consortium.custodian(n, shown).answer(ASKER, twin, consortium.now, lambda m: 0) for n in (4, 5)]
    assert len(answers) < consortium.manifest.threshold


# -- A4: hiding inquiries


def test_a_forged_entry_between_two_inquiries_hides_neither(consortium):
    keys = consortium.borrower(BORROWER).query
    lend(consortium, 2, 3)
    assert consortium.answer(1, ASKER, log_inquiry(consortium, 0, heads_of(consortium))).withheld == ""
    # Under label 1, an entry that is no inquiry; label 0 again; a back-dated one under label 2.
    position = entry_pb2.Entry.FromString(consortium.position_entry(ASKER, "test:2", loan(1)))
    position.position.label = keys.inquiries(ASKER)(1)
    consortium.logs[ASKER].append(position.SerializeToString())
    log_inquiry(consortium, 0, heads_of(consortium))
    log_inquiry(consortium, 2, heads_of(consortium), time=1)
    short = entry_pb2.Entry.FromString(consortium.logs[ASKER].entries[-1])
    short.inquiry.label = keys.inquiries(ASKER)(3)
    del short.inquiry.sizes[2:]
    consortium.logs[ASKER].append(short.SerializeToString())
    lend(consortium, 2, 3, 4)
    assert consortium.answer(1, ASKER, log_inquiry(consortium, 4, heads_of(consortium))).withheld == "DIFFERENCING"


def test_an_inquiry_of_an_unknown_manifest_blocks_what_follows(consortium):
    """Its id may become known: were it void until then, its row would appear later and change what was said."""
    lend(consortium, 2, 3)
    log_inquiry(consortium, 0, heads_of(consortium), manifest=bytes(32))
    assert refused(consortium.answer, 1, ASKER, log_inquiry(consortium, 1, heads_of(consortium))) == "OTHER_MANIFEST"


def test_another_key_for_the_same_borrower_finds_nothing(consortium):
    # Positions and inquiries are found by one key: whoever asks under another finds no positions either.
    lend(consortium, 2, 3)
    consortium.ask(ASKER, BORROWER)
    assert consortium.ask(ASKER, "test:other").contributors == 0


# -- A5, B1, B4: ciphertexts


def victim(consortium: Consortium) -> elgamal.Ciphertext:
    """Lender 2's record, as everybody's replica has it."""
    index = consortium.report("lender-2", BORROWER, loan(2_000))
    ciphertext = PositionEntry.parse(consortium.logs["lender-2"].entry(index)).ciphertext
    assert ciphertext is not None
    return ciphertext


@pytest.mark.parametrize("factor", [1, 2, -1])
def test_a_copied_ciphertext_scaled_is_left_out_and_named(consortium, factor):
    ciphertext = victim(consortium)
    for member in ("lender-3", "lender-4"):
        consortium.report(member, BORROWER, loan(100))
    own = consortium.position_entry(ASKER, BORROWER, loan(1))
    consortium.logs[ASKER].append(with_ciphertext(own, scaled(ciphertext, factor)))
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert [(left.member, left.reason) for left in answer.excluded] == [(ASKER, "BAD_PROOF")]
    assert not answer.includes_own
    assert answer.amounts
    assert answer.amounts.outstanding == 2_200


def test_a_copy_with_a_proof_of_its_own_is_one_of_another_nonce(consortium):
    """The copier knows no r of the copied R: a proof it can make is for an R of its own, whose mask does not fit."""
    ciphertext = victim(consortium)
    for member in ("lender-3", "lender-4"):
        consortium.report(member, BORROWER, loan(100))
    label = consortium.borrower(BORROWER).query.positions(ASKER)(0)
    own = encrypt_any(consortium, ASKER, label, [0] * 7)
    for mixed in (
        replace(own, bodies=ciphertext.bodies),
        replace(own, nonce_point=ciphertext.nonce_point),
        replace(own, nonce_point=ciphertext.nonce_point, bodies=ciphertext.bodies),
        replace(ciphertext, proof=own.proof),
    ):
        entry = with_ciphertext(consortium.position_entry(ASKER, BORROWER, loan(1)), mixed)
        consortium.logs[ASKER].append(entry)
        answer = exposed(consortium.ask("lender-5", BORROWER))
        assert [(left.member, left.reason) for left in answer.excluded] == [(ASKER, "BAD_PROOF")]


def test_a_record_whose_proof_fails_is_left_out_before_contributors_are_counted(consortium):
    for member in ("lender-2", "lender-3"):
        consortium.report(member, BORROWER, loan(100))
    entry = PositionEntry.parse(consortium.logs["lender-3"].entries[-1])
    assert entry.ciphertext
    bent = replace(entry.ciphertext, proof=bytes(64))
    label = consortium.borrower(BORROWER).query.positions("lender-3")(1)
    consortium.logs["lender-3"].append(replace(entry, ciphertext=bent, label=label).encode())
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert (answer.lenders, answer.withheld) == (1, "FEW_CONTRIBUTORS")
    assert [(left.member, left.reason) for left in answer.excluded] == [("lender-3", "BAD_PROOF")]


def test_nonces_that_cancel_out_stop_the_query_of_those_who_share_them(consortium):
    keys, rng = consortium.keys.fields, consortium.rng
    r, u = group.random_scalar(rng), group.random_scalar(rng)
    for member, nonce in (("lender-2", r), ("lender-3", group.scalar_neg(r))):
        own = consortium.position_entry(member, BORROWER, loan(100))
        label = PositionEntry.parse(own).label
        place = (consortium.manifest.consortium, 1, member, label)
        consortium.logs[member].append(with_ciphertext(own, elgamal.encrypt(keys, [100] * 7, nonce, u, *place)))
    query, request = consortium.begin(ASKER, BORROWER)
    assert refused(consortium.answer, 1, ASKER, request) == "IDENTITY_SUM"
    assert refused(query.examine) == "IDENTITY_SUM"
    # One honest lender, and its nonce hides the sum again.
    consortium.report("lender-4", BORROWER, loan(100))
    assert consortium.ask(ASKER, BORROWER).contributors == 3


# -- B2: amounts


def honest_amounts(outstanding: int) -> list[int]:
    return [outstanding, outstanding // 10, 2 * outstanding, *tallies(0, 1), one_hot(1, 6), 0]


@pytest.mark.parametrize(
    ("amounts", "codes"),
    [
        ([-5_000_000, 0, 0, *tallies(0, 1), one_hot(0, 6), 0], {"OUT_OF_RANGE:outstanding"}),
        ([-2_500, 0, 0, *tallies(0, 1), one_hot(0, 6), 0], {"BAND_SUM"}),
        ([0, -10_000, 0, *tallies(0, 1), one_hot(0, 6), 0], {"OUT_OF_RANGE:monthly_due"}),
        ([2**40, 0, 0, *tallies(0, 1), one_hot(5, 6), 0], {"OUT_OF_RANGE:outstanding"}),
        ([100, 0, 0, *tallies(0, 1), one_hot(0, 6) + one_hot(1, 6), 0], {"UNREADABLE:band"}),
        ([100, 0, 0, *tallies(0, 1), 0, 0], {"BANDS"}),
        ([100, 0, 0, *tallies(0, 1), one_hot(4, 6), 0], {"BAND_SUM"}),
        ([100, 0, 0, 1 << 6, 0, one_hot(0, 6), 0], {"CLASSES"}),
        ([100, 0, 0, 1 + (1 << 6), one_hot(0, 4), one_hot(0, 6), 0], {"CLASSES"}),
        ([100, 0, 0, 1, 0, one_hot(0, 6), 0], {"ACCOUNTS"}),
        ([100, 0, 0, 1 + (5_000 << 6), 0, one_hot(0, 6), 0], {"ACCOUNTS"}),
        ([100, 0, 0, -200, 0, one_hot(0, 6), 0], {"UNREADABLE:tally_low"}),
        ([100, 0, 0, *tallies(0, 1), one_hot(0, 6), -1], {"UNREADABLE:overdue_band"}),
        ([100, 0, 0, *tallies(0, 1), one_hot(0, 6), one_hot(0, 5) * 5], {"UNREADABLE:overdue_band"}),
    ],
)
def test_amounts_that_cannot_be_are_reported_and_withheld(consortium, amounts, codes):
    for member in ("lender-2", "lender-3"):
        own = consortium.position_entry(member, BORROWER, loan(2_000))
        consortium.logs[member].append(own)
    own = consortium.position_entry("lender-4", BORROWER, loan(2_000))
    bent = encrypt_any(consortium, "lender-4", PositionEntry.parse(own).label, amounts)
    consortium.logs["lender-4"].append(with_ciphertext(own, bent))
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert (answer.amounts, answer.withheld) == (None, IMPLAUSIBLE)
    assert codes <= set(answer.implausible)
    assert answer.lenders == 3


def test_honest_amounts_by_the_same_means_are_plausible(consortium):
    for member in ("lender-2", "lender-3"):
        own = consortium.position_entry(member, BORROWER, loan(2_000))
        bent = encrypt_any(consortium, member, PositionEntry.parse(own).label, honest_amounts(2_000))
        consortium.logs[member].append(with_ciphertext(own, bent))
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert answer.implausible == ()
    assert answer.amounts
    assert answer.amounts.outstanding == 4_000


# -- B3: labels


def test_a_squatted_label_hides_nothing_and_adds_nothing(consortium):
    lend(consortium, 2, 3)
    # Lender 4 knows the borrower: it publishes under the labels that lenders 2 and 5 will use next, and their old ones.
    for owner in ("lender-2", "lender-5"):
        for number in (0, 1):
            consortium.logs["lender-4"].append(consortium.position_entry(owner, BORROWER, loan(9), number=number))
    lend(consortium, 2, 3, 5)
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert (answer.lenders, answer.excluded) == (3, ())
    assert answer.amounts
    assert answer.amounts.outstanding == 10_000


def test_a_gap_and_a_duplicate_are_their_authors_loss_alone(consortium):
    lend(consortium, 2, 3, 4, 5)
    consortium.report("lender-4", BORROWER, loan(9), number=0)  # a duplicate: ignored
    consortium.report("lender-5", BORROWER, loan(9), number=1)
    consortium.report("lender-5", BORROWER, loan(9), number=2)
    consortium.report("lender-5", BORROWER, loan(9), number=4)  # 3 is missing
    answer = exposed(consortium.ask(ASKER, BORROWER))
    assert [(left.member, left.reason) for left in answer.excluded] == [("lender-5", "GAP")]
    assert answer.amounts
    assert answer.amounts.outstanding == 9_000


# -- C2: fewer than t custodians


def test_fewer_than_t_shares_open_nothing(consortium):
    """Two of three needed: combined as if they sufficed, they give points that hide no sum in range."""
    lend(consortium, 2, 3)
    query, request = consortium.begin(ASKER, BORROWER)
    findings = query.examine()
    answers = [consortium.answer(index, ASKER, request) for index in (1, 2)]
    partials = [PartialDecryption(a.custodian, findings.released, tuple(a.points), a.proof) for a in answers]
    points = decryption.remove_mask(findings.body_sums, decryption.combine(partials, findings.released))
    table: dlog.Table = small_table()
    assert all(table.find(points[field], 1 << 16) is None for field in points)


# -- D1: what a replica shows


def test_a_replica_shows_nothing_twice_and_no_order(consortium):
    """Two feeds of the same borrowers and amounts: no label, point, digest or sealed byte string in common."""
    borrowers = [f"test:{number}" for number in range(12)]
    seen: list[bytes] = []
    orders = []
    for _ in range(2):
        entries = {b: consortium.position_entry("lender-2", b, loan(1_000)) for b in borrowers}
        labels = {b: PositionEntry.parse(entry).label for b, entry in entries.items()}
        for borrower in sorted(borrowers, key=labels.__getitem__):
            consortium.logs["lender-2"].append(entries[borrower])
        orders.append(sorted(borrowers, key=labels.__getitem__))
        for entry in entries.values():
            record = PositionEntry.parse(entry)
            assert record.ciphertext is not None
            seen += [record.label, record.records_digest, record.sealed, record.ciphertext.nonce_point]
            seen += [*record.ciphertext.bodies, record.ciphertext.proof]
            assert b"test:" not in entry
    assert len(set(seen)) == len(seen)
    assert orders[0] != orders[1]
