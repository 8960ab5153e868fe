"""Key epochs one after the other: resharing.json, and what happens to it when somebody meddles."""

from __future__ import annotations

import base64
import random
from functools import cache

import pytest
from plimsoll.v1 import entry_pb2

from tests.second.ceremony import Attempt, Beginning, Commitments, replay_epochs, share_info
from tests.second.group import G, L, lagrange_at_zero, scalar, scalar_bytes
from tests.second.log import Log
from tests.second.test_ceremony import share_of
from tests.second.vectors import flipped, load, unhex

CASES = load("resharing")["cases"]
REPLACED, LOST, LEFT_BEHIND = CASES
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])


def raw_logs(case):
    return {name: [base64.b64decode(raw) for raw in raws] for name, raws in case["logs"].items()}


@cache
def unmeddled(number):
    return replayed(CASES[number], raw_logs(CASES[number]))


def replayed(case, raws=None):
    if raws is None:
        return unmeddled(CASES.index(case))
    beginnings = [
        Beginning(e["epoch"], e["dealt_from"], unhex(e["manifest"]), tuple(e["custodians"]), e["threshold"])
        for e in case["epochs"]
    ]
    logs = {name: Log(name, entries) for name, entries in raws.items()}
    return replay_epochs(unhex(case["consortium"]), beginnings, logs)


def judged(case, epoch, number=None, raws=None):
    """An attempt of an epoch, its last where none is named."""
    setting, last, _, _ = replayed(case)[epoch["epoch"]]
    entries = {name: Log(name, raw).entries for name, raw in (raws or raw_logs(case)).items()}
    return Attempt(setting, entries, number or last)


def finals(case):
    return [epoch for epoch in case["epochs"] if epoch["final"]]


@by_case
def test_the_logs_lead_to_the_keys_of_every_epoch(case):
    found = replayed(case)
    for epoch in case["epochs"]:
        _, number, state, keys = found[epoch["epoch"]]
        if not epoch["final"]:
            assert (state, keys) == ("open", None)
            continue
        assert (number, state) == (epoch["attempt"], "final")
        assert keys is not None
        assert keys.epoch == epoch["epoch"]
        assert [key.encoded for key in keys.public] == unhex(epoch["public_keys"])
        assert keys.encoded_shares() == unhex(epoch["public_shares"])
        attempt = judged(case, epoch)
        assert attempt.id == unhex(epoch["ceremony"])
        assert attempt.readies_digest() == unhex(epoch["readies_digest"])
        transcript, close = unhex(epoch["transcript"]), unhex(epoch["close"])
        assert attempt.transcript(close, epoch["qualified"], epoch["dropped"], keys) == transcript
        valid = {j for j, a in attempt.authors.items() if a.confirmation and attempt.confirmation(j)[0] == "valid"}
        assert len(valid) >= attempt.q
    assert len({tuple(epoch["public_keys"]) for epoch in finals(case)}) == 1


@by_case
def test_what_never_counts_is_void(case):
    found = set()
    for epoch in finals(case):
        for number in range(1, epoch["attempt"] + 1):
            attempt = judged(case, epoch, number)
            for i, author in attempt.dealing_authors.items():
                if attempt.dealings[i] == "void":
                    found.add((attempt.setting.dealers[i - 1], author.dealing.index))
            for j, author in attempt.authors.items():
                if author.confirmation and attempt.confirmation(j)[0] == "void":
                    found.add((epoch["custodians"][j - 1], author.confirmation.index))
    assert found == {(each["custodian"], each["index"]) for each in case["void"]}


@by_case
def test_sealed_shares_add_up_to_the_secret_ones(case):
    for epoch in finals(case)[1:]:
        attempt, qualified = judged(case, epoch), epoch["qualified"]
        weights = [lagrange_at_zero(i, qualified) for i in qualified]
        for j, private in enumerate(unhex(epoch["hpke_private_keys"]), 1):
            shares = [share_of(attempt, i, j, private) for i in qualified]
            summed = [
                scalar_bytes(sum(weight * value for weight, value in zip(weights, values, strict=True)) % L)
                for values in zip(*shares, strict=True)
            ]
            assert summed == unhex(epoch["secret_shares"][j - 1])
            assert [(scalar(value) * G).encoded for value in summed] == unhex(epoch["public_shares"][j - 1])


@by_case
def test_each_epochs_shares_make_the_same_secrets_and_those_of_two_do_not(case):
    first, *later = finals(case)

    def secrets(epoch, indices):
        columns = zip(*([scalar(s) for s in unhex(epoch["secret_shares"][j - 1])] for j in indices), strict=True)
        weights = [lagrange_at_zero(j, indices) for j in indices]
        return [sum(w * s for w, s in zip(weights, column, strict=True)) % L for column in columns]

    founding = secrets(first, range(1, first["threshold"] + 1))
    assert [(value * G).encoded for value in founding] == unhex(first["public_keys"])
    for epoch in later:
        n, t = len(epoch["custodians"]), epoch["threshold"]
        assert secrets(epoch, range(n - t + 1, n + 1)) == founding
        mixed = {"secret_shares": [*first["secret_shares"][:1], *epoch["secret_shares"][1:]]}
        assert secrets(mixed, range(1, t + 1)) != founding


