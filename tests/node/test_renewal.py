"""A node that runs for years: its certificates are renewed under way, over the keys it has."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from ledger.caller import ROLES
from ledger.certificate import certificate_pem
from ledger.history import History
from node.clock import Clock
from node.connections import Connections
from node.consortium import Consortium
from node.credentials import RENEW_BEFORE, open_node
from node.home import open_home
from node.renewal import WARN_BEFORE, Renewal
from node.tls import Presented, peer_identity
from tests.lenders import NOW, PASSPHRASE, adopt_all, found_homes, make_homes, seeded


class At(Clock):
    """A clock that stands."""

    now = NOW

    def unix(self) -> float:
        return self.now.timestamp()


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    adopt_all(homes[:1], found_homes(homes))
    return homes[0]


@pytest.fixture
async def node(adopted, tmp_path):
    """(its home, its renewal, the clock, its links)."""
    shutil.copytree(adopted.folder, tmp_path / "home")
    home, clock = open_home(tmp_path / "home"), At()
    identity = open_node(home, PASSPHRASE, rng=seeded("open"), now=NOW)
    consortium = Consortium(home.config.member, History([home.manifest()]))
    presented = Presented(identity.key, identity.certificate)
    connections = Connections(consortium, presented, clock)
    connections.follow()
    yield home, Renewal(home, consortium, identity.keyring, presented, connections, clock), clock, connections
    await connections.close()


async def test_certificates_that_have_time_stay_and_those_that_soon_lapse_are_issued_anew(node):
    home, renewal, clock, _ = node
    before = {role: home.certificate(role) for role in ROLES}
    assert renewal.renew() == []
    clock.now = before["node"].not_valid_after_utc - RENEW_BEFORE + timedelta(seconds=1)
    assert renewal.renew() == list(ROLES)
    for role in ROLES:
        after = home.certificate(role)
        assert after.not_valid_after_utc > before[role].not_valid_after_utc
        assert after.public_key() == before[role].public_key()
        assert peer_identity(certificate_pem(after), home.manifest(), clock.now).role == role
    assert renewal.renew() == []


async def test_a_running_node_shows_the_new_certificate_on_new_connections(node):
    home, renewal, clock, connections = node
    links = dict(connections.links)
    clock.now = home.certificate("node").not_valid_after_utc - timedelta(days=1)
    await renewal.look()
    assert all(connections.links[name] is not links[name] for name in links)


async def test_people_are_told_long_before_the_ca_lapses(node):
    home, renewal, clock, _ = node
    assert renewal.alerts == []
    clock.now = home.authority().not_valid_after_utc - WARN_BEFORE
    assert "CA lapses" in renewal.alerts[0]
