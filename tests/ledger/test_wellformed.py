"""The proof that a position is well-formed: what holds passes, what does not is refused by the name of the step."""

from __future__ import annotations

import base64
import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import elgamal, group
from ledger.crypto.group import L
from ledger.crypto.hashing import wide_digest
from ledger.errors import InvalidInput, Unverified
from ledger.positions.bands import Bands
from ledger.positions.digits import one_hot, tallies
from ledger.positions.fields import FIELDS
from ledger.positions.loan import MAX_AMOUNT
from ledger.positions.position_entry import PositionEntry
from ledger.wellformed import PROOF_SIZE, Statement, bit, prove, steps, verify
from ledger.wellformed.prover import prove_bits
from ledger.wellformed.witness import bits_of
from tests.ledger.forged_proofs import forge, renamed, row_values, statement_of, with_scalar
from tests.ledger.group_strategies import seeded
from tests.ledger.loans import BANDS
from tests.vectors import generate_wellformed as generator

RNG = seeded(41)
KEYS = tuple(group.mul_base(group.random_scalar(RNG)) for _ in range(7))
R = group.random_scalar(RNG)
VECTORS = json.loads((Path(generator.__file__).parent / "wellformed.json").read_text(encoding="utf-8"))


def plaintexts(
    outstanding: int = 12_345_678, due: int = 100, limit: int = 10**9, loan_class: int = 1, accounts: int = 2,
    overdue: int | None = None,
) -> list[int]:  # fmt: skip
    band = one_hot(BANDS.outstanding_band(outstanding), 6)
    return [outstanding, due, limit, *tallies(loan_class, accounts), band, one_hot(overdue, 5)]


def fresh() -> bytes:
    return group.random_scalar(RNG)


def refusal(statement: Statement, proof: bytes) -> str:
    with pytest.raises(Unverified) as refused:
        verify(statement, proof)
    return refused.value.reason


HONEST = plaintexts()
STATEMENT = statement_of(KEYS, R, HONEST)
PROOF = prove(STATEMENT, R, HONEST, RNG)


amounts = st.one_of(st.sampled_from([0, 1, MAX_AMOUNT - 1, MAX_AMOUNT]), st.integers(0, MAX_AMOUNT))
edges = [edge + step for edge in BANDS.outstanding for step in (-1, 0)]


@given(
    outstanding=st.sampled_from(edges) | amounts, due=amounts, limit=amounts, loan_class=st.integers(0, 4),
    accounts=st.sampled_from([1, 511, 512, 1022, 1023]) | st.integers(1, 1023), overdue=st.none() | st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=20)
def test_every_position_that_can_be_is_proved(**fields: Any) -> None:
    position = plaintexts(**fields)
    statement = statement_of(KEYS, R, position)
    proof = prove(statement, R, position, RNG)
    assert len(proof) == PROOF_SIZE < 30_000
    verify(statement, proof)


@given(maximum=st.integers(1, 5000))
def test_range_weights_make_all_numbers_up_to_the_maximum_and_no_other(maximum: int) -> None:
    made = {0}
    for weight in steps.range_weights(maximum):
        made |= {value + weight for value in made}
    assert made == set(range(maximum + 1))


def test_amounts_reach_2_to_the_40_exactly() -> None:
    assert sum(steps.AMOUNT_WEIGHTS) == MAX_AMOUNT
    assert sum(steps.ACCOUNT_WEIGHTS) == 1022


def test_the_second_generator_comes_out_of_a_hash() -> None:
    assert group.point_from_uniform(wide_digest(steps.VALUE_BASE_DOMAIN)) == steps.VALUE_BASE


