"""The key ceremony: ceremony.json, and what happens to it when somebody meddles."""

from __future__ import annotations

import base64
import random

import pytest
from plimsoll.v1 import entry_pb2

from tests.second import hpke
from tests.second.ceremony import Attempt, Commitments, Setting, opened_share, replay, share_fits, share_info
from tests.second.entry import read
from tests.second.group import G, L, scalar, scalar_bytes
from tests.second.log import Log
from tests.second.refusal import Refused
from tests.second.vectors import flipped, load, unhex

CASES = load("ceremony")["cases"]
NOTHING_WRONG = CASES[0]
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])


def setting_of(case):
    consortium, manifest = unhex(case["consortium"]), unhex(case["manifest"])
    return Setting(consortium, manifest, tuple(case["custodians"]), case["threshold"])


def raw_logs(case):
    return {name: [base64.b64decode(raw) for raw in raws] for name, raws in case["logs"].items()}


def replayed(case, raws):
    return replay(setting_of(case), {name: Log(name, entries) for name, entries in raws.items()})


def attempt(case, raws=None):
    entries = {name: Log(name, raw).entries for name, raw in (raws or raw_logs(case)).items()}
    return Attempt(setting_of(case), entries, case["attempt"])


@by_case
def test_the_logs_lead_to_the_keys(case):
    number, state, keys = replayed(case, raw_logs(case))
    assert (number, state) == (case["attempt"], "final")
    assert keys is not None
    assert [key.encoded for key in keys.public] == unhex(case["public_keys"])
    assert [[key.encoded for key in keys.shares[j]] for j in sorted(keys.shares)] == unhex(case["public_shares"])
    judged = attempt(case)
    assert judged.id == unhex(case["ceremony"])
    assert judged.readies_digest() == unhex(case["readies_digest"])
    transcript, close = unhex(case["transcript"]), unhex(case["close"])
    assert judged.transcript(close, case["qualified"], case["dropped"], keys) == transcript
    valid = {j for j, a in judged.authors.items() if a.confirmation and judged.confirmation(j)[0] == "valid"}
    assert len(valid) >= judged.q
    assert {judged.authors[j].confirmation.body.close for j in valid} == {close}


@by_case
def test_what_never_counts_is_void(case):
    found = set()
    for number in range(1, case["attempt"] + 1):
        judged = attempt({**case, "attempt": number})
        for j, author in judged.authors.items():
            if judged.dealings[j] == "void":
                found.add((case["custodians"][j - 1], author.dealing.index))
            if author.confirmation and judged.confirmation(j)[0] == "void":
                found.add((case["custodians"][j - 1], author.confirmation.index))
    assert found == {(each["custodian"], each["index"]) for each in case["void"]}


@by_case
def test_sealed_shares_add_up_to_the_secret_ones(case):
    judged = attempt(case)
    for j, private in enumerate(unhex(case["hpke_private_keys"]), 1):
        if j in case["dropped"]:
            continue
        shares = [share_of(judged, i, j, private) for i in case["qualified"]]
        summed = [scalar_bytes(sum(values) % L) for values in zip(*shares, strict=True)]
        assert summed == unhex(case["secret_shares"][j - 1])
        assert [(scalar(value) * G).encoded for value in summed] == unhex(case["public_shares"][j - 1])


def share_of(judged, dealer, receiver, private):
    """The share as it was sealed, or as it was opened in public where that one was bad."""
    body, commitments = judged.dealing_authors[dealer].dealing.body, judged.dealings[dealer]
    flat = [c for coordinate in body.coordinates for c in coordinate.commitments]
    info = share_info(judged.id, dealer, receiver, flat)
    assert isinstance(commitments, Commitments)
    try:
        share = opened_share(private, body.sealed_shares[receiver - 1], info)
    except Refused:
        share = []
    if share_fits(share, commitments, receiver):
        return share
    (revealed,) = (
        entry.body.shares
        for identifier, entry in judged.dealing_authors[dealer].reveals.items()
        if judged.complaints[identifier].author == receiver
    )
    share = [scalar(raw) for raw in revealed]
    assert share_fits(share, commitments, receiver)
    return share


