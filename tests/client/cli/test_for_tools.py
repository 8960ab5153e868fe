"""The commands whose answers are for other tools: tiles, keys, policies and receipts."""

from __future__ import annotations

from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2

from ledger.chain.chain import Chain
from ledger.consortium.lineage import open_lineage
from ledger.consortium.manifest import Manifest
from ledger.errors import Unverified
from ledger.tlog.checkpoint import open_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import VerifierKey
from ledger.tlog.tlog_policy import parse_policy
from ledger.witnessing.cosigned import with_line
from node.homes.home import open_home
from tests.client.cli.conftest import Plimsoll
from tests.client.conftest import MEMBERS, PASSPHRASE
from tests.client.fakes import FakeNode


@pytest.fixture
def manifest(homes: dict[str, Path]) -> Manifest:
    return open_home(homes["lender-1"]).manifest()


@pytest.fixture
def witnessed(serving: FakeNode, chain: Chain, homes: dict[str, Path], manifest: Manifest) -> FakeNode:
    """The same node, which knows cosignatures of everybody on lender-1's newest head."""
    signed = chain.log("lender-1").head
    assert signed is not None
    for member in MEMBERS:
        seed = open_home(homes[member]).keyring(PASSPHRASE).cosign_seed
        line = Cosigner.from_seed(manifest.cosigner_key(member).name, seed).cosign(signed.note.text, 1000)
        signed = type(signed)(signed.head, with_line(signed, line))
    note = signed.note.encode()
    serving.answers["LatestHeads"].witnessed.append(note)
    real = serving.answers["Receipt"]

    def receipt(request: audit_pb2.ReceiptRequest) -> audit_pb2.ReceiptResponse:
        answer: audit_pb2.ReceiptResponse = real(request)
        if request.witnessed:
            answer.receipt = answer.receipt[: answer.receipt.index(b"\n\n") + 2] + note
        return answer

    serving.answers["Receipt"] = receipt
    return serving


# export-tiles


def test_an_export_is_told_log_by_log(
    at_home: Plimsoll, witnessed: FakeNode, manifest: Manifest, tmp_path: Path
) -> None:
    facts = at_home("audit", "export-tiles", tmp_path / "x", "--json").json
    assert list(facts) == ["verdict", "folder", "consortium", "manifests", "logs"]
    assert (facts["verdict"], facts["folder"], facts["manifests"]) == ("ok", str(tmp_path / "x"), 1)
    first = facts["logs"][0]
    assert list(first) == ["log", "origin", "before", "size", "witnessed", "ahead", "error"]
    assert (first["log"], first["before"], first["size"], first["witnessed"]) == ("lender-1", None, 5, 5)
    assert [each["size"] for each in facts["logs"]] == [5, None, None]
    head = open_head((tmp_path / "x/lender-1/checkpoint").read_bytes(), manifest.log_key("lender-1")).head
    assert head.size == 5
    shown = at_home("audit", "export-tiles", tmp_path / "x")
    assert shown.code == 0
    assert "lender-1" in shown.out
    assert "nothing yet" in shown.out
    assert {caller.role for _, caller, _ in witnessed.asked} == {"auditor"}


def test_what_is_wrong_exits_with_9_and_says_where(at_home: Plimsoll, serving: FakeNode, tmp_path: Path) -> None:
    assert at_home("audit", "export-tiles", tmp_path).code == 0
    bundle = tmp_path / "lender-1/tile/entries/000.p/5"
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"\1")
    run = at_home("audit", "export-tiles", tmp_path, "--check", "--json")
    assert run.code == Unverified.exit_code
    assert run.json["verdict"] == "bad"
    assert run.json["logs"][0]["error"]["path"] == "tile/entries/000.p/5"
    shown = at_home("audit", "export-tiles", tmp_path, "--check").out
    assert "lender-1: tile/entries/000.p/5:" in shown
    assert "[BAD_TILE]" in shown


# keys and policy


def test_keys_are_one_a_line(at_home: Plimsoll, manifest: Manifest) -> None:
    run = at_home("audit", "keys")
    assert run.out.splitlines() == [f"{member} {manifest.log_key(member)}" for member in MEMBERS]
    run = at_home("audit", "keys", "--witnesses")
    assert run.out.splitlines() == [f"{member} {manifest.cosigner_key(member)}" for member in MEMBERS]
    assert all(VerifierKey.parse(line.split(" ")[1]).type == 4 for line in run.out.splitlines())


def test_keys_as_json_are_both_kinds(at_home: Plimsoll, manifest: Manifest) -> None:
    facts = at_home("audit", "keys", "--json").json
    assert list(facts) == ["consortium", "logs", "witnesses"]
    assert facts["logs"][1] == {
        "log": "lender-2",
        "origin": manifest.origin("lender-2"),
        "key": str(manifest.log_key("lender-2")),
        "ended": False,
    }
    assert facts["witnesses"][2] == {"member": "lender-3", "key": str(manifest.cosigner_key("lender-3"))}


def test_a_policy_is_one_that_is_read(at_home: Plimsoll, node: FakeNode, manifest: Manifest, tmp_path: Path) -> None:
    printed = parse_policy(at_home("audit", "policy").out.encode())
    assert [log.key for log in printed.logs] == [manifest.log_key(member) for member in MEMBERS]
    run = at_home("audit", "policy", "--log", "lender-2", "-o", tmp_path / "policy")
    assert (run.code, run.out) == (0, "")
    one = parse_policy((tmp_path / "policy").read_bytes())
    assert [witness.name for witness in one.witnesses] == ["lender-1/cosigner", "lender-3/cosigner"]
    facts = at_home("audit", "policy", "--log", "lender-2", "--json").json
    assert list(facts) == ["policy", "output"]
    assert facts["policy"].encode() == (tmp_path / "policy").read_bytes()
    assert at_home("audit", "policy", "--log", "lender-9").code == 5


