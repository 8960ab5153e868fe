"""A portfolio screened by the command, with real nodes: killed in the middle, and gone on with."""

from __future__ import annotations

import csv
import itertools
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from client.sdk import exposure_request
from ledger.errors import Exhausted
from ledger.queries.inquiry import consent_digest
from tests.cluster import CONSENT, Cluster
from tests.e2e.commands import plimsoll, started
from tests.e2e.feeds import row

NEW = itertools.count(570_000)
ASKER = "lender-5"
CLAIMS = {"lender-1": 1_000_000, "lender-2": 2_000_000, "lender-3": 400_000}


def claimed(cluster: Cluster, count: int) -> list[str]:
    """Borrowers at three lenders, of none of whom the asker has the key."""
    borrowers = [f"test:{next(NEW)}" for _ in range(count)]
    for member, amount in CLAIMS.items():
        cluster.report(member, [row(borrower, amount, line=2 + n) for n, borrower in enumerate(borrowers)])
    cluster.wait_same_heads()
    return borrowers


def portfolio(folder: Path, borrowers: list[str]) -> Path:
    path = folder / "book.csv"
    lines = [f"{borrower},{1_000_000 + n},case {n}" for n, borrower in enumerate(borrowers)]
    path.write_text("\n".join(["borrower,income,reference", *lines]) + "\n")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [each for each in csv.DictReader(file) if None not in each.values()]


def inquiries(cluster: Cluster, since: int) -> list[tuple[int, bytes]]:
    """Index and consent digest of what the asker has logged since."""
    origin = cluster.manifest.origin(ASKER)
    found = []
    for block in cluster.session(ASKER, "auditor").read(origin, since):
        for place, raw in enumerate(block.entries):
            entry = entry_pb2.Entry.FromString(raw)
            if entry.HasField("inquiry"):
                found.append((block.start + place, entry.inquiry.consent_digest))
    return found


def evaluations(cluster: Cluster, since: int) -> list[int]:
    """How many identities were asked for at once."""
    counts = []
    for block in cluster.session(ASKER, "auditor").read(cluster.manifest.origin(ASKER), since):
        entries = map(entry_pb2.Entry.FromString, block.entries)
        counts += [entry.evaluation.count for entry in entries if entry.HasField("evaluation")]
    return counts


def test_a_screening_killed_in_the_middle_goes_on_and_asks_about_nobody_twice_who_had_an_answer(
    consortium: Cluster, tmp_path: Path
) -> None:
    borrowers = claimed(consortium, 90)
    book, out, consent = portfolio(tmp_path, borrowers), tmp_path / "out.csv", tmp_path / "consent"
    consent.write_text("all of these")
    since = consortium.sizes(ASKER)[ASKER][0]
    command = ("screen", book, "--output", out, "--consent", consent)
    running = started(consortium, ASKER, *command)
    try:
        deadline = time.monotonic() + 60
        while not out.exists() or len(out.read_bytes().splitlines()) < 15:
            assert time.monotonic() < deadline
            assert running.poll() is None, "it should still be at work"
            time.sleep(0.02)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    kept = {each["line"]: each for each in rows(out)}
    assert 10 < len(kept) < 90
    done = plimsoll(consortium, ASKER, *command)
    assert (done["cases"], done["answered"], done["left"], done["errors"]) == (90, 90, 0, {})
    assert done["asked"] == 90 - len(kept)
    after = rows(out)
    assert [each["line"] for each in after] == [str(line) for line in range(2, 92)]
    assert [each["reference"] for each in after] == [f"case {n}" for n in range(90)]
    assert {each["outstanding"] for each in after} == {str(sum(CLAIMS.values()))}
    assert all(each == kept.get(each["line"], each) for each in after)
    logged = inquiries(consortium, since)
    asked = Counter(digest for _, digest in logged)
    shown = {int(each["inquiry_index"]): bytes.fromhex(each["consent_salt"]) for each in after}
    assert len(shown) == 90
    by_index = dict(logged)
    assert all(by_index[index] == consent_digest(salt, b"all of these") for index, salt in shown.items())
    assert max(asked.values()) == 1
    assert len(logged) <= 90 + 16 + 1  # those that were under way are asked again, and no others


