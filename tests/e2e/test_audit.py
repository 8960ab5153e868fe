"""Answers saved with their proof, and audits by the command: what is true passes, what was changed is named."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.homes import home as layout
from node.upkeep.leveldb import LevelStore
from tests.cluster import Cluster
from tests.e2e.feeds import row
from tests.e2e.impostor import flip

NEW = itertools.count(50_000)
QUERIER, AUDITOR = "lender-1", "lender-3"
FULL_FORM, REDACTED_FORM = lender_pb2.TRANSCRIPT_FORM_FULL, lender_pb2.TRANSCRIPT_FORM_REDACTED
ALL = [f"T{number}" for number in range(1, 11)]
GOOD, BAD = 0, 9

pytestmark = [pytest.mark.slow]


@dataclass(frozen=True)
class Verdict:
    """Exit code and report of an audit."""

    code: int
    report: dict[str, Any]

    @property
    def transcripts(self) -> dict[str, dict[str, Any]]:
        """By file name."""
        return {Path(one["file"]).name: one for one in self.report["transcripts"]}


def plimsoll(cluster: Cluster, member: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with --json, at this member's home."""
    program = [sys.executable, "-c", "from client.cli import main; raise SystemExit(main())"]
    command = [*program, "--home", str(cluster.home_folder(member)), "--json", *arguments]
    return subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=60, check=False)


def audit(cluster: Cluster, *arguments: str) -> Verdict:
    """By AUDITOR's own auditor, through its own node unless the arguments say otherwise."""
    done = plimsoll(cluster, AUDITOR, "audit", "run", *arguments)
    assert done.stdout, done.stderr
    return Verdict(done.returncode, json.loads(done.stdout))


def with_files(folder: Path, contents: dict[str, bytes]) -> list[str]:
    """Options that hand these transcripts to the audit."""
    options = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        options += ["--transcript", str(folder / name)]
    return options


@pytest.fixture(scope="module")
def transcripts(consortium: Cluster) -> dict[str, bytes]:
    """By name: of an answer with sums, of one without, of one about nobody; each in both forms."""
    borrowers = {"released": ("lender-2", "lender-3", "lender-4"), "withheld": ("lender-2",), "nobody": ()}
    saved = {}
    for name, members in borrowers.items():
        borrower = f"test:{next(NEW)}"
        for member in members:
            consortium.report(member, [row(borrower, 3_000_000)])
        consortium.wait_same_heads()
        for form, suffix in ((FULL_FORM, "full"), (REDACTED_FORM, "redacted")):
            answer = consortium.ask(QUERIER, borrower, entry_pb2.PURPOSE_PRE_LOAN, form)
            assert answer.withheld == ("" if name == "released" else "FEW_CONTRIBUTORS")
            saved[f"{name}-{suffix}"] = answer.transcript
    consortium.wait_same_heads()
    return saved


def test_no_transcript_comes_that_was_not_asked_for(consortium: Cluster) -> None:
    assert consortium.ask(QUERIER, f"test:{next(NEW)}").transcript == b""


