"""Labels, positions, sums and their opening: labels.json, encryption.json, decryption.json, release.json."""

from __future__ import annotations

from itertools import combinations

import pytest

from tests.second import decryption, labels, position, reading, release
from tests.second.group import G, combine, lagrange_at_zero, point, scalar, scalar_bytes
from tests.second.refusal import Refused
from tests.second.vectors import flipped, load, unhex

LABELS, ENCRYPTION, DECRYPTION, RELEASE = load("labels"), load("encryption"), load("decryption"), load("release")
PUBLIC_KEYS = tuple(map(point, unhex(ENCRYPTION["public_keys"])))


@pytest.mark.parametrize("borrower", LABELS["borrowers"], ids=lambda b: b["query_key"][:8])
def test_keys_and_labels(borrower):
    pseudonym_key = bytes.fromhex(borrower["pseudonym_key"])
    query_key = labels.query_key(pseudonym_key)
    keys = {"position": labels.label_key(query_key), "inquiry": labels.inquiry_key(query_key)}
    derived = (query_key, labels.dispute_key(pseudonym_key), *keys.values())
    names = ("query_key", "dispute_key", "label_key", "inquiry_key")
    assert derived == tuple(bytes.fromhex(borrower[name]) for name in names)
    for entry in borrower["entries"]:
        kind, member, number = entry["kind"], entry["member"], entry["number"]
        assert labels.label(keys[kind], kind, member, number).hex() == entry["label"]


@pytest.mark.parametrize("search", LABELS["searches"], ids=lambda search: search["why"])
def test_searches_end_where_the_page_says(search):
    places = {int(number): place for number, place in search["places"].items()}
    assert labels.newest(places.get, search["size"]) == search["newest"]


def check(case, consortium=ENCRYPTION["consortium"], epoch=ENCRYPTION["epoch"]):
    return position.checked(
        bytes.fromhex(case.get("consortium", consortium)),
        case.get("epoch", epoch),
        case["member"],
        bytes.fromhex(case["label"]),
        PUBLIC_KEYS,
        bytes.fromhex(case["nonce_point"]),
        tuple(unhex(case["bodies"])),
        bytes.fromhex(case["proof"]),
    )


@pytest.mark.parametrize("case", ENCRYPTION["ciphertexts"], ids=lambda case: case["member"])
def test_ciphertexts_hold_their_amounts(case):
    ciphertext, r = check(case), scalar(bytes.fromhex(case["r"]))
    assert r * G == ciphertext.nonce_point
    for private, public, body, amount in zip(
        unhex(ENCRYPTION["private_keys"]), PUBLIC_KEYS, ciphertext.bodies, case["amounts"], strict=True
    ):
        assert combine([(r, public), (amount, G)]) == body
        assert body - scalar(private) * ciphertext.nonce_point == amount * G
    assert case["proof"][:64] == case["challenge"]
    nonce, challenge = scalar(bytes.fromhex(case["u"])), scalar(bytes.fromhex(case["challenge"]))
    assert scalar_bytes(nonce - challenge * r).hex() == case["proof"][64:]


@pytest.mark.parametrize("case", ENCRYPTION["refused"], ids=lambda case: case["why"])
def test_bad_ciphertexts_are_refused(case):
    with pytest.raises(Refused):
        check(case)


