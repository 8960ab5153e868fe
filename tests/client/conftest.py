"""A founded consortium of three, made once a session, and a server in place of lender-1's node: real TLS, real gRPC."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.consortium.address import Address
from node.homes import founding
from node.homes.home import open_home
from tests.client.fakes import FakeNode, free_port

MEMBERS = ("lender-1", "lender-2", "lender-3")
PASSPHRASE = "a passphrase of the tests"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By member: a home that has adopted the manifest; its config names the passphrase file."""
    root = tmp_path_factory.mktemp("homes")
    now = datetime.now(UTC)
    for member in MEMBERS:
        address = Address("127.0.0.1", free_port())
        founding.init(root / member, member, address, PASSPHRASE, rng=os.urandom, now=now)
        (root / member / "passphrase").write_text(PASSPHRASE + "\n")
        with (root / member / "config.toml").open("a") as config:
            config.write('passphrase_file = "passphrase"\n')
    opened = [open_home(root / member) for member in MEMBERS]
    signed = founding.found([home.card() for home in opened], name="Tests", currency="CNY", time_zone="Asia/Shanghai")
    for home in opened:
        signed = founding.sign(home, signed, PASSPHRASE)
    for home in opened:
        founding.adopt(home, signed.encode(), PASSPHRASE, rng=os.urandom, now=now)
    return {member: root / member for member in MEMBERS}


@pytest.fixture(scope="session")
def home(homes: dict[str, Path]) -> Path:
    """lender-1's."""
    return homes["lender-1"]


@pytest.fixture(scope="session")
def _server(home: Path) -> Iterator[FakeNode]:
    node = FakeNode(open_home(home), PASSPHRASE)
    yield node
    node.stop()


@pytest.fixture
def node(_server: FakeNode) -> FakeNode:
    """What listens at lender-1's address. Tests set what it answers and see what it was asked."""
    _server.reset()
    return _server
