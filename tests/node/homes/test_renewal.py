"""A node that runs for years: its certificates are renewed under way, over the keys it has."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta

import pytest

from ledger.consortium.caller import ROLES
from ledger.consortium.certificate import certificate_pem
from ledger.consortium.history import History
from ledger.errors import Unavailable
from node.clock import Clock
from node.consortium import Consortium
from node.homes.credentials import RENEW_BEFORE, open_node
from node.homes.home import open_home
from node.homes.renewal import WARN_BEFORE, Renewal
from node.wire.connections import Connections
from node.wire.tls import Presented, channel_credentials, peer_identity
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


async def test_links_go_on_over_new_channels_as_others_hold_on_to_them(node, monkeypatch):
    home, renewal, clock, connections = node
    links = dict(connections.links)
    made: list[bytes] = []
    monkeypatch.setattr("node.wire.connections.channel_credentials", recording(made, channel_credentials))
    clock.now = home.certificate("node").not_valid_after_utc - timedelta(days=1)
    await renewal.look()
    assert all(connections.links[name] is link for name, link in links.items())
    assert made == [certificate_pem(home.certificate("node"))] * len(links)
    await asyncio.sleep(0)
    for link in links.values():
        with pytest.raises(Unavailable, match="does not answer"):  # as nobody listens, not as its channel is closed
            await link.heads(0.2)


async def test_who_holds_a_link_that_was_given_up_finds_nobody_there(node):
    _, _, _, connections = node
    links = list(connections.links.values())
    await connections.close()
    for link in links:
        with pytest.raises(Unavailable, match="given up"):
            await link.heads(0.2)
        with pytest.raises(Unavailable, match="given up"):
            await anext(link.pull("origin", 0, 0.2))


def recording(certificates, function):
    """The same, noting the certificate it is called with."""

    def recorded(manifest, member, key, certificate):
        certificates.append(certificate)
        return function(manifest, member, key, certificate)

    return recorded


async def test_people_are_told_long_before_the_ca_lapses(node):
    home, renewal, clock, _ = node
    assert renewal.alerts == []
    clock.now = home.authority().not_valid_after_utc - WARN_BEFORE
    assert "CA lapses" in renewal.alerts[0]