def test_every_byte_of_a_ciphertext_is_bound():
    case = ENCRYPTION["ciphertexts"][0]
    for key in ("label", "nonce_point", "proof"):
        for at in range(0, len(case[key]) // 2, 7):
            with pytest.raises(Refused):
                check({**case, key: flipped(bytes.fromhex(case[key]), at).hex()})
    for number, body in enumerate(case["bodies"]):
        bodies = [*case["bodies"][:number], flipped(bytes.fromhex(body), 1).hex(), *case["bodies"][number + 1 :]]
        with pytest.raises(Refused):
            check({**case, "bodies": bodies})


def test_the_sum_of_the_ciphertexts():
    sums = position.summed([check(case) for case in ENCRYPTION["ciphertexts"]])
    assert sums.nonce_point.encoded.hex() == ENCRYPTION["sum"]["nonce_point"] == DECRYPTION["nonce_sum"]
    assert [b.encoded.hex() for b in sums.bodies] == ENCRYPTION["sum"]["bodies"] == DECRYPTION["body_sums"]


PUBLIC_SHARES = {c["index"]: dict(enumerate(map(point, unhex(c["public_shares"])))) for c in DECRYPTION["custodians"]}


def bodies(fields):
    """The SC_f of these fields."""
    return [bytes.fromhex(DECRYPTION["body_sums"][field]) for field in fields]


def check_partial(case, **changed):
    arguments = {
        "consortium": bytes.fromhex(DECRYPTION["consortium"]),
        "epoch": DECRYPTION["epoch"],
        "custodian": case["custodian_index"],
        "inquiry": bytes.fromhex(DECRYPTION["inquiry"]),
        "nonce_sum": bytes.fromhex(DECRYPTION["nonce_sum"]),
        "contributors": DECRYPTION["contributors"],
        "fields": case["fields"],
        "bodies": bodies(case["fields"]),
        "public_shares": PUBLIC_SHARES[case["custodian_index"]],
        "points": unhex(case["points"]),
        "proof": bytes.fromhex(case["proof"]),
    }
    return decryption.check_partial(**{**arguments, **changed})


@pytest.mark.parametrize(
    "case", DECRYPTION["partial_decryptions"], ids=lambda case: f"{case['custodian_index']} {len(case['fields'])}"
)
def test_partial_decryptions(case):
    check_partial(case)
    public_shares, points = PUBLIC_SHARES[case["custodian_index"]], unhex(case["points"])
    ctx = decryption.context(
        bytes.fromhex(DECRYPTION["consortium"]),
        DECRYPTION["epoch"],
        case["custodian_index"],
        bytes.fromhex(DECRYPTION["inquiry"]),
        bytes.fromhex(DECRYPTION["nonce_sum"]),
        DECRYPTION["contributors"],
        case["fields"],
        public_shares,
        bodies(case["fields"]),
        points,
    )
    assert ctx.hex() == case["context"]
    assert [scalar_bytes(w).hex() for w in decryption.weights(ctx, case["fields"])] == case["weights"]


def test_a_partial_decryption_is_bound_to_everything():
    case, another = DECRYPTION["partial_decryptions"][5:7]
    points = unhex(case["points"])
    for changed in (
        {"consortium": bytes(32)},
        {"epoch": DECRYPTION["epoch"] + 1},
        {"custodian": another["custodian_index"]},
        {"inquiry": bytes(32)},
        {"nonce_sum": points[0]},
        {"nonce_sum": bytes(32)},
        {"contributors": DECRYPTION["contributors"] + 1},
        {"bodies": bodies(range(3))},
        {"bodies": bodies([*case["fields"][1:], case["fields"][0]])},
        {"fields": [2, 4, 5, 6]},
        {"fields": case["fields"][:3], "points": points[:3], "bodies": bodies(case["fields"][:3])},
        {"points": unhex(another["points"])},
        {"points": [points[1], points[0], *points[2:]]},
        {"points": [bytes(32), *points[1:]]},
        {"points": points[:3]},
        {"public_shares": PUBLIC_SHARES[another["custodian_index"]]},
        {"proof": unhex(another["proof"])},
        *({"proof": flipped(unhex(case["proof"]), at)} for at in (0, 31, 32, 63)),
    ):
        with pytest.raises(Refused):
            check_partial(case, **changed)


def test_any_three_custodians_open_the_sums():
    full = {c["custodian_index"]: unhex(c["points"]) for c in DECRYPTION["partial_decryptions"] if 0 in c["fields"]}
    for indices in combinations(sorted(full), DECRYPTION["threshold"]):
        masks = decryption.masks({j: list(map(point, full[j])) for j in indices})
        assert [mask.encoded.hex() for mask in masks] == DECRYPTION["masks"]
    opened = [
        reading.opened(point(body), mask) for body, mask in zip(unhex(DECRYPTION["body_sums"]), masks, strict=True)
    ]
    assert opened == [value * G for value in DECRYPTION["sums"]]


def test_shares_of_the_custodians_add_up_to_the_private_keys():
    shares = {c["index"]: [scalar(s) for s in unhex(c["shares"])] for c in DECRYPTION["custodians"]}
    for index, values in shares.items():
        assert [value * G for value in values] == list(PUBLIC_SHARES[index].values())
    for field, private in enumerate(ENCRYPTION["private_keys"]):
        value = sum(lagrange_at_zero(j, (1, 3, 5)) * shares[j][field] for j in (1, 3, 5))
        assert scalar_bytes(value).hex() == private


@pytest.mark.parametrize("case", RELEASE["cases"], ids=lambda case: case["why"])
def test_the_release_rule(case):
    rule = release.Rule(case["min_contributors"], case["differencing_days"], case["queries_per_borrower"])
    asked = [
        release.Asked(i["time"], None if i["row"] is None else frozenset(map(str, i["row"]))) for i in case["inquiries"]
    ]
    assert rule.outcomes(asked) == [i["withheld"] for i in case["inquiries"]]
