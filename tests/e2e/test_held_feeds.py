"""The accident that zeroes limits, over a real node: nothing of it is published until a second person says so.

The commands are those of docs/operations.md, "A feed is kept back"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import NotFound, Refused, Unready
from ledger.positions.feed import COLUMNS
from ledger.positions.feed_guard import Bounds, parse_bounds
from tests.cluster import Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row

MEMBER = "lender-4"
NEW = itertools.count(570_000)
COUNT = 8
STRICT = b'format = "plimsoll/feed-guard/v1"\nfrom_borrowers = 4\nzeroed = 1\n'


@pytest.fixture
def borrowers(consortium: Cluster) -> Iterator[list[str]]:
    """Some that the book knows, at a node whose guard is strict."""
    bounds = consortium.home_folder(MEMBER) / "feed-guard.toml"
    names = [f"test:{next(NEW)}" for _ in range(COUNT)]
    bounds.write_bytes(STRICT)
    consortium.report(MEMBER, [row(name) for name in names])
    yield names
    bounds.unlink()


def accident(borrowers: list[str]) -> list:
    return [row(name, credit_limit=0, as_of="2025-07-01") for name in borrowers]


def second_person(cluster: Cluster, tmp_path: Path) -> list[str]:
    """Options of an operator with a name of its own."""
    folder = tmp_path / "bob"
    plimsoll(cluster, MEMBER, "credential", "--role", "operator", "--name", "bob", "--out", folder, "--plain")
    files = {"--cert": "operator-bob.pem", "--key": "operator-bob.key", "--ca": "ca.pem"}
    found = ["--address", str(cluster.address(MEMBER))]
    for option, name in files.items():
        found += [option, str(folder / name)]
    return found


def test_nothing_of_an_accident_reaches_the_log_until_another_person_says_so(
    consortium: Cluster, borrowers: list[str], tmp_path: Path
) -> None:
    size = consortium.sizes(MEMBER)[MEMBER][0]
    summary = consortium.report(MEMBER, accident(borrowers))
    assert [each.code for each in summary.held.breaches] == ["ZEROED_LIMITS"]
    assert (summary.accepted, summary.published, summary.held.zeroed) == (0, 0, COUNT)
    assert consortium.sizes(MEMBER)[MEMBER][0] == size
    assert any("kept back" in alert for alert in consortium.status(MEMBER).alerts)
    [held] = plimsoll(consortium, MEMBER, "held", "list")["feeds"]
    assert held["id"] == summary.held.id
    refused = plimsoll(consortium, MEMBER, "held", "release", held["id"], code=Refused.exit_code)
    assert refused["error"]["reason"] == "SAME_PERSON"
    done = plimsoll(consortium, MEMBER, *second_person(consortium, tmp_path), "held", "release", held["id"])
    assert (done["published"], done["held"]) == (COUNT, None)
    assert consortium.sizes(MEMBER)[MEMBER][0] == size + COUNT
    assert plimsoll(consortium, MEMBER, "held", "list") == {"feeds": []}
    assert not any("kept back" in alert for alert in consortium.status(MEMBER).alerts)


def test_a_feed_that_is_kept_back_is_there_after_a_crash_and_can_be_thrown_away(
    consortium: Cluster, borrowers: list[str]
) -> None:
    identity = consortium.report(MEMBER, accident(borrowers)).held.id
    consortium.kill(MEMBER)
    consortium.start(MEMBER)
    consortium.wait_ready(MEMBER)
    assert [each["id"] for each in plimsoll(consortium, MEMBER, "held", "list")["feeds"]] == [identity]
    assert plimsoll(consortium, MEMBER, "held", "discard", identity) == {"discarded": identity}
    assert plimsoll(consortium, MEMBER, "held", "discard", identity, code=NotFound.exit_code)
    right = consortium.report(MEMBER, [row(name, 600_000, as_of="2025-07-01") for name in borrowers])
    assert (right.published, right.HasField("held")) == (COUNT, False)


def test_the_command_tells_that_a_feed_waits(consortium: Cluster, borrowers: list[str], tmp_path: Path) -> None:
    file = tmp_path / "feed.csv"
    lines = [",".join(str(getattr(each, column)) for column in COLUMNS) for each in accident(borrowers)]
    file.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    identity = plimsoll(consortium, MEMBER, "report", file, code=Unready.exit_code)["held"]["id"]
    plimsoll(consortium, MEMBER, "held", "discard", identity)


def test_the_documented_bounds_are_the_default_ones() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    block = next(each for each in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "feed-guard" in each)
    assert parse_bounds(block.encode()) == Bounds()
    assert all(f"\n{key} = " in block for key in Bounds.__slots__)
