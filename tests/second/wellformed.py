"""That the author of a position has shown it to be well-formed (protocol section 20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tests.second.framing import to_scalar, wide
from tests.second.group import IDENTITY, G, Point, combine, element, from_uniform, point, scalar, total
from tests.second.position import FIELDS
from tests.second.refusal import Refused, require

DOMAIN = "plimsoll/v1/wellformed"
H = from_uniform(wide("plimsoll/v1/wellformed-base"))
LIMIT = 2**40


def weights(maximum: int) -> list[int]:
    k = maximum.bit_length() - 1
    return [*(2**place for place in range(k)), maximum - 2**k + 1]


AMOUNT, ACCOUNTS = weights(LIMIT), weights(1022)
# Name, number of bits, number of commitments that are sent.
STEPS = (
    ("RANGE_OUTSTANDING", 41, 41),
    ("RANGE_BAND", 41, 41),
    ("RANGE_MONTHLY_DUE", 41, 41),
    ("RANGE_CREDIT_LIMIT", 41, 41),
    ("RANGE_TALLY_LOW", 10, 10),
    ("ONE_HOT_CLASS", 5, 4),
    ("ONE_HOT_BAND", 6, 5),
    ("ONE_HOT_OVERDUE_BAND", 6, 5),
)
LINKS = tuple(f"LINK_{name.upper()}" for name in FIELDS)
# The elements of a proof in order: what step each is of, and whether it is a point.
LAYOUT = [
    *((name, True) for name, _, sent in STEPS for _ in range(sent)),
    *((name, False) for name, bits, _ in STEPS for _ in range(1 + 3 * bits)),
    *(("BAND_EDGES", False) for _ in range(2)),
    *((name, False) for name in LINKS for _ in range(4)),
]


@dataclass(frozen=True)
class Statement:
    consortium: bytes
    epoch: int
    member: str
    label: bytes
    leaf: bytes
    nonce_point: bytes
    public_keys: tuple[bytes, ...]
    bodies: tuple[bytes, ...]
    edges: tuple[int, ...]

    def digest(self) -> bytes:
        place = (self.consortium, self.epoch, self.member, self.label, self.leaf, self.nonce_point)
        return wide(DOMAIN, *place, list(self.public_keys), list(self.bodies), list(self.edges))

    def ranges(self) -> list[tuple[int, int]]:
        """Lower and upper edge of each band."""
        return list(zip((0, *self.edges), (*(edge - 1 for edge in self.edges), LIMIT), strict=True))


def verify(statement: Statement, proof: bytes) -> None:
    """Refuses with the reason that the page gives."""
    nonce_point, keys, bodies = _points(statement)
    parts = _parts(proof)
    sent = [value for value in parts if isinstance(value, Point)]
    numbers = iter([value for value in parts if isinstance(value, int)])
    ctx = wide(f"{DOMAIN}-commitments", statement.digest(), [each.encoded for each in sent])
    row = _row(sent)
    for name, bits, _ in STEPS:
        c = next(numbers)
        answers = tuple((next(numbers), next(numbers), next(numbers)) for _ in range(bits))
        _check(ctx, name, c, [a for b, answer in zip(row[name], answers, strict=True) for a in _bit(b, c, *answer)])
    c, s = next(numbers), next(numbers)
    _check(ctx, "BAND_EDGES", c, [combine([(s, G), (c, _edges(statement, row))])])
    for name, key, body, d in zip(LINKS, keys, bodies, _plaintexts(statement, row), strict=True):
        c, s_r, s_m, s_rho = (next(numbers) for _ in range(4))
        t_r = combine([(s_r, G), (c, nonce_point)])
        t_c = combine([(s_r, key), (s_m, G), (c, body)])
        _check(ctx, name, c, [t_r, t_c, combine([(s_m, H), (s_rho, G), (c, d)])])


def _points(statement: Statement) -> tuple[Point, list[Point], list[Point]]:
    try:
        require(len(statement.public_keys) == len(statement.bodies) == len(FIELDS), "STATEMENT")
        keys, bodies = list(map(element, statement.public_keys)), list(map(point, statement.bodies))
        return element(statement.nonce_point), keys, bodies
    except Refused as refused:
        raise Refused("STATEMENT", str(refused)) from refused


def _parts(proof: bytes) -> list[Point | int]:
    require(len(proof) == 32 * len(LAYOUT), "LENGTH")
    out: list[Point | int] = []
    for place, (name, is_point) in enumerate(LAYOUT):
        raw = proof[32 * place : 32 * place + 32]
        try:
            out.append(_commitment(raw) if is_point else scalar(raw))
        except Refused as refused:
            raise Refused(name, str(refused)) from refused
    return out


# Tampered copies of one proof share most of their points and answers.
_commitment = lru_cache(maxsize=1024)(element)


def _row(sent: Sequence[Point]) -> dict[str, list[Point]]:
    """The commitments to all bits of each step."""
    rest, row = list(sent), {}
    for name, bits, count in STEPS:
        own, rest = rest[:count], rest[count:]
        row[name] = own if count == bits else [H - total(own), *own]
    return row


@lru_cache(maxsize=4096)
def _bit(commitment: Point, c: int, c_0: int, s_0: int, s_1: int) -> tuple[Point, Point]:
    return combine([(s_0, G), (c_0, commitment)]), combine([(s_1, G), (c - c_0, commitment - H)])


def _check(ctx: bytes, name: str, c: int, announced: Sequence[Point]) -> None:
    require(to_scalar(f"{DOMAIN}-challenge", ctx, name, [each.encoded for each in announced]) == c, name)


def _weighted(factors: Sequence[int], points: Sequence[Point]) -> Point:
    terms = [(factor, each) for factor, each in zip(factors, points, strict=True) if factor]
    return combine(terms) if terms else IDENTITY


def _edges(statement: Statement, row: dict[str, list[Point]]) -> Point:
    widths = [upper - lower for lower, upper in statement.ranges()]
    distances = _weighted(AMOUNT, row["RANGE_OUTSTANDING"]) + _weighted(AMOUNT, row["RANGE_BAND"])
    return _weighted(widths, row["ONE_HOT_BAND"]) - distances


def _plaintexts(statement: Statement, row: dict[str, list[Point]]) -> list[Point]:
    """The commitments D_f to what the fields hold."""
    passing, *worse = row["ONE_HOT_CLASS"]
    lower = [low for low, _ in statement.ranges()]
    digits = [64**place for place in range(6)]
    return [
        _weighted(AMOUNT, row["RANGE_OUTSTANDING"]) + _weighted(lower, row["ONE_HOT_BAND"]),
        _weighted(AMOUNT, row["RANGE_MONTHLY_DUE"]),
        _weighted(AMOUNT, row["RANGE_CREDIT_LIMIT"]),
        passing + 64 * (_weighted(ACCOUNTS, row["RANGE_TALLY_LOW"]) + H),
        _weighted(digits[:4], worse),
        _weighted(digits, row["ONE_HOT_BAND"]),
        _weighted(digits[:5], row["ONE_HOT_OVERDUE_BAND"][1:]),
    ]
