"""propose, proposals, approve, lineage: what is shown, asked and sent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from plimsoll.v1 import operator_pb2

from ledger.consortium.amendment import Amendment, amend
from ledger.consortium.card import sign_card
from ledger.consortium.lineage import open_lineage
from ledger.consortium.manifest import parse_manifest
from ledger.tlog.checkpoint import Head
from ledger.tlog.merkle import EMPTY_ROOT
from node.homes.home import open_home
from tests.client.cli.conftest import Plimsoll
from tests.client.conftest import PASSPHRASE
from tests.client.fakes import FakeNode
from tests.lenders import lender

POLICY = ("--policy", "queries_per_borrower=7")


@pytest.fixture
def before(home: Path):
    return open_home(home).manifest()


@pytest.fixture
def proposing(node: FakeNode) -> FakeNode:
    """A node that takes every proposal and knows no head."""

    def propose(request: operator_pb2.ProposeRequest) -> operator_pb2.ProposeResponse:
        return operator_pb2.ProposeResponse(manifest=hashlib.sha256(request.manifest).digest(), index=5)

    from plimsoll.v1 import audit_pb2

    node.answers |= {
        "Propose": propose,
        "Status": operator_pb2.StatusResponse(),
        "LatestHeads": audit_pb2.LatestHeadsResponse(),
    }
    return node


def sent(node: FakeNode):
    """The one successor that was proposed."""
    (request,) = [request for method, _, request in node.asked if method == "Propose"]
    return parse_manifest(request.manifest.decode())


def listing(before, text: str, **changes: object) -> operator_pb2.ProposalsResponse:
    facts = {"manifest": hashlib.sha256(text.encode()).digest(), "proposer": "lender-2", "text": text.encode()}
    proposed = operator_pb2.ProposedManifest(**{**facts, "approved": ["lender-2"], "needed": 3, **changes})  # type: ignore[arg-type]
    return operator_pb2.ProposalsResponse(proposals=[proposed])


def successor(before, **change: object) -> str:
    return amend(before, Amendment(**change), lambda name: Head(before.origin(name), 0, EMPTY_ROOT))  # type: ignore[arg-type]


def test_what_is_proposed_is_what_was_asked_for_and_nothing_else(
    at_home: Plimsoll, proposing: FakeNode, before
) -> None:
    run = at_home("propose", "--json", "--yes", *POLICY)
    assert run.code == 0, run.err
    after = sent(proposing)
    assert (after.previous, after.policy.queries_per_borrower) == (before.id, 7)
    assert (after.members, after.custodians, after.epoch) == (before.members, before.custodians, 1)
    assert run.json == {
        "id": after.id.hex(),
        "index": 5,
        "changes": ["policy: queries_per_borrower = 3 -> 7", "takes 3 approvals of 3 members that have a vote"],
    }
    assert {caller.role for _, caller, _ in proposing.asked} == {"operator"}


def test_people_are_told_what_changes(at_home: Plimsoll, proposing: FakeNode) -> None:
    run = at_home("propose", "--yes", "--refresh")
    assert "the custodians' shares are dealt anew: key epoch 2, from 1" in run.out
    assert sent(proposing).epoch == 2


def test_nothing_is_sent_where_nobody_can_be_asked(at_home: Plimsoll, proposing: FakeNode) -> None:
    run = at_home("propose", *POLICY)
    assert (run.code, run.out) == (2, "")
    assert "--yes" in run.err
    assert all(method != "Propose" for method, _, _ in proposing.asked)


@pytest.mark.parametrize("options", [(), ("--text", "x", *POLICY), ("--text", "x", "--refresh")])
def test_one_says_what_is_to_change_or_gives_the_whole_text(
    at_home: Plimsoll, proposing: FakeNode, options: tuple[str, ...]
) -> None:
    assert at_home("propose", "--yes", *options).code == 2


def test_a_whole_text_is_sent_as_it_is(at_home: Plimsoll, proposing: FakeNode, before, tmp_path: Path) -> None:
    text = successor(before).replace(before.name, "Another name")
    (tmp_path / "text").write_text(text)
    assert at_home("propose", "--yes", "--text", tmp_path / "text").code == 0
    assert sent(proposing).text == text


def test_what_may_not_succeed_never_reaches_the_node(at_home: Plimsoll, proposing: FakeNode) -> None:
    for options, code, reason in (
        (("--policy", "bands=1,2,3,4,5"), 4, "FIXED_TERM"),
        (("--policy", "nonsense=1"), 3, "UNKNOWN_KEY"),
        (("--policy", "nonsense"), 3, "BAD_OPTION"),
        (("--remove", "lender-3"), 3, "OUT_OF_RANGE"),
        (("--remove", "nobody"), 3, "NOT_A_MEMBER"),
        (("--threshold", "9"), 3, "OUT_OF_RANGE"),
        (("--add", "/dev/null"), 3, "BAD_NOTE"),
    ):
        run = at_home("propose", "--yes", *options)
        assert (run.code, reason in run.err) == (code, True), run.err
    assert all(method != "Propose" for method, _, _ in proposing.asked)


def test_a_card_takes_a_lender_in(at_home: Plimsoll, proposing: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "card").write_bytes(lender(9).card)
    assert at_home("propose", "--yes", "--add", tmp_path / "card").code == 0
    assert [member.name for member in sent(proposing).members] == ["lender-1", "lender-2", "lender-3", "lender-9"]


def new_log_key(homes: dict[str, Path], folder: Path) -> Path:
    """lender-2's card with another log key."""
    from dataclasses import replace

    home = open_home(homes["lender-2"])
    member = replace(home.member(), log_key=lender(50).member.log_key)
    card = sign_card(member, lender(50).keyring.log_seed, home.keyring(PASSPHRASE).cosign_seed)
    (folder / "card").write_bytes(card)
    return folder / "card"