def test_a_sealed_share_opens_for_nobody_and_nothing_else():
    judged, (private, another, _) = attempt(NOTHING_WRONG), unhex(NOTHING_WRONG["hpke_private_keys"])
    body = judged.authors[2].dealing.body
    flat = [c for coordinate in body.coordinates for c in coordinate.commitments]
    info, sealed = share_info(judged.id, 2, 1, flat), body.sealed_shares[0]
    assert opened_share(private, sealed, info)
    wrong = [(another, sealed, info), (private, body.sealed_shares[1], info)]
    wrong += [(private, flipped(sealed, at), info) for at in (0, 32, 300)]
    for bound in (
        (bytes(32), 2, 1, flat),
        (judged.id, 1, 1, flat),
        (judged.id, 2, 2, flat),
        (judged.id, 2, 1, flat[1:]),
    ):
        wrong.append((private, sealed, share_info(*bound)))
    for arguments in wrong:
        with pytest.raises(Refused, match="BAD_SHARE"):
            opened_share(*arguments)


@by_case
def test_whatever_order_logs_arrive_in_nothing_is_taken_back(case):
    raws, order = raw_logs(case), random.Random(5)
    left = [name for name, entries in raws.items() for _ in entries]
    order.shuffle(left)
    arrived: dict[str, list[bytes]] = {name: [] for name in raws}
    failed_before: set[int] = set()
    final = None
    for name in left:
        arrived[name].append(raws[name][len(arrived[name])])
        states = {}
        for number in range(1, case["attempt"] + 1):
            states[number], keys = attempt({**case, "attempt": number}, arrived).outcome()
            final = keys.public if keys else final
        assert all(states[number] == "failed" for number in failed_before)
        assert final is None or states[case["attempt"]] == "final"
        failed_before |= {number for number, state in states.items() if state == "failed"}
    assert final is not None
    assert failed_before == set(range(1, case["attempt"]))


def test_a_flipped_bit_anywhere_keeps_the_keys_from_being_final():
    """All three confirm in the first case and all must: whatever is changed, one falls out or refers to nothing."""
    raws = raw_logs(NOTHING_WRONG)
    tried = 0
    for name, entries in raws.items():
        for index, raw in enumerate(entries):
            entry = read(raw)
            assert entry is not None
            # Nothing refers to a Confirmation: its time, ahead of the message, may be another.
            start = 9 if entry.kind == "confirmation" else 0
            for at in range(start, len(raw), 97):
                changed = {**raws, name: [*entries[:index], flipped(raw, at), *entries[index + 1 :]]}
                assert replayed(NOTHING_WRONG, changed)[1] != "final", (name, index, at)
                tried += 1
    assert tried > 60


# -- meddling with the first case: n = 3, t = 2, q = 3


def entry_of(index, kind, **fields):
    message = entry_pb2.Entry(time=index)
    getattr(message, kind).SetInParent()
    for key, value in {"ceremony": unhex(NOTHING_WRONG["ceremony"]), **fields}.items():
        target = getattr(getattr(message, kind), key)
        if isinstance(value, list):
            target.extend(value)
        else:
            setattr(getattr(message, kind), key, value)
    return message.SerializeToString()


def meddled(name, index, *entries):
    raws = raw_logs(NOTHING_WRONG)
    raws[name][index:index] = entries
    return replayed(NOTHING_WRONG, raws)[:2]


def dealing_leaf(dealer):
    return attempt(NOTHING_WRONG).authors[dealer].dealing.leaf


def complaint(dealer, close=None):
    return entry_of(7, "complaint", close=close or unhex(NOTHING_WRONG["close"]), dealing=dealing_leaf(dealer))


@pytest.mark.parametrize("small", [0, 1, 2**255 - 19, 2**255 - 18, 2**255 - 20])
def test_a_ready_of_small_order_is_as_if_it_were_not_there(small):
    key = small.to_bytes(32, "little")
    assert hpke.small_order(key)
    assert meddled("custodian-1", 0, entry_of(7, "ready", hpke_key=key)) == (1, "final")


