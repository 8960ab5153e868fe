"""Writes voprf_shared.json, encryption.json and decryption.json, for this and any second implementation.

    python -m tests.vectors.generate_group_crypto

Made from docs/protocol.md (sections 1, 6, 7 and 11) and the RFCs with plain integers, without the ledger's code. The
same run gives the same bytes. Secrets are H(name) = SHA-512("plimsoll test vectors" || name), mod L where a scalar is
needed; nobody may use them. "why" says what is wrong with a refused example.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256, sha512
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.ledger import rfc9496, rfc9497
from tests.ledger.rfc9496 import BASE, L

FOLDER = Path(__file__).parent
RFC9497 = json.loads((FOLDER / "voprf_rfc9497.json").read_text())
CUSTODIANS, THRESHOLD = range(1, 6), 3
SUBSETS = list(combinations(CUSTODIANS, THRESHOLD))
FIELDS = range(7)
CONSORTIUM = sha256(b"plimsoll test vectors: consortium").digest()
INQUIRY = sha256(b"plimsoll test vectors: inquiry").digest()
EPOCH = 3

Part = bytes | str | int


def wide(name: str) -> bytes:
    return sha512(b"plimsoll test vectors" + name.encode()).digest()


def secret(name: str) -> int:
    return int.from_bytes(wide(name), "little") % L


def scalar(value: int) -> bytes:
    return (value % L).to_bytes(32, "little")


def times(value: int, point: bytes | None = None) -> bytes:
    coordinates = BASE if point is None else rfc9496.decode(point)
    assert coordinates is not None
    return rfc9496.encode(rfc9496.mul(value, coordinates))


def total(points: Sequence[bytes]) -> bytes:
    out = rfc9496.IDENTITY
    for point in points:
        coordinates = rfc9496.decode(point)
        assert coordinates is not None
        out = rfc9496.add(out, coordinates)
    return rfc9496.encode(out)


def frame(*parts: Part) -> bytes:
    out = b""
    for part in parts:
        if isinstance(part, int):
            out += part.to_bytes(8, "big")
        else:
            raw = part.encode() if isinstance(part, str) else part
            out += len(raw).to_bytes(8, "big") + raw
    return out


def to_scalar(*parts: Part) -> int:
    return int.from_bytes(sha512(frame(*parts)).digest(), "little") % L


def shares(name: str, constant: int) -> dict[int, int]:
    coefficients = [constant, *(secret(f"{name} coefficient {k}") for k in range(1, THRESHOLD))]
    return {j: sum(c * j**k for k, c in enumerate(coefficients)) % L for j in CUSTODIANS}


def lagrange(subset: Sequence[int]) -> list[int]:
    out = []
    for j in subset:
        above = below = 1
        for m in subset:
            if m != j:
                above, below = above * m, below * (m - j)
        out.append(above * pow(below, -1, L) % L)
    return out


def hexes(values: Sequence[bytes]) -> list[str]:
    return [value.hex() for value in values]


def voprf_shared() -> dict[str, Any]:
    batch = RFC9497["vectors"][2]
    blinded = [bytes.fromhex(element) for element in batch["blinded_element"]]
    key_shares = shares("voprf", int.from_bytes(bytes.fromhex(RFC9497["private_key"]), "little"))
    custodians = []
    for j, share in key_shares.items():
        evaluated = [times(share, element) for element in blinded]
        nonce = secret(f"voprf nonce {j}")
        custodians.append(
            {
                "index": j,
                "share": scalar(share).hex(),
                "public_share": times(share).hex(),
                "evaluation_element": hexes(evaluated),
                "proof_random_scalar": scalar(nonce).hex(),
                "proof": rfc9497.proof(share, blinded, evaluated, nonce).hex(),
            }
        )
    return {
        "about": "docs/protocol.md, section 6. The key of RFC 9497's vectors, shared 3 of 5: any three custodians' "
        "evaluations, weighted by lagrange, add up to the RFC's own evaluation_element of its batch of two.",
        "threshold": THRESHOLD,
        "input": batch["input"],
        "blind": batch["blind"],
        "blinded_element": batch["blinded_element"],
        "custodians": custodians,
        "subsets": [
            {"indices": subset, "lagrange": hexes([scalar(weight) for weight in lagrange(subset)])}
            for subset in SUBSETS
        ],
        "evaluation_element": batch["evaluation_element"],
        "output": batch["output"],
    }


KEYS = [secret(f"field {f}") for f in FIELDS]
PUBLIC_KEYS = [times(key) for key in KEYS]
POSITIONS = [
    ("north-bank", [1_234_567_89, 1_000_00, 2_000_000_00, 1 | 3 << 6, 0, 1 << 18, 0]),
    ("south-bank", [0, 0, 50_000_00, 1 | 1 << 6, 0, 1, 0]),
    ("信用社", [2**40 - 1, 2**40 - 1, 2**40, 1023 << 6, 1 << 18, 1 << 30, 1 << 24]),
]


def encrypted(member: str, amounts: Sequence[int]) -> dict[str, Any]:
    label = wide(f"label {member}")[:16]
    r, u = secret(f"r {member}"), secret(f"u {member}")
    nonce_point = times(r)
    bodies = [total([times(r, key), times(m)]) for key, m in zip(PUBLIC_KEYS, amounts, strict=True)]
    statement: tuple[Part, ...] = (CONSORTIUM, EPOCH, member, label, nonce_point, 7, *PUBLIC_KEYS, 7, *bodies)
    challenge = to_scalar("plimsoll/v1/encryption", *statement, times(u))
    return {
        "member": member,
        "label": label.hex(),
        "amounts": list(amounts),
        "r": scalar(r).hex(),
        "u": scalar(u).hex(),
        "nonce_point": nonce_point.hex(),
        "bodies": hexes(bodies),
        "challenge": scalar(challenge).hex(),
        "proof": (scalar(challenge) + scalar(u - challenge * r)).hex(),
    }


def sums(ciphertexts: Sequence[dict[str, Any]]) -> tuple[bytes, list[bytes]]:
    nonce_sum = total([bytes.fromhex(each["nonce_point"]) for each in ciphertexts])
    columns = zip(*(each["bodies"] for each in ciphertexts), strict=True)
    return nonce_sum, [total([bytes.fromhex(body) for body in column]) for column in columns]


def changed(good: dict[str, Any], why: str, **values: Any) -> dict[str, Any]:
    kept = {name: good[name] for name in ("member", "label", "nonce_point", "bodies", "proof")}
    return {"why": why, "epoch": EPOCH, "consortium": CONSORTIUM.hex(), **kept, **values}


def scaled_copy(good: dict[str, Any]) -> dict[str, Any]:
    """Twice another member's ciphertext, with a proof that its maker cannot make: it does not know 2r."""
    twice = [times(2, bytes.fromhex(body)).hex() for body in good["bodies"]]
    nonce_point = times(2, bytes.fromhex(good["nonce_point"])).hex()
    return changed(good, "a scaled copy with the proof of the original", nonce_point=nonce_point, bodies=twice)


