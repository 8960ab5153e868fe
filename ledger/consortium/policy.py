"""The consortium's policy: the numbers that every member signed (design sections 6 and 7).

Every key may be left out of a manifest and then has the value it has here; these values are part of version 1 and do
not change. `render_policy` writes all of them, so that what people sign says everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

from ledger.errors import InvalidInput
from ledger.positions.digits import BAND_DIGITS, OVERDUE_BAND_DIGITS
from ledger.positions.loan import MAX_AMOUNT
from ledger.strict import parse_decimal
from ledger.toml import Table, quote_list

MANY_MEMBERS = 6  # from here on one contributor more is asked for by default
MOST_ASKED_FOR = 6  # the release rule's cost grows with the number of members to the power of this, less two

_DAY = 86_400
_RANGES: Mapping[str, tuple[int, int]] = {
    "min_contributors": (2, MOST_ASKED_FOR),  # one alone would be its own figure
    "differencing_days": (1, 3650),
    "queries_per_borrower": (1, 1000),
    "inquiries_per_day": (1, 10**9),
    "evaluations_per_day": (1, 10**12),
    "grace_days": (0, 365),
    "amount_bits": (24, MAX_AMOUNT.bit_length() - 1),
    "heartbeat_seconds": (1, 3600),
    "gossip_seconds": (1, 3600),
    "inquiry_seconds": (10, _DAY),
    "heads_seconds": (5, _DAY),
}
_EDGES: Mapping[str, int] = {"bands": BAND_DIGITS - 1, "overdue_bands": OVERDUE_BAND_DIGITS - 1}


@dataclass(frozen=True, slots=True)
class Policy:
    """min_contributors: members other than the querier that must contribute before sums are released.
    differencing_days: how far back released answers are compared with a new one.
    queries_per_borrower: inquiries of one member about one borrower a day.
    inquiries_per_day, evaluations_per_day: inquiries and blinded elements of one member a day.
    grace_days: how long after a past date heads still count for it.
    amount_bits: sums are searched below 2^amount_bits minor units.
    bands, overdue_bands: ascending upper edges in major units, always 5 and 4 of them.
    heartbeat_seconds: how often a member cosigns its own head, even when idle.
    gossip_seconds: how often a node asks its peers for what it may have missed.
    inquiry_seconds: how far an inquiry's time may lie from a custodian's clock at the first answer.
    heads_seconds: an inquiry may not leave out what a custodian has held for longer than this.
    """

    min_contributors: int = 2
    differencing_days: int = 90
    queries_per_borrower: int = 3
    inquiries_per_day: int = 100_000
    evaluations_per_day: int = 1_000_000
    grace_days: int = 10
    amount_bits: int = 36
    bands: tuple[int, ...] = (10_000, 50_000, 100_000, 200_000, 500_000)
    overdue_bands: tuple[int, ...] = (1_000, 10_000, 50_000, 200_000)
    heartbeat_seconds: int = 5
    gossip_seconds: int = 2
    inquiry_seconds: int = 120
    heads_seconds: int = 30


def default_policy(members: int) -> Policy:
    """The policy of a consortium of so many members where nothing else is said."""
    return Policy(min_contributors=3 if members >= MANY_MEMBERS else 2)


def read_policy(table: Table, members: int, minor_per_major: int) -> Policy:
    """Reads a [policy] table for so many members. Raises InvalidInput."""
    defaults = default_policy(members)
    values: dict[str, int | tuple[int, ...]] = {
        key: table.integer(key, minimum, maximum, getattr(defaults, key)) for key, (minimum, maximum) in _RANGES.items()
    }
    for key, count in _EDGES.items():
        edges = table.integers(key, 1, MAX_AMOUNT // minor_per_major, getattr(defaults, key))
        _check_edges(edges, count, table.path(key))
        values[key] = edges
    table.finish()
    policy = Policy(**values)  # type: ignore[arg-type]  # each key was read with its own type
    if policy.min_contributors > members - 1:
        raise InvalidInput(
            "OUT_OF_RANGE", "there are not that many members besides the querier", table.path("min_contributors")
        )
    return policy


def override_policy(base: Policy, settings: Mapping[str, str]) -> Policy:
    """`base` with some values given as text, lists separated by commas. Ranges are checked where the policy is read.

    Raises InvalidInput.
    """
    values = {field.name: getattr(base, field.name) for field in fields(base)}
    for key, text in settings.items():
        path = f"policy.{key}" if key.isprintable() else "policy"
        if key in _EDGES:
            values[key] = tuple(parse_decimal(part, path) for part in text.split(","))
        elif key in values:
            values[key] = parse_decimal(text, path)
        else:
            raise InvalidInput("UNKNOWN_KEY", f"the policy has: {', '.join(values)}", path)
    return Policy(**values)


def render_policy(policy: Policy) -> str:
    """The lines of a [policy] table."""
    values = ((field.name, getattr(policy, field.name)) for field in fields(policy))
    return "".join(f"{key} = {quote_list(value) if isinstance(value, tuple) else value}\n" for key, value in values)


def _check_edges(edges: tuple[int, ...], count: int, path: str) -> None:
    if len(edges) != count or any(low >= high for low, high in pairwise(edges)):
        raise InvalidInput("BAD_BANDS", f"there must be {count} edges, each above the one before", path)
