from __future__ import annotations

from pathlib import Path

import pytest
from plimsoll.v1 import operator_pb2

from node.homes.home import open_home
from tests.client.cli.conftest import Plimsoll
from tests.client.conftest import PASSPHRASE
from tests.client.fakes import FakeNode

STATUS = operator_pb2.StatusResponse(
    member="lender-1",
    consortium="ab" * 32,
    name="Tests [bold]",
    uptime_seconds=7200,
    state="waiting-for-keys",
    peers=[
        operator_pb2.PeerStatus(member="lender-2", address="127.0.0.1:2", reachable=True, last_contact_seconds=3),
        operator_pb2.PeerStatus(member="lender-3", address="127.0.0.1:3", error="refused", last_contact_seconds=-1),
    ],
    logs=[
        operator_pb2.LogStatus(member="lender-1", size=12, known_size=12, root="cd" * 32),
        operator_pb2.LogStatus(member="lender-2", size=1000, known_size=1250, head_age_seconds=90),
        operator_pb2.LogStatus(member="lender-3", size=0, head_age_seconds=-1, problem="a fork"),
    ],
    keys=operator_pb2.KeyStatus(
        custodian=1, threshold=2, custodians=3, phase="confirming", waiting_for=["lender-3"], holds_shares=True
    ),
    disk_used_bytes=5 << 20,
    disk_free_bytes=7 << 30,
    borrowers=1234,
    memory_bytes=100 << 20,
    version="0.1.0",
)


def test_the_json_is_the_message(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Status"] = STATUS
    run = at_home("status", "--json")
    assert run.code == 0
    assert set(run.json) == {field.name for field in STATUS.DESCRIPTOR.fields}
    assert run.json["logs"][1] == {
        "member": "lender-2",
        "size": 1000,
        "known_size": 1250,
        "root": "",
        "head_age_seconds": 90,
        "problem": "",
        "witnessed_size": 0,
        "frozen": False,
        "witnessed_root": "",
    }
    assert run.json["keys"]["waiting_for"] == ["lender-3"]
    assert run.json["peers"][1]["last_contact_seconds"] == -1
    assert run.json["disk_free_bytes"] == 7 << 30


def test_people_see_keys_logs_lag_peers_and_disk(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Status"] = STATUS
    lines = at_home("status").out.splitlines()

    def line(start: str, *parts: str) -> bool:
        return any(each.strip("│ ").startswith(start) and all(part in each for part in parts) for each in lines)

    assert line("keys", "confirming, waiting for lender-3", "any 2 of 3 decrypt", "custodian 1, holds its shares")
    assert line("state", "waiting-for-keys, up 2 h")
    assert line("disk", "5.0 MiB used, 7,168.0 MiB free")
    assert line("lender-2", "1,000", "250", "1 min")
    assert line("lender-3", "never", "a fork")
    assert line("lender-2", "127.0.0.1:2", "reachable", "3 s ago")
    assert line("lender-3", "unreachable", "never", "refused")
    assert line("consortium", "Tests [bold]")  # what others wrote is no markup


def test_doubted_records_are_told_of_where_there_were_any(at_home: Plimsoll, node: FakeNode) -> None:
    node.answers["Status"] = STATUS
    assert "challenges" not in at_home("status").out
    status = operator_pb2.StatusResponse()
    status.CopyFrom(STATUS)
    status.challenges.MergeFrom(operator_pb2.ChallengeStatus(asked=9, proved=4, pending=2, challenged=1, answered=3))
    node.answers["Status"] = status
    said = " ".join(at_home("status").out.split())
    assert "challenges 4 records proved, 2 pending, 1 challenged; 3 of our own answered" in said


def test_without_a_home_a_certificate_and_an_address_do(
    plimsoll: Plimsoll, home: Path, node: FakeNode, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    opened = open_home(home)
    key = tmp_path / "key.pem"
    key.write_bytes(opened.key("operator", PASSPHRASE).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    node.answers["Status"] = STATUS
    options = ["--cert", home / "tls/operator.pem", "--key", key, "--ca", home / "tls/ca.pem"]
    assert plimsoll("--address", node.address, *options, "status", "--json").json["member"] == "lender-1"
    assert plimsoll("status", "--json", "--address", node.address, *options).json["member"] == "lender-1"


def test_the_home_can_come_from_the_environment_and_an_option_beats_it(
    plimsoll: Plimsoll, home: Path, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answers["Status"] = STATUS
    monkeypatch.setenv("PLIMSOLL_HOME", str(home))
    assert plimsoll("status", "--json").code == 0
    assert plimsoll("status", "--home", tmp_path).code == 5
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path))
    assert plimsoll("--home", home, "status", "--json").code == 0
    assert plimsoll("--home", tmp_path, "status", "--home", home).code == 0


def test_a_wrong_passphrase_is_said_so(plimsoll: Plimsoll, home: Path, node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("another\n")
    run = plimsoll("--home", home, "--passphrase-file", tmp_path / "p", "status")
    assert run.code == 4
    assert "WRONG_PASSPHRASE" in run.err
    assert "another" not in run.err
