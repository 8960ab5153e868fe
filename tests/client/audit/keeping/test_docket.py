from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.audit.keeping.docket import MOST, Docket, finding_id, parse
from client.audit.keeping.keeping import Keeping
from client.audit.report import Finding
from ledger.errors import InvalidInput, NotFound
from tests.client.audit.sample_facts import facts, log

CONSORTIUM = bytes(range(32))
FORKED = Finding("lender-1", None, "FORK", "lender-2 holds another log")
ROTTEN = Finding("lender-3", 5, "ROOT_MISMATCH", "not what was signed")
EMPTY = Docket(CONSORTIUM, {})

FINDINGS = st.builds(
    Finding,
    st.sampled_from(["lender-1", "lender-2", ""]),
    st.none() | st.integers(0, 3),
    st.sampled_from(["FORK", "SHRUNK"]),
    st.text(max_size=9),
)


def told(docket: Docket, *found: Finding) -> dict:
    return docket.extend(facts([log("lender-1")], [each.facts() for each in found]))


def reasons(docket: Docket, *found: Finding) -> dict[str, list[str]]:
    extended = told(docket, *found)
    return {key: [each["reason"] for each in extended[key]] for key in ("findings", "earlier", "acknowledged")}


def test_a_finding_that_is_gone_stays_until_it_is_acknowledged() -> None:
    docket = EMPTY.after([ROTTEN], 10).after([], 20)
    assert told(docket)["verdict"] == "bad"
    (earlier,) = told(docket)["earlier"]
    assert earlier == {"id": finding_id(ROTTEN), **ROTTEN.facts(), "first": 10, "last": 10}
    docket, chosen = docket.acknowledge([finding_id(ROTTEN)], 30)
    assert [known.finding for known in chosen] == [ROTTEN]
    assert told(docket)["verdict"] == "ok"


def test_what_is_acknowledged_and_still_found_is_told_and_no_longer_bad() -> None:
    docket, _ = EMPTY.after([ROTTEN, FORKED], 10).acknowledge([finding_id(FORKED)], 11)
    docket = docket.after([ROTTEN, FORKED], 20)
    assert reasons(docket, ROTTEN, FORKED) == {
        "findings": ["ROOT_MISMATCH"],
        "earlier": [],
        "acknowledged": ["FORK"],
    }
    docket, _ = docket.acknowledge(None, 21)
    assert told(docket, ROTTEN, FORKED)["verdict"] == "ok"


def test_what_was_acknowledged_and_comes_back_is_new() -> None:
    docket, _ = EMPTY.after([FORKED], 10).acknowledge(None, 11)
    docket = docket.after([], 20)
    assert docket.known == {}
    docket = docket.after([FORKED], 30)
    assert told(docket, FORKED)["findings"][0]["first"] == 30


def test_an_audit_that_broke_off_forgets_nothing() -> None:
    docket, _ = EMPTY.after([FORKED], 10).acknowledge(None, 11)
    docket = docket.after([ROTTEN], 20, whole=False).after([FORKED], 30)
    assert reasons(docket, FORKED) == {"findings": [], "earlier": ["ROOT_MISMATCH"], "acknowledged": ["FORK"]}


def test_the_newest_message_counts_and_the_number_stays() -> None:
    again = Finding(FORKED.member, None, "FORK", "another message")
    assert finding_id(again) == finding_id(FORKED)
    (known,) = EMPTY.after([FORKED], 10).after([again], 20).known.values()
    assert (known.finding, known.first, known.last) == (again, 10, 20)


def test_without_anything_found_the_verdict_is_the_audits_own() -> None:
    assert told(EMPTY)["verdict"] == "ok"
    left = facts([log("lender-1")], unchecked=[ROTTEN.facts()], verdict="incomplete")
    assert EMPTY.extend(left)["verdict"] == "incomplete"


def test_a_number_that_no_finding_has_is_refused_and_nothing_happens() -> None:
    docket = EMPTY.after([FORKED], 10)
    with pytest.raises(NotFound, match="abad1dea"):
        docket.acknowledge([finding_id(FORKED), "abad1dea"], 20)


def test_a_flood_of_findings_is_kept_in_part_and_stays_bad() -> None:
    flood = [Finding("lender-1", index, "BAD_PROOF", "no") for index in range(MOST + 5)]
    docket = EMPTY.after(flood, 1)
    assert len(docket.known) == MOST
    assert len(told(docket, *flood)["findings"]) == MOST + 5
    assert parse(docket.encode()) == docket


@given(st.lists(st.lists(FINDINGS, max_size=5), max_size=5), st.booleans())
@settings(max_examples=60)
def test_a_docket_is_read_back_as_it_was_written(rounds, acknowledged) -> None:
    docket = EMPTY
    for time, found in enumerate(rounds):
        docket = docket.after(found, time)
        if acknowledged and time % 2:
            docket, _ = docket.acknowledge(None, time)
    assert parse(docket.encode()) == docket


@given(st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=100)
def test_a_file_that_was_damaged_is_refused_or_read(place, change) -> None:
    raw = bytearray(EMPTY.after([FORKED, ROTTEN], 10).encode())
    raw[place % len(raw)] ^= change
    with contextlib.suppress(InvalidInput):  # and nothing else is raised
        assert parse(bytes(raw)).consortium


# -- the file


def put(path: Path, content: bytes) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(content)
    other.replace(path)


def test_findings_lie_beside_the_state_and_others_see_them(tmp_path) -> None:
    state = tmp_path / "state"
    Keeping(state, put).record(CONSORTIUM, [FORKED], 10)
    assert [path.name for path in tmp_path.iterdir()] == ["state.findings"]
    (chosen,) = Keeping(state, put).acknowledge(None, 20)
    assert chosen.finding == FORKED
    assert told(Keeping(state, put).record(CONSORTIUM, [FORKED], 30), FORKED)["verdict"] == "ok"


def test_where_nothing_was_ever_found_there_is_no_file_and_nothing_to_acknowledge(tmp_path) -> None:
    keeping = Keeping(tmp_path / "state", put)
    keeping.record(CONSORTIUM, [], 10)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound):
        keeping.acknowledge(None, 20)


def test_without_a_file_findings_stay_for_as_long_as_the_process() -> None:
    keeping = Keeping(None, put)
    keeping.record(CONSORTIUM, [FORKED], 10)
    assert reasons(keeping.record(CONSORTIUM, [], 20))["earlier"] == ["FORK"]


def test_findings_of_another_consortium_are_refused(tmp_path) -> None:
    Keeping(tmp_path / "state", put).record(CONSORTIUM, [FORKED], 10)
    with pytest.raises(InvalidInput):
        Keeping(tmp_path / "state", put).record(bytes(32), [], 20)


def test_two_that_write_at_once_lose_nothing(tmp_path) -> None:
    def audits(number: int) -> None:
        keeping = Keeping(tmp_path / "state", put)
        for index in range(20):
            keeping.record(CONSORTIUM, [Finding(f"lender-{number}", index, "FORK", "")], 10)

    threads = [threading.Thread(target=audits, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Keeping(tmp_path / "state", put).record(CONSORTIUM, [], 20).known) == 60