def refused_encryptions(good: dict[str, Any]) -> list[dict[str, Any]]:
    bodies, proof = good["bodies"], bytes.fromhex(good["proof"])
    response = int.from_bytes(proof[32:], "little")
    top_bit = bytes.fromhex(bodies[0])[:31] + bytes([bytes.fromhex(bodies[0])[31] | 0x80])
    return [
        changed(good, "another member", member="south-bank"),
        changed(good, "another label", label=wide("other label")[:16].hex()),
        changed(good, "another epoch", epoch=EPOCH + 1),
        changed(good, "another consortium", consortium=INQUIRY.hex()),
        changed(good, "two fields exchanged", bodies=[bodies[1], bodies[0], *bodies[2:]]),
        changed(good, "another amount", bodies=[total([bytes.fromhex(bodies[0]), times(1)]).hex(), *bodies[1:]]),
        changed(good, "a field missing", bodies=bodies[:6]),
        changed(good, "the nonce point is the identity", nonce_point=bytes(32).hex()),
        changed(good, "a body with the top bit set", bodies=[top_bit.hex(), *bodies[1:]]),
        changed(good, "a body that is no element", bodies=[*bodies[:6], "01" + "00" * 31]),
        changed(good, "a response not below L", proof=(proof[:32] + (response + L).to_bytes(32, "little")).hex()),
        changed(good, "a proof cut short", proof=proof[:63].hex()),
        scaled_copy(good),
    ]


