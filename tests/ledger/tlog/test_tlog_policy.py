"""Auditors' policies: what is read, what is refused and at which line, and when a quorum is reached."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.tlog.checkpoint import Head, head_text
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import Note, Signer, VerifierKey
from ledger.tlog.tlog_policy import Policy, PolicyGroup, PolicyLog, PolicyWitness, parse_policy
from tests.ledger.mutations import edited
from tests.vectors import generate_tlog_policy

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tlog_policy.json").read_text("utf-8"))
VALID = [base64.b64decode(case["policy"]) for case in VECTORS["valid"]]

LOG = Signer.from_seed("example.com/log", bytes(32))
OTHER_LOG = Signer.from_seed("example.com/log", bytes([7]) * 32)
COSIGNERS = [Cosigner.from_seed(f"witness.example/{number}", bytes([number]) * 32) for number in range(1, 6)]
NAMES = [f"w{number}" for number in range(1, 6)]
WITNESSES = tuple(PolicyWitness(name, one.key) for name, one in zip(NAMES, COSIGNERS, strict=True))


def by_why(case: dict) -> str:
    return str(case["why"])


def test_the_vectors_are_what_their_generator_makes() -> None:
    assert (generate_tlog_policy.FOLDER / "tlog_policy.json").read_text("utf-8") == generate_tlog_policy.content()


@pytest.mark.parametrize("case", VECTORS["valid"], ids=by_why)
def test_valid_vectors(case: dict) -> None:
    policy = parse_policy(base64.b64decode(case["policy"]))
    facts = {
        "logs": [str(log.key) for log in policy.logs],
        "log_urls": [log.url for log in policy.logs],
        "witnesses": [witness.name for witness in policy.witnesses],
        "groups": [[group.name, group.threshold, len(group.members)] for group in policy.groups],
        "quorum": policy.quorum,
    }
    assert {name: facts[name] for name in facts if name in case} == {name: case[name] for name in facts if name in case}
    assert all(policy.satisfied(names) for names in case["satisfied"])
    assert not any(policy.satisfied(names) for names in case["not_satisfied"])


@pytest.mark.parametrize("case", VECTORS["refused"], ids=by_why)
def test_what_is_no_policy_is_refused_with_its_line(case: dict) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_policy(base64.b64decode(case["policy"]))
    path = "" if case["line"] is None else f"line {case['line']}"
    assert (caught.value.reason, caught.value.path) == (case["reason"], path)


@pytest.mark.parametrize("raw", VALID)
def test_what_is_written_is_read_as_the_same(raw: bytes) -> None:
    policy = parse_policy(raw)
    assert parse_policy(policy.encode()) == policy
    assert parse_policy(policy.encode()).encode() == policy.encode()


@given(edited(VALID))
def test_a_changed_policy_is_another_one_or_refused(raw: bytes) -> None:
    try:
        policy = parse_policy(raw)
    except InvalidInput as error:
        told = error.path.startswith("line ") or error.reason == "NO_QUORUM"
    else:
        told = parse_policy(policy.encode()) == policy
    assert told


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with pytest.raises(PlimsollError):  # nobody hits upon "quorum none"
        parse_policy(raw + b"x\n")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Some witnesses in groups, and groups in groups."""
    free = draw(st.permutations(NAMES))
    groups: list[PolicyGroup] = []
    for number in range(draw(st.integers(0, 4))):
        members = tuple(free[: draw(st.integers(1, max(1, len(free))))])
        if not members:
            break
        groups.append(PolicyGroup(f"g{number}", draw(st.integers(1, len(members))), members))
        free = draw(st.permutations([*free[len(members) :], f"g{number}"]))
    quorum = draw(st.sampled_from([None, *NAMES, *(group.name for group in groups)]))
    return Policy((PolicyLog(LOG.key, draw(st.none() | st.just("https://x"))),), WITNESSES, tuple(groups), quorum)


def reaches(policy: Policy, name: str, cosigned: set[str]) -> bool:
    """The standard's definition, from the top."""
    group = next((group for group in policy.groups if group.name == name), None)
    if group is None:
        return name in cosigned
    return sum(reaches(policy, member, cosigned) for member in group.members) >= group.threshold


@given(policies(), st.sets(st.sampled_from(NAMES)))
def test_a_quorum_is_reached_as_the_standard_defines_it(policy: Policy, cosigned: set[str]) -> None:
    expected = policy.quorum is None or reaches(policy, policy.quorum, cosigned)
    assert policy.satisfied(cosigned) == expected


@given(policies(), st.sets(st.sampled_from(NAMES)), st.sampled_from(NAMES))
def test_a_further_witness_never_hurts(policy: Policy, cosigned: set[str], further: str) -> None:
    assert policy.satisfied({*cosigned, further}) >= policy.satisfied(cosigned)


