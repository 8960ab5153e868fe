"""Where reports go, what stays until it is acknowledged, and watching."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from plimsoll.v1 import audit_pb2

from client.cli.auditing.watching import metrics_address
from ledger.errors import InvalidInput, Unavailable, Unverified
from tests.client.cli.conftest import Plimsoll
from tests.client.cli.served import rotten
from tests.client.fakes import FakeNode, free_port

PROGRAM = [sys.executable, "-c", "from client.cli import main; raise SystemExit(main())"]
BAD = Unverified.exit_code


def test_a_report_goes_to_both_files_and_to_stdout(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    html, other = tmp_path / "report.html", tmp_path / "report.json"
    run = at_home("audit", "run", "--json", "--html", html, "--report-json", other)
    assert run.code == 0
    assert json.loads(other.read_text()) == run.json
    assert "<title>Audit of Tests: ok</title>" in html.read_text()


def test_a_bad_report_is_written_too(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    rotten(serving)
    assert at_home("audit", "run", "--no-peers", "--html", tmp_path / "r.html").code == BAD
    assert "lender-1, entry 2" in (tmp_path / "r.html").read_text()


# -- what was found stays


def test_a_finding_stays_until_it_is_acknowledged(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    state, read = tmp_path / "state", serving.answers["Read"]
    rotten(serving)
    run = at_home("audit", "run", "--no-peers", "--state", state, "--json")
    (finding,) = run.json["findings"]
    assert (run.code, finding["reason"], finding["index"]) == (BAD, "ROOT_MISMATCH", 2)
    serving.answers["Read"] = read
    run = at_home("audit", "run", "--no-peers", "--state", state, "--json")
    assert (run.code, run.json["verdict"], run.json["findings"]) == (BAD, "bad", [])
    assert [each["id"] for each in run.json["earlier"]] == [finding["id"]]
    shown = at_home("audit", "run", "--no-peers", "--state", state).out
    assert "One thing is wrong." in shown
    assert f"found earlier, {finding['id']}: lender-1, entry 2" in shown
    done = at_home("--json", "audit", "acknowledge", "--state", state, finding["id"])
    assert [each["id"] for each in done.json["acknowledged"]] == [finding["id"]]
    assert at_home("audit", "run", "--no-peers", "--state", state).code == 0


def test_what_is_acknowledged_and_still_there_is_told(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    state = tmp_path / "state"
    rotten(serving)
    at_home("audit", "run", "--no-peers", "--state", state)
    shown = at_home("audit", "acknowledge", "--state", state, "--all").out
    assert "ROOT_MISMATCH" in shown
    run = at_home("audit", "run", "--no-peers", "--state", state)
    assert run.code == 0
    assert re.search(r"acknowledged, [0-9a-f]{8}: lender-1, entry 2", run.out)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--all"], 5), (["abad1dea"], 5), ([], 2), (["--all", "abad1dea"], 2)]
)
def test_what_cannot_be_acknowledged_is_said_so(plimsoll: Plimsoll, tmp_path: Path, arguments, code) -> None:
    assert plimsoll("audit", "acknowledge", "--state", tmp_path / "state", *arguments).code == code


# -- watching


@contextlib.contextmanager
def watching(home: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [*PROGRAM, "--home", str(home), "audit", "run", "--no-peers", "--watch", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return line


def interrupted(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=30)


def test_a_watch_tells_a_line_a_round_and_ends_with_the_last_verdict(
    home: Path, serving: FakeNode, tmp_path: Path
) -> None:
    state, html = tmp_path / "state", tmp_path / "report.html"
    with watching(home, "--interval", 0.2, "--state", state, "--html", html) as process:
        for _ in range(2):
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ok: 5 entries of 3 logs, ", said(process))
        assert html.exists()
        assert json.loads(state.read_text())["consortium"]
        assert interrupted(process) == 0


def test_a_watch_outlives_what_it_finds_and_a_node_that_is_away(home: Path, serving: FakeNode, tmp_path: Path) -> None:
    read, manifest = serving.answers["Read"], serving.answers["Manifest"]
    rotten(serving)
    port = free_port()
    with watching(home, "--json", "--interval", 0.2, "--state", tmp_path / "state", "--metrics", port) as process:
        first = json.loads(said(process))
        assert (first["outcome"], first["open"][0]["reason"]) == ("bad", "ROOT_MISMATCH")
        serving.answers["Read"] = read
        serving.answers["Manifest"] = Unavailable("GONE", "it is away")
        rounds = [json.loads(said(process)) for _ in range(3)]
        away = next(each for each in rounds if each["outcome"] == "away")
        assert (away["error"]["reason"], away["report"]) == ("GONE", None)
        assert [each["pause"] for each in rounds if each["outcome"] == "away"][:2] == [0.2, 0.4]
        assert away["open"][0]["reason"] == "ROOT_MISMATCH"
        scraped = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        assert "plimsoll_audit_ok 0.0" in scraped
        assert 'plimsoll_audit_findings{member="lender-1",reason="ROOT_MISMATCH"} 1.0' in scraped
        serving.answers["Manifest"] = manifest
        while (back := json.loads(said(process)))["outcome"] == "away":
            pass
        assert (back["outcome"], back["report"]["findings"], len(back["report"]["earlier"])) == ("bad", [], 1)
        assert interrupted(process) == BAD


def test_a_watch_that_never_got_a_verdict_says_so_by_its_code(home: Path, node: FakeNode) -> None:
    node.answers["Manifest"] = Unavailable("GONE", "it is away")
    with watching(home, "--interval", 30) as process:
        assert "away: it is away [GONE]; again in 30 s" in said(process)
        assert interrupted(process) == Unavailable.exit_code


def test_manifests_that_cannot_be_are_a_finding_of_the_watch(home: Path, node: FakeNode, tmp_path: Path) -> None:
    node.answers["Manifest"] = audit_pb2.ManifestResponse(manifest=node.manifest_note[:-9])
    with watching(home, "--json", "--interval", 30, "--state", tmp_path / "state") as process:
        done = json.loads(said(process))
        assert (done["outcome"], [each["member"] for each in done["open"]]) == ("bad", ["lender-1"])
        assert interrupted(process) == BAD


def test_metrics_are_for_a_watch_and_on_the_loopback_interface(at_home: Plimsoll, node: FakeNode) -> None:
    run = at_home("audit", "run", "--metrics", "9464")
    assert (run.code, node.asked) == (2, [])
    assert str(metrics_address("9464")) == "127.0.0.1:9464"
    assert str(metrics_address("[::1]:9464")) == "[::1]:9464"
    for wrong in ("", "0", "host", "70000", "a:b"):
        with pytest.raises(InvalidInput):
            metrics_address(wrong)


def test_a_place_for_metrics_that_is_taken_is_said_so(at_home: Plimsoll, node: FakeNode) -> None:
    run = at_home("audit", "run", "--watch", "--metrics", node.address)
    assert run.code == 7
    assert "METRICS_ADDRESS" in run.err