def test_the_first_ready_counts():
    """Then no dealing fits the readies, and with three spoilt ones the attempt has failed."""
    assert meddled("custodian-1", 0, entry_of(7, "ready", hpke_key=bytes(31) + b"\x42")) == (2, "open")


def test_a_copy_of_anothers_dealing_is_void_as_ones_own_and_hurts_nobody_else():
    raws = raw_logs(NOTHING_WRONG)
    copied = raws["custodian-1"][1]
    raws["custodian-2"].insert(1, copied)
    judged = attempt(NOTHING_WRONG, raws)
    assert judged.dealings[2] == "void"
    assert isinstance(judged.dealings[1], Commitments)
    assert judged.dealers[dealing_leaf(1)] == 1


def test_complaining_of_t_dealings_ahead_of_the_confirmation_spoils_it():
    assert meddled("custodian-3", 2, complaint(1), complaint(2)) == (2, "open")
    # One of them of nothing that anybody knows: it counts against its author all the same.
    unknown = entry_of(7, "complaint", close=bytes(32), dealing=b"\7" * 32)
    assert meddled("custodian-3", 2, complaint(1), unknown) == (2, "open")
    # Twice the same is one.
    assert meddled("custodian-3", 2, complaint(1), complaint(1)) == (1, "final")


def test_no_more_than_n_complaints_of_one_author_are_looked_at():
    junk = [entry_of(7, "complaint", close=bytes(32), dealing=bytes([n]) * 32) for n in range(3)]
    raws = raw_logs(NOTHING_WRONG)
    raws["custodian-3"] += [*junk[:2], complaint(1), complaint(2)]
    judged = attempt(NOTHING_WRONG, raws)
    assert [c.status for c in judged.complaints.values()] == ["waits", "waits", "valid"]


def test_a_complaint_behind_the_confirmation_changes_nothing():
    assert meddled("custodian-3", 3, complaint(1), complaint(2)) == (1, "final")


def test_who_gives_up_cannot_confirm_after():
    given_up = entry_of(7, "confirmation", close=bytes(32), transcript=bytes(32))
    assert meddled("custodian-3", 2, given_up) == (2, "open")


def test_a_confirmation_that_refers_to_what_nobody_knows_waits():
    entry = attempt(NOTHING_WRONG).authors[3].confirmation
    close, transcript = entry.body.close, entry.body.transcript
    for lists in ({"complaints": [bytes(32)]}, {"reveals": [bytes(32)]}):
        waiting = entry_of(7, "confirmation", close=close, transcript=transcript, **lists)
        assert meddled("custodian-3", 2, waiting) == (1, "open")
    twice = entry_of(7, "confirmation", close=close, transcript=transcript, reveals=[bytes(32), bytes(32)])
    assert meddled("custodian-3", 2, twice) == (1, "final")


def test_other_ceremonies_and_members_that_are_no_custodians_do_not_matter():
    raws = raw_logs(NOTHING_WRONG)
    raws["stranger"] = raws["custodian-1"][:]
    raws["custodian-1"].insert(0, entry_of(7, "ready", ceremony=bytes(32), hpke_key=bytes(31) + b"\x42"))
    raws["custodian-2"].insert(0, b"\x08\x01")
    assert replayed(NOTHING_WRONG, raws)[:2] == (1, "final")


@by_case
def test_unsound_entries_are_as_if_they_were_not_there(case):
    raws = raw_logs(case)
    for entries in raws.values():
        spoilt = []
        for raw in entries:
            message = entry_pb2.Entry.FromString(raw)
            kind = message.WhichOneof("kind") or ""
            getattr(message, kind).ceremony += b"\0"
            # Too long a field, two kinds, the same kind twice, cut short.
            spoilt += [message.SerializeToString(), raw + b"\x12\x00", raw + raw, raw[:-1]]
        assert all(read(raw) is None for raw in spoilt)
        entries[:0] = spoilt
    assert replayed(case, raws)[:2] == (case["attempt"], "final")