def encryption() -> dict[str, Any]:
    ciphertexts = [encrypted(member, amounts) for member, amounts in POSITIONS]
    nonce_sum, body_sums = sums(ciphertexts)
    return {
        "about": "docs/protocol.md, section 7. Scalars and points in hexadecimal; amounts by field number.",
        "consortium": CONSORTIUM.hex(),
        "epoch": EPOCH,
        "private_keys": hexes([scalar(key) for key in KEYS]),
        "public_keys": hexes(PUBLIC_KEYS),
        "ciphertexts": ciphertexts,
        "sum": {"nonce_point": nonce_sum.hex(), "bodies": hexes(body_sums)},
        "refused": refused_encryptions(ciphertexts[0]),
    }


def decrypted(
    j: int, fields: Sequence[int], key_shares: dict[int, dict[int, int]], nonce_sum: bytes, body_sums: Sequence[bytes]
) -> dict[str, Any]:
    own = [key_shares[f][j] for f in fields]
    points = [times(share, nonce_sum) for share in own]
    rows: list[Part] = []
    for f, share, point in zip(fields, own, points, strict=True):
        rows += [f, times(share), body_sums[f], point]
    fixed = (CONSORTIUM, EPOCH, j, INQUIRY, nonce_sum, len(POSITIONS))
    transcript = frame("plimsoll/v1/decryption", *fixed, len(fields), *rows)
    context = sha512(transcript).digest()
    weights = [to_scalar("plimsoll/v1/decryption-weight", context, f) for f in fields]
    folded = sum(weight * share for weight, share in zip(weights, own, strict=True)) % L
    randomness = wide(f"randomness {j} {fields}")[:32]
    nonce = to_scalar("plimsoll/v1/decryption-nonce", scalar(folded), randomness, context)
    commitments = times(nonce), times(nonce, nonce_sum)
    challenge = to_scalar("plimsoll/v1/decryption-challenge", context, *commitments)
    return {
        "custodian_index": j,
        "fields": list(fields),
        "points": hexes(points),
        "context": context.hex(),
        "weights": hexes([scalar(weight) for weight in weights]),
        "randomness": randomness.hex(),
        "nonce": scalar(nonce).hex(),
        "proof": (scalar(challenge) + scalar(nonce - challenge * folded)).hex(),
    }


def decryption() -> dict[str, Any]:
    nonce_sum, body_sums = sums([encrypted(member, amounts) for member, amounts in POSITIONS])
    key_shares = {f: shares(f"field {f}", KEYS[f]) for f in FIELDS}
    both = (FIELDS, range(3, 7))
    answers = [decrypted(j, fields, key_shares, nonce_sum, body_sums) for fields in both for j in CUSTODIANS]
    by_custodian = {j: [key_shares[f][j] for f in FIELDS] for j in CUSTODIANS}
    return {
        "about": "docs/protocol.md, section 11, on the sum of encryption.json, shared 3 of 5. The nonce is hedged: "
        'to_scalar("plimsoll/v1/decryption-nonce", k*, randomness, ctx). masks: x_f SR; sums: m_f.',
        "consortium": CONSORTIUM.hex(),
        "epoch": EPOCH,
        "inquiry": INQUIRY.hex(),
        "threshold": THRESHOLD,
        "nonce_sum": nonce_sum.hex(),
        "contributors": len(POSITIONS),
        "body_sums": hexes(body_sums),
        "custodians": [
            {
                "index": j,
                "shares": hexes([scalar(share) for share in own]),
                "public_shares": hexes([times(share) for share in own]),
            }
            for j, own in by_custodian.items()
        ],
        "partial_decryptions": answers,
        "masks": hexes([times(KEYS[f], nonce_sum) for f in FIELDS]),
        "sums": [sum(column) for column in zip(*(amounts for _, amounts in POSITIONS), strict=True)],
    }


def main() -> None:
    for name, content in (
        ("voprf_shared", voprf_shared()),
        ("encryption", encryption()),
        ("decryption", decryption()),
    ):
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