# Of each field every kind of nonsense: what is changed, and where the author's proof fails if it commits to just that.
NONSENSE: list[tuple[str, dict[int, int], str]] = [
    ("outstanding negative", {0: -1, 5: 1}, "RANGE_OUTSTANDING"),
    ("outstanding half of the group", {0: L // 2}, "RANGE_OUTSTANDING"),
    ("outstanding too large", {0: MAX_AMOUNT + 1, 5: 1 << 30}, "RANGE_BAND"),
    ("outstanding below its band", {0: 19_999_999, 5: 1 << 24}, "RANGE_OUTSTANDING"),
    ("outstanding above its band", {0: 20_000_000, 5: 1 << 18}, "RANGE_BAND"),
    ("monthly_due negative", {1: -1}, "RANGE_MONTHLY_DUE"),
    ("monthly_due too large", {1: MAX_AMOUNT + 1}, "RANGE_MONTHLY_DUE"),
    ("monthly_due far too large", {1: 2**80}, "RANGE_MONTHLY_DUE"),
    ("credit_limit negative", {2: -(10**9)}, "RANGE_CREDIT_LIMIT"),
    ("credit_limit too large", {2: MAX_AMOUNT + 1}, "RANGE_CREDIT_LIMIT"),
    ("no account", {3: 0}, "RANGE_TALLY_LOW"),
    ("1,024 accounts", {3: 1024 << 6}, "RANGE_TALLY_LOW"),
    ("tally_low negative", {3: -64}, "RANGE_TALLY_LOW"),
    ("pass beside another class", {3: 2 << 6 | 1}, "LINK_TALLY_LOW"),
    ("pass twice", {3: 2 << 6 | 2, 4: 0}, "LINK_TALLY_LOW"),
    ("no class", {4: 0}, "LINK_TALLY_LOW"),
    ("two classes", {4: 1 | 1 << 12}, "ONE_HOT_CLASS"),
    ("a class twice", {4: 2}, "ONE_HOT_CLASS"),
    ("a sixth class", {4: 1 << 24}, "ONE_HOT_CLASS"),
    ("tally_high negative", {4: -1}, "ONE_HOT_CLASS"),
    ("no band", {0: 5, 5: 0}, "LINK_BAND"),
    ("two bands", {5: 1 << 18 | 1 << 12}, "RANGE_OUTSTANDING"),
    ("a band twice", {5: 2 << 18}, "RANGE_OUTSTANDING"),
    ("the lowest band twice", {0: 5, 5: 2}, "LINK_BAND"),
    ("a seventh band", {5: 1 << 36}, "RANGE_OUTSTANDING"),
    ("band negative", {0: 0, 5: -1}, "RANGE_OUTSTANDING"),
    ("two overdue bands", {6: 1 | 1 << 6}, "ONE_HOT_OVERDUE_BAND"),
    ("an overdue band twice", {6: 2 << 6}, "ONE_HOT_OVERDUE_BAND"),
    ("a sixth overdue band", {6: 1 << 30}, "ONE_HOT_OVERDUE_BAND"),
    ("overdue_band negative", {6: -1}, "ONE_HOT_OVERDUE_BAND"),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in NONSENSE], ids=[case[0] for case in NONSENSE])
def test_no_nonsense_is_proved(changes: dict[int, int], reason: str) -> None:
    position = [changes.get(f, amount) for f, amount in enumerate(HONEST)]
    statement = statement_of(KEYS, R, position)
    links = {f"LINK_{FIELDS[f].name}" for f in changes}
    # The author commits to what it encrypted: some commitment holds no bit, or is not its own to choose.
    assert refusal(statement, forge(statement, R, position, row_values(position), fresh)) == reason
    # The author commits to a position that is well-formed: then it is not what it encrypted.
    assert refusal(statement, forge(statement, R, position, bits_of(HONEST, BANDS), fresh)) in links
    # It answers as if it had encrypted that.
    assert refusal(statement, forge(statement, R, HONEST, bits_of(HONEST, BANDS), fresh)) in links


@pytest.mark.parametrize(("outstanding", "band"), [(20_000_000, 3), (2_000_000, 0), (MAX_AMOUNT, 4)])
def test_a_distance_from_the_upper_edge_cannot_be_claimed(outstanding: int, band: int) -> None:
    position = [outstanding, *HONEST[1:5], one_hot(band, 6), 0]
    statement = statement_of(KEYS, R, position)
    values = row_values(position, below_edge=0)
    assert set(values) == {0, 1}
    assert refusal(statement, forge(statement, R, position, values, fresh)) == "BAND_EDGES"


def test_an_honest_proof_needs_no_forging() -> None:
    """What the tests above forge with is the protocol itself: over what is well-formed it convinces."""
    values = row_values(HONEST)
    assert tuple(values) == bits_of(HONEST, BANDS)
    verify(STATEMENT, forge(STATEMENT, R, HONEST, values, fresh))


def test_a_body_that_nobody_can_read_is_not_proved() -> None:
    """C_f = r X_f + m G + delta H: its author knows how it differs from a good commitment, and not what it holds."""
    statement = statement_of(KEYS, R, HONEST, group.mul(fresh(), steps.VALUE_BASE))
    assert refusal(statement, forge(statement, R, HONEST, bits_of(HONEST, BANDS), fresh)) == "LINK_OUTSTANDING"


def test_custodians_that_know_the_field_keys_open_nothing_otherwise() -> None:
    """With x_f, C_f = r' X_f + m' G has a solution for every m'. R = rG is what leaves one of them."""
    secrets = [group.random_scalar(RNG) for _ in range(7)]
    keys = [group.mul_base(secret) for secret in secrets]
    position = plaintexts(due=0)
    statement = statement_of(keys, R, [position[0], -7, *position[2:]])
    # r' = r - 7 / x: then r' X + 0 G is just the body of monthly_due.
    shift = group.scalar_mul(group.scalar_from_int(7), group.scalar_invert(secrets[1]))
    other = group.scalar_sub(R, shift)
    assert group.mul(other, keys[1]) == statement.bodies[1]
    for r in (R, other):
        assert refusal(statement, forge(statement, r, position, bits_of(position, BANDS), fresh)).startswith("LINK_")


@pytest.mark.parametrize(
    "changes",
    [
        {"consortium": bytes([1]) * 32}, {"epoch": 2}, {"member": "south-bank"}, {"label": bytes(16)},
        {"leaf": bytes(32)}, {"nonce_point": group.BASE}, {"bodies": (*STATEMENT.bodies[1:], STATEMENT.bodies[0])},
        {"public_keys": (*KEYS[1:], KEYS[0])},
        {"bands": Bands((1_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_001), BANDS.overdue, 100)},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_a_proof_is_worth_nothing_for_another_entry_place_or_key(changes: dict[str, object]) -> None:
    assert refusal(renamed(STATEMENT, **changes), PROOF) == "RANGE_OUTSTANDING"


def test_a_proof_of_a_scaled_copy_cannot_be_had() -> None:
    """Twice another's ciphertext: what its author proved is no help."""
    twice = group.scalar_from_int(2)
    bodies = tuple(group.mul(twice, body) for body in STATEMENT.bodies)
    copy = renamed(STATEMENT, member="south-bank", nonce_point=group.mul(twice, STATEMENT.nonce_point), bodies=bodies)
    assert refusal(copy, PROOF) == "RANGE_OUTSTANDING"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"nonce_point": group.IDENTITY}, "nonce_point"),
        ({"nonce_point": bytes([1]) + bytes(31)}, "nonce_point"),
        ({"public_keys": (group.IDENTITY, *KEYS[1:])}, "public_keys[0]"),
        ({"public_keys": KEYS[1:]}, "public_keys"),
        ({"bodies": (*STATEMENT.bodies[:6], bytes([255]) * 32)}, "bodies[6]"),
        ({"bodies": STATEMENT.bodies[:6]}, "bodies"),
        ({"label": bytes(15)}, "label"),
        ({"leaf": b""}, "leaf"),
        ({"consortium": b""}, "consortium"),
    ],
)
def test_nothing_is_proved_of_what_is_malformed(changes: dict[str, object], path: str) -> None:
    malformed = renamed(STATEMENT, **changes)
    assert refusal(malformed, PROOF) == "STATEMENT"
    with pytest.raises(InvalidInput) as refused:
        prove(malformed, R, HONEST, RNG)
    assert refused.value.path == path