def test_transcripts_verify_at_another_member_without_any_secret(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    verdict = audit(consortium, "--through", "lender-4", *with_files(tmp_path, transcripts))
    assert (verdict.code, verdict.report["verdict"]) == (GOOD, "ok")
    for name, one in verdict.transcripts.items():
        assert one["verdict"] == "ok", one
        if name.endswith("full"):
            assert one["passed"] == ALL
    assert verdict.transcripts["released-full"]["opened"]["outstanding"] == 9_000_000
    assert verdict.transcripts["released-redacted"]["opened"]["outstanding"] == 9_000_000
    assert "outstanding" not in verdict.transcripts["withheld-full"]["opened"]


def test_a_redacted_transcript_has_neither_key_nor_record(transcripts: dict[str, bytes]) -> None:
    for name, content in transcripts.items():
        document = json.loads(content)
        assert ("query_key" in document) == ("records" in document) == name.endswith("full")
    full, redacted = (json.loads(transcripts[f"released-{form}"]) for form in ("full", "redacted"))
    assert full["query_key"].encode() not in transcripts["released-redacted"]
    for record in full["records"]:
        assert record["entry"].encode() not in transcripts["released-redacted"]
    assert redacted["form"] == "redacted"


def test_no_transcript_names_the_borrower(transcripts: dict[str, bytes]) -> None:
    for content in transcripts.values():
        assert b"test:" not in content


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        document = document[int(key)] if isinstance(document, list) else document[key]
    if isinstance(document, list):
        document[int(last)] = value
    else:
        document[last] = value


def _get(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def _flipped(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    return ("1" if value[:1] != "1" else "2") + value[1:]


TAMPERED = {
    "consortium": "T1",
    "manifest": "T1",
    "epoch": "T1",
    "querier": "T1",
    "inquiry.index": "T2",
    "heads.0.size": "T3",
    "heads.2.root": "T3",
    "query_key": "T5",
    "records.0.index": "T6",
    "contributors": "T7",
    "partials.0.proof": "T9",
    "partials.0.custodian": "T9",
    "result.outstanding": "T10",
    "result.band": "T10",
}


def test_whatever_is_changed_in_a_transcript_is_found_and_named(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    contents = {}
    for path in TAMPERED:
        document = json.loads(transcripts["released-full"])
        value = "lender-2" if path == "querier" else _flipped(_get(document, path))
        _set(document, path, value)
        contents[path] = json.dumps(document).encode()
    document = json.loads(transcripts["released-full"])
    document["withheld"] = "DIFFERENCING"
    contents["withheld"] = json.dumps(document).encode()
    document = json.loads(transcripts["released-full"])
    del document["records"][0]
    contents["a record left out"] = json.dumps(document).encode()
    document = json.loads(transcripts["withheld-full"])
    document["withheld"] = ""
    contents["withheld no more"] = json.dumps(document).encode()
    contents["no json"] = transcripts["released-full"][:-20]
    verdict = audit(consortium, *with_files(tmp_path, contents))
    assert verdict.code == BAD
    assert {name: one["verdict"] for name, one in verdict.transcripts.items()} == dict.fromkeys(contents, "bad")
    named = {name: one["failed"] for name, one in verdict.transcripts.items() if name in TAMPERED}
    assert named == TAMPERED | {"querier": named["querier"]}
    assert named["querier"] in ("T1", "T2")
    assert len(verdict.report["findings"]) == len(contents)


def verified(cluster: Cluster, file: Path, *arguments: object) -> Verdict:
    done = plimsoll(cluster, AUDITOR, "audit", "verify-exposure", str(file), *map(str, arguments))
    assert done.stdout, done.stderr
    return Verdict(done.returncode, json.loads(done.stdout))


def test_one_answer_is_verified_alone_through_a_node_and_out_of_tiles(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    tiles, state, file = tmp_path / "tiles", tmp_path / "state", tmp_path / "t.json"
    assert plimsoll(consortium, AUDITOR, "audit", "export-tiles", str(tiles)).returncode == GOOD
    assert audit(consortium, "--state", str(state), "--no-proofs").code == GOOD
    for name, content in transcripts.items():
        file.write_bytes(content)
        for source in (("--through", "lender-4", "--state", state), ("--tiles", tiles)):
            verdict = verified(consortium, file, *source)
            assert (verdict.code, verdict.report["verdict"]) == (GOOD, "ok")
            assert ("contributors" in verdict.report["assumed"]) == name.endswith("redacted")


def test_one_changed_answer_is_refused_and_its_step_is_named(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "t.json"
    for path in ("heads.2.root", "records.0.index", "result.outstanding"):
        document = json.loads(transcripts["released-full"])
        _set(document, path, _flipped(_get(document, path)))
        file.write_text(json.dumps(document))
        verdict = verified(consortium, file)
        assert (verdict.code, verdict.report["failed"]) == (BAD, TAMPERED[path])


def test_an_answer_is_not_verified_against_another_consortium_than_was_audited(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "t.json").write_bytes(transcripts["released-full"])
    state = tmp_path / "state"
    assert audit(consortium, "--state", str(state), "--no-proofs").code == GOOD
    state.write_text(state.read_text().replace(consortium.manifest.consortium.hex(), "00" * 32))
    done = plimsoll(consortium, AUDITOR, "audit", "verify-exposure", str(tmp_path / "t.json"), "--state", str(state))
    assert done.returncode == 3
    assert "BAD_STATE" in done.stderr


def test_the_command_saves_transcripts_for_its_owners_eyes(consortium: Cluster, tmp_path: Path) -> None:
    borrower = f"test:{next(NEW)}"
    for member in ("lender-2", "lender-4"):
        consortium.report(member, [row(borrower, 2_000_000)])
    consortium.wait_same_heads()
    consent = tmp_path / "consent.txt"
    consent.write_text("I agree.")
    base = ["exposure", borrower, "--purpose", "guarantor", "--consent", str(consent)]
    for name, options in (("full.json", []), ("redacted.json", ["--redacted"])):
        done = plimsoll(consortium, QUERIER, *base, "--transcript", str(tmp_path / name), *options)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["amounts"]["outstanding"] == 4_000_000
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    consortium.wait_same_heads()
    verdict = audit(
        consortium, "--transcript", str(tmp_path / "full.json"), "--transcript", str(tmp_path / "redacted.json")
    )
    assert verdict.code == GOOD


def test_every_proof_of_every_position_holds(consortium: Cluster) -> None:
    verdict = audit(consortium)
    assert (verdict.code, verdict.report["findings"]) == (GOOD, [])
    assert set(verdict.report["heads_from"]) == set(consortium.members)
    assert verdict.report["keys"]["phase"] == "final"
    sizes = consortium.sizes(AUDITOR)
    for log in verdict.report["logs"]:
        assert log["size"] <= sizes[log["member"]][0]
        assert log["proofs"] == log["entries"].get("position", 0)


@pytest.mark.faults
def test_an_audit_rehashes_what_is_stored_and_names_the_entry_that_rotted(consortium: Cluster) -> None:
    """One bit of one entry of lender-1's log, changed on lender-4's disk: roots and heads are all as they were."""
    rows = [row(f"test:{next(NEW)}", 1_000_000, line=line) for line in range(2, 302)]
    assert consortium.report("lender-1", rows).published == 300
    index = consortium.wait_same_heads()["lender-1"][0] - 290
    consortium.stop("lender-4")
    original = change_entry(consortium, "lender-4", "lender-1", index, flip)
    consortium.restart("lender-4")
    verdict = audit(consortium, "--through", "lender-4")
    assert verdict.code == BAD
    named = [(finding["member"], finding["index"]) for finding in verdict.report["findings"]]
    assert ("lender-1", index) in named
    assert audit(consortium, "--through", "lender-2").code == GOOD
    consortium.stop("lender-4")
    change_entry(consortium, "lender-4", "lender-1", index, lambda _: original)
    consortium.restart("lender-4")
    assert audit(consortium, "--through", "lender-4").code == GOOD


@pytest.mark.faults
def test_a_node_that_finds_rot_at_its_start_fetches_the_log_again(consortium: Cluster) -> None:
    """Among the newest entries, which a node hashes when it opens a log."""
    index = consortium.wait_same_heads()["lender-1"][0] - 1
    consortium.stop("lender-4")
    change_entry(consortium, "lender-4", "lender-1", index, flip)
    consortium.restart("lender-4")
    consortium.wait_same_heads()
    assert audit(consortium, "--through", "lender-4").code == GOOD


def change_entry(cluster: Cluster, member: str, author: str, index: int, change: Callable[[bytes], bytes]) -> bytes:
    """Changes an entry of one log in a stopped node's store, and nothing else; what it was."""
    with closing(LevelStore(cluster.home_folder(member) / layout.CHAIN)) as store:
        number = store.get(b"o" + cluster.manifest.origin(author).encode())
        assert number is not None
        key = b"e" + number + index.to_bytes(8, "big")
        before = store.get(key)
        assert before is not None
        store.write([(key, change(before))])
    return before


def test_an_audit_goes_on_from_the_last_and_one_over_exported_tiles_says_the_same(
    consortium: Cluster, transcripts: dict[str, bytes], tmp_path: Path
) -> None:
    state, folder = tmp_path / "state", tmp_path / "tiles"
    first = audit(consortium, "--state", str(state), "--through", "lender-2")
    assert (first.code, {log["since"] for log in first.report["logs"]}) == (GOOD, {0})
    consortium.report("lender-1", [row(f"test:{next(NEW)}", 1_000_000)])
    consortium.wait_same_heads()
    second = audit(consortium, "--state", str(state), "--through", "lender-4")
    assert second.code == GOOD
    sizes = {log["origin"]: log["size"] for log in first.report["logs"]}
    assert all(log["since"] == sizes[log["origin"]] for log in second.report["logs"])
    assert sum(log["proofs"] for log in second.report["logs"]) < 5
    assert all(log["heartbeat"] for log in second.report["logs"])
    done = plimsoll(consortium, AUDITOR, "audit", "export-tiles", str(folder))
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-c", "from client.cli import main; raise SystemExit(main())", "--json"]
    options = ["audit", "run", "--tiles", str(folder), "--state", str(state), *with_files(tmp_path, transcripts)]
    alone = {name: value for name, value in consortium.environment.items() if not name.startswith("PLIMSOLL")}
    done = subprocess.run([*command, *options], env=alone, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == GOOD, done.stdout + done.stderr
    verdict = Verdict(done.returncode, json.loads(done.stdout))
    assert {name: one["verdict"] for name, one in verdict.transcripts.items()} == dict.fromkeys(transcripts, "ok")
    assert [log["root"] for log in verdict.report["logs"]] == [log["root"] for log in second.report["logs"]]
    assert all(log["witnessed"] for log in verdict.report["logs"])