def test_keys_of_unknown_borrowers_are_obtained_for_many_at_once(consortium: Cluster) -> None:
    since = consortium.sizes(ASKER)[ASKER][0]
    requests = [
        lender_pb2.AssessmentsRequest(
            id=number,
            request=lender_pb2.AssessRequest(
                question=exposure_request(f"test:{next(NEW)}", entry_pb2.PURPOSE_POST_LOAN, CONSENT)
            ),
        )
        for number in range(120)
    ]
    answers = list(consortium.lender(ASKER).assessments(requests, timeout=100))
    assert sorted(answer.id for answer in answers) == list(range(120))
    assert all(answer.HasField("response") for answer in answers)
    batches = evaluations(consortium, since)
    assert sum(batches) == 120
    assert len(batches) <= 6


def test_bad_cases_of_a_stream_fail_by_themselves(consortium: Cluster) -> None:
    good = exposure_request(f"test:{next(NEW)}", entry_pb2.PURPOSE_POST_LOAN, CONSENT)
    requests = [
        lender_pb2.AssessmentsRequest(id=1),
        lender_pb2.AssessmentsRequest(id=2, request=lender_pb2.AssessRequest(question=good, income=1 << 50)),
        lender_pb2.AssessmentsRequest(id=3, request=lender_pb2.AssessRequest(question=good, policy=b"?")),
        lender_pb2.AssessmentsRequest(id=4, request=lender_pb2.AssessRequest(question=good, reference="a\nb")),
        lender_pb2.AssessmentsRequest(id=5, request=lender_pb2.AssessRequest(question=good)),
    ]
    answers = {answer.id: answer for answer in consortium.lender(ASKER).assessments(requests, timeout=30)}
    assert {number: (answers[number].failure.reason, answers[number].failure.path) for number in range(1, 5)} == {
        1: ("BAD_IDENTITY", "borrower"),
        2: ("OUT_OF_RANGE", "income"),
        3: ("BAD_TOML", "policy"),
        4: ("BAD_TEXT", "reference"),
    }
    assert {answers[number].failure.status for number in range(1, 5)} == {"INVALID_ARGUMENT"}
    assert answers[5].response.outcome


def test_a_borrowers_quota_is_a_rows_error_and_the_others_go_on(consortium: Cluster, tmp_path: Path) -> None:
    borrowers = claimed(consortium, 3)
    for _ in range(3):
        consortium.ask(ASKER, borrowers[1])
    book, out = portfolio(tmp_path, borrowers), tmp_path / "out.csv"
    command = ("screen", book, "--output", out, "--consent-digest", CONSENT.hex())
    done = plimsoll(consortium, ASKER, *command, code=Exhausted.exit_code)
    assert (done["answered"], done["left"], done["errors"]) == (2, 1, {"BORROWER_QUOTA": 1})
    assert done["retry_seconds"] is None
    assert [(each["error"], each["again"]) for each in rows(out)] == [
        ("", "false"),
        ("BORROWER_QUOTA", "true"),
        ("", "false"),
    ]


@pytest.mark.slow
def test_the_days_quota_stops_a_screening_before_anything_is_logged_in_vain(found, tmp_path: Path) -> None:
    cluster: Cluster = found(3, policy={"inquiries_per_day": 20, "min_contributors": 2})
    cluster.start()
    cluster.wait_ready()
    borrowers = [f"test:{next(NEW)}" for _ in range(30)]
    book, out = portfolio(tmp_path, borrowers), tmp_path / "out.csv"
    command = ("screen", book, "--output", out, "--consent-digest", CONSENT.hex())
    asker = "lender-1"
    since = cluster.sizes(asker)[asker][0]
    done = plimsoll(cluster, asker, *command, code=Exhausted.exit_code)
    assert (done["answered"], done["left"], done["errors"]) == (20, 10, {})
    assert 86_000 < done["retry_seconds"] <= 86_400
    again = plimsoll(cluster, asker, *command, code=Exhausted.exit_code)
    assert (again["asked"], again["left"]) == (0, 10)
    blocks = cluster.session(asker, "auditor").read(cluster.manifest.origin(asker), since)
    entries = [entry_pb2.Entry.FromString(raw) for block in blocks for raw in block.entries]
    assert sum(entry.HasField("inquiry") for entry in entries) == 20