@given(at=st.integers(0, PROOF_SIZE - 1), flip=st.integers(1, 255))
@settings(max_examples=40)
def test_a_proof_with_a_byte_flipped_is_refused(at: int, flip: int) -> None:
    assert refusal(STATEMENT, PROOF[:at] + bytes([PROOF[at] ^ flip]) + PROOF[at + 1 :])


@given(size=st.integers(0, PROOF_SIZE - 1))
@settings(max_examples=20)
def test_a_proof_cut_short_or_gone_on_with_is_refused(size: int) -> None:
    assert refusal(STATEMENT, PROOF[:size]) == "LENGTH"
    assert refusal(STATEMENT, PROOF + PROOF[: 1 + size]) == "LENGTH"


@given(element=st.integers(0, PROOF_SIZE // 32 - 1))
@settings(max_examples=30)
def test_no_point_or_scalar_has_a_second_spelling(element: int) -> None:
    at = 32 * element
    point = element < steps.COMMITMENTS
    spelt = (
        PROOF[: at + 31] + bytes([PROOF[at + 31] | 0x80]) + PROOF[at + 32 :]
        if point
        else with_scalar(PROOF, element, L)
    )
    assert refusal(STATEMENT, spelt) == step_at(element)


@given(element=st.integers(0, steps.COMMITMENTS - 1))
@settings(max_examples=20)
def test_no_commitment_is_the_identity(element: int) -> None:
    at = 32 * element
    assert refusal(STATEMENT, PROOF[:at] + group.IDENTITY + PROOF[at + 32 :]) == step_at(element)


@given(element=st.integers(steps.COMMITMENTS, PROOF_SIZE // 32 - 1), change=st.sampled_from([1, -1, 2]))
@settings(max_examples=20)
def test_a_number_changed_is_refused_by_the_name_of_its_step(element: int, change: int) -> None:
    assert refusal(STATEMENT, with_scalar(PROOF, element, change)) == step_at(element)


def step_at(element: int) -> str:
    """The step that the element of the proof is of."""
    names = [step.name for step in steps.BIT_STEPS for _ in range(step.sent)]
    names += [step.name for step in steps.BIT_STEPS for _ in range(1 + 3 * step.bits)]
    names += [steps.BAND_EDGES] * 2 + [name for name in steps.LINKS for _ in range(4)]
    return names[element]


def test_two_proofs_of_one_entry_have_nothing_in_common() -> None:
    other = prove(STATEMENT, R, HONEST, RNG)
    verify(STATEMENT, other)
    cut = range(0, PROOF_SIZE, 32)
    assert not {PROOF[at : at + 32] for at in cut} & {other[at : at + 32] for at in cut}


def test_a_machine_that_repeats_its_randomness_repeats_no_nonce_in_another_proof() -> None:
    same = prove(STATEMENT, R, HONEST, bytes)
    assert same == prove(STATEMENT, R, HONEST, bytes)  # the same proof tells nothing new
    elsewhere = prove(renamed(STATEMENT, leaf=bytes(32)), R, HONEST, bytes)
    cut = range(0, PROOF_SIZE, 32)
    assert not {same[at : at + 32] for at in cut} & {elsewhere[at : at + 32] for at in cut}


def test_the_work_does_not_depend_on_the_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for constant time: as many group operations, whatever is in the entry."""
    done: Counter[str] = Counter()

    def counted(name: str) -> None:
        operation = getattr(group, name)

        def wrapper(*arguments: Any) -> Any:
            done[name] += 1
            return operation(*arguments)

        monkeypatch.setattr(group, name, wrapper)

    for name in ("add", "sub", "mul", "mul_base", "scalar_mul", "scalar_add", "scalar_sub"):
        counted(name)
    work = []
    for position in (plaintexts(0, 0, 0, 0, 1), plaintexts(MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT, 4, 1023, 4), HONEST):
        statement = statement_of(KEYS, R, position)
        done.clear()
        prove(statement, R, position, RNG)
        work.append(dict(done))
    assert work[0] == work[1] == work[2]
    assert work[0]["mul"] > 190


@pytest.mark.parametrize("bits", [0, 1])
def test_a_choice_is_by_masks_and_right(bits: int) -> None:
    left, right = bytes(range(32)), bytes([255]) * 32
    assert bit.choose(bits, left, right) == (right if bits else left)


@pytest.mark.parametrize(("changes", "_"), [case[1:] for case in NONSENSE], ids=[case[0] for case in NONSENSE])
def test_an_honest_author_does_not_try_to_prove_nonsense(changes: dict[int, int], _: str) -> None:
    position = [changes.get(f, amount) for f, amount in enumerate(HONEST)]
    with pytest.raises(InvalidInput) as refused:
        prove(statement_of(KEYS, R, position), R, position, RNG)
    assert refused.value.reason == "NOT_WELL_FORMED"
    assert refused.value.path.startswith("amounts[")


def test_other_secrets_than_the_entry_has_prove_nothing() -> None:
    for r, position in ((fresh(), HONEST), (R, plaintexts(due=101))):
        with pytest.raises(InvalidInput) as refused:
            prove(STATEMENT, r, position, RNG)
        assert refused.value.reason == "OTHER_POINTS"


def test_a_statement_is_read_off_an_entry() -> None:
    label, consortium = bytes(16), bytes([7]) * 32
    ciphertext = elgamal.encrypt(KEYS, HONEST, R, fresh(), consortium, 3, "north-bank", label)
    entry = PositionEntry(1, label, 3, 20_000, ciphertext, bytes(32), bytes(540))
    statement = Statement.of_entry(consortium, KEYS, "north-bank", entry.encode(), BANDS)
    verify(statement, prove(statement, R, HONEST, RNG))
    assert (statement.epoch, statement.nonce_point, statement.bodies) == (3, ciphertext.nonce_point, ciphertext.bodies)


def test_nothing_is_proved_about_a_closed_position() -> None:
    entry = PositionEntry(1, bytes(16), 3, 20_000, None, bytes(32), bytes(540)).encode()
    with pytest.raises(InvalidInput) as refused:
        Statement.of_entry(bytes(32), KEYS, "north-bank", entry, BANDS)
    assert refused.value.reason == "CLOSED"


# Known answers.


def given_statement(values: dict[str, Any]) -> Statement:
    return Statement(
        bytes.fromhex(values["consortium"]),
        values["epoch"],
        tuple(map(bytes.fromhex, values["public_keys"])),
        values["member"],
        bytes.fromhex(values["label"]),
        bytes.fromhex(values["leaf"]),
        bytes.fromhex(values["nonce_point"]),
        tuple(map(bytes.fromhex, values["bodies"])),
        Bands(tuple(values["edges"]), BANDS.overdue, 100),
    )


@pytest.mark.parametrize("vector", VECTORS["proofs"], ids=lambda vector: vector["statement"]["member"])
def test_the_known_proofs_are_made_to_the_byte(vector: dict[str, Any]) -> None:
    statement, numbers = given_statement(vector["statement"]), count()
    assert statement.digest().hex() == vector["statement_digest"]
    proof = base64.b64decode(vector["proof"])
    verify(statement, proof)

    def drawn() -> bytes:
        return group.scalar_from_int(generator.secret(f"{statement.member} draw {next(numbers)}"))

    bits = bits_of(vector["amounts"], statement.bands)
    made = prove_bits(statement, bytes.fromhex(vector["r"]), vector["amounts"], bits, drawn)
    assert made.encode() == proof


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_changes_of_a_known_proof_are_refused_for_the_known_reason(vector: dict[str, Any]) -> None:
    good = VECTORS["proofs"][0]
    proof = bytearray(base64.b64decode(good["proof"]))
    for place, mask in enumerate(bytes.fromhex(vector.get("xor", ""))):
        proof[vector["at"] + place] ^= mask
    statement = given_statement(good["statement"] | vector.get("statement", {}))
    assert refusal(statement, bytes(proof)) == vector["reason"]


@pytest.mark.parametrize("vector", VECTORS["forged"], ids=lambda vector: vector["why"])
def test_the_known_forgeries_are_refused_for_the_known_reason(vector: dict[str, Any]) -> None:
    assert refusal(given_statement(vector["statement"]), base64.b64decode(vector["proof"])) == vector["reason"]


def test_the_committed_vectors_are_those_the_generator_makes_without_the_ledger() -> None:
    assert json.loads(json.dumps(generator.wellformed())) == VECTORS
    source = Path(generator.__file__).read_text(encoding="utf-8")
    assert "from ledger" not in source
    assert "import ledger" not in source
