"""`plimsoll audit run --tiles`: no home, no certificate, no node."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.audit.judging.standing import UNWITNESSED
from ledger.errors import InvalidInput, NotFound, Unverified
from tests.client.audit.tile_folder import write_folder
from tests.client.audit.world import MEMBERS, consortium, manifest
from tests.client.cli.conftest import Plimsoll

USAGE = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return write_folder(tmp_path_factory.mktemp("audit") / "tiles")


def test_a_folder_is_audited_without_home_and_certificate(plimsoll: Plimsoll, folder: Path) -> None:
    run = plimsoll("audit", "run", "--tiles", folder, "--json")
    assert (run.code, run.json["verdict"], run.json["through"]) == (0, "ok", "tiles")
    assert run.json["consortium"] == manifest().consortium.hex()
    assert {log["proofs"] for log in run.json["logs"]} == {12, 13}
    assert {(each["member"], each["reason"]) for each in run.json["remarks"]} >= {(m, UNWITNESSED) for m in MEMBERS}
    assert plimsoll("audit", "run", "--tiles", folder, "--no-proofs").out.startswith("Everything checked holds.")


def test_a_spoilt_folder_exits_with_9_and_names_member_and_entry(plimsoll: Plimsoll, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiles")
    size = consortium().logs["lender-2"].size
    path = folder / "lender-2" / "tile" / "0" / "000.p" / str(size)
    raw = bytearray(path.read_bytes())
    raw[32 * 5] ^= 1
    path.write_bytes(raw)
    run = plimsoll("audit", "run", "--tiles", folder, "--no-proofs", "--json")
    assert run.code == Unverified.exit_code
    assert ("lender-2", 5, "BAD_TILE") in [(f["member"], f["index"], f["reason"]) for f in run.json["findings"]]


def test_a_folder_is_audited_on_with_a_state(plimsoll: Plimsoll, folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert plimsoll("audit", "run", "--tiles", folder, "--state", state).code == 0
    for options, since in (([], None), (["--from-scratch"], 0)):
        run = plimsoll("audit", "run", "--tiles", folder, "--state", state, "--json", *options)
        assert run.code == 0
        assert [log["since"] for log in run.json["logs"]] == [
            log["size"] if since is None else since for log in run.json["logs"]
        ]


def test_a_policy_without_its_quorum_is_a_finding(plimsoll: Plimsoll, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(f"log {manifest().log_key('lender-3')}\nquorum none\n")
    run = plimsoll("audit", "run", "--tiles", folder, "--no-proofs", "--policy", tmp_path / "policy")
    assert run.code == 0
    key = manifest().cosigner_key("lender-1")
    lines = [f"log {manifest().log_key('lender-3')}", f"witness one {key}", "quorum one", ""]
    (tmp_path / "policy").write_text("\n".join(lines))
    run = plimsoll("audit", "run", "--tiles", folder, "--no-proofs", "--policy", tmp_path / "policy", "--json")
    assert run.code == Unverified.exit_code
    assert [(f["member"], f["reason"]) for f in run.json["findings"]] == [("lender-3", "NO_QUORUM")]


def test_what_is_no_policy_is_refused_with_its_line(plimsoll: Plimsoll, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("quorum none\nlog nothing\n")
    run = plimsoll("audit", "run", "--tiles", folder, "--policy", tmp_path / "policy")
    assert run.code == InvalidInput.exit_code
    assert f"{tmp_path / 'policy'}" in run.err
    assert "line 2" in run.err
    assert plimsoll("audit", "run", "--tiles", folder, "--policy", tmp_path / "none").code == NotFound.exit_code


def test_options_that_ask_a_node_do_not_go_with_a_folder(plimsoll: Plimsoll, folder: Path) -> None:
    assert plimsoll("audit", "run", "--tiles", folder, "--through", "lender-1").code == USAGE


def test_a_folder_that_is_not_there_is_said_so(plimsoll: Plimsoll, tmp_path: Path) -> None:
    run = plimsoll("audit", "run", "--tiles", tmp_path / "none")
    assert (run.code, run.out) == (NotFound.exit_code, "")