def test_with_a_lineage_nobody_is_asked_and_no_home_is_needed(
    at_home: Plimsoll, plimsoll: Plimsoll, serving: FakeNode, tmp_path: Path
) -> None:
    at_home("audit", "export-tiles", tmp_path)
    serving.asked.clear()
    for command in (("audit", "keys"), ("audit", "policy")):
        run = plimsoll(*command, "--lineage", tmp_path / "lineage")
        assert run.code == 0
        assert serving.asked == []
        assert run.out == at_home(*command).out
        serving.asked.clear()
    assert plimsoll("audit", "keys", "--lineage", tmp_path / "none").code == 5
    assert plimsoll("audit", "keys").code == 2


# receipts


@pytest.fixture
def kept(at_home: Plimsoll, plimsoll: Plimsoll, witnessed: FakeNode, tmp_path: Path) -> Path:
    """A folder with a receipt, its entry, the manifests and two policies."""
    proof, entry = tmp_path / "r.tlog-proof", tmp_path / "r.entry"
    assert at_home("receipt", "lender-1", 3, "-o", proof, "--entry", entry).code == 0
    at_home("audit", "export-tiles", tmp_path)
    by_lineage = ("audit", "policy", "--lineage", tmp_path / "lineage", "-o")
    plimsoll(*by_lineage, tmp_path / "policy")
    plimsoll(*by_lineage, tmp_path / "other", "--log", "lender-2")
    return tmp_path


def test_a_receipt_is_printed_or_written_with_its_entry(
    at_home: Plimsoll,
    kept: Path,
    chain: Chain,
    manifest: Manifest,
) -> None:
    assert (kept / "r.entry").read_bytes() == chain.log("lender-1").entry(3)
    assert at_home("receipt", manifest.origin("lender-1"), 3).out.encode() == (kept / "r.tlog-proof").read_bytes()
    facts = at_home("receipt", "lender-1", "3", "--json").json
    assert list(facts) == [
        "log", "origin", "index", "size", "root", "leaf", "bytes", "witnessed", "cosigned_by", "receipt", "output",
        "entry",
    ]  # fmt: skip
    assert (facts["log"], facts["index"], facts["witnessed"]) == ("lender-1", 3, True)
    assert facts["cosigned_by"] == ["lender-2", "lender-3"]
    assert facts["receipt"].encode() == (kept / "r.tlog-proof").read_bytes()


def test_a_receipt_is_verified_with_neither_node_nor_home(
    plimsoll: Plimsoll, kept: Path, manifest: Manifest, witnessed: FakeNode
) -> None:
    witnessed.asked.clear()
    verify = ("receipt", "--verify", kept / "r.tlog-proof", "--entry", kept / "r.entry", "--json")
    by_key = plimsoll(*verify, "--log-key", manifest.log_key("lender-1"))
    by_policy = plimsoll(*verify, "--policy", kept / "policy")
    by_lineage = plimsoll(*verify, "--lineage", kept / "lineage")
    assert [run.code for run in (by_key, by_policy, by_lineage)] == [0, 0, 0]
    assert [run.json["witnessed"] for run in (by_key, by_policy, by_lineage)] == [None, True, True]
    assert by_policy.json["cosigned_by"] == [f"{member}/cosigner" for member in MEMBERS]
    assert by_lineage.json["cosigned_by"] == ["lender-2", "lender-3"]
    assert witnessed.asked == []
    assert "3 of lender-1" in plimsoll(*verify[:-1], "--policy", kept / "policy").out


def test_what_does_not_hold_exits_with_9(plimsoll: Plimsoll, kept: Path, manifest: Manifest) -> None:
    verify = ("receipt", "--verify", kept / "r.tlog-proof", "--entry")
    (kept / "wrong").write_bytes(b"other")
    assert plimsoll(*verify, kept / "wrong", "--policy", kept / "policy").code == Unverified.exit_code
    assert plimsoll(*verify, kept / "r.entry", "--policy", kept / "other").code == Unverified.exit_code
    assert plimsoll(*verify, kept / "r.entry", "--log-key", manifest.log_key("lender-2")).code == Unverified.exit_code
    assert plimsoll(*verify, kept / "r.entry", "--log-key", "x").code == 3
    (kept / "policy").write_bytes(b"log x\nquorum none\n")
    run = plimsoll(*verify, kept / "r.entry", "--policy", kept / "policy")
    assert run.code == 3
    assert run.err.startswith("plimsoll: line 1: ")


def test_what_fits_no_form_is_wrong_usage(at_home: Plimsoll, node: FakeNode, tmp_path: Path) -> None:
    for words in (
        ("receipt",), ("receipt", "lender-1"), ("receipt", "lender-1", "-1"), ("receipt", "lender-1", "x"),
        ("receipt", "lender-1", "1", "--policy", "p"), ("receipt", "--verify", "r"),
        ("receipt", "--verify", "r", "--entry", "e"), ("receipt", "--verify", "r", "--policy", "p"),
        ("receipt", "--verify", "r", "--entry", "e", "--policy", "p", "--log-key", "k"),
        ("receipt", "lender-1", "1", "--verify", "r", "--entry", "e", "--policy", "p"),
    ):  # fmt: skip
        assert at_home(*words).code == 2, words
    assert node.asked == []


def test_a_log_that_is_none_is_said_so(at_home: Plimsoll, serving: FakeNode) -> None:
    assert at_home("receipt", "lender-9", "1").code == 5


def test_an_exported_lineage_is_one(kept: Path, manifest: Manifest) -> None:
    assert open_lineage((kept / "lineage").read_bytes()).current == manifest
