"""A lender opens positions of a running node, and others verify them: from real feeds to a file and a verdict."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import lender_pb2

from ledger.borrower.labels import POSITION, Labels
from ledger.disclosure import Opening
from ledger.errors import InvalidInput, NotFound, Refused
from ledger.positions.position_entry import PositionEntry
from tests.cluster import Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row

NEW = itertools.count(870_000)
AUTHOR, AUDITOR = "lender-2", "lender-3"


def told(cluster: Cluster, borrower: str, **changes: Any) -> None:
    """AUTHOR reports its loan of this borrower."""
    cluster.report(AUTHOR, [row(borrower, **changes)])


@pytest.fixture(scope="module")
def borrower(consortium: Cluster) -> str:
    """With three positions at AUTHOR: of May, of June with a second loan, and closed in July."""
    name = f"test:{next(NEW)}"
    told(consortium, name, outstanding=3_000_000, as_of="2025-05-31")
    second = row(name, 700_000, loan_id="L2", as_of="2025-06-30", classification="doubtful", overdue=90_000)
    consortium.report(AUTHOR, [row(name, 2_500_000, as_of="2025-06-30"), second])
    closed = {"as_of": "2025-07-31", "status": "closed"}
    consortium.report(AUTHOR, [row(name, 0, **closed), row(name, 0, loan_id="L2", **closed)])
    consortium.wait_same_heads()
    return name


def disclose(cluster: Cluster, borrower: str, path: Path, *options: object) -> Any:
    return plimsoll(cluster, AUTHOR, "disclose", borrower, "--output", path, *options)


def verify(cluster: Cluster, path: Path, *options: object, code: int = 0) -> Any:
    return plimsoll(cluster, AUDITOR, "audit", "verify-opening", path, *options, code=code)


def test_what_was_reported_is_opened_and_verified_by_somebody_else(
    consortium: Cluster, borrower: str, tmp_path: Path
) -> None:
    path, report = tmp_path / "june.json", tmp_path / "report.json"

    def is_seen() -> bool:
        disclose(consortium, borrower, path, "--as-of", "2025-07-30")
        return len(verify(consortium, path)["cosigned"]) >= 3

    consortium.wait_until(is_seen, "seen by most members", 30)
    report.write_text(json.dumps(plimsoll(consortium, AUDITOR, "audit", "run")))
    shown = verify(consortium, path, "--keys", report)
    assert shown["amounts"] == {"outstanding": 3_200_000, "monthly_due": 320_000, "credit_limit": 6_400_000}
    assert (shown["member"], shown["as_of"], shown["class"], shown["closed"]) == (
        AUTHOR, "2025-06-30", "doubtful", False,
    )  # fmt: skip
    assert [(loan["loan_id"], loan["overdue"]) for loan in shown["loans"]] == [("L1", 0), ("L2", 90_000)]
    assert (shown["keys_compared"], shown["counts"], shown["label_number"]) == (True, True, None)
    assert AUTHOR not in [each["member"] for each in shown["cosigned"]]
    assert borrower not in path.read_text()


@pytest.mark.parametrize(
    ("options", "as_of", "closed"),
    [
        ((), "2025-07-31", True),
        (("--as-of", "2025-06-29"), "2025-05-31", False),
        (("--as-of", "2025-07-31"), None, True),
    ],
)
def test_the_newest_position_or_that_of_a_day_is_opened(
    consortium: Cluster, borrower: str, tmp_path: Path, options: tuple[str, ...], as_of: str | None, closed: bool
) -> None:
    path = tmp_path / "opening.json"
    done = disclose(consortium, borrower, path, *options)
    assert (done["as_of"], done["closed"]) == (as_of or "2025-07-31", closed)
    shown = verify(consortium, path)
    assert (shown["index"], shown["leaf"], shown["closed"]) == (done["index"], done["leaf"], closed)
    by_index = disclose(consortium, borrower, tmp_path / "again.json", "--index", done["index"])
    assert by_index["leaf"] == done["leaf"]


def test_a_changed_file_is_refused_by_the_name_of_the_step(consortium: Cluster, borrower: str, tmp_path: Path) -> None:
    path = tmp_path / "opening.json"
    disclose(consortium, borrower, path, "--as-of", "2025-05-31")
    document = json.loads(path.read_text())
    document["loans"][0]["outstanding"] -= 1
    path.write_text(json.dumps(document))
    error = verify(consortium, path, code=9)["error"]
    assert (error["reason"], error["message"][:4]) == ("OTHER_RECORDS", "D6: ")


def test_the_label_key_is_the_borrowers_and_comes_only_when_asked_for(
    consortium: Cluster, borrower: str, tmp_path: Path
) -> None:
    path = tmp_path / "opening.json"
    assert disclose(consortium, borrower, path)["label_number"] is None
    assert Opening.parse(path.read_bytes()).label is None
    assert disclose(consortium, borrower, path, "--label-key")["label_number"] == 2
    assert verify(consortium, path)["label_number"] == 2
    opening = Opening.parse(path.read_bytes())
    assert opening.label is not None
    labels = Labels(opening.label.key, POSITION, AUTHOR)
    assert labels(2) == PositionEntry.parse(opening.entry).label


def test_what_is_not_there_is_not_opened(consortium: Cluster, borrower: str) -> None:
    other = f"test:{next(NEW)}"
    told(consortium, other)
    lender = consortium.lender(AUTHOR)
    elsewhere = consortium.manifest.origin(AUDITOR)
    index = lender.disclose(lender_pb2.DiscloseRequest(borrower=other)).index
    refused: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"borrower": f"test:{next(NEW)}"}, NotFound, "UNKNOWN_BORROWER"),
        ({"borrower": borrower, "as_of": 1}, NotFound, "NO_POSITION"),
        ({"borrower": borrower, "index": index}, NotFound, "OTHER_BORROWER"),
        ({"borrower": borrower, "index": 2**63}, NotFound, "NO_ENTRY"),
        ({"borrower": borrower, "index": 0}, InvalidInput, "BAD_ENTRY"),
        ({"borrower": borrower, "index": 0, "origin": elsewhere}, NotFound, "NO_LOG"),
        ({"borrower": borrower, "index": 0, "origin": "nowhere"}, NotFound, "NO_LOG"),
        ({"borrower": borrower, "index": 0, "as_of": 1}, InvalidInput, "CONFLICT"),
        ({"borrower": "nobody"}, InvalidInput, "BAD_IDENTITY"),
    ]
    for request, kind, reason in refused:
        with pytest.raises(kind) as error:
            lender.disclose(lender_pb2.DiscloseRequest(**request))
        assert error.value.reason == reason  # type: ignore[attr-defined]


def test_only_the_lenders_own_staff_may(consortium: Cluster, borrower: str) -> None:
    for role in ("auditor", "operator", "node"):
        with pytest.raises(Refused):
            consortium.session(AUTHOR, role).disclose(lender_pb2.DiscloseRequest(borrower=borrower))


def test_the_node_keeps_a_record_of_it_without_the_identity(consortium: Cluster, borrower: str, tmp_path: Path) -> None:
    done = disclose(consortium, borrower, tmp_path / "opening.json", "--label-key")
    lines = [line for line in consortium.log_text(AUTHOR).splitlines() if "a position was disclosed" in line]
    last = lines[-1]
    assert done["origin"] in last
    assert str(done["index"]) in last
    assert "label_key" in last
    assert not any(borrower in line for line in consortium.log_text(AUTHOR).splitlines())