@given(policies())
def test_any_policy_survives_its_file(policy: Policy) -> None:
    assert parse_policy(policy.encode()) == policy


def witness(name: str) -> dict:
    return {"witnesses": (PolicyWitness(name, COSIGNERS[0].key),)}


@pytest.mark.parametrize(
    "parts",
    [
        {"quorum": "w1"},
        {"quorum": "none"},
        {"quorum": "w1\n", **witness("w1\n")},
        {"quorum": "a b", **witness("a b")},
        {"quorum": "", **witness("")},
        {"quorum": "#", **witness("a\tb")},
        witness("\x00"),
        witness("\ud800"),
        witness("\udcc3\udca9"),  # what reads as another text
        {"logs": (PolicyLog(LOG.key, ""),)},
        {"logs": (PolicyLog(LOG.key, "a b"),)},
        {"logs": (PolicyLog(COSIGNERS[0].key),)},
        {"logs": (PolicyLog(LOG.key), PolicyLog(LOG.key, "x"))},
        {"witnesses": WITNESSES, "groups": (PolicyGroup("g", 6, tuple(NAMES)),), "quorum": "g"},
        {"witnesses": WITNESSES, "groups": (PolicyGroup("g", 0, tuple(NAMES)),), "quorum": "g"},
        {"witnesses": WITNESSES, "groups": (PolicyGroup("g", 1, ()),), "quorum": "g"},
    ],
)
def test_no_policy_can_be_made_that_could_not_be_read(parts: dict) -> None:
    with pytest.raises(InvalidInput):
        Policy(**parts)


def test_groups_within_groups_by_the_hundreds_are_no_trouble() -> None:
    groups = [PolicyGroup("g0", 1, ("w1",))]
    groups += [PolicyGroup(f"g{number}", 1, (f"g{number - 1}",)) for number in range(1, 5000)]
    policy = parse_policy(Policy((), WITNESSES, tuple(groups), "g4999").encode())
    assert policy.satisfied(["w1"])
    assert not policy.satisfied(["w2"])


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_policy(b"#" * (1 << 20) + b"\n")
    assert caught.value.reason == "POLICY_TOO_LARGE"


# Heads under a policy

THREE_OF_FIVE = Policy((PolicyLog(LOG.key),), WITNESSES, (PolicyGroup("q", 3, tuple(NAMES)),), "q")


def head(*cosigners: Cosigner, signer: Signer = LOG) -> bytes:
    text = head_text(Head("example.com/log", 0, EMPTY_ROOT))
    return Note(text, (signer.sign(text), *(one.cosign(text, 1_700_000_000) for one in cosigners))).encode()


def test_a_head_with_a_quorum_of_cosignatures_is_accepted() -> None:
    signed = THREE_OF_FIVE.open(head(*COSIGNERS[1:4]))
    assert THREE_OF_FIVE.witnesses_of(signed) == {"w2", "w3", "w4"}
    assert signed.head.size == 0


def test_a_head_with_too_few_is_not() -> None:
    with pytest.raises(Unverified) as caught:
        THREE_OF_FIVE.open(head(*COSIGNERS[:2], *[Cosigner.from_seed("stranger", bytes([9]) * 32)] * 2))
    assert caught.value.reason == "NO_QUORUM"


def test_a_cosignature_that_fails_refuses_the_head_even_beside_enough_others() -> None:
    forged = Cosigner.from_seed("witness.example/5", bytes([5]) * 32).cosign("another text\n", 1)
    note = head(*COSIGNERS[:4]) + f"{forged}\n".encode()
    with pytest.raises(Unverified) as caught:
        THREE_OF_FIVE.open(note)
    assert caught.value.reason == "BAD_SIGNATURE"


def test_a_head_of_a_log_that_is_not_listed_is_refused() -> None:
    with pytest.raises(Unverified) as caught:
        THREE_OF_FIVE.open(head(*COSIGNERS, signer=OTHER_LOG))
    assert caught.value.reason == "UNKNOWN_LOG"


def test_any_log_that_is_listed_will_do() -> None:
    both = Policy((PolicyLog(OTHER_LOG.key), PolicyLog(LOG.key)))
    assert both.open(head()).head == both.open(head(signer=OTHER_LOG)).head


def test_a_witness_nobody_can_verify_here_never_counts() -> None:
    quantum = PolicyWitness("pq", VerifierKey("witness.example/pq", 6, bytes(1312)))
    policy = Policy((PolicyLog(LOG.key),), (quantum,), (), "pq")
    assert dict(policy.cosigner_keys) == {}
    with pytest.raises(Unverified):
        policy.open(head(*COSIGNERS))
