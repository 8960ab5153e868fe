"""Which dealings qualify, and what is confirmed about them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ceremony.context import Former
from ledger.ceremony.dealing import Dealing, split_bundle
from ledger.ceremony.qualification import Grievance, outcome_of, qualify
from ledger.crypto import group, shamir
from ledger.errors import InvalidInput
from tests.ledger.ceremony.script import Script, dealt
from tests.ledger.ceremony.simulation import make_context

N, T = 5, 3
ALL = range(1, N + 1)
CONTEXT = make_context(N, T)
CEREMONY = CONTEXT.ceremony_id(1)
CLOSE = bytes([9]) * 32

grievances = st.lists(
    st.builds(Grievance, st.integers(1, N), st.integers(1, N), st.booleans()),
    unique_by=lambda grievance: (grievance.author, grievance.dealer),
)


def against(dealer: int, *authors: int, answered: bool = True) -> list[Grievance]:
    return [Grievance(author, dealer, answered) for author in authors]


def test_without_complaints_everybody_counted_qualifies() -> None:
    assert qualify(CONTEXT, ALL, []) == ((1, 2, 3, 4, 5), ())
    assert qualify(CONTEXT, (2, 3, 5), []) == ((2, 3, 5), ())


def test_an_answered_complaint_harms_nobody() -> None:
    assert qualify(CONTEXT, ALL, against(2, 1)) == ((1, 2, 3, 4, 5), ())


def test_an_unanswered_complaint_disqualifies() -> None:
    assert qualify(CONTEXT, ALL, against(2, 1, answered=False)) == ((1, 3, 4, 5), ())


def test_t_complaints_disqualify_even_if_answered() -> None:
    assert qualify(CONTEXT, ALL, against(2, 1, 3)) == ((1, 2, 3, 4, 5), ())
    assert qualify(CONTEXT, ALL, against(2, 1, 3, 4)) == ((1, 3, 4, 5), ())


def test_who_complains_of_t_dealings_is_dropped_and_harms_nobody() -> None:
    crank = [Grievance(5, dealer, False) for dealer in (1, 2, 3)]
    assert qualify(CONTEXT, ALL, crank) == ((1, 2, 3, 4, 5), (5,))
    # Nor does it make up the number against a dealer.
    assert qualify(CONTEXT, ALL, [*crank, *against(1, 2, 3)]) == ((1, 2, 3, 4, 5), (5,))


def test_complaints_of_dealings_not_counted_do_not_matter() -> None:
    assert qualify(CONTEXT, (1, 2, 3), [Grievance(5, dealer, False) for dealer in (3, 4, 5)]) == ((1, 2), ())


@given(grievances)
def test_whatever_is_complained_of_the_rules_hold(complaints: list[Grievance]) -> None:
    qualified, dropped = qualify(CONTEXT, ALL, complaints)
    for author in ALL:
        mine = {complaint.dealer for complaint in complaints if complaint.author == author}
        assert (author in dropped) == (len(mine) >= T)
        # Somebody who is not dropped and of whom every complaint is answered still has a share of its own.
        if author not in dropped and len(qualified) >= T:
            assert set(qualified) - mine
    for dealer in ALL:
        standing = [c for c in complaints if c.dealer == dealer and c.author not in dropped]
        assert (dealer in qualified) == (len(standing) < T and all(c.answered for c in standing))
    assert list(qualified) == sorted(qualified)
    assert list(dropped) == sorted(dropped)


def sample(dealers: tuple[int, ...]) -> dict[int, tuple[bytes, Dealing]]:
    return {d: (bytes([d]) * 32, dealt(CEREMONY, d, T, N)[0]) for d in dealers}


def test_keys_are_the_sum_of_the_dealings() -> None:
    dealers = (1, 3, 4)
    keys = outcome_of(make_context(N, T), CEREMONY, CLOSE, sample(dealers), ()).keys
    bundles = {j: [split_bundle(dealt(CEREMONY, d, T, N)[1][j - 1]) for d in dealers] for j in ALL}
    for c, key in enumerate(keys):
        sums = {}
        for j in ALL:
            total = group.ZERO
            for bundle in bundles[j]:
                total = group.scalar_add(total, bundle[c])
            sums[j] = total
            assert group.mul_base(total) == list(keys.custodian(j))[c]
        for receivers in ((1, 2, 3), (5, 2, 4)):
            assert group.mul_base(shamir.interpolate(receivers, [sums[j] for j in receivers])) == key
        assert group.mul_base(shamir.interpolate((1, 2), [sums[1], sums[2]])) != key


def test_fewer_than_t_dealings_make_no_key() -> None:
    with pytest.raises(InvalidInput):
        outcome_of(make_context(N, T), CEREMONY, CLOSE, sample((1, 2)), ())


def test_the_digest_binds_everything() -> None:
    context, dealings = make_context(N, T), sample((1, 2, 3))
    digests = {
        outcome_of(context, CEREMONY, CLOSE, dealings, ()).digest,
        outcome_of(context, bytes(32), CLOSE, dealings, ()).digest,
        outcome_of(context, CEREMONY, bytes(32), dealings, ()).digest,
        outcome_of(context, CEREMONY, CLOSE, dealings, (4,)).digest,
        outcome_of(context, CEREMONY, CLOSE, dealings, (5,)).digest,
        outcome_of(context, CEREMONY, CLOSE, sample((1, 2, 4)), ()).digest,
        outcome_of(context, CEREMONY, CLOSE, sample((1, 2, 3, 4)), ()).digest,
        outcome_of(context, CEREMONY, CLOSE, {**dealings, 3: (bytes(32), dealings[3][1])}, ()).digest,
        outcome_of(make_context(N - 1, T), CEREMONY, CLOSE, dealings, ()).digest,
    }
    assert len(digests) == 9


RESHARING = Script(4, 3, 1, former=(N, T))


def reshared(dealers: tuple[int, ...]) -> dict[int, tuple[bytes, Dealing]]:
    return {d: (bytes([d]) * 32, RESHARING.dealing_of(d)) for d in dealers}


def test_a_resharing_is_the_weighted_sum_and_leaves_the_keys() -> None:
    former = RESHARING.context.former
    assert former is not None
    for dealers in ((1, 2, 3), (2, 4, 5), (1, 2, 3, 4, 5)):
        keys = outcome_of(RESHARING.context, RESHARING.ceremony, CLOSE, reshared(dealers), ()).keys
        assert list(keys) == list(former.keys)
        assert keys.epoch == former.keys.epoch + 1
        bundles = {j: [split_bundle(RESHARING.bundle(d, j)) for d in dealers] for j in RESHARING.context.indices}
        for j, received in bundles.items():
            for c, point in enumerate(keys.custodian(j)):
                share = shamir.interpolate(dealers, [bundle[c] for bundle in received])
                assert group.mul_base(share) == point


def test_the_digest_of_a_resharing_binds_the_epoch_it_is_dealt_from() -> None:
    context, dealings = RESHARING.context, reshared((1, 2, 3))
    former = context.former
    assert former is not None
    first, *others = former.keys.custodians
    swapped = replace(former.keys, custodians=(others[0], first, *others[1:]))
    contexts = [
        context,
        replace(context, former=replace(former, keys=swapped)),
        replace(context, former=replace(former, keys=replace(former.keys, epoch=0))),
        replace(context, former=Former(former.custodians[:4], T, replace(swapped, custodians=swapped.custodians[:4]))),
    ]
    digests = {outcome_of(each, RESHARING.ceremony, CLOSE, dealings, ()).digest for each in contexts}
    assert len(digests) == len(contexts)


def test_dealings_of_no_shares_of_the_keys_have_no_outcome() -> None:
    """Not to be had of valid dealings, whose constant terms are public shares; checked all the same."""
    dealings = {d: (bytes([d]) * 32, dealt(RESHARING.ceremony, d, 3, 4)[0]) for d in (1, 2, 3)}
    with pytest.raises(InvalidInput) as refusal:
        outcome_of(RESHARING.context, RESHARING.ceremony, CLOSE, dealings, ())
    assert refusal.value.reason == "OTHER_KEYS"


def test_dealings_that_cancel_out_have_no_outcome() -> None:
    dealings = sample((1, 2, 3))
    leaf, dealing = dealings[3]
    others = group.add(dealings[1][1].commitments[0][0], dealings[2][1].commitments[0][0])
    opposite = (group.sub(group.IDENTITY, others), *dealing.commitments[0][1:])
    dealings[3] = (leaf, replace(dealing, commitments=(opposite, *dealing.commitments[1:])))
    with pytest.raises(InvalidInput):
        outcome_of(make_context(N, T), CEREMONY, CLOSE, dealings, ())
