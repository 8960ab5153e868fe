"""The demo, run as people run it: real processes, real time."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.positions.feed import COLUMNS

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

PLIMSOLL = [sys.executable, "-P", "-c", "import sys; from client.cli import main; sys.exit(main())"]


def nodes_under(folder: Path) -> list[int]:
    """Processes whose command line names a home in the folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"run" in arguments and any(each.startswith(f"{folder}/".encode()) for each in arguments):
                found.append(int(process.name))
    return found


def run(*arguments: object, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PLIMSOLL, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=240
    )


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PLIMSOLL, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def check_over_indebted(facts: dict[str, Any], lenders: int) -> None:
    """Nobody alone sees half of the income go to service; together the debt is 380 % of it."""
    assert facts["borrower"] == "test:000001"
    assert len(facts["alone"]) == lenders
    seeing = [one for one in facts["alone"] if one["accounts"]]
    assert all(0 < one["service_percent"] < 50 for one in seeing)
    together = facts["together"]
    assert together["debt_percent"] == 380
    assert together["withheld"] == ""
    for name in ("outstanding", "monthly_due", "credit_limit"):
        assert together["amounts"][name] == sum(one[name] for one in facts["alone"])
    assert together["lenders"] == len(seeing)


def test_the_answer_is_the_sum_that_no_lender_has_and_the_printed_query_works_while_the_nodes_stay(
    tmp_path: Path,
) -> None:
    with started("demo", "--lenders", 3, "--borrowers", 10, "--dir", tmp_path, "--keep", "--json") as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        check_over_indebted(facts, 3)
        assert [one["member"] for one in facts["members"]] == ["lender-1", "lender-2", "lender-3"]
        assert all(one["rejected"] == 0 for one in facts["members"])
        assert {path.name for path in tmp_path.glob("lender-*")} == {
            *(f"lender-{k}" for k in (1, 2, 3)),
            *(f"lender-{k}.csv" for k in (1, 2, 3)),
        }
        for k in (1, 2, 3):
            assert (tmp_path / f"lender-{k}" / "node.log").stat().st_size > 0
            assert (tmp_path / f"lender-{k}" / "passphrase").stat().st_mode & 0o077 == 0
        command = shlex.split(facts["query"])
        assert command[:4] == ["plimsoll", "--home", f"{tmp_path}/lender-1", "exposure"]
        again = run(*command[1:], "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["amounts"] == facts["together"]["amounts"]
        assert len(nodes_under(tmp_path)) == 3
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
    assert nodes_under(tmp_path) == []


def test_people_see_the_steps_and_a_table_and_nothing_is_left_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "100"}
    done = subprocess.run(
        [*PLIMSOLL, "demo", "--lenders", "3", "--borrowers", "5"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "38,000.00" in done.stdout
    assert "380 %" in done.stdout
    assert "The nodes make keys that no one of them holds" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert nodes_under(tmp_path) == []


def test_given_feeds_are_loaded_and_the_most_shared_borrower_is_shown(tmp_path: Path) -> None:
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    for k in range(1, 5):
        rows = [
            f"test:x,L{k},card,TWD,900,{k}00,{k}0,0,0,pass,open,2005-04-30",
            *([f"test:y,M{k},card,TWD,9000,8000,70,0,0,pass,open,2005-04-30"] if k < 3 else []),
            "test:z,bad,card,TWD,1,1.5,1,0,0,pass,open,2005-04-30",
        ]
        (feeds / f"lender-{k}.csv").write_text("\n".join((",".join(COLUMNS), *rows)) + "\n")
    done = run("demo", "--feeds", feeds, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["borrower"], facts["currency"], facts["monthly_income"]) == ("test:x", "TWD", None)
    assert [one["outstanding"] for one in facts["alone"]] == [100, 200, 300, 400]
    assert facts["together"]["amounts"] == {"credit_limit": 3600, "outstanding": 1000, "monthly_due": 100}
    assert facts["together"]["debt_percent"] is None
    assert [one["rejected"] for one in facts["members"]] == [1] * 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", ["lender-2.passphrase", "lender-3/node.log"])
def test_however_it_is_ended_no_process_is_left(tmp_path: Path, number: signal.Signals, after: str) -> None:
    """While keys are made, or while nodes start."""
    with started("demo", "--lenders", 4, "--borrowers", 5, "--dir", tmp_path) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / after).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    if number is not signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "Traceback" not in err
    deadline = time.monotonic() + 20
    while nodes_under(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert nodes_under(tmp_path) == []


def test_a_node_that_dies_at_its_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    with started("demo", "--lenders", 3, "--borrowers", 5, "--dir", tmp_path) as process:
        chain = tmp_path / "lender-2" / "chain"
        deadline = time.monotonic() + 120
        while not chain.is_dir() and time.monotonic() < deadline:
            time.sleep(0.01)
        chain.rmdir()
        chain.write_text("no store can be made here")
        out, err = process.communicate(timeout=120)
    assert process.returncode == 6, err
    assert out == ""
    last = err.strip().split("\n")[-1]
    assert last.startswith("plimsoll: the node of lender-2 ended with ")
    assert last.endswith(" [NODE_DIED]")
    assert nodes_under(tmp_path) == []


def test_a_folder_with_a_home_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lender-2").mkdir()
    done = run("demo", "--dir", tmp_path)
    assert done.returncode == 4
    assert "HOME_EXISTS" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lender-2"]


@pytest.mark.parametrize("lenders", [2, 21])
def test_fewer_than_3_lenders_or_more_than_20_are_refused(lenders: int) -> None:
    done = run("demo", "--lenders", lenders)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
