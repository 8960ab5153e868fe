"""Writes wellformed.json, for this and any second implementation.

    python -m tests.vectors.generate_wellformed

Made from docs/protocol.md (sections 1, 7 and 20) with plain integers, without the ledger's code: all points are known
as g G + h H. What is drawn is SHA-512("plimsoll test vectors" || name), mod L, with the names "<member> draw 0", 1, ..
in this order: the blindings of the commitments sent; for each bit w, the other branch's c and its s; w of BAND_EDGES;
u, w, v of each link. The same run gives the same bytes. "proofs" hold. "refused" do not: each changes the first of
"proofs", in its statement ("statement") or in its bytes, by exclusive-or at an offset ("at", "xor"). "forged" are whole
proofs of entries that are not well-formed. "why" says what is wrong, "reason" what the refusal is called.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, sha512
from itertools import count
from pathlib import Path
from typing import Any

from tests.ledger import rfc9496
from tests.ledger.rfc9496 import BASE, Coordinates, L

FOLDER = Path(__file__).parent
DOMAIN = "plimsoll/v1/wellformed"
MAXIMUM = 2**40
EDGES = [1_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000]
LOWER, UPPER = [0, *EDGES], [*(edge - 1 for edge in EDGES), MAXIMUM]
FIELDS = ["outstanding", "monthly_due", "credit_limit", "tally_low", "tally_high", "band", "overdue_band"]
CONSORTIUM = sha256(b"plimsoll test vectors: consortium").digest()

Part = bytes | str | int | Sequence[Any]
Draw = Callable[[], int]


def wide(name: str) -> bytes:
    return sha512(b"plimsoll test vectors" + name.encode()).digest()


def secret(name: str) -> int:
    return int.from_bytes(wide(name), "little") % L


def frame(*parts: Part) -> bytes:
    out = b""
    for part in parts:
        if isinstance(part, int):
            out += part.to_bytes(8, "big")
        elif isinstance(part, str | bytes):
            raw = part.encode() if isinstance(part, str) else part
            out += len(raw).to_bytes(8, "big") + raw
        else:
            out += len(part).to_bytes(8, "big") + frame(*part)
    return out


def hashed(domain: str, *parts: Part) -> bytes:
    return sha512(frame(domain, *parts)).digest()


def scalar(value: int) -> bytes:
    return (value % L).to_bytes(32, "little")


H_COORDINATES = rfc9496.from_uniform(hashed("plimsoll/v1/wellformed-base"))


@cache
def multiples(of_h: bool) -> list[list[Coordinates]]:
    """0 .. 15 times 16^n times the base, by n."""
    base, out = H_COORDINATES if of_h else BASE, []
    for _ in range(64):
        out.append([rfc9496.IDENTITY, base])
        while len(out[-1]) < 16:
            out[-1].append(rfc9496.add(out[-1][-1], base))
        base = rfc9496.add(out[-1][-1], base)
    return out


@dataclass(frozen=True)
class Element:
    """g G + h H."""

    g: int = 0
    h: int = 0

    def __add__(self, other: Element) -> Element:
        return Element((self.g + other.g) % L, (self.h + other.h) % L)

    def __rmul__(self, factor: int) -> Element:
        return Element(factor * self.g % L, factor * self.h % L)

    def encoded(self) -> bytes:
        total = rfc9496.IDENTITY
        for factor, of_h in ((self.g, False), (self.h, True)):
            for place, digits_of in enumerate(multiples(of_h)):
                if digit := factor >> 4 * place & 15:
                    total = rfc9496.add(total, digits_of[digit])
        return rfc9496.encode(total)


G, H = Element(g=1), Element(h=1)
KEYS = [secret(f"field {f}") for f in range(7)]
PUBLIC_KEYS = [(x * G).encoded() for x in KEYS]


def weights(maximum: int) -> list[int]:
    k = maximum.bit_length() - 1
    return [*(2**place for place in range(k)), maximum - 2**k + 1]


AMOUNT, ACCOUNTS = weights(MAXIMUM), weights(1022)
# Name, number of bits, whether the first commitment is left out.
STEPS = [
    ("RANGE_OUTSTANDING", 41, False),
    ("RANGE_BAND", 41, False),
    ("RANGE_MONTHLY_DUE", 41, False),
    ("RANGE_CREDIT_LIMIT", 41, False),
    ("RANGE_TALLY_LOW", 10, False),
    ("ONE_HOT_CLASS", 5, True),
    ("ONE_HOT_BAND", 6, True),
    ("ONE_HOT_OVERDUE_BAND", 6, True),
]


def in_bits(value: int, by: Sequence[int]) -> list[int]:
    """The bits of a value in range; of any other one it stands where the weight is 1."""
    k = len(by) - 1
    last = value >> k
    rest = value - last * by[-1]
    if last not in (0, 1) or not 0 <= rest < 2**k:
        return [value, *[0] * k]
    return [*(rest >> place & 1 for place in range(k)), last]


def digits(value: int, number: int) -> list[int]:
    return [value >> 6 * place & 63 for place in range(number)]


def dot(left: Sequence[int], right: Sequence[Any], zero: Any) -> Any:
    total = zero
    for factor, value in zip(left, right, strict=True):
        total = total + factor * value
    return total


def steps_of(amounts: Sequence[int], below_edge: int | None = None) -> list[list[int]]:
    """The values behind the commitments: bits, where the amounts are well-formed."""
    band = digits(amounts[5], 6)
    above = amounts[0] - dot(band, LOWER, 0)
    below = dot(band, UPPER, 0) - amounts[0] if below_edge is None else below_edge
    overdue = digits(amounts[6], 5)
    accounts = in_bits((amounts[3] >> 6) - 1, ACCOUNTS)
    by_amount = [in_bits(value, AMOUNT) for value in (above, below, amounts[1], amounts[2])]
    return [*by_amount, accounts, [amounts[3] & 63, *digits(amounts[4], 4)], band, [1 - sum(overdue), *overdue]]


def sums_of(steps: Sequence[Sequence[Any]], one: Any, zero: Any) -> tuple[list[Any], Any]:
    """(the seven plaintexts, the width less the distances), of values, blindings or commitments alike."""
    above, below, due, limit, accounts, classes, band, overdue = steps
    powers = [64**place for place in range(6)]
    width = [high - low for low, high in zip(LOWER, UPPER, strict=True)]
    distances = dot(AMOUNT, above, zero), dot(AMOUNT, below, zero)
    plaintexts = [
        distances[0] + dot(LOWER, band, zero),
        dot(AMOUNT, due, zero),
        dot(AMOUNT, limit, zero),
        classes[0] + 64 * (dot(ACCOUNTS, accounts, zero) + one),
        dot(powers[:4], classes[1:], zero),
        dot(powers, band, zero),
        dot(powers[:5], overdue[1:], zero),
    ]
    return plaintexts, dot(width, band, zero) + -1 * distances[0] + -1 * distances[1]


@dataclass(frozen=True)
class Entry:
    member: str
    r: int
    amounts: list[int]
    extra: Element = Element()  # a multiple of H in the first body

    @property
    def label(self) -> bytes:
        return wide(f"label {self.member}")[:16]

    @property
    def leaf(self) -> bytes:
        return wide(f"leaf {self.member}")[:32]

    def bodies(self) -> list[bytes]:
        bodies = [self.r * (x * G) + m * G for x, m in zip(KEYS, self.amounts, strict=True)]
        return [(bodies[0] + self.extra).encoded(), *(body.encoded() for body in bodies[1:])]

    def statement(self) -> dict[str, Any]:
        return {
            "consortium": CONSORTIUM.hex(),
            "epoch": 3,
            "member": self.member,
            "label": self.label.hex(),
            "leaf": self.leaf.hex(),
            "nonce_point": (self.r * G).encoded().hex(),
            "public_keys": [key.hex() for key in PUBLIC_KEYS],
            "bodies": [body.hex() for body in self.bodies()],
            "edges": EDGES,
        }

    def digest(self) -> bytes:
        place = CONSORTIUM, 3, self.member, self.label, self.leaf, (self.r * G).encoded()
        return hashed(DOMAIN, *place, PUBLIC_KEYS, self.bodies(), EDGES)


def prove(entry: Entry, name: str, steps: Sequence[Sequence[int]]) -> bytes:
    numbers = count()
    return _prove(entry, steps, lambda: secret(f"{name} draw {next(numbers)}"))


def _prove(entry: Entry, steps: Sequence[Sequence[int]], draw: Draw) -> bytes:
    blindings = []
    for _, bits, one_hot in STEPS:
        sent_ones = [draw() for _ in range(bits - one_hot)]
        blindings.append([-sum(sent_ones) % L, *sent_ones] if one_hot else sent_ones)
    rows = list(zip(steps, blindings, strict=True))
    commitments = [[v * H + rho * G for v, rho in zip(*row, strict=True)] for row in rows]
    for step, (_, _, one_hot) in zip(commitments, STEPS, strict=True):
        if one_hot:
            step[0] = H + -1 * dot([1] * len(step[1:]), step[1:], Element())
    sent = [b.encoded() for step, (_, _, hot) in zip(commitments, STEPS, strict=True) for b in step[hot:]]
    bound = hashed(f"{DOMAIN}-commitments", entry.digest(), sent)
    drawn = [[(draw(), draw(), draw()) for _ in step] for step in steps]
    out = b"".join(sent)
    for (name, _, _), *columns in zip(STEPS, steps, blindings, commitments, drawn, strict=True):
        out += bits_proof(bound, name, list(zip(*columns, strict=True)))
    rho_sums, delta = sums_of(blindings, 0, 0)
    out += edges_proof(bound, delta, draw())
    for f, rho in enumerate(rho_sums):
        out += link_proof(bound, f, entry, rho, (draw(), draw(), draw()))
    return out


def challenge(bound: bytes, step: str, announced: Sequence[Element]) -> int:
    return int.from_bytes(hashed(f"{DOMAIN}-challenge", bound, step, [a.encoded() for a in announced]), "little") % L


def bits_proof(bound: bytes, step: str, bits: Sequence[tuple[int, int, Element, tuple[int, int, int]]]) -> bytes:
    announced = []
    for value, _, commitment, (w, other_c, other_s) in bits:
        other = other_s * G + other_c * (commitment if value == 1 else commitment + -1 * H)
        announced += [other, w * G] if value == 1 else [w * G, other]
    c = challenge(bound, step, announced)
    out = scalar(c)
    for value, rho, _, (w, other_c, other_s) in bits:
        own_c = (c - other_c) % L
        own_s = w - own_c * rho
        branches = (other_c, other_s, own_s) if value == 1 else (own_c, own_s, other_s)
        out += b"".join(map(scalar, branches))
    return out


def edges_proof(bound: bytes, delta: int, w: int) -> bytes:
    c = challenge(bound, "BAND_EDGES", [w * G])
    return scalar(c) + scalar(w - c * delta)


def link_proof(bound: bytes, f: int, entry: Entry, rho: int, hiding: tuple[int, int, int]) -> bytes:
    u, w, v = hiding
    c = challenge(bound, f"LINK_{FIELDS[f].upper()}", [u * G, u * (KEYS[f] * G) + w * G, w * H + v * G])
    return b"".join(map(scalar, (c, u - c * entry.r, w - c * entry.amounts[f], v - c * rho)))


def packed(passing: int, accounts: int, *hot: int | None) -> list[int]:
    """tally_low, tally_high, band, overdue_band."""
    return [accounts << 6 | passing, *(0 if place is None else 1 << 6 * place for place in hot)]


ORDINARY = Entry("north-bank", secret("r north"), [12_345_678, 1_000_00, 50_000_000, *packed(1, 3, None, 3, None)])
WIDEST = Entry("信用社", secret("r 信用社"), [MAXIMUM, MAXIMUM, 0, *packed(0, 1023, 3, 5, 4)])
NARROWEST = Entry("south-bank", secret("r south"), [0, 0, MAXIMUM, *packed(0, 1, 0, 0, 0)])
NEGATIVE = Entry("east-bank", secret("r east"), [12_345_678, -1, 50_000_000, *packed(1, 3, None, 3, None)])
OTHER_BAND = Entry("west-bank", secret("r west"), [60_000_000, 5, 5, *packed(1, 3, None, 3, None)])
UNREADABLE = Entry("new-bank", secret("r new"), ORDINARY.amounts, 7 * H)


def proven(entry: Entry) -> dict[str, Any]:
    """Of an entry that is well-formed."""
    steps = steps_of(entry.amounts)
    assert all(value in (0, 1) for step in steps for value in step)
    assert sums_of(steps, 1, 0) == (entry.amounts, 0)
    return whole(entry, steps) | {"amounts": entry.amounts}


def whole(entry: Entry, steps: Sequence[Sequence[int]]) -> dict[str, Any]:
    proof = prove(entry, entry.member, steps)
    return {
        "statement": entry.statement(),
        "r": scalar(entry.r).hex(),
        "statement_digest": entry.digest().hex(),
        "proof": base64.b64encode(proof).decode(),
    }


def forged() -> list[dict[str, Any]]:
    return [
        {"why": "monthly_due is -1, and so is a bit", "reason": "RANGE_MONTHLY_DUE"}
        | whole(NEGATIVE, steps_of(NEGATIVE.amounts)),
        {"why": "monthly_due is -1, the bits are those of 0", "reason": "LINK_MONTHLY_DUE"}
        | whole(NEGATIVE, steps_of([NEGATIVE.amounts[0], 0, *NEGATIVE.amounts[2:]])),
        {"why": "outstanding is above its band", "reason": "BAND_EDGES"}
        | whole(OTHER_BAND, steps_of(OTHER_BAND.amounts, below_edge=0)),
        {"why": "a body with a multiple of H, which nobody can read", "reason": "LINK_OUTSTANDING"}
        | whole(UNREADABLE, steps_of(UNREADABLE.amounts)),
    ]


def _patches(proof: bytes) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []

    def patch(why: str, reason: str, element: int, new: bytes) -> None:
        at = 32 * element
        old = proof[at : at + 32]
        out.append(
            {"why": why, "reason": reason, "at": at, "xor": bytes(a ^ b for a, b in zip(old, new, strict=True)).hex()}
        )

    element = 0
    for name, bits, one_hot in STEPS:
        patch(f"the first commitment of {name} is the identity", name, element, bytes(32))
        element += bits - one_hot
        top_bit = bytearray(proof[32 * element - 32 : 32 * element])
        top_bit[31] |= 0x80
        patch(f"the last commitment of {name} has its top bit set", name, element - 1, bytes(top_bit))
    patch("two commitments are the same", "RANGE_OUTSTANDING", 1, proof[:32])
    for name, bits, _ in STEPS:
        for place in (0, 1, 2, 3, 3 * bits):
            patch(f"scalar {place} of {name} is one more", name, element + place, _more(proof, element + place, 1))
        patch(f"the last scalar of {name} is not below L", name, element + 3 * bits, _above(proof, element + 3 * bits))
        element += 1 + 3 * bits
    for name, scalars in (("BAND_EDGES", 2), *((f"LINK_{field.upper()}", 4) for field in FIELDS)):
        for place in range(scalars):
            patch(f"scalar {place} of {name} is one more", name, element + place, _more(proof, element + place, 1))
            patch(f"scalar {place} of {name} is not below L", name, element + place, _above(proof, element + place))
        element += scalars
    assert 32 * element == len(proof)
    return out


def _more(proof: bytes, element: int, by: int) -> bytes:
    return scalar(int.from_bytes(proof[32 * element : 32 * element + 32], "little") + by)


def _above(proof: bytes, element: int) -> bytes:
    return (int.from_bytes(proof[32 * element : 32 * element + 32], "little") + L).to_bytes(32, "little")


def _statements(good: dict[str, Any]) -> list[dict[str, Any]]:
    keys, bodies = good["public_keys"], good["bodies"]
    first = "RANGE_OUTSTANDING"
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("another consortium", first, {"consortium": wide("other")[:32].hex()}),
        ("another epoch", first, {"epoch": 4}),
        ("another member", first, {"member": "south-bank"}),
        ("another label", first, {"label": wide("other")[:16].hex()}),
        ("another leaf", first, {"leaf": wide("other")[:32].hex()}),
        ("another nonce point", first, {"nonce_point": G.encoded().hex()}),
        ("two keys exchanged", first, {"public_keys": [keys[1], keys[0], *keys[2:]]}),
        ("two bodies exchanged", first, {"bodies": [bodies[1], bodies[0], *bodies[2:]]}),
        ("another edge", first, {"edges": [*EDGES[:4], EDGES[4] + 1]}),
        ("the nonce point is the identity", "STATEMENT", {"nonce_point": bytes(32).hex()}),
        ("a key is the identity", "STATEMENT", {"public_keys": [*keys[:6], bytes(32).hex()]}),
        ("a body is no element", "STATEMENT", {"bodies": [*bodies[:6], "01" + "00" * 31]}),
    ]
    return [{"why": why, "reason": reason, "statement": change} for why, reason, change in changes]


def wellformed() -> dict[str, Any]:
    good = proven(ORDINARY)
    return {
        "about": "docs/protocol.md, section 20. Points and scalars in hexadecimal, proofs in base64, amounts by field "
        'number, edges in minor units. "refused" change the first of "proofs".',
        "base": H.encoded().hex(),
        "proofs": [good, proven(WIDEST), proven(NARROWEST)],
        "refused": [*_statements(good["statement"]), *_patches(base64.b64decode(good["proof"]))],
        "forged": forged(),
    }


if __name__ == "__main__":
    text = json.dumps(wellformed(), indent=1, ensure_ascii=False)
    (FOLDER / "wellformed.json").write_text(text + "\n", encoding="utf-8")