@by_case
def test_whatever_order_logs_arrive_in_nothing_is_taken_back(case):
    raws, order = raw_logs(case), random.Random(7)
    left = [name for name, entries in raws.items() for _ in entries]
    order.shuffle(left)
    arrived: dict[str, list[bytes]] = {name: [] for name in raws}
    final: dict[int, object] = {}
    for name in left:
        arrived[name].append(raws[name][len(arrived[name])])
        if order.random() < 0.5:
            continue
        found = {epoch: keys for epoch, (_, _, _, keys) in replayed(case, arrived).items() if keys}
        assert all(found[epoch] == keys for epoch, keys in final.items())
        final = found
    whole = {epoch: keys for epoch, (_, _, _, keys) in replayed(case, arrived).items() if keys}
    assert list(whole) == [epoch["epoch"] for epoch in finals(case)]


# -- meddling with the first case: epoch 2 is n = n' = 3, t = t' = 2, q' = 3


def changed(name, index, raw):
    raws = raw_logs(REPLACED)
    raws[name][index] = raw
    return raws


def second_epochs(kind):
    """(name, index, message) of the entries of this kind in epoch 2's ceremony."""
    ceremony = unhex(REPLACED["epochs"][1]["ceremony"])
    for name, raws in raw_logs(REPLACED).items():
        for index, raw in enumerate(raws):
            message = entry_pb2.Entry.FromString(raw)
            if message.WhichOneof("kind") == kind and getattr(message, kind).ceremony == ceremony:
                yield name, index, message


def test_a_dealing_whose_constant_term_is_not_the_dealers_share_is_void():
    """Each coordinate's commitment must be the share of that coordinate, though the proof that it is known is good."""
    attempt = judged(REPLACED, REPLACED["epochs"][2])
    assert attempt.dealings[2] == "void"
    author = attempt.dealing_authors[2]
    unbound = Attempt(attempt.setting.__class__(**{**vars(attempt.setting), "before": None}), {}, 1)
    unbound.authors, unbound.dealing_authors = attempt.authors, attempt.dealing_authors
    assert isinstance(unbound._dealing(2), Commitments)
    assert author.dealing is not None


def test_entries_of_a_member_that_has_not_that_part_are_as_if_they_were_not_there():
    """Member 4 deals nothing in epoch 2, member 3 receives nothing."""
    attempt = judged(REPLACED, REPLACED["epochs"][1])
    assert set(attempt.setting.dealers) == {"custodian-1", "custodian-2", "custodian-3"}
    raws = raw_logs(REPLACED)
    _, _, dealing = next(second_epochs("dealing"))
    _, _, confirmation = next(second_epochs("confirmation"))
    confirmation.confirmation.transcript = bytes(32)
    raws["custodian-4"].insert(0, dealing.SerializeToString())
    raws["custodian-3"].append(confirmation.SerializeToString())
    assert [state for _, _, state, _ in replayed(REPLACED, raws).values()] == ["final"] * 3


def test_a_flipped_bit_anywhere_in_epoch_2_keeps_its_keys_from_being_final():
    tried = 0
    for kind in ("ready", "dealing", "close", "confirmation"):
        for name, index, message in second_epochs(kind):
            raw = message.SerializeToString(deterministic=True)
            for at in range(9 if kind == "confirmation" else 0, len(raw), 211):
                found = replayed(REPLACED, changed(name, index, flipped(raw, at)))
                assert found[2][2] != "final", (name, index, at)
                assert 3 not in found
                tried += 1
    assert tried > 30


def test_keys_of_another_epoch_before_give_another_transcript():
    attempt, epoch = judged(LOST, LOST["epochs"][1]), LOST["epochs"][1]
    keys, right = attempt.keys(epoch["qualified"]), unhex(epoch["transcript"])
    close = unhex(epoch["close"])
    assert attempt.transcript(close, epoch["qualified"], epoch["dropped"], keys) == right
    before = attempt.setting.before
    for other in (
        before.__class__(before.epoch + 1, before.public, before.shares),
        before.__class__(before.epoch, before.public, {**before.shares, 1: before.shares[2]}),
    ):
        attempt.setting = attempt.setting.__class__(**{**vars(attempt.setting), "before": other})
        assert attempt.transcript(close, epoch["qualified"], epoch["dropped"], keys) != right


def test_fewer_dealings_than_the_old_threshold_qualify_nothing():
    """Epoch 3 of the last case is dealt by two of three, two being needed: without either of them it stays open."""
    epoch = LEFT_BEHIND["epochs"][2]
    attempt = judged(LEFT_BEHIND, epoch)
    assert [i for i, dealing in attempt.dealings.items() if isinstance(dealing, Commitments)] == [1, 3]
    for dealer in (1, 3):
        raws = raw_logs(LEFT_BEHIND)
        own = attempt.dealing_authors[dealer].dealing
        raws[attempt.setting.dealers[dealer - 1]].remove(own.raw)
        assert replayed(LEFT_BEHIND, raws)[3][2] == "open"


def test_a_sealed_share_is_bound_to_its_epoch():
    second = judged(REPLACED, REPLACED["epochs"][1])
    first = judged(REPLACED, REPLACED["epochs"][0])
    assert share_info(first.id, 1, 1, []) != share_info(second.id, 1, 1, [])