def test_a_frozen_log_ends_where_it_was_last_witnessed(
    at_home: Plimsoll, proposing: FakeNode, homes: dict[str, Path], tmp_path: Path
) -> None:
    card = new_log_key(homes, tmp_path)
    assert at_home("propose", "--yes", "--card", card).code == 0
    (log,) = sent(proposing).ended
    assert (log.name, log.size, log.root) == ("lender-2", 0, EMPTY_ROOT)
    proposing.asked.clear()
    frozen = operator_pb2.LogStatus(
        member="lender-2", size=90, frozen=True, witnessed_size=70, witnessed_root=bytes(range(32)).hex()
    )
    proposing.answers["Status"] = operator_pb2.StatusResponse(logs=[frozen])
    assert at_home("propose", "--yes", "--card", card).code == 0
    after = sent(proposing)
    (log,) = after.ended
    assert (log.size, log.root) == (70, bytes(range(32)))
    assert after.origin("lender-2").endswith("/lender-2.2")


def test_proposals_are_listed_with_what_they_change(at_home: Plimsoll, node: FakeNode, before) -> None:
    text = successor(before, policy={"grace_days": "11"})
    node.answers["Proposals"] = listing(before, text)
    facts = at_home("proposals", "--json").json
    assert (facts["manifest"], facts["sequence"]) == (before.id.hex(), 0)
    (one,) = facts["proposals"]
    assert list(one) == ["id", "proposer", "approved", "needed", "changes", "text"]
    assert (one["proposer"], one["approved"], one["needed"], one["text"]) == ("lender-2", ["lender-2"], 3, text)
    shown = at_home("proposals").out
    assert "policy: grace_days = 10 -> 11" in shown
    assert "1 of 3 needed: lender-2" in shown
    node.answers["Proposals"] = operator_pb2.ProposalsResponse()
    assert "nothing is proposed" in at_home("proposals").out


def test_an_approval_is_of_what_was_shown(at_home: Plimsoll, node: FakeNode, before) -> None:
    text = successor(before, refresh=True)
    identity = hashlib.sha256(text.encode()).hexdigest()
    node.answers |= {"Proposals": listing(before, text), "Approve": operator_pb2.ApproveResponse(index=7)}
    assert at_home("approve", identity).code == 2  # nobody can be asked
    run = at_home("approve", "--json", "--yes", identity[:8].upper())
    assert (run.json["id"], run.json["index"]) == (identity, 7)
    assert [request.manifest.hex() for method, _, request in node.asked if method == "Approve"] == [identity]
    for unknown in ("0" * 64, identity[:7], ""):
        assert at_home("approve", "--yes", unknown).code == 5
    node.answers["Proposals"] = listing(before, successor(before), manifest=bytes.fromhex(identity))
    run = at_home("approve", "--yes", identity)
    assert (run.code, "OTHER_MANIFEST" in run.err) == (9, True)
    assert sum(method == "Approve" for method, _, _ in node.asked) == 1


def test_the_lineage_is_written_as_it_was_verified(at_home: Plimsoll, node: FakeNode, before, tmp_path: Path) -> None:
    facts = at_home("lineage", "--json", "-o", tmp_path / "lineage").json
    assert open_lineage((tmp_path / "lineage").read_bytes()).current == before
    assert facts["consortium"] == before.id.hex()
    assert facts["manifests"] == [
        {
            "sequence": 0,
            "id": before.id.hex(),
            "epoch": 1,
            "members": ["lender-1", "lender-2", "lender-3"],
            "approved": [],
        }
    ]
    assert "everybody (founding)" in at_home("lineage").out
